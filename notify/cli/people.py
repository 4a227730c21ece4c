"""`notify contacts list | show | merge | split | duplicates | export | erase`: residents one by one."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer
from sqlmodel import Session

from channels.contract import AddressKind
from contacts import lists
from contacts.columns import now
from contacts.duplicates import Group
from contacts.erasure import Erasure
from contacts.joining import CannotJoin, Merge
from contacts.models import Contact
from notify import residents, retention
from notify.cli.acting import hub, keeper
from notify.cli.contacts import contacts_app
from notify.cli.output import AS, JSON, YES, Refused, confirm, errors, good, put_json, say, table
from notify.hub import address_kinds

__all__ = ["contacts_app"]

SHOWN_EVENTS = 12


@contacts_app.command("list")
def contacts_list(
    list_: str | None = typer.Option(None, "--list", metavar="NAME", help="Only who is on this list."),
    search: str = typer.Option("", "--search", metavar="TEXT", help="Part of a name or of an address."),
    after: int = typer.Option(0, help="Go on after this contact."),
    limit: int = typer.Option(50, min=1, max=10_000, help="At most so many."),
    as_: str | None = AS,
    as_json: bool = JSON,
) -> None:
    """Look for residents, of those on lists that you keep."""
    with hub().database.session() as session:
        listed = lists.by_name(session, list_) if list_ else None
        who = keeper(session, as_)
        found = residents.find(session, who, listed=listed, text=search, after=after, limit=limit)
        session.commit()
    if as_json:
        return put_json([_person(each) for each in found.contacts])
    table(
        "Contacts",
        ["contact", "name", "language", "area"],
        [(each.id or 0, each.name, each.language, each.area) for each in found.contacts],
    )
    if found.more:
        say(f"There are more: --after {found.contacts[-1].id}")
    return None


@contacts_app.command("show")
def contacts_show(contact_id: int, as_: str | None = AS, as_json: bool = JSON) -> None:
    """One resident: addresses, lists, household, and what they said about consent."""
    with hub().database.session() as session:
        who = keeper(session, as_)
        tree = _found(residents.show, session, who, contact_id, household_channels=_household_channels())
        session.commit()
    if as_json:
        return put_json(tree)
    _tell(tree)
    return None


@contacts_app.command("duplicates")
def contacts_duplicates(
    list_: str | None = typer.Option(None, "--list", metavar="NAME", help="Only groups with somebody on it."),
    merge: bool = typer.Option(False, "--merge", help="Look at each group and merge it, one by one."),
    limit: int = typer.Option(100, min=1, help="At most so many groups."),
    as_: str | None = AS,
    as_json: bool = JSON,
) -> None:
    """Residents who may be there twice: the same phone, mailbox or chat, or the same name in one household."""
    with hub().database.session() as session:
        listed = lists.by_name(session, list_) if list_ else None
        found = list(
            residents.find_duplicates(
                session, keeper(session, as_), household_channels=_household_channels(), listed=listed
            )
        )
        session.commit()
        shown = [_group(session, each) for each in found[:limit]]
    if merge:
        return _merge_each(found[:limit], as_)
    if as_json:
        return put_json(shown)
    table(
        f"Contacts who may be one person, {len(found):,} groups" if found else "Contacts who may be one person",
        ["contacts", "names", "why"],
        [
            (", ".join(str(each["contact"]) for each in group["contacts"]),
             " | ".join(each["name"] or "(no name)" for each in group["contacts"]), ", ".join(group["why"]))
            for group in shown
        ],
    )  # fmt: skip
    if found:
        say("Merge one pair: notify contacts merge KEPT GONE. One by one: notify contacts duplicates --merge")
    return None


@contacts_app.command("merge")
def contacts_merge(
    kept: int = typer.Argument(metavar="KEPT", help="The contact that stays; its name and area win."),
    gone: int = typer.Argument(metavar="GONE", help="The contact that becomes an empty shell."),
    language: str | None = typer.Option(None, "--language", help="Which stays, where they read different ones."),
    dry_run: bool = typer.Option(False, "--dry-run", help="Show what would happen; change nothing."),
    yes: bool = YES,
    as_: str | None = AS,
    as_json: bool = JSON,
) -> None:  # fmt: skip
    """Make one of two contacts who are one person. No word about consent is lost, and no opt-out is revived.

    To take it back: notify contacts split
    """
    with hub().database.session() as session:
        who = keeper(session, as_)
        plan = residents.preview_merge(session, who, kept, gone)
        if not as_json:
            say(*map(_line, _contacts(session, (kept, gone))))
            _tell_merge(plan)
        if not dry_run:
            confirm(f"Merge contact {gone} into {kept}?", yes=yes)
            residents.merge(session, who, kept, gone, language=language)
            session.commit()
    if as_json:
        return put_json(_merge_tree(plan) | {"done": not dry_run})
    good("Dry run: nothing was changed." if dry_run else f"Contact {gone} is part of {kept} now.")
    return None


@contacts_app.command("split")
def contacts_split(
    contact_id: int,
    endpoint: list[int] = typer.Option([], "--endpoint", metavar="ID", help="An address that goes. Repeat."),
    shared: list[int] = typer.Option([], "--shared", metavar="ID", help="An address that both have. Repeat."),
    name: str = typer.Option("", "--name", help="Of the new contact."),
    language: str | None = typer.Option(None, "--language", help="Of the new contact; as before if left out."),
    yes: bool = YES,
    as_: str | None = AS,
    as_json: bool = JSON,
) -> None:  # fmt: skip
    """Make two of a contact who are two people; this also takes a merge back.

    The numbers of the addresses are in `notify contacts show`. What was said about an address goes with it,
    and the new contact is on the same lists.
    """
    with hub().database.session() as session:
        who = keeper(session, as_)
        confirm(f"Make a new contact of {len(endpoint) + len(shared)} addresses of {contact_id}?", yes=yes)
        made = residents.split(
            session, who, contact_id, endpoint, shared=shared, name=name.strip(), language=language
        )
        session.commit()
    if as_json:
        return put_json({"contact": contact_id, "made": made.id, "moved": endpoint, "shared": shared})
    good(f"Contact {made.id} is made.")
    return None


@contacts_app.command("export")
def contacts_export(
    contact_id: int,
    file: Path | None = typer.Option(None, "--file", help="Where to: .json or .pdf. Left out: JSON to the terminal."),
    language: str | None = typer.Option(None, "--language", help="Of the PDF; the resident's if left out."),
    as_: str | None = AS,
) -> None:  # fmt: skip
    """Everything the hub holds about one resident, for this resident, who has a right to it.

    The PDF is in the resident's own language; the JSON is for programs, and says the same.
    """
    here = hub()
    with here.database.session() as session:
        tree = _found(residents.own_data, session, keeper(session, as_), contact_id)
        session.commit()
    if file is None:
        return put_json(tree)
    _write(file, _document(here.settings.as_city(), tree, file, language))
    return good(f"{file} is written. It holds personal data: hand it over safely, then delete it.")


@contacts_app.command("erase")
def contacts_erase(
    contact_id: int,
    dry_run: bool = typer.Option(False, "--dry-run", help="Show what would go and what would stay."),
    yes: bool = YES,
    as_: str | None = AS,
    as_json: bool = JSON,
) -> None:
    """Erase a resident for good, as they may ask. Only a keyed hash of each address stays, as the proof of consent.

    Not reached from here: backups, letters already in the mail house's folder (retention removes them), what
    providers and mail servers log, and files that somebody exported.
    """
    here = hub()
    with here.database.session() as session:
        who = keeper(session, as_)
        plan = residents.preview_erasure(session, who, contact_id)
        if not as_json:
            _tell_erasure(plan)
        if not dry_run:
            confirm(f"Erase contact {contact_id}? This cannot be taken back.", yes=yes)
            residents.erase(session, who, contact_id, key=here.settings.key())
            session.commit()
    if as_json:
        return put_json(dataclasses.asdict(plan) | {"done": not dry_run})
    good("Dry run: nothing was changed." if dry_run else f"Contact {contact_id} is erased.")
    return None


@contacts_app.command("retention")
def contacts_retention(
    dry_run: bool = typer.Option(False, "--dry-run", help="Count what is old; throw nothing away."),
    yes: bool = YES,
    as_json: bool = JSON,
) -> None:
    """Throw away what is old, by the retention settings. A running hub does this once a day by itself."""
    here = hub()
    with here.database.reading() as session:
        found = retention.look(session, here.settings)
    if not dry_run:
        confirm(f"Throw away {sum(each.count for each in found):,} old things for good?", yes=yes)
        found = retention.run(here.database, here.settings)
    if as_json:
        return put_json([dataclasses.asdict(each) for each in found])
    table(
        "What would go" if dry_run else "What went",
        ["setting", "what", "older than", "count"],
        [
            (each.rule, each.what, f"{each.before:%Y-%m-%d}" if each.before else "kept for ever", each.count)
            for each in found
        ],
    )
    return None


def _household_channels() -> list[str]:
    """The channels whose address is a household's."""
    return [name for name, kind in address_kinds().items() if kind is AddressKind.POSTAL]


def _found(look: Any, *given: Any, **more: Any) -> dict[str, Any]:
    try:
        tree: dict[str, Any] = look(*given, **more)
    except LookupError as error:
        raise Refused(f"{error} Look it up: notify contacts list") from None
    return tree


def _document(city: Any, tree: dict[str, Any], file: Path, language: str | None) -> bytes:
    import json

    if file.suffix.lower() == ".json":
        return (json.dumps(tree, ensure_ascii=False, indent=2, default=str) + "\n").encode()
    if file.suffix.lower() != ".pdf":
        raise Refused(f"{file.name} is neither .json nor .pdf. Name the file so.")
    from notify import own_data

    return own_data.pdf(tree, city, language or tree["language"], now())


def _write(file: Path, data: bytes) -> None:
    try:
        file.touch(mode=0o600)
        file.chmod(0o600)
        file.write_bytes(data)
    except OSError as error:
        raise Refused(f"{file} cannot be written: {error.strerror}. Name another place.") from None


def _merge_each(groups: Sequence[Group], as_: str | None) -> None:
    """Show each pair of each group, and ask."""
    if not sys.stdin.isatty():
        raise Refused("--merge asks about each group: run it in a terminal, or use notify contacts merge.")
    for group in groups:
        kept, *others = group.contacts
        for gone in others:
            _merge_one(kept, gone, group, as_)


def _merge_one(kept: int, gone: int, group: Group, as_: str | None) -> None:
    with hub().database.session() as session:
        who = keeper(session, as_)
        try:
            plan = residents.preview_merge(session, who, kept, gone)
        except CannotJoin as error:
            return errors.print(str(error), markup=False)
        say("", f"{', '.join(group.why)}:", *map(_line, _contacts(session, (kept, gone))))
        _tell_merge(plan)
        session.rollback()  # nobody waits for us while a person thinks
        if not typer.confirm("Are they one person?", default=False):
            return None
        language = typer.prompt("Language", default=plan.languages[0]) if len(plan.languages) > 1 else None
        residents.merge(session, who, kept, gone, language=language)
        session.commit()
    return good(f"Contact {gone} is part of {kept} now.")


def _contacts(session: Session, numbers: Sequence[int]) -> list[Contact]:
    return [session.get_one(Contact, number) for number in numbers]


def _line(contact: Contact) -> str:
    return f"  {contact.id}: {contact.name or '(no name)'}, {contact.language}, {contact.area or 'no area'}"


def _group(session: Session, group: Group) -> dict[str, Any]:
    return {
        "contacts": [_person(each) for each in _contacts(session, group.contacts)],
        "why": list(group.why),
    }


def _person(contact: Contact) -> dict[str, Any]:
    return {"contact": contact.id, "name": contact.name, "language": contact.language, "area": contact.area}


def _tell(tree: dict[str, Any]) -> None:
    gone = {"merged_into": "merged into contact {}", "erased_at": "erased on {}"}
    state = [said.format(tree[name]) for name, said in gone.items() if tree[name]]
    about = [tree["language"], tree["area"], ", ".join(tree["groups"]), *state]
    say(f"Contact {tree['contact']}: {tree['name'] or '(no name)'}", f"  {' · '.join(filter(None, about))}")
    table(
        "Addresses",
        ["endpoint", "channel", "address", "state"],
        [
            (each["endpoint"], each["channel"], " / ".join(each["address"].splitlines()), _state(each))
            for each in tree["addresses"]
        ],
    )
    say(f"Lists: {', '.join(each['list'] for each in tree['lists']) or 'none'}")
    if tree["household"]:
        say(f"Same household: contacts {', '.join(map(str, tree['household']))}")
    if tree["merged"]:
        say(f"Merged into this one: contacts {', '.join(map(str, tree['merged']))}")
    last = tree["consent"][-SHOWN_EVENTS:]
    table(
        f"Consent: the last {len(last)} of {len(tree['consent'])}",
        ["when", "channel", "to", "said", "how", "words"],
        [
            (f"{each['at']:%Y-%m-%d %H:%M}", each["channel"], each["list"] or "everything",
             "yes" if each["decision"] else "no", each["method"], each["wording"])
            for each in last
        ],
    )  # fmt: skip


def _state(endpoint: dict[str, Any]) -> str:
    said = [
        "said no to everything" if endpoint["opted_out_of_everything"] else "",
        "" if endpoint["works"] else f"does not work ({endpoint['why_not']})",
        f"held: {endpoint['held']}" if endpoint["held"] else "",
    ]
    return "; ".join(filter(None, said)) or "works"


def _tell_merge(plan: Merge) -> None:
    say(
        f"Contact {plan.kept} stays, {plan.gone} becomes an empty shell.",
        f"  Addresses that move: {len(plan.moved)}. The same, so that what was said is joined: {len(plan.shared)}.",
        f"  Lists that {plan.kept} comes onto: {len(plan.lists)}. This is no consent.",
    )
    if plan.filled:
        say(f"  Filled from {plan.gone}: {', '.join(plan.filled)}.")
    if plan.overruled:
        say(f"  {plan.gone} has another {' and '.join(plan.overruled)}, which is lost.")
    if len(plan.languages) > 1:
        say(f"  They read different languages: {', '.join(plan.languages)}. Say which one with --language.")


def _merge_tree(plan: Merge) -> dict[str, Any]:
    return dataclasses.asdict(plan) | {"filled": sorted(plan.filled)}


def _tell_erasure(plan: Erasure) -> None:
    say(
        f"Of contact {plan.contact_id}, this goes:",
        f"  name, area and groups; addresses: {plan.addresses}; its place on lists: {plan.lists}",
        f"  subscriptions: {plan.subscriptions}; nothing is sent any more",
        f"  what it wrote to the city; its own words in decisions: {plan.own_words}; IP addresses",
        f"  sign-ups that nobody confirmed: {plan.pending}",
        "This stays:",
        f"  decisions without its own words: {plan.events}, and a keyed hash of each address. They are the proof",
        "    of consent, and how an old no is recognised when the address comes again",
        "  its rows in the ledger, without its name and address: so that reports add up",
        "Not reached: backups, print files, logs of providers and mail servers, files that were exported.",
    )
    if plan.shells:
        say(f"What was merged into it goes with it: {', '.join(map(str, plan.shells))}.")
