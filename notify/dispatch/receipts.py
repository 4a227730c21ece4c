"""What comes back: receipts move rows forward, and tell about addresses and consent (R11)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import update
from sqlmodel import Session, col

from channels.contract import Event, EventKind, Verdict
from contacts.columns import now
from contacts.models import Endpoint, EndpointState
from notify.dispatch import ledger
from notify.dispatch.models import Delivery, DeliveryState, Receipt

TRIES = 3  # a handset that could not be reached is tried so often, within the dispatch's window
TRY_AGAIN_AFTER = timedelta(hours=1)

_NOT_YET = (DeliveryState.SENDING, DeliveryState.ACCEPTED, DeliveryState.UNKNOWN)


def record(session: Session, event: Event) -> bool:
    """Enter one receipt; a late or repeated one changes nothing.

    Returns:
        Whether the delivery moved.
    """
    row = session.get(Delivery, event.key) if event.key is not None else None
    if row is None or (row.provider_id and event.provider_id and row.provider_id != event.provider_id):
        return False  # of an earlier attempt, or of nothing we know
    session.add(
        Receipt(delivery_id=event.key or 0, kind=event.kind, provider_id=event.provider_id, code=event.code)
    )
    if event.kind is EventKind.SENT:
        return _move(session, event, (DeliveryState.UNKNOWN,), state=DeliveryState.ACCEPTED, reason="")
    if event.kind is EventKind.DELIVERED:
        return _move(session, event, _NOT_YET, state=DeliveryState.DELIVERED, reason="")
    if event.kind is EventKind.UNDELIVERED:
        return _undelivered(session, event, row)
    return False


def _undelivered(session: Session, event: Event, row: Delivery) -> bool:
    verdict = event.verdict or Verdict.REFUSED
    if not _move(session, event, _NOT_YET, state=DeliveryState.UNDELIVERED, reason=verdict.value):
        return False
    if verdict is Verdict.OPTED_OUT:
        ledger.record_opt_out(session, row_id(row), method="provider", reference=event.code or "")
    elif verdict is Verdict.BAD_ADDRESS and row.endpoint_id is not None:
        session.execute(
            update(Endpoint)
            .where(col(Endpoint.id) == row.endpoint_id)
            .values(state=EndpointState.BAD, state_reason=f"provider {event.code or ''}".strip())
        )
    elif verdict in {Verdict.UNREACHABLE, Verdict.THROTTLED} and row.attempts < TRIES:
        _try_again(session, row)
    return True


def _try_again(session: Session, row: Delivery) -> None:
    """The handset was off, say: the provider has proved that nothing arrived, so another try is safe."""
    session.execute(
        update(Delivery)
        .where(col(Delivery.id) == row.id, col(Delivery.state) == DeliveryState.UNDELIVERED)
        .values(state=DeliveryState.PLANNED, reason="", provider_id=None)
    )
    ledger.reopen(session, [row_id(row)], due_at=now() + TRY_AGAIN_AFTER * row.attempts)


def _move(session: Session, event: Event, allowed: tuple[str, ...], **values: Any) -> bool:
    result = session.execute(
        update(Delivery)
        .where(col(Delivery.id) == event.key, col(Delivery.state).in_(allowed))
        .values(code=event.code, provider_id=event.provider_id, **values)
    )
    return bool(getattr(result, "rowcount", 0))


def row_id(row: Delivery) -> int:
    """The number of a row that is in the ledger."""
    if row.id is None:
        raise RuntimeError("The row has not been saved yet.")
    return row.id
