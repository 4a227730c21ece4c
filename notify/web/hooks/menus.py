"""Choices in a chat: language and topics by buttons, for every channel that can show them.

A pressed topic is a decision of its own in the consent ledger, with all the words that were shown: those of the
message and of the button, in their language (R31). A button says what it does, join or leave, so a press that
comes twice, or late, changes nothing that the resident has not seen.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import structlog
from sqlmodel import Session, col, select

import templates
from channels.contract import Channel, Choice, Conversing, Event, EventKind, Reply
from channels.text import has_right_to_left, set_apart
from contacts import consent, lists, moving, registering
from contacts.addresses import Address, BadAddress, normalise
from contacts.columns import now
from contacts.models import Contact, Endpoint, EndpointState, Subscription
from notify import inbound
from notify.hub import Hub
from notify.inbound import Inbound, keep
from notify.web.hooks import invited
from notify.web.hooks.residents import Residents
from notify.web.hooks.wishes import own_names
from notify.web.languages import choose, spoken
from notify.web.public.topics import Topic, described, public_lists

log = structlog.get_logger()

Replies = tuple[Reply, ...]

_CHOOSING = frozenset({EventKind.LANGUAGE, EventKind.TOPICS, EventKind.CHOSEN})
_LANGUAGE = re.compile(r"language:([A-Za-z0-9-]{2,35})")
_TOPIC = re.compile(r"topic:([0-9]{1,10}):(yes|no):([A-Za-z0-9-]{2,35})")


class Menus:
    """Takes what residents say over any channel; where a channel shows buttons, answers come with them."""

    def __init__(self, hub: Hub) -> None:
        self._residents = Residents(hub)
        self._city = hub.settings.as_city()
        self._tokens = hub.tokens

    def take(self, session: Session, channel: Channel, event: Event) -> Replies:
        """Enter one event, in the caller's transaction; returns what the resident is told."""
        if event.kind is EventKind.MOVED:
            self._move(session, channel, event)
            return ()
        if event.kind in _CHOOSING:
            return self._choose(session, channel, event)
        text = self._residents.take(session, channel, event)
        if not text:
            return ()
        if event.kind is EventKind.OPTED_IN and isinstance(channel, Conversing):
            return self._welcome(session, channel, event, text)
        return (Reply(text),)

    def _move(self, session: Session, channel: Channel, event: Event) -> None:
        old, new = self._address(channel, event.address), self._address(channel, event.moved_to)
        if old and new:
            moving.readdress(session, channel.name, old.key, new)

    def _address(self, channel: Channel, written: str) -> Address | None:
        try:
            return normalise(channel.address_kind, written, country=self._city.country)
        except BadAddress:
            log.warning("message_ignored", channel=channel.name, reason="nothing can be sent to its sender")
            return None

    def _welcome(self, session: Session, channel: Channel, event: Event, text: str) -> Replies:
        """Where somebody has joined, what they will get, and all that they may choose."""
        chat = self._chat(session, channel, event)
        if chat is None:
            return (Reply(text),)
        if listed := invited.read(session, self._tokens, event.token).list:
            (topic,) = described([listed], chat.language, self._city.languages[0])
            title = _within(topic.title, chat.language)
            text = self._said(chat, f"{channel.name}_joined", list=title)
        menu = self._languages(chat)
        asks = (text, chat.words["menu_language"])
        first = Reply("\n\n".join(asks), menu) if len(menu) > 1 else Reply(text)
        return (first, *self._topics(session, chat)[:1])

    def _choose(self, session: Session, channel: Channel, event: Event) -> Replies:
        """A menu that was asked for, or a choice from one; who never joined is told how to."""
        chat = self._chat(session, channel, event)
        if chat is None:
            language = spoken(choose([event.language], self._city.languages))
            sentence = templates.phrases(language).get(f"{channel.name}_help", "")
            return (Reply(self._filled(sentence)),)
        if not keep(session, _row(channel, event, chat)):
            return ()  # told before
        if event.kind is EventKind.LANGUAGE:
            return (Reply(chat.words["menu_language"], self._languages(chat)),)
        if event.kind is EventKind.TOPICS:
            return self._topics(session, chat) or (Reply(chat.words["menu_topics_none"]),)
        if found := _LANGUAGE.fullmatch(event.token):
            return self._speak(session, chat, found[1])
        if found := _TOPIC.fullmatch(event.token):
            return self._decide(session, chat, event, _Decision(int(found[1]), found[2] == "yes", found[3]))
        return ()

    def _speak(self, session: Session, chat: _Chat, language: str) -> Replies:
        """Write in another language from now on; what may be chosen comes again in it."""
        if language not in self._city.languages:
            return (Reply(chat.words["menu_language"], self._languages(chat), replaces=True),)
        is_new = language != chat.language
        for contact in chat.contacts:
            contact.language, contact.updated_at = language, now()
            session.add(contact)
        session.flush()
        text = chat.words["menu_language_set"].format(language=_own_name(language))
        if is_new and _joined(session, chat):
            text = "\n\n".join((text, self._said(chat, f"{chat.channel.name}_started")))
        topics = self._topics(session, chat) if is_new else ()
        return (Reply(text, self._languages(chat), replaces=True), *topics)

    def _decide(self, session: Session, chat: _Chat, event: Event, decision: _Decision) -> Replies:
        """Join a topic or leave it."""
        topic = next((each for each in public_lists(session) if each.id == decision.list_id), None)
        if topic and (decision.list_id in _joined(session, chat)) is not decision.joins:
            said = consent.opt_in if decision.joins else consent.opt_out
            said(
                session, chat.channel.name, chat.address.key, list_id=decision.list_id,
                method=f"{chat.channel.name} button", wording=event.text or self._wording(session, decision),
                wording_language=decision.language, reference=event.provider_id or "", actor="resident",
            )  # fmt: skip
            if decision.joins:
                _add(session, chat, decision.list_id)
        menu = self._topics(session, chat) or (Reply(chat.words["menu_topics_none"]),)
        return tuple(Reply(each.text, each.choices, replaces=True) for each in menu)

    def _wording(self, session: Session, decision: _Decision) -> str:
        """The words that were shown, where the channel does not repeat them."""
        words = templates.phrases(spoken(decision.language))
        topics = described(public_lists(session), decision.language, self._city.languages[0])
        titles = [topic.title for topic in topics if topic.id == decision.list_id]
        return "\n\n".join((self._filled(words["menu_topics"]), *titles))

    def _topics(self, session: Session, chat: _Chat) -> Replies:
        """The public lists with a tick at those joined; nothing where there are none."""
        topics = described(public_lists(session), chat.language, self._city.languages[0])
        joined = _joined(session, chat)
        choices = tuple(_topic_choice(topic, topic.id in joined, chat.language) for topic in topics)
        return (Reply(self._said(chat, "menu_topics"), choices),) if choices else ()

    def _languages(self, chat: _Chat) -> tuple[Choice, ...]:
        """The city's languages in their own names."""
        return tuple(
            Choice(_own_name(language), f"language:{language}", chosen=language == chat.language)
            for language in self._city.languages
        )

    def _said(self, chat: _Chat, key: str, **values: str) -> str:
        return self._filled(chat.words[key], **values)

    def _filled(self, sentence: str, **values: str) -> str:
        phone = self._city.phone or self._city.public_url
        return sentence.format(city=self._city.name, phone=phone, **values)

    def _chat(self, session: Session, channel: Channel, event: Event) -> _Chat | None:
        """Who is in the chat; None where nobody there has ever joined."""
        address = self._address(channel, event.address)
        known = registering.with_address(session, channel.name, address.key) if address else []
        if address is None or not known:
            return None
        owners = col(Contact.id).in_([endpoint.contact_id for endpoint in known])
        contacts = session.exec(select(Contact).where(owners).order_by(col(Contact.id))).all()
        return _Chat(channel, address, known, contacts)


@dataclass(frozen=True, slots=True)
class _Chat:
    """An address where choices are shown, and everybody who has it: they share what is chosen there."""

    channel: Channel
    address: Address
    endpoints: Sequence[Endpoint]
    contacts: Sequence[Contact]

    @property
    def language(self) -> str:
        """In which the city writes there."""
        return self.contacts[0].language

    @property
    def words(self) -> Mapping[str, str]:
        """The fixed sentences in it."""
        return templates.phrases(spoken(self.language))


@dataclass(frozen=True, slots=True)
class _Decision:
    """What a pressed button under the topics says."""

    list_id: int
    joins: bool
    language: str  # of the words that were shown


def _topic_choice(topic: Topic, joined: bool, language: str) -> Choice:
    return Choice(topic.title, f"topic:{topic.id}:{'no' if joined else 'yes'}:{language}", chosen=joined)


def _row(channel: Channel, event: Event, chat: _Chat) -> Inbound:
    return Inbound(
        channel=channel.name,
        kind=event.kind,
        endpoint_id=chat.endpoints[0].id,
        language=event.language,
        provider_id=event.provider_id,
        done_by="system",
        done_at=now(),
    )


def _joined(session: Session, chat: _Chat) -> set[int]:
    """The lists that anybody there gets."""
    owned = col(Subscription.endpoint_id).in_([endpoint.id for endpoint in chat.endpoints])
    return set(session.exec(select(Subscription.list_id).where(owned, col(Subscription.active))))


def _add(session: Session, chat: _Chat, list_id: int) -> None:
    """Who presses yes can be reached, whatever we thought of the address, and whatever they wrote before."""
    inbound.release(session, chat.channel.name, chat.address.key, by="resident")
    for endpoint in chat.endpoints:
        session.refresh(endpoint)
        endpoint.state, endpoint.state_reason = EndpointState.USABLE, ""
        endpoint.held, endpoint.soft_bounces = "", 0
        session.add(endpoint)
        lists.add_member(session, list_id, endpoint.contact_id)


def _own_name(language: str) -> str:
    """What a language's readers call it."""
    name = next(iter(own_names(language)))
    return name[:1].upper() + name[1:]


def _within(title: str, language: str) -> str:
    """A title inside a sentence, in its own direction where the two may differ."""
    both = templates.direction(language) == "rtl" or has_right_to_left(title)
    return set_apart(title) if both else title
