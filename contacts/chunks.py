"""What one chunk of an import's rows comes to, before it is written: people, their addresses, their decisions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from contacts.entries import Entry, Reach
from contacts.models import Basis


@dataclass(slots=True, eq=False)
class Person:
    """A contact as an import sees it. `id` is 0 until a new one is inserted."""

    id: int
    name: str = field(repr=False)
    language: str
    area: str = field(repr=False)
    groups: str = field(repr=False)
    was_touched: bool = False  # by an earlier row of this file
    lists: set[int] = field(default_factory=set)
    filled: list[tuple[str, str]] = field(default_factory=list, repr=False)  # fields and what they were given

    def is_called(self, name: str) -> bool:
        """Whether this is the same name but for case."""
        return self.name.casefold() == name.casefold()

    def fill_in(self, entry: Entry) -> bool:
        """Take from a row what is not known yet; False where there is nothing new."""
        before = len(self.filled)
        if entry.name and not self.name:
            self.name = entry.name
            self.filled.append(("name", entry.name))
        if entry.area and not self.area:
            self.area = entry.area
            self.filled.append(("area", entry.area))
        if added := _groups_beside(self.groups, entry.groups):
            self.groups = _as_groups({*_names(self.groups), *added})
            self.filled.append(("groups", _as_groups(added)))
        return len(self.filled) > before


@dataclass(slots=True, eq=False)
class Place:
    """An endpoint as an import sees it, with its standing on the list."""

    id: int
    person: Person
    channel: str
    address: str = field(repr=False)
    key: str = field(repr=False)
    opted_out: bool = False
    standing: dict[int, tuple[bool, str]] = field(default_factory=dict)  # by list: yes or no, and its basis

    def refuses(self, list_id: int) -> bool:
        """The resident said no."""
        return self.opted_out or not self.standing.get(list_id, (True, ""))[0]

    def has_agreed(self, list_id: int, basis: str) -> bool:
        """Whether there is a yes on at least this basis."""
        active, known = self.standing.get(list_id, (False, ""))
        return active and (known == Basis.CONSENT or basis == Basis.PUBLIC_TASK)


class Seen:
    """Which contacts this file was about: one bit each, however many there are."""

    def __init__(self) -> None:
        self._bits = bytearray()

    def add(self, number: int) -> None:
        """This contact too."""
        place = number >> 3
        if place >= len(self._bits):
            self._bits.extend(bytes(place + 4096 - len(self._bits)))
        self._bits[place] |= 1 << (number & 7)

    def __contains__(self, number: int) -> bool:
        place = number >> 3
        return place < len(self._bits) and bool(self._bits[place] & 1 << (number & 7))


class Chunk:
    """What one chunk of rows comes to, before it is written."""

    def __init__(self, known: Iterable[Place]) -> None:
        self.places: dict[tuple[str, str], list[Place]] = defaultdict(list)
        for place in known:
            self.places[place.channel, place.key].append(place)
        self.people: dict[Person, None] = {}  # in the order of their rows
        self.joined: list[tuple[Person, int]] = []
        self.new_places: list[Place] = []
        self.decisions: list[
            tuple[Entry, Place, int | None]
        ] = []  # yes to a list, or no to everything (None)
        self.refused: set[Place] = set()  # by a row of this chunk
        self.silenced: dict[tuple[str, str], set[int]] = {}

    def at(self, reach: Reach) -> list[Place]:
        """The places with this address."""
        return self.places.get((reach.channel, reach.key), [])

    def person_of(self, entry: Entry) -> Person | None:
        """Whom a row is about: who has one of its addresses, or the one of this name in the household."""
        direct = [place for reach in entry.reaches if not reach.is_household for place in self.at(reach)]
        if direct:
            return direct[0].person
        if not entry.name and not all(reach.is_household for reach in entry.reaches):
            return None
        household = (
            place.person for reach in entry.reaches if reach.is_household for place in self.at(reach)
        )
        return next((person for person in household if person.is_called(entry.name)), None)

    def add_place(self, person: Person, reach: Reach) -> Place:
        """A new endpoint for a person."""
        place = Place(0, person, reach.channel, reach.address, reach.key)
        self.places[reach.channel, reach.key].append(place)
        self.new_places.append(place)
        return place

    def join(self, person: Person, list_id: int) -> bool:
        """Put a person on a list; False where that is so already."""
        if list_id in person.lists:
            return False
        person.lists.add(list_id)
        self.joined.append((person, list_id))
        return True


def _groups_beside(known: str, said: str) -> set[str]:
    return _names(said) - _names(known)


def _names(groups: str) -> set[str]:
    return {*groups.split("|")} - {""}


def _as_groups(names: Iterable[str]) -> str:
    return f"|{'|'.join(sorted(names))}|"
