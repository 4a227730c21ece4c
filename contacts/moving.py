"""An address becomes another one, by the provider's word: a chat group gets a new id.

What was said about the old address holds for the new one.
"""

from __future__ import annotations

from sqlalchemy import select
from sqlmodel import Session, col

from contacts import consent, joining, lists
from contacts.addresses import Address
from contacts.models import Endpoint, EndpointState

_ACTOR = "provider"


def readdress(session: Session, channel: str, old_key: str, new: Address) -> int:
    """Give everybody at an address its new form. Again is fine; nothing is committed.

    Where the new address is known already, what was said about the old one is said again about that, and
    nobody is written to twice.

    Args:
        session: an open session that may write.
        channel: its name.
        old_key: of the address that is no more.
        new: the address instead.

    Returns:
        How many endpoints had the old address.
    """
    there = {endpoint.contact_id: endpoint for endpoint in _at(session, channel, new.key)}
    moving = _at(session, channel, old_key) if old_key != new.key else []
    for endpoint in moving:
        kept = there.get(endpoint.contact_id) or next(iter(there.values()), None)
        if kept is None:
            endpoint.address, endpoint.address_key = new.address, new.key
            session.add(endpoint)
        else:
            _fold(session, endpoint, kept)
    session.flush()
    return len(moving)


def _fold(session: Session, twin: Endpoint, kept: Endpoint) -> None:
    """Leave one endpoint of two, on the lists of both that it agreed to."""
    assert twin.id is not None
    assert kept.id is not None
    twin.state, twin.state_reason = EndpointState.USABLE, ""  # the old address failed, which it had to
    joining.fold(session, twin.id, kept.id, actor=_ACTOR)
    for list_id, standing in consent.present(session, kept.id).lists.items():
        if standing.active:
            lists.add_member(session, list_id, kept.contact_id)


def _at(session: Session, channel: str, key: str) -> list[Endpoint]:
    query = select(Endpoint).where(col(Endpoint.channel) == channel, col(Endpoint.address_key) == key)
    return list(session.execute(query.order_by(col(Endpoint.id))).scalars())
