"""Spreadsheets that people made: their encoding, delimiter and header found out, their rows read one by one.

A sheet is read as a stream, so its size does not matter. What cannot be read for sure is refused with the
line and the cure; nothing is guessed silently: encoding, delimiter and columns are in the sheet's report.
"""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from contacts.encodings import count_lines, find_encoding, known_encoding, lines
from contacts.values import BadValue, ImportFailed, Problem, SheetProblem, masked

LONGEST_ROW = 20_000  # characters
MOST_COLUMNS = 1000
DELIMITERS = (",", ";", "\t", "|")

# What headers are called, without spaces, punctuation and case.
ALIASES: dict[str, tuple[str, ...]] = {
    "name": ("name", "fullname"),
    "first_name": ("firstname", "givenname", "forename"),
    "last_name": ("lastname", "surname", "familyname"),
    "phone": (
        "phone",
        "mobile",
        "cell",
        "telephone",
        "phonenumber",
        "mobilephone",
        "cellphone",
        "mobilenumber",
    ),
    "email": ("email", "mail", "emailaddress"),
    "telegram": ("telegram", "telegramchatid", "telegramid", "chatid"),
    "address": ("address", "postaladdress", "mailingaddress", "streetaddress", "street"),
    **{f"address{n}": (f"address{n}", f"addressline{n}", f"line{n}") for n in range(1, 6)},
    "city": ("city", "town"),
    "state": ("state", "region", "province"),
    "postcode": ("postcode", "zip", "zipcode", "postalcode"),
    "country": ("country",),
    "language": ("language", "lang", "preferredlanguage", "languagepreference"),
    "area": ("area", "neighborhood", "neighbourhood", "ward", "district"),
    "groups": ("groups", "group", "tags", "tag"),
    "consent": ("consent", "optin", "optedin", "agreed", "permission"),
    "consent_date": ("consentdate", "optindate", "dateofconsent"),
    "consent_source": ("consentsource", "optinsource"),
    "consent_wording": ("consentwording", "consenttext"),
    "consent_language": ("consentlanguage", "consentwordinglanguage"),
}
ADDRESS_FIELDS = ("phone", "email", "telegram", "address", "address1")

_FIELD_OF = {alias: name for name, aliases in ALIASES.items() for alias in aliases}
_SEPARATOR_LINE = re.compile(r"sep=([,;|\t])", re.IGNORECASE)
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


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
        encoding: Python's name of it.
        delimiter: between cells.
        columns: the header as written, by field.
        ignored: headers that mean nothing to us.
        lines: how many lines the file has, header and blank ones included.
        size: of the file, in bytes.
    """

    path: Path
    encoding: str
    delimiter: str
    columns: dict[str, str]
    ignored: tuple[str, ...]
    lines: int
    size: int
    _places: tuple[tuple[str, int], ...] = field(repr=False)
    _header_row: int = field(repr=False)
    _width: int = field(repr=False)

    def rows(self) -> Iterator[Row | RowError]:
        """Read the rows in their order; a row that cannot be read is an error with its number.

        Blank rows are left out.

        Raises:
            ImportFailed: the rest of the file cannot be read.
        """
        for number, cells in _records(self.path, self.encoding, self.delimiter):
            if isinstance(cells, RowError):
                yield cells
            elif number > self._header_row and any(map(str.strip, cells)):
                yield self._row(number, cells)

    def _row(self, number: int, cells: list[str]) -> Row | RowError:
        if sum(map(len, cells)) > LONGEST_ROW or "\0" in "".join(cells):
            return self._bad_row(number, cells)
        if len(cells) > self._width and any(map(str.strip, cells[self._width :])):
            return RowError.of(number, "", "", BadValue(Problem.TOO_MANY_CELLS))
        last = len(cells)
        return Row(
            number,
            {name: text for name, place in self._places if place < last and (text := cells[place].strip())},
        )

    def _bad_row(self, number: int, cells: list[str]) -> RowError:
        """The error for a row with a NUL byte or with far too much in it, at its worst cell."""
        has_nul = ["\0" in cell for cell in cells]
        place = has_nul.index(True) if any(has_nul) else cells.index(max(cells, key=len))
        problem = Problem.NUL if any(has_nul) else Problem.TOO_LONG
        column = {place: self.columns[name] for name, place in self._places}.get(place, f"column {place + 1}")
        return RowError.of(number, column, cells[place].replace("\0", ""), BadValue(problem))


def open_sheet(path: Path, *, encoding: str | None = None, delimiter: str | None = None) -> Sheet:
    """Find out how a CSV file is written and what its columns are.

    Args:
        path: the file.
        encoding: Python's name of its encoding; found out if None: UTF-8, UTF-16 or Windows-1252.
        delimiter: found out if None: comma, semicolon, tab or bar.

    Raises:
        ImportFailed: it is no CSV file, cannot be read for sure, or has no column that names an address.
    """
    try:
        size = path.stat().st_size
        found, line_count = _encoding(path, encoding)
        sign = _delimiter(path, found) if delimiter is None else _checked(delimiter)
        number, header = _header(path, found, sign)
    except OSError as error:
        raise ImportFailed(
            SheetProblem.NOT_READABLE,
            f"The file cannot be read: {error.strerror}.",
            "Check its name and that you may read it.",
        ) from None
    columns, ignored = _columns(header)
    return Sheet(
        path=path,
        encoding=found,
        delimiter=sign,
        columns={name: header[place] for name, place in columns.items()},
        ignored=ignored,
        lines=line_count,
        size=size,
        _places=tuple(columns.items()),
        _header_row=number,
        _width=len(header),
    )


def safe_cell(text: str) -> str:
    """A cell that no spreadsheet takes for a formula (CWE-1236)."""
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text


def write_errors(path: Path, errors: Iterable[RowError]) -> None:
    """Write row errors as a CSV file that spreadsheets open rightly: UTF-8 with its mark, nothing a formula.

    Raises:
        OSError: the file cannot be written.
    """
    with path.open("w", encoding="utf-8-sig", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["row", "column", "value", "code", "message", "cure"])
        for each in errors:
            texts = [each.column, each.masked, each.code.value, each.message, each.cure]
            writer.writerow([each.row, *map(safe_cell, texts)])


def _encoding(path: Path, said: str | None) -> tuple[str, int]:
    return find_encoding(path) if said is None else (known_encoding(said), count_lines(path))


def _delimiter(path: Path, encoding: str) -> str:
    """The one that the file names itself (`sep=;`), or the one that gives the most columns we know."""
    named = _named_delimiter(path, encoding)
    if named:
        return named
    headers = {sign: _header(path, encoding, sign)[1] for sign in DELIMITERS}
    return max(DELIMITERS, key=lambda sign: (len(_recognised(headers[sign])), len(headers[sign])))


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


def _header(path: Path, encoding: str, delimiter: str) -> tuple[int, list[str]]:
    """The first row with something in it, and its number."""
    for number, cells in _records(path, encoding, delimiter):
        if isinstance(cells, RowError):
            raise ImportFailed(SheetProblem.NO_COLUMN, f"Row {number}: {cells.message}", cells.cure)
        header = [cell.strip() for cell in cells]
        if any(header):
            return number, header
    raise ImportFailed(
        SheetProblem.EMPTY,
        "The file has no rows.",
        "Give it a first row that names the columns, then one per resident.",
    )


def _records(path: Path, encoding: str, delimiter: str) -> Iterator[tuple[int, list[str] | RowError]]:
    """Every row with its number, or the error that broke it. Each line of a broken row is an error."""
    number = 0
    reader = csv.reader(_without_separator_line(lines(path, encoding)), delimiter=delimiter, strict=True)
    while (read := _read(reader)) is not None:
        line_count, cells = read
        if cells is None:
            for number in range(number + 1, number + 1 + line_count):  # noqa: B020
                yield number, RowError.of(number, "", "", BadValue(Problem.BROKEN_QUOTES))
        else:
            number += 1
            yield number, cells


def _read(reader: Any) -> tuple[int, list[str] | None] | None:
    """How many lines the next row took, and its cells; no cells where it is broken; None at the end."""
    begun = reader.line_num
    try:
        cells = next(reader, None)
    except csv.Error as error:
        # One exception stands for everything; after a cell over its limit nothing that follows is sure.
        if "limit" in str(error):
            raise _cell_too_long(reader.line_num) from None
        return max(reader.line_num - begun, 1), None
    return None if cells is None else (reader.line_num - begun, cells)


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


def _columns(header: Sequence[str]) -> tuple[dict[str, int], tuple[str, ...]]:
    """The place of each field, and the headers that mean nothing to us."""
    recognised = _recognised(header)
    if len(header) > MOST_COLUMNS:
        raise ImportFailed(
            SheetProblem.TOO_MANY_COLUMNS,
            f"The sheet has {len(header)} columns.",
            "Keep the few that matter.",
        )
    if not recognised:
        raise ImportFailed(
            SheetProblem.NO_COLUMN,
            "The first row names no column that Notify knows.",
            "Write names there: name, phone, email, address1, city, state, postcode, language, consent.",
        )
    _check_twice(header, recognised)
    if not any(name in ADDRESS_FIELDS for _, name in recognised):
        raise ImportFailed(
            SheetProblem.NO_ADDRESS_COLUMN,
            "No column holds an address.",
            "Add a column phone, email, telegram, or address1 with city, state and postcode.",
        )
    places = {name: place for place, name in recognised}
    known = set(places.values())
    return places, tuple(text[:40] for place, text in enumerate(header) if text and place not in known)


def _check_twice(header: Sequence[str], recognised: Sequence[tuple[int, str]]) -> None:
    seen: dict[str, int] = {}
    for place, name in recognised:
        if name in seen:
            first, second = header[seen[name]], header[place]
            raise ImportFailed(
                SheetProblem.DUPLICATE_COLUMN,
                f"Columns {seen[name] + 1} ({first}) and {place + 1} ({second}) are both the {name}.",
                "Keep one, or give the other a name that says what it is.",
            )
        seen[name] = place


def _recognised(header: Sequence[str]) -> list[tuple[int, str]]:
    found = ((place, _FIELD_OF.get(_bare(text))) for place, text in enumerate(header))
    return [(place, name) for place, name in found if name]


def _bare(header: str) -> str:
    return "".join(filter(str.isalnum, unicodedata.normalize("NFKC", header).casefold()))
