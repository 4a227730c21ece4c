"""`/u/{token}`: the way out, for people (one button) and for mail programs (RFC 8058), in one step each."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter, Request, Response
from markupsafe import Markup
from sqlmodel import Session
from starlette.concurrency import run_in_threadpool

from channels.contract import AddressKind
from contacts import consent
from contacts.consent import Method
from contacts.joining import living
from contacts.models import Contact, Endpoint, EndpointState, Subscription
from notify.hub import Hub, address_kinds
from notify.tokens import Recipient
from notify.web.guard import TooLarge, read_body
from notify.web.languages import asked_for, choose, spoken
from notify.web.pages import NO_STORE, Pages, fill, left_to_right
from notify.web.public.masks import shown_address
from templates import phrases

LARGEST = 10_000  # bytes of a form with one field
_ONE_CLICK = b"List-Unsubscribe"  # the field of RFC 8058, section 3.2, in a form of either encoding
_EVERYTHING = b"scope=all"  # the form by which those who have left one list leave all


@dataclass(frozen=True, slots=True)
class _Leaver:
    """Whom a token names, as its page needs it."""

    endpoint: Endpoint
    list_id: int | None
    language: str
    gone: bool  # has left already


class Leaving:
    """Routes by which residents leave."""

    def __init__(self, hub: Hub, pages: Pages) -> None:
        self._hub = hub
        self._pages = pages
        self._kinds = address_kinds()

    def router(self) -> APIRouter:
        """The routes."""
        router = APIRouter()
        router.add_api_route("/u/{token}", self.ask, methods=["GET", "HEAD"])
        router.add_api_route("/u/{token}", self.leave, methods=["POST"])
        return router

    def ask(self, token: str, request: Request) -> Response:
        """One button. Nothing changes before it is pressed (R18)."""
        recipient = self._hub.tokens.read(token)
        with self._hub.database.reading() as session:
            leaver = self._find(session, recipient) if recipient else None
        if leaver is None:
            return self._nobody(request)
        return self._page("left" if leaver.gone else "leave", leaver)

    async def leave(self, token: str, request: Request) -> Response:
        """The button, or a mail program's one click. Twice is fine."""
        recipient = self._hub.tokens.read(token)
        try:
            body = await read_body(request, LARGEST)
        except TooLarge:
            return Response(status_code=413)
        if recipient and body == _EVERYTHING:
            recipient = Recipient(recipient.endpoint_id, None)
        method = Method.EMAIL_ONE_CLICK if _ONE_CLICK in body else Method.WEB_FORM
        leaver = await run_in_threadpool(self._leave, recipient, method) if recipient else None
        return self._page("left", leaver) if leaver else self._nobody(request)

    def _leave(self, recipient: Recipient, method: Method) -> _Leaver | None:
        with self._hub.database.session() as session:
            leaver = self._find(session, recipient)
            if leaver and not self._is_settled(session, leaver):
                self._opt_out(session, leaver, method)
            session.commit()
        return leaver

    def _is_settled(self, session: Session, leaver: _Leaver) -> bool:
        return leaver.gone and consent.was_just_refused(session, leaver.endpoint.id or 0, leaver.list_id)

    def _opt_out(self, session: Session, leaver: _Leaver, method: Method) -> None:
        language = spoken(leaver.language)
        shown = self._sentence("leave", leaver).striptags() if method is Method.WEB_FORM else ""
        consent.opt_out(
            session,
            leaver.endpoint.channel,
            leaver.endpoint.address_key,
            list_id=leaver.list_id,
            method=method,
            wording=shown,
            wording_language=language if shown else "",
            actor="resident",
        )

    def _find(self, session: Session, recipient: Recipient) -> _Leaver | None:
        endpoint = living(session, recipient.endpoint_id)
        if endpoint is None or endpoint.state == EndpointState.ERASED:
            return None
        contact = session.get_one(Contact, endpoint.contact_id)
        return _Leaver(
            endpoint, recipient.list_id, contact.language, _has_left(session, endpoint, recipient.list_id)
        )

    def _page(self, layout: str, leaver: _Leaver) -> Response:
        return self._pages.page(
            layout,
            spoken(leaver.language),
            headers=NO_STORE,
            sentence=self._sentence(layout, leaver),
            preferences=self._hub.tokens.make(Recipient(leaver.endpoint.id or 0, None)),
            one_list=leaver.list_id is not None and not leaver.endpoint.opted_out,
        )

    def _sentence(self, layout: str, leaver: _Leaver) -> Markup:
        """What leaving means: these messages, or all of them."""
        words = phrases(spoken(leaver.language))
        key = f"{layout}_{'list_' if leaver.list_id is not None else ''}text"
        kind = self._kinds.get(leaver.endpoint.channel, AddressKind.EMAIL)
        shown = left_to_right(shown_address(kind, leaver.endpoint.address))
        return fill(words[key], city=self._pages.city.name, address=shown)

    def _nobody(self, request: Request) -> Response:
        wanted = asked_for(request.headers.get("accept-language", ""))
        return self._pages.not_found(choose(wanted, self._hub.settings.city.languages), NO_STORE)


def _has_left(session: Session, endpoint: Endpoint, list_id: int | None) -> bool:
    if endpoint.opted_out or list_id is None:
        return endpoint.opted_out
    subscription = session.get(Subscription, (list_id, endpoint.id))
    return subscription is not None and not subscription.active
