"""A stand-in for the Telegram Bot API, and the residents' side of its chats.

Methods and fields are those of https://core.telegram.org/bots/api.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

from aiohttp import web

from channels.sandbox import botrules
from channels.sandbox.botrules import MAGIC_CHATS, MIGRATED, MIGRATED_TO, BotError, chat_resource, ok, user
from channels.sandbox.captured import ChatMessage, Direction, Numbers, Shelf, append_line, file_name
from channels.sandbox.faults import Faults
from channels.sandbox.hub import Hub
from channels.sandbox.server import LocalServer, play
from channels.sandbox.updates import Updates

__all__ = ["BOT_ID", "BOT_NAME", "MIGRATED_TO", "BotApi", "BotError", "NoSuchButton"]

BOT_ID = 5550100
BOT_NAME = "city_sandbox_bot"
_LINK = f"https://t.me/{BOT_NAME}?start="
_SUPERGROUP = -(10**12)
_SENDING = {"sendmessage": "message", "sendphoto": "photo", "senddocument": "document"}


class NoSuchButton(LookupError):
    """The resident's phone shows no such button (any more)."""


class BotApi:
    """Telegram's side of one bot: takes its messages, carries the residents' answers.

    Attributes:
        blocked: chats that blocked the bot.
        languages: of each resident's Telegram client.
        commands: those the bot offers, by two-letter code; the empty code is for everybody else.
        unanswered: presses of buttons that the bot has not answered yet, by their query's id.
    """

    def __init__(
        self, folder: Path, hub: Hub, shelf: Shelf[ChatMessage], numbers: Numbers, rng: Random
    ) -> None:
        """Keep one file for each chat in `folder`; take message numbers from `numbers`."""
        self.folder = folder
        self.shelf = shelf
        self.faults = Faults()
        self.token = f"{BOT_ID}:{rng.getrandbits(210):053x}"[: len(str(BOT_ID)) + 36]
        self.secret = f"{rng.getrandbits(128):032x}"
        self.blocked: set[str] = set()
        self.languages: dict[str, str] = {}
        self.commands: dict[str, list[dict[str, str]]] = {}
        self.unanswered: set[str] = set()
        self.updates = Updates(hub, self.secret)
        self._moved: dict[str, int] = {}
        self._numbers = numbers
        self._message_ids = count(1)
        self._query_ids = count(rng.randrange(10**17, 10**18))
        self._methods: dict[str, Callable[[Mapping[str, Any]], Awaitable[object]]] = {
            "getme": self._get_me,
            "setwebhook": self._set_webhook,
            "deletewebhook": self._delete_webhook,
            "getwebhookinfo": self._get_webhook_info,
            "getupdates": self.updates.fetch,
            "answercallbackquery": self._answer_query,
            "setmycommands": self._set_commands,
            "getmycommands": self._get_commands,
            "deletemycommands": self._delete_commands,
        }

    @property
    def webhook(self) -> dict[str, Any]:
        """The webhook as the bot set it."""
        return self.updates.webhook

    def routes(self, server: LocalServer) -> None:
        """Add the API's paths to a server."""
        server.app.router.add_route("*", "/bot{token}/{method}", self._handle)
        server.app.router.add_route("*", "/{rest:.*}", self._not_found)

    def remember(self, message: ChatMessage) -> None:
        """Put back a message that an earlier sandbox kept."""
        self.shelf.add(message)
        self._message_ids = count(max(next(self._message_ids), message.message_id + 1))

    async def _not_found(self, _request: web.Request) -> web.Response:
        return BotError(404, "Not Found").response()

    async def _handle(self, request: web.Request) -> web.Response:
        try:
            self._check_token(request.match_info["token"])
            given = await botrules.parameters(request)
            return await self._dispatch(request, request.match_info["method"].lower(), given)
        except BotError as error:
            return error.response()

    def _check_token(self, token: str) -> None:
        if hmac.compare_digest(token.encode(), self.token.encode()):
            return
        well_formed = token.partition(":")[0].isdigit() and ":" in token
        raise BotError(401, "Unauthorized") if well_formed else BotError(404, "Not Found")

    async def _dispatch(self, request: web.Request, method: str, given: Mapping[str, Any]) -> web.Response:
        if method in _SENDING:
            return await self._play(request, given, lambda: self._take(_SENDING[method], given))
        if method in ("editmessagetext", "editmessagereplymarkup"):
            return await self._play(request, given, lambda: self._edit(method, given))
        if method not in self._methods:
            raise BotError(404, "Not Found")
        return ok(await self._methods[method](given))

    async def _play(
        self, request: web.Request, given: Mapping[str, Any], act: Callable[[], dict[str, Any]]
    ) -> web.Response:
        rule = self.faults.find(str(given.get("chat_id", "")))
        return await play(request, rule, lambda: ok(act()), botrules.refuse)

    def _take(self, what: str, given: Mapping[str, Any]) -> dict[str, Any]:
        chat = self._checked_chat(given)
        field, longest = ("text", botrules.LONGEST_TEXT)
        if what != "message":
            field, longest = ("caption", botrules.LONGEST_CAPTION)
        text = botrules.text_of(given, field, longest)
        entities = botrules.entities_of(given, "entities" if what == "message" else "caption_entities", text)
        if what != "message" and not given.get(what):
            raise BotError(400, f"Bad Request: there is no {what} in the request")
        message = ChatMessage(
            number=self._numbers.next(),
            time=datetime.now(UTC),
            address=chat,
            direction=Direction.OUT,
            status="delivered",
            message_id=next(self._message_ids),
            text=text,
            entities=entities,
            attachment="" if what == "message" else what,
            keyboard=botrules.keyboard(given),
        )
        self._keep(message)
        return self._resource(message)

    def _checked_chat(self, given: Mapping[str, Any]) -> str:
        chat = str(given.get("chat_id", ""))
        if not chat:
            raise BotError(400, "Bad Request: chat_id is empty")
        if not chat.lstrip("-").isdigit():
            raise BotError(400, botrules.NOT_FOUND)
        if chat in self.blocked:
            raise BotError(403, botrules.BLOCKED)
        if chat in self._moved:
            raise BotError(400, MIGRATED, migrate_to_chat_id=self._moved[chat])
        if chat in MAGIC_CHATS:
            code, words = MAGIC_CHATS[chat]
            raise BotError(code, words, **({"migrate_to_chat_id": MIGRATED_TO} if words == MIGRATED else {}))
        return chat

    def _edit(self, method: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """https://core.telegram.org/bots/api#editmessagetext: without a new keyboard, the old one is gone."""
        chat = self._checked_chat(given)
        message = self._find(chat, given.get("message_id"))
        if message is None:
            raise BotError(400, "Bad Request: message to edit not found")
        if message.direction is Direction.IN:
            raise BotError(400, "Bad Request: message can't be edited")
        text, entities = message.text, message.entities
        if method == "editmessagetext":
            text = botrules.text_of(given, "text", botrules.LONGEST_TEXT)
            entities = botrules.entities_of(given, "entities", text)
        new = (text, entities, botrules.keyboard(given))
        if new == (message.text, message.entities, message.keyboard):
            raise BotError(400, botrules.NOT_MODIFIED)
        message.text, message.entities, message.keyboard = new
        append_line(self._file(chat), message, f"(changed to) {text}")
        self.shelf.mark(message, message.status)
        return self._resource(message)

    def _find(self, chat: str, message_id: object) -> ChatMessage | None:
        return next((each for each in self.shelf.of(chat) if str(each.message_id) == str(message_id)), None)

    def _keep(self, message: ChatMessage) -> None:
        append_line(self._file(message.address), message, message.text)
        self.shelf.add(message)

    def _file(self, chat: str) -> Path:
        return self.folder / f"{file_name(chat)}.txt"

    def _resource(self, message: ChatMessage) -> dict[str, Any]:
        """A `Message`, https://core.telegram.org/bots/api#message."""
        incoming = message.direction is Direction.IN
        chat = int(message.address)
        field = "caption" if message.attachment else "text"
        resource: dict[str, Any] = {
            "message_id": message.message_id,
            "from": self._user(message.address) if incoming else self._bot(),
            "chat": chat_resource(chat),
            "date": int(message.time.timestamp()),
            field: message.text,
        }
        if message.entities:
            resource["entities" if field == "text" else "caption_entities"] = message.entities
        if message.keyboard:
            resource["reply_markup"] = {"inline_keyboard": message.keyboard}
        return resource

    def _user(self, chat: str) -> dict[str, Any]:
        return user(int(chat)) | {"language_code": self.languages.get(chat, "en")}

    def _bot(self) -> dict[str, Any]:
        return {"id": BOT_ID, "is_bot": True, "first_name": "City sandbox", "username": BOT_NAME}

    async def _get_me(self, _given: Mapping[str, Any]) -> object:
        return self._bot() | {
            "can_join_groups": True,
            "can_read_all_group_messages": False,
            "supports_inline_queries": False,
        }

    async def _set_webhook(self, given: Mapping[str, Any]) -> object:
        return self.updates.set_webhook(given)

    async def _delete_webhook(self, given: Mapping[str, Any]) -> object:
        return self.updates.delete_webhook(given)

    async def _get_webhook_info(self, _given: Mapping[str, Any]) -> object:
        return self.updates.info()

    async def _answer_query(self, given: Mapping[str, Any]) -> object:
        query = str(given.get("callback_query_id", ""))
        if query not in self.unanswered:
            raise BotError(400, botrules.TOO_OLD)
        self.unanswered.discard(query)
        return True

    async def _set_commands(self, given: Mapping[str, Any]) -> object:
        self.commands[botrules.language_code(given)] = botrules.commands(given)
        return True

    async def _get_commands(self, given: Mapping[str, Any]) -> object:
        return self.commands.get(botrules.language_code(given), [])

    async def _delete_commands(self, given: Mapping[str, Any]) -> object:
        self.commands.pop(botrules.language_code(given), None)
        return True

    def offered(self, chat: int | str) -> list[dict[str, str]]:
        """The commands that the resident's phone offers: in its language, else those for everybody."""
        code = self.languages.get(str(chat), "en").split("-")[0]
        return self.commands.get(code) or self.commands.get("", [])

    async def reply(self, chat: int | str, text: str, language: str = "") -> list[str]:
        """A resident writes to the bot, or opens a link to it; whoever has blocked it lets it in again first.

        Args:
            chat: the resident's, or a group.
            text: what they write; a link with a payload becomes its /start.
            language: of the resident's Telegram client; as before, else English, where empty.

        Returns:
            The texts that the hub's answer to the webhook brought back to the resident.

        Raises:
            HubUnreachable: a hub is known and did not take the message.
        """
        address = str(chat)
        if language:
            self.languages[address] = language
        if address in self.blocked:
            await self._change_membership(address, "kicked", "member")
        if text.startswith(_LINK):
            text = f"/start {text.removeprefix(_LINK)}"
        message = self._incoming(address, text)
        self._keep(message)
        return self._answered(await self.updates.tell({"message": self._resource(message)}))

    def _incoming(self, chat: str, text: str) -> ChatMessage:
        return ChatMessage(
            number=self._numbers.next(),
            time=datetime.now(UTC),
            address=chat,
            direction=Direction.IN,
            status="received",
            message_id=next(self._message_ids),
            text=text,
            entities=botrules.command_entity(text),
        )

    async def press(self, chat: int | str, message_id: int | str, data: str) -> str:
        """A resident presses a button under a message.

        Args:
            chat: where the message is.
            message_id: whose button.
            data: what the button carries.

        Returns:
            The query's id, in `unanswered` for as long as the resident's phone waits.

        Raises:
            NoSuchButton: there is no such message, or no such button under it.
            HubUnreachable: a hub is known and did not take the update.
        """
        address = str(chat)
        message = self._find(address, message_id)
        buttons = [button for row in message.keyboard for button in row] if message else []
        if message is None or data not in [button.get("callback_data") for button in buttons]:
            raise NoSuchButton("The message has no such button.")
        query = str(next(self._query_ids))
        self.unanswered.add(query)
        await self.updates.tell(
            {
                "callback_query": {
                    "id": query,
                    "from": self._user(address),
                    "message": self._resource(message),
                    "chat_instance": address,
                    "data": data,
                }
            }
        )
        return query

    async def block(self, chat: int | str) -> None:
        """A resident blocks the bot, or a group removes it: it hears so, and later messages are refused.

        Raises:
            HubUnreachable: a hub is known and did not take the update.
        """
        await self._change_membership(str(chat), "member", "kicked")

    async def unblock(self, chat: int | str) -> None:
        """A resident lets the bot in again; this by itself is no /start.

        Raises:
            HubUnreachable: a hub is known and did not take the update.
        """
        await self._change_membership(str(chat), "kicked", "member")

    async def _change_membership(self, chat: str, before: str, after: str) -> None:
        if after == "kicked":
            self.blocked.add(chat)
        else:
            self.blocked.discard(chat)
        change = {
            "chat": chat_resource(int(chat)),
            "from": self._user(chat),
            "date": int(datetime.now(UTC).timestamp()),
            "old_chat_member": _member(self._bot(), before),
            "new_chat_member": _member(self._bot(), after),
        }
        await self.updates.tell({"my_chat_member": change})

    async def migrate(self, group: int | str) -> int:
        """A group becomes a supergroup, with a new id; the bot is told in both.

        Returns:
            The new id.

        Raises:
            HubUnreachable: a hub is known and did not take an update.
        """
        old = int(group)
        new = _SUPERGROUP + old
        self._moved[str(old)] = new
        for chat, other in ((old, {"migrate_to_chat_id": new}), (new, {"migrate_from_chat_id": old})):
            note = self._resource(self._incoming(str(chat), "")) | other
            del note["text"]
            await self.updates.tell({"message": note})
        return new

    def _answered(self, answer: bytes) -> list[str]:
        """Do what the answer to a webhook asks, https://core.telegram.org/bots/api#making-requests-when-getting-updates."""
        try:
            call = json.loads(answer or b"{}")
        except ValueError:
            return []
        if not isinstance(call, dict) or str(call.get("method", "")).lower() != "sendmessage":
            return []
        try:
            return [self._take("message", call)["text"]]
        except BotError:
            return []


def _member(bot: Mapping[str, Any], status: str) -> dict[str, Any]:
    return {"user": bot, "status": status} | ({"until_date": 0} if status == "kicked" else {})
