"""What one text message says, costs, and looks like from right to left (R22, R24)."""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.contract import ApprovedText, CannotCompose, City
from channels.sms import SmsChannel
from channels.sms.composing import keep_direction
from channels.sms.segments import count

CITY = City(name="Riverton", public_url="https://notify.riverton.example", languages=("en", "es", "ar"))
TEXT = ApprovedText(
    reference="S12r3",
    language="en",
    source_language="en",
    kind="crisis",
    title="Attack at the mosque",
    short="Two people were hurt at the Elm Street mosque tonight. Police are there. Stay away.",
    body="Long.",
    url="https://notify.riverton.example/s/12/en",
)


def channel(**settings: object) -> SmsChannel:
    values = {"account_sid": "AC" + "0" * 32, "auth_token": "secret", "from": "+15550100199", **settings}
    return SmsChannel(SmsChannel.Settings.model_validate(values), CITY)


def compose(short: str, language: str = "en", **settings: object):
    return channel(**settings).compose(replace(TEXT, short=short, language=language))


def test_the_message_names_the_city_the_link_and_the_way_out():
    rendering = channel().compose(TEXT)
    assert rendering.preview == (
        "Riverton: Two people were hurt at the Elm Street mosque tonight. Police are there. Stay away.\n"
        "Full text: https://notify.riverton.example/s/12/en\n"
        "Reply STOP to stop."
    )
    assert rendering.content == rendering.preview
    assert (rendering.channel, rendering.language, rendering.parts) == ("sms", "en", 2)
    assert rendering.notes == ()


def test_without_a_page_there_is_no_line_for_it():
    assert channel().compose(replace(TEXT, url="")).preview.count("\n") == 1


def test_r24_prefix_and_stop_line_are_counted():
    frame = len(compose("x").preview) - 1
    assert compose("x" * (160 - frame)).parts == 1
    assert compose("x" * (161 - frame)).parts == 2


def test_the_price_is_segments_times_the_price_of_one():
    rendering = channel(price_per_segment="0.01").compose(TEXT)
    assert rendering.cost == Decimal("0.02")


@pytest.mark.parametrize("short", ["", "   ", "\n\u200b\u00a0"])
def test_an_empty_text_is_refused_with_the_cure(short):
    with pytest.raises(CannotCompose, match=r"no short text in English.* Write it"):
        compose(short)


@pytest.mark.parametrize(
    ("short", "settings", "reason"),
    [
        ("a" * 1000, {}, "takes 8 segments; 6 are allowed: 918 characters of GSM-7"),
        ("á" * 400, {}, "takes 8 segments; 6 are allowed: 402 characters of Unicode"),
        ("a" * 160, {"max_segments": 1}, "takes 2 segments; 1 are allowed: 160 characters"),
        ("a" * 1600, {"max_segments": 10}, "takes 11 segments; 10 are allowed: 1530"),
        ("x" * 10_000, {}, "Shorten the short text by"),
        ("漢" * 10_000, {}, "Shorten the short text by"),
        ("م" * 10_000, {}, "Shorten the short text by"),
        ("1" * 10_000, {}, "Shorten the short text by"),
    ],
)
def test_r22_a_text_that_is_too_long_is_refused_with_reason_and_cure(short, settings, reason):
    with pytest.raises(CannotCompose, match=reason):
        compose(short, **settings)


def test_the_cure_names_how_many_characters_too_many_there_are():
    with pytest.raises(CannotCompose) as refused:
        compose("a" * 1000)
    excess = int(re.search(r"by (\d+) characters", str(refused.value))[1])
    assert compose("a" * (1000 - excess)).parts == 6


def test_markup_and_templates_are_text_like_any_other():
    short = '<b>{{ 7*7 }}</b> {url} #read("/etc/passwd") $x %s'
    assert short in compose(short).preview


def test_what_was_exchanged_is_noted_for_staff():
    rendering = compose("It’s over")
    assert "It's over" in rendering.preview
    assert rendering.notes == ("Right single quotation mark (U+2019) became '",)


def test_the_few_characters_that_make_a_text_dear_are_named():
    assert compose("Bridge ≥ 3 m").notes == (
        "Not in the GSM alphabet: ≥. Because of that a segment holds 70 characters and not 160.",
    )


def test_a_text_in_another_script_gets_no_note_about_its_letters():
    assert compose("警察已经到场，请大家不要靠近", "zh-Hans").notes == ()


ARABIC = "اتصل على"


@pytest.mark.parametrize(
    ("line", "marked"),
    [
        (f"{ARABIC} +1 (555) 010-0199.", f"{ARABIC} \u200e+1 (555) 010-0199."),
        (f"{ARABIC} 555-0100", f"{ARABIC} \u200e555-0100"),
        (f"{ARABIC} 3-1-1", f"{ARABIC} \u200e3-1-1"),
        (f"Riverton: {ARABIC}", f"\u200fRiverton: {ARABIC}"),
        (f"555-0100 {ARABIC}", f"\u200f\u200e555-0100 {ARABIC}"),
        (f"Riverton\n{ARABIC} 555-0100", f"Riverton\n{ARABIC} \u200e555-0100"),
        # what already reads well is left as it is
        (f"{ARABIC} 5550100", f"{ARABIC} 5550100"),
        (f"{ARABIC} 911", f"{ARABIC} 911"),
        (f"{ARABIC} 10-12", f"{ARABIC} 10-12"),
        (f"{ARABIC} https://x.example/555-010-0199/ و", f"{ARABIC} https://x.example/555-010-0199/ و"),
        (f"{ARABIC} a+1-555-0100@x.example", f"{ARABIC} a+1-555-0100@x.example"),
        ("+1 555-010-0199", "+1 555-010-0199"),
    ],
)
def test_phone_numbers_and_first_words_are_marked_in_right_to_left_lines(line, marked):
    assert keep_direction(line) == marked


def test_an_arabic_message_is_marked_and_its_marks_are_counted():
    short = f"{ARABIC} 555-0100"
    rendering = compose(short, "ar")
    assert rendering.preview.startswith(f"\u200fRiverton: {ARABIC} \u200e555-0100\n")
    assert rendering.parts == count(rendering.preview)


def test_an_english_message_with_an_arabic_name_in_it_is_not_marked():
    assert "\u200f" not in compose("Imam محمد speaks at 555-0100").preview


@given(st.text(st.sampled_from("ab مש1-+() .\n/:@🙂"), max_size=80))
def test_marking_only_adds_marks_and_none_behind_a_link(text):
    marked = keep_direction(text)
    assert re.sub("[\u200e\u200f]", "", marked) == text
    links = re.findall(r"(?<!\S)\S*(?:://|@)\S*", marked)
    assert not any("\u200e" in link or "\u200f" in link[1:] for link in links)


@given(st.text(min_size=1, max_size=300))
def test_whatever_the_text_it_is_composed_within_the_limit_or_refused(text):
    try:
        rendering = compose(text)
    except CannotCompose:
        return
    assert rendering.parts == count(str(rendering.content)) <= 6
    assert str(rendering.content).encode("utf-8")
