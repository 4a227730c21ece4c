"""Long polling: the hub asks Telegram what residents said, where Telegram cannot call the hub.

An update counts as arrived only when a later call names a higher offset
(https://core.telegram.org/bots/api#getupdates), and that call is made after the update was kept. So a kill
loses none; one that was kept just before it comes again with the same number.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Sequence

from telegram import Bot, Update
from telegram.error import TelegramError

from channels.contract import Take
from channels.telegram.callbacks import ALLOWED_UPDATES, read_fetched
from channels.telegram.http import ApiRefusal

_log = logging.getLogger(__name__)

LONG = 25  # seconds that Telegram waits for something to tell
MOST = 100  # updates in one answer
_LONGEST_PAUSE = 30.0  # seconds, after several failures
# An update that fails so often while others pass will never pass: it would keep all later ones waiting.
_TRIES = 5
_CONFLICT = (
    "Telegram gives this bot's updates to somebody else. Only one hub may use a bot: stop the other one,"
    " give it a bot of its own, or set NOTIFY_TELEGRAM__UPDATES=webhook in both."
)
_REFUSED = "Telegram does not let this bot fetch updates (%d). See `notify doctor`."


class Poller:
    """Fetches updates one answer after the other."""

    def __init__(self, bot: Bot, name: str, take: Take) -> None:
        """Hand what the bot called `name` is told to `take`."""
        self._bot, self._name, self._take = bot, name, take
        self._offset: int | None = None
        self._failures: Counter[int] = Counter()  # of each update that could not be kept
        self._in_a_row = 0

    async def run(self) -> None:
        """Fetch until cancelled."""
        while True:
            try:
                updates = await self._bot.get_updates(
                    offset=self._offset, limit=MOST, timeout=LONG, allowed_updates=ALLOWED_UPDATES
                )
                done = await self._keep(updates)
            except TelegramError as error:
                await self._pause(_wait(error))
            else:
                self._in_a_row = 0 if done else self._in_a_row
                if not done:
                    await self._pause()

    async def _keep(self, updates: Sequence[Update]) -> bool:
        """Hand the updates over and move the offset behind those that are done; returns whether all are."""
        events = [read_fetched(update.to_dict(), self._name) for update in updates]
        kept = await asyncio.gather(*(self._take(each) if each else _nothing() for each in events))
        works = any(taken and each for taken, each in zip(kept, events, strict=True))
        for update, taken in zip(updates, kept, strict=True):
            if not taken and not self._is_hopeless(update.update_id, works=works):
                return False
            self._failures.pop(update.update_id, None)
            self._offset = update.update_id + 1
        return True

    def _is_hopeless(self, number: int, *, works: bool) -> bool:
        self._failures[number] += works
        if self._failures[number] < _TRIES:
            return False
        _log.error("Update %d of Telegram could not be kept, others could: it is given up.", number)
        return True

    async def _pause(self, seconds: float = 0.0) -> None:
        self._in_a_row += 1
        await asyncio.sleep(max(seconds, min(2.0 ** (self._in_a_row - 1), _LONGEST_PAUSE)))


async def _nothing() -> bool:
    return True


def _wait(error: TelegramError) -> float:
    """Say in the log what keeps the hub from fetching; returns the seconds Telegram asks to wait."""
    if not isinstance(error, ApiRefusal):
        _log.warning("Telegram cannot be reached to fetch updates (%s).", type(error).__name__)
        return 0.0
    if error.status == 409:
        _log.error(_CONFLICT)
        return _LONGEST_PAUSE
    if error.status in (401, 403, 404):
        _log.error(_REFUSED, error.status)
        return _LONGEST_PAUSE
    return error.retry_after if error.status == 429 else 0.0
