"""The Telegram channel: messages of a bot, through python-telegram-bot."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import ClassVar, Self, cast

from pydantic import BaseModel
from telegram import Bot, LinkPreviewOptions, MessageEntity
from telegram.error import TelegramError

from channels.contract import (
    AddressKind,
    Answer,
    ApprovedText,
    Batch,
    CallbackRequest,
    City,
    Event,
    Finding,
    Message,
    MissingSettings,
    NoInvitation,
    Outcome,
    Rendering,
    Reply,
    Take,
    Verdict,
)
from channels.pacing import Pacer, fan_out
from channels.telegram import callbacks, checks, commands, polling
from channels.telegram.codes import is_entity_trouble, meaning
from channels.telegram.composing import compose
from channels.telegram.conversing import Conversing
from channels.telegram.entities import Entity, Formatted
from channels.telegram.http import ApiRefusal, NeverSent, NoAnswer, telegram_bot
from channels.telegram.settings import TelegramSettings, Updates
from channels.telegram.turns import GROUP_PAUSE

_log = logging.getLogger(__name__)

_NO_PREVIEW = LinkPreviewOptions(is_disabled=True)  # else Telegram would fetch the links and show pictures
_TRIES = 4  # for each part after the first one
_LONGEST_WAIT = 30.0  # seconds, between these tries
_MIGRATED = "migrated"
_PAYLOAD = re.compile(r"[A-Za-z0-9_-]{1,64}")  # https://core.telegram.org/bots/features#deep-linking


class TelegramChannel:
    """Messages of a Telegram bot. See `channels.contract.Channel` for what each method promises."""

    name: ClassVar[str] = "telegram"
    label: ClassVar[str] = "Telegram"
    unit: ClassVar[str] = "messages"
    address_kind: ClassVar[AddressKind] = AddressKind.CHAT
    batch_size: ClassVar[int] = 500
    repeat_is_safe: ClassVar[bool] = False
    disturbs: ClassVar[bool] = True
    per_household: ClassVar[bool] = False
    Settings: ClassVar[type[BaseModel]] = TelegramSettings

    def __init__(self, settings: BaseModel, city: City) -> None:
        """Take settings that `TelegramSettings` has checked.

        Raises:
            MissingSettings: these are another channel's settings.
        """
        if not isinstance(settings, TelegramSettings):
            raise MissingSettings("The Telegram channel needs NOTIFY_TELEGRAM__TOKEN: set it.")
        self.settings = settings
        self.city = city
        self.rate = settings.rate
        self._open = AsyncExitStack()
        self._bot: Bot | None = None
        self._name = ""  # the bot's own, as soon as Telegram has told it
        # Statements and answers share it: the rate holds for the sum of both (R12).
        self._pacer = Pacer(settings.rate, burst=max(settings.rate / 10, 1.0))
        self._conversing = Conversing(self._pacer, settings.pause)

    async def __aenter__(self) -> Self:
        """Open the session to Telegram; connections are made when messages leave."""
        self._bot = await self._open.enter_async_context(telegram_bot(self.settings, wait=polling.LONG))
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Close the session."""
        self._bot = None
        await self._open.aclose()

    def compose(self, text: ApprovedText) -> Rendering:
        """Make messages of title, body, actions and footer; the formatting becomes entities.

        Raises:
            CannotCompose: nothing to say, or more than `max_parts` messages of it.
        """
        return compose(text, self.city, self.settings.max_parts)

    def send(self, batch: Batch) -> AsyncIterator[Outcome]:
        """Hand the messages to Telegram, `concurrency` chats at a time; outcomes as they are known.

        Once a first part is with the resident, the others are tried again here, for a short while: to begin
        anew would repeat the first part. What is still missing then makes the outcome `unknown`.
        """
        return fan_out(batch.messages, self._send_one, self.settings.concurrency)

    async def _send_one(self, message: Message) -> Outcome:
        chat = _chat_id(message.address)
        if chat is None:
            return Outcome(message.key, Verdict.BAD_ADDRESS, detail="A chat id is a whole number")
        parts = [part for rendering in message.renderings for part in _parts(rendering)]
        delivery = _Delivery(self._bot, message.key, chat, self._pacer, self.settings.pause)
        return await delivery.send(parts)

    async def reconcile(self, message: Message, since: datetime) -> Outcome | None:  # noqa: ARG002
        """None: the Bot API has no way to ask for messages that were sent."""
        return None

    def read_callback(self, request: CallbackRequest) -> Sequence[Event]:
        """Read a resident's message, a pressed button, that the bot was blocked, or that a group moved.

        Raises:
            CallbackRefused: the webhook's secret is missing or wrong.
        """
        return callbacks.read(request, self.settings.secret, self._name)

    def answer(self, event: Event, text: str) -> Answer:  # noqa: ARG002
        """An empty reply to a callback: residents are answered by `converse`, webhook or not."""
        return Answer("application/json", b"{}")

    async def converse(self, event: Event, replies: Sequence[Reply]) -> None:
        """Answer a resident, with buttons; see `channels.contract.Conversing`."""
        if _chat_id(event.address) is not None:
            async with self._speaking() as bot:
                await self._conversing.answer(bot, event, replies)

    async def invite(self, payload: str) -> str:
        """A link that opens a chat with the bot, whose /start brings the payload.

        Raises:
            ValueError: more than 64 characters, or others than letters, digits, _ and -.
            NoInvitation: Telegram does not tell the bot's name.
        """
        if not _PAYLOAD.fullmatch(payload):
            raise ValueError("A link to the bot carries 1 to 64 letters, digits, _ and -.")
        try:
            async with self._speaking() as bot:
                name = await self._named(bot)
        except TelegramError as error:
            raise NoInvitation(
                f"Telegram does not tell the bot's name ({type(error).__name__}). See `notify doctor`."
            ) from None
        return f"https://t.me/{name}?start={payload}"

    @property
    def fetches(self) -> bool:
        """Whether the hub asks for updates instead of being called."""
        return checks.mode(self.settings, self.city) is Updates.POLLING

    async def fetch(self, take: Take) -> None:
        """Fetch updates until cancelled; see `channels.contract.Fetching`."""
        async with self._speaking() as bot:
            await polling.Poller(bot, self._name, take).run()

    async def check(self) -> Sequence[Finding]:
        """Look at the token and at how updates come; nothing is sent, and none is fetched."""
        return await checks.run(self.settings, self.city)

    async def announce(self) -> None:
        """Tell Telegram how updates are to come and which commands there are; `check` tells why it did not."""
        if self._bot is None:
            return
        with contextlib.suppress(TelegramError):
            await checks.arrange(self._bot, self.settings, self.city)
            await self._named(self._bot)
            await commands.register(self._bot, self.city.languages)

    async def _named(self, bot: Bot) -> str:
        if not self._name:
            self._name = (await bot.get_me()).username or ""
        return self._name

    @asynccontextmanager
    async def _speaking(self) -> AsyncIterator[Bot]:
        """The open bot; where the channel is not open, one for the length of the block."""
        if self._bot is not None:
            yield self._bot
            return
        async with telegram_bot(self.settings, wait=polling.LONG) as bot:
            yield bot


def _parts(rendering: Rendering) -> tuple[Formatted, ...]:
    return cast("tuple[Formatted, ...]", rendering.content)


def _chat_id(address: str) -> int | None:
    try:
        return int(address)
    except ValueError:
        return None


@dataclass(frozen=True, slots=True)
class _Failure:
    """Why a part was not taken."""

    verdict: Verdict
    code: str | None = None
    detail: str = ""
    retry_after: float | None = None

    @property
    def passes(self) -> bool:
        """Whether the same part may be taken a moment later."""
        return self.verdict in (Verdict.THROTTLED, Verdict.UNREACHABLE)


class _Delivery:
    """One statement on its way to one chat, part after part."""

    def __init__(self, bot: Bot | None, key: int, chat: int, pacer: Pacer, pause: float) -> None:
        self.bot = bot
        self.key = key
        self.chat = chat
        self.pacer = pacer
        self.pause = pause if chat > 0 else pause * GROUP_PAUSE
        self.ids: list[str] = []
        self.moved = False

    async def send(self, parts: Sequence[Formatted]) -> Outcome:
        """Send the parts in order, up to the first that is not taken."""
        for part in parts:
            failure = await (self._insist(part) if self.ids else self._try(part))
            if failure:
                return self._failed(failure, len(parts))
        return Outcome(
            self.key,
            Verdict.ACCEPTED,
            provider_id=",".join(self.ids),
            code=_MIGRATED if self.moved else None,
            detail="The group has a new chat id" if self.moved else "",
            moved_to=self._moved_to,
        )

    @property
    def _moved_to(self) -> str:
        return str(self.chat) if self.moved else ""

    def _failed(self, failure: _Failure, total: int) -> Outcome:
        if not self.ids:
            return Outcome(
                self.key, failure.verdict, None, failure.code, failure.detail, failure.retry_after,
                moved_to=self._moved_to,
            )  # fmt: skip
        verdict = failure.verdict if failure.verdict is Verdict.OPTED_OUT else Verdict.UNKNOWN
        detail = f"{len(self.ids)} of {total} messages arrived, then: {failure.detail}"
        return Outcome(self.key, verdict, ",".join(self.ids), failure.code, detail, moved_to=self._moved_to)

    async def _insist(self, part: Formatted) -> _Failure | None:
        """Send a later part, and try again while it may still pass."""
        wait = self.pause
        for _ in range(_TRIES):
            await asyncio.sleep(wait)
            failure = await self._try(part)
            if failure is None or not failure.passes:
                break
            wait = min(max(2 * wait, failure.retry_after or 0.0), _LONGEST_WAIT)
        return failure

    async def _try(self, part: Formatted) -> _Failure | None:
        try:
            await self._post(part)
        except ApiRefusal as refusal:
            return await self._recover(part, refusal)
        except NeverSent as error:
            return _Failure(Verdict.UNREACHABLE, detail=f"No connection to Telegram ({error})")
        except NoAnswer as error:
            return _Failure(Verdict.UNKNOWN, detail=f"Telegram did not answer ({error})")
        except (TelegramError, ValueError, TypeError, KeyError, AttributeError):
            # What the library raises over a result that is no message.
            return _Failure(Verdict.UNKNOWN, detail="Telegram's answer was not readable")
        return None

    async def _post(self, part: Formatted) -> None:
        if self.bot is None:
            raise RuntimeError("The Telegram channel is not open.")
        await self.pacer.take()
        message = await self.bot.send_message(
            self.chat,
            part.text,
            entities=_library_entities(part.entities) or None,
            link_preview_options=_NO_PREVIEW,
        )
        self.ids.append(str(int(message.message_id)))

    async def _recover(self, part: Formatted, refusal: ApiRefusal) -> _Failure | None:
        """Do once more what can be done better; else say what the refusal means."""
        if refusal.migrate_to and not self.moved:
            self.chat, self.moved = refusal.migrate_to, True
            return await self._try(part)
        if part.entities and is_entity_trouble(refusal.status, refusal.description):
            _log.error(
                "Telegram could not read the entities of delivery %d: it goes as plain text.", self.key
            )
            return await self._try(Formatted(part.text))
        verdict, words = meaning(refusal.status, refusal.description)
        pause = refusal.retry_after if verdict is Verdict.THROTTLED else None
        return _Failure(verdict, str(refusal.status), words, pause)


@lru_cache(maxsize=256)
def _library_entities(entities: tuple[Entity, ...]) -> tuple[MessageEntity, ...]:
    """Entities as the library takes them; made once for a part, not once for each resident."""
    return tuple(
        MessageEntity(entity.type, entity.offset, entity.length, url=entity.url, language=entity.language)
        for entity in entities
    )
