"""Keys to the HTTP interface: shown once, kept as a hash, each with its scopes and its keeper."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import UniqueConstraint
from sqlmodel import Field, SQLModel

from contacts.columns import Moment, now


class ApiKey(SQLModel, table=True):
    """A key that a program holds for a member of staff: it may do no more than that person."""

    __tablename__ = "api_key"

    id: int | None = Field(default=None, primary_key=True)
    name: str
    prefix: str = Field(unique=True)  # the part that may be shown, by which it is found
    digest: str = Field(repr=False)
    scopes: str  # "contacts:read lists:read"
    staff_id: int = Field(foreign_key="staff.id")
    created_at: datetime = Field(default_factory=now, sa_type=Moment)
    last_used_at: datetime | None = Field(default=None, sa_type=Moment)
    revoked_at: datetime | None = Field(default=None, sa_type=Moment)


class IdempotencyKey(SQLModel, table=True):
    """An answer that was given already: the same request again gets it again, and nothing happens twice."""

    __tablename__ = "idempotency_key"
    __table_args__ = (UniqueConstraint("api_key_id", "key"),)

    id: int | None = Field(default=None, primary_key=True)
    api_key_id: int = Field(foreign_key="api_key.id")
    key: str
    request: str  # hash of method, path and body
    status: int
    body: str = Field(repr=False)
    at: datetime = Field(default_factory=now, sa_type=Moment)
