"""The command tree, and the one place where errors become exit statuses."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from pathlib import Path

import structlog
import typer

import notify
from channels.contract import CannotCompose, MissingSettings
from contacts.addresses import BadAddress
from contacts.importing import CannotImport
from contacts.lists import BadListName, UnknownList
from notify.cli import sending, setup, words
from notify.cli.demo import demo
from notify.cli.output import Refused, fail, good, say
from notify.cli.sending import run_async
from notify.database import DatabaseUnavailable
from notify.dispatch.guard import EngineBusy
from notify.dispatch.plan import DispatchError
from notify.settings import SettingsError
from notify.staff import StaffError
from notify.stage import PortTaken, Stage, running, running_with_sandbox
from notify.statements import StatementError
from notify.timetables import TimetableError
from notify.translation.engine import EngineError
from notify.web.console import console_ticket
from templates.playbook_files import PlaybookError

# Everything a person can cause and cure. Anything else is a defect, and shows its trace.
KNOWN = (
    BadAddress, BadListName, CannotCompose, DatabaseUnavailable, DispatchError, EngineBusy, EngineError,
    CannotImport, MissingSettings, PlaybookError, PortTaken, Refused, SettingsError, StaffError, StatementError,
    TimetableError, UnknownList,
)  # fmt: skip

app = typer.Typer(
    name="notify",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="The mayor's words to every resident: approved, translated, on the channel they chose, once.",
    epilog="See it work, with no account and no server: notify demo",
)
app.command("init")(setup.init)
app.command("doctor")(setup.examine)
app.command("config")(setup.show_config)
app.command("demo")(demo)
for name, group in {
    "staff": setup.staff_app,
    "contacts": setup.contacts_app,
    "playbook": words.playbook,
    "statement": words.statement,
    "translation": words.translation,
    "dispatch": sending.dispatch,
    "timetable": sending.timetable,
    "channels": setup.channels_app,
    "audit": words.audit_app,
}.items():
    app.add_typer(group, name=name)


@app.callback(invoke_without_command=True)
def _top(version: bool = typer.Option(False, "--version", help="Print the version.")) -> None:
    if version:
        say(notify.__version__)
        raise typer.Exit


@app.command("run")
def run(
    sandbox: bool = typer.Option(
        False, "--sandbox", help="With local stand-ins for every provider; nothing leaves."
    ),
    host: str = typer.Option("127.0.0.1", help="Where to listen."),
    port: int = typer.Option(8025, min=0, max=65535),
) -> None:
    """Everything in one process: pages, callbacks, sending, timetables."""
    run_async(_run(sandbox, host, port))


async def _run(sandbox: bool, host: str, port: int) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    if sandbox:
        folder = Path(setup.settings.load().state_dir) / "sandbox"
        stage = running_with_sandbox(host, port, folder, {})
    else:
        stage = running(host, port, {})
    async with stage as found:
        _welcome(found)
        await stop.wait()
        say("Stopping: what is in flight finishes.")


def _welcome(stage: Stage) -> None:
    good(f"Notify is running at {stage.url}")
    if stage.sandbox:
        say(
            f"  residents' side:  {stage.url}/sandbox/", f"  staff's side:     {stage.url}/console/dispatches"
        )
        say("  Everything stays on this machine: all providers are stand-ins.")
    else:
        ticket = console_ticket(stage.hub.settings.key())
        say(f"  staff's side, good for 15 minutes:  {stage.url}/console/enter?ticket={ticket}")
        on, off = (
            list(stage.hub.channels),
            [name for name in setup.available() if name not in stage.hub.channels],
        )
        say(
            f"  channels on: {', '.join(on) or 'none'}; off, for want of settings: {', '.join(off) or 'none'}"
        )
    say("  Stop with Ctrl-C.")


def main() -> None:
    """Run the command line."""
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    try:
        app()
    except KNOWN as error:
        fail(str(error))
        sys.exit(1)
