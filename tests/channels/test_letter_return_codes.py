"""The code at the foot of a letter: typed by a person, it names one letter or says that it was mistyped."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.incoming import BadCode
from channels.letter.codes import code, read

keys = st.integers(1, 10**15)


@pytest.mark.parametrize(
    ("key", "expected"), [(0, "R0-98"), (1, "R1-95"), (1234, "R1234-82"), (794, "R794-44")]
)
def test_a_code_is_the_number_with_two_check_digits(key: int, expected: str) -> None:
    assert code(key) == expected


@given(keys)
def test_a_code_names_its_letter(key: int) -> None:
    assert read(code(key)) == key


@pytest.mark.parametrize(
    "typed",
    ["R1234-82", "r1234-82", "1234-82", "123482", "R 1234 82", " R1234–82 ", "Ｒ１２３４－８２", "001234-82"],
)
def test_a_code_is_read_however_it_is_typed(typed: str) -> None:
    assert read(typed) == 1234


@given(keys, st.data())
def test_one_wrong_digit_is_found(key: int, data: st.DataObject) -> None:
    digits = code(key).replace("R", "").replace("-", "")
    place = data.draw(st.integers(0, len(digits) - 1))
    other = data.draw(st.sampled_from([digit for digit in "0123456789" if digit != digits[place]]))
    with pytest.raises(BadCode, match="mistyped"):
        read(digits[:place] + other + digits[place + 1 :])


@given(keys, st.data())
def test_two_digits_that_changed_places_are_found(key: int, data: st.DataObject) -> None:
    digits = code(key).replace("R", "").replace("-", "")
    place = data.draw(st.integers(0, len(digits) - 2))
    swapped = digits[:place] + digits[place + 1] + digits[place] + digits[place + 2 :]
    if swapped != digits:
        with pytest.raises(BadCode, match="mistyped"):
            read(swapped)


@pytest.mark.parametrize(
    "typed", ["", "R", "12", "D7-1-00042", "R12x4-82", "R" + "9" * 30, "١٢٣٤-٨٢x", "-", "R1234-82 1/2"]
)
def test_what_is_no_code_is_refused_with_what_one_looks_like(typed: str) -> None:
    with pytest.raises(BadCode, match=r"foot of each page|mistyped"):
        read(typed)


@given(st.text(max_size=30))
def test_whatever_is_typed_is_a_letter_or_refused(typed: str) -> None:
    with contextlib.suppress(BadCode):
        assert read(typed) >= 0
