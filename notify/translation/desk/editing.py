"""A person writes: a translation as a whole, or one sentence of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session

from contacts.columns import now
from notify import statements
from notify.staff import Staff
from notify.statements import Origin, Statement, StatementError, Text, Translation, check_text
from notify.translation import glossary, sheet
from notify.translation.desk import findings, keeping, reading, rules
from notify.translation.desk.refusals import NotPossible, Why
from notify.translation.models import TranslatedSentence as Row


def set_by_hand(
    session: Session, statement: Statement, language: str, text: Text, editor: Staff
) -> Translation:
    """Keep a person's translation of the whole; it has to be approved before it leaves.

    Raises:
        NotTheirs: the person may not translate.
        StatementError: the language is the source's or no language, or the text does not fit.
    """
    rules.require_translator(editor)
    if problems := [*check_text(text), *_other_actions(session, statement, text)]:
        raise StatementError(*problems)
    translation = reading.there_or_new(session, statement, language)
    new = sheet.align(reading.segmented(session, statement), text, translation.language)
    terms = glossary.load(session, statement.source_language, translation.language)
    for row in new:
        _write(row, row.text, editor)
        findings.examine(row, statement, translation.language, terms)
    translation.origin, translation.engine, translation.editor_id = Origin.HUMAN, "", editor.id
    return keeping.keep(session, statement, translation, new, editor, text)


def edit(
    session: Session,
    statement: Statement,
    language: str,
    number: int,
    text: str,
    editor: Staff,
    *,
    seen: str | None = None,
) -> Row:
    """Replace one sentence of a translation; it has to be approved again, the others stay as they are.

    Args:
        session: an open session that may write.
        statement: what is translated.
        language: BCP 47.
        number: of the sentence, from 1.
        text: the sentence; in the body, inline Markdown.
        editor: who writes it.
        seen: what stood there when they began, so that nobody's words are lost unseen; None does not ask.

    Raises:
        NotTheirs: the person may not translate.
        NotPossible: there is no such translation or sentence, it is stale, changed meanwhile, or empty.
    """
    rules.require_translator(editor)
    translation = reading.existing(session, statement, language)
    rules.refuse_stale(session, statement, translation)
    found = reading.rows(session, statement, translation)
    row = reading.sentence(found, number)
    rules.refuse_unseen([row], {number: seen} if seen is not None else {})
    words = sheet.tidied(row, text)
    if not words:
        raise NotPossible(Why.EMPTY, f"Sentence {number} is empty. Write it.")
    _write(row, words, editor)
    findings.examine(
        row,
        statement,
        translation.language,
        glossary.load(session, statement.source_language, translation.language),
    )
    translation.origin, translation.engine, translation.editor_id = Origin.HUMAN, "", editor.id
    keeping.keep(session, statement, translation, found, editor)
    return row


@dataclass(frozen=True, slots=True)
class Before:
    """A sentence as it was before a change, and whose words those were."""

    text: str
    origin: str
    engine: str
    score: float | None
    editor_id: int | None
    edited_at: datetime | None

    @classmethod
    def of(cls, row: Row) -> Before:
        """A sentence as it is now."""
        return cls(row.text, row.origin, row.engine, row.score, row.editor_id, row.edited_at)


def put_back(
    session: Session,
    statement: Statement,
    language: str,
    number: int,
    before: Before,
    editor: Staff,
    *,
    seen: str,
) -> Row:
    """Take back one's own change: the words are again whose they were. It has to be approved again.

    Args:
        session: an open session that may write.
        statement: what is translated.
        language: BCP 47.
        number: of the sentence, from 1.
        before: the sentence as it was.
        editor: who changed it.
        seen: what their change made of it.

    Raises:
        NotTheirs: the person may not translate.
        NotPossible: there is no such translation or sentence, it is stale, or somebody has changed it meanwhile.
    """
    rules.require_translator(editor)
    translation = reading.existing(session, statement, language)
    rules.refuse_stale(session, statement, translation)
    found = reading.rows(session, statement, translation)
    row = reading.sentence(found, number)
    rules.refuse_unseen([row], {number: seen})
    _write(row, before.text, editor)
    row.origin, row.engine, row.score = before.origin, before.engine, before.score
    row.editor_id, row.edited_at = before.editor_id, before.edited_at
    row.findings = []
    if row.text:
        terms = glossary.load(session, statement.source_language, translation.language)
        findings.examine(row, statement, translation.language, terms)
    keeping.keep(session, statement, translation, found, editor)
    return row


def _other_actions(session: Session, statement: Statement, text: Text) -> list[str]:
    wanted = [each.value for each in statements.source(session, statement).text().actions]
    given = [each.value for each in text.actions]
    if len(wanted) == len(given):
        return []
    return [
        f"actions: the source has {len(wanted)}, the translation {len(given)}. Give as many, in the same order."
    ]


def _write(row: Row, text: str, editor: Staff) -> None:
    row.text, row.origin, row.engine, row.score = text, Origin.HUMAN, "", None
    row.editor_id, row.edited_at = editor.id, now()
    row.approved_by = row.approved_at = None
    row.signed = []
