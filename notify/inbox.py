"""What residents wrote that only a person can answer or decide: the queue of staff, holds first.

What may be a refusal holds sending to its address (R3), so it comes before everything else. A liaison sees
what people on their own lists wrote; what strangers wrote is for administrators.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, case
from sqlalchemy import select as columns
from sqlmodel import Session, col, select

from channels.contract import EventKind
from channels.text import clean
from contacts import consent
from contacts.columns import now
from contacts.joining import living
from contacts.models import Contact, Endpoint
from contacts.standing import Method
from notify import audit, inbound
from notify.inbound import Inbound
from notify.residents import Keeper

# Commands and button presses, which the hub has carried out itself.
_CARRIED_OUT = tuple(kind.value for kind in EventKind if kind is not EventKind.REPLY)


class InboxError(ValueError):
    """The message is not there, or cannot be resolved like this; the text names the cure."""


@dataclass(frozen=True, slots=True)
class Letter:
    """One message in the queue.

    Attributes:
        number: its id.
        at: when it came.
        channel: over which it came.
        kind: "refusal" where sending is held until somebody decides, else what came.
        contact_id: whose it is; None for a stranger's.
        language: the contact's, BCP 47; of a stranger what the message told, or empty.
        text: what they wrote.
        done_by: who has resolved it; empty while it waits.
    """

    number: int
    at: datetime
    channel: str
    kind: str
    contact_id: int | None
    language: str
    text: str = field(repr=False)
    done_by: str = ""

    @property
    def is_held(self) -> bool:
        """Whether sending to its address waits for a decision."""
        return self.kind == inbound.REFUSAL and not self.done_by


def waiting(session: Session, keeper: Keeper, *, limit: int = 50) -> list[Letter]:
    """The queue: holds first, then the oldest first. Nothing is committed.

    Args:
        session: an open session that may write, for the trace.
        keeper: who looks.
        limit: at most so many.
    """
    query = _visible(keeper).where(
        col(Inbound.done_at).is_(None),
        col(Inbound.kind).not_in(_CARRIED_OUT),
        # What is held waits for a decision, though its words are thrown away by now.
        (col(Inbound.text) != "") | (col(Inbound.kind) == inbound.REFUSAL),
    )
    holds_first = case((col(Inbound.kind) == inbound.REFUSAL, 0), else_=1)
    found = session.execute(query.order_by(holds_first, col(Inbound.id)).limit(limit)).all()
    audit.record(session, keeper.name, "inbox.list", "inbox", count=len(found))
    return [_letter(row, contact) for row, contact in found]


def show(session: Session, keeper: Keeper, number: int) -> Letter:
    """One message, whether it waits or not. Nothing is committed.

    Raises:
        InboxError: there is none, or it is not from somebody on this person's lists.
    """
    row, contact = _find(session, keeper, number)
    audit.record(session, keeper.name, "inbox.view", f"inbound {number}")
    return _letter(row, contact)


def resolve(session: Session, keeper: Keeper, number: int, *, refused: bool | None) -> Letter:
    """Deal with one message. Nothing is committed.

    A refusal becomes a no to everything, in the resident's own words. No confirmation is sent: it would be a
    text to somebody who has said no, and it is allowed within five minutes of the no only (R6), which a
    person's decision is not.

    Args:
        session: an open session that may write.
        keeper: who decides.
        number: the message.
        refused: whether it is a no. None: it is answered or needs nothing; not for what is held.

    Raises:
        InboxError: there is no such message, it is resolved, it is held and nobody decided, or it is a no of
            somebody we do not know.
    """
    row, contact = _find(session, keeper, number)
    endpoint = living(session, row.endpoint_id) if row.endpoint_id else None
    _check(row, endpoint, refused)
    if refused and endpoint is not None:
        _opt_out(session, keeper, row, endpoint)
    row.done_by, row.done_at = keeper.name, now()
    session.add(row)
    session.flush()
    if endpoint is not None and refused is not None and not _others_wait(session, endpoint):
        inbound.release(session, endpoint.channel, endpoint.address_key, by=keeper.name)
    audit.record(session, keeper.name, "inbox.resolve", f"inbound {number}", refused=refused)
    return _letter(row, contact)


def _opt_out(session: Session, keeper: Keeper, row: Inbound, endpoint: Endpoint) -> None:
    consent.opt_out(
        session, endpoint.channel, endpoint.address_key, method=Method.FREE_TEXT, wording=row.text,
        wording_language=row.language, reference=f"inbound {row.id}", actor=keeper.name, at=row.at,
    )  # fmt: skip
    inbound.release(session, endpoint.channel, endpoint.address_key, by=keeper.name)


def _check(row: Inbound, endpoint: Endpoint | None, refused: bool | None) -> None:
    if row.done_at is not None:
        raise InboxError(f"Message {row.id} was resolved by {row.done_by} on {row.done_at:%Y-%m-%d}.")
    if refused is None and row.kind == inbound.REFUSAL:
        raise InboxError(
            f"Nothing is sent to this address until somebody decides: notify inbox resolve {row.id} "
            "--refused or --not-a-refusal"
        )
    if refused and endpoint is None:
        raise InboxError(
            f"Message {row.id} is from an address that no contact has, so there is nobody to opt out. "
            f"Nothing is sent there. Put it away: notify inbox resolve {row.id} --not-a-refusal"
        )


def _others_wait(session: Session, endpoint: Endpoint) -> bool:
    """Whether another message from this address may be a refusal too."""
    there = select(Endpoint.id).where(
        Endpoint.channel == endpoint.channel, Endpoint.address_key == endpoint.address_key
    )
    query = select(Inbound.id).where(
        col(Inbound.endpoint_id).in_(there), Inbound.kind == inbound.REFUSAL, col(Inbound.done_at).is_(None)
    )
    return session.exec(query.limit(1)).first() is not None


def _find(session: Session, keeper: Keeper, number: int) -> tuple[Inbound, Contact | None]:
    found = session.execute(_visible(keeper).where(col(Inbound.id) == number)).first()
    if found is None:
        raise InboxError(
            f"There is no message {number}, or it is from nobody on your lists. See: notify inbox list"
        )
    return found[0], found[1]


def _visible(keeper: Keeper) -> Select[*tuple[Any, ...]]:
    query: Select[*tuple[Any, ...]] = (
        columns(Inbound, Contact)
        .outerjoin(Endpoint, col(Endpoint.id) == col(Inbound.endpoint_id))
        .outerjoin(Contact, col(Contact.id) == col(Endpoint.contact_id))
    )
    seen: ColumnElement[bool] | None = keeper.sees
    return query if seen is None else query.where(seen)


def _letter(row: Inbound, contact: Contact | None) -> Letter:
    return Letter(
        number=row.id or 0,
        at=row.at,
        channel=row.channel,
        kind=row.kind,
        contact_id=contact.id if contact else None,
        language=contact.language if contact else row.language,
        text=clean(row.text),
        done_by=row.done_by,
    )
