"""The memory: sentences that a person has approved in another language, used again word for word.

An exact match is used at once, and still read and approved in its new place. What is kept was approved;
nothing is kept because it was saved.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterable

from sqlmodel import Session, col, select

from contacts.columns import now
from notify.translation.models import MemoryEntry

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
