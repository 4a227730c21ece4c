"""Lists from spreadsheets: a CSV file becomes contacts, addresses and consent, all of it or nothing.

The file is read as a stream and written in chunks, in one transaction, which the caller commits. What the
city already knows wins, see `contacts.merging` (R32).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from sqlmodel import Session

from channels.contract import AddressKind
from contacts import lists
from contacts.bulk import hold_imports
from contacts.columns import now
from contacts.entries import Attestation, Entry, EntryReader
from contacts.merging import ImportReport, Merger
from contacts.sheets import RowError, Sheet, open_sheet, safe_cell, write_errors
from contacts.values import ImportFailed, SheetProblem

__all__ = [
    "Attestation", "ImportFailed", "ImportReport", "NoConsent", "RowError", "import_contacts", "safe_cell",
    "write_errors",
]  # fmt: skip

CHUNK = 500  # rows
MOST_ERRORS = 10_000  # kept in the report; `on_error` gets them all
KINDS: Mapping[str, AddressKind] = {
    "sms": AddressKind.PHONE,
    "email": AddressKind.EMAIL,
    "telegram": AddressKind.CHAT,
    "letter": AddressKind.POSTAL,
}


class NoConsent(ImportFailed):
    """Neither the sheet nor a person says that the residents agreed."""

    def __init__(self) -> None:
        super().__init__(
            SheetProblem.NO_CONSENT,
            "Nothing says that the residents in this sheet agreed to be written to.",
            "Add a column consent (yes, no, stop, or channels), or attest it with --attest WORDING.",
        )


def import_contacts(
    session: Session,
    path: Path,
    *,
    list_name: str,
    country: str,
    actor: str,
    attestation: Attestation | None = None,
    channels: Mapping[str, AddressKind] = KINDS,
    language: str = "en",
    dry_run: bool = False,
    progress: Callable[[int], None] | None = None,
    on_error: Callable[[RowError], None] | None = None,
    encoding: str | None = None,
    delimiter: str | None = None,
) -> ImportReport:
    """Import a CSV file in the session's transaction. Nothing is committed; any failure rolls all of it back.

    Args:
        session: one that may write, with nothing pending.
        path: the file.
        list_name: the list to put the contacts on; made if there is none.
        country: the city's, ISO 3166-1 alpha-2.
        actor: who imports, for the consent ledger.
        attestation: stands for a consent column where there is none.
        channels: how addresses are written on each channel.
        language: of new contacts whose row names none, BCP 47.
        dry_run: do everything, then roll back.
        progress: called after each chunk with how many bytes of the file are done.
        on_error: called with each error in a row.
        encoding: Python's name of the file's encoding; found out if None.
        delimiter: between cells; found out if None.

    Raises:
        NoConsent: no consent column and no attestation.
        ImportFailed: the file as a whole cannot be taken.
        contacts.lists.BadListName: no list can have this name.
    """
    sheet = open_sheet(path, encoding=encoding, delimiter=delimiter)
    if "consent" not in sheet.columns and attestation is None:
        raise NoConsent
    moment = now()
    reader = EntryReader(sheet, country=country, channels=channels, attestation=attestation, moment=moment)
    report = _new_report(sheet, lists.clean_name(list_name), dry_run=dry_run)
    try:
        hold_imports(session)
        listed = lists.get_or_create(session, list_name)
        merger = Merger(session, listed.id or 0, report, actor=actor, language=language, moment=moment)
        for done, chunk in _chunks(_entries(sheet, reader, report, on_error)):
            merger.write(chunk)
            if progress:
                progress(sheet.size * min(done, sheet.lines) // sheet.lines)
    except BaseException:
        session.rollback()
        raise
    if dry_run:
        session.rollback()
    return report


def _new_report(sheet: Sheet, list_name: str, *, dry_run: bool) -> ImportReport:
    return ImportReport(
        file=sheet.path.name,
        list_name=list_name,
        encoding=sheet.encoding,
        delimiter=sheet.delimiter,
        columns=sheet.columns,
        ignored_columns=list(sheet.ignored),
        dry_run=dry_run,
    )


def _entries(
    sheet: Sheet, reader: EntryReader, report: ImportReport, on_error: Callable[[RowError], None] | None
) -> Iterator[tuple[int, Entry | None]]:
    """Each row's number and what it says; the errors go into the report."""
    tell = on_error or _tell_nobody
    for row in sheet.rows():
        report.rows += 1
        if isinstance(row, RowError):
            number, entry, errors = row.row, None, [row]
        else:
            number, (entry, errors) = row.number, reader.read(row)
        report.rejected += entry is None
        report.error_count += len(errors)
        report.errors += errors[: MOST_ERRORS - len(report.errors)]
        for error in errors:
            tell(error)
        yield number, entry


def _tell_nobody(_error: RowError) -> None:
    pass


def _chunks(entries: Iterable[tuple[int, Entry | None]]) -> Iterator[tuple[int, list[Entry]]]:
    """The entries in chunks, each with the number of the last row it took."""
    chunk: list[Entry] = []
    number = seen = 0
    for seen, (number, entry) in enumerate(entries, 1):
        if entry:
            chunk.append(entry)
        if seen % CHUNK == 0:
            yield number, chunk
            chunk = []
    if seen % CHUNK:
        yield number, chunk
