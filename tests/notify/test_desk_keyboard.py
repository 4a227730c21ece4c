"""The desk in a terminal: what is undone, what is approved at once, and what a change leaves behind."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest
from world import TARA, hire

from notify import staff, statements
from notify.cli.desk import Desk
from notify.hub import Hub
from notify.staff import Role
from notify.statements import Origin
from notify.translation.desk import editing, preparing, reading
from notify.translation.models import TranslatedSentence

SOURCE = """---
title: Open again
short: The library is open. Come in.
kind: update
---
The library is open. Come in.
"""
SPANISH = [
    "Abierta de nuevo",
    "La biblioteca está abierta.",
    "Entren.",
    "La biblioteca está abierta.",
    "Entren.",
]
LUZ = "luz@city.example"


@pytest.fixture
def hub(make_hub: Callable[..., Hub]) -> Hub:
    """A statement whose Spanish draft came from elsewhere and waits for approval."""
    hub = make_hub()
    with hub.database.session() as session:
        ana, _, tara = hire(session)
        staff.add(session, LUZ, {Role.TRANSLATOR})
        statement = statements.draft(session, statements.parse(SOURCE), ana)
        preparing.prepare(session, statement, "es", None, tara)
        (translation,) = statements.translations(session, statement)
        for row, text in zip(reading.rows(session, statement, translation), SPANISH, strict=True):
            row.text, row.origin, row.engine, row.score = text, Origin.MACHINE, "argos 1", 0.5
            session.add(row)
        translation.origin, translation.engine = Origin.MACHINE, "argos 1"
        session.commit()
    return hub


@pytest.fixture
def work(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Desk]:
    def working(*lines: str) -> Desk:
        monkeypatch.setattr("sys.stdin", io.StringIO("".join(f"{line}\n" for line in lines)))
        desk = Desk(hub, 1, "es", TARA)
        desk.work()
        return desk

    return working


def rows(hub: Hub) -> list[TranslatedSentence]:
    with hub.database.reading() as session:
        statement = statements.find(session, 1)
        (translation,) = statements.translations(session, statement)
        return reading.shown(session, statement, translation)


def somebody_else_writes(hub: Hub, number: int, text: str) -> None:
    with hub.database.session() as session:
        editing.edit(session, statements.find(session, 1), "es", number, text, staff.find(session, LUZ))
        session.commit()


def test_undo_makes_the_words_the_machines_again_and_nobodys_edit(
    hub: Hub, work: Callable[..., Desk]
) -> None:
    work("e Otra cosa", "u")
    row = rows(hub)[0]
    assert (row.text, row.origin, row.engine, row.score) == (SPANISH[0], Origin.MACHINE, "argos 1", 0.5)
    assert (row.editor_id, row.approved_at) == (None, None)


def test_undo_goes_back_to_the_sentence_and_only_once(
    hub: Hub, work: Callable[..., Desk], capsys: pytest.CaptureFixture[str]
) -> None:
    work("e Otra cosa", "n", "u", "u")
    assert [row.text for row in rows(hub)] == SPANISH
    assert "no change to take back" in capsys.readouterr().err


def test_undo_overwrites_nobody_elses_words(
    hub: Hub, work: Callable[..., Desk], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = work("e Otra cosa")
    somebody_else_writes(hub, 1, "Abierta otra vez")
    desk._do("u", "")
    assert rows(hub)[0].text == "Abierta otra vez"
    assert "Somebody else has changed sentence 1" in " ".join(capsys.readouterr().err.split())


def test_approving_all_first_shows_what_was_not_read(
    hub: Hub, work: Callable[..., Desk], capsys: pytest.CaptureFixture[str]
) -> None:
    work("A")
    assert not any(row.approved_at for row in rows(hub))
    shown = capsys.readouterr().out
    assert all(text in shown for text in SPANISH)
    work("A", "A")
    assert all(row.approved_at for row in rows(hub))


def test_approving_all_takes_nothing_that_changed_after_it_was_shown(
    hub: Hub, work: Callable[..., Desk]
) -> None:
    desk = work("A")
    somebody_else_writes(hub, 3, "Pasen.")
    desk._do("A", "")
    assert not any(row.approved_at for row in rows(hub))
    desk._do("A", "")
    assert all(row.approved_at for row in rows(hub))


def test_after_a_person_wrote_a_sentence_the_whole_is_not_the_machines(
    hub: Hub, work: Callable[..., Desk]
) -> None:
    work("e Otra cosa")
    with hub.database.reading() as session:
        (each,) = reading.list_all(session, statements.find(session, 1))
    assert (each["origin"], each["engine"]) == (Origin.HUMAN, "")
