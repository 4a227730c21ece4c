"""Phone numbers and mailboxes as most people write them, understood without the libraries' long way.

Nothing is decided here that `contacts.addresses` would decide otherwise: what is not plain comes back as None,
and the libraries are asked. The numbering plans are the `phonenumbers` library's own metadata, compiled once
for each calling code.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import Any

import phonenumbers
from email_validator import EmailNotValidError, validate_email
from email_validator.rfc_constants import CASE_INSENSITIVE_MAILBOX_NAMES
from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, PhoneMetadata

Numbers = dict[int, re.Pattern[str]]  # by how many digits they have

LONGEST_PHONE = 40
MOST_DOMAINS = 10_000  # remembered at a time

_NO_COUNTRY = "001"  # the library's region of calling codes that belong to services
_PLAIN_PHONE = re.compile(r"[+(]?[0-9][0-9 ()\-]*|[0-9]+(?:\.[0-9]+){2,}")
_BETWEEN_DIGITS = str.maketrans("", "", " ()-.")
_KINDS = (
    "fixed_line", "mobile", "toll_free", "premium_rate", "shared_cost", "voip", "personal_number", "pager",
    "uan", "voicemail",
)  # fmt: skip

_PLAIN_MAILBOX = re.compile(r"([A-Za-z0-9_+-]+(?:\.[A-Za-z0-9_+-]+)*)@([\w-]+(?:\.[\w-]+)+)")
_LONGEST_LOCAL = 64  # RFC 5321, 4.5.3.1.1
_LONGEST_MAILBOX = 254  # RFC 5321, 4.5.3.1.3


def quick_phones(country: str) -> Callable[[str], str | None]:
    """A function that puts plain phone numbers into E.164, and answers None for every other text.

    Args:
        country: what a number without a country means, ISO 3166-1 alpha-2.
    """
    home = PhoneMetadata.metadata_for_region(country.upper(), None)
    if home is None:
        return lambda _raw: None
    at_home = _at_home(home)

    def quick(raw: str) -> str | None:
        if len(raw) > LONGEST_PHONE or not _PLAIN_PHONE.fullmatch(raw):
            return None
        digits = raw.translate(_BETWEEN_DIGITS)
        return _international(digits[1:]) if digits[0] == "+" else at_home(digits)

    return quick


def _at_home(home: Any) -> Callable[[str], str | None]:
    """Numbers without a plus, as the country's own numbering plan reads them."""
    code = str(home.country_code)
    abroad = re.compile(home.international_prefix or "NonMatch")
    prefix = _prefix(home)
    general = re.compile(home.general_desc.national_number_pattern or "NonMatch")
    lengths = frozenset(home.general_desc.possible_length)
    longest = max(lengths, default=0)
    lead = _prefix(_main_region(code))
    is_valid = _plan(code)

    def with_code(digits: str) -> str | None:
        """A number that begins with the country's own calling code, which the writer meant as such."""
        rest = digits[len(code) :]
        if prefix.match(rest) or lead.match(rest) or not general.fullmatch(rest):
            return None
        return f"+{digits}" if is_valid(rest) else None

    def national(digits: str) -> str | None:
        before = prefix.match(digits)
        if before and prefix.groups:
            return None
        rest = digits[before.end() :] if before else digits
        if before and not (len(rest) in lengths and general.fullmatch(rest)):
            return None
        return f"+{code}{rest}" if is_valid(rest) else None

    def read(digits: str) -> str | None:
        if abroad.match(digits):
            return None
        if digits.startswith(code) and (len(digits) > longest or not general.fullmatch(digits)):
            return with_code(digits)
        return national(digits)

    return read


def _international(digits: str) -> str | None:
    """Numbers after a plus: no prefix of a country may stand between the calling code and the rest."""
    for length in (1, 2, 3):
        code = digits[:length]
        if code in _codes():
            rest = digits[length:]
            return f"+{digits}" if not _stripped(code).match(rest) and _plan(code)(rest) else None
    return None


@cache
def _codes() -> frozenset[str]:
    """Calling codes of countries; those of services (+800) have rules of their own."""
    return frozenset(
        str(code) for code, regions in COUNTRY_CODE_TO_REGION_CODE.items() if regions[0] != _NO_COUNTRY
    )


@cache
def _main_region(code: str) -> Any:
    return PhoneMetadata.metadata_for_region(phonenumbers.region_code_for_country_code(int(code)), None)


@cache
def _stripped(code: str) -> re.Pattern[str]:
    return _prefix(_main_region(code))


def _prefix(region: Any) -> re.Pattern[str]:
    """What is dialled before a number inside the country; never matches where there is none."""
    return re.compile(region.national_prefix_for_parsing or "NonMatch")


@cache
def _plan(code: str) -> Callable[[str], bool]:
    """Whether a number after this calling code is a phone's, as `is_valid_number` finds out."""
    regions = [
        (re.compile(each.leading_digits).match if each.leading_digits is not None else None, _numbers(each))
        for name in COUNTRY_CODE_TO_REGION_CODE[int(code)]
        if (each := PhoneMetadata.metadata_for_region(name, None)) is not None
    ]

    def is_valid(number: str) -> bool:
        length = len(number)
        for is_led, numbers in regions:
            if is_led is not None and not is_led(number):
                continue
            pattern = numbers.get(length)
            if pattern is not None and pattern.fullmatch(number):
                return True
            if is_led is not None:
                return False
        return False

    return is_valid


def _numbers(region: Any) -> Numbers:
    """One pattern for all kinds of numbers of each length."""
    general = region.general_desc
    kinds = [
        kind
        for name in _KINDS
        if (kind := getattr(region, name)) is not None and kind.national_number_pattern
    ]
    found: Numbers = {}
    for length in general.possible_length:
        patterns = [
            f"(?:{kind.national_number_pattern})"
            for kind in kinds
            if not kind.possible_length or length in kind.possible_length
        ]
        if patterns and general.national_number_pattern:
            found[length] = re.compile(
                rf"(?=(?:{general.national_number_pattern})\Z)(?:{'|'.join(dict.fromkeys(patterns))})"
            )
    return found


def quick_mailboxes() -> Callable[[str], tuple[str, str] | None]:
    """A function that gives address and key of plain mailboxes, and answers None for every other text.

    Each domain is looked at by the `email_validator` library once.
    """
    domains: dict[str, tuple[str, str]] = {}

    def forms_of(written: str) -> tuple[str, str]:
        if len(domains) >= MOST_DOMAINS:
            domains.clear()
        found = domains[written] = _domain_forms(written)
        return found

    def quick(raw: str) -> tuple[str, str] | None:
        match = _PLAIN_MAILBOX.fullmatch(raw)
        if match is None:
            return None
        local, written = match.groups()
        domain, read_as = domains.get(written) or forms_of(written)
        length = len(local) + 1 + max(len(domain), len(read_as.encode()))
        if not domain or len(local) > _LONGEST_LOCAL or length > _LONGEST_MAILBOX:
            return None
        if local.lower() in CASE_INSENSITIVE_MAILBOX_NAMES:
            return None
        return f"{local}@{domain}", f"{local}@{read_as}".casefold()

    return quick


def _domain_forms(written: str) -> tuple[str, str]:
    """A domain as mail servers take it and as people read it (RFC 5890); empty where it is none."""
    try:
        found = validate_email(f"a@{written}", check_deliverability=False)
    except EmailNotValidError:
        return "", ""
    return found.ascii_domain, found.domain
