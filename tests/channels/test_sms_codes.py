"""What each of the provider's codes and statuses means (R11 and its table)."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from channels.contract import Verdict
from channels.sms.codes import CODES, meaning, seconds_to_tomorrow, verdict_for, verdict_of

BY_CLASS = {
    Verdict.OPTED_OUT: (21610,),
    Verdict.BAD_ADDRESS: (21211, 21614, 30005, 30006),
    Verdict.UNREACHABLE: (30003, 30008, 30017, 30001),
    Verdict.THROTTLED: (20429, 14107, 30022, 21611, 63018, 30023, 30027),
    Verdict.REFUSED: (30004, 30007, 21617, 21602),
    Verdict.MISCONFIGURED: (21408, 21606, 21212, 21608, 30002, 30024, 30032, 30034, 20003),
}


@pytest.mark.parametrize(("verdict", "code"), [(v, code) for v, codes in BY_CLASS.items() for code in codes])
@pytest.mark.parametrize("attempt", [1, 2, 5])
def test_codes_of_the_rules_have_the_verdict_of_their_class(verdict, code, attempt):
    assert verdict_of(code, attempt) is verdict


def test_a_route_that_does_not_exist_is_given_a_second_try():
    assert [verdict_of(21612, attempt) for attempt in (1, 2, 3)] == [
        Verdict.UNREACHABLE,
        Verdict.BAD_ADDRESS,
        Verdict.BAD_ADDRESS,
    ]


@pytest.mark.parametrize("code", [0, 1, 99999, 12345678])
def test_r11_an_unknown_code_is_transient_once_and_then_refused(code):
    assert code not in CODES
    assert [verdict_of(code, attempt) for attempt in (1, 2)] == [Verdict.UNREACHABLE, Verdict.REFUSED]


def test_every_code_says_in_words_what_it_means_and_ours_say_where_to_look():
    assert all(code.meaning for code in CODES.values())
    ours = [code.meaning for code in CODES.values() if code.verdict is Verdict.MISCONFIGURED]
    assert all(";" in text or "," in text for text in ours)


def test_daily_caps_are_held_until_the_next_day():
    assert [code for code in sorted(CODES) if meaning(code).until_tomorrow] == [30023, 30027, 63038]


@pytest.mark.parametrize(
    ("now", "hours"),
    [
        (datetime(2026, 11, 22, 20, 0, tzinfo=UTC), 12),  # noon in Los Angeles
        (datetime(2026, 11, 22, 8, 0, tzinfo=UTC), 24),  # midnight
        (datetime(2026, 3, 8, 8, 0, tzinfo=UTC), 23),  # the day that loses an hour
        (datetime(2026, 11, 1, 7, 0, tzinfo=UTC), 25),  # the day that gains one
    ],
)
def test_tomorrow_begins_at_midnight_where_the_caps_are_counted(now, hours):
    assert seconds_to_tomorrow(now) == hours * 3600


@pytest.mark.parametrize(
    ("status", "code", "verdict"),
    [
        (400, 21211, Verdict.BAD_ADDRESS),
        (400, 21610, Verdict.OPTED_OUT),
        (401, 20003, Verdict.MISCONFIGURED),
        (401, None, Verdict.MISCONFIGURED),
        (403, None, Verdict.MISCONFIGURED),
        (403, 99999, Verdict.MISCONFIGURED),
        (404, 20404, Verdict.MISCONFIGURED),
        (404, None, Verdict.MISCONFIGURED),
        (405, None, Verdict.MISCONFIGURED),
        (301, None, Verdict.MISCONFIGURED),
        (429, None, Verdict.THROTTLED),
        (429, 20429, Verdict.THROTTLED),
        (429, 99999, Verdict.THROTTLED),
        (408, None, Verdict.UNREACHABLE),
        (500, None, Verdict.UNREACHABLE),
        (500, 20500, Verdict.UNREACHABLE),
        (503, None, Verdict.UNREACHABLE),
        (599, 99999, Verdict.UNREACHABLE),
        (502, None, Verdict.UNKNOWN),
        (504, None, Verdict.UNKNOWN),
        (400, None, Verdict.UNREACHABLE),
        (400, 99999, Verdict.UNREACHABLE),
    ],
)
def test_status_and_code_of_a_first_attempt(status, code, verdict):
    assert verdict_for(status, code) is verdict


@pytest.mark.parametrize(("status", "code"), [(400, None), (400, 99999), (422, 12345)])
def test_r11_what_nobody_knows_is_refused_the_second_time(status, code):
    assert verdict_for(status, code, attempt=2) is Verdict.REFUSED
