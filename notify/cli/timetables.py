"""`notify timetable`: statements that go out by the clock."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

import typer
from sqlmodel import col, select

from contacts.columns import now
from notify import timetables
from notify.cli import progress
from notify.cli.acting import actor, hub
from notify.cli.output import AS, JSON, YES, Refused, confirm, good, put_json, say, table
from notify.dispatch import plan
from notify.staff import Deed
from notify.timetables import Timetable

timetable = typer.Typer(
    no_args_is_help=True, help="Statements that go out by the clock, once or again and again."
)


@timetable.command("add")
def timetable_add(
    name: str,
    to: str = typer.Option(
        ..., "--to", metavar="LIST|segment:NAME|all", help="A segment is asked as it is on the day."
    ),
    channels: str = typer.Option(..., "--channels", help="Comma separated."),
    statement_id: int | None = typer.Option(None, "--statement", help="This statement, every time."),
    series: str = typer.Option("", "--series", help="The newest approved statement of this series not sent yet."),
    at: str | None = typer.Option(None, "--at", metavar="WHEN", help="Once: 2026-12-01T09:00."),
    cron: str | None = typer.Option(None, "--cron", metavar="EXPRESSION", help="Like '0 9 * * 2'."),
    every: str | None = typer.Option(
        None, "--every", metavar="WORDS",
        help="'tuesday at 09:00', 'second tuesday at 09:00' (every other week), 'first monday of the month at 18:30'.",
    ),
    zone: str | None = typer.Option(None, help="IANA; by default the city's."),
    urgent: str = typer.Option("", "--urgent", metavar="REASON", help="Ring at night too, and say why."),
    as_: str | None = AS,
    as_json: bool = JSON,
) -> None:  # fmt: skip
    """Send by the clock, in the city's own time."""
    here = hub()
    with here.database.session() as session:
        kept = timetables.add(
            session,
            Timetable(
                name=name,
                rule=_rule(at, cron, every),
                zone=_zone(zone or here.settings.city.timezone),
                anchor=now(),
                statement_id=statement_id,
                series=series,
                list_name=None if to == plan.EVERYBODY else to,
                channels=" ".join(each.strip() for each in channels.split(",") if each.strip()),
                urgent_reason=urgent,
                actor=actor(session, as_, Deed.SCHEDULE),
            ),
            set(here.channels),
        )
        session.commit()
    if as_json:
        return put_json(_timetable(kept))
    good(f"Timetable {name!r}: {kept.rule}, {kept.zone}.")
    _tell_next(kept, 5)
    return None


def _rule(at: str | None, cron: str | None, every: str | None) -> str:
    given = [(kind, text) for kind, text in (("at", at), ("cron", cron), ("every", every)) if text]
    if len(given) != 1:
        raise Refused("Say when with exactly one of --at, --cron, --every.")
    kind, text = given[0]
    return text if kind == "every" and text.startswith(("every ", "the ")) else f"{kind} {text}"


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise Refused(f"--zone {name!r} is no IANA time zone; write one like America/Chicago.") from None
    return name


def _timetable(found: Timetable) -> dict[str, Any]:
    names = ("name", "rule", "zone", "statement_id", "series", "list_name", "channels", "next_at")
    return {"timetable": found.id} | {name: getattr(found, name) for name in names}


def _tell_next(found: Timetable, count: int) -> None:
    for index, slot in enumerate(timetables.upcoming(found, now())):
        if index == count:
            break
        say(f"  {progress.local(slot.moment, found.zone)}")


@timetable.command("list")
def timetable_list(as_json: bool = JSON) -> None:
    """The timetables, and what their last slots came to."""
    with hub().database.reading() as session:
        found = session.exec(select(Timetable).where(col(Timetable.active).is_(True))).all()
        slots = timetables.last_occurrences(session)
    if as_json:
        return put_json([_timetable(each) | {"last": slots.get(each.id or 0)} for each in found])
    table(
        "Timetables",
        ["name", "rule", "zone", "sends", "to", "channels", "next", "last"],
        [
            (
                each.name, each.rule, each.zone, each.series or f"statement {each.statement_id}",
                each.list_name or "all", each.channels, progress.local(each.next_at, each.zone) or "never again",
                " ".join((slots.get(each.id or 0) or {}).values()),
            )
            for each in found
        ],
    )  # fmt: skip
    return None


@timetable.command("next")
def timetable_next(
    name: str = typer.Argument(help="Its name or number."),
    count: int = typer.Option(5, min=1, max=500),
    as_json: bool = JSON,
) -> None:
    """When a timetable happens next, on its own clock."""
    with hub().database.reading() as session:
        found = timetables.find(session, name)
    slots = [slot for _, slot in zip(range(count), timetables.upcoming(found, now()), strict=False)]
    if as_json:
        return put_json([{"local": slot.key, "utc": slot.moment.isoformat()} for slot in slots])
    for slot in slots:
        say(f"  {progress.local(slot.moment, found.zone)}  ({slot.moment:%Y-%m-%d %H:%M} UTC)")
    return None


@timetable.command("remove")
def timetable_remove(name: str, as_: str | None = AS, yes: bool = YES) -> None:
    """Let a timetable send no more. What it sent stays on record."""
    confirm(f"Remove timetable {name!r}?", yes=yes)
    with hub().database.session() as session:
        timetables.remove(session, timetables.find(session, name), actor(session, as_, Deed.SCHEDULE))
        session.commit()
    good(f"Timetable {name!r} is removed.")
