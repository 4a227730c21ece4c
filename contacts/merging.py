"""The rows of an import and what is known already, brought together.

What is known wins: a row fills what is empty and adds what is new; it never revives an opt-out, never mends
a bounced address and never changes a language (R32). Rows are written in chunks with a fixed number of
statements each, so memory does not grow with the file.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Row as ResultRow
from sqlalchemy import Select, and_, bindparam, select, update
from sqlmodel import Session, col

from contacts import consent
from contacts.bulk import insert_rows, reserve_ids, table
from contacts.entries import Entry, Reach
from contacts.models import Basis, Contact, Endpoint, EndpointState, Membership, Subscription
from contacts.sheets import RowError
from contacts.standing import Method

_FILLED = ("name", "area", "groups", "updated_at")  # what an import may change of a contact: not its language


@dataclass
class ImportReport:
    """What an import did, or on a dry run would have done.

    Every row is counted once: rows = created + updated + unchanged + duplicates + rejected.

    Attributes:
        file: its name.
        list_name: the list that the contacts were put on.
        encoding: as found out.
        delimiter: as found out.
        columns: the headers that were understood, by field.
        ignored_columns: the headers that were not.
        dry_run: nothing was kept.
        rows: rows with something in them.
        created: rows that made a contact.
        updated: rows that added something to a contact.
        unchanged: rows whose contact was known with all of it.
        duplicates: rows of a contact that an earlier row of the file was about.
        rejected: rows that were not imported.
        endpoints: addresses added.
        consents: yeses recorded.
        consents_without_wording: those of them without the exact words (R31).
        opt_outs: noes recorded.
        opt_outs_kept: yeses refused, because the resident had said no.
        languages_kept: rows that name another language than the contact's.
        error_count: things wrong in rows.
        errors: the first of them.
    """

    file: str
    list_name: str
    encoding: str
    delimiter: str
    columns: dict[str, str]
    ignored_columns: list[str]
    dry_run: bool
    rows: int = 0
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    duplicates: int = 0
    rejected: int = 0
    endpoints: int = 0
    consents: int = 0
    consents_without_wording: int = 0
    opt_outs: int = 0
    opt_outs_kept: int = 0
    languages_kept: int = 0
    error_count: int = 0
    errors: list[RowError] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """The report as plain values, for JSON."""
        plain = dict(vars(self))
        plain["errors"] = [
            {name: str(getattr(each, name)) for name in ("column", "masked", "code", "message", "cure")}
            | {"row": each.row}
            for each in self.errors
        ]
        return plain


class Merger:
    """Brings rows into the database, chunk by chunk.

    Args:
        session: one that may write, see `contacts.bulk.hold_imports`.
        list_id: the list that the contacts are put on.
        report: counts what happens.
        actor: who imports.
        language: of new contacts whose row names none.
        moment: when the import takes place.
    """

    def __init__(
        self,
        session: Session,
        list_id: int,
        report: ImportReport,
        *,
        actor: str,
        language: str,
        moment: datetime,
    ) -> None:
        self._session = session
        self._list_id = list_id
        self._report = report
        self._actor = actor
        self._language = language
        self._moment = moment
        self._seen = _Seen()

    def write(self, entries: list[Entry]) -> None:
        """Bring the contacts of some rows, their addresses and their consent into the database."""
        chunk = _Chunk(self._look_up(entries))
        for entry in entries:
            self._enter(entry, chunk)
        self._write_people(chunk)
        self._write_places(chunk)
        self._write_decisions(chunk)
        for person in chunk.people:
            self._seen.add(person.id)

    def _look_up(self, entries: list[Entry]) -> Iterator[_Place]:
        """The endpoints that have an address of these rows, with their contacts."""
        wanted: dict[str, set[str]] = defaultdict(set)
        for entry in entries:
            for reach in entry.reaches:
                wanted[reach.channel].add(reach.key)
        people: dict[int, _Person] = {}
        for channel, keys in wanted.items():
            for found in self._session.execute(self._known(channel, keys)):
                yield self._place(found, people)

    def _known(self, channel: str, keys: set[str]) -> Select[*tuple[Any, ...]]:
        on_list = and_(
            col(Subscription.endpoint_id) == col(Endpoint.id), col(Subscription.list_id) == self._list_id
        )
        member = and_(col(Membership.contact_id) == col(Contact.id), col(Membership.list_id) == self._list_id)
        return (
            select(
                col(Endpoint.id), col(Endpoint.contact_id), col(Endpoint.channel), col(Endpoint.address),
                col(Endpoint.address_key), col(Endpoint.opted_out), col(Contact.name), col(Contact.language),
                col(Contact.area), col(Contact.groups), col(Membership.list_id).label("member"),
                col(Subscription.active), col(Subscription.basis),
            )
            .join(Contact, col(Contact.id) == col(Endpoint.contact_id))
            .outerjoin(Subscription, on_list)
            .outerjoin(Membership, member)
            .where(col(Endpoint.channel) == channel, col(Endpoint.address_key).in_(keys))
            .order_by(col(Endpoint.contact_id), col(Endpoint.id))
        )  # fmt: skip

    def _place(self, found: ResultRow[Any], people: dict[int, _Person]) -> _Place:
        person = people.get(found.contact_id)
        if person is None:
            person = people[found.contact_id] = _Person(
                found.contact_id, found.name, found.language, found.area, found.groups,
                is_member=found.member is not None, was_touched=found.contact_id in self._seen,
            )  # fmt: skip
        return _Place(
            found.id, person, found.channel, found.address, found.address_key,
            found.opted_out, found.active, found.basis or "",
        )  # fmt: skip

    def _enter(self, entry: Entry, chunk: _Chunk) -> None:
        """Find or make the row's contact, give it what is new, and note what was decided."""
        person = chunk.person_of(entry)
        is_new, is_repeated = person is None, person is not None and person.was_touched
        if person is None:
            person = self._new_person(entry)
        self._report.languages_kept += bool(entry.language) and entry.language != person.language
        has_filled = person.fill_in(entry)
        has_joined = chunk.join(person)
        has_added = [self._decide(entry, reach, person, chunk) for reach in entry.reaches]
        person.was_touched = True
        chunk.people[person] = None
        self._count(is_new, is_repeated, has_filled or has_joined or any(has_added))

    def _new_person(self, entry: Entry) -> _Person:
        language = entry.language or self._language
        return _Person(0, entry.name, language, entry.area, entry.groups, is_member=False)

    def _count(self, is_new: bool, is_repeated: bool, has_changed: bool) -> None:
        report = self._report
        report.created += is_new
        report.duplicates += is_repeated
        report.updated += has_changed and not is_new and not is_repeated
        report.unchanged += not has_changed and not is_new and not is_repeated

    def _decide(self, entry: Entry, reach: Reach, person: _Person, chunk: _Chunk) -> bool:
        """Note what a row decides about one address; True where the address is new."""
        own = [place for place in chunk.at(reach) if place.person is person]
        # Who shares a phone or a mailbox shares its silence; who shares a letter box does not.
        places = own if reach.is_household else chunk.at(reach)
        is_new = not places
        if is_new:
            places = own = [chunk.add_place(person, reach)]
        if reach.decision is False:
            self._refuse(entry, places, chunk)
        elif reach.decision:
            self._agree(entry, (own or places)[0], places, chunk)
        return is_new

    def _refuse(self, entry: Entry, places: list[_Place], chunk: _Chunk) -> None:
        for place in places:
            if not place.opted_out:
                place.opted_out = True
                chunk.decisions.append((entry, place, False))

    def _agree(self, entry: Entry, place: _Place, places: list[_Place], chunk: _Chunk) -> None:
        if any(each.is_refused for each in places):
            self._report.opt_outs_kept += 1
            return
        if not place.has_agreed(entry.basis):
            place.active, place.basis = True, entry.basis
            chunk.decisions.append((entry, place, True))
        chunk.join(place.person)

    def _write_people(self, chunk: _Chunk) -> None:
        new = [person for person in chunk.people if not person.id]
        changed = [person for person in chunk.people if person.id and person.has_changed]
        for person, number in zip(new, reserve_ids(self._session, Contact, len(new)), strict=False):
            person.id = number
        made = {"created_at": self._moment}
        insert_rows(self._session, Contact, [self._contact_row(person) | made for person in new])
        self._update([self._contact_row(person) for person in changed])
        members = [{"list_id": self._list_id, "contact_id": person.id} for person in chunk.joined]
        insert_rows(self._session, Membership, members)

    def _contact_row(self, person: _Person) -> dict[str, Any]:
        return {
            "id": person.id,
            "name": person.name,
            "language": person.language,
            "area": person.area,
            "groups": person.groups,
            "updated_at": self._moment,
        }

    def _update(self, rows: list[dict[str, Any]]) -> None:
        contacts = table(Contact)
        values: dict[str, Any] = {name: bindparam(f"new_{name}") for name in _FILLED}
        statement = update(contacts).where(contacts.c.id == bindparam("new_id")).values(values)
        if rows:
            named = [{f"new_{name}": row[name] for name in ("id", *_FILLED)} for row in rows]
            self._session.connection().execute(statement, named)

    def _write_places(self, chunk: _Chunk) -> None:
        new = chunk.new_places
        for place, number in zip(new, reserve_ids(self._session, Endpoint, len(new)), strict=False):
            place.id = number
        insert_rows(self._session, Endpoint, [self._endpoint_row(place) for place in new])
        self._report.endpoints += len(new)

    def _endpoint_row(self, place: _Place) -> dict[str, Any]:
        return {
            "id": place.id,
            "contact_id": place.person.id,
            "channel": place.channel,
            "address": place.address,
            "address_key": place.key,
            "state": EndpointState.USABLE.value,
            "state_reason": "",
            "opted_out": False,
            "held": "",
            "soft_bounces": 0,
            "created_at": self._moment,
        }

    def _write_decisions(self, chunk: _Chunk) -> None:
        words = [self._word(entry, place, decision) for entry, place, decision in chunk.decisions]
        fresh = {place.id for place in chunk.new_places}
        for word, event in zip(words, consent.record_many(self._session, words, fresh=fresh), strict=True):
            self._report.opt_outs_kept += event is None
            self._report.opt_outs += not word.decision
            self._report.consents += word.decision and event is not None
            self._report.consents_without_wording += word.decision and event is not None and not word.wording

    def _word(self, entry: Entry, place: _Place, decision: bool) -> consent.Word:
        # A stop in a sheet is about everything: in doubt nobody is written to.
        return consent.Word(
            contact_id=place.person.id,
            endpoint_id=place.id,
            list_id=self._list_id if decision else None,
            decision=decision,
            method=Method.IMPORT.value,
            wording=entry.wording,
            wording_language=entry.wording_language,
            reference=entry.reference,
            actor=self._actor,
            at=entry.agreed_at if decision else entry.refused_at,
            basis=entry.basis if decision else Basis.CONSENT.value,
        )


@dataclass(slots=True, eq=False)
class _Person:
    """A contact as an import sees it. `id` is 0 until a new one is inserted."""

    id: int
    name: str = field(repr=False)
    language: str
    area: str = field(repr=False)
    groups: str = field(repr=False)
    is_member: bool
    has_changed: bool = False
    was_touched: bool = False  # by an earlier row of this file

    def is_called(self, name: str) -> bool:
        """Whether this is the same name but for case."""
        return self.name.casefold() == name.casefold()

    def fill_in(self, entry: Entry) -> bool:
        """Take from a row what is not known yet; False where there is nothing new."""
        groups = _joined_groups(self.groups, entry.groups)
        filled = (self.name or entry.name, self.area or entry.area, groups)
        changed = filled != (self.name, self.area, self.groups)
        self.name, self.area, self.groups = filled
        self.has_changed |= changed
        return changed


@dataclass(slots=True, eq=False)
class _Place:
    """An endpoint as an import sees it, with its standing on the list."""

    id: int
    person: _Person
    channel: str
    address: str = field(repr=False)
    key: str = field(repr=False)
    opted_out: bool = False
    active: bool | None = None  # None: nothing was said about the list
    basis: str = ""

    @property
    def is_refused(self) -> bool:
        """The resident said no."""
        return self.opted_out or self.active is False

    def has_agreed(self, basis: str) -> bool:
        """Whether there is a yes on at least this basis."""
        return bool(self.active) and (self.basis == Basis.CONSENT or basis == Basis.PUBLIC_TASK)


class _Seen:
    """Which contacts this file was about: one bit each, however many there are."""

    def __init__(self) -> None:
        self._bits = bytearray()

    def add(self, number: int) -> None:
        place = number >> 3
        if place >= len(self._bits):
            self._bits.extend(bytes(place + 4096 - len(self._bits)))
        self._bits[place] |= 1 << (number & 7)

    def __contains__(self, number: int) -> bool:
        place = number >> 3
        return place < len(self._bits) and bool(self._bits[place] & 1 << (number & 7))


class _Chunk:
    """What one chunk of rows comes to, before it is written."""

    def __init__(self, known: Iterable[_Place]) -> None:
        self.places: dict[tuple[str, str], list[_Place]] = defaultdict(list)
        for place in known:
            self.places[place.channel, place.key].append(place)
        self.people: dict[_Person, None] = {}  # in the order of their rows
        self.joined: list[_Person] = []
        self.new_places: list[_Place] = []
        self.decisions: list[tuple[Entry, _Place, bool]] = []

    def at(self, reach: Reach) -> list[_Place]:
        """The places with this address."""
        return self.places.get((reach.channel, reach.key), [])

    def person_of(self, entry: Entry) -> _Person | None:
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

    def add_place(self, person: _Person, reach: Reach) -> _Place:
        """A new endpoint for a person."""
        place = _Place(0, person, reach.channel, reach.address, reach.key)
        self.places[reach.channel, reach.key].append(place)
        self.new_places.append(place)
        return place

    def join(self, person: _Person) -> bool:
        """Put a person on the list; False where that is so already."""
        if person.is_member:
            return False
        person.is_member = True
        self.joined.append(person)
        return True


def _joined_groups(one: str, other: str) -> str:
    """The groups of both, as `Contact.groups`."""
    if not other or one == other:
        return one
    names = {*one.split("|"), *other.split("|")} - {""}
    return f"|{'|'.join(sorted(names))}|"
