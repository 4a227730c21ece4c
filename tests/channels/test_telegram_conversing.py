"""Answers to residents over Telegram: real calls of python-telegram-bot to the stand-in's sockets."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from time import monotonic

import pytest
from conformance import CITY

from channels.contract import Choice, Conversing, Event, EventKind, NoInvitation, Reply
from channels.sandbox import Sandbox
from channels.sandbox.captured import ChatMessage
from channels.telegram import TelegramChannel, TelegramSettings
from channels.telegram.commands import COMMANDS, by_code
from channels.telegram.conversing import keyboard
from channels.telegram.turns import GROUP_PAUSE, MOST_WAITING, Turn, Turns
from templates import phrases

MENU = Reply("Choose:", (Choice("Buses", "topic:1"), Choice("Food", "topic:2", chosen=True)))


@pytest.fixture
async def sandbox(tmp_path: Path) -> AsyncIterator[Sandbox]:
    async with Sandbox(tmp_path) as running:
        yield running


def channel_for(sandbox: Sandbox, **more: object) -> TelegramChannel:
    given = sandbox.settings()["telegram"] | {"pause": 0, "rate": 0, "updates": "polling"} | more
    return TelegramChannel(TelegramSettings.model_validate(given), CITY)


@pytest.fixture
async def channel(sandbox: Sandbox) -> AsyncIterator[TelegramChannel]:
    async with channel_for(sandbox) as opened:
        yield opened


def heard(kind: EventKind = EventKind.OPTED_IN, **more: str) -> Event:
    return Event(kind, address=more.pop("address", "42"), **more)


async def pressed(sandbox: Sandbox, message: ChatMessage, label: str) -> Event:
    """The event of a button that a resident has just pressed."""
    (button,) = [each for row in message.keyboard for each in row if label in each["text"]]
    query = await sandbox.press_button(42, message.message_id, button["callback_data"])
    return heard(EventKind.CHOSEN, token=button["callback_data"], handle=f"{query}:{message.message_id}")


def test_the_channel_converses() -> None:
    assert issubclass(TelegramChannel, Conversing)


async def test_a_message_comes_with_its_buttons(sandbox: Sandbox, channel: TelegramChannel) -> None:
    await channel.converse(heard(), [Reply("¡Hola <b>!"), MENU])
    first, second = sandbox.chats.of("42")
    assert (first.text, first.keyboard, first.entities) == ("¡Hola <b>!", [], [])
    assert second.keyboard == [
        [
            {"text": "Buses", "callback_data": "topic:1"},
            {"text": "✓ Food", "callback_data": "topic:2"},
        ]
    ]


async def test_an_answer_does_not_need_the_channel_to_be_open(sandbox: Sandbox) -> None:
    await channel_for(sandbox).converse(heard(), [Reply("Hello")])
    assert [message.text for message in sandbox.chats.of("42")] == ["Hello"]


async def test_a_pressed_button_is_answered_and_its_message_changed_in_place(
    sandbox: Sandbox, channel: TelegramChannel
) -> None:
    await channel.converse(heard(), [MENU])
    (message,) = sandbox.chats.of("42")
    event = await pressed(sandbox, message, "Buses")
    assert sandbox.bots.unanswered
    await channel.converse(event, [Reply("Choose again:", MENU.choices[:1], replaces=True)])
    assert not sandbox.bots.unanswered
    (message,) = sandbox.chats.of("42")
    assert (message.text, len(message.keyboard[0])) == ("Choose again:", 1)


async def test_a_pressed_button_is_answered_even_when_there_is_nothing_to_say(
    sandbox: Sandbox, channel: TelegramChannel
) -> None:
    await channel.converse(heard(), [MENU])
    await channel.converse(await pressed(sandbox, sandbox.chats.of("42")[0], "Food"), [])
    assert not sandbox.bots.unanswered


async def test_nothing_to_change_is_no_trouble(
    sandbox: Sandbox, channel: TelegramChannel, caplog: pytest.LogCaptureFixture
) -> None:
    await channel.converse(heard(), [MENU])
    event = await pressed(sandbox, sandbox.chats.of("42")[0], "Food")
    await channel.converse(event, [Reply(MENU.text, MENU.choices, replaces=True)])
    assert len(sandbox.chats.of("42")) == 1
    assert not caplog.records


async def test_a_message_that_is_gone_is_sent_anew(sandbox: Sandbox, channel: TelegramChannel) -> None:
    event = heard(EventKind.CHOSEN, token="x", handle="1:9999")
    await channel.converse(event, [Reply("Here", replaces=True)])
    assert [message.text for message in sandbox.chats.of("42")] == ["Here"]


async def test_who_presses_fast_sees_the_last_state_and_never_an_older_one_after_it(
    sandbox: Sandbox, channel: TelegramChannel
) -> None:
    await channel.converse(heard(), [MENU])
    (message,) = sandbox.chats.of("42")
    sandbox.fault("telegram", kind="slow", seconds=0.2, times=1)
    events = [await pressed(sandbox, message, "Buses") for _ in range(6)]
    states = [Reply(f"State {number}", MENU.choices, replaces=True) for number in range(6)]
    await asyncio.gather(
        *(channel.converse(event, [state]) for event, state in zip(events, states, strict=True))
    )
    assert message.text == "State 5"
    assert not sandbox.bots.unanswered


@pytest.mark.parametrize(
    ("rule", "times"),
    [
        ({"kind": "throttled", "seconds": 1}, 1),
        ({"kind": "down"}, 2),
        ({"kind": "drop_after"}, 1),
    ],
)
async def test_r6_an_answer_arrives_once_whatever_goes_wrong(
    sandbox: Sandbox, channel: TelegramChannel, rule: dict[str, object], times: int
) -> None:
    sandbox.fault("telegram", times=times, **rule)
    await channel.converse(heard(), [Reply("Once")])
    assert [message.text for message in sandbox.chats.of("42")] == ["Once"]


@pytest.mark.parametrize(
    "rule",
    [
        {"kind": "refused"},
        {"kind": "refused", "code": 400, "text": "Bad Request: something new"},
        {"kind": "junk"},
        {"kind": "drop_before"},
        {"kind": "throttled", "seconds": 900},
    ],
)
async def test_an_answer_that_is_not_taken_is_given_up_without_a_word_about_whom(
    sandbox: Sandbox, channel: TelegramChannel, caplog: pytest.LogCaptureFixture, rule: dict[str, object]
) -> None:
    caplog.set_level(logging.DEBUG)
    sandbox.fault("telegram", **rule)
    await channel.converse(heard(address="4242"), [Reply("Secret words")])
    assert not len(sandbox.chats)
    assert "did not take an answer" in caplog.text
    ours = "".join(record.getMessage() for record in caplog.records if record.name.startswith("channels"))
    assert "4242" not in ours
    assert "Secret" not in ours


async def test_r14_an_answer_follows_a_group_that_has_moved(
    sandbox: Sandbox, channel: TelegramChannel
) -> None:
    new = await sandbox.bots.migrate(-77)
    await channel.converse(heard(address="-77"), [Reply("Hello, group")])
    assert [message.text for message in sandbox.chats.of(str(new))] == ["Hello, group"]


async def test_numbers_and_commands_read_from_left_to_right_in_arabic(
    sandbox: Sandbox, channel: TelegramChannel
) -> None:
    await channel.converse(heard(), [Reply("أرسلوا /stop للإيقاف. الهاتف: (206) 555-0134")])
    (message,) = sandbox.chats.of("42")
    assert "\u2066(206) 555-0134\u2069" in message.text
    assert " \u2066/stop\u2069 " in message.text


@pytest.mark.parametrize("rate", [50, 0])
async def test_r12_statements_and_answers_share_the_senders_rate(sandbox: Sandbox, rate: int) -> None:
    async with channel_for(sandbox, rate=rate) as channel:
        await asyncio.gather(*(channel.converse(heard(address=str(n)), [Reply("x")]) for n in range(1, 16)))
        # Fifteen have left at once but for the burst: the sixteenth, of a statement, has to wait for its turn.
        waits = channel._pacer.delay()
    assert len(sandbox.chats) == 15
    assert (waits > 0) is bool(rate)


async def test_r12_a_chat_waits_after_each_message_and_a_group_three_times_as_long() -> None:
    turn, begun = Turn(), monotonic()
    await turn.pace(5.0)
    assert turn.free_at - begun >= 5.0
    assert GROUP_PAUSE == 3.0


async def test_r12_who_asks_too_often_is_not_told_each_time(sandbox: Sandbox) -> None:
    async with channel_for(sandbox, pause=0.05) as channel:
        await asyncio.gather(*(channel.converse(heard(), [Reply("Help")]) for _ in range(40)))
    assert 1 <= len(sandbox.chats) <= MOST_WAITING + 1


async def test_chats_that_wait_for_nothing_are_forgotten() -> None:
    turns = Turns()
    for chat in range(5000):
        turns.of(chat)
    assert len(turns._turns) < 1100


@pytest.mark.parametrize(
    ("labels", "rows"),
    [
        ([], []),
        (["English", "Español", "العربية"], [2, 1]),
        (["Road works and buses", "Food"], [1, 1]),
        ([str(number) for number in range(150)], [2] * 50),
    ],
)
def test_short_buttons_stand_side_by_side(labels: list[str], rows: list[int]) -> None:
    made = keyboard([Choice(label, f"x{label}") for label in labels])
    assert [len(row) for row in (made.inline_keyboard if made else ())] == rows


async def test_a_link_to_join_names_the_bot_and_asks_telegram_once(
    sandbox: Sandbox, channel: TelegramChannel
) -> None:
    assert await channel.invite("list-5") == "https://t.me/city_sandbox_bot?start=list-5"
    channel.settings = channel.settings.model_copy(update={"api_base": "http://127.0.0.1:9"})
    channel._bot = None
    assert await channel.invite("a" * 64)


@pytest.mark.parametrize("payload", ["", "a b", "a" * 65, "é", "a.b", "a&x=1"])
async def test_a_link_carries_only_what_telegram_lets_it(channel: TelegramChannel, payload: str) -> None:
    """https://core.telegram.org/bots/features#deep-linking"""
    with pytest.raises(ValueError, match="1 to 64"):
        await channel.invite(payload)


async def test_without_telegram_there_is_no_link_and_the_reason_shows_no_token(sandbox: Sandbox) -> None:
    channel = channel_for(sandbox, api_base="http://127.0.0.1:9")
    with pytest.raises(NoInvitation) as refusal:
        await channel.invite("list-5")
    assert "notify doctor" in str(refusal.value)
    assert sandbox.bots.token not in str(refusal.value)


async def test_commands_are_offered_in_the_residents_own_language(
    sandbox: Sandbox, channel: TelegramChannel
) -> None:
    await channel.announce()
    await sandbox.reply_telegram(42, "/start", "ar")
    await sandbox.reply_telegram(43, "/start", "pl")  # no language of this city
    for chat, language in ((42, "ar"), (43, "en")):
        offered = sandbox.bots.offered(chat)
        assert [each["command"] for each in offered] == list(COMMANDS)
        assert offered[0]["description"] == phrases(language)["telegram_command_topics"]


def test_commands_have_two_letter_codes_only() -> None:
    """https://core.telegram.org/bots/api#setmycommands"""
    languages = ["en", "zh-Hans", "zh-Hant", "fil", "pt-BR"]
    assert by_code(languages) == {"en": "en", "zh": "zh-Hans", "pt": "pt-BR"}
