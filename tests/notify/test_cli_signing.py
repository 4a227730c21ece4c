"""Who signs at the terminal may read for as long as they like: nobody waits, and what changed is not signed."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest
from world import ANA, BEN, ENGLISH, SPANISH, TARA, hire

from notify import staff, statements
from notify.cli import main, translations, words
from notify.hub import Hub
from notify.statements import State
from notify.translation.desk import editing


@pytest.fixture
def hub(make_hub: Callable[..., Hub], monkeypatch: pytest.MonkeyPatch) -> Hub:
    hub = make_hub()
    with hub.database.session() as session:
        ana, _, _ = hire(session)
        statement = statements.draft(session, statements.parse(ENGLISH), ana)
        statements.submit(session, statement, ANA)
        session.commit()
    monkeypatch.setattr(words, "hub", lambda: hub)
    return hub


def command(monkeypatch: pytest.MonkeyPatch, *typed: str) -> int:
    monkeypatch.setattr(sys, "argv", ["notify", *typed])
    try:
        main()
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def state(hub: Hub) -> str:
    with hub.database.reading() as session:
        return statements.find(session, 1).state


def somebody_adds_to_the_staff(hub: Hub) -> None:
    with hub.database.session() as session:
        staff.add(session, "luz@city.example", {staff.Role.TRANSLATOR})
        session.commit()


def the_author_edits(hub: Hub) -> None:
    with hub.database.session() as session:
        text = statements.parse(ENGLISH.replace("9:00", "10:00")).text
        statements.edit(session, statements.find(session, 1), text, staff.find(session, ANA))
        statements.submit(session, statements.find(session, 1), ANA)
        session.commit()


def test_others_can_work_while_the_approver_reads(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(words, "confirm", lambda *_, **__: somebody_adds_to_the_staff(hub))
    assert command(monkeypatch, "statement", "approve", "1", "--as", BEN) == 0
    assert state(hub) == State.APPROVED


def test_what_changed_while_the_approver_read_is_not_signed(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(words, "confirm", lambda *_, **__: the_author_edits(hub))
    assert command(monkeypatch, "statement", "approve", "1", "--as", BEN) == 1
    assert "has changed meanwhile" in capsys.readouterr().err
    assert state(hub) == State.REVIEW


def test_others_can_work_while_somebody_thinks_about_a_withdrawal(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(words, "confirm", lambda *_, **__: somebody_adds_to_the_staff(hub))
    assert command(monkeypatch, "statement", "withdraw", "1", "--as", BEN) == 0
    assert state(hub) == State.WITHDRAWN


def test_who_approves_a_translation_is_told_which_warnings_stand(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with hub.database.session() as session:
        text = statements.parse(SPANISH.replace("a las 9:00.", "temprano.")).text
        tara = staff.find(session, TARA)
        editing.set_by_hand(session, statements.find(session, 1), "es", text, tara)
        session.commit()
    monkeypatch.setattr(translations, "hub", lambda: hub)
    assert command(monkeypatch, "translation", "list", "1") == 0
    assert "es, sentence 2: The translation lacks the number 9:00." in capsys.readouterr().out
    assert command(monkeypatch, "translation", "approve", "1", "es", "--as", TARA) == 0
    assert "Sentence 2, approved as it is: The translation lacks the number 9:00." in capsys.readouterr().out
