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
from channels.telegram import TelegramChannel, TelegramSettings

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


def message(text: str | None = None, chat: int = 42, **more: object) -> dict[str, object]:
    content = {
        "message_id": 1,
        "date": 1,
        "chat": {"id": chat, "type": "private"},
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
        ("/stopping", EventKind.REPLY, ""),
        ("thank you", EventKind.REPLY, ""),
        ("please /stop", EventKind.REPLY, ""),
    ],
)
def test_a_residents_message_becomes_an_event(text: str, kind: EventKind, token: str) -> None:
    """R15."""
    assert read(message(text)) == [Event(kind, token=token, address="42", text=text, language="es-MX")]


@pytest.mark.parametrize(("content", "text"), [({"caption": "look"}, "look"), ({"voice": {}}, "[voice]")])
def test_what_has_no_text_still_reaches_staff(content: dict[str, object], text: str) -> None:
    assert read(message(**content)) == [Event(EventKind.REPLY, address="42", text=text, language="es-MX")]


@pytest.mark.parametrize("status", ["kicked", "left"])
def test_blocking_the_bot_is_an_opt_out(status: str) -> None:
    """R14."""
    assert read(membership(status)) == [
        Event(EventKind.OPTED_OUT, address="42", language="so", answered=True)
    ]


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


def test_the_answer_is_a_call_of_send_message() -> None:
    answer = CHANNEL.answer(Event(EventKind.HELP, address="42"), "¿Qué? <b> 😀")
    assert json.loads(answer.body) == {"method": "sendMessage", "chat_id": 42, "text": "¿Qué? <b> 😀"}
    assert answer.media_type == "application/json"


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (Event(EventKind.REPLY, address="42"), ""),
        (Event(EventKind.OPTED_OUT, address="42", answered=True), "bye"),
        (Event(EventKind.REPLY), "hi"),
    ],
)
def test_nothing_is_answered_where_nobody_listens(event: Event, text: str) -> None:
    assert CHANNEL.answer(event, text).body == b"{}"


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


@pytest.mark.parametrize(
    ("public_url", "registers", "level"),
    [
        ("", False, Level.ERROR),
        ("http://city.example", False, Level.ERROR),
        ("https://city.example", True, Level.OK),
    ],
)
async def test_check_tells_whether_start_and_stop_reach_the_hub(
    sandbox: Sandbox, public_url: str, registers: bool, level: Level
) -> None:
    """R15."""
    given_settings = TelegramSettings.model_validate(sandbox.settings()["telegram"])
    async with TelegramChannel(given_settings, City("Riverton", public_url=public_url)) as channel:
        _, before = await channel.check()
        assert before.level is Level.ERROR
        assert before.cure
        await channel.announce()
        token, after = await channel.check()
    assert (token.level, after.level) == (Level.OK, level)
    assert bool(sandbox.bots.webhook.get("url")) is registers
    if registers:
        assert sandbox.bots.webhook["url"] == URL
        assert sandbox.bots.webhook["allowed_updates"] == ["message", "my_chat_member"]


async def test_the_webhook_is_not_registered_while_telegram_is_down(sandbox: Sandbox) -> None:
    elsewhere = sandbox.settings()["telegram"] | {"api_base": "http://127.0.0.1:9"}
    city = City("Riverton", public_url="https://city.example")
    async with TelegramChannel(TelegramSettings.model_validate(elsewhere), city) as channel:
        await channel.announce()
    assert not sandbox.bots.webhook.get("url")
