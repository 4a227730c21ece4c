"""`notify contacts import | imports` as a liaison types them."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import pytest
import test_cli_residents
from sqlmodel import Session, select
from test_cli_residents import Answer

from contacts.importing import import_contacts, undo
from contacts.models import Contact, Endpoint
from notify import audit
from notify.cli import acting
from notify.hub import Hub
from notify.inbound import Inbound

notify = test_cli_residents.notify  # the fixture
Notify = Callable[..., Answer]

SHEET = """Nombre;Handy;Correo;Idioma;Acepta;Notas
Ana Ruiz;202-555-0143;ana@example.org;español;sí;likes tea
Bo Chen;12;;en;sí;
Cy Diaz;202-555-0145;;en;stop;
"""
EVA = {"NOTIFY_AS": "eva@city.example"}


@pytest.fixture
def sheet(tmp_path: Path) -> Path:
    path = tmp_path / "people.csv"
    path.write_text(SHEET, "utf-8")
    return path


def test_the_columns_are_shown_before_anything_is_written(notify: Notify, sheet: Path) -> None:
    shown = notify("contacts", "import", "people.csv", "--list", "News", "--dry-run").out
    before, after = shown.split("What the file holds")
    assert "Read as utf-8, cells separated by ';'." in before
    assert "Handy" in before
    assert "(ignored)" in before
    assert "0143" not in before
    assert "Dry run: nothing was kept." in after
    assert notify("contacts", "imports", "--json").json == []
    assert notify("list", "list", "--json").json == []


def test_a_sheet_with_titles_says_where_its_header_is_and_what_to_do_next(
    notify: Notify, sheet: Path
) -> None:
    sheet.write_text("Hoja de firmas;;;;;\n;;;;;\n" + SHEET, "utf-8")
    shown = notify("contacts", "import", "people.csv", "--list", "News", "--dry-run").out
    assert "Row 3 names the columns; what is above it is left out." in shown
    assert "yeses not taken: the resident has said no" in shown
    assert "give them with --attest WORDS" in shown
    assert "The same command without --dry-run." in shown


def test_a_column_may_be_named_and_errors_go_into_a_file(notify: Notify, sheet: Path, tmp_path: Path) -> None:
    told = notify(
        "contacts", "import", "people.csv", "--list", "News", "--list", "Alerts", "--map", "Notas=groups",
        "--map", "Correo=", "--errors", "errors.csv", "--json",
    ).json  # fmt: skip
    assert (told["created"], told["rejected"], told["consents"], told["opt_outs"]) == (2, 1, 2, 1)
    assert (told["list_name"], told["ignored_columns"]) == ("News, Alerts", ["Correo"])
    rows = list(csv.DictReader((tmp_path / "errors.csv").read_text("utf-8-sig").splitlines()))
    assert [(row["row"], row["code"]) for row in rows] == [("3", "phone_short"), ("3", "no_address")]


@pytest.mark.parametrize(
    ("words", "cure"),
    [
        (("people.csv",), "--list NAME"),
        (("people.csv", "--list", "News", "--map", "Handy"), "HEADER=FIELD"),
        (("people.csv", "--list", "News", "--map", "Foo=phone"), "No column is called"),
        (("people.csv", "--list", "News", "--map", "Acepta="), "--attest"),
        (("--undo", "7"), "There is no import 7"),
        ((), "--undo ID"),
    ],
)
def test_what_cannot_be_done_names_its_cure_and_leaves_nothing(
    notify: Notify,
    sheet: Path,
    words: tuple[str, ...],
    cure: str,
) -> None:
    answer = notify("contacts", "import", *words)
    assert (answer.status, cure in answer.err) == (1, True)
    assert notify("list", "list", "--json").json == []


def test_an_import_is_listed_and_taken_back(notify: Notify, sheet: Path) -> None:
    told = notify("contacts", "import", "people.csv", "--list", "News").out
    assert "notify contacts import --undo 1" in told
    (run,) = notify("contacts", "imports", "--json").json
    assert (run["state"], run["counts"]["created"]) == ("done", 2)
    done = notify("contacts", "import", "--undo", "1", "--json").json
    assert (done["contacts"], done["contacts_kept"]) == (1, 1)
    assert "undone" in notify("contacts", "imports").out
    with acting.hub().database.reading() as session:
        assert session.exec(select(Contact.name)).all() == [""]  # who said stop
        deeds = session.exec(select(audit.AuditEvent.action)).all()
        assert {"contacts.import", "contacts.undo_import"} <= set(deeds)


def test_a_liaison_imports_into_their_own_lists_only(notify: Notify, sheet: Path) -> None:
    assert notify("list", "add", "Parents").status == 0
    assert "does not keep" in notify("contacts", "import", "people.csv", "--list", "Parents", **EVA).err
    assert notify("contacts", "import", "people.csv", "--list", "Elders", **EVA).status == 0
    assert notify("contacts", "import", "people.csv", "--list", "Parents").status == 0
    assert [each["id"] for each in notify("contacts", "imports", "--json", **EVA).json] == [1]
    assert "you do not keep" in notify("contacts", "import", "--undo", "2", **EVA).err
    assert notify("contacts", "import", "--undo", "1", **EVA).status == 0


def test_a_liaison_imports_no_lists_that_the_sheet_names(notify: Notify, sheet: Path) -> None:
    sheet.write_text(SHEET.replace("Notas", "Listas"), "utf-8")
    refused = notify("contacts", "import", "people.csv", "--list", "Elders", **EVA)
    assert "only administrators" in refused.err
    assert (
        notify("contacts", "import", "people.csv", "--list", "Elders", "--map", "Listas=", **EVA).status == 0
    )


def test_an_address_that_something_points_at_is_not_deleted(hub: Hub, sheet: Path) -> None:
    with hub.database.session() as session:
        report = import_contacts(session, sheet, list_name="News", country="US", actor="eva")
        mail = session.exec(select(Endpoint).where(Endpoint.channel == "email")).one()
        session.add(Inbound(channel="email", kind="reply", provider_id="m1", endpoint_id=mail.id, text="Hi"))
        session.commit()
        done = undo(session, report.import_id or 0, actor="eva")
    assert (done.endpoints, done.endpoints_kept, done.taken_back, done.contacts) == (1, 2, 1, 0)
    _nothing_is_left_to_send(hub)


def _nothing_is_left_to_send(hub: Hub) -> None:
    from contacts.models import Subscription

    with Session(hub.database.reader) as session:
        assert session.exec(select(Subscription).where(Subscription.active)).all() == []
