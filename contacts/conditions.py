"""What is asked of contacts and addresses, as SQL expressions: the same words for planning, sending, counting.

Every function takes the entities it asks about, so that a query can ask about two contacts at once. Values
are always bound; nothing here is text of SQL.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Select, and_, exists, func, literal, or_, select, true
from sqlalchemy.orm import aliased
from sqlalchemy.sql.elements import ColumnElement
from sqlmodel import col

from contacts.filter_trees import All, Dated, Either, Is, Not, Tree
from contacts.models import (
    Basis,
    ConsentEvent,
    Contact,
    ContactList,
    Endpoint,
    EndpointState,
    ListKind,
    Membership,
    Subscription,
)

Condition = ColumnElement[bool]


class People(NamedTuple):
    """The entities a condition is about: a contact, and the address where one is looked at."""

    contact: Any = Contact
    endpoint: Any = Endpoint


def another() -> People:
    """Other entities than those of the query around."""
    return People(aliased(Contact), aliased(Endpoint))


def is_there(contact: Any) -> Condition:
    """The contact is no shell that an erasure or a merger left."""
    return and_(contact.erased_at.is_(None), contact.merged_into.is_(None))


def is_member(contact: Any, list_id: int, *, one_by_one: bool) -> Condition:
    """The contact is on the list, whether or not it may be written to.

    Args:
        contact: the entity.
        list_id: the list.
        one_by_one: look up each contact; else start from those on the list.
    """
    members = select(col(Membership.contact_id)).where(col(Membership.list_id) == list_id)
    if one_by_one:
        return members.where(col(Membership.contact_id) == contact.id).exists()
    return cast_condition(contact.id.in_(members))


def agreed(
    endpoint: Any, list_ids: Sequence[int], *, active: bool = True, public_task: bool = True
) -> Condition:
    """The address's last word is yes (or no) to one of some lists; to any that excludes nobody, without ids.

    Args:
        endpoint: the entity.
        list_ids: the lists, or none for any.
        active: yes or no.
        public_task: whether a law may stand in for the resident's yes, as for printed mail.
    """
    # One, not every column: then SQLite finds all that is asked in the index.
    found = select(literal(1)).where(
        col(Subscription.endpoint_id) == endpoint.id, col(Subscription.active) == literal(active)
    )
    if not public_task:
        found = found.where(col(Subscription.basis) != Basis.PUBLIC_TASK.value)
    return found.where(_one_of(list_ids)).exists()


def is_usable(endpoint: Any) -> Condition:
    """The address works, is not held, and its owner has not said no to everything."""
    return and_(
        endpoint.opted_out.is_(False), endpoint.held == "", endpoint.state == EndpointState.USABLE.value
    )


def left_out_people(list_ids: Collection[int]) -> tuple[Select[Any], Select[Any]]:
    """The contacts on some exclusion lists, and those who share an address with one."""
    on_list = select(col(Membership.contact_id)).where(col(Membership.list_id).in_(sorted(list_ids)))
    theirs: Any = aliased(Endpoint)
    shared: Any = aliased(Endpoint)
    sharing = (
        select(shared.contact_id)
        .join(theirs, and_(theirs.channel == shared.channel, theirs.address_key == shared.address_key))
        .join(Membership, col(Membership.contact_id) == theirs.contact_id)
        .where(col(Membership.list_id).in_(sorted(list_ids)))
    )
    return on_list, sharing


def matches(tree: Tree | None, people: People) -> Condition:
    """The filter is true of an address and its contact.

    Without an endpoint in `people`, a list is agreed to, and a yes given, with any address of the contact.
    """
    match tree:
        case None:
            return true()
        case Is():
            return _CHOICES[tree.field](tree.values, people)
        case Dated():
            return _dated(tree, people)
        case Not(part):
            return ~matches(part, people)
        case All(parts):
            return and_(*(matches(part, people) for part in parts))
        case Either(parts):
            return or_(*(matches(part, people) for part in parts))


def cast_condition(expression: Any) -> Condition:
    """The expression, as what it is to the type checker."""
    found: Condition = expression
    return found


def _one_of(list_ids: Sequence[int]) -> Condition:
    if len(list_ids) == 1:
        # The sum keeps SQLite from the primary key: the other index holds all that is asked, that one does not.
        return (col(Subscription.list_id) + 0) == list_ids[0]
    if list_ids:
        return col(Subscription.list_id).in_(list_ids)
    excluding = select(col(ContactList.id)).where(col(ContactList.kind) == ListKind.EXCLUSION.value)
    return col(Subscription.list_id).not_in(excluding)


def _language(values: Sequence[Any], people: People) -> Condition:
    """es is said of es-MX too."""
    column = people.contact.language
    return or_(*(or_(column == value, column.startswith(f"{value}-", autoescape=True)) for value in values))


def _area(values: Sequence[Any], people: People) -> Condition:
    # The database folds both sides, so that they are folded alike.
    return cast_condition(func.lower(people.contact.area).in_([func.lower(literal(each)) for each in values]))


def _group(values: Sequence[Any], people: People) -> Condition:
    kept = func.lower(people.contact.groups)
    return or_(*(kept.like(func.lower(literal(f"%|{_like(each)}|%")), escape="/") for each in values))


def _like(value: str) -> str:
    return value.replace("/", "//").replace("%", "/%").replace("_", "/_")


def _list(values: Sequence[Any], people: People) -> Condition:
    unknown = [value for value in values if not isinstance(value, int)]
    if unknown:
        raise ValueError("The lists of a filter are looked up before it is asked: see contacts.segments.")
    return _of_an_address(people, lambda endpoint: agreed(endpoint, values))


def _channel(values: Sequence[Any], people: People) -> Condition:
    one: Any = aliased(Endpoint)
    return exists().where(
        one.contact_id == people.contact.id, one.channel.in_(values), is_usable(one), agreed(one, ())
    )


def _dated(term: Dated, people: People) -> Condition:
    if term.field == "created":
        return _in_time(people.contact.created_at, term)
    return _of_an_address(people, lambda endpoint: _said_yes(endpoint, term))


def _said_yes(endpoint: Any, term: Dated) -> Condition:
    return exists().where(
        col(Subscription.endpoint_id) == endpoint.id,
        col(Subscription.active).is_(True),
        _one_of(()),
        col(ConsentEvent.id) == col(Subscription.event_id),
        _in_time(col(ConsentEvent.at), term),
    )


def _in_time(column: Any, term: Dated) -> Condition:
    midnight = datetime.combine(term.day, time(), UTC)
    following = midnight + timedelta(days=1)
    limits = {
        "after": column >= following,
        "since": column >= midnight,
        "before": column < midnight,
        "until": column < following,
    }
    return cast_condition(limits[term.when])


def _of_an_address(people: People, asked: Any) -> Condition:
    if people.endpoint is not None:
        return cast_condition(asked(people.endpoint))
    one: Any = aliased(Endpoint)
    return exists().where(one.contact_id == people.contact.id, asked(one))


_CHOICES = {"language": _language, "area": _area, "group": _group, "list": _list, "channel": _channel}
