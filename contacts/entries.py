"""What one row of a sheet says about one resident: name, language, addresses, and what was agreed to."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import TypeVar

from channels.contract import AddressKind
from contacts import postal
from contacts.addresses import normalise
from contacts.answers import Answer, AnswerReader
from contacts.dates import begin, end, read_day
from contacts.languages import language_tag
from contacts.models import Basis
from contacts.quick_addresses import quick_mailboxes, quick_phones
from contacts.sheets import Row, RowError, Sheet
from contacts.values import Address, BadAddress, BadValue, ImportFailed, Problem, SheetProblem, clean_line

T = TypeVar("T")

MOST_REFUSED = 1000  # values remembered as no addresses

_LONGEST = {
    "name": 200,
    "area": 100,
    "groups": 500,
    "source": 200,
    "wording": 5000,
    "lists": 2000,
}  # characters

FIELDS: Mapping[AddressKind, str] = {
    AddressKind.PHONE: "phone",
    AddressKind.EMAIL: "email",
    AddressKind.CHAT: "telegram",
}
_LINE_FIELDS = ("address", "address1", "address2", "address3", "address4", "address5")
_POSTAL_FIELDS = {
    Problem.POSTAL_COUNTRY: "country",
    Problem.POSTAL_POSTCODE: "postcode",
    Problem.POSTAL_REGION: "postcode",
}
_BETWEEN_LISTS = re.compile(r"[;|\n]")
_BETWEEN_GROUPS = re.compile(r"[,;|/\n]")


@dataclass(frozen=True, slots=True)
class Attestation:
    """A person's word that everybody in the sheet agreed, or that a law lets the city write to them.

    Attributes:
        wording: the exact words the residents saw, or the law.
        source: where that can be looked up: "paper forms 1 to 212, clerk's office".
        date: on which day they agreed.
        language: of the wording, BCP 47.
        basis: `PUBLIC_TASK` covers the postal addresses only.
    """

    wording: str
    source: str
    date: date
    language: str = ""
    basis: Basis = Basis.CONSENT


@dataclass(slots=True)
class Reach:
    """One address in a row, and what was decided about it: yes, no, or nothing (None)."""

    channel: str
    address: str = field(repr=False)
    key: str = field(repr=False)
    is_household: bool = False
    decision: bool | None = None


@dataclass(slots=True)
class Entry:
    """One row, understood. Empty texts where the row says nothing."""

    row: int
    name: str = field(repr=False)
    language: str
    area: str = field(repr=False)
    groups: str = field(repr=False)  # as `Contact.groups`
    reaches: list[Reach]
    agreed_at: datetime
    refused_at: datetime
    wording: str = field(repr=False)
    wording_language: str
    reference: str
    basis: str
    list_ids: tuple[int, ...]


class EntryReader:
    """Reads the rows of one sheet.

    Args:
        sheet: whose rows they are.
        country: the city's, ISO 3166-1 alpha-2.
        channels: how addresses are written on each channel.
        attestation: stands for a consent column where there is none, and for what its cells leave out.
        moment: when the import takes place.
        lists: the ids of all lists, by their names in small letters.
        list_ids: the lists that every row is for.

    Attributes:
        moment: when the import takes place.
        quick_phone: see `contacts.quick_addresses`.
        quick_mail: likewise.

    Raises:
        ImportFailed: the attestation has no words, no source, or a day that is still to come.
    """

    def __init__(
        self,
        sheet: Sheet,
        *,
        country: str,
        channels: Mapping[str, AddressKind],
        attestation: Attestation | None,
        moment: datetime,
        lists: Mapping[str, int],
        list_ids: Sequence[int],
    ) -> None:
        self._sheet = sheet
        self._lists = lists
        self._list_ids = tuple(list_ids)
        self._country = country.upper()
        self._channels = channels
        self._attestation = attestation
        self.moment = moment
        self._has_consent = "consent" in sheet.columns
        self._answers = AnswerReader(channels)
        self._refused: dict[tuple[AddressKind, str], Problem] = {}
        self.quick_phone = quick_phones(country)
        self.quick_mail = quick_mailboxes()
        if attestation:
            _check_attestation(attestation, moment, has_consent=self._has_consent)

    def read(self, row: Row) -> tuple[Entry | None, list[RowError]]:
        """Understand a row.

        Returns:
            The entry, without what could not be understood, or None where no address is left; and what
            could not be understood.
        """
        errors: list[RowError] = []
        entry = self._entry(row, errors)
        if entry.reaches and entry.list_ids:
            return entry, errors
        missing = Problem.NO_LIST if entry.reaches else Problem.NO_ADDRESS
        errors.append(RowError.of(row.number, "", "", BadValue(missing)))
        return None, errors

    def about(self, row: Row, errors: list[RowError]) -> tuple[str, str, str]:
        """Language, area and groups of a row."""
        return (
            self._take(row, "language", language_tag, "", errors),
            self._take(row, "area", text_of("area"), "", errors),
            self._take(row, "groups", _groups, "", errors),
        )

    def proof(self, row: Row, errors: list[RowError]) -> tuple[str, str, str]:
        """The words agreed to, their language, and where that can be looked up, without file and row."""
        said = self._attestation
        wording = self._take(row, "consent_wording", text_of("wording"), "", errors)
        language = self._take(row, "consent_language", language_tag, "", errors)
        source = self._take(row, "consent_source", text_of("source"), "", errors)
        return (
            wording or (said.wording if said else ""),
            language or (said.language if said and not wording else ""),
            source or (said.source if said else ""),
        )

    def answer(self, row: Row, errors: list[RowError]) -> Answer:
        """What the row, or the attestation, agrees to."""
        if self._has_consent:
            return self._take(row, "consent", self._answers.read, Answer(), errors)
        if self._attestation is None:
            return Answer()
        return Answer(channels=self._attested())

    def decided_at(self, row: Row, errors: list[RowError]) -> tuple[datetime, datetime]:
        """When a yes and when a no counts from: a day's yes from its beginning, its no until its end."""
        otherwise = (self.moment, self.moment)
        if self._attestation:
            otherwise = (begin(self._attestation.date), self.moment)
        return self._take(row, "consent_date", self._read_date, otherwise, errors)

    def list_ids(self, row: Row, errors: list[RowError]) -> tuple[int, ...]:
        """The lists that a row is for: the whole file's, and those it names."""
        nothing: tuple[int, ...] = ()
        named = self._take(row, "lists", self._read_lists, nothing, errors)
        return tuple(dict.fromkeys((*self._list_ids, *named)))

    def reference(self, number: int, source: str) -> str:
        """Where a decision can be looked up."""
        place = f"{self._sheet.path.name}, row {number}"
        return f"{source}; {place}" if source else place

    @property
    def basis(self) -> str:
        """Why the city may write to the people of this sheet."""
        return (self._attestation.basis if self._attestation else Basis.CONSENT).value

    def _entry(self, row: Row, errors: list[RowError]) -> Entry:
        proof_errors: list[RowError] = []
        agreed_at, refused_at = self.decided_at(row, proof_errors)
        wording, wording_language, source = self.proof(row, proof_errors)
        answer = self.answer(row, errors)
        if proof_errors and not answer.stop:
            answer = Answer()  # a yes without proof is none; a no needs none
        name = self._name(row, errors)
        language, area, groups = self.about(row, errors)
        entry = Entry(
            row=row.number,
            name=name,
            language=language,
            area=area,
            groups=groups,
            reaches=self._reaches(row, answer, errors),
            agreed_at=agreed_at,
            refused_at=refused_at,
            wording=wording,
            wording_language=wording_language,
            reference=self.reference(row.number, source),
            basis=self.basis,
            list_ids=self.list_ids(row, errors),
        )
        errors += proof_errors
        return entry

    def _take(
        self, row: Row, name: str, convert: Callable[[str], T], otherwise: T, errors: list[RowError]
    ) -> T:
        """A cell's value; what stands for it where it is empty, or wrong: then its error is added."""
        raw = row.cells.get(name)
        if raw is None:
            return otherwise
        try:
            return convert(raw)
        except BadValue as problem:
            errors.append(RowError.of(row.number, self._sheet.columns[name], raw, problem))
            return otherwise

    def _name(self, row: Row, errors: list[RowError]) -> str:
        text = text_of("name")
        whole = self._take(row, "name", text, "", errors)
        if whole:
            return whole
        parts = (self._take(row, name, text, "", errors) for name in ("first_name", "last_name"))
        return " ".join(filter(None, parts))

    def _attested(self) -> frozenset[str]:
        assert self._attestation
        only_postal = self._attestation.basis == Basis.PUBLIC_TASK
        return frozenset(
            name for name, kind in self._channels.items() if kind == AddressKind.POSTAL or not only_postal
        )

    def _read_lists(self, raw: str) -> tuple[int, ...]:
        names = [name for part in _BETWEEN_LISTS.split(raw) if (name := clean_line(part).casefold())]
        if len(raw) > _LONGEST["lists"]:
            raise BadValue(Problem.TOO_LONG)
        if not all(name in self._lists for name in names):
            raise BadValue(Problem.LIST_UNKNOWN)
        return tuple(self._lists[name] for name in names)

    def _read_date(self, raw: str) -> tuple[datetime, datetime]:
        found = read_day(raw, country=self._country)
        first, last = (found, found) if isinstance(found, datetime) else (begin(found), end(found))
        if first > self.moment + timedelta(days=1):
            raise BadValue(Problem.DATE_IN_FUTURE)
        return first, last

    def _reaches(self, row: Row, answer: Answer, errors: list[RowError]) -> list[Reach]:
        addresses: dict[AddressKind, Address | None] = {}
        reaches = []
        for channel, kind in self._channels.items():
            if kind not in addresses:
                addresses[kind] = self._address(row, kind, errors)
            address = addresses[kind]
            if address:
                is_household = kind == AddressKind.POSTAL
                reaches.append(
                    Reach(channel, address.address, address.key, is_household, answer.about(channel))
                )
        return reaches

    def _address(self, row: Row, kind: AddressKind, errors: list[RowError]) -> Address | None:
        if kind == AddressKind.POSTAL:
            return self._postal_address(row, errors)
        raw = row.cells.get(FIELDS[kind])
        return self.address(kind, row.number, raw, errors) if raw else None

    def address(self, kind: AddressKind, number: int, raw: str, errors: list[RowError]) -> Address | None:
        """A phone number, mailbox or chat; None, and its error added, where it cannot be used.

        Args:
            kind: how it is written.
            number: the row's.
            raw: as it was written.
            errors: what could not be understood.
        """
        try:
            return self._normalised(kind, raw)
        except BadValue as problem:
            errors.append(RowError.of(number, self._sheet.columns[FIELDS[kind]], raw, problem))
            return None

    def _normalised(self, kind: AddressKind, raw: str) -> Address:
        if kind == AddressKind.PHONE and (number := self.quick_phone(raw)):
            return Address(number, number)
        if kind == AddressKind.EMAIL and (mailbox := self.quick_mail(raw)):
            return Address(*mailbox)
        if (kind, raw) in self._refused:
            raise BadAddress(self._refused[kind, raw])
        try:
            return normalise(kind, raw, country=self._country)
        except BadAddress as problem:
            if len(self._refused) < MOST_REFUSED:  # "none", "unknown": what stands where nothing is known
                self._refused[kind, raw] = problem.code
            raise

    def _postal_address(self, row: Row, errors: list[RowError]) -> Address | None:
        cells = row.cells
        lines = [name for name in _LINE_FIELDS if name in cells]
        if not lines:
            return None
        rest = {name: cells.get(name, "") for name in ("city", "state", "postcode", "country")}
        fields = postal.Fields(tuple(cells[name] for name in lines), **rest)
        try:
            return postal.from_fields(fields, country=self._country)
        except BadValue as problem:
            name = _POSTAL_FIELDS.get(problem.code, "")
            name = name if name in cells else lines[0]
            errors.append(RowError.of(row.number, self._sheet.columns[name], cells[name], problem))
            return None


def _check_attestation(attestation: Attestation, moment: datetime, *, has_consent: bool) -> None:
    if not attestation.wording.strip() or not attestation.source.strip():
        raise ImportFailed(
            SheetProblem.ATTESTATION,
            "The attestation lacks the words residents agreed to, or where that is kept.",
            "Give both.",
        )
    if begin(attestation.date) > moment + timedelta(days=1):
        raise ImportFailed(
            SheetProblem.ATTESTATION,
            "The attestation's day is still to come.",
            "Give the day on which they agreed.",
        )
    if has_consent and attestation.basis == Basis.PUBLIC_TASK:
        raise ImportFailed(
            SheetProblem.ATTESTATION,
            "The sheet has a consent column, and public task needs no consent.",
            "Remove the column, or attest consent.",
        )


def text_of(what: str) -> Callable[[str], str]:
    """What makes one clean line of a cell, and refuses one that is far too long."""

    def convert(raw: str) -> str:
        text = clean_line(raw)
        if len(text) > _LONGEST[what]:
            raise BadValue(Problem.TOO_LONG)
        return text

    return convert


def _groups(raw: str) -> str:
    if len(raw) > _LONGEST["groups"]:
        raise BadValue(Problem.TOO_LONG)
    names = {clean_line(part).casefold() for part in _BETWEEN_GROUPS.split(raw)} - {""}
    return f"|{'|'.join(sorted(names))}|" if names else ""
