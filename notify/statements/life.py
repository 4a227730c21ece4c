"""The life of a statement: draft, review, approved, withdrawn. An approval signs a hash of every word.

The dispatcher asks `require_approved`, the same function that every page and command asks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlmodel import Session, col, select

from contacts.columns import now
from notify import audit
from notify.staff import Deed, Staff, StaffError
from notify.statements.models import Approval, Origin, Revision, State, Statement, Translation
from notify.statements.reading import content_hash, find, ready_texts, source, source_hash, translations
from notify.statements.texts import Draft, StatementError, Text, check_text


class NotApproved(StatementError):
    """Residents may not read this: it is not approved as it is now."""


def draft(session: Session, draft: Draft, author: Staff) -> Statement:
    """Keep a new statement; its playbook translations with it."""
    statement = Statement(
        kind=draft.kind,
        source_language=draft.language,
        series=draft.series,
        playbook=draft.playbook,
        author_id=_id(author),
    )
    session.add(statement)
    session.flush()
    revision = _add_revision(session, statement, draft.text, author)
    for language, text in sorted(draft.translations.items()):
        _add_playbook_translation(
            session, statement, revision, language, text, signed=language in draft.signed
        )
    audit.record(session, author.email, "statement.draft", _subject(statement), playbook=draft.playbook)
    return statement


def edit(session: Session, statement: Statement, text: Text, editor: Staff) -> None:
    """Replace the source text: a new revision, back to draft, every translation stale.

    Raises:
        StatementError: it is withdrawn, or the text does not fit.
    """
    if statement.state == State.WITHDRAWN:
        raise StatementError(f"{statement.reference} is withdrawn. Draft a new statement.")
    if problems := check_text(text):
        raise StatementError(*problems)
    statement.revision += 1
    statement.state = State.DRAFT
    session.add(statement)
    _add_revision(session, statement, text, editor)
    audit.record(session, editor.email, "statement.edit", _subject(statement), revision=statement.revision)


def submit(
    session: Session, statement: Statement, actor: str, missing: Mapping[str, str] | None = None
) -> None:
    """Hand a draft over for approval.

    Args:
        session: an open session that may write.
        statement: a draft.
        actor: who hands it over.
        missing: for languages, what their readers get without an approved translation: "hold" (nothing),
            "notice" (the source, with a notice in their language), or "both fr" (that, and the French text).

    Raises:
        StatementError: it is no draft.
    """
    _move(statement, {State.DRAFT}, State.REVIEW)
    statement.missing = dict(missing or {})
    session.add(statement)
    audit.record(session, actor, "statement.submit", _subject(statement), revision=statement.revision)


def approve(session: Session, statement: Statement, approver: Staff) -> Approval:
    """Sign exactly what residents will read, all approved languages included (R34).

    Raises:
        StaffError: not an approver, or the author or last editor of any of these words.
        StatementError: it is not in review.
    """
    if not approver.may(Deed.APPROVE):
        raise StaffError(f"{approver.email} may not approve: this needs the role approver.")
    if approver.id in writers(session, statement):
        raise StaffError(
            f"{approver.email} wrote or edited {statement.reference}. A second person has to approve it."
        )
    _move(statement, {State.REVIEW}, State.APPROVED)
    texts = ready_texts(session, statement)
    approval = Approval(
        statement_id=_id(statement),
        revision=statement.revision,
        content_hash=content_hash(statement, texts),
        languages=" ".join(sorted(texts)),
        staff_id=_id(approver),
        role="approver",
    )
    session.add_all([statement, approval])
    session.flush()
    audit.record(
        session, approver.email, "statement.approve", _subject(statement),
        content_hash=approval.content_hash, languages=approval.languages,
    )  # fmt: skip
    return approval


def withdraw(session: Session, statement: Statement, actor: str) -> None:
    """Take the statement back: what has not been sent will not be.

    Raises:
        StatementError: it already is withdrawn.
    """
    _move(statement, {State.DRAFT, State.REVIEW, State.APPROVED}, State.WITHDRAWN)
    statement.withdrawn_at = now()
    session.add(statement)
    audit.record(session, actor, "statement.withdraw", _subject(statement))


def words_changed(session: Session, statement: Statement, actor: str) -> None:
    """Void the approval after a translation was added, changed or taken away."""
    if statement.state == State.APPROVED:
        statement.state = State.REVIEW
        session.add(statement)
        audit.record(session, actor, "statement.approval_void", _subject(statement))


def require_approved(session: Session, statement_id: int) -> dict[str, Text]:
    """The texts that may be sent, if a second person signed exactly these (R33, R34).

    Raises:
        NotApproved: withdrawn, never signed, or changed since.
    """
    statement = find(session, statement_id)
    if statement.state != State.APPROVED:
        raise NotApproved(
            f"{statement.reference} is {_said(statement.state)}, not approved. {_cure(statement)}"
        )
    texts = ready_texts(session, statement)
    approval = last_approval(session, statement)
    if approval is None or approval.content_hash != content_hash(statement, texts):
        raise NotApproved(
            f"{statement.reference} has changed since it was approved. Submit and approve it again."
        )
    return texts


def last_approval(session: Session, statement: Statement) -> Approval | None:
    """The newest signature under the statement."""
    return session.exec(
        select(Approval)
        .where(Approval.statement_id == statement.id)
        .order_by(col(Approval.id).desc())
        .limit(1)
    ).first()


def writers(session: Session, statement: Statement) -> set[int]:
    """The staff who wrote what would be signed: the author, the last editor, the translations' editors."""
    approved = [each for each in translations(session, statement) if each.approved_at]
    editors = {person for each in approved for person in (each.editor_id, *each.editors) if person}
    return {statement.author_id, source(session, statement).editor_id} | editors


def _move(statement: Statement, allowed: set[State], to: State) -> None:
    if statement.state not in allowed:
        raise StatementError(f"{statement.reference} is {_said(statement.state)}. {_cure(statement)}")
    statement.state = to


def _said(state: str) -> str:
    return {State.DRAFT: "a draft", State.REVIEW: "in review"}.get(State(state), state)


def _cure(statement: Statement) -> str:
    return {
        State.DRAFT: f"Submit it first: notify statement submit {statement.id}",
        State.REVIEW: f"A second person has to approve it: notify statement approve {statement.id} --as EMAIL",
        State.APPROVED: "Nothing is left to do but to send it.",
        State.WITHDRAWN: "Draft a new statement.",
    }[State(statement.state)]


def _add_revision(session: Session, statement: Statement, text: Text, editor: Staff) -> Revision:
    revision = Revision(
        statement_id=_id(statement),
        number=statement.revision,
        editor_id=_id(editor),
        title="",
        short="",
        body="",
    )
    revision.take(text)
    session.add(revision)
    session.flush()
    return revision


def _add_playbook_translation(
    session: Session, statement: Statement, revision: Revision, language: str, text: Text, *, signed: bool
) -> None:
    translation = Translation(
        statement_id=_id(statement),
        language=language,
        origin=Origin.PLAYBOOK,
        source_hash=source_hash(revision.text()),
        approved_at=now() if signed else None,
        title="",
        short="",
        body="",
    )
    translation.take(text)
    session.add(translation)
    session.flush()


def _subject(statement: Statement) -> str:
    return f"statement {statement.id}"


def _id(row: Any) -> int:
    if row.id is None:
        raise RuntimeError("The row has not been saved yet.")
    return int(row.id)
