"""Residents entered one by one: a contact, an address, and whether the city knows that address already."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import select
from sqlmodel import Session, col

from channels.contract import AddressKind
from contacts.models import Contact, Endpoint
from contacts.values import Address, clean_line


class AddressKnown(ValueError):
    """Somebody has this address already.

    Attributes:
        contact_id: who.
    """

    def __init__(self, contact_id: int) -> None:
        super().__init__(f"Contact {contact_id} has this address already.")
        self.contact_id = contact_id


def add_contact(
    session: Session, *, name: str = "", language: str, area: str = "", groups: Iterable[str] = ()
) -> Contact:
    """A new contact, on no list and without an address. Nothing is committed.

    Args:
        session: an open session that may write.
        name: may be empty.
        language: BCP 47, from `contacts.languages`.
        area: a plain value, may be empty.
        groups: names of audience groups.
    """
    contact = Contact(name=name, language=language, area=area, groups=groups_kept(groups))
    session.add(contact)
    session.flush()
    return contact


def add_endpoint(
    session: Session, contact_id: int, channel: str, kind: AddressKind, address: Address
) -> Endpoint:
    """Give a contact an address. This is no consent. Nothing is committed.

    Args:
        session: an open session that may write.
        contact_id: whose address it is.
        channel: its name.
        kind: how the channel's addresses are written; several contacts may share a postal address only.
        address: from `contacts.addresses`.

    Raises:
        AddressKnown: somebody has it already.
    """
    for known in with_address(session, channel, address.key):
        if known.contact_id == contact_id or kind is not AddressKind.POSTAL:
            raise AddressKnown(known.contact_id)
    endpoint = Endpoint(
        contact_id=contact_id, channel=channel, address=address.address, address_key=address.key
    )
    session.add(endpoint)
    session.flush()
    return endpoint


def with_address(session: Session, channel: str, address_key: str) -> list[Endpoint]:
    """Everybody who has this address, the first one first."""
    query = select(Endpoint).where(col(Endpoint.channel) == channel, col(Endpoint.address_key) == address_key)
    return list(session.execute(query.order_by(col(Endpoint.id))).scalars())


def groups_kept(names: Iterable[str]) -> str:
    """Names of audience groups as `Contact.groups` keeps them."""
    cleaned = {clean_line(name).casefold() for name in names} - {""}
    return f"|{'|'.join(sorted(cleaned))}|" if cleaned else ""


def groups_of(contact: Contact) -> list[str]:
    """The names of a contact's audience groups."""
    return [name for name in contact.groups.split("|") if name]
