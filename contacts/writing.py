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
        rows: list[Plain | Entry] = []
        number = count = 0
        for number, cells in self._sheet.records():
            errors: list[RowError] = []
            said = self._read(number, cells, errors)
            if said is None and not errors:
                continue  # a blank row
            count += 1
            self._note(said, errors)
            if said is not None and number > self._skip:
                rows.append(said)
            if count % CHUNK == 0 and number > self._skip:
                self._write(rows)
                rows = []
                yield number
        if number > self._skip and count % CHUNK:
            self._write(rows)
            yield number

    def _read(self, number: int, cells: list[str] | RowError, errors: list[RowError]) -> Plain | Entry | None:
        """What a row says; None where it is blank, or where its errors leave nothing."""
        if isinstance(cells, RowError):
            errors.append(cells)
            return None
        plain = self._plain.read(number, cells, errors)
        if plain is not None or not any(map(str.strip, cells)):
            return plain
        row = self._sheet.row(number, cells)
        if isinstance(row, RowError):
            errors.append(row)
            return None
        entry, found = self._reader.read(row)
        errors += found
        return entry

    def _note(self, said: Plain | Entry | None, errors: Sequence[RowError]) -> None:
        report = self._report
        report.rows += 1
        report.rejected += said is None
        if errors:
            report.error_count += len(errors)
            report.errors += errors[: MOST_ERRORS - len(report.errors)]
            for error in errors:
                self._how.on_error(error)

    def _write(self, rows: Sequence[Plain | Entry]) -> None:
        """Write a chunk: first whoever is new, by whole sets; then, in their order, those to be merged.

        Whoever shares no address with an earlier row is as new in the order of the rows as out of it.
        """
        hold_imports(self._session)
        fresh = [(n, plain) for n in _fresh(rows) if (plain := self._as_plain(rows[n]))]
        left, made = self._stager.write([plain for _, plain in fresh], self._plain.lists)
        for number in made:
            self._seen.add(number)
        staged = {n for place, (n, _) in enumerate(fresh) if place not in left}
        entries = [self._as_entry(row) for n, row in enumerate(rows) if n not in staged]
        for start in range(0, len(entries), MERGED):
            self._merger.write(entries[start : start + MERGED])

    def _as_plain(self, row: Plain | Entry) -> Plain | None:
        return row if isinstance(row, Plain) else self._plain.made_plain(row)

    def _as_entry(self, row: Plain | Entry) -> Entry:
        return self._plain.made_entry(row) if isinstance(row, Plain) else row


def _fresh(rows: Sequence[Plain | Entry]) -> Iterator[int]:
    """The places of rows that share no address with an earlier row of the chunk."""
    seen: set[str] = set()
    for place, row in enumerate(rows):
        keys = _keys(row)
        if seen.isdisjoint(keys):
            yield place
        seen.update(keys)


def _keys(row: Plain | Entry) -> Sequence[str]:
    if isinstance(row, Plain):
        return [key for key in (row.phone, row.mail_key) if key]
    return [reach.key for reach in row.reaches]
