"""Sending over real sockets: to aiosmtpd, and to servers that break off, refuse, stall and lie."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest
import uvloop
from aiosmtpd.smtp import AuthResult
from certificates import certificate
from email_servers import (
    CITY,
    TEXT,
    Handler,
    Messages,
    Script,
    batch,
    mail_server,
    message,
    scripted_server,
    send_all,
    send_to,
    server_context,
    settings,
)

from channels.contract import Outcome, Verdict
from channels.email import EmailChannel
from channels.email import connections as connections_module
from channels.email.identity import identity

BOTH = pytest.mark.parametrize("pipelining", [True, False], ids=["pipelined", "stepwise"])
ADDRESS = "ana.diaz@example.org"


@BOTH
async def test_every_message_arrives_once_and_is_its_own(pipelining: bool) -> None:
    handler = Handler(pipelining)
    async with mail_server(handler) as port, EmailChannel(settings(port), CITY) as channel:
        rendering = channel.compose(TEXT)
        outcomes = await send_all(channel, [message(rendering, key) for key in range(200)])
    assert Counter(outcome.verdict for outcome in outcomes.values()) == {Verdict.ACCEPTED: 200}
    assert sorted(mail.recipients[0] for mail in handler.received) == sorted(
        f"resident{key}@example.org" for key in range(200)
    )
    for mail in handler.received:
        key = mail.recipients[0].removeprefix("resident").removesuffix("@example.org")
        assert mail.parsed["To"].addresses[0].addr_spec == mail.recipients[0]
        assert mail.parsed["Message-ID"] == f"<{identity('D7', int(key), f'token-{key}')}@riverton.example>"
        assert mail.parsed["List-Unsubscribe"] == f"<https://notify.riverton.example/u/token-{key}>"
        plain = mail.body("plain")
        assert "\n.a line with a leading dot\n" in plain
        assert f"/u/token-{key}\n" in plain


@BOTH
async def test_an_accepted_message_carries_the_servers_queue_id(pipelining: bool) -> None:
    async with mail_server(Handler(pipelining)) as port, EmailChannel(settings(port), CITY) as channel:
        (outcome,) = await send_to(channel, ADDRESS)
    assert outcome == Outcome(0, Verdict.ACCEPTED, provider_id="4XYZ")


REFUSALS = [
    ("550 5.1.1 <ana.diaz@example.org>: User unknown", Verdict.BAD_ADDRESS, "5.1.1"),
    ("550 5.7.1 <ana.diaz@example.org>: blocked, ana.diaz", Verdict.REFUSED, "5.7.1"),
    ("554 5.7.1 <ana.diaz@example.org>: Relay access denied", Verdict.MISCONFIGURED, "5.7.1"),
    ("450 4.2.0 <ana.diaz@example.org>: Greylisted, come back", Verdict.UNREACHABLE, "4.2.0"),
    ("451 4.7.1 rate limit for ana.diaz, try again in 90 seconds", Verdict.THROTTLED, "4.7.1"),
]


@BOTH
@pytest.mark.parametrize(("reply", "verdict", "code"), REFUSALS)
async def test_a_refused_recipient_gets_its_verdict_and_the_next_message_arrives(
    pipelining: bool, reply: str, verdict: Verdict, code: str
) -> None:
    handler = Handler(pipelining, rcpt={ADDRESS: reply})
    async with mail_server(handler) as port, EmailChannel(settings(port, connections=1), CITY) as channel:
        first, second, third = await send_to(channel, "b@example.org", ADDRESS, "c@example.org")
    assert (second.verdict, second.code) == (verdict, code)
    assert (first.verdict, third.verdict) == (Verdict.ACCEPTED, Verdict.ACCEPTED)
    assert [mail.recipients for mail in handler.received] == [["b@example.org"], ["c@example.org"]]
    assert handler.sessions == 1


@BOTH
async def test_a_refused_body_gets_its_verdict_and_the_next_message_arrives(pipelining: bool) -> None:
    handler = Handler(pipelining, data={ADDRESS: "554 5.6.0 I do not like this content"})
    async with mail_server(handler) as port, EmailChannel(settings(port, connections=1), CITY) as channel:
        first, second = await send_to(channel, ADDRESS, "c@example.org")
    assert (first.verdict, first.code) == (Verdict.REFUSED, "5.6.0")
    assert second.verdict is Verdict.ACCEPTED


@BOTH
async def test_a_throttled_message_says_how_long_to_wait(pipelining: bool) -> None:
    reply = "450 4.7.1 Error: too much mail, wait: retry in 5 minutes"
    async with (
        mail_server(Handler(pipelining, rcpt={ADDRESS: reply})) as port,
        EmailChannel(settings(port), CITY) as channel,
    ):
        (outcome,) = await send_to(channel, ADDRESS)
    assert (outcome.verdict, outcome.retry_after) == (Verdict.THROTTLED, 300)


@BOTH
async def test_a_connection_lost_after_the_final_dot_leaves_the_message_unknown(pipelining: bool) -> None:
    handler = Handler(pipelining, data={ADDRESS: "drop"})
    async with mail_server(handler) as port, EmailChannel(settings(port, connections=1), CITY) as channel:
        first, second = await send_to(channel, ADDRESS, "c@example.org")
    assert first.verdict is Verdict.UNKNOWN
    assert second.verdict is Verdict.ACCEPTED


@BOTH
async def test_a_connection_lost_before_the_body_left_is_tried_once_more_then_unreachable(
    pipelining: bool,
) -> None:
    handler = Handler(pipelining, rcpt={ADDRESS: "drop"})
    async with mail_server(handler) as port, EmailChannel(settings(port, connections=1), CITY) as channel:
        first, second = await send_to(channel, ADDRESS, "c@example.org")
    assert first.verdict is Verdict.UNREACHABLE
    assert second.verdict is Verdict.ACCEPTED
    assert handler.sessions == 3  # twice for the first message, once for the second


@BOTH
async def test_a_server_that_takes_one_message_per_connection_still_gets_all(pipelining: bool) -> None:
    class OneEach(Script):
        def _reply(self, line: str) -> str | None:
            if line.startswith("MAIL") and self.bodies >= self.sessions:
                return "421 4.7.0 one message per connection"
            return super()._reply(line)

    script = OneEach({}, pipelining)
    async with scripted_server(script) as port, EmailChannel(settings(port, connections=1), CITY) as channel:
        outcomes = await send_to(channel, *(f"r{key}@example.org" for key in range(5)))
    assert [outcome.verdict for outcome in outcomes] == [Verdict.ACCEPTED] * 5
    assert script.bodies == 5


async def test_354_although_the_recipient_was_refused_is_answered_with_an_empty_body() -> None:
    script = Script({"RCPT TO:<ana": "550 5.1.1 no such user"})
    async with scripted_server(script) as port, EmailChannel(settings(port, connections=1), CITY) as channel:
        first, second = await send_to(channel, ADDRESS, "c@example.org")
    assert (first.verdict, second.verdict) == (Verdict.BAD_ADDRESS, Verdict.ACCEPTED)
    refused = script.lines.index("RCPT TO:<ana.diaz@example.org>")
    assert script.lines[refused + 1 : refused + 3] == ["DATA", "."]


async def test_the_next_envelope_leaves_with_the_body_and_no_further_message_is_in_doubt() -> None:
    hold = asyncio.Event()
    handler = Handler(hold=hold)
    async with mail_server(handler) as port, EmailChannel(settings(port, connections=1), CITY) as channel:
        rendering = channel.compose(TEXT)
        source = Messages(message(rendering, key) for key in range(5))
        task = asyncio.create_task(send_all(channel, source))
        await asyncio.sleep(0.3)
        assert source.pulled == [0, 1]  # the body of 0 and the envelope of 1 are out; 2 is nobody's yet
        hold.set()
        outcomes = await task
    assert len(outcomes) == 5


async def test_without_pipelining_a_message_is_pulled_only_after_the_verdict_on_the_one_before() -> None:
    hold = asyncio.Event()
    handler = Handler(pipelining=False, hold=hold)
    async with mail_server(handler) as port, EmailChannel(settings(port, connections=1), CITY) as channel:
        rendering = channel.compose(TEXT)
        source = Messages(message(rendering, key) for key in range(5))
        task = asyncio.create_task(send_all(channel, source))
        await asyncio.sleep(0.3)
        assert source.pulled == [0]
        hold.set()
        await task


async def test_one_message_does_not_open_ten_connections() -> None:
    handler = Handler()
    async with mail_server(handler) as port, EmailChannel(settings(port), CITY) as channel:
        await send_to(channel, ADDRESS)
    assert handler.sessions <= 2


async def test_connections_are_kept_for_the_next_batch_and_left_politely() -> None:
    handler = Handler()
    async with mail_server(handler) as port, EmailChannel(settings(port, connections=2), CITY) as channel:
        for _ in range(3):
            await send_to(channel, *(f"r{key}@example.org" for key in range(20)))
        assert "QUIT" not in handler.commands
    await asyncio.sleep(0.05)
    assert handler.sessions == 2
    assert handler.commands.count("QUIT") == 2


@BOTH
async def test_two_batches_at_once_share_the_connections(pipelining: bool) -> None:
    handler = Handler(pipelining)
    async with mail_server(handler) as port, EmailChannel(settings(port, connections=2), CITY) as channel:
        results = await asyncio.gather(
            *(send_to(channel, *(f"r{k}@example.org" for k in range(30))) for _ in "ab")
        )
    assert {outcome.verdict for outcomes in results for outcome in outcomes} == {Verdict.ACCEPTED}
    assert len(handler.received) == 60
    assert handler.sessions == 2


@BOTH
async def test_a_connection_is_renewed_after_many_messages(
    pipelining: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections_module, "MESSAGES_PER_CONNECTION", 10)
    handler = Handler(pipelining)
    async with mail_server(handler) as port, EmailChannel(settings(port, connections=1), CITY) as channel:
        outcomes = await send_to(channel, *(f"r{key}@example.org" for key in range(25)))
    assert {outcome.verdict for outcome in outcomes} == {Verdict.ACCEPTED}
    assert handler.sessions == 3


async def test_an_idle_connection_is_left_politely(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections_module, "IDLE_SECONDS", 0.1)
    handler = Handler()
    async with mail_server(handler) as port, EmailChannel(settings(port, connections=1), CITY) as channel:
        await send_to(channel, ADDRESS)
        await asyncio.sleep(0.3)
        assert handler.commands == ["QUIT"]
        (outcome,) = await send_to(channel, ADDRESS)
    assert outcome.verdict is Verdict.ACCEPTED


@BOTH
async def test_a_connection_the_server_closed_meanwhile_is_replaced(pipelining: bool) -> None:
    handler = Handler(pipelining)
    async with (
        mail_server(handler, timeout=0.2) as port,
        EmailChannel(settings(port, connections=1), CITY) as channel,
    ):
        first = await send_to(channel, ADDRESS)
        await asyncio.sleep(0.5)
        second = await send_to(channel, ADDRESS)
    assert [outcome.verdict for outcome in first + second] == [Verdict.ACCEPTED] * 2


async def test_nobody_listens_so_every_message_is_unreachable() -> None:
    async with mail_server(Handler()) as port:
        pass
    async with EmailChannel(settings(port), CITY) as channel:
        outcomes = await send_to(channel, *(f"r{key}@example.org" for key in range(50)))
    assert {outcome.verdict for outcome in outcomes} == {Verdict.UNREACHABLE}


@pytest.mark.parametrize(
    ("greeting", "verdict"),
    [
        ("421 4.7.0 too many connections from you", Verdict.THROTTLED),
        ("421 4.3.2 shutting down", Verdict.UNREACHABLE),
        ("554 5.7.1 your address is on a block list", Verdict.MISCONFIGURED),
        ("hello there", Verdict.UNREACHABLE),
    ],
)
async def test_a_server_that_greets_with_a_refusal(greeting: str, verdict: Verdict) -> None:
    async with (
        scripted_server(Script({}, greeting=greeting)) as port,
        EmailChannel(settings(port), CITY) as channel,
    ):
        outcomes = await send_to(channel, *(f"r{key}@example.org" for key in range(12)))
    assert {outcome.verdict for outcome in outcomes} == {verdict}


async def test_a_server_with_room_for_few_connections_still_gets_all_messages() -> None:
    class TwoAtMost(Script):
        async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            if self.sessions >= 2:
                writer.write(b"421 4.7.0 too many connections\r\n")
                writer.close()
                return
            await super().serve(reader, writer)

    script = TwoAtMost({})
    async with scripted_server(script) as port, EmailChannel(settings(port, connections=8), CITY) as channel:
        outcomes = await send_to(channel, *(f"r{key}@example.org" for key in range(100)))
    assert {outcome.verdict for outcome in outcomes} == {Verdict.ACCEPTED}
    assert script.bodies == 100


@BOTH
@pytest.mark.parametrize(
    ("line", "verdict"),
    [("MAIL", Verdict.UNREACHABLE), ("DATA", Verdict.UNREACHABLE), (".", Verdict.UNKNOWN)],
)
async def test_junk_instead_of_a_reply(pipelining: bool, line: str, verdict: Verdict) -> None:
    script = Script({line: "<html>this is no mail server</html>"}, pipelining)
    async with scripted_server(script) as port, EmailChannel(settings(port, connections=1), CITY) as channel:
        (outcome,) = await send_to(channel, ADDRESS)
    assert outcome.verdict is verdict


async def test_a_reply_without_end_is_cut_off() -> None:
    script = Script({"MAIL": "250-" + "x" * 200_000})
    async with scripted_server(script) as port, EmailChannel(settings(port, connections=1), CITY) as channel:
        (outcome,) = await send_to(channel, ADDRESS)
    assert outcome.verdict is Verdict.UNREACHABLE


@BOTH
@pytest.mark.parametrize(("line", "verdict"), [("RCPT", Verdict.UNREACHABLE), (".", Verdict.UNKNOWN)])
async def test_a_silent_server_is_given_up(
    pipelining: bool, line: str, verdict: Verdict, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("channels.email.protocol", "channels.email.connections"):
        monkeypatch.setattr(f"{module}.LAST_DOT_PATIENCE", 1.5)
    script = Script({line: None}, pipelining)
    quick = settings(connections=1).model_copy(update={"timeout": 0.2})
    async with (
        scripted_server(script) as port,
        EmailChannel(quick.model_copy(update={"port": port}), CITY) as channel,
    ):
        (outcome,) = await send_to(channel, ADDRESS)
    assert outcome.verdict is verdict


@BOTH
async def test_stopping_half_way_gives_no_outcome_to_what_is_in_flight(pipelining: bool) -> None:
    hold = asyncio.Event()
    handler = Handler(pipelining, hold=hold)
    async with mail_server(handler) as port, EmailChannel(settings(port, connections=1), CITY) as channel:
        rendering = channel.compose(TEXT)
        source = Messages(message(rendering, key) for key in range(5))
        outcomes: list[Outcome] = []

        async def run() -> None:
            async for outcome in channel.send(batch(source)):
                outcomes.append(outcome)

        task = asyncio.create_task(run())
        await asyncio.sleep(0.2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert outcomes == []
        assert len(source.pulled) <= 2
        hold.set()
        handler.hold = None
        (after,) = await send_to(channel, "later@example.org")
    assert after.verdict is Verdict.ACCEPTED


async def test_an_error_while_pulling_comes_out_and_loses_no_outcome() -> None:
    class Broken(Messages):
        async def __anext__(self):
            if len(self.pulled) == 3:
                raise RuntimeError("the database is gone")
            return await super().__anext__()

    async with mail_server(Handler()) as port, EmailChannel(settings(port, connections=1), CITY) as channel:
        rendering = channel.compose(TEXT)
        source = Broken(message(rendering, key) for key in range(5))
        outcomes: list[Outcome] = []

        async def run() -> None:
            async for outcome in channel.send(batch(source)):
                outcomes.append(outcome)

        with pytest.raises(RuntimeError, match="database is gone"):
            await run()
    assert source.pulled == [0, 1, 2]
    assert {outcome.key for outcome in outcomes} >= {0, 1}


INJECTIONS = [
    "ana@example.org>\r\nRCPT TO:<eve@example.org",
    "ana@example.org\nBcc: eve@example.org",
    "ana@example.org> SIZE=0",
    "ana diaz@example.org",
    "<ana@example.org>",
    "ana@example.org,eve@example.org",
    "ana@",
    "",
    "\x00@example.org",
    "a" * 65 + "@example.org",
    "ana@" + "x." * 200 + "org",
]


@pytest.mark.parametrize("address", INJECTIONS)
async def test_an_address_that_is_none_never_reaches_the_server(address: str) -> None:
    script = Script({})
    async with scripted_server(script) as port, EmailChannel(settings(port, connections=1), CITY) as channel:
        rendering = channel.compose(TEXT)
        first = message(rendering, 0, "x@example.org")
        bad = type(first)(1, address, (rendering,), "Ana", "t")
        outcomes = await send_all(channel, [bad, first])
    assert outcomes[1].verdict is Verdict.BAD_ADDRESS
    assert outcomes[0].verdict is Verdict.ACCEPTED
    assert not any("ana" in line or "eve" in line for line in script.lines)


@BOTH
async def test_an_address_beyond_ascii_needs_smtputf8(pipelining: bool) -> None:
    handler = Handler(pipelining)
    async with mail_server(handler) as port, EmailChannel(settings(port), CITY) as channel:
        (outcome,) = await send_to(channel, "josé@bücher.example")
    assert outcome.verdict is Verdict.ACCEPTED
    assert handler.received[0].recipients == ["josé@xn--bcher-kva.example"]
    assert handler.received[0].options == ["BODY=8BITMIME", "SMTPUTF8"]
    assert " <josé@xn--bcher-kva.example>\r\n".encode() in handler.received[0].content


@BOTH
async def test_without_smtputf8_such_an_address_is_bad_and_others_are_not(pipelining: bool) -> None:
    handler = Handler(pipelining)
    async with (
        mail_server(handler, enable_SMTPUTF8=False) as port,
        EmailChannel(settings(port), CITY) as channel,
    ):
        first, second = await send_to(channel, "josé@example.org", "ana@bücher.example")
    assert (first.verdict, first.code) == (Verdict.BAD_ADDRESS, "5.6.7")
    assert second.verdict is Verdict.ACCEPTED
    assert handler.received[0].recipients == ["ana@xn--bcher-kva.example"]


async def test_a_server_without_8bitmime_gets_seven_bits() -> None:
    handler = Handler()
    async with (
        mail_server(handler, decode_data=True, enable_SMTPUTF8=False) as port,
        EmailChannel(settings(port), CITY) as channel,
    ):
        (outcome,) = await send_to(channel, ADDRESS)
    assert outcome.verdict is Verdict.ACCEPTED
    assert handler.received[0].content.isascii()
    assert max(map(len, handler.received[0].content.splitlines())) <= 78


def _login(server: object, session: object, envelope: object, mechanism: str, data: object) -> AuthResult:
    known = (data.login, data.password) == (b"city", b"s3cret-w0rd")  # type: ignore[attr-defined]
    return AuthResult(success=known, handled=False)


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return certificate(tmp_path_factory.mktemp("tls"))


@BOTH
@pytest.mark.filterwarnings("ignore:Requiring AUTH")
@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_mail_leaves_over_tls_after_a_login(pipelining: bool, security: str, pem: Path) -> None:
    handler = Handler(pipelining)
    context = server_context(pem)
    options = {"auth_required": True, "authenticator": _login}
    if security == "starttls":
        options |= {"tls_context": context, "require_starttls": True}
    else:
        options |= {"tls": context, "auth_require_tls": False}
    async with mail_server(handler, **options) as port:
        login = settings(port, security=security, ca_file=pem, username="city", password="s3cret-w0rd")
        async with EmailChannel(login, CITY) as channel:
            outcomes = await send_to(channel, *(f"r{key}@example.org" for key in range(40)))
    assert {outcome.verdict for outcome in outcomes} == {Verdict.ACCEPTED}
    assert len(handler.received) == 40


async def test_a_wrong_password_blames_no_contact(pem: Path) -> None:
    options = {"auth_required": True, "authenticator": _login, "tls_context": server_context(pem)}
    async with mail_server(Handler(), **options) as port:
        login = settings(port, security="starttls", ca_file=pem, username="city", password="wrong-w0rd")
        async with EmailChannel(login, CITY) as channel:
            outcomes = await send_to(channel, ADDRESS, "b@example.org")
    assert {outcome.verdict for outcome in outcomes} == {Verdict.MISCONFIGURED}
    assert "wrong-w0rd" not in repr(outcomes)


async def test_a_certificate_of_nobody_we_know_is_our_settings_matter(pem: Path) -> None:
    async with (
        mail_server(Handler(), tls_context=server_context(pem)) as port,
        EmailChannel(settings(port, security="starttls"), CITY) as channel,
    ):
        (outcome,) = await send_to(channel, ADDRESS)
    assert outcome.verdict is Verdict.MISCONFIGURED
    assert "certificate" in outcome.detail


async def test_a_certificate_for_another_name_is_refused(tmp_path: Path) -> None:
    other = certificate(tmp_path, "DNS:elsewhere.example")
    async with (
        mail_server(Handler(), tls_context=server_context(other)) as port,
        EmailChannel(settings(port, security="starttls", ca_file=other), CITY) as channel,
    ):
        (outcome,) = await send_to(channel, ADDRESS)
    assert outcome.verdict is Verdict.MISCONFIGURED


async def test_no_mail_leaves_unencrypted_when_the_server_offers_no_starttls() -> None:
    handler = Handler()
    async with (
        mail_server(handler) as port,
        EmailChannel(settings(port, security="starttls"), CITY) as channel,
    ):
        (outcome,) = await send_to(channel, ADDRESS)
    assert outcome.verdict is Verdict.MISCONFIGURED
    assert handler.received == []


async def test_tls_spoken_to_a_port_without_it_is_our_settings_matter() -> None:
    async with mail_server(Handler()) as port, EmailChannel(settings(port, security="tls"), CITY) as channel:
        (outcome,) = await send_to(channel, ADDRESS)
    assert outcome.verdict is Verdict.MISCONFIGURED


@pytest.fixture
def everything_logged(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    for name in ("aiosmtplib", "asyncio", "channels", ""):
        caplog.set_level(logging.DEBUG, logger=name)
    caplog.set_level(logging.CRITICAL, logger="mail.log")  # the server's own
    return caplog


@BOTH
async def test_nothing_personal_and_no_secret_is_logged_or_told(
    pipelining: bool, everything_logged: pytest.LogCaptureFixture
) -> None:
    replies = {f"ana.diaz{key}@example.org": reply for key, (reply, _, _) in enumerate(REFUSALS)}
    handler = Handler(pipelining, rcpt=replies, data={"ana.diaz9@example.org": "drop"})
    async with mail_server(handler) as port, EmailChannel(settings(port), CITY) as channel:
        outcomes = await send_to(channel, *replies, "ana.diaz9@example.org", "ana.diaz@@example.org")
        told = repr(outcomes) + repr(message(channel.compose(TEXT), 1, ADDRESS)) + everything_logged.text
    for secret in ("ana.diaz", "Ana Díaz", "example.org", "token-"):
        assert secret not in told


async def test_the_date_is_the_citys_present() -> None:
    handler = Handler()
    async with mail_server(handler) as port, EmailChannel(settings(port), CITY) as channel:
        await send_to(channel, ADDRESS)
    date = parsedate_to_datetime(handler.received[0].parsed["Date"])
    assert date.utcoffset() is not None
    assert date.utcoffset().total_seconds() in (-4 * 3600, -5 * 3600)


def test_uvloop_sends_as_well_over_tls(pem: Path) -> None:
    async def scenario() -> list[Outcome]:
        async with mail_server(Handler(), tls_context=server_context(pem)) as port:
            changes = {"security": "starttls", "ca_file": pem}
            async with EmailChannel(settings(port, **changes), CITY) as channel:
                return await send_to(channel, *(f"r{key}@example.org" for key in range(100)))

    assert {outcome.verdict for outcome in uvloop.run(scenario())} == {Verdict.ACCEPTED}


async def test_a_repeat_has_the_same_message_id() -> None:
    handler = Handler()
    async with mail_server(handler) as port, EmailChannel(settings(port), CITY) as channel:
        for _ in range(2):
            await send_to(channel, ADDRESS)
    first, second = (mail.parsed["Message-ID"] for mail in handler.received)
    assert first == second == f"<{identity('D7', 0, 'token-0')}@riverton.example>"
