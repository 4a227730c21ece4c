"""A translation is filled as far as it can be without a person: as it was, from the memory, by the machine."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from sqlmodel import Session

from notify.staff import Staff
from notify.statements import Origin, Statement, Translation
from notify.translation import glossary, memory, sheet
from notify.translation.desk import findings, keeping, reading, rules
from notify.translation.engine import Engine, EngineError
from notify.translation.machine import draft_units
from notify.translation.models import TranslatedSentence as Row
from notify.translation.rehearsed import Rehearsed
from notify.translation.segmenting import Unit, understood


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
        NotTheirs: the person may not translate.
        NotPossible: the language is the source's, or no language.
    """
    rules.require_translator(actor)
    translation = reading.there_or_new(session, statement, language)
    old = reading.rows(session, statement, translation)
    if old and all(row.text for row in old) and not reading.is_stale(session, statement, translation):
        return Work(translation.language, len(old), len(old), 0, 0, 0)
    new = sheet.blank(reading.segmented(session, statement), old)
    carried = sheet.carry_over(new, old)
    remembered = _remember(session, statement, translation.language, [row for row in new if not row.text])
    empty = [row for row in new if not row.text]
    problem = _draft(session, statement, translation, empty, engine) if empty and engine else ""
    to_write = sum(not row.text for row in new)
    keeping.keep(session, statement, translation, new, actor)
    return Work(translation.language, len(new), carried, remembered, len(empty) - to_write, to_write, problem)


def rehearse(session: Session, statement: Statement, language: str, engine: Engine) -> Rehearsed:
    """Let the machine draft what `prepare` will ask it for, so that nobody waits for the database meanwhile.

    Args:
        session: an open session; nothing is written.
        statement: to be translated.
        language: BCP 47.
        engine: the machine. It may block for seconds.

    Returns:
        The machine, for `prepare`: it answers at once. Where it failed, `prepare` says why.

    Raises:
        NotPossible: it is no language.
    """
    machine = Rehearsed(engine)
    translation = reading.find(session, statement, language)
    old = reading.shown(session, statement, translation) if translation else []
    new = sheet.blank(reading.segmented(session, statement), old)
    sheet.carry_over(new, old)
    target = translation.language if translation else reading.tag(language)
    empty = [row for row in new if not row.text]
    known = memory.exact(session, statement.source_language, target, [row.source for row in empty])
    terms = glossary.load(session, statement.source_language, target)
    with suppress(EngineError):  # remembered
        draft_units(
            machine,
            _units(row for row in empty if row.source not in known),
            statement.source_language,
            target,
            terms.keep,
        )
    return machine


def _units(found: Iterable[Row]) -> list[Unit]:
    return [Unit(row.place, understood(row.place, row.source)) for row in found]


def _remember(session: Session, statement: Statement, language: str, empty: Sequence[Row]) -> int:
    known = memory.exact(session, statement.source_language, language, [row.source for row in empty])
    terms = glossary.load(session, statement.source_language, language)
    for row in empty:
        if entry := known.get(row.source):
            row.text, row.origin = entry.text, Origin.MEMORY
            entry.uses += 1
            findings.examine(row, statement, language, terms)
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
    try:
        drafts = draft_units(
            engine,
            _units(empty),
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
        findings.examine(row, statement, translation.language, terms, draft.findings)
    translation.origin, translation.engine, translation.editor_id = Origin.MACHINE, described, None
    return ""
