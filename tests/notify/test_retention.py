"""What is thrown away when it is old, and what is not."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from apscheduler.schedulers.background import BackgroundScheduler
from sqlmodel import Session, col, select
from world import approved, phone

from contacts import consent, lists
from contacts.columns import now
from contacts.erasure import said_no_before
from contacts.models import Contact, Endpoint, ListKind, PendingYes
from notify import retention
from notify.audit import AuditEvent
from notify.dispatch.models import Batch, BatchState, Dispatch, DispatchState
from notify.hub import Hub
from notify.inbound import Inbound
from notify.settings import RetentionSettings

LONG_AGO = now() - timedelta(days=365 * 4)
LATELY = now() - timedelta(days=5)


@pytest.fixture
def city(make_hub: Callable[..., Hub], tmp_path: Path) -> Hub:
    return make_hub(letter={"outbox": tmp_path / "letters"})


def counts(found: list[retention.Finding]) -> dict[str, int]:
    return {each.rule: each.count for each in found if each.count}


def person(session: Session, number: int, at: object = LONG_AGO) -> Endpoint:
    contact = Contact(name=f"R{number}", created_at=at, updated_at=at)
    session.add(contact)
    session.flush()
    address = phone(number)
    endpoint = Endpoint(contact_id=contact.id or 0, channel="sms", address=address, address_key=address)
    session.add(endpoint)
    session.flush()
    return endpoint


def say(session: Session, endpoint: Endpoint, decision: bool, at: object, list_id: int | None = None) -> None:
    event = consent.record(
        session, contact_id=endpoint.contact_id, endpoint_id=endpoint.id or 0, list_id=list_id,
        decision=decision, method="paper", at=at,
    )  # type: ignore[arg-type]  # fmt: skip
    event.recorded_at = at  # type: ignore[assignment]
    session.add(event)
    session.flush()


def test_old_texts_and_forms_go_and_young_ones_stay(city: Hub) -> None:
    with city.database.session() as session:
        for at in (LONG_AGO, LATELY):
            session.add(Inbound(channel="sms", kind="reply", text="Thank you", at=at))
            session.add(
                PendingYes(
                    digest=str(at), channel="sms", address=phone(1), address_key=phone(1), language="en",
                    wording="Yes.", asked_at=at, expires_at=at + timedelta(days=2),
                )
            )  # fmt: skip
        session.commit()
        before = counts(retention.look(session, city.settings))
    assert before == {"inbound_days": 1, "unconfirmed_days": 1}
    assert counts(retention.run(city.database, city.settings)) == before
    with city.database.reading() as session:
        assert sorted(session.exec(select(Inbound.text))) == ["", "Thank you"]
        assert [each.asked_at for each in session.exec(select(PendingYes))] == [LATELY]
        assert counts(retention.look(session, city.settings)) == {}


def test_a_form_whose_link_still_works_stays(make_hub: Callable[..., Hub]) -> None:
    hub = make_hub(retention={"unconfirmed_days": 1})
    with hub.database.session() as session:
        session.add(
            PendingYes(
                digest="d", channel="sms", address=phone(1), address_key=phone(1), language="en", wording="Yes.",
                asked_at=LATELY, expires_at=now() + timedelta(days=1),
            )
        )  # fmt: skip
        session.commit()
        assert counts(retention.look(session, hub.settings)) == {}


def test_who_has_had_no_subscription_for_years_is_erased_and_their_no_is_remembered(
    city: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "STEP", 2)
    with city.database.session() as session:
        listed = lists.get_or_create(session, "News").id or 0
        press = lists.get_or_create(session, "Press")
        lists.edit(session, press, kind=ListKind.EXCLUSION)
        gone = [person(session, number) for number in range(3)]
        for endpoint in gone:
            say(session, endpoint, False, LONG_AGO)
        subscribed, left_lately, wrote, excluded, new = (person(session, number) for number in range(3, 8))
        say(session, subscribed, True, LONG_AGO, listed)
        say(session, left_lately, False, LATELY)
        session.add(Inbound(channel="sms", kind="reply", endpoint_id=wrote.id, text="Hello", at=LATELY))
        lists.add_member(session, press.id or 0, excluded.contact_id)
        session.get_one(Contact, new.contact_id).updated_at = LATELY
        session.commit()
        numbers = {each.contact_id for each in gone}
        assert counts(retention.look(session, city.settings)) == {"inactive_years": 3}
    assert counts(retention.run(city.database, city.settings)) == {"inactive_years": 3}
    with city.database.reading() as session:
        erased = session.exec(select(Contact.id).where(col(Contact.erased_at).is_not(None)))
        assert set(erased) == numbers
        assert said_no_before(session, city.settings.key(), "sms", phone(0))
        assert not said_no_before(session, city.settings.key(), "sms", phone(3))


def _old_file(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("Dana, 12 Main Street")
    os.utime(path, (LONG_AGO.timestamp(), LONG_AGO.timestamp()))
    return path


@pytest.mark.parametrize(
    ("state", "created", "goes"),
    [
        (DispatchState.DONE, LONG_AGO, True),
        (DispatchState.STOPPED, LONG_AGO, True),
        (DispatchState.SENDING, LONG_AGO, False),
        (DispatchState.PAUSED, LONG_AGO, False),
        (DispatchState.DONE, LATELY, False),
    ],
)
def test_print_files_go_when_their_dispatch_is_long_over(
    city: Hub, tmp_path: Path, state: str, created: object, goes: bool
) -> None:
    with city.database.session() as session:
        statement = approved(session)
        dispatch = Dispatch(
            statement_id=statement.id or 0, revision=1, channels="letter", actor="ben", state=state,
            created_at=created,
        )  # type: ignore[arg-type]  # fmt: skip
        session.add(dispatch)
        session.commit()
        folder = tmp_path / "letters" / dispatch.reference
    old, young = _old_file(folder / "a.pdf"), folder / "b.csv"
    young.write_text("Bo")
    strangers = _old_file(tmp_path / "letters" / "mail house" / "notes.txt")
    assert counts(retention.run(city.database, city.settings)) == ({"print_days": 1} if goes else {})
    assert (old.exists(), young.exists(), strangers.exists()) == (not goes, True, True)


def test_a_journal_in_a_workers_hands_stays(city: Hub) -> None:
    journals = city.settings.state_dir / "journal"
    idle, busy = _old_file(journals / "a.journal"), _old_file(journals / "b.journal")
    with city.database.session() as session:
        statement = approved(session)
        dispatch = Dispatch(statement_id=statement.id or 0, revision=1, channels="sms", actor="ben")
        session.add(dispatch)
        session.flush()
        session.add(
            Batch(dispatch_id=dispatch.id or 0, channel="sms", number=1, state=BatchState.CLAIMED, worker="b")
        )
        session.commit()
    assert counts(retention.run(city.database, city.settings)) == {"journal_days": 1}
    assert (idle.exists(), busy.exists()) == (False, True)


def test_nothing_goes_where_every_setting_says_for_ever(make_hub: Callable[..., Hub]) -> None:
    hub = make_hub(retention=dict.fromkeys(RetentionSettings.model_fields, 0))
    with hub.database.session() as session:
        person(session, 1)
        session.add(Inbound(channel="sms", kind="reply", text="Thank you", at=LONG_AGO))
        session.commit()
    found = retention.run(hub.database, hub.settings)
    assert counts(found) == {}
    assert {each.before for each in found} == {None}


def test_it_runs_once_a_day_whoever_asks_and_leaves_a_trace(city: Hub) -> None:
    with city.database.session() as session:
        session.add(Inbound(channel="sms", kind="reply", text="Thank you", at=LONG_AGO))
        session.commit()
    assert retention.run_if_due(city.database, city.settings)
    assert not retention.run_if_due(city.database, city.settings)
    with city.database.reading() as session:
        event = session.exec(select(AuditEvent).where(AuditEvent.action == retention.ACTION)).one()
    assert json.loads(event.detail)["inbound_days"] == 1


def test_a_hub_that_wakes_is_told_to_look(city: Hub) -> None:
    scheduler = BackgroundScheduler()
    retention.schedule(scheduler, city.database, city.settings)
    (job,) = scheduler.get_jobs()
    assert job.func is retention.run_if_due
    assert job.trigger.interval < timedelta(hours=1)
