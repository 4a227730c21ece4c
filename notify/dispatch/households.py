"""Whom a household's letter is addressed to."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import and_, or_, select
from sqlmodel import Session, col

from contacts.audience import Skip
from contacts.models import Contact, Endpoint
from notify.dispatch.models import Delivery, DeliveryState
from notify.dispatch.queries import Placed, Row, rows_of

_NAMED = 2  # people on an envelope; more are named by nobody


def named(session: Session, batch: Placed, rows: Sequence[Row]) -> list[Row]:
    """The claimed rows of a batch, each with the names of everybody at its address whom the letter is for."""
    names = _names(session, batch)
    return [row._replace(name=names.get(row.key, row.name)) for row in rows]


def _names(session: Session, batch: Placed) -> dict[int, str]:
    there = Endpoint.__table__.alias("there")  # type: ignore[attr-defined]
    other = Delivery.__table__.alias("other")  # type: ignore[attr-defined]
    query = (
        select(col(Delivery.id), col(Contact.name))
        .join(Endpoint, col(Endpoint.id) == col(Delivery.endpoint_id))
        .join(
            there,
            and_(there.c.address_key == col(Endpoint.address_key), there.c.channel == col(Endpoint.channel)),
        )
        .join(
            other, and_(other.c.endpoint_id == there.c.id, other.c.dispatch_id == col(Delivery.dispatch_id))
        )
        .join(Contact, col(Contact.id) == other.c.contact_id)
        .where(
            rows_of(batch),
            col(Delivery.state) == DeliveryState.SENDING,
            or_(other.c.id == col(Delivery.id), other.c.reason == Skip.SAME_HOUSEHOLD.value),
        )
        .order_by(col(Delivery.id), there.c.id)
    )
    found: dict[int, list[str]] = {}
    for key, name in session.execute(query):
        known = found.setdefault(key, [])
        if name and name not in known:
            known.append(name)
    return {key: "\n".join(known) if len(known) <= _NAMED else "" for key, known in found.items()}
