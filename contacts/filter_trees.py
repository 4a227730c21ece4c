"""A filter as a tree: its conditions and how they are joined, and what is said of one that is not understood."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches
from typing import TypeVar

LONGEST = 4000  # characters
DEEPEST = 20  # levels of "not", "and", "or"
MOST_TERMS = 200
MOST_NOTS = 50
SHOWN = 60  # characters of a long filter beside the place of an error

CHOICES = ("language", "area", "group", "list", "channel")
DATES = ("consent", "created")
WORDS = (*CHOICES, *DATES)
KEYWORDS = frozenset({"and", "or", "not", "in", "after", "since", "before", "until"})

_PLAIN = re.compile(r"[^\s()=!,\"“”„#]+")


class FilterError(ValueError):
    """The filter is not understood. The message shows the place, and names the cure."""


@dataclass(frozen=True, slots=True)
class Is:
    """A field has one of some values. A list is its name as written, or its number once it is looked up."""

    field: str
    values: tuple[str | int, ...]
    places: tuple[int, ...] = dataclasses.field(
        default=(), compare=False, repr=False
    )  # of the values in the text


@dataclass(frozen=True, slots=True)
class Dated:
    """Something happened `after`, `since`, `before` or `until` a day."""

    field: str
    when: str
    day: date


@dataclass(frozen=True, slots=True)
class Not:
    """The part is not true."""

    part: Tree


@dataclass(frozen=True, slots=True)
class All:
    """Every part is true."""

    parts: tuple[Tree, ...]


@dataclass(frozen=True, slots=True)
class Either:
    """At least one part is true."""

    parts: tuple[Tree, ...]


Tree = Is | Dated | Not | All | Either
T = TypeVar("T")


def terms(tree: Tree, positive: bool = True) -> Iterator[tuple[Is | Dated, bool]]:
    """The conditions in a tree, each with whether it has to be true rather than false."""
    match tree:
        case Not(part):
            yield from terms(part, not positive)
        case All(parts) | Either(parts):
            for part in parts:
                yield from terms(part, positive)
        case _:
            yield tree, positive


def error_at(text: str, place: int, wrong: str, cure: str) -> FilterError:
    """The error that shows a place in a filter.

    Args:
        text: the filter.
        place: the index of the sign in it.
        wrong: what is wrong, a sentence.
        cure: what to do, a sentence.
    """
    start = max(0, min(place - SHOWN // 2, len(text) - SHOWN))
    piece = re.sub(r"\s", " ", text[start : start + SHOWN])
    return FilterError(f"{wrong}\n  {piece}\n  {' ' * (place - start)}^\n{cure}")


def once(values: Iterable[T]) -> tuple[T, ...]:
    """The values in their order, each once."""
    return tuple(dict.fromkeys(values))


def did_you_mean(written: str, there_are: list[str], what: str) -> str:
    """The nearest name that there is, or some of them, as the cure in an error.

    Args:
        written: what was written.
        there_are: the names.
        what: "lists", "areas".
    """
    folded = {each.casefold(): each for each in there_are}
    near = get_close_matches(written.casefold(), list(folded), n=1, cutoff=0.6)
    if near:
        return f"Did you mean {quoted(folded[near[0]])}?"
    return f"The {what} there are: {', '.join(there_are[:20]) or 'none yet'}."


def quoted(value: str | int) -> str:
    """A value as it is written in a filter."""
    if isinstance(value, int):
        return f"#{value}"
    if _PLAIN.fullmatch(value) and value.lower() not in KEYWORDS:
        return value
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
