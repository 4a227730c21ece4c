"""`notify run`: everything in one process, until somebody stops it."""

from __future__ import annotations

import asyncio
import shlex
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from channels.registry import available
from notify.cli.output import console, good, say
from notify.cli.samples import offer_topics
from notify.cli.sending import run_async
from notify.settings import Ground, load
from notify.stage import Stage, running, running_with_sandbox
from notify.web.console.access import console_ticket


def run(host: str, port: int, *, sandbox: bool) -> None:
    """Serve until SIGINT or SIGTERM."""
    run_async(_run(host, port, sandbox=sandbox))


async def _run(host: str, port: int, *, sandbox: bool) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    folder = load().state_dir / "sandbox"
    stage = running_with_sandbox(host, port, folder, {}) if sandbox else running(host, port, {})
    async with stage as found:
        if sandbox:
            await asyncio.to_thread(_offer_topics, found)
        with _reached_by_commands(found, folder) as file:
            _welcome(found, file)
            await stop.wait()
            say("Stopping: what is in flight finishes.")


@contextmanager
def _reached_by_commands(stage: Stage, folder: Path) -> Iterator[Path | None]:
    """While stand-ins run, a file of settings with which commands in another terminal reach them.

    A file that a person names, and none that is found by itself: real messages must never go to a stand-in.
    """
    if stage.sandbox is None:
        yield None
        return
    file = (folder / "commands.env").resolve()
    given = {
        "public_url": stage.url,
        "letter": {"outbox": (folder / "letters").resolve()},
        **stage.sandbox.settings(),
    }
    file.unlink(missing_ok=True)
    file.touch(0o600)
    file.write_text("".join(f"export {line}\n" for line in _assignments("NOTIFY", given)), "utf-8")
    try:
        yield file
    finally:
        file.unlink(missing_ok=True)


def _assignments(name: str, given: Mapping[str, Any]) -> Iterator[str]:
    between = "__" if "_" in name else "_"
    for part, value in given.items():
        whole = f"{name}{between}{part.upper()}"
        if isinstance(value, Mapping):
            yield from _assignments(whole, value)
        else:
            yield f"{whole}={shlex.quote(str(value))}"


def _offer_topics(stage: Stage) -> None:
    """So that residents' pages of a city that is tried out have something to choose."""
    with stage.hub.database.session() as session:
        offer_topics(session)
        session.commit()


def tell_console(usual: str) -> None:
    """Print the way in for staff, at the public address or the usual one."""
    settings = load()
    console.print(_entrance(settings, settings.public_url or usual), soft_wrap=True, markup=False)


def _entrance(settings: Ground, url: str) -> str:
    return f"{url}/console/enter?ticket={console_ticket(settings.key())}"


def _welcome(stage: Stage, commands: Path | None) -> None:
    good(f"Notify is running at {stage.url}")
    if stage.sandbox:
        say(
            f"  residents' side:  {stage.url}/sandbox/", f"  signing up:       {stage.url}/join",
            f"  staff's side:     {stage.url}/console/dispatches",
        )  # fmt: skip
        say(
            "  Everything stays on this machine: all providers are stand-ins.",
            f"  To plan and send from another terminal, there first:  . {shlex.quote(str(commands))}",
        )
    else:
        say(f"  staff's side, good for 15 minutes:  {_entrance(stage.hub.settings, stage.url)}")
        off = [name for name in available() if name not in stage.hub.channels]
        say(f"  channels on: {', '.join(stage.hub.channels) or 'none'}")
        say(f"  off, for want of settings: {', '.join(off) or 'none'}")
    say("  Stop with Ctrl-C.")
