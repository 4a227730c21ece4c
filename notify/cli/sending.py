"""`notify dispatch`: words leave, and what became of them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import typer
import uvloop
from rich.live import Live
from sqlmodel import Session, col, select

from contacts.columns import now
from notify import slots
from notify.cli import progress
from notify.cli.acting import actor, hub
from notify.cli.output import AS, JSON, YES, Refused, confirm, console, good, put_json, say, table
from notify.dispatch import control, plan
from notify.dispatch import report as reports
from notify.dispatch.engine import is_quiet
from notify.dispatch.guard import EngineBusy
from notify.dispatch.models import Batch, BatchState, Dispatch, DispatchState
from notify.dispatch.plan import Forecast, Order
from notify.dispatch.report import Report
from notify.hub import Hub
from notify.staff import Deed

dispatch = typer.Typer(
    no_args_is_help=True, help="One approved statement, to one audience, over some channels."
)

LOOK = 0.25  # seconds between two looks at a dispatch
# What is due later than this is left to `notify run`.
PATIENCE = timedelta(minutes=2)


@dispatch.command("plan")
def dispatch_plan(
    statement_id: int,
    to: str = typer.Option(
        ..., "--to", metavar="LIST|segment:NAME|all",
        help="A list, a segment (see `notify segment`), or everybody who opted in.",
    ),
    channels: str = typer.Option(..., "--channels", help="Comma separated: sms,email,telegram,letter."),
    except_: list[str] | None = typer.Option(
        None, "--except", metavar="LIST",
        help="Leave out the people on this list, and whoever shares an address with them. Repeat.",
    ),
    at: str | None = typer.Option(None, "--at", metavar="WHEN", help="The city's clock: 2026-12-01T09:00."),
    dry_run: bool = typer.Option(
        False, "--dry-run", help="Count people, messages, cost and languages; keep nothing."
    ),
    urgent: str = typer.Option("", "--urgent", metavar="REASON", help="Ring at night too, and say why."),
    window: float | None = typer.Option(None, "--window", metavar="HOURS", help="After this it is old news."),
    again: bool = typer.Option(False, "--again", help="Also to those who have this statement already."),
    as_: str | None = AS,
    as_json: bool = JSON,
) -> None:  # fmt: skip
    """Turn an audience into deliveries, and show what would leave. Nothing leaves before `start`.

    With --at the dispatch starts by itself at that time, with the audience of that moment.

    Example: notify dispatch plan 7 --to "segment:Spanish, north" --except Families --channels sms,email --dry-run
    """
    here = hub()
    zone = here.settings.city.timezone
    with here.database.session() as session:
        order = Order(
            statement_id=statement_id,
            list_name=None if to == plan.EVERYBODY else to,
            channels=tuple(dict.fromkeys(each.strip() for each in channels.split(",") if each.strip())),
            excluded=tuple(except_ or ()),
            actor=actor(session, as_, Deed.DISPATCH),
            starts_at=_moment(at, zone) if at else None,
            urgent_reason=urgent.strip(),
            again=again,
            window=timedelta(hours=window or here.settings.sending.window_hours),
        )
        forecast = plan.forecast(session, order, here.channels, here.renderer)
        kept = None if dry_run else plan.plan(session, order, here.channels, here.renderer)
        meant = plan.in_words(session, order)
        if dry_run:
            session.rollback()
        else:
            session.commit()
    if as_json:
        return put_json(_plan_tree(kept, forecast) | {"to": meant})
    say(*meant)
    _tell_plan(kept, forecast, here, show_texts=dry_run)
    return None


def _moment(text: str, zone: str) -> datetime:
    try:
        local = datetime.fromisoformat(text)
    except ValueError:
        raise Refused(
            f"--at {text!r} is no time. Write it like 2026-12-01T09:00, the city's own clock."
        ) from None
    moment = local if local.tzinfo else slots.resolve(local, ZoneInfo(zone))
    if moment <= now():
        raise Refused(f"--at {text} is in the past. Leave it out to send as soon as you start it.")
    return moment


def _plan_tree(kept: Dispatch | None, forecast: Forecast) -> dict[str, Any]:
    return {
        "dispatch": kept.id if kept else None,
        "state": kept.state if kept else "dry run",
        "audience": forecast.audience,
        "messages": forecast.people,
        "cost": str(forecast.cost),
        "lines": [{name: getattr(line, name) for name in line.__slots__} for line in forecast.lines],
        "skipped": [
            {"channel": channel, "reason": reason, "rows": count}
            for (channel, reason), count in sorted(forecast.skipped.items())
        ],
    }


def _tell_plan(kept: Dispatch | None, forecast: Forecast, here: Hub, *, show_texts: bool) -> None:
    console.print(progress.forecast(forecast, here.settings.city.currency))
    say(*progress.left_out(forecast))
    if not forecast.people:
        say("NOBODY would be written to.")
    if show_texts:
        for line in forecast.lines:
            console.rule(f"{line.channel}, {line.language}", align="left", characters="·")
            say(line.preview, *(f"({note})" for note in line.notes))
    if kept is None:
        return good("Dry run: nothing was kept.")
    if kept.state == DispatchState.SCHEDULED:
        return good(
            f"Dispatch {kept.id} starts by itself: {progress.local(kept.starts_at, here.settings.city.timezone)}."
        )
    good(f"Dispatch {kept.id} is planned. Nothing has left.")
    return say(f"Start it: notify dispatch start {kept.id}")


@dispatch.command("start")
def dispatch_start(
    dispatch_id: int,
    detach: bool = typer.Option(False, "--detach", help="Only mark it; `notify run` sends it."),
    as_: str | None = AS,
    yes: bool = YES,
    as_json: bool = JSON,
) -> None:
    """Let a planned dispatch go. Sends from here, unless a `notify run` is there to do it."""
    here = hub()
    with here.database.session() as session:
        found = control.find(session, dispatch_id)
        person = actor(session, as_, Deed.DISPATCH)
        if found.state == DispatchState.PLANNED:
            confirm(f"Send {found.reference} to {found.audience:,} now? It cannot be called back.", yes=yes)
        control.start(session, found, person)
        session.commit()
    _warn_of_quiet_hours(here, found)
    if not detach:
        return _follow(here, dispatch_id, as_json, timeout=None)
    return good(f"{found.reference} is on its way as soon as `notify run` sees it.")


def _warn_of_quiet_hours(here: Hub, found: Dispatch) -> None:
    disturbing = [
        name for name in found.channel_names if name in here.channels and here.channels[name].disturbs
    ]
    if disturbing and not found.urgent and is_quiet(here.settings.city, now()):
        say(f"It is night: {', '.join(disturbing)} wait until {here.settings.city.quiet_until:%H:%M}.")


@dispatch.command("wait")
def dispatch_wait(
    dispatch_id: int,
    timeout: float | None = typer.Option(None, help="Seconds; then exit with status 3."),
    as_json: bool = JSON,
) -> None:
    """Wait until a dispatch is done; sends from here, unless a `notify run` does it."""
    _follow(hub(), dispatch_id, as_json, timeout)


def run_async(main: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine on the fast event loop."""
    uvloop.run(main)


def _follow(here: Hub, dispatch_id: int, as_json: bool, timeout: float | None) -> None:
    with here.database.reading() as session:
        channels = control.find(session, dispatch_id).channel_names
    give_up = time.monotonic() + timeout if timeout is not None else None
    try:
        with Live(console=console, refresh_per_second=4, transient=True, auto_refresh=False) as screen:

            def look() -> bool:
                found = _report(here, dispatch_id)
                if not as_json and console.is_terminal:
                    screen.update(progress.live(found, channels), refresh=True)
                return _settled(here, dispatch_id)

            _send_or_watch(here, look, give_up)
    except KeyboardInterrupt:
        say(
            "Stopped watching. What was in flight has finished; go on with: notify dispatch wait "
            + str(dispatch_id)
        )
    found = _report(here, dispatch_id)
    if as_json:
        put_json(found.to_dict())
    else:
        console.print(progress.live(found, channels))
        say(*progress.in_words(found))
    if give_up is not None and time.monotonic() >= give_up and found.state == DispatchState.SENDING:
        raise typer.Exit(3)


def _send_or_watch(here: Hub, look: Callable[[], bool], give_up: float | None) -> None:
    """Be the engine when nobody else is; else look at what the other one does."""

    def over() -> bool:
        return look() or (give_up is not None and time.monotonic() >= give_up)

    async def send() -> None:
        async with here.engine().running():
            while not await asyncio.to_thread(over):
                await asyncio.sleep(LOOK)

    try:
        run_async(send())
    except EngineBusy:
        while not over():
            time.sleep(LOOK)


def _settled(here: Hub, dispatch_id: int) -> bool:
    """Whether nothing more will happen to a dispatch soon."""
    with here.database.reading() as session:
        found = control.find(session, dispatch_id)
        if found.state == DispatchState.SCHEDULED:
            return found.starts_at is not None and found.starts_at > now() + PATIENCE
        if found.state != DispatchState.SENDING:
            return True
        held = set(reports.report(session, found).holds)
        quiet = is_quiet(here.settings.city, now()) and not found.urgent
        open_batches = session.exec(
            select(Batch).where(Batch.dispatch_id == dispatch_id, Batch.state != BatchState.DONE)
        ).all()
        # With none open, the engine is about to mark the dispatch as done.
        return bool(open_batches) and all(_later(batch, held, quiet, here) for batch in open_batches)


def _later(batch: Batch, held: set[str], quiet: bool, here: Hub) -> bool:
    if batch.state == BatchState.CLAIMED:
        return False
    channel = here.channels.get(batch.channel)
    asleep = channel is None or batch.channel in held or (quiet and channel.disturbs)
    return asleep or (batch.due_at is not None and batch.due_at > now() + PATIENCE)


def _report(here: Hub, dispatch_id: int) -> Report:
    with here.database.reading() as session:
        return reports.report(session, control.find(session, dispatch_id))


@dispatch.command("status")
def dispatch_status(dispatch_id: int, as_json: bool = JSON) -> None:
    """Where a dispatch is: by channel, language and state."""
    found = _report(hub(), dispatch_id)
    if as_json:
        return put_json(found.to_dict())
    with hub().database.reading() as session:
        channels = control.find(session, dispatch_id).channel_names
    console.print(progress.live(found, channels))
    if found.reason:
        say(found.reason)
    return None


@dispatch.command("report")
def dispatch_report(dispatch_id: int, as_json: bool = JSON) -> None:
    """What became of everybody in the audience. Exits with status 4 when the sum does not add up."""
    found = _report(hub(), dispatch_id)
    if as_json:
        put_json(found.to_dict())
    else:
        say(*progress.in_words(found))
    if not found.balanced:
        raise typer.Exit(4)


@dispatch.command("list")
def dispatch_list(as_json: bool = JSON) -> None:
    """Every dispatch, the newest first."""
    with hub().database.reading() as session:
        rows = [
            (found.id, found.statement_id, found.state, found.channels, found.audience, found.reason)
            for found in session.exec(select(Dispatch).order_by(col(Dispatch.id).desc()))
        ]
    names = ["dispatch", "statement", "state", "channels", "audience", "reason"]
    if as_json:
        return put_json([dict(zip(names, row, strict=True)) for row in rows])
    table("Dispatches", names, rows)
    return None


def _change(
    dispatch_id: int, as_: str | None, change: Callable[[Session, Dispatch, str], Any]
) -> tuple[Dispatch, Any]:
    with hub().database.session() as session:
        found = control.find(session, dispatch_id)
        result = change(session, found, actor(session, as_, Deed.DISPATCH))
        session.commit()
    return found, result


@dispatch.command("pause")
def dispatch_pause(dispatch_id: int, as_: str | None = AS) -> None:
    """Stop sending for now. What is in flight finishes; `resume` goes on."""
    found, _ = _change(dispatch_id, as_, control.pause)
    good(f"{found.reference} is paused.")


@dispatch.command("resume")
def dispatch_resume(dispatch_id: int, as_: str | None = AS, as_json: bool = JSON) -> None:
    """Go on where it was paused, or where a channel held itself."""
    found, _ = _change(dispatch_id, as_, control.resume)
    if found.state == DispatchState.SENDING:
        _follow(hub(), dispatch_id, as_json, timeout=None)


@dispatch.command("stop")
def dispatch_stop(dispatch_id: int, as_: str | None = AS, yes: bool = YES) -> None:
    """End it for good. What was sent stays sent."""
    confirm(f"Stop dispatch {dispatch_id} for good?", yes=yes)
    found, left = _change(dispatch_id, as_, control.stop)
    good(f"{found.reference} is stopped; {left:,} were not sent.")


@dispatch.command("retry")
def dispatch_retry(dispatch_id: int, as_: str | None = AS, as_json: bool = JSON) -> None:
    """Try again what failed for reasons that may have passed."""
    _, rows = _change(dispatch_id, as_, control.retry)
    say(f"{rows:,} are tried again.") if not as_json else None
    if rows:
        _follow(hub(), dispatch_id, as_json, timeout=None)


@dispatch.command("resolve")
def dispatch_resolve(
    dispatch_id: int,
    resend: bool = typer.Option(..., "--resend/--count-as-sent", help="What to do with the unknown."),
    as_: str | None = AS,
    yes: bool = YES,
) -> None:
    """Decide about messages of which nobody knows whether the provider took them."""
    question = "Send them again? Some residents may get it twice." if resend else "Count them as sent?"
    confirm(question, yes=yes)

    def decide(session: Session, found: Dispatch, person: str) -> int:
        return control.decide_unknown(session, found, person, resend=resend)

    _, rows = _change(dispatch_id, as_, decide)
    good(f"{rows:,} decided.")
