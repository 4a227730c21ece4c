"""Reading a filter: from words to the tree of `contacts.filter_trees`, with errors that point at the place."""

from __future__ import annotations

import re
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Any

from lark import Lark, Token, Transformer, v_args
from lark.exceptions import UnexpectedCharacters, UnexpectedEOF, UnexpectedToken, VisitError

from contacts.filter_trees import (
    DATES,
    DEEPEST,
    MOST_NOTS,
    WORDS,
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
)
from contacts.languages import language_tag
from contacts.values import BadValue


def read(text: str) -> Tree:
    """The tree of a filter of a bounded length.

    Raises:
        FilterError: too deep or not understood; with the place and the cure.
    """
    _refuse_depth(text)
    try:
        tree: Tree = _Builder(text).transform(_parser().parse(text))
    except UnexpectedEOF:
        raise error_at(
            text, len(text), "The filter breaks off here.", "Finish it, or leave the end out."
        ) from None
    except UnexpectedCharacters as error:
        raise _unreadable(text, error.pos_in_stream or 0) from None
    except UnexpectedToken as error:
        raise _unexpected(text, error) from None
    except VisitError as error:
        raise error.orig_exc from None
    return tree


@cache
def _parser() -> Lark:
    grammar = files("contacts").joinpath("filters.lark").read_text("utf-8")
    return Lark(grammar, parser="lalr", propagate_positions=True)


_STRUCTURE = re.compile(
    r'"(?:[^"\\]|\\["\\])*"|[“”„][^“”„]*[“”]|[()]|(?<![^\s()])not(?![^\s(])', re.IGNORECASE
)


def _refuse_depth(text: str) -> None:
    """Refuse what nests deeper than anybody means: reading a tree goes down level by level."""
    depth, nots = 0, 0
    for found in _STRUCTURE.finditer(text):
        sign = found[0].lower()
        depth += {"(": 1, ")": -1}.get(sign, 0)
        nots += sign == "not"
        if depth > DEEPEST:
            cure = f"Use at most {DEEPEST} levels of parentheses."
            raise error_at(text, found.start(), "The filter is nested too deep here.", cure)
    if nots > MOST_NOTS:
        raise FilterError(
            f'The filter says "not" more than {MOST_NOTS} times. Put values together: not in (…).'
        )


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
        values = once(self._value(field_, token) for token in given)
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
        return error_at(self._text, token.start_pos or 0, wrong, cure)


# Chinese without its script means all who read it; as a resident's language it would get one script.
_ALL_CHINESE = frozenset({"zh", "cmn", "chinese", "中文", "汉语", "漢語"})


def _flat(kind: type[All] | type[Either], parts: tuple[Tree, ...]) -> tuple[Tree, ...]:
    """Parts of parts of the same kind are parts: (a and b) and c."""
    found: list[Tree] = []
    for part in parts:
        found += part.parts if isinstance(part, kind) else (part,)
    return tuple(found)


def _bare(token: Token) -> str:
    text = str(token)
    if token.type == "QUOTED":
        text = re.sub(r"\\(.)", r"\1", text[1:-1]) if text.startswith('"') else text[1:-1]
    return " ".join(text.split())


def _unreadable(text: str, place: int) -> FilterError:
    if text[place] in '"“”„':
        return error_at(text, place, "This quote is never closed.", "Close it, or take it away.")
    return error_at(
        text, place, f"{text[place]!r} cannot stand here.", "Put the value it belongs to in quotes."
    )


def _unexpected(text: str, error: UnexpectedToken) -> FilterError:
    token: Token = error.token
    if token.type == "$END":
        return error_at(
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
    return error_at(text, place, f"{_shown(token)} is not expected here.", cure)


def _shown(token: Any) -> str:
    return repr(str(token)[:30])
