"""Phones, mailboxes and chats in one form."""

from __future__ import annotations

import string

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from channels.contract import AddressKind
from contacts.addresses import Address, BadAddress, Problem, normalise
from contacts.values import MESSAGES, masked

PHONE, EMAIL, CHAT = AddressKind.PHONE, AddressKind.EMAIL, AddressKind.CHAT


@pytest.mark.parametrize(
    ("raw", "country", "address"),
    [
        ("(202) 555-0143", "US", "+12025550143"),
        ("202.555.0143", "us", "+12025550143"),
        ("1-202-555-0143", "US", "+12025550143"),
        ("+1 202 555 0143", "DE", "+12025550143"),
        ("tel:+1-202-555-0143", "US", "+12025550143"),
        ("'2025550143", "US", "+12025550143"),
        ("2025550143.0", "US", "+12025550143"),
        ("\u202a+1 202 555 0143\u202c", "US", "+12025550143"),
        ("\u200e(202)\u00a0555\u20110143", "US", "+12025550143"),
        ("２０２５５５０１４３", "US", "+12025550143"),
        ("٢٠٢٥٥٥٠١٤٣", "US", "+12025550143"),
        ("020 7946 0018", "GB", "+442079460018"),
        ("+44 (0)20 7946 0018", "US", "+442079460018"),
        ("030/901820", "DE", "+4930901820"),
        ("+509 34 12 34 56", "US", "+50934123456"),
        ("011 509 34 12 34 56", "US", "+50934123456"),
    ],
)
def test_a_phone_number_becomes_e164(raw: str, country: str, address: str) -> None:
    assert normalise(PHONE, raw, country=country) == Address(address, address)


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        ("", Problem.EMPTY),
        (" \t", Problem.EMPTY),
        ("none", Problem.PHONE_NOT_A_NUMBER),
        ("call Maria 202 555 0143", Problem.PHONE_NOT_A_NUMBER),
        ("1-800-FLOWERS", Problem.PHONE_NOT_A_NUMBER),
        ("202-555-0143 or 0144", Problem.PHONE_NOT_A_NUMBER),
        ("202-555-0143 / 202-555-0144", Problem.PHONE_NOT_A_NUMBER),
        ("202 555 0143\x00", Problem.PHONE_NOT_A_NUMBER),
        ("202-555-0143 x12", Problem.PHONE_EXTENSION),
        ("202-555-0143 ext. 12", Problem.PHONE_EXTENSION),
        ("+1-202-555-0143;ext=12", Problem.PHONE_EXTENSION),
        ("911", Problem.PHONE_SHORT),
        ("55555", Problem.PHONE_SHORT),
        ("555-0143", Problem.PHONE_NOT_VALID),
        ("123-456-7890", Problem.PHONE_NOT_VALID),
        ("202-555-01433", Problem.PHONE_NOT_VALID),
        ("+999 12345678", Problem.PHONE_COUNTRY),
        ("2.02556E+09", Problem.DAMAGED_NUMBER),
        ("2,02556e9", Problem.DAMAGED_NUMBER),
        ("2" * 200, Problem.TOO_LONG),
    ],
)
def test_a_phone_that_gets_no_text_messages_is_refused(raw: str, code: Problem) -> None:
    with pytest.raises(BadAddress) as refused:
        normalise(PHONE, raw, country="US")
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("raw", "address", "key"),
    [
        ("ana@example.org", "ana@example.org", "ana@example.org"),
        (" Ana.Ruiz+city@Example.ORG ", "Ana.Ruiz+city@example.org", "ana.ruiz+city@example.org"),
        ("mailto:ana@example.org", "ana@example.org", "ana@example.org"),
        ("\ufeffana@example.org\u200b", "ana@example.org", "ana@example.org"),
        ("ana@bücher.example", "ana@xn--bcher-kva.example", "ana@bücher.example"),
        ("ana@xn--bcher-kva.example", "ana@xn--bcher-kva.example", "ana@bücher.example"),
        ("José@correo.example", "José@correo.example", "josé@correo.example"),
        ("Jose\u0301@correo.example", "José@correo.example", "josé@correo.example"),
        ("用户@例子.example", "用户@例子.example", "用户@例子.example"),
    ],
)
def test_an_email_address_has_one_form_and_a_key_without_case(raw: str, address: str, key: str) -> None:
    assert normalise(EMAIL, raw, country="US") == Address(address, key)


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        ("ana", Problem.EMAIL_NO_AT),
        ("ana at example.org", Problem.EMAIL_NO_AT),
        ("ana@example.org; bo@example.org", Problem.EMAIL_SEVERAL),
        ("Ana <ana@example.org>", Problem.EMAIL_NOT_VALID),
        ("ana@localhost", Problem.EMAIL_NOT_VALID),
        ("ana@city.test", Problem.EMAIL_NOT_VALID),
        ("ana@[127.0.0.1]", Problem.EMAIL_NOT_VALID),
        ("ana..ruiz@example.org", Problem.EMAIL_NOT_VALID),
        ("ana@example,org", Problem.EMAIL_NOT_VALID),
        ("ana@example.org\r\nBcc: bo", Problem.EMAIL_NOT_VALID),
        ("a" * 400 + "@example.org", Problem.TOO_LONG),
    ],
)
def test_an_email_address_that_no_mailbox_can_have_is_refused(raw: str, code: Problem) -> None:
    with pytest.raises(BadAddress) as refused:
        normalise(EMAIL, raw, country="US")
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("raw", "chat"),
    [
        ("123456789", "123456789"),
        ("-1001234567890", "-1001234567890"),
        ("00123", "123"),
        ("123456789.0", "123456789"),
    ],
)
def test_a_chat_is_a_whole_number(raw: str, chat: str) -> None:
    assert normalise(CHAT, raw, country="US") == Address(chat, chat)


@pytest.mark.parametrize(
    "raw", ["@ana", "0", "-0", "12.5", "+12025550143", "1_000", "1" * 30, "t.me/ana", "١٢٣"]
)
def test_a_user_name_is_no_chat(raw: str) -> None:
    with pytest.raises(BadAddress) as refused:
        normalise(CHAT, raw, country="US")
    assert refused.value.code == Problem.CHAT_NOT_A_NUMBER


def test_a_chat_number_that_a_spreadsheet_rounded_is_refused() -> None:
    with pytest.raises(BadAddress) as refused:
        normalise(CHAT, "1.23457E+11", country="US")
    assert refused.value.code == Problem.DAMAGED_NUMBER


def attempt(kind: AddressKind, raw: str) -> Address | None:
    """The address, or None where it is refused; anything else but `BadAddress` is a failure."""
    try:
        return normalise(kind, raw, country="US")
    except BadAddress:
        return None


WRITTEN = st.one_of(
    st.text(max_size=60),
    st.emails(),
    st.from_regex(r"\+?[0-9 ()./x-]{3,20}", fullmatch=True),
    st.from_regex(
        r"[0-9]{1,4} [A-Za-z# .é]{3,20}[\n,](Apt [0-9]\n)?[A-Z][a-z]{2,9},? (MA|Ohio) [0-9]{4,5}",
        fullmatch=True,
    ),
)


@given(kind=st.sampled_from(AddressKind), raw=WRITTEN)
@example(AddressKind.EMAIL, "a@\u3002")
@example(AddressKind.EMAIL, "ß@ẞ.de")
@example(AddressKind.POSTAL, ",,,,")
@settings(max_examples=400, deadline=None)
def test_whatever_is_written_is_refused_or_comes_to_a_form_that_stays(kind: AddressKind, raw: str) -> None:
    found = attempt(kind, raw)
    again = attempt(kind, found.address) if found else None
    assert (found is None) == (again is None)
    if found and again:
        assert (again.address, again.key) == (found.address, found.key)


@given(
    local=st.text(string.ascii_letters + string.digits, min_size=1, max_size=20),
    domain=st.text(string.ascii_letters, min_size=1, max_size=20),
)
def test_the_case_of_an_email_address_does_not_matter_to_its_key(local: str, domain: str) -> None:
    raw = f"{local}@{domain}.org"
    keys = {
        normalise(EMAIL, text, country="US").key for text in (raw, raw.upper(), raw.lower(), raw.swapcase())
    }
    assert len(keys) == 1


@pytest.mark.parametrize("problem", Problem)
def test_a_refusal_says_what_is_wrong_and_what_to_do(problem: Problem) -> None:
    refused = BadAddress(problem)
    assert str(refused) == " ".join(MESSAGES[problem])
    assert refused.message.endswith(".")
    assert refused.cure.endswith(".")


@pytest.mark.parametrize("kind", AddressKind)
def test_a_refusal_never_repeats_the_value(kind: AddressKind) -> None:
    with pytest.raises(BadAddress) as refused:
        normalise(kind, "Zebedee@@", country="US")
    assert "Zebedee" not in repr(refused.value) + str(refused.value)
    assert refused.value.__suppress_context__ or refused.value.__context__ is None


def test_an_address_is_not_in_its_repr() -> None:
    assert "202" not in repr(normalise(PHONE, "(202) 555-0143", country="US"))


@pytest.mark.parametrize(
    ("value", "shown"),
    [("ana@example.org", "an…"), ("ab", "…"), ("a", "…"), ("", ""), ("  ", ""), ("abc", "ab…")],
)
def test_a_masked_value_shows_two_characters_and_never_all(value: str, shown: str) -> None:
    assert masked(value) == shown
