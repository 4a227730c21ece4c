"""Two records of one person, and back: no opt-out is revived, no word on consent is lost."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlmodel import Session, col, select

from contacts import consent, joining, lists
from contacts.consent import Method, OptOutStands
from contacts.joining import CannotJoin
from contacts.models import Basis, ConsentEvent, Contact, Endpoint, EndpointState

NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)
Make = Callable[..., Endpoint]


def say(session: Session, endpoint: Endpoint, decision: bool, on: int, **more: object) -> None:
    said = {"list_id": None, "method": Method.WEB_FORM, "at": NEW_YEAR + timedelta(days=on)} | more
    consent.record(
        session, contact_id=endpoint.contact_id, endpoint_id=endpoint.id, decision=decision, **said
    )  # type: ignore[arg-type]


def add(session: Session, contact_id: int, channel: str, address: str) -> Endpoint:
    endpoint = Endpoint(contact_id=contact_id, channel=channel, address=address, address_key=address)
    session.add(endpoint)
    session.flush()
    return endpoint


def addresses(session: Session, contact_id: int) -> set[str]:
    query = select(Endpoint.address).where(Endpoint.contact_id == contact_id)
    return set(session.exec(query))


@pytest.fixture
def news(session: Session) -> int:
    return lists.get_or_create(session, "News").id or 0


@pytest.fixture
def alerts(session: Session) -> int:
    return lists.get_or_create(session, "Alerts").id or 0


def test_addresses_lists_and_empty_fields_come_together(
    session: Session, resident: Make, news: int, alerts: int
) -> None:
    phone = resident(name="Ana", groups="|elders|")
    mail = resident("email", "ana@example.org", name="Ana María", area="Harbor", groups="|parents|elders|")
    lists.add_member(session, news, phone.contact_id)
    lists.add_member(session, alerts, mail.contact_id)
    plan = joining.merge(session, phone.contact_id, mail.contact_id, actor="eva")
    kept, gone = session.get_one(Contact, plan.kept), session.get_one(Contact, plan.gone)
    assert (kept.name, kept.area, kept.groups) == ("Ana", "Harbor", "|elders|parents|")
    assert (gone.name, gone.area, gone.groups, gone.merged_into) == ("", "", "", kept.id)
    assert addresses(session, plan.kept) == {"+12025550143", "ana@example.org"}
    assert [each.id for each in lists.members(session, alerts)] == [plan.kept]
    assert lists.count_members(session, alerts) == 1
    assert plan.overruled == ("name",)


def test_a_preview_changes_nothing_and_says_the_same(session: Session, resident: Make, news: int) -> None:
    phone, mail = resident(), resident("email", "ana@example.org", area="Harbor")
    lists.add_member(session, news, mail.contact_id)
    before = joining.plan_merge(session, phone.contact_id, mail.contact_id)
    assert addresses(session, phone.contact_id) == {"+12025550143"}
    assert joining.merge(session, phone.contact_id, mail.contact_id, actor="eva") == before
    assert "Harbor" not in repr(before)


def test_whoever_reads_another_language_is_asked_about(session: Session, resident: Make) -> None:
    english, spanish = resident(language="en"), resident(address="+12025550199", language="es")
    with pytest.raises(CannotJoin, match="--language en"):
        joining.merge(session, english.contact_id, spanish.contact_id, actor="eva")
    with pytest.raises(CannotJoin, match="en or es"):
        joining.merge(session, english.contact_id, spanish.contact_id, actor="eva", language="fr")
    joining.merge(session, english.contact_id, spanish.contact_id, actor="eva", language="es")
    assert session.get_one(Contact, english.contact_id).language == "es"


def test_r31_of_one_address_all_that_was_said_is_said_of_the_one_that_stays(
    session: Session, resident: Make, news: int
) -> None:
    first, second = resident(), resident()
    say(session, first, True, 1, list_id=news)
    say(
        session, second, False, 5, wording="No más", wording_language="es", reference="form 3", ip="192.0.2.1"
    )
    joining.merge(session, first.contact_id, second.contact_id, actor="eva")
    told = session.exec(select(ConsentEvent).where(ConsentEvent.endpoint_id == first.id)).all()
    original = session.exec(
        select(ConsentEvent).where(ConsentEvent.endpoint_id == second.id, ConsentEvent.reference == "form 3")
    ).one()
    copied = told[-1]
    assert copied.reference == f"form 3 (from event {original.id})"
    for name in ("decision", "at", "wording", "wording_language", "ip", "method", "basis", "list_id"):
        assert getattr(copied, name) == getattr(original, name)
    assert session.get_one(Endpoint, first.id).opted_out


def test_the_twin_is_empty_silent_and_leads_to_the_address_that_stays(
    session: Session, resident: Make, news: int
) -> None:
    first, second, third = resident(), resident(), resident()
    for endpoint in (first, second, third):
        say(session, endpoint, True, 1, list_id=news)
    joining.merge(session, second.contact_id, third.contact_id, actor="eva")
    joining.merge(session, first.contact_id, second.contact_id, actor="eva")
    assert session.get_one(Contact, third.contact_id).merged_into == first.contact_id
    for twin in (second, third):
        assert (twin.address, twin.state, twin.opted_out) == ("", EndpointState.ERASED, True)
        assert joining.living(session, twin.id or 0) is session.get(Endpoint, first.id)
    consent.opt_out(session, "sms", "+12025550143", list_id=news, method=Method.SMS_KEYWORD)
    assert not consent.present(session, first.id or 0).lists[news].active


def test_r32_an_address_that_bounced_or_is_held_stays_so(session: Session, resident: Make) -> None:
    first, second = resident(), resident()
    second.state, second.state_reason, second.held = EndpointState.BAD, "550", "a refusal in free text"
    session.add(second)
    joining.merge(session, first.contact_id, second.contact_id, actor="eva")
    assert (first.state, first.state_reason) == (EndpointState.BAD, "550")
    assert first.held == "a refusal in free text"


@pytest.mark.parametrize("case", ["self", "unknown", "merged", "erased"])
def test_nothing_is_merged_that_is_not_there(session: Session, resident: Make, case: str) -> None:
    first, second = resident().contact_id, resident(address="+12025550199")
    other = {"self": first, "unknown": 999}.get(case, second.contact_id)
    if case == "merged":
        joining.merge(session, first, second.contact_id, actor="eva")
    if case == "erased":
        session.get_one(Contact, other).erased_at = NEW_YEAR
    with pytest.raises(CannotJoin):
        joining.merge(session, first, other, actor="eva")


def test_splitting_takes_a_merge_back(session: Session, resident: Make, news: int, alerts: int) -> None:
    ana, bo = resident(name="Ana"), resident(name="Bo")
    mail = add(session, bo.contact_id, "email", "bo@example.org")
    lists.add_member(session, news, ana.contact_id)
    lists.add_member(session, alerts, bo.contact_id)
    say(session, mail, True, 1, list_id=alerts)
    say(session, bo, True, 1, list_id=alerts)
    before = consent.present(session, bo.id or 0).lists[alerts].active
    joining.merge(session, ana.contact_id, bo.contact_id, actor="eva")
    made = joining.split(session, ana.contact_id, [mail.id or 0], shared=[ana.id or 0], name="Bo")
    assert made.id is not None
    assert addresses(session, made.id) == {"+12025550143", "bo@example.org"}
    assert addresses(session, ana.contact_id) == {"+12025550143"}
    assert consent.present(session, mail.id or 0).lists[alerts].active
    shared = session.exec(
        select(Endpoint).where(Endpoint.contact_id == made.id, Endpoint.channel == "sms")
    ).one()
    assert consent.present(session, shared.id or 0).lists[alerts].active == before
    assert consent.present(session, shared.id or 0) == consent.replay(session, shared.id or 0)
    for list_id in (news, alerts):
        assert {made.id, ana.contact_id} == {each.id for each in lists.members(session, list_id)}


def test_a_contact_is_not_split_into_nothing(session: Session, resident: Make) -> None:
    phone, other = resident(), resident(address="+12025550199")
    number, mail = phone.id or 0, add(session, phone.contact_id, "email", "ana@example.org").id or 0
    for endpoint_ids, shared in [([], []), ([number, mail], []), ([other.id or 0], []), ([mail], [mail])]:
        with pytest.raises(CannotJoin):
            joining.split(session, phone.contact_id, endpoint_ids, shared=shared)


EVENTS = st.lists(
    st.tuples(
        st.sampled_from([0, 1]),  # about whose endpoint
        st.sampled_from([None, 0, 1]),  # everything, or one of two lists
        st.booleans(),
        st.sampled_from([Method.WEB_FORM, Method.SMS_KEYWORD, Method.IMPORT]),
        st.sampled_from(list(Basis)),
        st.integers(0, 6),
    ),
    max_size=10,
)


def is_own_yes(event: ConsentEvent) -> bool:
    return event.decision and event.method != Method.IMPORT and event.basis == Basis.CONSENT


@given(events=EVENTS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_r32_merging_never_revives_an_opt_out_and_never_loses_an_event(
    events: list[tuple], session: Session, resident: Make, news: int, alerts: int
) -> None:
    both = resident(), resident()
    kept, gone = both
    ids = {None: None, 0: news, 1: alerts}
    for whose, list_id, decision, method, basis, on in events:
        try:
            say(session, both[whose], decision, on, list_id=ids[list_id], method=method, basis=basis)
        except OptOutStands:
            continue
    states = [consent.present(session, each.id or 0) for each in both]
    told = {
        each.id: session.exec(select(ConsentEvent).where(ConsentEvent.endpoint_id == each.id)).all()
        for each in both
    }
    joining.merge(session, kept.contact_id, gone.contact_id, actor="eva")

    after = consent.present(session, kept.id or 0)
    assert after == consent.replay(session, kept.id or 0)
    assert consent.present(session, gone.id or 0) == consent.replay(session, gone.id or 0)
    assert consent.present(session, gone.id or 0).opted_out

    now_told = session.exec(select(ConsentEvent).where(ConsentEvent.endpoint_id == kept.id)).all()
    assert len(now_told) == len(told[kept.id]) + len(told[gone.id])
    for event in told[gone.id]:
        assert any(each.reference.endswith(f"(from event {event.id})") for each in now_told)

    for list_id, standing in after.lists.items():
        if not standing.active:
            continue
        assert any(list_id in state.lists and state.lists[list_id].active for state in states) or any(
            map(is_own_yes, now_told)
        )
        for state in states:
            refused = state.opted_out or (list_id in state.lists and not state.lists[list_id].active)
            if refused:  # the resident's own yes came later than every no that counts
                last_no = max(
                    each.at for each in now_told if not each.decision and each.list_id in (None, list_id)
                )
                assert any(is_own_yes(each) and each.at > last_no for each in now_told)


def test_a_list_that_goes_silences_its_subscriptions_and_keeps_the_proof(
    session: Session, resident: Make, news: int, alerts: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lists, "CHUNK", 2)
    people = [resident(address=f"+1202555014{number}") for number in range(5)]
    for endpoint in people:
        lists.add_member(session, news, endpoint.contact_id)
        say(session, endpoint, True, 1, list_id=news, wording="Yes, news.")
        say(session, endpoint, True, 1, list_id=alerts)
    listed = lists.by_name(session, "News")
    with pytest.raises(lists.ListInUse, match="5 contacts"):
        lists.remove(session, listed, actor="eva")
    lists.remove(session, listed, actor="eva", even_with_members=True)
    assert [each.name for each in lists.every(session)] == ["Alerts"]
    assert lists.count_members(session, news) == 0
    for endpoint in people:
        state = consent.present(session, endpoint.id or 0)
        assert state == consent.replay(session, endpoint.id or 0)
        assert [state.lists[each].active for each in (news, alerts)] == [False, True]
    words = select(ConsentEvent.wording).where(ConsentEvent.list_id == news, col(ConsentEvent.decision))
    assert set(session.exec(words)) == {"Yes, news."}
    assert lists.get_or_create(session, "News").id != news
