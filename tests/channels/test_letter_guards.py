"""The guards on text: what is taken out, what is fenced in, what no font has."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.letter import fonts, guards
from channels.letter.guards import END, LTR, Piece

from letter_texts import SENTENCES  # isort: skip


def shown(text: str, direction: str = "rtl", mixed: bool = False) -> list[str]:
    """The pieces, fences as brackets, numbers that are looked for with a star."""
    return [
        ("*" if piece.number else "") + piece.text.replace(LTR, "‹").replace(END, "›")
        for piece in guards.isolate(text, direction, mixed)
    ]


@pytest.mark.parametrize(
    ("given_text", "pieces"),
    [
        ("اتصل (555) 010-0199 الآن", ["اتصل ", "*‹(555) 010-0199›", " الآن"]),
        ("اتصل +1 555 010 0199.", ["اتصل ", "*‹+1 555 010 0199›", "."]),
        ("هاتف 555.010.0199،", ["هاتف ", "*‹555.010.0199›", "،"]),
        ("من 10:00 إلى 12:30", ["من ", "‹10:00›", " إلى ", "‹12:30›"]),
        ("رقم AB-12345/7 هنا", ["رقم ", "‹AB-12345/7›", " هنا"]),
        ("في City Hall غدًا", ["في ", "‹City Hall›", " غدًا"]),
        ("زوروا https://a.example/x?y=1.", ["زوروا ", "‹https://a.example/x?y=1›", "."]),
        ("اكتبوا a.b@c.example؛", ["اكتبوا ", "‹a.b@c.example›", "؛"]),
        ("see or look at https://a.example", ["‹see or look at›", " ", "‹https://a.example›"]),
        ("٠٥٥ ٠١٠ ٠١٩٩", ["*‹٠٥٥ ٠١٠ ٠١٩٩›"]),
        ("سنة 2026. 12 شخصًا", ["سنة ", "‹2026›", ". ", "‹12›", " شخصًا"]),
    ],
)
def test_what_runs_from_left_to_right_is_fenced_in_right_to_left_text(given_text, pieces):
    assert shown(given_text) == pieces


def test_a_left_to_right_text_needs_fences_only_beside_right_to_left_words():
    assert shown("Call 555-010-0199 now", "ltr") == ["Call ", "*555-010-0199", " now"]
    assert shown("Call محمد 555-010-0199", "ltr", mixed=True) == ["Call محمد ", "*‹555-010-0199›"]


def test_a_number_inside_a_word_is_no_number_of_its_own():
    assert shown("Form AB12345X and S123456r3", "ltr") == ["Form AB12345X and S123456r3"]


@given(st.text(), st.sampled_from(["ltr", "rtl"]), st.booleans())
def test_fencing_changes_no_character(text, direction, mixed):
    text = guards.clean(text).replace("\u200b", "")
    fenced = "".join(piece.text for piece in guards.isolate(text, direction, mixed))
    assert fenced.replace(LTR, "").replace(END, "").replace("\u200b", "") == text


@given(st.text())
def test_cleaning_twice_is_cleaning_once_and_leaves_nothing_that_steers(text):
    once = guards.clean(text)
    assert guards.clean(once) == once
    assert not guards.loses_characters(once)
    assert not set(once) & set("\x00\x1b\r\u202e\u2066\u2069")


def test_joiners_survive_cleaning_because_persian_and_hindi_need_them():
    assert guards.clean("می\u200cخواهم क्\u200dष") == "می\u200cخواهم क्\u200dष"


def test_accents_are_composed_so_that_one_glyph_prints_them():
    assert guards.clean("Jose\u0301") == "José"


@pytest.mark.parametrize("length", [41, 300])
def test_a_word_longer_than_a_line_gets_places_to_break(length):
    parts = guards.breakable("x" * length).split("\u200b")
    assert max(map(len, parts)) <= 20
    assert "".join(parts) == "x" * length


def test_a_long_web_address_breaks_after_its_signs_first():
    parts = guards.breakable("https://notify.riverton.example/help/in/your/language?from=letter").split(
        "\u200b"
    )
    assert parts[:4] == ["https://", "notify.", "riverton.", "example/"]


def test_a_word_that_fits_is_left_alone():
    assert guards.breakable("x" * 39) == "x" * 39


@pytest.mark.parametrize("language", SENTENCES)
def test_the_fonts_have_every_character_of_every_script(language):
    assert not fonts.missing(SENTENCES[language], fonts.stack(language))
    assert not guards.has_loose_mark(SENTENCES[language], fonts.stack(language))


@pytest.mark.parametrize("character", ["\U0001e900", "ཀ", "\U00012000", "\ue000"])
def test_a_character_without_a_glyph_is_found(character):
    """Adlam, Tibetan, cuneiform, private use: they would print as boxes without any warning."""
    assert fonts.missing(f"Dear {character}", fonts.stack("en")) == (character,)


@pytest.mark.parametrize(
    ("language", "loose"), [("hi", "ि नमस्ते"), ("km", "្ក"), ("my", "ြ"), ("bn", "া"), ("ta", "ி")]
)
def test_a_vowel_sign_without_its_letter_is_found(language, loose):
    """The sign is in the font, so only shaping shows the dotted circle."""
    assert not fonts.missing(loose, fonts.stack(language))
    assert guards.has_loose_mark(loose, fonts.stack(language))


def test_a_dotted_circle_that_was_written_is_no_fault():
    assert not guards.has_loose_mark("◌ि", fonts.stack("hi"))


@pytest.mark.parametrize(
    ("language", "family"), [("ur", "Arabic"), ("zh-TW", "CJK TC"), ("zh-HK", "CJK HK"), ("ti", "Ethiopic")]
)
def test_a_language_is_set_in_its_own_family_first(language, family):
    assert fonts.stack(language)[0].endswith(family)


@given(
    st.text(st.sampled_from([chr(code) for code in (*range(0x20, 0x7F), *range(0xC0, 0x180))]), max_size=60)
)
def test_the_quick_width_is_never_less_than_the_shaped_one(text):
    stack = fonts.stack("en")
    assert fonts.width(text, stack) >= fonts.shape(text, stack).width - 1e-6


def test_no_pair_of_capitals_and_signs_is_wider_than_its_quick_width():
    stack = fonts.stack("en")
    pairs = [a + b for a in "ABCDEFĄÆÖŦŒJTVWYflrt_-.,/&" for b in "ABCDEFĄÆÖŦŒJTVWYflrt_-.,/&"]
    assert not [pair for pair in pairs if fonts.width(pair, stack) < fonts.shape(pair, stack).width - 1e-6]


@pytest.mark.parametrize("language", ["ar", "zh-Hans", "km", "am", "hi", "ko", "th"])
@pytest.mark.parametrize("name", ["Ana Müller", "0123456789", "WAVE To. - (AV)", "llllll iiii", "Nguyễn"])
def test_the_quick_width_holds_for_latin_names_in_other_stacks_too(language, name):
    stack = fonts.stack(language)
    assert fonts.width(name, stack) >= fonts.shape(name, stack).width


def test_a_number_printed_less_often_than_written_has_turned_round():
    numbers = Counter({"5550100199": 2})
    assert guards.turned_round(numbers, ["05550100199", "10199010555"]) == ["5550100199"]
    assert guards.turned_round(numbers, ["5550100199", "5550100199"]) == []


def test_digits_of_other_scripts_are_compared_too():
    assert guards.numbers_of([Piece("٠٥٥-٠١٠-٠١٩٩", number=True)]) == Counter({"0550100199": 1})
