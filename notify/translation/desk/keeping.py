"""A translation is written down with its sentences; it is not approved any more."""

from __future__ import annotations

from collections.abc import Sequence

from sqlmodel import Session, col, delete

from contacts.columns import now
from notify import audit, statements
from notify.staff import Staff
from notify.statements import Statement, Text, Translation, check_text, source_hash
from notify.translation import sheet
from notify.translation.facts import Kind, Severity, TextFinding
from notify.translation.machine import layout_findings
from notify.translation.models import TranslatedSentence as Row
from notify.translation.segmenting import segment


def keep(
    session: Session,
    statement: Statement,
    translation: Translation,
    found: Sequence[Row],
    actor: Staff,
    text: Text | None = None,
) -> Translation:
    """Write a translation and its sentences; it is not approved any more, nor is the statement.

    Args:
        session: an open session that may write.
        statement: what is translated.
        translation: there already or new.
        found: all its sentences, in their order.
        actor: who does it.
        text: the whole, where it came as a whole; else it is put together from the sentences.
    """
    original = statements.source(session, statement).text()
    source = segment(sheet.source_text(original), statement.source_language)
    whole = text or sheet.together(source, found, original.actions)
    translation.take(whole)
    translation.editors = sorted({row.editor_id for row in found if row.editor_id})
    translation.source_hash = source_hash(original)
    translation.approved_by, translation.approved_at, translation.at = None, None, now()
    translation.note([*layout_findings(source, whole.body), *_unfit(whole)])
    session.add(translation)
    session.flush()
    _replace_rows(session, translation, found)
    statements.words_changed(session, statement, actor.email)
    audit.record(
        session, actor.email, f"translation.{translation.origin}", f"statement {statement.id}",
        language=translation.language, sentences=len(found), findings=sum(len(row.findings) for row in found),
    )  # fmt: skip
    return translation


def _replace_rows(session: Session, translation: Translation, found: Sequence[Row]) -> None:
    kept = {row.id for row in found if row.id is not None}
    session.execute(delete(Row).where(col(Row.translation_id) == translation.id, col(Row.id).not_in(kept)))
    for row in found:
        row.translation_id = translation.id or 0
    session.add_all(found)
    session.flush()


def _unfit(text: Text) -> list[TextFinding]:
    return [TextFinding(Severity.BLOCKING, Kind.UNFIT, each) for each in check_text(text)]
