"""`notify api-key`: the keys with which programs use the HTTP interface."""

from __future__ import annotations

import os
from datetime import datetime
from getpass import getuser
from typing import Any

import typer
from sqlmodel import Session

from notify import apikeys, staff
from notify.apikeys import ApiKey, Scope
from notify.cli.acting import hub
from notify.cli.output import AS, JSON, YES, Refused, confirm, good, put_json, say, table
from notify.staff import Role, Staff

keys_app = typer.Typer(
    no_args_is_help=True,
    help="Keys for programs: the city's web forms, a case system, a script. See /api/v1 on the hub.",
)


@keys_app.command("add")
def keys_add(
    name: str = typer.Argument(help="What it is for: 'Sign-up form of the library'."),
    for_: str = typer.Option(
        ..., "--for", metavar="EMAIL", help="Who of the staff answers for it. It may do no more than they may."
    ),
    scope: list[Scope] = typer.Option(..., "--scope", help="What it may be used for. May be given several times."),
    as_: str | None = AS,
    as_json: bool = JSON,
) -> None:  # fmt: skip
    """Make a key and print it, once. Only its hash is kept: if it is lost, revoke it and make another.

    A program sends it with each request: Authorization: Bearer notify_…
    """
    with hub().database.session() as session:
        person = staff.find(session, for_)
        who = _answering_for(session, person, as_)
        made = apikeys.add(session, name, person, scope, actor=who)
        session.commit()
    if as_json:
        return put_json({**_plain(made.key, person), "key": made.secret})
    good(f"{made.key.name}: for {person.email}, {made.key.scopes.replace(' ', ', ')}.")
    say("", f"  {made.secret}", "", "It is not shown again. Keep it where the program keeps its secrets.")
    return None


@keys_app.command("list")
def keys_list(as_json: bool = JSON) -> None:
    """All keys: whose, what for, when used last. The keys themselves are kept nowhere."""
    with hub().database.reading() as session:
        found = apikeys.every(session)
    if as_json:
        return put_json([_plain(key, person) for key, person in found])
    table(
        "Keys",
        ["prefix", "name", "for", "scopes", "made", "used last", "state"],
        [
            (key.prefix, key.name, person.email, key.scopes, _day(key.created_at), _day(key.last_used_at),
             _state(key, person))
            for key, person in found
        ],
    )  # fmt: skip
    return None


@keys_app.command("revoke")
def keys_revoke(
    prefix: str = typer.Argument(help="Of the key, as `notify api-key list` shows it."),
    yes: bool = YES,
    as_: str | None = AS,
    as_json: bool = JSON,
) -> None:
    """Let a key open nothing from now on. This cannot be taken back."""
    with hub().database.session() as session:
        key = apikeys.find(session, prefix)
        person = session.get_one(Staff, key.staff_id)
        who = _answering_for(session, person, as_)
        confirm(f"Revoke {key.name!r} of {person.email}? What uses it stops working.", yes=yes)
        apikeys.revoke(session, key, actor=who)
        session.commit()
    if as_json:
        return put_json(_plain(key, person))
    good(f"{key.name}: opens nothing from now on.")
    return None


def _answering_for(session: Session, person: Staff, as_: str | None) -> str:
    """Who acts: anybody for themselves, an administrator for all.

    Raises:
        StaffError: somebody was named who is not on the staff.
        Refused: somebody was named who is neither.
    """
    named = as_ or os.environ.get("NOTIFY_AS")
    if not named:
        return f"{getuser()} at the command line"
    who = staff.find(session, named)
    if who.email != person.email and not who.has(Role.ADMINISTRATOR):
        raise Refused(f"{who.email} may make and revoke their own keys only. Ask an administrator.")
    return who.email


def _plain(key: ApiKey, person: Staff) -> dict[str, Any]:
    return {
        "prefix": key.prefix,
        "name": key.name,
        "for": person.email,
        "scopes": key.scopes.split(),
        "created_at": key.created_at,
        "last_used_at": key.last_used_at,
        "revoked_at": key.revoked_at,
        "state": _state(key, person),
    }


def _state(key: ApiKey, person: Staff) -> str:
    if key.revoked_at is not None:
        return "revoked"
    scopes = [Scope(each) for each in key.scopes.split()]
    lost = apikeys.out_of_reach(person, scopes)
    if not lost:
        return "good"
    what = "it" if len(lost) == len(scopes) else ", ".join(lost)
    return f"{person.email} may not use {what}"


def _day(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d}" if moment else "never"
