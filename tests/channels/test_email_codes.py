"""R16: what a reply means for the message, the contact and the channel."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.contract import Verdict
from channels.email.codes import MEANINGS, PERMANENT, RETRY_AFTER, Ending, Reply, Stage, judge, outcome

ACCEPTED, BAD, THROTTLED = Verdict.ACCEPTED, Verdict.BAD_ADDRESS, Verdict.THROTTLED
UNREACHABLE, UNKNOWN, REFUSED = Verdict.UNREACHABLE, Verdict.UNKNOWN, Verdict.REFUSED
OURS = Verdict.MISCONFIGURED
CONNECT, SECURE, LOGIN, MAIL = Stage.CONNECT, Stage.SECURE, Stage.LOGIN, Stage.MAIL
RCPT, DATA, BODY = Stage.RCPT, Stage.DATA, Stage.BODY

REPLIES = [
    # the recipient's own fault
    (RCPT, "550 5.1.1 <x@y.example>: Recipient address rejected: User unknown", BAD),
    (RCPT, "550 5.1.2 no such domain", BAD),
    (RCPT, "501 5.1.3 bad syntax", BAD),
    (RCPT, "550 5.1.6 moved", BAD),
    (RCPT, "556 5.1.10 null MX", BAD),
    (RCPT, "550 5.2.1 disabled", BAD),
    (BODY, "550 5.1.1 no such user", BAD),
    (RCPT, "553 5.6.7 non-ASCII addresses not permitted", BAD),
    (RCPT, "550 no such user here", BAD),
    (RCPT, "550 Requested action not taken: mailbox unavailable", BAD),
    (RCPT, "550 The email account that you tried to reach does not exist", BAD),
    (RCPT, "551 user not local", BAD),
    (RCPT, "553 mailbox name not allowed", BAD),
    (RCPT, "556 domain takes no mail", BAD),
    # come back later
    (RCPT, "450 4.2.1 mailbox busy", UNREACHABLE),
    (RCPT, "452 4.2.2 over quota", UNREACHABLE),
    (RCPT, "552 5.2.2 mailbox full", UNREACHABLE),
    (RCPT, "552 storage exceeded", UNREACHABLE),
    (RCPT, "450 4.7.1 greylisted, try again in 300 seconds", UNREACHABLE),
    (RCPT, "451 local error in processing", UNREACHABLE),
    (RCPT, "450 4.1.1 unverified address: corporate operator", UNREACHABLE),
    (RCPT, "450 5.1.1 confused", UNREACHABLE),
    (RCPT, "550 4.1.1 confused the other way", UNREACHABLE),
    (MAIL, "452 4.3.1 insufficient storage", UNREACHABLE),
    (BODY, "451 4.3.0 queue file write error", UNREACHABLE),
    (CONNECT, "421 4.3.2 shutting down", UNREACHABLE),
    (SECURE, "454 4.7.0 TLS not available due to temporary reason", UNREACHABLE),
    (LOGIN, "454 4.7.0 temporary authentication failure", UNREACHABLE),
    # slower
    (RCPT, "450 4.7.1 Error: too much mail from 192.0.2.1", THROTTLED),
    (RCPT, "451 4.7.0 sending rate exceeded", THROTTLED),
    (MAIL, "454 Throttling failure: Maximum sending rate exceeded.", THROTTLED),
    (CONNECT, "421 4.7.0 too many connections from you", THROTTLED),
    (BODY, "421 4.7.28 unusual amount of mail", THROTTLED),
    (RCPT, "550 5.4.5 daily sending quota exceeded", THROTTLED),
    # this content, this recipient; policy never marks the contact
    (RCPT, "550 5.7.1 blocked", REFUSED),
    (BODY, "554 5.7.1 looks like spam: no such thing as a user unknown", REFUSED),
    (BODY, "550 5.7.0 policy", REFUSED),
    (BODY, "552 5.3.4 too big", REFUSED),
    (BODY, "554 5.6.0 bad content", REFUSED),
    (RCPT, "550 5.4.4 unable to route", REFUSED),
    (RCPT, "550 5.2.3 too long", REFUSED),
    (BODY, "550 message content rejected", REFUSED),
    (RCPT, "554 no", REFUSED),
    (RCPT, "550 no", REFUSED),
    (DATA, "554 no valid recipients", REFUSED),
    (BODY, "599 7 a code nobody knows", REFUSED),
    # our fault
    (RCPT, "554 5.7.1 <x@y.example>: Relay access denied", OURS),
    (RCPT, "550 relaying not allowed", OURS),
    (RCPT, "550 5.7.1 Unable to relay for x@y.example", OURS),
    (RCPT, "553 5.7.1 <news@c.example>: Sender address rejected: not owned by user", OURS),
    (RCPT, "554 5.7.1 Client host rejected: Access denied", OURS),
    (RCPT, "550 5.1.8 sender domain not found", OURS),
    (RCPT, "530 5.7.0 authentication required", OURS),
    (BODY, "550 5.7.26 this mail is unauthenticated", OURS),
    (MAIL, "550 5.7.1 not as this sender", OURS),
    (MAIL, "553 bad sender", OURS),
    (LOGIN, "535 5.7.8 wrong password", OURS),
    (LOGIN, "534 5.7.9 mechanism too weak", OURS),
    (CONNECT, "554 no mail service for you", OURS),
    # accepted
    (BODY, "250 2.0.0 Ok: queued as 4XYZ", ACCEPTED),
    (BODY, "250 ok", ACCEPTED),
]


@pytest.mark.parametrize(("stage", "line", "verdict"), REPLIES, ids=[line for _, line, _ in REPLIES])
def test_r16_a_reply_comes_to_its_verdict(stage: Stage, line: str, verdict: Verdict) -> None:
    assert judge(Ending(stage, Reply(int(line[:3]), line[4:]))) is verdict


@pytest.mark.parametrize("stage", list(Stage))
def test_without_a_reply_only_a_body_may_have_been_accepted(stage: Stage) -> None:
    assert judge(Ending(stage)) is (UNKNOWN if stage is BODY else UNREACHABLE)


@given(st.sampled_from([RCPT, DATA, BODY]), st.integers(500, 599), st.integers(0, 99), st.text(max_size=50))
def test_r16_policy_never_marks_a_contact(stage: Stage, code: int, detail: int, text: str) -> None:
    assert judge(Ending(stage, Reply(code, f"5.7.{detail} {text}"))) is not BAD


@given(st.sampled_from(list(Stage)), st.integers(400, 499), st.text(max_size=80))
def test_r16_a_transient_reply_is_never_permanent(stage: Stage, code: int, text: str) -> None:
    assert judge(Ending(stage, Reply(code, text))) in (UNREACHABLE, THROTTLED)


@given(st.sampled_from(list(Stage)), st.integers(0, 999), st.text(max_size=80))
def test_any_reply_has_an_outcome(stage: Stage, code: int, text: str) -> None:
    found = outcome(1, Ending(stage, Reply(code, text)))
    assert (found.verdict is ACCEPTED) == (stage is BODY and 200 <= code < 300)
    assert found.verdict is ACCEPTED or found.detail


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("4.7.1 rate limited, come back in 90 seconds", 90),
        ("4.7.1 rate limited, come back in 5 minutes", 300),
        ("4.7.1 rate limited, come back in 99999 minutes", 3600),
        ("4.7.1 rate limited", RETRY_AFTER),
    ],
)
def test_a_throttled_outcome_says_how_long_to_wait(text: str, seconds: float) -> None:
    assert outcome(1, Ending(RCPT, Reply(450, text))).retry_after == seconds


@pytest.mark.parametrize("stage", [RCPT, DATA, BODY])
@pytest.mark.parametrize("code", ["5.1.1", "5.2.2", "5.7.1", "5.0.0", ""])
def test_a_detail_repeats_nothing_personal(stage: Stage, code: str) -> None:
    text = f"{code} <ana.diaz@example.org>: Ana Díaz is not here, see https://mail.example/help?id=7"
    found = outcome(1, Ending(stage, Reply(550, text)))
    assert "see https://mail.example/help?id=7" in found.detail
    for secret in ("ana", "Ana", "Díaz", "example.org"):
        assert secret not in found.detail


def test_a_detail_tells_what_the_server_said_about_ourselves() -> None:
    found = outcome(1, Ending(MAIL, Reply(550, "5.7.1 news@riverton.example may not\nsend from 192.0.2.1")))
    assert found.detail.endswith("the server says: 5.7.1 … may not send from 192.0.2.1")
    assert found.code == "5.7.1"


@pytest.mark.parametrize(
    ("text", "provider_id"),
    [
        ("2.0.0 Ok: queued as 4XYZ12", "4XYZ12"),
        ("OK id=1tAbCd-000000012-AbCd", "1tAbCd-000000012-AbCd"),
        ("2.0.0 OK", "D7.1@riverton.example"),
    ],
)
def test_an_accepted_message_is_known_by_the_queue_id_or_its_message_id(text: str, provider_id: str) -> None:
    assert outcome(1, Ending(BODY, Reply(250, text)), "D7.1@riverton.example").provider_id == provider_id


def test_every_verdict_in_the_table_has_its_words() -> None:
    for subject in PERMANENT:
        assert subject in MEANINGS or subject.partition(".")[0] in MEANINGS
