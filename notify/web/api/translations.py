"""Translations: listed, read beside their source, filled, approved; and the statements they are of."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore
from typing import Annotated

from fastapi import Query, Response
from sqlalchemy import and_
from sqlmodel import Session, col, select

from notify.apikeys import Scope
from notify.statements import Kind, Revision, State, Statement, Translation
from notify.translation.desk import approving, preparing, reading, rules
from notify.web.api import sentences
from notify.web.api.calls import Answer, Call, Caller
from notify.web.api.desk_problems import at_the_desk
from notify.web.api.desk_shaping import statement_there, summarized, translation_there, whole
from notify.web.api.fields import IfMatch, PathId
from notify.web.api.paging import Paging
from notify.web.api.problems import Problem
from notify.web.api.routing import Routes
from notify.web.api.seeing import check_match
from notify.web.api.translation_shapes import (
    BackShape,
    BacksShape,
    LanguageTag,
    NewApproval,
    Preparation,
    StatementFilters,
    StatementPage,
    StatementShape,
    TranslationPage,
    TranslationShape,
    TranslationSummary,
    WorkShape,
)

_MACHINES = BoundedSemaphore(2)  # the threads that answer requests are few; others wait outside


def add_routes(routes: Routes) -> None:
    """The routes of translations and of their sentences."""
    read, write = Scope.TRANSLATIONS_READ, Scope.TRANSLATIONS_WRITE
    every = "/statements/{statement_id:id}/translations"
    one = f"{every}/{{language}}"
    routes.add("GET", "/statements", list_statements, scope=read, gives=StatementPage, refuses=[422])
    routes.add("GET", every, list_translations, scope=read, gives=TranslationPage, refuses=[404, 422])
    routes.add(
        "GET", one, get_translation, scope=read, gives=TranslationShape, refuses=[404, 422], headers=["ETag"]
    )
    routes.add(
        "POST", f"{one}/prepare", prepare_translation, scope=write, gives=WorkShape, refuses=[404, 503],
        repeatable=True,
    )  # fmt: skip
    routes.add(
        "POST", f"{one}/approvals", approve_translation, scope=write, gives=TranslationSummary,
        refuses=[404, 412], repeatable=True,
    )  # fmt: skip
    routes.add("GET", f"{one}/back", translate_back, scope=read, gives=BacksShape, refuses=[404, 422, 503])
    sentences.add_routes(routes, f"{one}/sentences/{{number:id}}")


def list_statements(call: Caller, asked: Annotated[StatementFilters, Query()]) -> Response:
    """The statements in the order in which they were made."""
    after = call.cursors.after("statements", asked)

    def look(session: Session) -> Answer:
        present = and_(
            col(Revision.statement_id) == col(Statement.id), col(Revision.number) == col(Statement.revision)
        )
        query = select(Statement, Revision.title).join(Revision, present).where(col(Statement.id) > after)
        query = query.where(Statement.state == asked.state) if asked.state else query
        found = list(session.exec(query.order_by(col(Statement.id)).limit(asked.limit + 1)))
        count, cursor = call.cursors.following("statements", asked, [each.id or 0 for each, _ in found])
        items = [_statement(each, title) for each, title in found[:count]]
        return Answer(StatementPage(items=items, next_cursor=cursor))

    return call.read(look)


def list_translations(call: Caller, statement_id: PathId, asked: Paging) -> Response:
    """How far each translation of a statement is."""
    what = f"translations {statement_id}"
    after = call.cursors.after(what, asked)

    def look(session: Session) -> Answer:
        statement = statement_there(session, statement_id)
        query = select(Translation).where(
            Translation.statement_id == statement_id, col(Translation.id) > after
        )
        found = list(session.exec(query.order_by(col(Translation.id)).limit(asked.limit + 1)))
        count, cursor = call.cursors.following(what, asked, [each.id or 0 for each in found])
        items = [summarized(session, statement, each) for each in found[:count]]
        return Answer(TranslationPage(items=items, next_cursor=cursor))

    return call.read(look)


def get_translation(call: Caller, statement_id: PathId, language: LanguageTag) -> Response:
    """A translation beside its source, sentence by sentence, with what the checks say and who approved what."""

    def look(session: Session) -> Answer:
        statement = statement_there(session, statement_id)
        return whole(session, statement, translation_there(session, statement, language))

    return call.read(look)


def prepare_translation(
    call: Caller, statement_id: PathId, language: LanguageTag, wanted: Preparation
) -> Response:
    """Fill a translation as far as it goes without a person: kept sentences, the memory, the machine.

    It begins a translation, and brings a stale one up to date: only changed sentences are new. It may take
    seconds. Nothing leaves before a person has approved it.
    """

    def do() -> Answer:
        with at_the_desk():
            work = _prepare(call, statement_id, language, machine=wanted.machine)
        return Answer(
            WorkShape.model_validate(work), trace=sentences.by_key(statement_id, work.language, "prepare")
        )

    return call.work(do)


def approve_translation(
    call: Caller, statement_id: PathId, language: LanguageTag, read: NewApproval, match: IfMatch = ""
) -> Response:
    """Approve sentences that the key's person has read beside their source; with the last one, the whole.

    If-Match takes the ETag of the translation.
    """
    numbers = set(read.sentences) if read.sentences is not None else None

    def do(session: Session) -> Answer:
        statement = statement_there(session, statement_id)
        with at_the_desk():
            translation = reading.existing(session, statement, language)
            check_match(match, whole(session, statement, translation))
            approving.approve(
                session, statement, language, call.person, numbers=numbers,
                two_people=call.hub.settings.translation.two_people,
            )  # fmt: skip
        trace = sentences.by_key(statement_id, translation.language, "approve", sorted(numbers or ()))
        return Answer(summarized(session, statement, translation), trace=trace)

    return call.write(do)


def translate_back(call: Caller, statement_id: PathId, language: LanguageTag) -> Response:
    """A translation, translated back by machine: a help for staff who do not read the language, and no proof."""

    def look(session: Session) -> Answer:
        statement = statement_there(session, statement_id)
        translation = translation_there(session, statement, language)
        found = reading.shown(session, statement, translation)
        with _at_a_machine(), at_the_desk():
            texts = reading.back(call.hub.translator, statement, translation.language, found)
        items = [
            BackShape(number=row.number, source=row.source, text=text)
            for row, text in zip(found, texts, strict=True)
        ]
        return Answer(BacksShape(items=items))

    return call.read(look)


def _prepare(call: Call, statement_id: int, language: str, *, machine: bool) -> preparing.Work:
    """What it comes to. The machine drafts before anything is locked: nobody waits for it."""
    rules.require_translator(call.person)
    engine = None
    with call.hub.database.reading() as session:
        statement = statement_there(session, statement_id)
        if machine:
            with _at_a_machine():
                engine = preparing.rehearse(session, statement, language, call.hub.translator)
    with call.hub.database.session() as session:
        statement = statement_there(session, statement_id)
        work = preparing.prepare(session, statement, language, engine, call.person)
        session.commit()
    return work


@contextmanager
def _at_a_machine() -> Iterator[None]:
    """Keep a place for one translation.

    Raises:
        Problem: all places are taken.
    """
    if not _MACHINES.acquire(blocking=False):
        raise Problem(
            503, "still_busy", "The machine is busy with other translations. Ask again in a moment.",
            headers={"Retry-After": "5"},
        )  # fmt: skip
    try:
        yield
    finally:
        _MACHINES.release()


def _statement(statement: Statement, title: str) -> StatementShape:
    return StatementShape(
        id=statement.id or 0, reference=statement.reference, kind=Kind(statement.kind),
        state=State(statement.state), source_language=statement.source_language, title=title,
        created_at=statement.created_at,
    )  # fmt: skip
