"""The memory: sentences that a person has approved in another language, used again word for word.

An exact match is used at once, and still read and approved in its new place. What is kept was approved;
nothing is kept because it was saved.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sqlmodel import Session, col, select

from contacts.columns import now
from notify.translation.models import MemoryEntry

LEAST_ALIKE = 70  # of 100: less alike is no help
_CHUNK = 500  # keys in one question
_UNIFIED = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "«": '"', "»": '"', "–": "-", "—": "-"})


def key(sentence: str) -> str:
    """Equal for sentences that differ in blanks, quotation marks, dashes or the form of accents only."""
    plain = unicodedata.normalize("NFC", sentence).translate(_UNIFIED)
    return hashlib.sha256(" ".join(plain.split()).encode()).hexdigest()


def exact(session: Session, source: str, target: str, sentences: Iterable[str]) -> dict[str, MemoryEntry]:
    """What the memory has for sentences, by sentence.

    Args:
        session: an open session.
        source: their language, BCP 47.
        target: the language wanted, BCP 47.
        sentences: inline Markdown, as in `Unit.markdown`.
    """
    wanted = {sentence: key(sentence) for sentence in sentences}
    keys = sorted(set(wanted.values()))
    known: dict[str, MemoryEntry] = {}
    for start in range(0, len(keys), _CHUNK):
        query = select(MemoryEntry).where(
            MemoryEntry.source_language == source,
            MemoryEntry.target_language == target,
            col(MemoryEntry.key).in_(keys[start : start + _CHUNK]),
        )
        known.update({entry.key: entry for entry in session.exec(query)})
    return {sentence: known[found] for sentence, found in wanted.items() if found in known}


@dataclass(frozen=True, slots=True)
class Near:
    """An approved sentence that is like the one asked for: a help for a person, never used by itself."""

    source: str
    text: str
    alike: int  # of 100; equal sentences have 100
    approved_by: str


def near(session: Session, source: str, target: str, sentence: str, most: int = 3) -> list[Near]:
    """The approved sentences most like one, the likest first.

    Args:
        session: an open session.
        source: its language, BCP 47.
        target: the language wanted, BCP 47.
        sentence: inline Markdown.
        most: how many.
    """
    from rapidfuzz import fuzz, process

    pair = (MemoryEntry.source_language == source, MemoryEntry.target_language == target)
    known = dict(session.execute(select(col(MemoryEntry.id), col(MemoryEntry.source)).where(*pair)).all())
    found = process.extract(sentence, known, scorer=fuzz.ratio, limit=most, score_cutoff=LEAST_ALIKE)
    alike = {number: round(score) for _, score, number in found}
    entries = session.exec(select(MemoryEntry).where(col(MemoryEntry.id).in_(alike)))
    nearest = [Near(each.source, each.text, alike[each.id], each.approved_by) for each in entries]
    return sorted(nearest, key=lambda each: -each.alike)


def shorter(session: Session, source: str, target: str, text: str, most: int = 3) -> list[Near]:
    """Approved sentences that say nearly what a text says, in fewer characters: for a text message."""
    return [each for each in near(session, source, target, text, most * 3) if len(each.text) < len(text)][
        :most
    ]


def every(session: Session, source: str = "", target: str = "") -> Iterator[MemoryEntry]:
    """All entries, of one source or target language if given, in a fixed order."""
    query = select(MemoryEntry).order_by(
        MemoryEntry.source_language, MemoryEntry.target_language, col(MemoryEntry.id)
    )
    if source:
        query = query.where(MemoryEntry.source_language == source)
    if target:
        query = query.where(MemoryEntry.target_language == target)
    yield from session.exec(query.execution_options(yield_per=_CHUNK))


def keep(
    session: Session,
    source: str,
    target: str,
    sentence: str,
    text: str,
    *,
    approved_by: str,
    statement_id: int | None = None,
) -> None:
    """Remember an approved sentence; a newer word replaces an older one."""
    known = exact(session, source, target, [sentence]).get(sentence)
    entry = known or MemoryEntry(
        source_language=source, target_language=target, key=key(sentence), source=sentence, text=text
    )
    entry.text, entry.approved_by, entry.approved_at = text, approved_by, now()
    entry.statement_id = statement_id
    session.add(entry)
    session.flush()
