"""Erasing a contact: what the law wants gone goes, and the proof of consent stays as a keyed hash (R31).

An erased contact is an empty shell, so that the ledger's sums stay true. Nothing can be sent to it. What it
said about consent stays, without its own words; and when the address comes again, an old no is recognised.
"""

from __future__ import annotations

import hmac
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, select, tuple_, update
from sqlmodel import Session, SQLModel, col

from contacts import consent
from contacts.columns import now
from contacts.joining import TWIN_PREFIX
from contacts.models import (
    ConsentEvent,
    Contact,
    Endpoint,
    EndpointState,
    ImportFill,
    Membership,
    PendingYes,
    Subscription,
)
from contacts.standing import Course, Method, Said

ERASED_PREFIX = "erased:"
METHOD = "erasure"  # of the event that ends every subscription of an erased contact

# With these the words on record are the city's own: the form or the sentence that the resident agreed to.
_CITYS_WORDS = (
    Method.IMPORT, Method.PAPER, Method.WEB_FORM, Method.EMAIL_CONFIRMED, Method.EMAIL_ONE_CLICK,
)  # fmt: skip


class CannotErase(ValueError):
    """There is no such contact, or it is erased already; the message says which."""


@dataclass(frozen=True, slots=True)
class Erasure:
    """What erasing a contact takes away, and what stays.

    Attributes:
        contact_id: who is erased.
        shells: contacts that were merged into this one, which go with it.
        endpoints: all that had an address, by id, those of shells included.
        addresses: how many addresses go.
        lists: the lists it leaves, in number.
        subscriptions: how many of its subscriptions end.
        events: how many consent events stay, as the proof.
        own_words: how many of them lose the resident's own words.
        pending: unconfirmed sign-ups with its addresses that go.
    """

    contact_id: int
    shells: tuple[int, ...]
    endpoints: tuple[int, ...]
    addresses: int
    lists: int
    subscriptions: int
    events: int
    own_words: int
    pending: int


def erased_key(proof_key: bytes, channel: str, address_key: str) -> str:
    """What stays of an erased address: equal for equal addresses, and nothing without the city's key.

    Args:
        proof_key: the city's secret.
        channel: its name.
        address_key: from `contacts.addresses`.
    """
    digest = hmac.new(proof_key, f"{channel}\0{address_key}".encode(), "sha256").hexdigest()
    return f"{ERASED_PREFIX}{digest}"


def plan_erasure(session: Session, contact_id: int) -> Erasure:
    """What `erase` would do.

    Raises:
        CannotErase: there is no such contact, or nothing is left of it.
    """
    _check(session, contact_id)
    people = [contact_id, *_shells(session, contact_id)]
    endpoints = _endpoints(session, people)
    ids = [each.id or 0 for each in endpoints]
    events = col(ConsentEvent.endpoint_id).in_(ids)
    active = (col(Subscription.endpoint_id).in_(ids), col(Subscription.active))
    return Erasure(
        contact_id=contact_id,
        shells=tuple(people[1:]),
        endpoints=tuple(ids),
        addresses=sum(bool(each.address) for each in endpoints),
        lists=_count(session, Membership, col(Membership.contact_id).in_(people)),
        subscriptions=_count(session, Subscription, *active),
        events=_count(session, ConsentEvent, events),
        own_words=_count(session, ConsentEvent, events, *_own_words()),
        pending=_count(session, PendingYes, _pending_of(endpoints)),
    )


def erase(session: Session, proof_key: bytes, contact_id: int, *, actor: str) -> Erasure:
    """Erase a contact and what was merged into it. Nothing is committed.

    Args:
        session: an open session that may write.
        proof_key: the city's secret, with which `said_no_before` finds the address again.
        contact_id: who is erased.
        actor: who erases, for the consent ledger.

    Raises:
        CannotErase: see `plan_erasure`.
    """
    session.execute(select(col(Contact.id)).where(col(Contact.id) == contact_id).with_for_update())
    session.expire_all()
    plan = plan_erasure(session, contact_id)
    people = [contact_id, *plan.shells]
    endpoints = _endpoints(session, people)
    session.execute(delete(PendingYes).where(_pending_of(endpoints)))
    _end_subscriptions(session, endpoints, actor)
    events = col(ConsentEvent.endpoint_id).in_(plan.endpoints)
    session.execute(update(ConsentEvent).where(events, *_own_words()).values(wording=""))
    session.execute(update(ConsentEvent).where(events).values(ip=""))
    session.execute(delete(Membership).where(col(Membership.contact_id).in_(people)))
    session.execute(delete(ImportFill).where(col(ImportFill.contact_id).in_(people)))
    for endpoint in endpoints:
        _empty(endpoint, proof_key)
    moment = now()
    gone = {"name": "", "area": "", "groups": "", "erased_at": moment, "updated_at": moment}
    session.execute(update(Contact).where(col(Contact.id).in_(people)).values(gone))
    session.flush()
    return plan


def said_no_before(
    session: Session, proof_key: bytes, channel: str, address_key: str, *, list_id: int | None = None
) -> bool:
    """Whether somebody who was erased since had said no at this address, and nobody there a yes of their own since.

    What they say themselves from now on counts: ask this only before a weak yes, from an import or by public task.

    Args:
        session: an open session.
        proof_key: the city's secret, the one given to `erase`.
        channel: its name.
        address_key: from `contacts.addresses`.
        list_id: only a no to this list, or to everything, counts; None: any no.
    """
    erased = erased_key(proof_key, channel, address_key)
    return bool(refused_before(session, channel, {erased: address_key}, list_id=list_id))


def refused_before(
    session: Session, channel: str, addresses: dict[str, str], *, list_id: int | None = None
) -> set[str]:
    """Which of many addresses had said no before they were erased, see `said_no_before`.

    Args:
        session: an open session.
        channel: its name.
        addresses: `address_key` by `erased_key`.
        list_id: as for `said_no_before`.

    Returns:
        The address keys that said no.
    """
    heard = _heard(session, channel, addresses)
    return {key for key, course in heard.items() if _is_no(course, list_id)}


def said_no_since(
    session: Session, proof_key: bytes, endpoint: Endpoint, list_id: int | None, at: datetime
) -> bool:
    """Whether a yes of some day is outlived by a no at this address, of somebody who was erased after saying it.

    Ask this before a form that is entered late: what the erased person said is not among the endpoint's events.

    Args:
        session: an open session.
        proof_key: the city's secret, the one given to `erase`.
        endpoint: that the form is about.
        list_id: what the yes is about; None is everything.
        at: when it was said.
    """
    addresses = {erased_key(proof_key, endpoint.channel, endpoint.address_key): endpoint.address_key}
    course = _heard(session, endpoint.channel, addresses).get(endpoint.address_key)
    last = course.last_word(list_id) if course else None
    return last is not None and not last.decision and last.at >= at


def _heard(session: Session, channel: str, addresses: dict[str, str]) -> dict[str, Course]:
    """What was said at each address, before it was erased and since, in its order."""
    heard: dict[str, Course] = {}
    for key, said in _said(session, channel, [*addresses, *addresses.values()], only_if=addresses):
        if said.method != METHOD:
            heard.setdefault(addresses.get(key, key), Course()).add(said)
    return heard


def _said(
    session: Session, channel: str, keys: Sequence[str], *, only_if: Collection[str]
) -> Sequence[tuple[str, Said]]:
    """What was said at addresses, those erased and those that are there; nothing where none of them was erased."""
    there = (col(Endpoint.channel) == channel, col(Endpoint.address_key).in_(only_if))
    if session.execute(select(col(Endpoint.id)).where(*there).limit(1)).first() is None:
        return []
    columns = (
        Endpoint.address_key, ConsentEvent.id, ConsentEvent.list_id, ConsentEvent.decision, ConsentEvent.method,
        ConsentEvent.basis, ConsentEvent.at, ConsentEvent.reference,
    )  # fmt: skip
    query = (
        select(*map(col, columns))
        .join(Endpoint, col(Endpoint.id) == col(ConsentEvent.endpoint_id))
        .where(col(Endpoint.channel) == channel, col(Endpoint.address_key).in_(keys))
    )
    return [(row[0], Said(*row[1:])) for row in session.execute(query)]


def _is_no(course: Course, list_id: int | None) -> bool:
    if list_id is not None:
        last = course.last_word(list_id)
        return last is not None and not last.decision
    everything = course.general
    silenced = everything is not None and not everything.decision
    return silenced or any(not found.active for found in course.state().lists.values())


def _check(session: Session, contact_id: int) -> None:
    contact = session.get(Contact, contact_id)
    if contact is None:
        raise CannotErase(f"There is no contact {contact_id}. Look it up: notify contacts list")
    if contact.erased_at is not None:
        raise CannotErase(f"Contact {contact_id} was erased on {contact.erased_at:%Y-%m-%d}.")
    if contact.merged_into is not None:
        raise CannotErase(f"Contact {contact_id} was merged into {contact.merged_into}. Erase that one.")


def _shells(session: Session, contact_id: int) -> Sequence[int]:
    query = select(col(Contact.id)).where(col(Contact.merged_into) == contact_id).order_by(col(Contact.id))
    return [number for number in session.execute(query).scalars() if number is not None]


def _endpoints(session: Session, contact_ids: Collection[int]) -> list[Endpoint]:
    query = select(Endpoint).where(col(Endpoint.contact_id).in_(contact_ids)).order_by(col(Endpoint.id))
    return list(session.execute(query).scalars())


def _count(session: Session, model: type[SQLModel], *conditions: Any) -> int:
    query = select(func.count()).select_from(model).where(*conditions)
    return int(session.execute(query).scalar_one())


def _own_words() -> tuple[Any, ...]:
    """The conditions that an event holds words which the resident wrote."""
    return col(ConsentEvent.wording) != "", col(ConsentEvent.method).not_in(_CITYS_WORDS)


def _pending_of(endpoints: Sequence[Endpoint]) -> Any:
    places = [(each.channel, each.address_key) for each in endpoints]
    return tuple_(col(PendingYes.channel), col(PendingYes.address_key)).in_(places)


def _end_subscriptions(session: Session, endpoints: Sequence[Endpoint], actor: str) -> None:
    """An erased contact has no say any more, and nothing is sent to it."""
    consent.record_many(
        session,
        [
            consent.Word(
                contact_id=each.contact_id, endpoint_id=each.id or 0, decision=False, method=METHOD, actor=actor
            )
            for each in endpoints
        ],
    )  # fmt: skip


def _empty(endpoint: Endpoint, proof_key: bytes) -> None:
    if not endpoint.address_key.startswith(TWIN_PREFIX):
        endpoint.address_key = erased_key(proof_key, endpoint.channel, endpoint.address_key)
    endpoint.address = ""
    endpoint.state, endpoint.state_reason, endpoint.held = EndpointState.ERASED, "", ""
