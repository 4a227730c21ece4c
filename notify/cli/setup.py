"""`notify init`, `doctor`, `config`, `channels`, `staff`: what is there before a word is said."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import sys
from getpass import getpass
from pathlib import Path
from typing import Any

import typer

from channels.contract import AddressKind, ApprovedText, Batch, Level, Message, Outcome, Verdict
from channels.registry import available
from contacts import addresses
from contacts.columns import now
from notify import doctor, settings, staff
from notify.cli.acting import hub
from notify.cli.output import JSON, MARKS, YES, Refused, confirm, good, put_json, say, table
from notify.staff import Role
from notify.translation.codes import standard

staff_app = typer.Typer(no_args_is_help=True, help="The people who write, translate, approve and keep lists.")
channels_app = typer.Typer(no_args_is_help=True, help="The ways to residents.")


def init(
    file: Path = typer.Option(Path(settings.DEFAULT_FILE), help="Where the settings go."),
    name: str | None = typer.Option(None, help="The city's name."),
    timezone: str | None = typer.Option(None, help="IANA, like America/Chicago."),
    languages: str | None = typer.Option(None, help="BCP 47, comma separated, the source first."),
    country: str | None = typer.Option(None, help="ISO 3166-1, two letters."),
    phone: str | None = typer.Option(None, help="The line residents can call."),
    public_url: str | None = typer.Option(None, help="Where the hub is reached; may be left empty for now."),
    force: bool = typer.Option(False, "--force", help="Write over a file that is there."),
) -> None:
    """Ask a few questions and write notify.toml. Secrets do not belong in it: give them as NOTIFY_… or …_FILE."""
    if file.exists() and not force:
        raise Refused(
            f"{file} is there already. Look at it with `notify config`, or write over it with --force."
        )
    ask = sys.stdin.isatty()

    def answer(given: str | None, question: str, default: str) -> str:
        return given if given is not None else (typer.prompt(question, default=default) if ask else default)

    text = _toml(
        name=answer(name, "The city's name", "Our City"),
        timezone=answer(timezone, "Time zone", "America/New_York"),
        languages=answer(languages, "Languages, the one you write in first", "en, es"),
        country=answer(country, "Country", "US"),
        phone=answer(phone, "Phone line for residents", ""),
        public_url=answer(public_url, "Public address (https://…)", ""),
    )
    part = file.with_name(f".{file.name}.part")
    part.write_text(text, "utf-8")
    try:
        settings.check_file(part)
    except settings.SettingsError:
        part.unlink()
        raise
    part.replace(file)
    good(f"{file} is written.")
    say(
        "Next: notify staff add EMAIL --role author",
        "      notify staff add EMAIL --role approver",
        "      notify doctor",
    )


def _toml(**given: str) -> str:
    def quoted(value: str) -> str:
        return '"' + value.strip().replace("\\", "\\\\").replace('"', '\\"') + '"'

    tags = ", ".join(quoted(each) for each in given["languages"].split(",") if each.strip())
    return f"""# Settings of Notify. NOTIFY_CITY__NAME in the environment wins over name in [city] here, and so on.
# Secrets belong in the environment, or in files named by variables that end in _FILE.

public_url = {quoted(given["public_url"])}

[city]
name = {quoted(given["name"])}
timezone = {quoted(given["timezone"])}
country = {quoted(given["country"])}
phone = {quoted(given["phone"])}
languages = [{tags}]
# postal_address = ["City Hall", "1 Main Street", "Rivermouth, WA 98599"]

# A channel is on when its table has what it needs; channels/*/README.md lists all settings.
# [sms]       account_sid, from                  secret: NOTIFY_SMS__AUTH_TOKEN
# [email]     host, port, username, security, from   secret: NOTIFY_EMAIL__PASSWORD
# [telegram]                                     secret: NOTIFY_TELEGRAM__TOKEN
# [letter]    outbox, paper
"""


def show_config(as_json: bool = JSON) -> None:
    """The settings in force, secrets masked."""
    tree = settings.in_force(settings.load())
    if as_json:
        return put_json(tree)
    rows = [(name, _shown(value)) for name, value in _flat(tree)]
    off = [name for name in available() if tree.get(name) is None]
    table("Settings in force", ["setting", "value"], [row for row in rows if row[0] not in off])
    if off:
        say(f"Off, for want of settings: {', '.join(off)}.")
    return None


def _flat(tree: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    rows: list[tuple[str, Any]] = []
    for name, value in tree.items():
        if isinstance(value, dict):
            rows += _flat(value, f"{prefix}{name}.")
        else:
            rows.append((f"{prefix}{name}", value))
    return rows


def _shown(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "–"
    return "–" if value in (None, "") else str(value)


def examine(as_json: bool = JSON) -> None:
    """Check everything without sending anything, and name a cure for what is wrong."""
    findings = asyncio.run(doctor.examine(settings.load()))
    if as_json:
        put_json([dataclasses.asdict(each) for each in findings])
    else:
        rows = [(MARKS[each.level], each.subject, each.message, each.cure) for each in findings]
        table("", ["", "what", "finding", "cure"], rows)
    if any(each.level is Level.ERROR for each in findings):
        raise typer.Exit(1)


@staff_app.command("add")
def staff_add(
    email: str,
    role: list[Role] = typer.Option(..., "--role", help="May be given several times."),
    name: str = typer.Option("", help="As it should appear beside an approval."),
    password: bool = typer.Option(
        False, "--password", help="Ask for a password; approving asks for it again."
    ),
    reads: list[str] = typer.Option(
        None, help="A language a translator answers for: es, zh-Hans … Several times; none means any."
    ),
    as_json: bool = JSON,
) -> None:
    """Add somebody to the staff, or more roles and languages to somebody who is there."""
    secret = (os.environ.get("NOTIFY_PASSWORD") or _new_password()) if password else ""
    with hub().database.session() as session:
        kept = staff.add(session, email, role, name=name, password=secret, reads=_tags(reads or []))
        session.commit()
    if as_json:
        found = {"roles": kept.roles.split(), "reads": kept.languages.split()}
        return put_json({"staff": kept.id, "email": kept.email, **found})
    good(f"{kept.email}: {kept.roles.replace(' ', ', ')}.")
    return None


def _tags(languages: list[str]) -> list[str]:
    try:
        return [standard(each) for each in languages]
    except ValueError as error:
        raise Refused(str(error)) from None


def _new_password() -> str:
    first = getpass("New password (12 characters or more): ")
    if len(first) < 12:
        raise Refused("The password is too short; take 12 characters or more.")
    if first != getpass("Once more: "):
        raise Refused("The two do not match. Try again.")
    return first


@staff_app.command("list")
def staff_list(as_json: bool = JSON) -> None:
    """Everybody on the staff."""
    from sqlmodel import select

    with hub().database.reading() as session:
        people = session.exec(select(staff.Staff).order_by(staff.Staff.email)).all()
    rows = [(each.email, each.name, each.roles, "yes" if each.password_hash else "no") for each in people]
    if as_json:
        return put_json([dict(zip(("email", "name", "roles", "password"), row, strict=True)) for row in rows])
    table("Staff", ["email", "name", "roles", "password"], rows)
    return None


@channels_app.command("list")
def channels_list(as_json: bool = JSON) -> None:
    """Every channel that is installed, and whether it is on."""
    found = settings.load()
    rows = [
        (name, channel.label, "on" if found.channel(name) else "off", _needed(channel))
        for name, channel in available().items()
    ]
    if as_json:
        return put_json([dict(zip(("name", "label", "state", "needs"), row, strict=True)) for row in rows])
    table("Channels", ["name", "what", "state", "settings it needs"], rows)
    return None


def _needed(channel: Any) -> str:
    return ", ".join(
        f"NOTIFY_{channel.name}__{field.alias or name}".upper()
        for name, field in channel.Settings.model_fields.items()
        if field.is_required()
    )


@channels_app.command("test")
def channels_test(name: str, address: str, yes: bool = YES, as_json: bool = JSON) -> None:
    """Send one test message to one address of yours, over the real channel."""
    here = hub()
    if name not in here.channels:
        raise Refused(f"Channel {name} is off or unknown; on are: {', '.join(here.channels) or 'none'}.")
    city = here.settings.city
    kind: AddressKind = here.channels[name].address_kind
    try:
        found = addresses.normalise(kind, address.replace("\\n", "\n"), country=city.country)
    except addresses.BadAddress as error:
        raise Refused(str(error)) from None
    confirm(f"Send a test message over {name}? It costs what one message costs.", yes=yes)
    outcome = asyncio.run(_send_test(name, found.address))
    if as_json:
        put_json(dataclasses.asdict(outcome))
    elif outcome.verdict is Verdict.ACCEPTED:
        good(f"The provider has it ({outcome.provider_id}).")
    if outcome.verdict is not Verdict.ACCEPTED:
        raise Refused(f"{outcome.verdict}: {outcome.detail or outcome.code or 'no reason was given'}")


async def _send_test(name: str, address: str) -> Outcome:
    here = hub()
    channel = here.channels[name]
    words = f"This is a test from {here.settings.city.name}. Nothing has happened."
    text = ApprovedText(
        "test", "en", "en", "notice", "A test", words, words, url=f"{here.settings.public_url}/"
    )
    message = Message(0, address, (channel.compose(text),), token="test")  # noqa: S106 - no secret: it names nobody

    async def one() -> Any:
        yield message

    async with channel:
        batch = Batch(f"test-{now():%Y%m%d%H%M%S}", 1, 1, now(), one())
        outcomes = [outcome async for outcome in channel.send(batch)]
    return outcomes[0]
