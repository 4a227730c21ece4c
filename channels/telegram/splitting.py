"""Paragraphs put into messages: each as full as may be, and nothing cut that belongs together (R13)."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import replace
from itertools import accumulate

from channels.telegram.entities import Formatted, units

LONGEST = 4096  # UTF-16 units in one message, https://core.telegram.org/bots/api#sendmessage
BETWEEN = "\n\n"  # paragraphs
_JOINER = "\u200d"


def split(found: list[Formatted], longest: int = LONGEST) -> tuple[Formatted, ...]:
    """Paragraphs put into as few messages as hold them, in order.

    A paragraph that is longer than a message is cut at a line, a sentence or a word; never inside an entity
    that fits into a message, never inside a character. A longer entity goes on in the next message.
    """
    parts: list[Formatted] = []
    for block in found:
        room = longest - units(parts[-1].text + BETWEEN) if parts else 0
        for piece in _pieces(block, room, longest):
            joined = _joined(parts[-1], piece) if parts else None
            if joined and units(joined.text) <= longest:
                parts[-1] = joined
            else:
                parts.append(piece)
    return tuple(parts)


def _joined(first: Formatted, second: Formatted) -> Formatted:
    shift = units(first.text) + units(BETWEEN)
    moved = (replace(entity, offset=entity.offset + shift) for entity in second.entities)
    return Formatted(first.text + BETWEEN + second.text, (*first.entities, *moved))


def _pieces(block: Formatted, room: int, longest: int) -> Iterator[Formatted]:
    """A paragraph in pieces that fit; the first into the room left, where that is worth while."""
    most = room if room > longest // 4 else longest
    while units(block.text) > longest:
        end = (
            _cut(block, most, longest)
            or _cut(block, longest, longest)
            or _most(_offsets(block, longest), longest)
        )
        head = block.slice(0, end)
        yield head.slice(0, len(head.text.rstrip()))
        rest = block.text[end:]
        block = block.slice(len(block.text) - len(rest.lstrip()), len(block.text))
        most = longest
    if block.text:
        yield block


_BOUNDARIES = (
    re.compile(r"\n"),
    re.compile(r"(?<=[.!?…؟。！？।])[\"'”»)]*\s|(?<=[。！？])"),
    re.compile(r"\s"),
)


def _offsets(block: Formatted, room: int) -> list[int]:
    """Where each character begins, in UTF-16 units, as far as the room goes."""
    return list(accumulate(map(units, block.text[:room]), initial=0))


def _most(offsets: list[int], room: int) -> int:
    """How many characters the room holds."""
    return bisect_right(offsets, room) - 1


def _cut(block: Formatted, room: int, longest: int) -> int:
    """The best index, in characters, to cut a text at so that its head fits; 0 where there is none."""
    offsets = _offsets(block, room)
    most = _most(offsets, room)

    def is_whole(index: int) -> bool:
        cut = offsets[index]
        return not any(
            entity.offset < cut < entity.end and entity.length <= longest for entity in block.entities
        )

    for boundary in _BOUNDARIES:
        ends = [found.end() for found in boundary.finditer(block.text, 0, most) if is_whole(found.end())]
        if ends:
            return ends[-1]
    inside = (index for index in range(most, 0, -1) if is_whole(index) and not _is_joined(block.text, index))
    return next(inside, 0)


def _is_joined(text: str, index: int) -> bool:
    """Whether the characters beside an index make one sign: accents, families, skin tones, flags."""
    before, after = text[index - 1], text[index : index + 1]
    if not after:
        return False
    both_flags = all("\U0001f1e6" <= letter <= "\U0001f1ff" for letter in (before, after))
    joining = (
        unicodedata.category(after)[0] == "M" or "\U0001f3fb" <= after <= "\U0001f3ff" or after == _JOINER
    )
    return joining or before == _JOINER or both_flags
