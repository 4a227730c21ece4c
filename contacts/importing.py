"""Lists from spreadsheets: a CSV file or a workbook becomes contacts, addresses and consent, all of it or nothing.

The file is read through once before anything is written, so that a broken one leaves nothing behind. Then it is
read as a stream and written in chunks; each chunk is a transaction that also notes how far it is. An error
undoes the whole import; after a crash the same command goes on where it stopped. What the city already knows
wins, see `contacts.merging` (R32).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlmodel import Session, col

from channels.contract import AddressKind
from contacts import lists, runs
from contacts.bulk import hold_imports
from contacts.entries import Attestation
from contacts.models import Endpoint, EndpointState, ImportRun, ImportState, ListKind
from contacts.previews import Preview, preview
from contacts.reports import WRITTEN, ImportReport
from contacts.sheets import RowError, Sheet, errors_into, open_sheet, safe_cell, write_errors
from contacts.undoing import Undone, undo
from contacts.values import ImportFailed, SheetProblem
from contacts.writing import How, Writing

__all__ = [
    "Attestation", "ImportFailed", "ImportReport", "NoConsent", "NoList", "Preview", "RowError", "Undone",
    "check_grounds", "errors_into", "import_contacts", "preview", "runs", "safe_cell", "undo", "write_errors",
]  # fmt: skip

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


class NoList(ImportFailed):
    """Neither the sheet nor a person says which list the residents are for."""

    def __init__(self) -> None:
        super().__init__(
            SheetProblem.NO_LIST,
            "Nothing says which list these residents are for.",
            "Name it with --list NAME, or add a column lists with the names of lists that are there.",
        )


def import_contacts(
    session: Session,
    path: Path,
    *,
    list_name: str | Sequence[str] = (),
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
    sheet_name: str | None = None,
    mapping: Mapping[str, str] | None = None,
    proof_key: bytes = b"",
) -> ImportReport:
    """Import a CSV file or a workbook. Commits as it goes; any failure takes all of it back.

    Called again with the same bytes and options after a crash, it goes on where it was.

    Args:
        session: one that may write, with nothing pending.
        path: the file.
        list_name: the list, or lists, to put all contacts on; made if there are none. A column `lists` names
            further ones, which must be there.
        country: the city's, ISO 3166-1 alpha-2.
        actor: who imports, for the consent ledger.
        attestation: stands for a consent column where there is none.
        channels: how addresses are written on each channel.
        language: of new contacts whose row names none, BCP 47.
        dry_run: do everything in one transaction, then roll it back.
        progress: called after each chunk with how many bytes of the file are done.
        on_error: called with each error in a row.
        encoding: Python's name of a CSV file's encoding; found out if None.
        delimiter: between cells; found out if None.
        sheet_name: which sheet of a workbook; the first if None.
        mapping: what some columns are, see `contacts.headers.columns`.
        proof_key: the city's secret, by which the addresses of erased contacts are known again.

    Raises:
        NoConsent: no consent column and no attestation.
        NoList: no list was named, and no column names one.
        ImportFailed: the file as a whole cannot be taken.
        contacts.lists.BadListName: no list can have this name.
        ValueError: contacts were erased, and there is no proof key.
    """
    sheet = open_sheet(path, encoding=encoding, delimiter=delimiter, sheet_name=sheet_name, mapping=mapping)
    names = [lists.clean_name(each) for each in ([list_name] if isinstance(list_name, str) else list_name)]
    check_grounds(session, sheet.columns, names, attestation)
    options: dict[str, Any] = {
        "lists": names, "country": country.upper(), "language": language, "attestation": str(attestation),
        "channels": dict(channels), "encoding": sheet.encoding, "delimiter": sheet.delimiter,
        "sheet": sheet.sheet_name, "columns": sheet.columns, "places": sheet.places,
    }  # fmt: skip
    how = How(
        country=country, actor=actor, attestation=attestation, channels=channels, language=language,
        proof_key=_needed_key(session, proof_key), progress=progress or _tell_nobody,
        on_error=on_error or _tell_nobody,
    )  # fmt: skip
    report = _new_report(sheet, names, dry_run=dry_run)
    if dry_run:
        return _try_out(session, sheet, names, how, report)
    for _ in sheet.records():  # to its end, so that a broken file is refused before anything is written
        pass
    run = _begin_or_go_on(session, sheet, names, options, how)
    report.import_id, report.resumed_at = run.id, run.rows_done
    _import(session, sheet, run, how, report)
    return report


def check_grounds(
    session: Session, fields: Collection[str], names: Sequence[str], attestation: Attestation | None
) -> None:
    """Make sure that somebody says which lists the residents are for, and that they agreed.

    Args:
        session: an open session.
        fields: those that the sheet has columns for.
        names: of the lists for everybody in the sheet.
        attestation: stands for a consent column where there is none.

    Raises:
        NoConsent, NoList: nobody does.
    """
    if not names and "lists" not in fields:
        raise NoList
    if "consent" not in fields and attestation is None and not _only_exclusions(session, names):
        raise NoConsent


def _try_out(
    session: Session, sheet: Sheet, names: Sequence[str], how: How, report: ImportReport
) -> ImportReport:
    """All of the import in one transaction that is rolled back."""
    try:
        hold_imports(session)
        list_ids = _list_ids(session, names)
        run = ImportRun(list_id=0, file_name="", digest="", actor="", options={"list_ids": list_ids})
        for done in Writing(session, sheet, run, how, report).chunks():
            how.progress(_bytes(sheet, done))
    finally:
        session.rollback()
    return report


def _begin_or_go_on(
    session: Session, sheet: Sheet, names: Sequence[str], options: Mapping[str, Any], how: How
) -> ImportRun:
    """The import of this file that was broken off, or a new one, committed."""
    try:
        digest = runs.digest(sheet.path, options)
        hold_imports(session)
        run = runs.broken_off(session, digest)
        if run is not None and run.state == ImportState.UNDOING:
            undo(session, run.id or 0, actor=how.actor)
            hold_imports(session)
            run = None
        if run is None:
            found = _list_ids(session, names)
            run = runs.begin(
                session, sheet.path, digest=digest, list_id=(found or _any_list(session))[0],
                options={**options, "list_ids": found}, actor=how.actor,
            )  # fmt: skip
        session.commit()
    except BaseException:
        session.rollback()
        raise
    return run


def _import(session: Session, sheet: Sheet, run: ImportRun, how: How, report: ImportReport) -> None:
    """Write what is left of a sheet, chunk by chunk; take all of it back where that fails."""
    run_id, before = run.id or 0, run.rows_done
    for name in WRITTEN if run.rows_done else ():
        setattr(report, name, run.counts.get(name, 0))
    try:
        writing = Writing(session, sheet, run, how, report)
        session.rollback()  # it only looked; a chunk's transaction begins when the chunk has been read
        for done in writing.chunks():
            runs.advance(session, run_id, before=before, done=done, counts=report.counts())
            session.commit()
            before = done
            how.progress(_bytes(sheet, done))
        hold_imports(session)
        runs.advance(session, run_id, before=before, done=before, counts=report.counts(), ended=True)
        session.commit()
    except runs.RunTakenOver:
        session.rollback()
        raise
    except BaseException:
        session.rollback()
        undo(session, run_id, actor=how.actor)
        raise


def _only_exclusions(session: Session, names: Sequence[str]) -> bool:
    """Whether the contacts are only to be left out of dispatches, which needs nobody's consent."""
    kinds = {each.name.casefold(): each.kind for each in lists.every(session)}
    return bool(names) and all(kinds.get(name.casefold()) == ListKind.EXCLUSION for name in names)


def _any_list(session: Session) -> list[int]:
    """For the record of an import whose rows name their lists themselves."""
    found = [each.id or 0 for each in lists.every(session)]
    if not found:
        raise NoList
    return found


def _list_ids(session: Session, names: Sequence[str]) -> list[int]:
    return list(dict.fromkeys(lists.get_or_create(session, name).id or 0 for name in names))


def _needed_key(session: Session, proof_key: bytes) -> bytes:
    """The key where anybody was erased; empty where nobody was, so that nothing is computed."""
    query = select(col(Endpoint.id)).where(col(Endpoint.state) == EndpointState.ERASED.value).limit(1)
    if session.execute(query).first() is None:
        return b""
    if not proof_key:
        raise ValueError(
            "Contacts were erased here; without proof_key their opt-outs would not be known again."
        )
    return proof_key


def _new_report(sheet: Sheet, names: Sequence[str], *, dry_run: bool) -> ImportReport:
    return ImportReport(
        file=sheet.path.name,
        list_name=", ".join(names),
        encoding=sheet.encoding,
        delimiter=sheet.delimiter,
        columns=sheet.columns,
        ignored_columns=list(sheet.ignored),
        dry_run=dry_run,
        sheet_name=sheet.sheet_name,
    )


def _bytes(sheet: Sheet, done: int) -> int:
    return sheet.size * min(done, sheet.lines) // max(sheet.lines, 1)


def _tell_nobody(_what: Any) -> None:
    pass
