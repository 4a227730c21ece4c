"""Answers to residents one after the other in each chat, with the pauses that Telegram asks for (R12)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from time import monotonic

from channels.contract import Reply

GROUP_PAUSE = 3.0  # times the pause between messages to one chat: 20 a minute (R12)
MOST_WAITING = 5  # answers to one chat; who asks more often than that is not told each time
_MANY = 1000  # chats to remember before those that wait for nothing are forgotten


@dataclass(slots=True)
class Turn:
    """One chat's place: who holds `lock` may speak.

    Attributes:
        lock: held by the answer that is being given.
        waiting: answers that wait for it.
        free_at: when the next message may leave, on the monotonic clock.
        edits: the newest words for each message that is to be changed. Who presses fast sees the last state
            once, and never an older one after it.
    """

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    waiting: int = 0
    free_at: float = 0.0
    edits: dict[int, Reply] = field(default_factory=dict, repr=False)

    @property
    def is_over(self) -> bool:
        """Whether nothing waits for this chat."""
        return not self.waiting and not self.lock.locked() and self.free_at <= monotonic()

    async def pace(self, pause: float) -> None:
        """Wait until a message may leave, and let the next one wait for `pause` seconds after it."""
        await asyncio.sleep(max(0.0, self.free_at - monotonic()))
        self.free_at = monotonic() + pause


class Turns:
    """Every chat's turn, by chat id."""

    def __init__(self) -> None:
        self._turns: dict[int, Turn] = {}

    def of(self, chat: int) -> Turn:
        """The turn of one chat."""
        if len(self._turns) > _MANY:
            self._turns = {number: turn for number, turn in self._turns.items() if not turn.is_over}
        return self._turns.setdefault(chat, Turn())

    @asynccontextmanager
    async def taken(self, turn: Turn) -> AsyncIterator[None]:
        """Wait for a chat's turn, and hold it for the length of the block."""
        turn.waiting += 1
        try:
            await turn.lock.acquire()
        finally:
            turn.waiting -= 1
        try:
            yield
        finally:
            turn.lock.release()
