"""What an engine is: sentences in, sentences out, in the same number and order.

An engine speaks BCP 47 at its border and translates nothing on its own account: no splitting into sentences,
no protection of facts, no approval.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from channels.contract import Finding
from notify.translation.codes import best_match

Pair = tuple[str, str]
"""Source and target language, BCP 47."""

MAX_CHARACTERS = 100_000
"""What one call takes; a statement has some thousands."""

_PAIRS_TOLD = 12


class EngineError(Exception):
    """An engine did not translate. Its text says why and what to do; it never holds the text itself."""

    def __init__(self, reason: str, cure: str) -> None:
        super().__init__(f"{reason} {cure}")
        self.reason = reason
        self.cure = cure


class Unavailable(EngineError):
    """The engine cannot work now; the same call may succeed later."""


class Unsupported(EngineError):
    """The engine has no way from this language to that one: ask another, or a person."""


class Rejected(EngineError):
    """The input will never be taken as it is."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """One translated sentence."""

    text: str
    score: float | None  # mean log-probability per token: 0 is certain. Its scale is the package's own
    via: tuple[str, ...]  # the languages it went through, the first and the last included


class Engine(Protocol):
    """A way to translate. Calls may come from several threads and block: keep them off the event loop."""

    @property
    def name(self) -> str:
        """A short word for settings and records: "argos"."""

    @property
    def local(self) -> bool:
        """Whether no text leaves this machine."""

    def pairs(self) -> set[Pair]:
        """Every pair it can translate, those through a third language included."""

    def describe(self, source: str, target: str) -> str:
        """The engine and the exact version of what it uses for a pair, to be kept with each translation.

        Raises:
            Unsupported: no such pair.
        """

    def translate(self, texts: Sequence[str], source: str, target: str) -> list[Sentence]:
        """Translate sentences.

        Args:
            texts: one sentence each; an empty one comes back as it is.
            source: BCP 47.
            target: BCP 47; a close variety of it may stand in, and `Sentence.via` says which.

        Returns:
            As many as came in, in their order.

        Raises:
            Unavailable: try again later.
            Unsupported: no such pair.
            Rejected: the texts are not valid, or too much at once.
        """

    def health(self) -> Sequence[Finding]:
        """What works and what does not, for `notify doctor`. Nothing is translated, nothing is fetched."""


def closest_pair(pairs: Iterable[Pair], source: str, target: str) -> Pair | None:
    """The pair among `pairs` that serves best for `source` and `target`, or None."""
    known = set(pairs)
    start = best_match(source, sorted({pair[0] for pair in known}))
    if start is None:
        return None
    end = best_match(target, sorted(pair[1] for pair in known if pair[0] == start))
    return (start, end) if end is not None and end != start else None


def check_texts(texts: Sequence[str]) -> None:
    """Refuse what no engine takes.

    Raises:
        Rejected: more than `MAX_CHARACTERS` in all, or not valid Unicode.
    """
    if (size := sum(map(len, texts))) > MAX_CHARACTERS:
        raise Rejected(f"{size} characters are too many for one call.", f"Send {MAX_CHARACTERS} at most.")
    for number, text in enumerate(texts, start=1):
        if any("\ud800" <= char <= "\udfff" for char in text):
            raise Rejected(
                f"Text {number} is not valid Unicode.", "Write it again; it was cut inside a character."
            )


def in_words(pairs: Iterable[Pair]) -> str:
    """Pairs for a person to read; of very many only how many there are."""
    found = sorted(pairs)
    if len(found) > _PAIRS_TOLD:
        return f"{len(found)} pairs of {len({tag for pair in found for tag in pair})} languages"
    return ", ".join(f"{source} to {target}" for source, target in found)
