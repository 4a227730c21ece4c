"""`notify segment` and `notify dispatch plan --except`, as a person types them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select
from world import approved, readers, residents

from contacts import lists
from contacts.models import ListKind
from notify import audit, liaisons, staff
from notify.cli import main
from notify.hub import Hub

Notify = Callable[..., Any]


@pytest.fixture
def town(hub: Hub, tmp_path: Path) -> Hub:
    """Four who read English, two of them in the north, and two who read Spanish; one is to be left out."""
    rows = [*readers(4), *readers(2, "es", start=20)]
    for row in rows[:2]:
        row["area"] = "North End"
    residents(hub, tmp_path, rows, "Weekly news")
    with hub.database.session() as session:
        families = lists.get_or_create(session, "Families")
        lists.edit(session, families, kind=ListKind.EXCLUSION)
        lists.add_member(session, families.id or 0, 1)
        approved(session)
        session.commit()
    return hub


@pytest.fixture
def notify(town: Hub, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Notify:
    """Runs a command over the town; what it printed, or the error it told."""
    monkeypatch.setattr("notify.cli.segments.hub", lambda: town)
    monkeypatch.setattr("notify.cli.sending.hub", lambda: town)
    monkeypatch.delenv("NOTIFY_AS", raising=False)

    def run(*words: str) -> Any:
        monkeypatch.setattr("sys.argv", ["notify", *words])
        with pytest.raises(SystemExit) as left:
            main()
        said = capsys.readouterr()
        if left.value.code:
            return said.err
        return json.loads(said.out) if "--json" in words else said.out

    return run


def test_a_segment_is_saved_counted_told_changed_and_removed(town: Hub, notify: Notify) -> None:
    kept = notify("segment", "add", "North", 'area = "North End" and list = "weekly news"', "--json")
    assert kept["filter"] == 'area = "North End" and list = "Weekly news"'
    assert kept["means"].startswith("People who live in North End")
    counted = notify("segment", "count", "north", "--json")
    assert (counted["meant"], counted["reached"]) == (2, 2)
    assert {(row["channel"], row["people"]) for row in counted["rows"]} == {("sms", 2), ("email", 2)}
    assert notify("segment", "count", "language = es", "--json")["reached"] == 2
    assert notify("segment", "show", "North", "--except", "Families", "--json")["reached"] == 1
    notify("segment", "edit", "North", "--name", "The north")
    assert [each["name"] for each in notify("segment", "list", "--json")] == ["The north"]
    notify("segment", "remove", "The north", "--yes")
    assert notify("segment", "list", "--json") == []
    with town.database.reading() as session:
        actions = [each.action for each in session.exec(select(audit.AuditEvent))]
    assert actions[-3:] == ["segment.add", "segment.edit", "segment.remove"]


@pytest.mark.parametrize("command", ["show", "count", "explain"])
def test_no_name_and_no_address_is_shown(notify: Notify, command: str) -> None:
    notify("segment", "add", "English", "language = en")
    said = notify("segment", command, "English")
    assert "Resident" not in said
    assert "+1206" not in said
    assert "@" not in said


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("add", "x", 'list = "Wekly news"'), 'Did you mean "Weekly news"?'),
        (("count", "langauge = es"), "Did you mean language?"),
        (("count", "South"), "There is no segment called 'South'"),
        (("count", "language = es", "--except", "Nobody"), "There is no list called 'Nobody'"),
        (("edit", "x"), "Say what to change"),
        (("add", "x", "channel = pigeon"), "The channels there are: email"),
    ],
)
def test_a_slip_is_told_with_its_cure(notify: Notify, words: tuple[str, ...], told: str) -> None:
    assert told in notify("segment", *words)


def test_help_teaches_the_filter_language(notify: Notify) -> None:
    said = notify("segment", "add", "--help")
    for word in ("language = es", "consent after", "--except"):
        assert word in said


def test_a_dry_run_says_whom_it_is_for_and_who_is_left_out(notify: Notify) -> None:
    notify("segment", "add", "North", 'area = "North End"')
    words = (
        "dispatch",
        "plan",
        "1",
        "--to",
        "segment:North",
        "--except",
        "Families",
        "--channels",
        "sms",
        "--dry-run",
    )
    said = " ".join(notify(*words).split())
    assert "For the segment 'North': People who live in North End." in said
    assert "Left out: everybody on 'Families'" in said
    assert "Not written to: 1 left out, by a list or an address they share (sms)" in said
    tree = notify(*words, "--json")
    assert (tree["messages"], tree["audience"]) == (1, 2)
    assert tree["to"][0].startswith("For the segment 'North'")


def test_a_dry_run_that_reaches_nobody_says_so(notify: Notify) -> None:
    notify("segment", "add", "Nowhere", 'area = "Nort End"')
    said = notify("dispatch", "plan", "1", "--to", "segment:Nowhere", "--channels", "sms", "--dry-run")
    assert "NOBODY would be written to." in said
    assert 'Did you mean "North End"?' in " ".join(said.split())


def test_a_liaison_counts_with_own_lists_only(town: Hub, notify: Notify) -> None:
    with town.database.session() as session:
        lia = staff.add(session, "lia@city.example", [staff.Role.LIAISON])
        staff.add(session, "ana@city.example", [staff.Role.AUTHOR])
        liaisons.give(session, lists.get_or_create(session, "Elders"), lia, by="boss")
        session.commit()
    foreign, own = 'not list = "Weekly news" and language = en', "list = Elders"
    notify("segment", "add", "Foreign", foreign, "--as", "ana@city.example")
    for words in (
        ("count", foreign),
        ("count", "Foreign"),
        ("show", "Foreign"),
        ("count", own, "--except", "Families"),
    ):
        said = notify("segment", *words, "--as", "lia@city.example")
        assert "lia@city.example does not keep the list" in said
        assert "notify list keepers" in said
        assert "contacts are meant" in notify("segment", *words, "--as", "ana@city.example")
    assert "contacts are meant" in notify("segment", "count", own, "--as", "lia@city.example")
    assert "contacts are meant" in notify("segment", "count", "language = en", "--as", "lia@city.example")
