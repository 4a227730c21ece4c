"""Several engines as one: for each pair the first that can do it, in the city's order."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from channels.contract import Finding
from notify.settings import TranslationSettings
from notify.translation.apertium import ApertiumEngine
from notify.translation.argos import ArgosEngine
from notify.translation.engine import Engine, Pair, Sentence, Unavailable, Unsupported, closest_pair
from notify.translation.libretranslate import LibreTranslateEngine

PAUSE = 30.0
"""Seconds for which an engine that failed comes after the others."""


class Chain:
    """Asks the first engine that has the pair, and the next where that one cannot work.

    `describe`, asked after `translate`, names the engine that did it: one that failed comes last for a while.
    """

    name = "chain"

    def __init__(self, engines: Sequence[Engine]) -> None:
        self._engines = tuple(engines)
        self._failed: dict[int, float] = {}  # when, by the engine's place
        self._lock = threading.Lock()

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
        """The engine for the pair, and its version.

        Raises:
            Unsupported: none of them has it.
        """
        return next(self._having(source, target))[1].describe(source, target)

    def translate(self, texts: Sequence[str], source: str, target: str) -> list[Sentence]:
        """Translate sentences; see `Engine.translate`."""
        problem: Unavailable | None = None
        for place, engine in self._having(source, target):
            try:
                return engine.translate(texts, source, target)
            except Unavailable as error:
                problem = problem or error
                with self._lock:
                    self._failed[place] = time.monotonic()
        raise problem or _nobody(source, target, self._engines)

    def health(self) -> Sequence[Finding]:
        """What each of them says."""
        return [finding for engine in self._engines for finding in engine.health()]

    def _having(self, source: str, target: str) -> Iterator[tuple[int, Engine]]:
        """The engines that have a pair, with their places; those that failed a moment ago at the end.

        Raises:
            Unsupported: there is none.
        """
        now, found = time.monotonic(), False
        with self._lock:
            failed = {place for place, at in self._failed.items() if now - at < PAUSE}
        for place, engine in sorted(enumerate(self._engines), key=lambda each: each[0] in failed):
            if closest_pair(engine.pairs(), source, target):
                found = True
                yield place, engine
        if not found:
            raise _nobody(source, target, self._engines)


def chosen(settings: TranslationSettings, packages: Path) -> Chain:
    """The engines that a city has chosen, in its order. Nothing is loaded or connected to yet.

    Args:
        settings: which, and where their servers are.
        packages: the directory of Argos packages.
    """
    made: dict[str, Callable[[], Engine]] = {
        "argos": lambda: ArgosEngine(packages),
        "libretranslate": lambda: LibreTranslateEngine(
            settings.libretranslate_url, settings.libretranslate_key.get_secret_value()
        ),
        "apertium": lambda: ApertiumEngine(settings.apertium_url),
    }
    return Chain([made[name]() for name in settings.engines])


def _nobody(source: str, target: str, engines: Sequence[Engine]) -> Unsupported:
    names = ", ".join(engine.name for engine in engines) or "none is set"
    return Unsupported(
        f"No engine translates {source} to {target} (asked: {names}).",
        "Install a package: notify languages install; or let a person translate.",
    )
