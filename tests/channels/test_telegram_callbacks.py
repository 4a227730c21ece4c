"""What the Telegram channel reads from its webhook, answers, and says about its settings."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from channels.contract import CallbackRefused, CallbackRequest, City, Event, EventKind, Level, MissingSettings
from channels.sandbox import Sandbox
from channels.telegram import TelegramChannel, TelegramSettings, callbacks, checks
from channels.telegram.settings import Updates

TOKEN = "5550100:AAbbCCddEEffGGhhIIjjKKllMMnnOOppQQr"
SETTINGS = TelegramSettings.model_validate({"token": TOKEN})
CHANNEL = TelegramChannel(SETTINGS, City("Riverton", public_url="https://city.example"))
URL = "https://city.example/hooks/telegram"


class OtherSettings(BaseModel):
    """Those of another channel."""


@pytest.fixture
async def sandbox(tmp_path: Path) -> AsyncIterator[Sandbox]:
    async with Sandbox(tmp_path) as running:
        yield running


def read(body: object, secret: str = SETTINGS.secret) -> list[Event]:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return list(CHANNEL.read_callback(CallbackRequest(URL, {"x-telegram-bot-api-secret-token": secret}, raw)))


def message(
    text: str | None = None, chat: int = 42, kind: str = "private", **more: object
) -> dict[str, object]:
    content = {
        "message_id": 1,
        "date": 1,
        "chat": {"id": chat, "type": kind},
        "from": {"id": chat, "is_bot": False, "first_name": "R", "language_code": "es-MX"},
    }
    return {"update_id": 1, "message": content | more | ({} if text is None else {"text": text})}


def membership(status: str) -> dict[str, object]:
    change = {
        "chat": {"id": 42, "type": "private"},
        "from": {"id": 42, "is_bot": False, "first_name": "R", "language_code": "so"},
        "date": 1,
        "old_chat_member": {"status": "member", "user": {}},
        "new_chat_member": {"status": status, "user": {}, "until_date": 0},
    }
    return {"update_id": 2, "my_chat_member": change}


@pytest.mark.parametrize(
    ("text", "kind", "token"),
    [
        ("/start", EventKind.OPTED_IN, ""),
        ("/start abc_DEF-1", EventKind.OPTED_IN, "abc_DEF-1"),
        ("/START@city_bot abc", EventKind.OPTED_IN, "abc"),
        ("/start no token this", EventKind.OPTED_IN, ""),
        ("/start <script>", EventKind.OPTED_IN, ""),
        (" /stop ", EventKind.OPTED_OUT, ""),
        ("/stop@city_bot", EventKind.OPTED_OUT, ""),
        ("/stop please", EventKind.OPTED_OUT, ""),
        ("/help", EventKind.HELP, ""),
        ("/language", EventKind.LANGUAGE, ""),
        ("/Topics@city_bot", EventKind.TOPICS, ""),
        ("/stopping", EventKind.REPLY, ""),
        ("thank you", EventKind.REPLY, ""),
        ("please /stop", EventKind.REPLY, ""),
    ],
)
def test_a_residents_message_becomes_an_event(text: str, kind: EventKind, token: str) -> None:
    """R15."""
    assert read(message(text)) == [
        Event(kind, token=token, provider_id="u1", address="42", text=text, language="es-MX")
    ]


@pytest.mark.parametrize(("content", "text"), [({"caption": "look"}, "look"), ({"voice": {}}, "[voice]")])
def test_what_has_no_text_still_reaches_staff(content: dict[str, object], text: str) -> None:
    assert read(message(**content)) == [
        Event(EventKind.REPLY, provider_id="u1", address="42", text=text, language="es-MX")
    ]


@pytest.mark.parametrize("status", ["kicked", "left"])
def test_blocking_the_bot_is_an_opt_out(status: str) -> None:
    """R14."""
    assert read(membership(status)) == [
        Event(EventKind.OPTED_OUT, provider_id="u2", address="42", language="so", answered=True)
    ]


GROUP = {"chat": -42, "kind": "supergroup"}


@pytest.mark.parametrize("text", ["/start", "/stop", "/topics@city_bot"])
def test_in_a_group_commands_count(text: str) -> None:
    (event,) = read(message(text, **GROUP))  # type: ignore[arg-type]
    assert event.address == "-42"


@pytest.mark.parametrize(
    "content",
    [
        message("see you at six", **GROUP),  # type: ignore[arg-type]
        message(voice={}, **GROUP),  # type: ignore[arg-type]
        message("/stop", sender_chat={"id": -7, "type": "channel"}, **GROUP),  # type: ignore[arg-type]
        {"update_id": 1, "channel_post": message("/start")["message"]},
    ],
)
def test_what_people_say_in_a_group_or_a_channel_is_not_for_the_city(content: object) -> None:
    assert read(content) == []


def test_an_administrator_who_stays_anonymous_speaks_for_the_group() -> None:
    who = {"from": {"id": 1087968824, "is_bot": True}, "sender_chat": {"id": -42, "type": "supergroup"}}
    (event,) = read(message("/start", **GROUP, **who))  # type: ignore[arg-type]
    assert (event.kind, event.address) == (EventKind.OPTED_IN, "-42")


@pytest.mark.parametrize(("name", "kinds"), [("city_bot", [EventKind.OPTED_OUT]), ("other_bot", [])])
def test_a_command_for_another_bot_is_not_ours(name: str, kinds: list[EventKind]) -> None:
    request = CallbackRequest(
        URL,
        {callbacks.HEADER: SETTINGS.secret},
        json.dumps(message("/stop@City_bot", **GROUP)).encode(),  # type: ignore[arg-type]
    )
    assert [event.kind for event in callbacks.read(request, SETTINGS.secret, name)] == kinds


@pytest.mark.parametrize(
    "content",
    [message(None, chat=-42, migrate_to_chat_id=-100), message(None, chat=-100, migrate_from_chat_id=-42)],
)
def test_r14_a_group_that_moved_tells_its_new_id(content: dict[str, object]) -> None:
    (event,) = read(content)
    assert (event.kind, event.address, event.moved_to) == (EventKind.MOVED, "-42", "-100")
    assert "-42" not in repr(event)


def pressed(data: str, **message_has: object) -> dict[str, object]:
    shown = {
        "message_id": 9,
        "date": 1,
        "chat": {"id": 42, "type": "private"},
        "from": {"id": 5, "is_bot": True, "first_name": "City"},
    } | message_has
    who = {"id": 42, "is_bot": False, "first_name": "R", "language_code": "ar"}
    query = {"id": "77001", "from": who, "chat_instance": "1", "data": data, "message": shown}
    return {"update_id": 3, "callback_query": query}


def test_r31_a_pressed_button_tells_all_the_words_that_were_shown() -> None:
    rows = [[{"text": "Buses", "callback_data": "a"}], [{"text": "✅ Food", "callback_data": "b"}]]
    (event,) = read(pressed("b", text="Choose:", reply_markup={"inline_keyboard": rows}))
    assert event == Event(
        EventKind.CHOSEN, token="b", provider_id="u3", address="42", text="Choose:\n\n✅ Food",
        language="ar", handle="77001:9",
    )  # fmt: skip


def test_a_button_under_a_message_that_telegram_does_not_show_any_more_still_counts() -> None:
    """https://core.telegram.org/bots/api#inaccessiblemessage"""
    (event,) = read(pressed("b", date=0))
    assert (event.kind, event.token, event.text) == (EventKind.CHOSEN, "b", "")


def test_control_characters_and_lone_surrogates_do_not_come_in() -> None:
    update = message("a\x00b\ud800c")["message"]
    (event,) = callbacks.read_fetched({"update_id": 4, "message": update})
    assert (event.text, event.provider_id) == ("abc", "u4")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff",
        b"[]",
        b"null",
        b'{"message": 7}',
        {"update_id": 1},
        {"update_id": 1, "edited_message": {}},
        membership("member"),
        message(None),
        message("hi", **{"from": {"id": 1, "is_bot": True}}),
        message("hi", chat="not a number"),  # type: ignore[arg-type]
    ],
)
def test_whatever_else_comes_makes_no_event(body: object) -> None:
    assert read(body) == []


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_junk_never_raises(body: bytes) -> None:
    assert read(body) == []


@pytest.mark.parametrize("secret", ["", "wrong", SETTINGS.secret[:-1], "é" * 64, TOKEN])
def test_a_call_without_the_secret_is_refused_before_it_is_read(secret: str) -> None:
    with pytest.raises(CallbackRefused) as refusal:
        read(message("/stop"), secret)
    assert SETTINGS.secret not in str(refusal.value)


def test_a_call_without_the_header_is_refused() -> None:
    with pytest.raises(CallbackRefused):
        CHANNEL.read_callback(CallbackRequest(URL, {}, b"{}"))


def test_the_reply_to_a_callback_is_empty_as_residents_are_answered_by_calls() -> None:
    answer = CHANNEL.answer(Event(EventKind.HELP, address="42"), "¿Qué?")
    assert (answer.media_type, answer.body) == ("application/json", b"{}")


@pytest.mark.parametrize(
    ("given_settings", "field"),
    [
        ({}, "token"),
        ({"token": ""}, "token"),
        ({"token": "5550100:short"}, "token"),
        ({"token": "no-number:AAbbCCddEEffGGhhIIjjKKllMMnnOOppQQr"}, "token"),
        ({"token": TOKEN, "api_base": "http://telegram.example"}, "api_base"),
        ({"token": TOKEN, "api_base": "ftp://x"}, "api_base"),
        ({"token": TOKEN, "webhook_secret": "short"}, "webhook_secret"),
        ({"token": TOKEN, "rate": -1}, "rate"),
        ({"token": TOKEN, "rate": "nan"}, "rate"),
        ({"token": TOKEN, "concurrency": 0}, "concurrency"),
        ({"token": TOKEN, "timeout": 0}, "timeout"),
        ({"token": TOKEN, "tokens": "x"}, "tokens"),
    ],
)
def test_a_setting_that_does_not_fit_is_named_and_not_repeated(
    given_settings: dict[str, object], field: str
) -> None:
    with pytest.raises(ValidationError) as refusal:
        TelegramSettings.model_validate(given_settings)
    assert [error["loc"] for error in refusal.value.errors()] == [(field,)]
    assert TOKEN not in str(refusal.value)
    assert "5550100:short" not in str(refusal.value)


def test_neither_token_nor_secret_is_shown() -> None:
    shown = f"{SETTINGS!r} {SETTINGS} {SETTINGS.model_dump(mode='json')}"
    assert TOKEN not in shown
    assert SETTINGS.secret not in shown


def test_a_secret_of_ones_own_is_used() -> None:
    own = TelegramSettings.model_validate({"token": TOKEN, "webhook_secret": "my-own-secret-0001"})
    assert own.secret == "my-own-secret-0001"
    assert SETTINGS.secret != own.secret


def test_settings_of_another_channel_are_refused() -> None:
    with pytest.raises(MissingSettings, match="NOTIFY_TELEGRAM__TOKEN"):
        TelegramChannel(OtherSettings(), City("Riverton"))


async def test_check_finds_a_token_that_telegram_does_not_know(sandbox: Sandbox) -> None:
    api = sandbox.settings()["telegram"]["api_base"]
    wrong = TelegramSettings.model_validate({"token": TOKEN, "api_base": api})
    (finding,) = await TelegramChannel(wrong, City("Riverton")).check()
    assert finding.level is Level.ERROR
    assert "NOTIFY_TELEGRAM__TOKEN" in finding.cure
    assert TOKEN not in f"{finding}"


def with_updates(sandbox: Sandbox, updates: str | None) -> TelegramSettings:
    return TelegramSettings.model_validate(sandbox.settings()["telegram"] | {"updates": updates})


@pytest.mark.parametrize(
    ("public_url", "updates", "mode"),
    [
        ("", None, Updates.POLLING),
        ("http://city.example", None, Updates.POLLING),
        ("http://127.0.0.1:8000", None, Updates.WEBHOOK),  # the stand-in is on this machine as well
        ("https://city.example", None, Updates.WEBHOOK),
        ("https://city.example", "polling", Updates.POLLING),
        ("", "webhook", Updates.WEBHOOK),
    ],
)
def test_updates_come_by_webhook_where_telegram_can_call_the_hub(
    tmp_path: Path, public_url: str, updates: str | None, mode: Updates
) -> None:
    settings = with_updates(Sandbox(tmp_path), updates)
    assert checks.mode(settings, City("Riverton", public_url=public_url)) is mode


def test_telegram_itself_cannot_call_a_hub_that_only_this_machine_reaches() -> None:
    assert checks.mode(SETTINGS, City("Riverton", public_url="http://127.0.0.1:8000")) is Updates.POLLING


@pytest.mark.parametrize(
    ("public_url", "updates", "registers", "level"),
    [
        ("", "webhook", False, Level.ERROR),
        ("http://city.example", "webhook", False, Level.ERROR),
        ("https://city.example", None, True, Level.OK),
    ],
)
async def test_check_tells_whether_start_and_stop_reach_the_hub(
    sandbox: Sandbox, public_url: str, updates: str | None, registers: bool, level: Level
) -> None:
    """R15."""
    city = City("Riverton", public_url=public_url)
    async with TelegramChannel(with_updates(sandbox, updates), city) as channel:
        _, before = await channel.check()
        assert before.level is Level.ERROR
        assert before.cure
        await channel.announce()
        token, after = await channel.check()
    assert (token.level, after.level) == (Level.OK, level)
    assert bool(sandbox.bots.webhook.get("url")) is registers
    if registers:
        assert sandbox.bots.webhook["url"] == URL
        assert sandbox.bots.webhook["allowed_updates"] == ["message", "callback_query", "my_chat_member"]


async def test_check_finds_a_webhook_of_before_there_were_buttons(sandbox: Sandbox) -> None:
    city = City("Riverton", public_url="https://city.example")
    async with TelegramChannel(with_updates(sandbox, None), city) as channel:
        sandbox.bots.updates.set_webhook({"url": URL, "allowed_updates": ["message", "my_chat_member"]})
        _, before = await channel.check()
        await channel.announce()
        _, after = await channel.check()
    assert (before.level, after.level) == (Level.ERROR, Level.OK)
    assert "buttons" in before.message


async def test_with_polling_check_finds_a_webhook_that_is_in_the_way(sandbox: Sandbox) -> None:
    async with TelegramChannel(with_updates(sandbox, "polling"), City("Riverton")) as channel:
        sandbox.bots.updates.set_webhook({"url": "https://other.example/secret-path"})
        _, before = await channel.check()
        await channel.announce()
        _, after = await channel.check()
    assert (before.level, after.level) == (Level.ERROR, Level.OK)
    assert "secret-path" not in repr(before)


async def test_with_polling_check_finds_messages_that_nobody_fetches(sandbox: Sandbox) -> None:
    async with TelegramChannel(with_updates(sandbox, "polling"), City("Riverton")) as channel:
        await channel.announce()
        await sandbox.reply_telegram(42, "/start")
        _, finding = await channel.check()
    assert finding.level is Level.WARNING
    assert finding.message.startswith("1 ")
    assert "notify run" in finding.cure


async def test_the_webhook_is_not_registered_while_telegram_is_down(sandbox: Sandbox) -> None:
    elsewhere = sandbox.settings()["telegram"] | {"api_base": "http://127.0.0.1:9"}
    city = City("Riverton", public_url="https://city.example")
    async with TelegramChannel(TelegramSettings.model_validate(elsewhere), city) as channel:
        await channel.announce()
    assert not sandbox.bots.webhook.get("url")
