"""The opt-in lists that liaisons keep: made once, found by name."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlmodel import Session, col

from contacts.columns import now
from contacts.models import ContactList, Endpoint, Membership, Subscription

LONGEST_NAME = 100  # characters


class BadListName(ValueError):
    """No list can have this name; the message says why."""


class UnknownList(LookupError):
    """There is no list of this name; the message names those there are."""


def get_or_create(session: Session, name: str, *, description: str = "") -> ContactList:
    """The list of this name, made if there is none. Nothing is committed.

    Raises:
        BadListName: the name is empty, too long, or holds signs that cannot be printed.
    """
    wanted = clean_name(name)
    found = _find(session, wanted)
    if found is None:
        found = ContactList(name=wanted, description=description, created_at=now())
        session.add(found)
        session.flush()
    return found


def by_name(session: Session, name: str) -> ContactList:
    """The list of this name, whatever its case.

    Raises:
        UnknownList: there is none.
    """
    found = _find(session, " ".join(name.split()))
    if found is None:
        there_are = ", ".join(each.name for each in every(session)) or "none yet"
        raise UnknownList(f"There is no list called {name!r}. The lists: {there_are}.")
    return found


def every(session: Session) -> list[ContactList]:
    """All lists by name."""
    return list(session.execute(select(ContactList).order_by(col(ContactList.name))).scalars())


def add_member(session: Session, list_id: int, contact_id: int) -> None:
    """Put a contact on a list; there already is fine. This is no consent, see `contacts.consent`."""
    if session.get(Membership, (list_id, contact_id)) is None:
        session.add(Membership(list_id=list_id, contact_id=contact_id))
        session.flush()


def count_members(session: Session, list_id: int) -> int:
    """How many contacts are on the list, whether or not they may be written to."""
    query = select(func.count()).select_from(Membership).where(col(Membership.list_id) == list_id)
    return int(session.execute(query).scalar_one())


def count_subscribed(session: Session, list_id: int) -> dict[str, int]:
    """How many addresses agreed to the list, by channel."""
    query = (
        select(col(Endpoint.channel), func.count())
        .join(Subscription, col(Subscription.endpoint_id) == col(Endpoint.id))
        .where(col(Subscription.list_id) == list_id, col(Subscription.active))
        .where(~col(Endpoint.opted_out))
        .group_by(col(Endpoint.channel))
        .order_by(col(Endpoint.channel))
    )
    return {row[0]: row[1] for row in session.execute(query)}


def clean_name(name: str) -> str:
    """The name without needless spaces.

    Raises:
        BadListName: see `get_or_create`.
    """
    cleaned = " ".join(name.split())
    if not cleaned:
        raise BadListName("A list needs a name.")
    if len(cleaned) > LONGEST_NAME:
        raise BadListName(
            f"A list's name has at most {LONGEST_NAME} characters; this one has {len(cleaned)}."
        )
    if not cleaned.isprintable():
        raise BadListName("The list's name holds signs that cannot be printed. Type it again.")
    return cleaned


def _find(session: Session, name: str) -> ContactList | None:
    query = select(ContactList).where(func.lower(col(ContactList.name)) == func.lower(name))
    return session.execute(query.order_by(col(ContactList.id))).scalars().first()
