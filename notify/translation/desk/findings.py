"""What the checks say about a sentence: asked when its words change, and when the glossary does."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from sqlmodel import Session, col, select

from notify.statements import State, Statement, Translation
from notify.translation import checks, glossary, sheet
from notify.translation.facts import Kind, TextFinding
from notify.translation.glossary import Glossary
from notify.translation.models import TranslatedSentence as Row


def examine(
    row: Row, statement: Statement, language: str, terms: Glossary, told: Iterable[TextFinding] = ()
) -> None:
    """Ask the checks about a sentence, and keep what they say with it.

    Args:
        row: the sentence.
        statement: what is translated.
        language: of the translation, BCP 47.
        terms: the city's, for this pair of languages.
        told: what the machine has found already.
    """
    found = checks.examine(
        sheet.plain(row.source, row.place),
        sheet.plain(row.text, row.place),
        source_language=statement.source_language,
        target_language=language,
        glossary=terms,
    )
    both = {(each.kind, each.fact): each for each in (*told, *found)}
    row.findings = [{**asdict(each), "place": row.place} for each in both.values()]


def examine_again(session: Session) -> None:
    """Check every sentence that waits for approval against the glossary as it is now: it has changed."""
    query = (
        select(Row, Translation, Statement)
        .join(Translation, col(Translation.id) == col(Row.translation_id))
        .join(Statement, col(Statement.id) == col(Translation.statement_id))
        .where(col(Row.approved_at).is_(None), Row.text != "", Statement.state != State.WITHDRAWN)
    )
    glossaries: dict[tuple[str, str], Glossary] = {}
    for row, translation, statement in session.exec(query).all():
        pair = (statement.source_language, translation.language)
        if pair not in glossaries:
            glossaries[pair] = glossary.load(session, *pair)
        machines = [each for each in row.findings if each["kind"] in {Kind.EMPHASIS, Kind.SCORE}]
        examine(row, statement, translation.language, glossaries[pair])
        row.findings = [*row.findings, *machines]
        session.add(row)


def open_findings(row: Row) -> list[dict[str, Any]]:
    """What the checks say about a sentence and nobody has signed off."""
    signed = {(each["kind"], each["fact"]) for each in row.signed}
    return [each for each in row.findings if (each["kind"], each["fact"]) not in signed]
