"""Sending through Twilio's own SDK over real sockets, to a server that answers as Twilio documents."""

from __future__ import annotations

import asyncio
import logging
import re
from base64 import b64decode
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from types import SimpleNamespace
from typing import Self
from urllib.parse import parse_qsl

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from channels.contract import ApprovedText, Batch, City, Message, Outcome, Rendering, Verdict
from channels.sms import SmsChannel
from channels.sms.adapter import found
from channels.sms.http import LONGEST_PAUSE, form_encoded, retry_after

ACCOUNT = "AC" + "0123456789abcdef" * 2
TOKEN = "feedfacefeedfacefeedfacefeedface"
SENDER = "+15550100199"
RESIDENT = "+15550100142"
BODY = "Riverton: the bridge is open.\nReply STOP to stop."
NOW = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)
MESSAGES = f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json"

# https://github.com/twilio/twilio-oai, api_v2010, CreateMessage: what the form may hold.
FORM = {
    "To": re.compile(r"\+[1-9]\d{6,14}"),
    "Body": re.compile(r"(?s).{1,1600}"),
    "From": re.compile(r"\+?\d+"),
    "MessagingServiceSid": re.compile(r"MG[0-9a-fA-F]{32}"),
    "StatusCallback": re.compile(r"https?://[^_/]+/.*"),
}
Answer = Callable[[web.Request, dict[str, str]], Awaitable[web.StreamResponse]]


def record(to: str, body: str, **fields: object) -> dict[str, object]:
    """A Message resource as Twilio writes it."""
    sid = f"SM{abs(hash((to, body))):032x}"
    base = {
        "account_sid": ACCOUNT,
        "api_version": "2010-04-01",
        "body": body,
        "date_created": format_datetime(NOW),
        "date_sent": None,
        "date_updated": format_datetime(NOW),
        "direction": "outbound-api",
        "error_code": None,
        "error_message": None,
        "from": SENDER,
        "messaging_service_sid": None,
        "num_media": "0",
        "num_segments": "1",
        "price": None,
        "price_unit": "USD",
        "sid": sid,
        "status": "queued",
        "subresource_uris": {"media": f"/2010-04-01/Accounts/{ACCOUNT}/Messages/{sid}/Media.json"},
        "to": to,
        "uri": f"/2010-04-01/Accounts/{ACCOUNT}/Messages/{sid}.json",
    }
    return base | fields


def refuse(status: int, code: int | None = None, **headers: str) -> Answer:
    """An error as Twilio writes it: its words quote the number."""

    async def answer(request: web.Request, form: dict[str, str]) -> web.Response:
        body = {"message": f"The 'To' number {form.get('To')} is no good", "status": status}
        info = (
            {} if code is None else {"code": code, "more_info": f"https://www.twilio.com/docs/errors/{code}"}
        )
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.json_response(body | info, status=status, headers=names)

    return answer


def say(status: int, text: str, content_type: str = "text/html") -> Answer:
    async def answer(request: web.Request, form: dict[str, str]) -> web.Response:
        return web.Response(status=status, text=text, content_type=content_type)

    return answer


async def accept(request: web.Request, form: dict[str, str]) -> web.Response:
    return web.json_response(record(form["To"], form["Body"]), status=201)


async def hang(request: web.Request, form: dict[str, str]) -> web.Response:
    await asyncio.sleep(30)
    return web.Response()


async def cut(request: web.Request, form: dict[str, str]) -> web.Response:
    request.transport.abort()
    return web.Response()


async def break_off(request: web.Request, form: dict[str, str]) -> web.StreamResponse:
    response = web.StreamResponse(status=201, headers={"Content-Length": "500"})
    await response.prepare(request)
    await response.write(b'{"sid": "SM')
    request.transport.abort()
    return response


class Twilio:
    """A server on a loopback port with as much of the API as the channel uses."""

    def __init__(self) -> None:
        self.answer: Answer = accept
        self.records: list[dict[str, object]] = []
        self.resources: dict[str, dict[str, object]] = {}
        self.forms: list[dict[str, str]] = []
        self.requests: list[web.Request] = []
        self.under_way = self.most_under_way = 0
        self.base = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        if (
            b64decode(request.headers["Authorization"].removeprefix("Basic ")).decode()
            != f"{ACCOUNT}:{TOKEN}"
        ):
            return await refuse(401, 20003)(request, {})
        if request.path != MESSAGES:
            return self._resource(request)
        if request.method == "GET":
            return self._list(request)
        return await self._create(request)

    def _resource(self, request: web.Request) -> web.Response:
        found = self.resources.get(request.path)
        return web.json_response(found or {"code": 20404, "status": 404}, status=200 if found else 404)

    def _list(self, request: web.Request) -> web.Response:
        chosen = [item for item in self.records if item["to"] == request.query["To"]]
        size, page = int(request.query["PageSize"]), int(request.query.get("Page", 0))
        rest = len(chosen) > (page + 1) * size
        following = (
            f"{MESSAGES}?To=%2B{request.query['To'][1:]}&PageSize={size}&Page={page + 1}" if rest else None
        )
        body = {"messages": chosen[page * size : (page + 1) * size], "next_page_uri": following, "page": page}
        return web.json_response(body)

    async def _create(self, request: web.Request) -> web.StreamResponse:
        form = {name: str(value) for name, value in (await request.post()).items()}
        self.forms.append(form)
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            return await self.answer(request, form)
        finally:
            self.under_way -= 1


@pytest.fixture
async def twilio() -> AsyncIterator[Twilio]:
    server = Twilio()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.base = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield server
    await runner.cleanup()


def channel(base: str, public_url: str = "https://notify.riverton.example", **settings: object) -> SmsChannel:
    values = {"account_sid": ACCOUNT, "auth_token": TOKEN, "from": SENDER, "api_base": base, **settings}
    return SmsChannel(SmsChannel.Settings.model_validate(values), City("Riverton", public_url=public_url))


def message(key: int = 1, address: str = RESIDENT, body: str = BODY, attempt: int = 1) -> Message:
    rendering = Rendering(channel="sms", language="en", preview=body, content=body)
    return Message(key, address, (rendering,), token=f"token{key}", attempt=attempt)


class Pulled:
    """Messages as the core hands them over: several tasks may pull at once."""

    def __init__(self, messages: Iterable[Message]) -> None:
        self._messages = iter(messages)
        self.pulled: list[int] = []

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Message:
        for item in self._messages:
            self.pulled.append(item.key)
            return item
        raise StopAsyncIteration


def batch(messages: AsyncIterator[Message]) -> Batch:
    return Batch("D7", 1, 1, NOW, messages)


async def send(sms: SmsChannel, *messages: Message) -> dict[int, Outcome]:
    async with sms:
        return {outcome.key: outcome async for outcome in sms.send(batch(Pulled(messages)))}


async def outcome(twilio: Twilio, answer: Answer, attempt: int = 1, **settings: object) -> Outcome:
    twilio.answer = answer
    return (await send(channel(twilio.base, **settings), message(attempt=attempt)))[1]


# -- what is sent


async def test_a_message_is_what_twilios_api_description_asks_for(twilio):
    outcomes = await send(channel(twilio.base), message())
    (form,), (request,) = twilio.forms, twilio.requests
    assert outcomes == {1: Outcome(1, Verdict.ACCEPTED, provider_id=record(RESIDENT, BODY)["sid"])}
    assert (request.method, request.path) == ("POST", MESSAGES)
    assert request.content_type == "application/x-www-form-urlencoded"
    assert request.headers["User-Agent"].startswith("twilio-python/")
    assert form == {
        "To": RESIDENT,
        "Body": BODY,
        "From": SENDER,
        "StatusCallback": "https://notify.riverton.example/hooks/sms?d=1&t=token1",
    }
    assert all(FORM[name].fullmatch(value) for name, value in form.items())


async def test_a_messaging_service_is_named_as_one(twilio):
    await send(channel(twilio.base, **{"from": "MG" + "0" * 32}), message())
    assert "From" not in twilio.forms[0]
    assert FORM["MessagingServiceSid"].fullmatch(twilio.forms[0]["MessagingServiceSid"])


@pytest.mark.parametrize(("public_url", "wanted"), [("", True), ("https://x.example", False)])
async def test_no_receipt_is_asked_for_where_none_can_come(twilio, public_url, wanted):
    await send(channel(twilio.base, public_url, status_callbacks=wanted), message())
    assert "StatusCallback" not in twilio.forms[0]


@pytest.mark.parametrize(
    "body",
    [
        "ñ & + % = é",
        "漢字 “引”",
        "\u200fمرحبا \u200e555-0100",
        "👨‍👩‍👧",
        '<b>{{ 7*7 }}</b> #read("/etc/passwd")',
    ],
)
async def test_every_text_arrives_as_it_was_composed(twilio, body):
    await send(channel(twilio.base), message(body=body))
    assert twilio.forms[0]["Body"] == body


@given(
    st.dictionaries(st.sampled_from(["To", "Body", "StatusCallback"]), st.text(st.characters(codec="utf-8")))
)
def test_a_form_is_read_back_as_it_was_written(fields):
    assert dict(parse_qsl(form_encoded(fields).decode(), keep_blank_values=True)) == fields


async def test_a_composed_statement_arrives(twilio):
    sms = channel(twilio.base)
    text = ApprovedText("S1r1", "en", "en", "crisis", "T", "It’s over", "body", url="https://x.example/s/1")
    await send(sms, Message(1, RESIDENT, (sms.compose(text),)))
    assert twilio.forms[0]["Body"] == sms.compose(text).preview


async def test_neither_edge_nor_region_of_the_environment_bends_the_address(twilio, monkeypatch):
    monkeypatch.setenv("TWILIO_EDGE", "dublin")
    monkeypatch.setenv("TWILIO_REGION", "ie1")
    assert (await send(channel(twilio.base), message()))[1].verdict is Verdict.ACCEPTED


async def test_more_than_a_hundred_messages_can_be_under_way(twilio):
    reached = asyncio.Event()

    async def wait_for_all(request: web.Request, form: dict[str, str]) -> web.Response:
        if twilio.under_way == 150:
            reached.set()
        await asyncio.wait_for(reached.wait(), 20)
        return await accept(request, form)

    twilio.answer = wait_for_all
    outcomes = await send(channel(twilio.base, concurrency=150), *map(message, range(150)))
    assert {item.verdict for item in outcomes.values()} == {Verdict.ACCEPTED}


async def test_no_more_than_the_set_number_is_under_way(twilio):
    await send(channel(twilio.base, concurrency=3), *map(message, range(40)))
    assert twilio.most_under_way <= 3
    assert len(twilio.forms) == 40


async def test_connections_are_used_again(twilio):
    await send(channel(twilio.base, concurrency=2), *map(message, range(30)))
    assert len({request.transport for request in twilio.requests}) <= 2


async def test_a_closed_channel_sends_nothing(twilio):
    with pytest.raises(RuntimeError, match="Open the channel"):
        channel(twilio.base).send(batch(Pulled([message()])))
    assert not twilio.requests


async def test_a_channel_can_be_opened_again(twilio):
    sms = channel(twilio.base)
    assert await send(sms, message()) == await send(sms, message())


# -- what is answered


@pytest.mark.parametrize(
    ("status", "code", "verdict"),
    [
        (400, 21211, Verdict.BAD_ADDRESS),
        (400, 21614, Verdict.BAD_ADDRESS),
        (400, 21610, Verdict.OPTED_OUT),
        (429, 20429, Verdict.THROTTLED),
        (429, 21611, Verdict.THROTTLED),
        (429, None, Verdict.THROTTLED),
        (400, 14107, Verdict.THROTTLED),
        (400, 21612, Verdict.UNREACHABLE),
        (500, 20500, Verdict.UNREACHABLE),
        (500, None, Verdict.UNREACHABLE),
        (503, 20503, Verdict.UNREACHABLE),
        (502, None, Verdict.UNKNOWN),
        (504, None, Verdict.UNKNOWN),
        (400, 21617, Verdict.REFUSED),
        (400, 30007, Verdict.REFUSED),
        (401, 20003, Verdict.MISCONFIGURED),
        (403, 20403, Verdict.MISCONFIGURED),
        (404, 20404, Verdict.MISCONFIGURED),
        (400, 21606, Verdict.MISCONFIGURED),
        (400, 21408, Verdict.MISCONFIGURED),
        (302, None, Verdict.MISCONFIGURED),
        (400, 98765, Verdict.UNREACHABLE),
        (400, None, Verdict.UNREACHABLE),
    ],
)
async def test_the_verdict_on_an_answer(twilio, status, code, verdict):
    result = await outcome(twilio, refuse(status, code))
    assert (result.verdict, result.code) == (verdict, None if code is None else str(code))
    assert result.detail
    assert result.provider_id is None


async def test_r11_an_unknown_code_is_refused_the_second_time(twilio):
    assert (await outcome(twilio, refuse(400, 98765), attempt=2)).verdict is Verdict.REFUSED


async def test_no_route_the_second_time_is_a_bad_address(twilio):
    assert (await outcome(twilio, refuse(400, 21612), attempt=2)).verdict is Verdict.BAD_ADDRESS


async def test_an_address_with_another_key_is_our_fault(twilio):
    result = await outcome(twilio, accept, auth_token="another")
    assert (result.verdict, result.code) == (Verdict.MISCONFIGURED, "20003")


async def test_retry_after_is_obeyed(twilio):
    assert (await outcome(twilio, refuse(429, 20429, Retry_After="7"))).retry_after == 7
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    assert 80 < (await outcome(twilio, refuse(429, 20429, Retry_After=later))).retry_after <= 90
    assert (await outcome(twilio, refuse(429, 20429))).retry_after is None


async def test_only_a_throttled_message_carries_a_pause(twilio):
    assert (await outcome(twilio, refuse(503, None, Retry_After="7"))).retry_after is None


async def test_a_daily_cap_pauses_until_the_next_day(twilio):
    result = await outcome(twilio, refuse(400, 30023))
    assert result.verdict is Verdict.THROTTLED
    assert 0 < result.retry_after <= 25 * 3600


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("", None),
        ("7", 7),
        (" 30 ", 30),
        ("0", 0),
        ("999999999", LONGEST_PAUSE),
        ("-5", None),
        ("1.5", None),
        ("٣", None),
        ("soon", None),
        ("Sun, 22 Nov 2026 12:01:00 GMT", 60),
        ("Sun, 22 Nov 2026 12:01:00 -0000", 60),
        ("Sun, 22 Nov 2026 11:00:00 GMT", 0),
        ("Sun, 22 Nov 2099 12:00:00 GMT", LONGEST_PAUSE),
        ("Sun, 99 Nov 2026 12:00:00 GMT", None),
    ],
)
def test_what_retry_after_may_say(value, seconds):
    assert retry_after(value, NOW) == seconds


@given(st.text(max_size=40))
def test_no_retry_after_breaks_anything(value):
    pause = retry_after(value, NOW)
    assert pause is None or 0 <= pause <= LONGEST_PAUSE


@pytest.mark.parametrize(
    "answer",
    [
        say(201, "<html>welcome to the hotel's network</html>"),
        say(200, ""),
        say(201, '{"sid": "SM', "application/json"),
        say(201, "[]", "application/json"),
        say(201, "null", "application/json"),
        say(201, '"SM"', "application/json"),
        say(201, "{}", "application/json"),
        say(201, '{"sid": "nonsense"}', "application/json"),
        say(201, '{"sid": 5, "date_created": 7}', "application/json"),
        say(201, '{"sid": "MG00000000000000000000000000000000"}', "application/json"),
        say(204, ""),
    ],
)
async def test_a_success_that_cannot_be_read_may_have_been_one(twilio, answer):
    result = await outcome(twilio, answer)
    assert (result.verdict, result.provider_id) == (Verdict.UNKNOWN, None)


@pytest.mark.parametrize(
    "answer", [say(500, "<html>oops</html>"), say(400, "\ufffd{"), say(400, '{"code": "x"}')]
)
async def test_a_failure_that_cannot_be_read_is_judged_by_its_status(twilio, answer):
    assert (await outcome(twilio, answer)).verdict is Verdict.UNREACHABLE


@pytest.mark.parametrize("answer", [hang, cut, break_off])
async def test_a_connection_lost_after_the_request_leaves_the_message_unknown(twilio, answer):
    result = await outcome(twilio, answer, timeout=0.3)
    assert result.verdict is Verdict.UNKNOWN
    assert len(twilio.forms) == 1


async def test_a_refused_connection_is_proof_that_nothing_was_sent(unused_tcp_port):
    result = (await send(channel(f"http://127.0.0.1:{unused_tcp_port}"), message()))[1]
    assert result.verdict is Verdict.UNREACHABLE


async def test_a_host_that_does_not_exist_is_proof_that_nothing_was_sent():
    result = (await send(channel("https://twilio.invalid"), message()))[1]
    assert result.verdict is Verdict.UNREACHABLE


async def test_one_bad_message_does_not_touch_the_others(twilio):
    async def by_number(request: web.Request, form: dict[str, str]) -> web.StreamResponse:
        answers = {"1": refuse(400, 21211), "2": refuse(400, 21610), "3": cut, "4": say(201, "?")}
        return await answers.get(form["To"][-1], accept)(request, form)

    twilio.answer = by_number
    sent = await send(channel(twilio.base), *(message(n, f"+1555010010{n}") for n in range(8)))
    assert [sent[n].verdict for n in range(8)] == [
        Verdict.ACCEPTED,
        Verdict.BAD_ADDRESS,
        Verdict.OPTED_OUT,
        Verdict.UNKNOWN,
        Verdict.UNKNOWN,
        Verdict.ACCEPTED,
        Verdict.ACCEPTED,
        Verdict.ACCEPTED,
    ]


async def test_cancelled_half_way_nothing_more_is_pulled_and_what_is_in_flight_has_no_outcome(twilio):
    async def slow_after_five(request: web.Request, form: dict[str, str]) -> web.StreamResponse:
        return await (accept if len(twilio.forms) <= 5 else hang)(request, form)

    twilio.answer = slow_after_five
    messages = Pulled(map(message, range(100)))
    known: list[Outcome] = []

    async def run() -> None:
        async with channel(twilio.base, concurrency=10) as sms:
            async for item in sms.send(batch(messages)):
                known.append(item)

    task = asyncio.create_task(run())
    while len(known) < 5 or twilio.under_way < 10:
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert {item.verdict for item in known} == {Verdict.ACCEPTED}
    assert len(messages.pulled) == len(known) + 10 == 15
    assert [t for t in asyncio.all_tasks() if "fan_out" in repr(t)] == []


# -- what became of a message


def listed(minutes_ago: float = 5, body: str | None = BODY, **fields: object) -> dict[str, object]:
    created = datetime.now(UTC) - timedelta(minutes=minutes_ago)
    return record(RESIDENT, body or "", date_created=format_datetime(created), **fields)


async def reconciled(twilio: Twilio, minutes_ago: float = 6) -> Outcome | None:
    async with channel(twilio.base) as sms:
        return await sms.reconcile(message(), datetime.now(UTC) - timedelta(minutes=minutes_ago))


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"status": "delivered", "date_sent": format_datetime(NOW)},
        {"from": None, "messaging_service_sid": "MG" + "0" * 32, "status": "accepted"},
        {"body": "Sent from your Twilio trial account - " + BODY},
        {"minutes_ago": 6.3},  # our clock runs a little before Twilio's
    ],
)
async def test_a_message_in_twilios_list_was_accepted(twilio, fields):
    record = listed(**fields)
    twilio.records = [listed(1, "another text"), record, listed(9)]
    result = await reconciled(twilio)
    assert (result.verdict, result.provider_id) == (Verdict.ACCEPTED, record["sid"])
    assert dict(twilio.requests[0].query) == {"To": RESIDENT, "PageSize": "1000"}


@pytest.mark.parametrize(
    "records",
    [
        [],
        [listed(minutes_ago=10)],  # the same text, sent before
        [listed(body="Riverton: another text.")],
        [listed(direction="inbound")],
        [listed() | {"to": "+15550100143"}],
    ],
)
async def test_a_message_not_in_twilios_list_was_provably_not_accepted(twilio, records):
    twilio.records = records
    assert (await reconciled(twilio)).verdict is Verdict.UNREACHABLE


async def test_a_message_of_less_than_a_minute_ago_may_still_turn_up(twilio):
    assert await reconciled(twilio, minutes_ago=0.9) is None
    twilio.records = [listed(0)]
    assert (await reconciled(twilio, minutes_ago=0.1)).verdict is Verdict.ACCEPTED


async def test_where_twilio_keeps_no_texts_nobody_can_tell(twilio):
    twilio.records = [listed(body=None)]
    assert await reconciled(twilio) is None


async def test_the_list_is_read_to_its_end(twilio):
    twilio.records = [*(listed(1, f"text {n}") for n in range(999)), listed()]
    assert (await reconciled(twilio)).verdict is Verdict.ACCEPTED


async def test_a_list_too_long_to_read_proves_nothing(twilio):
    twilio.records = [listed(1, f"text {n}") for n in range(1001)]
    assert await reconciled(twilio) is None


async def test_without_an_answer_nobody_can_tell(twilio, unused_tcp_port):
    async with channel(f"http://127.0.0.1:{unused_tcp_port}") as sms:
        assert await sms.reconcile(message(), NOW - timedelta(hours=1)) is None
    async with channel(twilio.base, auth_token="another") as sms:
        assert await sms.reconcile(message(), NOW - timedelta(hours=1)) is None


@pytest.mark.parametrize("junk", ["<html>", "[]", '{"messages": [5]}', "{}", '{"messages": null}', ""])
async def test_a_list_that_cannot_be_read_proves_nothing(twilio, junk, monkeypatch):
    monkeypatch.setattr(
        twilio, "_list", lambda request: web.Response(text=junk, content_type="application/json")
    )
    assert await reconciled(twilio) is None


@given(st.lists(st.tuples(st.sampled_from([BODY, "x", "", None]), st.integers(-200, 200)), max_size=6))
def test_a_message_is_never_called_unsent_while_a_record_could_be_it(entries):
    since = NOW - timedelta(seconds=100)
    records = [
        SimpleNamespace(
            body=body, date_created=NOW + timedelta(seconds=at), direction="outbound-api", sid="SM1"
        )
        for body, at in entries
    ]
    result = found(records, message(), since, NOW)
    possible = [body for body, at in entries if at >= -100 and body in (BODY, "", None)]
    if result is None or result.verdict is Verdict.ACCEPTED:
        assert result is None or BODY in [body for body, _ in entries]
    else:
        assert not possible


# -- what must not be seen


async def test_no_personal_data_and_no_secret_in_logs_errors_or_reprs(twilio, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    asyncio.get_running_loop().set_debug(True)
    shown: list[object] = []
    for answer in (accept, refuse(400, 21211), refuse(401, 20003), say(201, "?"), hang):
        shown.append(await outcome(twilio, answer, timeout=0.2))
    async with channel(twilio.base) as sms:
        shown += [sms, sms._client, await sms.reconcile(message(), NOW), vars(sms)["settings"], message()]
    said = caplog.text + "".join(capfd.readouterr())
    assert "connected to" in said  # the log was on
    assert not [secret for secret in (RESIDENT[1:], TOKEN, "bridge", "token1") if secret in said]
    assert not [secret for secret in (RESIDENT[1:], TOKEN, "token1") if secret in repr(shown)]
