"""What a verdict says of an address and of consent: while sending, by a receipt, by the post."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import or_, update
from sqlmodel import Session, col

from channels.contract import Outcome, Verdict
from contacts import consent
from contacts.columns import now
from contacts.joining import living
from contacts.models import Endpoint, EndpointState
from notify.dispatch.models import Delivery


def draw(session: Session, outcomes: Iterable[Outcome]) -> None:
    """Draw the consequences of what a channel said while it sent: bad addresses are marked, a no is recorded."""
    for outcome in outcomes:
        if outcome.verdict is Verdict.BAD_ADDRESS:
            _mark(session, outcome.key, outcome.code or "")
        elif outcome.verdict is Verdict.OPTED_OUT:
            record_opt_out(session, outcome.key, method=consent.Method.PROVIDER, reference=outcome.code or "")


def record_opt_out(session: Session, delivery_id: int, *, method: str, reference: str) -> None:
    """Enter in the consent ledger that the resident behind a delivery said no to this channel."""
    if endpoint := reached(session, delivery_id):
        consent.opt_out(
            session, endpoint.channel, endpoint.address_key, method=method, wording="", wording_language="",
            reference=reference, actor="resident", at=now(),
        )  # fmt: skip


def suppress(session: Session, endpoint: Endpoint, reason: str, before: datetime | None = None) -> int:
    """Mark an address as one that does not work, for all who share it.

    Args:
        session: an open session that may write.
        endpoint: one of those who have it.
        reason: for staff, without personal data: "bounced 5.1.1".
        before: only for those who had it already then.

    Returns:
        How many were marked; not those that were before, or are erased.
    """
    query = update(Endpoint).where(
        col(Endpoint.channel) == endpoint.channel,
        col(Endpoint.address_key) == endpoint.address_key,
        col(Endpoint.state) == EndpointState.USABLE,
    )
    if before is not None:
        query = query.where(or_(col(Endpoint.created_at) <= before, col(Endpoint.id) == endpoint.id))
    result = session.execute(query.values(state=EndpointState.BAD, state_reason=reason[:200]))
    return int(getattr(result, "rowcount", 0))


def reached(session: Session, delivery_id: int) -> Endpoint | None:
    """The endpoint that a delivery went to, or the one that has its address after a merge."""
    delivery = session.get(Delivery, delivery_id)
    if delivery is None or delivery.endpoint_id is None:
        return None
    return living(session, delivery.endpoint_id)


def _mark(session: Session, delivery_id: int, code: str) -> None:
    if endpoint := reached(session, delivery_id):
        suppress(session, endpoint, by_provider(code))


def by_provider(code: str) -> str:
    """Why an address is marked that a provider called bad, for staff."""
    return f"provider {code}".strip()
