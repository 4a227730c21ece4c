"""The progress of dispatches as a person reads it: numbers, bars, and why somebody got nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, func, select
from sqlalchemy.sql.elements import ColumnElement
from sqlmodel import Session, col

from contacts.columns import now
from notify.dispatch import report
from notify.dispatch.models import ACCEPTED, TO_GO, Delivery, DeliveryState, Dispatch, DispatchState
from notify.dispatch.report import SAID, Count, Report
from notify.statements import Revision
from templates import language_name

LISTED = 50  # dispatches
RATE_OVER = timedelta(minutes=2)  # the time over which the present rate is counted

# The states of rows, as staff read them, in the order of the bars.
STATES = {
    DeliveryState.DELIVERED: "delivered",
    DeliveryState.ACCEPTED: "accepted, no receipt",
    DeliveryState.SENDING: "in hand",
    DeliveryState.PLANNED: "to go",
    DeliveryState.UNKNOWN: "unknown",
    DeliveryState.UNDELIVERED: "undelivered",
    DeliveryState.FAILED: "failed",
    DeliveryState.SKIPPED: "skipped",
}
DISPATCH_STATES = {
    DispatchState.SCHEDULED: "Waits for its time",
    DispatchState.PLANNED: "Planned, not started",
    DispatchState.SENDING: "On its way",
    DispatchState.PAUSED: "Paused",
    DispatchState.STOPPED: "Stopped",
    DispatchState.DONE: "Done",
}
# Headings for what did not arrive, and what staff can think of it.
MISSED = {
    DeliveryState.SKIPPED: "Not written to",
    DeliveryState.FAILED: "Failed",
    DeliveryState.UNDELIVERED: "Accepted, but not delivered",
    DeliveryState.UNKNOWN: "Unknown: it may have arrived",
}
_EMAIL = re.compile(r"\S+@\S+")


@dataclass(frozen=True, slots=True)
class Segment:
    """One colour of a bar; `start` and `width` in hundredths of the bar."""

    state: str
    rows: int
    start: float
    width: float


@dataclass(slots=True)
class Line:
    """The rows of one channel in one language, or of a whole channel."""

    label: str
    states: dict[str, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """All its rows."""
        return sum(self.states.values())

    def of(self, *states: str) -> int:
        """Rows in any of these states."""
        return sum(self.states.get(state, 0) for state in states)

    @property
    def bar(self) -> list[Segment]:
        """The line as a bar, in the order of `STATES`."""
        segments, start = [], 0.0
        for state in STATES:
            if rows := self.states.get(state, 0):
                width = 100 * rows / self.total
                segments.append(Segment(state, rows, round(start, 3), round(width, 3)))
                start += width
        return segments

    def add(self, state: str, rows: int) -> None:
        """Count rows in."""
        self.states[state] = self.states.get(state, 0) + rows


@dataclass(slots=True)
class Group:
    """One channel and its languages."""

    line: Line
    languages: list[Line]
    held: str = ""  # why the channel stopped by itself


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the table: rows in any of its states."""

    heading: str
    states: tuple[str, ...]
    is_always_there: bool = False


COLUMNS = (
    Column("Accepted", ACCEPTED, is_always_there=True),
    Column("… delivered", (DeliveryState.DELIVERED,), is_always_there=True),
    Column("… not delivered", (DeliveryState.UNDELIVERED,)),
    Column("To go", TO_GO, is_always_there=True),
    Column("Unknown", (DeliveryState.UNKNOWN,)),
    Column("Failed", (DeliveryState.FAILED,)),
    Column("Skipped", (DeliveryState.SKIPPED,)),
)


@dataclass(frozen=True, slots=True)
class Missed:
    """What did not arrive, by reason, in plain words."""

    heading: str
    rows: int
    reasons: list[tuple[int, str]]


@dataclass(frozen=True, slots=True)
class Progress:
    """One dispatch now."""

    reference: str
    title: str
    state: str
    said: str
    reason: str
    started_at: datetime | None
    starts_at: datetime | None
    finished_at: datetime | None
    report: Report
    people: int
    rate: float  # messages a second, of late
    seconds_left: float | None  # None: nobody can tell
    whole: Line
    groups: list[Group]
    missed: list[Missed]

    @property
    def columns(self) -> list[Column]:
        """The columns of the table: those that always are there, and those with anything in them."""
        return [column for column in COLUMNS if column.is_always_there or self.whole.of(*column.states)]

    @property
    def is_over(self) -> bool:
        """Whether nothing will be sent any more."""
        return self.state in {DispatchState.DONE, DispatchState.STOPPED}

    @property
    def time_left(self) -> str:
        """How long it will take, in words; empty when nobody can tell."""
        return "" if self.seconds_left is None else _duration(self.seconds_left)

    def to_dict(self) -> dict[str, Any]:
        """The report and the numbers beside it, as a plain tree."""
        return self.report.to_dict() | {
            "reason": self.reason,
            "people": self.people,
            "rate": round(self.rate, 2),
            "seconds_left": None if self.seconds_left is None else round(self.seconds_left),
            "channels": [asdict(group) for group in self.groups],
        }


@dataclass(frozen=True, slots=True)
class Entry:
    """One dispatch in the list of dispatches."""

    dispatch_id: int
    reference: str
    title: str
    said: str
    state: str
    at: datetime
    line: Line


def progress(session: Session, dispatch: Dispatch, labels: Mapping[str, str]) -> Progress:
    """What is to be shown of one dispatch.

    Args:
        session: one that reads.
        dispatch: which.
        labels: of channels, by name.
    """
    counted = report.report(session, dispatch)
    rate = _rate(session, dispatch)
    return Progress(
        reference=dispatch.reference,
        title=_title(session, dispatch),
        state=dispatch.state,
        said=DISPATCH_STATES[DispatchState(dispatch.state)],
        reason=_EMAIL.sub("a member of staff", dispatch.reason),
        started_at=dispatch.started_at,
        starts_at=dispatch.starts_at,
        finished_at=dispatch.finished_at,
        report=counted,
        people=_people(session, dispatch),
        rate=rate,
        seconds_left=counted.to_go / rate if rate and dispatch.state == DispatchState.SENDING else None,
        whole=_line("All", counted.counts),
        groups=_groups(counted, labels),
        missed=[missed for state, heading in MISSED.items() if (missed := _missed(counted, state, heading))],
    )


def newest(session: Session) -> list[Entry]:
    """The dispatches of late, the newest first."""
    found = session.execute(
        select(Dispatch, col(Revision.title))
        .join(Revision, _its_revision())
        .order_by(col(Dispatch.id).desc())
        .limit(LISTED)
    ).all()
    lines = _lines(session, [dispatch.id for dispatch, _ in found])
    return [
        Entry(
            dispatch_id=dispatch.id,
            reference=dispatch.reference,
            title=title,
            said=DISPATCH_STATES[DispatchState(dispatch.state)],
            state=dispatch.state,
            at=dispatch.started_at or dispatch.starts_at or dispatch.created_at,
            line=lines.get(dispatch.id, Line("")),
        )
        for dispatch, title in found
    ]


def _lines(session: Session, dispatch_ids: list[int]) -> dict[int, Line]:
    lines: dict[int, Line] = {}
    rows = session.execute(
        select(col(Delivery.dispatch_id), col(Delivery.state), func.count())
        .where(col(Delivery.dispatch_id).in_(dispatch_ids))
        .group_by(col(Delivery.dispatch_id), col(Delivery.state))
    )
    for dispatch_id, state, count in rows:
        lines.setdefault(dispatch_id, Line("")).add(state, count)
    return lines


def _its_revision() -> ColumnElement[bool]:
    """The condition that a revision is the one a dispatch was planned with."""
    return and_(
        col(Revision.statement_id) == col(Dispatch.statement_id),
        col(Revision.number) == col(Dispatch.revision),
    )


def _title(session: Session, dispatch: Dispatch) -> str:
    query = select(col(Revision.title)).join(Dispatch, _its_revision()).where(col(Dispatch.id) == dispatch.id)
    return str(session.execute(query).scalar_one())


def _people(session: Session, dispatch: Dispatch) -> int:
    query = select(func.count(func.distinct(col(Delivery.contact_id)))).where(
        col(Delivery.dispatch_id) == dispatch.id
    )
    return int(session.execute(query).scalar_one())


def _rate(session: Session, dispatch: Dispatch) -> float:
    """Messages a second over the last minutes, or since the start where that is less."""
    if dispatch.started_at is None or dispatch.state != DispatchState.SENDING:
        return 0.0
    since = max(dispatch.started_at, now() - RATE_OVER)
    handed = session.execute(
        select(func.count()).where(
            col(Delivery.dispatch_id) == dispatch.id,
            col(Delivery.state).in_(ACCEPTED),
            col(Delivery.sent_at) >= since,
        )
    ).scalar_one()
    return float(handed / max((now() - since).total_seconds(), 1.0))


def _groups(counted: Report, labels: Mapping[str, str]) -> list[Group]:
    groups = []
    for channel in sorted({count.channel for count in counted.counts}, key=lambda name: (not name, name)):
        rows = [count for count in counted.counts if count.channel == channel]
        languages = sorted({count.language for count in rows}, key=lambda tag: (not tag, _spoken(tag)))
        label = labels.get(channel, channel) or "No channel"
        groups.append(
            Group(
                line=_line(label, rows),
                languages=[
                    _line(_spoken(language), [count for count in rows if count.language == language])
                    for language in languages
                ]
                if channel
                else [],
                held=counted.holds.get(channel, ""),
            )
        )
    return groups


def _line(label: str, counts: Iterable[Count]) -> Line:
    line = Line(label)
    for count in counts:
        line.add(count.state, count.rows)
    return line


def _spoken(languages: str) -> str:
    names = [language_name(tag, "en") for tag in languages.split(",") if tag]
    return " and ".join(names) or "No text in their language"


def _missed(counted: Report, state: str, heading: str) -> Missed | None:
    reasons = counted.by_reason(state)
    if not reasons:
        return None
    said = [
        (rows, SAID.get(reason, reason.replace("_", " ") or "no reason given"))
        for reason, rows in reasons.items()
    ]
    return Missed(heading, sum(reasons.values()), said)


def _duration(seconds: float) -> str:
    if seconds < 60:
        return "less than a minute"
    minutes = round(seconds / 60)
    if minutes < 120:
        return f"about {minutes} minute{'s' if minutes > 1 else ''}"
    return f"about {round(minutes / 60)} hours"
