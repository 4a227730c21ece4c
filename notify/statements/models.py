"""What is kept of a statement: its revisions, its translations, and who signed what."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from channels.contract import Action
from contacts.columns import Moment, now
from notify.statements.texts import Text


class State(StrEnum):
    """Where a statement is in its life."""

    DRAFT = "draft"
    REVIEW = "review"
    APPROVED = "approved"
    WITHDRAWN = "withdrawn"


class Origin(StrEnum):
    """Where a translation comes from."""

    PLAYBOOK = "playbook"
    MEMORY = "memory"
    MACHINE = "machine"
    HUMAN = "human"


class Statement(SQLModel, table=True):
    """A statement: its texts are in revisions and translations."""

    id: int | None = Field(default=None, primary_key=True)
    slug: str = Field(default_factory=lambda: secrets.token_urlsafe(6), unique=True)  # in residents' links
    kind: str
    source_language: str
    series: str = ""
    playbook: str = ""
    state: str = State.DRAFT
    revision: int = 1
    # What a language without an approved translation means, set when it is submitted; see `missing`.
    missing: dict[str, str] = Field(default_factory=dict, sa_type=JSON)
    author_id: int = Field(foreign_key="staff.id")
    created_at: datetime = Field(default_factory=now, sa_type=Moment)
    withdrawn_at: datetime | None = Field(default=None, sa_type=Moment)

    @property
    def reference(self) -> str:
        """How the statement and its revision are named everywhere: S12r3."""
        return f"S{self.id}r{self.revision}"


class Wording(SQLModel):
    """The columns of a text."""

    title: str
    short: str
    body: str
    actions: str = "[]"  # JSON: [{"label": …, "value": …}]

    def text(self) -> Text:
        """The words."""
        return Text(
            self.title, self.short, self.body, tuple(Action(**item) for item in json.loads(self.actions))
        )

    def take(self, text: Text) -> None:
        """Replace the words."""
        self.title, self.short, self.body = text.title, text.short, text.body
        self.actions = json.dumps([asdict(action) for action in text.actions], ensure_ascii=False)


class Revision(Wording, table=True):
    """The source text as one editor left it."""

    __table_args__ = (UniqueConstraint("statement_id", "number"),)

    id: int | None = Field(default=None, primary_key=True)
    statement_id: int = Field(foreign_key="statement.id")
    number: int
    editor_id: int = Field(foreign_key="staff.id")
    at: datetime = Field(default_factory=now, sa_type=Moment)


class Translation(Wording, table=True):
    """The statement in another language. Stale when its source hash is not the present source's."""

    __table_args__ = (UniqueConstraint("statement_id", "language"),)

    id: int | None = Field(default=None, primary_key=True)
    statement_id: int = Field(foreign_key="statement.id")
    language: str
    origin: str
    engine: str = ""  # with origin machine: which, and its version
    source_hash: str
    editor_id: int | None = Field(default=None, foreign_key="staff.id")  # None: no member of staff wrote it
    editors: list[int] = Field(
        default_factory=list, sa_type=JSON
    )  # all of the staff whose sentences are in it
    approved_by: int | None = Field(default=None, foreign_key="staff.id")
    approved_at: datetime | None = Field(default=None, sa_type=Moment)
    findings: str = "[]"  # JSON: what the checks said of the whole when it was made
    at: datetime = Field(default_factory=now, sa_type=Moment)

    @property
    def findings_list(self) -> list[dict[str, Any]]:
        """What the checks said of the whole."""
        return list(json.loads(self.findings))

    def note(self, findings: Iterable[Any]) -> None:
        """Keep what the checks say of the whole: dataclasses."""
        self.findings = json.dumps([asdict(each) for each in findings], ensure_ascii=False)


class Approval(SQLModel, table=True):
    """Who signed which content, when, in which role. Never changed."""

    __table_args__ = (Index("ix_approval_statement", "statement_id", "id"),)

    id: int | None = Field(default=None, primary_key=True)
    statement_id: int = Field(foreign_key="statement.id")
    revision: int
    content_hash: str
    languages: str  # "en ar es"
    staff_id: int = Field(foreign_key="staff.id")
    role: str
    at: datetime = Field(default_factory=now, sa_type=Moment)
