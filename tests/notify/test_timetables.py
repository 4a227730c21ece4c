"""Timetables over the database: a slot is taken once, missed ones ask a person, a series takes turns."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlmodel import SQLModel, select
from world import ANA, ENGLISH, approved, readers, residents

from channels.sandbox import Sandbox
from notify import statements, timetables
from notify.dispatch.models import Dispatch, DispatchState
from notify.hub import Hub
from notify.slots import TimetableError
from notify.timetables import Occurrence, OccurrenceState, Timetable

TUESDAY = datetime(2026, 12, 1, 17, 0, tzinfo=UTC)  # nine in the morning in Los Angeles
ZONE = "America/Los_Angeles"


def weekly(hub: Hub, **given: object) -> Timetable:
    asked: dict[str, object] = {
        "name": "weekly", "rule": "every tuesday at 09:00", "zone": ZONE, "anchor": TUESDAY - timedelta(days=2),
        "channels": "sms", "actor": ANA,
    } | given  # fmt: skip
    with hub.database.session() as session:
        kept = timetables.add(session, Timetable(**asked), set(hub.channels))
        session.commit()
        return kept


def statement(hub: Hub, source: str = ENGLISH) -> int:
    with hub.database.session() as session:
        found = approved(session, source)
        session.commit()
        return found.id or 0


def tick(hub: Hub, at: datetime) -> list[Occurrence]:
    return timetables.tick(hub.database, hub.settings, hub.channels, hub.renderer, at)


def dispatches(hub: Hub) -> list[Dispatch]:
    with hub.database.reading() as session:
        return list(session.exec(select(Dispatch)))


async def test_a_due_slot_starts_its_dispatch_and_the_next_is_known(hub: Hub, tmp_path: Path) -> None:
    residents(hub, tmp_path, readers(2))
    found = weekly(hub, statement_id=statement(hub))
    assert found.next_at == TUESDAY
    assert tick(hub, TUESDAY - timedelta(seconds=1)) == []
    assert [each.state for each in tick(hub, TUESDAY + timedelta(seconds=1))] == [OccurrenceState.SENT]
    assert tick(hub, TUESDAY + timedelta(seconds=2)) == []
    assert [each.state for each in dispatches(hub)] == [DispatchState.SENDING]
    assert tick(hub, TUESDAY + timedelta(days=7)) != []
    assert len(dispatches(hub)) == 2  # the same statement again: that is what this timetable says


async def test_r36_schedulers_that_wake_together_send_once(hub: Hub, tmp_path: Path) -> None:
    residents(hub, tmp_path, readers(2))
    weekly(hub, statement_id=statement(hub))
    barrier = threading.Barrier(4)
    taken: list[Occurrence] = []

    def wake() -> None:
        barrier.wait()
        taken.extend(tick(hub, TUESDAY))

    threads = [threading.Thread(target=wake) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == 1
    assert len(dispatches(hub)) == 1


async def test_r36_a_slot_missed_by_more_than_its_grace_asks_a_person(hub: Hub, tmp_path: Path) -> None:
    residents(hub, tmp_path, readers(2))
    weekly(hub, statement_id=statement(hub))
    late = tick(hub, TUESDAY + timedelta(hours=2))
    assert [each.state for each in late] == [OccurrenceState.MISSED]
    assert dispatches(hub) == []


async def test_of_slots_slept_through_only_the_last_is_sent(hub: Hub, tmp_path: Path) -> None:
    residents(hub, tmp_path, readers(2))
    weekly(hub, statement_id=statement(hub))
    found = tick(hub, TUESDAY + timedelta(days=14, minutes=5))
    assert [each.state for each in found] == ["missed", "missed", "sent"]


async def test_a_series_sends_each_statement_once_and_waits_when_there_is_none(
    hub: Hub, sandbox: Sandbox, tmp_path: Path
) -> None:
    residents(hub, tmp_path, readers(2))
    weekly(hub, series="news")
    assert [each.state for each in tick(hub, TUESDAY)] == [OccurrenceState.WAITING]
    statement(hub, ENGLISH.replace("kind: update", "kind: update\nseries: news"))
    assert [each.state for each in tick(hub, TUESDAY + timedelta(days=7))] == [OccurrenceState.SENT]
    assert [each.state for each in tick(hub, TUESDAY + timedelta(days=14))] == [OccurrenceState.WAITING]


async def test_a_statement_that_is_not_approved_any_more_waits_for_a_person(hub: Hub, tmp_path: Path) -> None:
    residents(hub, tmp_path, readers(2))
    number = statement(hub)
    weekly(hub, statement_id=number)
    with hub.database.session() as session:
        statements.withdraw(session, statements.find(session, number), ANA)
        session.commit()
    (found,) = tick(hub, TUESDAY)
    assert found.state == OccurrenceState.WAITING
    assert "withdrawn" in found.reason


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"rule": "whenever", "series": "news"}, "not understood"),
        ({"rule": "at 2020-01-01T09:00", "series": "news"}, "no time ahead"),
        ({}, "--statement ID or --series"),
        ({"series": "news", "channels": "pigeon"}, "off or unknown"),
        ({"series": "news", "channels": ""}, "off or unknown"),
    ],
)
def test_a_timetable_that_makes_no_sense_is_refused(hub: Hub, given: dict[str, object], told: str) -> None:
    with pytest.raises(TimetableError, match=told):
        weekly(hub, **given)


def test_two_timetables_cannot_share_a_name(hub: Hub) -> None:
    weekly(hub, series="news")
    with pytest.raises(TimetableError, match="already"):
        weekly(hub, series="news")


def test_the_tables_are_what_the_migrations_make(make_hub: Callable[..., Hub]) -> None:
    hub = make_hub()
    with hub.database.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), SQLModel.metadata) == []
