"""`notify demo`: the main job from end to end, with nothing but this machine."""

from __future__ import annotations

import asyncio
import json
import shutil
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from rich.live import Live
from sqlmodel import Session, col, select

import templates
from channels.sandbox import Sandbox
from contacts.columns import now
from contacts.importing import import_contacts
from contacts.models import Contact, Endpoint, Subscription
from notify import playbooks, staff, statements, timetables
from notify.cli import progress
from notify.cli.output import Refused, console, good, put_json, say, table
from notify.cli.samples import offer_topics
from notify.cli.sending import run_async
from notify.dispatch import control, plan
from notify.dispatch import report as reports
from notify.dispatch.models import DeliveryState, Dispatch
from notify.dispatch.plan import Order
from notify.dispatch.report import Report
from notify.hub import Hub, address_kinds
from notify.staff import Role, StaffError
from notify.stage import free_or_any, running_with_sandbox
from notify.statements import Statement
from notify.timetables import Timetable

AUTHOR, APPROVER = "ana@rivermouth.example", "ben@rivermouth.example"
CHANNELS = ("sms", "email", "telegram", "letter")
ZONE = "America/Los_Angeles"
CITY = {
    "name": "Rivermouth",
    "timezone": ZONE,
    "country": "US",
    "phone": "(206) 555-0134",
    "languages": ["en", "es", "pt", "fr", "ar", "zh-Hans", "ht", "sw"],
    "areas": ["Eastbank", "Harbor", "Northgate", "Old Mill"],
    "postal_address": ["City Hall", "1 Harbor Street", "Rivermouth, WA 98599"],
}
SENT_WITHIN = 120.0  # seconds, on a very busy machine
RECEIPTS_WITHIN = 20.0  # seconds: the stand-ins report delivery about a second after they took a message

Found = TypeVar("Found")


@dataclass
class Demo:
    """The throw-away city while it runs."""

    hub: Hub
    sandbox: Sandbox
    folder: Path
    url: str
    quiet: bool  # say nothing: one JSON document comes at the end

    async def read(self, work: Callable[[Session], Found]) -> Found:
        """Do some reading in a thread."""

        def inside() -> Found:
            with self.hub.database.reading() as session:
                return work(session)

        return await asyncio.to_thread(inside)

    async def write(self, work: Callable[[Session], Found]) -> Found:
        """Do some writing in a thread, and commit it."""

        def inside() -> Found:
            with self.hub.database.session() as session:
                found = work(session)
                session.commit()
                return found

        return await asyncio.to_thread(inside)

    def tell(self, *lines: str) -> None:
        """Say something, unless a program is listening."""
        if not self.quiet:
            say(*lines)

    def chapter(self, title: str) -> None:
        """Begin the next part of the story."""
        if not self.quiet:
            console.print()
            console.rule(f"[bold]{title}[/]", align="left")


def run(folder: Path | None, port: int, *, quiet: bool, stay: bool) -> None:
    """Tell the story in a folder of its own.

    Raises:
        Refused: the folder is not empty, or something in the story went wrong.
    """
    place = (folder or Path(f"notify-demo-{datetime.now().astimezone():%Y%m%d-%H%M%S}")).resolve()
    if place.exists() and any(place.iterdir()):
        raise Refused(f"{place} is not empty. Name another --folder, or remove it.")
    place.mkdir(parents=True, exist_ok=True)
    run_async(_demo(place, port, quiet=quiet, stay=stay))


async def _demo(folder: Path, port: int, *, quiet: bool, stay: bool) -> None:
    began = time.monotonic()
    async with _city(folder, port, quiet=quiet) as city:
        _introduce(city)
        await _residents_join(city)
        crisis = await _crisis(city)
        await _two_say_stop(city)
        weekly = await _weekly(city)
        summary = await _conclude(city, crisis, weekly, began)
        if quiet:
            put_json(summary)
        if stay:
            say("", f"Look around: {city.url}/sandbox/ and {city.url}/console/dispatches. Stop with Ctrl-C.")
            await asyncio.Event().wait()


@asynccontextmanager
async def _city(folder: Path, port: int, *, quiet: bool) -> AsyncIterator[Demo]:
    state = folder / "data"
    _write_settings(folder, state)
    given = {
        "state_dir": state,
        "database_url": f"sqlite:///{state / 'notify.db'}",
        # The demo also runs at night; a city keeps its quiet hours.
        "city": {**CITY, "quiet_from": None, "quiet_until": None},
    }
    # The usual port where it is free: then the links in the messages work when the city is opened again.
    where = free_or_any("127.0.0.1", port)
    async with running_with_sandbox("127.0.0.1", where, state / "sandbox", given) as stage:
        if stage.sandbox is None:
            raise RuntimeError("The stage has no sandbox.")
        yield Demo(stage.hub, stage.sandbox, folder, stage.url, quiet)


def _write_settings(folder: Path, state: Path) -> None:
    """So that `notify run --sandbox` opens the same city again."""
    lines = [f"state_dir = {json.dumps(str(state))}", "", "[city]"]
    lines += [f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in CITY.items()]
    (folder / "notify.toml").write_text("\n".join(lines) + "\n", "utf-8")


def _introduce(city: Demo) -> None:
    city.chapter("Rivermouth, a city that does not exist")
    city.tell(
        "Its database is new, its providers are stand-ins on this machine. Letters, mails and messages are made "
        "and sent by the same code, and the same client libraries, that a real city uses."
    )


async def _residents_join(city: Demo) -> None:
    city.chapter("Liaisons bring their lists")
    for file, list_name in (("residents.csv", "residents"), ("residents-extra.csv", "volunteers")):
        found = await city.write(
            lambda session, file=file, list_name=list_name: import_contacts(  # type: ignore[misc]
                session,
                templates.directory() / "demo" / file,
                list_name=list_name,
                country="US",
                actor="liaison@rivermouth.example",
                channels=address_kinds(),
            )
        )
        city.tell(
            f"{file}: {found.rows} rows; {found.created} residents new, {found.updated} known and completed, "
            f"{found.duplicates + found.unchanged} there already, {found.rejected} rejected; "
            f"{found.opt_outs_kept} old opt-outs kept; {found.error_count} fields could not be used."
        )
        if not city.quiet and found.errors:
            table(
                "",
                ["row", "column", "value", "what is wrong", "cure"],
                [(each.row, each.column, each.masked, each.message, each.cure) for each in found.errors[:4]],
            )
            say(f"… and {len(found.errors) - 4} more." if len(found.errors) > 4 else "")
    topics = await city.write(offer_topics)
    city.tell(f"Residents may sign up by themselves at {city.url}/join for: {', '.join(topics)}.")


async def _crisis(city: Demo) -> Dispatch:
    city.chapter("The first hours: a playbook, a second person, four channels")
    await city.write(_hire)
    soon = (now().astimezone(ZoneInfo(ZONE)) + timedelta(hours=3)).strftime("%Y-%m-%dT%H:00")
    values = {
        "place": "Harbor Hall", "emergency": "911", "phone": "(206) 555-0134",
        "link": "https://www.rivermouth.example/now", "next_update": soon,
    }  # fmt: skip
    statement = await city.write(lambda session: _draft(session, "first-hours", values))
    await _approve(city, statement)
    await _troubles(city)
    return await _send(city, statement)


def _hire(session: Session) -> None:
    # Ana may approve as well: what she wrote herself still needs somebody else.
    staff.add(session, AUTHOR, [Role.AUTHOR, Role.APPROVER], name="Ana")
    approver = staff.add(session, APPROVER, [Role.APPROVER], name="Ben")
    for name in ("first-hours", "weekly-update"):
        found = playbooks.load(name, None)
        playbooks.sign(session, found, list(found.texts), approver)


def _draft(session: Session, name: str, values: dict[str, str]) -> Statement:
    draft = playbooks.to_draft(session, playbooks.load(name, None), values, ZONE, "US")
    statement = statements.draft(session, draft, staff.find(session, AUTHOR))
    statements.submit(session, statement, AUTHOR)
    return statement


async def _approve(city: Demo, statement: Statement) -> None:
    def sign(session: Session, email: str) -> str:
        found = statements.find(session, statement.id or 0)
        return statements.approve(session, found, staff.find(session, email)).languages

    text = await city.read(
        lambda session: statements.source(session, statements.find(session, statement.id or 0)).text()
    )
    city.tell(f"Ana drafts: “{text.title}”", f"Text message: {text.short}")
    try:
        await city.write(lambda session: sign(session, AUTHOR))
    except StaffError as refused:
        city.tell(f"Ana tries to approve it herself. Refused: {refused}")
    else:
        raise RuntimeError("The author approved her own statement.")
    languages = await city.write(lambda session: sign(session, APPROVER))
    city.tell(
        f"Ben approves it, in {', '.join(templates.language_name(each, 'en') for each in languages.split())}."
    )


async def _troubles(city: Demo) -> None:
    """Some providers say no, as they do: a dead number, a full handset, a closed mailbox, a blocked bot."""

    def pick(session: Session, channel: str) -> list[str]:
        query = (
            select(Endpoint.address)
            .join(Subscription, col(Subscription.endpoint_id) == col(Endpoint.id))
            .where(
                Endpoint.channel == channel,
                col(Subscription.active).is_(True),
                col(Endpoint.opted_out).is_(False),
            )
            .order_by(col(Endpoint.id).desc())
            .distinct()
        )
        return list(session.exec(query))

    phones, mails, chats = [await city.read(lambda session, c=c: pick(session, c)) for c in CHANNELS[:3]]  # type: ignore[misc]
    city.sandbox.fault("sms", kind="refused", address=phones[0], code=21211)
    city.sandbox.fault("sms", kind="undelivered", address=phones[1], code=30005)
    city.sandbox.fault("email", kind="refused", address=mails[0], code=550, text="5.1.1 No such mailbox here")
    if chats:
        city.sandbox.fault(
            "telegram",
            kind="refused",
            address=chats[0],
            code=403,
            text="Forbidden: bot was blocked by the user",
        )


async def _send(city: Demo, statement: Statement) -> Dispatch:
    order = Order(statement.id or 0, None, CHANNELS, AUTHOR)
    forecast = await city.write(
        lambda session: plan.forecast(session, order, city.hub.channels, city.hub.renderer)
    )
    if not city.quiet:
        console.print(progress.forecast(forecast, city.hub.settings.city.currency))
        say(*progress.left_out(forecast))

    def go(session: Session) -> Dispatch:
        dispatch = plan.plan(session, order, city.hub.channels, city.hub.renderer)
        control.start(session, dispatch, AUTHOR)
        return dispatch

    dispatch = await city.write(go)
    await _watch(city, dispatch.id or 0)
    return dispatch


async def _watch(city: Demo, dispatch_id: int) -> None:
    """Show the dispatch until everything is sent and the receipts are in."""
    found = await _report(city, dispatch_id)
    until = time.monotonic() + SENT_WITHIN
    with Live(console=console, auto_refresh=False, transient=True) as screen:
        while _expecting(found) and time.monotonic() < until:
            await asyncio.sleep(0.2)
            before, found = found.to_go, await _report(city, dispatch_id)
            if before and not found.to_go:
                until = time.monotonic() + RECEIPTS_WITHIN
            if not city.quiet and console.is_terminal:
                screen.update(progress.live(found, CHANNELS), refresh=True)
    if not city.quiet:
        console.print(progress.live(found, CHANNELS))
        say(*progress.in_words(found))


def _expecting(found: Report) -> bool:
    """Whether rows are to go, or text messages without a receipt."""
    no_receipt = sum(
        each.rows for each in found.counts if each.channel == "sms" and each.state == DeliveryState.ACCEPTED
    )
    return bool(found.to_go or no_receipt)


async def _report(city: Demo, dispatch_id: int) -> Report:
    return await city.read(lambda session: reports.report(session, control.find(session, dispatch_id)))


async def _two_say_stop(city: Demo) -> None:
    city.chapter("Two residents have had enough")
    for language, word in (("en", "STOP"), ("es", "ALTO")):
        number = await city.read(lambda session, language=language: _reader_of(session, language, city))  # type: ignore[misc]
        answer = await city.sandbox.reply_sms(number, word)
        city.tell(f"A resident who reads {templates.language_name(language, 'en')} answers {word}.")
        city.tell(*(f"  → {each}" for each in answer))


def _reader_of(session: Session, language: str, city: Demo) -> str:
    """A number that has just got a text message in this language."""
    got = {text.address for text in city.sandbox.sms if text.status == "delivered"}
    query = (
        select(Endpoint.address)
        .join(Contact, col(Contact.id) == col(Endpoint.contact_id))
        .where(Endpoint.channel == "sms", Contact.language == language)
        .order_by(col(Endpoint.id))
    )
    return next(address for address in session.exec(query) if address in got)


async def _weekly(city: Demo) -> Dispatch:
    city.chapter("The weekly update, by the clock")
    today = now().astimezone(ZoneInfo(ZONE)).date()
    meeting = today + timedelta(days=3)
    values = {
        "week": today.isoformat(), "meeting_place": "Harbor Hall", "meeting_time": f"{meeting}T18:00",
        "phone": "(206) 555-0134", "link": "https://www.rivermouth.example/week",
        "next_update": (today + timedelta(days=7)).isoformat(),
    }  # fmt: skip
    statement = await city.write(lambda session: _draft(session, "weekly-update", values))
    await _approve(city, statement)
    soon = now() + timedelta(seconds=3)
    local = soon.astimezone(ZoneInfo(ZONE))

    def schedule(session: Session) -> Timetable:
        return timetables.add(
            session,
            Timetable(
                name="weekly", rule=f"every {local:%A} at {local:%H:%M}".lower(), zone=ZONE, anchor=_this_minute(soon),
                series="weekly-update", channels=" ".join(CHANNELS), actor=AUTHOR,
            ),
            set(city.hub.channels),
        )  # fmt: skip

    timetable = await city.write(schedule)
    city.tell(f"Timetable: {timetable.rule}, {ZONE}. Nobody presses a button now.")
    dispatch = await _fired(city)
    await _watch(city, dispatch.id or 0)
    return dispatch


def _this_minute(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)


async def _fired(city: Demo) -> Dispatch:
    def newest(session: Session) -> Dispatch | None:
        return session.exec(select(Dispatch).order_by(col(Dispatch.id).desc()).limit(1)).first()

    first = await city.read(newest)
    until = time.monotonic() + 30
    while time.monotonic() < until:
        found = await city.read(newest)
        if found is not None and (first is None or found.id != first.id):
            return found
        await asyncio.sleep(0.1)
    raise Refused("The timetable did not fire within 30 seconds. Is this machine very busy?")


async def _conclude(city: Demo, crisis: Dispatch, weekly: Dispatch, began: float) -> dict[str, Any]:
    found = [await _report(city, each.id or 0) for each in (crisis, weekly)]
    city.chapter("What is left to look at")
    data = city.folder / "data" / "sandbox"
    kept = {name: city.folder / name for name in ("letters", "mails", "texts", "telegram")}
    for name, place in kept.items():
        if (data / name).is_dir():
            await asyncio.to_thread(shutil.copytree, data / name, place, dirs_exist_ok=True)
    summary = {
        "city": CITY["name"],
        "seconds": round(time.monotonic() - began, 1),
        "dispatches": [each.to_dict() for each in found],
        "files": {
            name: len([path for path in place.rglob("*") if path.is_file()]) for name, place in kept.items()
        },
        "folder": str(city.folder),
    }
    (city.folder / "summary.json").write_text(
        json.dumps(summary, ensure_ascii=False, indent=2, default=str), "utf-8"
    )
    _tell_where(city, kept, summary)
    if not all(each.balanced and not each.to_go for each in found):
        raise Refused("The ledger does not add up. Please report this with summary.json.")
    return summary


def _tell_where(city: Demo, kept: dict[str, Path], summary: dict[str, Any]) -> None:
    what = {
        "letters": "print-ready PDF files, cover sheets and manifests",
        "mails": "every mail as .eml",
        "texts": "every text message, a conversation for each number",
        "telegram": "every Telegram chat",
    }
    rows: Iterable[Sequence[object]] = [
        (str(place), summary["files"][name], what[name]) for name, place in kept.items()
    ]
    if not city.quiet:
        table(
            "",
            ["folder", "files", "what"],
            [*rows, (str(city.folder / "summary.json"), 1, "all of this as data")],
        )
        good(f"Done in {summary['seconds']} seconds. All of it is in {city.folder}")
        say("", "See the same in a browser, as residents and as staff:")
        console.print(
            f"  NOTIFY_CONFIG={city.folder / 'notify.toml'} notify run --sandbox",
            soft_wrap=True,
            markup=False,
        )
