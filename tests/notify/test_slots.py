# ruff: noqa: E501 - a table reads best with a row on a line
"""When dispatches happen: rules, clock changes and slots."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notify.slots import TimetableError, resolve, slots

CHICAGO = "America/Chicago"


def first(rule: str, anchor: str, count: int = 3, zone: str = CHICAGO) -> list[str]:
    start = datetime.fromisoformat(anchor).replace(tzinfo=ZoneInfo(zone))
    return [slot.key for slot in islice(slots(rule, zone, start), count)]


@pytest.mark.parametrize(
    ("rule", "anchor", "expected"),
    [
        ("cron 0 9 * * 2", "2026-11-22T10:00", ["2026-11-24T09:00", "2026-12-01T09:00", "2026-12-08T09:00"]),
        # Sunday is 0 in cron, and not Monday.
        ("cron 0 9 * * 0", "2026-11-22T08:00", ["2026-11-22T09:00", "2026-11-29T09:00", "2026-12-06T09:00"]),
        ("cron 30 8 1 * *", "2026-11-22T08:00", ["2026-12-01T08:30", "2027-01-01T08:30", "2027-02-01T08:30"]),
        ("every tuesday at 09:00", "2026-11-24T09:00", ["2026-11-24T09:00", "2026-12-01T09:00", "2026-12-08T09:00"]),
        ("every tuesday at 09:00", "2026-11-24T09:01", ["2026-12-01T09:00", "2026-12-08T09:00", "2026-12-15T09:00"]),
        ("every second Tuesday at 09:00", "2026-11-22T10:00", ["2026-11-24T09:00", "2026-12-08T09:00", "2026-12-22T09:00"]),
        ("every other friday at 17:30", "2026-11-22T10:00", ["2026-11-27T17:30", "2026-12-11T17:30", "2026-12-25T17:30"]),
        ("second tuesday of the month at 09:00", "2026-11-22T10:00", ["2026-12-08T09:00", "2027-01-12T09:00", "2027-02-09T09:00"]),
        ("last friday of the month at 9:00", "2026-11-22T10:00", ["2026-11-27T09:00", "2026-12-25T09:00", "2027-01-29T09:00"]),
        ("every day at 08:00", "2026-11-22T10:00", ["2026-11-23T08:00", "2026-11-24T08:00", "2026-11-25T08:00"]),
        ("every weekday at 08:00", "2026-11-20T10:00", ["2026-11-23T08:00", "2026-11-24T08:00", "2026-11-25T08:00"]),
        ("at 2026-12-01T09:00", "2026-11-22T10:00", ["2026-12-01T09:00"]),
    ],
)  # fmt: skip
def test_a_rule_gives_its_slots(rule: str, anchor: str, expected: list[str]) -> None:
    assert first(rule, anchor) == expected


@pytest.mark.parametrize(
    "rule",
    [
        "every blursday at 09:00",
        "whenever",
        "cron 99 * * * *",
        "cron",
        "at noonish",
        "every tuesday at 25:00",
    ],
)
def test_a_rule_that_is_not_understood_says_how_to_write_one(rule: str) -> None:
    with pytest.raises(TimetableError, match=r"(?i)write|like"):
        first(rule, "2026-11-22T10:00")


def test_r37_0130_on_a_fall_back_day_happens_once() -> None:
    found = list(islice(slots("cron 30 1 * * *", CHICAGO, datetime(2026, 10, 31, 12, tzinfo=UTC)), 3))
    assert [slot.key for slot in found] == ["2026-11-01T01:30", "2026-11-02T01:30", "2026-11-03T01:30"]
    assert found[0].moment == datetime(
        2026, 11, 1, 6, 30, tzinfo=UTC
    )  # the first of the two, still summer time


def test_r37_0230_on_a_spring_day_happens_at_0300() -> None:
    moment = resolve(datetime(2026, 3, 8, 2, 30), ZoneInfo(CHICAGO))
    assert moment.astimezone(ZoneInfo(CHICAGO)).replace(tzinfo=None) == datetime(2026, 3, 8, 3, 0)


def test_r37_a_gap_of_half_an_hour_ends_where_it_ends() -> None:
    # Lord Howe Island moves its clocks by thirty minutes.
    zone = ZoneInfo("Australia/Lord_Howe")
    moment = resolve(datetime(2026, 10, 4, 2, 15), zone)
    assert moment.astimezone(zone).replace(tzinfo=None) == datetime(2026, 10, 4, 2, 30)


@given(
    st.datetimes(datetime(2024, 1, 1), datetime(2030, 1, 1)),
    st.sampled_from(
        ["America/Chicago", "Europe/London", "Africa/Cairo", "Australia/Lord_Howe", "Asia/Kathmandu"]
    ),
)
def test_every_local_time_has_one_moment_that_shows_it_or_the_end_of_its_gap(
    local: datetime, zone: str
) -> None:
    local = local.replace(second=0, microsecond=0)
    moment = resolve(local, ZoneInfo(zone))
    shown = moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    assert shown == local or local < shown <= local + timedelta(hours=1)
    assert resolve(local, ZoneInfo(zone)) <= resolve(local + timedelta(hours=2), ZoneInfo(zone))
