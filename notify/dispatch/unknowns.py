"""Deliveries that may have been accepted: the provider is asked about them, or a person decides."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import update
from sqlmodel import Session, col

from channels.contract import Outcome, Verdict
from notify.dispatch import ledger, queries
from notify.dispatch.models import Delivery, DeliveryState, Dispatch
from notify.dispatch.queries import Row


@dataclass(frozen=True, slots=True)
class Unknown:
    """A row that may have been accepted, and when its batch was claimed."""

    row: Row
    statement_id: int
    list_id: int | None
    sent_at: datetime


def waiting(session: Session, channel: str, before: datetime, after: int, most: int = 100) -> list[Unknown]:
    """Rows of a channel that may have been accepted, to ask the provider about.

    Args:
        before: only those claimed earlier than this.
        after: only those with a higher number, so that rounds reach all of them.
        most: how many.
    """
    query = (
        queries.addressed()
        .join(Dispatch, col(Dispatch.id) == col(Delivery.dispatch_id))
        .add_columns(col(Dispatch.statement_id), col(Dispatch.list_id), col(Delivery.sent_at))
        .where(
            col(Delivery.channel) == channel,
            col(Delivery.state) == DeliveryState.UNKNOWN,
            col(Delivery.sent_at) < before,
            col(Delivery.id) > after,
        )
        .order_by(col(Delivery.id))
        .limit(most)
    )
    return [Unknown(Row(*values[:6]), *values[6:]) for values in session.execute(query)]


def resolve(session: Session, outcome: Outcome) -> None:
    """Write what a provider proved, or a person decided, about an unknown row."""
    accepted = outcome.verdict is Verdict.ACCEPTED
    row = session.get_one(Delivery, outcome.key)
    moved = session.execute(
        update(Delivery)
        .where(col(Delivery.id) == outcome.key, col(Delivery.state) == DeliveryState.UNKNOWN)
        .values(
            state=DeliveryState.ACCEPTED if accepted else DeliveryState.PLANNED,
            reason="",
            provider_id=outcome.provider_id or row.provider_id,
        )
    )
    if getattr(moved, "rowcount", 0) and not accepted:
        ledger.reopen(session, [outcome.key])
