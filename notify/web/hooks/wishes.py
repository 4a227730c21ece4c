"""What a resident's message asks for, once it is known which lists there are and in which languages the city speaks.

A channel tells a keyword from other texts. Only here it shows whether STOP NEWS names a list of ours, or is a
sentence about the news; the latter stays a reply for staff to read (R3).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlmodel import Session, col, select

import templates
from channels.contract import Event, EventKind
from channels.folding import fold
from channels.refusals import is_refusal
from contacts.languages import language_tag
from contacts.models import ContactList, ListKind
from contacts.values import BadValue
from notify.translation.codes import best_match
from notify.web.languages import spoken

MOST_WORDS = 2  # of a list's name that nobody has: JOIN US AT THE VIGIL TONIGHT is a reply


class Want(StrEnum):
    """What a message asks for; the values are kept as the kind of the message."""

    LEAVE = EventKind.OPTED_OUT.value
    JOIN = EventKind.OPTED_IN.value
    HELP = EventKind.HELP.value
    REPLY = EventKind.REPLY.value  # nothing that the hub could do: a person reads it
    REFUSAL = "refusal"  # perhaps to be left alone: sending is held until a person has read it (R3)
    LEAVE_LIST = "leave_list"
    JOIN_LIST = "join_list"
    JOIN_HELP = "join_help"  # which lists there are
    SPEAK = "speak"  # another language


@dataclass(frozen=True, slots=True)
class Wish:
    """What a message asks for, and of which list or language."""

    want: Want
    list: ContactList | None = None
    language: str = ""


_KINDS = {
    EventKind.OPTED_OUT: Want.LEAVE,
    EventKind.OPTED_IN: Want.JOIN,
    EventKind.HELP: Want.HELP,
}


class Wishes:
    """Reads messages.

    Args:
        languages: those the city speaks, BCP 47.
    """

    def __init__(self, languages: Sequence[str]) -> None:
        self._languages = languages

    def read(self, session: Session, event: Event, *, is_known: bool, has_said_no: bool) -> Wish:
        """What one message asks for.

        Args:
            session: an open session.
            event: the message.
            is_known: the sender's address is on record.
            has_said_no: somebody at this address has left.
        """
        if event.kind in _KINDS:
            return Wish(_KINDS[event.kind])
        found = self._by_code(session, event, has_said_no=has_said_no) or self._by_text(
            session, event, is_known=is_known
        )
        if found:
            return found
        return Wish(Want.REFUSAL if is_refusal(event.text) else Want.REPLY)

    def _by_code(self, session: Session, event: Event, *, has_said_no: bool) -> Wish | None:
        match event.code:
            case "YES" if has_said_no:  # else it is an answer (R4)
                return Wish(Want.JOIN)
            case "STOP":
                listed = _by_word(_with_words(session), event.topic)
                return Wish(Want.LEAVE_LIST, listed) if listed else None
            case "JOIN":
                return self._join(session, event, has_said_no=has_said_no)
            case "LANGUAGE":
                language = self._named(event.topic)
                return Wish(Want.SPEAK, language=language) if language else None
        return None

    def _join(self, session: Session, event: Event, *, has_said_no: bool) -> Wish | None:
        lists = joinable(session)
        if listed := _by_word(lists, event.topic):
            return Wish(Want.JOIN_LIST, listed)
        if not event.topic:
            return Wish(Want.JOIN if has_said_no or not lists else Want.JOIN_HELP)
        is_short = len(event.topic.split()) <= MOST_WORDS
        return Wish(Want.JOIN_HELP) if lists and is_short else None

    def _by_text(self, session: Session, event: Event, *, is_known: bool) -> Wish | None:
        """A whole text that is a list's word, or what a language calls itself."""
        if event.code:
            return None
        if listed := _by_word(joinable(session), event.text):
            return Wish(Want.JOIN_LIST, listed)
        language = self._own_names().get(fold(event.text)) if is_known else None
        return Wish(Want.SPEAK, language=language) if language else None

    def _own_names(self) -> dict[str, str]:
        """The city's languages by what they call themselves."""
        return {fold(name): tag for tag in self._languages for name in own_names(tag)} | {"": ""}

    def _named(self, name: str) -> str | None:
        """The language of the city that somebody names, in any language's words."""
        try:
            return best_match(language_tag(name), self._languages)
        except BadValue:
            return self._own_names().get(fold(name)) or None


def own_names(language: str) -> Iterable[str]:
    """What a language calls itself: in our phrases, and in the locale data; Chinese also without its script."""
    if spoken(language) == language:
        yield templates.phrases(language)["language"]
    name = templates.language_name(language)
    yield name
    yield name.partition("(")[0]


def joinable(session: Session) -> list[ContactList]:
    """The lists that residents join by a word, in the order of their words."""
    return [each for each in _with_words(session) if each.public]


def _with_words(session: Session) -> list[ContactList]:
    query = select(ContactList).where(ContactList.join_word != "", ContactList.kind == ListKind.OPT_IN)
    return list(session.exec(query.order_by(col(ContactList.join_word))))


def _by_word(lists: Iterable[ContactList], word: str) -> ContactList | None:
    """The list that is joined by a word, however somebody writes it."""
    folded = fold(word)
    return next((each for each in lists if folded and fold(each.join_word) == folded), None)
