"""What `notify doctor` finds out about a mail server and a mail domain, without sending anything (R19)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import dns.asyncresolver
import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest
from certificates import certificate
from email_servers import (
    CITY,
    TEXT,
    Handler,
    Script,
    mail_server,
    scripted_server,
    server_context,
    settings,
)

from channels.contract import (
    AddressKind,
    CallbackRefused,
    CallbackRequest,
    Event,
    EventKind,
    Finding,
    Level,
    Message,
)
from channels.email import EmailChannel
from channels.email.domain import check
from channels.registry import available


class NameServer(asyncio.DatagramProtocol):
    """A DNS server that knows some TXT records; made of dnspython's own messages."""

    def __init__(self, records: dict[str, list[str]]) -> None:
        self.records = records

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self.transport = transport

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        query = dns.message.from_wire(data)
        reply = dns.message.make_response(query)
        reply.flags |= dns.flags.RA
        name = query.question[0].name
        texts = self.records.get(name.to_text().rstrip("."))
        if texts is None:
            reply.set_rcode(dns.rcode.NXDOMAIN)
        else:
            quoted = [
                " ".join(f'"{text[at : at + 200]}"' for at in range(0, len(text), 200)) for text in texts
            ]
            reply.answer.append(dns.rrset.from_text(name, 60, "IN", "TXT", *quoted))
        self.transport.sendto(reply.to_wire(), address)


@asynccontextmanager
async def name_server(records: dict[str, list[str]]) -> AsyncIterator[dns.asyncresolver.Resolver]:
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(
        lambda: NameServer(records), local_addr=("127.0.0.1", 0)
    )
    resolver = dns.asyncresolver.Resolver(configure=False)
    resolver.nameservers = ["127.0.0.1"]
    resolver.port = transport.get_extra_info("sockname")[1]
    resolver.lifetime = 3
    try:
        yield resolver
    finally:
        transport.close()


GOOD = {
    "news.riverton.gov": ["some-verification=1", "v=spf1 include:mail.provider.net -all"],
    "_dmarc.riverton.gov": ["v=DMARC1; p=none"],
    "m26._domainkey.news.riverton.gov": ["v=DKIM1; k=rsa; p=" + "A" * 390],
}


def levels(findings: list[Finding]) -> dict[str, Level]:
    return {finding.subject: finding.level for finding in findings}


async def examine(records: dict[str, list[str]], selector: str | None = "m26") -> dict[str, Level]:
    async with name_server(records) as resolver:
        findings = await check("news.riverton.gov", selector, resolver)
    assert all(finding.cure for finding in findings if finding.level is not Level.OK)
    return levels(list(findings))


async def test_r19_a_domain_with_spf_dkim_and_dmarc_is_fine() -> None:
    assert await examine(GOOD) == {"SPF": Level.OK, "DMARC": Level.OK, "DKIM": Level.OK}


@pytest.mark.parametrize(
    ("name", "subject"),
    [
        ("news.riverton.gov", "SPF"),
        ("_dmarc.riverton.gov", "DMARC"),
        ("m26._domainkey.news.riverton.gov", "DKIM"),
    ],
)
async def test_r19_a_missing_record_fails_the_launch(name: str, subject: str) -> None:
    found = await examine({key: texts for key, texts in GOOD.items() if key != name})
    assert [key for key, level in found.items() if level is Level.ERROR] == [subject]


async def test_two_spf_records_count_as_none() -> None:
    found = await examine({**GOOD, "news.riverton.gov": ["v=spf1 -all", "v=spf1 mx -all"]})
    assert found["SPF"] is Level.ERROR


async def test_a_revoked_key_is_none() -> None:
    found = await examine({**GOOD, "m26._domainkey.news.riverton.gov": ["v=DKIM1; p="]})
    assert found["DKIM"] is Level.ERROR


async def test_without_a_selector_a_person_is_asked_to_look() -> None:
    assert (await examine(GOOD, selector=None))["DKIM"] is Level.WARNING


async def test_without_a_network_there_is_a_warning_and_no_crash() -> None:
    resolver = dns.asyncresolver.Resolver(configure=False)
    resolver.nameservers = ["127.0.0.1"]
    resolver.port = 1
    resolver.lifetime = 0.3
    (finding,) = await check("news.riverton.gov", None, resolver)
    assert finding.level is Level.WARNING
    assert finding.cure


async def test_a_name_for_practice_is_not_looked_up() -> None:
    (finding,) = await check("riverton.example", None)
    assert finding.level is Level.WARNING


async def test_a_server_that_answers_is_fine_and_gets_no_mail() -> None:
    handler = Handler()
    async with mail_server(handler) as port:
        finding = await server_finding(EmailChannel(settings(port), CITY))
    assert finding.level is Level.OK
    assert handler.received == []
    assert handler.commands == ["QUIT"]


async def test_a_server_finding_names_the_setting_to_look_at(tmp_path: Path) -> None:
    pem = certificate(tmp_path)
    async with mail_server(Handler(), tls_context=server_context(pem)) as port:
        unknown = await server_finding(EmailChannel(settings(port, security="starttls"), CITY))
        no_login = await server_finding(
            EmailChannel(
                settings(port, security="starttls", ca_file=pem, username="a", password="pw-x"), CITY
            )
        )
    nobody = await server_finding(EmailChannel(settings(port), CITY))
    assert (unknown.level, "NOTIFY_EMAIL__CA_FILE" in unknown.cure) == (Level.ERROR, True)
    assert (no_login.level, "NOTIFY_EMAIL__PASSWORD" in no_login.cure) == (Level.ERROR, True)
    assert (nobody.level, "NOTIFY_EMAIL__HOST" in nobody.cure) == (Level.ERROR, True)
    assert "pw-x" not in repr((unknown, no_login, nobody))


async def test_junk_instead_of_a_mail_server_is_a_finding() -> None:
    async with scripted_server(Script({}, greeting="HTTP/1.1 400 Bad Request")) as port:
        finding = await server_finding(EmailChannel(settings(port), CITY))
    assert finding.level is Level.ERROR


async def server_finding(channel: EmailChannel) -> Finding:
    return next(finding for finding in await channel.check() if finding.subject.startswith("mail server"))


async def test_what_the_citys_settings_lack_is_found() -> None:
    async with mail_server(Handler()) as port:
        bare = replace(CITY, public_url="", postal_address=())
        found = levels(list(await EmailChannel(settings(port), bare).check()))
    assert found["unsubscribe link"] is Level.ERROR
    assert found["postal address"] is Level.WARNING


def test_email_has_no_callbacks() -> None:
    channel = EmailChannel(settings(), CITY)
    with pytest.raises(CallbackRefused):
        channel.read_callback(CallbackRequest("https://notify.riverton.example/hooks/email", {}, b""))
    assert channel.answer(Event(EventKind.REPLY), "thanks").body == b""


async def test_nobody_can_tell_what_became_of_an_unknown_message() -> None:
    channel = EmailChannel(settings(), CITY)
    message = Message(1, "ana@example.org", (channel.compose(TEXT),))
    assert await channel.reconcile(message, datetime.now(UTC)) is None
    assert channel.repeat_is_safe


def test_the_channel_describes_itself() -> None:
    assert available()["email"] is EmailChannel
    assert (EmailChannel.address_kind, EmailChannel.unit) == (AddressKind.EMAIL, "messages")
    assert EmailChannel(settings(rate=14), CITY).rate == 14
