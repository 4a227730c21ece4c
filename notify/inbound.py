"""What residents wrote to us: the table that hooks fill and staff read."""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime

from sqlalchemy import ColumnElement, Index, UniqueConstraint, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import Field, Session, SQLModel, col, select

from contacts.columns import Moment, now
from contacts.models import Endpoint

REPLY = "reply"  # a person reads it
REFUSAL = "refusal"  # a person decides whether it is a no; nothing is sent meanwhile (R3)
HELD = "The resident may have refused our messages. See: notify inbox list"


class Inbound(SQLModel, table=True):
    """One message from a resident, kept once however often the provider tells us.

    The text is kept of replies only, for staff to read. The words of a yes or no are in the consent ledger.
    """

    __table_args__ = (
        UniqueConstraint("channel", "provider_id"),
        Index("ix_inbound_kind", "kind", "id"),
    )

    id: int | None = Field(default=None, primary_key=True)
    channel: str
    kind: str  # what it asks for: a notify.web.hooks.wishes.Want; of a mail, a channels.incoming.Kind
    endpoint_id: int | None = Field(default=None, foreign_key="endpoint.id", index=True)
    address_hash: str = ""  # of somebody we do not know: keyed, so that it cannot be guessed
    text: str = Field(default="", repr=False)
    language: str = ""  # BCP 47, where the keyword or the client told it
    answered: bool = False  # by the provider itself: it knows what the resident wants
    provider_id: str | None = None  # None: the provider gives its messages no id
    done_by: str = ""  # who of the staff has dealt with it
    done_at: datetime | None = Field(default=None, sa_type=Moment)
    at: datetime = Field(default_factory=now, sa_type=Moment)


def address_hash(key: bytes, channel: str, address_key: str) -> str:
    """What is kept of an address that nobody we know has: equal for equal addresses.

    Args:
        key: the city's secret.
        channel: its name.
        address_key: from `contacts.addresses`.
    """
    return hmac.new(key, f"inbound {channel} {address_key}".encode(), hashlib.sha256).hexdigest()


def keep(session: Session, row: Inbound) -> bool:
    """Keep one message; returns whether it is new. Nothing is committed."""
    try:
        with session.begin_nested():
            session.add(row)
    except IntegrityError:
        return False
    return True


def hold(session: Session, channel: str, address_key: str) -> None:
    """Send nothing to an address until a person has read what may be a refusal (R3). Nothing is committed.

    Args:
        session: an open session that may write.
        channel: its name.
        address_key: from `contacts.addresses`; everybody who shares the address is held.
    """
    session.flush()
    session.execute(update(Endpoint).where(*_at(channel, address_key)).values(held=HELD))


def release(session: Session, channel: str, address_key: str, *, by: str) -> None:
    """End the hold: the resident has said yes or no in clear words since, or a person has decided.

    What waits to be decided is done with. Other reasons to hold an address stay. Nothing is committed.

    Args:
        session: an open session that may write.
        channel: its name.
        address_key: from `contacts.addresses`.
        by: who decided: staff, or "resident".
    """
    session.flush()
    there = select(Endpoint.id).where(*_at(channel, address_key))
    waiting = (
        col(Inbound.endpoint_id).in_(there),
        col(Inbound.kind) == REFUSAL,
        col(Inbound.done_at).is_(None),
    )
    session.execute(update(Inbound).where(*waiting).values(done_by=by, done_at=now()))
    held = (*_at(channel, address_key), col(Endpoint.held) == HELD)
    session.execute(update(Endpoint).where(*held).values(held=""))


def _at(channel: str, address_key: str) -> tuple[ColumnElement[bool], ...]:
    return col(Endpoint.channel) == channel, col(Endpoint.address_key) == address_key
