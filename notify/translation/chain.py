"""Several engines as one: for each pair the first that can do it, in the city's order."""

from __future__ import annotations

from collections.abc import Sequence

from channels.contract import Finding
from notify.translation.engine import Engine, Pair, Sentence, Unsupported, closest_pair


class Chain:
    """Asks the first engine that has the pair. One that cannot be reached has no pairs, so the next is asked."""

    name = "chain"

    def __init__(self, engines: Sequence[Engine]) -> None:
        self._engines = tuple(engines)

    @property
    def engines(self) -> tuple[Engine, ...]:
        """In the order in which they are asked."""
        return self._engines

    @property
    def local(self) -> bool:
        """Whether no text leaves this machine."""
        return all(engine.local for engine in self._engines)

    def pairs(self) -> set[Pair]:
        """What any of them translates."""
        return {pair for engine in self._engines for pair in engine.pairs()}

    def describe(self, source: str, target: str) -> str:
        """The first engine for the pair, and its version.

        Raises:
            Unsupported: none of them has it.
        """
        return self._first(source, target).describe(source, target)

    def translate(self, texts: Sequence[str], source: str, target: str) -> list[Sentence]:
        """Translate sentences; see `Engine.translate`."""
        return self._first(source, target).translate(texts, source, target)

    def health(self) -> Sequence[Finding]:
        """What each of them says."""
        return [finding for engine in self._engines for finding in engine.health()]

    def _first(self, source: str, target: str) -> Engine:
        for engine in self._engines:
            if closest_pair(engine.pairs(), source, target):
                return engine
        names = ", ".join(engine.name for engine in self._engines) or "none is set"
        raise Unsupported(
            f"No engine translates {source} to {target} (asked: {names}).",
            "Install a package: notify languages install; or let a person translate.",
        )
