"""Statements as pages, and the city's own page, by which a message can be checked."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from fastapi import APIRouter, Request, Response
from sqlalchemy import exists
from sqlmodel import Session, col, select
from starlette.concurrency import run_in_threadpool

from channels.text import link
from notify import statements
from notify.dispatch.models import Dispatch
from notify.hub import Hub
from notify.statements import NotApproved, State, Statement, Text
from notify.web.languages import asked_for, choose, spoken
from notify.web.pages import Pages, body_html
from notify.web.public.fresh import Fresh

NEWEST = 10  # statements on the city's own page
# Long enough for a crowd behind one proxy, short enough for a withdrawal.
_CACHED = {"Cache-Control": "public, max-age=60"}
_BY_LANGUAGE = {"Vary": "Accept-Language"} | _CACHED


class Statements:
    """Routes to what the city has said."""

    def __init__(self, hub: Hub, pages: Pages) -> None:
        self._hub = hub
        self._pages = pages
        self._fresh = Fresh()
        self._languages = hub.settings.city.languages

    def router(self) -> APIRouter:
        """The routes."""
        router = APIRouter()
        for path, endpoint in (
            ("/", self.home),
            ("/s/{slug}", self.choose),
            ("/s/{slug}/{language}", self.show),
        ):
            router.add_api_route(path, endpoint, methods=["GET", "HEAD"])
        return router

    def home(self, request: Request, language: str = "") -> Response:
        """The city's page: what it has said to everybody of late, and where to ask."""
        chosen = choose([language, *asked_for(request.headers.get("accept-language", ""))], self._languages)
        with self._hub.database.reading() as session:
            items = [self._item(session, statement, chosen) for statement in _newest(session)]
        return self._pages.page(
            "home",
            chosen,
            headers=_BY_LANGUAGE,
            languages=self._languages,
            items=[item for item in items if item],
        )

    def choose(self, slug: str, request: Request) -> Response:
        """The statement in the language that the reader's browser asks for."""
        wanted = asked_for(request.headers.get("accept-language", ""))
        with self._hub.database.reading() as session:
            statement, texts = _published(session, slug)
        if not texts:
            return self._absent(statement, choose(wanted, self._languages), _BY_LANGUAGE)
        language = choose(wanted, _source_first(statement, texts))
        return self._pages.redirect(f"/s/{slug}/{language}", _BY_LANGUAGE)

    async def show(self, slug: str, language: str) -> Response:
        """The statement in one language; a language that is not there leads to the nearest one that is."""
        page = self._fresh.get(slug, language)
        if page is None:
            page = await run_in_threadpool(self._make, slug, language)
            if page.status_code == 200:
                self._fresh.keep(slug, language, page)
        return page

    def _make(self, slug: str, language: str) -> Response:
        with self._hub.database.reading() as session:
            statement, texts = _published(session, slug)
            approval = statements.last_approval(session, statement) if statement else None
        if statement is None or approval is None or not texts:
            return self._absent(statement, language, _CACHED)
        if language not in texts:
            nearest = choose([language], _source_first(statement, texts))
            return self._pages.redirect(f"/s/{slug}/{nearest}", _CACHED)
        return self._page(statement, texts, language, approval.at)

    def _page(self, statement: Statement, texts: Mapping[str, Text], language: str, at: datetime) -> Response:
        text = texts[language]
        return self._pages.page(
            "statement",
            language,
            headers=_CACHED,
            slug=statement.slug,
            title=text.title,
            summary=text.short,
            body=body_html(text.body),
            actions=[(action.label, action.value, link(action.value)) for action in text.actions],
            languages=sorted(texts, key=self._place_of),
            published=self._pages.date(at, spoken(language)),
        )

    def _place_of(self, language: str) -> tuple[int, str]:
        """Where a language stands: as on the city's other pages, so that readers find theirs where it was."""
        known = self._languages
        return (known.index(language) if language in known else len(known), language)

    def _absent(self, statement: Statement | None, language: str, headers: Mapping[str, str]) -> Response:
        """Why there is nothing to read, as far as it is anybody's business."""
        if statement is None:
            return self._pages.not_found(language, headers)
        if statement.state == State.WITHDRAWN:
            return self._pages.message("page_withdrawn", language, 410, headers)
        return self._pages.message(
            "page_changing", language, 503, {"Retry-After": "300", "Cache-Control": "no-store"}
        )

    def _item(self, session: Session, statement: Statement, wanted: str) -> dict[str, str] | None:
        """One line of the city's page, in the reader's language where there is one."""
        try:
            texts = _own_pages(statements.require_approved(session, statement.id or 0))
        except NotApproved:
            return None
        approval = statements.last_approval(session, statement)
        language = choose([wanted], _source_first(statement, texts))
        return {
            "path": f"/s/{statement.slug}/{language}",
            "language": language,
            "title": texts[language].title,
            "published": self._pages.date(approval.at, spoken(wanted)) if approval else "",
        }


def _own_pages(texts: Mapping[str, Text]) -> dict[str, Text]:
    """The languages that have a page: who reads another sees from the links which there are."""
    return {language: text for language, text in texts.items() if not statements.is_stand_in(language)}


def _published(session: Session, slug: str) -> tuple[Statement | None, dict[str, Text]]:
    """A statement that was approved at least once, and its texts if residents may read them now."""
    statement = session.exec(select(Statement).where(Statement.slug == slug)).first()
    if statement is None or statements.last_approval(session, statement) is None:
        return None, {}
    try:
        return statement, _own_pages(statements.require_approved(session, statement.id or 0))
    except NotApproved:
        return statement, {}


def _source_first(statement: Statement | None, texts: Mapping[str, Text]) -> list[str]:
    source = statement.source_language if statement else ""
    return sorted(texts, key=lambda language: (language != source, language))


def _newest(session: Session) -> list[Statement]:
    """What was sent to everybody: a statement for one list is not for the city's front door."""
    sent = exists().where(
        col(Dispatch.statement_id) == col(Statement.id),
        col(Dispatch.list_id).is_(None),
        col(Dispatch.started_at).is_not(None),
    )
    query = select(Statement).where(Statement.state == State.APPROVED, sent)
    return list(session.exec(query.order_by(col(Statement.id).desc()).limit(NEWEST)))
