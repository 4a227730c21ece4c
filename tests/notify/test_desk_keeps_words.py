"""What people wrote stays as they wrote it: byte for byte, whoever else is at work."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlmodel import Session
from world import ANA, BEN, SPANISH, TARA, approved, hire

from channels.contract import Action
from contacts.columns import now
from notify import staff, statements
from notify.hub import Hub
from notify.settings import load
from notify.statements import Draft, Kind, Statement, StatementError, Text, Translation
from notify.translation import markup
from notify.translation.desk import approving, editing, preparing, reading
from notify.translation.models import TranslatedSentence

WORDS = st.lists(
    st.sampled_from(
        [
            "# ", "> ", "- ", "1. ", "  ", "\n", "\n\n", "\n\n", "**", "*", "_", "`", "[", "](https://a.gov)",
            "<https://b.gov>",
            "\\", "&amp;", "words. ", "Next one! ", "Is it? ", "Call 555-0100. ", "```\n", "---", "2026. ", ": ", "…",
            "🎗", "\r\n", "\u00a0", "你好。", "مرحبا. ",
        ]
    ),
    min_size=1, max_size=14,
).map("".join).filter(str.strip)  # fmt: skip
LINES = st.lists(
    st.sampled_from(["You are not alone. ", "Call 555-0100. ", "Yes! ", "Why? ", "1. ", "…", "*so* ", "City Hall"]),
    min_size=1, max_size=4,
).map("".join).filter(str.strip)  # fmt: skip
TEXTS = st.builds(Text, LINES, LINES, WORDS)
USUAL = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Session:
    hub = Hub(load(state_dir=tmp_path_factory.mktemp("desk"), secret_key="of the test"))
    with hub.database.session() as session:
        hire(session)
        yield session


def _translated(session: Session, source: Text, text: Text) -> tuple[Statement, Translation]:
    statement = statements.draft(session, Draft(source, Kind.UPDATE, "en"), staff.find(session, ANA))
    kept = editing.set_by_hand(session, statement, "es", text, staff.find(session, TARA))
    moment = now()
    for row in reading.rows(session, statement, kept):  # whatever the checks say of such words
        row.findings, row.approved_by, row.approved_at = [], 1, moment
    kept.approved_by, kept.approved_at = 1, moment
    session.flush()
    return statement, kept


@USUAL
@given(TEXTS, TEXTS)
def test_preparing_again_without_a_change_keeps_every_byte_and_approval(
    session: Session, source: Text, text: Text
) -> None:
    statement, kept = _translated(session, source, text)
    before = [row.model_dump() for row in reading.rows(session, statement, kept)]
    work = preparing.prepare(session, statement, "es", None, staff.find(session, TARA))
    assert (work.new, work.carried) == (0, len(before))
    assert [row.model_dump() for row in reading.rows(session, statement, kept)] == before
    assert (kept.text(), kept.approved_by) == (text, 1)


@USUAL
@given(TEXTS, TEXTS, st.integers(0), WORDS)
def test_an_edit_leaves_every_other_sentence_as_it_is(
    session: Session, source: Text, text: Text, at: int, words: str
) -> None:
    statement, kept = _translated(session, source, text)
    before = [(row.source, row.text, row.approved_at) for row in reading.rows(session, statement, kept)]
    if not before or not " ".join(markup.tidy(words).split()):
        return
    number = at % len(before) + 1
    editing.edit(session, statement, "es", number, words, staff.find(session, TARA))
    after = [(row.source, row.text, row.approved_at) for row in reading.rows(session, statement, kept)]
    assert after[: number - 1] + after[number:] == before[: number - 1] + before[number:]
    assert after[number - 1][2] is None
    assert kept.approved_at is None


@USUAL
@given(TEXTS, TEXTS)
def test_an_edit_that_changes_nothing_of_the_source_carries_every_sentence(
    session: Session, source: Text, text: Text
) -> None:
    statement, kept = _translated(session, source, text)
    before = [(row.source, row.text, row.approved_at) for row in reading.rows(session, statement, kept)]
    statements.edit(session, statement, source, staff.find(session, ANA))
    preparing.prepare(session, statement, "es", None, staff.find(session, TARA))
    assert [
        (row.source, row.text, row.approved_at) for row in reading.rows(session, statement, kept)
    ] == before


def _sentences(session: Session, statement: Statement) -> list[TranslatedSentence]:
    (kept,) = statements.translations(session, statement)
    return reading.rows(session, statement, kept)


def test_a_sentence_that_stands_twice_keeps_each_translation_where_it_was(session: Session) -> None:
    source = Text("Help", "Call us.", "Call us. We are here. Call us.")
    text = Text("Ayuda", "Llame.", "Llámenos. Aquí estamos. Llámenos ya.")
    statement, _ = _translated(session, source, text)
    changed = Text("Help", "Call us.", "We are here. Call us.")
    statements.edit(session, statement, changed, staff.find(session, ANA))
    preparing.prepare(session, statement, "es", None, staff.find(session, TARA))
    assert [row.text for row in _sentences(session, statement)] == [
        "Ayuda", "Llame.", "Aquí estamos.", "Llámenos ya.",
    ]  # fmt: skip


def test_a_label_does_not_get_the_translation_of_a_title_that_changed(session: Session) -> None:
    source = Text("Help", "We are here.", "Call us.")
    source = Text(source.title, source.short, source.body, (Action("Help", "211"),))
    text = Text("Socorro", "Aquí estamos.", "Llame.", (Action("Ayuda", "211"),))
    statement, _ = _translated(session, source, text)
    changed = Text("Get help", source.short, source.body, source.actions)
    statements.edit(session, statement, changed, staff.find(session, ANA))
    preparing.prepare(session, statement, "es", None, staff.find(session, TARA))
    assert [row.text for row in _sentences(session, statement)] == ["", "Aquí estamos.", "Llame.", "Ayuda"]


@pytest.fixture
def hub(make_hub: Callable[..., Hub]) -> Hub:
    hub = make_hub()
    with hub.database.session() as session:
        approved(session, es=SPANISH)
        session.commit()
    return hub


def test_two_translators_at_once_lose_no_word(hub: Hub) -> None:
    problems: list[Exception] = []

    def write(email: str, number: int) -> None:
        try:
            for turn in "abcd":
                with hub.database.session() as session:
                    statement = statements.find(session, 1)
                    editing.edit(
                        session, statement, "es", number, f"Nuevo {turn}.", staff.find(session, email)
                    )
                    session.commit()
        except Exception as error:
            problems.append(error)

    both = [threading.Thread(target=write, args=given) for given in ((TARA, 1), (BEN, 4))]
    for each in both:
        each.start()
    for each in both:
        each.join()
    assert problems == []
    with hub.database.session() as session:
        (kept,) = statements.translations(session, statements.find(session, 1))
        assert (kept.title, kept.body.split("\n\n")[-1]) == ("Nuevo d.", "Nuevo d.")
        assert [row.text for row in reading.rows(session, statements.find(session, 1), kept)].count(
            "Nuevo d."
        ) == 2


def test_r34_an_approval_never_covers_an_edit_made_at_the_same_moment(hub: Hub) -> None:
    """The reviewer has read the rows; the editor is faster; the approval finds the new words, not its own."""
    with hub.database.session() as session:
        editing.edit(session, statements.find(session, 1), "es", 1, "Abierta", staff.find(session, TARA))
        session.commit()
    reviewer_has_read, editor_is_done = threading.Event(), threading.Event()
    told: list[str] = []

    def review() -> None:
        with hub.database.reading() as session:
            seen = {row.number: row.text for row in _sentences(session, statements.find(session, 1))}
        reviewer_has_read.set()
        editor_is_done.wait(20)
        with hub.database.session() as session:
            try:
                approving.approve(
                    session, statements.find(session, 1), "es", staff.find(session, BEN), seen=seen
                )
            except StatementError as error:
                told.append(str(error))

    thread = threading.Thread(target=review)
    thread.start()
    reviewer_has_read.wait(20)
    with hub.database.session() as session:
        editing.edit(session, statements.find(session, 1), "es", 4, "Cerrada.", staff.find(session, TARA))
        session.commit()
    editor_is_done.set()
    thread.join()
    assert told == ["Somebody else has changed sentence 4 meanwhile. Look at it again."]


@pytest.mark.postgres
@pytest.mark.slow
def test_r34_an_open_edit_holds_an_approval_back(hub: Hub) -> None:
    """PostgreSQL lets two write at once: without the lock, the approval would fall on the editor's words."""
    with hub.database.session() as session:
        editing.edit(session, statements.find(session, 1), "es", 1, "Abierta", staff.find(session, TARA))
        session.commit()
    asked = threading.Event()

    def review() -> None:
        with hub.database.session() as session:
            if not hub.database.is_sqlite:
                found = statements.find(session, 1)
                _sentences(session, found)  # read before the edit is committed
            asked.set()
            approving.approve(session, statements.find(session, 1), "es", staff.find(session, BEN))
            session.commit()

    with hub.database.session() as session:
        editing.edit(session, statements.find(session, 1), "es", 4, "Cerrada.", staff.find(session, TARA))
        thread = threading.Thread(target=review)
        thread.start()
        if not hub.database.is_sqlite:
            asked.wait(20)
        session.commit()
    thread.join()
    with hub.database.reading() as session:
        rows = _sentences(session, statements.find(session, 1))
        assert [row.text for row in rows if row.approved_at is None] == []
        assert rows[3].text == "Cerrada."  # approved as it is now, on purpose: it was read after the commit
