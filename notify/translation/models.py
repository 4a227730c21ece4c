"""The tables of the desk: sentences beside their source, the memory, and the glossary."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from contacts.columns import Moment, now


class TranslatedSentence(SQLModel, table=True):
    """One sentence of a translation beside its source: what a translator works on and approves.

    A statement's translation is put together from its sentences; blocks, lists and links stand where they
    stand in the source.
    """

    __tablename__ = "translated_sentence"
    __table_args__ = (UniqueConstraint("translation_id", "number"),)

    id: int | None = Field(default=None, primary_key=True)
    translation_id: int = Field(foreign_key="translation.id")
    number: int  # from 1, in the order of the text
    place: str  # "title", "short", "body", "action 1"
    source: str  # inline Markdown, as it stands in the source
    text: str = ""  # inline Markdown; empty: nobody has translated it yet
    origin: str = ""  # a notify.statements.Origin; empty with an empty text
    engine: str = ""  # with origin machine: which, and its version
    score: float | None = None  # the engine's
    findings: list[dict[str, Any]] = Field(default_factory=list, sa_type=JSON)
    signed: list[dict[str, Any]] = Field(default_factory=list, sa_type=JSON)  # findings signed off: who, why
    editor_id: int | None = Field(default=None, foreign_key="staff.id")
    edited_at: datetime | None = Field(default=None, sa_type=Moment)
    approved_by: int | None = Field(default=None, foreign_key="staff.id")
    approved_at: datetime | None = Field(default=None, sa_type=Moment)


class MemoryEntry(SQLModel, table=True):
    """A sentence that a person has approved in another language, to be used again."""

    __tablename__ = "memory_entry"
    __table_args__ = (
        UniqueConstraint("source_language", "target_language", "key"),
        Index("ix_memory_entry_pair", "source_language", "target_language"),
    )

    id: int | None = Field(default=None, primary_key=True)
    source_language: str
    target_language: str
    key: str  # of the source sentence, see `notify.translation.memory`
    source: str
    text: str
    statement_id: int | None = Field(default=None, foreign_key="statement.id")  # None: imported
    approved_by: str = ""  # of the staff, or what a file says
    approved_at: datetime = Field(default_factory=now, sa_type=Moment)
    uses: int = 0


class TermKind(StrEnum):
    """What the glossary says about a term."""

    TRANSLATE = "translate"  # like this, wherever it stands
    KEEP = "keep"  # never translated: streets, people, departments
    FORBIDDEN = "forbidden"  # never used in this language


class Term(SQLModel, table=True):
    """One line of the city's glossary."""

    __table_args__ = (UniqueConstraint("kind", "source_language", "target_language", "source", "target"),)

    id: int | None = Field(default=None, primary_key=True)
    kind: str = TermKind.TRANSLATE
    source_language: str
    target_language: str = ""  # empty: any
    source: str  # with kind forbidden: empty
    target: str = ""  # several ways apart by "|"
    note: str = ""
    added_by: str = ""
    added_at: datetime = Field(default_factory=now, sa_type=Moment)
