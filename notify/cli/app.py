"""The command tree, and the one place where errors become exit statuses."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import structlog
import typer

import notify
from notify.cli import (
    bounces,
    consent,
    inbox,
    keys,
    languages,
    lists,
    memory,
    people,
    segments,
    sending,
    setup,
    timetables,
    translations,
    words,
)
from notify.cli.output import fail, say

DEFAULT_PORT = 8025

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
for name, group in {
    "staff": setup.staff_app,
    "contacts": people.contacts_app,
    "list": lists.list_app,
    "segment": segments.segment_app,
    "consent": consent.consent_app,
    "inbox": inbox.inbox_app,
    "bounces": bounces.bounces_app,
    "playbook": words.playbook,
    "statement": words.statement,
    "translation": translations.translation,
    "languages": languages.languages_app,
    "memory": memory.memory_app,
    "glossary": memory.glossary_app,
    "dispatch": sending.dispatch,
    "timetable": timetables.timetable,
    "channels": setup.channels_app,
    "audit": words.audit_app,
    "api-key": keys.keys_app,
}.items():
    app.add_typer(group, name=name)


@app.callback(invoke_without_command=True)
def _top(version: bool = typer.Option(False, "--version", help="Print the version.")) -> None:
    if version:
        say(notify.__version__)
        raise typer.Exit


@app.command("demo")
def demo(
    folder: Path | None = typer.Option(None, "--folder", help="Where the letters, mails and texts go."),
    as_json: bool = typer.Option(False, "--json", help="Only print summary.json at the end."),
    stay: bool = typer.Option(False, "--stay", help="Keep running afterwards, to look at it in a browser."),
    port: int = typer.Option(
        DEFAULT_PORT, min=0, max=65535, help="For the pages; if it is taken, the system chooses one."
    ),
) -> None:
    """See the main job, end to end: 200 fictional residents, four channels, eight languages.

    Needs no account, no server and no internet. Everything stays on this machine.
    """
    from notify.cli import demo as story  # the pages and stand-ins take a second to load

    story.run(folder, port, quiet=as_json, stay=stay)


@app.command("run")
def run(
    sandbox: bool = typer.Option(
        False, "--sandbox", help="With local stand-ins for every provider; nothing leaves."
    ),
    host: str = typer.Option("127.0.0.1", help="Where to listen."),
    port: int = typer.Option(DEFAULT_PORT, min=0, max=65535),
) -> None:
    """Everything in one process: pages, callbacks, sending, timetables."""
    from notify.cli import serving

    serving.run(host, port, sandbox=sandbox)


@app.command("console")
def console() -> None:
    """Print a link to staff's pages, good for 15 minutes."""
    from notify.cli import serving

    serving.tell_console(f"http://127.0.0.1:{DEFAULT_PORT}")


def main() -> None:
    """Run the command line."""
    # Through the standard library, whose last resort is standard error and which never raises for a log line.
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.stdlib.LoggerFactory(),
    )
    try:
        app()
    except Exception as error:
        if not isinstance(error, _known()):
            raise
        fail(str(error))
        sys.exit(1)


def _known() -> tuple[type[Exception], ...]:
    """Everything a person can cause and cure. Anything else is a defect, and shows its trace."""
    from channels.contract import CannotCompose, MissingSettings
    from channels.incoming import MailboxUnavailable
    from contacts.addresses import BadAddress
    from contacts.erasure import CannotErase
    from contacts.exporting import CannotExport
    from contacts.filter_trees import FilterError
    from contacts.importing import ImportFailed
    from contacts.joining import CannotJoin
    from contacts.lists import BadListName, ListInUse, UnknownList
    from contacts.segments import SegmentError, UnknownSegment
    from notify.apikeys import ApiKeyError
    from notify.cli.output import Refused
    from notify.consents import ConsentError
    from notify.database import DatabaseUnavailable
    from notify.dispatch.guard import EngineBusy
    from notify.dispatch.plan import DispatchError
    from notify.inbox import InboxError
    from notify.invitations import NothingToInvite
    from notify.mailbox import NoCase
    from notify.settings import SettingsError
    from notify.slots import TimetableError
    from notify.staff import StaffError
    from notify.stage import PortTaken
    from notify.statements import StatementError
    from notify.translation.engine import EngineError
    from notify.translation.exchange import ExchangeError
    from templates.playbook_files import PlaybookError

    return (
        ConsentError, FilterError, InboxError, MailboxUnavailable, NoCase,
        ApiKeyError, BadAddress, BadListName, CannotCompose, CannotErase, CannotExport, CannotJoin,
        DatabaseUnavailable, DispatchError, EngineBusy, EngineError, ExchangeError, ImportFailed, ListInUse,
        MissingSettings,
        NothingToInvite, PlaybookError, PortTaken, Refused, SettingsError, StaffError, StatementError,
        SegmentError, TimetableError, UnknownList, UnknownSegment,
    )  # fmt: skip
