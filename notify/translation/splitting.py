"""A text as sentences and what stands between them.

sentencex finds the sentences; around it stand rules of our own: a line is never joined to the next, a list
marker is no part of a sentence, "8 p.m. Friday" is not two, and an address ends before its full stop.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import accumulate

from babel import Locale, UnknownLocaleError

from notify.translation.facts import Kind, verbatim_facts


@dataclass(frozen=True, slots=True)
class Piece:
    """A sentence, or what stands between sentences: blanks, line breaks, list markers."""

    text: str
    is_sentence: bool


_LINE = re.compile(r"[^\n\r\v\f\x1c-\x1e\x85\u2028\u2029]+|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]+")
_MARKER = re.compile(r"\s*(?:(?:[-*+•◦▪‣·–—]|\(?\d{1,3}[.)]|\(?[A-Za-z]\))\s+)?")
_GOES_ON = re.compile(r"(?:\b(?:[ap]\.\s?m|e\.g|i\.e|hrs?|approx|incl|ext|tel|vs)\.)$", re.IGNORECASE)


def split(text: str, language: str) -> list[Piece]:
    """Cut a text into sentences and what stands between them.

    Args:
        text: anything; plain text, not Markdown.
        language: BCP 47, of the text.

    Returns:
        Pieces that, joined, are exactly the text. A sentence has no blanks at its ends.
    """
    return [piece for line in _LINE.findall(text) for piece in _split_line(line, language) if piece.text]


def sentences(text: str, language: str) -> list[str]:
    """Only the sentences of a text."""
    return [piece.text for piece in split(text, language) if piece.is_sentence]


def _split_line(line: str, language: str) -> Iterator[Piece]:
    marker = _marker(line)
    yield Piece(marker, False)
    for part in _joined(_segments(line[len(marker) :], language), language):
        yield from _trimmed(part)


def _marker(line: str) -> str:
    found = _MARKER.match(line)
    marker = found.group() if found else ""
    return marker if len(marker) < len(line) else ""


def _trimmed(part: str) -> Iterator[Piece]:
    core = part.strip()
    start = part.index(core)
    yield Piece(part[:start], False)
    yield Piece(core, True)
    yield Piece(part[start + len(core) :], False)


def _joined(parts: list[str], language: str) -> list[str]:
    """The parts, with those put together again that an abbreviation kept apart."""
    out: list[str] = []
    for part in parts:
        if out and _GOES_ON.search(out[-1].rstrip()) and _continues(part.lstrip(), language):
            out[-1] += part
        else:
            out.append(part)
    return out


def _continues(part: str, language: str) -> bool:
    return part[:1].islower() or part.startswith(_days(language))


@cache
def _days(language: str) -> tuple[str, ...]:
    """The names of the days of the week, long and short, as the language writes them."""
    try:
        locale = Locale.parse(language, sep="-")
    except (UnknownLocaleError, ValueError):
        return ()
    return tuple(
        {name for width in ("wide", "abbreviated") for name in locale.days["format"][width].values()}
    )


def _segments(line: str, language: str) -> list[str]:
    """What sentencex makes of one line."""
    import sentencex

    try:
        lengths = [len(part) for part in sentencex.segment(language.split("-")[0], _shown(line))]
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # what Rust's panics come as: no subclass of Exception
            raise
        return [line]
    return _cut(line, lengths)


def _shown(line: str) -> str:
    """A line as sentencex gets to see it, no shorter and no longer.

    Blanks are plain ones, because it fails on some that take more than one byte (1.0.32), and addresses are
    words, because it takes the full stop after them for a part of them.
    """
    for fact in verbatim_facts(line):
        if fact.kind in (Kind.URL, Kind.EMAIL):
            line = line[: fact.start] + "x" * (fact.end - fact.start) + line[fact.end :]
    return re.sub(r"\s", " ", line)


def _cut(line: str, lengths: list[int]) -> list[str]:
    ends = list(accumulate(lengths))
    if not ends or ends[-1] != len(line):
        return [line]
    return [line[end - length : end] for length, end in zip(lengths, ends, strict=True)]
