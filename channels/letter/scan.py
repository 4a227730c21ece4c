"""QR codes by the thousand: the link to each resident's choices, to be read by a phone.

With its version and mask fixed, a QR code is linear in the bits of its text (ISO/IEC 18004): the placement of
bits, the Reed-Solomon code and the mask are all sums without carry. So the code of a text is the code of an empty
text of its length plus, for each bit that is set, what that bit alone changes. segno makes those once, and every
further code is a few sums.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from functools import cached_property, lru_cache

import segno

_MASK = 2  # any one is lawful; random tokens make no pattern that a scanner could mistake
_WORTH = 300  # codes of one kind from which on a table is quicker than making each
_PIXELS = {ord("0"): "\xff", ord("1"): "\x00"}


class Codes:
    """The codes of one file of letters.

    Attributes:
        places: where each link's code begins in `pixels`, and how many pixels its side has.
    """

    def __init__(self, links: Iterable[tuple[str, str]]) -> None:
        """Make the codes.

        Args:
            links: what is the same for all residents, and the rest; the link is both together.
        """
        self.places: dict[str, tuple[int, int]] = {}
        self._pixels = bytearray()
        wanted = dict.fromkeys(links)
        kinds = Counter((start, len(end)) for start, end in wanted)
        for start, end in wanted:
            side, bits = code(start, end, by_table=kinds[start, len(end)] >= _WORTH)
            self.places[start + end] = len(self._pixels), side
            self._pixels += _as_pixels(bits, side)

    @property
    def pixels(self) -> bytes:
        """All codes, a byte for each pixel: 0 is black, 255 white; without a margin."""
        return bytes(self._pixels)


def code(start: str, end: str, *, by_table: bool) -> tuple[int, int]:
    """One QR code.

    Args:
        start: the part of the link that is the same for all residents.
        end: the rest.
        by_table: as sums, where the rest is ASCII.

    Returns:
        How many pixels its side has, and the pixels as bits, the first one highest, black ones set.
    """
    if by_table and end and end.isascii():
        table = _table(start, len(end))
        return table.side, table.code(end)
    return _make(start + end)


class _Table:
    """What each bit of a text's end changes."""

    def __init__(self, start: str, length: int) -> None:
        self._start, self._length = start, length
        self.side, self._empty = self._of(0, 0)

    def code(self, end: str) -> int:
        """The code whose text ends so."""
        bits = self._empty
        for changes, letter in zip(self._changes, end.encode("ascii"), strict=True):
            bits ^= changes[letter]
        return bits

    @cached_property
    def _changes(self) -> list[list[int]]:
        """For each place in the end, what each letter changes."""
        return [self._of_letters(place) for place in range(self._length)]

    def _of_letters(self, place: int) -> list[int]:
        changes = [0]
        for bit in range(7):  # ASCII
            change = self._of(place, 1 << bit)[1] ^ self._empty
            changes += [known ^ change for known in changes]
        return changes

    def _of(self, place: int, letter: int) -> tuple[int, int]:
        end = ["\0"] * self._length
        end[place] = chr(letter)
        return _make(self._start + "".join(end))


@lru_cache(maxsize=4)
def _table(start: str, length: int) -> _Table:
    return _Table(start, length)


def _make(text: str) -> tuple[int, int]:
    made = segno.make(text, mode="byte", error="m", boost_error=False, mask=_MASK, micro=False)
    rows = [bytes(row) for row in made.matrix]
    return len(rows), int(b"".join(rows).translate(bytes.maketrans(b"\0\1", b"01")), 2)


def _as_pixels(bits: int, side: int) -> bytes:
    return format(bits, f"0{side * side}b").translate(_PIXELS).encode("latin-1")
