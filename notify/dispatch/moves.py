"""Addresses that turned out to be other ones while messages went to them (R14)."""

from __future__ import annotations

from collections.abc import Iterable

import structlog
from sqlmodel import Session

from channels.contract import Channel, Outcome
from contacts import moving
from contacts.addresses import BadAddress, normalise
from contacts.models import Endpoint, EndpointState
from notify.dispatch.models import Delivery

log = structlog.get_logger()


def follow(session: Session, channel: Channel, outcomes: Iterable[Outcome]) -> None:
    """Give endpoints the addresses that the provider named instead. Nothing is committed."""
    for outcome in outcomes:
        if outcome.moved_to:
            _follow(session, channel, outcome)


def _follow(session: Session, channel: Channel, outcome: Outcome) -> None:
    delivery = session.get(Delivery, outcome.key)
    endpoint = session.get(Endpoint, delivery.endpoint_id) if delivery else None
    if endpoint is None or endpoint.state == EndpointState.ERASED:
        return
    try:
        address = normalise(channel.address_kind, outcome.moved_to, country="")
    except BadAddress:
        log.warning("new_address_ignored", channel=channel.name, delivery=outcome.key)
        return
    moving.readdress(session, channel.name, endpoint.address_key, address)
