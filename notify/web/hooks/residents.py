"""What a callback means for the ledger and for consent, and what the resident is told.

- Receipts move deliveries (R11), if the token they carry names the delivery's own recipient.
- A no is a no to everything for that address, for all who share it (R5), or to one list if it names one (R8);
  it is confirmed once (R6).
- A yes gives back the lists there were (R8). Who had none joins the list of those who wrote to us; who names
  a public list joins that one.
- YES is a yes only from an address that has said no; from anybody else it is a reply (R4).
- Help is given to anyone (R7). Everything else is kept for staff to read; what may be a refusal holds sending
  to the address until they have (R3).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy import exists
from sqlmodel import Session, col, select

import templates
from channels.contract import Channel, Event, EventKind
from channels.folding import fold
from contacts import consent, lists
from contacts.addresses import Address, BadAddress, normalise
from contacts.columns import now
from contacts.models import ConsentEvent, Contact, ContactList, Endpoint, EndpointState, Subscription
from notify import inbound
from notify.dispatch import receipts
from notify.dispatch.models import Delivery
from notify.hub import Hub
from notify.inbound import Inbound, address_hash, keep
from notify.web.guard import LARGEST_ID
from notify.web.hooks import invited
from notify.web.hooks.wishes import Want, Wish, Wishes, joinable, own_names
from notify.web.languages import choose, spoken
from notify.web.public.topics import described

log = structlog.get_logger()

JOINED_LIST = "Wrote to us to join"
_JOINED_DESCRIPTION = "Residents who asked for messages themselves, by writing to the city."
_RECEIPTS = frozenset({EventKind.SENT, EventKind.DELIVERED, EventKind.UNDELIVERED})
# Who says one of these is on record from then on: a later import must find it.
_DECISIONS = frozenset({Want.LEAVE, Want.JOIN, Want.LEAVE_LIST, Want.JOIN_LIST, Want.REFUSAL})
_READ_BY_STAFF = frozenset({Want.REPLY, Want.REFUSAL})
_SYSTEM = "system"  # who has dealt with a message that the hub carried out
# Where a channel has no sentence of its own for it.
_INSTEAD = {"welcome": "started", "joined": "started", "left": "stopped"}


class Residents:
    """Takes events one by one, in the caller's transaction."""

    def __init__(self, hub: Hub) -> None:
        self._city = hub.settings.as_city()
        self._tokens = hub.tokens
        self._key = hub.settings.key()
        self._wishes = Wishes(self._city.languages)
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
        known = _endpoints(session, channel.name, address)
        has_said_no = any(endpoint.opted_out for endpoint in known)
        wish = self._wishes.read(session, event, is_known=bool(known), has_said_no=has_said_no)
        heard = _Heard(channel, event, address, known, wish)
        if not known and wish.want in _DECISIONS:
            heard.known.append(self._meet(session, heard))
        answered = _is_answered(session, heard)
        if not self._keep(session, heard):
            return ""  # told before
        said = self._act(session, heard)
        session.flush()
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
            kind=heard.wish.want,
            endpoint_id=known[0].id if known else None,
            address_hash="" if known else address_hash(self._key, heard.channel.name, heard.address.key),
            text=event.text if heard.wish.want in _READ_BY_STAFF else "",
            language=event.language,
            answered=event.answered,
            provider_id=event.provider_id,
            done_by="" if heard.wish.want in _READ_BY_STAFF else _SYSTEM,
            done_at=None if heard.wish.want in _READ_BY_STAFF else now(),
        )
        return keep(session, row)

    def _act(self, session: Session, heard: _Heard) -> str:
        """Do what the resident wants; returns which of the channel's fixed sentences says so."""
        match heard.wish.want:
            case Want.LEAVE:
                return self._leave(session, heard)
            case Want.LEAVE_LIST:
                return self._leave_list(session, heard)
            case Want.JOIN:
                return self._join(session, heard)
            case Want.JOIN_LIST:
                return self._join_list(session, heard, heard.wish.list)
            case Want.SPEAK:
                return self._speak(session, heard)
            case Want.HELP | Want.JOIN_HELP:
                return heard.wish.want
            case Want.REFUSAL:
                inbound.hold(session, heard.channel.name, heard.address.key)
        return ""

    def _leave(self, session: Session, heard: _Heard) -> str:
        """A no to everything. A stranger's is kept too: a later import must find it."""
        self._release(session, heard)
        is_silent = all(endpoint.opted_out for endpoint in heard.known)
        # Kept again as well: a yes on paper that is entered late may be newer than the first no.
        consent.opt_out(session, heard.channel.name, heard.address.key, **heard.proof)
        return "" if is_silent else "stopped"

    def _leave_list(self, session: Session, heard: _Heard) -> str:
        """A no to one list; the others stay as they are (R8)."""
        assert heard.wish.list is not None
        number = heard.wish.list.id or 0
        is_silent = all(_has_left(session, endpoint, number) for endpoint in heard.known)
        # Kept also where a no to everything silences the list: START gives back all but this one.
        consent.opt_out(session, heard.channel.name, heard.address.key, list_id=number, **heard.proof)
        return "" if is_silent else "left"

    def _join(self, session: Session, heard: _Heard) -> str:
        """A yes to what there was; who had nothing gets the list of an invitation, or the general one."""
        name, key = heard.channel.name, heard.address.key
        is_back = any(_has_decided(session, endpoint) for endpoint in heard.known)
        invited_to = invited.read(session, self._tokens, heard.event.token).list
        # Kept also where nothing was refused: a no on paper that is entered late may be older than this yes.
        if heard.has_said_no or invited_to is None:
            consent.opt_in(session, name, key, **heard.proof)
        listed = invited_to or self._list_for_newcomers(session, heard)
        if listed is None:
            self._reach(session, heard)
        else:
            self._join_list(session, heard, listed)
        return "started" if is_back else "welcome"

    def _join_list(self, session: Session, heard: _Heard, listed: ContactList | None) -> str:
        """A yes to one list. What else was refused stays refused (R8)."""
        assert listed is not None
        assert listed.id is not None
        self._reach(session, heard)
        consent.opt_in(session, heard.channel.name, heard.address.key, list_id=listed.id, **heard.proof)
        for endpoint in heard.known:
            lists.add_member(session, listed.id, endpoint.contact_id)
        return "joined"

    def _reach(self, session: Session, heard: _Heard) -> None:
        """Somebody who writes to us and says yes can be reached, whatever we thought of the address."""
        self._release(session, heard)
        for endpoint in heard.known:
            session.refresh(endpoint)
            endpoint.state, endpoint.state_reason = EndpointState.USABLE, ""
            endpoint.held, endpoint.soft_bounces = "", 0
            session.add(endpoint)

    def _release(self, session: Session, heard: _Heard) -> None:
        """Clear words make a refusal in other words plain."""
        inbound.release(session, heard.channel.name, heard.address.key, by="resident")

    def _speak(self, session: Session, heard: _Heard) -> str:
        """Write in another language from now on, to everybody at this address."""
        if not heard.known:
            return ""
        owners = col(Contact.id).in_([endpoint.contact_id for endpoint in heard.known])
        for contact in session.exec(select(Contact).where(owners)):
            contact.language, contact.updated_at = heard.wish.language, now()
            session.add(contact)
        return "language"

    def _list_for_newcomers(self, session: Session, heard: _Heard) -> ContactList | None:
        """The general list, for those who are on none."""
        if any(_is_subscribed(session, endpoint) for endpoint in heard.known):
            return None
        return lists.get_or_create(session, JOINED_LIST, description=_JOINED_DESCRIPTION)

    def _words(self, session: Session, heard: _Heard, said: str) -> str:
        """The fixed sentence in the contact's language."""
        contact = session.get(Contact, heard.known[0].contact_id) if heard.known else None
        asked = contact.language if contact else choose([heard.event.language], self._city.languages)
        phrases = templates.phrases(spoken(asked))
        if said == "language":
            return phrases["menu_language_set"].format(language=next(iter(own_names(asked))))
        name = heard.channel.name
        sentence = phrases.get(f"{name}_{said}") or phrases.get(f"{name}_{_INSTEAD.get(said)}", "")
        return sentence.format(
            city=self._city.name,
            phone=self._city.phone or self._city.public_url,
            list=self._title(heard.wish.list, asked),
            words=self._join_words(session, asked) if said == Want.JOIN_HELP else "",
        )

    def _title(self, listed: ContactList | None, language: str) -> str:
        return described([listed], language, self._city.languages[0])[0].title if listed else ""

    def _join_words(self, session: Session, language: str) -> str:
        """FOOD (Food help), NEWS (Weekly news): a list whose title is its word is named once."""
        named = ((each.join_word.upper(), self._title(each, language)) for each in joinable(session))
        return ", ".join(word if fold(title) == fold(word) else f"{word} ({title})" for word, title in named)


@dataclass(frozen=True, slots=True)
class _Heard:
    """One message from an address, and everybody who has it."""

    channel: Channel
    event: Event
    address: Address
    known: list[Endpoint]
    wish: Wish

    @property
    def has_said_no(self) -> bool:
        """Whether anybody at this address has left."""
        return any(endpoint.opted_out for endpoint in self.known)

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
    if heard.wish.want is not Want.JOIN or not may_answer:
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


def _has_decided(session: Session, endpoint: Endpoint) -> bool:
    """Whether anything has ever been said about this address."""
    found = exists().where(col(ConsentEvent.endpoint_id) == endpoint.id)
    return bool(session.execute(select(found)).scalar())


def _has_left(session: Session, endpoint: Endpoint, list_id: int) -> bool:
    found = session.get(Subscription, (list_id, endpoint.id))
    return found is not None and not found.active


def _is_subscribed(session: Session, endpoint: Endpoint) -> bool:
    found = exists().where(col(Subscription.endpoint_id) == endpoint.id, col(Subscription.active))
    return bool(session.execute(select(found)).scalar())
