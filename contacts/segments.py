"""Segments: filters that are saved, named, counted live and told in plain words.

The command line, the HTTP API and dispatches all ask here. Nothing here shows who is in a segment.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from sqlalchemy import and_, distinct, exists, func, or_, select
from sqlmodel import Session, col

from contacts import filters, lists
from contacts.audience import Audience, belongs, writable
from contacts.columns import now
from contacts.conditions import People
from contacts.filter_trees import FilterError, Is, Tree, did_you_mean, terms
from contacts.models import Contact, ContactList, Endpoint, Segment

LONGEST_NAME = 100  # characters


class SegmentError(ValueError):
    """The segment cannot be kept like this; the message names the cure."""


class UnknownSegment(LookupError):
    """There is no segment of this name; the message names those there are."""


@dataclass(frozen=True, slots=True)
class Count:
    """How many people who read one language can be written to over one channel."""

    channel: str
    language: str
    people: int


@dataclass(frozen=True, slots=True)
class Counts:
    """How many people a filter means.

    Attributes:
        meant: contacts of whom it is true, at one address or at all, whether or not they may be written to.
        reached: of these, how many can be written to over at least one channel.
        rows: how many over each channel, by language.
    """

    meant: int
    reached: int
    rows: tuple[Count, ...]


def add(
    session: Session, name: str, expression: str, *, actor: str, channels: Collection[str] = ()
) -> Segment:
    """Save a filter under a name. Nothing is committed.

    Args:
        session: may write.
        name: what staff call it.
        expression: the filter; its names of lists may change later, so their numbers are kept.
        actor: who saves it.
        channels: the names there are, to refuse others; any is taken if empty.

    Raises:
        SegmentError: the name is taken, empty or far too long.
        FilterError: the filter is not understood, or names a list or channel that is not there.
    """
    kept = Segment(
        name=_free_name(session, name), expression=_kept(session, expression, channels), created_by=actor
    )
    session.add(kept)
    session.flush()
    return kept


def edit(
    session: Session,
    segment: Segment,
    *,
    name: str | None = None,
    expression: str | None = None,
    channels: Collection[str] = (),
) -> None:
    """Change a segment. Dispatches that were planned keep the filter as it was.

    Raises:
        SegmentError, FilterError: as `add` does.
    """
    if name is not None:
        segment.name = _free_name(session, name, segment.id)
    if expression is not None:
        segment.expression = _kept(session, expression, channels)
    segment.updated_at = now()
    session.add(segment)
    session.flush()


def remove(session: Session, segment: Segment) -> None:
    """Take a segment away. Dispatches that were planned keep their filter."""
    session.delete(segment)
    session.flush()


def find(session: Session, name: str) -> Segment:
    """The segment of this name, whatever its case.

    Raises:
        UnknownSegment: there is none.
    """
    found = _named(session, " ".join(name.split()))
    if found is None:
        there_are = ", ".join(each.name for each in every(session)) or "none yet"
        raise UnknownSegment(f"There is no segment called {name!r}. The segments: {there_are}.")
    return found


def every(session: Session) -> list[Segment]:
    """All segments by name."""
    return list(session.execute(select(Segment).order_by(col(Segment.name))).scalars())


def looked_up(session: Session, expression: str, channels: Collection[str] = ()) -> Tree:
    """The tree of a filter, with the numbers of its lists for their names.

    Args:
        session: may read.
        expression: the filter.
        channels: the names there are, to refuse others; any is taken if empty.

    Raises:
        FilterError: not understood, or a list or channel that is not there, with the place and the nearest.
    """
    tree = filters.parse(expression)
    there = {each.id or 0: each.name for each in lists.every(session)}
    ids = {name.casefold(): list_id for list_id, name in there.items()}

    def list_id(value: str | int, place: int) -> int:
        found = value if isinstance(value, int) else ids.get(value.casefold())
        if found not in there:
            raise filters.unknown(expression, place, "list", value, list(there.values()))
        return found

    def channel(value: str | int, place: int) -> str:
        if channels and value not in channels:
            raise filters.unknown(expression, place, "channel", value, sorted(channels))
        return str(value)

    return filters.look_up(filters.look_up(tree, "list", list_id), "channel", channel)


def written(session: Session, expression: str) -> str:
    """A kept filter with its lists by their names of today, as people read and edit it."""
    names = _list_names(session)
    tree = filters.parse(expression)
    return filters.show(filters.look_up(tree, "list", lambda value, _: _name_of(value, names)))


def explain(session: Session, expression: str) -> str:
    """Whom a filter means, in plain English.

    Raises:
        FilterError: as `looked_up` does.
    """
    return filters.explain(looked_up(session, expression), _list_names(session))


def lists_named(session: Session, expression: str) -> set[int]:
    """The numbers of the lists that a filter names, to mean or to leave out those on them.

    Raises:
        FilterError: as `looked_up` does.
    """
    return {
        value
        for term, _ in terms(looked_up(session, expression))
        if isinstance(term, Is) and term.field == "list"
        for value in term.values
        if isinstance(value, int)
    }


def doubts(session: Session, expression: str) -> list[str]:
    """What looks like a slip: areas and groups that no contact has, with the nearest that some have.

    Raises:
        FilterError: as `looked_up` does.
    """
    asked: dict[str, set[str]] = {"area": set(), "group": set()}
    for term, _ in terms(looked_up(session, expression)):
        if isinstance(term, Is) and term.field in asked:
            asked[term.field] |= {str(value) for value in term.values}
    there = {
        "area": _areas(session) if asked["area"] else [],
        "group": _groups(session) if asked["group"] else [],
    }
    return [
        f"Nobody is in the {field} {value!r}. {did_you_mean(value, there[field], f'{field}s')}"
        for field, values in asked.items()
        for value in sorted(values)
        if value.casefold() not in {each.casefold() for each in there[field]}
    ]


def count(
    session: Session, expression: str, *, excluded: Iterable[int] = (), public_task: bool = True
) -> Counts:
    """How many people a filter means now, by channel and language. No names.

    Args:
        session: may read.
        expression: the filter.
        excluded: lists whose people are left out.
        public_task: count those to whom a law lets the city send printed mail, too.

    Raises:
        FilterError: as `looked_up` does.
    """
    wanted = Audience(None, looked_up(session, expression), tuple(sorted(excluded)))
    people = People()
    reached = and_(belongs(wanted, people), writable(wanted, people, public_task=public_task))
    joined = (
        select(func.count(distinct(col(Contact.id))))
        .join(Endpoint, col(Endpoint.contact_id) == col(Contact.id))
        .where(reached)
    )
    by = (col(Endpoint.channel), col(Contact.language))
    rows = session.execute(joined.add_columns(*by).group_by(*by).order_by(*by))
    # At one of its addresses, or, for who has none, as a person.
    somewhere = exists().where(col(Endpoint.contact_id) == col(Contact.id), belongs(wanted, people))
    meant = (
        select(func.count())
        .select_from(Contact)
        .where(or_(belongs(wanted, People(endpoint=None)), somewhere.correlate(Contact)))
    )
    return Counts(
        session.execute(meant).scalar_one(),
        session.execute(joined).scalar_one(),
        tuple(Count(channel, language, number) for number, channel, language in rows),
    )


def _kept(session: Session, expression: str, channels: Collection[str]) -> str:
    return filters.show(looked_up(session, expression, channels))


def _list_names(session: Session) -> dict[int, str]:
    return {row.id: row.name for row in session.execute(select(col(ContactList.id), col(ContactList.name)))}


def _name_of(value: str | int, names: dict[int, str]) -> str | int:
    return names.get(value, value) if isinstance(value, int) else value


def _areas(session: Session) -> list[str]:
    return sorted(filter(None, session.execute(select(col(Contact.area)).distinct()).scalars()))


def _groups(session: Session) -> list[str]:
    kept = session.execute(select(col(Contact.groups)).distinct()).scalars()
    return sorted({group for groups in kept for group in groups.split("|") if group})


def _free_name(session: Session, name: str, own: int | None = None) -> str:
    cleaned = " ".join(name.split())
    if not cleaned or not cleaned.isprintable() or len(cleaned) > LONGEST_NAME:
        raise SegmentError(
            f"A segment needs a name of at most {LONGEST_NAME} characters that can be printed."
        )
    found = _named(session, cleaned)
    if found is not None and found.id != own:
        raise SegmentError(
            f"There is a segment {found.name!r} already. Choose another name, or edit that one."
        )
    return cleaned


def _named(session: Session, name: str) -> Segment | None:
    query = select(Segment).where(func.lower(col(Segment.name)) == func.lower(name))
    return session.execute(query.order_by(col(Segment.id))).scalars().first()


__all__ = [
    "Count", "Counts", "FilterError", "SegmentError", "UnknownSegment", "add", "count", "doubts", "edit",
    "every", "explain", "find", "looked_up", "remove", "written",
]  # fmt: skip
