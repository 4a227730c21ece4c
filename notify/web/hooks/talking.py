"""From what came in to what the resident is told: taken first, on disk, then answered.

However it came - the provider called, or was asked - it goes the same way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import structlog

from channels.contract import Answer, Channel, Conversing, Event, Reply
from notify.hub import Hub
from notify.web.guard import where
from notify.web.hooks.intake import Intake
from notify.web.hooks.menus import Menus, Replies

log = structlog.get_logger()

# A provider that waits for its callback's reply calls again after a while; the conversation goes on by itself.
PATIENCE = 8.0  # seconds


class Talks:
    """Enters events and sees to their answers."""

    def __init__(self, hub: Hub) -> None:
        self._intake: Intake[Replies] = Intake(hub.database, Menus(hub).take)
        self._under_way: set[asyncio.Task[None]] = set()

    async def hear(
        self, channel: Channel, events: Sequence[Event], *, patience: float = PATIENCE
    ) -> Answer | None:
        """Enter the events of one callback.

        Args:
            channel: which was called.
            events: that it read.
            patience: seconds to wait for a conversation; it goes on afterwards.

        Returns:
            The reply to it, for a channel whose answers go there.

        Raises:
            NotTaken: nothing of this callback was kept.
        """
        told = await self._intake.enter(channel, events)
        pairs = list(zip(events, told, strict=True))
        if not isinstance(channel, Conversing):
            return _answer(channel, pairs)
        tasks = [asyncio.create_task(self._converse(channel, *pair)) for pair in pairs]
        self._under_way.update(tasks)
        for task in tasks:
            task.add_done_callback(self._under_way.discard)
        if tasks:
            await asyncio.wait(tasks, timeout=patience)
        return channel.answer(events[-1], "") if events else None

    async def _converse(self, channel: Conversing, event: Event, replies: Replies) -> None:
        try:
            await channel.converse(event, replies)
        except Exception as error:
            log.error("answer_failed", error=type(error).__name__, where=where(error))  # noqa: TRY400


def _answer(channel: Channel, pairs: Sequence[tuple[Event, Replies]]) -> Answer | None:
    """The reply with a text for the resident, if any; a reply carries one."""
    chosen = next((pair for pair in pairs if pair[1]), pairs[-1] if pairs else None)
    if chosen is None:
        return None
    event, replies = chosen
    text = _first(replies)
    return channel.answer(replace(event, answered=False) if text else event, text)


def _first(replies: Sequence[Reply]) -> str:
    return replies[0].text if replies else ""
