"""What a person can do to a dispatch: start, pause, resume, stop, try again, decide about the unknown."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import delete, update
from sqlmodel import Session, col, select

from channels.contract import Outcome, Verdict
from contacts.columns import now
from notify import audit, statements
from notify.dispatch import ledger, unknowns
from notify.dispatch.models import (
    ChannelHold,
    Delivery,
    DeliveryState,
    Dispatch,
    DispatchState,
)
from notify.dispatch.plan import DispatchError

# Failures that say nothing final about the recipient or the text.
_WORTH_ANOTHER_TRY = (Verdict.UNREACHABLE, Verdict.MISCONFIGURED, Verdict.REFUSED, ledger.WINDOW_OVER)


def find(session: Session, dispatch_id: int) -> Dispatch:
    """The dispatch with this number.

    Raises:
        DispatchError: there is none.
    """
    dispatch = session.get(Dispatch, dispatch_id)
    if dispatch is None:
        raise DispatchError(f"There is no dispatch {dispatch_id}. See `notify dispatch list`.")
    return dispatch


def start(session: Session, dispatch: Dispatch, actor: str) -> None:
    """Let a planned dispatch go; one that is sending already goes on.

    Raises:
        DispatchError: it is paused, stopped, done, or waits for its time.
        NotApproved: the statement is not approved as it is now.
    """
    if dispatch.state == DispatchState.SENDING:
        return
    if dispatch.state != DispatchState.PLANNED:
        raise DispatchError(f"{dispatch.reference} is {dispatch.state}. {_cure(dispatch)}")
    statements.require_approved(session, dispatch.statement_id)
    _move(session, dispatch, DispatchState.SENDING, actor, "dispatch.start")
    dispatch.started_at = now()


def pause(session: Session, dispatch: Dispatch, actor: str, reason: str = "") -> None:
    """Stop sending for now; what is in flight finishes.

    Raises:
        DispatchError: nothing is under way.
    """
    if dispatch.state not in {DispatchState.SENDING, DispatchState.SCHEDULED}:
        raise DispatchError(f"{dispatch.reference} is {dispatch.state}. {_cure(dispatch)}")
    dispatch.reason = reason or f"paused by {actor}"
    _move(session, dispatch, DispatchState.PAUSED, actor, "dispatch.pause", reason=reason)


def resume(session: Session, dispatch: Dispatch, actor: str) -> None:
    """Go on where it was paused or where a channel held itself.

    Raises:
        DispatchError: there is nothing to resume.
        NotApproved: the statement is not approved as it is now.
    """
    held = session.exec(select(ChannelHold).where(ChannelHold.dispatch_id == dispatch.id)).first()
    if dispatch.state != DispatchState.PAUSED and not (dispatch.state == DispatchState.SENDING and held):
        raise DispatchError(f"{dispatch.reference} is {dispatch.state}. {_cure(dispatch)}")
    statements.require_approved(session, dispatch.statement_id)
    session.execute(delete(ChannelHold).where(col(ChannelHold.dispatch_id) == dispatch.id))
    dispatch.reason = ""
    waiting = dispatch.audience == 0 and dispatch.started_at is None and dispatch.starts_at is not None
    _move(
        session, dispatch, DispatchState.SCHEDULED if waiting else DispatchState.SENDING, actor, "dispatch.resume"
    )  # fmt: skip


def stop(session: Session, dispatch: Dispatch, actor: str) -> int:
    """End it for good: what has not been sent will not be. Returns the rows that were still to go.

    Raises:
        DispatchError: it has ended already.
    """
    if dispatch.state in {DispatchState.DONE, DispatchState.STOPPED}:
        raise DispatchError(f"{dispatch.reference} is {dispatch.state}. {_cure(dispatch)}")
    dispatch.finished_at = now()
    dispatch.reason = f"stopped by {actor}"
    _move(session, dispatch, DispatchState.STOPPED, actor, "dispatch.stop")
    return ledger.skip_rest(session, dispatch)


def stop_all_of(session: Session, statement_id: int, actor: str) -> list[int]:
    """Stop every dispatch of a withdrawn statement; returns their numbers."""
    open_states = [
        DispatchState.SCHEDULED, DispatchState.PLANNED, DispatchState.SENDING, DispatchState.PAUSED,
    ]  # fmt: skip
    found = session.exec(
        select(Dispatch).where(Dispatch.statement_id == statement_id, col(Dispatch.state).in_(open_states))
    ).all()
    for dispatch in found:
        stop(session, dispatch, actor)
    return [dispatch.id for dispatch in found if dispatch.id is not None]


def retry(session: Session, dispatch: Dispatch, actor: str) -> int:
    """Plan again what failed for reasons that may have passed; returns how many rows."""
    keys = _keys(session, dispatch, DeliveryState.FAILED, _WORTH_ANOTHER_TRY)
    dispatch.window_until = None
    _plan_again(session, dispatch, keys)
    audit.record(session, actor, "dispatch.retry", f"dispatch {dispatch.id}", rows=len(keys))
    return len(keys)


def decide_unknown(session: Session, dispatch: Dispatch, actor: str, *, resend: bool) -> int:
    """A person's word about rows that may have been accepted: send them again, or count them as accepted."""
    keys = _keys(session, dispatch, DeliveryState.UNKNOWN)
    verdict = Verdict.UNREACHABLE if resend else Verdict.ACCEPTED
    for key in keys:
        unknowns.resolve(session, Outcome(key, verdict))
    audit.record(
        session, actor, "dispatch.decide_unknown", f"dispatch {dispatch.id}", rows=len(keys), resend=resend
    )
    return len(keys)


def _keys(
    session: Session, dispatch: Dispatch, state: str, reasons: Iterable[str] | None = None
) -> list[int]:
    query = select(Delivery.id).where(Delivery.dispatch_id == dispatch.id, Delivery.state == state)
    if reasons is not None:
        query = query.where(col(Delivery.reason).in_([str(reason) for reason in reasons]))
    return [key for key in session.exec(query) if key is not None]


def _plan_again(session: Session, dispatch: Dispatch, keys: list[int]) -> None:
    for start_at in range(0, len(keys), 500):
        session.execute(
            update(Delivery)
            .where(col(Delivery.id).in_(keys[start_at : start_at + 500]))
            .values(state=DeliveryState.PLANNED, reason="", detail="", code=None)
        )
    session.add(dispatch)
    session.flush()
    ledger.reopen(session, keys)


def _move(session: Session, dispatch: Dispatch, to: str, actor: str, action: str, **detail: object) -> None:
    dispatch.state = to
    session.add(dispatch)
    session.flush()
    audit.record(session, actor, action, f"dispatch {dispatch.id}", **detail)


def _cure(dispatch: Dispatch) -> str:
    number = dispatch.id
    return {
        DispatchState.SCHEDULED: f"It starts by itself at {dispatch.starts_at:%Y-%m-%d %H:%M} UTC."
        if dispatch.starts_at
        else "It starts by itself.",
        DispatchState.PLANNED: f"Start it: notify dispatch start {number}",
        DispatchState.SENDING: f"Watch it: notify dispatch status {number}",
        DispatchState.PAUSED: f"Resume it: notify dispatch resume {number}, or stop it: notify dispatch stop {number}",
        DispatchState.STOPPED: "Plan a new dispatch: those who have the statement will not get it twice.",
        DispatchState.DONE: f"See what happened: notify dispatch report {number}",
    }[DispatchState(dispatch.state)]
