"""The query that picks recipients: who is in the audience, and why somebody in it is not written to.

Everybody in the audience gets a row, with a reason where the city may not or cannot write. Consent is part of
the query, so that nothing can be planned past it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, cast

from sqlalchemy import Cast, Integer, Select, and_, case, exists, false, func, literal, null, or_, select
from sqlalchemy.orm import aliased
from sqlalchemy.sql.elements import ColumnElement
from sqlmodel import Session, col

from contacts import filters
from contacts.conditions import (
    Condition,
    People,
    agreed,
    another,
    is_member,
    is_there,
    is_usable,
    left_out_people,
    matches,
)
from contacts.filter_trees import Tree
from contacts.models import Contact, Endpoint, EndpointState

SAMPLE = 97  # one contact in so many is looked at to tell how wide an audience is


class Skip(StrEnum):
    """Why somebody in the audience is not written to."""

    EXCLUDED = "excluded"  # on a list that this dispatch leaves out, or at the address of somebody who is
    OPTED_OUT = "opted_out"
    NO_CONSENT = "no_consent"
    HELD = "held"  # until a person has looked (R3)
    BAD_ADDRESS = "bad_address"
    LANGUAGE_NOT_READY = "language_not_ready"
    DUPLICATE = "duplicate"  # the same address is written to already
    SAME_HOUSEHOLD = "same_household"  # a letter goes to the household
    NO_CHANNEL = "no_channel"  # no address for any of the channels chosen
    ALREADY_SENT = "already_sent"  # has this statement, from another dispatch
    ERASED = "erased"  # after the plan
    NO_LONGER_MEANT = "no_longer_meant"  # has left the list, or the filter is no longer true of them


@dataclass(frozen=True, slots=True)
class Audience:
    """Who is meant, and who of them is left out.

    Attributes:
        list_id: those on a list; None is everybody.
        tree: and of those, the ones of whom this filter is true. Its lists are looked up.
        excluded: lists whose people are left out, whatever their address.
    """

    list_id: int | None = None
    tree: Tree | None = None
    excluded: tuple[int, ...] = ()

    @classmethod
    def kept(cls, list_id: int | None, filter_: str, excluded: Iterable[int]) -> Audience:
        """The audience as a dispatch keeps it.

        Raises:
            FilterError: the filter is damaged.
        """
        return cls(list_id, filters.parse(filter_) if filter_ else None, tuple(sorted(excluded)))

    @property
    def consent_lists(self) -> tuple[int, ...]:
        """The lists of which one has to be agreed to; empty is any that excludes nobody."""
        if self.list_id is not None:
            return (self.list_id,)
        return filters.lists_asked_for(self.tree) if self.tree else ()


EVERYBODY = Audience()


def may_write(list_id: int | None) -> Condition:
    """The condition that an `Endpoint`'s owner allows writing: to a list, or to any."""
    return and_(col(Endpoint.opted_out).is_(False), agreed(Endpoint, () if list_id is None else (list_id,)))


def writable(wanted: Audience, people: People, *, public_task: bool) -> Condition:
    """The condition that an address in the audience may be written to, and can be.

    Args:
        wanted: the audience.
        people: the entities asked about.
        public_task: whether a law may stand in for consent on this channel.
    """
    may = agreed(people.endpoint, wanted.consent_lists, public_task=public_task)
    return and_(is_usable(people.endpoint), may, ~_is_left_out(wanted, people.contact))


def belongs(wanted: Audience, people: People, *, one_by_one: bool = False) -> Condition:
    """The condition that a contact, with an address, is in the audience.

    Args:
        wanted: the audience.
        people: the entities asked about.
        one_by_one: for a few contacts, or for nearly all; else the query starts from those on the list.
    """
    on_list = (
        [] if wanted.list_id is None else [is_member(people.contact, wanted.list_id, one_by_one=one_by_one)]
    )
    return and_(is_there(people.contact), *on_list, matches(wanted.tree, people))


def refusal(wanted: Audience, *, public_task: bool) -> ColumnElement[Any]:
    """Why an `Endpoint` that was planned may not be written to now: a `Skip`, or NULL.

    Asked when a batch is claimed, so that a no between plan and sending counts.

    Args:
        wanted: the audience.
        public_task: whether a law may stand in for consent on this channel.
    """
    owner: Any = aliased(Contact)
    people = People(owner, Endpoint)
    its_owner = exists().where(owner.id == col(Endpoint.contact_id))
    reasons = [
        (or_(col(Endpoint.state) == EndpointState.ERASED, its_owner.where(~is_there(owner))), Skip.ERASED),
        *(
            [(its_owner.where(_is_left_out(wanted, owner, one_by_one=True)), Skip.EXCLUDED)]
            if wanted.excluded
            else []
        ),
        *_objections(wanted, Endpoint, public_task=public_task),
        (its_owner.where(~belongs(wanted, people, one_by_one=True)), Skip.NO_LONGER_MEANT),
    ]
    return _first(reasons)


def languages(session: Session) -> list[str]:
    """The languages that contacts read."""
    return sorted(session.execute(select(col(Contact.language)).distinct()).scalars())


def is_wide(session: Session, channel: str, wanted: Audience) -> bool:
    """Whether the audience has an address on the channel for every second contact, by a sample.

    Args:
        session: may read.
        channel: its name.
        wanted: the audience.
    """
    people = People()
    sample = col(Contact.id) % SAMPLE == 0
    found = _addresses(select(func.count()), channel, people).where(
        sample, belongs(wanted, people, one_by_one=True)
    )
    span = session.execute(select(func.max(col(Contact.id)))).scalar() or 0
    return int(session.execute(found).scalar_one()) * SAMPLE * 2 >= span


def candidates(
    channel: str,
    wanted: Audience,
    language: Mapping[str, str],
    *,
    per_household: bool,
    wide: bool = False,
    already: ColumnElement[bool] | None = None,
) -> Select[Any]:
    """One row for each address on one channel in the audience.

    Args:
        channel: its name.
        wanted: the audience.
        language: the statement's language for each resident's language that has one.
        per_household: one message for all contacts at one address, in all their languages; printed mail, for
            which a law may stand in for consent.
        wide: see `is_wide`; it changes what is asked first, and no answer.
        already: the condition that an `Endpoint` has had the statement.

    Returns:
        A select of `contact_id`, `endpoint_id`, `language` (several joined by commas for a household) and
        `reason` (a `Skip`, or NULL for those to be written to).
    """
    people = People()
    spoken = _spoken(people, language)
    had = already if already is not None else false()
    good = and_(writable(wanted, people, public_task=per_household), spoken.is_not(None), ~had)
    before = _written_to_before(channel, wanted, language, per_household=per_household)
    if wide:
        before = and_(_is_shared(channel), before)
    twice = Skip.SAME_HOUSEHOLD if per_household else Skip.DUPLICATE
    reasons = [
        (_is_left_out(wanted, people.contact), Skip.EXCLUDED),
        *_objections(wanted, people.endpoint, public_task=per_household),
        (spoken.is_(None), Skip.LANGUAGE_NOT_READY),
        (had, Skip.ALREADY_SENT),
    ]
    columns = [
        people.contact.id.label("contact_id"),
        people.endpoint.id.label("endpoint_id"),
        spoken.label("language"),
        # Most rows are good: for them nothing more is asked.
        case((good, _first([(before, twice)])), else_=_first(reasons)).label("reason"),
    ]
    rows = _addresses(select(*columns, people.endpoint.address_key), channel, people).where(
        belongs(wanted, people, one_by_one=wide)
    )
    return _in_all_languages(rows) if per_household else rows.with_only_columns(*columns)


def without_address(channels: list[str], wanted: Audience) -> Select[Any]:
    """The contacts in the audience who have no address on any of these channels, in the same columns."""
    people = People(endpoint=None)
    has_one = exists().where(
        col(Endpoint.contact_id) == col(Contact.id),
        col(Endpoint.channel).in_(channels),
        col(Endpoint.state) != EndpointState.ERASED,
    )
    reason = case(
        (_is_left_out(wanted, people.contact), literal(Skip.EXCLUDED.value)), else_=Skip.NO_CHANNEL.value
    )
    nowhere: Any = select(
        col(Contact.id).label("contact_id"),
        Cast(null(), Integer).label("endpoint_id"),
        literal("").label("language"),
        reason.label("reason"),
    ).where(belongs(wanted, people), ~has_one)
    return cast("Select[Any]", nowhere)


def _addresses(query: Select[Any], channel: str, people: People) -> Select[Any]:
    contact, endpoint = people
    return (
        query.select_from(contact)
        .join(endpoint, and_(endpoint.contact_id == contact.id, endpoint.channel == channel))
        .where(endpoint.state != EndpointState.ERASED.value)
    )


def _spoken(people: People, language: Mapping[str, str]) -> ColumnElement[Any]:
    return case(dict(language), value=people.contact.language, else_=null()) if language else null()


def _is_shared(channel: str) -> Condition:
    """Another endpoint has the same address: for a whole city at once."""
    one: Any = aliased(Endpoint)
    shared = (
        select(one.address_key)
        .where(one.channel == channel)
        .group_by(one.address_key)
        .having(func.count() > 1)
    )
    other: Any = aliased(Endpoint)
    return col(Endpoint.id).in_(
        select(other.id).where(other.channel == channel, other.address_key.in_(shared))
    )


def _objections(
    wanted: Audience, endpoint: Any, *, public_task: bool
) -> list[tuple[ColumnElement[bool], Skip]]:
    """What stands against an address, by its own state and its owner's word."""
    lists = wanted.consent_lists
    yes = agreed(endpoint, lists, public_task=public_task)
    no = agreed(endpoint, lists, active=False)
    return [
        (or_(endpoint.opted_out, and_(no, ~yes)), Skip.OPTED_OUT),
        (~yes, Skip.NO_CONSENT),
        (endpoint.held != "", Skip.HELD),
        (endpoint.state != EndpointState.USABLE.value, Skip.BAD_ADDRESS),
    ]


def _first(reasons: list[tuple[ColumnElement[bool], Skip]]) -> ColumnElement[Any]:
    return case(*((condition, literal(reason.value)) for condition, reason in reasons), else_=null())


def _is_left_out(wanted: Audience, contact: Any, *, one_by_one: bool = False) -> Condition:
    """The contact's person is excluded.

    Args:
        wanted: the audience.
        contact: the entity.
        one_by_one: for a few contacts, rather than for a whole city.
    """
    if not wanted.excluded:
        return false()
    people = left_out_people(wanted.excluded)
    if one_by_one:
        return or_(*(each.where(each.selected_columns[0] == contact.id).exists() for each in people))
    return or_(*(contact.id.in_(each) for each in people))


def _written_to_before(
    channel: str, wanted: Audience, language: Mapping[str, str], *, per_household: bool
) -> Condition:
    """Somebody else at the same address is written to: of several, the contact entered first."""
    other = another()
    return (
        _addresses(select(literal(1)), channel, other)
        .where(
            other.endpoint.address_key == col(Endpoint.address_key),
            other.endpoint.contact_id < col(Endpoint.contact_id),
            belongs(wanted, other, one_by_one=True),
            writable(wanted, other, public_task=per_household),
            _spoken(other, language).is_not(None),
        )
        .correlate(Endpoint)
        .exists()
    )


def _in_all_languages(rows: Select[Any]) -> Select[Any]:
    """The same rows, with a household's languages together where it reads several."""
    each = rows.cte("each").prefix_with("MATERIALIZED")
    several = select(each.c.address_key).where(each.c.reason == Skip.SAME_HOUSEHOLD.value)
    reads = or_(each.c.reason.is_(None), each.c.reason == Skip.SAME_HOUSEHOLD.value)
    read = (
        select(each.c.address_key, each.c.language)
        .where(reads, each.c.address_key.in_(several))
        .distinct()
        .subquery()
    )
    household = (
        select(read.c.address_key, func.aggregate_strings(read.c.language, ",").label("languages"))
        .group_by(read.c.address_key)
        .subquery()
    )
    together = func.coalesce(household.c.languages, each.c.language)
    return select(
        each.c.contact_id,
        each.c.endpoint_id,
        case((each.c.reason.is_(None), together), else_=each.c.language).label("language"),
        each.c.reason,
    ).outerjoin(household, household.c.address_key == each.c.address_key)
