"""`/join`: the way in, on the city's own page or embedded in others. No cookies, no log-in, no script.

A filled-in form subscribes nobody: it brings one message to the address, with a link to confirm (double
opt-in). The page answers the same whether or not the address is known, so nobody can ask it who is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from channels.contract import AddressKind
from contacts.pending import Wish
from notify.hub import Hub
from notify.web.guard import POLICY, TooLarge
from notify.web.languages import asked_for, choose, spoken
from notify.web.pages import NO_STORE, Pages
from notify.web.public import signup
from notify.web.public.desk import Desk, Outcome
from notify.web.public.forms import Form, Unreadable, read_form
from notify.web.public.invitations import Invitations
from notify.web.public.signup import Filled, Ways, seal_of
from notify.web.public.topics import Topic, agreement, described, named, public_lists
from notify.web.public.visitors import Visitors
from templates import phrases

_TYPED = (AddressKind.EMAIL, AddressKind.PHONE)  # addresses that a resident can type into a field
_BY_LANGUAGE = {"Vary": "Accept-Language", "Cache-Control": "no-cache"}


@dataclass(frozen=True)
class _Place:
    """One sign-up page in one language: all topics, or one of them."""

    language: str  # of the city's languages, the one for this reader
    topics: Sequence[Topic]
    topic: Topic | None = None  # the only one that this page is about

    @property
    def said(self) -> str:
        """The language of the page's sentences."""
        return spoken(self.language)

    @cached_property
    def words(self) -> Mapping[str, str]:
        """The page's sentences."""
        return phrases(self.said)

    @property
    def offered(self) -> Sequence[Topic]:
        """What can be chosen here."""
        return [self.topic] if self.topic else self.topics


class Joining:
    """Routes by which residents sign up."""

    def __init__(self, hub: Hub, pages: Pages) -> None:
        desk, invitations = Desk(hub, pages), Invitations(hub)
        self._doors = [_Door(hub, pages, desk, invitations, embedded=each) for each in (True, False)]

    def router(self) -> APIRouter:
        """The routes."""
        router = APIRouter()
        for door in self._doors:
            router.include_router(door.router())
        return router


class _Door:
    """The sign-up pages under one path: the city's own, or those for frames in other pages."""

    def __init__(
        self, hub: Hub, pages: Pages, desk: Desk, invitations: Invitations, *, embedded: bool
    ) -> None:
        self._hub, self._pages, self._desk, self._invitations = hub, pages, desk, invitations
        self._city = hub.settings.city
        self._ways = _ways(hub)
        self._visitors = Visitors(hub.settings.web.trusted_proxies)
        self._embedded = embedded
        self._base = "/join/embed" if embedded else "/join"
        self._headers = _framed_by(hub.settings.web.embed_origins) if embedded else {}

    def router(self) -> APIRouter:
        """The routes. `sent` is no topic, so it comes first."""
        router = APIRouter()
        router.add_api_route(f"{self._base}/sent", self.sent, methods=["GET", "HEAD"])
        for path in (self._base, f"{self._base}/{{topic}}"):
            router.add_api_route(path, self.show, methods=["GET", "HEAD"])
            router.add_api_route(path, self.take, methods=["POST"])
        return router

    async def show(self, request: Request, topic: str = "", language: str = "") -> Response:
        """The form, empty. Nothing is ticked (R31)."""
        place = await run_in_threadpool(self._place, self._language(request, language), topic)
        return await self._form(place, Filled()) if place else self._nothing(request, language)

    async def take(self, request: Request, topic: str = "", language: str = "") -> Response:
        """The form, filled in."""
        place = await run_in_threadpool(self._place, self._language(request, language), topic)
        if place is None:
            return self._nothing(request, language)
        try:
            form = await read_form(request)
        except TooLarge:
            return self._say("join_unreadable", place, 413)
        except Unreadable:
            return self._say("join_unreadable", place, 400)
        if form.one(signup.TRAP):
            return self._done(place, AddressKind.EMAIL)  # a program: it is told what everybody is told
        return await self._consider(place, form, self._visitors.ip(request))

    def sent(self, request: Request, by: str = "", language: str = "") -> Response:
        """What to do now: the same words for everybody."""
        key = f"join_sent_{by}" if by in _TYPED else f"join_sent_{AddressKind.EMAIL}"
        return self._page("sent", self._language(request, language), 200, key=key)

    async def _consider(self, place: _Place, form: Form, ip: str) -> Response:
        filled = self._read(place, form)
        if filled.wrong or filled.address is None or filled.kind is None:
            return await self._form(place, filled)
        chosen = [topic for topic in place.offered if topic.id in filled.topics]
        wish = Wish(
            channel=self._ways.channels[filled.kind],
            address=filled.address.address,
            address_key=filled.address.key,
            language=filled.language,
            area=filled.area,
            list_ids=filled.topics,
            wording=agreement(place.words, self._city.name, chosen),
            ip=ip,
        )
        match await self._desk.take(wish):
            case Outcome.TOO_MANY:
                return self._say("join_too_many", place, 429, {"Retry-After": "3600"})
            case Outcome.UNAVAILABLE:
                return self._say("join_unavailable", place, 503, {"Retry-After": "3600"})
        return self._done(place, filled.kind)

    def _read(self, place: _Place, form: Form) -> Filled:
        return signup.read(form, self._ways, self._city, place.offered, place.language, self._seal(place))

    def _seal(self, place: _Place) -> str:
        return seal_of(agreement(place.words, self._city.name, place.offered))

    def _language(self, request: Request, language: str) -> str:
        wanted = [language, *asked_for(request.headers.get("accept-language", ""))]
        return choose(wanted, self._city.languages)

    def _place(self, language: str, topic: str) -> _Place | None:
        """The page at an address; None where there is no such topic to be joined."""
        with self._hub.database.reading() as session:
            topics = described(public_lists(session), spoken(language), self._city.languages[0])
        chosen = named(topics, topic) if topic else None
        if topic and chosen is None:
            return None
        return _Place(language, topics, chosen or (topics[0] if len(topics) == 1 else None))

    async def _form(self, place: _Place, filled: Filled) -> Response:
        invitations = await self._invitations.to(place.topic.id if place.topic else None)
        if not place.topics or not (self._ways.channels or invitations):
            return self._page("closed", place.language, 200)
        return self._page(
            "join",
            place.language,
            422 if filled.wrong else 200,
            place=place,
            path=f"{self._base}/{place.topic.slug or place.topic.id}" if place.topic else self._base,
            filled=filled,
            ways=self._ways,
            areas=self._city.areas,
            seal=self._seal(place),
            trap=signup.TRAP,
            invitations=invitations,
        )

    def _page(
        self, layout: str, language: str, status: int, headers: Mapping[str, str] | None = None, **values: Any
    ) -> Response:
        kept = NO_STORE if status >= 400 else _BY_LANGUAGE
        return self._pages.page(
            layout,
            spoken(language),
            status=status,
            headers={**kept, **self._headers, **(headers or {})},
            chosen=language,
            languages=self._city.languages,
            embedded=self._embedded,
            base=self._base,
            **values,
        )

    def _say(
        self, key: str, place: _Place, status: int, headers: Mapping[str, str] | None = None
    ) -> Response:
        return self._page("sorry", place.language, status, headers, key=key)

    def _done(self, place: _Place, kind: AddressKind) -> Response:
        path = f"{self._base}/sent?by={kind}&language={place.language}"
        return self._pages.redirect(path, {**NO_STORE, **self._headers}, status=303)

    def _nothing(self, request: Request, language: str) -> Response:
        return self._pages.not_found(self._language(request, language), {**NO_STORE, **self._headers})


def _ways(hub: Hub) -> Ways:
    kinds = {channel.address_kind: name for name, channel in reversed(hub.channels.items())}
    return Ways({kind: kinds[kind] for kind in _TYPED if kind in kinds}, hub.settings.city.country)


def _framed_by(origins: Sequence[str]) -> dict[str, str]:
    """The policy that lets the pages of these origins hold this one in a frame."""
    allowed = " ".join(origins) or "'none'"
    return {"Content-Security-Policy": POLICY.replace("frame-ancestors 'none'", f"frame-ancestors {allowed}")}
