"""Keys to the HTTP interface: shown once, kept as a hash, each with its scopes and its keeper.

A key reads `notify_PREFIX_SECRET`. The prefix is public and finds the row. The secret is 256 random bits, so
one round of SHA-256 is enough to keep it by: there is nothing to guess.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import UniqueConstraint, update
from sqlmodel import Field, Session, SQLModel, col, select

from contacts.columns import Moment, now
from notify import audit
from notify.staff import Deed, Staff, StaffError, made_for

LONGEST_NAME = 100  # characters

_MARK = "notify"  # by which scanners for leaked secrets know one of ours
_PREFIX_BYTES = 6
_SECRET_BYTES = 32
_USE_IS_NOTED_EVERY = timedelta(minutes=1)  # not with each request: every note is a write


class Scope(StrEnum):
    """What a key may be used for."""

    CONTACTS_READ = "contacts:read"
    CONTACTS_WRITE = "contacts:write"
    CONTACTS_ERASE = "contacts:erase"
    CONSENT_READ = "consent:read"
    CONSENT_WRITE = "consent:write"
    LISTS_READ = "lists:read"
    LISTS_WRITE = "lists:write"
    SEGMENTS_READ = "segments:read"
    SEGMENTS_WRITE = "segments:write"
    IMPORTS_READ = "imports:read"
    IMPORTS_WRITE = "imports:write"
    TRANSLATIONS_READ = "translations:read"
    TRANSLATIONS_WRITE = "translations:write"

    @property
    def deed(self) -> Deed:
        """What a person has to be allowed to do so that a key may do this for them."""
        return Deed.TRANSLATE if self.value.startswith("translations:") else Deed.KEEP_LISTS


class ApiKeyError(ValueError):
    """A key that cannot be made or found; the message names the cure."""


class NotAdmitted(Exception):
    """What was presented opens nothing. Why is not said: it would help only somebody who tries."""


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


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key just made, with the only showing of what opens."""

    key: ApiKey
    secret: str = field(repr=False)  # the whole key, as a program presents it


@dataclass(frozen=True, slots=True)
class Admitted:
    """Whose key was presented, and what it is good for."""

    key: ApiKey
    person: Staff

    def has(self, scope: Scope) -> bool:
        """Whether the key was given for this."""
        return scope in self.key.scopes.split()


def add(session: Session, name: str, person: Staff, scopes: Collection[Scope], *, actor: str) -> NewKey:
    """Make a key that acts for a person. Nothing is committed.

    Args:
        session: an open session that may write.
        name: what it is for, "Sign-up form of the library".
        person: who answers for it.
        scopes: what it may be used for; at least one.
        actor: who makes it, for the audit trail.

    Raises:
        ApiKeyError: no name, or no scope.
        StaffError: the person's roles do not let them do what a scope is for.
    """
    _check(name, person, scopes)
    prefix, secret = secrets.token_hex(_PREFIX_BYTES), secrets.token_urlsafe(_SECRET_BYTES)
    key = ApiKey(
        name=" ".join(name.split()),
        prefix=prefix,
        digest=_digest(secret),
        scopes=" ".join(sorted(set(scopes))),
        staff_id=person.id or 0,
    )
    session.add(key)
    session.flush()
    audit.record(session, actor, "apikey.add", f"api key {key.id}", staff=person.id, scopes=key.scopes)
    return NewKey(key, f"{_MARK}_{prefix}_{secret}")


def every(session: Session) -> list[tuple[ApiKey, Staff]]:
    """All keys with the person each acts for, the oldest first."""
    query = select(ApiKey, Staff).join(Staff, col(Staff.id) == col(ApiKey.staff_id))
    return list(session.exec(query.order_by(col(ApiKey.id))))


def find(session: Session, prefix: str) -> ApiKey:
    """The key with this prefix.

    Raises:
        ApiKeyError: there is none.
    """
    key = session.exec(select(ApiKey).where(ApiKey.prefix == prefix.strip().lower())).first()
    if key is None:
        raise ApiKeyError(f"There is no key {prefix}. See them all: notify api-key list")
    return key


def revoke(session: Session, key: ApiKey, *, actor: str) -> None:
    """Let a key open nothing from now on; once revoked, it stays so. Nothing is committed."""
    if key.revoked_at is None:
        key.revoked_at = now()
        session.add(key)
        session.flush()
        audit.record(session, actor, "apikey.revoke", f"api key {key.id}")


def admit(session: Session, presented: str) -> Admitted:
    """Whose key this is.

    Raises:
        NotAdmitted: it is none of ours, or revoked, or its person is on the staff no more.
    """
    _, prefix, secret = [*presented.split("_", 2), "", ""][:3]
    query = select(ApiKey, Staff).join(Staff, col(Staff.id) == col(ApiKey.staff_id))
    found = session.exec(query.where(ApiKey.prefix == prefix)).first()
    # Compared where nothing was found as well, so that the time taken does not tell which prefixes there are.
    is_right = hmac.compare_digest(_digest(secret), found[0].digest if found else _digest(""))
    if not found or not is_right or found[0].revoked_at is not None or not found[1].active:
        raise NotAdmitted
    return Admitted(*found)


def note_use(session: Session, key: ApiKey) -> None:
    """Keep when a key was used last, to the minute. Nothing is committed."""
    session.execute(update(ApiKey).where(col(ApiKey.id) == key.id).values(last_used_at=now()))


def use_is_noted(key: ApiKey) -> bool:
    """Whether the last use that is kept is fresh enough."""
    return key.last_used_at is not None and key.last_used_at > now() - _USE_IS_NOTED_EVERY


def out_of_reach(person: Staff, scopes: Collection[Scope]) -> list[Scope]:
    """The scopes that this person's roles do not cover."""
    return [scope for scope in Scope if scope in scopes and not person.may(scope.deed)]


def _check(name: str, person: Staff, scopes: Collection[Scope]) -> None:
    if not name.strip() or len(name) > LONGEST_NAME or not name.isprintable():
        raise ApiKeyError(
            f"A key needs a name of at most {LONGEST_NAME} characters that says what it is for, "
            "like 'Sign-up form of the library'."
        )
    if not scopes:
        raise ApiKeyError(f"A key without a scope opens nothing. Give some: {', '.join(Scope)}.")
    if lost := out_of_reach(person, scopes):
        raise StaffError(
            f"{person.email} may not {lost[0].deed}, so no key can for them. Leave out {', '.join(lost)}, "
            f"or add the role: notify staff add {person.email} --role {made_for(lost[0].deed)}"
        )


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
