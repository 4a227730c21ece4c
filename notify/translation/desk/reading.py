"""What lies on the desk: a statement's translations, their sentences, and what they would come to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlmodel import Session, col, select

from notify import statements
from notify.statements import Origin, Revision, Statement, Text, Translation, source_hash
from notify.translation import glossary, sheet
from notify.translation.codes import standard
from notify.translation.desk import findings
from notify.translation.desk.refusals import NotPossible, Why
from notify.translation.engine import Engine
from notify.translation.models import TranslatedSentence as Row
from notify.translation.segmenting import Segmented, segment


def list_all(session: Session, statement: Statement) -> list[dict[str, Any]]:
    """Every translation of a statement: language, origin, whether it is approved or stale, its findings."""
    return [summary(session, statement, each) for each in statements.translations(session, statement)]


def summary(session: Session, statement: Statement, translation: Translation) -> dict[str, Any]:
    """One translation as `list_all` shows it."""
    found = shown(session, statement, translation)
    return {
        "language": translation.language,
        "origin": translation.origin,
        "engine": translation.engine,
        "approved": translation.approved_at is not None,
        "stale": is_stale(session, statement, translation),
        "title": translation.title,
        "sentences": len(found),
        "sentences_approved": sum(row.approved_at is not None for row in found),
        "findings": [
            {**finding, "sentence": row.number} for row in found for finding in findings.open_findings(row)
        ]
        + translation.findings_list,
    }


def rows(session: Session, statement: Statement, translation: Translation) -> list[Row]:
    """The sentences of a translation, of whichever revision it was made from; kept when first asked for."""
    found = shown(session, statement, translation)
    if any(row.id is None for row in found):
        session.add_all(found)
        session.flush()
    return found


def shown(session: Session, statement: Statement, translation: Translation) -> list[Row]:
    """The sentences of a translation for somebody who only looks: nothing is written."""
    if translation.id is None:
        return []
    query = select(Row).where(Row.translation_id == translation.id).order_by(col(Row.number))
    query = query.execution_options(populate_existing=True)
    return list(session.exec(query)) or _aligned(session, statement, translation)


def sentence(found: Sequence[Row], number: int) -> Row:
    """The sentence with this number.

    Raises:
        NotPossible: there is none.
    """
    for row in found:
        if row.number == number:
            return row
    raise NotPossible(Why.NO_SENTENCE, f"There is no sentence {number}; they go from 1 to {len(found)}.")


def find(session: Session, statement: Statement, language: str) -> Translation | None:
    """The translation to a language for somebody who only looks, if there is one.

    Raises:
        NotPossible: it is no language.
    """
    wanted = tag(language)
    there = (each for each in statements.translations(session, statement) if each.language == wanted)
    return next(there, None)


def existing(session: Session, statement: Statement, language: str) -> Translation:
    """The translation to a language, for somebody who will change it; see `there_or_new`.

    Raises:
        NotPossible: there is none yet; or the language is the source's, or no language.
    """
    translation = there_or_new(session, statement, language)
    if translation.id is None:
        raise NotPossible(
            Why.NO_TRANSLATION,
            f"{statement.reference} has no {translation.language} translation yet. Set one: "
            f"notify translation set {statement.id} {translation.language} FILE",
        )
    return translation


def there_or_new(session: Session, statement: Statement, language: str) -> Translation:
    """The translation to a language, there already or new; nobody else works on the statement until the commit.

    Without the lock, on PostgreSQL one person's words could come under another's approval of what stood there
    a moment before. SQLite's writing sessions wait for each other anyway.

    Raises:
        NotPossible: the language is the source's, or no language.
    """
    session.refresh(statement, with_for_update=True)
    if found := find(session, statement, language):
        session.refresh(found)
        return found
    wanted = tag(language)
    if wanted == statement.source_language:
        raise NotPossible(
            Why.LANGUAGE, f"{wanted} is the language of the source. Edit the statement instead."
        )
    return Translation(
        statement_id=statement.id or 0,
        language=wanted,
        origin=Origin.HUMAN,
        source_hash="",
        title="",
        short="",
        body="",
    )


def is_stale(session: Session, statement: Statement, translation: Translation) -> bool:
    """Whether the source has changed since."""
    return translation.source_hash != source_hash(statements.source(session, statement).text())


def segmented(session: Session, statement: Statement) -> Segmented:
    """The present source, cut into sentences."""
    text = statements.source(session, statement).text()
    return segment(sheet.source_text(text), statement.source_language)


def with_words(statement: Statement, source: Text, found: Sequence[Row], number: int, words: str) -> Text:
    """The translation as it would be with other words in one sentence; nothing is kept."""
    changed = [
        Row(translation_id=0, number=row.number, place=row.place, source=row.source, text=text)
        for row in found
        for text in [sheet.tidied(row, words) if row.number == number else row.text]
    ]
    return sheet.together(
        segment(sheet.source_text(source), statement.source_language), changed, source.actions
    )


def back(engine: Engine, statement: Statement, language: str, found: Sequence[Row]) -> list[str]:
    """Sentences translated back by the machine: a help for staff who do not read the language, never a proof.

    Raises:
        EngineError: the engine has no such pair, or cannot work.
    """
    words = [sheet.plain(row.text, row.place) for row in found]
    return [each.text for each in engine.translate(words, language, statement.source_language)]


def tag(language: str) -> str:
    """A language that people read, as BCP 47 writes it.

    Raises:
        NotPossible: it is none.
    """
    try:
        known = standard(language)
    except ValueError as error:
        raise NotPossible(Why.LANGUAGE, str(error)) from None
    if statements.is_stand_in(known):
        raise NotPossible(
            Why.LANGUAGE, f"{known} is no language that people read. Write one like en, es-MX or zh-Hant."
        )
    return known


def _aligned(session: Session, statement: Statement, translation: Translation) -> list[Row]:
    """The rows of a translation that came as a whole, from a playbook or an older revision."""
    made_from = next(
        (
            each.text()
            for each in session.exec(select(Revision).where(Revision.statement_id == statement.id))
            if source_hash(each.text()) == translation.source_hash
        ),
        None,
    )
    if made_from is None:
        return []
    source = segment(sheet.source_text(made_from), statement.source_language)
    found = sheet.align(source, translation.text(), translation.language)
    terms = glossary.load(session, statement.source_language, translation.language)
    for row in found:
        row.translation_id, row.origin = translation.id or 0, translation.origin
        row.editor_id, row.approved_by = translation.editor_id, translation.approved_by
        row.approved_at = translation.approved_at
        findings.examine(row, statement, translation.language, terms)
    return found
