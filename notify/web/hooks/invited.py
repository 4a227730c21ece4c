"""What the payload of an invitation means: a list to join, and who is meant.

It is a token of the hub, which may name a known person as well, or the plain `list-5` of a public list, as a
person may write it into a link. Both fit where a chat app allows 64 letters, digits, _ and -.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlmodel import Session, col, select

from contacts import joining
from contacts.models import Contact, ContactList, Endpoint, EndpointState, ListKind
from notify.tokens import Recipient, Tokens
from notify.web.guard import LARGEST_ID

_PUBLIC = "list-"


@dataclass(frozen=True, slots=True)
class Invited:
    """What an invitation says; both are None where it says nothing, or nothing that is true any more."""

    list: ContactList | None = None
    contact: Contact | None = None


def read(session: Session, tokens: Tokens, given: str) -> Invited:
    """What a payload invites to."""
    number = given.removeprefix(_PUBLIC)
    if number != given:
        found = _list(session, int(number)) if number.isascii() and number.isdigit() else None
        return Invited(found if found and found.public else None)
    recipient = tokens.read(given) if given else None
    return _read_token(session, recipient) if recipient else Invited()


def _read_token(session: Session, recipient: Recipient) -> Invited:
    endpoint = joining.living(session, recipient.endpoint_id)
    is_known = endpoint is not None and endpoint.state != EndpointState.ERASED
    contact = session.get(Contact, endpoint.contact_id) if endpoint and is_known else None
    return Invited(_list(session, recipient.list_id or 0), contact)


def _list(session: Session, number: int) -> ContactList | None:
    found = session.get(ContactList, number) if 0 < number <= LARGEST_ID else None
    return found if found and found.kind == ListKind.OPT_IN else None


def can_be_reached(session: Session, contact: Contact, channel: str) -> bool:
    """Whether a contact has an address on a channel."""
    query = select(Endpoint.id).where(
        Endpoint.contact_id == contact.id, Endpoint.channel == channel, col(Endpoint.address) != ""
    )
    return session.exec(query.limit(1)).first() is not None
