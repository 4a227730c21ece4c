"""The filter language: who is meant, as words that people write and a tree that cannot do harm.

    language in (es, ht) and (area = "North End" or group = elders) and not list = "Press"

A filter is data: it is read with a bounded length and depth, its values are only ever bound, and printing a
tree and reading it again gives the same tree. `contacts.conditions` turns a tree into SQL.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from typing import Any, TypeVar

from babel import Locale, UnknownLocaleError
from babel.dates import format_date
from lark import Lark, Token, Transformer, v_args
from lark.exceptions import UnexpectedCharacters, UnexpectedEOF, UnexpectedToken, VisitError

from contacts.languages import language_tag
from contacts.values import BadValue

LONGEST = 4000  # characters
DEEPEST = 20  # levels of "not", "and", "or"
MOST_TERMS = 200
MOST_NOTS = 50
SHOWN = 60  # characters of a long filter beside the place of an error

CHOICES = ("language", "area", "group", "list", "channel")
DATES = ("consent", "created")
WORDS = (*CHOICES, *DATES)
KEYWORDS = frozenset({"and", "or", "not", "in", "after", "since", "before", "until"})

HELP = """A filter says who is meant, like

  language in (es, ht) and (area = "North End" or group = elders) and not list = "Press"

  language = es          reads Spanish, es-MX too; names are understood: language = Spanish
  area = "North End"     a neighbourhood or postal area, as it is kept with the contact
  group = elders         an audience group
  list = "Weekly news"   the address itself has said yes to this list, and not no since
  channel = sms          can be written to over this channel
  consent after 2026-01-01   said yes then; also: since, before, until
  created since 2026-01-01   when the contact was entered

Several values: area in (Harbor, 02118), area not in (…). Joined by and, or, not and parentheses. Values of
several words stand in quotes. Days begin at midnight UTC. `not list = …` looks at each address by itself; to
leave out whole people, whatever their address, use --except."""


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


def parse(text: str) -> Tree:
    """The tree of a filter.

    Raises:
        FilterError: too long, too deep, or not understood; with the place and the cure.
    """
    if not text.strip():
        raise FilterError('The filter is empty. Write one like: language = es and area = "North End"')
    if len(text) > LONGEST:
        raise FilterError(f"The filter has {len(text):,} characters; it may have {LONGEST:,}.")
    try:
        tree: Tree = _Builder(text).transform(_parser().parse(_refuse_depth(text)))
    except UnexpectedEOF:
        raise _error(
            text, len(text), "The filter breaks off here.", "Finish it, or leave the end out."
        ) from None
    except UnexpectedCharacters as error:
        raise _unreadable(text, error.pos_in_stream or 0) from None
    except UnexpectedToken as error:
        raise _unexpected(text, error) from None
    except VisitError as error:
        raise error.orig_exc from None
    if sum(1 for _ in terms(tree)) > MOST_TERMS:
        raise FilterError(
            f"The filter has more than {MOST_TERMS} conditions. Put values together: area in (…)."
        )
    return tree


def show(tree: Tree) -> str:
    """The tree as text that reads as the same tree."""
    match tree:
        case Is(name, (value,)):
            return f"{name} = {_quoted(value)}"
        case Is(name, values):
            return f"{name} in ({', '.join(map(_quoted, values))})"
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
            return replace(tree, values=_once(map(known, values, at)))
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
    return _error(
        text, place, f"There is no {what} {value!r}.", did_you_mean(str(value), there_are, f"{what}s")
    )


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
        return f"Did you mean {_quoted(folded[near[0]])}?"
    return f"The {what} there are: {', '.join(there_are[:20]) or 'none yet'}."


@cache
def _parser() -> Lark:
    grammar = files("contacts").joinpath("filters.lark").read_text("utf-8")
    return Lark(grammar, parser="lalr", propagate_positions=True)


_STRUCTURE = re.compile(
    r'"(?:[^"\\]|\\["\\])*"|[“”„][^“”„]*[“”]|[()]|(?<![^\s()])not(?![^\s(])', re.IGNORECASE
)


def _refuse_depth(text: str) -> str:
    """The text, unless it nests deeper than anybody means: reading a tree goes down level by level."""
    depth, nots = 0, 0
    for found in _STRUCTURE.finditer(text):
        sign = found[0].lower()
        depth += {"(": 1, ")": -1}.get(sign, 0)
        nots += sign == "not"
        if depth > DEEPEST:
            cure = f"Use at most {DEEPEST} levels of parentheses."
            raise _error(text, found.start(), "The filter is nested too deep here.", cure)
    if nots > MOST_NOTS:
        raise FilterError(
            f'The filter says "not" more than {MOST_NOTS} times. Put values together: not in (…).'
        )
    return text


@v_args(inline=True)
class _Builder(Transformer[Token, Tree]):
    """From what the parser found to the tree."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self._text = text

    def word(self, token: Token) -> Token:
        return token

    def value(self, token: Token) -> Token:
        return token

    def values(self, *tokens: Token) -> tuple[Token, ...]:
        return tokens

    def equals(self, name: Token, given: Token | tuple[Token, ...]) -> Tree:
        return self._choice(name, given if isinstance(given, tuple) else (given,))

    def differs(self, name: Token, given: Token | tuple[Token, ...]) -> Tree:
        return Not(self.equals(name, given))

    def dated(self, name: Token, when: Token, day: Token) -> Tree:
        field_ = self._field(name)
        if field_ not in DATES:
            raise self._error(name, f"{field_} is no date.", f"Write {field_} = … or {field_} in (…).")
        return Dated(field_, when.lower(), self._day(day))

    def negated(self, part: Tree) -> Tree:
        return Not(part)

    def both(self, *parts: Tree) -> Tree:
        return All(_flat(All, parts))

    def either(self, *parts: Tree) -> Tree:
        return Either(_flat(Either, parts))

    def _choice(self, name: Token, given: tuple[Token, ...]) -> Is:
        field_ = self._field(name)
        if field_ in DATES:
            raise self._error(given[0], f"{field_} is a date.", f"Write {field_} after 2026-01-01.")
        pairs = {self._value(field_, token): token.start_pos or 0 for token in reversed(given)}
        values = _once(self._value(field_, token) for token in given)
        return Is(field_, values, tuple(pairs[value] for value in values))

    def _field(self, name: Token) -> str:
        found = name.lower()
        if found not in WORDS:
            raise self._error(
                name, f"{str(name)!r} is nothing to ask for.", did_you_mean(found, list(WORDS), "words")
            )
        return found

    def _value(self, field_: str, token: Token) -> str | int:
        if token.type == "NUMBER":
            if field_ != "list":
                raise self._error(
                    token, "Only a list has a number.", "Put a value that begins with # in quotes."
                )
            return int(token[1:])
        text = _bare(token)
        if not text or not text.isprintable() or (field_ == "group" and "|" in text):
            raise self._error(token, f"This is no {field_}.", "Write its name.")
        if field_ == "language":
            return self._language(token, text)
        return text.lower() if field_ == "channel" else text

    def _language(self, token: Token, text: str) -> str:
        if text.casefold() in _ALL_CHINESE:
            return "zh"
        try:
            return language_tag(text)
        except BadValue:
            raise self._error(
                token, f"{text!r} is no language.", "Write one like es, es-MX, zh-Hant or Spanish."
            ) from None

    def _day(self, token: Token) -> date:
        try:
            found = date.fromisoformat(token)
        except ValueError:
            found = date.min
        if not 1900 <= found.year <= 2200:
            raise self._error(token, f"{str(token)!r} is no day.", "Write it like 2026-01-01.")
        return found

    def _error(self, token: Token, wrong: str, cure: str) -> FilterError:
        return _error(self._text, token.start_pos or 0, wrong, cure)


# Chinese without its script means all who read it; as a resident's language it would get one script.
_ALL_CHINESE = frozenset({"zh", "cmn", "chinese", "中文", "汉语", "漢語"})


def _flat(kind: type[All] | type[Either], parts: tuple[Tree, ...]) -> tuple[Tree, ...]:
    """Parts of parts of the same kind are parts: (a and b) and c."""
    found: list[Tree] = []
    for part in parts:
        found += part.parts if isinstance(part, kind) else (part,)
    return tuple(found)


def _once(values: Iterator[T] | map[T]) -> tuple[T, ...]:
    return tuple(dict.fromkeys(values))


def _bare(token: Token) -> str:
    text = str(token)
    if token.type == "QUOTED":
        text = re.sub(r"\\(.)", r"\1", text[1:-1]) if text.startswith('"') else text[1:-1]
    return " ".join(text.split())


_PLAIN = re.compile(r"[^\s()=!,\"“”„#]+")


def _quoted(value: str | int) -> str:
    if isinstance(value, int):
        return f"#{value}"
    if _PLAIN.fullmatch(value) and value.lower() not in KEYWORDS:
        return value
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


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
        day = format_date(term.day, "d MMMM yyyy", locale="en")
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


def _unreadable(text: str, place: int) -> FilterError:
    if text[place] in '"“”„':
        return _error(text, place, "This quote is never closed.", "Close it, or take it away.")
    return _error(
        text, place, f"{text[place]!r} cannot stand here.", "Put the value it belongs to in quotes."
    )


def _unexpected(text: str, error: UnexpectedToken) -> FilterError:
    token: Token = error.token
    if token.type == "$END":
        return _error(
            text, len(text.rstrip()), "The filter breaks off here.", "Something is missing at its end."
        )
    place = token.start_pos or 0
    wanted = error.accepts or error.expected
    if "EQUAL" in wanted:
        cure = 'After a word comes =, !=, "in (…)", or for a date: after, since, before, until.'
    elif token.type in {"WORD", "NUMBER"} and not wanted & {"WORD", "QUOTED"}:
        cure = 'Several words need quotes, like "North End"; two conditions need "and" or "or" between them.'
    else:
        cure = "Look at what stands before it."
    return _error(text, place, f"{_shown(token)} is not expected here.", cure)


def _shown(token: Any) -> str:
    return repr(str(token)[:30])


def _error(text: str, place: int, wrong: str, cure: str) -> FilterError:
    start = max(0, min(place - SHOWN // 2, len(text) - SHOWN))
    piece = re.sub(r"\s", " ", text[start : start + SHOWN])
    return FilterError(f"{wrong}\n  {piece}\n  {' ' * (place - start)}^\n{cure}")
