"""The ledger: rows are claimed, written and given back in chunks, by conditional UPDATEs.

Every function is one transaction. Whoever's UPDATE changes the row owns it; states only move forward.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import CursorResult, and_, exists, select, update
from sqlmodel import Session, col
from sqlmodel import select as select_rows

from channels.contract import Outcome, Verdict
from contacts.audience import Audience
from contacts.bulk import run_many
from contacts.columns import now
from notify.dispatch import consequences, households, journal, queries
from notify.dispatch.models import (
    Batch,
    BatchState,
    ChannelHold,
    Delivery,
    DeliveryState,
    Dispatch,
    DispatchState,
)
from notify.dispatch.queries import Placed, Row, place, rows_of

WINDOW_OVER = "window_over"
STOPPED = "stopped"


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
    return session.execute(queries.next_batch(quiet), {"over": channel, "moment": now()}).scalar()


def claim(session: Session, batch_id: int, worker: str, *, per_household: bool) -> Claim | None:
    """Take a batch and its planned rows; None when another worker was faster.

    Consent and addresses are asked again: who has said no since the plan is skipped here.
    """
    moment = now()
    if not _changed(
        session.execute(queries.TAKE_BATCH, {"batch_id": batch_id, "by": worker, "moment": moment})
    ):
        return None
    batch = session.execute(queries.BATCH, {"batch_id": batch_id}).one()
    session.execute(queries.TAKE_ROWS, {**place(batch), "moment": moment})
    rows = _skip_those_who_said_no(session, batch, public_task=per_household)
    if per_household:
        rows = households.named(session, batch, rows)
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
    run_many(session, queries.WRITE, [_new_values(outcome, repeat_is_safe) for outcome in found])
    consequences.draw(session, found)


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
        lost = rows_of(batch) if not past.whole else _among(past.in_flight)
        state = DeliveryState.PLANNED if batch.channel in safe else DeliveryState.UNKNOWN
        counts["unknown" if state is DeliveryState.UNKNOWN else "repeated"] += _changed(
            session.execute(
                update(Delivery)
                .where(lost, rows_of(batch), col(Delivery.state) == DeliveryState.SENDING)
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


def _skip_those_who_said_no(session: Session, batch: Any, *, public_task: bool) -> list[Row]:
    """Consent, addresses and the audience asked again; returns the rows that may go."""
    wanted = Audience.kept(batch.list_id, batch.filter, batch.excluded)
    rows: list[Row] = []
    refused: dict[str, list[int]] = {}
    for found in session.execute(queries.taken(wanted, public_task), place(batch)):
        if found[-1] is None:
            rows.append(Row._make(found[:-1]))
        else:
            refused.setdefault(found[-1], []).append(found[0])
    for reason, keys in refused.items():
        session.execute(
            update(queries.DELIVERIES)
            .where(queries.DELIVERIES.c.id.in_(keys))
            .values(
                state=DeliveryState.SKIPPED.value, reason=reason, attempts=queries.DELIVERIES.c.attempts - 1
            )
        )
    return rows


def _among(keys: Iterable[int]) -> Any:
    return col(Delivery.id).in_(list(keys))


def _back_to_planned(session: Session, batch: Placed) -> int:
    return _changed(session.execute(queries.BACK_TO_PLANNED, place(batch)))


def _settle(session: Session, batch_id: int, batch: Placed, due_at: datetime | None) -> None:
    left = session.execute(queries.ANY_LEFT, place(batch)).first()
    state = BatchState.READY if left else BatchState.DONE
    due = due_at if left else None
    session.execute(queries.SETTLE, {"batch_id": batch_id, "new": state.value, "due": due})
    if left:
        dispatch = session.get_one(Dispatch, batch.dispatch_id, populate_existing=True)
        if dispatch.state == DispatchState.STOPPED:  # a person stopped it while this was in hand
            skip_rest(session, dispatch)


def _changed(result: Any) -> int:
    return int(result.rowcount) if isinstance(result, CursorResult) else 0
