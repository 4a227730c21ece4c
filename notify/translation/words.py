"""The words that the checks look for, by language: they stand in `words/*.toml`, where translators can mend them."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Container, Iterable, Iterator
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any

from notify.translation.identifying import scripts_for

_UNDIVIDED = frozenset({"Hani", "Hira", "Kana", "Thai", "Laoo", "Khmr", "Mymr"})
_ARABIC_MARKS = "[\u0640\u064b-\u0652]*"
# and, so, for, with, like, and the article: written onto the word
_ARABIC_PREFIX = f"[وف]?{_ARABIC_MARKS}(?:لل|[بكل]?{_ARABIC_MARKS}(?:ال)?){_ARABIC_MARKS}"
_ARABIC_ARTICLE = f"[وف]?{_ARABIC_MARKS}(?:لل|[بك]?{_ARABIC_MARKS}ال)"


@cache
def table(name: str) -> dict[str, Any]:
    """One file of words, as TOML has it.

    Args:
        name: "calendar", "clock", "units", "negation" or "common".
    """
    path = files("notify.translation").joinpath(f"words/{name}.toml")
    return tomllib.loads(path.read_text(encoding="utf-8"))


@lru_cache(maxsize=512)
def base(language: str) -> str:
    """The language without script and region: zh for zh-Hans."""
    return language.split("-")[0].lower()


def forms(words: str) -> list[str]:
    """The forms of an entry, which bars divide."""
    return [word for word in words.split("|") if word]


def any_of(words: Iterable[str], language: str) -> re.Pattern[str]:
    """A pattern that finds the longest of some words, whole and in any case, in a text of a language.

    Args:
        words: what to look for; signs (%, $) may stand beside anything.
        language: BCP 47; where its script has no blanks, a word may stand anywhere.
    """
    each = sorted(set(words), key=lambda word: (-len(word), word))
    return re.compile("|".join(whole(word, language) for word in each) or r"(?!)", re.IGNORECASE)


def whole(word: str, language: str) -> str:
    """The pattern of one word: whole where blanks divide words, its Arabic vowels written or not."""
    if scripts_for(language) & _UNDIVIDED and not word.isascii():
        return re.escape(word)
    if base(language) == "ar" and "\u0600" <= word[:1] <= "\u06ff":
        return rf"(?<!\w){_arabic(word)}(?![^\W\d_])"
    before = r"(?<![^\W\d_])" if word[:1].isalnum() else ""
    after = r"(?![^\W\d_])" if word[-1:].isalnum() else ""
    return before + re.escape(word).replace(r"\ ", r"[ \u00a0\u202f]") + after


def _arabic(word: str) -> str:
    """A word with what is written onto it, its vowels written or not."""
    prefix, rest = (_ARABIC_ARTICLE, word[2:]) if word.startswith("ال") else (_ARABIC_PREFIX, word)
    return prefix + "".join(re.escape(char) + _ARABIC_MARKS for char in rest)


def bare(word: str, known: Container[str]) -> str:
    """A word as a table has it: in lower case, without what Arabic writes onto it.

    Args:
        word: as a text has it.
        known: the words of the table.
    """
    plain = re.sub(_ARABIC_MARKS, "", word.lower()).replace("\u00a0", " ").replace("\u202f", " ")
    return next((each for each in _stripped(plain) if each in known), plain)


def _stripped(word: str) -> Iterator[str]:
    for start in (word, word[1:] if word[:1] in "وف" else word):
        yield start
        yield re.sub("^لل", "ال", start)
        yield re.sub("^[بكل]", "", start)
