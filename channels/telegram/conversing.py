"""Answers to residents: messages with buttons, and messages that change when a button is pressed.

A pressed button is always answered (https://core.telegram.org/bots/api#answercallbackquery), or the resident's
phone would show that it waits. What may have been sent is not sent again: a resident reads one confirmation (R6).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
from collections.abc import Sequence

from telegram import Bot, InlineKeyboardButton, InlineKeyboardMarkup, LinkPreviewOptions
from telegram.error import TelegramError

from channels.contract import Choice, Event, Reply
from channels.pacing import Pacer
from channels.telegram.codes import is_no_change, is_uneditable
from channels.telegram.http import ApiRefusal, NeverSent
from channels.telegram.turns import GROUP_PAUSE, MOST_WAITING, Turn, Turns
from channels.text import has_right_to_left, isolate

_log = logging.getLogger(__name__)

_NO_PREVIEW = LinkPreviewOptions(is_disabled=True)
_TRIES = 3
_LONGEST_WAIT = 30.0  # seconds that an answer waits because Telegram says so
_SHORT_LABEL = 16  # characters: two such buttons fit beside each other on a phone
_TICK = "✓ "
_MOST_BUTTONS = 100  # of one message
_COMMAND = re.compile(r"(?<!\S)/[a-z]+")
_ISOLATE, _END_ISOLATE = "\u2066", "\u2069"  # so that the slash before a command stays before it


class Conversing:
    """Gives answers, at the rate of the sender and of each chat (R12)."""

    def __init__(self, pacer: Pacer, pause: float) -> None:
        """Share the sender's `pacer`; leave `pause` seconds between two messages to one chat."""
        self._pacer = pacer
        self._pause = pause
        self._turns = Turns()

    async def answer(self, bot: Bot, event: Event, replies: Sequence[Reply]) -> None:
        """Say what there is to say about an event. Never raises."""
        query, message_id = _handle(event.handle)
        if query:
            with contextlib.suppress(TelegramError):  # too late: the phone has given up waiting
                await bot.answer_callback_query(query)
        turn = self._turns.of(int(event.address))
        new = [reply for reply in replies if not (reply.replaces and message_id)]
        for reply in replies:
            if reply.replaces and message_id:
                turn.edits[message_id] = reply
        if turn.waiting >= MOST_WAITING:
            new = []
        async with self._turns.taken(turn):
            speaker = _Speaker(bot, int(event.address), turn, self._pacer, self._pause)
            if edit := turn.edits.pop(message_id, None):
                await speaker.say(edit, message_id)
            for reply in new:
                await speaker.say(reply)


def _handle(handle: str) -> tuple[str, int]:
    """The number of the pressed button's query, and of its message; empty and 0 where none was pressed."""
    query, _, message = handle.rpartition(":")
    return query, int(message) if message else 0


class _Speaker:
    """Sends to one chat while it is its turn."""

    def __init__(self, bot: Bot, chat: int, turn: Turn, pacer: Pacer, pause: float) -> None:
        self._bot, self._chat, self._turn, self._pacer = bot, chat, turn, pacer
        self._gap = pause if chat > 0 else pause * GROUP_PAUSE

    async def say(self, reply: Reply, message_id: int = 0) -> None:
        """Send a message, or put it in the place of another one; what Telegram does not take is logged."""
        for _ in range(_TRIES):
            await self._turn.pace(self._gap)
            await self._pacer.take()
            try:
                await self._post(reply, message_id)
            except ApiRefusal as refusal:
                if is_no_change(refusal.status, refusal.description):
                    return
                if is_uneditable(refusal.status, refusal.description):
                    message_id = 0
                elif not await self._may_pass(refusal):
                    break
            except NeverSent:
                await asyncio.sleep(self._gap)
            except TelegramError:
                break  # it may have arrived
            else:
                return
        _log.warning("Telegram did not take an answer to a resident.")

    async def _post(self, reply: Reply, message_id: int) -> None:
        text = _readable(reply.text)
        buttons = keyboard(reply.choices)
        if message_id:
            await self._bot.edit_message_text(
                text, self._chat, message_id, reply_markup=buttons, link_preview_options=_NO_PREVIEW
            )
        else:
            await self._bot.send_message(
                self._chat, text, reply_markup=buttons, link_preview_options=_NO_PREVIEW
            )

    async def _may_pass(self, refusal: ApiRefusal) -> bool:
        """Whether another try makes sense, after the pause that it takes."""
        if refusal.migrate_to:
            self._chat = refusal.migrate_to
            return True
        if refusal.status == 429 and refusal.retry_after <= _LONGEST_WAIT:
            self._pacer.pause(refusal.retry_after)
            return True
        if refusal.status in (500, 503):
            await asyncio.sleep(self._gap)
            return True
        return False


def _readable(text: str) -> str:
    """A text in which numbers and commands read from left to right, whatever stands around them."""
    if not has_right_to_left(text):
        return text
    return _COMMAND.sub(lambda found: f"{_ISOLATE}{found[0]}{_END_ISOLATE}", isolate(text))


def keyboard(choices: Sequence[Choice]) -> InlineKeyboardMarkup | None:
    """Buttons under a message, two in a row where all are short; None where there is nothing to press."""
    buttons = [
        InlineKeyboardButton(f"{_TICK if choice.chosen else ''}{choice.label}", callback_data=choice.payload)
        for choice in choices[:_MOST_BUTTONS]
    ]
    width = 2 if all(len(choice.label) <= _SHORT_LABEL for choice in choices) else 1
    rows = [buttons[start : start + width] for start in range(0, len(buttons), width)]
    return InlineKeyboardMarkup(rows) if rows else None
