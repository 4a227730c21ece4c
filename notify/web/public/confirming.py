"""`/c/{token}`: one button that turns a wish into a yes. Opening the page changes nothing: mail scanners do."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response
from sqlmodel import Session
from starlette.concurrency import run_in_threadpool

from channels.contract import AddressKind
from contacts import pending
from contacts.consent import Method
from contacts.models import Endpoint, PendingYes
from notify import inbound
from notify.hub import Hub, address_kinds
from notify.tokens import Recipient
from notify.web.languages import asked_for, choose, spoken
from notify.web.pages import NO_STORE, Pages, left_to_right
from notify.web.public.masks import shown_address
from notify.web.public.topics import Topic, agreement, described
from notify.web.public.visitors import Visitors
from templates import phrases


class Confirming:
    """Routes to which the links in confirmation messages lead."""

    def __init__(self, hub: Hub, pages: Pages) -> None:
        self._hub, self._pages = hub, pages
        self._city = hub.settings.city
        self._kinds = address_kinds()
        self._visitors = Visitors(hub.settings.web.trusted_proxies)

    def router(self) -> APIRouter:
        """The routes."""
        router = APIRouter()
        router.add_api_route("/c/{token}", self.ask, methods=["GET", "HEAD"])
        router.add_api_route("/c/{token}", self.confirm, methods=["POST"])
        return router

    def ask(self, token: str, request: Request, language: str = "") -> Response:
        """The button; after it was pressed, what that means."""
        with self._hub.database.reading() as session:
            found = pending.find(session, token)
            if found is None or pending.is_over(found):
                return self._old(found, request, language)
            if found.confirmed_at is None:
                return self._question(session, found, token, language)
            return self._confirmed(session, found, token, language)

    async def confirm(self, token: str, request: Request, language: str = "") -> Response:
        """The button was pressed. Twice is fine; after a no it revives nothing."""
        known = await run_in_threadpool(self._confirm, token, language, self._visitors.ip(request))
        if not known:
            return await run_in_threadpool(self.ask, token, request, language)
        chosen = f"?language={language}" if language in self._city.languages else ""
        return self._pages.redirect(f"/c/{token}{chosen}", NO_STORE, status=303)

    def _confirm(self, token: str, language: str, ip: str) -> bool:
        with self._hub.database.session() as session:
            found = pending.find(session, token, to_change=True)
            if found is None or pending.is_over(found):
                return False
            said = self._said(found, language)
            if found.confirmed_at is None:  # a clear yes: nobody has to read what was written before it (R3)
                inbound.release(session, found.channel, found.address_key, by="resident")
            pending.confirm(
                session,
                found,
                method=self._method(found),
                wording=agreement(phrases(said), self._city.name, self._topics(session, found, said)),
                wording_language=said,
                ip=ip,
            )
            session.commit()
        return True

    def _method(self, found: PendingYes) -> Method:
        is_mail = self._kind(found.channel) is AddressKind.EMAIL
        return Method.EMAIL_CONFIRMED if is_mail else Method.WEB_FORM

    def _question(self, session: Session, found: PendingYes, token: str, language: str) -> Response:
        topics = self._topics(session, found, self._said(found, language))
        return self._page("confirm", found, token, language, topics=topics)

    def _confirmed(self, session: Session, found: PendingYes, token: str, language: str) -> Response:
        endpoint = pending.endpoint_of(session, found)
        gets = endpoint is not None and self._gets(session, found, endpoint)
        preferences = self._hub.tokens.make(Recipient(endpoint.id or 0, None)) if endpoint else ""
        return self._page("confirmed", found, token, language, gets=gets, preferences=preferences)

    def _gets(self, session: Session, found: PendingYes, endpoint: Endpoint) -> bool:
        wished = tuple(listed.id or 0 for listed in pending.topics(session, found))
        return not endpoint.opted_out and bool(
            pending.gets_all(session, found.channel, found.address_key, wished)
        )

    def _page(self, layout: str, found: PendingYes, token: str, language: str, **values: Any) -> Response:
        chosen = self._chosen(found, language)
        return self._pages.page(
            layout,
            spoken(chosen),
            headers=NO_STORE,
            chosen=chosen,
            languages=self._city.languages,
            token=token,
            address=left_to_right(shown_address(self._kind(found.channel), found.address)),
            **values,
        )

    def _topics(self, session: Session, found: PendingYes, said: str) -> list[Topic]:
        return described(pending.topics(session, found), said, self._city.languages[0])

    def _chosen(self, found: PendingYes, language: str) -> str:
        return choose([language, found.language], self._city.languages)

    def _said(self, found: PendingYes, language: str) -> str:
        return spoken(self._chosen(found, language))

    def _kind(self, channel: str) -> AddressKind:
        return self._kinds.get(channel, AddressKind.EMAIL)

    def _old(self, found: PendingYes | None, request: Request, language: str) -> Response:
        wanted = [language, found.language if found else ""]
        wanted += asked_for(request.headers.get("accept-language", ""))
        chosen = choose(wanted, self._city.languages)
        return self._pages.page(
            "confirm_old", spoken(chosen), status=410 if found else 404, headers=NO_STORE, chosen=chosen
        )
