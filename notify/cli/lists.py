"""`notify list`: the opt-in lists, who keeps them, and how residents join."""

from __future__ import annotations

import asyncio
import dataclasses
from pathlib import Path
from typing import Any

import typer
from sqlmodel import Session

from contacts import exporting, lists
from contacts.models import Contact, ContactList, ListKind
from notify import audit, invitations, liaisons, residents, staff
from notify.cli.acting import hub, keeper
from notify.cli.output import AS, JSON, YES, Refused, confirm, good, put_json, say, table
from notify.hub import address_kinds
from notify.residents import Keeper
from templates import language_name

list_app = typer.Typer(
    no_args_is_help=True,
    help="Opt-in lists, and exclusion lists of people whom a dispatch leaves out. Being on a list is no consent.",
)

PUBLIC = typer.Option(None, "--public/--private", help="Residents may join by themselves: web, text, chat.")
WORD = typer.Option(None, "--join-word", metavar="WORD", help="What residents text to join; '' for none.")
TITLE = typer.Option(
    None, "--title", metavar="LANGUAGE=TEXT", help="What residents read: es='Noticias'. Repeat."
)
DESCRIPTION = typer.Option(None, "--description", help="What it is for, in a sentence.")


@list_app.command("list")
def list_list(as_: str | None = AS, as_json: bool = JSON) -> None:
    """The lists that you keep, with how many are on each."""
    with hub().database.session() as session:
        found = [_plain(session, each) for each in keeper(session, as_).lists(session)]
    if as_json:
        return put_json(found)
    table(
        "Lists",
        ["list", "for", "members", "may be written to", "joined by", "kept by"],
        [
            (each["name"], _purpose(each), each["members"], sum(each["subscribed"].values()),
             each["join_word"].upper() or ("the page" if each["public"] else ""), ", ".join(each["keepers"]))
            for each in found
        ],
    )  # fmt: skip
    return None


@list_app.command("add")
def list_add(
    name: str = typer.Argument(help="What staff call it: 'Elders North'."),
    public: bool | None = PUBLIC,
    join_word: str | None = WORD,
    title: list[str] | None = TITLE,
    exclusion: bool = typer.Option(False, "--exclusion", help="People whom dispatches leave out: families, press."),
    description: str | None = DESCRIPTION,
    as_: str | None = AS,
    as_json: bool = JSON,
) -> None:  # fmt: skip
    """Make a list. A liaison who makes one keeps it.

    Example: notify list add "Elders North" --public --join-word elders --title en="Elders in the north"
    """
    with hub().database.session() as session:
        who = keeper(session, as_)
        if name.casefold() in {each.name.casefold() for each in lists.every(session)}:
            raise lists.BadListName(
                f"There is a list called {name!r} already. See: notify list show {name!r}"
            )
        listed = residents.list_to_fill(session, who, name)
        _change(session, who, listed, "list.add", public, join_word, title, description, exclusion or None)
        session.commit()
        tree = _plain(session, listed)
    if as_json:
        return put_json(tree)
    good(f"The list {listed.name!r} is made.")
    say(f"Next: notify contacts import FILE --list {listed.name!r}")
    return None


@list_app.command("edit")
def list_edit(
    name: str,
    rename: str | None = typer.Option(None, "--name", help="What staff call it from now on."),
    public: bool | None = PUBLIC,
    join_word: str | None = WORD,
    title: list[str] | None = TITLE,
    exclusion: bool | None = typer.Option(None, "--exclusion/--opt-in", help="What it is for."),
    description: str | None = DESCRIPTION,
    as_: str | None = AS,
    as_json: bool = JSON,
) -> None:
    """Change a list; what is not named stays. An empty title takes that language away: --title fr="""
    with hub().database.session() as session:
        who, listed = _kept(session, as_, name)
        _change(session, who, listed, "list.edit", public, join_word, title, description, exclusion, rename)
        session.commit()
        tree = _plain(session, listed)
    if as_json:
        return put_json(tree)
    good(f"The list {listed.name!r} is changed.")
    return None


@list_app.command("show")
def list_show(name: str, as_: str | None = AS, as_json: bool = JSON) -> None:
    """A list: what residents read, who keeps it, and how many agreed by channel and language."""
    with hub().database.session() as session:
        _, listed = _kept(session, as_, name)
        tree = _plain(session, listed)
        counts = lists.count_by_language(session, listed.id or 0)
        tree["by_language"] = [dataclasses.asdict(each) for each in counts]
    if as_json:
        return put_json(tree)
    say(tree["name"], *([tree["description"]] if tree["description"] else []), _purpose(tree))
    say(*(f"  {language}: {text}" for language, text in tree["titles"].items()))
    say(f"{tree['members']:,} contacts are on it. Kept by: {', '.join(tree['keepers']) or 'administrators'}.")
    if tree["join_word"]:
        say(f"Residents text {tree['join_word'].upper()} to join.")
    table(
        "Addresses that may be written to",
        ["channel", "language", "addresses"],
        [(each.channel, language_name(each.language, "en"), each.addresses) for each in counts],
    )
    return None


@list_app.command("keepers")
def list_keepers(
    name: str,
    add: list[str] | None = typer.Option(None, "--add", metavar="EMAIL", help="Give the list to a liaison."),
    remove: list[str] | None = typer.Option(None, "--remove", metavar="EMAIL", help="Take it from one."),
    as_: str | None = AS,
    as_json: bool = JSON,
) -> None:
    """Who keeps a list. Only administrators change that."""
    with hub().database.session() as session:
        who, listed = _kept(session, as_, name)
        if (add or remove) and not who.keeps_all:
            raise staff.StaffError(f"{who.name} may not give lists away: this needs the role administrator.")
        for email in add or []:
            liaisons.give(session, listed, staff.find(session, email), by=who.name)
        for email in remove or []:
            liaisons.take(session, listed, staff.find(session, email), by=who.name)
        session.commit()
        kept_by = [each.email for each in liaisons.keepers_of(session, listed.id or 0)]
    if as_json:
        return put_json({"list": listed.name, "keepers": kept_by})
    good(f"{listed.name!r} is kept by {', '.join(kept_by) or 'administrators alone'}.")
    return None


@list_app.command("members")
def list_members(
    name: str,
    after: int = typer.Option(0, help="Go on after this contact."),
    limit: int = typer.Option(50, min=1, max=10_000, help="At most so many."),
    as_: str | None = AS,
    as_json: bool = JSON,
) -> None:
    """Who is on a list. For all of them in a file: notify list export NAME FILE"""
    with hub().database.session() as session:
        who, listed = _kept(session, as_, name)
        found = residents.find(session, who, listed=listed, after=after, limit=limit)
        session.commit()
    if as_json:
        return put_json([_person(each) for each in found.contacts])
    table(
        listed.name,
        ["contact", "name", "language", "area"],
        [(each.id or 0, each.name, each.language, each.area) for each in found.contacts],
    )
    if found.more:
        say(f"There are more: --after {found.contacts[-1].id}")
    return None


@list_app.command("add-member")
def list_add_member(
    name: str, contact_id: int, as_: str | None = AS, as_json: bool = JSON
) -> None:  # fmt: skip
    """Put a contact on a list. This is no consent: record that with `notify consent record`."""
    _set_member(name, contact_id, as_, as_json, member=True)


@list_app.command("remove-member")
def list_remove_member(
    name: str, contact_id: int, as_: str | None = AS, as_json: bool = JSON
) -> None:  # fmt: skip
    """Take a contact off a list. What they agreed to stays on record; nothing is sent through this list."""
    _set_member(name, contact_id, as_, as_json, member=False)


@list_app.command("remove")
def list_remove(
    name: str,
    with_members: bool = typer.Option(False, "--with-members", help="Also when contacts are on it."),
    yes: bool = YES,
    as_: str | None = AS,
    as_json: bool = JSON,
) -> None:
    """Take a list away: nothing is sent through it any more. The proof of consent stays."""
    with hub().database.session() as session:
        who, listed = _kept(session, as_, name)
        list_id, count = listed.id or 0, lists.count_members(session, listed.id or 0)
        if with_members:
            confirm(f"Take the list {listed.name!r} away from {count:,} contacts?", yes=yes)
        lists.remove(session, listed, actor=who.name, even_with_members=with_members)
        liaisons.forget(session, [list_id])
        audit.record(session, who.name, "list.remove", f"list {list_id}", members=count)
        session.commit()
    if as_json:
        return put_json({"list": list_id, "removed": True, "members": count})
    good(f"The list {name!r} is gone. What residents said about it stays on record.")
    return None


@list_app.command("invite")
def list_invite(
    name: str,
    qr: Path | None = typer.Option(None, "--qr", metavar="FILE", help="Write the page's QR code: .svg or .png."),
    as_: str | None = AS,
    as_json: bool = JSON,
) -> None:  # fmt: skip
    """How residents join: the page, the word to text and the number, the link into the chat, a QR code to print."""
    here = hub()
    with here.database.session() as session:
        _, listed = _kept(session, as_, name)
    found = asyncio.run(invitations.invite(here, listed))
    if qr is not None:
        _write_qr(qr, found.page or next(iter(found.links.values()), ""))
    if as_json:
        return put_json(dataclasses.asdict(found) | {"qr": str(qr) if qr else None})
    if found.page:
        say(f"Page:  {found.page}")
    if found.word:
        say(*(f"Text:  {found.word} to {number}" for number in found.numbers.values()))
    say(*(f"Chat:  {link}" for link in found.links.values()), *found.missing)
    if qr is not None:
        good(f"{qr} is written.")
    return None


@list_app.command("export")
def list_export(
    name: str,
    file: Path = typer.Argument(help="Where to: .csv or .xlsx. It holds personal data: keep it safe, delete it soon."),
    columns: str = typer.Option(
        ",".join(exporting.DEFAULT_COLUMNS), "--columns",
        help="Comma separated. Also: contact, groups, phone, email, telegram, address, consent_date, opted_out.",
    ),
    as_: str | None = AS,
    as_json: bool = JSON,
) -> None:  # fmt: skip
    """Write who is on a list to a file, with the columns you name and no others. It is in the audit trail."""
    wanted = [each.strip() for each in columns.split(",") if each.strip()]
    with hub().database.session() as session:
        who, listed = _kept(session, as_, name)
        count = residents.export_list(session, who, listed, file, wanted, channels=address_kinds())
        session.commit()
    if as_json:
        return put_json({"list": listed.name, "file": str(file), "contacts": count, "columns": wanted})
    good(f"{count:,} contacts are in {file}.")
    return None


def _kept(session: Session, email: str | None, name: str) -> tuple[Keeper, ContactList]:
    """Who is at work, and a list of theirs."""
    who, listed = keeper(session, email), lists.by_name(session, name)
    who.require_list(session, listed)
    return who, listed


def _change(
    session: Session,
    who: Keeper,
    listed: ContactList,
    action: str,
    public: bool | None,
    word: str | None,
    titles: list[str] | None,
    description: str | None,
    exclusion: bool | None,
    name: str | None = None,
) -> None:
    given = {
        "name": name,
        "description": description,
        "public": public,
        "kind": None if exclusion is None else ListKind.EXCLUSION if exclusion else ListKind.OPT_IN,
        "titles": _titles(titles) if titles else None,
        "join_word": None if word is None else invitations.join_word(word),
    }
    changed: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
    lists.edit(session, listed, **changed)
    audit.record(session, who.name, action, f"list {listed.id}", name=listed.name, changed=sorted(changed))


def _titles(given: list[str]) -> dict[str, str]:
    found = {}
    for each in given:
        language, sign, text = each.partition("=")
        if not sign:
            raise Refused(f"--title {each!r} names no language. Write it like --title es='Noticias'.")
        found[language_tag_of(language)] = text
    return found


def language_tag_of(text: str) -> str:
    """A language as the option names it.

    Raises:
        Refused: no language is called that.
    """
    from contacts.languages import language_tag
    from contacts.values import BadValue

    try:
        return language_tag(text)
    except BadValue:
        raise Refused(f"{text!r} is no language. Write it like en, es, zh-Hans.") from None


def _set_member(name: str, contact_id: int, email: str | None, as_json: bool, *, member: bool) -> None:
    with hub().database.session() as session:
        who, listed = _kept(session, email, name)
        if member and not who.keeps_all:
            who.require_contact(session, contact_id)
        if session.get(Contact, contact_id) is None:
            raise Refused(f"There is no contact {contact_id}. Look it up: notify contacts list")
        put = lists.add_member if member else lists.remove_member
        put(session, listed.id or 0, contact_id)
        action = "list.add_member" if member else "list.remove_member"
        audit.record(session, who.name, action, f"list {listed.id}", contact=contact_id)
        session.commit()
    if as_json:
        return put_json({"list": listed.name, "contact": contact_id, "member": member})
    good(
        f"Contact {contact_id} is {'' if member else 'not '}on {listed.name!r}{'' if member else ' any more'}."
    )
    return None


def _write_qr(path: Path, url: str) -> None:
    if not url:
        raise Refused("There is no address for a QR code yet: set NOTIFY_PUBLIC_URL.")
    try:
        path.write_bytes(invitations.qr(url, path.name))
    except OSError as error:
        raise Refused(f"{path} cannot be written: {error.strerror}. Name another place.") from None


def _plain(session: Session, listed: ContactList) -> dict[str, Any]:
    list_id = listed.id or 0
    return {
        "list": list_id,
        "name": listed.name,
        "kind": listed.kind,
        "description": listed.description,
        "public": listed.public,
        "join_word": listed.join_word,
        "titles": listed.titles,
        "members": lists.count_members(session, list_id),
        "subscribed": lists.count_subscribed(session, list_id),
        "keepers": [each.email for each in liaisons.keepers_of(session, list_id)],
    }


def _purpose(tree: dict[str, Any]) -> str:
    if tree["kind"] == ListKind.EXCLUSION:
        return "left out of dispatches"
    return "residents join by themselves" if tree["public"] else "kept by liaisons"


def _person(contact: Contact) -> dict[str, Any]:
    return {
        "contact": contact.id,
        "name": contact.name,
        "language": contact.language,
        "area": contact.area,
        "groups": [name for name in contact.groups.split("|") if name],
    }
