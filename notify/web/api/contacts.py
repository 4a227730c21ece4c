"""Contacts and their addresses: listed, found, made, changed, erased."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import Query, Response
from sqlalchemy import ColumnElement, exists
from sqlmodel import Session, col, select

from contacts import lists, registering
from contacts.addresses import normalise
from contacts.columns import now
from contacts.conditions import People, matches
from contacts.filter_trees import Is
from contacts.languages import language_tag
from contacts.models import Contact, Endpoint, EndpointState
from contacts.registering import AddressKnown
from contacts.values import Address
from notify import liaisons, residents
from notify.apikeys import Scope
from notify.hub import address_kinds
from notify.staff import StaffError
from notify.web.api.calls import Answer, Call, Caller, Trace
from notify.web.api.fields import IfMatch, PathId
from notify.web.api.problems import Place, Problem, at, not_possible
from notify.web.api.routing import Routes
from notify.web.api.seeing import among, check_match, check_whole, made, shaped, tagged, visible
from notify.web.api.shapes import (
    ContactChange,
    ContactFilters,
    ContactPage,
    ContactSearch,
    ContactsFound,
    ContactShape,
    Endpoints,
    Made,
    NewContact,
    NewEndpoint,
)


def add_routes(routes: Routes) -> None:
    """The routes of contacts."""
    read, write = Scope.CONTACTS_READ, Scope.CONTACTS_WRITE
    one = "/contacts/{contact_id:id}"
    routes.add("GET", "/contacts", list_contacts, scope=read, gives=ContactPage, refuses=[422])
    routes.add(
        "POST", "/contacts", create_contact, scope=write, gives=Made, status=201, refuses=[409, 422],
        repeatable=True, headers=["Location"], makes=("contact_id", "id"),
    )  # fmt: skip
    routes.add("POST", "/contacts/search", search_contacts, scope=read, gives=ContactsFound, refuses=[422])
    routes.add("GET", one, get_contact, scope=read, gives=ContactShape, refuses=[404], headers=["ETag"])
    routes.add(
        "PATCH",
        one,
        change_contact,
        scope=write,
        gives=ContactShape,
        refuses=[404, 412, 422],
        headers=["ETag"],
    )
    routes.add(
        "DELETE", one, erase_contact, scope=Scope.CONTACTS_ERASE, gives=None, status=204, refuses=[404]
    )
    routes.add("GET", f"{one}/endpoints", list_endpoints, scope=read, gives=Endpoints, refuses=[404])
    routes.add(
        "POST", f"{one}/endpoints", add_endpoint, scope=write, gives=Made, status=201, refuses=[404, 409, 422],
        repeatable=True, headers=["Location"],
    )  # fmt: skip


def list_contacts(call: Caller, asked: Annotated[ContactFilters, Query()]) -> Response:
    """The contacts that the key may see, page by page."""
    after = call.cursors.after("contacts", asked)

    def look(session: Session) -> Answer:
        query = select(Contact).where(*among(call), *_wanted(asked), col(Contact.id) > after)
        found = list(session.exec(query.order_by(col(Contact.id)).limit(asked.limit + 1)))
        count, cursor = call.cursors.following("contacts", asked, [each.id or 0 for each in found])
        page = ContactPage(items=shaped(session, call, found[:count]), next_cursor=cursor)
        return Answer(page, trace=Trace("contacts.list", "contacts", {"count": count}))

    return call.read(look)


def search_contacts(call: Caller, wanted: ContactSearch) -> Response:
    """Who has an address, of those that the key may see."""
    address = _address(call, wanted, "")

    def look(session: Session) -> Answer:
        has_it = exists().where(
            col(Endpoint.contact_id) == col(Contact.id),
            col(Endpoint.channel) == wanted.channel,
            col(Endpoint.address_key) == address.key,
        )
        found = list(session.exec(select(Contact).where(*among(call), has_it).order_by(col(Contact.id))))
        trace = Trace("contacts.search", "contacts", {"count": len(found)})
        return Answer(ContactsFound(items=shaped(session, call, found)), trace=trace)

    return call.read(look)


def get_contact(call: Caller, contact_id: PathId) -> Response:
    """One contact with its addresses and what stands about them."""

    def look(session: Session) -> Answer:
        contact = visible(session, call, contact_id)
        return _shown(session, call, contact, Trace("contact.view", f"contact {contact_id}"))

    return call.read(look)


def create_contact(call: Caller, wanted: NewContact) -> Response:
    """A new contact. An address that the city knows already is refused: find who has it with a search."""
    with at("/language"):
        language = language_tag(wanted.language)
    addresses = [
        (each.channel, _address(call, each, f"/endpoints/{index}"))
        for index, each in enumerate(wanted.endpoints)
    ]

    def make(session: Session) -> Answer:
        _check_lists(session, call, wanted.lists)
        contact = registering.add_contact(
            session, name=wanted.name, language=language, area=wanted.area, groups=wanted.groups
        )
        contact_id = contact.id or 0
        for index, (channel, address) in enumerate(addresses):
            _give(session, call, contact_id, channel, address, f"/endpoints/{index}/address")
        for list_id in wanted.lists:
            lists.add_member(session, list_id, contact_id)
        trace = Trace("contact.add", f"contact {contact_id}", {"endpoints": len(addresses)})
        return made(f"contacts/{contact_id}", contact_id, trace)

    return call.write(make)


def change_contact(call: Caller, contact_id: PathId, change: ContactChange, match: IfMatch = "") -> Response:
    """Change what is given, and leave the rest. What residents said about consent is not changed here."""
    given = change.model_dump(exclude_unset=True)
    if "language" in given:
        with at("/language"):
            given["language"] = language_tag(change.language)
    if "groups" in given:
        given["groups"] = registering.groups_kept(change.groups)

    def do(session: Session) -> Answer:
        contact = visible(session, call, contact_id)
        trace = Trace("contact.change", f"contact {contact_id}", {"fields": sorted(given)})
        check_match(match, _shown(session, call, contact, trace))
        if given:
            contact.sqlmodel_update(given | {"updated_at": now()})
            session.add(contact)
            session.flush()
        return _shown(session, call, contact, trace)

    return call.write(do)


def erase_contact(call: Caller, contact_id: PathId) -> Response:
    """Erase a contact: only an empty shell and the proof of consent stay. This cannot be taken back."""

    def do(session: Session) -> Answer:
        visible(session, call, contact_id)
        check_whole(session, call, contact_id)
        residents.erase(session, call.keeper, contact_id, key=call.hub.settings.key())
        return Answer(status=204)

    return call.write(do)


def list_endpoints(call: Caller, contact_id: PathId) -> Response:
    """A contact's addresses and what stands about them."""

    def look(session: Session) -> Answer:
        contact = visible(session, call, contact_id)
        (shape,) = shaped(session, call, [contact])
        return Answer(Endpoints(items=shape.endpoints), trace=Trace("contact.view", f"contact {contact_id}"))

    return call.read(look)


def add_endpoint(call: Caller, contact_id: PathId, wanted: NewEndpoint) -> Response:
    """Give a contact an address. This is no consent: record that as well."""
    address = _address(call, wanted, "")

    def make(session: Session) -> Answer:
        visible(session, call, contact_id)
        endpoint_id = _give(session, call, contact_id, wanted.channel, address, "/address")
        trace = Trace("contact.endpoint", f"contact {contact_id}", {"endpoint": endpoint_id})
        return made(f"contacts/{contact_id}/endpoints", endpoint_id, trace)

    return call.write(make)


def _shown(session: Session, call: Call, contact: Contact, trace: Trace) -> Answer:
    (shape,) = shaped(session, call, [contact])
    return tagged(Answer(shape, trace=trace))


def _wanted(asked: ContactFilters) -> list[ColumnElement[bool]]:
    given = {name: getattr(asked, name) for name in ("language", "area", "group")}
    wanted = [matches(Is(name, (value,)), People(endpoint=None)) for name, value in given.items() if value]
    if asked.list_id is not None:
        wanted.append(lists.is_member(asked.list_id))
    if asked.channel is not None:
        wanted.append(_has_address(asked.channel))
    return wanted


def _has_address(channel: str) -> ColumnElement[bool]:
    return exists().where(
        col(Endpoint.contact_id) == col(Contact.id),
        col(Endpoint.channel) == channel,
        col(Endpoint.state) != EndpointState.ERASED,
    )


def _address(call: Call, wanted: NewEndpoint | ContactSearch, pointer: str) -> Address:
    with at(f"{pointer}/address"):
        kind = address_kinds()[wanted.channel]
        return normalise(kind, wanted.address, country=call.hub.settings.city.country)


def _check_lists(session: Session, call: Call, list_ids: Sequence[int]) -> None:
    """Make sure that a new contact is on lists of the key's person only, and that the person will see it."""
    if not list_ids and not liaisons.keeps_all(call.person):
        raise not_possible("/lists", "list_needed", "Name a list that the key's person keeps.")
    for index, list_id in enumerate(list_ids):
        try:
            liaisons.require_keeper(session, call.person, list_id)
        except StaffError:
            raise not_possible(
                f"/lists/{index}", "list_unknown", "There is no such list, or it is not yours."
            ) from None


def _give(session: Session, call: Call, contact_id: int, channel: str, address: Address, pointer: str) -> int:
    try:
        kind = address_kinds()[channel]
        return registering.add_endpoint(session, contact_id, channel, kind, address).id or 0
    except AddressKnown as known:
        raise _known(session, call, known, pointer) from None


def _known(session: Session, call: Call, known: AddressKnown, pointer: str) -> Problem:
    """Who has the address is said only where the key may see them."""
    condition = select(Contact.id).where(Contact.id == known.contact_id, *among(call))
    who = f"Contact {known.contact_id}" if session.exec(condition).first() else "Another contact"
    place = Place(pointer=pointer, code="address_known", detail=f"{who} has this address already.")
    return Problem(409, "address_known", "The city knows this address already.", errors=[place])
