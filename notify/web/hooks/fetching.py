"""Asking providers for what residents said, where they cannot call the hub.

Only one process may ask for one sender: it is the one that holds the engine's lock, see `notify.stage`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import structlog

from channels.contract import Channel, Event, Fetching
from notify.hub import Hub
from notify.web.guard import where
from notify.web.hooks.intake import NotTaken
from notify.web.hooks.talking import Talks

log = structlog.get_logger()

AGAIN_AFTER = 5.0  # seconds after a defect
PATIENCE = 2.0  # seconds that one slow conversation may keep others waiting


@asynccontextmanager
async def fetching(hub: Hub) -> AsyncIterator[None]:
    """Ask every channel that is set so, for the length of the block. The channels have to be open."""
    talks = Talks(hub)
    tasks = [
        asyncio.create_task(_fetch(talks, channel, channel))
        for channel in hub.channels.values()
        if isinstance(channel, Fetching) and channel.fetches
    ]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _fetch(talks: Talks, channel: Channel, source: Fetching) -> None:
    async def take(events: Sequence[Event]) -> bool:
        try:
            await talks.hear(channel, events, patience=PATIENCE)
        except NotTaken:
            return False
        return True

    while True:
        try:
            await source.fetch(take)
        except Exception as error:
            log.error(  # noqa: TRY400 - the error's text may hold an address
                "fetching_failed", channel=channel.name, error=type(error).__name__, where=where(error)
            )
            await asyncio.sleep(AGAIN_AFTER)
