"""The query that picks recipients: who is in the audience, and why somebody in it is not written to.

Everybody in the audience gets a row, with a reason where the city may not or cannot write. Consent is part of
the query, so that nothing can be planned past it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, cast

from sqlalchemy import (
    Cast,
    Integer,
    Join,
    Select,
    and_,
    case,
    exists,
    false,
    func,
    inspect,
    literal,
    null,
    or_,
    select,
    union_all,
)
from sqlalchemy.orm import aliased
from sqlalchemy.sql.elements import ColumnElement
from sqlmodel import Session, col

from contacts import filters
from contacts.conditions import (
    Condition,
    People,
    agreed,
    another,
    cast_condition,
    is_member,
    is_there,
    is_usable,
    left_out_people,
    matches,
)
from contacts.filter_trees import Tree
from contacts.joins import InOrder
from contacts.models import Contact, Endpoint, EndpointState, Membership


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
        one_by_one: for a few contacts; else the query starts from those on the list.
    """
    on_list = (
        [] if wanted.list_id is None else [is_member(people.contact, wanted.list_id, one_by_one=one_by_one)]
    )
    return and_(*on_list, _fits(wanted, people))


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
    """Whether the audience is meant to have an address on the channel for every second contact or more.

    Args:
        session: may read.
        channel: its name.
        wanted: the audience. One with a filter would have to be asked, and is said to be narrow.
    """
    if wanted.tree is not None:
        return False
    found = [select(func.count()).where(col(Endpoint.channel) == channel)]
    if wanted.list_id is not None:
        found.append(select(func.count()).where(col(Membership.list_id) == wanted.list_id))
    span = session.execute(select(func.max(col(Contact.id)))).scalar() or 0
    return all(session.execute(each).scalar_one() * 2 >= span for each in found)


def candidates(
    channel: str,
    wanted: Audience,
    language: Mapping[str, str],
    *,
    per_household: bool,
    already: ColumnElement[bool] | None = None,
) -> Select[Any]:
    """One row for each address on one channel in the audience.

    Args:
        channel: its name.
        wanted: the audience.
        language: the statement's language for each resident's language that has one.
        per_household: one message for all contacts at one address, in all their languages; printed mail, for
            which a law may stand in for consent.
        already: the condition that an `Endpoint` has had the statement.

    Returns:
        A select of `contact_id`, `endpoint_id`, `language` (several joined by commas for a household) and
        `reason` (a `Skip`, or NULL for those to be written to).
    """
    people = People()
    spoken = _spoken(people, language)
    had = already if already is not None else false()
    good = and_(writable(wanted, people, public_task=per_household), spoken.is_not(None), ~had)
    before = and_(
        people.endpoint.shared,  # first: of most it is false, and nothing more is asked
        _written_to_before(channel, wanted, language, per_household=per_household),
    )
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
    rows = (
        select(*columns, people.endpoint.address_key)
        .select_from(_addresses_of(wanted, channel))
        .where(_is_kept(people.endpoint), _fits(wanted, people))
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


def _fits(wanted: Audience, people: People) -> Condition:
    """A contact, with an address, is in the audience if it is on its list."""
    return and_(is_there(people.contact), matches(wanted.tree, people))


def _addresses_of(wanted: Audience, channel: str) -> Join:
    """The addresses of everybody, or of those on the list, by their contacts' numbers."""
    contact, endpoint, membership = (inspect(each).local_table for each in (Contact, Endpoint, Membership))
    source = contact
    if wanted.list_id is not None:
        on_list = and_(contact.c.id == membership.c.contact_id, membership.c.list_id == wanted.list_id)
        source = InOrder(membership, contact, on_list)
    return InOrder(
        source, endpoint, and_(endpoint.c.contact_id == contact.c.id, endpoint.c.channel == channel)
    )


def _is_kept(endpoint: Any) -> Condition:
    """The address has not been erased."""
    return cast_condition(endpoint.state != EndpointState.ERASED.value)


def _spoken(people: People, language: Mapping[str, str]) -> ColumnElement[Any]:
    return case(dict(language), value=people.contact.language, else_=null()) if language else null()


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
    return cast_condition(contact.id.in_(union_all(*people)))


def _written_to_before(
    channel: str, wanted: Audience, language: Mapping[str, str], *, per_household: bool
) -> Condition:
    """Somebody else at the same address is written to: of several, the contact entered first."""
    other = another()
    return (
        select(literal(1))
        .select_from(other.contact)
        .join(other.endpoint, other.endpoint.contact_id == other.contact.id)
        .where(
            other.endpoint.channel == channel,
            _is_kept(other.endpoint),
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
