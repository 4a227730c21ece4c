"""What residents may choose by themselves: the public lists, as they read them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlmodel import Session, col, select

from contacts.models import ContactList, ListKind
from notify.translation.codes import best_match


@dataclass(frozen=True, slots=True)
class Topic:
    """One public list in words for residents."""

    id: int
    slug: str  # in the address of its own sign-up page
    title: str
    language: str  # of the title
    description: str

    @property
    def words(self) -> str:
        """All that a resident reads of it, on one line."""
        return f"{self.title}: {self.description}" if self.description else self.title


def public_lists(session: Session) -> list[ContactList]:
    """The lists that residents may join by themselves, by name."""
    query = select(ContactList).where(
        col(ContactList.public).is_(True), col(ContactList.kind) == ListKind.OPT_IN
    )
    return list(session.exec(query.order_by(col(ContactList.name), col(ContactList.id))))


def described(lists: Iterable[ContactList], language: str, source: str) -> list[Topic]:
    """Lists as topics.

    Args:
        lists: those to show.
        language: the reader's, BCP 47.
        source: the city's own, in which names and descriptions are written.
    """
    return [_described(listed, language, source) for listed in lists]


def _described(listed: ContactList, language: str, source: str) -> Topic:
    found = best_match(language, listed.titles) or best_match(source, listed.titles) or ""
    in_source = not found or best_match(found, [source]) is not None
    return Topic(
        id=listed.id or 0,
        slug=slug(listed.name),
        title=listed.titles.get(found) or listed.name,
        language=found or source,
        description=listed.description if in_source else "",
    )


def slug(name: str) -> str:
    """A list's name as a part of an address."""
    return re.sub(r"\W+", "-", name.casefold()).strip("-")


def named(topics: Sequence[Topic], name: str) -> Topic | None:
    """The topic with this slug or number."""
    return next((topic for topic in topics if name in (topic.slug, str(topic.id))), None)


def agreement(words: Mapping[str, str], city: str, topics: Iterable[Topic]) -> str:
    """The exact words of a yes on a page, for the consent ledger (R31)."""
    chosen = [f"☑ {topic.words}" for topic in topics]
    return "\n".join((words["join_topics"], *chosen, words["join_consent"].format(city=city)))


def refusal(words: Mapping[str, str], topic: Topic) -> str:
    """The exact words of a no to one topic."""
    return f"{words['join_topics']}\n☐ {topic.words}"
