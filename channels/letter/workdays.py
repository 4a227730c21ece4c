"""When letters are posted and when they are on doormats, in working days (R27)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from channels.letter.settings import LetterSettings


@dataclass(frozen=True, slots=True)
class Schedule:
    """The dates a cover sheet shows, in the city's own time."""

    cutoff: datetime  # until then a file counts for that day
    posted: date
    earliest: date  # on doormats
    latest: date


def schedule(handed_over: datetime, settings: LetterSettings) -> Schedule:
    """The next cut-off, the working day after it on which letters are posted, and the days they arrive.

    Args:
        handed_over: in the city's time zone.
        settings: cut-off, weekend, holidays and delivery days.
    """
    day = handed_over.date()
    if not is_working(day, settings) or handed_over.time() > settings.cutoff:
        day = after(day, 1, settings)
    posted = after(day, 1, settings)
    fewest, most = settings.delivery_days
    return Schedule(
        datetime.combine(day, settings.cutoff, handed_over.tzinfo),
        posted,
        after(posted, fewest, settings),
        after(posted, most, settings),
    )


def is_working(day: date, settings: LetterSettings) -> bool:
    """Whether the mail house works and the post comes."""
    return day.weekday() not in settings.weekend and day not in settings.holidays


def after(day: date, working_days: int, settings: LetterSettings) -> date:
    """The day so many working days later; the day itself for none."""
    while working_days:
        day += timedelta(days=1)
        working_days -= is_working(day, settings)
    return day
