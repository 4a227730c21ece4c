"""The channel against Postfix's smtp-sink, in the moods that it can take on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from email import message_from_bytes, policy
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from email_servers import CITY, TEXT, message, send_all, settings, smtp_sink

from channels.contract import Verdict
from channels.email import EmailChannel
from channels.email.identity import identity

pytestmark = pytest.mark.slow


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that smtp-sink may write to after it has given up root's rights."""
    with TemporaryDirectory() as folder:
        path = Path(folder)
        path.chmod(0o777)
        yield path


@pytest.mark.parametrize("options", [[], ["-p"], ["-8", "-E"], ["-e"]], ids=["all", "-p", "-8 -E", "-e"])
async def test_a_thousand_mails_arrive_whole_and_once(options: list[str], open_folder: Path) -> None:
    with smtp_sink(*options, folder=open_folder) as (port, _):
        async with EmailChannel(settings(port), CITY) as channel:
            rendering = channel.compose(TEXT)
            outcomes = await send_all(channel, [message(rendering, key) for key in range(1000)], timeout=60)
    assert Counter(outcome.verdict for outcome in outcomes.values()) == {Verdict.ACCEPTED: 1000}
    found = Counter()
    for path in open_folder.iterdir():
        mail = message_from_bytes(path.read_bytes(), policy=policy.default)
        key = mail["To"].addresses[0].username.removeprefix("resident")
        assert mail["Message-ID"] == f"<{identity('D7', int(key), f'token-{key}')}@riverton.example>"
        assert mail["X-Rcpt-Args"] == f"<resident{key}@example.org>"
        plain = mail.get_body(("plain",)).get_content()
        assert f"/u/token-{key}\n" in plain
        assert "\n.a line with a leading dot\n" in plain
        found[key] += 1
    assert found == {str(key): 1 for key in range(1000)}


@pytest.mark.parametrize(
    ("options", "verdict"),
    [
        (["-r", "RCPT"], Verdict.UNREACHABLE),
        (["-f", "RCPT", "-B", "550 5.1.1 no such user"], Verdict.BAD_ADDRESS),
        (["-f", "RCPT", "-B", "550 5.7.1 blocked"], Verdict.REFUSED),
        (["-f", "MAIL", "-B", "550 5.7.1 not you"], Verdict.MISCONFIGURED),
        (["-f", "DATA", "-B", "554 5.5.1 no"], Verdict.REFUSED),
        (["-r", ".", "-b", "450 4.7.1 rate limit exceeded"], Verdict.THROTTLED),
        (["-f", ".", "-B", "554 5.6.0 no such content"], Verdict.REFUSED),
        (["-q", "CONNECT"], Verdict.UNREACHABLE),
        (["-q", "MAIL"], Verdict.UNREACHABLE),
        (["-q", "DATA"], Verdict.UNREACHABLE),
        (["-q", "."], Verdict.UNKNOWN),
        (["-Q", "RCPT"], Verdict.UNREACHABLE),
        (["-Q", "."], Verdict.UNREACHABLE),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else str(value),
)
@pytest.mark.parametrize("announce", [[], ["-p"]], ids=["pipelined", "stepwise"])
async def test_each_mood_has_its_verdict(announce: list[str], options: list[str], verdict: Verdict) -> None:
    with smtp_sink(*announce, *options) as (port, _):
        async with EmailChannel(settings(port, connections=3), CITY) as channel:
            rendering = channel.compose(TEXT)
            outcomes = await send_all(channel, [message(rendering, key) for key in range(20)], timeout=60)
    assert len(outcomes) == 20
    assert {outcome.verdict for outcome in outcomes.values()} == {verdict}


@pytest.mark.parametrize("announce", [[], ["-p"]], ids=["pipelined", "stepwise"])
async def test_a_server_that_hangs_up_instead_of_reading_has_accepted_nothing(announce: list[str]) -> None:
    with smtp_sink(*announce, "-A", "0") as (port, _):
        async with EmailChannel(settings(port, connections=3), CITY) as channel:
            rendering = channel.compose(TEXT)
            outcomes = await send_all(channel, [message(rendering, key) for key in range(20)], timeout=60)
    # What exactly is told depends on whether the 550 or the end of the connection is seen first.
    possible = {Verdict.REFUSED, Verdict.UNREACHABLE, Verdict.UNKNOWN}
    assert len(outcomes) == 20
    assert {outcome.verdict for outcome in outcomes.values()} <= possible
