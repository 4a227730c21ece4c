"""What a bot is told: posted to its webhook, or kept until it asks (https://core.telegram.org/bots/api#getting-updates).

Only one way works at a time, and only one asks at a time: a second getUpdates ends the first.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Mapping
from itertools import count
from time import time
from typing import Any

from channels.sandbox.botrules import BotError, from_json
from channels.sandbox.hub import Hub, HubUnreachable

_WAITING = 1000
_LONGEST_POLL = 50.0
_MOST = 100
_PATH = "/hooks/telegram"

CONFLICT = (
    "Conflict: can't use getUpdates method while webhook is active;"
    " use deleteWebhook to delete the webhook first"
)
TERMINATED = (
    "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"
)
_NOT_HTTPS = "Bad Request: bad webhook: An HTTPS URL must be provided for webhook"


class Updates:
    """The updates of one bot.

    Attributes:
        webhook: as the bot set it; its `url` is empty where there is none.
        last_error: of the last call to the webhook.
    """

    def __init__(self, hub: Hub, secret: str) -> None:
        """Call `hub`, with `secret` for as long as the bot has not said how it wants to be told."""
        self.webhook: dict[str, Any] = {"url": ""}
        self.last_error = ""
        self._hub = hub
        self._secret = secret
        self._is_arranged = False
        # From the clock: a later sandbox never gives a number again that an earlier one gave.
        self._numbers = count(int(time()))
        self._waiting: deque[dict[str, Any]] = deque(maxlen=_WAITING)
        self._arrived = asyncio.Event()
        self._asking = 0  # which getUpdates is the last one
        self._posting: asyncio.Task[None] | None = None

    async def tell(self, content: dict[str, Any]) -> bytes:
        """Tell the bot one thing; returns what a webhook answered.

        Raises:
            HubUnreachable: the webhook did not take it.
        """
        if not self._is_wanted(content):
            return b""
        update = {"update_id": next(self._numbers)} | content
        if url := self._url():
            return await self._post(url, update)
        self._waiting.append(update)
        self._arrived.set()
        return b""

    async def fetch(self, given: Mapping[str, Any]) -> list[dict[str, Any]]:
        """getUpdates: an update is confirmed by a later call with a higher offset, and comes again until then.

        Raises:
            BotError: there is a webhook, or somebody else asked meanwhile.
        """
        if self.webhook["url"]:
            raise BotError(409, CONFLICT)
        self._is_arranged = True
        self._set_allowed(given)
        self._asking += 1
        mine = self._asking
        self._arrived.set()  # ends the one before
        self._confirm(int(given.get("offset") or 0))
        if not self._waiting:
            await self._wait(mine, min(float(given.get("timeout") or 0), _LONGEST_POLL))
        if mine != self._asking:
            raise BotError(409, TERMINATED)
        return list(self._waiting)[: min(max(int(given.get("limit") or _MOST), 1), _MOST)]

    def set_webhook(self, given: Mapping[str, Any]) -> bool:
        """setWebhook: what waits is posted there.

        Raises:
            BotError: the address is not https, and not on this machine.
        """
        url = str(given.get("url", ""))
        if url and not url.startswith(("https://", "http://127.0.0.1", "http://localhost", "http://[::1]")):
            raise BotError(400, _NOT_HTTPS)
        allowed = self.webhook.get("allowed_updates")
        self.webhook = {"url": url, "max_connections": int(given.get("max_connections", 40))}
        if allowed:
            self.webhook["allowed_updates"] = allowed
        self._set_allowed(given)
        self._secret = str(given.get("secret_token", ""))
        self._arrange(given)
        if url and self._waiting:
            self._posting = asyncio.create_task(self._post_what_waits())
        return True

    def delete_webhook(self, given: Mapping[str, Any]) -> bool:
        """deleteWebhook: from now on updates wait."""
        self.webhook = {name: value for name, value in self.webhook.items() if name == "allowed_updates"}
        self.webhook["url"] = ""
        self._arrange(given)
        return True

    def info(self) -> dict[str, Any]:
        """getWebhookInfo."""
        found = self.webhook | {"has_custom_certificate": False, "pending_update_count": len(self._waiting)}
        return found | ({"last_error_message": self.last_error} if self.last_error else {})

    async def stop(self) -> None:
        """Post nothing more."""
        if self._posting:
            self._posting.cancel()
            await asyncio.gather(self._posting, return_exceptions=True)

    def _arrange(self, given: Mapping[str, Any]) -> None:
        self._is_arranged = True
        if str(given.get("drop_pending_updates", "")).lower() == "true":
            self._waiting.clear()

    def _set_allowed(self, given: Mapping[str, Any]) -> None:
        """The kinds that the bot wants; a call that does not name them leaves them as they are."""
        if given.get("allowed_updates") is not None:
            self.webhook["allowed_updates"] = from_json(given["allowed_updates"], "allowed_updates")

    def _is_wanted(self, content: Mapping[str, Any]) -> bool:
        allowed = self.webhook.get("allowed_updates")
        return not allowed or any(kind in allowed for kind in content)

    def _url(self) -> str:
        """Where to post; a bot that has not said how it wants to be told is called where the hub listens."""
        return self.webhook["url"] or ("" if self._is_arranged else self._hub.declared(_PATH))

    async def _post(self, url: str, update: Mapping[str, Any]) -> bytes:
        headers = {"Content-Type": "application/json"}
        if self._secret:
            headers["X-Telegram-Bot-Api-Secret-Token"] = self._secret
        try:
            return await self._hub.post(url, json.dumps(update).encode(), headers)
        except HubUnreachable as error:
            self.last_error = str(error)
            raise

    async def _post_what_waits(self) -> None:
        while self._waiting and self.webhook["url"]:
            try:
                await self._post(self.webhook["url"], self._waiting[0])
            except HubUnreachable:
                return
            self._waiting.popleft()

    def _confirm(self, offset: int) -> None:
        """Forget what came before; a negative offset counts from the end."""
        if offset < 0:
            while len(self._waiting) > -offset:
                self._waiting.popleft()
        while self._waiting and self._waiting[0]["update_id"] < offset:
            self._waiting.popleft()

    async def _wait(self, mine: int, seconds: float) -> None:
        self._arrived = asyncio.Event()
        try:
            async with asyncio.timeout(seconds):
                while mine == self._asking and not self._waiting:
                    await self._arrived.wait()
        except TimeoutError:
            return
