"""An engine that knows its part: what it was asked before it answers at once, and as it did then."""

from __future__ import annotations

from collections.abc import Sequence

from channels.contract import Finding
from notify.translation.engine import Engine, EngineError, Pair, Sentence


class Rehearsed:
    """Lets an engine think before anything is locked; afterwards nobody waits for it.

    A failure is remembered as well: an engine that did not answer is not waited for twice.

    Args:
        engine: does the translating.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._known: dict[tuple[Pair, str], Sentence] = {}
        self._described: dict[Pair, str] = {}
        self._failed: dict[Pair, EngineError] = {}

    @property
    def name(self) -> str:
        """The engine's."""
        return self._engine.name

    @property
    def local(self) -> bool:
        """Whether no text leaves this machine."""
        return self._engine.local

    def pairs(self) -> set[Pair]:
        """The engine's."""
        return self._engine.pairs()

    def health(self) -> Sequence[Finding]:
        """What the engine says."""
        return self._engine.health()

    def describe(self, source: str, target: str) -> str:
        """Who did it, as it was when it did.

        Raises:
            Unsupported: no such pair.
        """
        return self._described.get((source, target)) or self._engine.describe(source, target)

    def translate(self, texts: Sequence[str], source: str, target: str) -> list[Sentence]:
        """Translate sentences; see `Engine.translate`."""
        pair = (source, target)
        if pair in self._failed:
            raise self._failed[pair]
        new = [text for text in dict.fromkeys(texts) if (pair, text) not in self._known]
        if new:
            self._ask(new, pair)
        return [self._known[pair, text] for text in texts]

    def _ask(self, new: Sequence[str], pair: Pair) -> None:
        try:
            answers = self._engine.translate(new, *pair)
            self._described[pair] = self._engine.describe(*pair)
        except EngineError as error:
            self._failed[pair] = error
            raise
        self._known.update({(pair, text): answer for text, answer in zip(new, answers, strict=True)})
