"""The letter channel's settings, and the envelopes it knows."""

from __future__ import annotations

import json
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from pydantic import BaseModel, ValidationError

from channels.contract import MissingSettings
from channels.letter import LetterChannel, LetterSettings
from channels.letter.profiles import choose, load, names
from channels.letter.workdays import schedule

from letter_texts import AMERICAN, CITY  # isort: skip

ZONE = ZoneInfo("Europe/London")


@pytest.mark.parametrize(
    ("country", "paper", "name", "found"),
    [
        ("GB", None, "", "uk-dl-left"),
        ("US", None, "", "us-10"),
        ("CA", None, "", "us-10"),
        ("MX", None, "", "us-10"),
        ("DE", None, "", "uk-dl-left"),
        ("DE", None, "din-dl-left", "din-dl-left"),
        ("US", "a4", "", "uk-dl-left"),
        ("GB", "us-letter", "", "us-10"),
    ],
)
def test_the_envelope_follows_the_settings_then_the_country(country, paper, name, found):
    assert choose(name, paper, country).name == found


@pytest.mark.parametrize("name", names())
def test_every_packaged_profile_keeps_the_address_below_the_letterhead_and_above_the_text(name):
    profile = load(name)
    assert profile.letterhead.y + profile.letterhead.height <= profile.address.y
    assert profile.address.y + profile.address.height <= profile.body_top
    assert min(profile.address_sizes) >= 8, "USPS DMM 202: eight points or more"
    assert list(profile.address_sizes) == sorted(profile.address_sizes, reverse=True)


@pytest.mark.parametrize("name", ["nowhere", "../../etc/passwd", "missing.json"])
def test_an_unknown_profile_names_the_setting_and_those_there_are(name):
    with pytest.raises(MissingSettings, match=r"NOTIFY_LETTER__PROFILE.*uk-dl-left"):
        choose(name, None, "GB")


def test_a_profile_for_other_paper_is_refused():
    with pytest.raises(MissingSettings, match=r"NOTIFY_LETTER__PAPER"):
        choose("us-10", "a4", "GB")


def test_a_city_brings_its_own_envelope(tmp_path):
    own = load("uk-dl-left").model_dump(mode="json", exclude={"name"})
    path = tmp_path / "our-house.json"
    path.write_text(json.dumps(own | {"label": "Ours"}), "utf-8")
    assert LetterChannel(LetterSettings(outbox=tmp_path, profile=str(path)), CITY).profile.name == "our-house"
    path = tmp_path / "broken.json"
    path.write_text(json.dumps(own | {"body_top": 50}), "utf-8")
    with pytest.raises(MissingSettings, match="body_top lies inside the address"):
        LetterChannel(LetterSettings(outbox=tmp_path, profile=str(path)), CITY)


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({}, "outbox"),
        ({"outbox": "x", "paper": "letter"}, "paper"),
        ({"outbox": "x", "workers": -1}, "workers"),
        ({"outbox": "x", "price_per_page": "-1"}, "price_per_page"),
        ({"outbox": "x", "max_pages": 11}, "max_pages"),
        ({"outbox": "x", "delivery_days": (3, 1)}, "delivery_days"),
        ({"outbox": "x", "weekend": (0, 1, 2, 3, 4, 5, 6)}, "weekend"),
        ({"outbox": "x", "weekend": (7,)}, "weekend"),
        ({"outbox": "x", "cutof": "15:00"}, "cutof"),
    ],
)
def test_a_setting_that_does_not_fit_is_named(given, named):
    with pytest.raises(ValidationError) as refused:
        LetterSettings.model_validate(given)
    assert refused.value.errors()[0]["loc"] == (named,)


class Others(BaseModel):
    """Settings of another channel."""


def test_settings_of_another_channel_are_refused():
    with pytest.raises(MissingSettings, match="NOTIFY_LETTER__OUTBOX"):
        LetterChannel(Others(), CITY)


def test_the_return_address_in_the_settings_wins_over_the_citys(tmp_path):
    own = LetterSettings(outbox=tmp_path, return_address=("Print Room", "SW1A 1AA"))
    assert LetterChannel(own, CITY).city.postal_address == ("Print Room", "SW1A 1AA")
    assert LetterChannel(LetterSettings(outbox=tmp_path), AMERICAN).city == AMERICAN


@pytest.mark.parametrize(
    ("handed_over", "cutoff", "posted", "earliest", "latest"),
    [
        ("2026-11-18 14:59", "2026-11-18 15:00", "2026-11-19", "2026-11-20", "2026-11-26"),
        ("2026-11-18 15:00", "2026-11-18 15:00", "2026-11-19", "2026-11-20", "2026-11-26"),
        ("2026-11-18 15:01", "2026-11-19 15:00", "2026-11-20", "2026-11-23", "2026-11-27"),
        ("2026-11-20 16:30", "2026-11-23 15:00", "2026-11-24", "2026-11-25", "2026-12-01"),
        ("2026-11-22 09:00", "2026-11-23 15:00", "2026-11-24", "2026-11-25", "2026-12-01"),
        ("2026-12-24 16:00", "2026-12-28 15:00", "2026-12-29", "2026-12-30", "2027-01-06"),
    ],
)
def test_posting_and_delivery_are_working_days(handed_over, cutoff, posted, earliest, latest):
    """R27: after the cut-off, over a weekend, and over holidays."""
    holidays = (date(2026, 12, 25), date(2027, 1, 1))
    settings = LetterSettings(outbox=Path(), holidays=holidays)
    found = schedule(datetime.fromisoformat(handed_over).replace(tzinfo=ZONE), settings)
    assert f"{found.cutoff:%Y-%m-%d %H:%M}" == cutoff
    assert [str(day) for day in (found.posted, found.earliest, found.latest)] == [posted, earliest, latest]


def test_a_post_that_comes_on_saturdays_and_the_same_day():
    settings = LetterSettings(outbox=Path(), weekend=(6,), delivery_days=(0, 1))
    found = schedule(datetime(2026, 11, 20, 9, tzinfo=ZONE), settings)
    assert (found.posted, found.earliest, found.latest) == (
        date(2026, 11, 21),
        date(2026, 11, 21),
        date(2026, 11, 23),
    )
