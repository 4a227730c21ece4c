"""Excel workbooks, as people make them and as attackers do."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from datetime import date, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openpyxl import Workbook
from sqlalchemy import func
from sqlmodel import Session, select

from contacts import workbooks
from contacts.importing import ImportFailed, ImportReport, import_contacts, preview
from contacts.models import ConsentEvent, Contact, Endpoint, ImportRun
from contacts.sheets import Row, RowError, open_sheet
from contacts.values import Problem, SheetProblem

Load = Callable[..., ImportReport]
Write = Callable[..., Path]
HEADER = ["Name", "Phone", "ZIP", "Consent", "Consent date"]


def workbook(
    rows: list[list[Any]], *, formats: dict[str, str] | None = None, **sheets: list[list[Any]]
) -> bytes:
    """A workbook as openpyxl writes it, which keeps no results of formulas."""
    book = Workbook()
    book.active.title = "Residents"
    for name, lines in {"Residents": rows, **sheets}.items():
        sheet = book[name] if name in book.sheetnames else book.create_sheet(name)
        for line in lines:
            sheet.append(line)
    for cell, form in (formats or {}).items():
        book["Residents"][cell].number_format = form
    target = BytesIO()
    book.save(target)
    return target.getvalue()


def changed(content: bytes, part: str, change: Callable[[bytes], bytes]) -> bytes:
    """The workbook with one part rewritten, or added."""
    target = BytesIO()
    with zipfile.ZipFile(BytesIO(content)) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            if name != part:
                new.writestr(name, old.read(name))
        new.writestr(part, change(old.read(part) if part in old.namelist() else b""))
    return target.getvalue()


SHEET = "xl/worksheets/sheet1.xml"
GOOD = workbook([["Name", "Phone", "Consent"], ["Ana", "202-555-0143", "yes"]])


def cells(path: Path, **how: Any) -> list[dict[str, str]]:
    return [row.cells for row in open_sheet(path, **how).rows() if isinstance(row, Row)]


def refusal(path: Path) -> ImportFailed:
    with pytest.raises(ImportFailed) as refused:
        list(open_sheet(path).rows())
    assert refused.value.message.endswith(".")
    assert refused.value.cure.endswith(".")
    return refused.value


def test_numbers_and_dates_are_read_as_people_see_them(sheet: Write) -> None:
    rows = [
        HEADER,
        ["Ana", 2025550143, 1103, True, datetime(2026, 5, 1)],
        [None, 2025550144.0, "01104", "yes", date(2026, 5, 2)],
    ]
    found = open_sheet(sheet(workbook(rows, formats={"C2": "00000"}), "residents.xlsx"))
    assert (found.encoding, found.sheet_name, found.lines) == ("xlsx", "Residents", 3)
    assert [row.cells for row in found.rows() if isinstance(row, Row)] == [
        {
            "name": "Ana",
            "phone": "2025550143",
            "postcode": "01103",
            "consent": "true",
            "consent_date": "2026-05-01",
        },
        {"phone": "2025550144", "postcode": "01104", "consent": "yes", "consent_date": "2026-05-02"},
    ]


def test_a_workbook_is_imported_like_a_csv_file(session: Session, sheet: Write) -> None:
    path = sheet(
        workbook([HEADER, ["Ana", 2025550143, "", "yes", datetime(2026, 5, 1)], [], ["Bo", "12", "", "yes"]]),
        "r.xlsx",
    )
    report = import_contacts(session, path, list_name="News", country="US", actor="eva")
    assert (report.rows, report.created, report.rejected, report.consents) == (2, 1, 1, 1)
    assert [each.row for each in report.errors] == [4, 4]
    event = session.execute(select(ConsentEvent)).scalar_one()
    assert (event.reference, event.at.date()) == ("r.xlsx, row 2", date(2026, 5, 1))
    assert session.execute(select(Endpoint.address)).scalar_one() == "+12025550143"


def test_the_first_sheet_is_read_or_the_one_that_is_named(sheet: Write) -> None:
    path = sheet(workbook([["phone"], ["1"]], Elders=[["phone"], ["2"]]), "two.xlsx")
    assert cells(path) == [{"phone": "1"}]
    assert cells(path, sheet_name=" elders ") == [{"phone": "2"}]
    seen = preview(path)
    assert (seen.sheet_name, seen.sheet_names) == ("Residents", ("Residents", "Elders"))
    with pytest.raises(ImportFailed, match="Residents, Elders") as refused:
        open_sheet(path, sheet_name="Staff")
    assert refused.value.code == SheetProblem.NO_SUCH_SHEET


@pytest.mark.parametrize("name", ["residents.csv", "residents.xlsx", "residents"])
def test_what_a_file_is_its_content_says_not_its_name(sheet: Write, name: str) -> None:
    assert cells(sheet(GOOD, name)) == [{"name": "Ana", "phone": "202-555-0143", "consent": "yes"}]
    assert cells(sheet("phone\n202\n", name)) == [{"phone": "202"}]


def test_a_formula_without_its_result_is_refused_in_its_row(sheet: Write) -> None:
    path = sheet(
        workbook([["Name", "Phone", "Sum"], ["=1+1", "1", ""], ["Bo", "2", "=A1"], ["Cy", "3", ""]]), "f.xlsx"
    )
    found = list(open_sheet(path).rows())
    assert isinstance(found[0], RowError)
    assert (found[0].row, found[0].column, found[0].code) == (2, "Name", Problem.FORMULA)
    assert [row.cells["name"] for row in found[1:] if isinstance(row, Row)] == ["Bo", "Cy"]
    assert preview(path).has_formulas


def test_a_formula_with_its_saved_result_counts_as_that(sheet: Write) -> None:
    def with_result(xml: bytes) -> bytes:
        return xml.replace(b"<f>1+1</f><v />", b"<f>1+1</f><v>2025550143</v>").replace(
            b"<f>1+1</f><v></v>", b"<f>1+1</f><v>2025550143</v>"
        )

    content = changed(workbook([["Phone"], ["=1+1"]]), SHEET, with_result)
    assert cells(sheet(content, "f.xlsx")) == [{"phone": "2025550143"}]


def test_a_cell_that_shows_an_error_is_refused_in_its_row(sheet: Write) -> None:
    found = list(
        open_sheet(sheet(workbook([["Phone", "Name"], ["#N/A", "Ana"], ["2", "Bo"]]), "e.xlsx")).rows()
    )
    assert isinstance(found[0], RowError)
    assert (found[0].row, found[0].column, found[0].code, found[0].masked) == (
        2,
        "Phone",
        Problem.CELL_ERROR,
        "",
    )


@pytest.mark.parametrize("size", [0, 10, 400, len(GOOD) // 2, len(GOOD) - 30])
def test_a_truncated_workbook_is_refused(sheet: Write, size: int) -> None:
    assert refusal(sheet(GOOD[:size] or b"PK\x03\x04", "cut.xlsx")).code == SheetProblem.NOT_READABLE


def test_a_workbook_with_a_damaged_part_is_refused(sheet: Write) -> None:
    content = bytearray(GOOD)
    place = GOOD.index(SHEET.encode()) + len(SHEET) + 20
    content[place : place + 8] = b"\0" * 8
    assert refusal(sheet(bytes(content), "bad.xlsx")).code == SheetProblem.NOT_READABLE


ENTITIES = b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]>'
EXTERNAL = b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>'


@pytest.mark.parametrize("part", [SHEET, "xl/workbook.xml", "[Content_Types].xml", "xl/styles.xml"])
@pytest.mark.parametrize("doctype", [ENTITIES, EXTERNAL])
def test_entities_are_refused_unread(sheet: Write, part: str, doctype: bytes) -> None:
    content = changed(GOOD, part, lambda xml: doctype + xml.split(b"?>", 1)[-1])
    assert refusal(sheet(content, "xxe.xlsx")).code == SheetProblem.NOT_A_SHEET


def test_entities_in_another_encoding_are_refused_too(sheet: Write) -> None:
    def wide(xml: bytes) -> bytes:
        text = EXTERNAL + xml.split(b"?>", 1)[-1].replace(b"Ana", b"&a;")
        return ('<?xml version="1.0" encoding="UTF-16"?>' + text.decode()).encode("utf-16")

    assert refusal(sheet(changed(GOOD, SHEET, wide), "xxe.xlsx")).code == SheetProblem.NOT_READABLE


def test_a_zip_bomb_is_refused_by_its_directory(sheet: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    content = changed(GOOD, "xl/sharedStrings.xml", lambda _: b" " * (65 << 20))
    assert len(content) < 1_000_000
    assert refusal(sheet(content, "bomb.xlsx")).code == SheetProblem.TOO_BIG
    monkeypatch.setattr(workbooks, "MOST_BYTES", 1000)
    assert refusal(sheet(GOOD, "bomb.xlsx")).code == SheetProblem.TOO_BIG
    monkeypatch.setattr(workbooks, "MOST_BYTES", 1 << 30)
    monkeypatch.setattr(workbooks, "MOST_PARTS", 3)
    assert refusal(sheet(GOOD, "bomb.xlsx")).code == SheetProblem.TOO_BIG


def test_a_directory_that_lies_about_a_size_is_refused(sheet: Write) -> None:
    content = bytearray(changed(GOOD, SHEET, lambda xml: xml + b" " * 200_000))
    with zipfile.ZipFile(BytesIO(bytes(content))) as archive:
        real = archive.getinfo(SHEET).file_size
    size, lie = real.to_bytes(4, "little"), (1000).to_bytes(4, "little")
    assert content.count(size) == 2  # in the part's own header and in the directory
    assert refusal(sheet(bytes(content).replace(size, lie), "lie.xlsx")).code == SheetProblem.NOT_READABLE


def test_a_cell_of_ten_megabytes_is_refused(sheet: Write) -> None:
    huge = (
        b'<row r="3"><c r="A3" t="inlineStr"><is><t>' + b"x" * (10 << 20) + b"</t></is></c></row></sheetData>"
    )
    content = changed(GOOD, SHEET, lambda xml: xml.replace(b"</sheetData>", huge))
    assert refusal(sheet(content, "cell.xlsx")).code == SheetProblem.TOO_BIG


def test_a_row_far_below_costs_no_time(sheet: Write) -> None:
    far = b'<row r="99999999"><c r="A99999999" t="inlineStr"><is><t>Bo</t></is></c></row></sheetData>'
    content = changed(GOOD, SHEET, lambda xml: xml.replace(b"</sheetData>", far))
    assert refusal(sheet(content, "far.xlsx")).code == SheetProblem.TOO_BIG


def test_a_cell_far_to_the_right_is_refused(sheet: Write) -> None:
    far = b'<c r="ZZZZZZ2" t="inlineStr"><is><t>Bo</t></is></c></row></sheetData>'
    content = changed(GOOD, SHEET, lambda xml: xml.replace(b"</row></sheetData>", far))
    assert refusal(sheet(content, "far.xlsx")).code == SheetProblem.NOT_READABLE


def test_three_hundred_columns_are_read_and_more_than_a_thousand_refused(sheet: Write) -> None:
    wide = [["phone", *(f"c{n}" for n in range(299))], ["202", *range(299)]]
    assert cells(sheet(workbook(wide), "wide.xlsx")) == [{"phone": "202"}]
    assert (
        refusal(sheet(workbook([[f"c{n}" for n in range(1001)]]), "wide.xlsx")).code
        == SheetProblem.TOO_MANY_COLUMNS
    )


def test_macros_links_and_pictures_are_not_looked_at(sheet: Write) -> None:
    content = changed(GOOD, "xl/vbaProject.bin", lambda _: b"\xd0\xcf\x11\xe0 Sub AutoOpen()")
    content = changed(content, "xl/media/image1.png", lambda _: b"\x89PNG" + b"x" * 1000)
    assert cells(sheet(content, "macro.xlsm")) == cells(sheet(GOOD, "plain.xlsx"))


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600,
            SheetProblem.NOT_A_SHEET,
        ),  # .xls, or with a password
        (workbook([]), SheetProblem.EMPTY),
        (workbook([["Phone", "phone"], [1, 2]]), SheetProblem.DUPLICATE_COLUMN),
        (workbook([["Shoe size"], [1]]), SheetProblem.NO_COLUMN),
    ],
)
def test_other_workbooks_are_refused_with_their_cure(
    sheet: Write, content: bytes, code: SheetProblem
) -> None:
    assert refusal(sheet(content, "other.xlsx")).code == code


def test_another_kind_of_archive_is_refused(sheet: Write) -> None:
    target = BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("content.xml", "<x/>")
    assert refusal(sheet(target.getvalue(), "sheet.ods")).code == SheetProblem.NOT_A_SHEET


@given(place=st.integers(0, len(GOOD) - 1), byte=st.integers(0, 255), cut=st.booleans())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_damaged_workbook_is_imported_whole_or_refused_whole(
    session: Session, sheet: Write, place: int, byte: int, cut: bool
) -> None:
    content = GOOD[:place] if cut else GOOD[:place] + bytes([byte]) + GOOD[place + 1 :]
    before = session.execute(select(func.count()).select_from(ImportRun)).scalar_one()
    try:
        report = import_contacts(
            session, sheet(content, "r.xlsx"), list_name="News", country="US", actor="eva"
        )
    except ImportFailed:
        session.commit()
        assert session.execute(select(func.count()).select_from(ImportRun)).scalar_one() == before
        return
    assert (
        report.rows
        == report.created + report.unchanged + report.updated + report.duplicates + report.rejected
    )
    assert session.execute(select(func.count()).select_from(Contact)).scalar_one() <= 2


def test_merged_titles_stand_above_the_header(sheet: Write) -> None:
    book = Workbook()
    book.active.append(["Sign-up sheet, spring"])
    book.active.append([])
    book.active.append(["Name", "Phone", "Consent"])
    book.active.append(["Ana", 2.025550143e9, "yes"])
    book.active.merge_cells("A1:C1")
    target = BytesIO()
    book.save(target)
    seen = preview(sheet(target.getvalue(), "t.xlsx"))
    assert (seen.header_row, [each.field for each in seen.columns]) == (3, ["name", "phone", "consent"])
    assert seen.rows == ({"name": "An…", "phone": "20…", "consent": "yes"},)
