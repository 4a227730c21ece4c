"""The rules of a timetable, and the slots that they come to on the city's clock.

On the night the clocks go back, 01:30 happens once; on the night they go forward, 02:30 happens at 03:00 (R37).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError
from dateutil import parser as date_parser
from dateutil import rrule


class TimetableError(ValueError):
    """The rule is not understood or has no future; the message names the cure."""


@dataclass(frozen=True, slots=True)
class Slot:
    """One occurrence: its local time, which is its key, and the moment it happens."""

    local: datetime  # without zone
    moment: datetime

    @property
    def key(self) -> str:
        """The unique key within a timetable."""
        return self.local.isoformat(timespec="minutes")


_WEEKDAYS = {
    "monday": rrule.MO, "tuesday": rrule.TU, "wednesday": rrule.WE, "thursday": rrule.TH,
    "friday": rrule.FR, "saturday": rrule.SA, "sunday": rrule.SU,
}  # fmt: skip
_ORDINALS = {"": 1, "other": 2, "second": 2, "2nd": 2, "third": 3, "3rd": 3, "fourth": 4, "4th": 4}
_PLACES = {"first": 1, "second": 2, "third": 3, "fourth": 4, "last": -1}
_EVERY = re.compile(
    r"every (?:(?P<nth>other|second|2nd|third|3rd|fourth|4th) )?"
    r"(?P<day>day|weekday|[a-z]+day)s? at (?P<time>\d{1,2}:\d{2})"
)
_MONTHLY = re.compile(
    r"(?:every |the )?(?P<place>first|second|third|fourth|last) (?P<day>[a-z]+day) "
    r"of (?:the|each|every) month at (?P<time>\d{1,2}:\d{2})"
)


def resolve(local: datetime, zone: ZoneInfo) -> datetime:
    """The moment of a local time: the first of two when clocks go back, the gap's end when they go forward."""
    moment = local.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if moment.astimezone(zone).replace(tzinfo=None) == local:
        return moment
    before = local.replace(tzinfo=zone, fold=0).utcoffset() or timedelta()
    after = local.replace(tzinfo=zone, fold=1).utcoffset() or timedelta()
    early, late = sorted((local - before, local - after))
    return _gap_end(early.replace(tzinfo=UTC), late.replace(tzinfo=UTC), zone)


def _gap_end(low: datetime, high: datetime, zone: ZoneInfo) -> datetime:
    """The instant between two moments at which the zone's offset changes, to the second."""
    old = low.astimezone(zone).utcoffset()
    while high - low > timedelta(seconds=1):
        middle = low + (high - low) / 2
        if middle.astimezone(zone).utcoffset() == old:
            low = middle
        else:
            high = middle
    return high.replace(microsecond=0)


def slots(rule: str, zone: str, anchor: datetime) -> Iterator[Slot]:
    """The slots of a rule from its anchor on, in order.

    Args:
        rule: `at LOCAL-TIME`, `cron EXPRESSION`, or words such as `every second tuesday at 09:00` (every
            other week, counted from the anchor) and `second tuesday of the month at 09:00`.
        zone: IANA.
        anchor: from when.

    Raises:
        TimetableError: the rule is not understood.
    """
    place = ZoneInfo(zone)
    start = anchor.astimezone(place).replace(tzinfo=None, fold=0)
    for local in _local_times(rule, start):
        yield Slot(local, resolve(local, place))


def _local_times(rule: str, start: datetime) -> Iterator[datetime]:
    kind, _, rest = rule.partition(" ")
    if kind == "at":
        yield _local(rest)
    elif kind == "cron":
        # CronSim gives only what comes after; the anchor's own minute counts too.
        yield from _cron(rest, start - timedelta(minutes=1))
    else:
        yield from _words(rule, start)


def _local(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise TimetableError(
            f"{text!r} is no time. Write it like 2026-12-01T09:00, the city's own clock."
        ) from None
    return found.replace(tzinfo=None, second=0, microsecond=0)


def _cron(expression: str, start: datetime) -> Iterator[datetime]:
    try:
        yield from CronSim(expression, start)
    except CronSimError as error:
        raise TimetableError(
            f"{expression!r} is no cron expression ({error}). Write it like 0 9 * * 2"
        ) from None


def _words(rule: str, start: datetime) -> Iterator[datetime]:
    words = re.sub(r"\s+", " ", rule.strip().lower())
    if match := _MONTHLY.fullmatch(words):
        day = _weekday(match["day"])(_PLACES[match["place"]])
        found = rrule.rrule(rrule.MONTHLY, byweekday=day, dtstart=_at(start, match["time"]))
    elif match := _EVERY.fullmatch(words):
        found = _every(match, start)
    else:
        raise TimetableError(
            f"{rule!r} is not understood. Write like `every tuesday at 09:00`, `every second tuesday at 09:00`, "
            "`first monday of the month at 18:30`, `every day at 08:00`, or use --cron."
        )
    yield from (moment for moment in found if moment >= start)


def _every(match: re.Match[str], start: datetime) -> rrule.rrule:
    interval, first = _ORDINALS[match["nth"] or ""], _at(start, match["time"])
    if match["day"] == "day":
        return rrule.rrule(rrule.DAILY, interval=interval, dtstart=first)
    if match["day"] == "weekday":
        days = [rrule.MO, rrule.TU, rrule.WE, rrule.TH, rrule.FR]
        return rrule.rrule(rrule.WEEKLY, byweekday=days, dtstart=first)
    day = _weekday(match["day"])
    if first < start:
        first += timedelta(days=1)
    # Weeks are counted from the first such day, not from the week of the anchor.
    first += timedelta(days=(day.weekday - first.weekday()) % 7)
    return rrule.rrule(rrule.WEEKLY, interval=interval, byweekday=day, dtstart=first)


def _weekday(name: str) -> rrule.weekday:
    if name not in _WEEKDAYS:
        raise TimetableError(f"{name!r} is no day of the week. Write monday, tuesday …")
    return _WEEKDAYS[name]


def _at(day: datetime, clock: str) -> datetime:
    try:
        time = date_parser.parse(clock).time()
    except (ValueError, OverflowError):
        raise TimetableError(f"{clock!r} is no time of day. Write it like 09:00.") from None
    return datetime.combine(day.date(), time)
