"""`notify translation`: the statement in other languages, sentence by sentence, to a person's approval."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer
from sqlmodel import Session

from notify import statements
from notify.cli.acting import acting, hub, read_text
from notify.cli.output import AS, JSON, Refused, console, good, put_json, say, table
from notify.staff import Deed, Staff, find
from notify.statements import Statement, Translation
from notify.translation.desk import approving, editing, findings, preparing, reading
from notify.translation.facts import Severity
from notify.translation.models import TranslatedSentence

translation = typer.Typer(
    no_args_is_help=True, help="The statement in other languages; a person approves each."
)
_WHO = typer.Option(..., "--as", metavar="EMAIL", help="Somebody who reads that language.")


@translation.command("list")
def translation_list(statement_id: int, as_json: bool = JSON) -> None:
    """The translations of a statement: where each comes from, and whether it may leave."""
    with hub().database.reading() as session:
        rows = reading.list_all(session, statements.find(session, statement_id))
    if as_json:
        return put_json(rows)
    table(
        f"Translations of statement {statement_id}",
        ["language", "from", "may leave", "done", "title", "findings"],
        [
            (
                each["language"],
                each["engine"] or each["origin"],
                _may_leave(each),
                f"{each['sentences_approved']}/{each['sentences']}",
                each["title"],
                len(each["findings"]),
            )
            for each in rows
        ],
    )
    for each in rows:
        for finding in each["findings"]:
            where = f"sentence {finding['sentence']}" if "sentence" in finding else "the whole"
            say(f"{each['language']}, {where}: {finding['message']}")
    return None


def _may_leave(each: dict[str, Any]) -> str:
    if each["stale"]:
        return "no, the source has changed"
    return "yes" if each["approved"] else "no, not approved"


@translation.command("set")
def translation_set(
    statement_id: int,
    language: str = typer.Argument(help="BCP 47: es, zh-Hans, ht …"),
    file: Path = typer.Argument(help="Markdown with a head (title, short, actions); - reads input."),
    as_: str | None = AS,
) -> None:
    """Keep a person's translation of the whole. It has to be approved before it leaves."""
    draft = statements.parse(read_text(file))
    with hub().database.session() as session:
        found = statements.find(session, statement_id)
        kept = editing.set_by_hand(session, found, language, draft.text, acting(session, as_, Deed.TRANSLATE))
        session.commit()
    good(f"{found.reference}: {kept.language} is kept.")
    say(f"Approve it: notify translation approve {statement_id} {kept.language} --as EMAIL")


@translation.command("machine")
def translation_machine(
    statement_id: int,
    languages: list[str] = typer.Argument(None, help="By default every language of the city."),
    as_: str | None = AS,
    as_json: bool = JSON,
) -> None:
    """Fill translations as far as they go without a person: kept sentences, the memory, the machine.

    After a change of the statement, only the changed sentences are new. Nothing leaves before a person approves.
    """
    made: list[preparing.Work] = []
    with hub().database.reading() as session:
        found = statements.find(session, statement_id)
        person = acting(session, as_, Deed.TRANSLATE)
        wanted = languages or _wanted(session, found)
    with console.status("Translating …") as status:
        for language in wanted:
            status.update(f"Translating to {language} …")
            made.append(_prepare(statement_id, language, person))
    if as_json:
        return put_json({work.language: _work(work) for work in made})
    table("Translations", ["language", "result"], [(work.language, _told(work)) for work in made])
    say(f"Work through one: notify translation desk {statement_id} LANGUAGE --as EMAIL")
    return None


def _prepare(statement_id: int, language: str, person: Staff) -> preparing.Work:
    """One language; nobody waits for the database while the machine thinks."""
    with hub().database.reading() as session:
        found = statements.find(session, statement_id)
        machine = preparing.rehearse(session, found, language, hub().translator)
    with hub().database.session() as session:
        work = preparing.prepare(session, statements.find(session, statement_id), language, machine, person)
        session.commit()
    return work


def _wanted(session: Session, found: Statement) -> list[str]:
    there = [each.language for each in statements.translations(session, found)]
    every = dict.fromkeys([*there, *hub().settings.city.languages])
    return [language for language in every if language != found.source_language]


def _work(work: preparing.Work) -> dict[str, Any]:
    return {
        "sentences": work.sentences,
        "carried": work.carried,
        "remembered": work.remembered,
        "drafted": work.drafted,
        "to_write": work.to_write,
        "new": work.new,
        "problem": work.problem,
    }


def _told(work: preparing.Work) -> str:
    counted = {
        "as before": work.carried,
        "from the memory": work.remembered,
        "drafted by the machine": work.drafted,
        "for people to translate": work.to_write,
    }
    told = ", ".join(f"{count} {what}" for what, count in counted.items() if count)
    return f"{work.sentences} sentences: {told}. {work.problem}".strip()


@translation.command("approve")
def translation_approve(
    statement_id: int,
    language: str,
    sentence: list[int] = typer.Option(None, help="Only these sentences; several times. Else the whole."),
    as_: str = _WHO,
) -> None:
    """Answer for a translation after reading it beside its source."""
    with hub().database.session() as session:
        found = statements.find(session, statement_id)
        reviewer = find(session, as_)
        kept = _approve(session, found, language, reviewer, sentence or None)
        rows = reading.rows(session, found, kept)
        left = sum(row.approved_at is None for row in rows)
        doubts = _doubts(
            [row for row in rows if row.approved_at and (not sentence or row.number in sentence)]
        )
        session.commit()
    if left:
        good(f"{found.reference}: approved; {left} sentences of {kept.language} are left.")
    else:
        good(f"{found.reference}: {kept.language} may leave once the statement is approved.")
    say(*doubts)


def _doubts(approved: list[TranslatedSentence]) -> list[str]:
    """The warnings that stand though somebody has approved: they may want a second look."""
    return [
        f"  Sentence {row.number}, approved as it is: {each['message']}"
        for row in approved
        for each in findings.open_findings(row)
        if each["severity"] == Severity.WARNING
    ]


def _approve(
    session: Session, found: Statement, language: str, reviewer: Staff, numbers: list[int] | None
) -> Translation:
    two_people = hub().settings.translation.two_people
    return approving.approve(session, found, language, reviewer, numbers=numbers, two_people=two_people)


@translation.command("edit")
def translation_edit(
    statement_id: int,
    language: str,
    number: int = typer.Argument(help="Of the sentence, as `show` numbers it."),
    text: str = typer.Argument(help="The sentence; in the body, Markdown."),
    as_: str | None = AS,
) -> None:
    """Replace one sentence. Only that one has to be approved again."""
    with hub().database.session() as session:
        found = statements.find(session, statement_id)
        row = editing.edit(session, found, language, number, text, acting(session, as_, Deed.TRANSLATE))
        still_open = findings.open_findings(row)
        session.commit()
    good(f"Sentence {number} is kept.")
    say(*(_finding_line(at, each) for at, each in enumerate(still_open, start=1)))


@translation.command("sign-off")
def translation_sign_off(
    statement_id: int,
    language: str,
    number: int = typer.Argument(help="Of the sentence."),
    finding: int = typer.Option(1, help="Which of its findings."),
    reason: str = typer.Option(..., help="Why it is right as it is."),
    as_: str = _WHO,
) -> None:
    """Answer by name for what a check found in a sentence."""
    with hub().database.session() as session:
        found = statements.find(session, statement_id)
        approving.sign_off(session, found, language, number, finding, reason, find(session, as_))
        session.commit()
    good(f"Signed off by {as_}; it is in the audit trail.")


@translation.command("show")
def translation_show(statement_id: int, language: str, as_json: bool = JSON) -> None:
    """A translation beside its source, sentence by sentence, with what the checks say."""
    with hub().database.reading() as session:
        found = statements.find(session, statement_id)
        kept = _kept(session, found, language)
        rows = reading.shown(session, found, kept)
        original, words = statements.source(session, found).text(), kept.text()
        shown = [_row(session, row) for row in rows]
    if as_json:
        return put_json({"source": original.as_dict(), "translation": words.as_dict(), "sentences": shown})
    table(
        "",
        ["", f"source ({found.source_language})", language, "from", "approved by"],
        [
            (row["number"], row["source"], row["text"], row["origin"], row["approved_by"] or "")
            for row in shown
        ],
    )
    for row in shown:
        for at, finding in enumerate(row["findings"], start=1):
            say(f"sentence {row['number']}, {_finding_line(at, finding)}")
    return None


def _kept(session: Session, found: Statement, language: str) -> Translation:
    there = {each.language: each for each in statements.translations(session, found)}
    if language not in there:
        raise Refused(
            f"{found.reference} has no {language} translation; it has {', '.join(there) or 'none'}."
        )
    return there[language]


def _row(session: Session, row: TranslatedSentence) -> dict[str, Any]:
    approver = session.get(Staff, row.approved_by) if row.approved_by else None
    return {
        "number": row.number,
        "place": row.place,
        "source": row.source,
        "text": row.text,
        "origin": row.origin,
        "engine": row.engine,
        "score": row.score,
        "findings": row.findings,
        "signed": row.signed,
        "approved_by": approver.email if approver else None,
    }


def _finding_line(at: int, finding: dict[str, Any]) -> str:
    return f"finding {at}, {finding['severity']}: {finding['message']}"


@translation.command("back")
def translation_back(statement_id: int, language: str) -> None:
    """Translate a translation back by machine: a help for staff who do not read it, and no proof."""
    with hub().database.reading() as session:
        found = statements.find(session, statement_id)
        rows = reading.shown(session, found, _kept(session, found, language))
        with console.status("Translating back …"):
            texts = reading.back(hub().translator, found, language, rows)
    table(
        "By machine, and no proof: a good translation may come back oddly, a bad one well.",
        ["", f"source ({found.source_language})", f"{language}, translated back"],
        [(row.number, row.source, text) for row, text in zip(rows, texts, strict=True)],
    )


@translation.command("desk")
def translation_desk(statement_id: int, language: str, as_: str = _WHO) -> None:
    """Work through a translation with the keyboard: one sentence at a time, beside its source."""
    from notify.cli.desk import Desk

    Desk(hub(), statement_id, language, as_).work()
