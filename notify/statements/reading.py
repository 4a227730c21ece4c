"""A statement's words as they are now: the source, its translations, and what residents would read."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from sqlmodel import Session, select

from notify.statements.models import Revision, Statement, Translation
from notify.statements.standins import stand_ins
from notify.statements.texts import StatementError, Text
from templates import phrases


def find(session: Session, statement_id: int) -> Statement:
    """The statement with this number.

    Raises:
        StatementError: there is none.
    """
    statement = session.get(Statement, statement_id)
    if statement is None:
        raise StatementError(f"There is no statement {statement_id}. See `notify statement list`.")
    return statement


def source(session: Session, statement: Statement) -> Revision:
    """The present source text."""
    return session.exec(
        select(Revision).where(Revision.statement_id == statement.id, Revision.number == statement.revision)
    ).one()


def translations(session: Session, statement: Statement) -> list[Translation]:
    """Every translation of the statement, approved or not, by language."""
    return list(
        session.exec(
            select(Translation).where(Translation.statement_id == statement.id).order_by(Translation.language)
        )
    )


def source_hash(text: Text) -> str:
    """What a translation was made from."""
    return hashlib.sha256(_canonical(text.as_dict())).hexdigest()


def ready_texts(session: Session, statement: Statement) -> dict[str, Text]:
    """What residents would read now: the source, and each translation that is approved and not stale (R33)."""
    original = source(session, statement).text()
    made_from = source_hash(original)
    texts = {statement.source_language: original}
    for translation in translations(session, statement):
        if translation.approved_at is not None and translation.source_hash == made_from:
            texts.setdefault(translation.language, translation.text())
    return texts | stand_ins(statement, texts)


def content_hash(statement: Statement, texts: dict[str, Text]) -> str:
    """SHA-256 over every word residents will read, the fixed sentences around the text included."""
    return hashlib.sha256(
        _canonical(
            {
                "kind": statement.kind,
                "source": statement.source_language,
                "texts": {language: text.as_dict() for language, text in texts.items()},
                "phrases": {language: phrases(language) for language in texts},
            }
        )
    ).hexdigest()


def _canonical(tree: Any) -> bytes:
    return json.dumps(tree, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
