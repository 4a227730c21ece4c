"""What Telegram tells of residents: messages, pressed buttons, that the bot was blocked, that a group moved.

Updates are those of https://core.telegram.org/bots/api#update, from the webhook or fetched. One that is none of
them makes no event: an error would only have Telegram send it again and again.

In a group only commands and buttons count, whoever of the group uses them: what people there say to each other
is not for the city. Posts of channels are not asked for.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, Field, ValidationError

from channels.contract import CallbackRefused, CallbackRequest, Event, EventKind
from channels.text import clean

HEADER = "x-telegram-bot-api-secret-token"
ALLOWED_UPDATES = ("message", "callback_query", "my_chat_member")

# /start, /start payload, /start@city_bot payload. A link's payload is at most 64 letters, digits, _ and -
# (https://core.telegram.org/bots/features#deep-linking); one that is typed may be any token of the hub.
_COMMAND = re.compile(
    r"/(start|stop|help|language|topics)(?:@(\w+))?(?:\s+(.*))?", re.IGNORECASE | re.DOTALL | re.ASCII
)
_PAYLOAD = re.compile(r"[\w.-]{1,128}", re.ASCII)
_KINDS = {
    "start": EventKind.OPTED_IN,
    "stop": EventKind.OPTED_OUT,
    "help": EventKind.HELP,
    "language": EventKind.LANGUAGE,
    "topics": EventKind.TOPICS,
}
_GONE = frozenset({"kicked", "left"})
_PRIVATE = "private"
# What a resident may send that has no text; staff see the kind.
_OTHER = ("voice", "audio", "photo", "video", "video_note", "document", "location", "contact", "sticker")


class _Chat(BaseModel):
    id: int
    type: str = _PRIVATE


class _User(BaseModel):
    is_bot: bool = False
    language_code: str = ""


class _Button(BaseModel):
    text: str = ""
    callback_data: str = ""


class _Keyboard(BaseModel):
    inline_keyboard: list[list[_Button]] = Field(default_factory=list)


class _Message(BaseModel, extra="allow"):
    message_id: int = 0
    chat: _Chat
    sender: _User = Field(default=_User(), alias="from")
    sender_chat: _Chat | None = None  # who speaks as the group itself, or as a channel
    text: str = ""
    caption: str = ""
    reply_markup: _Keyboard = _Keyboard()
    migrate_to_chat_id: int | None = None
    migrate_from_chat_id: int | None = None

    @property
    def words(self) -> str:
        """What the resident wrote, or the kind of thing they sent; empty for what the chat itself reports."""
        other = next((f"[{kind}]" for kind in _OTHER if kind in (self.model_extra or {})), "")
        return clean(self.text or self.caption) or other

    @property
    def is_from_a_person(self) -> bool:
        """Whether a person wrote it: an administrator who stays anonymous writes as the group itself."""
        if self.sender_chat is not None:
            return self.sender_chat.id == self.chat.id
        return not self.sender.is_bot

    def label(self, data: str) -> str:
        """What the button with this data says."""
        buttons = (button for row in self.reply_markup.inline_keyboard for button in row)
        return next((clean(button.text) for button in buttons if button.callback_data == data), "")


class _Query(BaseModel):
    """A pressed button, https://core.telegram.org/bots/api#callbackquery."""

    id: str
    sender: _User = Field(default=_User(), alias="from")
    message: _Message | None = None
    data: str = ""


class _Membership(BaseModel):
    status: str


class _MembershipChange(BaseModel):
    chat: _Chat
    sender: _User = Field(default=_User(), alias="from")
    now: _Membership = Field(alias="new_chat_member")


class _Update(BaseModel):
    update_id: int | None = None
    message: _Message | None = None
    callback_query: _Query | None = None
    my_chat_member: _MembershipChange | None = None


def read(request: CallbackRequest, secret: str, bot: str = "") -> list[Event]:
    """The events of one update that Telegram posted.

    Args:
        request: as it came.
        secret: the one of setWebhook.
        bot: the bot's own name; where it is not known, a command for any bot is one for ours.

    Raises:
        CallbackRefused: the secret is not in the header.
    """
    _check_secret(request.headers, secret)
    try:
        update = _Update.model_validate_json(request.body)
    except ValidationError:
        return []
    return _events(update, bot)


def read_fetched(update: Mapping[str, Any], bot: str = "") -> list[Event]:
    """The events of one update that was fetched; `bot` as for `read`."""
    try:
        return _events(_Update.model_validate(update), bot)
    except ValidationError:
        return []


def _check_secret(headers: Mapping[str, str], secret: str) -> None:
    if not hmac.compare_digest(headers.get(HEADER, "").encode(), secret.encode()):
        raise CallbackRefused(
            "This call does not carry the webhook's secret, so it did not come from Telegram."
        )


def _events(update: _Update, bot: str) -> list[Event]:
    """At most one: an update's number is the event's."""
    provider_id = f"u{update.update_id}" if update.update_id is not None else None
    if update.message:
        return _from_message(update.message, provider_id, bot)
    if update.callback_query and update.callback_query.message:
        return [_from_query(update.callback_query, update.callback_query.message, provider_id)]
    if update.my_chat_member:
        return _from_membership(update.my_chat_member, provider_id)
    return []


def _from_message(message: _Message, provider_id: str | None, bot: str) -> list[Event]:
    if message.migrate_to_chat_id:
        return [_moved(message.chat.id, message.migrate_to_chat_id, provider_id)]
    if message.migrate_from_chat_id:
        return [_moved(message.migrate_from_chat_id, message.chat.id, provider_id)]
    if not message.is_from_a_person:
        return []
    common: dict[str, Any] = {
        "address": str(message.chat.id),
        "text": message.words,
        "language": clean(message.sender.language_code),
        "provider_id": provider_id,
    }
    command = _COMMAND.fullmatch(clean(message.text).strip())
    if command:
        return [_from_command(command, common)] if _is_for(bot, command[2]) else []
    is_reply = message.words and message.chat.type == _PRIVATE
    return [Event(EventKind.REPLY, **common)] if is_reply else []


def _moved(before: int, after: int, provider_id: str | None) -> Event:
    return Event(EventKind.MOVED, address=str(before), moved_to=str(after), provider_id=provider_id)


def _is_for(bot: str, named: str | None) -> bool:
    return not bot or not named or named.casefold() == bot.casefold()


def _from_command(command: re.Match[str], common: dict[str, Any]) -> Event:
    kind, payload = _KINDS[command[1].lower()], (command[3] or "").strip()
    is_token = kind is EventKind.OPTED_IN and _PAYLOAD.fullmatch(payload)
    return Event(kind, token=payload if is_token else "", **common)


def _from_query(query: _Query, message: _Message, provider_id: str | None) -> Event:
    shown = (message.words, message.label(query.data))
    return Event(
        EventKind.CHOSEN,
        token=clean(query.data),
        provider_id=provider_id,
        address=str(message.chat.id),
        text="\n\n".join(filter(None, shown)),
        language=clean(query.sender.language_code),
        handle=f"{query.id}:{message.message_id}",
    )


def _from_membership(change: _MembershipChange, provider_id: str | None) -> list[Event]:
    """Blocked or removed is a no. To be let in again is not a yes: that is /start."""
    if change.now.status not in _GONE:
        return []
    return [
        Event(
            EventKind.OPTED_OUT,
            provider_id=provider_id,
            address=str(change.chat.id),
            language=clean(change.sender.language_code),
            answered=True,
        )
    ]
