"""The audit trail: who did what to which thing, chained by hashes so that a change of the past shows."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlmodel import Field, Session, SQLModel, col, select

from contacts.columns import Moment, now

START = "0" * 64


class AuditEvent(SQLModel, table=True):
    """One deed. `detail` holds ids and counts, never personal data."""

    __tablename__ = "audit_event"

    id: int | None = Field(default=None, primary_key=True)
    at: datetime = Field(default_factory=now, sa_type=Moment)
    actor: str  # staff email, "system", or "resident"
    action: str  # "statement.approve"
    subject: str  # "statement 12"
    detail: str = "{}"  # JSON
    previous: str = Field(unique=True)  # the hash before: a chain cannot fork
    hash: str


def digest(event: AuditEvent) -> str:
    """The hash of one event over everything in it and the hash before."""
    line = [event.previous, event.at.isoformat(), event.actor, event.action, event.subject, event.detail]
    return hashlib.sha256(json.dumps(line, ensure_ascii=False).encode()).hexdigest()


def record(session: Session, actor: str, action: str, subject: str, **detail: Any) -> AuditEvent:
    """Add a deed to the trail, in the caller's transaction."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(776401)"))  # one writer of the chain at a time
    last = session.exec(select(AuditEvent).order_by(col(AuditEvent.id).desc()).limit(1)).first()
    event = AuditEvent(
        actor=actor,
        action=action,
        subject=subject,
        detail=json.dumps(detail, ensure_ascii=False, sort_keys=True, default=str),
        previous=last.hash if last else START,
        hash="",
    )
    event.hash = digest(event)
    session.add(event)
    session.flush()
    return event


def verify(session: Session) -> int | None:
    """The id of the first event that does not fit the chain, or None when the trail is whole."""
    previous = START
    for event in session.exec(select(AuditEvent).order_by(col(AuditEvent.id))):
        if event.previous != previous or event.hash != digest(event):
            return event.id
        previous = event.hash
    return None
