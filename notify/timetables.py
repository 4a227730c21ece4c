"""Timetables: when dispatches happen. APScheduler only wakes; the rows say what is due.

A timetable holds local time and an IANA zone. Each occurrence has a unique key, so that two schedulers, or a
restart, send once.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import islice

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from sqlalchemy import UniqueConstraint
from sqlalchemy.exc import IntegrityError
from sqlmodel import Field, Session, SQLModel, col, select

from channels.contract import Channel
from contacts.columns import Moment, now
from notify import audit, statements
from notify.database import Database
from notify.dispatch import control, plan
from notify.dispatch.models import Dispatch
from notify.dispatch.plan import DispatchError, Order
from notify.rendering import Renderer
from notify.settings import Ground
from notify.slots import Slot, TimetableError, slots
from notify.statements import NotApproved, State, Statement, StatementError

log = structlog.get_logger()

TICK_SECONDS = 1


class OccurrenceState(StrEnum):
    """What became of one slot."""

    SENT = "sent"  # its dispatch was started
    MISSED = "missed"  # nobody was awake; a person decides
    WAITING = "waiting"  # there was nothing approved to send; a person decides


class Timetable(SQLModel, table=True):
    """When, what, to whom, over which channels."""

    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(unique=True)
    rule: str  # "at 2026-12-01T09:00", "cron 0 9 * * 2", "every second tuesday at 09:00"
    zone: str  # IANA
    anchor: datetime = Field(sa_type=Moment)  # from when occurrences count
    statement_id: int | None = Field(default=None, foreign_key="statement.id")
    series: str = ""  # or: the newest approved statement of this series that it has not sent
    list_name: str | None = None  # a list, or "segment:NAME"; None: everybody
    channels: str
    urgent_reason: str = ""
    actor: str
    active: bool = True
    next_at: datetime | None = Field(default=None, sa_type=Moment, index=True)


class Occurrence(SQLModel, table=True):
    """One slot of one timetable, taken by whoever inserted it."""

    __table_args__ = (UniqueConstraint("timetable_id", "slot"),)

    id: int | None = Field(default=None, primary_key=True)
    timetable_id: int = Field(foreign_key="timetable.id")
    slot: str  # local time: 2026-12-01T09:00
    due_at: datetime = Field(sa_type=Moment)
    state: str
    dispatch_id: int | None = Field(default=None, foreign_key="dispatch.id")
    reason: str = ""
    at: datetime = Field(default_factory=now, sa_type=Moment)


def add(session: Session, timetable: Timetable, channels: Collection[str]) -> Timetable:
    """Keep a timetable.

    Args:
        session: may write.
        timetable: not kept yet.
        channels: the names of those that are on.

    Raises:
        TimetableError: the rule is not understood or lies in the past, the name is taken, or there is no such
            statement, list or channel.
    """
    if session.exec(select(Timetable).where(Timetable.name == timetable.name)).first():
        raise TimetableError(
            f"There is a timetable {timetable.name!r} already. Remove it or choose another name."
        )
    if (timetable.statement_id is None) == (not timetable.series):
        raise TimetableError("Say what to send: either --statement ID or --series NAME.")
    if timetable.statement_id is not None:
        statements.find(session, timetable.statement_id)
    plan.target(session, timetable.list_name)
    if off := [name for name in timetable.channels.split() if name not in channels] or not timetable.channels:
        raise TimetableError(f"Channel {off} is off or unknown; on are: {', '.join(channels) or 'none'}.")
    first = next(upcoming(timetable, timetable.anchor), None)
    if first is None:
        raise TimetableError(
            f"{timetable.rule!r} has no time ahead of {timetable.anchor:%Y-%m-%d %H:%M} UTC."
        )
    timetable.next_at = first.moment
    session.add(timetable)
    session.flush()
    audit.record(session, timetable.actor, "timetable.add", f"timetable {timetable.id}", rule=timetable.rule)
    return timetable


def upcoming(timetable: Timetable, after: datetime, most: int = 1000) -> Iterator[Slot]:
    """The slots of a timetable from a moment on."""
    found = (slot for slot in slots(timetable.rule, timetable.zone, timetable.anchor) if slot.moment >= after)
    return islice(found, most)


def find(session: Session, name: str) -> Timetable:
    """The timetable of this name or number.

    Raises:
        TimetableError: there is none.
    """
    found = session.exec(select(Timetable).where(Timetable.name == name)).first()
    if found is None and name.isdecimal():
        found = session.get(Timetable, int(name))
    if found is None:
        raise TimetableError(f"There is no timetable {name!r}. See `notify timetable list`.")
    return found


def last_occurrences(session: Session) -> dict[int, dict[str, str]]:
    """The newest slot of each timetable that has had one, and what became of it."""
    found = session.exec(select(Occurrence).order_by(col(Occurrence.due_at)))
    return {
        each.timetable_id: {"slot": each.slot, "state": each.state, "reason": each.reason} for each in found
    }


def remove(session: Session, timetable: Timetable, actor: str) -> None:
    """Let a timetable wake nobody any more; what it sent stays on record."""
    timetable.active, timetable.next_at = False, None
    timetable.name = f"{timetable.name} (removed {timetable.id})"
    session.add(timetable)
    audit.record(session, actor, "timetable.remove", f"timetable {timetable.id}")


def tick(
    database: Database,
    settings: Ground,
    channels: Mapping[str, Channel],
    renderer: Renderer,
    at: datetime | None = None,
) -> list[Occurrence]:
    """Take every slot that is due, once, and start its dispatch."""
    moment = at or now()
    with database.reading() as session:
        due = session.exec(
            select(Timetable.id).where(col(Timetable.active).is_(True), col(Timetable.next_at) <= moment)
        ).all()
    taken = []
    for timetable_id in due:
        if timetable_id is not None:
            taken += _take(database, settings, channels, renderer, timetable_id, moment)
    return taken


def _take(
    database: Database,
    settings: Ground,
    channels: Mapping[str, Channel],
    renderer: Renderer,
    timetable_id: int,
    moment: datetime,
) -> list[Occurrence]:
    with database.session() as session:
        timetable = session.get_one(Timetable, timetable_id)
        if timetable.next_at is None or timetable.next_at > moment:
            return []  # another scheduler was faster
        due = [slot for slot in upcoming(timetable, timetable.next_at) if slot.moment <= moment]
        grace = timedelta(minutes=settings.sending.slot_grace_minutes)
        taken = []
        for slot in due:
            occurrence = Occurrence(
                timetable_id=timetable_id, slot=slot.key, due_at=slot.moment, state=OccurrenceState.SENT
            )
            try:
                with session.begin_nested():
                    session.add(occurrence)
            except IntegrityError:
                continue
            # Of several slots slept through, only the last can still be on time; the rest ask a person.
            if moment - slot.moment > grace or slot is not due[-1]:
                occurrence.state, occurrence.reason = OccurrenceState.MISSED, "nobody was awake at that time"
            else:
                _send(session, timetable, occurrence, channels, renderer)
            session.add(occurrence)
            audit.record(
                session, "system", f"timetable.{occurrence.state}", f"timetable {timetable_id}", slot=slot.key
            )
            taken.append(occurrence)
        following = next(upcoming(timetable, moment + timedelta(microseconds=1)), None)
        timetable.next_at = following.moment if following else None
        session.add(timetable)
        session.commit()
    for occurrence in taken:
        if occurrence.state != OccurrenceState.SENT:
            log.warning(
                "slot_needs_a_person", timetable=timetable_id, slot=occurrence.slot, state=occurrence.state
            )
    return taken


def _send(
    session: Session,
    timetable: Timetable,
    occurrence: Occurrence,
    channels: Mapping[str, Channel],
    renderer: Renderer,
) -> None:
    statement_id = timetable.statement_id or _next_of_series(session, timetable)
    if statement_id is None:
        occurrence.state = OccurrenceState.WAITING
        occurrence.reason = f"no approved statement of the series {timetable.series} is waiting"
        return
    order = Order(
        statement_id=statement_id,
        list_name=timetable.list_name,
        channels=tuple(timetable.channels.split()),
        actor=timetable.actor,
        urgent_reason=timetable.urgent_reason,
        again=timetable.statement_id is not None,
    )
    try:
        with session.begin_nested():
            dispatch = plan.plan(session, order, channels, renderer)
            control.start(session, dispatch, "timetable")
            occurrence.dispatch_id = dispatch.id
    except (NotApproved, DispatchError, StatementError) as error:
        occurrence.state, occurrence.reason = OccurrenceState.WAITING, str(error)[:300]


def _next_of_series(session: Session, timetable: Timetable) -> int | None:
    """The newest approved statement of the series that has not been sent to anybody yet."""
    sent = select(Dispatch.statement_id)
    return session.exec(
        select(Statement.id)
        .where(
            Statement.series == timetable.series,
            Statement.state == State.APPROVED,
            col(Statement.id).not_in(sent),
        )
        .order_by(col(Statement.id).desc())
        .limit(1)
    ).first()


def scheduler(
    database: Database, settings: Ground, channels: Mapping[str, Channel], renderer: Renderer
) -> AsyncIOScheduler:
    """An APScheduler that wakes every second and looks at the rows. Start it inside a running loop."""
    found = AsyncIOScheduler(timezone=UTC)
    found.add_job(
        tick,
        "interval",
        seconds=TICK_SECONDS,
        args=(database, settings, channels, renderer),
        executor="threads",
        max_instances=1,
        coalesce=True,
        misfire_grace_time=None,
    )
    found.add_executor("threadpool", "threads", max_workers=1)
    return found
