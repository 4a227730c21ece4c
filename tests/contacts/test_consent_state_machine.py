"""No sequence of events, in any order and however often repeated, sends to someone whose latest word was no.

Hypothesis plays a city: residents text, tap, click and sign; staff import, undo, merge, split, erase and
decide; dispatches are planned and claimed. Beside the real hub runs a model in plain Python that knows
nothing but what residents said about an address, and after every step the two are held against each other.
"""

from __future__ import annotations

import csv
import itertools
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import select as columns
from sqlalchemy import union_all
from sqlmodel import Session, col, select
from twilio.request_validator import RequestValidator
from world import ENGLISH, approved, crisis

from channels.contract import CallbackRequest, Event, EventKind
from contacts import audience, consent, joining, lists, pending, undoing
from contacts.audience import EVERYBODY, Audience
from contacts.columns import now
from contacts.importing import import_contacts
from contacts.models import (
    ConsentEvent,
    Contact,
    ContactList,
    Endpoint,
    EndpointState,
    ImportRun,
    ImportState,
    Membership,
)
from contacts.standing import Method
from notify import consents, inbound, inbox, residents
from notify.consents import ConsentError, Paper
from notify.dispatch import control, ledger, plan
from notify.dispatch.models import Batch, BatchState, Dispatch
from notify.hub import Hub
from notify.inbound import Inbound
from notify.residents import Keeper
from notify.settings import load
from notify.web.hooks.residents import Residents

TOKEN = "0123456789abcdef0123456789abcdef"
PUBLIC = "https://notify.rivermouth.example"
STAFF = Keeper("eva@city.example")
# What residents text: about everything, or a list (by its place), and the decision.
SAID: dict[str, tuple[int | None, bool]] = {
    "STOP": (None, False), "ALTO": (None, False), "stop!": (None, False), "إيقاف": (None, False),
    "STOP {0}": (0, False), "{1} stop": (1, False),
    "START": (None, True), "INICIO": (None, True), "YES": (None, True), "JOIN {0}": (0, True), "{1}": (1, True),
}  # fmt: skip
NOES = [text for text, (_, decision) in SAID.items() if not decision]
YESES = [text for text, (_, decision) in SAID.items() if decision]
REFUSALS = ["no more texts please", "dejen de escribirme"]
OTHERS = ["hello", "Español", "HELP", "Stop signs on Main St"]
RUNS_OF_A_HUB = 15  # asking for everybody asks every contact in the database
RARELY = 8  # steps between two erasures: else nobody is left to say anything
LONG_AGO = date(2024, 1, 1)

Place = tuple[str, str]  # channel and address key


class Word(NamedTuple):
    """A yes or a no; of two at one instant the no counts, and of two that are alike the one said later."""

    at: datetime
    refused: bool
    turn: int
    about: int | None  # a list; None is everything


@dataclass
class Words:
    """What was said about one address."""

    said: list[Word] = field(default_factory=list)
    may_be_refusing: bool = False
    forgotten: int = 0  # what was said before is forgotten as a yes, and stands as a no

    def last(self, about: int | None) -> Word | None:
        return max((word for word in self.said if word.about == about), default=None)

    def refuses(self, list_id: int) -> bool:
        """The latest word was no: to this list, or to everything with no later yes to this list."""
        own, general = self.last(list_id), self.last(None)
        if general and general.refused and (own is None or own.refused or own < general):
            return True
        return own is not None and own.refused

    def refuses_everything(self) -> bool:
        """The latest word about everything was no."""
        general = self.last(None)
        return general is not None and general.refused

    def agrees(self, list_id: int) -> bool:
        """The latest word is a yes to just this list."""
        own, general = self.last(list_id), self.last(None)
        if own is None or own.turn < self.forgotten:
            return False
        return not own.refused and not (general and general.refused and own < general)


@cache
def hub() -> Hub:
    """One hub for many runs: each has addresses and lists of its own."""
    folder = Path(tempfile.mkdtemp(prefix="notify-consent-"))
    made = Hub(
        load(
            state_dir=folder, secret_key="of the state machine", public_url=PUBLIC,
            city={"name": "Rivermouth", "languages": ["en", "es"]},
            sms={"account_sid": "AC" + "0" * 32, "auth_token": TOKEN, "from": "+15005550006"},
            email={"host": "127.0.0.1", "port": 2525, "from": "mayor@rivermouth.example", "security": "none"},
            telegram={"token": f"123456:{'A' * 35}", "webhook_secret": "of-the-state-machine"},
        )
    )  # fmt: skip
    with made.database.session() as session:
        approved(session, crisis(ENGLISH))
        session.commit()
    return made


RUN = itertools.count(1)
AREAS = ("206", "312", "415", "503", "617", "702")


class City(RuleBasedStateMachine):
    """What can happen to residents' consent."""

    @initialize()
    def found(self) -> None:
        number = next(RUN)
        if number % RUNS_OF_A_HUB == 0:
            hub().database.dispose()
            hub.cache_clear()
        self.count = itertools.count(1)
        self.folder = Path(tempfile.mkdtemp(prefix="notify-sheets-"))
        self.phones = [
            f"+1{AREAS[number % len(AREAS)]}555{number // len(AREAS) * 2 + each:04d}" for each in (0, 1)
        ]
        self.mails = [f"one{number}@example.org", f"two{number}@example.org"]
        self.chats = [str(10_000_000 + number)]
        self.places: list[Place] = [
            *(("sms", each) for each in self.phones),
            *(("email", each) for each in self.mails),
            *(("telegram", each) for each in self.chats),
        ]
        self.words: dict[Place, Words] = defaultdict(Words)
        self.joinwords = [f"news{_letters(number)}", f"food{_letters(number)}"]
        self.imports: list[int] = []
        with self.writing() as session:
            self.lists = [self._list(session, number, word) for word in self.joinwords]
        every = [EVERYBODY, *(Audience(each) for each in self.lists)]
        self.audiences = {wanted: self._audience(wanted) for wanted in every}
        self.since_erasure = 0
        self._import([(0, 0, "yes"), (1, 1, "yes")], 0)
        self._import([(0, 0, "yes"), (1, -1, "yes")], 1)
        self._tap(EventKind.OPTED_IN, 0)

    def _list(self, session: Session, number: int, word: str) -> int:
        made = lists.get_or_create(session, f"List {word} {number}")
        lists.edit(session, made, public=True, join_word=word)
        return made.id or 0

    # -- residents

    @rule(which=st.integers(0, 1), words=st.sampled_from(NOES))
    def texts_no(self, which: int, words: str) -> None:
        self._text(which, words)

    @rule(which=st.integers(0, 1), words=st.sampled_from(YESES))
    def texts_yes(self, which: int, words: str) -> None:
        self._text(which, words)

    @rule(which=st.integers(0, 1), words=st.sampled_from(REFUSALS))
    def texts_what_may_be_a_refusal(self, which: int, words: str) -> None:
        self._text(which, words)
        self.words["sms", self.phones[which]].may_be_refusing = True

    @rule(which=st.integers(0, 1), words=st.sampled_from(OTHERS))
    def texts_something(self, which: int, words: str) -> None:
        self._text(which, words)

    def _has_left(self, place: Place) -> bool:
        """The hub takes it that the resident has left: only then some words are a yes to everything."""
        return any(endpoint.opted_out for endpoint in self._endpoints_of(place))

    def _text(self, which: int, words: str) -> None:
        before, place = now(), ("sms", self.phones[which])
        has_left = self._has_left(place)
        self._take("sms", _texted(self.phones[which], words.format(*self.joinwords)))
        if words not in SAID or (words == "YES" and not has_left):  # else it is an answer (R4)
            return
        about, decision = SAID[words]
        self._say(place, None if about is None else self.lists[about], decision, at=before)
        if decision or about is None:  # a yes, and a no to everything, leave nothing to be decided
            self.words[place].may_be_refusing = False

    @rule(
        command=st.sampled_from([EventKind.OPTED_IN, EventKind.OPTED_OUT]), to=st.sampled_from([None, 0, 1])
    )
    def taps(self, command: EventKind, to: int | None) -> None:
        self._tap(command, to)

    def _tap(self, command: EventKind, to: int | None) -> None:
        """/stop, /start, or /start from the link to a list."""
        event = Event(command, address=self.chats[0], text=f"/{command}", language="en")
        listed = self.lists[to] if to is not None and command is EventKind.OPTED_IN else None
        if listed:
            event = Event(command, address=self.chats[0], text="/start", token=f"list-{listed}")
        before, place = now(), ("telegram", self.chats[0])
        has_left = self._has_left(place)
        self._take("telegram", [event])
        if listed is None or has_left:  # a link is a yes to its list; to the others only from who has left
            self._say(place, None, command is EventKind.OPTED_IN, at=before)
        if listed:
            self._say(place, listed, True)

    @rule(which=st.integers(0, 1), about=st.sampled_from([None, 0, 1]))
    def clicks_unsubscribe(self, which: int, about: int | None) -> None:
        list_id = None if about is None else self.lists[about]
        before = now()
        with self.writing() as session:
            known = consent.opt_out(
                session, "email", self.mails[which], list_id=list_id, method=Method.EMAIL_ONE_CLICK,
                actor="resident",
            )  # fmt: skip
        if known:  # nobody gets a link who is not on record
            self._say(("email", self.mails[which]), list_id, False, at=before)

    @rule(which=st.integers(0, 1), about=st.sets(st.integers(0, 1), min_size=1), presses=st.booleans())
    def signs_up_on_the_web(self, which: int, about: set[int], presses: bool) -> None:
        """Only the button in the mail makes it a yes."""
        key = self.mails[which]
        wish = pending.Wish(
            channel="email", address=key, address_key=key, language="en", wording="Yes, write to me.",
            list_ids=tuple(self.lists[each] for each in about),
        )  # fmt: skip
        before = now()
        with self.writing() as session:
            found = pending.find(session, pending.ask(session, wish, days=2), to_change=True)
            assert found is not None
            if presses:
                pending.confirm(
                    session, found, method=Method.EMAIL_CONFIRMED, wording="Yes", wording_language="en", ip=""
                )
        for each in about if presses else ():
            self._say(("email", key), self.lists[each], True, at=before)

    @rule(
        place=st.integers(0, 4),
        about=st.sampled_from([None, 0, 1]),
        yes=st.booleans(),
        day=st.integers(0, 700),
    )
    def signed_a_form_long_ago(self, place: int, about: int | None, yes: bool, day: int) -> None:
        """A paper form is entered late: it counts from its own date, and not past a no that was erased."""
        if yes and about is None:
            return
        signed_on, form = LONG_AGO + timedelta(days=day), f"form {next(self.count)}"
        for endpoint in self._endpoints_of(self.places[place]):
            with self.writing() as session:
                listed = None if about is None else session.get_one(ContactList, self.lists[about])
                paper = Paper(yes, listed, form, "A form", "en", signed_on)
                try:
                    event = consents.record_paper(
                        session, STAFF, endpoint, paper, timezone="UTC", shared=True, key=hub().settings.key()
                    )
                except ConsentError:
                    continue
                self._say(self.places[place], event.list_id, yes, at=event.at)
                if not yes:
                    return  # all who share the address share it

    # -- staff

    @rule(
        rows=st.lists(
            st.tuples(st.integers(-1, 1), st.integers(-1, 1), st.sampled_from(["yes", "no", "stop", ""])),
            min_size=1, max_size=3,
        ),
        onto=st.integers(0, 1),
    )  # fmt: skip
    def imports_a_sheet(self, rows: list[tuple[int, int, str]], onto: int) -> None:
        self._import(rows, onto)

    def _import(self, rows: list[tuple[int, int, str]], onto: int) -> None:
        """What a sheet says yes to counts only where nothing has been said; what it says no to counts."""
        path = self.folder / f"{next(self.count)}.csv"
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["name", "phone", "email", "language", "consent", "consent_wording"])
            for phone, mail, answer in rows:
                cells = [self.phones[phone] if phone >= 0 else "", self.mails[mail] if mail >= 0 else ""]
                writer.writerow([f"R {path.stem}", *cells, "en", answer, "Yes, write."])
        with self.writing() as session:
            name = next(each.name for each in lists.every(session) if each.id == self.lists[onto])
            report = import_contacts(
                session, path, list_name=name, country="US", actor="eva", proof_key=hub().settings.key()
            )
        assert report.import_id is not None
        self.imports.append(report.import_id)
        with hub().database.reading() as session:
            noes = select(ConsentEvent, Endpoint).join(
                Endpoint, col(Endpoint.id) == col(ConsentEvent.endpoint_id)
            )
            noes = noes.where(
                ConsentEvent.import_id == report.import_id, col(ConsentEvent.decision).is_(False)
            )
            said = {(place.channel, place.address_key): event.at for event, place in session.exec(noes)}
        stopped = {
            place
            for phone, mail, answer in rows
            if answer == "stop"
            for place in (("sms", self.phones[phone]), ("email", self.mails[mail]))
            if (phone if place[0] == "sms" else mail) >= 0
        }
        assert set(said) <= stopped
        for place in stopped:
            self._say(place, None, False, at=said.get(place))

    @precondition(lambda self: self.imports)
    @rule(which=st.integers(0, 9))
    def undoes_an_import(self, which: int) -> None:
        number = self.imports.pop(which % len(self.imports))
        with self.writing() as session:
            undoing.undo(session, number, actor="eva")
        with hub().database.reading() as session:
            assert session.get_one(ImportRun, number).state == ImportState.UNDONE

    @rule(kept=st.integers(0, 9), gone=st.integers(0, 9))
    def merges(self, kept: int, gone: int) -> None:
        with self.writing() as session:
            people = self._people(session)
            if len(people) < 2:
                return
            first, second = people[kept % len(people)], people[gone % len(people)]
            if first.id != second.id:
                joining.merge(session, first.id or 0, second.id or 0, actor="eva", language=first.language)

    @rule(who=st.integers(0, 9), goes=st.integers(0, 9), shared=st.booleans())
    def splits(self, who: int, goes: int, shared: bool) -> None:
        with self.writing() as session:
            people = self._people(session)
            if not people:
                return
            contact = people[who % len(people)]
            query = select(Endpoint).where(Endpoint.contact_id == contact.id).order_by(col(Endpoint.id))
            endpoints = [each for each in session.exec(query) if each.state == EndpointState.USABLE]
            if not endpoints:
                return
            chosen = [endpoints[goes % len(endpoints)].id or 0]
            if shared:
                joining.split(session, contact.id or 0, (), shared=chosen, name="Twin")
            elif len(endpoints) > 1:
                joining.split(session, contact.id or 0, chosen, name="Split")

    @precondition(lambda self: self.since_erasure > RARELY)
    @rule(who=st.integers(0, 9))
    def erases(self, who: int) -> None:
        """What the resident said is not forgotten: a later sheet may not say otherwise."""
        with hub().database.reading() as session:
            people = self._people(session)
        if people:
            self._erase(people[who % len(people)].id or 0)

    @precondition(lambda self: self.since_erasure > RARELY)
    @rule(which=st.integers(0, 1), onto=st.integers(0, 1))
    def is_erased_and_in_the_next_sheet_again(self, which: int, onto: int) -> None:
        with hub().database.reading() as session:
            owners = {each.contact_id for each in self._endpoints(session, "sms", self.phones[which])}
        for contact_id in sorted(owners):
            self._erase(contact_id)
        self._import([(which, -1, "yes")], onto)

    def _erase(self, contact_id: int) -> None:
        self.since_erasure = 0
        with self.writing() as session:
            contact = session.get_one(Contact, contact_id)
            places = self._places_of(session, contact.id or 0)
            residents.erase_everywhere(session, contact.id or 0, key=hub().settings.key(), actor="eva")
        for place in places:
            with hub().database.reading() as session:
                if not self._endpoints(session, *place):
                    self.words[place].may_be_refusing = False
                    self.words[place].forgotten = next(self.count)

    @rule(refused=st.booleans())
    def decides_what_a_resident_meant(self, refused: bool) -> None:
        with self.writing() as session:
            waiting = (
                select(Inbound, Endpoint)
                .join(Endpoint, col(Endpoint.id) == col(Inbound.endpoint_id))
                .where(
                    Inbound.kind == inbound.REFUSAL, col(Inbound.done_at).is_(None), col(Inbound.text) != ""
                )
                .where(col(Endpoint.address_key).in_([key for _, key in self.places]))
            )
            found = session.exec(waiting.order_by(col(Inbound.id))).first()
            if found is None:
                return
            row, endpoint = found
            place, at = (endpoint.channel, endpoint.address_key), row.at
            inbox.resolve(session, STAFF, row.id or 0, refused=refused)
            left = session.exec(waiting.where(Endpoint.address_key == endpoint.address_key)).first()
        if refused:
            self._say(place, None, False, at=at)
        self.words[place].may_be_refusing = bool(left) and not refused

    # -- sending

    @rule(
        to=st.sampled_from([0, 1]),
        channels=st.sampled_from([("sms",), ("email", "telegram"), ("sms", "email")]),
    )
    def plans_a_dispatch(self, to: int, channels: tuple[str, ...]) -> None:
        with self.writing() as session:
            name = next(each.name for each in lists.every(session) if each.id == self.lists[to])
            order = plan.Order(1, name, channels, "ana@city.example", again=True)
            dispatch = plan.plan(session, order, hub().channels, hub().renderer)
            control.start(session, dispatch, "ana@city.example")

    @rule(which=st.integers(0, 1), to=st.integers(0, 1), words=st.sampled_from([*NOES, *REFUSALS]))
    def says_no_between_plan_and_sending(self, which: int, to: int, words: str) -> None:
        self.plans_a_dispatch(to, ("sms",))
        self._text(which, words)
        if words in REFUSALS:
            self.words["sms", self.phones[which]].may_be_refusing = True
        self.claims_what_was_planned()

    @rule()
    def claims_what_was_planned(self) -> None:
        """Consent is asked again when a batch goes out, however long ago it was planned."""
        with self.writing() as session:
            query = (
                select(Batch, Dispatch)
                .join(Dispatch, col(Dispatch.id) == col(Batch.dispatch_id))
                .where(Batch.state == BatchState.READY, col(Dispatch.list_id).in_(self.lists))
            )
            for batch, dispatch in session.exec(query).all():
                claim = ledger.claim(session, batch.id or 0, "worker", per_household=False)
                assert claim is not None
                assert dispatch.list_id is not None
                for row in claim.rows:
                    self._check_may_get((claim.channel, row.address), dispatch.list_id)

    # -- what has to be true

    @invariant()
    def nobody_whose_latest_word_was_no_is_in_an_audience(self) -> None:
        if not hasattr(self, "places"):
            return
        self.since_erasure += 1
        with hub().database.reading() as session:
            for list_id in self.lists:
                reached = self._reached(session, Audience(list_id))
                for place in reached:
                    self._check_may_get(place, list_id)
                for place in set(self.places) - reached:
                    assert not self._has_to_get(session, place, list_id), (place, list_id, self.words[place])
            for place in self._reached(session, EVERYBODY):
                words = self.words[place]
                assert not words.may_be_refusing
                # Erasure forgets a yes to a list, and a sheet may bring it again: it still came after the no.
                assert not words.refuses_everything() or not all(map(words.refuses, self.lists)), words

    @invariant()
    def what_is_kept_equals_a_replay(self) -> None:
        if not hasattr(self, "places"):
            return
        with hub().database.reading() as session:
            for channel, key in self.places:
                for endpoint in self._endpoints(session, channel, key):
                    number = endpoint.id or 0
                    assert consent.present(session, number) == consent.replay(session, number)

    def _check_may_get(self, place: Place, list_id: int) -> None:
        words = self.words[place]
        assert not words.refuses(list_id), (place, list_id, words)
        assert not words.may_be_refusing, (place, words)

    def _has_to_get(self, session: Session, place: Place, list_id: int) -> bool:
        """Somebody who said yes to just this list, is on it and can be reached."""
        words = self.words[place]
        if not words.agrees(list_id) or words.may_be_refusing:
            return False
        return any(
            endpoint.state == EndpointState.USABLE and session.get(Membership, (list_id, endpoint.contact_id))
            for endpoint in self._endpoints(session, *place)
        )

    def _reached(self, session: Session, wanted: Audience) -> set[Place]:
        """The addresses of this run to which a dispatch would go now."""
        found = session.execute(self.audiences[wanted])
        return {(channel, key) for channel, key in found}

    def _audience(self, wanted: Audience) -> Any:
        """Built once for a run: that takes longer than asking."""
        parts = []
        for channel in ("sms", "email", "telegram"):
            spoken = {"en": "en", "es": "es"}
            rows = audience.candidates(channel, wanted, spoken, per_household=False).subquery()
            here = col(Endpoint.address_key).in_([key for _, key in self.places])
            parts.append(
                columns(col(Endpoint.channel), col(Endpoint.address_key))
                .join(rows, rows.c.endpoint_id == col(Endpoint.id))
                .where(rows.c.reason.is_(None), here)
            )
        return union_all(*parts)

    # -- helpers

    @contextmanager
    def writing(self) -> Iterator[Session]:
        with hub().database.session() as session:
            yield session
            session.commit()

    def _say(self, place: Place, list_id: int | None, decision: bool, at: datetime | None = None) -> None:
        self.words[place].said.append(Word(at or now(), not decision, next(self.count), list_id))

    def _take(self, channel: str, events: list[Event]) -> None:
        with self.writing() as session:
            for event in events:
                Residents(hub()).take(session, hub().channels[channel], event)

    def _endpoints(self, session: Session, channel: str, key: str) -> list[Endpoint]:
        query = select(Endpoint).where(Endpoint.channel == channel, Endpoint.address_key == key)
        return list(session.exec(query.order_by(col(Endpoint.id))))

    def _endpoints_of(self, place: Place) -> list[Endpoint]:
        with hub().database.reading() as session:
            return self._endpoints(session, *place)

    def _people(self, session: Session) -> list[Contact]:
        """The contacts of this run who are neither merged nor erased."""
        query = (
            select(Contact)
            .where(col(Contact.merged_into).is_(None), col(Contact.erased_at).is_(None))
            .where(
                select(Endpoint.id)
                .where(
                    Endpoint.contact_id == Contact.id,
                    col(Endpoint.address_key).in_([key for _, key in self.places]),
                )
                .exists()
            )
        )
        return list(session.exec(query.order_by(col(Contact.id))))

    def _places_of(self, session: Session, contact_id: int) -> list[Place]:
        query = select(Endpoint).where(Endpoint.contact_id == contact_id)
        return [(each.channel, each.address_key) for each in session.exec(query)]


def _letters(number: int) -> str:
    """A number as letters, so that no two runs share a word."""
    return "".join(chr(ord("f") + int(digit)) for digit in str(number))


_SID = itertools.count(1)


def _texted(number: str, text: str) -> list[Event]:
    """A text message as Twilio signs it, read by the real channel."""
    form = {"MessageSid": f"SM{next(_SID):032x}", "From": number, "To": "+15005550006", "Body": text}
    signature = RequestValidator(TOKEN).compute_signature(f"{PUBLIC}/hooks/sms", form)
    call = CallbackRequest(f"{PUBLIC}/hooks/sms", {"x-twilio-signature": signature}, urlencode(form).encode())
    return list(hub().channels["sms"].read_callback(call))


def play(examples: int, steps: int) -> None:
    run_state_machine_as_test(
        City,
        settings=settings(
            max_examples=examples, stateful_step_count=steps, deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )  # fmt: skip


def test_r5_r8_r32_nobody_whose_latest_word_was_no_is_sent_to() -> None:
    play(examples=12, steps=15)


@pytest.mark.slow
def test_r5_r8_r32_nobody_whose_latest_word_was_no_is_sent_to_in_many_stories() -> None:
    play(examples=300, steps=50)
