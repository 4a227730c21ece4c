"""The stand-in for Twilio, reached by Twilio's own client library."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st
from twilio.base.exceptions import TwilioRestException
from twilio.request_validator import RequestValidator
from twilio.rest import Client

from channels.sandbox import Sandbox
from channels.sandbox.sms import HELPED, NUMBER, STARTED, STOPPED, messages, segments
from channels.sms.segments import count

GRACE = "+15550100199"


@dataclass
class Hub:
    """A hub that writes down what it is called with, and answers texts with TwiML."""

    url: str = ""
    twiml: str = "<Response/>"
    status: int = 200
    calls: list[tuple[str, dict[str, str], str]] = field(default_factory=list)

    async def take(self, request: web.Request) -> web.Response:
        form = {name: str(value) for name, value in (await request.post()).items()}
        self.calls.append((request.path_qs, form, request.headers.get("X-Twilio-Signature", "")))
        return web.Response(text=self.twiml, content_type="text/xml", status=self.status)


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
        running.provider.delay = 0
        yield running


async def call(sandbox: Sandbox, act: Any) -> Any:
    """Run something of Twilio's synchronous client against the sandbox."""
    given = sandbox.settings()["sms"]
    client = Client(str(given["account_sid"]), str(given["auth_token"]))
    client.api.base_url = client.messaging.base_url = given["api_base"]
    return await asyncio.to_thread(act, client)


async def send(sandbox: Sandbox, to: str = GRACE, body: str = "Hello", **more: str) -> Any:
    sender = {} if "messaging_service_sid" in more else {"from_": NUMBER}
    return await call(sandbox, lambda client: client.messages.create(to=to, body=body, **sender, **more))


async def test_a_message_is_queued_and_then_delivered(sandbox: Sandbox) -> None:
    message = await send(sandbox, body="Hallo Welt")
    assert (message.status, message.num_segments, message.direction) == ("queued", "1", "outbound-api")
    assert message.date_sent is None
    await sandbox.settled()
    later = await call(sandbox, lambda client: client.messages(message.sid).fetch())
    assert (later.status, later.body, later.to, later.from_) == ("delivered", "Hallo Welt", GRACE, NUMBER)
    assert later.date_sent
    (text,) = sandbox.sms.of(GRACE)
    assert (text.text, text.status) == ("Hallo Welt", "delivered")
    assert "Hallo Welt" in (sandbox.folder / "texts" / f"{GRACE}.txt").read_text("utf-8")


async def test_a_messaging_service_sends_too(sandbox: Sandbox) -> None:
    service = sandbox.provider.service_sid
    assert (await send(sandbox, messaging_service_sid=service)).status == "accepted"
    found = await call(sandbox, lambda client: client.messaging.v1.services(service).fetch())
    assert found.sid == service


@pytest.mark.parametrize(
    ("changes", "code", "status"),
    [
        ({"to": ""}, 21604, 400),
        ({"body": ""}, 21602, 400),
        ({"to": "12"}, 21211, 400),
        ({"to": "+15005550001"}, 21211, 400),
        ({"to": "+15005550002"}, 21612, 400),
        ({"to": "+15005550003"}, 21408, 400),
        ({"to": "+15005550004"}, 21610, 400),
        ({"to": "+15005550009"}, 21614, 400),
        ({"body": "x" * 1601}, 21617, 400),
        ({"messaging_service_sid": "MG" + "0" * 32}, 21606, 400),
    ],
)
async def test_twilio_refuses_what_it_documents(
    sandbox: Sandbox, changes: dict[str, str], code: int, status: int
) -> None:
    with pytest.raises(TwilioRestException) as refusal:
        await send(sandbox, **changes)
    assert (refusal.value.code, refusal.value.status) == (code, status)
    assert not len(sandbox.sms)


async def test_wrong_credentials_are_refused(sandbox: Sandbox) -> None:
    sandbox.provider.auth_token = "f" * 32
    with pytest.raises(TwilioRestException) as refusal:
        await send(sandbox)
    assert (refusal.value.code, refusal.value.status) == (20003, 401)


@pytest.mark.parametrize(
    ("rule", "code", "status"),
    [
        ({"kind": "throttled"}, 20429, 429),
        ({"kind": "down"}, 20503, 503),
        ({"kind": "down", "code": 500}, 20503, 500),
        ({"kind": "refused", "code": 21614}, 21614, 400),
        ({"kind": "refused", "code": 99999}, 99999, 400),
    ],
)
async def test_a_fault_looks_as_twilio_writes_it(
    sandbox: Sandbox, rule: dict[str, Any], code: int, status: int
) -> None:
    sandbox.fault("sms", **rule)
    with pytest.raises(TwilioRestException) as refusal:
        await send(sandbox)
    assert (refusal.value.code, refusal.value.status) == (code, status)


async def test_a_rule_hits_one_address_or_every_nth_message_so_often(sandbox: Sandbox) -> None:
    only = sandbox.fault("sms", kind="refused", code=21614, address="+15550100111")
    third = sandbox.fault("sms", kind="refused", code=21211, every=3, times=1)
    codes = []
    for to in [GRACE, "+15550100111", GRACE, GRACE, GRACE, GRACE, GRACE, GRACE]:
        try:
            await send(sandbox, to=to)
            codes.append(0)
        except TwilioRestException as refusal:
            codes.append(refusal.code)
    assert codes == [0, 21614, 0, 21211, 0, 0, 0, 0]
    assert (only.hits, third.hits) == (1, 1)


async def test_delivery_reports_are_signed_and_in_order(sandbox: Sandbox, hub: Hub) -> None:
    sandbox.hub_url = hub.url
    declared = "https://city.example/hooks/sms?key=7&token=a.b"
    message = await send(sandbox, status_callback=declared)
    await sandbox.settled()
    assert [call[1]["MessageStatus"] for call in hub.calls] == ["sent", "delivered"]
    for path, form, signature in hub.calls:
        assert path == "/hooks/sms?key=7&token=a.b"
        assert form["MessageSid"] == message.sid
        assert RequestValidator(sandbox.provider.auth_token).validate(declared, form, signature)


@pytest.mark.parametrize(
    ("to", "rule", "code"),
    [
        ("+15005553003", None, "30003"),
        ("+15005553007", None, "30007"),
        (GRACE, {"kind": "undelivered", "code": 30006}, "30006"),
    ],
)
async def test_a_message_can_be_lost_later(
    sandbox: Sandbox, hub: Hub, to: str, rule: dict[str, Any] | None, code: str
) -> None:
    sandbox.hub_url = hub.url
    if rule:
        sandbox.fault("sms", **rule)
    await send(sandbox, to=to, status_callback=f"{hub.url}/hooks/sms")
    await sandbox.settled()
    assert [call[1]["MessageStatus"] for call in hub.calls] == ["sent", "undelivered"]
    assert hub.calls[-1][1]["ErrorCode"] == code
    assert sandbox.sms.of(to)[0].code == code


async def test_a_callback_that_would_leave_this_machine_is_not_made(sandbox: Sandbox) -> None:
    await send(sandbox, status_callback="https://city.example/hooks/sms")
    await sandbox.settled()
    assert sandbox.provider.lost_callbacks == 2
    assert sandbox.sms.of(GRACE)[0].status == "delivered"


async def test_a_resident_answers_and_the_hub_answers_back(sandbox: Sandbox, hub: Hub) -> None:
    sandbox.hub_url, hub.twiml = hub.url, "<Response><Message>¡Gracias!</Message></Response>"
    assert await sandbox.reply_sms(GRACE, "Hola <b>") == ["¡Gracias!"]
    ((path, form, signature),) = hub.calls
    assert path == "/hooks/sms"
    assert (form["From"], form["To"], form["Body"], form["SmsStatus"]) == (
        GRACE,
        NUMBER,
        "Hola <b>",
        "received",
    )
    assert "OptOutType" not in form
    assert RequestValidator(sandbox.provider.auth_token).validate(f"{hub.url}/hooks/sms", form, signature)
    assert [(text.direction, text.text) for text in sandbox.sms.of(GRACE)] == [
        ("in", "Hola <b>"),
        ("out", "¡Gracias!"),
    ]


async def test_twilio_acts_on_english_words_itself(sandbox: Sandbox, hub: Hub) -> None:
    """R1, R5: the default opt-out handling of long codes."""
    sandbox.hub_url, hub.twiml = hub.url, "<Response><Message>from the hub</Message></Response>"
    assert await sandbox.reply_sms(GRACE, " stop ") == [STOPPED]
    with pytest.raises(TwilioRestException, match="unsubscribed"):
        await send(sandbox)
    assert await sandbox.reply_sms(GRACE, "Stop") == []
    assert await sandbox.reply_sms(GRACE, "START") == [STARTED, "from the hub"]
    assert (await send(sandbox)).status == "queued"
    assert await sandbox.reply_sms(GRACE, "help") == [HELPED, "from the hub"]
    assert await sandbox.reply_sms(GRACE, "YES") == ["from the hub"]
    assert await sandbox.reply_sms(GRACE, "Stop signs on Main St") == ["from the hub"]
    assert await sandbox.reply_sms(GRACE, "ALTO") == ["from the hub"]
    assert len(hub.calls) == 7


async def test_messages_are_listed_by_number_and_day_newest_first_in_pages(sandbox: Sandbox) -> None:
    for number in range(5):
        await send(sandbox, body=f"text {number}")
    await send(sandbox, to="+15550100111", body="other")
    await sandbox.settled()

    async def bodies(**asked: Any) -> list[str]:
        found = await call(sandbox, lambda client: client.messages.list(**asked))
        return [message.body for message in found]

    now = datetime.now(UTC)
    assert await bodies(to=GRACE, page_size=2) == [f"text {number}" for number in (4, 3, 2, 1, 0)]
    assert await bodies(to=GRACE, limit=2) == ["text 4", "text 3"]
    assert await bodies(date_sent=now.date()) == ["other", *(f"text {number}" for number in (4, 3, 2, 1, 0))]
    assert await bodies(date_sent_after=now + timedelta(days=1)) == []
    assert await bodies(date_sent_before=now - timedelta(days=1)) == []


async def test_the_account_and_its_number_can_be_looked_at(sandbox: Sandbox) -> None:
    sid = str(sandbox.settings()["sms"]["account_sid"])
    account = await call(sandbox, lambda client: client.api.accounts(sid).fetch())
    assert account.status == "active"
    (number,) = await call(sandbox, lambda client: client.incoming_phone_numbers.list(phone_number=NUMBER))
    assert number.capabilities["sms"]
    assert not await call(sandbox, lambda client: client.incoming_phone_numbers.list(phone_number=GRACE))


async def test_only_the_last_conversations_stay_in_memory_and_the_files_hold_all(tmp_path: Path) -> None:
    async with Sandbox(tmp_path, keep=3) as sandbox:
        for number in range(10):
            await send(sandbox, to=f"+1555010010{number}")
        assert len(sandbox.sms) == 3
        assert sandbox.sms.total == 10
    assert len(list((tmp_path / "texts").iterdir())) == 10


@pytest.mark.parametrize(
    ("body", "billed"),
    [
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("€" * 80, 1),
        ("€" * 81, 2),
        ("字" * 70, 1),
        ("字" * 71, 2),
        ("😀" * 35, 1),
        ("😀" * 36, 2),
    ],
)
def test_segments_are_counted_as_they_are_billed(body: str, billed: int) -> None:
    """R22."""
    assert segments(body) == billed


@given(st.text(st.sampled_from("aé€^|字😀ñ\n'’"), min_size=1, max_size=700))
@hypothesis.settings(max_examples=200, deadline=None)
def test_the_channel_counts_segments_as_the_stand_in_does(body: str) -> None:
    """R22: two counts, written apart from each other."""
    assert segments(body) == count(body)


@pytest.mark.parametrize(
    ("twiml", "texts"),
    [
        (
            b"<Response><Message>a</Message><Message><Body>b &lt;i&gt;</Body></Message></Response>",
            ["a", "b <i>"],
        ),
        (b"<Response/>", []),
        (b"", []),
        (b"{}", []),
        (b"<Response><Message> </Message></Response>", []),
    ],
)
def test_twiml_is_read_and_junk_is_not(twiml: bytes, texts: list[str]) -> None:
    assert messages(twiml) == texts
