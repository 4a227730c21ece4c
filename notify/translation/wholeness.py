"""Is all of a sentence there: nothing left out, nothing said twice, neither far too short nor far too long?"""

from __future__ import annotations

import re
from collections.abc import Iterator

from notify.translation import dates, words
from notify.translation.facts import Kind, Severity, TextFinding, verbatim_facts
from notify.translation.splitting import sentences

# Characters of the translation for each of an English source: what right translations stay between, with room
# (the 0.5 and 99.5 % points of FLORES or of our own parallel texts, 10 % wider).
_LENGTHS = {
    "es": (0.80, 1.80),
    "pt": (0.75, 1.75),
    "fr": (0.80, 1.95),
    "ar": (0.50, 1.40),
    "zh": (0.18, 0.72),
    "ja": (0.28, 1.00),
    "ko": (0.33, 1.00),
    "ht": (0.65, 1.55),
    "sw": (0.65, 1.65),
    "vi": (0.70, 1.70),
}
_ANY_LENGTH = (0.40, 2.50)
_DENSE = frozenset({"zh", "ja", "ko"})
_JOINED = {"zh": 0.37, "ja": 0.55, "ko": 0.55}
"""Letters of the translation for each of an English source, facts and dates apart, from which on sentences were
joined and none was left out."""
SHORT = 24
"""Characters of a source whose translation may be of any length."""
_FEW = 12  # letters of a source, names and numbers apart, that are too few to tell anything

_END = re.compile(r"[.!?。！？؟।…։。]+[\"'”’»)\]）」』\s]*\Z")


def is_empty(source: str, target: str) -> bool:
    """Whether a source with words has a translation without."""
    return any(map(str.isalnum, source)) and not any(map(str.isalnum, target))


def check(source: str, target: str, source_language: str, target_language: str) -> Iterator[TextFinding]:
    """What seems to be left out of a translation, or to be said twice.

    Args:
        source: a sentence, or a block of several.
        target: its translation, not empty.
        source_language: BCP 47.
        target_language: BCP 47.
    """
    lost = list(_dropped(source, target, source_language, target_language))
    yield from lost
    if not lost:
        yield from _length(source, target, source_language, target_language)
    yield from _loop(source, target)


def _dropped(source: str, target: str, source_language: str, target_language: str) -> Iterator[TextFinding]:
    ours, theirs = _count(source, source_language), _count(target, target_language)
    if theirs < ours and not _joined(source, target, source_language, target_language):
        message = f"The source has {ours} sentences and the translation {theirs}. Is one left out?"
        yield TextFinding(Severity.WARNING, Kind.DROPPED, message, str(ours - theirs))
    elif _ends_in_a_word(source) and not _END.search(target) and target[-1:].isalpha():
        message = "The source ends with a full stop, and the translation does not. Is its end left out?"
        yield TextFinding(
            Severity.WARNING, Kind.DROPPED, message, "end", target=(len(target) - 1, len(target))
        )


def _joined(source: str, target: str, source_language: str, target_language: str) -> bool:
    """Whether a translation with fewer sentences is as long as it should be, where joining them is usual."""
    if words.base(target_language) not in _DENSE or words.base(source_language) != "en":
        return False
    letters = _letters(target, target_language), _letters(source, source_language)
    return letters[0] >= _JOINED[words.base(target_language)] * letters[1]


def _letters(text: str, language: str) -> int:
    """How many letters a text has that are not in facts or dates."""
    spans = [*((fact.start, fact.end) for fact in verbatim_facts(text)), *dates.spans(text, language)]
    inside = {at for start, end in spans for at in range(start, end)}
    return sum(char.isalpha() for at, char in enumerate(text) if at not in inside)


def _ends_in_a_word(text: str) -> bool:
    """Whether a text ends with a stop after a word: after a number or an address translators may leave it out."""
    end = _END.search(text)
    return bool(end) and re.search(r"[^\W\d_]{3,}\Z", text[: end.start() if end else 0]) is not None


def _count(text: str, language: str) -> int:
    """How many sentences a text has; fragments without a word do not count."""
    return sum(any(map(str.isalpha, sentence)) for sentence in sentences(text, language))


def _length(source: str, target: str, source_language: str, target_language: str) -> Iterator[TextFinding]:
    if len(source) < SHORT or words.base(source_language) in _DENSE:
        return
    low, high = _bounds(source_language, target_language)
    room = 12 / len(source)  # a short sentence varies more
    ratio = len(target) / len(source)
    if ratio < low * (1 - room):
        message = (
            f"The translation is very short for its source ({len(target)} characters for {len(source)})."
        )
        yield TextFinding(Severity.WARNING, Kind.LENGTH, message, "short")
    elif _has_few_words(source, target, source_language, target_language, low):
        message = "Apart from names, numbers and addresses there is little left of the sentence."
        yield TextFinding(Severity.WARNING, Kind.LENGTH, message, "few words")
    elif ratio > high * (1 + room):
        message = f"The translation is very long for its source ({len(target)} characters for {len(source)})."
        yield TextFinding(Severity.WARNING, Kind.LENGTH, message, "long")


def _has_few_words(source: str, target: str, source_language: str, target_language: str, low: float) -> bool:
    ours, theirs = _letters(source, source_language), _letters(target, target_language)
    return ours >= _FEW and theirs < 0.6 * low * ours


def _bounds(source_language: str, target_language: str) -> tuple[float, float]:
    if words.base(source_language) != "en":
        return _ANY_LENGTH
    return _LENGTHS.get(words.base(target_language), _ANY_LENGTH)


_WORDS_TWICE = re.compile(r"\b(\w+(?:\W+\w+){0,7}?)(?:\W+\1\b){2,}", re.IGNORECASE)
_LETTERS_TWICE = re.compile(r"([^\W\d]{2,12}?[，、。,]?)\1{2,}")


def _loop(source: str, target: str) -> Iterator[TextFinding]:
    """Words said three times over, or a whole passage twice, which is what an engine does that has lost its way."""
    pattern = _LETTERS_TWICE if len(target.split()) < len(target) / 12 else _WORDS_TWICE
    hit = pattern.search(target)
    if hit and not pattern.search(source):
        message = f"The translation repeats itself: “{hit[1][:40]}”."
        yield TextFinding(Severity.WARNING, Kind.REPETITION, message, hit[1][:40], target=hit.span())
    elif passage := _passage_twice(source, target):
        message = f"The translation says “{passage}” twice."
        at = target.lower().rfind(passage.lower())
        span = (at, at + len(passage)) if at >= 0 else None
        yield TextFinding(Severity.WARNING, Kind.REPETITION, message, passage, target=span)


_PASSAGE = 6  # words


def _passage_twice(source: str, target: str) -> str:
    """The first words of a passage that a translation has twice and its source has not."""
    if _has_passage_twice(source):
        return ""
    return _has_passage_twice(target)


def _has_passage_twice(text: str) -> str:
    each = text.lower().split()
    seen: dict[tuple[str, ...], int] = {}
    for at in range(len(each) - _PASSAGE + 1):
        run = tuple(each[at : at + _PASSAGE])
        if seen.setdefault(run, at) <= at - _PASSAGE:
            return " ".join(run)
    return ""
