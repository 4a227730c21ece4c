"""Days, months and dates: does the translation name the same ones?

A date in digits is read the way its language writes it: 3/4 is March 4 in American English and 3 April in
Spanish. Names come from `words/calendar.toml` and from CLDR (Unicode's locale data, through Babel).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, lru_cache

from babel import Locale, UnknownLocaleError

from notify.translation import words
from notify.translation.facts import Kind, Severity, Span, TextFinding
from notify.translation.numbers import fold_digits

_MONTH_FIRST = frozenset({"zh", "ja", "ko", "hu", "mn", "lt"})
# English outside the United States writes the day first.
_AMERICAN = frozenset({"en", "en-us"})


@dataclass(frozen=True, slots=True)
class Day:
    """A day of the week that a text names."""

    number: int  # 0 is Monday
    sure: bool  # the word means nothing else
    span: Span


@dataclass(frozen=True, slots=True)
class Date:
    """A day of a month, or a month alone, and what it can be read as."""

    readings: frozenset[tuple[int, int]]  # month, day; day 0: none is named
    span: Span


def compare(source: str, target: str, source_language: str, target_language: str) -> Iterator[TextFinding]:
    """What the days and dates of a translation say otherwise than its source.

    Args:
        source: a sentence.
        target: its translation.
        source_language: BCP 47.
        target_language: BCP 47; where its names are not known, they are not looked for.
    """
    yield from _days(source, target, source_language, target_language)
    yield from _dates(source, target, source_language, target_language)


def spans(text: str, language: str) -> list[Span]:
    """Where a text names days and dates."""
    return [*(day.span for day in days(text, language)), *(date.span for date in dates(text, language))]


@lru_cache(maxsize=256)
def days(text: str, language: str) -> tuple[Day, ...]:
    """The days of the week that a text names, in their order."""
    names = _names(language)
    found = []
    for hit in names.day.finditer(text):
        number, sure = names.days[words.bare(hit.group(), names.days)]
        found.append(Day(number, sure, hit.span()))
    return tuple(found)


@lru_cache(maxsize=256)
def dates(text: str, language: str) -> tuple[Date, ...]:
    """The dates that a text names, those of several days as one each, in the order of their kinds."""
    text = fold_digits(text)
    found: list[Date] = []
    for pattern, read in _patterns(language):
        for hit in pattern.finditer(text):
            new = [Date(readings, hit.span()) for readings in read(hit, language) if readings]
            if new:
                text = text[: hit.start()] + " " * len(hit.group()) + text[hit.end() :]
                found += new
    return tuple(found)


def _days(source: str, target: str, source_language: str, target_language: str) -> Iterator[TextFinding]:
    if not _names(target_language).days:
        return
    ours, theirs = days(source, source_language), days(target, target_language)
    there, here = {day.number for day in theirs}, {day.number for day in ours}
    for day in ours:
        if day.sure and day.number not in there:
            yield _finding(f"The translation does not name {source[slice(*day.span)]}.", source, day.span)
    for day in theirs:
        if day.sure and day.number not in here and ours:
            text = target[slice(*day.span)]
            yield _finding(f"{text} is another day than the source names.", target, day.span, in_target=True)
        elif day.sure and not ours and len(_names(source_language).days):
            text = target[slice(*day.span)]
            yield _finding(
                f"The translation names a day, {text}, and the source none.", target, day.span, in_target=True
            )


def _dates(source: str, target: str, source_language: str, target_language: str) -> Iterator[TextFinding]:
    left = list(dates(target, target_language))
    missing: list[Date] = []
    for date in dates(source, source_language):
        twin = next((other for other in left if date.readings & other.readings), None)
        if twin is None:
            missing.append(date)
        else:
            left.remove(twin)
    for date in missing:
        text = source[slice(*date.span)]
        other = next((each for each in left if _is_same_kind(date, each)), None)
        if other is not None:
            left.remove(other)
            yield _another_date(source, date, target, other, target_language)
        elif _names(target_language).months and not _has_month(date, target, target_language):
            yield _finding(f"The translation lacks the date {text}, or its month.", source, date.span)


def _another_date(source: str, date: Date, target: str, other: Date, language: str) -> TextFinding:
    ours, theirs = source[slice(*date.span)], target[slice(*other.span)]
    same = re.findall(r"\d+", ours)[:2] == re.findall(r"\d+", theirs)[:2]
    cure = f" {language} reads day and month the other way round; write the month as a word." if same else ""
    message = f"The source says {ours}, and the translation {theirs}, which is another date.{cure}"
    return TextFinding(Severity.WARNING, Kind.DATE, message, ours, source=date.span, target=other.span)


def _is_same_kind(one: Date, other: Date) -> bool:
    return bool(_day(one)) == bool(_day(other))


def _day(date: Date) -> int:
    return max(day for _, day in date.readings)


def _has_month(date: Date, target: str, language: str) -> bool:
    months = {month for month, _ in date.readings}
    return any(month in months for each in dates(target, language) for month, _ in each.readings)


def _finding(message: str, text: str, span: Span, *, in_target: bool = False) -> TextFinding:
    ours, theirs = (None, span) if in_target else (span, None)
    return TextFinding(Severity.WARNING, Kind.DATE, message, text[slice(*span)], source=ours, target=theirs)


@dataclass(frozen=True)
class _Names:
    """What a language calls its days and months."""

    days: dict[str, tuple[int, bool]]
    day: re.Pattern[str]
    months: dict[str, int]
    month: str  # a pattern of them
    unsure: frozenset[int]  # months whose names mean something else, too


@cache
def _names(language: str) -> _Names:
    known = words.table("calendar").get(words.base(language), {})
    cldr_days, cldr_months = _cldr(language) if not known else ({}, {})
    unsure = set(known.get("unsure_days", ()))
    days = {name.lower(): (number, True) for name, number in cldr_days.items()}
    for sure, entries in ((False, known.get("weak", ())), (True, known.get("days", ()))):
        for number, entry in enumerate(entries):
            for name in words.forms(entry):
                days[name.lower()] = (number, sure and number + 1 not in unsure)
    months = {name.lower(): number for name, number in cldr_months.items()}
    for number, entry in enumerate(known.get("months", ()), start=1):
        months |= {name.lower(): number for name in words.forms(entry)}
    day = words.any_of(days, language)
    month = "|".join(words.whole(name, language) for name in sorted(months, key=len, reverse=True))
    return _Names(days, day, months, month or r"(?!)", frozenset(known.get("unsure_months", ())))


@cache
def _cldr(language: str) -> tuple[dict[str, int], dict[str, int]]:
    try:
        locale = Locale.parse(language, sep="-")
    except (UnknownLocaleError, ValueError):
        return {}, {}
    days = {str(name): int(number) for number, name in locale.days["format"]["wide"].items()}
    months = {
        str(name): int(number)
        for place in ("format", "stand-alone")
        for number, name in locale.months[place]["wide"].items()
        if not str(name)[:1].isdigit()
    }
    return days, months


_DAYS = r"(?P<days>\d{1,2}(?:st|nd|rd|th|er|º|ª|°)?(?:{link}\d{1,2}(?:st|nd|rd|th)?)*)"
_LINK = r"(?:\s?[-–—/,&]\s?|\s(?:and|to|or|through|until|y|al?|o|e|ou|et|au|ak|jiska|rive|na|hadi|và|đến|و|إلى|أو)\s?)"
_OF = r"(?:\.?\s?(?:de|of|do|d['’]|ya|من)?\s?)"
_Readings = Iterator[frozenset[tuple[int, int]]]
_Reader = Callable[[re.Match[str], str], _Readings]


@cache
def _patterns(language: str) -> tuple[tuple[re.Pattern[str], _Reader], ...]:
    month = f"(?P<month>{_names(language).month})"
    several = _DAYS.replace("{link}", _LINK)
    day_first = rf"(?<![\d.,:/]){several}{_OF}{month}"
    month_first = rf"{month}(?:\s(?:the\s)?){several}(?![\d:/%]|[.,]\d|\s?[ap]\.?m)"
    orders = (month_first, day_first) if words.base(language) == "en" else (day_first, month_first)
    east = (
        r"(?P<number>\d{1,2})\s?[月월]\s?"
        r"(?P<days>\d{1,2}\s?[日号號일]?(?:\s?(?:至|到|和|及|、|或|-|–|~)\s?\d{1,2}(?=\s?[日号號일]))*)"
    )
    vietnamese = (
        r"(?<![\d/.,:])(?P<days>\d{1,2}(?:\s?(?:-|–|,|và|đến)\s?(?:ngày\s)?\d{1,2})*)"
        r"\s?tháng\s(?P<number>\d{1,2})(?!\d)"
    )
    iso = r"(?<!\d)(?P<year>\d{4})[-/年.](?P<number>\d{1,2})[-/.](?P<days>\d{1,2})(?!\d)"
    digits = (
        r"(?<![\d/.,:-])(?P<first>\d{1,2})(?:/(?P<second>\d{1,2})(?:/(?:\d{4}|\d{2}))?|(?P<mark>[.-])(?P<third>\d{1,2})"
        r"(?P=mark)(?:\d{4}|\d{2}))(?![\d/])"
    )
    found = [(iso, _read_numbered), (east, _read_numbered)]
    found += [(vietnamese, _read_numbered)] if words.base(language) == "vi" else []
    found += [(digits, _read_digits)]
    if _names(language).months:
        found += [(each, _read_named) for each in orders] + [(month, _read_month)]
    return tuple((re.compile(pattern, re.IGNORECASE), read) for pattern, read in found)


def _read_numbered(hit: re.Match[str], language: str) -> _Readings:  # noqa: ARG001
    yield from _each_day(int(hit["number"]), hit["days"])


def _read_named(hit: re.Match[str], language: str) -> _Readings:
    yield from _each_day(_month(hit["month"], language), hit["days"])


def _month(name: str, language: str) -> int:
    months = _names(language).months
    return months.get(words.bare(name, months), 0)


def _each_day(month: int, days: str) -> _Readings:
    for day in re.findall(r"\d+", days):
        yield _real((month, int(day)))


def _read_month(hit: re.Match[str], language: str) -> _Readings:
    number = _month(hit["month"], language)
    if number and number not in _names(language).unsure:
        yield frozenset({(number, 0)})


def _read_digits(hit: re.Match[str], language: str) -> _Readings:
    first, second = int(hit["first"]), int(hit["second"] or hit["third"])
    if (first, second) == (24, 7):  # around the clock
        return
    month_first = language.lower() in _AMERICAN or words.base(language) in _MONTH_FIRST
    ordered = (first, second) if month_first else (second, first)
    yield _real(ordered) or _real(ordered[::-1])


def _real(date: tuple[int, int]) -> frozenset[tuple[int, int]]:
    return frozenset({date}) if 1 <= date[0] <= 12 and 1 <= date[1] <= 31 else frozenset()
