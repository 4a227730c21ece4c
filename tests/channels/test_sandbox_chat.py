"""The stand-in for the Bot API where buttons, edits, commands and updates are concerned, by the library itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from telegram import Bot, InlineKeyboardButton, InlineKeyboardMarkup
from telegram.error import BadRequest, ChatMigrated, Conflict

from channels.sandbox import Sandbox, memory
from channels.sandbox.chat import NoSuchButton


@pytest.fixture
async def sandbox(tmp_path: Path) -> AsyncIterator[Sandbox]:
    async with Sandbox(tmp_path) as running:
        yield running


@pytest.fixture
async def bot(sandbox: Sandbox) -> AsyncIterator[Bot]:
    given = sandbox.settings()["telegram"]
    async with Bot(str(given["token"]), base_url=f"{given['api_base']}/bot") as opened:
        await opened.delete_webhook()
        yield opened


def markup(*data: str) -> InlineKeyboardMarkup:
    return InlineKeyboardMarkup.from_column(
        [InlineKeyboardButton(f"Label {each}", callback_data=each) for each in data]
    )


async def test_a_pressed_button_is_an_update_and_waits_for_its_answer(sandbox: Sandbox, bot: Bot) -> None:
    sent = await bot.send_message(42, "Choose", reply_markup=markup("a", "b"))
    await sandbox.reply_telegram(42, "hello", "ar")
    query_id = await sandbox.press_button(42, sent.message_id, "b")
    _, update = await bot.get_updates()
    query = update.callback_query
    assert query
    assert (query.id, query.data, query.from_user.language_code) == (query_id, "b", "ar")
    assert query.message
    assert query.message.message_id == sent.message_id
    assert query.message.reply_markup == markup("a", "b")  # type: ignore[attr-defined]
    assert sandbox.bots.unanswered == {query_id}
    assert await bot.answer_callback_query(query_id)
    assert not sandbox.bots.unanswered
    with pytest.raises(BadRequest, match="Query is too old"):
        await bot.answer_callback_query(query_id)


@pytest.mark.parametrize(("message", "data"), [(99, "a"), (1, "z"), ("x", "a")])
async def test_a_button_that_the_phone_does_not_show_cannot_be_pressed(
    sandbox: Sandbox, bot: Bot, message: int | str, data: str
) -> None:
    await bot.send_message(42, "Choose", reply_markup=markup("a"))
    with pytest.raises(NoSuchButton):
        await sandbox.press_button(42, message, data)


async def test_a_message_is_changed_in_place_and_loses_the_buttons_that_are_not_given_again(
    sandbox: Sandbox, bot: Bot
) -> None:
    sent = await bot.send_message(42, "Choose", reply_markup=markup("a"))
    version = sandbox.version
    await bot.edit_message_text("Chosen", 42, sent.message_id)
    (message,) = sandbox.chats.of("42")
    assert (message.text, message.keyboard) == ("Chosen", [])
    assert sandbox.version > version
    await bot.edit_message_reply_markup(42, sent.message_id, reply_markup=markup("b"))
    assert message.keyboard == [[{"text": "Label b", "callback_data": "b"}]]
    assert (sandbox.folder / "telegram" / "42.txt").read_text("utf-8").count("Chosen") == 2


async def test_an_edit_that_telegram_would_refuse_is_refused(sandbox: Sandbox, bot: Bot) -> None:
    sent = await bot.send_message(42, "Choose", reply_markup=markup("a"))
    await sandbox.reply_telegram(42, "hello")
    with pytest.raises(BadRequest, match="not modified"):
        await bot.edit_message_text("Choose", 42, sent.message_id, reply_markup=markup("a"))
    with pytest.raises(BadRequest, match="not found"):
        await bot.edit_message_text("x", 42, 999)
    with pytest.raises(BadRequest, match="can't be edited"):
        await bot.edit_message_text("x", 42, sent.message_id + 1)
    with pytest.raises(BadRequest, match="empty"):
        await bot.edit_message_text(" ", 42, sent.message_id)


@pytest.mark.parametrize(
    ("buttons", "words"),
    [
        ([InlineKeyboardButton("x", callback_data="d" * 65)], "BUTTON_DATA_INVALID"),
        ([InlineKeyboardButton("x", callback_data="é" * 33)], "BUTTON_DATA_INVALID"),
        ([InlineKeyboardButton(" ", callback_data="d")], "text is empty"),
        ([InlineKeyboardButton("x")], "unallowed"),
        ([InlineKeyboardButton("x", callback_data="d")] * 101, "REPLY_MARKUP_TOO_LONG"),
    ],
)
async def test_buttons_that_telegram_would_refuse_are_refused(
    bot: Bot, buttons: list[InlineKeyboardButton], words: str
) -> None:
    """https://core.telegram.org/bots/api#inlinekeyboardbutton: 1 to 64 bytes of data."""
    with pytest.raises(BadRequest, match=f"(?i){words}"):
        await bot.send_message(42, "x", reply_markup=InlineKeyboardMarkup.from_column(buttons))


async def test_commands_are_offered_by_language(sandbox: Sandbox, bot: Bot) -> None:
    await bot.set_my_commands([("stop", "Stop")])
    await bot.set_my_commands([("stop", "Parar")], language_code="es")
    await sandbox.reply_telegram(42, "x", "es-MX")
    assert [each["description"] for each in sandbox.bots.offered(42)] == ["Parar"]
    assert [each["description"] for each in sandbox.bots.offered(43)] == ["Stop"]
    assert [each.description for each in await bot.get_my_commands(language_code="es")] == ["Parar"]
    await bot.delete_my_commands(language_code="es")
    assert [each["description"] for each in sandbox.bots.offered(42)] == ["Stop"]


@pytest.mark.parametrize(
    ("commands", "code", "words"),
    [
        ([("Stop", "x")], None, "BOT_COMMAND_INVALID"),
        ([("stop", "")], None, "DESCRIPTION"),
        ([("stop", "x" * 257)], None, "DESCRIPTION"),
        ([("stop", "x")] * 101, None, "TOO_MUCH"),
        ([("stop", "x")], "fil", "invalid language code"),
    ],
)
async def test_commands_that_telegram_would_refuse_are_refused(
    bot: Bot, commands: list[tuple[str, str]], code: str | None, words: str
) -> None:
    with pytest.raises(BadRequest, match=f"(?i){words}"):
        await bot.set_my_commands(commands, language_code=code)


async def test_an_update_comes_again_until_a_higher_offset_confirms_it(sandbox: Sandbox, bot: Bot) -> None:
    for text in ("one", "two", "three"):
        await sandbox.reply_telegram(42, text)
    first, *_ = await bot.get_updates(limit=1)
    again = await bot.get_updates()
    assert [update.update_id for update in again] == [first.update_id + number for number in range(3)]
    left = await bot.get_updates(offset=first.update_id + 2)
    assert [update.message.text for update in left if update.message] == ["three"]
    assert len(await bot.get_updates(offset=-1)) == 1


async def test_a_second_get_updates_ends_the_first(sandbox: Sandbox, bot: Bot) -> None:
    first = asyncio.create_task(bot.get_updates(timeout=30))
    async with Bot(bot.token, base_url=f"{sandbox.settings()['telegram']['api_base']}/bot") as other:
        await asyncio.sleep(0.1)  # so that the first is there
        second = asyncio.create_task(other.get_updates(timeout=1))
        with pytest.raises(Conflict, match="terminated by other getUpdates"):
            await first
        assert await second == ()


async def test_kinds_that_the_bot_did_not_ask_for_do_not_come(sandbox: Sandbox, bot: Bot) -> None:
    await bot.get_updates(allowed_updates=["message"])
    await sandbox.block_bot(42)
    await sandbox.reply_telegram(43, "hello")
    assert [update.message is not None for update in await bot.get_updates()] == [True]


async def test_a_link_to_the_bot_is_a_start_with_its_payload(sandbox: Sandbox, bot: Bot) -> None:
    await sandbox.reply_telegram(42, "https://t.me/city_sandbox_bot?start=list-5")
    (update,) = await bot.get_updates()
    assert update.message
    assert update.message.text == "/start list-5"


async def test_who_lets_the_bot_in_again_tells_so_before_writing(sandbox: Sandbox, bot: Bot) -> None:
    await sandbox.block_bot(42)
    await sandbox.reply_telegram(42, "hi")
    blocked, back, message = await bot.get_updates()
    states = [each.my_chat_member.new_chat_member.status for each in (blocked, back) if each.my_chat_member]
    assert states == ["kicked", "member"]
    assert message.message


async def test_a_group_that_moves_tells_so_in_both_and_refuses_at_the_old_id(
    sandbox: Sandbox, bot: Bot
) -> None:
    new = await sandbox.bots.migrate(-77)
    old_note, new_note = await bot.get_updates()
    assert old_note.message
    assert new_note.message
    assert (old_note.message.chat.id, old_note.message.migrate_to_chat_id) == (-77, new)
    assert (new_note.message.chat.id, new_note.message.migrate_from_chat_id) == (new, -77)
    with pytest.raises(ChatMigrated) as moved:
        await bot.send_message(-77, "x")
    assert moved.value.new_chat_id == new


async def test_a_later_sandbox_gives_no_number_again_and_still_knows_old_buttons(tmp_path: Path) -> None:
    async def send(sandbox: Sandbox) -> int:
        given = sandbox.settings()["telegram"]
        async with Bot(str(given["token"]), base_url=f"{given['api_base']}/bot") as bot:
            return (await bot.send_message(42, "y", reply_markup=markup("a"))).message_id

    async with Sandbox(tmp_path) as first:
        await first.reply_telegram(42, "x", "so")
        old = await send(first)
        memory.save(first)
    async with Sandbox(tmp_path) as second:
        memory.restore(second)
        assert second.bots.languages == {"42": "so"}
        assert await second.press_button(42, old, "a")
        assert await send(second) > old
