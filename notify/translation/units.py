"""Units: miles stay miles, dollars dollars, percent percent, minutes minutes. The words stand in `words/units.toml`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache

from notify.translation import dates, words
from notify.translation.facts import Kind, Severity, Span, TextFinding
from notify.translation.numbers import fold_digits, numbers

_MEASURES = frozenset({"length", "weight", "volume", "temperature", "money", "share"})
"""Dimensions whose units a translation cannot do without; "24 hours a day" may well be "day and night"."""


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit that a text names."""

    dimension: str
    name: str
    counted: bool  # a number stands beside it
    span: Span


def compare(source: str, target: str, source_language: str, target_language: str) -> Iterator[TextFinding]:
    """What the units of a translation say otherwise than its source.

    Args:
        source: a sentence.
        target: its translation.
        source_language: BCP 47.
        target_language: BCP 47; where its words for a unit are not known, only signs are looked for.
    """
    if not _known(target_language):
        return
    ours = units(source, source_language)
    theirs = units(target, target_language)
    there, here = {unit.name for unit in theirs}, {unit.name for unit in ours}
    told: set[str] = set()
    for unit in ours:
        if not unit.counted or unit.name in there or unit.name in told:
            continue
        told.add(unit.name)
        other = next((each for each in theirs if _replaces(each, unit, here)), None)
        if other is not None:
            yield _changed(source, unit, target, other)
        elif unit.dimension in _MEASURES:
            yield _lost(source, unit)


def units(text: str, language: str) -> list[Unit]:
    """The units that a text names, in their order."""
    text = _without_dates(fold_digits(text), language)
    counts = [(number.start, number.end) for number in numbers(text, language)]
    counts += [hit.span() for hit in _NUMBER_WORDS.finditer(text)] if words.base(language) == "en" else []
    found = []
    pattern, known = _table(language)
    for hit in pattern.finditer(text):
        entry = known.get(words.bare(hit.group(), known))
        if entry:
            found.append(Unit(*entry, _is_counted(text, hit.span(), counts), hit.span()))
    return found


_NUMBER_WORDS = re.compile(
    r"\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|twenty|thirty|forty|fifty|hundred|thousand|million)\b",
    re.IGNORECASE,
)
# what may stand between a number and its unit, on either side
_BETWEEN = re.compile(
    r"[\s\u00a0\u202f-]{0,2}(?:(?:million|billion|thousand|millones|milhões|millions|milioni|de|d['’]|mil|mille|thousand"
    r"|دولار|مليون|ألف|ya|triệu|nghìn|ngàn|万|亿|个|個)\s?){0,2}"
)


def _is_counted(text: str, unit: Span, counts: Iterable[Span]) -> bool:
    return any(
        _BETWEEN.fullmatch(text[end : unit[0]] if end <= unit[0] else text[unit[1] : start]) is not None
        for start, end in counts
        if abs(start - unit[1]) < 20 or abs(unit[0] - end) < 20
    )


def _without_dates(text: str, language: str) -> str:
    for start, end in dates.spans(text, language):
        text = text[:start] + " " * (end - start) + text[end:]
    return text


def _replaces(other: Unit, unit: Unit, here: set[str]) -> bool:
    return other.counted and other.dimension == unit.dimension and other.name not in here


def _changed(source: str, unit: Unit, target: str, other: Unit) -> TextFinding:
    ours, theirs = source[slice(*unit.span)], target[slice(*other.span)]
    message = f"The source says {ours}, and the translation {theirs}."
    return TextFinding(Severity.WARNING, Kind.UNIT, message, ours, source=unit.span, target=other.span)


def _lost(source: str, unit: Unit) -> TextFinding:
    ours = source[slice(*unit.span)]
    return TextFinding(
        Severity.WARNING, Kind.UNIT, f"The translation lacks the unit {ours}.", ours, source=unit.span
    )


@cache
def _known(language: str) -> bool:
    table = words.table("units")
    return any(words.base(language) in entry for units in table.values() for entry in units.values())


@cache
def _table(language: str) -> tuple[re.Pattern[str], dict[str, tuple[str, str]]]:
    """What finds the units of a language, and what each word says: its dimension and its name."""
    known = {
        word.lower(): (dimension, name)
        for dimension, entries in words.table("units").items()
        for name, entry in entries.items()
        for key in ("*", words.base(language))
        for word in words.forms(entry.get(key, ""))
    }
    return words.any_of(known, language), known
