"""Is a translation in its language, and is nothing of the source left standing in it?"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache

from notify.translation import identifying, words
from notify.translation.facts import Kind, Severity, Span, TextFinding, verbatim_facts

_LATIN = "A-Za-z\u00c0-\u024f\u1e00-\u1eff\u0300-\u036f"
_WORD = re.compile(rf"[{_LATIN}]+(?:['’][{_LATIN}]+)?|[^\W\d_{_LATIN}]+")
_RUN = 3  # source words in a row, in small letters, that no translation has by chance
_SHARE, _SHARE_OTHER_SCRIPT = 0.25, 0.12  # of the source's longer words
_NEARLY_ALL = 0.6
_SURE = 0.95  # that it is the source language, before that blocks


def check(
    source: str, target: str, source_language: str, target_language: str, keep: Iterable[str] = ()
) -> Iterator[TextFinding]:
    """What is in the wrong language, or was not translated.

    Args:
        source: a sentence.
        target: its translation, not empty.
        source_language: BCP 47.
        target_language: BCP 47.
        keep: terms that stay as they are.
    """
    ours, theirs = _bare(source, keep), _bare(target, keep)
    left = list(_left(ours, theirs, target, source_language, target_language))
    yield from left
    if not left:
        yield from _language(ours, theirs, source_language, target_language)


def _bare(text: str, keep: Iterable[str]) -> str:
    """A text with blanks where facts and protected terms stand."""
    for fact in verbatim_facts(text, keep):
        text = text[: fact.start] + " " * (fact.end - fact.start) + text[fact.end :]
    return text


def _left(
    source: str, target: str, whole: str, source_language: str, target_language: str
) -> Iterator[TextFinding]:
    """What of the source stands in the target; both without their facts."""
    ours, theirs = identifying.scripts_for(source_language), identifying.scripts_for(target_language)
    other_script = ours.isdisjoint(theirs)
    share, span = _shared(source, target, fewest=1 if other_script else 2)
    if share > (_SHARE_OTHER_SCRIPT if other_script else _SHARE):
        severity = Severity.BLOCKING if share >= _NEARLY_ALL else Severity.WARNING
        yield _finding(severity, whole, span)
        return
    run = _run(source, target) or _common(target, source_language, target_language)
    if run:
        yield _finding(Severity.WARNING, whole, run)


def _finding(severity: Severity, target: str, span: Span | None) -> TextFinding:
    text = target[slice(*span)] if span else ""
    message = f"“{text}” was not translated." if severity is Severity.WARNING else "This was not translated."
    return TextFinding(severity, Kind.UNTRANSLATED, message, text, target=span)


def _shared(source: str, target: str, fewest: int) -> tuple[float, Span | None]:
    """The share of a source's words that stand in the target, of those that a translation would not keep.

    Only words in small letters, of four letters and more, count; where both languages have the same letters, one
    alone may be the same word in both.
    """
    ours = {word for word in _small(source) if len(word) >= 4}
    hits = [hit for hit in _WORD.finditer(target) if hit.group() in ours]
    if len({hit.group() for hit in hits}) < fewest:
        return 0.0, None
    return len({hit.group() for hit in hits}) / len(ours), (hits[0].start(), hits[-1].end())


def _small(text: str) -> list[str]:
    return [word for word in _WORD.findall(text) if word.islower()]


def _run(source: str, target: str) -> Span | None:
    """Where several words of the source stand in a row as they do there."""
    ours = _WORD.findall(source)
    runs = {tuple(ours[at : at + _RUN]) for at in range(len(ours) - _RUN + 1)}
    hits = list(_WORD.finditer(target))
    found = [
        at
        for at in range(len(hits) - _RUN + 1)
        if (run := tuple(hit.group() for hit in hits[at : at + _RUN])) in runs
        and sum(map(str.islower, run)) >= 2
    ]
    return (hits[found[0]].start(), hits[found[-1] + _RUN - 1].end()) if found else None


def _common(target: str, source_language: str, target_language: str) -> Span | None:
    """Where a word stands that only the source language has, unless it is inside a name."""
    if words.base(source_language) == words.base(target_language):
        return None
    for hit in _common_words(words.base(source_language)).finditer(target):
        before, after = target[: hit.start()].split(), target[hit.end() :].split()
        if not (before and after and before[-1][:1].isupper() and after[0][:1].isupper()):
            return hit.span()
    return None


@cache
def _common_words(language: str) -> re.Pattern[str]:
    listed = words.table("common").get(language, {}).get("words", "")
    return re.compile(rf"(?<![\w'’-])(?:{listed or '(?!)'})(?![\w'’-])")


def _language(source: str, target: str, source_language: str, target_language: str) -> Iterator[TextFinding]:
    names = {word for word in _WORD.findall(source) if word[:1].isupper()}
    words_left = _WORD.sub(lambda hit: " " if hit.group() in names else hit.group(), target)
    if not any(map(str.isalpha, words_left)):
        return
    if not _same_script(words_left, target_language):
        message = f"This is not written in the letters of the language it should be in ({target_language})."
        yield TextFinding(Severity.BLOCKING, Kind.LANGUAGE, message, "script", target=(0, len(target)))
    elif identifying.is_in(words_left, target_language) is False:
        yield _wrong_language(words_left, source_language, target_language)


def _same_script(text: str, language: str) -> bool:
    letters = [char for char in text if char.isalpha()]
    own = identifying.scripts_for(language)
    return sum(identifying.script(char) in own for char in letters) * 3 >= len(letters)


def _wrong_language(text: str, source_language: str, target_language: str) -> TextFinding:
    found, chance = identifying.identify(text)
    is_source = found == words.base(source_language)
    message = (
        f"This looks like the source language ({source_language})."
        if is_source
        else f"This looks like another language ({found}) than the one it should be in ({target_language})."
    )
    severity = Severity.BLOCKING if is_source and chance >= _SURE else Severity.WARNING
    return TextFinding(severity, Kind.LANGUAGE, message, found, target=(0, len(text)))
