"""What is thrown away when it is old, by the settings in `[retention]`: once a day, by the running hub.

Each rule counts what it would take, and takes it in small steps, so that nobody who writes waits for long.
That a day's run happened, and what it took, is in the audit trail.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import structlog
from apscheduler.schedulers.base import BaseScheduler
from sqlalchemy import ColumnElement, delete, exists, func, or_, update
from sqlmodel import Session, SQLModel, col, select

from contacts.columns import now
from contacts.models import (
    ConsentEvent,
    Contact,
    ContactList,
    Endpoint,
    ListKind,
    Membership,
    PendingYes,
    Subscription,
)
from notify import audit, residents
from notify.apikeys import IdempotencyKey
from notify.audit import AuditEvent
from notify.database import Database
from notify.dispatch.models import Batch, BatchState, Dispatch, DispatchState
from notify.inbound import Inbound
from notify.settings import Ground, RetentionSettings

log = structlog.get_logger()

ACTION = "retention.run"
STEP = 20  # contacts erased in one transaction
_EVERY = timedelta(hours=24)
_LOOK_MINUTES = 30  # between two looks at whether a day has passed
_YEAR = timedelta(days=365.25)
_OVER = (DispatchState.DONE, DispatchState.STOPPED)


@dataclass(frozen=True, slots=True)
class Finding:
    """What one rule would take, or took.

    Attributes:
        rule: the setting's name in `[retention]`.
        what: in words.
        before: what is older than this; None where the setting keeps it for ever.
        count: how many.
    """

    rule: str
    what: str
    before: datetime | None
    count: int


def look(session: Session, settings: Ground, at: datetime | None = None) -> list[Finding]:
    """What would be thrown away now. Changes nothing.

    Args:
        session: an open session.
        settings: those in force.
        at: instead of now, for a look ahead.
    """
    cutoffs = _cutoffs(settings.retention, at or now())
    return [
        Finding(rule, _WHAT[rule], cutoff, _count(session, settings, rule, cutoff) if cutoff else 0)
        for rule, cutoff in cutoffs.items()
    ]


def run(database: Database, settings: Ground, at: datetime | None = None) -> list[Finding]:
    """Throw away what is old, step by step, and leave a trace.

    Args:
        database: where.
        settings: those in force.
        at: instead of now.
    """
    cutoffs = _cutoffs(settings.retention, at or now())
    taken = {
        rule: _take(database, settings, rule, cutoff) if cutoff else 0 for rule, cutoff in cutoffs.items()
    }
    with database.session() as session:
        audit.record(session, "system", ACTION, "retention", **taken)
        session.commit()
    return [Finding(rule, _WHAT[rule], cutoff, taken[rule]) for rule, cutoff in cutoffs.items()]


def run_if_due(database: Database, settings: Ground) -> bool:
    """Do what `run` does, unless it was done within a day, here or by another hub on this database.

    Returns:
        Whether it was due.
    """
    with database.reading() as session:
        last = session.exec(
            select(AuditEvent.at)
            .where(AuditEvent.action == ACTION)
            .order_by(col(AuditEvent.id).desc())
            .limit(1)
        ).first()
    if last is not None and now() - last < _EVERY:
        return False
    try:
        run(database, settings)
    except Exception as error:  # the next look tries again: the hub goes on
        _log_defect(error)
    return True


def schedule(scheduler: BaseScheduler, database: Database, settings: Ground) -> None:
    """Let a scheduler look again and again whether a day has passed, in a thread of its own."""
    scheduler.add_executor("threadpool", "retention", max_workers=1)
    scheduler.add_job(
        run_if_due,
        "interval",
        minutes=_LOOK_MINUTES,
        args=(database, settings),
        executor="retention",
        next_run_time=now() + timedelta(minutes=1),
        max_instances=1,
        coalesce=True,
        misfire_grace_time=None,
    )


def _log_defect(error: Exception) -> None:
    """The error's text stays out of the log: it may quote a resident."""
    log.error("retention_failed", error=type(error).__name__)


_WHAT = {
    "inbound_days": "texts of residents' messages to the city",
    "unconfirmed_days": "sign-ups on web forms, confirmed or not; the consent itself stays",
    "answers_days": "answers kept for programs that repeat a request",
    "inactive_years": "residents without any subscription, erased but for the proof of consent",
    "print_days": "print files and manifests of letters that were handed over",
    "journal_days": "journals that no worker writes any more",
}


def _cutoffs(given: RetentionSettings, at: datetime) -> dict[str, datetime | None]:
    """Before when each rule takes; None: never."""
    found: dict[str, datetime | None] = {}
    for rule in _WHAT:
        amount: int = getattr(given, rule)
        unit = _YEAR if rule.endswith("_years") else timedelta(days=1)
        found[rule] = at - amount * unit if amount else None
    return found


def _count(session: Session, settings: Ground, rule: str, cutoff: datetime) -> int:
    if rule in _ROWS:
        model = _ROWS[rule]
        query = select(func.count()).select_from(model).where(*_old(rule, cutoff))
        return int(session.execute(query).scalar_one())
    return sum(1 for _ in _files(session, settings, rule, cutoff))


def _take(database: Database, settings: Ground, rule: str, cutoff: datetime) -> int:
    with database.session() as session:
        if rule not in _ROWS:
            return _unlink(_files(session, settings, rule, cutoff))
        if rule == "inactive_years":
            return _erase(session, settings.key(), cutoff)
        statement: Any = delete(_ROWS[rule]) if rule != "inbound_days" else update(Inbound).values(text="")
        taken = session.execute(statement.where(*_old(rule, cutoff)))
        session.commit()
        return int(getattr(taken, "rowcount", 0))


_ROWS: Mapping[str, type[SQLModel]] = {
    "inbound_days": Inbound,
    "unconfirmed_days": PendingYes,
    "answers_days": IdempotencyKey,
    "inactive_years": Contact,
}


def _old(rule: str, cutoff: datetime) -> list[ColumnElement[bool]]:
    """The conditions on the rule's rows."""
    if rule == "inbound_days":
        return [col(Inbound.at) < cutoff, col(Inbound.text) != ""]
    if rule == "unconfirmed_days":
        return [col(PendingYes.asked_at) < cutoff, col(PendingYes.expires_at) < cutoff]
    if rule == "answers_days":
        return [col(IdempotencyKey.at) < cutoff]
    return _inactive(cutoff)


def _inactive(cutoff: datetime) -> list[ColumnElement[bool]]:
    """Nothing can be sent to them, nobody has heard of them, and no list leaves them out of dispatches."""
    own = col(Endpoint.contact_id) == col(Contact.id)
    active = exists().where(own, col(Subscription.endpoint_id) == col(Endpoint.id), col(Subscription.active))
    decided = exists().where(
        own,
        col(ConsentEvent.endpoint_id) == col(Endpoint.id),
        or_(col(ConsentEvent.at) >= cutoff, col(ConsentEvent.recorded_at) >= cutoff),
    )
    wrote = exists().where(own, col(Inbound.endpoint_id) == col(Endpoint.id), col(Inbound.at) >= cutoff)
    left_out = exists().where(
        col(Membership.contact_id) == col(Contact.id),
        col(Membership.list_id) == col(ContactList.id),
        col(ContactList.kind) == ListKind.EXCLUSION,
    )
    there = [col(Contact.erased_at).is_(None), col(Contact.merged_into).is_(None)]
    return [*there, col(Contact.updated_at) < cutoff, ~active, ~decided, ~wrote, ~left_out]


def _erase(session: Session, key: bytes, cutoff: datetime) -> int:
    """Erase who is inactive, some at a time."""
    query = select(Contact.id).where(*_inactive(cutoff)).order_by(col(Contact.id)).limit(STEP)
    count = 0
    while numbers := session.exec(query).all():
        for contact_id in numbers:
            residents.erase_everywhere(session, contact_id or 0, key=key, actor="system")
        session.commit()
        count += len(numbers)
    return count


def _files(session: Session, settings: Ground, rule: str, cutoff: datetime) -> Iterator[Path]:
    if rule == "journal_days":
        in_hand = set(session.exec(select(Batch.worker).where(Batch.state == BatchState.CLAIMED)))
        journals = (settings.state_dir / "journal").glob("*.journal")
        yield from (path for path in journals if path.stem not in in_hand and _is_old(path, cutoff))
        return
    over = _jobs_that_are_over(session, cutoff)
    for outbox in _outboxes(settings):
        for path in outbox.glob("*/*"):
            if path.parent.name in over and path.is_file() and _is_old(path, cutoff):
                yield path


def _outboxes(settings: Ground) -> list[Path]:
    """The folders into which channels write files, a folder for each dispatch."""
    tables = (getattr(settings, name) for name in type(settings).model_fields)
    return [table.outbox for table in tables if isinstance(getattr(table, "outbox", None), Path)]


def _jobs_that_are_over(session: Session, cutoff: datetime) -> set[str]:
    """Dispatches whose files nobody asks for any more; a folder of no dispatch is not ours to empty."""
    query = select(Dispatch).where(col(Dispatch.state).in_(_OVER), col(Dispatch.created_at) < cutoff)
    return {each.reference for each in session.exec(query)}


def _is_old(path: Path, cutoff: datetime) -> bool:
    try:
        return path.stat().st_mtime < cutoff.timestamp()
    except OSError:
        return False  # taken by somebody else meanwhile


def _unlink(paths: Iterable[Path]) -> int:
    taken = list(paths)
    for path in taken:
        path.unlink(missing_ok=True)
    return len(taken)
