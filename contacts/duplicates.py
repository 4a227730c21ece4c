"""Contacts that may be one person, found across lists: the same address, or the same name in one household.

The pairs are found by the database and put together here, group by group; of each contact only a number is held.
"""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from sqlalchemy import ColumnElement, Select, and_, func, select
from sqlmodel import Session, col

from contacts.models import Contact, Endpoint, EndpointState, Membership

SAME_NAME = "same name at one address"
_CHUNK = 2000  # rows that the database hands over at once


@dataclass(frozen=True, slots=True)
class Group:
    """Contacts that may be one person, by id, and why: `same sms`, `same name at one address`."""

    contacts: tuple[int, ...]
    why: tuple[str, ...]


def find(
    session: Session,
    *,
    household_channels: Collection[str],
    list_id: int | None = None,
    where: ColumnElement[bool] | None = None,
) -> Iterator[Group]:
    """Groups of contacts that may be one person, by the id of their first.

    Args:
        session: an open session.
        household_channels: those whose address is a household's: there the name has to be the same as well.
        list_id: only groups with somebody on this list.
        where: a condition on `Contact` that everybody in a group meets.
    """
    families = _Families()
    for why, contacts in _groups(session, household_channels, where):
        families.join(contacts, why)
    wanted = _on_list(session, list_id, families.everybody) if list_id is not None else None
    for group in families.groups():
        if wanted is None or wanted & set(group.contacts):
            yield group


def household(session: Session, contact_id: int, channels: Collection[str]) -> list[int]:
    """The other contacts who share a household's address with this one, by id."""
    own = select(col(Endpoint.address_key)).where(
        col(Endpoint.contact_id) == contact_id, *_is_address(), col(Endpoint.channel).in_(channels)
    )
    others = (
        select(col(Endpoint.contact_id))
        .where(col(Endpoint.channel).in_(channels), col(Endpoint.address_key).in_(own))
        .where(col(Endpoint.contact_id) != contact_id)
        .distinct()
        .order_by(col(Endpoint.contact_id))
    )
    return list(session.execute(others).scalars())


def folded_name(name: str) -> str:
    """A name without case, accents, punctuation and the order of its words: `Pérez, Ana` is `ana perez`."""
    apart = unicodedata.normalize("NFKD", name.casefold())
    letters = "".join(sign if sign.isalnum() else " " for sign in apart if not unicodedata.combining(sign))
    return " ".join(sorted(letters.split()))


def _groups(
    session: Session, household_channels: Collection[str], where: ColumnElement[bool] | None
) -> Iterator[tuple[str, list[int]]]:
    """Why, and who: each group by one reason."""
    rows = session.execute(_shared(where).execution_options(yield_per=_CHUNK))
    for (channel, _), found in groupby(rows, lambda row: (row.channel, row.address_key)):
        people = [(row.contact_id, row.name) for row in found]
        if channel not in household_channels:
            yield f"same {channel}", [number for number, _ in people]
        else:
            yield from ((SAME_NAME, namesakes) for namesakes in _namesakes(people))


def _shared(where: ColumnElement[bool] | None) -> Select[*tuple[str, str, int, str]]:
    """Everybody at an address that several have, address by address."""
    shared = (
        select(col(Endpoint.channel), col(Endpoint.address_key))
        .join(Contact, col(Contact.id) == col(Endpoint.contact_id))
        .where(*_is_address(), *([where] if where is not None else []))
        .group_by(col(Endpoint.channel), col(Endpoint.address_key))
        .having(func.count() > 1)
        .subquery()
    )
    same = and_(shared.c.channel == col(Endpoint.channel), shared.c.address_key == col(Endpoint.address_key))
    query = (
        select(col(Endpoint.channel), col(Endpoint.address_key), col(Endpoint.contact_id), col(Contact.name))
        .join(shared, same)
        .join(Contact, col(Contact.id) == col(Endpoint.contact_id))
        .order_by(col(Endpoint.channel), col(Endpoint.address_key), col(Endpoint.contact_id))
    )
    return query if where is None else query.where(where)


def _is_address() -> Sequence[ColumnElement[bool]]:
    return (col(Endpoint.state) != EndpointState.ERASED,)


def _namesakes(people: Sequence[tuple[int, str]]) -> Iterator[list[int]]:
    """Who of a household has the same name as another; who has none has nobody's."""
    called: dict[str, list[int]] = defaultdict(list)
    for number, name in people:
        called[folded_name(name)].append(number)
    yield from (found for name, found in called.items() if name and len(found) > 1)


def _on_list(session: Session, list_id: int, contacts: Sequence[int]) -> set[int]:
    found: set[int] = set()
    for at in range(0, len(contacts), _CHUNK):
        query = select(col(Membership.contact_id)).where(
            col(Membership.list_id) == list_id, col(Membership.contact_id).in_(contacts[at : at + _CHUNK])
        )
        found.update(session.execute(query).scalars())
    return found


class _Families:
    """Contacts joined to groups, whichever way each pair was found (a disjoint-set forest)."""

    def __init__(self) -> None:
        self._first: dict[int, int] = {}
        self._why: dict[int, dict[str, None]] = {}

    @property
    def everybody(self) -> list[int]:
        """Every contact of a group."""
        return list(self._first)

    def join(self, contacts: Sequence[int], why: str) -> None:
        """These are one group."""
        roots = [self._root(number) for number in contacts]
        first = min(roots)
        reasons = self._why.setdefault(first, {})
        for root in roots:
            self._first[root] = first
            reasons |= self._why.pop(root, {}) if root != first else {}
        reasons[why] = None

    def groups(self) -> Iterator[Group]:
        """The groups by their first."""
        together: dict[int, list[int]] = defaultdict(list)
        for number in sorted(self._first):
            together[self._root(number)].append(number)
        for first, contacts in together.items():
            yield Group(tuple(contacts), tuple(self._why[first]))

    def _root(self, number: int) -> int:
        while (above := self._first.setdefault(number, number)) != number:
            self._first[number] = self._first[above]  # halve the way for the next time
            number = above
        return number
