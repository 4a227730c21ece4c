"""The main job over real sockets: planned, sent, receipted, paused, stopped, reported to the unit."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlmodel import Session, select
from world import ANA, ENGLISH, SPANISH, approved, crisis, phone, readers, residents

from channels.contract import Event, EventKind, Outcome, Verdict
from channels.sandbox import Sandbox
from contacts import consent
from contacts.columns import now
from contacts.models import Contact, Endpoint
from notify import audit, statements
from notify.dispatch import control, plan, receipts
from notify.dispatch import report as reports
from notify.dispatch.deliver import Delivery as Delivery_
from notify.dispatch.engine import is_quiet
from notify.dispatch.guard import EngineBusy, EngineLock, begin_generation
from notify.dispatch.models import Batch, Delivery, DeliveryState, Dispatch, DispatchState
from notify.dispatch.plan import DispatchError, Order
from notify.dispatch.report import Report
from notify.hub import Hub
from notify.settings import CitySettings
from notify.statements import NotApproved, Statement

ALL = ("sms", "email", "telegram", "letter")


def prepare(hub: Hub, source: str = "", **translations: str) -> int:
    with hub.database.session() as session:
        statement = approved(session, source or crisis(), **translations)
        session.commit()
        return statement.id or 0


def begin(hub: Hub, statement_id: int, *channels: str, list_name: str | None = None, **order: object) -> int:
    with hub.database.session() as session:
        asked = Order(statement_id, list_name, channels or ("sms",), ANA, **order)  # type: ignore[arg-type]
        dispatch = plan.plan(session, asked, hub.channels, hub.renderer)
        if dispatch.state == DispatchState.PLANNED:
            control.start(session, dispatch, ANA)
        session.commit()
        return dispatch.id or 0


def look(hub: Hub, dispatch_id: int) -> Report:
    with hub.database.reading() as session:
        return reports.report(session, control.find(session, dispatch_id))


async def send(hub: Hub, dispatch_id: int, until: Callable[[Report], bool] | None = None) -> Report:
    """Be the engine until the dispatch is over, or something is true of it."""
    over = until or (lambda found: found.state not in {DispatchState.SENDING, DispatchState.SCHEDULED})
    async with hub.engine().running(), asyncio.timeout(60):
        while not over(found := await asyncio.to_thread(look, hub, dispatch_id)):
            await asyncio.sleep(0.05)
    return found


def change(hub: Hub, dispatch_id: int, work: Callable[[Session, Dispatch, str], object]) -> None:
    with hub.database.session() as session:
        work(session, control.find(session, dispatch_id), ANA)
        session.commit()


def shared(hub: Hub, number: str) -> None:
    """Somebody else has the same phone, and agreed as well."""
    with hub.database.session() as session:
        twin = Contact(name="Twin", language="en")
        session.add(twin)
        session.flush()
        endpoint = Endpoint(contact_id=twin.id, channel="sms", address=number, address_key=number)
        session.add(endpoint)
        session.flush()
        consent.record(
            session, contact_id=twin.id, endpoint_id=endpoint.id, list_id=1, decision=True, method="import"
        )
        session.commit()


async def test_each_resident_gets_it_once_in_their_language_on_each_channel_they_chose(
    hub: Hub, sandbox: Sandbox, tmp_path: Path
) -> None:
    home = {"address1": "12 Alder St", "city": "Rivermouth", "state": "WA", "postcode": "98599"}
    residents(
        hub,
        tmp_path,
        [
            {"name": "Ann", "phone": phone(1), "language": "en", "consent": "all", **home},
            {"name": "Bea", "email": "bea@example.org", "language": "es-MX", "consent": "all"},
            {"name": "Cem", "telegram": "71", "language": "es", "consent": "all"},
            {"name": "Dee", "language": "es", "consent": "all", **home},
            {"name": "Eve", "phone": phone(2), "language": "en", "consent": "no"},
            {"name": "Fay", "phone": phone(3), "language": "sw", "consent": "all"},
        ],
    )
    found = await send(hub, begin(hub, prepare(hub, es=SPANISH), *ALL))
    assert found.balanced
    assert [(each.address, "biblioteca" in each.text) for each in sandbox.sms] == [(phone(1), False)]
    assert [each.address for each in sandbox.mail] == ["bea@example.org"]
    assert "biblioteca" in next(iter(sandbox.mail)).raw.decode("utf-8", "replace").replace("=\r\n", "")
    assert "biblioteca" in next(iter(sandbox.chats)).text
    assert found.by_reason("skipped") == {"language_not_ready": 1, "no_consent": 1, "same_household": 1}
    assert found.accepted == 4
    letters = [each for each in found.counts if each.channel == "letter" and each.state == "accepted"]
    assert [each.language for each in letters] in (["en,es"], ["es,en"])
    assert list((tmp_path / "letters").rglob("*.pdf"))


async def test_an_address_on_two_contacts_is_written_to_once(
    hub: Hub, sandbox: Sandbox, tmp_path: Path
) -> None:
    residents(hub, tmp_path, readers(2))
    shared(hub, phone(0))
    found = await send(hub, begin(hub, prepare(hub)))
    assert sandbox.sms.total == 2
    assert found.by_reason("skipped").get("duplicate") == 1
    assert found.balanced


async def test_what_has_been_sent_is_not_sent_again_by_another_dispatch(
    hub: Hub, sandbox: Sandbox, tmp_path: Path
) -> None:
    residents(hub, tmp_path, readers(3))
    statement = prepare(hub)
    await send(hub, begin(hub, statement))
    residents(hub, tmp_path, readers(5))
    found = await send(hub, begin(hub, statement))
    assert found.by_reason("skipped") == {"already_sent": 3}
    assert sandbox.sms.total == 5
    again = await send(hub, begin(hub, statement, again=True))
    assert again.accepted == 5


async def test_only_the_list_that_was_named_is_written_to(hub: Hub, sandbox: Sandbox, tmp_path: Path) -> None:
    residents(hub, tmp_path, readers(3), "north")
    residents(hub, tmp_path, readers(4, start=10), "south")
    found = await send(hub, begin(hub, prepare(hub), list_name="south"))
    assert found.audience == 4
    assert {each.address for each in sandbox.sms} == {phone(index) for index in range(10, 14)}


async def test_who_says_no_between_plan_and_sending_is_skipped(
    hub: Hub, sandbox: Sandbox, tmp_path: Path
) -> None:
    residents(hub, tmp_path, readers(3))
    dispatch = begin(hub, prepare(hub))
    with hub.database.session() as session:
        consent.opt_out(session, "sms", phone(1), method="sms keyword", wording="STOP", actor="resident")
        session.commit()
    found = await send(hub, dispatch)
    assert found.by_reason("skipped") == {"opted_out": 1}
    assert phone(1) not in {each.address for each in sandbox.sms}


@pytest.mark.parametrize("step", ["draft", "edited", "withdrawn"])
def test_what_is_not_approved_cannot_be_planned(hub: Hub, tmp_path: Path, step: str) -> None:
    residents(hub, tmp_path, readers(1))
    statement_id = prepare(hub)
    with hub.database.session() as session:
        statement = statements.find(session, statement_id)
        if step == "draft":
            statement.state = "draft"
            session.add(statement)
        elif step == "withdrawn":
            statements.withdraw(session, statement, ANA)
        else:
            row = statements.source(session, statement)
            row.short += "!"
            session.add(row)
        session.flush()
        with pytest.raises(NotApproved):
            plan.plan(session, Order(statement_id, None, ("sms",), ANA), hub.channels, hub.renderer)


async def test_words_changed_under_a_running_dispatch_stop_it(
    hub: Hub, sandbox: Sandbox, tmp_path: Path
) -> None:
    residents(hub, tmp_path, readers(3))
    statement_id = prepare(hub)
    dispatch = begin(hub, statement_id)
    with hub.database.session() as session:
        row = statements.source(session, session.get_one(Statement, statement_id))
        row.short = "Something else entirely."
        session.add(row)
        session.commit()
    found = await send(hub, dispatch)
    assert found.state == DispatchState.PAUSED
    assert sandbox.sms.total == 0
    assert found.to_go == 3


async def test_withdrawing_stops_what_is_not_sent(hub: Hub, sandbox: Sandbox, tmp_path: Path) -> None:
    residents(hub, tmp_path, readers(40))
    hub.channels["sms"].rate = 20
    statement_id = prepare(hub)
    dispatch = begin(hub, statement_id)
    async with hub.engine().running(), asyncio.timeout(30):
        while sandbox.sms.total < 5:
            await asyncio.sleep(0.02)

        def withdraw() -> None:
            with hub.database.session() as session:
                statements.withdraw(session, session.get_one(Statement, statement_id), ANA)
                control.stop_all_of(session, statement_id, ANA)
                session.commit()

        await asyncio.to_thread(withdraw)
        await asyncio.sleep(1)
    found = look(hub, dispatch)
    assert found.state == DispatchState.STOPPED
    assert found.balanced
    assert found.to_go == 0
    assert found.accepted == sandbox.sms.total < 40
    assert found.by_reason("skipped")["stopped"] == 40 - sandbox.sms.total


async def test_pause_keeps_the_rest_and_resume_sends_it(hub: Hub, sandbox: Sandbox, tmp_path: Path) -> None:
    residents(hub, tmp_path, readers(30))
    hub.channels["sms"].rate = 20
    dispatch = begin(hub, prepare(hub))
    async with hub.engine().running(), asyncio.timeout(30):
        while sandbox.sms.total < 5:
            await asyncio.sleep(0.02)
        await asyncio.to_thread(change, hub, dispatch, control.pause)
        await asyncio.sleep(1)
        sent = sandbox.sms.total
        await asyncio.sleep(1)
        assert sandbox.sms.total == sent < 30
    hub.channels["sms"].rate = 0
    change(hub, dispatch, control.resume)
    found = await send(hub, dispatch)
    assert sandbox.sms.total == 30
    assert found.accepted == 30


async def test_a_slow_down_is_obeyed_and_costs_no_attempt(hub: Hub, sandbox: Sandbox, tmp_path: Path) -> None:
    residents(hub, tmp_path, readers(5))
    sandbox.fault("sms", kind="throttled", seconds=1, times=1)
    dispatch = begin(hub, prepare(hub))
    found = await send(hub, dispatch)
    assert found.accepted == 5
    assert sandbox.sms.total == 5
    with hub.database.reading() as session:
        assert set(session.exec(select(Delivery.attempts).where(Delivery.dispatch_id == dispatch))) == {1}


async def test_a_provider_that_is_down_is_tried_again(hub: Hub, sandbox: Sandbox, tmp_path: Path) -> None:
    residents(hub, tmp_path, readers(5))
    sandbox.fault("sms", kind="down", times=4)
    found = await send(hub, begin(hub, prepare(hub)))
    assert found.accepted == 5


async def test_bad_addresses_are_marked_and_not_used_again(
    hub: Hub, sandbox: Sandbox, tmp_path: Path
) -> None:
    residents(hub, tmp_path, readers(3))
    sandbox.fault("sms", kind="refused", address=phone(1), code=21211)
    statement = prepare(hub)
    found = await send(hub, begin(hub, statement))
    assert found.by_reason("failed") == {"bad_address": 1}
    again = await send(hub, begin(hub, statement, again=True))
    assert again.by_reason("skipped") == {"bad_address": 1}


async def test_r16_a_bad_address_is_marked_for_all_who_share_it_with_what_the_provider_said(
    hub: Hub, sandbox: Sandbox, tmp_path: Path
) -> None:
    residents(hub, tmp_path, readers(3))
    shared(hub, phone(1))
    sandbox.fault("sms", kind="refused", address=phone(1), code=21211)
    await send(hub, begin(hub, prepare(hub)))
    with hub.database.reading() as session:
        both = session.exec(select(Endpoint).where(Endpoint.address == phone(1))).all()
        others = session.exec(select(Endpoint).where(Endpoint.address != phone(1))).all()
        assert [(each.state, each.state_reason) for each in both] == [("bad", "provider 21211")] * 2
        assert {each.state for each in others} == {"usable"}


async def test_r5_an_opt_out_the_provider_knows_is_entered_and_never_retried(
    hub: Hub, sandbox: Sandbox, tmp_path: Path
) -> None:
    residents(hub, tmp_path, readers(2))
    sandbox.fault("sms", kind="refused", address=phone(1), code=21610)
    found = await send(hub, begin(hub, prepare(hub)))
    assert found.by_reason("skipped") == {"opted_out": 1}
    with hub.database.reading() as session:
        endpoint = session.exec(select(Endpoint).where(Endpoint.address == phone(1))).one()
        assert endpoint.opted_out


async def test_our_own_mistake_stops_the_channel_and_blames_nobody(
    hub: Hub, sandbox: Sandbox, tmp_path: Path
) -> None:
    residents(hub, tmp_path, readers(4))
    sandbox.fault("sms", kind="refused", code=21606, times=50)
    dispatch = begin(hub, prepare(hub), "sms", "email")
    found = await send(hub, dispatch, lambda seen: bool(seen.holds) and seen.accepted == 4)
    assert list(found.holds) == ["sms"]
    assert found.to_go == 4
    assert sandbox.mail.total == 4
    with hub.database.reading() as session:
        assert {each.state for each in session.exec(select(Endpoint))} == {"usable"}


async def test_many_refusals_stop_the_channel(hub: Hub, sandbox: Sandbox, tmp_path: Path) -> None:
    residents(hub, tmp_path, readers(400))
    sandbox.fault("sms", kind="refused", code=30007, every=2)
    dispatch = begin(hub, prepare(hub))
    found = await send(hub, dispatch, lambda seen: bool(seen.holds))
    assert "refused" in found.holds["sms"]
    assert found.to_go > 100
    assert found.balanced


async def test_an_answer_that_never_came_is_unknown_until_the_provider_proves_it(
    hub: Hub, sandbox: Sandbox, tmp_path: Path
) -> None:
    residents(hub, tmp_path, readers(4))
    sandbox.fault("sms", kind="drop_after", times=2)
    dispatch = begin(hub, prepare(hub))
    found = await send(hub, dispatch, lambda seen: seen.to_go == 0 and seen.accepted == 4)
    assert found.accepted == 4
    assert sandbox.sms.total == 4


async def test_a_mail_whose_answer_never_came_is_sent_again_with_the_same_message_id(
    hub: Hub, sandbox: Sandbox, tmp_path: Path
) -> None:
    residents(hub, tmp_path, readers(2))
    sandbox.fault("email", kind="drop_after", times=1)
    found = await send(hub, begin(hub, prepare(hub), "email"))
    assert found.accepted == 2
    ids = [
        line
        for each in sandbox.mail
        for line in each.raw.splitlines()
        if line.lower().startswith(b"message-id")
    ]
    assert len(ids) == 3
    assert len(set(ids)) == 2


async def test_a_slow_write_at_the_end_of_a_batch_is_waited_for(
    hub: Hub, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the batch is given back while a result is on its way to the ledger, and goes out twice."""
    write = Delivery_._write_all

    def slowly(self: Delivery_, outcomes: list[Outcome]) -> None:
        time.sleep(0.6)
        write(self, outcomes)

    monkeypatch.setattr(Delivery_, "_write_all", slowly)
    residents(hub, tmp_path, readers(2))
    sandbox.fault("sms", kind="slow", address=phone(1), seconds=0.4)
    found = await send(hub, begin(hub, prepare(hub)))
    assert found.accepted == 2
    assert sandbox.sms.total == 2


async def test_receipts_move_forward_only(hub: Hub, tmp_path: Path) -> None:
    residents(hub, tmp_path, readers(1))
    dispatch = begin(hub, prepare(hub))
    await send(hub, dispatch, lambda seen: seen.accepted == 1)
    with hub.database.session() as session:
        row = session.exec(select(Delivery).where(Delivery.dispatch_id == dispatch)).one()
        told = [
            EventKind.SENT,
            EventKind.DELIVERED,
            EventKind.SENT,
            EventKind.UNDELIVERED,
            EventKind.DELIVERED,
        ]
        moved = [
            receipts.record(session, Event(kind, key=row.id, provider_id=row.provider_id)) for kind in told
        ]
        session.refresh(row)
        assert moved == [False, True, False, False, False]
        assert row.state == DeliveryState.DELIVERED


async def test_a_handset_that_was_off_is_tried_again_three_times_at_most(hub: Hub, tmp_path: Path) -> None:
    residents(hub, tmp_path, readers(1))
    dispatch = begin(hub, prepare(hub))
    await send(hub, dispatch, lambda seen: seen.accepted == 1)
    for attempt in (1, 2, 3):
        with hub.database.session() as session:
            row = session.exec(select(Delivery).where(Delivery.dispatch_id == dispatch)).one()
            assert row.attempts == attempt
            receipts.record(
                session,
                Event(
                    EventKind.UNDELIVERED, key=row.id, provider_id=row.provider_id, code="30003",
                    verdict=Verdict.UNREACHABLE,
                ),
            )  # fmt: skip
            session.commit()
            batch = session.exec(select(Batch).where(Batch.dispatch_id == dispatch)).one()
            if attempt < 3:
                assert batch.due_at > now()
                batch.due_at = None
                session.add(batch)
                session.commit()
        if attempt < 3:
            await send(hub, dispatch, lambda seen: seen.accepted == 1)
    assert look(hub, dispatch).by_reason("undelivered") == {"unreachable": 1}


async def test_a_dispatch_with_a_time_ahead_starts_by_itself_with_the_audience_of_then(
    hub: Hub, sandbox: Sandbox, tmp_path: Path
) -> None:
    residents(hub, tmp_path, readers(2))
    dispatch = begin(hub, prepare(hub), starts_at=now() + timedelta(seconds=1))
    assert look(hub, dispatch).audience == 0
    residents(hub, tmp_path, readers(3), "late")
    found = await send(hub, dispatch)
    assert found.accepted == 3
    assert sandbox.sms.total == 3


async def test_what_is_too_late_is_failed_not_sent(hub: Hub, sandbox: Sandbox, tmp_path: Path) -> None:
    residents(hub, tmp_path, readers(2))
    dispatch = begin(hub, prepare(hub), window=timedelta(seconds=-1))
    found = await send(hub, dispatch)
    assert found.by_reason("failed") == {"window_over": 2}
    assert sandbox.sms.total == 0


@pytest.mark.parametrize(
    ("hour", "quiet"), [(0, True), (7, True), (8, False), (20, False), (21, True), (23, True)]
)
def test_r10_night_is_from_nine_to_eight_on_the_citys_clock(hour: int, quiet: bool) -> None:
    city = CitySettings(timezone="Asia/Tokyo")
    local = datetime(2026, 6, 1, hour, 30, tzinfo=UTC) - timedelta(hours=9)
    assert is_quiet(city, local) is quiet


async def test_r10_a_routine_text_waits_for_the_morning_and_a_mail_does_not(
    make_hub: Callable[..., Hub], sandbox: Sandbox, tmp_path: Path
) -> None:
    city = {"timezone": "UTC", "quiet_from": "00:00:00", "quiet_until": "23:59:59.999"}
    hub = make_hub(**sandbox.settings(), public_url="http://127.0.0.1:9", city=city)
    residents(hub, tmp_path, readers(2))
    dispatch = begin(hub, prepare(hub, ENGLISH), "sms", "email")
    found = await send(hub, dispatch, lambda seen: seen.accepted == 2)
    assert (sandbox.sms.total, sandbox.mail.total, found.to_go) == (0, 2, 2)
    urgent = begin(hub, prepare(hub, ENGLISH), urgent_reason="The water is unsafe.")
    await send(hub, urgent, lambda seen: seen.accepted == 2)
    assert sandbox.sms.total == 2


async def test_a_crisis_goes_before_what_is_routine(
    make_hub: Callable[..., Hub], sandbox: Sandbox, tmp_path: Path
) -> None:
    hub = make_hub(**sandbox.settings(), public_url="http://127.0.0.1:9", city={"quiet_from": None})
    residents(hub, tmp_path, readers(20))
    routine = begin(hub, prepare(hub, ENGLISH.replace("library", "bakery")), "sms")
    urgent = begin(hub, prepare(hub), "sms")
    hub.channels["sms"].rate = 40
    async with hub.engine().running(), asyncio.timeout(30):
        while sandbox.sms.total < 20:
            await asyncio.sleep(0.02)
        first = [each.text for each in list(sandbox.sms)[:20]]
    assert sum("library" in text for text in first) > 0
    assert look(hub, urgent).accepted >= look(hub, routine).accepted


async def test_only_one_engine_sends_from_a_database(hub: Hub) -> None:
    async with hub.engine().running():
        with pytest.raises(EngineBusy):
            async with hub.engine().running():
                pass
    async with hub.engine().running():
        pass


async def test_a_start_gives_the_server_a_moment_to_see_that_the_last_process_is_gone(
    make_hub: Callable[..., Hub], database_url: str
) -> None:
    hub = make_hub(database_url=database_url)
    if hub.database.is_sqlite:
        pytest.skip("the system lets go of a file at once")
    last = EngineLock(hub.database, hub.settings.state_dir).__enter__()
    threading.Timer(0.5, last.__exit__).start()
    async with hub.engine().running():
        pass


def test_r36_a_restored_backup_starts_paused(hub: Hub, tmp_path: Path) -> None:
    residents(hub, tmp_path, readers(1))
    dispatch = begin(hub, prepare(hub))
    state = hub.settings.state_dir
    for number in range(3):
        with hub.database.session() as session:
            assert begin_generation(session, state) is False, number
            session.commit()
    (state / "generation").write_text("9")  # the file beside it remembers more starts than the database
    with hub.database.session() as session:
        assert begin_generation(session, state) is True
        session.commit()
    assert look(hub, dispatch).state == DispatchState.PAUSED


def test_a_dry_run_counts_and_keeps_nothing(hub: Hub, tmp_path: Path) -> None:
    residents(hub, tmp_path, [*readers(4), *readers(2, "es", start=50)])
    statement = prepare(hub, es=SPANISH)
    with hub.database.session() as session:
        order = Order(statement, None, ("sms", "email"), ANA)
        found = plan.forecast(session, order, hub.channels, hub.renderer)
        session.commit()
    assert {(line.channel, line.language): line.people for line in found.lines} == {
        ("sms", "en"): 4, ("sms", "es"): 2, ("email", "en"): 4, ("email", "es"): 2,
    }  # fmt: skip
    assert all(line.parts >= line.people for line in found.lines)
    assert found.cost > 0
    with hub.database.reading() as session:
        assert session.exec(select(Dispatch)).all() == []
        assert session.exec(select(Delivery)).all() == []


@pytest.mark.parametrize(
    ("order", "told"),
    [
        (Order(1, None, ("pigeon",), ANA), "pigeon is off or unknown"),
        (Order(1, None, (), ANA), "at least one channel"),
        (Order(1, "nobody", ("sms",), ANA), "no list 'nobody'"),
    ],
)
def test_an_order_that_does_not_fit_is_refused_with_its_cure(hub: Hub, order: Order, told: str) -> None:
    prepare(hub)
    with hub.database.session() as session, pytest.raises(DispatchError, match=told):
        plan.plan(session, order, hub.channels, hub.renderer)


async def test_every_step_is_in_an_audit_trail_that_shows_changes(hub: Hub, tmp_path: Path) -> None:
    residents(hub, tmp_path, readers(1))
    await send(hub, begin(hub, prepare(hub)))
    with hub.database.session() as session:
        assert audit.verify(session) is None
        actions = [each.action for each in session.exec(select(audit.AuditEvent))]
        assert {"statement.approve", "dispatch.plan", "dispatch.start"} <= set(actions)
        changed = session.exec(select(audit.AuditEvent)).all()[2]
        changed.detail = "{}" if changed.detail != "{}" else "[]"
        session.add(changed)
        session.flush()
        assert audit.verify(session) == changed.id
