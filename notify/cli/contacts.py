"""`notify contacts import | imports`: residents from a sheet, looked at first, and taken back as a whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import date
from pathlib import Path
from typing import Any

import typer
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from sqlmodel import Session

from contacts import importing
from contacts.columns import now
from contacts.importing import ImportReport, Preview
from contacts.lists import clean_name
from contacts.models import ImportRun
from notify import audit
from notify.cli.acting import hub, keeper
from notify.cli.output import AS, JSON, YES, Refused, confirm, console, good, put_json, say, table
from notify.hub import address_kinds
from notify.residents import Keeper, list_to_fill
from notify.staff import StaffError

SHOWN_ERRORS = 50
_COUNTS = {
    "rows": "rows with something in them",
    "created": "  new contacts",
    "updated": "  contacts known before, with something new",
    "unchanged": "  contacts known before, with nothing new",
    "duplicates": "  again somebody of an earlier row",
    "rejected": "  not imported",
    "endpoints": "new addresses",
    "consents": "yeses recorded, one for each address and list",
    "opt_outs": "noes recorded, one for each address",
    "opt_outs_kept": "yeses not taken: the resident has said no",
    "languages_kept": "another language than ours: ours is kept",
}

contacts_app = typer.Typer(no_args_is_help=True, help="Residents, as liaisons keep them.")


@contacts_app.command("import")
def contacts_import(
    file: Path | None = typer.Argument(
        None, help="CSV in any common encoding, or .xlsx; a row at the top names the columns, titles may be above it."
    ),
    list_: list[str] = typer.Option(
        [], "--list", metavar="NAME", help="The list; made if it is not there. May be given several times."
    ),
    map_: list[str] = typer.Option(
        [], "--map", metavar="HEADER=FIELD",
        help="What a column is, where the guess is wrong: 'Handy=phone'; 'Notes=' ignores it; '#3=area' is the "
        "third. May be given several times.",
    ),
    sheet: str | None = typer.Option(
        None, "--sheet", metavar="NAME", help="Which sheet of a workbook; the first, if not given."
    ),
    encoding: str | None = typer.Option(
        None, "--encoding", help="Of a CSV file, where the guess is wrong: windows-1251."
    ),
    delimiter: str | None = typer.Option(
        None, "--delimiter", metavar="SIGN", help="Between cells of a CSV file, where the guess is wrong."
    ),
    dry_run: bool = typer.Option(False, "--dry-run", help="Read and count everything, keep nothing."),
    attest: str = typer.Option(
        "", "--attest", metavar="WORDS",
        help="The exact words these people agreed to, where the file does not have them. Without a consent "
        "column it also says that all of them agreed.",
    ),
    attest_source: str = typer.Option("", "--attest-source", help="Where they agreed: the sign-up sheet, the form."),
    attest_date: str = typer.Option("", "--attest-date", metavar="DATE", help="When: 2026-05-01."),
    errors_to: Path | None = typer.Option(
        None, "--errors", help="Write what is wrong, row by row, to this CSV file."
    ),
    undo: int | None = typer.Option(
        None, "--undo", metavar="ID", help="Take a whole import back; notify contacts imports lists them."
    ),
    yes: bool = YES,
    as_: str | None = AS,
    as_json: bool = JSON,
) -> None:  # fmt: skip
    """Import residents from a CSV file or an Excel workbook into a list.

    The columns are guessed from their headers, in many languages, and shown before anything is written: name,
    phone, email, telegram, address1, address2, city, state, postcode, country, language, area, groups, lists,
    consent, consent_date, consent_source, consent_wording.

    `consent` is no, yes, stop, or the channels agreed to: sms,email,telegram,letter. An opt-out that is on
    record always stands: no file can revive it. `lists` names lists that are there, with ; between them.

    A broken file is refused before anything is written. After a crash, the same command goes on where it stopped.
    """
    if undo is not None:
        return _undo(undo, yes=yes, as_=as_, as_json=as_json)
    if file is None:
        raise Refused("Name the file, or an import to take back: notify contacts import --undo ID")
    reading = {"encoding": encoding, "delimiter": delimiter, "sheet_name": sheet, "mapping": _mapping(map_)}
    seen = importing.preview(file, **reading)  # type: ignore[arg-type]
    if not as_json:
        _tell_preview(seen)
    if not dry_run:
        confirm("Import this?", yes=yes or as_json)
    found = _import(
        file, [clean_name(each) for each in list_], seen, reading, dry_run=dry_run, as_=as_, quiet=as_json,
        attestation=_attestation(attest, attest_source, attest_date), errors_to=errors_to,
    )  # fmt: skip
    if as_json:
        return put_json(found.to_dict())
    _tell_import(found)
    return None


@contacts_app.command("imports")
def contacts_imports(as_: str | None = AS, as_json: bool = JSON) -> None:
    """Every import into lists that you keep, the newest first: what it did, and whether it was taken back."""
    with hub().database.session() as session:
        who = keeper(session, as_)
        runs = [each for each in importing.runs.every(session) if _is_kept(session, who, each)]
        session.commit()
    if as_json:
        return put_json([each.model_dump(mode="json", exclude={"digest"}) for each in runs])
    table(
        "Imports",
        ["import", "begun", "file", "state", "rows", "created", "updated", "by"],
        [
            (each.id or 0, f"{each.created_at:%Y-%m-%d %H:%M}", each.file_name, each.state, each.rows_done,
             each.counts.get("created", 0), each.counts.get("updated", 0), each.actor)
            for each in runs
        ],
    )  # fmt: skip
    if any(each.state == "running" for each in runs):
        say("Running, or broken off: the same command again goes on where it stopped, --undo takes it back.")
    return None


def _import(
    file: Path, names: list[str], seen: Preview, reading: dict[str, Any], *, dry_run: bool, as_: str | None,
    quiet: bool, attestation: importing.Attestation | None, errors_to: Path | None,
) -> ImportReport:  # fmt: skip
    here = hub()
    writing = importing.errors_into(errors_to) if errors_to else nullcontext(None)
    with here.database.session() as session, writing as on_error, _bar("Importing", quiet) as told:
        who = keeper(session, as_)
        _require_own_lists(who, seen)
        importing.check_grounds(session, {each.field for each in seen.columns}, names, attestation)
        listed = [list_to_fill(session, who, name).name for name in names]
        if not dry_run:
            session.commit()
        size = file.stat().st_size
        found = importing.import_contacts(
            session, file, list_name=listed, country=here.settings.city.country, actor=who.name,
            attestation=attestation, channels=address_kinds(), language=here.settings.city.languages[0],
            dry_run=dry_run, on_error=on_error,
            progress=lambda done: told(done, size), proof_key=here.settings.key(), **reading,
        )  # fmt: skip
        if not dry_run:
            subject = f"import {found.import_id}"
            audit.record(
                session, who.name, "contacts.import", subject, lists=listed, rows=found.rows, file=file.name
            )
            session.commit()
    return found


def _undo(import_id: int, *, yes: bool, as_: str | None, as_json: bool) -> None:
    with hub().database.session() as session:
        who = keeper(session, as_)
        run = importing.runs.by_id(session, import_id)
        _require_run(session, who, run)
        session.commit()
        if not as_json:
            say(f"Import {import_id}: {run.file_name}, {run.rows_done} rows, by {run.actor}.")
        confirm("Take all of it back? Noes stay, and what was used since.", yes=yes or as_json)
        with _bar("Taking back", as_json) as told:
            done = importing.undo(
                session, import_id, actor=who.name, progress=lambda count: told(count, None)
            )
        audit.record(session, who.name, "contacts.undo_import", f"import {import_id}", **done.to_dict())
        session.commit()
    if as_json:
        return put_json(done.to_dict())
    counts = {name.replace("_", " "): count for name, count in done.to_dict().items() if name != "import_id"}
    table("Taken back", ["", "count"], list(counts.items()))
    if done.endpoints_kept:
        say("Kept: addresses that said no, that were written to, or that said something themselves since.")
    good(f"Import {import_id} is undone.")
    return None


def _require_own_lists(who: Keeper, seen: Preview) -> None:
    if not who.keeps_all and any(each.field == "lists" for each in seen.columns):
        raise StaffError(
            "The sheet names lists itself, which only administrators may bring in. "
            "Ignore the column with --map 'HEADER=', and name your list with --list."
        )


def _require_run(session: Session, who: Keeper, run: ImportRun) -> None:
    if not _is_kept(session, who, run) or ("lists" in run.options.get("columns", {}) and not who.keeps_all):
        raise StaffError("This import was into lists that you do not keep. Ask an administrator.")


def _is_kept(session: Session, who: Keeper, run: ImportRun) -> bool:
    kept = who.list_ids(session)
    return kept is None or {*(run.options.get("list_ids") or [run.list_id])} <= kept


@contextmanager
def _bar(what: str, quiet: bool) -> Iterator[Callable[[int, int | None], None]]:
    """A progress bar; what is given back is told how much is done, of how much if that is known."""
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=quiet or not console.is_terminal) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _mapping(said: list[str]) -> dict[str, str]:
    pairs = [text.rpartition("=") for text in said]
    if not all(sign for _, sign, _ in pairs):
        raise Refused("Write --map as HEADER=FIELD, like --map 'Handy=phone'; 'Notes=' ignores a column.")
    return {header.strip(): name.strip() for header, _, name in pairs}


def _tell_preview(seen: Preview) -> None:
    if seen.sheet_name:
        others = [name for name in seen.sheet_names if name != seen.sheet_name]
        say(f"An Excel workbook; the sheet is {seen.sheet_name!r}."
            + (f" Others, for --sheet: {', '.join(others)}." if others else ""))  # fmt: skip
        if seen.has_formulas:
            say("It holds formulas; their results, as last saved, count as the cells.")
    else:
        say(f"Read as {seen.encoding}, cells separated by {seen.delimiter!r}.")
    if seen.header_row > 1:
        say(f"Row {seen.header_row} names the columns; what is above it is left out.")
    table(
        "What the columns are taken for",
        ["column", "header", "field", "first value"],
        [(each.number, each.header, each.field or "(ignored)", each.example) for each in seen.columns],
    )


def _attestation(wording: str, source: str, day: str) -> importing.Attestation | None:
    if not wording:
        return None
    try:
        when = date.fromisoformat(day) if day else now().date()
    except ValueError:
        raise Refused(f"--attest-date {day!r} is no date. Write it like 2026-05-01.") from None
    return importing.Attestation(wording=wording, source=source or "attested at import", date=when)


def _tell_import(found: ImportReport) -> None:
    if found.resumed_at:
        say(f"An import of this file was broken off; this one went on after row {found.resumed_at}.")
    table(
        "What the file holds",
        ["", "count"],
        [(told, getattr(found, name)) for name, told in _COUNTS.items()],
    )
    if found.consents_without_wording:
        say(
            f"{found.consents_without_wording} of these yeses come without the exact words agreed to, which are their "
            "proof: give them with --attest WORDS, or in a column consent_wording."
        )
    if found.errors:
        table(
            f"{found.error_count} things could not be used",
            ["row", "column", "value", "what is wrong", "cure"],
            [
                (each.row, each.column, each.masked, each.message, each.cure)
                for each in found.errors[:SHOWN_ERRORS]
            ],
        )
        if found.error_count > SHOWN_ERRORS:
            say(f"… and {found.error_count - SHOWN_ERRORS} more; write them to a file with --errors FILE.")
        say(
            "What else such a row says is taken where it can be; rows that were not imported are counted above."
        )
    if found.dry_run:
        good("Dry run: nothing was kept.")
        return say(
            "Is a column wrong? Correct it with --map. Is all well? The same command without --dry-run."
        )
    good(f"Import {found.import_id} is done.")
    say(f"To take it back: notify contacts import --undo {found.import_id}")
    return None
