"""What keeps a letter from being silently wrong.

Three failures print without an error message: numbers that turn round in right-to-left text, characters that no
font has, and text that runs out of its place. The first half of this module works on text before it is set, the
second half on the PDF that came out.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from threading import Lock

import pypdfium2
import pypdfium2.raw as pdfium

from channels.letter import fonts

LTR, FIRST_STRONG, END = "\u2066", "\u2068", "\u2069"  # isolates, Unicode Standard Annex 9

# Control characters, and direction marks that reach further than their own character: never taken from outside.
_STRIPPED = dict.fromkeys(
    (
        *range(9),
        0x0B,
        0x0C,
        *range(0x0E, 0x20),
        *range(0x7F, 0xA0),
        *range(0x202A, 0x202F),
        *range(0x2066, 0x206A),
    )
)
_BREAKS = {0x0D: "\n", 0x85: "\n", 0x2028: "\n", 0x2029: "\n", 0x09: " "}

_WEB = r"(?:https?://|www\.)[^\s<>\"]*[^\s<>\".,;:!?)\]}»”'’،؛؟]"
_MAIL = r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+"
_LATIN = "A-Za-z\u00aa\u00ba\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f"
_NUMBER = (
    rf"(?<![{_LATIN}\d])\+?\(?\d(?:(?:[-./:,\u2011\u00a0]| ?\(|\) ?-?|[ \u00a0\u202f])?\d)*(?![{_LATIN}])"
)
_WORD = rf"(?!{_WEB}|{_MAIL})[{_LATIN}\d][{_LATIN}\d\u0300-\u036f'’&/.+_-]*(?<![.'’/+-])"
_WORDS = rf"(?=[\d.-]*[{_LATIN}]){_WORD}(?: {_WORD})*"
_ISLAND = re.compile(rf"(?P<web>{_WEB})|(?P<mail>{_MAIL})|(?P<number>{_NUMBER})")
_ISLAND_IN_RTL = re.compile(rf"(?P<web>{_WEB})|(?P<mail>{_MAIL})|(?P<words>{_WORDS})|(?P<number>{_NUMBER})")

_MANY_DIGITS = 5  # from here on, a number is a phone, a date or a reference that must not turn round
_LONG_WORD = 40  # characters after which a word without a break gets places to break
_STEP = 20  # and so many characters between them


def clean(text: str) -> str:
    """The text without control characters and direction marks, composed (NFC), its line ends as line feeds."""
    text = text.replace("\r\n", "\n").translate(_BREAKS)
    return unicodedata.normalize("NFC", text.translate(_STRIPPED))


def loses_characters(text: str) -> bool:
    """Whether `clean` takes anything out, other than writing line ends and accents in another way."""
    return any(ord(character) in _STRIPPED for character in text)


def excerpt(text: str) -> str:
    """The first words of a text, for a message."""
    return text if len(text) <= 60 else f"{text[:60]}…"


def is_right_to_left(text: str) -> bool:
    """Whether any character runs from right to left."""
    return any(unicodedata.bidirectional(character) in ("R", "AL", "AN") for character in text)


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of text. A number stays on one line and is looked for in the finished PDF."""

    text: str
    number: bool = False


def isolate(text: str, direction: str = "ltr", mixed: bool = False) -> Iterator[Piece]:
    """Fence off what runs from left to right: phone numbers, web and mail addresses, times, references, words.

    Without the fences the Unicode Bidirectional Algorithm prints `(555) 010-0199` in Arabic text as
    `0199-010 (555)`, whatever program sets it.

    Args:
        text: cleaned text of one field.
        direction: of the language, `"ltr"` or `"rtl"`.
        mixed: whether a left-to-right letter has right-to-left words in it somewhere.
    """
    pattern = _ISLAND_IN_RTL if direction == "rtl" else _ISLAND
    fence = fenced if direction == "rtl" or mixed else str
    at = 0
    for found in pattern.finditer(text):
        if found.start() > at:
            yield Piece(breakable(text[at : found.start()]))
        yield _island(found, fence)
        at = found.end()
    if at < len(text):
        yield Piece(breakable(text[at:]))


def _island(found: re.Match[str], fence: Callable[[str], str]) -> Piece:
    island = found.group()
    if found.lastgroup == "number" and len(digits_of(island)) >= _MANY_DIGITS and len(island) < _LONG_WORD:
        return Piece(fence(island), number=True)
    return Piece(fence(breakable(island)))


def fenced(text: str) -> str:
    """The text as a left-to-right island."""
    return f"{LTR}{text}{END}"


def named(text: str) -> str:
    """A name, whose direction is its own."""
    return f"{FIRST_STRONG}{text}{END}"


# Scripts that put spaces between words; the others break by dictionary, or anywhere.
_SPACED = rf"[{_LATIN}\d\u0370-\u06ff\u1200-\u139f!-/:-@\[-`{{-~]"


def breakable(text: str) -> str:
    """The text with places to break in words too long for a line (zero-width spaces, which print nothing)."""
    return re.sub(rf"{_SPACED}{{{_LONG_WORD},}}", _with_breaks, text)


def _with_breaks(found: re.Match[str]) -> str:
    parts = re.findall(r"[^/?&=._-]*[/?&=._-]+|[^/?&=._-]+", found.group())
    return "\u200b".join(part[at : at + _STEP] for part in parts for at in range(0, len(part), _STEP))


def describe(characters: Iterable[str]) -> str:
    """Characters for a message: `"𞤀" (U+1E900 ADLAM CAPITAL LETTER ALIF)`, the first five."""
    named_ones = [f'"{one}" (U+{ord(one):04X} {unicodedata.name(one, "unnamed")})' for one in characters]
    return ", ".join(named_ones[:5]) + (f" and {len(named_ones) - 5} more" if len(named_ones) > 5 else "")


def has_loose_mark(text: str, families: tuple[str, ...]) -> bool:
    """Whether a vowel sign or other mark stands without its letter, so that it would print with a dotted circle."""
    return any(fonts.shape(line, families).dotted for line in text.split("\n"))


def digits_of(text: str) -> str:
    """The digits of a text in their order, those of other scripts as 0 to 9."""
    return "".join(
        str(value) for value in (unicodedata.digit(one, None) for one in text) if value is not None
    )


def numbers_of(pieces: Iterable[Piece]) -> Counter[str]:
    """How often each number that must not turn round stands in a text, as its digits."""
    return Counter(digits_of(piece.text) for piece in pieces if piece.number)


# -- the finished PDF

_ONE_AT_A_TIME = Lock()  # PDFium is not safe for threads
_SAME_LINE = 3.0  # points between the middles of digits on one line


OVERHANG = 1.5  # points


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle on a page in points, measured from the top left corner."""

    x: float
    y: float
    width: float
    height: float

    def grown(self, by: float) -> Box:
        """The same rectangle with a margin of so many points around it."""
        return Box(self.x - by, self.y - by, self.width + 2 * by, self.height + 2 * by)


class Pdf:
    """A PDF that is looked at the way paper would be: where its ink is, and in which order its digits stand."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def __enter__(self) -> Pdf:
        _ONE_AT_A_TIME.acquire()
        try:
            self._document = pypdfium2.PdfDocument(self._data)
        except BaseException:
            _ONE_AT_A_TIME.release()
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        self._document.close()
        _ONE_AT_A_TIME.release()

    def __len__(self) -> int:
        """How many pages it has."""
        return len(self._document)

    def lines_of_digits(self) -> list[str]:
        """The digits of each line of print, from left to right as the eye sees them."""
        return [line for number in range(len(self)) for line in _lines(self._digits(number))]

    def _digits(self, number: int) -> list[tuple[float, float, str]]:
        page = self._document[number]
        text = page.get_textpage()
        found = []
        for index in range(text.count_chars()):
            digit = unicodedata.digit(chr(pdfium.FPDFText_GetUnicode(text, index)), None)
            if digit is not None:
                left, bottom, right, top = text.get_charbox(index)
                found.append(((bottom + top) / 2, (left + right) / 2, str(digit)))
        text.close()
        page.close()
        return found

    def ink(self, number: int, boxes: Sequence[Box]) -> bool:
        """Whether there is anything but white paper in any of the boxes of one page (numbered from 0)."""
        picture = self._picture(number)
        return any(map(picture.has_ink, boxes))

    def window(self, number: int, window: Box, clear: Sequence[Box]) -> tuple[bool, bool]:
        """Whether a page has ink in the window, and whether it has ink in the clear boxes around it."""
        picture = self._picture(number)
        inside = picture.has_ink(window)
        # A J or a j reaches a little left of where its line begins.
        picture.whiten(window.grown(OVERHANG))
        return inside, any(map(picture.has_ink, clear))

    def _picture(self, number: int) -> Picture:
        page = self._document[number]
        bitmap = page.render(scale=1, grayscale=True)
        picture = Picture(bytearray(bitmap.buffer), bitmap.width, bitmap.height, bitmap.stride)
        bitmap.close()
        page.close()
        return picture


@dataclass(frozen=True, slots=True)
class Picture:
    """A page as grey dots, one for each square point; 255 is paper."""

    dots: bytearray = field(repr=False)
    width: int
    height: int
    stride: int

    def has_ink(self, box: Box) -> bool:
        """Whether any dot in the box is not white."""
        return any(self.dots[span].strip(b"\xff") for span in self._spans(box))

    def whiten(self, box: Box) -> None:
        """Make the box white."""
        for span in self._spans(box):
            self.dots[span] = b"\xff" * (span.stop - span.start)

    def _spans(self, box: Box) -> Iterator[slice]:
        left, right = max(0, round(box.x)), min(self.width, round(box.x + box.width))
        top, bottom = max(0, round(box.y)), min(self.height, round(box.y + box.height))
        for start in range(top * self.stride, bottom * self.stride, self.stride):
            yield slice(start + left, start + max(left, right))


def _lines(digits: Iterable[tuple[float, float, str]]) -> list[str]:
    lines: list[str] = []
    line: list[tuple[float, str]] = []
    height: float | None = None
    for middle, x, digit in sorted(digits, reverse=True):
        if height is not None and height - middle > _SAME_LINE:
            lines.append(_read(line))
            line = []
        line.append((x, digit))
        height = middle
    return [*lines, _read(line)]


def _read(line: Iterable[tuple[float, str]]) -> str:
    return "".join(digit for _, digit in sorted(line))


def turned_round(numbers: Counter[str], lines: Iterable[str]) -> list[str]:
    """Numbers that stand on the pages less often than in the text, so that one of them is printed otherwise."""
    printed = list(lines)
    return [
        digits for digits, times in numbers.items() if sum(line.count(digits) for line in printed) < times
    ]
