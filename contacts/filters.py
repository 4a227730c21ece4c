"""The filter language: who is meant, as words that people write and a tree that cannot do harm.

    language in (es, ht) and (area = "North End" or group = elders) and not list = "Press"

A filter is data: it is read with a bounded length and depth, its values are only ever bound, and printing a
tree and reading it again gives the same tree. `contacts.conditions` turns a tree into SQL.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace

from babel import Locale, UnknownLocaleError

from contacts.filter_trees import (
    LONGEST,
    MOST_TERMS,
    All,
    Dated,
    Either,
    FilterError,
    Is,
    Not,
    Tree,
    did_you_mean,
    error_at,
    once,
    quoted,
    terms,
)

HELP = """A filter says who is meant:

  language in (es, ht) and (area = "North End" or group = elders)

  language = es         reads Spanish, es-MX too; or: language = Spanish
  area = "North End"    a neighbourhood or postal area, as contacts have it
  group = elders        an audience group
  list = "Weekly news"  this very address said yes to the list, not no since
  channel = sms         can be written to over this channel
  consent after 2026-01-01   said yes then; or: since, before, until
  created since 2026-01-01   when the contact was entered

  area in (Harbor, 02118), area not in (Harbor), area != Harbor
  Joined by: and, or, not, ( ). Several words need quotes: "North End".
  Days begin at midnight UTC.

  `not list = Press` looks at each address by itself. To leave out whole
  people, whatever their address, use --except Press."""


def parse(text: str) -> Tree:
    """The tree of a filter.

    Raises:
        FilterError: too long, too deep, or not understood; with the place and the cure.
    """
    from contacts.filter_reading import read  # the parser is built only where a filter is read

    if not text.strip():
        raise FilterError('The filter is empty. Write one like: language = es and area = "North End"')
    if len(text) > LONGEST:
        raise FilterError(f"The filter has {len(text):,} characters; it may have {LONGEST:,}.")
    tree = read(text)
    if sum(1 for _ in terms(tree)) > MOST_TERMS:
        raise FilterError(
            f"The filter has more than {MOST_TERMS} conditions. Put values together: area in (…)."
        )
    return tree


def show(tree: Tree) -> str:
    """The tree as text that reads as the same tree."""
    match tree:
        case Is(name, (value,)):
            return f"{name} = {quoted(value)}"
        case Is(name, values):
            return f"{name} in ({', '.join(map(quoted, values))})"
        case Dated(name, when, day):
            return f"{name} {when} {day.isoformat()}"
        case Not(part):
            return f"not {_inside(part)}"
        case All(parts):
            return " and ".join(map(_inside, parts))
        case Either(parts):
            return " or ".join(map(_inside, parts))


def explain(tree: Tree, names: Mapping[int, str] | None = None) -> str:
    """Who is meant, in plain English.

    Args:
        tree: the filter.
        names: of lists by their numbers.
    """
    return f"People who {_clause(tree, names or {})}."


def lists_asked_for(tree: Tree) -> tuple[int, ...]:
    """The numbers of the lists that a looked-up filter names positively, in order."""
    found = {
        value
        for term, positive in terms(tree)
        if positive and isinstance(term, Is) and term.field == "list"
        for value in term.values
        if isinstance(value, int)
    }
    return tuple(sorted(found))


def look_up(tree: Tree, field_: str, known: Callable[[str | int, int], str | int]) -> Tree:
    """The tree with each value of one field replaced by what `known(value, place)` gives for it."""
    match tree:
        case Is(name, values, places) if name == field_:
            at = places or (0,) * len(values)
            return replace(tree, values=once(map(known, values, at)))
        case Not(part):
            return Not(look_up(part, field_, known))
        case All(parts):
            return All(tuple(look_up(part, field_, known) for part in parts))
        case Either(parts):
            return Either(tuple(look_up(part, field_, known) for part in parts))
        case _:
            return tree


def unknown(text: str, place: int, what: str, value: object, there_are: list[str]) -> FilterError:
    """The error for a value that nothing is called, with the nearest that there is.

    Args:
        text: the filter, as it was written.
        place: where in it the value stands.
        what: "list", "channel".
        value: as it was written.
        there_are: those that can be named.
    """
    return error_at(
        text, place, f"There is no {what} {value!r}.", did_you_mean(str(value), there_are, f"{what}s")
    )


def has_date(text: str) -> bool:
    """Whether a text looks like a filter by date, rather than a name."""
    return re.search(r"\b(after|since|before|until)\s+\d{4}-", text, re.IGNORECASE) is not None


def _inside(part: Tree) -> str:
    return f"({show(part)})" if isinstance(part, All | Either) else show(part)


def _clause(tree: Tree, names: Mapping[int, str]) -> str:
    match tree:
        case Is() | Dated():
            return _said(tree, names)[0]
        case Not(Is() | Dated() as term):
            return _said(term, names)[1]
        case Not(part):
            return f"are not among those who ({_clause(part, names)})"
        case All(parts):
            return ", and who ".join(_grouped(part, names) for part in parts)
        case Either(parts):
            return ", or who ".join(_grouped(part, names) for part in parts)


def _grouped(part: Tree, names: Mapping[int, str]) -> str:
    inner = _clause(part, names)
    return f"({inner})" if isinstance(part, All | Either) else inner


def _said(term: Is | Dated, names: Mapping[int, str]) -> tuple[str, str]:
    """The condition in words, and its opposite."""
    if isinstance(term, Dated):
        day = f"{term.day.day} {term.day:%B %Y}"
        asked = f"{_WHEN[term.when]} {day}"
        if term.field == "consent":
            return f"said yes {asked}", f"did not say yes {asked}"
        return f"were entered {asked}", f"were not entered {asked}"
    values = " or ".join(_named(term.field, value, names) for value in term.values)
    yes, no = _SAID[term.field]
    return f"{yes} {values}", f"{no} {values}"


_WHEN = {"after": "after", "since": "on or after", "before": "before", "until": "on or before"}
_SAID = {
    "language": ("read", "do not read"),
    "area": ("live in", "do not live in"),
    "group": ("belong to", "do not belong to"),
    "list": ("agreed, with this very address, to", "have not agreed, with this very address, to"),
    "channel": ("can be written to by", "cannot be written to by"),
}


def _named(field_: str, value: str | int, names: Mapping[int, str]) -> str:
    if field_ == "list":
        return f'"{names.get(value, f"list {value}")}"' if isinstance(value, int) else f'"{value}"'
    return _language_name(str(value)) if field_ == "language" else str(value)


def _language_name(tag: str) -> str:
    try:
        return Locale.parse(tag, sep="-").get_display_name("en") or tag
    except (UnknownLocaleError, ValueError):
        return tag
