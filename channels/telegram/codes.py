"""What Telegram's refusals mean for a chat: data, and the functions that read it.

The descriptions are those of Telegram's own server, https://github.com/tdlib/telegram-bot-api. Only the ones
listed here end a chat: an unknown 403 or 400 never counts as an opt-out (R14).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from channels.contract import Verdict

OPTED_OUT: Mapping[str, str] = {
    "forbidden: bot was blocked by the user": "The resident has blocked the bot",
    "forbidden: user is deactivated": "The resident has deleted their Telegram account",
    "forbidden: bot was kicked from the group chat": "The bot was removed from the group",
    "forbidden: bot was kicked from the supergroup chat": "The bot was removed from the group",
    "forbidden: bot was kicked from the channel chat": "The bot was removed from the channel",
    "forbidden: bot is not a member of the group chat": "The bot is not in this group any more",
    "forbidden: bot is not a member of the supergroup chat": "The bot is not in this group any more",
    "forbidden: bot is not a member of the channel chat": "The bot is not in this channel any more",
    "forbidden: the group chat was deleted": "The group was deleted",
    "forbidden: bot can't initiate conversation with a user": "The resident has never sent /start (R15)",
    "bad request: chat not found": "The chat does not exist, or the resident never sent /start (R15)",
    "bad request: group chat was deactivated": "The group was closed",
}

BAD_ADDRESS: Mapping[str, str] = {
    "bad request: chat_id is empty": "There is no chat id",
    "bad request: peer_id_invalid": "This is no chat id",
    "bad request: user not found": "Nobody has this chat id",
    "forbidden: bot can't send messages to bots": "This chat id belongs to a bot",
    "forbidden: bot can't send messages to the bot": "This chat id belongs to a bot",
}

_ENTITY_TROUBLE = ("can't parse entities", "can't parse messageentity", "entity beginning at", "entity_")

_NO_CHANGE = "message is not modified"
_UNEDITABLE = ("message to edit not found", "message can't be edited", "message_id_invalid")

_UNKNOWN_BOT = (
    "Telegram does not know this bot: copy the token from @BotFather to NOTIFY_TELEGRAM__TOKEN,"
    " and look at NOTIFY_TELEGRAM__API_BASE"
)

# An answer of Telegram's own that says it failed; a gateway's (502, 504) leaves open what happened behind it.
_NOT_TAKEN = frozenset({500, 503})


def is_entity_trouble(status: int, description: str) -> bool:
    """Whether Telegram could not read the entities of a message, which is a defect of ours (R15)."""
    return status == 400 and any(words in description.lower() for words in _ENTITY_TROUBLE)


def is_no_change(status: int, description: str) -> bool:
    """Whether a message already says what it was to be changed to."""
    return status == 400 and _NO_CHANGE in description.lower()


def is_uneditable(status: int, description: str) -> bool:
    """Whether a message cannot be changed any more: it is too old, or gone."""
    return status == 400 and any(words in description.lower() for words in _UNEDITABLE)


def meaning(status: int, description: str) -> tuple[Verdict, str]:
    """What an answer that is no success says about a chat, and what staff read.

    Args:
        status: the HTTP status.
        description: the API's description, empty where the body was not readable.
    """
    words = description.lower()
    if status in (400, 403):
        if words in OPTED_OUT:
            return Verdict.OPTED_OUT, OPTED_OUT[words]
        if words in BAD_ADDRESS:
            return Verdict.BAD_ADDRESS, BAD_ADDRESS[words]
    if status == 429:
        return Verdict.THROTTLED, "Telegram asks to slow down"
    if status in (401, 404):
        return Verdict.MISCONFIGURED, _UNKNOWN_BOT
    if status in _NOT_TAKEN:
        return Verdict.UNREACHABLE, f"Telegram has a fault of its own ({status})"
    if status >= 500:
        return Verdict.UNKNOWN, f"A gateway before Telegram answered with {status}"
    return Verdict.REFUSED, f"Telegram refused the message ({status}): {masked(description)}"


def masked(description: str) -> str:
    """A description that is not known to us, without numbers and quotations: they may name a resident."""
    plain = re.sub(r"\d+|[\"'“«].*", "…", description)
    return plain[:120] or "no reason given"
