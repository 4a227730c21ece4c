"""Excel workbooks (.xlsx, ECMA-376) as rows of text, as people see them in a spreadsheet.

A workbook is a zip of XML, made by strangers: its sizes are checked in the zip's directory and again while
reading, document types and entities are refused, macros and links are never looked at. Rows are read as a
stream by openpyxl.
"""

from __future__ import annotations

import re
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

from contacts.values import ImportFailed, SheetProblem

MOST_BYTES = 512 << 20  # of all parts, unpacked
MOST_BYTES_OF_A_PART = 64 << 20  # sheets apart, which are read as a stream
MOST_PARTS = 5_000
MOST_ROWS = 1_048_576  # Excel's own limit
LONGEST_RUN = 1 << 20  # bytes between two tags; a cell has at most 32,767 characters

# Cells that hold nothing a person wrote. XML has no NUL, so no cell can be mistaken for them.
FORMULA = "\0formula"
CELL_ERROR = "\0error"

_SHEET_PART = re.compile(r"xl/worksheets/[^/]+\.xml")
_FORMULA_TAG = re.compile(rb"<(?:[A-Za-z]+:)?f[\s>/]")
_DOCTYPE = re.compile(rb"<!(?:DOCTYPE|ENTITY)", re.IGNORECASE)
_ZEROS = re.compile(r"0{2,15}")


def is_one(path: Path) -> bool:
    """Whether the file begins like a workbook, whatever its name.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as stream:
        return stream.read(4) == b"PK\x03\x04"


def check(path: Path) -> tuple[str, ...]:
    """Read a workbook through once, without understanding it, and make sure that it can be.

    Returns:
        The names of its sheets in their order.

    Raises:
        ImportFailed: it is broken, too big, protected, hostile, or no workbook.
    """
    with _refusing():
        with zipfile.ZipFile(path) as archive:
            _check_parts(archive)
            for part in archive.infolist():
                _check_part(archive, part)
        with _opened(path) as book:
            return tuple(sheet.title for sheet in book.worksheets)


def choose(names: Sequence[str], wanted: str | None) -> str:
    """The sheet of this name, whatever its case; the first where none is named.

    Raises:
        ImportFailed: there is none.
    """
    if not names:
        raise ImportFailed(SheetProblem.EMPTY, "The workbook has no sheet with cells.", "Give it one.")
    if wanted is None:
        return names[0]
    for name in names:
        if name.strip().casefold() == wanted.strip().casefold():
            return name
    raise ImportFailed(
        SheetProblem.NO_SUCH_SHEET,
        "The workbook has no sheet of this name.",
        f"Choose one with --sheet: {', '.join(names)}.",
    )


def records(
    path: Path, sheet_name: str, wanted: frozenset[int] | None = None
) -> Iterator[tuple[int, list[str]]]:
    """The rows of a sheet with their numbers, every cell as text.

    A formula counts as the result that was saved with it; `FORMULA` where there is none, `CELL_ERROR` where it
    is an error.

    Args:
        path: a workbook that `check` has passed.
        sheet_name: which sheet.
        wanted: the columns to be read, from 0; all if None.

    Raises:
        ImportFailed: the rest cannot be read.
    """
    with _refusing():
        yield from _records(path, sheet_name, wanted)


def count_rows(path: Path, sheet_name: str) -> int:
    """How many rows a sheet has, blank ones included. Reads all of it, so that a broken one is found out.

    Raises:
        ImportFailed: it cannot be read to its end.
    """
    return max((number for number, _ in records(path, sheet_name, frozenset())), default=0)


def _records(path: Path, name: str, wanted: frozenset[int] | None) -> Iterator[tuple[int, list[str]]]:
    with ExitStack() as opened:
        results = _rows(opened.enter_context(_opened(path)), name)
        formulas: Iterator[Sequence[Any]] = iter(())
        if has_formulas(path):
            formulas = _rows(opened.enter_context(_opened(path, data_only=False)), name)
        for number, cells in enumerate(results, 1):
            if number > MOST_ROWS:
                raise _too_big()
            yield number, _texts(cells, next(formulas, ()), wanted)


def _rows(book: Any, name: str) -> Iterator[Sequence[Any]]:
    sheet = book[name]
    sheet.reset_dimensions()  # what a file says about its own size is often wrong
    return iter(sheet.iter_rows())


def _texts(cells: Sequence[Any], said: Sequence[Any], wanted: frozenset[int] | None) -> list[str]:
    texts = [
        _text(cell) if wanted is None or place in wanted else ("" if cell.value is None else "-")
        for place, cell in enumerate(cells)
    ]
    for place, cell in enumerate(said[: len(texts)]):
        if cell.data_type == "f" and not texts[place] and (wanted is None or place in wanted):
            texts[place] = FORMULA
    return texts


def _text(cell: Any) -> str:
    """A cell as a person sees it: whole numbers without their `.0`, zeros in front kept, dates as ISO 8601."""
    value = cell.value
    if value is None or isinstance(value, str):
        return CELL_ERROR if value is not None and cell.data_type == "e" else value or ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return _number(value, cell.number_format)
    if isinstance(value, datetime):
        return (value.date() if value.time() == time.min else value).isoformat()
    return value.isoformat() if isinstance(value, date | time) else str(value)


def _number(value: float, written_as: Any) -> str:
    if value != value or value in (float("inf"), float("-inf")) or value != int(value):
        return repr(value)
    whole = str(int(value))
    zeros = isinstance(written_as, str) and _ZEROS.fullmatch(written_as)
    return whole.zfill(len(written_as)) if zeros else whole


def _check_parts(archive: zipfile.ZipFile) -> None:
    parts = archive.infolist()
    names = {part.filename for part in parts}
    if "[Content_Types].xml" not in names or not any(map(_SHEET_PART.fullmatch, names)):
        raise ImportFailed(
            SheetProblem.NOT_A_SHEET,
            "The file is a zip archive, but no Excel workbook.",
            "Save the sheet as .xlsx, or as CSV (UTF-8).",
        )
    unpacked = sum(part.file_size for part in parts)
    large = any(
        part.file_size > MOST_BYTES_OF_A_PART
        for part in parts
        if part.filename.endswith((".xml", ".rels")) and not _SHEET_PART.fullmatch(part.filename)
    )
    if unpacked > MOST_BYTES or large or len(parts) > MOST_PARTS:
        raise _too_big()
    if any(part.flag_bits & 1 for part in parts):
        raise ImportFailed(
            SheetProblem.PROTECTED, "The workbook has a password.", "Save it without a password."
        )


def _check_part(archive: zipfile.ZipFile, part: zipfile.ZipInfo) -> None:
    """Unpack a part without keeping it: what the directory says about it may be a lie."""
    if not part.filename.endswith((".xml", ".rels")):
        return
    size, run, before = 0, 0, b""
    with archive.open(part) as stream:
        while block := stream.read(1 << 16):
            size += len(block)
            first, *rest = block.split(b"<")
            run = run + len(first) if not rest else max(map(len, rest))
            longest = max(run, len(first), *map(len, rest)) if rest else run
            if size > part.file_size or size > MOST_BYTES or longest > LONGEST_RUN:
                raise _too_big()
            if _DOCTYPE.search(before + block):
                raise ImportFailed(
                    SheetProblem.NOT_A_SHEET,
                    "The workbook holds a document type or entities, which no spreadsheet writes.",
                    "Open it in a spreadsheet that you trust and save it again.",
                )
            run = run if not rest else len(rest[-1])
            before = block[-16:]


def has_formulas(path: Path) -> bool:
    """Whether any cell of a workbook is a formula."""
    with zipfile.ZipFile(path) as archive:
        return any(
            _holds_formula(archive, part)
            for part in archive.infolist()
            if _SHEET_PART.fullmatch(part.filename)
        )


def _holds_formula(archive: zipfile.ZipFile, part: zipfile.ZipInfo) -> bool:
    before = b""
    with archive.open(part) as stream:
        while block := stream.read(1 << 16):
            if _FORMULA_TAG.search(before + block):
                return True
            before = block[-16:]
    return False


@contextmanager
def _opened(path: Path, *, data_only: bool = True) -> Iterator[Any]:
    """The workbook, by its content: openpyxl would refuse it for its name."""
    from openpyxl import load_workbook  # takes a third of a second to load

    with path.open("rb") as stream:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about styles and validation, which we do not look at
            book = load_workbook(stream, read_only=True, data_only=data_only, keep_links=False)
        with closing(book):
            yield book


@contextmanager
def _refusing() -> Iterator[None]:
    """Whatever a stranger's file makes the readers stumble over is the file's fault, and said so."""
    try:
        yield
    except (ImportFailed, OSError, GeneratorExit):
        raise
    except Exception as error:
        raise ImportFailed(
            SheetProblem.NOT_READABLE,
            f"The workbook is broken ({type(error).__name__}).",
            "Open it in a spreadsheet, look whether everything is there, and save it again as .xlsx or CSV.",
        ) from None


def _too_big() -> ImportFailed:
    return ImportFailed(
        SheetProblem.TOO_BIG,
        "The workbook unpacks to more than a sheet of residents can be.",
        "Copy the rows alone into a new workbook, or save the sheet as CSV (UTF-8).",
    )
