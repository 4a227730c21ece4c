"""The sandbox: everything outside the hub, on this machine.

async with Sandbox(folder) as sandbox:
    settings = sandbox.settings()          # for the channels sms, email and telegram
    sandbox.hub_url = "http://127.0.0.1:8000"
    await sandbox.reply_sms("+15550100199", "STOP")
"""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Any, NamedTuple, Self

from channels.sandbox.captured import ChatMessage, Mail, Numbers, Shelf, Text
from channels.sandbox.chat import BotApi
from channels.sandbox.faults import Faults, Rule
from channels.sandbox.hub import Hub, HubUnreachable
from channels.sandbox.mail import PASSWORD, SENDER, USERNAME, MailServer, one_click_url
from channels.sandbox.server import LocalServer
from channels.sandbox.sms import NUMBER, SmsProvider


class Ports(NamedTuple):
    """Where the stand-ins listen; 0 lets the system choose."""

    sms: int = 0
    email: int = 0
    telegram: int = 0


class Sandbox:
    """Stand-ins for the SMS provider, the mail relay and Telegram, in the running event loop.

    Attributes:
        sms, mail, chats: what residents got and answered, the last `keep` conversations of each.
        provider, relay, bots: the stand-ins themselves.
    """

    def __init__(
        self,
        folder: Path,
        hub_url: str = "",
        seed: int = 0,
        *,
        public_url: str = "",
        ports: Ports = Ports(),
        keep: int = 5000,
        mail_tls: ssl.SSLContext | None = None,
    ) -> None:
        """Nothing listens yet.

        Args:
            folder: gets `mails/*.eml`, `texts/*.txt` and `telegram/*.txt`; made where it is missing.
            hub_url: where the hub listens; signed callbacks go there. May be set later.
            seed: of the fake credentials, message ids and delays, so that a run can be repeated.
            public_url: the address the hub believes to have; `hub_url` where empty. May be set later.
            keep: conversations of each channel that stay in memory.
            mail_tls: a server's TLS context; with it the mail relay offers STARTTLS and AUTH.
        """
        self.folder = folder
        self.hub = Hub(hub_url, public_url)
        self.version = 0
        self._changed = asyncio.Event()
        rng = Random(seed)  # noqa: S311 - fake credentials of a stand-in
        self.numbers = numbers = Numbers()
        self.sms: Shelf[Text] = Shelf(keep, self._touch)
        self.mail: Shelf[Mail] = Shelf(keep, self._touch)
        self.chats: Shelf[ChatMessage] = Shelf(keep, self._touch)
        self.provider = SmsProvider(folder / "texts", self.hub, self.sms, numbers, rng)
        self.relay = MailServer(folder / "mails", self.mail, numbers, ports.email, mail_tls)
        self.bots = BotApi(folder / "telegram", self.hub, self.chats, numbers, rng)
        self._sms_server = LocalServer(ports.sms)
        self._chat_server = LocalServer(ports.telegram)
        self.provider.routes(self._sms_server)
        self.bots.routes(self._chat_server)

    async def __aenter__(self) -> Self:
        for stand_in in (self.provider, self.relay, self.bots):
            stand_in.folder.mkdir(parents=True, exist_ok=True)
        self.numbers.skip(self.relay.last_number())
        try:
            await self.hub.__aenter__()
            await self._sms_server.start()
            await self._chat_server.start()
            await self.relay.start()
        except BaseException:
            await self.__aexit__(None, None, None)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.provider.stop()
        await self.bots.updates.stop()
        await self.relay.stop()
        await self._chat_server.stop()
        await self._sms_server.stop()
        await self.hub.__aexit__(kind, error, trace)

    @property
    def shelves(self) -> dict[str, Shelf[Any]]:
        """What residents got and answered, by channel."""
        return {"sms": self.sms, "email": self.mail, "telegram": self.chats}

    @property
    def hub_url(self) -> str:
        """Where the hub listens."""
        return self.hub.url

    @hub_url.setter
    def hub_url(self, url: str) -> None:
        self.hub.url = url

    @property
    def public_url(self) -> str:
        """The address the hub believes to have, and its callbacks are signed for."""
        return self.hub.public_url or self.hub.url

    @public_url.setter
    def public_url(self, url: str) -> None:
        self.hub.public_url = url

    def settings(self) -> dict[str, dict[str, object]]:
        """Settings with which the channels reach the stand-ins, by channel, as their `Settings` take them."""
        return {
            "sms": {
                "account_sid": self.provider.account_sid,
                "auth_token": self.provider.auth_token,
                "from": NUMBER,
                "api_base": self._sms_server.url,
            },
            "email": {"host": "127.0.0.1", "port": self.relay.port, "from": SENDER} | self._mail_security(),
            "telegram": {
                "token": self.bots.token,
                "webhook_secret": self.bots.secret,
                "api_base": self._chat_server.url,
            },
        }

    def _mail_security(self) -> dict[str, object]:
        if self.relay.tls is None:
            return {"security": "none"}
        return {"security": "starttls", "username": USERNAME, "password": PASSWORD}

    def fault(self, channel: str, **rule: Any) -> Rule:
        """Let something go wrong; see `channels.sandbox.faults.Rule` for the fields.

        Raises:
            KeyError: the sandbox has no such channel.
        """
        return self._faults()[channel].add(Rule(**rule))

    def clear_faults(self) -> None:
        """Let everything go well again."""
        for faults in self._faults().values():
            faults.clear()

    def _faults(self) -> dict[str, Faults]:
        return {"sms": self.provider.faults, "email": self.relay.faults, "telegram": self.bots.faults}

    async def reply_sms(self, number: str, text: str) -> list[str]:
        """A resident answers a text message; returns the texts that came back.

        Raises:
            HubUnreachable: a hub is known and did not take the message.
        """
        return await self.provider.reply(number, text)

    async def reply_telegram(self, chat: int | str, text: str, language: str = "") -> list[str]:
        """A resident writes to the bot; see `channels.sandbox.chat.BotApi.reply`.

        Raises:
            HubUnreachable: a hub is known and did not take the message.
        """
        return await self.bots.reply(chat, text, language)

    async def press_button(self, chat: int | str, message_id: int | str, data: str) -> str:
        """A resident presses a button; see `channels.sandbox.chat.BotApi.press`.

        Raises:
            NoSuchButton, HubUnreachable: see there.
        """
        return await self.bots.press(chat, message_id, data)

    async def block_bot(self, chat: int | str) -> None:
        """A resident blocks the bot in Telegram.

        Raises:
            HubUnreachable: a hub is known and did not take the update.
        """
        await self.bots.block(chat)

    async def unsubscribe(self, mail: Mail) -> None:
        """A resident presses "unsubscribe" in a mail program, which calls the hub with one POST (RFC 8058).

        Raises:
            HubUnreachable: the mail names no such address, or the hub did not take the call.
        """
        url = one_click_url(mail.raw)
        if not url:
            raise HubUnreachable("This mail offers no one-click unsubscribe.")
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        await self.hub.post(url, b"List-Unsubscribe=One-Click", headers)
        self.mail.mark(mail, "unsubscribed")

    async def settled(self) -> None:
        """Wait until every text message has its last status and the hub was told."""
        await self.provider.settled()

    def _touch(self) -> None:
        self.version += 1
        self._changed.set()

    async def changed_since(self, version: int, timeout: float) -> int:
        """Wait for a change after `version`, `timeout` seconds at most; returns the version now."""
        if self.version <= version:
            self._changed.clear()
            try:
                await asyncio.wait_for(self._changed.wait(), timeout)
            except TimeoutError:
                return self.version
        return self.version
