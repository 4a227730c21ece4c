"""The quick way through rows as most sheets have them: a name, a phone, a mailbox, and a few words that repeat.

What such a row says is understood by `contacts.entries` once for each combination of cells that repeats, and
remembered. Whatever is not plain - another channel, an error, a stop, an unusual number - comes back as None
and goes the long way. Both ways say the same about every row.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from operator import itemgetter
from typing import Any, NamedTuple, TypeVar

from channels.contract import AddressKind
from contacts.entries import FIELDS, Entry, EntryReader, Reach, text_of
from contacts.sheets import LONGEST_ROW, Row, RowError, Sheet
from contacts.values import BadValue

T = TypeVar("T")

MOST_REMEMBERED = 10_000  # combinations of cells at a time
MOST_LISTS = 60  # bits of a whole number that every database has

_ABOUT = ("language", "area", "groups")
_PROOF = ("consent", "consent_wording", "consent_language", "consent_source", "lists")
_OTHER_ADDRESSES = ("telegram", "address", *(f"address{n}" for n in range(1, 6)))
_clean_name = text_of("name")


class Plain(NamedTuple):
    """One plain row. `yes` and `lists` are sets of bits: see `PlainReader.channels` and `.lists`."""

    row: int
    name: str
    language: str
    area: str
    groups: str
    phone: str
    mail: str
    mail_key: str
    yes: int
    lists: int
    agreed_at: datetime
    wording: str
    wording_language: str
    reference: str


class PlainReader:
    """Reads the plain rows of one sheet.

    Args:
        sheet: whose rows they are.
        reader: understands what is not known yet.
        channels: how addresses are written on each channel.

    Attributes:
        channels: those with phone numbers and mailboxes; bit 0 of `Plain.yes` is the first.
        lists: the ids of lists; bit 0 of `Plain.lists` is the first.
    """

    def __init__(self, sheet: Sheet, reader: EntryReader, *, channels: Mapping[str, AddressKind]) -> None:
        self.channels = [
            name for name, kind in channels.items() if kind in (AddressKind.PHONE, AddressKind.EMAIL)
        ]
        self.lists: list[int] = []
        self._kinds = dict(channels)
        self._reader = reader
        self._width = len(sheet.header)
        kinds = dict.fromkeys(channels[name] for name in self.channels)
        self._places = [(kind, sheet.places[FIELDS[kind]]) for kind in kinds if FIELDS[kind] in sheet.places]
        self._quick_phone = reader.quick_phone
        self._quick_mail = reader.quick_mail
        self._name = sheet.places.get("name")
        self._name_parts = [
            sheet.places[name] for name in ("first_name", "last_name") if name in sheet.places
        ]
        self._others = [sheet.places[name] for name in _OTHER_ADDRESSES if name in sheet.places]
        self._about = _Memory(sheet, _ABOUT, reader.about)
        self._proof = _Memory(sheet, _PROOF, self._read_proof)
        self._moment = _Memory(sheet, ("consent_date",), self._read_moment)

    def read(self, number: int, cells: list[str], errors: list[RowError]) -> Plain | None:
        """What a row says, or None where it is not plain.

        Args:
            number: the row's.
            cells: as the sheet has them.
            errors: addresses that cannot be used are added; none where the row is not plain.
        """
        text = "".join(cells)
        if len(cells) != self._width or len(text) > LONGEST_ROW or "\0" in text:
            return None
        about, proof, moment = self._about.of(cells), self._proof.of(cells), self._moment.of(cells)
        if about is None or proof is None or moment is None:
            return None
        for place in self._others:
            if cells[place].strip():
                return None
        phone = mail = mail_key = ""
        for kind, place in self._places:
            written = cells[place].strip()
            if not written:
                continue
            if kind is AddressKind.PHONE:
                phone = self._quick_phone(written) or self._long_way(kind, number, written, errors)[0]
            else:
                mail, mail_key = self._quick_mail(written) or self._long_way(kind, number, written, errors)
        name = self._name_of(cells)
        if name is None or not (phone or mail):
            errors.clear()
            return None
        language, area, groups = about
        yes, lists, wording, wording_language, before = proof
        return Plain(
            number, name, language, area, groups, phone, mail, mail_key, yes, lists, moment, wording,
            wording_language, f"{before}{number}",
        )  # fmt: skip

    def _long_way(
        self, kind: AddressKind, number: int, written: str, errors: list[RowError]
    ) -> tuple[str, str]:
        found = self._reader.address(kind, number, written, errors)
        return (found.address, found.key) if found else ("", "")

    def made_plain(self, entry: Entry) -> Plain | None:
        """The same of a row that went the long way, where all that is left of it is plain."""
        if any(reach.channel not in self.channels or reach.decision is False for reach in entry.reaches):
            return None
        bits = self._bits_of(entry.list_ids)
        if not bits or entry.agreed_at > self._reader.moment:
            return None
        found = {self._kinds[reach.channel]: reach for reach in entry.reaches}
        phone, mail = found.get(AddressKind.PHONE), found.get(AddressKind.EMAIL)
        yes = sum(1 << self.channels.index(reach.channel) for reach in entry.reaches if reach.decision)
        return Plain(
            entry.row, entry.name, entry.language, entry.area, entry.groups, phone.address if phone else "",
            mail.address if mail else "", mail.key if mail else "", yes, bits, entry.agreed_at, entry.wording,
            entry.wording_language, entry.reference,
        )  # fmt: skip

    def made_entry(self, plain: Plain) -> Entry:
        """What the long way would have made of a plain row."""
        addresses = {
            AddressKind.PHONE: (plain.phone, plain.phone),
            AddressKind.EMAIL: (plain.mail, plain.mail_key),
        }
        reaches = [
            Reach(name, *found, decision=True if plain.yes >> bit & 1 else None)
            for bit, name in enumerate(self.channels)
            if (found := addresses[self._kinds[name]])[0]
        ]
        return Entry(
            row=plain.row, name=plain.name, language=plain.language, area=plain.area, groups=plain.groups,
            reaches=reaches, agreed_at=plain.agreed_at, refused_at=self._reader.moment, wording=plain.wording,
            wording_language=plain.wording_language, reference=plain.reference, basis=self._reader.basis,
            list_ids=tuple(each for bit, each in enumerate(self.lists) if plain.lists >> bit & 1),
        )  # fmt: skip

    def _name_of(self, cells: list[str]) -> str | None:
        """As `EntryReader` puts it together; None where a part is far too long."""
        try:
            if self._name is not None and (whole := _clean_name(cells[self._name])):
                return whole
            return " ".join(filter(None, [_clean_name(cells[place]) for place in self._name_parts]))
        except BadValue:
            return None

    def _read_proof(self, row: Row, errors: list[RowError]) -> tuple[int, int, str, str, str] | None:
        answer = self._reader.answer(row, errors)
        wording, wording_language, source = self._reader.proof(row, errors)
        list_ids = self._reader.list_ids(row, errors)
        if answer.stop or not list_ids:
            return None
        bits = self._bits_of(list_ids)
        yes = sum(1 << bit for bit, name in enumerate(self.channels) if name in answer.channels)
        before = self._reader.reference(0, source).removesuffix("0")
        return (yes, bits, wording, wording_language, before) if bits else None

    def _read_moment(self, row: Row, errors: list[RowError]) -> datetime | None:
        agreed_at, _ = self._reader.decided_at(row, errors)
        return agreed_at if agreed_at <= self._reader.moment else None  # the ledger cuts off what is to come

    def _bits_of(self, list_ids: Sequence[int]) -> int:
        new = [each for each in list_ids if each not in self.lists]
        if len(self.lists) + len(new) > MOST_LISTS:
            return 0
        self.lists += new
        return sum(1 << self.lists.index(each) for each in list_ids)


class _Memory:
    """What combinations of some cells mean: None where they hold an error, or are not plain."""

    def __init__(
        self, sheet: Sheet, fields: Sequence[str], read: Callable[[Row, list[RowError]], Any]
    ) -> None:
        self._read = read
        self._fields = [name for name in fields if name in sheet.places]
        places = [sheet.places[name] for name in self._fields]
        self._cells: Callable[[list[str]], Any] = itemgetter(*places) if places else _nothing
        self._known: dict[Any, Any] = {}

    def of(self, cells: list[str]) -> Any:
        """What the cells mean."""
        key = self._cells(cells)
        try:
            return self._known[key]
        except KeyError:
            return self._learn(key)

    def _learn(self, key: Any) -> Any:
        if len(self._known) >= MOST_REMEMBERED:
            self._known.clear()
        texts = [key] if isinstance(key, str) else list(key)
        filled = {name: text.strip() for name, text in zip(self._fields, texts, strict=True) if text.strip()}
        errors: list[RowError] = []
        meaning = self._read(Row(0, filled), errors)
        self._known[key] = None if errors else meaning
        return self._known[key]


def _nothing(_cells: list[str]) -> tuple[()]:
    return ()
