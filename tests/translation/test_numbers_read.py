from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notify.translation.numbers import fold_digits, number_words, numbers, unpaired


def _same(one: str, other: str) -> bool:
    return unpaired(numbers(one), numbers(other)) == ([], [])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1,250 people", "1.250 personas"),
        ("1,250", "1 250"),
        ("1,250", "1\u202f250"),
        ("1,250", "1'250"),
        ("1,250", "١٬٢٥٠"),
        ("1250", "۱۲۵۰"),
        ("1,250,000", "1.250.000"),
        ("100,000", "1,00,000"),
        ("1,234.50", "1.234,5"),
        ("35.5%", "35,5 %"),
        ("35.5", "٣٥٫٥"),
        ("17,500", "1.75万"),
        ("1.5 million", "150万"),
        ("2 million", "2 millones"),
        ("200,000", "2 lakh"),
        ("12 million", "1.2 crore"),
        ("6:30 p.m.", "18:30"),
        ("6:30 p.m.", "18.30 Uhr"),
        ("6:30 p.m.", "18h30"),
        ("6:30 p.m.", "18 h 30"),
        ("6:30 p.m.", "下午6点30分"),
        ("6:30 p.m.", "下午6点半"),
        ("6:30 p.m.", "오후 6시 30분"),
        ("6:30 p.m.", "6:30 de la tarde"),
        ("6:30 p.m.", "٦:٣٠ مساءً"),
        ("6:30 p.m.", "６：３０"),
        ("6 p.m.", "6 p. m."),
        ("6 p.m.", "18 h"),
        ("6 p.m.", "18:00"),
        ("6 PM to 8 PM", "de 18 a 20 h"),
        ("6 to 8 p.m.", "de 18:00 a 20:00"),
        ("6-8 p.m.", "6-8 p. m."),
        ("12 a.m.", "0:00"),
        ("12 p.m.", "12:00"),
        ("24:00", "0:00"),
        ("the 1960s", "los años 60"),
        ("5 hours", "5 horas"),
        ("007", "7"),
    ],
)
def test_ways_to_write_the_same_number(one: str, other: str) -> None:
    assert _same(one, other)
    assert _same(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1,250", "1,251"),
        ("1,250", "12,50"),
        ("1,250", "125"),
        ("35.5", "35.6"),
        ("35.5", "355"),
        ("6:30 p.m.", "6:30 a. m."),
        ("6 a.m.", "6 p. m."),
        ("6:30 p.m.", "6:31"),
        ("6:30 a.m.", "18:30"),
        ("11 people", "23 people"),
        ("2 buses", "14 buses"),
        ("1.5 million", "15 millones"),
        ("2026", "2025"),
        ("5", "5 5"),
    ],
)
def test_numbers_that_differ_are_told_apart(one: str, other: str) -> None:
    assert not _same(one, other)


def test_a_date_in_digits_is_several_numbers() -> None:
    assert [number.text for number in numbers("am 14.03.2026, 1.250.000 Euro")] == [
        "14",
        "03",
        "2026",
        "1.250.000",
    ]


def test_a_number_knows_where_it_stands() -> None:
    text = "Am 14.03.2026 um 18 h 30 mit 17 500 Leuten"
    assert all(text[number.start : number.end] == number.text for number in numbers(text))


@given(st.text(max_size=80))
def test_every_text_has_the_numbers_of_itself(text: str) -> None:
    assert _same(text, text)


@given(st.text())
def test_folding_digits_moves_nothing(text: str) -> None:
    folded = fold_digits(text)
    assert len(folded) == len(text)
    assert all(old == new or new in "0123456789:.,%" for old, new in zip(text, folded, strict=True))


@given(st.integers(0, 10**9), st.integers(0, 10**9))
def test_two_whole_numbers_are_the_same_only_when_equal(one: int, other: int) -> None:
    assert _same(f"{one:,}", f"{other:,}".replace(",", ".")) == (one == other) or min(one, other) < 1000


@pytest.mark.parametrize(
    ("source", "language", "target"),
    [
        ("two rooms", "en", "2"),
        ("at noon", "en", "12:00"),
        ("at seven", "en", "19:00"),
        ("on March 3", "en", "3"),
        ("el 3 de marzo", "es", "3"),
        ("the third day", "en", "3"),
    ],
)
def test_words_explain_numbers(source: str, language: str, target: str) -> None:
    assert number_words(source, language).unexplained(numbers(target)) == []


def test_a_word_explains_one_number_only() -> None:
    words = number_words("two rooms", "en")
    assert [number.text for number in words.unexplained(numbers("2 y 2"))] == ["2"]


def test_a_small_word_that_looks_like_a_month_explains_nothing() -> None:
    assert len(number_words("you may come", "en").unexplained(numbers("5"))) == 1
