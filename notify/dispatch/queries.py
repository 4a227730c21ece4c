"""The ledger's statements, each built once: building one takes longer than running it."""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Any, NamedTuple, Protocol

from sqlalchemy import Table, and_, bindparam, case, exists, func, literal_column, or_, select, update
from sqlmodel import col

from contacts import audience
from contacts.audience import Audience
from contacts.models import Contact, Endpoint
from notify.dispatch.models import (
    TO_GO,
    Batch,
    BatchState,
    ChannelHold,
    Delivery,
    DeliveryState,
    Dispatch,
    DispatchState,
)


class Row(NamedTuple):
    """One claimed delivery, with what addressing needs."""

    key: int
    endpoint_id: int
    address: str
    name: str
    language: str
    attempt: int

    def __repr__(self) -> str:
        return f"Row(key={self.key}, endpoint_id={self.endpoint_id})"


class Placed(Protocol):
    """A batch, however it was read."""

    @property
    def dispatch_id(self) -> int: ...
    @property
    def channel(self) -> str: ...
    @property
    def number(self) -> int: ...


def place(batch: Placed) -> dict[str, Any]:
    """Names a batch's rows to the statements below."""
    return {
        "its_dispatch": batch.dispatch_id,
        "its_channel": batch.channel,
        "its_number": batch.number,
    }


def rows_of(batch: Placed) -> Any:
    """The condition that a `Delivery` is of a batch."""
    return and_(
        col(Delivery.dispatch_id) == batch.dispatch_id,
        col(Delivery.channel) == batch.channel,
        col(Delivery.batch) == batch.number,
    )


DELIVERIES: Table = Delivery.__table__  # type: ignore[attr-defined]
BATCHES: Table = Batch.__table__  # type: ignore[attr-defined]
IN_BATCH = and_(
    DELIVERIES.c.dispatch_id == bindparam("its_dispatch"),
    DELIVERIES.c.channel == bindparam("its_channel"),
    DELIVERIES.c.batch == bindparam("its_number"),
)
TAKE_BATCH = (
    update(BATCHES)
    .where(BATCHES.c.id == bindparam("batch_id"), BATCHES.c.state == BatchState.READY.value)
    .values(
        state=BatchState.CLAIMED.value, worker=bindparam("by"), claimed_at=bindparam("moment"), due_at=None
    )
)
TAKE_ROWS = (
    update(DELIVERIES)
    .where(IN_BATCH, DELIVERIES.c.state == DeliveryState.PLANNED.value)
    .values(
        state=DeliveryState.SENDING.value, attempts=DELIVERIES.c.attempts + 1, sent_at=bindparam("moment")
    )
)
_SAME = BATCHES.alias("same")
BATCH = (
    select(
        BATCHES.c.dispatch_id,
        BATCHES.c.channel,
        BATCHES.c.number,
        col(Dispatch.statement_id),
        col(Dispatch.list_id),
        col(Dispatch.filter),
        col(Dispatch.excluded),
        col(Dispatch.created_at),
        col(Dispatch.started_at),
        col(Dispatch.window_until),
        select(func.count())
        .where(_SAME.c.dispatch_id == BATCHES.c.dispatch_id, _SAME.c.channel == BATCHES.c.channel)
        .scalar_subquery()
        .label("total"),
    )
    .join(Dispatch, col(Dispatch.id) == BATCHES.c.dispatch_id)
    .where(BATCHES.c.id == bindparam("batch_id"))
)
SETTLE = (
    update(BATCHES)
    .where(BATCHES.c.id == bindparam("batch_id"))
    .values(state=bindparam("new"), worker="", due_at=bindparam("due"))
)
BACK_TO_PLANNED = (
    update(DELIVERIES)
    .where(IN_BATCH, DELIVERIES.c.state == DeliveryState.SENDING.value)
    .values(state=DeliveryState.PLANNED.value, attempts=DELIVERIES.c.attempts - 1)
)
ANY_LEFT = select(DELIVERIES.c.id).where(IN_BATCH, DELIVERIES.c.state.in_(TO_GO)).limit(1)
# Written out, since the driver's bulk call knows of no values but the rows'.
_IS_SENDING = DELIVERIES.c.state == literal_column(f"'{DeliveryState.SENDING.value}'")
WRITE = (
    update(DELIVERIES)
    .where(DELIVERIES.c.id == bindparam("key"))
    .values(
        # A receipt may have been faster than this write: it is not taken back.
        state=case((_IS_SENDING, bindparam("new")), else_=DELIVERIES.c.state),
        reason=case((_IS_SENDING, bindparam("why")), else_=DELIVERIES.c.reason),
        provider_id=func.coalesce(bindparam("id_there"), DELIVERIES.c.provider_id),
        code=bindparam("its_code"),
        detail=bindparam("says"),
        attempts=DELIVERIES.c.attempts - bindparam("uncounted"),
    )
)


@cache
def next_batch(quiet: bool) -> Any:
    """The query for the batch that goes next over the channel `over` at `moment`."""
    held = exists().where(
        col(ChannelHold.dispatch_id) == col(Batch.dispatch_id), col(ChannelHold.channel) == col(Batch.channel)
    )
    query = (
        select(col(Batch.id))
        .join(Dispatch, col(Dispatch.id) == col(Batch.dispatch_id))
        .where(
            col(Batch.channel) == bindparam("over"),
            col(Batch.state) == BatchState.READY,
            or_(col(Batch.due_at).is_(None), col(Batch.due_at) <= bindparam("moment")),
            col(Dispatch.state) == DispatchState.SENDING,
            or_(col(Dispatch.window_until).is_(None), col(Dispatch.window_until) > bindparam("moment")),
            ~held,
        )
        .order_by(col(Batch.priority), col(Batch.dispatch_id), col(Batch.number))
        .limit(1)
    )
    return query.where(col(Dispatch.urgent).is_(True)) if quiet else query


def addressed() -> Any:
    """What a `Row` holds of deliveries."""
    return (
        select(
            col(Delivery.id),
            col(Endpoint.id),
            col(Endpoint.address),
            col(Contact.name),
            col(Delivery.language),
            col(Delivery.attempts),
        )
        .join(Endpoint, col(Endpoint.id) == col(Delivery.endpoint_id))
        .join(Contact, col(Contact.id) == col(Delivery.contact_id))
    )


@lru_cache(maxsize=32)
def taken(wanted: Audience, public_task: bool) -> Any:
    """The query for the rows of a claimed batch, each with why it may not be sent now."""
    refusal = audience.refusal(wanted, public_task=public_task)
    sending = col(Delivery.state) == DeliveryState.SENDING
    return addressed().add_columns(refusal).where(IN_BATCH, sending).order_by(col(Delivery.id))
