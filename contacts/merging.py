"""The rows of an import and what is known already, brought together.

What is known wins: a row fills what is empty and adds what is new; it never revives an opt-out, never mends
a bounced address and never changes a language (R32). Rows are written in chunks with a fixed number of
statements each, so memory does not grow with the file.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Row as ResultRow
from sqlalchemy import Select, bindparam, select, update
from sqlmodel import Session, col

from contacts import consent
from contacts.bulk import insert_rows, reserve_ids, table
from contacts.chunks import Chunk, Person, Place, Seen
from contacts.entries import Entry, Reach
from contacts.erasure import erased_key, refused_before
from contacts.models import (
    Basis,
    Contact,
    Endpoint,
    EndpointState,
    ImportFill,
    Membership,
    Subscription,
)
from contacts.reports import ImportReport
from contacts.standing import Method

_FILLED = ("name", "area", "groups", "updated_at")  # what an import may change of a contact: not its language


@dataclass(frozen=True, slots=True)
class Scope:
    """What is the same for every row of one import.

    Attributes:
        actor: who imports.
        language: of new contacts whose row names none.
        moment: when the import takes place.
        import_id: of the `ImportRun`; None on a dry run.
        exclusions: lists that leave people out, which need no consent.
        proof_key: the city's secret, by which erased addresses are known again; empty where none is erased.
    """

    actor: str
    language: str
    moment: datetime
    import_id: int | None = None
    exclusions: frozenset[int] = frozenset()
    proof_key: bytes = field(default=b"", repr=False)


class Merger:
    """Brings rows into the database, chunk by chunk.

    Args:
        session: one that may write, see `contacts.bulk.hold_imports`.
        report: counts what happens.
        scope: what is the same for every row.
        seen: the contacts that this file was about.
    """

    def __init__(self, session: Session, report: ImportReport, scope: Scope, seen: Seen) -> None:
        self._session = session
        self._report = report
        self._scope = scope
        self._seen = seen

    def write(self, entries: list[Entry]) -> None:
        """Bring the contacts of some rows, their addresses and their consent into the database."""
        chunk = Chunk(self._look_up(entries))
        chunk.silenced = self._silenced(entries)
        for entry in entries:
            self._enter(entry, chunk)
        self._write_people(chunk)
        self._write_places(chunk)
        self._write_decisions(chunk)
        for person in chunk.people:
            self._seen.add(person.id)

    def _look_up(self, entries: list[Entry]) -> list[Place]:
        """The endpoints that have an address of these rows, with their contacts."""
        wanted: dict[str, set[str]] = defaultdict(set)
        for entry in entries:
            for reach in entry.reaches:
                wanted[reach.channel].add(reach.key)
        people: dict[int, Person] = {}
        places = [
            self._place(found, people)
            for channel, keys in wanted.items()
            for found in self._session.execute(_known(channel, keys))
        ]
        self._add_standing(people, {place.id: place for place in places})
        return places

    def _add_standing(self, people: dict[int, Person], places: dict[int, Place]) -> None:
        """The lists that people are on, and what was said about each list."""
        on_lists = select(col(Membership.contact_id), col(Membership.list_id)).where(
            col(Membership.contact_id).in_(people)
        )
        for member in self._session.execute(on_lists) if people else ():
            people[member.contact_id].lists.add(member.list_id)
        said = select(
            col(Subscription.endpoint_id), col(Subscription.list_id), col(Subscription.active),
            col(Subscription.basis),
        ).where(col(Subscription.endpoint_id).in_(places))  # fmt: skip
        for found in self._session.execute(said) if places else ():
            places[found.endpoint_id].standing[found.list_id] = (found.active, found.basis)

    def _silenced(self, entries: list[Entry]) -> dict[tuple[str, str], set[int]]:
        """The lists that were refused at addresses of these rows by people who were erased since."""
        found: dict[tuple[str, str], set[int]] = defaultdict(set)
        if not self._scope.proof_key:
            return found
        # Those on record as well: somebody may have written from there since, and agreed to nothing.
        asked = {(reach.channel, reach.key) for entry in entries for reach in entry.reaches}
        for list_id in {list_id for entry in entries for list_id in entry.list_ids}:
            for address in refused_addresses(self._session, self._scope.proof_key, asked, list_id=list_id):
                found[address].add(list_id)
        return found

    def _place(self, found: ResultRow[Any], people: dict[int, Person]) -> Place:
        person = people.get(found.contact_id)
        if person is None:
            person = people[found.contact_id] = Person(
                found.contact_id, found.name, found.language, found.area, found.groups,
                was_touched=found.contact_id in self._seen,
            )  # fmt: skip
        return Place(found.id, person, found.channel, found.address, found.address_key, found.opted_out)

    def _enter(self, entry: Entry, chunk: Chunk) -> None:
        """Find or make the row's contact, give it what is new, and note what was decided."""
        reaches = [reach for reach in entry.reaches if not self._is_silent(entry, reach, chunk)]
        self._report.opt_outs_kept += len(entry.reaches) - len(reaches)
        if not reaches:
            self._report.unchanged += 1
            return
        person = chunk.person_of(entry)
        is_new, is_repeated = person is None, person is not None and person.was_touched
        if person is None:
            person = self._new_person(entry)
        self._report.languages_kept += bool(entry.language) and entry.language != person.language
        has_filled = person.fill_in(entry)
        has_joined = [chunk.join(person, list_id) for list_id in entry.list_ids]
        has_added = [self._decide(entry, reach, person, chunk) for reach in reaches]
        person.was_touched = True
        chunk.people[person] = None
        self._count(is_new, is_repeated, has_filled or any(has_joined) or any(has_added))

    def _is_silent(self, entry: Entry, reach: Reach, chunk: Chunk) -> bool:
        """Whoever had this address refused all these lists, was erased, and did not come back.

        A stop is kept all the same: it is about every list.
        """
        if reach.decision is False:
            return False
        refused = chunk.silenced.get((reach.channel, reach.key))
        wanted = set(entry.list_ids) - self._scope.exclusions
        return bool(refused) and wanted <= (refused or set()) and not chunk.at(reach)

    def _new_person(self, entry: Entry) -> Person:
        language = entry.language or self._scope.language
        return Person(0, entry.name, language, entry.area, entry.groups)

    def _count(self, is_new: bool, is_repeated: bool, has_changed: bool) -> None:
        report = self._report
        report.created += is_new
        report.duplicates += is_repeated
        report.updated += has_changed and not is_new and not is_repeated
        report.unchanged += not has_changed and not is_new and not is_repeated

    def _decide(self, entry: Entry, reach: Reach, person: Person, chunk: Chunk) -> bool:
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

    def _refuse(self, entry: Entry, places: list[Place], chunk: Chunk) -> None:
        for place in places:
            # Kept also where an older no stands: a yes on paper that is entered late may be newer than that one.
            if place not in chunk.refused:
                place.opted_out = True
                chunk.refused.add(place)
                chunk.decisions.append((entry, place, None))

    def _agree(self, entry: Entry, place: Place, places: list[Place], chunk: Chunk) -> None:
        erased = chunk.silenced.get((place.channel, place.key), ())
        for list_id in entry.list_ids:
            if list_id in self._scope.exclusions:
                continue
            if list_id in erased or any(each.refuses(list_id) for each in places):
                self._report.opt_outs_kept += 1
                continue
            if not place.has_agreed(list_id, entry.basis):
                place.standing[list_id] = (True, entry.basis)
                chunk.decisions.append((entry, place, list_id))
            chunk.join(place.person, list_id)

    def _write_people(self, chunk: Chunk) -> None:
        new = [person for person in chunk.people if not person.id]
        changed = [person for person in chunk.people if person.id and person.filled]
        for person, number in zip(new, reserve_ids(self._session, Contact, len(new)), strict=False):
            person.id = number
        made = {"created_at": self._scope.moment, "import_id": self._scope.import_id}
        insert_rows(self._session, Contact, [self._contact_row(person) | made for person in new])
        self._update([self._contact_row(person) for person in changed])
        self._note_fills(changed)
        members = [
            {"list_id": list_id, "contact_id": person.id, "import_id": self._scope.import_id}
            for person, list_id in chunk.joined
        ]
        insert_rows(self._session, Membership, members)

    def _note_fills(self, changed: list[Person]) -> None:
        if self._scope.import_id is None:
            return
        rows = [
            {"import_id": self._scope.import_id, "contact_id": person.id, "field": name, "value": value}
            for person in changed
            for name, value in person.filled
        ]
        insert_rows(self._session, ImportFill, rows)

    def _contact_row(self, person: Person) -> dict[str, Any]:
        return {
            "id": person.id,
            "name": person.name,
            "language": person.language,
            "area": person.area,
            "groups": person.groups,
            "updated_at": self._scope.moment,
        }

    def _update(self, rows: list[dict[str, Any]]) -> None:
        contacts = table(Contact)
        values: dict[str, Any] = {name: bindparam(f"new_{name}") for name in _FILLED}
        statement = update(contacts).where(contacts.c.id == bindparam("new_id")).values(values)
        if rows:
            named = [{f"new_{name}": row[name] for name in ("id", *_FILLED)} for row in rows]
            self._session.connection().execute(statement, named)

    def _write_places(self, chunk: Chunk) -> None:
        new = chunk.new_places
        for place, number in zip(new, reserve_ids(self._session, Endpoint, len(new)), strict=False):
            place.id = number
        insert_rows(self._session, Endpoint, [self._endpoint_row(place) for place in new])
        self._report.endpoints += len(new)

    def _endpoint_row(self, place: Place) -> dict[str, Any]:
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
            "created_at": self._scope.moment,
            "import_id": self._scope.import_id,
        }

    def _write_decisions(self, chunk: Chunk) -> None:
        words = [self._word(entry, place, list_id) for entry, place, list_id in chunk.decisions]
        fresh = {place.id for place in chunk.new_places}
        for word, event in zip(words, consent.record_many(self._session, words, fresh=fresh), strict=True):
            self._report.opt_outs_kept += event is None
            self._report.opt_outs += not word.decision
            self._report.consents += word.decision and event is not None
            self._report.consents_without_wording += word.decision and event is not None and not word.wording

    def _word(self, entry: Entry, place: Place, list_id: int | None) -> consent.Word:
        # A stop in a sheet is about everything: in doubt nobody is written to. Nobody said it in the words of a yes.
        decision = list_id is not None
        return consent.Word(
            contact_id=place.person.id,
            endpoint_id=place.id,
            list_id=list_id,
            decision=decision,
            method=Method.IMPORT.value,
            wording=entry.wording if decision else "",
            wording_language=entry.wording_language if decision else "",
            reference=entry.reference,
            actor=self._scope.actor,
            at=entry.agreed_at if decision else entry.refused_at,
            basis=entry.basis if decision else Basis.CONSENT.value,
            import_id=self._scope.import_id,
        )


def _known(channel: str, keys: Iterable[str]) -> Select[*tuple[Any, ...]]:
    return (
        select(
            col(Endpoint.id), col(Endpoint.contact_id), col(Endpoint.channel), col(Endpoint.address),
            col(Endpoint.address_key), col(Endpoint.opted_out), col(Contact.name), col(Contact.language),
            col(Contact.area), col(Contact.groups),
        )
        .join(Contact, col(Contact.id) == col(Endpoint.contact_id))
        .where(col(Endpoint.channel) == channel, col(Endpoint.address_key).in_(keys))
        .order_by(col(Endpoint.contact_id), col(Endpoint.id))
    )  # fmt: skip


def refused_addresses(
    session: Session, proof_key: bytes, addresses: Iterable[tuple[str, str]], *, list_id: int | None = None
) -> set[tuple[str, str]]:
    """Which addresses belonged to people who said no and were erased since (R32).

    Args:
        session: an open session.
        proof_key: the city's secret.
        addresses: channels and keys.
        list_id: only a no to this list, or to everything, counts; None: any no.
    """
    asked: dict[str, dict[str, str]] = defaultdict(dict)
    for channel, key in addresses:
        asked[channel][erased_key(proof_key, channel, key)] = key
    return {
        (channel, key)
        for channel, keys in asked.items()
        for key in refused_before(session, channel, keys, list_id=list_id)
    }
