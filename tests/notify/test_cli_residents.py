"""`notify list …` and `notify contacts …` as a liaison types them."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import structlog
from openpyxl import load_workbook

from notify.cli import acting, main

SHEET = """name,phone,email,address1,city,state,postcode,language,area,consent,consent_wording
Dana Okafor,+12065550001,dana@example.org,12 Main St,Springfield,MA,01103,en,Harbor,all,Yes please.
=Dana Okafor,+12065550001,,,,,,en,,all,Yes please.
"Okafor, Dana",,,12 Main Street,Springfield,MA,01103,en,,letter,Yes please.
Marisol Quintero,+12065550002,,,,,,es,Mission,all,Sí.
"""


@dataclass(frozen=True)
class Answer:
    """What a command did."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        assert self.status == 0, self.err + self.out
        return json.loads(self.out)


@pytest.fixture
def notify(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Callable[..., Answer]:
    """Runs one command in this process, in a city of its own with an administrator and a liaison."""
    for name in [name for name in os.environ if name.startswith("NOTIFY_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("NOTIFY_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("NOTIFY_PUBLIC_URL", "https://notify.city.example")
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)

    def run(*words: str, **more: str) -> Answer:
        acting.hub.cache_clear()
        capfd.readouterr()
        with monkeypatch.context() as patch:
            for name, value in more.items():
                patch.setenv(name, value)
            patch.setattr(sys, "argv", ["notify", *words])
            patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"")))
            status: Any = 0
            try:
                main()
            except SystemExit as end:
                status = end.code
        out, err = capfd.readouterr()
        assert "Traceback" not in err
        return Answer(int(status or 0), out, err)

    run("staff", "add", "boss@city.example", "--role", "administrator")
    run("staff", "add", "eva@city.example", "--role", "liaison")
    (tmp_path / "sheet.csv").write_text(SHEET, encoding="utf-8")
    yield run  # type: ignore[misc]
    structlog.reset_defaults()


@pytest.fixture
def residents(notify: Callable[..., Answer]) -> Callable[..., Answer]:
    """The same, with the sheet on the list Elders."""
    assert notify("contacts", "import", "sheet.csv", "--list", "Elders").status == 0
    return notify


def called(residents: Callable[..., Answer], name: str) -> str:
    """The number of the one resident of this name."""
    (found,) = residents("contacts", "list", "--search", name, "--json").json
    return str(found["contact"])


def test_a_list_is_made_shown_changed_given_and_taken_away(notify: Callable[..., Answer]) -> None:
    made = notify(
        "list", "add", "Elders North", "--public", "--join-word", "Elders", "--title", "en=Elders",
        "--title", "español=Mayores", "--description", "Kept by Eva", "--json",
    ).json  # fmt: skip
    assert (made["public"], made["join_word"], made["titles"]) == (
        True,
        "elders",
        {"en": "Elders", "es": "Mayores"},
    )
    assert notify("list", "keepers", "Elders North", "--add", "eva@city.example", "--json").json[
        "keepers"
    ] == ["eva@city.example"]
    changed = notify("list", "edit", "elders north", "--name", "Elders", "--title", "en=", "--json").json
    assert (changed["name"], changed["titles"]) == ("Elders", {"es": "Mayores"})
    shown = notify("list", "show", "Elders", "--as", "eva@city.example").out
    assert "Residents text ELDERS to join." in shown
    assert [each["name"] for each in notify("list", "list", "--json").json] == ["Elders"]
    assert notify("list", "remove", "Elders").status == 0
    assert notify("list", "list", "--json").json == []


def test_a_liaison_keeps_what_they_make_and_gives_nothing_away(notify: Callable[..., Answer]) -> None:
    notify("list", "add", "Elders", "--as", "eva@city.example")
    notify("list", "add", "Parents")
    assert [each["name"] for each in notify("list", "list", "--as", "eva@city.example", "--json").json] == [
        "Elders"
    ]
    told = notify("list", "keepers", "Elders", "--add", "boss@city.example", "--as", "eva@city.example")
    assert (told.status, "needs the role administrator" in told.err) == (1, True)
    told = notify("list", "show", "Parents", "--as", "eva@city.example")
    assert (told.status, "notify list keepers 'Parents' --add eva@city.example" in told.err) == (1, True)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["list", "add", "Elders", "--public", "--join-word", "alto"], "means STOP already"),
        (["list", "add", "Elders", "--title", "Elders"], "names no language"),
        (["list", "add", "Elders", "--title", "klingon?=Elders"], "is no language"),
        (["list", "add", "Press", "--exclusion", "--public"], "cannot join it by themselves"),
        (["list", "show", "Nobody"], "There is no list called 'Nobody'"),
        (["list", "invite", "Quiet"], "notify list edit 'Quiet' --public"),
        (["list", "add-member", "Quiet", "999"], "There is no contact 999"),
        (["list", "export", "Quiet", "a.csv", "--columns", "iban"], "There is no column 'iban'"),
        (["contacts", "show", "999"], "There is no contact 999"),
        (["contacts", "merge", "998", "999"], "There is no contact 998"),
        (["contacts", "split", "999", "--endpoint", "1"], "There is no contact 999"),
        (["contacts", "erase", "999"], "There is no contact 999"),
        (["contacts", "export", "999"], "There is no contact 999"),
        (["contacts", "duplicates", "--merge"], "run it in a terminal"),
    ],
)
def test_what_cannot_be_done_says_why_and_what_helps(
    notify: Callable[..., Answer], words: list[str], said: str
) -> None:
    notify("list", "add", "Quiet")
    told = notify(*words)
    assert told.status == 1
    assert told.err.startswith("error: ")
    assert said in told.err


def test_an_invitation_is_printed_with_its_poster(notify: Callable[..., Answer], tmp_path: Path) -> None:
    number = notify("list", "add", "Elders", "--public", "--join-word", "elders", "--json").json["list"]
    told = notify("list", "invite", "Elders", "--qr", "poster.svg")
    assert f"https://notify.city.example/join/{number}" in told.out
    assert (tmp_path / "poster.svg").read_bytes().startswith(b"<?xml")


def test_duplicates_are_found_merged_and_split_again(residents: Callable[..., Answer]) -> None:
    dana, twin = called(residents, "Dana Okafor"), called(residents, "Okafor, Dana")
    (group,) = residents("contacts", "duplicates", "--list", "elders", "--json").json
    assert {str(each["contact"]) for each in group["contacts"]} == {dana, twin}
    assert group["why"] == ["same name at one address"]
    assert residents("contacts", "show", dana, "--json").json["household"] == [int(twin)]
    plan = residents("contacts", "merge", dana, twin, "--dry-run", "--json").json
    assert (plan["done"], len(plan["moved"]), len(plan["shared"])) == (False, 0, 1)
    assert residents("contacts", "merge", dana, twin).status == 0
    assert residents("contacts", "duplicates", "--json").json == []
    tree = residents("contacts", "show", dana, "--json").json
    assert tree["merged"] == [int(twin)]
    mail = next(each["endpoint"] for each in tree["addresses"] if each["channel"] == "email")
    made = residents("contacts", "split", dana, "--endpoint", str(mail), "--name", "Dan", "--json").json[
        "made"
    ]
    tree = residents("contacts", "show", str(made), "--json").json
    assert [each["channel"] for each in tree["addresses"]] == ["email"]


def test_contacts_of_two_languages_are_not_merged_without_a_word(residents: Callable[..., Answer]) -> None:
    dana, marisol = called(residents, "Dana Okafor"), called(residents, "Marisol")
    told = residents("contacts", "merge", dana, marisol)
    assert (told.status, "--language en" in told.err) == (1, True)
    assert residents("contacts", "merge", dana, marisol, "--language", "es").status == 0


def test_a_list_goes_into_a_spreadsheet_for_who_keeps_it(
    residents: Callable[..., Answer], tmp_path: Path
) -> None:
    told = residents(
        "list", "export", "Elders", "a.xlsx", "--columns", "name,phone", "--as", "eva@city.example"
    )
    assert told.status == 1
    assert not (tmp_path / "a.xlsx").exists()
    residents("list", "keepers", "Elders", "--add", "eva@city.example")
    assert residents(
        "list", "export", "Elders", "a.xlsx", "--columns", "name,phone", NOTIFY_AS="eva@city.example"
    ).status == 0  # fmt: skip
    rows = list(load_workbook(tmp_path / "a.xlsx").active.values)
    assert rows[0] == ("name", "phone")
    assert ("Dana Okafor", "'+12065550001") in rows


def test_a_resident_gets_their_own_data_and_is_erased(
    residents: Callable[..., Answer], tmp_path: Path
) -> None:
    marisol = called(residents, "Marisol")
    tree = residents("contacts", "export", marisol).out
    assert json.loads(tree)["consent"][0]["wording"] == "Sí."
    assert residents("contacts", "export", marisol, "--file", "own.pdf").status == 0
    assert (tmp_path / "own.pdf").read_bytes().startswith(b"%PDF")
    assert (tmp_path / "own.pdf").stat().st_mode & 0o777 == 0o600
    plan = residents("contacts", "erase", marisol, "--dry-run").out
    assert "a keyed hash of each address" in plan
    assert "Marisol" in residents("contacts", "list", "--search", "marisol").out
    assert residents("contacts", "erase", marisol, "--yes").status == 0
    assert residents("contacts", "list", "--search", "marisol", "--json").json == []
    shown = residents("contacts", "show", marisol, "--json").json
    assert (shown["name"], shown["addresses"], shown["lists"]) == ("", [], [])


def test_members_are_put_on_and_taken_off(residents: Callable[..., Answer]) -> None:
    residents("list", "add", "Press", "--exclusion")
    dana = called(residents, "Dana Okafor")
    assert residents("list", "add-member", "Press", dana).status == 0
    assert [each["contact"] for each in residents("list", "members", "Press", "--json").json] == [int(dana)]
    told = residents("list", "remove", "Press")
    assert (told.status, "1 contacts are on the list" in told.err) == (1, True)
    assert residents("list", "remove-member", "Press", dana).status == 0
    assert residents("list", "members", "Press", "--json").json == []


def test_retention_shows_what_would_go(residents: Callable[..., Answer]) -> None:
    found = residents("contacts", "retention", "--dry-run", "--json").json
    assert {each["rule"] for each in found} >= {"inbound_days", "print_days", "inactive_years"}
    assert sum(each["count"] for each in found) == 0
    assert residents("contacts", "retention", "--yes").status == 0


def test_where_there_is_nothing_a_line_says_so(notify: Callable[..., Answer]) -> None:
    assert notify("list", "list").out == "Lists: none.\n"
    assert notify("contacts", "list", "--search", "nobody").out == "Contacts: none.\n"
    assert notify("contacts", "duplicates").out == "Contacts who may be one person: none.\n"
    assert notify("contacts", "imports").out == "Imports: none.\n"
