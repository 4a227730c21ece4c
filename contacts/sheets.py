"""Spreadsheets that people made: their encoding, delimiter and header found out, their rows read one by one.

A sheet is read as a stream, so its size does not matter. What cannot be read for sure is refused with the
line and the cure; nothing is guessed silently: encoding, delimiter and columns are in the sheet's report.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from contacts import headers, workbooks
from contacts.encodings import count_lines, find_encoding, known_encoding, lines
from contacts.values import BadValue, ImportFailed, Problem, SheetProblem, masked

_Opened = tuple[str, int, str, str, tuple[str, ...], int, list[str]]

LONGEST_ROW = 20_000  # characters
MOST_TITLE_ROWS = 20  # with something in them, above the header
DELIMITERS = (",", ";", "\t", "|")

_SEPARATOR_LINE = re.compile(r"sep=([,;|\t])", re.IGNORECASE)
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
_SENTINELS = {workbooks.FORMULA: Problem.FORMULA, workbooks.CELL_ERROR: Problem.CELL_ERROR}


@dataclass(frozen=True, slots=True)
class RowError:
    """One thing wrong in one row.

    Attributes:
        row: as a spreadsheet counts: the first line is 1.
        column: its header as written, or empty where the whole row is meant.
        masked: the value's first two characters.
        code: why.
        message: what is wrong, a sentence.
        cure: what to do about it, a sentence.
    """

    row: int
    column: str
    masked: str
    code: Problem
    message: str
    cure: str

    @classmethod
    def of(cls, row: int, column: str, value: str, problem: BadValue) -> RowError:
        """The error for a value that was not taken."""
        return cls(row, column, masked(value), problem.code, problem.message, problem.cure)


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its number, and its filled cells by field."""

    number: int
    cells: dict[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Sheet:
    """A file whose form is known.

    Attributes:
        path: the file.
        encoding: Python's name of it; "xlsx" for a workbook.
        delimiter: between cells; empty for a workbook.
        sheet_name: which one of a workbook it is, empty for CSV.
        sheet_names: those that the workbook has.
        header: the row that names the columns.
        columns: the header as written, by field.
        places: of each field, from 0.
        ignored: headers that mean nothing to us.
        lines: how many lines the file has, header and blank ones included.
        size: of the file, in bytes.
        header_row: where the header is, as a spreadsheet counts; titles and remarks may be above it.
    """

    path: Path
    encoding: str
    delimiter: str
    sheet_name: str
    sheet_names: tuple[str, ...]
    header: tuple[str, ...] = field(repr=False)
    columns: dict[str, str]
    places: dict[str, int]
    ignored: tuple[str, ...]
    lines: int
    size: int
    header_row: int

    def records(self) -> Iterator[tuple[int, list[str] | RowError]]:
        """The cells of each row after the header, with its number; an error where it cannot be read.

        Raises:
            ImportFailed: the rest of the file cannot be read.
        """
        last = self.header_row
        source = (
            workbooks.records(self.path, self.sheet_name, frozenset(self.places.values()))
            if self.sheet_name
            else _records(self.path, self.encoding, self.delimiter)
        )
        return (record for record in source if record[0] > last)

    def rows(self) -> Iterator[Row | RowError]:
        """Read the rows in their order; a row that cannot be read is an error with its number.

        Blank rows are left out.

        Raises:
            ImportFailed: the rest of the file cannot be read.
        """
        for number, cells in self.records():
            if isinstance(cells, RowError):
                yield cells
            elif any(map(str.strip, cells)):
                yield self.row(number, cells)

    def row(self, number: int, cells: list[str]) -> Row | RowError:
        """The filled cells of a row by field, or what makes it unusable."""
        if sum(map(len, cells)) > LONGEST_ROW or "\0" in "".join(cells):
            return self._bad_row(number, cells)
        width = len(self.header)
        if len(cells) > width and any(map(str.strip, cells[width:])):
            return RowError.of(number, "", "", BadValue(Problem.TOO_MANY_CELLS))
        last = len(cells)
        return Row(
            number,
            {
                name: text
                for name, place in self.places.items()
                if place < last and (text := cells[place].strip())
            },
        )

    def _bad_row(self, number: int, cells: list[str]) -> RowError:
        """The error for a row with a NUL byte or with far too much in it, at its worst cell."""
        has_nul = ["\0" in cell for cell in cells]
        place = has_nul.index(True) if any(has_nul) else cells.index(max(cells, key=len))
        problem = Problem.NUL if any(has_nul) else Problem.TOO_LONG
        names = {place: self.columns[name] for name, place in self.places.items()}
        column = names.get(place, f"column {place + 1}")
        sentinel = _SENTINELS.get(cells[place])
        if sentinel:
            return RowError.of(number, column, "", BadValue(sentinel))
        return RowError.of(number, column, cells[place].replace("\0", ""), BadValue(problem))


def open_sheet(
    path: Path,
    *,
    encoding: str | None = None,
    delimiter: str | None = None,
    sheet_name: str | None = None,
    mapping: Mapping[str, str] | None = None,
) -> Sheet:
    """Find out how a CSV file or an Excel workbook is written and what its columns are.

    Args:
        path: the file; what it is, its content says, not its name.
        encoding: Python's name of a CSV file's encoding; found out if None.
        delimiter: found out if None: comma, semicolon, tab or bar.
        sheet_name: which sheet of a workbook; the first if None.
        mapping: what some columns are, see `contacts.headers.columns`.

    Raises:
        ImportFailed: it is neither, cannot be read for sure, or has no column that names an address.
    """
    try:
        size = path.stat().st_size
        said = tuple(mapping or ())
        opened = _open_workbook(path, sheet_name, said) if workbooks.is_one(path) else None
        found, line_count, sign, name, names, number, header = opened or _open_csv(
            path, encoding, delimiter, said
        )
    except OSError as error:
        raise ImportFailed(
            SheetProblem.NOT_READABLE,
            f"The file cannot be read: {error.strerror}.",
            "Check its name and that you may read it.",
        ) from None
    columns = headers.columns(header, mapping)
    return Sheet(
        path=path,
        encoding=found,
        delimiter=sign,
        sheet_name=name,
        sheet_names=names,
        header=tuple(header),
        columns={field: header[place] for field, place in columns.places.items()},
        places=columns.places,
        ignored=columns.ignored,
        lines=line_count,
        size=size,
        header_row=number,
    )


def _open_csv(path: Path, encoding: str | None, delimiter: str | None, said: Sequence[str]) -> _Opened:
    found, line_count = _encoding(path, encoding)
    sign = _delimiter(path, found, said) if delimiter is None else _checked(delimiter)
    return found, line_count, sign, "", (), *_header(_records(path, found, sign), said)


def _open_workbook(path: Path, sheet_name: str | None, said: Sequence[str]) -> _Opened:
    names = workbooks.check(path)
    name = workbooks.choose(names, sheet_name)
    number, header = _header(workbooks.records(path, name), said)
    return "xlsx", workbooks.count_rows(path, name), "", name, names, number, header


def safe_cell(text: str) -> str:
    """A cell that no spreadsheet takes for a formula (CWE-1236)."""
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text


def write_errors(path: Path, errors: Iterable[RowError]) -> None:
    """Write row errors as a CSV file that spreadsheets open rightly: UTF-8 with its mark, nothing a formula.

    Raises:
        OSError: the file cannot be written.
    """
    with errors_into(path) as write:
        for each in errors:
            write(each)


@contextmanager
def errors_into(path: Path) -> Iterator[Callable[[RowError], None]]:
    """What writes row errors into a file one by one, however many there are; see `write_errors`.

    Raises:
        OSError: the file cannot be written.
    """
    with path.open("w", encoding="utf-8-sig", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["row", "column", "value", "code", "message", "cure"])

        def write(each: RowError) -> None:
            texts = [each.column, each.masked, each.code.value, each.message, each.cure]
            writer.writerow([each.row, *map(safe_cell, texts)])

        yield write


def _encoding(path: Path, said: str | None) -> tuple[str, int]:
    return find_encoding(path) if said is None else (known_encoding(said), count_lines(path))


def _delimiter(path: Path, encoding: str, said: Sequence[str]) -> str:
    """The one that the file names itself (`sep=;`), or the one that gives the most columns we know."""
    named = _named_delimiter(path, encoding)
    if named:
        return named
    first = {sign: _header(_records(path, encoding, sign), said)[1] for sign in DELIMITERS}
    return max(DELIMITERS, key=lambda sign: (sum(map(bool, headers.guess(first[sign]))), len(first[sign])))


def _named_delimiter(path: Path, encoding: str) -> str | None:
    first = next(lines(path, encoding), "").strip("\r\n ")
    named = _SEPARATOR_LINE.fullmatch(first)
    return named[1] if named else None


def _checked(delimiter: str) -> str:
    if len(delimiter) != 1 or delimiter.isalnum() or delimiter in '"\r\n\0':
        raise ImportFailed(
            SheetProblem.DELIMITER, "The delimiter is not one sign.", "Use a comma, semicolon, tab or bar."
        )
    return delimiter


def _header(
    records: Iterable[tuple[int, list[str] | RowError]], said: Sequence[str]
) -> tuple[int, list[str]]:
    """The row that names the columns, and its number: the first row with something in it, or one of the next
    under titles and remarks, if it is plainly the one.

    Args:
        records: the rows of the file.
        said: headers that a person said something about.
    """
    first: tuple[int, list[str]] | None = None
    filled = 0
    for number, cells in records:
        if isinstance(cells, RowError):
            if first is None:
                raise ImportFailed(SheetProblem.NO_COLUMN, f"Row {number}: {cells.message}", cells.cure)
            break
        header = [cell.strip() for cell in cells]
        if not any(header):
            continue
        first = first or (number, header)
        if headers.is_header(header, said):
            return number, header
        filled += 1
        if filled == MOST_TITLE_ROWS:
            break
    if first is not None:
        return first
    raise ImportFailed(
        SheetProblem.EMPTY,
        "The file has no rows.",
        "Give it a row that names the columns, then one per resident.",
    )


def _records(path: Path, encoding: str, delimiter: str) -> Iterator[tuple[int, list[str] | RowError]]:
    """Every row with its number, or the error that broke it. Each line of a broken row is an error."""
    number = done = 0
    reader = csv.reader(_without_separator_line(lines(path, encoding)), delimiter=delimiter, strict=True)
    while True:
        try:
            for cells in reader:
                done = reader.line_num
                number += 1
                yield number, cells
        except csv.Error as error:
            # One exception stands for everything; after a cell over its limit nothing that follows is sure.
            if "limit" in str(error):
                raise _cell_too_long(reader.line_num) from None
            broken = max(reader.line_num - done, 1)
            done = reader.line_num
            for number in range(number + 1, number + 1 + broken):  # noqa: B020
                yield number, RowError.of(number, "", "", BadValue(Problem.BROKEN_QUOTES))
        else:
            return


def _cell_too_long(line: int) -> ImportFailed:
    return ImportFailed(
        SheetProblem.TOO_LONG,
        f"A cell that ends in line {line} has more than {csv.field_size_limit()} characters.",
        "Look there and before for a quotation mark that is not closed.",
    )


def _without_separator_line(every: Iterator[str]) -> Iterator[str]:
    first = next(every, "")
    yield "\n" if _SEPARATOR_LINE.fullmatch(first.strip("\r\n ")) else first
    yield from every
