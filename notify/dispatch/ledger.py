"""The ledger: rows are claimed, written and given back in chunks, by conditional UPDATEs.

Every function is one transaction. Whoever's UPDATE changes the row owns it; states only move forward.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from sqlalchemy import (
    CursorResult,
    Table,
    and_,
    bindparam,
    case,
    exists,
    func,
    literal_column,
    or_,
    select,
    update,
)
from sqlmodel import Session, col
from sqlmodel import select as select_rows

from channels.contract import Outcome, Verdict
from contacts import audience, consent
from contacts.audience import Audience
from contacts.bulk import run_many
from contacts.columns import now
from contacts.joining import living
from contacts.models import Contact, Endpoint, EndpointState
from notify.dispatch import journal
from notify.dispatch.models import (
    Batch,
    BatchState,
    ChannelHold,
    Delivery,
    DeliveryState,
    Dispatch,
    DispatchState,
)

WINDOW_OVER = "window_over"
STOPPED = "stopped"
# Rows in these states are still to go; a dispatch with one of them is not done.
TO_GO = (DeliveryState.PLANNED, DeliveryState.SENDING)
# A provider has taken rows in these states, whatever it said later.
ACCEPTED = (DeliveryState.ACCEPTED, DeliveryState.DELIVERED, DeliveryState.UNDELIVERED)


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


@dataclass(frozen=True, slots=True)
class Claim:
    """A batch in the hands of one worker."""

    batch_id: int
    dispatch_id: int
    statement_id: int
    list_id: int | None
    channel: str
    number: int
    total: int
    planned_at: datetime
    window_until: datetime | None
    rows: Sequence[Row] = field(repr=False)


def next_batch(session: Session, channel: str, *, quiet: bool) -> int | None:
    """The batch that should go next over a channel: crisis before routine, then in order.

    Args:
        quiet: it is night, and only what is urgent may go.
    """
    return session.execute(_next(quiet), {"over": channel, "moment": now()}).scalar()


def claim(session: Session, batch_id: int, worker: str, *, per_household: bool) -> Claim | None:
    """Take a batch and its planned rows; None when another worker was faster.

    Consent and addresses are asked again: who has said no since the plan is skipped here.
    """
    moment = now()
    if not _changed(session.execute(_TAKE_BATCH, {"batch_id": batch_id, "by": worker, "moment": moment})):
        return None
    batch = session.execute(_BATCH, {"batch_id": batch_id}).one()
    session.execute(_TAKE_ROWS, {**_place(batch), "moment": moment})
    rows = _skip_those_who_said_no(session, batch, public_task=per_household)
    if per_household:
        rows = _named_by_household(rows, _household_names(session, batch))
    return Claim(
        batch_id=batch_id,
        dispatch_id=batch.dispatch_id,
        statement_id=batch.statement_id,
        list_id=batch.list_id,
        channel=batch.channel,
        number=batch.number,
        total=batch.total,
        planned_at=batch.started_at or batch.created_at,
        window_until=batch.window_until,
        rows=rows,
    )


def write(session: Session, outcomes: Iterable[Outcome], *, repeat_is_safe: bool) -> None:
    """Write what a channel said about claimed rows, and draw the consequences for endpoints and consent."""
    found = list(outcomes)
    if not found:
        return
    run_many(session, _WRITE, [_new_values(outcome, repeat_is_safe) for outcome in found])
    _mark_endpoints(session, [each.key for each in found if each.verdict is Verdict.BAD_ADDRESS])
    for outcome in found:
        if outcome.verdict is Verdict.OPTED_OUT:
            record_opt_out(session, outcome.key, method="provider", reference=outcome.code or "")


def give_back(session: Session, claim: Claim, in_flight: Iterable[int], *, due_at: datetime | None) -> None:
    """End a claim: rows never handed over are planned again, those in flight without a result are unknown.

    Args:
        due_at: when the batch may be claimed again, if rows of it are left.
    """
    keys = list(in_flight)
    for start in range(0, len(keys), 500):
        session.execute(
            update(Delivery)
            .where(
                col(Delivery.id).in_(keys[start : start + 500]), col(Delivery.state) == DeliveryState.SENDING
            )
            .values(state=DeliveryState.UNKNOWN, reason="no_result")
        )
    _back_to_planned(session, claim)
    _settle(session, claim.batch_id, claim, due_at)


def recover(session: Session, directory: Path, safe_channels: Iterable[str]) -> dict[str, int]:
    """After a crash: replay the journal of every claimed batch (R35).

    A row with a result gets it. A row with an intent and no result is unknown; over a channel where a repeat
    is safe it is planned again. A row without an intent is planned again, unless the journal is lost: then
    it is unknown too.

    Returns:
        Rows by what became of them.
    """
    counts = {"results": 0, "unknown": 0, "repeated": 0, "planned": 0}
    safe = set(safe_channels)
    for batch in session.exec(select_rows(Batch).where(Batch.state == BatchState.CLAIMED)):
        past = journal.read(directory, batch.worker)
        write(session, past.outcomes.values(), repeat_is_safe=batch.channel in safe)
        counts["results"] += len(past.outcomes)
        lost = _rows_of(batch) if not past.whole else _among(past.in_flight)
        state = DeliveryState.PLANNED if batch.channel in safe else DeliveryState.UNKNOWN
        counts["unknown" if state is DeliveryState.UNKNOWN else "repeated"] += _changed(
            session.execute(
                update(Delivery)
                .where(lost, _rows_of(batch), col(Delivery.state) == DeliveryState.SENDING)
                .values(state=state, reason="crash")
            )
        )
        counts["planned"] += _back_to_planned(session, batch)
        _settle(session, batch.id or 0, batch, None)
    return counts


def finish(session: Session) -> list[int]:
    """Mark dispatches whose batches are all done; returns their numbers."""
    open_batch = exists().where(
        col(Batch.dispatch_id) == col(Dispatch.id), col(Batch.state) != BatchState.DONE
    )
    ids = list(
        session.execute(
            select(col(Dispatch.id)).where(col(Dispatch.state) == DispatchState.SENDING, ~open_batch)
        ).scalars()
    )
    for dispatch_id in ids:
        session.execute(
            update(Dispatch)
            .where(col(Dispatch.id) == dispatch_id, col(Dispatch.state) == DispatchState.SENDING)
            .values(state=DispatchState.DONE, finished_at=now())
        )
    return ids


def expire(session: Session) -> int:
    """Fail planned rows of dispatches whose time window is over: old news is not sent."""
    over = select(col(Dispatch.id)).where(
        col(Dispatch.state) == DispatchState.SENDING, col(Dispatch.window_until) < now()
    )
    waiting = and_(col(Batch.dispatch_id).in_(over), col(Batch.state) == BatchState.READY)
    if session.execute(select(col(Batch.id)).where(waiting).limit(1)).first() is None:
        return 0
    rows = and_(col(Delivery.dispatch_id).in_(over), col(Delivery.state) == DeliveryState.PLANNED)
    failed = _changed(
        session.execute(update(Delivery).where(rows).values(state=DeliveryState.FAILED, reason=WINDOW_OVER))
    )
    session.execute(update(Batch).where(waiting).values(state=BatchState.DONE))
    return failed


def skip_rest(session: Session, dispatch: Dispatch) -> int:
    """Mark what a stopped dispatch will not send any more; returns how many rows."""
    rows = and_(col(Delivery.dispatch_id) == dispatch.id, col(Delivery.state) == DeliveryState.PLANNED)
    ready = and_(col(Batch.dispatch_id) == dispatch.id, col(Batch.state) == BatchState.READY)
    session.execute(update(Batch).where(ready).values(state=BatchState.DONE))
    return _changed(
        session.execute(update(Delivery).where(rows).values(state=DeliveryState.SKIPPED, reason=STOPPED))
    )


def hold_channel(session: Session, dispatch_id: int, channel: str, reason: str) -> None:
    """Stop one channel of a dispatch until a person resumes it."""
    if session.get(ChannelHold, (dispatch_id, channel)) is None:
        session.add(ChannelHold(dispatch_id=dispatch_id, channel=channel, reason=reason[:300]))
        session.flush()


def record_opt_out(session: Session, delivery_id: int, *, method: str, reference: str) -> None:
    """Enter in the consent ledger that the resident behind a delivery said no to this channel."""
    delivery = session.get(Delivery, delivery_id)
    if delivery is None or delivery.endpoint_id is None:
        return
    endpoint = living(session, delivery.endpoint_id)
    if endpoint is None:
        return
    consent.opt_out(
        session, endpoint.channel, endpoint.address_key, method=method, wording="", wording_language="",
        reference=reference, actor="resident", at=now(),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Unknown:
    """A row that may have been accepted, and when its batch was claimed."""

    row: Row
    statement_id: int
    list_id: int | None
    sent_at: datetime


def unknown(session: Session, channel: str, before: datetime, after: int, most: int = 100) -> list[Unknown]:
    """Rows of a channel that may have been accepted, to ask the provider about.

    Args:
        before: only those claimed earlier than this.
        after: only those with a higher number, so that rounds reach all of them.
        most: how many.
    """
    query = (
        _addressed()
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
    moved = _changed(
        session.execute(
            update(Delivery)
            .where(col(Delivery.id) == outcome.key, col(Delivery.state) == DeliveryState.UNKNOWN)
            .values(
                state=DeliveryState.ACCEPTED if accepted else DeliveryState.PLANNED,
                reason="",
                provider_id=outcome.provider_id or row.provider_id,
            )
        )
    )
    if moved and not accepted:
        reopen(session, [outcome.key])


def reopen(session: Session, keys: Sequence[int], due_at: datetime | None = None) -> None:
    """Make the batches of planned rows ready again, and their dispatches sending."""
    for start in range(0, len(keys), 500):
        rows = select(col(Delivery.dispatch_id), col(Delivery.channel), col(Delivery.batch)).where(
            col(Delivery.id).in_(keys[start : start + 500])
        )
        for dispatch_id, channel, number in session.execute(rows.distinct()).all():
            session.execute(
                update(Batch)
                .where(
                    col(Batch.dispatch_id) == dispatch_id,
                    col(Batch.channel) == channel,
                    col(Batch.number) == number,
                    col(Batch.state) == BatchState.DONE,
                )
                .values(state=BatchState.READY, due_at=due_at)
            )
            session.execute(
                update(Dispatch)
                .where(col(Dispatch.id) == dispatch_id, col(Dispatch.state) == DispatchState.DONE)
                .values(state=DispatchState.SENDING, finished_at=None)
            )


# The statements of every batch, built once: building one takes longer than running it.
_TABLE: Table = Delivery.__table__  # type: ignore[attr-defined]
_BATCHES: Table = Batch.__table__  # type: ignore[attr-defined]
_IN_BATCH = and_(
    _TABLE.c.dispatch_id == bindparam("its_dispatch"),
    _TABLE.c.channel == bindparam("its_channel"),
    _TABLE.c.batch == bindparam("its_number"),
)
_TAKE_BATCH = (
    update(_BATCHES)
    .where(_BATCHES.c.id == bindparam("batch_id"), _BATCHES.c.state == BatchState.READY.value)
    .values(
        state=BatchState.CLAIMED.value, worker=bindparam("by"), claimed_at=bindparam("moment"), due_at=None
    )
)
_TAKE_ROWS = (
    update(_TABLE)
    .where(_IN_BATCH, _TABLE.c.state == DeliveryState.PLANNED.value)
    .values(state=DeliveryState.SENDING.value, attempts=_TABLE.c.attempts + 1, sent_at=bindparam("moment"))
)
_SAME = _BATCHES.alias("same")
_BATCH = (
    select(
        _BATCHES.c.dispatch_id,
        _BATCHES.c.channel,
        _BATCHES.c.number,
        col(Dispatch.statement_id),
        col(Dispatch.list_id),
        col(Dispatch.filter),
        col(Dispatch.excluded),
        col(Dispatch.created_at),
        col(Dispatch.started_at),
        col(Dispatch.window_until),
        select(func.count())
        .where(_SAME.c.dispatch_id == _BATCHES.c.dispatch_id, _SAME.c.channel == _BATCHES.c.channel)
        .scalar_subquery()
        .label("total"),
    )
    .join(Dispatch, col(Dispatch.id) == _BATCHES.c.dispatch_id)
    .where(_BATCHES.c.id == bindparam("batch_id"))
)
_SETTLE = (
    update(_BATCHES)
    .where(_BATCHES.c.id == bindparam("batch_id"))
    .values(state=bindparam("new"), worker="", due_at=bindparam("due"))
)
_BACK_TO_PLANNED = (
    update(_TABLE)
    .where(_IN_BATCH, _TABLE.c.state == DeliveryState.SENDING.value)
    .values(state=DeliveryState.PLANNED.value, attempts=_TABLE.c.attempts - 1)
)
_ANY_LEFT = select(_TABLE.c.id).where(_IN_BATCH, _TABLE.c.state.in_(TO_GO)).limit(1)
# Written out, since the driver's bulk call knows of no values but the rows'.
_IS_SENDING = _TABLE.c.state == literal_column(f"'{DeliveryState.SENDING.value}'")
_WRITE = (
    update(_TABLE)
    .where(_TABLE.c.id == bindparam("key"))
    .values(
        # A receipt may have been faster than this write: it is not taken back.
        state=case((_IS_SENDING, bindparam("new")), else_=_TABLE.c.state),
        reason=case((_IS_SENDING, bindparam("why")), else_=_TABLE.c.reason),
        provider_id=func.coalesce(bindparam("id_there"), _TABLE.c.provider_id),
        code=bindparam("its_code"),
        detail=bindparam("says"),
        attempts=_TABLE.c.attempts - bindparam("uncounted"),
    )
)


@cache
def _next(quiet: bool) -> Any:
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


def _addressed() -> Any:
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
def _taken(wanted: Audience, public_task: bool) -> Any:
    """The query for the rows of a claimed batch, each with why it may not be sent now."""
    refusal = audience.refusal(wanted, public_task=public_task)
    sending = col(Delivery.state) == DeliveryState.SENDING
    return _addressed().add_columns(refusal).where(_IN_BATCH, sending).order_by(col(Delivery.id))


_AFTER = {
    Verdict.ACCEPTED: DeliveryState.ACCEPTED,
    Verdict.BAD_ADDRESS: DeliveryState.FAILED,
    Verdict.OPTED_OUT: DeliveryState.SKIPPED,
    Verdict.THROTTLED: DeliveryState.PLANNED,
    Verdict.UNREACHABLE: DeliveryState.PLANNED,
    Verdict.UNKNOWN: DeliveryState.UNKNOWN,
    Verdict.REFUSED: DeliveryState.FAILED,
    Verdict.MISCONFIGURED: DeliveryState.PLANNED,
}
# The attempt said nothing about the recipient, so it does not count.
_UNCOUNTED = {Verdict.THROTTLED, Verdict.MISCONFIGURED}


@cache
def _after(verdict: Verdict, repeat_is_safe: bool) -> tuple[str, str, int]:
    """State, reason, and attempts not to count, after a verdict."""
    state = _AFTER[verdict]
    if state is DeliveryState.UNKNOWN and repeat_is_safe:
        state = DeliveryState.PLANNED
    settled = state in {DeliveryState.ACCEPTED, DeliveryState.PLANNED}
    return state.value, "" if settled else verdict.value, int(verdict in _UNCOUNTED)


def _new_values(outcome: Outcome, repeat_is_safe: bool) -> dict[str, Any]:
    state, reason, uncounted = _after(outcome.verdict, repeat_is_safe)
    return {
        "key": outcome.key,
        "new": state,
        "why": reason,
        "id_there": outcome.provider_id,
        "its_code": outcome.code,
        "says": outcome.detail[:300],
        "uncounted": uncounted,
    }


def _mark_endpoints(session: Session, keys: Sequence[int]) -> None:
    if keys:
        ids = select(col(Delivery.endpoint_id)).where(col(Delivery.id).in_(keys))
        session.execute(
            update(Endpoint)
            .where(col(Endpoint.id).in_(ids))
            .values(state=EndpointState.BAD, state_reason="provider")
        )


def _skip_those_who_said_no(session: Session, batch: Any, *, public_task: bool) -> list[Row]:
    """Consent, addresses and the audience asked again; returns the rows that may go."""
    wanted = Audience.kept(batch.list_id, batch.filter, batch.excluded)
    rows: list[Row] = []
    refused: dict[str, list[int]] = {}
    for found in session.execute(_taken(wanted, public_task), _place(batch)):
        if found[-1] is None:
            rows.append(Row._make(found[:-1]))
        else:
            refused.setdefault(found[-1], []).append(found[0])
    for reason, keys in refused.items():
        session.execute(
            update(_TABLE)
            .where(_TABLE.c.id.in_(keys))
            .values(state=DeliveryState.SKIPPED.value, reason=reason, attempts=_TABLE.c.attempts - 1)
        )
    return rows


def _named_by_household(rows: Sequence[Row], names: Mapping[int, str]) -> list[Row]:
    return [row._replace(name=names.get(row.key, row.name)) for row in rows]


def _household_names(session: Session, batch: _Placed) -> dict[int, str]:
    """Whom a household's letter is addressed to: up to two names; more are named by nobody."""
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
            _rows_of(batch),
            col(Delivery.state) == DeliveryState.SENDING,
            or_(other.c.id == col(Delivery.id), other.c.reason == audience.Skip.SAME_HOUSEHOLD.value),
        )
        .order_by(col(Delivery.id), there.c.id)
    )
    found: dict[int, list[str]] = {}
    for key, name in session.execute(query):
        names = found.setdefault(key, [])
        if name and name not in names:
            names.append(name)
    return {key: "\n".join(names) if len(names) <= 2 else "" for key, names in found.items()}


def _rows_of(batch: _Placed) -> Any:
    return and_(
        col(Delivery.dispatch_id) == batch.dispatch_id,
        col(Delivery.channel) == batch.channel,
        col(Delivery.batch) == batch.number,
    )


def _among(keys: Iterable[int]) -> Any:
    return col(Delivery.id).in_(list(keys))


class _Placed(Protocol):
    """A batch, however it was read."""

    @property
    def dispatch_id(self) -> int: ...
    @property
    def channel(self) -> str: ...
    @property
    def number(self) -> int: ...


def _place(batch: _Placed) -> dict[str, Any]:
    """Names a batch's rows to the statements above."""
    return {
        "its_dispatch": batch.dispatch_id,
        "its_channel": batch.channel,
        "its_number": batch.number,
    }


def _back_to_planned(session: Session, batch: _Placed) -> int:
    return _changed(session.execute(_BACK_TO_PLANNED, _place(batch)))


def _settle(session: Session, batch_id: int, batch: _Placed, due_at: datetime | None) -> None:
    left = session.execute(_ANY_LEFT, _place(batch)).first()
    state = BatchState.READY if left else BatchState.DONE
    due = due_at if left else None
    session.execute(_SETTLE, {"batch_id": batch_id, "new": state.value, "due": due})
    if left:
        dispatch = session.get_one(Dispatch, batch.dispatch_id, populate_existing=True)
        if dispatch.state == DispatchState.STOPPED:  # a person stopped it while this was in hand
            skip_rest(session, dispatch)


def _changed(result: Any) -> int:
    return int(result.rowcount) if isinstance(result, CursorResult) else 0
