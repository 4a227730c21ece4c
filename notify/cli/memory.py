"""`notify memory`, `notify glossary`: what was approved before, and the city's own terms."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import typer
from rich.progress import Progress
from sqlmodel import Session, col, func, select

import notify
from notify import audit
from notify.cli.acting import acting, hub
from notify.cli.output import AS, JSON, Refused, good, put_json, say, table
from notify.staff import Deed
from notify.translation import memory
from notify.translation.codes import standard
from notify.translation.desk import findings
from notify.translation.exchange import Taken, read_glossary, read_tmx, write_csv, write_tbx, write_tmx
from notify.translation.models import MemoryEntry, Term, TermKind

SHOWN_PROBLEMS = 20

memory_app = typer.Typer(no_args_is_help=True, help="Approved sentences, used again word for word.")
glossary_app = typer.Typer(
    no_args_is_help=True, help="Terms: never translated, translated like this, never said."
)
_SOURCE = typer.Option("en", "--source", help="The language that statements are written in, BCP 47.")


@memory_app.command("show")
def memory_show(as_json: bool = JSON) -> None:
    """How many sentences are remembered, by pair of languages."""
    pair = (col(MemoryEntry.source_language), col(MemoryEntry.target_language))
    with hub().database.reading() as session:
        query = select(*pair, func.count(), func.sum(MemoryEntry.uses)).group_by(*pair).order_by(*pair)
        rows = [tuple(row) for row in session.execute(query)]
    if as_json:
        names = ("source", "target", "sentences", "uses")
        return put_json([dict(zip(names, row, strict=True)) for row in rows])
    table("The memory", ["from", "to", "sentences", "used"], rows)
    return None


@memory_app.command("find")
def memory_find(sentence: str, language: str, source: str = _SOURCE, as_json: bool = JSON) -> None:
    """Approved sentences most like one."""
    with hub().database.reading() as session:
        found = memory.near(session, source, _tag(language), sentence, most=5)
    if as_json:
        return put_json([{"source": each.source, "text": each.text, "alike": each.alike} for each in found])
    rows = [(f"{each.alike} %", each.source, each.text, each.approved_by) for each in found]
    table("", ["alike", "source", "translation", "approved by"], rows)
    return None


@memory_app.command("import")
def memory_import(
    file: Path = typer.Argument(exists=True, dir_okay=False, help="A TMX file."),
    source: str = _SOURCE,
    replace: bool = typer.Option(
        False, "--replace", help="Its words count more than what was approved here."
    ),
    dry_run: bool = typer.Option(False, "--dry-run", help="Only count."),
    as_: str | None = AS,
    as_json: bool = JSON,
) -> None:
    """Take sentences from a TMX file. They are used like others: a person approves each in its new place."""
    with hub().database.session() as session, Progress(transient=True) as bar:
        person = acting(session, as_, Deed.TRANSLATE)
        task = bar.add_task("Reading", total=None)
        taken = read_tmx(
            session,
            file,
            _tag(source),
            targets=hub().settings.city.languages,
            replace=replace,
            progress=lambda done: bar.update(task, completed=done),
        )
        _finish(session, person.email, "memory.import", file, taken.added + taken.replaced, dry_run=dry_run)
    _tell(taken, dry_run=dry_run, as_json=as_json)


@memory_app.command("export")
def memory_export(
    file: Path = typer.Argument(help="Where to write the TMX file."),
    language: str = typer.Option("", help="Only this target language."),
) -> None:
    """Write the memory as TMX, which other translation tools read."""
    with hub().database.reading() as session, file.open("w", encoding="utf-8") as stream:
        write_tmx(
            memory.every(session, target=_tag(language) if language else ""), stream, notify.__version__
        )
    good(f"Written to {file}.")


@glossary_app.command("list")
def glossary_list(as_json: bool = JSON) -> None:
    """Every term."""
    with hub().database.reading() as session:
        found = list(session.exec(select(Term).order_by(col(Term.id))))
    if as_json:
        return put_json([each.model_dump(mode="json") for each in found])
    rows = [
        (
            each.id or 0,
            each.kind,
            each.source,
            f"{each.source_language} → {each.target_language or 'any'}",
            each.target,
        )
        for each in found
    ]
    table("The glossary", ["", "what", "term", "languages", "translation"], rows)
    return None


@glossary_app.command("add")
def glossary_add(
    term: str = typer.Argument(help="As statements say it; with --forbidden, what is never said."),
    translation: str = typer.Argument("", help="Ways to translate it, apart by |. Empty with --keep."),
    language: str = typer.Option("", "--to", help="The target language; empty with --keep for any."),
    keep: bool = typer.Option(False, "--keep", help="Never translated: a street, a person, a department."),
    forbidden: bool = typer.Option(False, "--forbidden", help="Never used in that language."),
    source: str = _SOURCE,
    as_: str | None = AS,
) -> None:
    """Add a term: notify glossary add "City Hall" "Ayuntamiento|Alcaldía" --to es"""
    kind = TermKind.KEEP if keep else TermKind.FORBIDDEN if forbidden else TermKind.TRANSLATE
    if kind is not TermKind.KEEP and not language:
        raise Refused("Say for which language: --to es")
    if kind is TermKind.TRANSLATE and not translation:
        raise Refused("Say how it is translated, or that it is not: --keep")
    added = Term(
        kind=kind,
        source_language="" if forbidden else _tag(source),
        target_language=_tag(language) if language else "",
        source="" if forbidden else term.strip(),
        target=term.strip() if forbidden else translation.strip(),
    )
    with hub().database.session() as session:
        added.added_by = acting(session, as_, Deed.TRANSLATE).email
        session.add(added)
        session.flush()
        findings.examine_again(session)
        audit.record(session, added.added_by, "glossary.add", f"term {added.id}", kind=kind)
        session.commit()
    good("Added. Translations are checked against it from now on.")


@glossary_app.command("remove")
def glossary_remove(number: int, as_: str | None = AS) -> None:
    """Remove a term by its number in `glossary list`."""
    with hub().database.session() as session:
        term = session.get(Term, number)
        if term is None:
            raise Refused(f"There is no term {number}. See `notify glossary list`.")
        session.delete(term)
        person = acting(session, as_, Deed.TRANSLATE)
        findings.examine_again(session)
        audit.record(session, person.email, "glossary.remove", f"term {number}")
        session.commit()
    good("Removed.")


@glossary_app.command("import")
def glossary_import(
    file: Path = typer.Argument(exists=True, dir_okay=False, help="A TBX file, or CSV in UTF-8."),
    source: str = _SOURCE,
    dry_run: bool = typer.Option(False, "--dry-run", help="Only count."),
    as_: str | None = AS,
    as_json: bool = JSON,
) -> None:
    """Take terms from a file: CSV with kind, source_language, target_language, source, target, note; or TBX."""
    with hub().database.session() as session:
        person = acting(session, as_, Deed.TRANSLATE)
        taken = read_glossary(session, file, person.email, _tag(source))
        findings.examine_again(session)
        _finish(session, person.email, "glossary.import", file, taken.added, dry_run=dry_run)
    _tell(taken, dry_run=dry_run, as_json=as_json)


@glossary_app.command("export")
def glossary_export(file: Path = typer.Argument(help="Ends in .csv or .tbx.")) -> None:
    """Write the glossary as CSV, which holds all of it, or as TBX, which has no terms to be kept."""
    write = {".csv": write_csv, ".tbx": write_tbx}.get(file.suffix.lower())
    if write is None:
        raise Refused("Name a file that ends in .csv or .tbx.")
    with hub().database.reading() as session, file.open("w", encoding="utf-8", newline="") as stream:
        write(session.exec(select(Term).order_by(col(Term.id))), stream)
    good(f"Written to {file}.")


def _finish(session: Session, person: str, action: str, file: Path, count: int, *, dry_run: bool) -> None:
    if dry_run:
        session.rollback()
        return
    audit.record(session, person, action, file.name, entries=count)
    session.commit()


def _tell(taken: Taken, *, dry_run: bool, as_json: bool) -> None:
    if as_json:
        return put_json(asdict(taken))
    say(f"{taken.added} new, {taken.replaced} replaced, {taken.known} known already.")
    say(*taken.problems[:SHOWN_PROBLEMS])
    if len(taken.problems) > SHOWN_PROBLEMS:
        say(f"… and {len(taken.problems) - SHOWN_PROBLEMS} more.")
    good("Dry run: nothing was kept." if dry_run else "Done.")
    return None


def _tag(language: str) -> str:
    try:
        return standard(language)
    except ValueError as error:
        raise Refused(str(error)) from None
