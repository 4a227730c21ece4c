"""Negation: does the translation say "not" where its source does?

It can be told only in part: languages negate by other means (unconfirmed for not confirmed, stay away for do not
come), and which word a "not" belongs to is not looked at. So where a sentence has it on one side only, a person
looks, and blocking is for the plainest case. The words stand in `words/negation.toml`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from notify.translation import words
from notify.translation.facts import Kind, Severity, Span, TextFinding
from notify.translation.splitting import split


@dataclass(frozen=True, slots=True)
class Negations:
    """What negates in a sentence."""

    sure: tuple[Span, ...]
    weak: bool  # whether other words are there that a translator may turn into a negation


def compare(source: str, target: str, source_language: str, target_language: str) -> Iterator[TextFinding]:
    """Whether one side negates and the other does not.

    Args:
        source: a sentence.
        target: its translation.
        source_language: BCP 47; nothing is looked at where either language's words are not known.
        target_language: BCP 47.
    """
    if not (_is_known(source_language) and _is_known(target_language)):
        return
    for one, other in _side_by_side(source, target, source_language, target_language):
        ours = negations(source[slice(*one)], source_language)
        theirs = negations(target[slice(*other)], target_language)
        if ours.sure and not theirs.sure:
            yield _lost(source, _moved(ours.sure[0], one), likely=not theirs.weak)
        elif theirs.sure and not ours.sure and not ours.weak:
            yield _added(target, _moved(theirs.sure[0], other))


def _side_by_side(
    source: str, target: str, source_language: str, target_language: str
) -> Iterator[tuple[Span, Span]]:
    """Where the sentences of a block stand, if both have as many; else where the whole blocks do."""
    ours, theirs = list(_sentences(source, source_language)), list(_sentences(target, target_language))
    if len(ours) != len(theirs):
        ours, theirs = [(0, len(source))], [(0, len(target))]
    yield from zip(ours, theirs, strict=True)


def _sentences(text: str, language: str) -> Iterator[Span]:
    at = 0
    for piece in split(text, language):
        if piece.is_sentence:
            yield at, at + len(piece.text)
        at += len(piece.text)


def _moved(span: Span, sentence: Span) -> Span:
    return span[0] + sentence[0], span[1] + sentence[0]


def negations(text: str, language: str) -> Negations:
    """What negates in a sentence of a language whose words are known."""
    lexicon = _lexicon(language)
    plain = _without_placeholders(text.lower())
    hits = sorted(hit.span() for pattern in lexicon.sure for hit in pattern.finditer(plain) if hit.group())
    sure = tuple(span for span in hits if plain[slice(*span)] not in lexicon.exceptions)
    return Negations(sure, lexicon.weak.search(plain) is not None)


def _without_placeholders(text: str) -> str:
    return re.sub(r"\{[^{}]*\}|https?://\S+|\S+@\S+", lambda hit: " " * len(hit.group()), text)


def _lost(source: str, span: Span, *, likely: bool) -> TextFinding:
    word = source[slice(*span)]
    severity = Severity.WARNING if likely else Severity.NOTE
    message = f"The source negates ({word}), and no word of the translation is known to do so. Does it say the same?"
    return TextFinding(severity, Kind.NEGATION, message, word, source=span)


def _added(target: str, span: Span) -> TextFinding:
    word = target[slice(*span)]
    message = f"The translation negates ({word}), and no word of the source does. Does it say the same?"
    return TextFinding(Severity.WARNING, Kind.NEGATION, message, word, target=span)


@dataclass(frozen=True)
class _Lexicon:
    sure: tuple[re.Pattern[str], ...]
    weak: re.Pattern[str]
    exceptions: frozenset[str]


def _is_known(language: str) -> bool:
    return words.base(language) in words.table("negation")


@cache
def _lexicon(language: str) -> _Lexicon:
    entry = words.table("negation")[words.base(language)]
    listed = words.any_of(words.forms(entry.get("no", "")), language)
    pattern = re.compile(entry.get("pattern", r"(?!)"), re.IGNORECASE)
    weak = words.any_of(words.forms(entry.get("weak", "")), language)
    return _Lexicon((listed, pattern), weak, frozenset(words.forms(entry.get("except", ""))))
