"""Text files that people made: which encoding they are in, and their lines.

A file is read as a stream, so its size does not matter. Where the encoding cannot be told for sure, the file
is refused with the line and the cure.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from io import BytesIO, TextIOWrapper
from pathlib import Path

from contacts.values import ImportFailed, SheetProblem

LONGEST_LINE = 1 << 20  # bytes or characters

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_OTHER_FILES = (
    (b"PK\x03\x04", "an Excel or OpenDocument workbook"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook"),
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
                SheetProblem.NOT_A_SHEET, f"The file is {kind}, not CSV.", "Save the sheet as CSV (UTF-8)."
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
    """UTF-8 where every line is; Windows-1252 where no line with an accent is; else nobody can tell."""
    number, utf8, other = 0, 0, 0
    with path.open("rb") as stream:
        while line := stream.readline(LONGEST_LINE):
            number += 1
            if len(line) == LONGEST_LINE:
                raise _line_too_long(number)
            if not line.isascii():
                is_utf8 = _decodes(line, "utf-8")
                utf8, other = (number, other) if is_utf8 else (utf8, other or number)
                if not is_utf8 and not _decodes(line, "cp1252"):
                    raise _unknown_encoding(number)
    if other and utf8:
        raise ImportFailed(
            SheetProblem.MIXED_ENCODINGS,
            f"The file mixes two encodings: line {utf8} is UTF-8, line {other} is not.",
            "Open it in a spreadsheet, look whether all names are right, and save it as CSV (UTF-8).",
        )
    marked = start.startswith(codecs.BOM_UTF8)
    return ("cp1252" if other else "utf-8-sig" if marked else "utf-8"), number


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
        "Save the sheet as CSV (UTF-8), or name its encoding.",
    )
