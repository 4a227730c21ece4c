"""What a callback means for the ledger and for consent, and what the resident is told.

- Receipts move deliveries (R11), if the token they carry names the delivery's own recipient.
- A no is a no to everything for that address, for all who share it (R5); it is confirmed once (R6).
- A yes gives back the lists there were (R8). Who had none joins the list of those who wrote to us.
- YES is a yes only from an address that has said no; from anybody else it is a reply (R4).
- Help is given to anyone (R7). Everything else is kept for staff to read.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

import structlog
from sqlalchemy import exists
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

import templates
from channels.contract import Channel, Event, EventKind
from contacts import consent, lists
from contacts.addresses import Address, BadAddress, normalise
from contacts.models import Contact, ContactList, Endpoint, EndpointState, Subscription
from notify.dispatch import receipts
from notify.dispatch.models import Delivery
from notify.hub import Hub
from notify.inbound import Inbound
from notify.tokens import Recipient
from notify.web.guard import LARGEST_ID
from notify.web.languages import choose, spoken

log = structlog.get_logger()

JOINED_LIST = "Wrote to us to join"
_JOINED_DESCRIPTION = "Residents who asked for messages themselves, by writing to the city."
_RECEIPTS = frozenset({EventKind.SENT, EventKind.DELIVERED, EventKind.UNDELIVERED})
_YES = "YES"  # the code of a reply that is nothing but a yes


class Residents:
    """Takes events one by one, in the caller's transaction."""

    def __init__(self, hub: Hub) -> None:
        self._city = hub.settings.as_city()
        self._tokens = hub.tokens
        self._key = hub.settings.key()

    def take(self, session: Session, channel: Channel, event: Event) -> str:
        """Enter one event.

        Returns:
            The text for the resident, empty for none.
        """
        if event.kind in _RECEIPTS:
            self._receipt(session, event)
            return ""
        return self._message(session, channel, event)

    def _receipt(self, session: Session, event: Event) -> None:
        if event.key is None or event.key > LARGEST_ID:
            return  # of no delivery of ours
        if event.token and not self._is_recipient(session, event):
            log.warning("receipt_ignored", delivery=event.key, reason="its token names somebody else")
            return
        receipts.record(session, event)

    def _is_recipient(self, session: Session, event: Event) -> bool:
        """Whether the token in a receipt names the endpoint of the delivery it is about."""
        recipient = self._tokens.read(event.token)
        delivery = session.get(Delivery, event.key)
        return bool(recipient and delivery and delivery.endpoint_id == recipient.endpoint_id)

    def _message(self, session: Session, channel: Channel, event: Event) -> str:
        address = self._address(channel, event)
        if address is None:
            log.warning("message_ignored", channel=channel.name, reason="nothing can be sent to its sender")
            return ""
        known = _endpoints(session, channel.name, address)
        if not self._keep(session, channel, event, address, known):
            return ""  # told before
        match _meaning(event, known):
            case EventKind.OPTED_OUT:
                said = self._leave(session, channel, event, address, known)
            case EventKind.OPTED_IN:
                said = self._join(session, channel, event, address, known)
            case EventKind.HELP:
                said = "help"
            case _:
                said = ""
        return "" if event.answered or not said else self._words(session, channel, said, event, known)

    def _address(self, channel: Channel, event: Event) -> Address | None:
        try:
            return normalise(channel.address_kind, event.address, country=self._city.country)
        except BadAddress:
            return None

    def _keep(
        self, session: Session, channel: Channel, event: Event, address: Address, known: list[Endpoint]
    ) -> bool:
        """Keep one message; returns whether it is new."""
        row = Inbound(
            channel=channel.name,
            kind=event.kind,
            endpoint_id=known[0].id if known else None,
            address_hash="" if known else self._hash(channel, address),
            text=event.text if event.kind is EventKind.REPLY else "",
            language=event.language,
            provider_id=event.provider_id,
        )
        try:
            with session.begin_nested():
                session.add(row)
        except IntegrityError:
            return False
        return True

    def _hash(self, channel: Channel, address: Address) -> str:
        return hmac.new(
            self._key, f"inbound {channel.name} {address.key}".encode(), hashlib.sha256
        ).hexdigest()

    def _leave(
        self, session: Session, channel: Channel, event: Event, address: Address, known: list[Endpoint]
    ) -> str:
        """A no to everything. Also of somebody we do not know: a later import must find it."""
        if known and all(endpoint.opted_out for endpoint in known):
            return ""
        if not known:
            known.append(self._meet(session, channel, event, address))
        consent.opt_out(session, channel.name, address.key, **_as_said(channel, event))
        return "stopped"

    def _join(
        self, session: Session, channel: Channel, event: Event, address: Address, known: list[Endpoint]
    ) -> str:
        """A yes. Somebody who writes to us can be reached, whatever we thought of the address."""
        if not known:
            known.append(self._meet(session, channel, event, address))
        said = _as_said(channel, event)
        if any(endpoint.opted_out for endpoint in known):
            consent.opt_in(session, channel.name, address.key, **said)
        for endpoint in known:
            endpoint.state, endpoint.state_reason = EndpointState.USABLE, ""
            session.add(endpoint)
        if list_id := self._list_to_join(session, event, known):
            consent.opt_in(session, channel.name, address.key, list_id=list_id, **said)
            for endpoint in known:
                lists.add_member(session, list_id, endpoint.contact_id)
        return "started"

    def _list_to_join(self, session: Session, event: Event, known: list[Endpoint]) -> int | None:
        """The list that the token in an invitation names, else one for those who are on none."""
        invited: Recipient | None = self._tokens.read(event.token) if event.token else None
        if invited and invited.list_id and session.get(ContactList, invited.list_id):
            return invited.list_id
        if any(_is_subscribed(session, endpoint) for endpoint in known):
            return None
        return lists.get_or_create(session, JOINED_LIST, description=_JOINED_DESCRIPTION).id

    def _meet(self, session: Session, channel: Channel, event: Event, address: Address) -> Endpoint:
        """Somebody who writes to us for the first time."""
        contact = Contact(language=choose([event.language], self._city.languages))
        session.add(contact)
        session.flush()
        endpoint = Endpoint(
            contact_id=contact.id or 0, channel=channel.name, address=address.address, address_key=address.key
        )
        session.add(endpoint)
        session.flush()
        return endpoint

    def _words(
        self, session: Session, channel: Channel, said: str, event: Event, known: list[Endpoint]
    ) -> str:
        """The fixed sentence in the contact's language."""
        contact = session.get(Contact, known[0].contact_id) if known else None
        language = contact.language if contact else choose([event.language], self._city.languages)
        sentence = templates.phrases(spoken(language)).get(f"{channel.name}_{said}", "")
        return sentence.format(city=self._city.name, phone=self._city.phone or self._city.public_url)


def _meaning(event: Event, known: list[Endpoint]) -> EventKind:
    says_yes = event.kind is EventKind.REPLY and event.code == _YES
    return EventKind.OPTED_IN if says_yes and any(each.opted_out for each in known) else event.kind


def _endpoints(session: Session, channel: str, address: Address) -> list[Endpoint]:
    """Everybody who has this address, the first one first."""
    query = select(Endpoint).where(Endpoint.channel == channel, Endpoint.address_key == address.key)
    return list(session.exec(query.order_by(col(Endpoint.id)).execution_options(populate_existing=True)))


def _is_subscribed(session: Session, endpoint: Endpoint) -> bool:
    found = exists().where(col(Subscription.endpoint_id) == endpoint.id, col(Subscription.active))
    return bool(session.execute(select(found)).scalar())


def _as_said(channel: Channel, event: Event) -> dict[str, Any]:
    """The proof of a decision, for the consent ledger (R31)."""
    return {
        "method": f"{channel.name} keyword",
        "wording": event.text,
        "wording_language": event.language,
        "reference": event.provider_id or "",
        "actor": "resident",
    }
