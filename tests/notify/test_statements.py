"""Draft, review, approved, withdrawn: approved words only."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import Session
from world import ANA, BEN, ENGLISH, SPANISH, TARA, approved, hire

from channels.contract import Action
from notify import staff, statements
from notify.hub import Hub
from notify.staff import Role, StaffError
from notify.statements import NotApproved, State, StatementError, Text
from notify.translation.desk import approving, editing


@pytest.fixture
def session(make_hub: Callable[..., Hub]) -> Session:
    with make_hub().database.session() as session:
        yield session


def test_r34_the_author_cannot_approve(session: Session) -> None:
    ana, _, _ = hire(session)
    staff.add(session, ANA, [Role.APPROVER])
    statement = statements.draft(session, statements.parse(ENGLISH), ana)
    statements.submit(session, statement, ANA)
    with pytest.raises(StaffError, match="second person"):
        statements.approve(session, statement, ana)
    assert statement.state == State.REVIEW


def test_r34_the_last_editor_cannot_approve(session: Session) -> None:
    ana, ben, _ = hire(session)
    statement = statements.draft(session, statements.parse(ENGLISH), ana)
    statements.edit(session, statement, statements.parse(ENGLISH.replace("Monday", "Tuesday")).text, ben)
    statements.submit(session, statement, ANA)
    with pytest.raises(StaffError, match="second person"):
        statements.approve(session, statement, ben)


def test_r34_whoever_wrote_a_translation_cannot_approve_the_statement(session: Session) -> None:
    ana, ben, _ = hire(session)
    statement = statements.draft(session, statements.parse(ENGLISH), ana)
    editing.set_by_hand(session, statement, "es", statements.parse(SPANISH).text, ben)
    approving.approve(session, statement, "es", ben)
    statements.submit(session, statement, ANA)
    with pytest.raises(StaffError, match="second person"):
        statements.approve(session, statement, ben)


def test_an_approved_statement_has_its_texts(session: Session) -> None:
    statement = approved(session, es=SPANISH)
    assert sorted(statements.require_approved(session, statement.id)) == ["en", "es"]


@pytest.mark.parametrize("field", ["title", "short", "body", "actions"])
def test_r34_any_change_of_the_source_voids_the_approval(session: Session, field: str) -> None:
    statement = approved(session)
    row = statements.source(session, statement)
    setattr(
        row, field, '[{"label": "x", "value": "911"}]' if field == "actions" else getattr(row, field) + "."
    )
    session.add(row)
    session.flush()
    with pytest.raises(NotApproved, match="changed since"):
        statements.require_approved(session, statement.id)


def test_r34_an_added_translation_voids_the_approval(session: Session) -> None:
    statement = approved(session)
    tara = staff.find(session, TARA)
    editing.set_by_hand(session, statement, "es", statements.parse(SPANISH).text, tara)
    approving.approve(session, statement, "es", tara)
    with pytest.raises(NotApproved):
        statements.require_approved(session, statement.id)
    assert statement.state == State.REVIEW


def test_r33_a_translation_of_an_earlier_text_is_stale(session: Session) -> None:
    statement = approved(session, es=SPANISH)
    ana = staff.find(session, ANA)
    statements.edit(session, statement, statements.parse(ENGLISH.replace("9:00", "10:00")).text, ana)
    assert sorted(statements.ready_texts(session, statement)) == ["en"]
    with pytest.raises(StatementError, match="earlier text"):
        approving.approve(session, statement, "es", staff.find(session, TARA))


def test_an_unapproved_translation_is_no_part_of_the_statement(session: Session) -> None:
    ana, _, tara = hire(session)
    statement = statements.draft(session, statements.parse(ENGLISH), ana)
    editing.set_by_hand(session, statement, "es", statements.parse(SPANISH).text, tara)
    assert sorted(statements.ready_texts(session, statement)) == ["en"]


def test_a_draft_and_a_withdrawn_statement_are_refused(session: Session) -> None:
    ana, ben, _ = hire(session)
    statement = statements.draft(session, statements.parse(ENGLISH), ana)
    with pytest.raises(NotApproved, match="draft"):
        statements.require_approved(session, statement.id)
    with pytest.raises(StatementError, match="Submit it first"):
        statements.approve(session, statement, ben)
    statements.withdraw(session, statement, BEN)
    with pytest.raises(NotApproved, match="withdrawn"):
        statements.require_approved(session, statement.id)
    with pytest.raises(StatementError, match="new statement"):
        statements.submit(session, statement, ANA)


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("no head at all", "no head"),
        ("---\ntitle: a\n", "no head"),
        ("---\n- a\n---\nbody", "no fields"),
        ("---\ntitle: a: b: c\n---\nbody", "quotation marks"),
        ("---\nshort: s\n---\nbody", "title: it is empty"),
        ("---\ntitle: t\n---\nbody", "short: it is empty"),
        ("---\ntitle: t\nshort: s\n---\n", "body: it is empty"),
        ("---\ntitle: t\nshort: s\nkind: panic\n---\nb", "kind: 'panic'"),
        ("---\ntitle: t\nshort: s\nlanguage: Spanish language\n---\nb", "language: 'Spanish language'"),
        ("---\ntitle: t\nshort: s\nauthor: me\n---\nb", "author: there is no such field"),
        ("---\ntitle: t\nshort: s\nactions: call\n---\nb", "actions: write a list"),
        ("---\ntitle: t\nshort: s\nactions:\n - label: a\n   value: javascript:alert(1)\n---\nb", "item 1"),
        ("---\ntitle: t\nshort: s\nactions:\n - label: a\n   value: javascript://x/%0aalert(1)\n---\nb", "item 1"),
        ("---\ntitle: t\nshort: s\nactions:\n - label: ''\n   value: '911'\n---\nb", "label needs 1 to"),
        (f"---\ntitle: {'t' * 201}\nshort: s\n---\nb", "Shorten it by 1"),
        (f"---\ntitle: t\nshort: s\n---\n{'b' * 20_001}", "at most 20000"),
        ("---\ntitle: t\nshort: s\n---\nbe\x00ll", "U+0000"),
        ("---\ntitle: t\nshort: \"a\\nb\"\n---\nb", "line breaks"),
    ],
)  # fmt: skip
def test_a_draft_that_does_not_fit_names_place_and_cure(source: str, told: str) -> None:
    with pytest.raises(StatementError) as error:
        statements.parse(source)
    assert told in str(error.value)


@given(st.text(max_size=300))
def test_any_text_is_a_draft_or_a_clear_error(source: str) -> None:
    for text in (source, f"---\n{source}\n---\nbody", f"---\ntitle: t\nshort: s\n---\n{source}"):
        with contextlib.suppress(StatementError):  # any other error fails the test
            assert statements.check_text(statements.parse(text).text) == []


def test_the_words_come_back_as_they_were(session: Session) -> None:
    words = Text(
        "<b>t</b> {{ x }}", '#read("/etc/passwd")', "سلام 555-0134 👋🏽 e\u0301", (Action("a", "911"),)
    )
    ana, _, _ = hire(session)
    statement = statements.draft(session, statements.Draft(words, statements.Kind.NOTICE, "en"), ana)
    session.expire_all()
    assert statements.source(session, statement).text() == words


def test_a_person_without_the_role_may_not(session: Session) -> None:
    _, _, tara = hire(session)
    with pytest.raises(StaffError, match="role approver"):
        statements.approve(session, approved(session), tara)
    with pytest.raises(StaffError, match="author"):
        staff.allowed(session, TARA, staff.Deed.DRAFT)
