"""Text files that people made: which encoding they are in, and their lines.

A file is read as a stream, so its size does not matter. UTF-8, UTF-16 and Western European text are told for
sure; for the rest of the world `charset-normalizer` is asked. Where the encoding cannot be told, the file is
refused with the line and the cure.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from io import BytesIO, TextIOWrapper
from pathlib import Path

from contacts.values import ImportFailed, SheetProblem

LONGEST_LINE = 1 << 20  # bytes or characters
SAMPLE = 1 << 16  # bytes of lines with accents, by which an encoding is told
LEAST_EVIDENCE = 16  # bytes outside ASCII, fewer tell nothing

# What spreadsheets write besides UTF-8 and Windows-1252, for people who read other scripts.
_OTHER_ENCODINGS = [
    "cp1251", "koi8_r", "koi8_u", "cp1250", "iso8859_2", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "cp1258",
    "gb18030", "big5", "shift_jis", "euc_jp", "euc_kr", "cp949", "cp874", "mac_roman", "mac_cyrillic",
]  # fmt: skip
# In Western text accented letters stand one or two together, and no other sign touches a letter.
_NOT_WESTERN = re.compile(r"[\x80-\u2122]{3}|[^\W\d_][¡-©«-±´-¹»-¿ƒ†‡ˆ‰‹]|[¡-©«-±´-¹»-¿ƒ†‡ˆ‰‹][^\W\d_]")

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_OTHER_FILES = (
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook, or one with a password"),
    (b"%PDF", "a PDF"),
    (b"\x1f\x8b", "a compressed file"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
)


def find_encoding(path: Path) -> tuple[str, int]:
    """Find out a text file's encoding: UTF-8, UTF-16 or UTF-32 by their marks, else by what its bytes can be.

    Returns:
        Python's name of the encoding, and how many lines the file has.

    Raises:
        ImportFailed: it is no text, or two encodings are mixed.
        OSError: it cannot be read.
    """
    with path.open("rb") as stream:
        start = stream.read(4096)
    for mark, kind in _OTHER_FILES:
        if start.startswith(mark):
            raise ImportFailed(
                SheetProblem.NOT_A_SHEET,
                f"The file is {kind}, not CSV.",
                "Save the sheet as CSV (UTF-8) or as .xlsx without a password.",
            )
    for mark, name in _MARKS:
        if start.startswith(mark) and name != "utf-8-sig":
            return name, count_lines(path)
    wide = _unmarked_utf16(start)
    return (wide, count_lines(path)) if wide else _narrow_encoding(path, start)


def _unmarked_utf16(start: bytes) -> str | None:
    """UTF-16 without its mark: in Western text every other byte is NUL."""
    half = len(start) // 2
    even, odd = start[::2].count(0), start[1::2].count(0)
    if half and odd > 0.4 * half and even < 0.1 * half:
        return "utf-16-le"
    if half and even > 0.4 * half and odd < 0.1 * half:
        return "utf-16-be"
    return None


def _narrow_encoding(path: Path, start: bytes) -> tuple[str, int]:
    """UTF-8 where every line is; where no line with an accent is, what these lines look like."""
    number, utf8, other = 0, 0, 0
    sample = bytearray()
    with path.open("rb") as stream:
        while line := stream.readline(LONGEST_LINE):
            number += 1
            if len(line) == LONGEST_LINE:
                raise _line_too_long(number)
            if not line.isascii():
                is_utf8 = _decodes(line, "utf-8")
                utf8, other = (number, other) if is_utf8 else (utf8, other or number)
                if len(sample) < SAMPLE:
                    sample += line
    if other and utf8:
        raise ImportFailed(
            SheetProblem.MIXED_ENCODINGS,
            f"The file mixes two encodings: line {utf8} is UTF-8, line {other} is not.",
            "Open it in a spreadsheet, look whether all names are right, and save it as CSV (UTF-8).",
        )
    if other:
        return _look_of(bytes(sample), other), number
    return "utf-8-sig" if start.startswith(codecs.BOM_UTF8) else "utf-8", number


def _look_of(sample: bytes, number: int) -> str:
    """Windows-1252 where the text looks Western; else what most likely makes words of these bytes."""
    if _decodes(sample, "cp1252") and not _NOT_WESTERN.search(sample.decode("cp1252")):
        return "cp1252"
    if sum(byte > 127 for byte in sample) >= LEAST_EVIDENCE:
        from charset_normalizer import from_bytes

        possible = list(from_bytes(sample, cp_isolation=_OTHER_ENCODINGS))
        sure = [each for each in possible if each.coherence > 0] or possible
        if len(sure) == 1 or (sure and sure[0].coherence > 0):  # letters as some language has them
            return str(sure[0].encoding)
    raise _unknown_encoding(number)


def _decodes(line: bytes, encoding: str) -> bool:
    try:
        line.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def count_lines(path: Path) -> int:
    """How many lines a file has, the last one without its end included."""
    with path.open("rb") as stream:
        return sum(block.count(b"\n") for block in iter(lambda: stream.read(1 << 16), b"")) + 1


def known_encoding(encoding: str) -> str:
    """Python's name of an encoding that somebody named.

    Raises:
        ImportFailed: there is no such text encoding.
    """
    try:
        name = codecs.lookup(encoding).name
        TextIOWrapper(BytesIO(), encoding=name)  # some codecs are not of text
    except (LookupError, ValueError):
        raise ImportFailed(
            SheetProblem.ENCODING, "No text encoding has this name.", "Use utf-8, utf-16 or windows-1252."
        ) from None
    return name


def lines(path: Path, encoding: str) -> Iterator[str]:
    """The file's lines with their ends, none of them longer than memory should hold.

    Raises:
        ImportFailed: a line is far too long, or not in the encoding.
        OSError: the file cannot be read.
    """
    number = 0
    with path.open("r", encoding=encoding, newline="") as stream:
        try:
            while line := stream.readline(LONGEST_LINE):
                number += 1
                if len(line) == LONGEST_LINE:
                    raise _line_too_long(number)
                yield line
        except UnicodeError:
            raise _unknown_encoding(number + 1) from None


def _line_too_long(number: int) -> ImportFailed:
    return ImportFailed(
        SheetProblem.TOO_LONG,
        f"Line {number} is longer than {LONGEST_LINE} characters.",
        "Look there for a pasted file or a missing line break, and shorten it.",
    )


def _unknown_encoding(number: int) -> ImportFailed:
    return ImportFailed(
        SheetProblem.ENCODING,
        f"The text around row {number} is in an encoding that cannot be told.",
        "Save the sheet as CSV (UTF-8), or name its encoding with --encoding.",
    )
