"""What a callback means for the ledger and for consent, and what the resident is told.

- Receipts move deliveries (R11), if the token they carry names the delivery's own recipient.
- A no is a no to everything for that address, for all who share it (R5); it is confirmed once (R6).
- A yes gives back the lists there were (R8). Who had none joins the list of those who wrote to us.
- YES is a yes only from an address that has said no; from anybody else it is a reply (R4).
- Help is given to anyone (R7). Everything else is kept for staff to read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy import exists
from sqlmodel import Session, col, select

import templates
from channels.contract import Channel, Event, EventKind
from contacts import consent, lists
from contacts.addresses import Address, BadAddress, normalise
from contacts.models import Contact, Endpoint, EndpointState, Subscription
from notify.dispatch import receipts
from notify.dispatch.models import Delivery
from notify.hub import Hub
from notify.inbound import Inbound, address_hash, keep
from notify.web.guard import LARGEST_ID
from notify.web.hooks import invited
from notify.web.languages import choose, spoken

log = structlog.get_logger()

JOINED_LIST = "Wrote to us to join"
_JOINED_DESCRIPTION = "Residents who asked for messages themselves, by writing to the city."
_RECEIPTS = frozenset({EventKind.SENT, EventKind.DELIVERED, EventKind.UNDELIVERED})
_DECISIONS = frozenset({EventKind.OPTED_OUT, EventKind.OPTED_IN})
_YES = "YES"  # the code of a reply that is nothing but a yes


class Residents:
    """Takes events one by one, in the caller's transaction."""

    def __init__(self, hub: Hub) -> None:
        self._city = hub.settings.as_city()
        self._tokens = hub.tokens
        self._key = hub.settings.key()
        self._sending = hub.settings.sending

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
        receipts.record(session, event, self._sending)

    def _is_recipient(self, session: Session, event: Event) -> bool:
        """Whether the token in a receipt names the endpoint of the delivery it is about."""
        recipient = self._tokens.read(event.token)
        delivery = session.get(Delivery, event.key)
        return bool(recipient and delivery and delivery.endpoint_id == recipient.endpoint_id)

    def _message(self, session: Session, channel: Channel, event: Event) -> str:
        try:
            address = normalise(channel.address_kind, event.address, country=self._city.country)
        except BadAddress:
            log.warning("message_ignored", channel=channel.name, reason="nothing can be sent to its sender")
            return ""
        heard = _Heard(channel, event, address, _endpoints(session, channel.name, address))
        if not heard.known and event.kind in _DECISIONS:
            heard.known.append(self._meet(session, heard))
        answered = _is_answered(session, heard)
        if not self._keep(session, heard):
            return ""  # told before
        said = self._act(session, heard)
        return "" if answered or not said else self._words(session, heard, said)

    def _meet(self, session: Session, heard: _Heard) -> Endpoint:
        """Somebody who writes to us for the first time from this address."""
        contact = self._owner(session, heard)
        session.add(contact)
        session.flush()
        endpoint = Endpoint(
            contact_id=contact.id or 0,
            channel=heard.channel.name,
            address=heard.address.address,
            address_key=heard.address.key,
        )
        session.add(endpoint)
        session.flush()
        return endpoint

    def _owner(self, session: Session, heard: _Heard) -> Contact:
        """Whom an invitation names, unless somebody has used it already; else a new contact."""
        meant = invited.read(session, self._tokens, heard.event.token).contact
        if meant and not invited.can_be_reached(session, meant, heard.channel.name):
            return meant
        return Contact(language=choose([heard.event.language], self._city.languages))

    def _keep(self, session: Session, heard: _Heard) -> bool:
        """Keep one message; returns whether it is new."""
        event, known = heard.event, heard.known
        row = Inbound(
            channel=heard.channel.name,
            kind=event.kind,
            endpoint_id=known[0].id if known else None,
            address_hash="" if known else address_hash(self._key, heard.channel.name, heard.address.key),
            text=event.text if event.kind is EventKind.REPLY else "",
            language=event.language,
            answered=event.answered,
            provider_id=event.provider_id,
        )
        return keep(session, row)

    def _act(self, session: Session, heard: _Heard) -> str:
        """Do what the resident wants; returns which of the channel's fixed sentences says so."""
        match heard.meaning:
            case EventKind.OPTED_OUT:
                return self._leave(session, heard)
            case EventKind.OPTED_IN:
                return self._join(session, heard)
            case EventKind.HELP:
                return "help"
        return ""

    def _leave(self, session: Session, heard: _Heard) -> str:
        """A no to everything. A stranger's is kept too: a later import must find it."""
        if all(endpoint.opted_out for endpoint in heard.known):
            return ""
        consent.opt_out(session, heard.channel.name, heard.address.key, **heard.proof)
        return "stopped"

    def _join(self, session: Session, heard: _Heard) -> str:
        """A yes. Somebody who writes to us can be reached, whatever we thought of the address."""
        name, key = heard.channel.name, heard.address.key
        if heard.has_said_no:
            consent.opt_in(session, name, key, **heard.proof)
        for endpoint in heard.known:
            endpoint.state, endpoint.state_reason = EndpointState.USABLE, ""
            session.add(endpoint)
        if list_id := self._list_to_join(session, heard):
            consent.opt_in(session, name, key, list_id=list_id, **heard.proof)
            for endpoint in heard.known:
                lists.add_member(session, list_id, endpoint.contact_id)
        return "started"

    def _list_to_join(self, session: Session, heard: _Heard) -> int | None:
        """The list that an invitation names, else one for those who are on none."""
        if asked := invited.read(session, self._tokens, heard.event.token).list:
            return asked.id
        if any(_is_subscribed(session, endpoint) for endpoint in heard.known):
            return None
        return lists.get_or_create(session, JOINED_LIST, description=_JOINED_DESCRIPTION).id

    def _words(self, session: Session, heard: _Heard, said: str) -> str:
        """The fixed sentence in the contact's language."""
        contact = session.get(Contact, heard.known[0].contact_id) if heard.known else None
        asked = contact.language if contact else choose([heard.event.language], self._city.languages)
        sentence = templates.phrases(spoken(asked)).get(f"{heard.channel.name}_{said}", "")
        return sentence.format(city=self._city.name, phone=self._city.phone or self._city.public_url)


@dataclass(frozen=True, slots=True)
class _Heard:
    """One message from an address, and everybody who has it."""

    channel: Channel
    event: Event
    address: Address
    known: list[Endpoint]

    @property
    def has_said_no(self) -> bool:
        """Whether anybody at this address has left."""
        return any(endpoint.opted_out for endpoint in self.known)

    @property
    def meaning(self) -> EventKind:
        """What the message is: YES is a yes only from who has said no (R4)."""
        says_yes = self.event.kind is EventKind.REPLY and self.event.code == _YES
        return EventKind.OPTED_IN if says_yes and self.has_said_no else self.event.kind

    @property
    def proof(self) -> dict[str, Any]:
        """Of a decision, for the consent ledger (R31)."""
        return {
            "method": f"{self.channel.name} keyword",
            "wording": self.event.text,
            "wording_language": self.event.language,
            "reference": self.event.provider_id or "",
            "actor": "resident",
        }


def _is_answered(session: Session, heard: _Heard) -> bool:
    """Whether the provider answers the resident itself.

    A provider that answers keywords welcomes back only whom it had taken off: a no in a language that it does
    not know, or on the web, never reached it. To whom it had taken off, it answers YES as well.
    """
    event = heard.event
    may_answer = event.answered or event.kind is EventKind.REPLY
    if heard.meaning is not EventKind.OPTED_IN or not may_answer:
        return event.answered
    everybody = [endpoint.id for endpoint in heard.known]
    last_no = (
        select(Inbound.answered)
        .where(Inbound.kind == EventKind.OPTED_OUT, col(Inbound.endpoint_id).in_(everybody))
        .order_by(col(Inbound.id).desc())
        .limit(1)
    )
    return bool(session.exec(last_no).first())


def _endpoints(session: Session, channel: str, address: Address) -> list[Endpoint]:
    """Everybody who has this address, the first one first."""
    query = select(Endpoint).where(Endpoint.channel == channel, Endpoint.address_key == address.key)
    return list(session.exec(query.order_by(col(Endpoint.id)).execution_options(populate_existing=True)))


def _is_subscribed(session: Session, endpoint: Endpoint) -> bool:
    found = exists().where(col(Subscription.endpoint_id) == endpoint.id, col(Subscription.active))
    return bool(session.execute(select(found)).scalar())
