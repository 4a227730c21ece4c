"""A stand-in for the Telegram Bot API.

Methods, fields and error texts are those of https://core.telegram.org/bots/api and of its server,
https://github.com/tdlib/telegram-bot-api.
"""

from __future__ import annotations

import asyncio
import hmac
import json
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

from aiohttp import web
from aiohttp.web_request import FileField

from channels.sandbox.captured import ChatMessage, Direction, Numbers, Shelf, append_line, file_name
from channels.sandbox.faults import Faults, Kind, Rule
from channels.sandbox.hub import Hub, HubUnreachable
from channels.sandbox.server import LocalServer, play

BOT_ID = 5550100
BOT_NAME = "city_sandbox_bot"
LONGEST_TEXT = 4096
LONGEST_CAPTION = 1024
_WAITING_UPDATES = 1000
_LONGEST_POLL = 50

BLOCKED = "Forbidden: bot was blocked by the user"
DEACTIVATED = "Forbidden: user is deactivated"
NOT_FOUND = "Bad Request: chat not found"
CONFLICT = (
    "Conflict: can't use getUpdates method while webhook is active;"
    " use deleteWebhook to delete the webhook first"
)
MIGRATED = "Bad Request: group chat was upgraded to a supergroup chat"

# Chats with a fixed fate.
MAGIC_CHATS: Mapping[str, tuple[int, str]] = {
    "4030001": (403, BLOCKED),
    "4030002": (403, DEACTIVATED),
    "4000001": (400, NOT_FOUND),
    "-4030003": (403, "Forbidden: bot was kicked from the group chat"),
    "-4000002": (400, MIGRATED),
}
MIGRATED_TO = -1004000002

# https://core.telegram.org/bots/api#messageentity
ENTITY_TYPES = frozenset(
    {
        *("mention", "hashtag", "cashtag", "bot_command", "url", "email", "phone_number", "date_time"),
        *("bold", "italic", "underline", "strikethrough", "spoiler", "blockquote", "expandable_blockquote"),
        *("code", "pre", "text_link", "text_mention", "custom_emoji"),
    }
)


class BotError(Exception):
    """An answer that is not ok."""

    def __init__(self, code: int, description: str, **parameters: int) -> None:
        super().__init__(description)
        self.code = code
        self.parameters = parameters

    def response(self) -> web.Response:
        """As the Bot API writes it."""
        body: dict[str, object] = {"ok": False, "error_code": self.code, "description": str(self)}
        if self.parameters:
            body["parameters"] = self.parameters
        return web.json_response(body, status=self.code)


class BotApi:
    """Telegram's side of one bot: takes its messages, carries the residents' answers."""

    def __init__(
        self, folder: Path, hub: Hub, shelf: Shelf[ChatMessage], numbers: Numbers, rng: Random
    ) -> None:
        """Keep one file for each chat in `folder`; take message numbers from `numbers`."""
        self.folder = folder
        self.hub = hub
        self.shelf = shelf
        self.faults = Faults()
        self.token = f"{BOT_ID}:{rng.getrandbits(210):053x}"[: len(str(BOT_ID)) + 36]
        self.secret = f"{rng.getrandbits(128):032x}"
        self.blocked: set[str] = set()
        self.webhook: dict[str, Any] = {"url": ""}
        self.last_error = ""
        self._secret_given = ""
        self._numbers = numbers
        self._message_ids = count(1)
        self._update_ids = count(rng.randrange(10**8, 10**9))
        self._updates: deque[dict[str, Any]] = deque(maxlen=_WAITING_UPDATES)
        self._arrived = asyncio.Event()
        self._methods: dict[str, Callable[[Mapping[str, Any]], Awaitable[object]]] = {
            "getme": self._get_me,
            "setwebhook": self._set_webhook,
            "deletewebhook": self._delete_webhook,
            "getwebhookinfo": self._get_webhook_info,
            "getupdates": self._get_updates,
        }

    def routes(self, server: LocalServer) -> None:
        """Add the API's paths to a server."""
        server.app.router.add_route("*", "/bot{token}/{method}", self._handle)
        server.app.router.add_route("*", "/{rest:.*}", self._not_found)

    async def _not_found(self, _request: web.Request) -> web.Response:
        return BotError(404, "Not Found").response()

    async def _handle(self, request: web.Request) -> web.Response:
        try:
            self._check_token(request.match_info["token"])
            return await self._dispatch(
                request, request.match_info["method"].lower(), await _parameters(request)
            )
        except BotError as error:
            return error.response()

    def _check_token(self, token: str) -> None:
        if hmac.compare_digest(token.encode(), self.token.encode()):
            return
        well_formed = token.partition(":")[0].isdigit() and ":" in token
        raise BotError(401, "Unauthorized") if well_formed else BotError(404, "Not Found")

    async def _dispatch(self, request: web.Request, method: str, given: Mapping[str, Any]) -> web.Response:
        if method in ("sendmessage", "sendphoto", "senddocument"):
            return await self._send(request, method.removeprefix("send"), given)
        if method not in self._methods:
            raise BotError(404, "Not Found")
        return _ok(await self._methods[method](given))

    async def _send(self, request: web.Request, what: str, given: Mapping[str, Any]) -> web.Response:
        chat = str(given.get("chat_id", ""))
        rule = self.faults.find(chat)
        return await play(request, rule, lambda: _ok(self._take(what, chat, given)), _refuse)

    def _take(self, what: str, chat: str, given: Mapping[str, Any]) -> dict[str, Any]:
        self._check_chat(chat)
        field, longest = ("text", LONGEST_TEXT) if what == "message" else ("caption", LONGEST_CAPTION)
        text = _text(given, field, longest)
        entities = _entities(given, "entities" if what == "message" else "caption_entities", text)
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
        )
        self._keep(message)
        return self._resource(message, field)

    def _check_chat(self, chat: str) -> None:
        if not chat:
            raise BotError(400, "Bad Request: chat_id is empty")
        if not chat.lstrip("-").isdigit():
            raise BotError(400, NOT_FOUND)
        if chat in self.blocked:
            raise BotError(403, BLOCKED)
        if chat in MAGIC_CHATS:
            code, words = MAGIC_CHATS[chat]
            raise BotError(code, words, **({"migrate_to_chat_id": MIGRATED_TO} if words == MIGRATED else {}))

    def _keep(self, message: ChatMessage) -> None:
        append_line(self.folder / f"{file_name(message.address)}.txt", message, message.text)
        self.shelf.add(message)

    def _resource(self, message: ChatMessage, field: str = "text") -> dict[str, Any]:
        """A `Message`, https://core.telegram.org/bots/api#message."""
        incoming = message.direction is Direction.IN
        chat = int(message.address)
        resource: dict[str, Any] = {
            "message_id": message.message_id,
            "from": _user(chat) if incoming else self._bot(),
            "chat": _chat(chat),
            "date": int(message.time.timestamp()),
            field: message.text,
        }
        if message.entities:
            resource["entities" if field == "text" else "caption_entities"] = message.entities
        return resource

    def _bot(self) -> dict[str, Any]:
        return {"id": BOT_ID, "is_bot": True, "first_name": "City sandbox", "username": BOT_NAME}

    async def _get_me(self, _given: Mapping[str, Any]) -> object:
        return self._bot() | {
            "can_join_groups": True,
            "can_read_all_group_messages": False,
            "supports_inline_queries": False,
        }

    async def _set_webhook(self, given: Mapping[str, Any]) -> object:
        url = str(given.get("url", ""))
        if url and not url.startswith(("https://", "http://127.0.0.1", "http://localhost", "http://[::1]")):
            raise BotError(400, "Bad Request: bad webhook: An HTTPS URL must be provided for webhook")
        self._secret_given = str(given.get("secret_token", ""))
        self.webhook = {"url": url, "max_connections": int(given.get("max_connections", 40))}
        if allowed := given.get("allowed_updates"):
            self.webhook["allowed_updates"] = _json(allowed, "allowed_updates")
        return True

    async def _delete_webhook(self, _given: Mapping[str, Any]) -> object:
        self.webhook, self._secret_given = {"url": ""}, ""
        return True

    async def _get_webhook_info(self, _given: Mapping[str, Any]) -> object:
        info = self.webhook | {"has_custom_certificate": False, "pending_update_count": len(self._updates)}
        return info | ({"last_error_message": self.last_error} if self.last_error else {})

    async def _get_updates(self, given: Mapping[str, Any]) -> object:
        if self.webhook["url"]:
            raise BotError(409, CONFLICT)
        offset, limit = int(given.get("offset", 0)), int(given.get("limit", 100))
        while self._updates and self._updates[0]["update_id"] < offset:
            self._updates.popleft()
        if not self._updates:
            await self._wait(min(float(given.get("timeout", 0)), _LONGEST_POLL))
        return list(self._updates)[:limit]

    async def _wait(self, seconds: float) -> None:
        self._arrived.clear()
        try:
            await asyncio.wait_for(self._arrived.wait(), seconds)
        except TimeoutError:
            return

    async def reply(self, chat: int | str, text: str, language: str = "en") -> list[str]:
        """A resident writes to the bot.

        Args:
            language: the language of the resident's Telegram client.

        Returns:
            The texts that the hub's answer to the webhook brought back to the resident.

        Raises:
            HubUnreachable: a hub is known and did not take the message.
        """
        message = ChatMessage(
            number=self._numbers.next(),
            time=datetime.now(UTC),
            address=str(chat),
            direction=Direction.IN,
            status="received",
            message_id=next(self._message_ids),
            text=text,
            entities=_command(text),
        )
        self.blocked.discard(str(chat))
        self._keep(message)
        resource = self._resource(message)
        resource["from"]["language_code"] = language
        return await self._tell({"message": resource})

    async def block(self, chat: int | str) -> None:
        """A resident blocks the bot: it hears so, and every later message is refused.

        Raises:
            HubUnreachable: a hub is known and did not take the update.
        """
        self.blocked.add(str(chat))
        bot = self._bot()
        change = {
            "chat": _chat(int(chat)),
            "from": _user(int(chat)),
            "date": int(datetime.now(UTC).timestamp()),
            "old_chat_member": {"user": bot, "status": "member"},
            "new_chat_member": {"user": bot, "status": "kicked", "until_date": 0},
        }
        await self._tell({"my_chat_member": change})

    async def _tell(self, content: dict[str, Any]) -> list[str]:
        """Hand an update to the webhook, or keep it for getUpdates where there is none."""
        update = {"update_id": next(self._update_ids)} | content
        url = self.webhook["url"] or self.hub.declared("/hooks/telegram")
        if not url:
            self._updates.append(update)
            self._arrived.set()
            return []
        try:
            answer = await self.hub.post(url, json.dumps(update).encode(), self._webhook_headers())
        except HubUnreachable as error:
            self.last_error = str(error)
            raise
        return self._answered(answer)

    def _webhook_headers(self) -> dict[str, str]:
        """With the secret of setWebhook; before it was called, with the one that the settings carry."""
        secret = self._secret_given if self.webhook["url"] else self.secret
        return {"Content-Type": "application/json"} | (
            {"X-Telegram-Bot-Api-Secret-Token": secret} if secret else {}
        )

    def _answered(self, answer: bytes) -> list[str]:
        """Do what the answer to a webhook asks, https://core.telegram.org/bots/api#making-requests-when-getting-updates."""
        try:
            call = json.loads(answer or b"{}")
        except ValueError:
            return []
        if not isinstance(call, dict) or str(call.get("method", "")).lower() != "sendmessage":
            return []
        try:
            return [self._take("message", str(call.get("chat_id", "")), call)["text"]]
        except BotError:
            return []


async def _parameters(request: web.Request) -> dict[str, Any]:
    """The parameters of a call: from the query, a form, a multipart form, or JSON."""
    given: dict[str, Any] = dict(request.query)
    if request.content_type == "application/json" and request.can_read_body:
        try:
            body = await request.json()
        except ValueError:
            raise BotError(400, "Bad Request: can't parse JSON object") from None
        return given | (body if isinstance(body, dict) else {})
    form = await request.post()
    return given | {
        name: value.filename if isinstance(value, FileField) else value for name, value in form.items()
    }


def _text(given: Mapping[str, Any], field: str, longest: int) -> str:
    text = str(given.get(field) or "")
    if field == "text" and not text.strip():
        raise BotError(400, "Bad Request: message text is empty")
    if _units(text) > longest:
        raise BotError(400, f"Bad Request: message {'is' if field == 'text' else 'caption is'} too long")
    return text


def _entities(given: Mapping[str, Any], field: str, text: str) -> list[dict[str, Any]]:
    if not given.get(field):
        return []
    entities = _json(given[field], field)
    if not isinstance(entities, list):
        raise BotError(400, "Bad Request: expected an Array of MessageEntity")
    edges = _edges(text)
    for entity in entities:
        _check_entity(entity, edges)
    return entities


def _check_entity(entity: object, edges: frozenset[int]) -> None:
    if not isinstance(entity, dict) or entity.get("type") not in ENTITY_TYPES:
        raise BotError(400, "Bad Request: can't parse MessageEntity: unsupported type specified")
    offset, length = entity.get("offset"), entity.get("length")
    if not isinstance(offset, int) or not isinstance(length, int) or offset < 0 or length < 1:
        raise BotError(400, "Bad Request: can't parse MessageEntity: wrong offset or length")
    if offset not in edges or offset + length not in edges:
        raise BotError(400, f"Bad Request: entity beginning at UTF-16 offset {offset} ends in a wrong place")
    if entity["type"] == "text_link" and not str(entity.get("url", "")).startswith(
        ("http://", "https://", "tg://")
    ):
        raise BotError(400, "Bad Request: can't parse MessageEntity: wrong URL")


def _edges(text: str) -> frozenset[int]:
    """The offsets, in UTF-16 units, between two characters of a text."""
    edges, position = {0}, 0
    for letter in text:
        position += 2 if ord(letter) > 0xFFFF else 1
        edges.add(position)
    return frozenset(edges)


def _units(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _json(value: object, name: str) -> Any:
    """A parameter that is JSON within a form, and JSON itself within a JSON body."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        raise BotError(400, f"Bad Request: can't parse {name} JSON object") from None


def _command(text: str) -> list[dict[str, Any]]:
    """The entity that Telegram puts on a command at the start of a text."""
    word = text.split(maxsplit=1)[0] if text.startswith("/") and len(text) > 1 else ""
    return [{"type": "bot_command", "offset": 0, "length": _units(word)}] if word else []


def _user(chat: int) -> dict[str, Any]:
    return {"id": abs(chat), "is_bot": False, "first_name": f"Resident {abs(chat)}"}


def _chat(chat: int) -> dict[str, Any]:
    if chat > 0:
        return {"id": chat, "first_name": f"Resident {chat}", "type": "private"}
    return {"id": chat, "title": f"Group {-chat}", "type": "supergroup" if chat < -(10**12) else "group"}


def _ok(result: object) -> web.Response:
    return web.json_response({"ok": True, "result": result})


def _refuse(rule: Rule) -> web.Response:
    if rule.kind is Kind.THROTTLED:
        seconds = max(1, round(rule.seconds))
        return BotError(429, f"Too Many Requests: retry after {seconds}", retry_after=seconds).response()
    if rule.kind is Kind.DOWN:
        return BotError(rule.code or 500, rule.text or "Internal Server Error").response()
    return BotError(rule.code or 403, rule.text or BLOCKED).response()
