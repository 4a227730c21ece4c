"""The whole way: plan, claim, compose, address, send, journal and ledger, beside peers that keep no record.

    uv run python tests/bench/bench_hub.py [--messages 10000] [--rounds 3] [--memory 20000 200000] [--check]

Prints three tables: email into Postfix's smtp-sink beside nodemailer's pool and Postfix's own smtp-source;
what the ledger costs for each message; and the memory of the sending process for two audiences. Then the
time from an approval to the first message at the stand-in for the SMS provider.

Needs what bench_email.py needs.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import bench_email as email
import uvloop
from bench_email import Row
from email_servers import smtp_sink
from hub_city import APPROVER, AUTHOR, city, planned, send
from rich.console import Console
from rich.table import Table

from channels.sandbox import Sandbox
from notify import staff, statements
from notify.dispatch import control, journal, ledger, plan
from notify.dispatch.plan import Order
from notify.hub import Hub
from notify.statements import Text

TEXT = Text(email.TEXT.title, email.TEXT.short, email.TEXT.body, email.TEXT.actions)
FLOORS = {"nodemailer": 2.5, "smtp-source": 0.2}
PROVIDER_SECONDS = 1 / 100  # a text message at 100 a second, the default rate


def settings(port: int) -> dict[str, Any]:
    """The email channel, into the sink."""
    sender = "City <news@riverton.example>"
    return {"host": "127.0.0.1", "port": port, "security": "none", "from": sender, "connections": 10}


def whole_way(hub: Hub, _port: int, _messages: int) -> float:
    """Seconds from the first claim to the last result in the ledger."""
    return uvloop.run(send(hub, planned(hub, "email")))


@contextmanager
def cost_of(spent: list[float]) -> Iterator[None]:
    """Add up the processor time that the ledger and the journal take, wherever they run."""
    parts: list[tuple[Any, str]] = [
        (ledger, "next_batch"), (ledger, "claim"), (ledger, "write"), (ledger, "give_back"),
        (journal.Journal, "intent"), (journal.Journal, "result"),
    ]  # fmt: skip
    originals = [(owner, name, getattr(owner, name)) for owner, name in parts]

    def counted(function: Callable[..., Any]) -> Callable[..., Any]:
        def run(*args: Any, **kwargs: Any) -> Any:
            start = time.thread_time()
            try:
                return function(*args, **kwargs)
            finally:
                spent[0] += time.thread_time() - start

        return run

    for owner, name, function in originals:
        setattr(owner, name, counted(function))
    try:
        yield
    finally:
        for owner, name, function in originals:
            setattr(owner, name, function)


def speed(messages: int, rounds: int, console: Console) -> email.Rates:
    """Email: the whole way, and the peers, interleaved; then what the ledger costs."""
    with smtp_sink() as (port, pid), tempfile.TemporaryDirectory() as folder:
        email.pin(pid)
        with city("email", settings(port), TEXT, messages) as hub:
            peers = [row for row in email.rows(Path(folder), console) if row.name in FLOORS]
            listed = [Row("notify, whole way", partial(whole_way, hub)), *peers]
            rates = email.measure(listed, port, messages, rounds, console)
            spent = [0.0]
            with cost_of(spent):
                seconds = whole_way(hub, port, messages)
    console.print(email.table(rates))
    _tell_ledger(spent[0] / messages, seconds / messages, console)
    return rates


def _tell_ledger(ledger_seconds: float, email_seconds: float, console: Console) -> None:
    shown = Table(
        title=f"The ledger and its journal: {ledger_seconds * 1e6:.0f} µs of processor time a message"
    )
    shown.add_column("of the time that one message takes")
    shown.add_column("share", justify="right")
    shown.add_row("a text message at the default rate, 100/s", f"{ledger_seconds / PROVIDER_SECONDS:.1%}")
    shown.add_row("a mail at 3,000/s", f"{ledger_seconds * 3000:.1%}")
    shown.add_row(
        f"a mail into a sink, as fast as it goes, {1 / email_seconds:,.0f}/s",
        f"{ledger_seconds / email_seconds:.1%}",
    )
    console.print(shown)


def memory(audiences: list[int], console: Console) -> float:
    """Peak memory of a process that sends to so many; returns the ratio of the largest to the smallest."""
    peaks = {count: _peak(count) for count in audiences}
    shown = Table(title="Peak memory of the sending process")
    shown.add_column("residents", justify="right")
    shown.add_column("MB", justify="right")
    for count, peak in peaks.items():
        shown.add_row(f"{count:,}", f"{peak:.0f}")
    console.print(shown)
    return max(peaks.values()) / min(peaks.values())


def _peak(residents: int) -> float:
    run = subprocess.run(
        [sys.executable, __file__, "--peak", str(residents)], check=True, capture_output=True, text=True
    )
    return float(run.stdout)


def _send_and_tell_peak(residents: int) -> None:
    with smtp_sink() as (port, _), city("email", settings(port), TEXT, residents) as hub:
        whole_way(hub, port, residents)
    sys.stdout.write(f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}\n")


async def first_message() -> float:
    """Seconds from the approver's word to the first text message at the provider's stand-in."""
    with tempfile.TemporaryDirectory() as folder:
        async with Sandbox(Path(folder)) as sandbox:
            with city("sms", sandbox.settings()["sms"], TEXT, 1000) as hub:
                async with hub.engine().running():
                    start = time.perf_counter()
                    await asyncio.to_thread(_approve_and_start, hub)
                    while not sandbox.sms.total:
                        await asyncio.sleep(0.002)
                    return time.perf_counter() - start


def _approve_and_start(hub: Hub) -> None:
    with hub.database.session() as session:
        draft = statements.Draft(TEXT, statements.Kind.CRISIS, "en")
        statement = statements.draft(session, draft, staff.find(session, AUTHOR))
        statements.submit(session, statement, AUTHOR)
        statements.approve(session, statement, staff.find(session, APPROVER))
        dispatch = plan.plan(
            session, Order(statement.id or 0, None, ("sms",), AUTHOR), hub.channels, hub.renderer
        )
        control.start(session, dispatch, AUTHOR)
        session.commit()


def main() -> int:
    """Measure, print, and with --check fail below a floor."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--messages", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--memory", type=int, nargs="*", default=[20_000, 200_000], metavar="RESIDENTS")
    parser.add_argument("--check", action="store_true", help="exit with 1 when a floor is not met")
    parser.add_argument("--peak", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peak:
        _send_and_tell_peak(options.peak)
        return 0
    console = Console(width=None if sys.stdout.isatty() else 110)
    rates = speed(options.messages, options.rounds, console)
    growth = memory(options.memory, console) if options.memory else 1.0
    first = median(asyncio.run(first_message()) for _ in range(3))
    console.print(f"From approval to the first message: {first:.2f} s (1,000 residents planned in between).")
    missed = [name for name, floor in FLOORS.items() if name in rates and _ratio(rates, name) < floor]
    missed += [f"memory grew {growth:.2f} times"] if growth > 1.2 else []
    missed += ["the first message took a second"] if first >= 1 else []
    for line in missed:
        console.print(f"[red]Below the floor:[/red] {line}.")
    return 1 if missed and options.check else 0


def _ratio(rates: email.Rates, peer: str) -> float:
    return email.ratio(rates, "notify, whole way", peer)


if __name__ == "__main__":
    sys.exit(main())
