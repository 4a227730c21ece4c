"""One way to write each address, so that the same phone, mailbox, chat or household is found again.

Whatever a resident, a spreadsheet or a provider wrote comes in; out comes the address that the channel
sends to, and a key that is equal for equal places.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import phonenumbers
from email_validator import EmailNotValidError, validate_email

from channels.contract import AddressKind
from contacts import postal
from contacts.values import INVISIBLE, Address, BadAddress, Problem

__all__ = ["Address", "BadAddress", "Problem", "chat", "email", "normalise", "phone"]

_LONGEST_PHONE = 60
_LONGEST_EMAIL = 320  # RFC 3696, erratum 1690: 64 + @ + 255
_SHORT_NUMBER = 6  # digits

_WRITTEN_AS_FLOAT = re.compile(r"([-+]?[0-9]+)\.0+")
_ROUNDED = re.compile(r"[0-9](?:[.,][0-9]+)?[eE]\+?[0-9]+")
_CHAT = re.compile(r"-?[0-9]{1,18}")
_PHONE_SIGNS = re.compile(r"[\d\s+()\[\].\-‐-―−~/·]+")
_PARSE_PROBLEMS = {phonenumbers.NumberParseException.INVALID_COUNTRY_CODE: Problem.PHONE_COUNTRY}


def normalise(kind: AddressKind, raw: str, *, country: str) -> Address:
    """Put an address into its one form.

    Args:
        kind: how addresses of the channel are written.
        raw: as it was written; a postal address as lines, or as one line with commas.
        country: the city's country, ISO 3166-1 alpha-2: what a number or address without a country means.

    Raises:
        BadAddress: nothing can be sent there; its code says why.
    """
    if not raw or raw.isspace():
        raise BadAddress(Problem.EMPTY)
    return _NORMALISERS[kind](raw, country.upper())


def phone(raw: str, country: str) -> Address:
    """A phone number as E.164 (ITU-T), by the numbering plans of the `phonenumbers` library.

    Raises:
        BadAddress: not a number, no such number, an extension, or a short code.
    """
    if len(raw) > _LONGEST_PHONE:
        raise BadAddress(Problem.TOO_LONG)
    text = _without_spreadsheet_marks(raw).removeprefix("tel:")
    try:
        number = phonenumbers.parse(text, country)
    except phonenumbers.NumberParseException as error:
        raise BadAddress(_PARSE_PROBLEMS.get(error.error_type, Problem.PHONE_NOT_A_NUMBER)) from None
    if number.extension:
        raise BadAddress(Problem.PHONE_EXTENSION)
    # The library reads past words and letters; a cell with words in it is no number we may trust.
    if not _PHONE_SIGNS.fullmatch(text):
        raise BadAddress(Problem.PHONE_NOT_A_NUMBER)
    if not phonenumbers.is_valid_number(number):
        short = len(str(number.national_number)) <= _SHORT_NUMBER
        raise BadAddress(Problem.PHONE_SHORT if short else Problem.PHONE_NOT_VALID)
    e164 = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return Address(e164, e164)


def email(raw: str, country: str = "") -> Address:  # noqa: ARG001
    """A mailbox (RFC 5322, RFC 6531), its domain in the form that every mail server takes (RFC 5890).

    No look-up is made. Letters outside ASCII are allowed before the @ and in the domain. The key is the whole
    address without regard to case: in theory a server may tell `Ana@` from `ana@`, in practice none does.

    Raises:
        BadAddress: no mailbox can have it, or there are several.
    """
    if len(raw) > _LONGEST_EMAIL:
        raise BadAddress(Problem.TOO_LONG)
    text = _without_spreadsheet_marks(raw).removeprefix("mailto:")
    if "@" not in text:
        raise BadAddress(Problem.EMAIL_NO_AT)
    if text.count("@") > 1:
        raise BadAddress(Problem.EMAIL_SEVERAL)
    try:
        found = validate_email(text, check_deliverability=False)
    except EmailNotValidError:
        raise BadAddress(Problem.EMAIL_NOT_VALID) from None
    return Address(found.ascii_email or found.normalized, found.normalized.casefold())


def chat(raw: str, country: str = "") -> Address:  # noqa: ARG001
    """A chat id: a whole number that is not zero; negative for groups.

    Raises:
        BadAddress: a user name, a phone number with signs, or a number damaged by a spreadsheet.
    """
    text = _without_spreadsheet_marks(raw)
    if not _CHAT.fullmatch(text) or not int(text):
        raise BadAddress(Problem.CHAT_NOT_A_NUMBER)
    number = str(int(text))
    return Address(number, number)


def _without_spreadsheet_marks(raw: str) -> str:
    """The value without what spreadsheets and copying leave on it: `'617…`, `617….0`, direction marks."""
    text = raw.translate(INVISIBLE).strip().removeprefix("'").strip()
    if _ROUNDED.fullmatch(text):
        raise BadAddress(Problem.DAMAGED_NUMBER)
    whole = _WRITTEN_AS_FLOAT.fullmatch(text)
    return whole[1] if whole else text


def _postal(raw: str, country: str) -> Address:
    return postal.normalise(postal.lines_of(raw), country=country)


_NORMALISERS: dict[AddressKind, Callable[[str, str], Address]] = {
    AddressKind.PHONE: phone,
    AddressKind.EMAIL: email,
    AddressKind.CHAT: chat,
    AddressKind.POSTAL: _postal,
}
