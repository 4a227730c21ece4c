"""Who said yes or no, and what it comes to: R8, R31, R32."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from sqlmodel import Session, func, select

from contacts import audience, consent, evidence, lists
from contacts.columns import now
from contacts.consent import Method, OptOutStands, Word
from contacts.models import Basis, ConsentEvent, Endpoint
from contacts.standing import Course, Said, State
from notify.database import Database

NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)
Make = Callable[..., Endpoint]


def day(number: int) -> datetime:
    return NEW_YEAR + timedelta(days=number)


def say(session: Session, endpoint: Endpoint, decision: bool, on: int, **more: object) -> ConsentEvent:
    said = {"list_id": None, "method": Method.WEB_FORM, "at": day(on)} | more
    return consent.record(
        session, contact_id=endpoint.contact_id, endpoint_id=endpoint.id, decision=decision, **said
    )  # type: ignore[arg-type]


def allowed(session: Session, endpoint: Endpoint, list_id: int) -> bool:
    """Whether the audience query would write to it."""
    query = select(Endpoint.id).where(Endpoint.id == endpoint.id, audience.may_write(list_id))
    return session.execute(query).first() is not None


@pytest.fixture
def news(session: Session) -> int:
    return lists.get_or_create(session, "News").id or 0


@pytest.fixture
def alerts(session: Session) -> int:
    return lists.get_or_create(session, "Alerts").id or 0


def test_nobody_is_written_to_who_said_nothing(session: Session, resident: Make, news: int) -> None:
    assert not allowed(session, resident(), news)


def test_a_yes_to_a_list_opens_that_list_only(
    session: Session, resident: Make, news: int, alerts: int
) -> None:
    endpoint = resident()
    say(session, endpoint, True, 1, list_id=news)
    assert allowed(session, endpoint, news)
    assert not allowed(session, endpoint, alerts)


def test_r8_a_no_to_a_list_closes_that_list_only(
    session: Session, resident: Make, news: int, alerts: int
) -> None:
    endpoint = resident()
    say(session, endpoint, True, 1, list_id=news)
    say(session, endpoint, True, 1, list_id=alerts)
    say(session, endpoint, False, 2, list_id=news)
    assert not allowed(session, endpoint, news)
    assert allowed(session, endpoint, alerts)


def test_r8_a_no_to_everything_closes_every_list(
    session: Session, resident: Make, news: int, alerts: int
) -> None:
    endpoint = resident()
    say(session, endpoint, True, 1, list_id=news)
    say(session, endpoint, False, 2)
    session.refresh(endpoint)
    assert endpoint.opted_out
    assert not allowed(session, endpoint, news)
    assert not allowed(session, endpoint, alerts)


def test_start_gives_back_what_there_was_and_no_more(
    session: Session, resident: Make, news: int, alerts: int
) -> None:
    endpoint = resident()
    say(session, endpoint, True, 1, list_id=news)
    say(session, endpoint, True, 1, list_id=alerts)
    say(session, endpoint, False, 2, list_id=alerts)
    say(session, endpoint, False, 3)
    say(session, endpoint, True, 4)
    assert allowed(session, endpoint, news)
    assert not allowed(session, endpoint, alerts)


def test_a_yes_to_one_list_after_a_no_to_everything_opens_that_list_only(
    session: Session, resident: Make, news: int, alerts: int
) -> None:
    endpoint = resident()
    say(session, endpoint, True, 1, list_id=alerts)
    say(session, endpoint, False, 2)
    say(session, endpoint, True, 3, list_id=news)
    assert allowed(session, endpoint, news)
    assert not allowed(session, endpoint, alerts)


def test_an_older_event_that_comes_late_changes_nothing(session: Session, resident: Make, news: int) -> None:
    endpoint = resident()
    say(session, endpoint, False, 5)
    say(session, endpoint, True, 4, list_id=news)
    assert not allowed(session, endpoint, news)
    say(session, endpoint, True, 6, list_id=news)
    say(session, endpoint, False, 3)
    assert allowed(session, endpoint, news)


def test_at_the_same_instant_no_wins(session: Session, resident: Make, news: int) -> None:
    endpoint = resident()
    say(session, endpoint, False, 5, list_id=news)
    say(session, endpoint, True, 5, list_id=news)
    assert not allowed(session, endpoint, news)


def test_a_yes_from_the_future_does_not_outlive_a_no_of_today(
    session: Session, resident: Make, news: int
) -> None:
    endpoint = resident()
    event = say(session, endpoint, True, 10_000, list_id=news)
    assert event.at <= now()
    consent.record(
        session, contact_id=endpoint.contact_id, endpoint_id=endpoint.id or 0, list_id=None, decision=False,
        method=Method.SMS_KEYWORD,
    )  # fmt: skip
    assert not allowed(session, endpoint, news)


@pytest.mark.parametrize("scope", ["list", "everything"])
def test_r32_an_import_never_revives_an_opt_out(
    session: Session, resident: Make, news: int, scope: str
) -> None:
    endpoint = resident()
    say(session, endpoint, True, 1, list_id=news)
    say(session, endpoint, False, 2, list_id=news if scope == "list" else None)
    with pytest.raises(OptOutStands):
        say(session, endpoint, True, 3, list_id=news, method=Method.IMPORT)
    with pytest.raises(OptOutStands):
        say(session, endpoint, True, 3, list_id=news, basis=Basis.PUBLIC_TASK)
    assert not allowed(session, endpoint, news)
    assert session.execute(select(func.count()).select_from(ConsentEvent)).scalar_one() == 2


def test_r32_an_import_opens_no_other_list_after_a_no_to_everything(
    session: Session, resident: Make, news: int, alerts: int
) -> None:
    endpoint = resident()
    say(session, endpoint, False, 1)
    say(session, endpoint, True, 2, list_id=news)
    with pytest.raises(OptOutStands):
        say(session, endpoint, True, 3, list_id=alerts, method=Method.IMPORT)


def test_r32_an_import_gives_way_to_an_older_no_that_comes_late(
    session: Session, resident: Make, news: int
) -> None:
    endpoint = resident()
    say(session, endpoint, True, 5, list_id=news, method=Method.IMPORT)
    say(session, endpoint, False, 3)
    assert not allowed(session, endpoint, news)
    say(session, endpoint, True, 7)
    assert not allowed(session, endpoint, news)


def test_an_imported_consent_stands_above_public_task(session: Session, resident: Make, news: int) -> None:
    endpoint = resident("letter", "us|01103|12 main st|")
    say(session, endpoint, True, 1, list_id=news, basis=Basis.PUBLIC_TASK)
    say(session, endpoint, True, 2, list_id=news, method=Method.IMPORT)
    say(session, endpoint, True, 3, list_id=news, basis=Basis.PUBLIC_TASK)
    assert consent.present(session, endpoint.id or 0).lists[news].basis == Basis.CONSENT


def test_the_same_event_twice_is_recorded_once(session: Session, resident: Make, news: int) -> None:
    endpoint = resident()
    first = say(session, endpoint, False, 2, list_id=news, reference="SM1")
    assert say(session, endpoint, False, 2, list_id=news, reference="SM1").id == first.id
    assert say(session, endpoint, False, 3, list_id=news, reference="SM1").id != first.id


def test_a_phone_that_two_people_share_falls_silent_for_both(
    session: Session, resident: Make, news: int
) -> None:
    both = [resident(name="Ana"), resident(name="Bo")]
    other = resident(address="+12025550199")
    for endpoint in [*both, other]:
        say(session, endpoint, True, 1, list_id=news)
    said = {"method": Method.SMS_KEYWORD, "wording": "STOP", "wording_language": "en", "reference": "SM1"}
    assert consent.opt_out(session, "sms", "+12025550143", **said) == 2  # type: ignore[arg-type]
    assert [allowed(session, each, news) for each in [*both, other]] == [False, False, True]
    assert consent.opt_in(session, "sms", "+12025550143", method=Method.SMS_KEYWORD, wording="START") == 2
    assert [allowed(session, each, news) for each in [*both, other]] == [True, True, True]


def test_opting_out_an_unknown_address_does_nothing(session: Session) -> None:
    assert consent.opt_out(session, "sms", "+12025550143", method=Method.SMS_KEYWORD) == 0


def test_objects_that_were_loaded_before_show_the_new_state(session: Session, resident: Make) -> None:
    endpoint = resident()
    assert not endpoint.opted_out
    consent.opt_out(session, "sms", endpoint.address_key, method=Method.SMS_KEYWORD)
    assert endpoint.opted_out


def test_r31_why_shows_who_when_how_and_the_exact_words(session: Session, resident: Make, news: int) -> None:
    endpoint = resident()
    say(
        session, endpoint, True, 1, list_id=news, method=Method.PAPER, wording="Quiero recibir avisos.",
        wording_language="es", reference="form 212", actor="eva",
    )  # fmt: skip
    say(session, endpoint, False, 2, method=Method.SMS_KEYWORD, wording="ALTO", actor="resident")
    say(session, endpoint, True, 3, method=Method.SMS_KEYWORD, wording="INICIO", actor="resident")
    general, listed = evidence.why(session, endpoint.id or 0)
    assert (general.list_id, general.allowed, general.wording) == (None, True, "INICIO")
    assert (listed.list_name, listed.allowed, listed.method) == ("News", True, "paper")
    assert (listed.wording, listed.wording_language, listed.reference) == (
        "Quiero recibir avisos.",
        "es",
        "form 212",
    )
    assert (listed.actor, listed.at) == ("eva", day(1))
    assert "Quiero" not in repr(listed)


def test_r31_what_blocks_a_list_is_shown_for_it(session: Session, resident: Make, news: int) -> None:
    endpoint = resident()
    say(session, endpoint, True, 1, list_id=news)
    stop = say(session, endpoint, False, 2, wording="STOP")
    assert [(each.allowed, each.event_id) for each in evidence.why(session, endpoint.id or 0)] == [
        (False, stop.id)
    ] * 2


def test_two_who_record_at_once_see_each_others_events(
    database: Database, session: Session, resident: Make, news: int
) -> None:
    endpoint = resident()
    number = endpoint.id or 0
    session.commit()

    def record(day_and_decision: tuple[int, bool]) -> None:
        with database.session() as own:
            say(own, own.get_one(Endpoint, number), day_and_decision[1], day_and_decision[0], list_id=news)
            own.commit()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(record, [(on, on % 2 == 0) for on in range(24)]))
    session.expire_all()
    assert consent.present(session, number) == consent.replay(session, number)
    assert not allowed(session, endpoint, news)


def test_a_decision_about_somebody_elses_address_is_refused(session: Session, resident: Make) -> None:
    endpoint, other = resident(), resident(address="+12025550199")
    with pytest.raises(ValueError, match="is not contact"):
        consent.record(
            session, contact_id=other.contact_id, endpoint_id=endpoint.id or 0, list_id=None, decision=True,
            method=Method.WEB_FORM,
        )  # fmt: skip


def test_a_time_without_its_zone_is_refused(session: Session, resident: Make) -> None:
    with pytest.raises(ValueError, match="zone"):
        say(session, resident(), True, 1, at=datetime(2026, 1, 1))


EVENTS = st.builds(
    lambda *parts: parts,
    st.sampled_from([None, 0, 1]),  # everything, or one of two lists
    st.booleans(),
    st.sampled_from([Method.WEB_FORM, Method.SMS_KEYWORD, Method.IMPORT]),
    st.sampled_from(list(Basis)),
    st.integers(0, 6),  # days, so few that many fall together
)


@dataclass
class Told:
    """The rules once more, told as a story instead of looked up: an oracle for the ledger."""

    wants: dict[int, bool]
    silenced: set[int]
    refused_all: bool = False

    def hear(self, list_id: int | None, decision: bool, weak: bool) -> None:
        if list_id is None:
            self._hear_general(decision, weak)
        elif not (weak and decision):
            self.wants[list_id] = decision
            self.silenced.discard(list_id)
        elif list_id not in self.silenced:
            self.wants.setdefault(list_id, True)

    def _hear_general(self, decision: bool, weak: bool) -> None:
        if not decision:
            self.refused_all, self.silenced = True, {0, 1}
        elif not (weak and self.refused_all):
            self.refused_all, self.silenced = False, set()

    def may_write(self, list_id: int) -> bool:
        return self.wants.get(list_id, False) and list_id not in self.silenced


def is_weak(event: tuple) -> bool:
    return event[2] is Method.IMPORT or event[3] is Basis.PUBLIC_TASK


def in_time(events: list[tuple]) -> list[tuple]:
    return sorted(events, key=lambda event: (event[4], not event[1], not is_weak(event)))


def fold(events: list[tuple]) -> State:
    course = Course()
    for number, (list_id, decision, method, basis, at) in enumerate(events, 1):
        course.add(Said(number, list_id, decision, method, basis, day(at), ""))
    return course.state()


def active(state: State) -> dict[int, bool]:
    return {list_id: standing.active for list_id, standing in state.lists.items()}


@given(st.lists(EVENTS, max_size=12))
@settings(max_examples=500)
def test_the_state_is_what_the_story_comes_to(events: list[tuple]) -> None:
    told = Told({}, set())
    for event in in_time(events):
        told.hear(event[0], event[1], is_weak(event))
    state = fold(events)
    assert [active(state).get(list_id, False) for list_id in (0, 1)] == [told.may_write(0), told.may_write(1)]
    assert state.opted_out == (told.refused_all and not any(active(state).values()))


@given(st.lists(EVENTS, max_size=8), st.randoms(use_true_random=False))
@settings(max_examples=500)
def test_the_order_of_recording_does_not_matter(events: list[tuple], random) -> None:
    shuffled = random.sample(events, len(events))
    assert active(fold(shuffled)) == active(fold(events))
    assert fold(shuffled).opted_out == fold(events).opted_out


def test_the_residents_own_yes_counts_after_a_weak_one_of_the_same_instant() -> None:
    events = [
        (None, False, Method.SMS_KEYWORD, Basis.CONSENT, 0),
        (None, True, Method.SMS_KEYWORD, Basis.CONSENT, 1),
        (0, True, Method.IMPORT, Basis.CONSENT, 1),
    ]
    assert [fold(list(order)) for order in permutations(events)] == [State(False, {})] * 6


@given(st.lists(EVENTS, min_size=1, max_size=12), st.sampled_from([0, 1]))
def test_whose_latest_word_was_no_is_not_written_to(events: list[tuple], list_id: int) -> None:
    about = [event for event in in_time(events) if event[0] in (None, list_id)]
    assume(about and not about[-1][1])
    assert not active(fold(events)).get(list_id, False)


@given(st.lists(EVENTS, min_size=1, max_size=10))
def test_r32_a_weak_yes_never_opens_what_was_refused(events: list[tuple]) -> None:
    *before, last = events
    weak_yes = (last[0], True, Method.IMPORT, last[3], 7)
    refused = {list_id for list_id, is_active in active(fold(before)).items() if not is_active}
    after = active(fold([*before, weak_yes]))
    assert not any(after[list_id] for list_id in refused)


@given(events=st.lists(EVENTS, max_size=10))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_kept_equals_a_replay_of_the_events(
    events: list[tuple], session: Session, resident: Make, news: int, alerts: int
) -> None:
    endpoint = resident()
    ids = {None: None, 0: news, 1: alerts}
    for list_id, decision, method, basis, at in events:
        before = consent.present(session, endpoint.id or 0)
        try:
            say(session, endpoint, decision, at, list_id=ids[list_id], method=method, basis=basis)
        except OptOutStands:
            assert consent.present(session, endpoint.id or 0) == before
    kept = consent.present(session, endpoint.id or 0)
    assert kept == consent.replay(session, endpoint.id or 0)
    for list_id in (news, alerts):
        assert allowed(session, endpoint, list_id) == active(kept).get(list_id, False)


# -- what is said again about another address, and imports that were taken back


def from_import(session: Session, endpoint: Endpoint, on: int, import_id: int, list_id: int) -> int | None:
    word = Word(
        contact_id=endpoint.contact_id, endpoint_id=endpoint.id or 0, list_id=list_id, decision=True,
        method=Method.IMPORT, at=day(on), import_id=import_id,
    )  # fmt: skip
    return consent.record_many(session, [word])[0]


def test_what_an_undone_import_said_counts_no_more_at_another_address_either(
    session: Session, resident: Make, news: int, alerts: int
) -> None:
    one, other = resident(), resident(address="+12025550199")
    from_import(session, one, 1, 7, news)
    say(session, one, True, 2, list_id=alerts)
    consent.take_back_import(session, 7, [one.id or 0], actor="eva")
    consent.carry_over(session, one.id or 0, other.id or 0)
    assert consent.present(session, other.id or 0) == consent.replay(session, other.id or 0)
    assert not allowed(session, other, news)
    assert allowed(session, other, alerts)  # the resident's own yes
    assert not consent.present(session, other.id or 0).opted_out


def test_an_import_that_is_undone_later_is_undone_at_every_address(
    session: Session, resident: Make, news: int
) -> None:
    one, other = resident(), resident(address="+12025550199")
    from_import(session, one, 1, 7, news)
    consent.carry_over(session, one.id or 0, other.id or 0)
    assert allowed(session, other, news)
    carried = select(ConsentEvent).where(ConsentEvent.endpoint_id == other.id, ConsentEvent.import_id == 7)
    assert len(session.exec(carried).all()) == 1  # so that undoing finds it
    consent.take_back_import(session, 7, [one.id or 0, other.id or 0], actor="eva")
    assert not allowed(session, other, news)


def test_a_yes_of_an_undone_import_that_is_said_late_does_not_count(
    session: Session, resident: Make, news: int
) -> None:
    endpoint = resident()
    from_import(session, endpoint, 1, 7, news)
    consent.take_back_import(session, 7, [endpoint.id or 0], actor="eva")
    from_import(session, endpoint, 2, 7, news)
    assert not allowed(session, endpoint, news)
    assert consent.present(session, endpoint.id or 0) == consent.replay(session, endpoint.id or 0)


TOLD = st.one_of(
    st.tuples(st.just("says"), st.integers(0, 2), EVENTS),
    st.tuples(st.just("imports"), st.integers(0, 2), st.integers(1, 2), st.integers(0, 1), st.integers(0, 6)),
    st.tuples(st.just("undoes"), st.integers(0, 2), st.integers(1, 2)),
    st.tuples(st.just("carries over"), st.integers(0, 2), st.integers(0, 2)),
    st.tuples(st.just("shares"), st.booleans(), st.sampled_from([None, 0, 1]), st.integers(0, 6)),
)


@given(story=st.lists(TOLD, max_size=10))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_kept_equals_a_replay_whatever_is_shared_carried_over_and_taken_back(
    story: list[tuple], session: Session, resident: Make, news: int, alerts: int
) -> None:
    """Two endpoints share an address, and a third is another's."""
    tag = session.execute(select(func.count()).select_from(Endpoint)).scalar_one()
    places = [resident(address=f"+1202555{tag}-{number}") for number in (0, 0, 1)]
    ids = {None: None, 0: news, 1: alerts}
    for what, *about in story:
        if what == "says":
            place, (list_id, decision, method, basis, at) = about
            with suppress(OptOutStands):
                say(session, places[place], decision, at, list_id=ids[list_id], method=method, basis=basis)
        elif what == "imports":
            place, number, list_id, at = about
            from_import(session, places[place], at, number, ids[list_id])
        elif what == "undoes":
            consent.take_back_import(session, about[1], [places[about[0]].id], actor="eva")
        elif what == "carries over" and about[0] != about[1]:
            consent.carry_over(session, places[about[0]].id, places[about[1]].id)
        elif what == "shares":
            decision, list_id, at = about
            speak = consent.opt_in if decision else consent.opt_out
            key = places[0].address_key
            speak(session, "sms", key, list_id=ids[list_id], method=Method.SMS_KEYWORD, at=day(at))
    for place in places:
        kept = consent.present(session, place.id or 0)
        assert kept == consent.replay(session, place.id or 0)
        for list_id in (news, alerts):
            assert allowed(session, place, list_id) == active(kept).get(list_id, False)


@given(
    events=st.lists(st.tuples(EVENTS, st.sampled_from([None, 1, 2])), max_size=8),
    random=st.randoms(use_true_random=False),
)
@settings(max_examples=300)
def test_taking_back_an_import_does_not_depend_on_the_order_either(events: list[tuple], random) -> None:
    said = [
        Said(number, *event[:2], event[2], event[3], day(event[4]), "", import_id)
        for number, (event, import_id) in enumerate(events, 1)
    ]
    said.append(Said(100, None, False, Method.IMPORT_UNDONE, Basis.CONSENT, day(3), "", 1))
    courses = [Course(said), Course()]
    for each in random.sample(said, len(said)):
        courses[1].add(each)
    assert courses[0].state() == courses[1].state()
    assert (
        courses[0].state()
        == Course(
            [each for each in said if each.import_id != 1 or (not each.decision and each.id != 100)]
        ).state()
    )
