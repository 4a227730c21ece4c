"""Does a translation use the city's own terms, and none that the city never uses?"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

from rapidfuzz import fuzz

from notify.translation import identifying
from notify.translation.facts import Kind, Severity, TextFinding, as_written
from notify.translation.glossary import Glossary

_ALIKE = 80  # how near an inflected word is to the one in the glossary, of 100
_WORD = re.compile(r"[^\W_]+")
_MARKS = re.compile("[\u0640\u064b-\u0652]")
_BLANKLESS = frozenset({"Hani", "Hira", "Kana", "Thai", "Laoo", "Khmr", "Mymr"})


def check(source: str, target: str, glossary: Glossary) -> Iterator[TextFinding]:
    """What a translation says otherwise than the city's glossary has it.

    Args:
        source: a sentence.
        target: its translation.
        glossary: for these languages. Terms of the source may be in the plural, those of the translation
            inflected: a word counts as used where it begins alike or differs in a few letters only.
    """
    yield from _forbidden(target, glossary)
    yield from _terms(source, target, glossary)


def _forbidden(target: str, glossary: Glossary) -> Iterator[TextFinding]:
    for term in glossary.forbidden:
        hit = _whole(term).search(target) if term.strip() else None
        if hit:
            message = f"The city never says “{term}”. Say it otherwise."
            yield TextFinding(Severity.BLOCKING, Kind.FORBIDDEN, message, term, target=hit.span())


def _terms(source: str, target: str, glossary: Glossary) -> Iterator[TextFinding]:
    for term, ways in _longest_first(source, glossary):
        hit = _plural(term).search(source)
        if hit and not any(_uses(target, way) for way in ways):
            shown = " or ".join(f"“{way}”" for way in ways)
            message = f"The city says {shown} for “{term}”."
            yield TextFinding(Severity.WARNING, Kind.GLOSSARY, message, term, source=hit.span())


def _longest_first(source: str, glossary: Glossary) -> list[tuple[str, tuple[str, ...]]]:
    """The terms of the source, without those that only stand in it as a part of a longer one."""
    found: list[tuple[str, tuple[str, ...]]] = []
    rest = source
    for term, ways in sorted(glossary.terms, key=lambda entry: -len(entry[0])):
        if term.strip() and _plural(term).search(rest):
            rest = _plural(term).sub(lambda hit: " " * len(hit.group()), rest)
            found.append((term, ways))
    return found


@lru_cache(maxsize=1024)
def _whole(term: str) -> re.Pattern[str]:
    return re.compile(as_written(term.strip(), Kind.TERM), re.IGNORECASE)


@lru_cache(maxsize=1024)
def _plural(term: str) -> re.Pattern[str]:
    word = re.escape(term.strip()).replace(r"\ ", r"\s+")
    return re.compile(rf"(?<!\w){word}(?:s|es|['’]s)?(?!\w)", re.IGNORECASE)


def _uses(target: str, way: str) -> bool:
    """Whether a translation has a term, inflected or not."""
    plain, wanted = _MARKS.sub("", target.casefold()), _MARKS.sub("", way.strip().casefold())
    if wanted in plain:
        return True
    if identifying.main_script(way) in _BLANKLESS:
        return False
    return _has_all(_WORD.findall(plain), [word for word in _WORD.findall(wanted) if len(word) > 3])


def _has_all(have: Sequence[str], wanted: Sequence[str]) -> bool:
    return bool(wanted) and all(any(_is_form(word, other) for other in have) for word in wanted)


def _is_form(word: str, other: str) -> bool:
    stem = word[: max(4, len(word) - 3)]
    return (
        other.startswith(stem)
        or other.removeprefix("ال") == word.removeprefix("ال")
        or (fuzz.ratio(word, other) >= _ALIKE)
    )
