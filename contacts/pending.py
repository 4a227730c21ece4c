"""Yeses on web forms that wait for the owner of the address to confirm them (double opt-in).

Whoever fills in the form gets nothing but one message with a link. The link's token is known to that message
alone: the table keeps its digest. Nothing is subscribed before the link's button has been pressed.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import delete, exists, func, select
from sqlmodel import Session, col

from contacts import consent, lists
from contacts.columns import now
from contacts.models import (
    Contact,
    ContactList,
    Endpoint,
    EndpointState,
    ListKind,
    PendingYes,
    Subscription,
)
from contacts.registering import add_contact, with_address

_TOKEN_BYTES = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What somebody filled in; the fields are those of `PendingYes`."""

    channel: str
    address: str = field(repr=False)
    address_key: str = field(repr=False)
    language: str
    area: str = field(default="", repr=False)
    list_ids: tuple[int, ...]
    wording: str = field(repr=False)
    ip: str = field(default="", repr=False)


def ask(session: Session, wish: Wish, *, days: int) -> str:
    """Keep a wish until its owner confirms it. Nothing is committed.

    Args:
        session: an open session that may write.
        wish: what was filled in.
        days: for so long it can be confirmed.

    Returns:
        The token for the link, which is kept nowhere.
    """
    token = secrets.token_urlsafe(_TOKEN_BYTES)
    moment = now()
    session.add(
        PendingYes(
            digest=_digest(token),
            channel=wish.channel,
            address=wish.address,
            address_key=wish.address_key,
            language=wish.language,
            area=wish.area,
            list_ids=list(wish.list_ids),
            wording=wish.wording,
            ip=wish.ip,
            asked_at=moment,
            expires_at=moment + timedelta(days=days),
        )
    )
    session.flush()
    return token


def asked(session: Session, since: datetime, *, channel: str = "", address_key: str = "") -> int:
    """How often somebody signed up since a moment: with one address, or at all."""
    query = select(func.count()).select_from(PendingYes).where(col(PendingYes.asked_at) >= since)
    if address_key:
        query = query.where(col(PendingYes.channel) == channel, col(PendingYes.address_key) == address_key)
    return int(session.execute(query).scalar_one())


def forget(session: Session, token: str) -> None:
    """Take a wish away again: its message could not be sent."""
    session.execute(delete(PendingYes).where(col(PendingYes.digest) == _digest(token)))


def find(session: Session, token: str, *, to_change: bool = False) -> PendingYes | None:
    """The wish that a token names, expired or not.

    Args:
        session: an open session.
        token: from the link.
        to_change: two that confirm at once wait for each other.
    """
    query = select(PendingYes).where(col(PendingYes.digest) == _digest(token))
    return session.execute(query.with_for_update() if to_change else query).scalars().first()


def is_over(pending: PendingYes) -> bool:
    """Whether it is too late to confirm."""
    return pending.expires_at <= now()


def topics(session: Session, pending: PendingYes) -> list[ContactList]:
    """The lists that were wished for and are still there to be joined, in the order of the wish."""
    query = select(ContactList).where(
        col(ContactList.id).in_(pending.list_ids),
        col(ContactList.public).is_(True),
        col(ContactList.kind) == ListKind.OPT_IN,
    )
    found = {listed.id: listed for listed in session.execute(query).scalars()}
    return [found[list_id] for list_id in pending.list_ids if list_id in found]


def confirm(
    session: Session, pending: PendingYes, *, method: str, wording: str, wording_language: str, ip: str
) -> Endpoint:
    """The owner of the address has pressed the button. Nothing is committed.

    A known address takes language and area from the form: they are its owner's latest word. That a message
    with the link came through shows that the address works, whatever was thought of it before.

    Args:
        session: an open session that may write.
        pending: from `find`, with `to_change`. Confirmed before, it changes nothing.
        method: how the yes reached us.
        wording: the exact words above the button.
        wording_language: their language, BCP 47.
        ip: of who pressed it.

    Returns:
        The endpoint that messages go to.
    """
    known = _known(session, pending)
    if pending.confirmed_at is not None and known:
        return known[0]
    endpoints = known or [_meet(session, pending)]
    _update(session, pending, endpoints)
    for listed in topics(session, pending):
        for endpoint in endpoints:
            lists.add_member(session, listed.id or 0, endpoint.contact_id)
        consent.opt_in(
            session,
            pending.channel,
            pending.address_key,
            list_id=listed.id,
            method=method,
            wording=wording,
            wording_language=wording_language,
            reference=f"join-{pending.id}",
            actor="resident",
            ip=ip,
        )
    pending.confirmed_at = now()
    session.add(pending)
    session.flush()
    return endpoints[0]


def endpoint_of(session: Session, pending: PendingYes) -> Endpoint | None:
    """The endpoint with the address of a wish, if there is one."""
    return next(iter(_known(session, pending)), None)


def gets_all(session: Session, channel: str, address_key: str, list_ids: tuple[int, ...]) -> Endpoint | None:
    """The endpoint with this address if it is subscribed to all these lists and works."""
    query = select(Endpoint).where(
        col(Endpoint.channel) == channel,
        col(Endpoint.address_key) == address_key,
        col(Endpoint.opted_out).is_(False),
        col(Endpoint.state) == EndpointState.USABLE,
    )
    for list_id in list_ids:
        query = query.where(
            exists().where(
                col(Subscription.endpoint_id) == col(Endpoint.id),
                col(Subscription.list_id) == list_id,
                col(Subscription.active),
            )
        )
    return session.execute(query.order_by(col(Endpoint.id)).limit(1)).scalars().first()


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def _known(session: Session, pending: PendingYes) -> list[Endpoint]:
    return with_address(session, pending.channel, pending.address_key)


def _meet(session: Session, pending: PendingYes) -> Endpoint:
    contact = add_contact(session, language=pending.language, area=pending.area)
    endpoint = Endpoint(
        contact_id=contact.id or 0,
        channel=pending.channel,
        address=pending.address,
        address_key=pending.address_key,
    )
    session.add(endpoint)
    session.flush()
    return endpoint


def _update(session: Session, pending: PendingYes, endpoints: list[Endpoint]) -> None:
    """Language and area of the first, to whom a message for all who share the address goes."""
    contact = session.get_one(Contact, endpoints[0].contact_id)
    contact.language, contact.area = pending.language, pending.area or contact.area
    contact.updated_at = now()
    session.add(contact)
    for endpoint in endpoints:
        endpoint.state, endpoint.state_reason, endpoint.soft_bounces = EndpointState.USABLE, "", 0
        session.add(endpoint)
