"""What Telegram posts to the webhook: residents' messages, and that the bot was blocked.

Updates are those of https://core.telegram.org/bots/api#update. A body that is none of them makes no event: an
error would only have Telegram send it again and again.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, Field, ValidationError

from channels.contract import CallbackRefused, CallbackRequest, Event, EventKind

HEADER = "x-telegram-bot-api-secret-token"
ALLOWED_UPDATES = ("message", "my_chat_member")

# /start, /start payload, /start@city_bot payload. A link's payload is at most 64 letters, digits, _ and -
# (https://core.telegram.org/bots/features#deep-linking); one that is typed may be any token of the hub.
_COMMAND = re.compile(r"/(start|stop|help)(?:@\w+)?(?:\s+(.*))?", re.IGNORECASE | re.DOTALL | re.ASCII)
_PAYLOAD = re.compile(r"[\w.-]{1,128}", re.ASCII)
_KINDS = {"start": EventKind.OPTED_IN, "stop": EventKind.OPTED_OUT, "help": EventKind.HELP}
_GONE = frozenset({"kicked", "left"})
# What a resident may send that has no text; staff see the kind.
_OTHER = ("voice", "audio", "photo", "video", "video_note", "document", "location", "contact", "sticker")


class _Chat(BaseModel):
    id: int


class _User(BaseModel):
    is_bot: bool = False
    language_code: str = ""


class _Message(BaseModel, extra="allow"):
    chat: _Chat
    sender: _User = Field(default=_User(), alias="from")
    text: str = ""
    caption: str = ""

    @property
    def words(self) -> str:
        """What the resident wrote, or the kind of thing they sent; empty for what the chat itself reports."""
        other = next((f"[{kind}]" for kind in _OTHER if kind in (self.model_extra or {})), "")
        return self.text or self.caption or other


class _Membership(BaseModel):
    status: str


class _MembershipChange(BaseModel):
    chat: _Chat
    sender: _User = Field(default=_User(), alias="from")
    now: _Membership = Field(alias="new_chat_member")


class _Update(BaseModel):
    message: _Message | None = None
    my_chat_member: _MembershipChange | None = None


def read(request: CallbackRequest, secret: str) -> list[Event]:
    """The events of one update.

    Raises:
        CallbackRefused: the secret of setWebhook is not in the header.
    """
    _check_secret(request.headers, secret)
    try:
        update = _Update.model_validate_json(request.body)
    except ValidationError:
        return []
    if update.message and not update.message.sender.is_bot:
        return _from_message(update.message)
    if update.my_chat_member:
        return _from_membership(update.my_chat_member)
    return []


def _check_secret(headers: Mapping[str, str], secret: str) -> None:
    if not hmac.compare_digest(headers.get(HEADER, "").encode(), secret.encode()):
        raise CallbackRefused(
            "This call does not carry the webhook's secret, so it did not come from Telegram."
        )


def _from_message(message: _Message) -> list[Event]:
    common: dict[str, Any] = {
        "address": str(message.chat.id),
        "text": message.words,
        "language": message.sender.language_code,
    }
    command = _COMMAND.fullmatch(message.text.strip())
    if command:
        kind, payload = _KINDS[command[1].lower()], (command[2] or "").strip()
        is_token = kind is EventKind.OPTED_IN and _PAYLOAD.fullmatch(payload)
        return [Event(kind, token=payload if is_token else "", **common)]
    return [Event(EventKind.REPLY, **common)] if message.words else []


def _from_membership(change: _MembershipChange) -> list[Event]:
    if change.now.status not in _GONE:
        return []
    return [
        Event(
            EventKind.OPTED_OUT,
            address=str(change.chat.id),
            language=change.sender.language_code,
            answered=True,
        )
    ]
