"""`notify playbook`, `notify statement`: what is said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer
from sqlmodel import Session, col, select

from notify import audit, playbooks, statements
from notify.cli.acting import acting, actor, ask_again, hub, read_text
from notify.cli.output import AS, JSON, YES, Refused, confirm, console, good, put_json, say, table
from notify.dispatch import control
from notify.staff import Deed, Staff, find
from notify.statements import Statement, StatementError, Text
from notify.translation import serving
from templates import language_name, playbook_files

playbook = typer.Typer(no_args_is_help=True, help="Statements written before they are needed.")
statement = typer.Typer(no_args_is_help=True, help="What the mayor says: draft, submit, approve, withdraw.")


@playbook.command("list")
def playbook_list(as_json: bool = JSON) -> None:
    """Every playbook, its languages, and which of them the city has signed."""
    directory = hub().settings.playbooks_dir
    with hub().database.reading() as session:
        found = [
            (each, playbooks.signed_languages(session, each))
            for each in (playbooks.load(name, directory) for name in playbook_files.names(directory))
        ]
    if as_json:
        return put_json([_playbook(each, signed) for each, signed in found])
    table(
        "Playbooks",
        ["name", "kind", "when to use it", "languages", "signed"],
        [
            (each.name, each.kind, each.summary, " ".join(each.texts), " ".join(sorted(signed)) or "none")
            for each, signed in found
        ],
    )
    return None


def _playbook(each: playbook_files.Playbook, signed: frozenset[str]) -> dict[str, Any]:
    return {
        "name": each.name,
        "title": each.title,
        "summary": each.summary,
        "kind": each.kind,
        "languages": list(each.texts),
        "signed": sorted(signed),
        "placeholders": {
            key: {
                "type": value.type,
                "label": value.label,
                "example": value.example,
                "required": value.required,
            }
            for key, value in each.placeholders.items()
        },
    }


@playbook.command("show")
def playbook_show(
    name: str, language: str = typer.Option("", help="Its words in this language."), as_json: bool = JSON
) -> None:
    """What a playbook says and which values it needs."""
    found = playbooks.load(name, hub().settings.playbooks_dir)
    with hub().database.reading() as session:
        signed = playbooks.signed_languages(session, found)
    wanted = language or found.source_language
    if wanted not in found.texts:
        raise Refused(f"{name} has no {wanted}; it has {', '.join(found.texts)}.")
    text = found.texts[wanted]
    if as_json:
        words = {"title": text.title, "short": text.short, "body": text.body}
        return put_json(_playbook(found, signed) | {"language": wanted, "text": words})
    console.rule(found.title)
    say(
        found.summary,
        "",
        f"Languages: {' '.join(found.texts)}   signed: {' '.join(sorted(signed)) or 'none'}",
        "",
    )
    table(
        "Values it needs (--set key=value)",
        ["key", "type", "what", "example", "required"],
        [
            (key, value.type, value.label, value.example, "yes" if value.required else "no")
            for key, value in found.placeholders.items()
        ],
    )
    console.rule(language_name(wanted, "en"))
    say(text.title, "", f"Text message: {text.short}", "", text.body)
    for action in text.actions:
        say(f"→ {action.label}: {action.value}")
    return None


@playbook.command("sign")
def playbook_sign(
    name: str,
    languages: list[str] = typer.Option([], "--language", "-l", help="Only these; by default all of them."),
    as_: str | None = AS,
    yes: bool = YES,
) -> None:
    """Sign a playbook's languages once, before they are needed. Somebody who reads each has to have read it."""
    found = playbooks.load(name, hub().settings.playbooks_dir)
    if unknown := [each for each in languages if each not in found.texts]:
        raise Refused(f"{name} has no {', '.join(unknown)}; it has {', '.join(found.texts)}.")
    with hub().database.session() as session:
        signer = acting(session, as_, Deed.APPROVE)
        wanted = languages or list(found.texts)
        confirm(f"Sign {name} in {', '.join(wanted)} as {signer.email}?", yes=yes)
        ask_again(signer)
        new = playbooks.sign(session, found, wanted, signer)
        session.commit()
    good(f"{name}: signed {', '.join(new)}." if new else f"{name}: everything asked for was signed already.")


@statement.command("draft")
def statement_draft(
    file: Path = typer.Argument(
        help="Markdown with a head (title, short, kind, language, actions); - reads input."
    ),
    as_: str | None = AS,
    as_json: bool = JSON,
) -> None:
    """Draft a statement from a Markdown file.

    The file starts with a head between two lines of ---:

    ---\n
    title: The library on Mill Street is open again\n
    short: The library on Mill Street is open again from Monday 9:00.\n
    kind: update\n
    language: en\n
    actions:\n
      - label: Opening hours\n
        value: https://city.example/library\n
    ---\n
    The body, in Markdown.
    """
    draft = statements.parse(read_text(file))
    with hub().database.session() as session:
        kept = statements.draft(session, draft, acting(session, as_, Deed.DRAFT))
        session.commit()
    _tell_draft(kept, as_json)


@statement.command("from-playbook")
def statement_from_playbook(
    name: str,
    set_: list[str] = typer.Option(
        [], "--set", metavar="KEY=VALUE", help="One for each value the playbook needs."
    ),
    as_: str | None = AS,
    as_json: bool = JSON,
) -> None:
    """Draft a statement from a playbook, in all its languages at once."""
    values = dict(_pair(each) for each in set_)
    city = hub().settings.city
    with hub().database.session() as session:
        found = playbooks.load(name, hub().settings.playbooks_dir)
        draft = playbooks.to_draft(session, found, values, city.timezone, city.country)
        kept = statements.draft(session, draft, acting(session, as_, Deed.DRAFT))
        session.commit()
    held = sorted(set(draft.translations) - draft.signed)
    _tell_draft(kept, as_json, held)


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise Refused(f"--set {text!r}: write it as key=value, like --set place='City Hall'.")
    return key.strip(), value


def _tell_draft(kept: Statement, as_json: bool, held: list[str] | None = None) -> None:
    if as_json:
        return put_json(
            {"statement": kept.id, "reference": kept.reference, "state": kept.state, "held": held or []}
        )
    good(f"Statement {kept.id} is drafted.")
    if held:
        say(
            f"Held until somebody approves them: {', '.join(held)} (sign the playbook once, or approve each)."
        )
    say(f"Look at it: notify statement show {kept.id}", f"Then: notify statement submit {kept.id}")
    return None


@statement.command("edit")
def statement_edit(statement_id: int, file: Path, as_: str | None = AS) -> None:
    """Replace the source text. This voids the approval, and the translations have to be made again."""
    draft = statements.parse(read_text(file))
    with hub().database.session() as session:
        found = statements.find(session, statement_id)
        statements.edit(session, found, draft.text, acting(session, as_, Deed.DRAFT))
        session.commit()
    good(f"{found.reference} is a draft again.")


@statement.command("list")
def statement_list(as_json: bool = JSON) -> None:
    """Every statement, the newest first."""
    with hub().database.reading() as session:
        rows = [
            (
                found.id,
                found.kind,
                found.state,
                found.source_language,
                statements.source(session, found).title,
            )
            for found in session.exec(select(Statement).order_by(col(Statement.id).desc()))
        ]
    names = ["statement", "kind", "state", "language", "title"]
    if as_json:
        return put_json([dict(zip(names, row, strict=True)) for row in rows])
    table("Statements", names, rows)
    return None


@statement.command("show")
def statement_show(statement_id: int, as_json: bool = JSON) -> None:
    """A statement as residents would read it, in every language, with its approvals."""
    with hub().database.reading() as session:
        found = statements.find(session, statement_id)
        tree = _statement(session, found)
    if as_json:
        return put_json(tree)
    console.rule(f"{tree['reference']}  {tree['kind']}  {tree['state']}")
    for language, text in tree["texts"].items():
        console.rule(f"{language_name(language, 'en')} ({language})", align="left", characters="·")
        say(text["title"], "", f"Text message: {text['short']}", "", text["body"])
        for action in text["actions"]:
            say(f"→ {action['label']}: {action['value']}")
    if tree["held"]:
        say("", f"Not approved yet, so not part of it: {', '.join(tree['held'])}")
    say("", f"Hash of all of this: {tree['content_hash']}")
    if tree["approved_by"]:
        say(f"Approved by {tree['approved_by']} at {tree['approved_at']}")
    return None


def _statement(session: Session, found: Statement) -> dict[str, Any]:
    texts = statements.ready_texts(session, found)
    approval = statements.last_approval(session, found)
    current = statements.content_hash(found, texts)
    signed = approval if approval and approval.content_hash == current and found.state == "approved" else None
    return {
        "statement": found.id,
        "reference": found.reference,
        "kind": found.kind,
        "state": found.state,
        "source_language": found.source_language,
        "playbook": found.playbook,
        "texts": {language: text.as_dict() for language, text in texts.items()},
        "held": [
            each.language for each in statements.translations(session, found) if each.language not in texts
        ],
        "coverage": [
            {"language": each.language, "people": each.people, "text": each.text}
            for each in serving.coverage(session, texts)
        ],
        "content_hash": current,
        "approved_by": session.get_one(Staff, signed.staff_id).email if signed else None,
        "approved_at": signed.at if signed else None,
    }


@statement.command("submit")
def statement_submit(statement_id: int, as_: str | None = AS) -> None:
    """Hand a draft over for approval, once it fits every channel that is on."""
    with hub().database.session() as session:
        found = statements.find(session, statement_id)
        statements.submit(
            session, found, actor(session, as_, Deed.DRAFT), missing=hub().settings.translation.missing
        )
        texts = statements.ready_texts(session, found)
        if problems := hub().renderer.problems(found, texts, hub().channels.values()):
            raise StatementError(*problems)
        _tell_coverage(session, texts)
        session.commit()
    good(f"{found.reference} waits for approval by somebody else.")
    say(f"notify statement approve {found.id} --as EMAIL")


@statement.command("approve")
def statement_approve(
    statement_id: int,
    as_: str = typer.Option(
        ..., "--as", metavar="EMAIL", help="The approver; never the author or last editor."
    ),
    yes: bool = YES,
    as_json: bool = JSON,
) -> None:
    """Sign exactly what residents will read, in every language that is ready."""
    with hub().database.reading() as session:  # nobody waits for the database while a person reads
        found = statements.find(session, statement_id)
        approver = find(session, as_)
        texts = statements.ready_texts(session, found)
        if problems := hub().renderer.problems(found, texts, hub().channels.values()):
            raise StatementError(*problems)
        if not as_json:
            _tell_coverage(session, texts)
    confirm(f"Sign {found.reference} ({', '.join(sorted(texts))}) as {approver.email}?", yes=yes)
    ask_again(approver)
    read = statements.content_hash(found, texts)
    with hub().database.session() as session:
        found, approver = statements.find(session, statement_id), find(session, as_)
        if statements.content_hash(found, statements.ready_texts(session, found)) != read:
            raise Refused(f"{found.reference} has changed meanwhile. Read it again, then sign.")
        signed = statements.approve(session, found, approver)
        session.commit()
    if as_json:
        return put_json(
            {
                "statement": found.id,
                "content_hash": signed.content_hash,
                "languages": signed.languages.split(),
            }
        )
    good(f"{found.reference} is approved in {signed.languages.replace(' ', ', ')}.")
    return None


def _tell_coverage(session: Session, texts: dict[str, Text]) -> None:
    """Who will read what, in people, before anybody signs."""
    rows = [
        (language_name(each.language, "en"), each.people, each.said)
        for each in serving.coverage(session, texts)
    ]
    if rows:
        table("Who gets which text", ["they read", "people", "they get"], rows)


@statement.command("withdraw")
def statement_withdraw(statement_id: int, as_: str | None = AS, yes: bool = YES) -> None:
    """Take a statement back: what has not been sent will not be."""
    with hub().database.reading() as session:
        reference = statements.find(session, statement_id).reference
    confirm(f"Withdraw {reference}? This cannot be undone.", yes=yes)
    with hub().database.session() as session:
        found = statements.find(session, statement_id)
        person = actor(session, as_, Deed.DISPATCH)
        statements.withdraw(session, found, person)
        stopped = control.stop_all_of(session, statement_id, person)
        session.commit()
    good(f"{found.reference} is withdrawn.")
    if stopped:
        say(f"Stopped: dispatch {', '.join(map(str, stopped))}. What was sent already stays sent.")


audit_app = typer.Typer(
    no_args_is_help=True, help="Who did what, chained so that a change of the past shows."
)


@audit_app.command("verify")
def audit_verify() -> None:
    """Check the whole audit trail."""
    with hub().database.reading() as session:
        broken = audit.verify(session)
    if broken is not None:
        raise Refused(f"The audit trail does not fit from event {broken} on. Compare it with a backup.")
    good("The audit trail is whole.")
