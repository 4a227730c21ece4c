"""R33, R34: no path sends a text that nobody answers for.

Hypothesis plays a city's desk: people draft, translate, edit, sign off and approve; the machine and the memory
fill in; the glossary changes; statements are submitted, approved, withdrawn; dispatches are planned, started
and claimed by the real engine. Beside it runs a model in plain Python that knows only who wrote and who
approved which words, as bytes, and after every step what would leave is held against it.
"""

from __future__ import annotations

import itertools
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from xml.sax.saxutils import escape

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
from sqlmodel import Session, col, select
from world import readers, residents

import templates
from channels.contract import Action, Channel, City, Finding, Rendering
from notify import staff, statements
from notify.dispatch import control, plan
from notify.dispatch.engine import Engine as Sender
from notify.dispatch.models import Dispatch, DispatchState
from notify.dispatch.plan import DispatchError, Order
from notify.hub import Hub
from notify.rendering import Renderer
from notify.settings import load
from notify.staff import Role, Staff, StaffError
from notify.statements import Draft, Kind, NotApproved, Statement, StatementError, Text, Translation
from notify.translation import memory
from notify.translation.desk import approving, editing, preparing, reading
from notify.translation.engine import Sentence
from notify.translation.exchange import read_tmx
from notify.translation.models import MemoryEntry, Term, TermKind

ROLES = {
    "ana": [Role.AUTHOR],
    "ben": [Role.APPROVER],
    "cora": [Role.APPROVER, Role.AUTHOR],
    "tara": [Role.TRANSLATOR],
    "luz": [Role.TRANSLATOR],
    "lee": [Role.LIAISON],
}
READS = {"tara": {"es", "ht"}, "luz": {"so"}}  # the others have not been asked
TRANSLATE = {"ana", "ben", "cora", "tara", "luz"}
PEOPLE = st.sampled_from(sorted(ROLES))
READERS = st.sampled_from(["cora", "ana", "tara", "luz", "ben", "lee"])
LANGUAGES = st.sampled_from(["es", "ht", "so"])
POLICIES = st.dictionaries(LANGUAGES, st.sampled_from(["hold", "notice", "both es", "both ht"]))
WHICH = st.integers(0, 1)
CHANNELS = ("email", "sms")

SENTENCES = [
    "You are not alone.",
    "A vigil will be held at 7:00 p.m. on Friday at City Hall.",
    "Call 555-0100.",
    "Read the **whole plan** on [the city's page](https://city.example/plan).",
    "Nobody was hurt.",
    "Thank you for your patience.",
]
LINK = "(https://city.example/plan)"
KNOWN = {
    "es": ["No están solos.", "Habrá una vigilia el viernes a las 7:00 p. m. en City Hall.", "Llame al 555-0100."],
    "ht": ["Ou pa poukont ou.", "Gen yon veye vandredi a 7:00 p.m. nan City Hall.", "Rele 555-0100."],
    "so": ["Kaligaa ma tihid.", "Habeenka Jimcaha 7:00 p.m. waxaa City Hall ka dhacaya baroordiiq.", "Wac 555-0100."],
}  # fmt: skip
BODIES = st.lists(st.lists(st.sampled_from(SENTENCES), min_size=1, max_size=3), min_size=1, max_size=3)
SOURCES = st.builds(
    lambda title, short, body, label: Text(
        title, short, "\n\n".join(map(" ".join, body)), (Action(label, "https://city.example/plan"),) if label else ()
    ),
    st.sampled_from(["You are not alone.", "What we do now"]),
    st.sampled_from(["Call 555-0100.", "You are not alone. Call 555-0100."]),
    BODIES,
    st.sampled_from(["", "What we do now", "Call 555-0100."]),
)  # fmt: skip

Pair = tuple[str, str]
REACHED: Counter[str] = Counter()


class Parrot:
    """A machine that says the same with a mark before it, so that its words are known anywhere."""

    name, local = "parrot", True

    def pairs(self) -> set[Pair]:
        return {("en", "es"), ("en", "ht"), ("en", "so")}

    def describe(self, source: str, target: str) -> str:
        return f"parrot 1 {source}-{target}"

    def translate(self, texts: Sequence[str], source: str, target: str) -> list[Sentence]:
        return [Sentence(f"Krra {text}", -0.1, (source, target)) for text in texts]

    def health(self) -> Sequence[Finding]:
        return ()


class Recording(Renderer):
    """The real renderer, that notes which words it is given."""

    def __init__(self, city: City) -> None:
        super().__init__(city)
        self.seen: list[tuple[int, str, Text]] = []

    def rendering(self, statement: Statement, text: Text, language: str, channel: Channel) -> Rendering:
        self.seen.append((statement.id or 0, language, text))
        return super().rendering(statement, text, language, channel)


@dataclass
class Record:
    """What people did with one statement, as bytes."""

    author: str
    source: Text
    editor: str
    withdrawn: bool = False
    policy: dict[str, str] = field(default_factory=dict)
    sentences: set[tuple[str, str, str]] = field(
        default_factory=set
    )  # language, source, text: a reader approved
    wholes: set[tuple[str, Text, Text]] = field(
        default_factory=set
    )  # language, source, text: a reader approved
    wrote: dict[tuple[str, str, str], str] = field(default_factory=dict)  # language, source, text: who, last
    signed: list[tuple[str, Text, dict[str, Text]]] = field(
        default_factory=list
    )  # who, of which source, all texts


SHORT = Text("You are not alone.", "Call 555-0100.", "Nobody was hurt. Thank you for your patience.")


@cache
def hub() -> Hub:
    """One hub for all runs: each has statements of its own."""
    folder = Path(tempfile.mkdtemp(prefix="notify-desk-"))
    made = Hub(
        load(
            state_dir=folder, secret_key="of the state machine", public_url="https://notify.rivermouth.example",
            city={"name": "Rivermouth", "languages": ["en", "es", "ht", "so"]},
            email={"host": "127.0.0.1", "port": 9, "from": "mayor@rivermouth.example", "security": "none"},
            sms={"account_sid": "AC" + "0" * 32, "auth_token": "0" * 32, "from": "+15005550006"},
        )
    )  # fmt: skip
    with made.database.session() as session:
        for name, roles in ROLES.items():
            staff.add(session, f"{name}@city.example", roles, reads=READS.get(name, ()))
        session.commit()
    people = [each for at, tag in enumerate(["en", "es", "ht", "so"]) for each in readers(1, tag, at)]
    residents(made, folder, people)
    made.renderer = Recording(made.settings.as_city())
    return made


def reads(person: str, language: str) -> bool:
    return person in TRANSLATE and language in READS.get(person, {language})


class TheDesk(RuleBasedStateMachine):
    """Every way in, every way out."""

    def __init__(self) -> None:
        super().__init__()
        self.records: dict[int, Record] = {}
        self.count = itertools.count()
        self.two_people = False
        self.reached: set[str] = set()

    @initialize(
        two_people=st.booleans(), source=SOURCES, signed=st.sets(LANGUAGES), by_people=st.sets(LANGUAGES),
        by_machine=st.sets(LANGUAGES), policy=POLICIES,
    )  # fmt: skip
    def begin(
        self, two_people: bool, source: Text, signed: set[str], by_people: set[str], by_machine: set[str],
        policy: dict[str, str],
    ) -> None:  # fmt: skip
        """A statement with translations of every kind, signed: most harm begins there."""
        self.two_people = two_people
        with self.writing() as session:
            for table in (Term, MemoryEntry):
                for each in session.exec(select(table)):
                    session.delete(each)
        self.draft("ana", source, signed, signed)
        for languages, by in ((by_people, "people"), (by_machine, "machine")):
            self.bring_it_to_a_signature(0, languages, by, policy, True, "ben")

    # Words

    @precondition(lambda self: len(self.records) < 2)
    @rule(
        who=st.sampled_from(["ana", "cora"]),
        source=SOURCES,
        playbook=st.sets(LANGUAGES),
        signed=st.sets(LANGUAGES),
    )
    def draft(self, who: str, source: Text, playbook: set[str], signed: set[str]) -> None:
        given = {language: self._written(source, language) for language in sorted(playbook)}
        with self.writing() as session:
            made = statements.draft(
                session,
                Draft(source, Kind.CRISIS, "en", translations=given, signed=frozenset(signed)),
                self._person(session, who),
            )
            record = self.records[made.id or 0] = Record(who, source, who)
            for each in statements.translations(session, made):
                if each.language in signed:  # the city has signed the playbook
                    record.wholes.add((each.language, source, given[each.language]))
                    record.sentences |= {
                        (each.language, row.source, row.text) for row in reading.rows(session, made, each)
                    }

    @precondition(lambda self: self.records)
    @rule(which=WHICH, who=PEOPLE, source=SOURCES)
    def edit_source(self, which: int, who: str, source: Text) -> None:
        with self.trying() as session:
            found = self._any(session, which)
            statements.edit(session, found, source, self._person(session, who))
            record = self.records[found.id or 0]
            assert not record.withdrawn
            record.source, record.editor = source, who

    @precondition(lambda self: self.records)
    @rule(which=WHICH, who=PEOPLE, language=LANGUAGES, machine=st.booleans())
    def prepare(self, which: int, who: str, language: str, machine: bool) -> None:
        with self.trying() as session:
            found = self._any(session, which)
            preparing.prepare(
                session, found, language, Parrot() if machine else None, self._person(session, who)
            )
            assert who in TRANSLATE

    @precondition(lambda self: self.records)
    @rule(which=WHICH, who=PEOPLE, language=LANGUAGES, otherwise=st.booleans())
    def write_whole(self, which: int, who: str, language: str, otherwise: bool) -> None:
        with self.trying() as session:
            found = self._any(session, which)
            text = self._written(self.records[found.id or 0].source, language, joined=otherwise)
            kept = editing.set_by_hand(session, found, language, text, self._person(session, who))
            assert who in TRANSLATE
            assert kept.text() == text
            for row in reading.rows(session, found, kept):
                self.records[found.id or 0].wrote[language, row.source, row.text] = who

    @precondition(lambda self: self.records)
    @rule(which=WHICH, who=PEOPLE, language=LANGUAGES, number=st.integers(1, 6))
    def edit_sentence(self, which: int, who: str, language: str, number: int) -> None:
        with self.trying() as session:
            found, kept = self._any_translation(session, which, language)
            before = [(row.source, row.text) for row in reading.rows(session, found, kept)]
            words = self._sentence(kept.language)
            row = editing.edit(session, found, kept.language, number, words, self._person(session, who))
            assert who in TRANSLATE
            self.records[found.id or 0].wrote[kept.language, row.source, row.text] = who
            after = [(row.source, row.text) for row in reading.rows(session, found, kept)]
            assert [each for at, each in enumerate(after, 1) if at != number] == [
                each for at, each in enumerate(before, 1) if at != number
            ]

    # Approvals

    @precondition(lambda self: self.records)
    @rule(which=WHICH, who=READERS, language=LANGUAGES)
    def sign_off(self, which: int, who: str, language: str) -> None:
        with self.trying() as session:
            found, kept = self._any_translation(session, which, language)
            for row in reading.rows(session, found, kept):
                for at, each in enumerate(row.findings, start=1):
                    if each["severity"] == "blocking":
                        approving.sign_off(
                            session, found, kept.language, row.number, at, "So it is said.", self._person(session, who)
                        )  # fmt: skip
                        assert reads(who, kept.language)

    @precondition(lambda self: self.records)
    @rule(
        which=WHICH, who=READERS, language=LANGUAGES, some=st.none() | st.sets(st.integers(1, 8), min_size=1)
    )
    def approve_translation(self, which: int, who: str, language: str, some: set[int] | None) -> None:
        with self.trying() as session:
            found, kept = self._any_translation(session, which, language)
            record, language = self.records[found.id or 0], kept.language
            rows = reading.rows(session, found, kept)
            read = [(language, row.source, row.text) for row in rows if some is None or row.number in some]
            new = [each for each in read if each not in record.sentences]
            approving.approve(
                session, found, language, self._person(session, who), numbers=some, two_people=self.two_people
            )
            self.reached.add("sentences approved")
            assert reads(who, language)
            assert all(text for _, _, text in read)
            if self.two_people:
                assert who not in {record.wrote.get(each) for each in new}
            record.sentences |= set(read)
            if {(language, row.source, row.text) for row in rows} <= record.sentences:
                record.wholes.add((language, record.source, kept.text()))
                self.reached.add("translation approved")

    @precondition(lambda self: self.records)
    @rule(
        which=WHICH,
        policy=POLICIES,
    )
    def submit(self, which: int, policy: dict[str, str]) -> None:
        with self.trying() as session:
            found = self._any(session, which)
            statements.submit(session, found, "ana", missing=policy)
            self.records[found.id or 0].policy = policy

    @precondition(lambda self: self.records)
    @rule(which=WHICH, who=PEOPLE)
    def approve(self, which: int, who: str) -> None:
        with self.trying() as session:
            found = self._any(session, which)
            record = self.records[found.id or 0]
            shown = statements.ready_texts(session, found)
            theirs = self._writers(session, found, shown)
            statements.approve(session, found, self._person(session, who))
            assert Role.APPROVER in ROLES[who]
            assert who not in theirs
            record.signed.append((who, record.source, shown))
            self.reached.add(f"signed with {len(shown)}")

    @precondition(lambda self: self.records)
    @rule(which=WHICH, really=st.sampled_from([False, False, False, True]))
    def withdraw(self, which: int, really: bool) -> None:
        with self.trying() as session:
            found = self._any(session, which)
            if not really:
                return
            statements.withdraw(session, found, "ana")
            self.records[found.id or 0].withdrawn = True

    @precondition(lambda self: self.records)
    @rule(
        which=WHICH, languages=st.sets(LANGUAGES), by=st.sampled_from(["machine", "people"]), policy=POLICIES,
        answered=st.sampled_from([True, True, False]), who=st.sampled_from(["ben", "ben", "cora"]),
    )  # fmt: skip
    def bring_it_to_a_signature(
        self, which: int, languages: set[str], by: str, policy: dict[str, str], answered: bool, who: str
    ) -> None:
        """The usual way in one go, so that what follows begins at an approved statement as often as not."""
        for language in sorted(languages):
            if by == "people":
                self.write_whole(which, "ana", language, False)
            else:
                self.prepare(which, "ana", language, True)
            if answered:
                self.sign_off(which, "cora", language)
                self.approve_translation(which, "cora", language, None)
        self.submit(which, policy)
        self.approve(which, who)

    # What the desk learns from

    @rule(sentence=st.sampled_from(SENTENCES), language=LANGUAGES, replace=st.booleans())
    def import_memory(self, sentence: str, language: str, replace: bool) -> None:
        with self.writing() as session, tempfile.NamedTemporaryFile("w", suffix=".tmx") as file:
            file.write(
                '<tmx version="1.4"><header/><body><tu>'
                f'<tuv xml:lang="en"><seg>{escape(sentence)}</seg></tuv>'
                f'<tuv xml:lang="{language}"><seg>{escape(self._sentence(language))}</seg></tuv></tu></body></tmx>'
            )
            file.flush()
            read_tmx(session, Path(file.name), "en", replace=replace)

    @rule(sentence=st.sampled_from(SENTENCES), language=LANGUAGES)
    def remember(self, sentence: str, language: str) -> None:
        with self.writing() as session:
            memory.keep(
                session, "en", language, sentence, self._sentence(language), approved_by="another city"
            )

    @rule(
        kind=st.sampled_from(list(TermKind)),
        term=st.sampled_from(["City Hall", "vigil", "555-0100", "solos"]),
    )
    def change_glossary(self, kind: TermKind, term: str) -> None:
        target = "" if kind is TermKind.KEEP else "es"
        with self.writing() as session:
            known = session.exec(select(Term).where(Term.kind == kind)).first()
            if known:
                session.delete(known)
            elif kind is TermKind.FORBIDDEN:
                session.add(
                    Term(kind=kind, source_language="", target_language=target, source="", target=term)
                )
            else:
                session.add(
                    Term(
                        kind=kind,
                        source_language="en",
                        target_language=target,
                        source=term,
                        target="velatorio",
                    )
                )

    # Dispatch

    @precondition(lambda self: self.records)
    @rule(which=WHICH, again=st.booleans(), at_once=st.booleans())
    def plan(self, which: int, again: bool, at_once: bool) -> None:
        with self.trying() as session:
            found = self._any(session, which)
            order = Order(found.id or 0, None, CHANNELS, "ana", again=again)
            dispatch = plan.plan(session, order, hub().channels, hub().renderer)
            assert self.records[found.id or 0].signed
            if at_once:
                control.start(session, dispatch, "ana")

    @precondition(lambda self: self.records)
    @rule(which=WHICH, names=st.sets(st.sampled_from(CHANNELS), min_size=1))
    def plan_and_send(self, which: int, names: set[str]) -> None:
        self.plan(which, True, True)
        for name in sorted(names):
            self.send(name)

    @precondition(lambda self: self.records)
    @rule(which=WHICH)
    def start(self, which: int) -> None:
        with self.trying() as session:
            waiting = list(
                session.exec(select(Dispatch).where(col(Dispatch.statement_id).in_(list(self.records))))
            )
            if waiting:
                control.start(session, waiting[which % len(waiting)], "ana")

    @rule(name=st.sampled_from(CHANNELS))
    def send(self, name: str) -> None:
        """What the engine does: claim, ask whether the words are still signed, compose."""
        recording = hub().renderer
        assert isinstance(recording, Recording)
        recording.seen.clear()
        sender = Sender(hub().database, hub().settings, hub().channels, recording, hub().tokens)
        while found := sender._find(hub().channels[name], False):
            claim, address, record = found
            with record:
                record.remove()
            for row in claim.rows:
                assert address(row).renderings, row.language
        for number, language, text in recording.seen:
            if number in self.records:
                self._answered_for(number, {language: text})
                self.reached.add("sent")

    @invariant()
    def what_may_leave_is_answered_for(self) -> None:
        with hub().database.session() as session:
            for number in self.records:
                try:
                    texts = statements.require_approved(session, number)
                except NotApproved:
                    continue
                assert texts["en"] == self.records[number].source
                assert texts in [all_texts for _, _, all_texts in self.records[number].signed]
                self._answered_for(number, texts)

    def _answered_for(self, number: int, texts: dict[str, Text]) -> None:
        """Each text was approved as these bytes, beside the present source, and signed with it."""
        record = self.records[number]
        assert not record.withdrawn
        assert any(
            source == record.source and texts.items() <= all_texts.items()
            for _, source, all_texts in record.signed
        )
        for tag, text in texts.items():
            if tag == "en":
                assert text == record.source
            elif "-x-" in tag:
                assert text.body in self._stand_ins(record, tag.partition("-x-")[2])
            else:
                assert (tag, record.source, text) in record.wholes
                assert "Krra" not in text.body or any("Krra" in words for _, _, words in record.sentences)

    def _stand_ins(self, record: Record, language: str) -> set[str]:
        """The bodies that the city's choice for a language allows: the notice, the source, an approved text."""
        way, _, other = record.policy[language].partition(" ")
        assert way in {"notice", "both"}
        notice = templates.phrases(language)["untranslated"].format(
            language=templates.language_name("en", language)
        )
        alone = f"{notice}\n\n---\n\n{record.source.body}"
        return {alone} | {
            f"{alone}\n\n---\n\n{text.body}"
            for tag, source, text in record.wholes
            if tag == other and source == record.source
        }

    def _writers(self, session: Session, found: Statement, texts: dict[str, Text]) -> set[str]:
        """Who wrote any of these words."""
        record = self.records[found.id or 0]
        names = {record.author, record.editor}
        for each in statements.translations(session, found):
            if each.language in texts:
                rows = reading.rows(session, found, each)
                names |= {
                    record.wrote[pair]
                    for row in rows
                    if (pair := (each.language, row.source, row.text)) in record.wrote
                }
        return names

    def _written(self, source: Text, language: str, *, joined: bool = False) -> Text:
        """A person's translation: sentence for sentence, or cut otherwise than the source is."""
        blocks = [
            " ".join(
                self._sentence(language, sentence)
                for sentence in SENTENCES
                for _ in range(block.count(sentence))
            )
            for block in source.body.split("\n\n")
        ]
        body = "\n\n".join(blocks)
        return Text(
            self._sentence(language, source.title),
            self._sentence(language, source.short),
            body.replace("\n\n", " ") if joined else body,
            tuple(Action(self._sentence(language, each.label), each.value) for each in source.actions),
        )

    def _sentence(self, language: str, source: str = "") -> str:
        """Words that nobody has used before, with the facts of the source."""
        number = next(self.count)
        mark = "".join("bdfgklmnprst"[int(digit)] + "aeiou"[int(digit) % 5] for digit in str(number))
        words = KNOWN[language][2 if "555-0100" in source else number % 2]
        return f"{words[:-1]}, [{mark}]{LINK}." if LINK in source else f"{words[:-1]}, {mark}."

    def teardown(self) -> None:
        REACHED.update(self.reached)

    @contextmanager
    def writing(self) -> Iterator[Session]:
        with hub().database.session() as session:
            yield session
            session.commit()

    @contextmanager
    def trying(self) -> Iterator[Session]:
        """A step that the hub may refuse; what it refuses leaves nothing behind."""
        with hub().database.session() as session:
            try:
                yield session
                session.commit()
            except (StatementError, StaffError, DispatchError):
                session.rollback()

    def _person(self, session: Session, name: str) -> Staff:
        return staff.find(session, f"{name}@city.example")

    def _any(self, session: Session, which: int) -> Statement:
        return statements.find(session, sorted(self.records)[which % len(self.records)])

    def _any_translation(self, session: Session, which: int, language: str) -> tuple[Statement, Translation]:
        found = self._any(session, which)
        for each in statements.translations(session, found):
            if each.language == language:
                return found, each
        raise StatementError("none yet")


def play(examples: int, steps: int) -> None:
    run_state_machine_as_test(
        TheDesk,
        settings=settings(
            max_examples=examples, stateful_step_count=steps, deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )  # fmt: skip


def test_r33_the_play_itself_reaches_an_approved_text_that_is_sent() -> None:
    play = TheDesk()
    play.draft("ana", SHORT, set(), set())
    play.bring_it_to_a_signature(0, {"es", "so"}, "people", {"ht": "notice"}, True, "ben")
    play.plan_and_send(0, {"email"})
    play.what_may_leave_is_answered_for()
    assert play.reached >= {"sentences approved", "translation approved", "signed with 4", "sent"}


def test_r33_a_dispatch_planned_for_a_language_that_is_not_approved_any_more_pauses() -> None:
    play = TheDesk()
    play.draft("ana", SHORT, set(), set())
    play.bring_it_to_a_signature(0, {"es", "so"}, "people", {"ht": "notice"}, True, "ben")
    play.plan(0, True, True)
    play.edit_source(0, "ana", Text(SHORT.title, SHORT.short, "Thank you.", ()))
    play.send("email")
    play.bring_it_to_a_signature(0, {"es"}, "people", {}, True, "ben")
    with play.writing() as session:
        (dispatch,) = session.exec(select(Dispatch).where(col(Dispatch.statement_id).in_(list(play.records))))
        assert dispatch.state == DispatchState.PAUSED
        control.resume(session, dispatch, "ana")
    play.send("email")
    with hub().database.reading() as session:
        found = session.get_one(Dispatch, dispatch.id)
        assert (found.state, "plan a new one" in found.reason) == (DispatchState.PAUSED, True)


def test_r33_r34_nothing_leaves_that_nobody_answers_for() -> None:
    play(examples=8, steps=20)


@pytest.mark.slow
def test_r33_r34_nothing_leaves_that_nobody_answers_for_in_a_long_time() -> None:
    play(examples=300, steps=60)
