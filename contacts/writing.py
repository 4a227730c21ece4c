"""One import's rows, read and written chunk by chunk: the plain ones as whole sets, the others one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from sqlmodel import Session

from channels.contract import AddressKind
from contacts import lists, runs
from contacts.bulk import hold_imports
from contacts.chunks import Seen
from contacts.entries import Attestation, Entry, EntryReader
from contacts.merging import Merger, Scope
from contacts.models import ImportRun, ListKind
from contacts.plain import Plain, PlainReader
from contacts.reports import ImportReport
from contacts.sheets import RowError, Sheet
from contacts.staging import Stager

_Row = tuple[list[str], Plain | None, Entry | None]  # its cells, and what it says if it says something

CHUNK = 5000  # rows in a transaction
MERGED = 500  # of these merged at a time
MOST_ERRORS = 10_000  # kept in the report; `on_error` gets them all


@dataclass(frozen=True, slots=True)
class How:
    """The arguments of `contacts.importing.import_contacts` that do not change from row to row."""

    country: str
    actor: str
    attestation: Attestation | None
    channels: Mapping[str, AddressKind]
    language: str
    proof_key: bytes = field(repr=False)
    progress: Callable[[int], None]
    on_error: Callable[[RowError], None]


class Writing:
    """Reads a sheet and writes its rows: the plain ones by whole chunks, the others one by one."""

    def __init__(
        self, session: Session, sheet: Sheet, run: ImportRun, how: How, report: ImportReport
    ) -> None:
        self._session = session
        self._sheet = sheet
        self._report = report
        self._how = how
        self._skip = run.rows_done
        self._seen = runs.seen_before(session, run.id) if run.id and run.rows_done else Seen()
        moment = run.created_at
        known = lists.every(session)
        self._reader = EntryReader(
            sheet, country=how.country, channels=how.channels, attestation=how.attestation, moment=moment,
            lists={each.name.casefold(): each.id or 0 for each in known}, list_ids=run.options["list_ids"],
        )  # fmt: skip
        self._plain = PlainReader(sheet, self._reader, channels=how.channels)
        scope = Scope(
            actor=how.actor,
            language=how.language,
            moment=moment,
            import_id=run.id,
            exclusions=frozenset(each.id or 0 for each in known if each.kind == ListKind.EXCLUSION),
            proof_key=how.proof_key,
        )
        self._merger = Merger(session, report, scope, self._seen)
        plain_channels = {name: how.channels[name] for name in self._plain.channels}
        self._stager = Stager(session, report, scope, channels=plain_channels, basis=self._reader.basis)

    def chunks(self) -> Iterator[int]:
        """Write chunk after chunk, each in the transaction that the caller ends; yields its last row."""
        rows: list[_Row] = []
        number = count = 0
        for number, cells in self._sheet.records():
            read = self._read(number, cells)
            if read is None:
                continue
            count += 1
            if number > self._skip:
                rows.append(read)
            if count % CHUNK == 0 and number > self._skip:
                self._write(rows)
                rows = []
                yield number
        if number > self._skip and count % CHUNK:
            self._write(rows)
            yield number

    def _read(self, number: int, cells: list[str] | RowError) -> _Row | None:
        """What a row says; None where it is blank."""
        if isinstance(cells, RowError):
            self._note([cells], rejected=True)
            return [], None, None
        errors: list[RowError] = []
        plain = self._plain.read(number, cells, errors)
        if plain is not None:
            self._note(errors, rejected=False)
            return cells, plain, None
        if not any(map(str.strip, cells)):
            return None
        row = self._sheet.row(number, cells)
        if isinstance(row, RowError):
            self._note([row], rejected=True)
            return [], None, None
        entry, errors = self._reader.read(row)
        self._note(errors, rejected=entry is None)
        return [], None, entry

    def _note(self, errors: Sequence[RowError], *, rejected: bool) -> None:
        report = self._report
        report.rows += 1
        if not errors:
            return
        report.rejected += rejected
        report.error_count += len(errors)
        report.errors += errors[: MOST_ERRORS - len(report.errors)]
        for error in errors:
            self._how.on_error(error)

    def _write(self, rows: Sequence[_Row]) -> None:
        """Write a chunk: first whoever is new, by whole sets; then, in their order, those to be merged.

        Whoever shares no address with an earlier row is as new in the order of the rows as out of it.
        """
        hold_imports(self._session)
        fresh = [(n, plain) for n in _fresh(rows) if (plain := self._as_plain(rows[n]))]
        left, made = self._stager.write([plain for _, plain in fresh], self._plain.lists)
        for number in made:
            self._seen.add(number)
        staged = {n for place, (n, _) in enumerate(fresh) if place not in left}
        entries = [entry for n, row in enumerate(rows) if n not in staged and (entry := self._as_entry(row))]
        for start in range(0, len(entries), MERGED):
            self._merger.write(entries[start : start + MERGED])

    def _as_plain(self, row: _Row) -> Plain | None:
        _, plain, entry = row
        return plain or (self._plain.made_plain(entry) if entry else None)

    def _as_entry(self, row: _Row) -> Entry | None:
        cells, plain, entry = row
        if plain is None:
            return entry
        long_way = self._sheet.row(plain.row, cells)
        return None if isinstance(long_way, RowError) else self._reader.read(long_way)[0]


def _fresh(rows: Sequence[_Row]) -> Iterator[int]:
    """The places of rows that share no address with an earlier row of the chunk."""
    seen: set[str] = set()
    for place, (_, plain, entry) in enumerate(rows):
        keys = _keys(plain, entry)
        if seen.isdisjoint(keys):
            yield place
        seen.update(keys)


def _keys(plain: Plain | None, entry: Entry | None) -> Sequence[str]:
    if plain is not None:
        return [key for key in (plain.phone, plain.mail_key) if key]
    return [reach.key for reach in entry.reaches] if entry else ()
