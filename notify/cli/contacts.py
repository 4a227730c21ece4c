"""`notify contacts`: residents, as liaisons keep them."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from contacts import importing
from contacts.columns import now
from contacts.importing import ImportReport
from notify import audit
from notify.cli.acting import actor, hub
from notify.cli.output import AS, JSON, Refused, console, good, put_json, say, table
from notify.hub import address_kinds
from notify.staff import Deed

SHOWN_ERRORS = 50

contacts_app = typer.Typer(no_args_is_help=True, help="Residents, as liaisons keep them.")


@contacts_app.command("import")
def contacts_import(
    file: Path = typer.Argument(help="CSV with a header line; - is not possible, the file is read twice."),
    list_: str = typer.Option(..., "--list", metavar="NAME", help="The opt-in list; made if it is not there."),
    dry_run: bool = typer.Option(False, "--dry-run", help="Read and count everything, keep nothing."),
    attest: str = typer.Option(
        "", "--attest", metavar="WORDS",
        help="For a file without a consent column: the exact words these people agreed to.",
    ),
    attest_source: str = typer.Option("", "--attest-source", help="Where they agreed: the sign-up sheet, the form."),
    attest_date: str = typer.Option("", "--attest-date", metavar="DATE", help="When: 2026-05-01."),
    errors_to: Path | None = typer.Option(None, "--errors", help="Write row errors to this CSV file."),
    as_: str | None = AS,
    as_json: bool = JSON,
) -> None:  # fmt: skip
    """Import residents from a CSV file into a list.

    Columns (any order, common names are understood): name, phone, email, telegram, address1, address2, city,
    state, postcode, country, language, area, groups, consent, consent_date, consent_source, consent_wording.

    `consent` is no, yes, stop, or the channels agreed to: sms,email,telegram,letter. An opt-out that is on
    record always stands: no file can revive it.
    """
    here = hub()
    attestation = _attestation(attest, attest_source, attest_date)
    size = file.stat().st_size if file.is_file() else 0
    with (
        here.database.session() as session,
        Progress(
            TextColumn("Reading"), BarColumn(), DownloadColumn(), TimeRemainingColumn(),
            console=console, transient=True, disable=as_json or not console.is_terminal,
        ) as bar,
    ):  # fmt: skip
        task = bar.add_task("Reading", total=size or None)
        found = importing.import_contacts(
            session,
            file,
            list_name=list_,
            country=here.settings.city.country,
            actor=(person := actor(session, as_, Deed.KEEP_LISTS)),
            attestation=attestation,
            channels=address_kinds(),
            dry_run=dry_run,
            progress=lambda done: bar.update(task, completed=done),
        )
        if dry_run:
            session.rollback()
        else:
            audit.record(session, person, "contacts.import", f"list {list_}", rows=found.rows, file=file.name)
            session.commit()
    if errors_to is not None:
        importing.write_errors(errors_to, found.errors)
    if as_json:
        return put_json(found.to_dict())
    _tell_import(found, dry_run)
    return None


def _attestation(wording: str, source: str, day: str) -> importing.Attestation | None:
    if not wording:
        return None
    try:
        when = date.fromisoformat(day) if day else now().date()
    except ValueError:
        raise Refused(f"--attest-date {day!r} is no date. Write it like 2026-05-01.") from None
    return importing.Attestation(wording=wording, source=source or "attested at import", date=when)


def _tell_import(found: ImportReport, dry_run: bool) -> None:
    say(f"Read as {found.encoding}, cells separated by {found.delimiter!r}.")
    if found.ignored_columns:
        say(f"Ignored columns: {', '.join(found.ignored_columns)}.")
    counts = ("rows", "created", "updated", "unchanged", "duplicates", "rejected", "endpoints", "consents",
              "opt_outs", "opt_outs_kept", "languages_kept")  # fmt: skip
    table(
        "What the file holds",
        ["", "count"],
        [(each.replace("_", " "), getattr(found, each)) for each in counts],
    )
    if found.consents_without_wording:
        say(
            f"{found.consents_without_wording} consents have no exact wording; add a column consent_wording (R31)."
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
    good("Dry run: nothing was kept." if dry_run else "Imported.")
