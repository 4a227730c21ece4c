"""The Telegram channel against the Bot API of the sandbox, over real sockets."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from aiohttp import web

from channels.contract import ApprovedText, Batch, City, Level, Message, Outcome, Rendering, Verdict
from channels.sandbox import Sandbox
from channels.telegram import TelegramChannel, TelegramSettings
from channels.telegram.codes import BAD_ADDRESS, OPTED_OUT, meaning
from channels.telegram.entities import Entity, Formatted

CITY = City("Riverton", public_url="https://city.example", phone="+1 555 010 0100")


@pytest.fixture
async def sandbox(tmp_path: Path) -> AsyncIterator[Sandbox]:
    async with Sandbox(tmp_path) as running:
        yield running


@pytest.fixture
async def channel(sandbox: Sandbox) -> AsyncIterator[TelegramChannel]:
    given = sandbox.settings()["telegram"] | {"pause": 0.01, "timeout": 0.5, "rate": 0}
    async with TelegramChannel(TelegramSettings.model_validate(given), CITY) as opened:
        yield opened


def rendering(*parts: Formatted) -> Rendering:
    return Rendering("telegram", "en", "", len(parts), content=parts)


async def send(channel: TelegramChannel, address: object, *parts: Formatted) -> Outcome:
    """Send the parts to one chat."""

    async def messages() -> AsyncIterator[Message]:
        yield Message(7, str(address), (rendering(*parts or (Formatted("Hello"),)),))

    async with aclosing(channel.send(Batch("D1", 1, 1, datetime.now(UTC), messages()))) as outcomes:
        (outcome,) = [outcome async for outcome in outcomes]
    return outcome


@pytest.mark.parametrize("description", sorted(OPTED_OUT))
async def test_a_chat_that_is_gone_counts_as_opted_out(
    sandbox: Sandbox, channel: TelegramChannel, description: str
) -> None:
    """R14."""
    code = 403 if description.startswith("forbidden") else 400
    words = description.replace("forbidden", "Forbidden").replace("bad request", "Bad Request")
    sandbox.fault("telegram", kind="refused", code=code, text=words)
    outcome = await send(channel, 42)
    assert (outcome.verdict, outcome.code) == (Verdict.OPTED_OUT, str(code))
    assert outcome.detail


@pytest.mark.parametrize("description", sorted(BAD_ADDRESS))
async def test_an_id_that_is_no_chat_is_a_bad_address(
    sandbox: Sandbox, channel: TelegramChannel, description: str
) -> None:
    code = 403 if description.startswith("forbidden") else 400
    sandbox.fault("telegram", kind="refused", code=code, text=description)
    assert (await send(channel, 42)).verdict is Verdict.BAD_ADDRESS


@pytest.mark.parametrize("address", ["", "abc", "@channel", "1.5", "+1 555"])
async def test_an_address_that_is_no_number_is_a_bad_address(channel: TelegramChannel, address: str) -> None:
    assert (await send(channel, address)).verdict is Verdict.BAD_ADDRESS


@pytest.mark.parametrize(
    ("code", "description"),
    [
        (403, "Forbidden: something new"),
        (403, "Forbidden: bot was blocked by the administrator"),
        (400, "Bad Request: something new"),
        (400, "Bad Request: not enough rights to send text messages to the chat"),
        (413, "Request Entity Too Large"),
        (409, "Conflict"),
    ],
)
async def test_an_unknown_refusal_is_no_opt_out(
    sandbox: Sandbox, channel: TelegramChannel, code: int, description: str
) -> None:
    """R14."""
    sandbox.fault("telegram", kind="refused", code=code, text=description)
    outcome = await send(channel, 42)
    assert (outcome.verdict, outcome.code) == (Verdict.REFUSED, str(code))
    assert description in outcome.detail


def test_an_unknown_description_is_shown_without_numbers_and_quotations() -> None:
    _, words = meaning(400, 'Bad Request: user 5550199 wrote "my secret"')
    assert words == "Telegram refused the message (400): Bad Request: user … wrote …"


async def test_429_tells_how_long_to_wait(sandbox: Sandbox, channel: TelegramChannel) -> None:
    """R12."""
    sandbox.fault("telegram", kind="throttled", seconds=17)
    outcome = await send(channel, 42)
    assert (outcome.verdict, outcome.retry_after, outcome.code) == (Verdict.THROTTLED, 17.0, "429")


@pytest.mark.parametrize(
    ("code", "verdict"),
    [
        (500, Verdict.UNREACHABLE),
        (503, Verdict.UNREACHABLE),
        (502, Verdict.UNKNOWN),
        (504, Verdict.UNKNOWN),
        (520, Verdict.UNKNOWN),
        (401, Verdict.MISCONFIGURED),
        (404, Verdict.MISCONFIGURED),
    ],
)
async def test_only_telegrams_own_fault_is_a_proof_that_nothing_was_taken(
    sandbox: Sandbox, channel: TelegramChannel, code: int, verdict: Verdict
) -> None:
    sandbox.fault("telegram", kind="down", code=code)
    assert (await send(channel, 42)).verdict is verdict


@pytest.mark.parametrize("kind", ["drop_before", "drop_after"])
async def test_a_broken_connection_is_unknown(sandbox: Sandbox, channel: TelegramChannel, kind: str) -> None:
    sandbox.fault("telegram", kind=kind)
    outcome = await send(channel, 42)
    assert outcome.verdict is Verdict.UNKNOWN
    assert len(sandbox.chats) == (kind == "drop_after")


async def test_an_answer_that_takes_too_long_is_unknown(sandbox: Sandbox, channel: TelegramChannel) -> None:
    sandbox.fault("telegram", kind="slow", seconds=2)
    assert (await send(channel, 42)).verdict is Verdict.UNKNOWN


@pytest.mark.parametrize(
    "body",
    ["", "null", "[]", "{}", '{"ok":true}', '{"ok":true,"result":null}', '{"ok":true,"result":{}}', "\udcff"],
)
async def test_a_good_status_with_junk_is_unknown(
    sandbox: Sandbox, channel: TelegramChannel, body: str
) -> None:
    async def junk(_request: web.Request) -> web.Response:
        return web.Response(body=body.encode("utf-8", "surrogateescape"))

    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", junk)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    base = f"http://127.0.0.1:{runner.addresses[0][1]}"
    given = TelegramSettings.model_validate(sandbox.settings()["telegram"] | {"api_base": base})
    async with TelegramChannel(given, CITY) as elsewhere:
        assert (await send(elsewhere, 42)).verdict is Verdict.UNKNOWN
    await runner.cleanup()


async def test_no_connection_is_unreachable(sandbox: Sandbox) -> None:
    given = TelegramSettings.model_validate(
        sandbox.settings()["telegram"] | {"api_base": "http://127.0.0.1:9"}
    )
    async with TelegramChannel(given, CITY) as elsewhere:
        assert (await send(elsewhere, 42)).verdict is Verdict.UNREACHABLE
        (finding,) = await elsewhere.check()
    assert finding.level is Level.ERROR
    assert "NOTIFY_TELEGRAM__API_BASE" in finding.cure


async def test_a_group_that_moved_gets_its_message_at_the_new_id(
    sandbox: Sandbox, channel: TelegramChannel
) -> None:
    """R14."""
    outcome = await send(channel, -4000002, Formatted("one"), Formatted("two"))
    assert (outcome.verdict, outcome.code) == (Verdict.ACCEPTED, "migrated")
    assert outcome.moved_to == "-1004000002"
    assert "1004000002" not in repr(outcome)
    assert [message.text for message in sandbox.chats.of("-1004000002")] == ["one", "two"]


async def test_entities_that_telegram_cannot_read_go_as_plain_text(
    sandbox: Sandbox, channel: TelegramChannel, caplog: pytest.LogCaptureFixture
) -> None:
    """R15."""
    outcome = await send(channel, 42, Formatted("Hello", (Entity("bold", 3, 99),)))
    assert outcome.verdict is Verdict.ACCEPTED
    (message,) = sandbox.chats.of("42")
    assert (message.text, message.entities) == ("Hello", [])
    (record,) = [record for record in caplog.records if record.name.startswith("channels")]
    assert record.levelno == logging.ERROR
    assert "delivery 7" in record.getMessage()
    assert "Hello" not in caplog.text


async def test_the_parts_arrive_in_order_and_the_outcome_names_them_all(
    sandbox: Sandbox, channel: TelegramChannel
) -> None:
    """R13."""
    outcome = await send(channel, 42, *(Formatted(str(number)) for number in range(4)))
    messages = sandbox.chats.of("42")
    assert [message.text for message in messages] == ["0", "1", "2", "3"]
    assert outcome.provider_id == ",".join(str(message.message_id) for message in messages)


@pytest.mark.parametrize("kind", ["throttled", "down"])
async def test_a_later_part_that_is_not_taken_is_tried_again_alone(
    sandbox: Sandbox, channel: TelegramChannel, kind: str
) -> None:
    rule = sandbox.fault("telegram", kind=kind, every=2, times=1, seconds=1)
    outcome = await send(channel, 42, Formatted("one"), Formatted("two"))
    assert outcome.verdict is Verdict.ACCEPTED
    assert [message.text for message in sandbox.chats.of("42")] == ["one", "two"]
    assert rule.hits == 1


async def test_a_later_part_that_never_passes_makes_it_unknown_not_unsent(
    sandbox: Sandbox, channel: TelegramChannel
) -> None:
    assert (await send(channel, 42)).verdict is Verdict.ACCEPTED
    first = sandbox.fault("telegram", kind="down", every=2)
    outcome = await send(channel, 43, Formatted("one"))
    assert outcome.verdict is Verdict.ACCEPTED
    sandbox.clear_faults()
    sandbox.fault("telegram", kind="slow", address="44", times=1, seconds=0)
    sandbox.fault("telegram", kind="down", address="44")
    outcome = await send(channel, 44, Formatted("one"), Formatted("two"))
    assert outcome.verdict is Verdict.UNKNOWN
    assert outcome.detail.startswith("1 of 2 messages arrived")
    assert outcome.provider_id == str(sandbox.chats.of("44")[0].message_id)
    assert first.seen == 1


async def test_a_resident_who_blocks_the_bot_between_two_parts_has_opted_out(
    sandbox: Sandbox, channel: TelegramChannel
) -> None:
    sandbox.fault("telegram", kind="slow", address="44", times=1, seconds=0)
    sandbox.fault("telegram", kind="refused", address="44")
    outcome = await send(channel, 44, Formatted("one"), Formatted("two"))
    assert outcome.verdict is Verdict.OPTED_OUT


async def test_a_composed_statement_arrives_with_its_entities(
    sandbox: Sandbox, channel: TelegramChannel
) -> None:
    text = ApprovedText("S1r1", "ar", "en", "crisis", "😀 عنوان", "", "**مهم** [رابط](https://x.example)")
    composed = channel.compose(text)
    assert (await send(channel, 42, *composed.content)).verdict is Verdict.ACCEPTED
    (message,) = sandbox.chats.of("42")
    assert message.text == composed.content[0].text
    assert [entity["type"] for entity in message.entities] == ["bold", "bold", "text_link"]
    assert message.entities[2]["url"] == "https://x.example"


async def test_the_request_is_what_the_bot_api_documents(sandbox: Sandbox) -> None:
    """https://core.telegram.org/bots/api#sendmessage"""
    seen: list[tuple[str, str, str, dict[str, object]]] = []

    async def api(request: web.Request) -> web.Response:
        seen.append((request.method, request.path, request.content_type, json.loads(await request.read())))
        chat = {"id": 42, "type": "private"}
        return web.json_response(
            {"ok": True, "result": {"message_id": 5, "date": 1, "chat": chat, "text": "Hello"}}
        )

    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", api)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    base = f"http://127.0.0.1:{runner.addresses[0][1]}"
    given = TelegramSettings.model_validate(sandbox.settings()["telegram"] | {"api_base": base})
    async with TelegramChannel(given, CITY) as elsewhere:
        part = Formatted(
            "Hello", (Entity("text_link", 0, 5, url="https://x.example"), Entity("pre", 0, 5, language="py"))
        )
        assert (await send(elsewhere, 42, part)).provider_id == "5"
    await runner.cleanup()
    token = given.token.get_secret_value()
    assert seen == [
        (
            "POST",
            f"/bot{token}/sendMessage",
            "application/json",
            {
                "chat_id": 42,
                "text": "Hello",
                "entities": [
                    {"type": "text_link", "offset": 0, "length": 5, "url": "https://x.example"},
                    {"type": "pre", "offset": 0, "length": 5, "language": "py"},
                ],
                "link_preview_options": {"is_disabled": True},
            },
        )
    ]


async def test_nobody_can_tell_what_became_of_an_unknown_message(channel: TelegramChannel) -> None:
    message = Message(7, "42", (rendering(Formatted("x")),))
    assert await channel.reconcile(message, datetime.now(UTC)) is None


@pytest.mark.parametrize("concurrency", [1, 8])
async def test_many_chats_each_get_the_message_once(sandbox: Sandbox, concurrency: int) -> None:
    async def messages() -> AsyncIterator[Message]:
        for key in range(1, 101):
            yield Message(key, str(key), (rendering(Formatted(f"for {key}")),))

    given = TelegramSettings.model_validate(sandbox.settings()["telegram"] | {"concurrency": concurrency})
    async with TelegramChannel(given, CITY) as opened:
        outcomes = [
            outcome async for outcome in opened.send(Batch("D1", 1, 1, datetime.now(UTC), messages()))
        ]
    assert sorted(outcome.key for outcome in outcomes) == list(range(1, 101))
    assert {outcome.verdict for outcome in outcomes} == {Verdict.ACCEPTED}
    assert sorted(message.text for message in sandbox.chats) == sorted(f"for {key}" for key in range(1, 101))
