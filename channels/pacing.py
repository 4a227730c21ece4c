"""Sending many at once without sending too fast."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from time import monotonic

from channels.contract import Message, Outcome


class Pacer:
    """A token bucket for one sender: `rate` units a second on average, `burst` at once.

    A rate of 0 is no limit. `pause` closes the tap for everybody who waits.
    """

    def __init__(self, rate: float, burst: float = 1.0) -> None:
        self.rate = rate
        self.burst = burst
        self._next = 0.0  # the moment from which the next unit may leave
        self._closed_until = 0.0

    def pause(self, seconds: float) -> None:
        """Let nothing pass for so long; a longer pause already under way stays."""
        self._closed_until = max(self._closed_until, monotonic() + seconds)

    def delay(self, units: float = 1.0) -> float:
        """Book `units` and return the seconds to wait before they may leave."""
        now = monotonic()
        start = max(now, self._closed_until)
        if not self.rate:
            return start - now
        self._next = max(self._next, start - (self.burst - 1) / self.rate)
        wait = max(self._next - now, start - now, 0.0)
        self._next += units / self.rate
        return wait

    async def take(self, units: float = 1.0) -> None:
        """Wait until `units` may leave."""
        if (wait := self.delay(units)) > 0:
            await asyncio.sleep(wait)


async def fan_out(
    messages: AsyncIterator[Message],
    send_one: Callable[[Message], Awaitable[Outcome]],
    concurrency: int,
) -> AsyncIterator[Outcome]:
    """Run `send_one` over the messages, `concurrency` at a time; outcomes come as they are known.

    A message is pulled only when a task is free to send it. When the caller stops, what is in flight is
    cancelled and has no outcome.

    Raises:
        Exception: whatever `send_one` raises, which is a defect of the channel.
    """
    done: asyncio.Queue[Outcome | None] = asyncio.Queue()

    async def work() -> None:
        try:
            async for message in messages:
                done.put_nowait(await send_one(message))
        finally:
            done.put_nowait(None)

    tasks = [asyncio.create_task(work()) for _ in range(concurrency)]
    running = len(tasks)
    try:
        while running:
            outcome = await done.get()
            if outcome is None:
                running -= 1
            else:
                yield outcome
        for task in tasks:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
