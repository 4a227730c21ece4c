"""The local engine: one process that claims batches and sends them, a task for each channel.

Every half-written thing is in the ledger or in a journal, so the engine can be killed at any instant; the
next one begins by recovering.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy import or_, select
from sqlmodel import Session, col

from channels.contract import Channel, Message, Outcome, Rendering
from channels.pacing import Pacer
from contacts.columns import now
from notify import audit, statements
from notify.database import Database
from notify.dispatch import control, journal, ledger, plan, unknowns
from notify.dispatch.deliver import Address, Delivery, Gate
from notify.dispatch.guard import EngineLock, begin_generation
from notify.dispatch.journal import Journal
from notify.dispatch.ledger import Claim
from notify.dispatch.models import Dispatch, DispatchState
from notify.dispatch.queries import Row
from notify.dispatch.unknowns import Unknown
from notify.rendering import Renderer
from notify.settings import CitySettings, Ground
from notify.statements import NotApproved, State, Statement
from notify.tokens import Recipient, Tokens

log = structlog.get_logger()

POLL = 0.2  # seconds between looks at the database
BATCHES_AT_ONCE = 2  # so that the end of one batch does not leave the connections idle
STOP_WITHIN = 30.0  # seconds for what is in flight when the engine is asked to stop


def is_quiet(city: CitySettings, moment: datetime) -> bool:
    """Whether it is night in the city, when only what is urgent may ring (R10)."""
    if city.quiet_from is None or city.quiet_until is None:
        return False
    local = moment.astimezone(ZoneInfo(city.timezone)).time()
    if city.quiet_from <= city.quiet_until:
        return city.quiet_from <= local < city.quiet_until
    return local >= city.quiet_from or local < city.quiet_until


class Engine:
    """Sends what is due. Use `running()`; it holds the lock, recovers, and stops cleanly."""

    def __init__(
        self,
        database: Database,
        settings: Ground,
        channels: Mapping[str, Channel],
        renderer: Renderer,
        tokens: Tokens,
    ) -> None:
        self._database, self._settings, self._channels = database, settings, channels
        self._renderer, self._tokens = renderer, tokens
        self._journals = settings.state_dir / "journal"
        self._pacers = {
            name: Pacer(channel.rate, burst=max(channel.rate / 10, 1.0)) for name, channel in channels.items()
        }
        self._gates: dict[int, Gate] = {}
        self._asked_up_to: dict[str, int] = {}
        self._stopping = False

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Engine]:
        """Lock, recover, open the channels, and send for as long as the block lasts.

        Raises:
            EngineBusy: another process is sending from this database.
        """
        with EngineLock(self._database, self._settings.state_dir):
            await asyncio.to_thread(self._recover)
            async with AsyncExitStack() as stack:
                for channel in self._channels.values():
                    await stack.enter_async_context(channel)
                tasks = [asyncio.create_task(self._watch())]
                tasks += [asyncio.create_task(self._serve(channel)) for channel in self._channels.values()]
                try:
                    yield self
                finally:
                    await self._stop(tasks)

    async def _stop(self, tasks: list[asyncio.Task[None]]) -> None:
        self._stopping = True
        for gate in self._gates.values():
            gate.open = False
        _, late = await asyncio.wait(tasks, timeout=STOP_WITHIN)
        for task in late:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _recover(self) -> None:
        safe = [name for name, channel in self._channels.items() if channel.repeat_is_safe]
        with self._database.session() as session:
            begin_generation(session, self._settings.state_dir)
            counts = ledger.recover(session, self._journals, safe)
            if any(counts.values()):
                audit.record(session, "system", "dispatch.recover", "engine", **counts)
                log.warning("recovered", **counts)
            session.commit()
        journal.remove_all(self._journals)

    async def _serve(self, channel: Channel) -> None:
        """Keep one channel busy."""
        busy: set[asyncio.Task[None]] = set()
        delivery = Delivery(self._database, channel, self._pacers[channel.name], self._settings.sending)
        try:
            while not self._stopping:
                if len(busy) < BATCHES_AT_ONCE and (job := await self._take(channel, delivery)):
                    busy.add(job)
                    continue
                if busy:
                    done, busy = await asyncio.wait(busy, timeout=POLL, return_when=asyncio.FIRST_COMPLETED)
                    _log_failures(done)
                else:
                    await asyncio.sleep(POLL)
            if busy:
                await asyncio.wait(busy)
        finally:
            for task in busy:
                task.cancel()

    async def _take(self, channel: Channel, delivery: Delivery) -> asyncio.Task[None] | None:
        quiet = channel.disturbs and is_quiet(self._settings.city, now())
        found = await asyncio.to_thread(self._find, channel, quiet)
        if found is None:
            return None
        claim, address, record = found
        gate = self._gates.setdefault(claim.dispatch_id, Gate())
        gate.open = gate.open and not self._stopping

        async def send() -> None:
            with record:
                await delivery.deliver(claim, address, record, gate)

        return asyncio.create_task(send())

    def _find(self, channel: Channel, quiet: bool) -> tuple[Claim, Address, Journal] | None:
        with self._database.reading() as session:
            batch_id = ledger.next_batch(session, channel.name, quiet=quiet)
        if batch_id is None:
            return None
        record = Journal(self._journals)
        with self._database.session() as session:
            claim = ledger.claim(session, batch_id, record.worker, per_household=channel.per_household)
            address = claim and self._addresser(session, channel, claim, claim.rows)
            if claim and address:
                session.commit()
                return claim, address, record
        with record:
            record.remove()
        if claim:
            self._pause(
                claim.dispatch_id,
                "The statement is no longer approved as it was planned. Approve it and resume; if it has fewer "
                "languages now, stop this dispatch and plan a new one.",
            )
        return None

    def _addresser(
        self, session: Session, channel: Channel, meant: Claim | Unknown, rows: Iterable[Row]
    ) -> Address | None:
        """What turns a row into a message; None when the words are not the approved ones any more (R34)."""
        try:
            texts = statements.require_approved(session, meant.statement_id)
        except NotApproved:
            return None
        if {tag for row in rows for tag in row.language.split(",")} - texts.keys():
            return None
        statement = session.get_one(Statement, meant.statement_id)
        source = statement.source_language

        @cache
        def renderings(languages: str) -> tuple[Rendering, ...]:
            spoken = sorted(languages.split(","), key=lambda language: (language != source, language))
            return tuple(self._renderer.rendering(statement, texts[each], each, channel) for each in spoken)

        def address(row: Row) -> Message:
            return Message(
                key=row.key,
                address=row.address,
                renderings=renderings(row.language),
                name=row.name,
                token=self._tokens.make(Recipient(row.endpoint_id, meant.list_id)),
                attempt=row.attempt,
            )

        return address

    def _pause(self, dispatch_id: int, reason: str) -> None:
        with self._database.session() as session:
            dispatch = control.find(session, dispatch_id)
            if dispatch.state in {DispatchState.SENDING, DispatchState.SCHEDULED}:
                control.pause(session, dispatch, "system", reason)
            session.commit()

    async def _watch(self) -> None:
        """Start what is due, end what is over, close the gates of what a person stopped."""
        asked = datetime.min.replace(tzinfo=now().tzinfo)
        ask_every = max(1.0, self._settings.sending.settle_seconds / 4)
        while not self._stopping:
            try:
                await asyncio.to_thread(self._tick)
                if (now() - asked).total_seconds() >= ask_every:
                    asked = now()
                    await self._ask_providers()
            except Exception as error:
                log.error(  # noqa: TRY400 - a trace could hold personal data
                    "watch_failed", error=type(error).__name__
                )
            await asyncio.sleep(POLL)

    def _tick(self) -> None:
        with self._database.reading() as session:
            states = dict(
                session.execute(
                    select(col(Dispatch.id), col(Dispatch.state))
                    .join(Statement, col(Statement.id) == col(Dispatch.statement_id))
                    .where(
                        col(Dispatch.state) == DispatchState.SENDING, col(Statement.state) == State.APPROVED
                    )
                ).all()
            )
            due = list(
                session.execute(
                    select(col(Dispatch.id)).where(
                        col(Dispatch.state) == DispatchState.SCHEDULED,
                        or_(col(Dispatch.starts_at).is_(None), col(Dispatch.starts_at) <= now()),
                    )
                ).scalars()
            )
        for dispatch_id, gate in self._gates.items():
            gate.open = dispatch_id in states and not self._stopping
        for dispatch_id in states:
            self._gates.setdefault(dispatch_id, Gate())
        if states:
            with self._database.session() as session:
                ledger.expire(session)
                ledger.finish(session)
                session.commit()
        for dispatch_id in due:
            self._start(dispatch_id)

    def _start(self, dispatch_id: int) -> None:
        """Plan the rows of a scheduled dispatch and let it go, once, whoever else looks."""
        with self._database.session() as session:
            dispatch = session.get_one(Dispatch, dispatch_id)
            if dispatch.state != DispatchState.SCHEDULED:
                return
            chosen = {name: self._channels[name] for name in dispatch.channel_names if name in self._channels}
            try:
                plan.fill(session, dispatch, chosen)
                control.start(session, dispatch, "system")
                session.commit()
            except NotApproved as error:
                session.rollback()
                self._pause(dispatch_id, str(error))

    async def _ask_providers(self) -> None:
        """Ask what became of unknown messages, where a provider can tell."""
        before = now() - timedelta(seconds=self._settings.sending.settle_seconds)
        for channel in self._channels.values():
            for message, since in await asyncio.to_thread(self._unknown, channel, before):
                outcome = await channel.reconcile(message, since)
                if outcome is not None:
                    await asyncio.to_thread(self._resolve, outcome)

    def _unknown(self, channel: Channel, before: datetime) -> list[tuple[Message, datetime]]:
        with self._database.reading() as session:
            found = unknowns.waiting(session, channel.name, before, self._asked_up_to.get(channel.name, 0))
            self._asked_up_to[channel.name] = found[-1].row.key if found else 0
            messages = []
            for each in found:
                address = self._addresser(session, channel, each, [each.row])
                if address is not None:
                    messages.append((address(each.row), each.sent_at))
            return messages

    def _resolve(self, outcome: Outcome) -> None:
        with self._database.session() as session:
            unknowns.resolve(session, outcome)
            session.commit()


def _log_failures(tasks: set[asyncio.Task[None]]) -> None:
    for task in tasks:
        if not task.cancelled() and (error := task.exception()):
            log.error("batch_failed", error=type(error).__name__)
