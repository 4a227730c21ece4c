"""A person answers by name: for a finding, for sentences read beside their source, and so for the whole."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from sqlmodel import Session

from contacts.columns import now
from notify import audit, statements
from notify.staff import Staff
from notify.statements import Statement, Translation, source_hash
from notify.translation import memory, sheet
from notify.translation.desk import findings, reading, rules
from notify.translation.desk.refusals import NotPossible, NotTheirs, Why
from notify.translation.facts import Severity
from notify.translation.models import TranslatedSentence as Row


def sign_off(
    session: Session,
    statement: Statement,
    language: str,
    number: int,
    finding: int,
    reason: str,
    person: Staff,
    *,
    seen: str | None = None,
) -> Row:
    """A person answers by name for a finding of one sentence.

    Args:
        session: an open session that may write.
        statement: what is translated.
        language: BCP 47.
        number: of the sentence, from 1.
        finding: its number among the sentence's findings, from 1.
        reason: why it is right as it is.
        person: who answers for it.
        seen: the sentence as they read it; None does not ask.

    Raises:
        NotTheirs: the person may not translate, or does not read the language.
        NotPossible: there is no such finding, no reason, or the sentence has changed meanwhile.
    """
    translation = reading.existing(session, statement, language)
    rules.require_reader(person, translation.language)
    row = reading.sentence(reading.rows(session, statement, translation), number)
    rules.refuse_unseen([row], {number: seen} if seen is not None else {})
    if not 1 <= finding <= len(row.findings):
        raise NotPossible(
            Why.NO_FINDING,
            f"Sentence {number} has {len(row.findings)} findings; there is no number {finding}.",
        )
    if len(reason.strip()) < 3:
        raise NotPossible(Why.NO_REASON, "Say why the sentence is right as it is, in a few words.")
    about = row.findings[finding - 1]
    signature = {
        "kind": about["kind"],
        "fact": about["fact"],
        "by": person.email,
        "reason": reason.strip(),
        "at": now().isoformat(),
    }
    row.signed = [*row.signed, signature]
    session.add(row)
    audit.record(
        session, person.email, "translation.sign_off", f"statement {statement.id}", language=translation.language,
        sentence=number, kind=about["kind"], reason=reason.strip(),
    )  # fmt: skip
    return row


def approve(
    session: Session,
    statement: Statement,
    language: str,
    reviewer: Staff,
    *,
    numbers: Collection[int] | None = None,
    two_people: bool = False,
    seen: Mapping[int, str] | None = None,
) -> Translation:
    """A person has read sentences beside their source and answers for them; with the last one, for the whole.

    Args:
        session: an open session that may write.
        statement: what is translated.
        language: BCP 47.
        reviewer: who has read them.
        numbers: of the sentences; None is all of them.
        two_people: nobody approves a sentence that they were the last to edit.
        seen: by number, the sentences as the person read them; None does not ask.

    Raises:
        NotTheirs: the person may not review translations, does not read the language, or edited a sentence last.
        NotPossible: there is none, it is stale, a sentence is empty or changed meanwhile, or a finding blocks it.
    """
    translation = reading.existing(session, statement, language)
    rules.require_reader(reviewer, translation.language)
    rules.refuse_stale(session, statement, translation)
    found = reading.rows(session, statement, translation)
    chosen = [reading.sentence(found, number) for number in sorted(numbers)] if numbers is not None else found
    rules.refuse_unseen(chosen, seen or {})
    waiting = [row for row in chosen if row.approved_at is None]
    _refuse_own(waiting, reviewer, two_people=two_people)
    _refuse_faulty(chosen)
    for row in waiting:
        _approve_row(session, statement, translation, row, reviewer)
    if all(row.approved_at for row in found):
        _approve_whole(session, statement, translation, reviewer)
    return translation


def _refuse_own(waiting: Sequence[Row], reviewer: Staff, *, two_people: bool) -> None:
    own = [str(row.number) for row in waiting if row.editor_id == reviewer.id]
    if two_people and own:
        raise NotTheirs(
            Why.OWN_EDIT,
            f"{reviewer.email} was the last to edit sentence {', '.join(own)}. Somebody else has to approve.",
        )


def _refuse_faulty(chosen: Sequence[Row]) -> None:
    problems = [f"Sentence {row.number} has no translation yet. Write it." for row in chosen if not row.text]
    for row in chosen:
        for each in findings.open_findings(row):
            if each["severity"] == Severity.BLOCKING:
                problems.append(
                    f"Sentence {row.number}: {each['message']} Correct it, or answer for it by name: "
                    "notify translation sign-off"
                )
    if problems:
        raise NotPossible(Why.BLOCKED, *problems)


def _approve_row(
    session: Session, statement: Statement, translation: Translation, row: Row, reviewer: Staff
) -> None:
    row.approved_by, row.approved_at = reviewer.id, now()
    session.add(row)
    if row.place == sheet.WHOLE_BODY:  # no sentence that another text could have
        return
    memory.keep(
        session, statement.source_language, translation.language, row.source, row.text,
        approved_by=reviewer.email, statement_id=statement.id,
    )  # fmt: skip


def _approve_whole(session: Session, statement: Statement, translation: Translation, reviewer: Staff) -> None:
    if problems := [
        each["message"] for each in translation.findings_list if each["severity"] == Severity.BLOCKING
    ]:
        raise NotPossible(Why.BLOCKED, *problems)
    translation.approved_by, translation.approved_at = reviewer.id, now()
    session.add(translation)
    session.flush()
    statements.words_changed(session, statement, reviewer.email)
    audit.record(
        session, reviewer.email, "translation.approve", f"statement {statement.id}", language=translation.language,
        text_hash=source_hash(translation.text()),
    )  # fmt: skip
