"""`notify doctor`: look at everything a night like that needs, and name a cure for what is wrong."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from sqlmodel import select

from channels.contract import Channel, Finding, Level, MissingSettings
from channels.registry import available
from contacts.models import Contact
from notify import audit, playbooks
from notify.database import Database, DatabaseUnavailable
from notify.dispatch import reputation
from notify.settings import Ground
from notify.staff import Deed, Staff
from notify.translation.chain import chosen
from notify.translation.codes import best_match
from notify.translation.engine import closest_pair
from templates import languages as phrase_languages
from templates import playbook_files

CHECK_SECONDS = 30.0


async def examine(settings: Ground) -> list[Finding]:
    """Every finding, the wrong ones included; nothing is sent and nothing raises."""
    findings = [*_city(settings), *_clock(settings)]
    database, found = _database(settings)
    findings += found
    spoken = set(settings.city.languages)
    if database is not None:
        spoken |= _spoken(database)
        findings += [*_staff(database), *_playbooks(database, settings), *_complaints(database)]
        database.dispose()
    findings += [*_words(spoken), *await asyncio.to_thread(lambda: [*_languages(settings)])]
    for name, channel in available().items():
        findings += await _channel(name, channel, settings)
    return findings


def _city(settings: Ground) -> Iterable[Finding]:
    city = settings.city
    if city.name == "Our City":
        yield Finding(Level.WARNING, "city", "The city has no name yet.", "Set NOTIFY_CITY__NAME.")
    if not city.phone:
        yield Finding(
            Level.WARNING, "city", "There is no phone line residents can call.", "Set NOTIFY_CITY__PHONE."
        )
    if not city.postal_address:
        yield Finding(
            Level.WARNING, "city", "There is no postal address; bulk mail has to carry one (R20).",
            "Set postal_address, a list of lines, in the table [city] of notify.toml.",
        )  # fmt: skip
    if not settings.public_url:
        yield Finding(
            Level.WARNING, "public_url", "Residents' links and providers' callbacks have nowhere to go.",
            "Set NOTIFY_PUBLIC_URL to the address the hub is reached at.",
        )  # fmt: skip


def _clock(settings: Ground) -> Iterable[Finding]:
    now = datetime.now(UTC)
    if now.year < 2026:
        yield Finding(
            Level.ERROR, "clock", f"This machine thinks it is {now:%Y-%m-%d}.", "Set its clock (NTP)."
        )
        return
    local = now.astimezone(ZoneInfo(settings.city.timezone))
    yield Finding(
        Level.OK, "clock", f"In the city it is {local:%A %Y-%m-%d %H:%M} ({settings.city.timezone})."
    )


def _database(settings: Ground) -> tuple[Database | None, list[Finding]]:
    database = Database(settings.database)
    shown = database.url.render_as_string(hide_password=True)
    try:
        database.upgrade()
        with database.reading() as session:
            broken = audit.verify(session)
    except DatabaseUnavailable as error:
        return None, [Finding(Level.ERROR, "database", str(error), "Check NOTIFY_DATABASE_URL.")]
    if broken is not None:
        message = f"The audit trail does not fit from event {broken} on."
        return database, [Finding(Level.ERROR, "audit", message, "Compare it with a backup.")]
    findings = [Finding(Level.OK, "database", f"{shown} works; its audit trail is whole.")]
    settings.state_dir.mkdir(parents=True, exist_ok=True)
    if database.is_sqlite and shutil.disk_usage(settings.state_dir).free < 1_000_000_000:
        findings.append(Finding(Level.WARNING, "disk", "Less than 1 GB is free.", "Make room."))
    return database, findings


def _spoken(database: Database) -> set[str]:
    with database.reading() as session:
        return set(session.exec(select(Contact.language).distinct()))


def _staff(database: Database) -> Iterable[Finding]:
    with database.reading() as session:
        people = session.exec(select(Staff)).all()
    authors = {person.id for person in people if person.may(Deed.DRAFT)}
    approvers = {person.id for person in people if person.may(Deed.APPROVE)}
    if not approvers or len(authors | approvers) < 2:
        yield Finding(
            Level.ERROR, "staff", "Nobody could approve what somebody else wrote.",
            "Add two people: notify staff add EMAIL --role author, notify staff add EMAIL --role approver",
        )  # fmt: skip
    else:
        yield Finding(Level.OK, "staff", f"{len(people)} on the staff, {len(approvers)} of them can approve.")


def _playbooks(database: Database, settings: Ground) -> Iterable[Finding]:
    unsigned = []
    with database.reading() as session:
        names = playbook_files.names(settings.playbooks_dir)
        for name in names:
            found = playbooks.load(name, settings.playbooks_dir)
            if set(found.texts) - playbooks.signed_languages(session, found):
                unsigned.append(name)
    if unsigned:
        yield Finding(
            Level.WARNING, "playbooks", f"Not signed in every language: {', '.join(unsigned)}. They would be held.",
            "Read them in peace, then: notify playbook sign NAME",
        )  # fmt: skip
    else:
        yield Finding(Level.OK, "playbooks", f"{len(names)} playbooks are signed.")


def _complaints(database: Database) -> list[Finding]:
    with database.reading() as session:
        return reputation.findings(session, available())


def _words(spoken: set[str]) -> Iterable[Finding]:
    known = phrase_languages()
    if missing := sorted(language for language in spoken if best_match(language, known) is None):
        yield Finding(
            Level.WARNING, "phrases", f"The fixed sentences are English in: {', '.join(missing)}.",
            "Translate templates/phrases/en.toml into these languages.",
        )  # fmt: skip


def _languages(settings: Ground) -> Iterable[Finding]:
    """What the engines say, and which of the city's languages no machine drafts."""
    translator = chosen(settings.translation, settings.models)
    yield from translator.health()
    source, *others = settings.city.languages
    pairs = [engine.pairs() for engine in translator.engines]
    if by_hand := [each for each in others if not any(closest_pair(found, source, each) for found in pairs)]:
        yield Finding(
            Level.WARNING, "translation", f"No machine drafts for: {', '.join(by_hand)}. People translate these.",
            "Look for packages: notify languages install --city; or rely on people and playbooks.",
        )  # fmt: skip


async def _channel(name: str, kind: type[Channel], settings: Ground) -> Sequence[Finding]:
    own = settings.channel(name)
    if own is None:
        return [
            Finding(
                Level.WARNING,
                name,
                "This channel is off: it has no settings.",
                f"See channels/{name}/README.md.",
            )
        ]
    try:
        channel = kind(own, settings.as_city())
        async with asyncio.timeout(CHECK_SECONDS):
            found = await channel.check()
        return [replace(each, subject=f"{name}: {each.subject}") for each in found]
    except MissingSettings as error:
        return [Finding(Level.ERROR, name, str(error), "Set it.")]
    except TimeoutError:
        return [
            Finding(
                Level.ERROR,
                name,
                f"No answer within {CHECK_SECONDS:.0f} s.",
                "Check the network and the address.",
            )
        ]
    except Exception as error:
        return [
            Finding(
                Level.ERROR,
                name,
                f"The check failed: {type(error).__name__}.",
                "Tell whoever looks after the hub.",
            )
        ]
