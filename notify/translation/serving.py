"""Who gets which text: in their language, standing in for it, or none; counted in people before anybody signs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy import func, select
from sqlmodel import Session, col

from channels.contract import CannotCompose, Channel
from contacts.models import Contact
from notify.rendering import Renderer
from notify.statements import Statement, Text, is_stand_in, reader_of
from notify.translation.codes import best_match


@dataclass(frozen=True, slots=True)
class Coverage:
    """What the readers of one language get."""

    language: str
    people: int  # on any list, whether or not they can be reached now
    text: str | None  # the tag of the text; None: nothing leaves for them

    @property
    def said(self) -> str:
        """For staff."""
        if self.text is None:
            return "nothing: their language is held"
        if is_stand_in(self.text):
            return "the source, with a notice in their language"
        return f"the {self.text} text"


def text_for(reader: str, texts: Iterable[str]) -> str | None:
    """The tag of the text that serves the reader of a language, or None.

    Args:
        reader: BCP 47.
        texts: tags of the texts there are, those that stand in for a translation included.
    """
    there_are = list(texts)
    own = best_match(reader, [tag for tag in there_are if not is_stand_in(tag)])
    if own is not None:
        return own
    standing_in = {reader_of(tag): tag for tag in there_are if is_stand_in(tag)}
    match = best_match(reader, list(standing_in))
    return standing_in[match] if match else None


@dataclass(frozen=True, slots=True)
class Weight:
    """What a text comes to over one channel."""

    channel: str
    parts: int
    unit: str
    measure: str  # "212 of 306 GSM-7 characters"; empty where a channel has no such limit
    cost: Decimal  # for all people, in the city's currency
    people: int
    problem: str = ""  # why it does not fit

    @property
    def said(self) -> str:
        """On one line, for whoever is writing."""
        if self.problem:
            return f"{self.channel}: {self.problem}"
        full = f" ({self.measure})" if self.measure else ""
        return f"{self.channel}: {self.parts} {self.unit}{full} x {self.people:,} people = {self.cost:,.2f}"


def weigh(
    statement: Statement,
    text: Text,
    language: str,
    channels: Iterable[Channel],
    renderer: Renderer,
    people: int,
) -> list[Weight]:
    """What a text would come to over each channel, as it stands (R24).

    Args:
        statement: whose text it is.
        text: the words, which nobody needs to have approved.
        language: of the text, BCP 47.
        channels: to ask.
        renderer: composes.
        people: who read the language.
    """
    return [_weight(statement, text, language, channel, renderer, people) for channel in channels]


def _weight(
    statement: Statement, text: Text, language: str, channel: Channel, renderer: Renderer, people: int
) -> Weight:
    try:
        found = renderer.rendering(statement, text, language, channel)
    except CannotCompose as error:
        return Weight(channel.name, 0, channel.unit, "", Decimal(0), people, str(error))
    return Weight(channel.name, found.parts, channel.unit, found.measure, found.cost * people, people)


def readers(session: Session, language: str) -> int:
    """How many people are served by a text in this language."""
    return sum(each.people for each in coverage(session, [language]) if each.text == language)


def coverage(session: Session, texts: Iterable[str]) -> list[Coverage]:
    """For every language that residents read, how many they are and what they would get; most people first."""
    there_are = list(texts)
    query = (
        select(col(Contact.language), func.count())
        .where(col(Contact.erased_at).is_(None), col(Contact.merged_into).is_(None))
        .group_by(col(Contact.language))
        .order_by(func.count().desc(), col(Contact.language))
    )
    return [
        Coverage(language, people, text_for(language, there_are))
        for language, people in session.execute(query)
    ]
