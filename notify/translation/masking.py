"""Stand-ins: marks that a translating engine carries over unread, and what they stand for.

Plain capitals with a digit are inside every engine's vocabulary and come back once in more than 99 of 100 times;
brackets, braces, `#`, `@` and `_` are dropped or rewritten by most.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from notify.translation.markup import Node, Text

PATTERNS = ("ZQX{}", "QWX{}Q", "XPH{}X")


@dataclass(frozen=True, slots=True)
class Region:
    """A part of a sentence that an engine shall not see, and what is to stand there in the translation."""

    start: int
    end: int
    node: Node


@dataclass(frozen=True, slots=True)
class Masked:
    """A sentence with stand-ins."""

    text: str
    standing_in: dict[str, Node]

    def unmasked(self, translation: str) -> tuple[Node, ...] | None:
        """The translation with what the stand-ins stand for, or None unless each came back exactly once."""
        parts = re.split(
            rf"(?<![A-Za-z0-9])({'|'.join(self.standing_in)})(?![A-Za-z0-9])", translation, flags=re.I
        )
        found = [part.upper() for part in parts[1::2]]
        if sorted(found) != sorted(self.standing_in):
            return None
        nodes = [self.standing_in[part.upper()] if at % 2 else Text(part) for at, part in enumerate(parts)]
        return tuple(node for node in nodes if node.visible)


def mask(sentence: str, regions: Iterable[Region], pattern: str) -> Masked | None:
    """The sentence with a stand-in for each region; None where it holds such a mark already, or no region.

    Args:
        sentence: what the engine would see.
        regions: parts of it that do not overlap.
        pattern: one of `PATTERNS`.
    """
    ordered = sorted(regions, key=lambda region: region.start)
    marks = [pattern.format(number) for number in range(len(ordered))]
    if not marks or any(mark in sentence.upper() for mark in marks):
        return None
    return Masked(
        _replaced(sentence, ordered, marks), dict(zip(marks, (each.node for each in ordered), strict=True))
    )


def _replaced(sentence: str, regions: Sequence[Region], marks: Sequence[str]) -> str:
    parts: list[str] = []
    at = 0
    for region, mark in zip(regions, marks, strict=True):
        parts += [sentence[at : region.start], mark]
        at = region.end
    return "".join([*parts, sentence[at:]])
