"""The typed values that fill a playbook's placeholders: checked once, then written in each language.

A value is given once, as data (`2026-11-27T18:00`, `206 555 0134`), and every language shows it its own way:
`Friday, November 27, 6:00 PM`, `11月27日星期五 18:00`. Digits are always 0-9, so that a phone number or
an hour can be read out to any helper.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import phonenumbers
from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_time
from phonenumbers import PhoneNumber, PhoneNumberFormat, shortnumberinfo

from templates import direction


class PlaceholderType(StrEnum):
    """What kind of value a placeholder takes."""

    PLACE = "place"  # as residents call it; shown unchanged in every language
    NAME = "name"  # of a person, group or organisation; shown unchanged in every language
    TIME = "time"  # day and time: 2026-11-27T18:00
    DATE = "date"  # 2026-11-27
    PHONE = "phone"  # national, international, or a short number such as 911
    LINK = "link"  # https://...
    TEXT = "text"  # a sentence or more; each language needs its own


MAX_LENGTH = {
    PlaceholderType.PLACE: 80,
    PlaceholderType.NAME: 80,
    PlaceholderType.TIME: 32,
    PlaceholderType.DATE: 10,
    PlaceholderType.PHONE: 30,
    PlaceholderType.LINK: 300,
    PlaceholderType.TEXT: 600,
}


class BadValueError(ValueError):
    """A value does not fit its type. `str()` says what is wrong, `cure` what to write instead."""

    def __init__(self, message: str, cure: str) -> None:
        super().__init__(message)
        self.cure = cure


@dataclass(frozen=True, slots=True)
class Setting:
    """Where values are read: the city's time zone, and its country for phone numbers and clock style."""

    timezone: ZoneInfo
    country: str  # ISO 3166-1 alpha-2


Written = Callable[[str], str]  # language (BCP 47) -> what its readers see


def read(kind: PlaceholderType, value: str, max_length: int, setting: Setting) -> Written:
    """Check one value and return how it is written in each language.

    Args:
        kind: the placeholder's type.
        value: as staff typed it; space around it does not count.
        max_length: in characters.
        setting: the city's zone and country.

    Raises:
        BadValueError: the value does not fit.
    """
    plain = _one_line(value)
    if len(plain) > max_length:
        raise BadValueError(f"is {len(plain)} characters long", f"Use at most {max_length} characters.")
    return _READERS[kind](plain, setting)


def isolated(value: str, language: str) -> str:
    """Guard a value that runs against its text's direction, so that its parts stay in order.

    Without it `(206) 555-0134` in an Arabic sentence shows as `0134-555 (206)`, and `200 River Road` as
    `River Road 200` (Unicode Standard Annex 9, rules W2 and N1). The guard is an invisible mark, LRM or RLM,
    before the value, and one after it where it has letters: a number needs none there.
    """
    runs = _direction_of(value)
    if runs is None or runs == direction(language):
        return value
    mark = "\u200e" if runs == "ltr" else "\u200f"
    return f"{mark}{value}{mark if any(map(str.isalpha, value)) else ''}"


_UNSEEN = re.compile("[\u200b\u200e\u200f\u061c\u202a-\u202e\u2060\u2066-\u2069\ufeff\u00ad]")


def _one_line(value: str) -> str:
    plain = _UNSEEN.sub("", value).strip()
    if not plain:
        raise BadValueError("is empty", "Give it a value.")
    if any(unicodedata.category(c) in {"Cc", "Zl", "Zp", "Cs"} for c in plain):
        raise BadValueError("holds a line break or a control character", "Write it on one line.")
    if "{" in plain or "}" in plain:
        raise BadValueError("holds a brace", "Leave out { and }.")
    return plain


def _direction_of(value: str) -> str | None:
    """Which way the value's first letter runs; a number in groups runs ltr, bare digits no way."""
    for character in value:
        kind = unicodedata.bidirectional(character)
        if kind in {"R", "AL"}:
            return "rtl"
        if kind == "L":
            return "ltr"
    return None if value.isdigit() else "ltr"


def _read_words(value: str, setting: Setting) -> Written:  # noqa: ARG001
    if not any(character.isalnum() for character in value):
        raise BadValueError("has no letter and no digit", "Write it in words.")
    return lambda _language: value


def _read_link(value: str, setting: Setting) -> Written:  # noqa: ARG001
    cure = "Write a whole web address that starts with https://."
    if re.search(r"[\s<>\"'\\^`|]", value):
        raise BadValueError("holds a character that no web address has", cure)
    try:
        parts = urlsplit(value)
        host = parts.hostname
        _ = parts.port
    except ValueError as error:
        raise BadValueError("is not a web address", cure) from error
    if parts.scheme != "https" or not host or "." not in host.strip("."):
        raise BadValueError("is not a secure web address", cure)
    if parts.username is not None or parts.password is not None:
        raise BadValueError("holds a user name or password", "Leave out everything up to the @.")
    return lambda _language: value


def _read_phone(value: str, setting: Setting) -> Written:
    cure = "Write it with its area code, or with + and its country code."
    try:
        number = phonenumbers.parse(value, setting.country)
    except phonenumbers.NumberParseException as error:
        raise BadValueError("is not a phone number", cure) from error
    if _is_short(value, number, setting.country):
        return lambda _language: value
    if not phonenumbers.is_valid_number(number):
        raise BadValueError("is a phone number that cannot exist", cure)
    shown = phonenumbers.format_number(number, _phone_format(number, setting.country))
    return lambda _language: shown


def _is_short(value: str, number: PhoneNumber, country: str) -> bool:
    """Emergency and service numbers (911, 988) count only where the country knows them."""
    return (
        value.isascii()
        and value.isdigit()
        and shortnumberinfo.is_valid_short_number_for_region(number, country)
    )


def _phone_format(number: PhoneNumber, country: str) -> int:
    home = number.country_code == phonenumbers.country_code_for_region(country)
    return int(PhoneNumberFormat.NATIONAL if home else PhoneNumberFormat.INTERNATIONAL)


def _read_date(value: str, setting: Setting) -> Written:
    try:
        day = date.fromisoformat(value)
    except ValueError as error:
        raise BadValueError("is not a date", "Write year-month-day, as in 2026-11-27.") from error
    return lambda language: write_date(day, language, setting.country)


def _read_time(value: str, setting: Setting) -> Written:
    try:
        moment = datetime.fromisoformat(value)
    except ValueError as error:
        raise BadValueError("is not a day with its time", "Write it as in 2026-11-27T18:00.") from error
    if len(value) <= len("2026-11-27"):
        raise BadValueError("has a day but no time", "Write it as in 2026-11-27T18:00.")
    try:
        local = _local(moment, setting.timezone)
    except OverflowError as error:
        raise BadValueError("is outside the calendar", "Check the year.") from error
    return lambda language: write_time(local, language, setting.country)


def _local(moment: datetime, zone: ZoneInfo) -> datetime:
    """The moment on the city's clock; a time the clock skips or shows twice needs its offset."""
    if moment.tzinfo is not None:
        return moment.astimezone(zone)
    first, second = moment.replace(tzinfo=zone, fold=0), moment.replace(tzinfo=zone, fold=1)
    if first.utcoffset() == second.utcoffset():
        return first
    exists = first.astimezone(UTC).astimezone(zone).replace(tzinfo=None) == moment
    happens = "happens twice" if exists else "does not happen"
    raise BadValueError(
        f"{happens} on that day, because the clocks change",
        "Choose another time, or add the offset from UTC, as in 2026-11-01T01:30-07:00.",
    )


# Babel has no Haitian Creole day and month names of its own (it answers in French).
_HAITIAN_DAYS = ("lendi", "madi", "mèkredi", "jedi", "vandredi", "samdi", "dimanch")
_HAITIAN_MONTHS = (
    "janvye",
    "fevriye",
    "mas",
    "avril",
    "me",
    "jen",
    "jiyè",
    "out",
    "septanm",
    "oktòb",
    "novanm",
    "desanm",
)
# Where the locale data joins day and time by a space, though readers need the pause.
_JOINED_BY = {"pt": "{1}, {0}", "sw": "{1}, {0}"}


def write_date(day: date, language: str, country: str) -> str:
    """A day in words, without its year: `Friday, November 27`.

    Args:
        day: the day.
        language: BCP 47.
        country: ISO 3166-1 alpha-2; settles regional habits where the language has them there.
    """
    if language == "ht":
        return f"{_HAITIAN_DAYS[day.weekday()]} {day.day} {_HAITIAN_MONTHS[day.month - 1]}"
    locale = _locale(language, country)
    return format_date(day, _long_pattern(locale), locale=locale)


def write_time(moment: datetime, language: str, country: str) -> str:
    """A day and its time in words: `Friday, November 27, 6:00 PM`.

    Args:
        moment: on the city's clock.
        language: BCP 47.
        country: ISO 3166-1 alpha-2; settles the clock (6:00 PM or 18:00) where the language has habits there.
    """
    locale = _locale(language, country)
    clock_locale = Locale("en", "US") if language == "ht" else locale
    clock = format_time(moment, "short", tzinfo=moment.tzinfo, locale=clock_locale)
    joined = _JOINED_BY.get(locale.language, str(locale.datetime_formats["medium"]))
    text = joined.replace("{1}", write_date(moment.date(), language, country)).replace("{0}", clock)
    return re.sub("[\u202f\u00a0]", " ", _UNSEEN.sub("", text))


def _locale(language: str, country: str) -> Locale:
    for tag in (f"{language}-{country}", language, language.split("-")[0]):
        try:
            return Locale.parse(tag, sep="-")
        except (UnknownLocaleError, ValueError):
            continue
    return Locale("en")


def _long_pattern(locale: Locale) -> str:
    """The locale's "weekday, day, month" with its fields widened to whole words (Unicode TS 35, part 4)."""
    skeletons = locale.datetime_skeletons
    pattern = str((skeletons.get("MMMMEd") or skeletons["MMMEd"]).pattern)
    pattern = re.sub(r"[Ec]+", "EEEE", pattern)
    return re.sub(r"([ML])\1{2,}", lambda run: run[1] * 4, pattern)


_READERS: dict[PlaceholderType, Callable[[str, Setting], Written]] = {
    PlaceholderType.PLACE: _read_words,
    PlaceholderType.NAME: _read_words,
    PlaceholderType.TEXT: _read_words,
    PlaceholderType.LINK: _read_link,
    PlaceholderType.PHONE: _read_phone,
    PlaceholderType.DATE: _read_date,
    PlaceholderType.TIME: _read_time,
}
