"""What a sheet would be taken for, before anything is written: its form, its columns, its first rows, masked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from contacts import workbooks
from contacts.sheets import Row, Sheet, open_sheet
from contacts.values import masked

FIRST_ROWS = 5
LONGEST_SHOWN = 30  # characters of a header or of a value that is not personal

_NOT_PERSONAL = {
    "language", "country", "lists", "consent", "consent_date", "consent_language",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class PreviewColumn:
    """One column: its header, the field it is taken for (empty if ignored), and what its first cell looks like."""

    number: int
    header: str
    field: str
    example: str


@dataclass(frozen=True, slots=True)
class Preview:
    """What a sheet would be taken for.

    Attributes:
        file: its name.
        encoding: as found out; "xlsx" for a workbook.
        delimiter: as found out; empty for a workbook.
        sheet_name: which sheet of a workbook; empty for CSV.
        sheet_names: those to choose from.
        columns: every column that has a header.
        rows: the first rows by field, personal values masked.
        lines: how many lines there are.
        header_row: where the columns are named, as a spreadsheet counts rows.
        has_formulas: it is a workbook with formulas; their results, as saved, count as the cells.
    """

    file: str
    encoding: str
    delimiter: str
    sheet_name: str
    sheet_names: tuple[str, ...]
    columns: tuple[PreviewColumn, ...]
    rows: tuple[dict[str, str], ...] = field(repr=False)
    lines: int
    header_row: int = 1
    has_formulas: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)


def preview(
    path: Path,
    *,
    encoding: str | None = None,
    delimiter: str | None = None,
    sheet_name: str | None = None,
    mapping: Mapping[str, str] | None = None,
) -> Preview:
    """Look at a sheet; arguments and errors as those of `contacts.sheets.open_sheet`."""
    sheet = open_sheet(path, encoding=encoding, delimiter=delimiter, sheet_name=sheet_name, mapping=mapping)
    first = [row.cells for row in islice(sheet.rows(), FIRST_ROWS) if isinstance(row, Row)]
    return Preview(
        file=path.name,
        encoding=sheet.encoding,
        delimiter=sheet.delimiter,
        sheet_name=sheet.sheet_name,
        sheet_names=sheet.sheet_names,
        columns=_columns(sheet, first),
        rows=tuple({name: _shown(name, text) for name, text in cells.items()} for cells in first),
        lines=sheet.lines,
        header_row=sheet.header_row,
        has_formulas=bool(sheet.sheet_name) and workbooks.has_formulas(path),
    )


def _columns(sheet: Sheet, first: list[dict[str, str]]) -> tuple[PreviewColumn, ...]:
    names = {place: name for name, place in sheet.places.items()}
    return tuple(
        PreviewColumn(place + 1, header[:LONGEST_SHOWN], name := names.get(place, ""), _example(name, first))
        for place, header in enumerate(sheet.header)
        if header
    )


def _example(name: str, first: list[dict[str, str]]) -> str:
    texts = (cells[name] for cells in first if name in cells)
    return _shown(name, next(texts, ""))


def _shown(name: str, text: str) -> str:
    return text[:LONGEST_SHOWN] if name in _NOT_PERSONAL else masked(text)
