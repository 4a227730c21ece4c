"""Killed at random instants while sending: nobody missed, nothing twice, and the unknown is told (R35)."""

from __future__ import annotations

import asyncio
import csv
import multiprocessing
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select
from world import ANA, approved, crisis, readers, residents

from channels.sandbox import Sandbox
from notify.audit import AuditEvent
from notify.dispatch import control, plan
from notify.dispatch import report as reports
from notify.dispatch.models import DeliveryState, DispatchState
from notify.dispatch.plan import Order
from notify.dispatch.report import Report
from notify.hub import Hub
from notify.settings import load

KILLS = 55
RESIDENTS = 1200
SMS_RATE = 20  # a second, so that sending lasts longer than the killing
LIFE = (0.02, 1.1)  # seconds a process lives before it is killed

pytestmark = pytest.mark.slow


class SandboxThread:
    """The stand-ins in a loop of their own, so that killing the hub does not touch them."""

    def __init__(self, folder: Path) -> None:
        self._loop = asyncio.new_event_loop()
        self._ready, self._stop = threading.Event(), asyncio.Event()
        self.sandbox = Sandbox(folder)
        self._thread = threading.Thread(
            target=self._loop.run_until_complete, args=(self._run(),), daemon=True
        )

    async def _run(self) -> None:
        async with self.sandbox:
            self._ready.set()
            await self._stop.wait()

    def __enter__(self) -> Sandbox:
        self._thread.start()
        assert self._ready.wait(10)
        return self.sandbox

    def __exit__(self, *exc: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)


def life(given: dict[str, Any], sms_rate: float, told: Connection) -> None:
    """One process that sends until it is killed."""

    async def send() -> None:
        hub = Hub(load(**given))
        hub.channels["sms"].rate = sms_rate
        async with hub.engine().running():
            told.send("running")
            await asyncio.Event().wait()

    asyncio.run(send())


@pytest.fixture
def processes() -> Any:
    """Processes that start quickly, with the hub's modules already read."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        ["notify.hub", "channels.sms", "channels.email", "channels.letter", __name__]
    )
    return context


@pytest.fixture
def provider(tmp_path: Path) -> Iterator[Sandbox]:
    with SandboxThread(tmp_path / "sandbox") as sandbox:
        # Every tenth answer is slow, so that a kill finds something in flight.
        sandbox.fault("sms", kind="slow", every=10, seconds=0.3)
        yield sandbox


def look(hub: Hub, dispatch_id: int) -> Report:
    with hub.database.reading() as session:
        return reports.report(session, control.find(session, dispatch_id))


def begin(hub: Hub, *channels: str) -> int:
    with hub.database.session() as session:
        statement = approved(session, crisis())
        dispatch = plan.plan(
            session, Order(statement.id or 0, None, channels, ANA), hub.channels, hub.renderer
        )
        control.start(session, dispatch, ANA)
        session.commit()
        return dispatch.id or 0


def start(processes: Any, given: dict[str, Any], rate: float) -> Any:
    ours, theirs = processes.Pipe()
    process = processes.Process(target=life, args=(given, rate, theirs))
    process.start()
    theirs.close()  # so that the end of the process is seen as the end of what it says
    assert ours.poll(60), "the process did not come up"
    assert ours.recv() == "running"
    return process


def kill(process: Any) -> None:
    os.kill(process.pid, signal.SIGKILL)
    process.join(10)
    assert process.exitcode == -signal.SIGKILL


def wait(hub: Hub, dispatch_id: int, over: Callable[[Report], bool], seconds: float) -> Report:
    until = time.monotonic() + seconds
    while not over(found := look(hub, dispatch_id)):
        assert time.monotonic() < until, found.to_dict()
        time.sleep(0.2)
    return found


def test_r35_killed_again_and_again_it_reaches_everybody_once(
    make_hub: Callable[..., Hub], processes: Any, provider: Sandbox, tmp_path: Path, database_url: str
) -> None:
    given = {
        **provider.settings(),
        "state_dir": tmp_path / "state",
        "database_url": database_url,
        "public_url": "http://127.0.0.1:9",
        "letter": {"outbox": tmp_path / "letters"},
        "sending": {"settle_seconds": 1, "retry_seconds": 0.5},
    }
    hub = make_hub(**given)
    home = {"city": "Rivermouth", "state": "WA", "postcode": "98578"}
    rows = [{**row, "address1": f"{index} Alder St", **home} for index, row in enumerate(readers(RESIDENTS))]
    residents(hub, tmp_path, rows)
    dispatch = begin(hub, "sms", "email", "letter")
    chance = random.Random(20261122)
    for number in range(KILLS):
        process = start(processes, given, SMS_RATE)
        time.sleep(chance.uniform(*LIFE))
        kill(process)
        found = look(hub, dispatch)
        assert found.balanced, number
        assert found.state == DispatchState.SENDING, "the killing outlasted the sending: lower the rate"
    process = start(processes, given, 1000)
    found = wait(hub, dispatch, lambda seen: not seen.to_go and not seen.of(DeliveryState.UNKNOWN), 180)
    kill(process)

    assert found.accepted == 3 * RESIDENTS
    assert Counter(Counter(text.address for text in provider.sms).values()) == {1: RESIDENTS}
    _mails_came_once(provider)
    _letters_were_printed_once(tmp_path / "letters")
    with hub.database.reading() as session:
        recovered = [
            event.detail for event in session.exec(select(AuditEvent)) if event.action == "dispatch.recover"
        ]
    assert any('"unknown": 0' not in detail for detail in recovered), "no kill found anything in flight"


def _mails_came_once(provider: Sandbox) -> None:
    """A mail may be handed over twice, but then it is the same one to the recipient's mailbox."""
    ids: dict[str, set[bytes]] = {}
    for mail in provider.mail:
        line = next(line for line in mail.raw.splitlines() if line.lower().startswith(b"message-id"))
        ids.setdefault(mail.address, set()).add(line)
    assert len(ids) == RESIDENTS
    assert {len(found) for found in ids.values()} == {1}


def _letters_were_printed_once(outbox: Path) -> None:
    keys = [
        row["letter_id"]
        for manifest in outbox.rglob("*.csv")
        if not manifest.stem.endswith(("totals", "exceptions"))
        for row in csv.DictReader(manifest.read_text("utf-8-sig").splitlines())
    ]
    assert len(keys) == len(set(keys)) == RESIDENTS
