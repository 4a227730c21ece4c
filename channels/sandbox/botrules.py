"""What the Bot API takes, and how it says so: limits, entities, buttons, commands, errors.

Error texts are those of https://core.telegram.org/bots/api and of its server,
https://github.com/tdlib/telegram-bot-api.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from aiohttp import web
from aiohttp.web_request import FileField

from channels.sandbox.faults import Kind, Rule

LONGEST_TEXT = 4096
LONGEST_CAPTION = 1024
LONGEST_DATA = 64  # bytes that a button may carry
MOST_BUTTONS = 100
MOST_COMMANDS = 100

BLOCKED = "Forbidden: bot was blocked by the user"
DEACTIVATED = "Forbidden: user is deactivated"
NOT_FOUND = "Bad Request: chat not found"
MIGRATED = "Bad Request: group chat was upgraded to a supergroup chat"
NOT_MODIFIED = (
    "Bad Request: message is not modified: specified new message content and reply markup are exactly"
    " the same as a current content and reply markup of the message"
)
TOO_OLD = "Bad Request: query is too old and response timeout expired or query ID is invalid"

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

_COMMAND_NAME = re.compile(r"[a-z0-9_]{1,32}")
_LANGUAGE_CODE = re.compile(r"[a-z]{2}")


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


def keyboard(given: Mapping[str, Any]) -> list[list[dict[str, Any]]]:
    """The rows of buttons that a call puts under its message (https://core.telegram.org/bots/api#inlinekeyboardmarkup).

    Raises:
        BotError: the markup cannot be read, or a button is none.
    """
    if not given.get("reply_markup"):
        return []
    markup = from_json(given["reply_markup"], "reply keyboard markup")
    rows = markup.get("inline_keyboard", []) if isinstance(markup, dict) else None
    if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
        raise BotError(400, "Bad Request: object expected as reply markup")
    buttons = [button for row in rows for button in row]
    if len(buttons) > MOST_BUTTONS:
        raise BotError(400, "Bad Request: REPLY_MARKUP_TOO_LONG")
    for button in buttons:
        _check_button(button)
    return [row for row in rows if row]


def _check_button(button: object) -> None:
    if not isinstance(button, dict) or not str(button.get("text", "")).strip():
        raise BotError(400, "Bad Request: can't parse inline keyboard button: Text button text is empty")
    data = button.get("callback_data")
    if not isinstance(data, str) and not button.get("url"):
        raise BotError(400, "Bad Request: can't parse inline keyboard button: Text buttons are unallowed")
    if isinstance(data, str) and not 1 <= len(data.encode()) <= LONGEST_DATA:
        raise BotError(400, "Bad Request: BUTTON_DATA_INVALID")


def commands(given: Mapping[str, Any]) -> list[dict[str, str]]:
    """The commands of a setMyCommands (https://core.telegram.org/bots/api#botcommand).

    Raises:
        BotError: one of them does not fit.
    """
    found = from_json(given.get("commands", []), "commands")
    if not isinstance(found, list):
        raise BotError(400, "Bad Request: expected an Array of BotCommand")
    if len(found) > MOST_COMMANDS:
        raise BotError(400, "Bad Request: BOT_COMMANDS_TOO_MUCH")
    for each in found:
        if not isinstance(each, dict) or not _COMMAND_NAME.fullmatch(str(each.get("command", ""))):
            raise BotError(400, "Bad Request: BOT_COMMAND_INVALID")
        if not 1 <= len(str(each.get("description", ""))) <= 256:
            raise BotError(400, "Bad Request: BOT_COMMAND_DESCRIPTION_INVALID")
    return found


def language_code(given: Mapping[str, Any]) -> str:
    """The two-letter code of a call, or nothing.

    Raises:
        BotError: it is another code.
    """
    code = str(given.get("language_code") or "")
    if code and not _LANGUAGE_CODE.fullmatch(code):
        raise BotError(400, "Bad Request: invalid language code specified")
    return code


async def parameters(request: web.Request) -> dict[str, Any]:
    """The parameters of a call: from the query, a form, a multipart form, or JSON.

    Raises:
        BotError: the JSON cannot be read.
    """
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


def text_of(given: Mapping[str, Any], field: str, longest: int) -> str:
    """The text or caption of a message.

    Raises:
        BotError: there is none, or it has more UTF-16 units than `longest`.
    """
    text = str(given.get(field) or "")
    if field == "text" and not text.strip():
        raise BotError(400, "Bad Request: message text is empty")
    if units(text) > longest:
        raise BotError(400, f"Bad Request: message {'is' if field == 'text' else 'caption is'} too long")
    return text


def entities_of(given: Mapping[str, Any], field: str, text: str) -> list[dict[str, Any]]:
    """The entities of a text.

    Raises:
        BotError: they do not fit the text.
    """
    if not given.get(field):
        return []
    entities = from_json(given[field], field)
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


def units(text: str) -> int:
    """The length of a text in UTF-16 code units."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def from_json(value: object, name: str) -> Any:
    """A parameter that is JSON within a form, and JSON itself within a JSON body.

    Raises:
        BotError: it cannot be read.
    """
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        raise BotError(400, f"Bad Request: can't parse {name} JSON object") from None


def command_entity(text: str) -> list[dict[str, Any]]:
    """The entity that Telegram puts on a command at the start of a text."""
    word = text.split(maxsplit=1)[0] if text.startswith("/") and len(text) > 1 else ""
    return [{"type": "bot_command", "offset": 0, "length": units(word)}] if word else []


def user(chat: int) -> dict[str, Any]:
    """A `User`: the resident whose private chat this is."""
    return {"id": abs(chat), "is_bot": False, "first_name": f"Resident {abs(chat)}"}


def chat_resource(chat: int) -> dict[str, Any]:
    """A `Chat`: private, or a group where the number is negative."""
    if chat > 0:
        return {"id": chat, "first_name": f"Resident {chat}", "type": "private"}
    return {"id": chat, "title": f"Group {-chat}", "type": "supergroup" if chat < -(10**12) else "group"}


def ok(result: object) -> web.Response:
    """A good answer."""
    return web.json_response({"ok": True, "result": result})


def refuse(rule: Rule) -> web.Response:
    """The answer that a fault demands."""
    if rule.kind is Kind.THROTTLED:
        seconds = max(1, round(rule.seconds))
        return BotError(429, f"Too Many Requests: retry after {seconds}", retry_after=seconds).response()
    if rule.kind is Kind.DOWN:
        return BotError(rule.code or 500, rule.text or "Internal Server Error").response()
    return BotError(rule.code or 403, rule.text or BLOCKED).response()
