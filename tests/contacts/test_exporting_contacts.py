"""Lists as tables, and one contact's own data, complete."""

from __future__ import annotations

import csv
import stat
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from openpyxl import load_workbook
from sqlmodel import Session, col

from channels.contract import AddressKind
from contacts import consent, exporting, lists
from contacts.exporting import CannotExport
from contacts.importing import ImportReport
from contacts.models import Contact, Endpoint

KINDS = {
    "sms": AddressKind.PHONE,
    "email": AddressKind.EMAIL,
    "telegram": AddressKind.CHAT,
    "letter": AddressKind.POSTAL,
}
EVIL = '=HYPERLINK("http://evil.example";A1)'
Make = Callable[..., Endpoint]


def add(session: Session, owner: Endpoint, channel: str, address: str) -> Endpoint:
    made = Endpoint(contact_id=owner.contact_id, channel=channel, address=address, address_key=address)
    session.add(made)
    session.flush()
    return made


def say(session: Session, endpoint: Endpoint, decision: bool, list_id: int | None, **more: object) -> None:
    said = {"method": "web form", "at": datetime(2026, 5, 1, tzinfo=UTC)} | more
    consent.record(
        session, contact_id=endpoint.contact_id, endpoint_id=endpoint.id, list_id=list_id, decision=decision,
        **said,
    )  # type: ignore[arg-type]  # fmt: skip


@pytest.fixture
def news(session: Session) -> int:
    return lists.get_or_create(session, "News").id or 0


@pytest.fixture
def export(session: Session, tmp_path: Path, news: int) -> Callable[..., list[list[str]]]:
    """Exports the list and reads the file as a spreadsheet would."""

    def run(*wanted: str, ending: str = ".csv", **options: object) -> list[list[str]]:
        path = tmp_path / f"out{ending}"
        count = exporting.export_list(session, news, path, wanted, channels=KINDS, **options)  # type: ignore[arg-type]
        if ending == ".csv":
            with path.open(encoding="utf-8-sig", newline="") as file:
                rows = list(csv.reader(file))
        else:
            rows = [[cell or "" for cell in row] for row in load_workbook(path).active.values]
        assert count == len(rows) - 1
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        return rows

    return run


@pytest.mark.parametrize("ending", [".csv", ".xlsx"])
def test_a_table_has_the_columns_asked_for_and_no_others(
    session: Session, resident: Make, news: int, export: Callable[..., list[list[str]]], ending: str
) -> None:
    ana = resident(name="Ana Ñandú", language="es", area="Harbor", groups="|elders|parents|")
    mail = add(session, ana, "email", "ana@example.org")
    lists.add_member(session, news, ana.contact_id)
    resident(address="+12025550199", name="Not on the list")
    say(session, ana, False, None)
    say(session, mail, True, news)
    assert export("name", "groups", "email", "consent", "consent_date", "opted_out", ending=ending) == [
        ["name", "groups", "email", "consent", "consent_date", "opted_out"],
        ["Ana Ñandú", "elders, parents", "ana@example.org", "email", "2026-05-01", "sms"],
    ]


@pytest.mark.parametrize("ending", [".csv", ".xlsx"])
@pytest.mark.parametrize("evil", [EVIL, "+1+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "a\x01b\x1fc"])
def test_no_cell_is_one_that_a_spreadsheet_would_run(
    session: Session,
    resident: Make,
    news: int,
    export: Callable[..., list[list[str]]],
    tmp_path: Path,
    ending: str,
    evil: str,
) -> None:
    lists.add_member(session, news, resident(name=evil).contact_id)
    cell = export("name", ending=ending)[1][0]
    assert cell == (f"'{evil}" if "b" not in evil else "abc")
    if ending == ".xlsx":
        book = load_workbook(tmp_path / "out.xlsx")
        assert book.active["A2"].data_type == "s"


def test_what_went_out_can_come_in_again(
    session: Session,
    resident: Make,
    news: int,
    export: Callable[..., list[list[str]]],
    load: Callable[..., ImportReport],
    tmp_path: Path,
) -> None:
    ana = resident(name="Ana", language="es", area="Harbor")
    add(session, ana, "letter", "12 Main Street\nSpringfield, MA 01103")
    lists.add_member(session, news, ana.contact_id)
    session.commit()
    export("name", "language", "area", "phone", "address", "consent")
    report = load((tmp_path / "out.csv").read_bytes(), list_name="Copy")
    assert (report.rows, report.created, report.rejected, report.errors) == (1, 0, 0, [])


def test_many_are_read_in_chunks(
    session: Session, resident: Make, news: int, export: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lists, "CHUNK", 2)
    for number in range(7):
        lists.add_member(
            session, news, resident(address=f"+1202555010{number}", name=f"R{number}").contact_id
        )
    assert [row[0] for row in export("name")[1:]] == [f"R{number}" for number in range(7)]
    assert len(export("name", where=col(Contact.name) == "R3")) == 2


@pytest.mark.parametrize(
    ("name", "wanted", "said"),
    [
        ("a.csv", ["name", "iban"], "no column 'iban'. The columns: contact, name"),
        ("a.csv", [], "at least one column"),
        ("a.ods", ["name"], "neither .csv nor .xlsx"),
        ("no-such-folder/a.csv", ["name"], "cannot be written"),
    ],
)
def test_what_cannot_be_written_is_refused_with_its_cure(
    session: Session, news: int, tmp_path: Path, name: str, wanted: list[str], said: str
) -> None:
    with pytest.raises(CannotExport, match=said):
        exporting.export_list(session, news, tmp_path / name, wanted, channels=KINDS)
    assert list(tmp_path.glob("*.csv*")) == []


def test_r31_a_contacts_own_data_are_complete(session: Session, resident: Make, news: int) -> None:
    other = lists.get_or_create(session, "Families").id or 0
    ana = resident(name="Ana", language="es", area="Harbor", groups="|elders|")
    for list_id in (news, other):
        lists.add_member(session, list_id, ana.contact_id)
        say(
            session, ana, True, list_id, wording="Quiero avisos.", wording_language="es", reference="form 7",
            ip="192.0.2.1",
        )  # fmt: skip
    say(session, ana, False, None, method="sms keyword", wording="ALTO", actor="resident")
    tree = exporting.own_data(session, ana.contact_id)
    assert (tree["name"], tree["area"], tree["groups"]) == ("Ana", "Harbor", ["elders"])
    assert tree["addresses"][0]["address"] == "+12025550143"
    assert tree["addresses"][0]["opted_out_of_everything"]
    assert [each["list"] for each in tree["lists"]] == ["Families", "News"]
    told = [(each["list"], each["decision"], each["wording"], each["ip"]) for each in tree["consent"]]
    assert told == [
        ("News", True, "Quiero avisos.", "192.0.2.1"),
        ("Families", True, "Quiero avisos.", "192.0.2.1"),
        (None, False, "ALTO", ""),
    ]
    part = exporting.own_data(session, ana.contact_id, only_lists=[news])
    assert [each["list"] for each in part["lists"]] == ["News"]
    assert [each["list"] for each in part["consent"]] == ["News", None]
