"""Letters that the post brought back: what each means for its delivery, for the address and for consent.

- Moved, or unknown there: the address is bad for those who had it when the letter was written; whoever moves in
  later is not meant.
- Refused: a no to this channel, as any other no; it is in the consent ledger.
- Deceased: nobody said no, and nothing more is sent to that person by any way until somebody has looked. Where
  the letter was for several people, it does not say who: then the address is held for all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeGuard

from sqlalchemy import select, update
from sqlmodel import Session, col

from channels.contract import Channel, EventKind, Verdict
from channels.incoming import BadCode, TakesReturns
from contacts import consent
from contacts.audience import Skip
from contacts.columns import now
from contacts.joining import living
from contacts.models import Endpoint, EndpointState
from notify import audit
from notify.dispatch import consequences, receipts
from notify.dispatch.models import ACCEPTED, Delivery, DeliveryState, Receipt

METHOD = "returned letter"  # how the consent ledger calls a refusal
_DECEASED = "A letter came back: the addressee has died."


class Reason(StrEnum):
    """Why the post brought a letter back."""

    MOVED = "moved"
    UNKNOWN = "unknown"
    REFUSED = "refused"
    DECEASED = "deceased"


_VERDICTS = {Reason.REFUSED: Verdict.OPTED_OUT}


@dataclass(frozen=True, slots=True)
class Returned:
    """One code, and what it names. `problem` says why it cannot be entered, in plain words."""

    code: str
    delivery: Delivery | None = None
    people: int = 0  # who were meant by the letter
    problem: str = ""


def look_up(session: Session, codes: Iterable[str], channels: Mapping[str, type[Channel]]) -> list[Returned]:
    """What each code names, and whether it can be entered. Nothing changes.

    Args:
        session: an open session.
        codes: as they were typed or scanned; empty lines and repetitions are left out.
        channels: every installed channel: letters come back after one was switched off, too.
    """
    wanted = dict.fromkeys(code.strip() for code in codes if code.strip())
    found: dict[object, Returned] = {}
    for code in wanted:
        returned = _look_up(session, code, channels)
        found.setdefault(returned.delivery.id if returned.delivery else code, returned)
    return list(found.values())


def enter(session: Session, returned: Returned, reason: Reason, actor: str) -> None:
    """Enter one letter that came back. Nothing is committed.

    Raises:
        ValueError: it cannot be entered.
    """
    row = returned.delivery
    if row is None or returned.problem:
        raise ValueError(f"{returned.code} {returned.problem}.")
    session.add(Receipt(delivery_id=receipts.row_id(row), kind=EventKind.UNDELIVERED, code=reason.value))
    row.state = DeliveryState.UNDELIVERED
    row.reason = _VERDICTS.get(reason, Verdict.BAD_ADDRESS).value
    row.code = f"returned: {reason}"
    session.add(row)
    session.flush()
    endpoint = living(session, row.endpoint_id) if row.endpoint_id is not None else None
    if endpoint is not None:
        _draw_consequences(session, row, endpoint, reason, returned.code, actor)
    audit.record(
        session,
        actor,
        "delivery.returned",
        f"delivery {row.id}",
        reason=reason.value,
        dispatch=row.dispatch_id,
    )


def _look_up(session: Session, code: str, channels: Mapping[str, type[Channel]]) -> Returned:
    problem = "is no code of anything that can come back: no channel here prints any"
    for name, channel in channels.items():
        if not _can_come_back(channel):
            continue
        try:
            key = channel.read_return_code(code)
        except BadCode as error:
            problem = str(error)
            continue
        row = session.get(Delivery, key)
        if row is None or row.channel != name:
            problem = "belongs to no letter of this hub"
            continue
        return Returned(code, row, len(_meant(session, row)), _why_not(row))
    return Returned(code, problem=problem)


def _can_come_back(channel: type[Channel]) -> TypeGuard[type[TakesReturns]]:
    """Whether messages of this channel can come back by post."""
    return issubclass(channel, TakesReturns)


def _why_not(row: Delivery) -> str:
    if (row.code or "").startswith("returned"):
        return "is entered already"
    if row.state not in (*ACCEPTED, DeliveryState.UNKNOWN):
        return f"was never handed over: the ledger says {row.state}"
    return ""


def _draw_consequences(
    session: Session, row: Delivery, endpoint: Endpoint, reason: Reason, code: str, actor: str
) -> None:
    if reason is Reason.REFUSED:
        consent.opt_out(
            session, endpoint.channel, endpoint.address_key, method=METHOD, reference=code, actor=actor
        )
    elif reason is Reason.DECEASED:
        _hold(session, row, endpoint)
    else:
        consequences.suppress(session, endpoint, f"letter returned: {reason}", before=row.sent_at or now())


def _hold(session: Session, row: Delivery, endpoint: Endpoint) -> None:
    meant = _meant(session, row)
    if len(meant) == 1:
        endpoint.state, endpoint.state_reason = EndpointState.BAD, f"letter returned: {Reason.DECEASED}"
        session.add(endpoint)
        session.flush()
        everything = col(Endpoint.contact_id) == row.contact_id
    else:
        everything = (col(Endpoint.contact_id).in_(meant)) & (col(Endpoint.channel) == row.channel)
    session.execute(update(Endpoint).where(everything, col(Endpoint.held) == "").values(held=_DECEASED))


def _meant(session: Session, row: Delivery) -> list[int]:
    """Whom the letter was for: its contact, and those of the household who got none of their own for it."""
    endpoint = living(session, row.endpoint_id) if row.endpoint_id is not None else None
    if endpoint is None:
        return [row.contact_id]
    others = (
        select(col(Delivery.contact_id))
        .join(Endpoint, col(Endpoint.id) == col(Delivery.endpoint_id))
        .where(
            col(Delivery.dispatch_id) == row.dispatch_id,
            col(Delivery.reason) == Skip.SAME_HOUSEHOLD,
            col(Endpoint.channel) == row.channel,
            col(Endpoint.address_key) == endpoint.address_key,
        )
    )
    return sorted({row.contact_id, *session.execute(others).scalars()})
