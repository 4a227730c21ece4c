"""Refusals in free text: what a reasonable person reads as "write to me no more" (R3), on any channel.

The patterns are data, in `refusals.toml`, which also says how they are written. What they find is not an
opt-out: the core holds sending to the address, and a person decides. So a pattern may be wrong now and then,
but a question, an answer or a cry of "enough!" about the news must not hold.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from channels.folding import plain, with_accents

_LONGEST = 5_000  # characters that are looked at
_QUESTION_MARKS = frozenset("?？؟՞⸮")
_TAIL = re.compile(r"\W{0,40}\Z")  # what stands behind the last word
# What phones send as text when somebody taps a heart on a message: Liked “…”.
_ECHO = re.compile(
    r"(?:Liked|Loved|Disliked|Laughed at|Emphasi[sz]ed|Questioned|Reacted .{1,12} to|Le (?:gustó|encantó|disgustó)"
    r"|Le dio risa|Destacó|Cuestionó|.{1,4} to)\s*[“\"«].*[”\"»]",
    re.DOTALL,
)


# Where mail programs begin to repeat the mail that is answered: ours, which says how to stop.
_QUOTED = re.compile(
    r"^[ \t]*(?:-{2,}[ \t]*\w+ \w+|_{10,}|(?:From|De|Da|От|Від|Od|发件人|寄件者|보낸 사람|من)[ \t]*[:：]|>"
    r"|(?:On|El|Le|Em|Am|W dniu) .{5,200}(?:wrote|escribió|a écrit|escreveu|schrieb|napisał)[^\n]{0,60}:)",
    re.MULTILINE,
)


class BadPattern(ValueError):
    """A pattern of the data cannot be read; the message names it."""


def is_refusal(text: str) -> bool:
    """Whether a reasonable person would read the text as a wish to get no more messages."""
    shown = _QUOTED.split(text[:_LONGEST], maxsplit=1)[0].strip()
    if not shown or _ECHO.fullmatch(shown):
        return False  # the second is the phone, repeating what we wrote
    asks = not _QUESTION_MARKS.isdisjoint(_TAIL.search(shown)[0])  # type: ignore[index] # it may be empty
    loose, strict = plain(shown), with_accents(shown)
    return any(language.refuses(loose, strict, asks=asks) for language in languages().values())


@dataclass(frozen=True, slots=True)
class Language:
    """The patterns of one language, compiled. Each is None where there are none."""

    joined: bool
    refusals: re.Pattern[str] | None
    statements: re.Pattern[str] | None
    strict: re.Pattern[str] | None
    exceptions: re.Pattern[str] | None

    def refuses(self, loose: str, strict: str, *, asks: bool) -> bool:
        """Whether a text, given without and with its accents, is a refusal in this language."""
        words = loose.replace(" ", "") if self.joined else f"{loose} "
        found = (
            _finds(self.refusals, words)
            or (not asks and _finds(self.statements, words))
            or (not asks and _finds(self.strict, f"{strict} "))
        )
        return found and not _finds(self.exceptions, words)


@cache
def languages() -> Mapping[str, Language]:
    """The languages of `refusals.toml`, by BCP 47 tag.

    Raises:
        BadPattern: a pattern cannot be read.
    """
    data = tomllib.loads((files(__package__) / "refusals.toml").read_text("utf-8"))
    return {language: _compile(table) for language, table in data.items()}


def _compile(table: Mapping[str, Any]) -> Language:
    sets = {name: value for name, value in table.items() if isinstance(value, str)}
    joined = bool(table.get("joined"))

    def one(key: str, fold: Callable[[str], str] = plain) -> re.Pattern[str] | None:
        parts = [to_regex(each, sets, fold, joined=joined) for each in table.get(key, [])]
        return re.compile("|".join(parts)) if parts else None

    return Language(joined, one("refusals"), one("statements"), one("strict", with_accents), one("not"))


def _finds(pattern: re.Pattern[str] | None, text: str) -> bool:
    return pattern is not None and pattern.search(text) is not None


def to_regex(
    pattern: str, sets: Mapping[str, str], fold: Callable[[str], str] = plain, *, joined: bool = False
) -> str:
    """A pattern of the data as a regular expression over folded words.

    Args:
        pattern: as `refusals.toml` describes.
        sets: what `<name>` stands for.
        fold: makes the words of the pattern comparable.
        joined: the language puts no spaces between words.

    Raises:
        BadPattern: brackets that do not match, an unknown set, or a pattern that every text has.
    """
    return _Reader(pattern, sets, fold, joined=joined).regex()


_TOKEN = re.compile(r"\.\.\.|[()|^$]|<\w+>|\?|[^\s()|^$<>?]+")


class _Reader:
    """Reads one pattern from left to right; in the regular expression every word ends with a space."""

    def __init__(
        self, pattern: str, sets: Mapping[str, str], fold: Callable[[str], str], *, joined: bool
    ) -> None:
        self._pattern = pattern
        self._sets = sets
        self._fold = fold
        self._joined = joined
        self._tokens = _TOKEN.findall(pattern)

    def regex(self) -> str:
        inside = self._alternatives()
        if self._tokens or re.search(inside, ""):
            raise BadPattern(f"The pattern {self._pattern!r} is empty, or its brackets do not match.")
        return inside if self._joined else rf"(?<![^ ]){inside}"

    def _alternatives(self) -> str:
        parts = [""]
        while self._tokens and self._tokens[0] != ")":
            if self._tokens[0] == "|":
                self._tokens.pop(0)
                parts.append("")
            else:
                parts[-1] += self._item()
        return f"(?:{'|'.join(parts)})"

    def _item(self) -> str:
        found = self._one(self._tokens.pop(0))
        if self._tokens and self._tokens[0] == "?":
            self._tokens.pop(0)
            return f"(?:{found})?"
        return found

    def _one(self, token: str) -> str:
        match token:
            case "(":
                inside = self._alternatives()
                if not self._tokens:
                    raise BadPattern(f"A bracket of the pattern {self._pattern!r} is not closed.")
                self._tokens.pop(0)
                return inside
            case "^":
                return r"\A"
            case "$":
                return r"\Z"
            case "...":
                return r"[^ ]{0,6}" if self._joined else r"(?:[^ ]+ ){0,3}"
            case _ if token.startswith("<"):
                return self._set(token[1:-1])
        return self._word(token)

    def _set(self, name: str) -> str:
        if name not in self._sets:
            raise BadPattern(
                f"The pattern {self._pattern!r} names <{name}>, which is no set of its language."
            )
        return _Reader(self._sets[name], self._sets, self._fold, joined=self._joined)._alternatives()

    def _word(self, token: str) -> str:
        letters = "[^ ]*".join(re.escape(self._fold(piece)) for piece in token.split("*"))
        return letters if self._joined else letters.replace(r"\ ", " ") + " "
