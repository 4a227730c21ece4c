"""Erasing: what goes, what stays as proof, and whether an old no is known again (R31)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func
from sqlmodel import Session, SQLModel, select

from contacts import audience, consent, erasure, joining, lists, models
from contacts.columns import now
from contacts.consent import Method
from contacts.erasure import CannotErase, erased_key, said_no_before
from contacts.models import (
    ConsentEvent,
    Contact,
    Endpoint,
    EndpointState,
    ImportFill,
    ImportRun,
    PendingYes,
    Subscription,
)

KEY = b"the city's secret"
PHONE = "+12025550143"
NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)
Make = Callable[..., Endpoint]


def say(session: Session, endpoint: Endpoint, decision: bool, on: int = 1, **more: object) -> None:
    said = {"list_id": None, "method": Method.WEB_FORM, "at": NEW_YEAR + timedelta(days=on)} | more
    consent.record(
        session, contact_id=endpoint.contact_id, endpoint_id=endpoint.id, decision=decision, **said
    )  # type: ignore[arg-type]


@pytest.fixture
def news(session: Session) -> int:
    return lists.get_or_create(session, "News").id or 0


def erase(session: Session, endpoint: Endpoint) -> erasure.Erasure:
    return erasure.erase(session, KEY, endpoint.contact_id, actor="eva")


def test_the_key_is_keyed_and_tells_channels_apart() -> None:
    assert erased_key(KEY, "sms", PHONE) == erased_key(KEY, "sms", PHONE)
    others = {
        erased_key(b"other", "sms", PHONE),
        erased_key(KEY, "voice", PHONE),
        erased_key(KEY, "sms", "+1"),
    }
    assert erased_key(KEY, "sms", PHONE) not in others
    assert PHONE[1:] not in erased_key(KEY, "sms", PHONE)


def test_r31_nothing_of_the_person_stays_in_any_table(session: Session, resident: Make, news: int) -> None:
    endpoint = resident(name="Marisol Q", area="Harborside", groups="|elders|")
    lists.add_member(session, news, endpoint.contact_id)
    say(session, endpoint, True, 1, list_id=news, wording="Yes, write to me.", ip="192.0.2.77")
    say(session, endpoint, False, 2, method=Method.SMS_KEYWORD, wording="STOP says Marisol")
    session.add(
        ImportFill(
            import_id=_import(session, news), contact_id=endpoint.contact_id, field="area", value="Harborside"
        )
    )
    session.add(
        PendingYes(
            digest="d", channel="sms", address=PHONE, address_key=PHONE, name="Marisol Q", language="en",
            wording="Yes.", expires_at=now(),
        )
    )  # fmt: skip
    session.flush()
    plan = erasure.plan_erasure(session, endpoint.contact_id)
    assert erase(session, endpoint) == plan
    session.commit()
    dump = _dump(session)
    for secret in ("Marisol", "Harborside", "elders", PHONE[2:], "192.0.2.77"):
        assert secret not in dump
    assert (plan.lists, plan.subscriptions, plan.events, plan.own_words, plan.pending) == (1, 0, 2, 1, 1)


def _import(session: Session, list_id: int) -> int:
    run = ImportRun(list_id=list_id, file_name="a.csv", digest="d", actor="eva")
    session.add(run)
    session.flush()
    return run.id or 0


def _dump(session: Session) -> str:
    tables = [getattr(models, name) for name in dir(models)]
    rows = [
        session.execute(select(SQLModel.metadata.tables[str(each.__tablename__)])).all()
        for each in tables
        if isinstance(each, type) and issubclass(each, SQLModel) and each is not SQLModel
    ]
    return repr(rows)


def test_r31_the_proof_of_consent_stays_with_the_citys_words(
    session: Session, resident: Make, news: int
) -> None:
    endpoint = resident()
    say(session, endpoint, True, 1, list_id=news, wording="Yes, write to me.", reference="form 212")
    erase(session, endpoint)
    first = session.exec(select(ConsentEvent).order_by(ConsentEvent.id)).first()  # type: ignore[arg-type]
    assert first is not None
    assert (first.wording, first.reference, first.decision) == ("Yes, write to me.", "form 212", True)
    kept = session.get_one(Endpoint, endpoint.id)
    assert (kept.address, kept.address_key, kept.state) == (
        "",
        erased_key(KEY, "sms", PHONE),
        EndpointState.ERASED,
    )


def test_nothing_is_sent_to_who_was_erased_and_the_ledger_still_replays(
    session: Session, resident: Make, news: int
) -> None:
    endpoint = resident()
    lists.add_member(session, news, endpoint.contact_id)
    say(session, endpoint, True, 1, list_id=news)
    erase(session, endpoint)
    assert consent.present(session, endpoint.id or 0) == consent.replay(session, endpoint.id or 0)
    reachable = select(func.count()).select_from(Endpoint).where(audience.may_write(news))
    assert session.execute(reachable).scalar_one() == 0
    assert (
        session.execute(
            select(func.count()).select_from(Subscription).where(Subscription.active)
        ).scalar_one()
        == 0
    )
    assert lists.count_members(session, news) == 0
    assert list(lists.members(session, None)) == []


def test_what_was_merged_into_somebody_is_erased_with_them(session: Session, resident: Make) -> None:
    first, second = resident(), resident()
    joining.merge(session, first.contact_id, second.contact_id, actor="eva")
    plan = erase(session, first)
    assert plan.shells == (second.contact_id,)
    assert session.get_one(Contact, second.contact_id).erased_at is not None
    with pytest.raises(CannotErase, match="was erased"):
        erase(session, second)


def test_a_contact_without_an_address_can_be_erased(session: Session) -> None:
    contact = Contact(name="Ana")
    session.add(contact)
    session.flush()
    erasure.erase(session, KEY, contact.id or 0, actor="eva")
    assert contact.name == ""


@pytest.mark.parametrize("number", [999, None])
def test_who_is_not_there_cannot_be_erased(session: Session, resident: Make, number: int | None) -> None:
    first, second = resident(), resident()
    joining.merge(session, first.contact_id, second.contact_id, actor="eva")
    with pytest.raises(CannotErase):
        erasure.erase(session, KEY, number or second.contact_id, actor="eva")


@pytest.mark.parametrize(
    ("told", "everything", "this_list"),
    [
        ([], False, False),
        ([(True, "list")], False, False),
        ([(True, "list"), (False, "list")], True, True),
        ([(True, "list"), (False, None)], True, True),
        ([(True, "other"), (False, "other")], True, False),
        ([(False, None), (True, None)], False, False),
        ([(False, None), (True, "other")], True, True),
        ([(False, None), (True, "list")], True, False),  # the yes to this list came after the no
    ],
)
def test_r32_an_old_no_is_known_when_the_address_comes_again(
    session: Session, resident: Make, news: int, told: list, everything: bool, this_list: bool
) -> None:
    ids = {"list": news, "other": lists.get_or_create(session, "Other").id, None: None}
    endpoint = resident()
    for day, (decision, about) in enumerate(told):
        say(session, endpoint, decision, day, list_id=ids[about])
    assert not said_no_before(session, KEY, "sms", PHONE)  # nobody was erased
    erase(session, endpoint)
    assert said_no_before(session, KEY, "sms", PHONE) is everything
    assert said_no_before(session, KEY, "sms", PHONE, list_id=news) is this_list
    assert not said_no_before(session, KEY, "email", PHONE)
    assert not said_no_before(session, b"another city", "sms", PHONE)


def test_the_residents_own_new_yes_is_welcome(session: Session, resident: Make, news: int) -> None:
    old = resident()
    say(session, old, False, 1)
    erase(session, old)
    back = resident()
    assert said_no_before(session, KEY, "sms", PHONE)
    say(session, back, True, 5, method=Method.SMS_KEYWORD)
    say(session, back, True, 5, list_id=news, method=Method.SMS_KEYWORD)
    assert not said_no_before(session, KEY, "sms", PHONE)
    assert consent.present(session, back.id or 0).lists[news].active


@pytest.mark.parametrize(
    ("day", "about", "outlived"),
    [
        (3, "list", True),
        (3, None, True),
        (5, "list", True),
        (6, "list", False),
        (6, None, False),
        (3, "other", True),
    ],
)
def test_r32_a_form_from_before_an_erased_no_proves_nothing(
    session: Session, resident: Make, news: int, day: int, about: str | None, outlived: bool
) -> None:
    ids = {"list": news, "other": lists.get_or_create(session, "Other").id, None: None}
    old = resident()
    say(session, old, True, 1, list_id=news)
    say(session, old, False, 5)
    erase(session, old)
    back, at = resident(), NEW_YEAR + timedelta(days=day)
    assert erasure.said_no_since(session, KEY, back, ids[about], at) is outlived
    assert not erasure.said_no_since(session, b"another city", back, ids[about], at)
    say(session, back, True, 9, list_id=ids[about], method=Method.SMS_KEYWORD)
    assert not erasure.said_no_since(session, KEY, back, ids[about], at)


def test_many_addresses_are_asked_about_at_once(session: Session, resident: Make) -> None:
    for number in range(4):
        endpoint = resident(address=f"+1202555010{number}")
        say(session, endpoint, number % 2 == 0, 1)
        erase(session, endpoint)
    wanted = [f"+1202555010{number}" for number in range(6)]
    asked = {erased_key(KEY, "sms", key): key for key in wanted}
    assert erasure.refused_before(session, "sms", asked) == {"+12025550101", "+12025550103"}
