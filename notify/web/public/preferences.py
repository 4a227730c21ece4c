"""`/p/{token}`: what a resident gets, and where; to be changed, left in one press, and come back to.

The token in a message is all it takes: it is opaque, does not expire, and cannot be guessed, so a form without
it cannot be made up elsewhere. A GET changes nothing (R18); every yes and no is kept with the exact words that
stood on the page (R31).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from fastapi import APIRouter, Request, Response
from markupsafe import Markup
from sqlmodel import Session, col, select
from starlette.concurrency import run_in_threadpool

from channels.contract import AddressKind
from contacts import consent, lists
from contacts.columns import now
from contacts.consent import Method
from contacts.joining import living
from contacts.models import Contact, ContactList, Endpoint, EndpointState, ListKind
from notify import inbound
from notify.hub import Hub, address_kinds
from notify.tokens import Recipient
from notify.web.guard import TooLarge
from notify.web.languages import asked_for, choose, spoken
from notify.web.pages import NO_STORE, Pages, fill, left_to_right
from notify.web.public.forms import Form, Unreadable, read_form
from notify.web.public.masks import shown_address
from notify.web.public.topics import Topic, agreement, described, public_lists, refusal
from notify.web.public.visitors import Visitors
from templates import phrases


@dataclass(frozen=True)
class _Resident:
    """Whom a token names, and how the page speaks to them."""

    endpoint: Endpoint
    contact: Contact
    all_endpoints: Sequence[Endpoint]  # of the contact, this one first
    topics: Sequence[Topic]
    active: frozenset[int]  # of the topics
    chosen: str  # the language of the page, of those the city has
    token: str

    @property
    def said(self) -> str:
        """The language of the page's sentences."""
        return spoken(self.chosen)

    @cached_property
    def words(self) -> Mapping[str, str]:
        """The page's sentences."""
        return phrases(self.said)

    @property
    def gone(self) -> bool:
        """Whether this address has left everything."""
        return self.endpoint.opted_out


class Preferences:
    """Routes by which residents choose."""

    def __init__(self, hub: Hub, pages: Pages) -> None:
        self._hub, self._pages = hub, pages
        self._city = hub.settings.city
        self._kinds = address_kinds()
        self._visitors = Visitors(hub.settings.web.trusted_proxies)
        self._deeds = {"save": self._save, "leave": self._leave, "return": self._return}

    def router(self) -> APIRouter:
        """The routes."""
        router = APIRouter()
        router.add_api_route("/p/{token}", self.show, methods=["GET", "HEAD"])
        router.add_api_route("/p/{token}", self.change, methods=["POST"])
        return router

    def show(self, token: str, request: Request, language: str = "", done: str = "") -> Response:
        """What there is to choose. Nothing changes before a button is pressed."""
        recipient = self._hub.tokens.read(token)
        with self._hub.database.reading() as session:
            resident = self._find(session, recipient, token, language) if recipient else None
        return self._page(resident, done) if resident else self._nobody(request, language)

    async def change(self, token: str, request: Request, language: str = "") -> Response:
        """A button was pressed."""
        recipient = self._hub.tokens.read(token)
        if recipient is None:
            return self._nobody(request, language)
        try:
            form = await read_form(request)
        except TooLarge:
            return self._unreadable(request, language, 413)
        except Unreadable:
            return self._unreadable(request, language, 400)
        deed = form.one("do")
        if deed not in self._deeds:
            return self._unreadable(request, language, 400)
        ip = self._visitors.ip(request)
        before = await run_in_threadpool(self._do, deed, recipient, token, language, form, ip)
        if before is None:
            return self._nobody(request, language)
        wanted = form.one("language")
        if deed == "save" and wanted not in ("", before):  # who asks for messages in a language reads it
            language = wanted
        chosen = f"&language={language}" if language in self._city.languages else ""
        return self._pages.redirect(f"/p/{token}?done={deed}{chosen}", NO_STORE, status=303)

    def _do(
        self, deed: str, recipient: Recipient, token: str, language: str, form: Form, ip: str
    ) -> str | None:
        """Carry it out; gives the language of the resident's messages as it was before, None for nobody."""
        with self._hub.database.session() as session:
            resident = self._find(session, recipient, token, language)
            before = resident.contact.language if resident else None
            if resident:
                self._deeds[deed](session, resident, form, ip)
            session.commit()
        return before

    def _find(self, session: Session, recipient: Recipient, token: str, language: str) -> _Resident | None:
        endpoint = living(session, recipient.endpoint_id)
        if endpoint is None or endpoint.state == EndpointState.ERASED:
            return None
        contact = session.get_one(Contact, endpoint.contact_id)
        chosen = choose([language, contact.language], self._city.languages)
        standing = consent.present(session, endpoint.id or 0).lists
        active = frozenset(list_id for list_id, found in standing.items() if found.active)
        topics = described(_to_choose(session, active), spoken(chosen), self._city.languages[0])
        return _Resident(endpoint, contact, _all_of(session, endpoint), topics, active, chosen, token)

    def _save(self, session: Session, resident: _Resident, form: Form, ip: str) -> None:
        contact, language, area = resident.contact, form.one("language"), form.one("area")
        contact.language = language if language in self._languages(resident) else contact.language
        contact.area = area if area in ("", *self._areas(resident)) else contact.area
        contact.updated_at = now()
        session.add(contact)
        if not resident.gone:
            self._choose_topics(session, resident, form, ip)

    def _choose_topics(self, session: Session, resident: _Resident, form: Form, ip: str) -> None:
        """Only topics that stood on the page are decided about."""
        shown, ticked = form.many("shown"), form.many("topic")
        offered = [topic for topic in resident.topics if str(topic.id) in shown]
        wanted = [topic for topic in offered if str(topic.id) in ticked]
        yes = agreement(resident.words, self._city.name, wanted)
        for topic in offered:
            if (topic in wanted) == (topic.id in resident.active):
                continue
            if topic in wanted:
                lists.add_member(session, topic.id, resident.contact.id or 0)
            wording = yes if topic in wanted else refusal(resident.words, topic)
            self._say(session, resident, resident.endpoint, topic in wanted, wording, ip, topic.id)

    def _leave(self, session: Session, resident: _Resident, _form: Form, ip: str) -> None:
        wording = self._leaving(resident).striptags()
        for endpoint in resident.all_endpoints:
            if endpoint.opted_out and consent.was_just_refused(session, endpoint.id or 0, None):
                continue
            self._say(session, resident, endpoint, False, wording, ip)

    def _return(self, session: Session, resident: _Resident, _form: Form, ip: str) -> None:
        if resident.gone:
            wording = self._sentence(resident, "prefs_return_text").striptags()
            self._say(session, resident, resident.endpoint, True, wording, ip)

    def _say(
        self,
        session: Session,
        resident: _Resident,
        endpoint: Endpoint,
        decision: bool,
        wording: str,
        ip: str,
        list_id: int | None = None,
    ) -> None:
        """Record a yes or no. Who shares a phone or a mailbox shares it; a letter box has others' post too."""
        said: consent.Saying = {
            "list_id": list_id,
            "method": Method.WEB_FORM,
            "wording": wording,
            "wording_language": resident.said,
            "reference": f"preferences-{endpoint.id}",
            "actor": "resident",
            "ip": ip,
        }
        if self._kind(endpoint) is AddressKind.POSTAL:
            consent.record_many(
                session,
                [
                    consent.Word(
                        contact_id=endpoint.contact_id,
                        endpoint_id=endpoint.id or 0,
                        decision=decision,
                        **said,
                    )
                ],
            )
        else:
            speak = consent.opt_in if decision else consent.opt_out
            speak(session, endpoint.channel, endpoint.address_key, **said)
        if decision or list_id is None:  # clear words need no person to read what was written before (R3)
            inbound.release(session, endpoint.channel, endpoint.address_key, by="resident")

    def _page(self, resident: _Resident, done: str) -> Response:
        return self._pages.page(
            "preferences",
            resident.said,
            headers=NO_STORE,
            resident=resident,
            chosen=resident.chosen,
            languages=self._city.languages,
            message_languages=self._languages(resident),
            areas=self._areas(resident),
            address=self._address(resident.endpoint),
            ways=[(each, self._kind(each), self._address(each)) for each in resident.all_endpoints],
            leaving=self._leaving(resident),
            saved=done == "save" and not resident.gone,
            changed=done in ("leave", "return"),
        )

    def _languages(self, resident: _Resident) -> list[str]:
        """Those the city writes in, and the one chosen before."""
        return list(dict.fromkeys([*self._city.languages, resident.contact.language]))

    def _areas(self, resident: _Resident) -> list[str]:
        known = [resident.contact.area] if resident.contact.area else []
        return list(dict.fromkeys([*self._city.areas, *known]))

    def _leaving(self, resident: _Resident) -> Markup:
        several = len(resident.all_endpoints) > 1
        return self._sentence(resident, "prefs_leave_text" if several else "leave_text")

    def _sentence(self, resident: _Resident, key: str) -> Markup:
        address = self._address(resident.endpoint)
        return fill(resident.words[key], city=self._city.name, address=address)

    def _address(self, endpoint: Endpoint) -> Markup:
        return left_to_right(shown_address(self._kind(endpoint), endpoint.address))

    def _kind(self, endpoint: Endpoint) -> AddressKind:
        return self._kinds.get(endpoint.channel, AddressKind.EMAIL)

    def _unreadable(self, request: Request, language: str, status: int) -> Response:
        return self._pages.message("join_unreadable", self._wanted(request, language), status, NO_STORE)

    def _nobody(self, request: Request, language: str) -> Response:
        return self._pages.not_found(self._wanted(request, language), NO_STORE)

    def _wanted(self, request: Request, language: str) -> str:
        wanted = [language, *asked_for(request.headers.get("accept-language", ""))]
        return choose(wanted, self._city.languages)


def _to_choose(session: Session, active: frozenset[int]) -> list[ContactList]:
    """The public lists, and those that this address is on."""
    public = public_lists(session)
    query = select(ContactList).where(
        col(ContactList.id).in_(active),
        col(ContactList.public).is_(False),
        col(ContactList.kind) == ListKind.OPT_IN,
    )
    return [*public, *session.exec(query.order_by(col(ContactList.name)))]


def _all_of(session: Session, endpoint: Endpoint) -> list[Endpoint]:
    """The addresses of the same contact, this one first; not what is left of merged and erased ones."""
    query = select(Endpoint).where(
        Endpoint.contact_id == endpoint.contact_id,
        Endpoint.state != EndpointState.ERASED,
        Endpoint.address != "",
    )
    return sorted(session.exec(query), key=lambda each: (each.id != endpoint.id, each.id))
