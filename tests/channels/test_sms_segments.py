"""How many segments a text costs, and which characters are exchanged before it leaves (R22, R23)."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.sms.segments import (
    GSM,
    GSM_7,
    GSM_BASIC,
    GSM_EXTENSION,
    UCS_2,
    alphabet_of,
    count,
    length,
    normalise,
    split,
)

# Weighted towards the borders: plain, double-width, beyond the GSM alphabet, beyond 16 bits.
characters = st.one_of(
    st.sampled_from("aZ 9@é\n"),
    st.sampled_from("^{}\\[~]|€\f"),
    st.sampled_from("áł漢ب"),
    st.sampled_from("😀🏽🇺"),
)
texts = st.text(characters, max_size=700)
gsm_texts = st.text(st.sampled_from(sorted(GSM)), max_size=700)


@pytest.mark.parametrize(
    ("text", "alphabet", "units", "segments"),
    [
        ("", GSM_7, 0, 0),
        ("a" * 160, GSM_7, 160, 1),
        ("a" * 161, GSM_7, 161, 2),
        ("a" * 306, GSM_7, 306, 2),
        ("a" * 307, GSM_7, 307, 3),
        ("a" * 918, GSM_7, 918, 6),
        ("a" * 919, GSM_7, 919, 7),
        ("€" * 80, GSM_7, 160, 1),
        ("€" * 81, GSM_7, 162, 2),
        ("\f", GSM_7, 2, 1),
        ("a" * 152 + "€" + "a" * 10, GSM_7, 164, 2),
        ("€" * 153, GSM_7, 306, 3),  # 76 fit in 153 septets, so one septet of each segment is lost
        ("@£$¥èéùìòÇØøÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ¤¡ÄÖÑÜ§¿äöñüà", GSM_7, 42, 1),
        ("á", UCS_2, 1, 1),
        ("ç", UCS_2, 1, 1),  # only the capital is in the alphabet
        ("漢" * 70, UCS_2, 70, 1),
        ("漢" * 71, UCS_2, 71, 2),
        ("漢" * 402, UCS_2, 402, 6),
        ("漢" * 403, UCS_2, 403, 7),
        ("😀", UCS_2, 2, 1),
        ("😀" * 35, UCS_2, 70, 1),
        ("😀" * 36, UCS_2, 72, 2),
        ("😀" * 67, UCS_2, 134, 3),  # 33 fit in 67 units
        ("👨‍👩‍👧‍👦", UCS_2, 11, 1),
        ("a" * 69 + "á", UCS_2, 70, 1),
    ],
)
def test_r22_segments_of_known_texts(text, alphabet, units, segments):
    assert (alphabet_of(text), length(text), count(text)) == (alphabet, units, segments)


def test_the_alphabet_has_as_many_characters_as_ts_23_038():
    assert (len(GSM_BASIC), len(GSM_EXTENSION)) == (128 - 1, 10)


def septets(character: str) -> int:
    return 1 if len(character.encode("utf-16-le")) == 2 and character not in "\f^{}\\[~]|€" else 2


def counted_by_bytes(text: str) -> int:
    """The same count made another way: pack units into boxes, one by one."""
    gsm = all(character in GSM for character in text)
    sizes = [septets(c) if gsm else len(c.encode("utf-16-le")) // 2 for c in text]
    if sum(sizes) <= (160 if gsm else 70):
        return int(bool(text))
    boxes, room = 1, 153 if gsm else 67
    for size in sizes:
        if size > room:
            boxes, room = boxes + 1, 153 if gsm else 67
        room -= size
    return boxes


@given(st.one_of(texts, gsm_texts))
def test_r22_the_count_agrees_with_packing_unit_by_unit(text):
    assert count(text) == counted_by_bytes(text)


@given(st.one_of(texts, gsm_texts))
def test_r22_segments_put_together_are_the_text_and_each_fits(text):
    parts = split(text)
    assert "".join(parts) == text
    alphabet = alphabet_of(text)
    room = alphabet.single if len(parts) == 1 else alphabet.joined
    assert all(0 < sum(map(alphabet.units, part)) <= room for part in parts)
    if alphabet is UCS_2:
        assert all(part.encode("utf-16-le").decode("utf-16-le") == part for part in parts)


@given(texts, characters)
def test_a_longer_text_never_costs_less_within_its_alphabet(text, more):
    if alphabet_of(text) is alphabet_of(text + more):
        assert count(text) <= count(text + more)


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("“It’s here” – now…", '"It\'s here" - now...'),
        ("l’école «ici»", 'l\'école "ici"'),
        ("Call\u00a0311\u2009now", "Call 311 now"),
        ("a\u200bb\u2060c\ufeffd\u00ade", "abcde"),
        ("a\u200cb\u200dc", "abc"),
        ("one\r\ntwo\rthree\u2028four\ffive\ttabs", "one\ntwo\nthree\nfour\nfive tabs"),
        ("\u202eabc\u202c \u2066def\u2069", "abc def"),
        ("a\x00b\x07c\ud800d", "abcd"),
        ("  spaced \n", "spaced"),
        ("e\u0301cole", "école"),
    ],
)
def test_r23_what_only_costs_money_is_exchanged(text, plain):
    assert normalise(text).text == plain


@pytest.mark.parametrize(
    "text",
    [
        "¿Dónde está? Vía pública, niño, 1º y 2ª",
        "Zażółć gęślą jaźń",
        "Nguyễn Thị Ánh, phường Tân Bình",
        "Ọ̀ṣun àti Ọlọ́run",
        "ʻOkina: Hawaiʻi",
        "می‌خواهم به خانه‌ام بروم",
        "क्‍ष और क्‌ष",
        "র‍্যাব",
        "ශ්‍රී ලංකා",
        "👨‍👩‍👧 👍🏽 ❤️",
        "市长说：“我们在一起”——谢谢……",
        "שלום ״עולם״",
        "\u200fRiverton: مرحبا \u200e555-0100",
        "ሰላም፡ እንደምን አለህ",
        "Wi, nou la ak ou",
    ],
)
def test_r23_letters_accents_and_joiners_survive(text):
    assert normalise(text).text == text


def test_r23_every_kind_of_change_is_reported_once():
    notes = normalise("“a” “b”\u200b …").notes
    assert notes == (
        'Left double quotation mark (U+201C) became "',
        'Right double quotation mark (U+201D) became "',
        "Zero width space (U+200B) was removed.",
        "Horizontal ellipsis (U+2026) became ...",
    )


@pytest.mark.parametrize("text", ["plain", "á漢", ""])
def test_a_text_without_such_characters_gets_no_note(text):
    assert normalise(text).notes == ()


def written(text: str) -> list[str]:
    """Letters, digits and marks, whether an accent is one character with its letter or two."""
    return [c for c in unicodedata.normalize("NFD", text) if unicodedata.category(c)[0] in "LMN"]


@given(st.text(max_size=200))
def test_r23_no_letter_digit_or_accent_is_ever_lost(text):
    assert written(normalise(text).text) == written(text)


@given(st.text(max_size=200))
def test_normalising_twice_changes_nothing_more(text):
    once = normalise(text).text
    assert normalise(once).text == once


@given(st.text(st.characters(exclude_characters="?"), max_size=200))
def test_r23_nothing_becomes_a_question_mark(text):
    assert "?" not in normalise(text).text
