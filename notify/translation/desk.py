"""The desk: where translations are made, written, looked at and approved, sentence by sentence.

Nothing leaves before a person who reads the language has approved it. For each sentence the order is: what was
said for it before, the memory, the machine, a person.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlmodel import Session, col, delete, select

from contacts.columns import now
from notify import audit, statements
from notify.staff import Deed, Staff, StaffError
from notify.statements import (
    Origin,
    Revision,
    State,
    Statement,
    StatementError,
    Text,
    Translation,
    check_text,
    source_hash,
)
from notify.translation import checks, glossary, memory, sheet
from notify.translation.codes import best_match, standard
from notify.translation.engine import Engine, EngineError
from notify.translation.facts import Kind, Severity, TextFinding
from notify.translation.glossary import Glossary
from notify.translation.machine import draft_units, layout_findings
from notify.translation.models import TranslatedSentence as Row
from notify.translation.segmenting import Segmented, Unit, segment, understood


@dataclass(frozen=True, slots=True)
class Work:
    """What preparing a translation came to, in sentences."""

    language: str
    sentences: int
    carried: int  # as they were
    remembered: int  # approved before, for another statement
    drafted: int  # by the machine
    to_write: int  # nobody has translated them yet
    problem: str = ""  # why the machine did not help

    @property
    def new(self) -> int:
        """Sentences that a person has to look at or write."""
        return self.sentences - self.carried


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
            "sentences": len(found := rows(session, statement, each)),
            "sentences_approved": sum(row.approved_at is not None for row in found),
            "findings": [finding for row in found for finding in open_findings(row)] + each.findings_list,
        }
        for each in statements.translations(session, statement)
    ]


def prepare(
    session: Session, statement: Statement, language: str, engine: Engine | None, actor: Staff
) -> Work:
    """Fill a translation as far as it can be filled without a person: a changed sentence costs one sentence.

    Args:
        session: an open session that may write.
        statement: to be translated.
        language: BCP 47.
        engine: the machine, or None for none. It may block for seconds.
        actor: who asks for it.

    Raises:
        StaffError: the person may not translate.
        StatementError: the language is the source's, or no language.
    """
    _may(actor)
    translation = _at(session, statement, language)
    old = rows(session, statement, translation)
    if old and all(row.text for row in old) and not _is_stale(session, statement, translation):
        return Work(translation.language, len(old), len(old), 0, 0, 0)
    new = sheet.blank(_segmented(session, statement), old)
    carried = sheet.carry_over(new, old)
    remembered = _remember(session, statement, translation.language, [row for row in new if not row.text])
    empty = [row for row in new if not row.text]
    problem = _draft(session, statement, translation, empty, engine) if empty and engine else ""
    to_write = sum(not row.text for row in new)
    _keep(session, statement, translation, new, actor)
    return Work(translation.language, len(new), carried, remembered, len(empty) - to_write, to_write, problem)


def set_by_hand(
    session: Session, statement: Statement, language: str, text: Text, editor: Staff
) -> Translation:
    """Keep a person's translation of the whole; it has to be approved before it leaves.

    Raises:
        StaffError: the person may not translate.
        StatementError: the language is the source's or no language, or the text does not fit.
    """
    _may(editor)
    if problems := [*check_text(text), *_other_actions(session, statement, text)]:
        raise StatementError(*problems)
    translation = _at(session, statement, language)
    new = sheet.align(_segmented(session, statement), text, translation.language)
    terms = glossary.load(session, statement.source_language, translation.language)
    for row in new:
        _write(row, row.text, editor)
        _examine(row, statement, translation.language, terms)
    translation.origin, translation.engine, translation.editor_id = Origin.HUMAN, "", editor.id
    return _keep(session, statement, translation, new, editor, text)


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
        StaffError: the person may not translate.
        StatementError: there is no such translation or sentence, it is stale, changed meanwhile, or empty.
    """
    _may(editor)
    translation = _existing(session, statement, language)
    _refuse_stale(session, statement, translation)
    found = rows(session, statement, translation)
    row = _row(found, number)
    _refuse_unseen([row], {number: seen} if seen is not None else {})
    words = sheet.tidied(row, text)
    if not words:
        raise StatementError(f"Sentence {number} is empty. Write it.")
    _write(row, words, editor)
    _examine(
        row,
        statement,
        translation.language,
        glossary.load(session, statement.source_language, translation.language),
    )
    translation.origin, translation.editor_id = Origin.HUMAN, editor.id
    _keep(session, statement, translation, found, editor)
    return row


def sign_off(
    session: Session,
    statement: Statement,
    language: str,
    number: int,
    finding: int,
    reason: str,
    person: Staff,
) -> Row:
    """A person answers by name for a finding of one sentence.

    Args:
        finding: its number among the sentence's findings, from 1.
        reason: why it is right as it is.

    Raises:
        StaffError: the person may not translate, or does not read the language.
        StatementError: there is no such finding, or no reason.
    """
    translation = _existing(session, statement, language)
    _reads(person, translation.language)
    row = _row(rows(session, statement, translation), number)
    if not 1 <= finding <= len(row.findings):
        raise StatementError(
            f"Sentence {number} has {len(row.findings)} findings; there is no number {finding}."
        )
    if len(reason.strip()) < 3:
        raise StatementError("Say why the sentence is right as it is: --reason TEXT")
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
        StaffError: the person may not review translations, does not read the language, or edited a sentence last.
        StatementError: there is none, it is stale, a sentence is empty or changed meanwhile, or a finding blocks it.
    """
    translation = _existing(session, statement, language)
    _reads(reviewer, translation.language)
    _refuse_stale(session, statement, translation)
    found = rows(session, statement, translation)
    chosen = [_row(found, number) for number in sorted(numbers)] if numbers is not None else found
    _refuse_unseen(chosen, seen or {})
    waiting = [row for row in chosen if row.approved_at is None]
    _refuse_own(waiting, reviewer, two_people=two_people)
    _refuse_faulty(chosen)
    for row in waiting:
        _approve_row(session, statement, translation, row, reviewer)
    if all(row.approved_at for row in found):
        _approve_whole(session, statement, translation, reviewer)
    return translation


def rows(session: Session, statement: Statement, translation: Translation) -> list[Row]:
    """The sentences of a translation, of whichever revision it was made from; kept when first asked for."""
    if translation.id is None:
        return []
    query = select(Row).where(Row.translation_id == translation.id).order_by(col(Row.number))
    query = query.execution_options(populate_existing=True)
    found = list(session.exec(query))
    return found or _aligned(session, statement, translation)


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
        _examine(row, statement, translation.language, glossaries[pair])
        row.findings = [*row.findings, *machines]
        session.add(row)


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


def open_findings(row: Row) -> list[dict[str, Any]]:
    """What the checks say about a sentence and nobody has signed off."""
    signed = {(each["kind"], each["fact"]) for each in row.signed}
    return [each for each in row.findings if (each["kind"], each["fact"]) not in signed]


def back(engine: Engine, statement: Statement, language: str, found: Sequence[Row]) -> list[str]:
    """Sentences translated back by the machine: a help for staff who do not read the language, never a proof.

    Raises:
        EngineError: the engine has no such pair, or cannot work.
    """
    words = [sheet.plain(row.text, row.place) for row in found]
    return [each.text for each in engine.translate(words, language, statement.source_language)]


def _may(person: Staff) -> None:
    if not person.may(Deed.TRANSLATE):
        raise StaffError(f"{person.email} may not {Deed.TRANSLATE}: this needs the role translator.")


def _reads(person: Staff, language: str) -> None:
    _may(person)
    known = person.languages.split()
    if known and best_match(language, known) is None:
        raise StaffError(
            f"{person.email} reads {', '.join(known)}, not {language}: somebody who reads it has to approve. "
            "If that is not so: notify staff add EMAIL --role translator --reads LANGUAGE"
        )


def _tag(language: str) -> str:
    try:
        tag = standard(language)
    except ValueError as error:
        raise StatementError(str(error)) from None
    if statements.is_stand_in(tag):
        raise StatementError(f"{tag} is no language that people read. Write one like en, es-MX or zh-Hant.")
    return tag


def _at(session: Session, statement: Statement, language: str) -> Translation:
    """The row for a language, there already or new; nobody else works on the statement until the commit.

    Without the lock, on PostgreSQL one person's words could come under another's approval of what stood there
    a moment before. SQLite's writing sessions wait for each other anyway.
    """
    tag = _tag(language)
    session.refresh(statement, with_for_update=True)
    if tag == statement.source_language:
        raise StatementError(f"{tag} is the language of the source. Edit the statement instead.")
    for each in statements.translations(session, statement):
        if each.language == tag:
            session.refresh(each)
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


def _row(found: Sequence[Row], number: int) -> Row:
    for row in found:
        if row.number == number:
            return row
    raise StatementError(f"There is no sentence {number}; they go from 1 to {len(found)}.")


def _segmented(session: Session, statement: Statement) -> Segmented:
    text = statements.source(session, statement).text()
    return segment(sheet.source_text(text), statement.source_language)


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
        _examine(row, statement, translation.language, terms)
    session.add_all(found)
    session.flush()
    return found


def _other_actions(session: Session, statement: Statement, text: Text) -> list[str]:
    wanted = [each.value for each in statements.source(session, statement).text().actions]
    given = [each.value for each in text.actions]
    if len(wanted) == len(given):
        return []
    return [
        f"actions: the source has {len(wanted)}, the translation {len(given)}. Give as many, in the same order."
    ]


def _remember(session: Session, statement: Statement, language: str, empty: Sequence[Row]) -> int:
    known = memory.exact(session, statement.source_language, language, [row.source for row in empty])
    terms = glossary.load(session, statement.source_language, language)
    for row in empty:
        if entry := known.get(row.source):
            row.text, row.origin = entry.text, Origin.MEMORY
            entry.uses += 1
            _examine(row, statement, language, terms)
    return sum(bool(row.text) for row in empty)


def _draft(
    session: Session,
    statement: Statement,
    translation: Translation,
    empty: Sequence[Row],
    engine: Engine,
) -> str:
    """Let the machine fill rows; returns why it did not."""
    terms = glossary.load(session, statement.source_language, translation.language)
    units = [Unit(row.place, understood(row.place, row.source)) for row in empty]
    try:
        drafts = draft_units(
            engine,
            units,
            statement.source_language,
            translation.language,
            terms.keep,
        )
        described = engine.describe(
            statement.source_language, translation.language
        )  # who did it: asked after
    except EngineError as error:
        return str(error)
    for row, draft in zip(empty, drafts, strict=True):
        row.text, row.score = draft.text, draft.score
        row.origin, row.engine = Origin.MACHINE, described
        _examine(row, statement, translation.language, terms, draft.findings)
    translation.origin, translation.engine, translation.editor_id = Origin.MACHINE, described, None
    return ""


def _write(row: Row, text: str, editor: Staff) -> None:
    row.text, row.origin, row.engine, row.score = text, Origin.HUMAN, "", None
    row.editor_id, row.edited_at = editor.id, now()
    row.approved_by = row.approved_at = None
    row.signed = []


def _examine(
    row: Row, statement: Statement, language: str, terms: Glossary, told: Iterable[TextFinding] = ()
) -> None:
    found = checks.examine(
        sheet.plain(row.source, row.place),
        sheet.plain(row.text, row.place),
        source_language=statement.source_language,
        target_language=language,
        glossary=terms,
    )
    both = {(each.kind, each.fact): each for each in (*told, *found)}
    row.findings = [{**asdict(each), "place": row.place} for each in both.values()]


def _keep(
    session: Session,
    statement: Statement,
    translation: Translation,
    found: Sequence[Row],
    actor: Staff,
    text: Text | None = None,
) -> Translation:
    """Write a translation and its rows; it is not approved any more."""
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


def _is_stale(session: Session, statement: Statement, translation: Translation) -> bool:
    return translation.source_hash != source_hash(statements.source(session, statement).text())


def _refuse_stale(session: Session, statement: Statement, translation: Translation) -> None:
    if _is_stale(session, statement, translation):
        raise StatementError(
            f"The {translation.language} translation is of an earlier text. See what has changed: "
            f"notify translation machine {statement.id} {translation.language}"
        )


def _refuse_unseen(chosen: Sequence[Row], seen: Mapping[int, str]) -> None:
    changed = [str(row.number) for row in chosen if seen.get(row.number, row.text) != row.text]
    if changed:
        raise StatementError(
            f"Somebody else has changed sentence {', '.join(changed)} meanwhile. Look at it again."
        )


def _refuse_own(waiting: Sequence[Row], reviewer: Staff, *, two_people: bool) -> None:
    own = [str(row.number) for row in waiting if row.editor_id == reviewer.id]
    if two_people and own:
        raise StaffError(
            f"{reviewer.email} was the last to edit sentence {', '.join(own)}. Somebody else has to approve."
        )


def _refuse_faulty(chosen: Sequence[Row]) -> None:
    problems = [f"Sentence {row.number} has no translation yet. Write it." for row in chosen if not row.text]
    for row in chosen:
        for each in open_findings(row):
            if each["severity"] == Severity.BLOCKING:
                problems.append(
                    f"Sentence {row.number}: {each['message']} Correct it, or answer for it by name: "
                    "notify translation sign-off"
                )
    if problems:
        raise StatementError(*problems)


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
        raise StatementError(*problems)
    translation.approved_by, translation.approved_at = reviewer.id, now()
    session.add(translation)
    session.flush()
    statements.words_changed(session, statement, reviewer.email)
    audit.record(
        session, reviewer.email, "translation.approve", f"statement {statement.id}", language=translation.language,
        text_hash=source_hash(translation.text()),
    )  # fmt: skip
