"""Mail that a real Postfix could not get rid of, as it comes back."""

from __future__ import annotations

import asyncio

import pytest
from email_servers import CITY, TEXT, message, send_all, settings, smtp_sink
from postfix_servers import postfix

from channels.contract import Verdict
from channels.email import EmailChannel, reports
from channels.email.identity import identity
from channels.incoming import Kind

pytestmark = pytest.mark.slow


def token_of(key: int) -> str:
    return f"token-{key}"


@pytest.mark.parametrize("tags", [False, True], ids=["one address", "an address for each mail"])
@pytest.mark.parametrize(
    ("reply", "verdict", "code"),
    [
        ("550 5.1.1 no such user", Verdict.BAD_ADDRESS, "5.1.1"),
        ("552 5.2.2 mailbox full", Verdict.UNREACHABLE, "5.2.2"),
        ("550 5.7.1 blocked", Verdict.REFUSED, "5.7.1"),
        ("550 no such user here", Verdict.BAD_ADDRESS, "550"),
    ],
)
async def test_r16_what_postfix_sends_back_names_each_delivery_and_what_became_of_it(
    reply: str, verdict: Verdict, code: str, tags: bool
) -> None:
    with smtp_sink("-f", "RCPT", "-B", reply) as (sink, _), postfix(sink) as server:
        own = settings(server.port, return_path="bounces@riverton.example", return_tags=tags)
        async with EmailChannel(own, CITY) as channel:
            rendering = channel.compose(TEXT)
            outcomes = await send_all(channel, [message(rendering, key) for key in range(3)])
        assert {outcome.verdict for outcome in outcomes.values()} == {Verdict.ACCEPTED}
        raw = await asyncio.to_thread(server.bounced, 3)
    found = [reports.read(mail, token_of) for mail in raw]
    assert {(mail.kind, mail.verdict, mail.code) for mail in found} == {(Kind.BOUNCE, verdict, code)}
    assert sorted(mail.key for mail in found if mail.key is not None) == [0, 1, 2]
    assert sorted(mail.address for mail in found) == [f"resident{key}@example.org" for key in range(3)]
    assert all((f"bounces+{identity('D7', key, token_of(key))}@" in str(raw)) == tags for key in range(3))
