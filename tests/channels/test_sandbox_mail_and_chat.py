"""The stand-ins for the mail relay and Telegram, reached by aiosmtplib and python-telegram-bot themselves."""

from __future__ import annotations

import asyncio
import json
import logging
import signal
import smtplib
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiosmtplib
import pytest
from aiohttp import web
from telegram import Bot, MessageEntity
from telegram.error import (
    BadRequest,
    ChatMigrated,
    Conflict,
    Forbidden,
    InvalidToken,
    NetworkError,
    RetryAfter,
)

from channels.sandbox import HubUnreachable, Ports, Sandbox
from channels.sandbox.chat import MIGRATED_TO

MAIL = (
    b"Subject: Hello\r\nList-Unsubscribe: <mailto:x@city.example>, <https://city.example/leave/abc>\r\n"
    b"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n\r\n..Body\r\n"
)


@dataclass
class Hub:
    """A hub that writes down what it is called with."""

    url: str = ""
    answer: bytes = b""
    status: int = 200
    calls: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)

    async def take(self, request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.calls.append((request.path_qs, headers, await request.read()))
        return web.Response(body=self.answer, status=self.status)


@pytest.fixture
async def hub() -> AsyncIterator[Hub]:
    hub = Hub()
    app = web.Application()
    app.router.add_post("/{rest:.*}", hub.take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    hub.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield hub
    await runner.cleanup()


@pytest.fixture
async def sandbox(tmp_path: Path) -> AsyncIterator[Sandbox]:
    async with Sandbox(tmp_path) as running:
        yield running


@pytest.fixture
async def bot(sandbox: Sandbox) -> AsyncIterator[Bot]:
    given = sandbox.settings()["telegram"]
    async with Bot(str(given["token"]), base_url=f"{given['api_base']}/bot") as opened:
        yield opened


async def mail(sandbox: Sandbox, to: str = "grace@mail.example", raw: bytes = MAIL) -> None:
    given = sandbox.settings()["email"]
    await aiosmtplib.send(
        raw,
        sender="mayor@city.example",
        recipients=[to],
        hostname=str(given["host"]),
        port=int(str(given["port"])),
    )


async def test_a_mail_is_kept_as_it_came(sandbox: Sandbox) -> None:
    await mail(sandbox)
    (kept,) = sandbox.mail.of("grace@mail.example")
    assert kept.raw == MAIL
    assert kept.path.parent == sandbox.folder / "mails"
    assert kept.path.suffix == ".eml"


async def test_the_server_announces_what_the_channel_can_use(sandbox: Sandbox) -> None:
    async with aiosmtplib.SMTP(hostname="127.0.0.1", port=sandbox.relay.port) as client:
        await client.ehlo()
        assert {"pipelining", "8bitmime", "smtputf8"} <= set(client.esmtp_extensions)
        assert "starttls" not in client.esmtp_extensions


async def test_pipelined_commands_are_answered_in_order(sandbox: Sandbox) -> None:
    """RFC 2920."""
    reader, writer = await asyncio.open_connection("127.0.0.1", sandbox.relay.port)
    await reader.readline()
    writer.write(b"EHLO x\r\n")
    while (await reader.readline())[3:4] == b"-":
        pass
    writer.write(b"MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n")
    assert [(await reader.readline())[:3] for _ in range(3)] == [b"250", b"250", b"354"]
    writer.write(
        b"x\r\n.\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<no-such-mailbox@d.example>\r\nRSET\r\nQUIT\r\n"
    )
    assert [(await reader.readline())[:3] for _ in range(5)] == [b"250", b"250", b"550", b"250", b"221"]
    writer.close()
    assert len(sandbox.mail) == 1


@pytest.mark.parametrize(
    ("name", "reply"),
    [
        ("no-such-mailbox", 550),
        ("mailbox-full", 452),
        ("blocked", 554),
        ("greylisted", 451),
        ("blocked+7", 554),
    ],
)
async def test_a_mailboxs_name_decides_its_fate(sandbox: Sandbox, name: str, reply: int) -> None:
    with pytest.raises(aiosmtplib.SMTPRecipientsRefused) as refusal:
        await mail(sandbox, f"{name}@mail.example")
    assert refusal.value.recipients[0].code == reply


async def test_greylisting_lets_the_second_try_pass(sandbox: Sandbox) -> None:
    with pytest.raises(aiosmtplib.SMTPRecipientsRefused):
        await mail(sandbox, "greylisted@mail.example")
    await mail(sandbox, "greylisted@mail.example")
    assert len(sandbox.mail) == 1


@pytest.mark.parametrize(
    ("rule", "error", "kept"),
    [
        ({"kind": "throttled"}, aiosmtplib.SMTPRecipientsRefused, 0),
        ({"kind": "down"}, aiosmtplib.SMTPRecipientsRefused, 0),
        ({"kind": "refused", "code": 550, "text": "5.2.1 off"}, aiosmtplib.SMTPRecipientsRefused, 0),
        ({"kind": "junk"}, aiosmtplib.SMTPException, 0),
        ({"kind": "drop_before"}, aiosmtplib.SMTPServerDisconnected, 0),
        ({"kind": "drop_after"}, aiosmtplib.SMTPServerDisconnected, 1),
    ],
)
async def test_the_relay_fails_as_it_is_told(
    sandbox: Sandbox, rule: dict[str, Any], error: type[Exception], kept: int
) -> None:
    sandbox.fault("email", **rule)
    with pytest.raises(error):
        await mail(sandbox)
    assert len(sandbox.mail) == kept


async def test_an_address_cannot_lead_out_of_the_folder(sandbox: Sandbox) -> None:
    await mail(sandbox, '"../../../../etc/passwd"@mail.example')
    (kept,) = sandbox.mail
    assert kept.path.resolve().parent == (sandbox.folder / "mails").resolve()


async def test_mails_are_not_logged(sandbox: Sandbox, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    await mail(sandbox)
    assert "grace@mail.example" not in "".join(
        record.getMessage() for record in caplog.records if "smtp" in record.name
    )
    assert "Body" not in caplog.text


async def test_unsubscribing_is_one_post_to_the_hub(sandbox: Sandbox, hub: Hub) -> None:
    """R17, RFC 8058."""
    sandbox.hub_url = hub.url
    await mail(sandbox)
    (kept,) = sandbox.mail
    await sandbox.unsubscribe(kept)
    ((path, headers, body),) = hub.calls
    assert (path, body) == ("/leave/abc", b"List-Unsubscribe=One-Click")
    assert "cookie" not in headers
    assert kept.status == "unsubscribed"


async def test_a_mail_without_one_click_cannot_be_unsubscribed_so(sandbox: Sandbox, hub: Hub) -> None:
    sandbox.hub_url = hub.url
    await mail(sandbox, raw=b"List-Unsubscribe: <https://city.example/x>\r\n\r\nx\r\n")
    with pytest.raises(HubUnreachable):
        await sandbox.unsubscribe(next(iter(sandbox.mail)))
    assert not hub.calls


async def test_the_bot_can_write(sandbox: Sandbox, bot: Bot) -> None:
    sent = await bot.send_message(42, "Hello 😀 <b>", entities=[MessageEntity("bold", 0, 5)])
    assert sent.text == "Hello 😀 <b>"
    (message,) = sandbox.chats.of("42")
    assert (message.message_id, message.entities[0]["type"]) == (sent.message_id, "bold")
    assert "Hello 😀 <b>" in (sandbox.folder / "telegram" / "42.txt").read_text("utf-8")


@pytest.mark.parametrize(
    ("chat", "error"),
    [
        (4030001, Forbidden),
        (4030002, Forbidden),
        (-4030003, Forbidden),
        (4000001, BadRequest),
        ("@name", BadRequest),
    ],
)
async def test_some_chats_have_a_fixed_fate(bot: Bot, chat: int | str, error: type[Exception]) -> None:
    with pytest.raises(error):
        await bot.send_message(chat, "x")


async def test_a_group_that_moved_tells_its_new_id(bot: Bot) -> None:
    with pytest.raises(ChatMigrated) as moved:
        await bot.send_message(-4000002, "x")
    assert moved.value.new_chat_id == MIGRATED_TO


@pytest.mark.parametrize(
    ("text", "entities"),
    [
        ("", None),
        ("x" * 4097, None),
        ("😀" * 2049, None),
        ("abc", [MessageEntity("bold", 1, 9)]),
        ("a😀c", [MessageEntity("bold", 0, 2)]),
        ("abc", [MessageEntity("text_link", 0, 2, url="javascript:x")]),
        ("abc", [MessageEntity("bold", 0, 0)]),
    ],
)
async def test_a_message_that_telegram_would_refuse_is_refused(
    sandbox: Sandbox, bot: Bot, text: str, entities: list[MessageEntity] | None
) -> None:
    with pytest.raises(BadRequest):
        await bot.send_message(42, text, entities=entities)
    assert not len(sandbox.chats)


@pytest.mark.parametrize(
    ("rule", "error"),
    [
        ({"kind": "throttled", "seconds": 7}, RetryAfter),
        ({"kind": "down"}, NetworkError),
        ({"kind": "refused"}, Forbidden),
        ({"kind": "refused", "code": 400, "text": "Bad Request: new"}, BadRequest),
        ({"kind": "drop_before"}, NetworkError),
        ({"kind": "drop_after"}, NetworkError),
    ],
)
async def test_the_bot_api_fails_as_it_is_told(
    sandbox: Sandbox, bot: Bot, rule: dict[str, Any], error: type[Exception]
) -> None:
    sandbox.fault("telegram", **rule)
    with pytest.raises(error):
        await bot.send_message(42, "x")
    assert len(sandbox.chats) == (rule["kind"] == "drop_after")


async def test_a_wrong_token_is_unauthorized(sandbox: Sandbox) -> None:
    base = f"{sandbox.settings()['telegram']['api_base']}/bot"
    with pytest.raises(InvalidToken):
        async with Bot("1:" + "x" * 35, base_url=base):
            pass


async def test_updates_wait_until_they_are_fetched(sandbox: Sandbox, bot: Bot) -> None:
    waiting = asyncio.create_task(bot.get_updates(timeout=5))
    await asyncio.sleep(0.05)
    await sandbox.reply_telegram(42, "/start abc", "es")
    (update,) = await waiting
    assert update.message.text == "/start abc"
    assert update.message.from_user.language_code == "es"
    assert update.message.entities[0].type == "bot_command"
    assert await bot.get_updates(offset=update.update_id + 1) == ()


async def test_the_webhook_gets_updates_with_its_secret_and_may_answer(
    sandbox: Sandbox, hub: Hub, bot: Bot
) -> None:
    sandbox.hub_url = hub.url
    hub.answer = json.dumps({"method": "sendMessage", "chat_id": 42, "text": "Welcome <b>"}).encode()
    await bot.set_webhook("https://city.example/hooks/telegram", secret_token="my-secret")
    assert await sandbox.reply_telegram(42, "/start") == ["Welcome <b>"]
    ((path, headers, body),) = hub.calls
    assert path == "/hooks/telegram"
    assert headers["x-telegram-bot-api-secret-token"] == "my-secret"
    assert json.loads(body)["message"]["chat"]["id"] == 42
    assert [message.text for message in sandbox.chats.of("42")] == ["/start", "Welcome <b>"]
    with pytest.raises(Conflict):
        await bot.get_updates()
    await bot.delete_webhook()
    assert (await bot.get_webhook_info()).url == ""


async def test_before_the_webhook_is_set_the_settings_secret_is_used(sandbox: Sandbox, hub: Hub) -> None:
    sandbox.hub_url = hub.url
    await sandbox.reply_telegram(42, "hi")
    secret = sandbox.settings()["telegram"]["webhook_secret"]
    assert hub.calls[0][1]["x-telegram-bot-api-secret-token"] == secret


async def test_blocking_the_bot_is_told_and_holds_until_the_resident_writes(
    sandbox: Sandbox, hub: Hub, bot: Bot
) -> None:
    sandbox.hub_url = hub.url
    await sandbox.block_bot(42)
    change = json.loads(hub.calls[0][2])["my_chat_member"]
    assert change["new_chat_member"]["status"] == "kicked"
    with pytest.raises(Forbidden, match="blocked by the user"):
        await bot.send_message(42, "x")
    await sandbox.reply_telegram(42, "/start")
    await bot.send_message(42, "x")


async def test_a_hub_that_refuses_an_update_is_remembered(sandbox: Sandbox, hub: Hub, bot: Bot) -> None:
    sandbox.hub_url, hub.status = hub.url, 500
    await bot.set_webhook("https://city.example/hooks/telegram")
    with pytest.raises(HubUnreachable, match="500"):
        await sandbox.reply_telegram(42, "hi")
    assert "500" in (await bot.get_webhook_info()).last_error_message


async def test_the_same_seed_gives_the_same_credentials(tmp_path: Path) -> None:
    def secrets(seed: int) -> list[object]:
        sandbox = Sandbox(tmp_path, seed=seed)
        return [sandbox.settings()["sms"]["auth_token"], sandbox.settings()["telegram"]["token"]]

    assert secrets(1) == secrets(1)
    assert secrets(1) != secrets(2)


async def test_everything_listens_on_loopback_only_and_stops(tmp_path: Path) -> None:
    async with Sandbox(tmp_path) as sandbox:
        bases = [str(sandbox.settings()[name]["api_base"]) for name in ("sms", "telegram")]
        ports = [sandbox.relay.port, *(int(base.rpartition(":")[2]) for base in bases)]
        assert all(ports)
    for port in ports:
        with pytest.raises(OSError, match=r"(?i)connect"):
            await asyncio.open_connection("127.0.0.1", port)
    assert not [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]


async def test_a_port_that_is_taken_leaves_nothing_listening(tmp_path: Path, sandbox: Sandbox) -> None:
    second = Sandbox(tmp_path / "second", ports=Ports(email=sandbox.relay.port))
    with pytest.raises(OSError, match="in use"):
        async with second:
            pass
    with pytest.raises(OSError, match=r"(?i)connect"):
        await asyncio.open_connection(
            "127.0.0.1", int(str(second.settings()["sms"]["api_base"]).rpartition(":")[2])
        )


def test_the_sandbox_runs_as_a_process_of_its_own(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "channels.sandbox", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout
        given = json.loads(process.stdout.readline())
        with smtplib.SMTP(given["email"]["host"], given["email"]["port"]) as client:
            client.sendmail("a@b.example", ["c@d.example"], MAIL)
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    assert len(list((tmp_path / "mails").iterdir())) == 1
