"""Are the characters of a translation those of its language, and does it read in the right direction?

Hidden characters that turn the direction of reading can make a number or an address read otherwise than it is
(Unicode Technical Report 36); letters of another alphabet inside a word look right and are not found by a search.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from itertools import groupby

from notify.translation.facts import Kind, Severity, Span, TextFinding
from notify.translation.identifying import script, scripts_for

_OVERRIDES, _EMBEDDINGS, _ISOLATES = "\u202d\u202e", "\u202a\u202b\u202c", "\u2066\u2067\u2068"
_END_OF_ISOLATE = "\u2069"
_UNREADABLE = re.compile("[\ufffd\ue000-\uf8ff]|[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f]")
_WORD = re.compile(r"[^\W\d_]{2,}")
_ANY_SCRIPT = frozenset({"Zyyy", "Zinh", "Zzzz"})
# Written in words together in every text of these languages.
_TOGETHER = frozenset({"Hani", "Hira", "Kana", "Hang", "Bopo"})
_DIGITS = {"Arab": "\u0660\u06f0", "Hani": "\uff10", "Hira": "\uff10", "Kana": "\uff10"}


def check(source: str, target: str, target_language: str) -> Iterator[TextFinding]:
    """What is odd about the characters of a translation.

    Args:
        source: what it translates: characters that it has, too, are not odd.
        target: a sentence.
        target_language: BCP 47.
    """
    if source.isascii() and target.isascii() and not _UNREADABLE.search(target):
        return
    yield from _unreadable(source, target)
    yield from _directions(source, target)
    yield from _mixed_words(source, target)
    yield from _digits(source, target, target_language)
    yield from _foreign_letters(source, target, target_language)


def _unreadable(source: str, target: str) -> Iterator[TextFinding]:
    for hit in _UNREADABLE.finditer(target):
        if hit.group() not in source:
            message = (
                f"The character U+{ord(hit.group()):04X} cannot be read: the text was damaged on its way."
            )
            yield _finding(Severity.BLOCKING, message, target, hit.span())


def _directions(source: str, target: str) -> Iterator[TextFinding]:
    opened: list[int] = []
    for at, char in enumerate(target):
        if char in _OVERRIDES and char not in source:
            message = (
                "A hidden character turns the text round, so that it reads otherwise than it is. Take it out."
            )
            yield _finding(Severity.BLOCKING, message, target, (at, at + 1))
        elif char in _EMBEDDINGS and char not in source:
            message = "A hidden character sets the direction of reading; use an isolate or leave it out."
            yield _finding(Severity.WARNING, message, target, (at, at + 1))
        elif char in _ISOLATES:
            opened.append(at)
        elif char == _END_OF_ISOLATE and not opened:
            yield _unbalanced(target, at)
        elif char == _END_OF_ISOLATE:
            opened.pop()
    for at in opened:
        yield _unbalanced(target, at)


def _unbalanced(target: str, at: int) -> TextFinding:
    message = "A hidden character that isolates a piece of text has no counterpart."
    return _finding(Severity.WARNING, message, target, (at, at + 1))


def _mixed_words(source: str, target: str) -> Iterator[TextFinding]:
    for hit in _WORD.finditer(target):
        scripts = {script(char) for char in hit.group()} - _ANY_SCRIPT
        if len(scripts - _TOGETHER) > 1 and not _joined(hit.group(), source):
            message = (
                f"The word “{hit.group()}” has letters of several alphabets ({', '.join(sorted(scripts))})."
            )
            yield _finding(Severity.WARNING, message, target, hit.span())


def _joined(word: str, source: str) -> bool:
    """Whether a word is one of the source with something of another script written onto it: وTom."""
    runs = ["".join(group) for _, group in groupby(word, script)]
    return any(len(run) > 1 and run in source for run in runs)


def _digits(source: str, target: str, language: str) -> Iterator[TextFinding]:
    own = {"", "0", *(zero for each in scripts_for(language) for zero in _zeros(each))}
    found = [at for at, char in enumerate(target) if _zero(char) not in own and char not in source]
    zeros = {_zero(char) for char in target} - {""}
    if found:
        message = f"The digit {target[found[0]]} is not one that readers of this language use."
        yield _finding(Severity.WARNING, message, target, (found[0], found[0] + 1))
    elif len(zeros - {"0"}) > 1:
        yield TextFinding(
            Severity.WARNING, Kind.SCRIPT, "The digits are of several scripts.", "".join(sorted(zeros))
        )


def _foreign_letters(source: str, target: str, language: str) -> Iterator[TextFinding]:
    """Letters of a third alphabet: neither of the language, nor Latin, nor in the source."""
    own = scripts_for(language) | {"Latn", "Zyyy", "Zinh", "Zzzz"}
    hit = next((at for at, char in enumerate(target) if char.isalpha() and script(char) not in own), None)
    if hit is not None and target[hit] not in source:
        message = f"The letter {target[hit]} ({script(target[hit])}) is not of this language."
        yield _finding(Severity.WARNING, message, target, (hit, hit + 1))


def _finding(severity: Severity, message: str, target: str, span: Span) -> TextFinding:
    return TextFinding(severity, Kind.SCRIPT, message, target[slice(*span)], target=span)


@lru_cache(maxsize=4096)
def _zero(char: str) -> str:
    """The zero of a digit's script; nothing for what is no digit."""
    value = unicodedata.decimal(char, None)
    return chr(ord(char) - value) if value is not None else ""


def _zeros(name: str) -> str:
    """The zeros of the digits that belong to a script."""
    return _DIGITS.get(name) or "".join(
        chr(code) for code in _ALL_ZEROS if _name(code).startswith(_SCRIPT_NAMES.get(name, "?"))
    )


_ALL_ZEROS = (
    0x0966,
    0x09E6,
    0x0A66,
    0x0AE6,
    0x0B66,
    0x0BE6,
    0x0C66,
    0x0CE6,
    0x0D66,
    0x0E50,
    0x0ED0,
    0x1040,
    0x17E0,
)
_SCRIPT_NAMES = {
    "Deva": "DEVANAGARI", "Beng": "BENGALI", "Guru": "GURMUKHI", "Gujr": "GUJARATI", "Orya": "ORIYA",
    "Taml": "TAMIL", "Telu": "TELUGU", "Knda": "KANNADA", "Mlym": "MALAYALAM", "Thai": "THAI", "Laoo": "LAO",
    "Mymr": "MYANMAR", "Khmr": "KHMER",
}  # fmt: skip


def _name(code: int) -> str:
    return unicodedata.name(chr(code), "")
