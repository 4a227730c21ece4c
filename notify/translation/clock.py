"""Hours: which half of the day a language's words put them in, and hours that are written as words.

Swahili often counts hours from six (saa 1 asubuhi is 7 a.m.), so an hour after "saa" has both readings. The words
stand in `words/clock.toml`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from notify.translation import words

EVERY_HOUR = frozenset(range(24))
MORNING, AFTERNOON = frozenset(range(12)), frozenset(range(12, 24))


@dataclass(frozen=True, slots=True)
class Half:
    """The hours that a mark beside a time leaves, and what the mark's text is."""

    hours: frozenset[int]
    text: str


@dataclass(frozen=True, slots=True)
class SpokenHour:
    """An hour in words: 7 for "saa saba"; from 1 to 12."""

    hour: int
    minute: str
    start: int
    end: int


def readings(hour: int, minute: str, half: frozenset[int], *, from_sunrise: bool = False) -> set[str]:
    """The times that a written time can mean: without a mark, in both halves of the day.

    Args:
        hour: as written, 0 to 24.
        minute: two digits.
        half: the hours that its mark leaves; all of them where there is no mark.
        from_sunrise: whether the hour may be counted from six.
    """
    hour = hour % 24 if hour <= 24 else hour
    if not 1 <= hour <= 12:
        return {f"{hour}:{minute}"}
    counted = {hour, hour + 6} if from_sunrise else {hour}
    possible = {(each + turn) % 24 for each in counted for turn in (0, 12)}
    return {f"{each}:{minute}" for each in (possible & half or possible)}


def half_after(text: str, at: int, language: str) -> Half | None:
    """What stands after a number and says which half of the day it means."""
    found = _words(language).after.match(text, at)
    return (
        Half(_words(language).halves[words.bare(found["half"], _words(language).halves)], found.group())
        if found
        else None
    )


def half_before(text: str, at: int, language: str) -> Half | None:
    """What stands before a number and says which half of the day it means."""
    known = _words(language)
    found = known.before.search(text[max(0, at - 16) : at])
    return Half(known.halves[words.bare(found["half"], known.halves)], found.group()) if found else None


def is_from_sunrise(text: str, at: int, language: str) -> bool:
    """Whether the number that starts here may be an hour counted from six."""
    word = words.table("clock").get(words.base(language), {}).get("from_sunrise", "")
    return bool(word) and text[:at].rstrip().lower().endswith(word)


def counts_to_24(text: str, language: str) -> bool:
    """Whether a time that stands without a mark is in the first half of the day: no mark stands anywhere else."""
    if not words.table("clock").get(words.base(language), {}).get("by_24"):
        return False
    known = _words(language)
    marked = (
        re.search(rf"\d.{{0,8}}?{known.ends}|{known.starts}", text, re.IGNORECASE),
        _ENGLISH_MARK.search(text),
    )
    return not any(marked)


_ENGLISH_MARK = re.compile(r"\d\s?[ap]\.?\s?m\b", re.IGNORECASE)


def spoken(text: str, language: str) -> list[SpokenHour]:
    """The hours of a text that are written as words."""
    known = _words(language)
    found = known.spoken.finditer(text) if known.spoken else ()
    return [
        SpokenHour(
            known.values[words.bare(hit["word"], known.values)], "30" if hit["half"] else "00", *hit.span()
        )
        for hit in found
    ]


@dataclass(frozen=True)
class _Words:
    halves: dict[str, frozenset[int]]
    after: re.Pattern[str]
    before: re.Pattern[str]
    spoken: re.Pattern[str] | None
    starts: str
    ends: str
    values: dict[str, int]


@cache
def _words(language: str) -> _Words:
    known = words.table("clock").get(words.base(language), {})
    after, before = known.get("after", {}), known.get("before", {})
    halves = {words.bare(word, ()): _span(*hours) for word, hours in {**after, **before}.items()}
    hour = words.any_of(known.get("hour", ()), language).pattern
    ends = words.any_of(after, language).pattern
    starts = words.any_of(before, language).pattern
    entries = list(enumerate(known.get("hours_in_words", ()), start=1))
    values = {word: number for number, entry in entries for word in words.forms(entry)}
    listed = "|".join(words.whole(word, language) for word in sorted(values, key=len, reverse=True))
    pattern = known.get("spoken", "").replace("WORD", listed)
    return _Words(
        halves,
        re.compile(rf"(?:\s?(?:{hour}))?[\s,]?\s?(?P<half>{ends})", re.IGNORECASE),
        re.compile(rf"(?P<half>{starts})\s?\Z", re.IGNORECASE),
        re.compile(pattern, re.IGNORECASE) if pattern else None,
        starts,
        ends,
        values,
    )


def _span(first: int, last: int) -> frozenset[int]:
    """The hours from one to another, both included, over midnight where the last is the smaller."""
    hours = range(first, last + 1) if first <= last else [*range(first, 24), *range(last + 1)]
    return frozenset(hours)
