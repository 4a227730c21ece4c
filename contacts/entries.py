"""What one row of a sheet says about one resident: name, language, addresses, and what was agreed to."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import TypeVar

from channels.contract import AddressKind
from contacts import postal
from contacts.addresses import normalise
from contacts.languages import language_tag
from contacts.models import Basis
from contacts.sheets import Row, RowError, Sheet
from contacts.values import Address, BadValue, ImportFailed, Problem, SheetProblem, clean_line

T = TypeVar("T")

_LONGEST = {"name": 200, "area": 100, "groups": 500, "source": 200, "wording": 5000}  # characters

_FIELD_OF_KIND = {AddressKind.PHONE: "phone", AddressKind.EMAIL: "email", AddressKind.CHAT: "telegram"}
_LINE_FIELDS = ("address", "address1", "address2", "address3", "address4", "address5")
_ALSO_CALLED = {
    AddressKind.PHONE: ("phone", "text", "texts"),
    AddressKind.EMAIL: ("email", "mail"),
    AddressKind.CHAT: ("telegram", "chat"),
    AddressKind.POSTAL: ("letter", "post", "postal", "address"),
}

_YES = frozenset(
    ["yes", "y", "true", "t", "1", "1.0", "all", "x", "✓", "✔", "on", "ok", "sí", "si", "oui", "sim"]
)
_NO = frozenset(["no", "n", "false", "f", "0", "0.0", "none", "-", "off", "n/a", "non", "não"])
_STOP = frozenset(
    ["stop", "opted out", "opt out", "opt-out", "optout", "opted-out", "unsubscribed", "unsubscribe",
     "revoked", "refused", "do not contact", "dnc"]
)  # fmt: skip
_BETWEEN_CHANNELS = re.compile(r"[\s,;/|+&]+|\band\b")
_BETWEEN_GROUPS = re.compile(r"[,;|/\n]")
_MONTH_FIRST = frozenset({"US", "PH", "PR", "GU", "VI", "AS", "MP", "FM", "MH", "PW"})
_OLDEST = date(1990, 1, 1)


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


@dataclass(frozen=True, slots=True)
class _Answer:
    """What the consent cell says."""

    stop: bool = False
    channels: frozenset[str] = frozenset()

    def about(self, channel: str) -> bool | None:
        return False if self.stop else (channel in self.channels or None)


class EntryReader:
    """Reads the rows of one sheet.

    Args:
        sheet: whose rows they are.
        country: the city's, ISO 3166-1 alpha-2.
        channels: how addresses are written on each channel.
        attestation: stands for a consent column where there is none, and for what its cells leave out.
        moment: when the import takes place.

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
    ) -> None:
        self._sheet = sheet
        self._country = country.upper()
        self._channels = channels
        self._attestation = attestation
        self._moment = moment
        self._has_consent = "consent" in sheet.columns
        self._channels_called = _channels_called(channels)
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
        if entry.reaches:
            return entry, errors
        errors.append(RowError.of(row.number, "", "", BadValue(Problem.NO_ADDRESS)))
        return None, errors

    def _entry(self, row: Row, errors: list[RowError]) -> Entry:
        said = self._attestation
        agreed_at, refused_at, proof_errors = self._decided_at(row)
        wording = self._take(row, "consent_wording", _text("wording"), "", proof_errors)
        wording_language = self._take(row, "consent_language", language_tag, "", proof_errors)
        source = self._take(row, "consent_source", _text("source"), "", proof_errors)
        answer = self._answer(row, errors)
        if proof_errors and not answer.stop:
            answer = _Answer()  # a yes without proof is none; a no needs none
        entry = Entry(
            row=row.number,
            name=self._name(row, errors),
            language=self._take(row, "language", language_tag, "", errors),
            area=self._take(row, "area", _text("area"), "", errors),
            groups=self._take(row, "groups", _groups, "", errors),
            reaches=self._reaches(row, answer, errors),
            agreed_at=agreed_at,
            refused_at=refused_at,
            wording=wording or (said.wording if said else ""),
            wording_language=wording_language or (said.language if said and not wording else ""),
            reference=self._reference(row, source or (said.source if said else "")),
            basis=(said.basis if said else Basis.CONSENT).value,
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
        text = _text("name")
        whole = self._take(row, "name", text, "", errors)
        if whole:
            return whole
        parts = (self._take(row, name, text, "", errors) for name in ("first_name", "last_name"))
        return " ".join(filter(None, parts))

    def _answer(self, row: Row, errors: list[RowError]) -> _Answer:
        if self._has_consent:
            return self._take(row, "consent", self._read_answer, _Answer(), errors)
        if self._attestation is None:
            return _Answer()
        return _Answer(channels=self._attested())

    def _attested(self) -> frozenset[str]:
        assert self._attestation
        only_postal = self._attestation.basis == Basis.PUBLIC_TASK
        return frozenset(
            name for name, kind in self._channels.items() if kind == AddressKind.POSTAL or not only_postal
        )

    def _read_answer(self, raw: str) -> _Answer:
        text = clean_line(raw).casefold().strip(" .!")
        if text in _STOP:
            return _Answer(stop=True)
        if text in _NO or not text:
            return _Answer()
        if text in _YES:
            return _Answer(channels=frozenset(self._channels))
        words = [word for word in _BETWEEN_CHANNELS.split(text) if word]
        if not words or not all(word in self._channels_called for word in words):
            raise BadValue(Problem.CONSENT_UNKNOWN)
        return _Answer(channels=frozenset().union(*(self._channels_called[word] for word in words)))

    def _decided_at(self, row: Row) -> tuple[datetime, datetime, list[RowError]]:
        """When a yes and when a no counts from: a day's yes from its beginning, its no until its end."""
        errors: list[RowError] = []
        otherwise = (self._moment, self._moment)
        if self._attestation:
            otherwise = (_begin(self._attestation.date), self._moment)
        agreed_at, refused_at = self._take(row, "consent_date", self._read_date, otherwise, errors)
        return agreed_at, refused_at, errors

    def _read_date(self, raw: str) -> tuple[datetime, datetime]:
        found = _date(raw, month_first=self._country in _MONTH_FIRST)
        first, last = (found, found) if isinstance(found, datetime) else (_begin(found), _end(found))
        if first > self._moment + timedelta(days=1):
            raise BadValue(Problem.DATE_IN_FUTURE)
        return first, last

    def _reaches(self, row: Row, answer: _Answer, errors: list[RowError]) -> list[Reach]:
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
        return self._take(
            row, _FIELD_OF_KIND[kind], lambda raw: normalise(kind, raw, country=self._country), None, errors
        )

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
            name = "country" if problem.code == Problem.POSTAL_COUNTRY else lines[0]
            errors.append(RowError.of(row.number, self._sheet.columns[name], cells[name], problem))
            return None

    def _reference(self, row: Row, source: str) -> str:
        place = f"{self._sheet.path.name}, row {row.number}"
        return f"{source}; {place}" if source else place


def _check_attestation(attestation: Attestation, moment: datetime, *, has_consent: bool) -> None:
    if not attestation.wording.strip() or not attestation.source.strip():
        raise ImportFailed(
            SheetProblem.ATTESTATION,
            "The attestation lacks the words residents agreed to, or where that is kept.",
            "Give both.",
        )
    if _begin(attestation.date) > moment + timedelta(days=1):
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


def _channels_called(channels: Mapping[str, AddressKind]) -> dict[str, frozenset[str]]:
    """The channels that each word in a consent cell means."""
    called: dict[str, frozenset[str]] = {}
    for name, kind in channels.items():
        for word in (name.casefold(), *_ALSO_CALLED[kind]):
            called[word] = called.get(word, frozenset()) | {name}
    return called | {name.casefold(): frozenset({name}) for name in channels}


def _text(what: str) -> Callable[[str], str]:
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


def _date(raw: str, *, month_first: bool) -> date | datetime:
    """A day, or a moment where the time is given, as ISO 8601 or as the country writes days in numbers."""
    found = _iso(raw) or _written(raw, "%m/%d/%Y" if month_first else "%d/%m/%Y") or _written(raw, "%d.%m.%Y")
    if found is None or found.year < _OLDEST.year:
        raise BadValue(Problem.DATE_UNKNOWN)
    return found


def _iso(raw: str) -> date | datetime | None:
    try:
        return date.fromisoformat(raw)
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(raw)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _written(raw: str, form: str) -> date | None:
    try:
        return datetime.strptime(raw, form).replace(tzinfo=UTC).date()
    except ValueError:
        return None


def _begin(day: date) -> datetime:
    return datetime.combine(day, time.min, tzinfo=UTC)


def _end(day: date) -> datetime:
    return datetime.combine(day, time.max, tzinfo=UTC)
