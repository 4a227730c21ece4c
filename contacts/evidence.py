"""The proof that the city may write to an address, or may not: who said what, when, how, in which words (R31)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import select
from sqlmodel import Session, col

from contacts import consent
from contacts.models import ConsentEvent, ContactList
from contacts.standing import Standing


@dataclass(frozen=True, slots=True)
class Evidence:
    """Why an endpoint may, or may not, be written to (R31). `list_name` is empty for everything."""

    list_id: int | None
    list_name: str
    allowed: bool
    basis: str
    method: str
    wording: str = field(repr=False)
    wording_language: str
    reference: str
    actor: str
    at: datetime
    recorded_at: datetime
    event_id: int


def why(session: Session, endpoint_id: int) -> list[Evidence]:
    """The proof for each thing that stands about an endpoint (R31): first everything, then list by list."""
    told = consent.course(session, endpoint_id)
    standing: list[tuple[int | None, Standing]] = list(told.state().lists.items())
    if told.general is not None:
        general = Standing(told.general.decision, told.general.basis, told.general.id)
        standing.insert(0, (None, general))
    names = {row.id: row.name for row in session.execute(select(col(ContactList.id), col(ContactList.name)))}
    return [
        _evidence(
            session.get_one(ConsentEvent, found.event_id), list_id, names.get(list_id, ""), found.active
        )
        for list_id, found in standing
    ]


def _evidence(event: ConsentEvent, list_id: int | None, list_name: str, allowed: bool) -> Evidence:
    return Evidence(
        list_id=list_id,
        list_name=list_name,
        allowed=allowed,
        basis=event.basis,
        method=event.method,
        wording=event.wording,
        wording_language=event.wording_language,
        reference=event.reference,
        actor=event.actor,
        at=event.at,
        recorded_at=event.recorded_at,
        event_id=event.id or 0,
    )
