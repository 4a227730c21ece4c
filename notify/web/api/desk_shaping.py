"""How translations and their sentences are found and shown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlmodel import Session, col, select

from notify import statements
from notify.staff import Staff
from notify.statements import Statement, Translation
from notify.translation import sheet
from notify.translation.desk import reading
from notify.translation.desk.findings import open_findings
from notify.translation.models import TranslatedSentence as Row
from notify.web.api.calls import Answer, Trace
from notify.web.api.desk_problems import at_the_desk
from notify.web.api.problems import not_there
from notify.web.api.seeing import tagged
from notify.web.api.translation_shapes import (
    FindingShape,
    NumberedFinding,
    SentenceShape,
    SignatureShape,
    TranslationShape,
    TranslationSummary,
    WordsShape,
)

Emails = Mapping[int, str]


def statement_there(session: Session, statement_id: int) -> Statement:
    """The statement with this number.

    Raises:
        Problem: there is none.
    """
    found = session.get(Statement, statement_id)
    if found is None:
        raise not_there("statement")
    return found


def translation_there(session: Session, statement: Statement, language: str) -> Translation:
    """The translation to a language, for somebody who only looks.

    Raises:
        Problem: there is none.
    """
    with at_the_desk():
        found = reading.find(session, statement, language)
    if found is None:
        raise not_there("translation")
    return found


def summarized(session: Session, statement: Statement, translation: Translation) -> TranslationSummary:
    """How far a translation is."""
    return TranslationSummary.model_validate(reading.summary(session, statement, translation))


def whole(session: Session, statement: Statement, translation: Translation) -> Answer:
    """A translation beside its source, with its ETag."""
    found = reading.shown(session, statement, translation)
    emails = _emails(session, [translation.approved_by, *_people(found)])
    return tagged(
        Answer(
            TranslationShape(
                statement_id=statement.id or 0,
                source_language=statement.source_language,
                language=translation.language,
                origin=statements.Origin(translation.origin).value,
                engine=translation.engine,
                approved=translation.approved_at is not None,
                approved_by=emails.get(translation.approved_by or 0),
                approved_at=translation.approved_at,
                stale=reading.is_stale(session, statement, translation),
                text=WordsShape.model_validate(translation.text()),
                findings=[FindingShape.model_validate(each) for each in translation.findings_list],
                sentences=[_sentence(row, emails) for row in found],
            )
        )
    )


def one_sentence(session: Session, row: Row, trace: Trace | None = None) -> Answer:
    """A sentence beside its source, with its ETag."""
    return tagged(Answer(_sentence(row, _emails(session, _people([row]))), trace=trace))


def _sentence(row: Row, emails: Emails) -> SentenceShape:
    return SentenceShape.model_validate(
        {
            **row.model_dump(include={"number", "place", "source", "text", "origin", "engine"}),
            "source_visible": sheet.plain(row.source, row.place),
            "text_visible": sheet.plain(row.text, row.place),
            "edited_by": emails.get(row.editor_id or 0),
            "edited_at": row.edited_at,
            "approved_by": emails.get(row.approved_by or 0),
            "approved_at": row.approved_at,
            "findings": _numbered(row),
            "signatures": [SignatureShape.model_validate(each) for each in row.signed],
        }
    )


def _numbered(row: Row) -> list[NumberedFinding]:
    waiting: Sequence[dict[str, Any]] = open_findings(row)
    return [
        NumberedFinding.model_validate({**each, "number": number, "signed_off": each not in waiting})
        for number, each in enumerate(row.findings, start=1)
    ]


def _people(found: Iterable[Row]) -> list[int | None]:
    return [number for row in found for number in (row.editor_id, row.approved_by)]


def _emails(session: Session, numbers: Iterable[int | None]) -> Emails:
    wanted = {number for number in numbers if number}
    query = select(Staff.id, Staff.email).where(col(Staff.id).in_(wanted))
    return {number: email for number, email in session.exec(query) if number} if wanted else {}
