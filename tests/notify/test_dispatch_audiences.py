"""Dispatches to segments, with people left out: planned, asked again when sent, told in plain words."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

import pytest
from sqlmodel import Session, select
from world import ANA, approved, crisis, phone, readers, residents

from channels.sandbox import Sandbox
from contacts import audience, consent, lists, segments
from contacts.audience import Audience
from contacts.columns import now
from contacts.models import Contact, Endpoint, ListKind
from notify import timetables
from notify.cli import progress
from notify.dispatch import control, plan
from notify.dispatch import report as reports
from notify.dispatch.models import Batch, Delivery, Dispatch, DispatchState
from notify.dispatch.plan import DispatchError, Order
from notify.dispatch.report import SAID, Report
from notify.hub import Hub
from notify.slots import TimetableError
from notify.timetables import Timetable

NORTH = "segment:North"


@pytest.fixture
def statement(hub: Hub, tmp_path: Path) -> int:
    """A statement for four in the north and two in the south, and a segment of the north."""
    north, south = readers(4), readers(2, start=10)
    for row in north:
        row["area"] = "North End"
    residents(hub, tmp_path, [*north, *south])
    with hub.database.session() as session:
        found = approved(session, crisis())
        segments.add(session, "North", 'area = "North End" and list = residents', actor=ANA)
        session.commit()
        return found.id or 0


def planned(hub: Hub, statement_id: int, to: str | None, *except_: str) -> int:
    with hub.database.session() as session:
        order = Order(statement_id, to, ("sms",), ANA, excluded=except_)
        dispatch = plan.plan(session, order, hub.channels, hub.renderer)
        control.start(session, dispatch, ANA)
        session.commit()
        return dispatch.id or 0


async def sent(hub: Hub, dispatch_id: int) -> Report:
    def look() -> Report:
        with hub.database.reading() as session:
            return reports.report(session, control.find(session, dispatch_id))

    async with hub.engine().running(), asyncio.timeout(60):
        while (found := await asyncio.to_thread(look)).state == DispatchState.SENDING:
            await asyncio.sleep(0.05)
    return found


def endpoint_of(session: Session, number: int) -> Endpoint:
    return session.exec(select(Endpoint).where(Endpoint.address == phone(number))).one()


def exclude(session: Session, number: int, name: str = "Families") -> None:
    listed = lists.get_or_create(session, name)
    lists.edit(session, listed, kind=ListKind.EXCLUSION)
    lists.add_member(session, listed.id or 0, endpoint_of(session, number).contact_id)


async def test_only_the_segment_is_written_to(hub: Hub, sandbox: Sandbox, statement: int) -> None:
    found = await sent(hub, planned(hub, statement, NORTH))
    assert {each.address for each in sandbox.sms} == {phone(number) for number in range(4)}
    assert (found.audience, found.accepted) == (4, 4)
    assert found.balanced


async def test_a_dispatch_keeps_the_filter_as_it_was_when_it_was_planned(
    hub: Hub, sandbox: Sandbox, statement: int
) -> None:
    dispatch = planned(hub, statement, NORTH)
    with hub.database.session() as session:
        segments.edit(session, segments.find(session, "North"), expression="area = Harbor")
        lists.edit(session, lists.by_name(session, "residents"), name="Residents of the city")
        session.commit()
    found = await sent(hub, dispatch)
    assert found.accepted == 4
    with hub.database.reading() as session:
        kept = session.get_one(Dispatch, dispatch)
        assert (kept.segment, kept.filter) == ("North", 'area = "North End" and list = #1')


async def test_who_is_not_meant_any_more_when_it_is_sent_is_skipped(
    hub: Hub, sandbox: Sandbox, statement: int
) -> None:
    dispatch = planned(hub, statement, NORTH)
    with hub.database.session() as session:
        moved = session.get_one(Contact, endpoint_of(session, 0).contact_id)
        moved.area = "Harbor"
        left = endpoint_of(session, 1)
        consent.record(
            session, contact_id=left.contact_id, endpoint_id=left.id or 0, list_id=1, decision=False,
            method="web form",
        )  # fmt: skip
        endpoint_of(session, 2).held = "refusal"
        exclude(session, 3)
        session.commit()
    found = await sent(hub, dispatch)
    assert found.by_reason("skipped") == {"held": 1, "no_longer_meant": 1, "opted_out": 1}
    assert [each.address for each in sandbox.sms] == [phone(3)]  # this dispatch leaves nobody out


async def test_people_on_an_exclusion_list_are_left_out_also_if_they_are_put_there_after_the_plan(
    hub: Hub, sandbox: Sandbox, statement: int
) -> None:
    with hub.database.session() as session:
        exclude(session, 0)
        session.commit()
    dispatch = planned(hub, statement, "residents", "Families")
    with hub.database.session() as session:
        exclude(session, 1)
        session.commit()
    found = await sent(hub, dispatch)
    assert found.by_reason("skipped") == {"excluded": 2}
    assert found.balanced
    assert phone(0) not in (there := {each.address for each in sandbox.sms})
    assert phone(1) not in there
    assert len(there) == 4


async def test_who_takes_in_an_excluded_address_after_the_plan_is_left_out_too(
    hub: Hub, sandbox: Sandbox, statement: int
) -> None:
    with hub.database.session() as session:
        exclude(session, 0)
        session.commit()
    dispatch = planned(hub, statement, "residents", "Families")
    with hub.database.session() as session:
        shared = session.exec(
            select(Endpoint).where(
                Endpoint.channel == "email", Endpoint.contact_id == endpoint_of(session, 0).contact_id
            )
        ).one()
        session.add(
            Endpoint(
                contact_id=endpoint_of(session, 3).contact_id, channel="email", address=shared.address,
                address_key=shared.address_key,
            )
        )  # fmt: skip
        session.commit()
    found = await sent(hub, dispatch)
    assert found.by_reason("skipped") == {"excluded": 2}
    assert phone(3) not in {each.address for each in sandbox.sms}


async def test_who_is_erased_after_the_plan_gets_nothing(hub: Hub, sandbox: Sandbox, statement: int) -> None:
    dispatch = planned(hub, statement, None)
    with hub.database.session() as session:
        endpoint = endpoint_of(session, 0)
        endpoint.state, endpoint.address, endpoint.address_key = "erased", "", "erased:x"
        session.get_one(Contact, endpoint.contact_id).erased_at = now()
        session.commit()
    found = await sent(hub, dispatch)
    assert found.by_reason("skipped") == {"erased": 1}
    assert sandbox.sms.total == 5


def test_the_forecast_says_who_would_be_left_out_and_why(hub: Hub, statement: int) -> None:
    with hub.database.session() as session:
        exclude(session, 0)
        endpoint_of(session, 1).held = "refusal"
        session.flush()
        order = Order(statement, NORTH, ("sms", "email"), ANA, excluded=("Families",))
        found = plan.forecast(session, order, hub.channels, hub.renderer)
        assert found.skipped == {("sms", "excluded"): 1, ("email", "excluded"): 1, ("sms", "held"): 1}
        assert (found.people, found.audience) == (5, 8)
        assert plan.in_words(session, order) == [
            "For the segment 'North': People who live in North End, and who agreed, with this very address, to "
            '"residents".',
            "Left out: everybody on 'Families', and whoever shares an address with one of them.",
        ]
        assert progress.left_out(found) == [
            "Not written to:",
            "       2  left out, by a list or an address they share (email 1, sms 1)",
            "       1  waits for a person to read what they wrote (sms)",
        ]
    assert {reason for _, reason in found.skipped} <= SAID.keys()


def test_who_matches_and_has_no_such_address_is_counted_as_such(hub: Hub, statement: int) -> None:
    with hub.database.session() as session:
        order = Order(statement, NORTH, ("telegram",), ANA)
        found = plan.forecast(session, order, hub.channels, hub.renderer)
    assert found.skipped == {("", "no_channel"): 4}


@pytest.mark.parametrize(
    ("to", "except_", "told"),
    [
        ("segment:South", (), "no segment called 'South'. The segments: North"),
        ("nobody", (), "no list 'nobody'"),
        ("residents", ("Families",), "no list 'Families'"),
    ],
)
def test_an_audience_that_is_not_there_is_refused_with_its_cure(
    hub: Hub, statement: int, to: str, except_: tuple[str, ...], told: str
) -> None:
    with hub.database.session() as session, pytest.raises(DispatchError, match=told):
        plan.plan(session, Order(statement, to, ("sms",), ANA, excluded=except_), hub.channels, hub.renderer)


def timetable(hub: Hub, to: str, statement_id: int) -> Timetable:
    with hub.database.session() as session:
        asked = Timetable(
            name="daily", rule="every day at 09:00", zone="UTC", anchor=now(), statement_id=statement_id,
            list_name=to, channels="sms", actor=ANA,
        )  # fmt: skip
        kept = timetables.add(session, asked, set(hub.channels))
        session.commit()
        return kept


def test_a_timetable_asks_a_segment_as_it_is_on_the_day(hub: Hub, statement: int) -> None:
    kept = timetable(hub, NORTH, statement)
    with hub.database.session() as session:
        segments.edit(session, segments.find(session, "North"), expression='not area = "North End"')
        session.commit()
    taken = timetables.tick(hub.database, hub.settings, hub.channels, hub.renderer, kept.next_at)
    with hub.database.reading() as session:
        dispatch = session.get_one(Dispatch, taken[0].dispatch_id)
        assert (dispatch.segment, dispatch.filter) == ("North", 'not area = "North End"')
        assert dispatch.audience == 2


def test_a_timetable_for_a_segment_that_is_not_there_is_refused(hub: Hub, statement: int) -> None:
    with pytest.raises((TimetableError, DispatchError), match="no segment called"):
        timetable(hub, "segment:East", statement)


@pytest.mark.parametrize("wide", [True, False])
@pytest.mark.parametrize("left_out", [0, 11])  # the first, the last
def test_a_batch_holds_those_who_are_written_to_and_no_more_than_it_may(
    hub: Hub, statement: int, monkeypatch: pytest.MonkeyPatch, wide: bool, left_out: int
) -> None:
    only_those_who_go_are_counted = hub.database.is_sqlite and not wide
    full_first = left_out == 11 or only_those_who_go_are_counted
    monkeypatch.setattr(type(hub.channels["sms"]), "batch_size", 2)
    monkeypatch.setattr("contacts.audience.is_wide", lambda *_: wide)
    with hub.database.session() as session:
        exclude(session, left_out)
        order = Order(statement, None, ("sms",), ANA, excluded=("Families",), again=True)
        for _ in range(2):  # each plan counts from one
            dispatch = plan.plan(session, order, hub.channels, hub.renderer)
            rows = session.exec(select(Delivery).where(Delivery.dispatch_id == dispatch.id))
            sizes = Counter(row.batch for row in rows)
            batches = session.exec(select(Batch.number).where(Batch.dispatch_id == dispatch.id)).all()
            assert sizes == ({0: 1, 1: 2, 2: 2, 3: 1} if full_first else {0: 1, 1: 1, 2: 2, 3: 2})
            assert sorted(batches) == [1, 2, 3]


@pytest.mark.parametrize("to", [None, "residents", NORTH])
def test_of_several_at_one_address_the_first_who_may_be_written_to_is(
    hub: Hub, statement: int, to: str | None
) -> None:
    with hub.database.session() as session:
        exclude(session, 0)
        for number in (1, 2):  # both have the phone of the fourth now
            endpoint_of(session, number).address_key = phone(3)
        endpoint_of(session, 1).opted_out = True
        session.flush()
        order = Order(statement, to, ("sms",), ANA, excluded=("Families",))
        dispatch = plan.plan(session, order, hub.channels, hub.renderer)
        found = {
            row.endpoint_id: row.reason
            for row in session.exec(select(Delivery).where(Delivery.dispatch_id == dispatch.id))
        }
        reasons = [found[endpoint_of(session, number).id] for number in range(4)]
    assert reasons == ["excluded", "opted_out", "", "duplicate"]


def test_an_audience_is_wide_if_it_has_an_address_for_every_second_contact(hub: Hub, statement: int) -> None:
    to_segment = planned(hub, statement, NORTH)
    with hub.database.session() as session:
        few = lists.get_or_create(session, "Harbor")
        lists.add_member(session, few.id or 0, endpoint_of(session, 1).contact_id)
        everyone = lists.by_name(session, "residents")
        assert audience.is_wide(session, "sms", Audience())
        assert audience.is_wide(session, "sms", Audience(list_id=everyone.id))
        assert not audience.is_wide(session, "sms", Audience(list_id=few.id))
        assert not audience.is_wide(session, "telegram", Audience())
        north = plan.audience_of(session.get_one(Dispatch, to_segment))
        assert not audience.is_wide(session, "sms", north)
