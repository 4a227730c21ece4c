"""Residents' tokens: opaque, for this city only, good for years."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notify.tokens import Recipient, Tokens

OURS = Tokens(b"a key of ours")


@given(st.integers(0, 2**60), st.none() | st.integers(1, 2**31))
def test_r17_a_token_names_its_recipient_and_fits_every_link(endpoint: int, list_id: int | None) -> None:
    token = OURS.make(Recipient(endpoint, list_id))
    assert OURS.read(token) == Recipient(endpoint, list_id)
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,64}", token)  # a URL, and a Telegram deep link
    assert Tokens(b"another key").read(token) is None


@given(st.text(max_size=60))
def test_what_we_did_not_make_names_nobody(text: str) -> None:
    assert OURS.read(text) is None


@pytest.mark.parametrize("place", range(36))
def test_one_changed_character_names_nobody(place: int) -> None:
    token = OURS.make(Recipient(7, 3))
    other = "A" if token[place] != "A" else "B"
    assert OURS.read(token[:place] + other + token[place + 1 :]) is None
