"""One batch on its way: workers that pull messages, each over a session of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable

from channels.contract import Batch, Message, Outcome, Verdict
from channels.email.codes import Ending, outcome
from channels.email.connections import NoConnection, Pool
from channels.email.protocol import Connection, Mail

Prepare = Callable[[Message, Batch], Mail]


class Sending:
    """Pulls a batch's messages and tells what became of each.

    A message is pulled only when a session is ready for its envelope. Workers are added one for each message
    pulled, so a batch of one opens no ten sessions.

    Args:
        batch: what to send.
        pool: the sessions.
        prepare: makes a message ready for the wire; raises `ValueError` for an address that is none.
        workers: how many at most.
    """

    def __init__(self, batch: Batch, pool: Pool, prepare: Prepare, workers: int) -> None:
        self._batch = batch
        self._pool = pool
        self._prepare = prepare
        self._limit = workers
        self._done: asyncio.Queue[Outcome | None] = asyncio.Queue()
        self._tasks: list[asyncio.Task[None]] = []
        self._connecting: set[asyncio.Task[None]] = set()  # with no message in hand
        self._running = 0
        self._exhausted = False

    async def outcomes(self) -> AsyncGenerator[Outcome, None]:
        """An outcome for each message pulled, as they become known.

        Raises:
            Exception: whatever pulling raised.
        """
        self._add_worker()
        try:
            while self._running:
                result = await self._done.get()
                if result is None:
                    self._running -= 1
                else:
                    yield result
            for task in self._tasks:
                if not task.cancelled():
                    task.result()
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def _add_worker(self) -> None:
        self._running += 1
        task = asyncio.create_task(self._work())
        task.add_done_callback(lambda _: self._done.put_nowait(None))
        self._tasks.append(task)

    async def _work(self) -> None:
        held: Mail | None = None  # pulled, and its session closed before the body left
        while held or not self._exhausted:
            try:
                connection = await self._connection(held)
            except NoConnection as problem:
                if held is None and self._others_work():
                    return
                if held := held or await self._next():
                    self._settle(held, problem.ending)
                    held = None
            else:
                held = await self._use(connection, held)

    async def _connection(self, held: Mail | None) -> Connection:
        task = asyncio.current_task()
        if held or task is None:
            return await self._pool.acquire()
        self._connecting.add(task)
        try:
            return await self._pool.acquire()
        finally:
            self._connecting.discard(task)

    def _others_work(self) -> bool:
        me = asyncio.current_task()
        return any(not task.done() for task in self._tasks if task is not me)

    async def _use(self, connection: Connection, held: Mail | None) -> Mail | None:
        """Send over one session until it or the messages end.

        Args:
            held: goes first; it has failed to leave once.

        Returns:
            A message that was pulled and did not leave because the session closed.
        """
        sent = 0
        try:
            while connection.usable and self._pool.fresh(connection, sent):
                mail = held or await self._next()
                if mail is None:
                    break
                sent += 1
                ending = await self._offer(connection, mail)
                if ending and mail is not held:
                    return mail
                if ending:
                    self._settle(mail, ending)
                held = None
            await connection.rest()
        finally:
            self._pool.release(connection, sent)
        return held

    async def _offer(self, connection: Connection, mail: Mail) -> Ending | None:
        if mail.utf8 and not connection.utf8:
            self._done.put_nowait(_not_ascii(mail))
            return None
        return await connection.deliver(mail, self._settle)

    async def _next(self) -> Mail | None:
        while not self._exhausted:
            try:
                message = await anext(self._batch.messages)
            except StopAsyncIteration:
                self._stop_connecting()
                break
            if len(self._tasks) < self._limit:
                self._add_worker()
            try:
                return self._prepare(message, self._batch)
            except ValueError as error:
                self._done.put_nowait(Outcome(message.key, Verdict.BAD_ADDRESS, detail=str(error)))
        return None

    def _stop_connecting(self) -> None:
        self._exhausted = True
        for task in self._connecting:
            task.cancel()

    def _settle(self, mail: Mail, ending: Ending) -> None:
        self._done.put_nowait(outcome(mail.key, ending, mail.message_id))


def _not_ascii(mail: Mail) -> Outcome:
    return Outcome(
        mail.key,
        Verdict.BAD_ADDRESS,
        code="5.6.7",
        detail="The address is not written in ASCII, and the mail server takes no others (SMTPUTF8).",
    )
