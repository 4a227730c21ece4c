"""The desk: where translations are made, written, looked at and approved. Nothing leaves before that."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from sqlmodel import Session

from channels.contract import Action
from contacts.columns import now
from notify import audit, statements
from notify.staff import Deed, Staff, StaffError
from notify.statements import Origin, Statement, StatementError, Text, Translation, check_text, source_hash
from notify.translation.codes import standard
from notify.translation.engine import Engine
from notify.translation.facts import check
from notify.translation.machine import Draft, SourceText, translate_text


def list_all(session: Session, statement: Statement) -> list[dict[str, Any]]:
    """Every translation of a statement: language, origin, whether it is approved or stale, its findings."""
    made_from = source_hash(statements.source(session, statement).text())
    return [
        {
            "language": each.language,
            "origin": each.origin,
            "engine": each.engine,
            "approved": each.approved_at is not None,
            "stale": each.source_hash != made_from,
            "title": each.title,
            "findings": json.loads(each.findings),
        }
        for each in statements.translations(session, statement)
    ]


def set_by_hand(
    session: Session, statement: Statement, language: str, text: Text, editor: Staff
) -> Translation:
    """Keep a person's translation; it has to be approved before it leaves.

    Raises:
        StaffError: the person may not translate.
        StatementError: the language is the source's or no language, or the text does not fit.
    """
    _may(editor)
    if problems := check_text(text):
        raise StatementError(*problems)
    translation = _at(session, statement, language)
    translation.origin, translation.engine, translation.editor_id = Origin.HUMAN, "", editor.id
    return _keep(session, statement, translation, text, _findings(session, statement, text), editor)


def by_machine(
    session: Session, statement: Statement, language: str, engine: Engine, actor: Staff
) -> Translation:
    """Let an engine draft a translation; it is held until a person approves it.

    Raises:
        StaffError: the person may not translate.
        StatementError: the language does not fit, or what came out does not.
        EngineError: the engine has no such pair, or cannot work.
    """
    _may(actor)
    translation = _at(session, statement, language)
    original = statements.source(session, statement).text()
    made = translate_text(
        engine,
        SourceText(
            original.title, original.short, original.body, tuple(each.label for each in original.actions)
        ),
        statement.source_language,
        translation.language,
    )
    text = _of(made, original)
    if problems := check_text(text):
        raise StatementError(*problems)
    translation.origin, translation.editor_id = Origin.MACHINE, None
    translation.engine = made.engine
    return _keep(session, statement, translation, text, [asdict(each) for each in made.findings], actor)


def approve(session: Session, statement: Statement, language: str, reviewer: Staff) -> Translation:
    """A person has read the translation beside its source and answers for it.

    Raises:
        StaffError: the person may not review translations.
        StatementError: there is none, or it is stale.
    """
    _may(reviewer)
    translation = _existing(session, statement, language)
    if translation.source_hash != source_hash(statements.source(session, statement).text()):
        raise StatementError(
            f"The {translation.language} translation is of an earlier text. Set it again: "
            f"notify translation set {statement.id} {translation.language} FILE"
        )
    translation.approved_by, translation.approved_at = reviewer.id, now()
    session.add(translation)
    statements.words_changed(session, statement, reviewer.email)
    audit.record(
        session, reviewer.email, "translation.approve", f"statement {statement.id}", language=translation.language,
        text_hash=source_hash(translation.text()),
    )  # fmt: skip
    return translation


def _may(person: Staff) -> None:
    if not person.may(Deed.TRANSLATE):
        raise StaffError(f"{person.email} may not {Deed.TRANSLATE}: this needs the role translator.")


def _tag(language: str) -> str:
    try:
        return standard(language)
    except ValueError as error:
        raise StatementError(str(error)) from None


def _at(session: Session, statement: Statement, language: str) -> Translation:
    """The row for a language, there already or new."""
    tag = _tag(language)
    if tag == statement.source_language:
        raise StatementError(f"{tag} is the language of the source. Edit the statement instead.")
    for each in statements.translations(session, statement):
        if each.language == tag:
            return each
    return Translation(
        statement_id=statement.id or 0,
        language=tag,
        origin=Origin.HUMAN,
        source_hash="",
        title="",
        short="",
        body="",
    )


def _existing(session: Session, statement: Statement, language: str) -> Translation:
    translation = _at(session, statement, language)
    if translation.id is None:
        raise StatementError(
            f"{statement.reference} has no {translation.language} translation yet. Set one: "
            f"notify translation set {statement.id} {translation.language} FILE"
        )
    return translation


def _keep(
    session: Session,
    statement: Statement,
    translation: Translation,
    text: Text,
    findings: list[Any],
    actor: Staff,
) -> Translation:
    translation.take(text)
    translation.source_hash = source_hash(statements.source(session, statement).text())
    translation.approved_by, translation.approved_at, translation.at = None, None, now()
    translation.findings = json.dumps(findings, ensure_ascii=False, default=str)
    session.add(translation)
    session.flush()
    statements.words_changed(session, statement, actor.email)
    audit.record(
        session, actor.email, f"translation.{translation.origin}", f"statement {statement.id}",
        language=translation.language, findings=len(findings),
    )  # fmt: skip
    return translation


def _findings(session: Session, statement: Statement, text: Text) -> list[Any]:
    """What the facts check says about a person's translation: told, never blocking here."""
    original = statements.source(session, statement).text()
    pairs = (
        ("title", original.title, text.title),
        ("short", original.short, text.short),
        ("body", original.body, text.body),
    )
    return [
        {"field": name, **asdict(finding)}
        for name, source, target in pairs
        for finding in check(source, target, source_language=statement.source_language)
    ]


def _of(made: Draft, original: Text) -> Text:
    actions = tuple(
        Action(label, action.value)
        for label, action in zip(made.action_labels, original.actions, strict=True)
    )
    return Text(made.title, made.short, made.body, actions)
