"""What comes back: receipts move rows forward, and tell about addresses and consent (R11, R16).

- An address that will never work is marked, for all who share it.
- One that did not work for now is counted; after several in succession it is held until a person looks.
- A complaint is a no to everything for that address, at once (R19).
- What is refused as a matter of policy blames no address: it stops the channel of that dispatch.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import func, select, update
from sqlmodel import Session, col

from channels.contract import Event, EventKind, Verdict
from contacts import consent
from contacts.columns import now
from contacts.joining import living
from contacts.models import Endpoint
from notify.dispatch import consequences, ledger
from notify.dispatch.models import ACCEPTED, Delivery, DeliveryState, Dispatch, Receipt
from notify.settings import SendingSettings

log = structlog.get_logger()

TRIES = 3  # a handset that could not be reached is tried so often, within the dispatch's window
TRY_AGAIN_AFTER = timedelta(hours=1)
COMPLAINT = "complaint"  # how the consent ledger calls it

_NOT_YET = (DeliveryState.SENDING, DeliveryState.ACCEPTED, DeliveryState.UNKNOWN)
_RECENT = 200  # dispatches among which an address's last messages are looked for
_USUAL = SendingSettings()


def record(session: Session, event: Event, sending: SendingSettings = _USUAL) -> bool:
    """Enter one receipt; a late or repeated one changes nothing.

    Args:
        session: an open session that may write. Nothing is committed.
        event: its `key` has to be proven: this trusts it.
        sending: how many bounces or refusals are too many.

    Returns:
        Whether the delivery moved.
    """
    row = session.get(Delivery, event.key) if event.key is not None else None
    if row is None or (row.provider_id and event.provider_id and row.provider_id != event.provider_id):
        return False  # of an earlier attempt, or of nothing we know
    complained = event.kind is EventKind.OPTED_OUT and not _has_complained(session, row_id(row))
    session.add(
        Receipt(delivery_id=row_id(row), kind=event.kind, provider_id=event.provider_id, code=event.code)
    )
    if event.kind is EventKind.SENT:
        return _move(session, event, (DeliveryState.UNKNOWN,), state=DeliveryState.ACCEPTED, reason="")
    if event.kind is EventKind.DELIVERED:
        return _delivered(session, event, row)
    if event.kind is EventKind.UNDELIVERED:
        return _undelivered(session, event, row, sending)
    if complained:
        consequences.record_opt_out(session, row_id(row), method=COMPLAINT, reference=event.code or "")
        return _delivered(session, event, row)
    return False


def latest(session: Session, endpoint_id: int, list_id: int | None) -> Delivery | None:
    """The last message that a provider took for an endpoint and a list: what a receipt is about that names
    the recipient alone."""
    query = (
        _recent(session, endpoint_id)
        .join(Dispatch, col(Dispatch.id) == col(Delivery.dispatch_id))
        .where(col(Dispatch.list_id) == list_id if list_id else col(Dispatch.list_id).is_(None))
    )
    found: Delivery | None = session.execute(query.limit(1)).scalar()
    return found


def row_id(row: Delivery) -> int:
    """The number of a row that is in the ledger."""
    if row.id is None:
        raise RuntimeError("The row has not been saved yet.")
    return row.id


def _delivered(session: Session, event: Event, row: Delivery) -> bool:
    moved = _move(session, event, _NOT_YET, state=DeliveryState.DELIVERED, reason="")
    if moved:
        session.execute(
            update(Endpoint)
            .where(col(Endpoint.id) == row.endpoint_id, col(Endpoint.soft_bounces) > 0)
            .values(soft_bounces=0)
        )
    return moved


def _undelivered(session: Session, event: Event, row: Delivery, sending: SendingSettings) -> bool:
    verdict = event.verdict or Verdict.REFUSED
    if not _move(session, event, _NOT_YET, state=DeliveryState.UNDELIVERED, reason=verdict.value):
        return False
    endpoint = living(session, row.endpoint_id) if row.endpoint_id is not None else None
    if verdict is Verdict.OPTED_OUT:
        consequences.record_opt_out(
            session, row_id(row), method=consent.Method.PROVIDER, reference=event.code or ""
        )
    elif verdict is Verdict.BAD_ADDRESS and endpoint is not None:
        consequences.suppress(session, endpoint, consequences.by_provider(event.code or ""))
    elif verdict in {Verdict.UNREACHABLE, Verdict.THROTTLED} and _is_worth_another_try(session, row):
        _try_again(session, row)
    elif verdict is Verdict.UNREACHABLE and endpoint is not None:
        _count_soft(session, endpoint, sending)
    elif verdict is Verdict.MISCONFIGURED:
        _hold(session, row, f"Providers refuse what we send ({event.code}). Look at the sender's settings.")
    elif verdict is Verdict.REFUSED:
        _consider_refusals(session, row, sending)
    return True


def _is_worth_another_try(session: Session, row: Delivery) -> bool:
    until = session.get_one(Dispatch, row.dispatch_id).window_until
    return row.attempts < TRIES and (until is None or _next_try(row) < until)


def _next_try(row: Delivery) -> datetime:
    return now() + TRY_AGAIN_AFTER * row.attempts


def _try_again(session: Session, row: Delivery) -> None:
    """The handset was off, say: the provider has proved that nothing arrived, so another try is safe."""
    session.execute(
        update(Delivery)
        .where(col(Delivery.id) == row.id, col(Delivery.state) == DeliveryState.UNDELIVERED)
        .values(state=DeliveryState.PLANNED, reason="", provider_id=None)
    )
    ledger.reopen(session, [row_id(row)], due_at=_next_try(row))


def _count_soft(session: Session, endpoint: Endpoint, sending: SendingSettings) -> None:
    """Count the soft bounces in succession anew: receipts do not come in the order of the messages."""
    last = _recent(session, endpoint.id).limit(sending.soft_bounces)
    soft = 0
    for row in session.execute(last.execution_options(populate_existing=True)).scalars():
        if row.state != DeliveryState.UNDELIVERED or row.reason != Verdict.UNREACHABLE:
            break
        soft += 1
    endpoint.soft_bounces = soft
    if soft >= sending.soft_bounces and not endpoint.held:
        endpoint.held = f"{soft} messages in succession could not be delivered."
    session.add(endpoint)
    session.flush()


def _recent(session: Session, endpoint_id: int | None) -> Any:
    """An endpoint's messages that a provider took, the last first; found by the index over dispatch and endpoint."""
    dispatches = session.execute(select(col(Dispatch.id)).order_by(col(Dispatch.id).desc()).limit(_RECENT))
    return (
        select(Delivery)
        .where(
            col(Delivery.dispatch_id).in_(dispatches.scalars().all()),
            col(Delivery.endpoint_id) == endpoint_id,
            col(Delivery.state).in_(ACCEPTED),
        )
        .order_by(col(Delivery.id).desc())
    )


def _consider_refusals(session: Session, row: Delivery, sending: SendingSettings) -> None:
    """The same share of refusals that stops a channel while it sends."""
    same = (
        col(Delivery.dispatch_id) == row.dispatch_id,
        col(Delivery.channel) == row.channel,
        col(Delivery.state).in_((*ACCEPTED, DeliveryState.FAILED)),
    )
    seen = session.execute(select(func.count()).select_from(Delivery).where(*same)).scalar_one()
    refused = session.execute(
        select(func.count()).select_from(Delivery).where(*same, col(Delivery.reason) == Verdict.REFUSED.value)
    ).scalar_one()
    if refused >= sending.refused_least and refused > seen * sending.refused_share:
        _hold(session, row, f"{refused} of {seen} messages were refused. Look at the text and the sender.")


def _hold(session: Session, row: Delivery, reason: str) -> None:
    ledger.hold_channel(session, row.dispatch_id, row.channel, reason)
    log.warning("channel_held", dispatch=row.dispatch_id, channel=row.channel, by="receipts")


def _has_complained(session: Session, delivery_id: int) -> bool:
    query = select(col(Receipt.id)).where(
        col(Receipt.delivery_id) == delivery_id, col(Receipt.kind) == EventKind.OPTED_OUT
    )
    return session.execute(query.limit(1)).first() is not None


def _move(session: Session, event: Event, allowed: tuple[str, ...], **values: Any) -> bool:
    result = session.execute(
        update(Delivery)
        .where(col(Delivery.id) == event.key, col(Delivery.state).in_(allowed))
        .values(
            code=event.code, provider_id=func.coalesce(event.provider_id, col(Delivery.provider_id)), **values
        )
    )
    return bool(getattr(result, "rowcount", 0))
