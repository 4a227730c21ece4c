"""The query that picks recipients: who is in the audience, and why somebody in it is not written to.

Everybody in the audience gets a row, with a reason where the city may not or cannot write. Consent is part of
the query, so that nothing can be planned past it.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, cast

from sqlalchemy import Cast, Integer, Select, and_, case, exists, func, literal, null, or_, select
from sqlalchemy.sql.elements import ColumnElement
from sqlmodel import Session, col

from contacts.models import Contact, Endpoint, EndpointState, Membership, Subscription


class Skip(StrEnum):
    """Why somebody in the audience is not written to."""

    OPTED_OUT = "opted_out"
    NO_CONSENT = "no_consent"
    BAD_ADDRESS = "bad_address"
    LANGUAGE_NOT_READY = "language_not_ready"
    DUPLICATE = "duplicate"  # the same address is written to already
    SAME_HOUSEHOLD = "same_household"  # a letter goes to the household
    NO_CHANNEL = "no_channel"  # no address for any of the channels chosen
    ALREADY_SENT = "already_sent"  # has this statement, from another dispatch


def members(list_id: int | None) -> ColumnElement[bool]:
    """The condition that a contact is in the audience: on the list, or anybody (None)."""
    if list_id is None:
        return literal(True)
    return exists().where(col(Membership.contact_id) == col(Contact.id), col(Membership.list_id) == list_id)


def subscribed(list_id: int | None, *, active: bool = True) -> ColumnElement[bool]:
    """The condition that an endpoint's last word, on this list or on any, is yes (or no)."""
    found = exists().where(
        col(Subscription.endpoint_id) == col(Endpoint.id), col(Subscription.active) == literal(active)
    )
    return found if list_id is None else found.where(col(Subscription.list_id) == list_id)


def may_write(list_id: int | None) -> ColumnElement[bool]:
    """The condition that an endpoint may be written to: asked when planning and again when sending."""
    return and_(col(Endpoint.opted_out).is_(False), subscribed(list_id))


def languages(session: Session, list_id: int | None) -> list[str]:
    """The languages that contacts in the audience read."""
    query = select(col(Contact.language)).where(members(list_id)).distinct()
    return sorted(session.execute(query).scalars())


def candidates(
    channel: str,
    list_id: int | None,
    language: Mapping[str, str],
    *,
    per_household: bool,
    already: ColumnElement[bool] | None = None,
) -> Select[Any]:
    """One row for each address on one channel in the audience.

    Args:
        channel: its name.
        list_id: the list, or None for everybody.
        language: the statement's language for each resident's language that has one.
        per_household: one message for all contacts at one address, in all their languages.
        already: the condition that an `Endpoint` has had the statement.

    Returns:
        A select of `contact_id`, `endpoint_id`, `language` (several joined by commas for a household) and
        `reason` (a `Skip`, or NULL for those to be written to).
    """
    spoken: ColumnElement[Any] = (
        case(dict(language), value=col(Contact.language), else_=null()) if language else null()
    )
    reasons: list[tuple[ColumnElement[bool], ColumnElement[str]]] = [
        (or_(col(Endpoint.opted_out), _said_no(list_id)), literal(Skip.OPTED_OUT.value)),
        (~subscribed(list_id), literal(Skip.NO_CONSENT.value)),
        (col(Endpoint.state) == EndpointState.BAD, literal(Skip.BAD_ADDRESS.value)),
        (spoken.is_(None), literal(Skip.LANGUAGE_NOT_READY.value)),
    ]
    if already is not None:
        reasons.append((already, literal(Skip.ALREADY_SENT.value)))
    rows = (
        select(
            col(Contact.id).label("contact_id"),
            col(Endpoint.id).label("endpoint_id"),
            col(Endpoint.address_key).label("address_key"),
            spoken.label("language"),
            case(*reasons, else_=null()).label("reason"),
        )
        .join(Endpoint, and_(col(Endpoint.contact_id) == col(Contact.id), col(Endpoint.channel) == channel))
        .where(members(list_id))
        .cte("rows")
    )
    # Of those with one address the first is written to; those who may not be written to do not count.
    place = func.row_number().over(
        partition_by=[rows.c.address_key, rows.c.reason.is_(None)], order_by=rows.c.endpoint_id
    )
    ranked = select(rows, place.label("place")).cte("ranked")
    twice = Skip.SAME_HOUSEHOLD if per_household else Skip.DUPLICATE
    reason = func.coalesce(ranked.c.reason, case((ranked.c.place > 1, literal(twice.value)), else_=null()))
    if not per_household:
        return select(ranked.c.contact_id, ranked.c.endpoint_id, ranked.c.language, reason.label("reason"))
    read = select(rows.c.address_key, rows.c.language).where(rows.c.reason.is_(None)).distinct().subquery()
    household = (
        select(read.c.address_key, func.aggregate_strings(read.c.language, ",").label("languages"))
        .group_by(read.c.address_key)
        .cte("household")
    )
    return select(
        ranked.c.contact_id,
        ranked.c.endpoint_id,
        case((ranked.c.reason.is_(None), household.c.languages), else_=ranked.c.language).label("language"),
        reason.label("reason"),
    ).outerjoin(household, household.c.address_key == ranked.c.address_key)


def without_address(channels: list[str], list_id: int | None) -> Select[Any]:
    """The contacts in the audience who have no address on any of these channels, in the same columns."""
    has_one = exists().where(col(Endpoint.contact_id) == col(Contact.id), col(Endpoint.channel).in_(channels))
    nowhere: Any = select(
        col(Contact.id).label("contact_id"),
        Cast(null(), Integer).label("endpoint_id"),
        literal("").label("language"),
        literal(Skip.NO_CHANNEL.value).label("reason"),
    ).where(members(list_id), ~has_one)
    return cast("Select[Any]", nowhere)


def _said_no(list_id: int | None) -> ColumnElement[bool]:
    return and_(subscribed(list_id, active=False), ~subscribed(list_id))
