"""One batch: from claimed rows to outcomes in the ledger."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog
from sqlmodel import Session

from channels.contract import Batch, Channel, Message, Outcome, Verdict
from channels.pacing import Pacer
from contacts.columns import now
from notify.database import Database
from notify.dispatch import ledger, moves
from notify.dispatch.journal import Journal
from notify.dispatch.ledger import Claim
from notify.dispatch.queries import Row
from notify.settings import SendingSettings

log = structlog.get_logger()

WRITE_EVERY = 1000  # outcomes
WRITE_AFTER = 0.25  # seconds, so that progress shows on slow channels
# So many rows in succession that were not accepted: the provider is down, and the rest can wait.
DOWN_AFTER = 20

Address = Callable[[Row], Message]


@dataclass
class Gate:
    """Whether a dispatch may go on. The engine closes it when a person pauses, stops or withdraws."""

    open: bool = True


@dataclass
class Run:
    """What happened to one batch so far."""

    pulled: set[int] = field(default_factory=set)  # handed to the channel, no outcome yet
    waiting: list[Outcome] = field(default_factory=list)  # not yet in the ledger
    refused: int = 0
    seen: int = 0
    unreachable_in_a_row: int = 0
    retry_after: float | None = None  # seconds, said by the provider
    hold: str = ""  # why the channel has to stop
    closed: bool = False  # nothing more of this batch leaves now
    attempts: int = 1
    sent: asyncio.Event = field(default_factory=asyncio.Event)  # nothing more will be handed over


class Outbox:
    """The messages of one batch, pulled by the channel's tasks: each pull is journalled and paced."""

    def __init__(
        self, claim: Claim, address: Address, journal: Journal, pacer: Pacer, run: Run, gate: Gate
    ) -> None:
        self._rows: Iterator[Row] = iter(claim.rows)
        self._address, self._journal, self._pacer, self._run, self._gate = address, journal, pacer, run, gate

    def __aiter__(self) -> Outbox:
        return self

    async def __anext__(self) -> Message:
        if self._shut():
            raise StopAsyncIteration
        row = next(self._rows, None)
        if row is None:
            raise StopAsyncIteration
        message = self._address(row)
        parts = sum(rendering.parts for rendering in message.renderings)
        if (wait := self._pacer.delay(parts)) > 0:
            await asyncio.sleep(wait)
            if self._shut():  # the row was not journalled, so it goes back to planned
                raise StopAsyncIteration
        self._journal.intent(row.key)
        self._run.pulled.add(row.key)
        self._run.attempts = max(self._run.attempts, row.attempt)
        return message

    def _shut(self) -> bool:
        return self._run.closed or not self._gate.open


class Delivery:
    """Sends one claimed batch over one channel and writes what came of it."""

    def __init__(self, database: Database, channel: Channel, pacer: Pacer, settings: SendingSettings) -> None:
        self._database, self._channel, self._pacer, self._settings = database, channel, pacer, settings

    async def deliver(self, claim: Claim, address: Address, journal: Journal, gate: Gate) -> None:
        """Send the batch; whatever happens, every claimed row has a true state afterwards.

        A cancelled delivery is a kill: it writes nothing more, and the next start reads the journal.
        """
        run = Run()
        batch = Batch(
            reference=f"D{claim.dispatch_id}",
            number=claim.number,
            total=claim.total,
            created_at=claim.planned_at,
            messages=Outbox(claim, address, journal, self._pacer, run, gate),
        )
        writer = asyncio.create_task(self._write_now_and_then(run))
        try:
            await self._send(batch, run, journal)
        finally:
            run.sent.set()
        # Giving the batch back while a result is on its way to the ledger would send that message again.
        await writer
        await asyncio.to_thread(self._end, claim, run)
        journal.remove()

    async def _send(self, batch: Batch, run: Run, journal: Journal) -> None:
        try:
            async for outcome in self._channel.send(batch):
                journal.result(outcome)
                run.pulled.discard(outcome.key)
                run.waiting.append(outcome)
                self._consider(outcome, run)
                if len(run.waiting) >= WRITE_EVERY:
                    await self._write(run)
        except Exception as error:
            # A defect of one channel must not stop its neighbours; what it had in hand is unknown.
            log.error(  # noqa: TRY400 - a trace could hold personal data
                "channel_failed", channel=self._channel.name, error=type(error).__name__
            )
            run.hold = f"The channel failed: {type(error).__name__}. Tell whoever looks after the hub."

    def _consider(self, outcome: Outcome, run: Run) -> None:
        run.seen += 1
        verdict = outcome.verdict
        run.unreachable_in_a_row = run.unreachable_in_a_row + 1 if verdict is Verdict.UNREACHABLE else 0
        if verdict is Verdict.THROTTLED:
            run.retry_after = max(run.retry_after or 0, outcome.retry_after or 1.0)
            self._pacer.pause(run.retry_after)
            run.closed = True
        elif verdict is Verdict.MISCONFIGURED:
            run.hold = outcome.detail or f"The provider refuses our settings ({outcome.code})."
            run.closed = True
        elif verdict is Verdict.REFUSED:
            run.refused += 1
            self._consider_refusals(run)
        elif run.unreachable_in_a_row >= DOWN_AFTER:
            run.closed = True

    def _consider_refusals(self, run: Run) -> None:
        share = run.refused / max(run.seen, 1)
        if run.refused >= self._settings.refused_least and share > self._settings.refused_share:
            run.hold = f"{run.refused} of {run.seen} messages were refused. Look at the text and the sender."
            run.closed = True

    async def _write_now_and_then(self, run: Run) -> None:
        while not run.sent.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(run.sent.wait(), WRITE_AFTER)
            await self._write(run)

    async def _write(self, run: Run) -> None:
        outcomes, run.waiting = run.waiting, []
        try:
            if outcomes:
                await asyncio.to_thread(self._write_all, outcomes)
        except Exception:
            run.waiting = outcomes + run.waiting  # the end of the batch tries again
            raise

    def _write_all(self, outcomes: list[Outcome]) -> None:
        with self._database.session() as session:
            self._enter(session, outcomes)
            session.commit()

    def _enter(self, session: Session, outcomes: list[Outcome]) -> None:
        ledger.write(session, outcomes, repeat_is_safe=self._channel.repeat_is_safe)
        moves.follow(session, self._channel, outcomes)

    def _end(self, claim: Claim, run: Run) -> None:
        with self._database.session() as session:
            self._enter(session, run.waiting)
            ledger.give_back(session, claim, run.pulled, due_at=self._due(run))
            if run.hold:
                ledger.hold_channel(session, claim.dispatch_id, claim.channel, run.hold)
                log.warning("channel_held", dispatch=claim.dispatch_id, channel=claim.channel)
            session.commit()

    def _due(self, run: Run) -> datetime | None:
        if run.retry_after is not None:
            return now() + timedelta(seconds=run.retry_after)
        if run.hold or not run.seen:
            return None
        wait = self._settings.retry_seconds * 2.0 ** min(run.attempts - 1, 20)
        return now() + timedelta(seconds=min(wait, self._settings.retry_longest_seconds))
