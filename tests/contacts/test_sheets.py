"""Spreadsheets as people make them."""

from __future__ import annotations

import codecs
import csv
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contacts.sheets import Row, RowError, Sheet, open_sheet, safe_cell, write_errors
from contacts.values import BadValue, ImportFailed, Problem, SheetProblem

Write = Callable[..., Path]
ROWS = "name;phone\r\nJosé Núñez;202 555 0143\r\n"


def cells(sheet: Sheet) -> list[dict[str, str]]:
    return [row.cells for row in sheet.rows() if isinstance(row, Row)]


def errors(sheet: Sheet) -> list[tuple[int, Problem]]:
    return [(row.row, row.code) for row in sheet.rows() if isinstance(row, RowError)]


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        (ROWS.encode(), "utf-8"),
        (ROWS.encode("utf-8-sig"), "utf-8-sig"),
        (ROWS.encode("utf-16"), "utf-16"),
        (codecs.BOM_UTF16_BE + ROWS.encode("utf-16-be"), "utf-16"),
        (ROWS.encode("utf-16-le"), "utf-16-le"),
        (ROWS.encode("utf-16-be"), "utf-16-be"),
        (ROWS.encode("utf-32"), "utf-32"),
        (ROWS.encode("cp1252"), "cp1252"),
    ],
)
def test_common_encodings_are_found_out_and_reported(sheet: Write, content: bytes, encoding: str) -> None:
    found = open_sheet(sheet(content))
    assert found.encoding == encoding
    assert cells(found) == [{"name": "José Núñez", "phone": "202 555 0143"}]


def test_an_encoding_that_was_named_is_used(sheet: Write) -> None:
    path = sheet("name,phone\nИван,202\n".encode("cp1251"))
    assert cells(open_sheet(path, encoding="windows-1251")) == [{"name": "Иван", "phone": "202"}]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiters_are_found_out_and_reported(sheet: Write, delimiter: str) -> None:
    path = sheet(f'name{delimiter}phone{delimiter}area\n"Ruiz, Ana; |"{delimiter}202{delimiter}North, East\n'
                 if delimiter != "," else 'name,phone,area\n"Ruiz, Ana; |",202,"North, East"\n')  # fmt: skip
    found = open_sheet(path)
    assert found.delimiter == delimiter
    assert cells(found) == [{"name": "Ruiz, Ana; |", "phone": "202", "area": "North, East"}]


def test_a_delimiter_that_the_file_names_is_used(sheet: Write) -> None:
    found = open_sheet(sheet("sep=;\r\nname;phone\r\nAna;202\r\n"))
    assert (found.delimiter, cells(found)) == (";", [{"name": "Ana", "phone": "202"}])


def test_a_delimiter_that_was_given_is_used(sheet: Write) -> None:
    assert cells(open_sheet(sheet("name:phone\nAna:202\n"), delimiter=":")) == [
        {"name": "Ana", "phone": "202"}
    ]


@pytest.mark.parametrize(
    ("header", "field"),
    [
        ("phone", "phone"), (" Phone # ", "phone"), ("MOBILE", "phone"), ("Cell", "phone"), ("telephone", "phone"),
        ("e-mail", "email"), ("E_Mail", "email"), ("Email address", "email"), ("mail", "email"),
        ("telegram", "telegram"), ("telegram_chat_id", "telegram"), ("Address", "address"),
        ("Address 1", "address1"), ("address line 1", "address1"), ("ｐｈｏｎｅ", "phone"),
    ],
)  # fmt: skip
def test_columns_are_known_by_many_names(sheet: Write, header: str, field: str) -> None:
    assert open_sheet(sheet(f"{header}\nx\n")).columns == {field: header.strip()}


@pytest.mark.parametrize(
    ("header", "field"),
    [
        ("Full Name", "name"), ("first name", "first_name"), ("Last-Name", "last_name"), ("address2", "address2"),
        ("Town", "city"), ("region", "state"), ("ZIP", "postcode"), ("zip_code", "postcode"), ("Zip Code", "postcode"),
        ("Country", "country"), ("lang", "language"), ("Preferred language", "language"), ("ward", "area"),
        ("neighbourhood", "area"), ("Neighborhood", "area"), ("tags", "groups"), ("opt-in", "consent"),
        ("consent_date", "consent_date"), ("Consent source", "consent_source"), ("consent wording", "consent_wording"),
    ],
)  # fmt: skip
def test_other_columns_are_known_by_many_names(sheet: Write, header: str, field: str) -> None:
    assert open_sheet(sheet(f"phone,{header}\n1,x\n")).columns == {"phone": "phone", field: header}


def test_unknown_columns_are_ignored_and_reported(sheet: Write) -> None:
    found = open_sheet(sheet("Shoe size,phone,,Notes\n44,202,,likes tea\n"))
    assert found.ignored == ("Shoe size", "Notes")
    assert cells(found) == [{"phone": "202"}]


def test_blank_rows_and_short_rows_are_fine(sheet: Write) -> None:
    found = open_sheet(sheet("\n,,\nname,phone,area\n\nAna\n , ,\nBo,202,North,,\n"))
    rows = [row for row in found.rows() if isinstance(row, Row)]
    assert [(row.number, row.cells) for row in rows] == [
        (5, {"name": "Ana"}),
        (7, {"name": "Bo", "phone": "202", "area": "North"}),
    ]


@pytest.mark.parametrize(
    ("content", "row", "columns"),
    [
        ("Vecinos del Norte;;\nAl día: 3 de mayo;;\n;;\nNombre;Celular;Correo\nAna;202;\n", 4, 3),
        ("Residents,,\nCall 206-555-0134 for help,,\nname,phone,area\nAna,202,North\n", 3, 3),
        ("List\nname,phone\nAna,202\n", 2, 2),
        ("الجيران\nالاسم\tرقم الهاتف\nمنى\t202\n", 2, 2),
        ("phone,x\n2025550143,sms\n", 1, 1),
        ("phone\nemail,phone\n", 1, 1),
        ("name,phone\nphone,name\n", 1, 2),
        ("Shoe size,phone\n44,202\nJo,email\n", 1, 1),
        ("name,consent,phone\nAna,email,2025550143\n", 1, 3),
    ],
)  # fmt: skip
def test_titles_and_remarks_may_be_above_the_header(
    sheet: Write, content: str, row: int, columns: int
) -> None:
    found = open_sheet(sheet(content))
    assert (found.header_row, len(found.columns)) == (row, columns)
    assert all(each.number > row for each in found.rows() if isinstance(each, Row))


def test_a_row_of_headers_that_a_person_named_is_the_header(sheet: Write) -> None:
    content = "Sign-up sheet,,\nWer,Anruf unter,Wie\nAna,202,email\nphone,email,name\n"
    found = open_sheet(sheet(content), mapping={"Anruf unter": "phone"})
    assert (found.header_row, cells(found)[0]) == (2, {"phone": "202"})


def test_what_looks_like_a_resident_is_never_the_header(sheet: Write) -> None:
    content = "Wer,Was,Wie\nname,ana@example.com,email\nphone,202 555 0143,email\n"
    with pytest.raises(ImportFailed) as failed:
        open_sheet(sheet(content))
    assert failed.value.code == SheetProblem.NO_COLUMN


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_may_end_in_any_way_and_cells_hold_line_breaks(sheet: Write, end: str) -> None:
    path = sheet(f'name,address{end}Ana,"12 Main St{end}Springfield MA 01103"{end}Bo,x{end}')
    assert [row.number for row in open_sheet(path).rows() if isinstance(row, Row)] == [2, 3]


@pytest.mark.parametrize(
    ("content", "code", "named"),
    [
        ("", SheetProblem.EMPTY, ""),
        ("\n , \n", SheetProblem.EMPTY, ""),
        ("Ana,202 555 0143\nBo,202 555 0144\n", SheetProblem.NO_COLUMN, "phone"),
        ("name,language\nAna,es\n", SheetProblem.NO_ADDRESS_COLUMN, "email"),
        ("phone,Phone\n1,2\n", SheetProblem.DUPLICATE_COLUMN, "Columns 1 (phone) and 2 (Phone)"),
        ("phone,mobile\n1,2\n", SheetProblem.DUPLICATE_COLUMN, "(mobile)"),
        ("," * 1000 + "phone\n", SheetProblem.TOO_MANY_COLUMNS, "1001"),
        ('"phone,name\nAna', SheetProblem.NO_COLUMN, "Row 1"),
        (b"PK\x03\x04\x14\x00", SheetProblem.NOT_READABLE, "broken"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", SheetProblem.NOT_A_SHEET, "CSV"),
        (b"%PDF-1.7", SheetProblem.NOT_A_SHEET, "PDF"),
        ("phone,name\n1,Núñez\n".encode() + "2,Núñez\n".encode("cp1252"), SheetProblem.MIXED_ENCODINGS, "line 3"),
        (b"phone,name\n1,\x81\x8d\n", SheetProblem.ENCODING, "row 2"),
        (codecs.BOM_UTF16_LE + b"p\x00h\x00\x00\xd8", SheetProblem.ENCODING, "row 1"),
        ("phone,name\n1," + "x" * (1 << 20), SheetProblem.TOO_LONG, "Line 2"),
        ('phone,name\n1,"' + "x" * 200_000 + '"\n', SheetProblem.TOO_LONG, "line 2"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_taken_is_refused_with_place_and_cure(
    sheet: Write, content: str | bytes, code: SheetProblem, named: str
) -> None:
    with pytest.raises(ImportFailed) as refused:
        list(open_sheet(sheet(content)).rows())
    assert refused.value.code == code
    assert named in str(refused.value)
    assert refused.value.cure.endswith(".")


@pytest.mark.parametrize("name", ["missing.csv", "."])
def test_a_file_that_is_not_there_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ImportFailed) as refused:
        open_sheet(tmp_path / name)
    assert refused.value.code == SheetProblem.NOT_READABLE


@pytest.mark.parametrize("delimiter", ["", "::", "a", '"', "\n"])
def test_a_delimiter_that_is_none_is_refused(sheet: Write, delimiter: str) -> None:
    with pytest.raises(ImportFailed) as refused:
        open_sheet(sheet("phone\n1\n"), delimiter=delimiter)
    assert refused.value.code == SheetProblem.DELIMITER


@pytest.mark.parametrize("encoding", ["klingon", "rot13", "hex"])
def test_an_encoding_that_is_none_is_refused(sheet: Write, encoding: str) -> None:
    with pytest.raises(ImportFailed) as refused:
        open_sheet(sheet("phone\n1\n"), encoding=encoding)
    assert refused.value.code == SheetProblem.ENCODING


@pytest.mark.parametrize(
    ("row", "code", "column", "masked"),
    [
        ("202,Ana,extra", Problem.TOO_MANY_CELLS, "", ""),
        ("202,A\0na", Problem.NUL, "Full name", "An…"),
        ("202," + "x" * 30_000, Problem.TOO_LONG, "Full name", "xx…"),
        ('202,"Ana" Ruiz', Problem.BROKEN_QUOTES, "", ""),
    ],
)
def test_a_bad_row_is_named_and_the_others_are_read(
    sheet: Write, row: str, code: Problem, column: str, masked: str
) -> None:
    found = list(open_sheet(sheet(f"phone,Full name\n201,Bo\n{row}\n203,Cy\n")).rows())
    assert [getattr(each, "number", None) for each in found] == [2, None, 4]
    bad = found[1]
    assert isinstance(bad, RowError)
    assert (bad.row, bad.code, bad.column, bad.masked) == (3, code, column, masked)


def test_every_line_that_a_stray_quote_swallows_is_named(sheet: Write) -> None:
    found = open_sheet(sheet('phone,name\n201,"Ana\n202,Bo\n203,"Cy"\n204,Di\n'))
    assert errors(found) == [(number, Problem.BROKEN_QUOTES) for number in (2, 3, 4)]
    assert cells(found) == [{"phone": "204", "name": "Di"}]


def test_a_quote_that_is_never_closed_loses_no_row_silently(sheet: Write) -> None:
    found = open_sheet(sheet('phone,name\n201,"Ana\n202,Bo\n203,Cy\n'))
    assert errors(found) == [(number, Problem.BROKEN_QUOTES) for number in (2, 3, 4)]


@pytest.mark.parametrize("text", ["=1+1", "+12025550143", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_no_cell_of_an_export_is_a_formula(text: str) -> None:
    assert safe_cell(text) == f"'{text}"


@pytest.mark.parametrize("text", ["Ana", "", "1+1", "José"])
def test_a_plain_cell_of_an_export_stays(text: str) -> None:
    assert safe_cell(text) == text


def test_errors_are_written_for_a_spreadsheet(tmp_path: Path) -> None:
    error = RowError.of(7, "=Phone", "+12025550", BadValue(Problem.PHONE_NOT_VALID))
    write_errors(tmp_path / "errors.csv", [error])
    content = (tmp_path / "errors.csv").read_text("utf-8-sig")
    header, row = csv.reader(content.splitlines())
    assert header == ["row", "column", "value", "code", "message", "cure"]
    assert row[:4] == ["7", "'=Phone", "'+1…", "phone_not_valid"]
    assert (tmp_path / "errors.csv").read_bytes().startswith(codecs.BOM_UTF8)


@given(
    content=st.one_of(
        st.binary(max_size=400),
        st.binary(max_size=200).map(lambda rest: b"name,phone,email\n" + rest),
        st.text(max_size=200).map(lambda rest: ("\ufeffname\tphone\n" + rest).encode("utf-16-le")),
    )
)
@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_are_rows_or_a_clear_refusal(content: bytes, sheet: Write) -> None:
    try:
        found = open_sheet(sheet(content))
        numbers = [each.number if isinstance(each, Row) else each.row for each in found.rows()]
    except ImportFailed as refused:
        assert refused.message.endswith(".")  # noqa: PT017
        return
    assert numbers == sorted(set(numbers))
