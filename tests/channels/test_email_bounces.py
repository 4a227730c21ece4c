"""Bounces, complaints, answers: what each mail is, what it proves, and mails that are built to do harm."""

from __future__ import annotations

import base64
import tracemalloc
from datetime import UTC, datetime

import pytest
from email_servers import CITY, TEXT, Messages, batch, settings
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st
from returned_mails import (
    RESIDENT,
    SERVERS,
    Bounce,
    comcast,
    complaint,
    headers_of,
    postfix,
    written,
    yahoo,
)

from channels.contract import Message, Verdict
from channels.email import EmailChannel, reports
from channels.email.codes import judge_report
from channels.email.identity import identity, proven
from channels.email.protocol import Mail as Wire
from channels.incoming import Kind, Mail, Unreadable

TOKEN = "token-of-ana-that-nobody-knows"
NAME = identity("D7", 17, TOKEN)


def sent(key: int = 17, token: str = "token-of-ana-that-nobody-knows", address: str = RESIDENT) -> bytes:
    """A mail of ours as the mail server gets it."""
    return envelope(key, token, address).body.removesuffix(b"\r\n.\r\n") + b"\r\n"


def envelope(key: int, token: str, address: str = RESIDENT, **changes: object) -> Wire:
    """The same with its envelope."""
    channel = EmailChannel(settings(**changes), CITY)
    message = Message(key, address, (channel.compose(TEXT),), "Ana Díaz", token)
    content = message.rendering.content
    return content.address(message, batch(Messages([])), datetime(2026, 11, 22, 3, tzinfo=UTC))  # type: ignore[attr-defined,no-any-return]


def token_of(key: int) -> str:
    return TOKEN if key == 17 else ""


def read(raw: bytes) -> Mail:
    return reports.read(raw, token_of)


@pytest.mark.parametrize("server", SERVERS, ids=lambda server: server.__name__)
@pytest.mark.parametrize(
    ("status", "said", "verdict"),
    [
        ("5.1.1", "550 5.1.1 <ana@example.org>: User unknown", Verdict.BAD_ADDRESS),
        ("5.1.10", "550 5.1.10 RESOLVER.ADR.RecipientNotFound", Verdict.BAD_ADDRESS),
        ("5.2.1", "550 5.2.1 The email account is disabled", Verdict.BAD_ADDRESS),
        ("5.2.2", "552 5.2.2 Over quota", Verdict.UNREACHABLE),
        ("5.7.1", "550 5.7.1 Blocked by our policy", Verdict.REFUSED),
        ("5.7.26", "550 5.7.26 Unauthenticated email is not accepted", Verdict.MISCONFIGURED),
    ],
)
def test_r16_every_servers_bounce_names_its_delivery_and_its_class(
    server: Bounce, status: str, said: str, verdict: Verdict
) -> None:
    found = read(server(sent(), RESIDENT, status, said))
    assert (found.kind, found.key, found.verdict) == (Kind.BOUNCE, 17, verdict)
    assert found.code == status
    assert found.address == RESIDENT
    assert "ana" not in found.detail


R16 = [
    ("2.0.0", Verdict.ACCEPTED),
    ("4.2.2", Verdict.UNREACHABLE),
    ("4.4.7", Verdict.UNREACHABLE),
    ("4.3.2", Verdict.UNREACHABLE),
    ("5.1.1", Verdict.BAD_ADDRESS),
    ("5.1.2", Verdict.BAD_ADDRESS),
    ("5.1.3", Verdict.BAD_ADDRESS),
    ("5.1.10", Verdict.BAD_ADDRESS),
    ("5.2.1", Verdict.BAD_ADDRESS),
    ("5.2.2", Verdict.UNREACHABLE),
    ("5.2.3", Verdict.REFUSED),
    ("5.3.4", Verdict.REFUSED),
    ("5.4.1", Verdict.REFUSED),
    ("5.6.0", Verdict.REFUSED),
    ("4.7.1", Verdict.REFUSED),  # policy blames no address, not even for now
    ("5.7.0", Verdict.REFUSED),
    ("5.7.1", Verdict.REFUSED),
    ("5.7.20", Verdict.MISCONFIGURED),
    ("5.7.23", Verdict.MISCONFIGURED),
    ("5.7.26", Verdict.MISCONFIGURED),
]


@pytest.mark.parametrize(("status", "verdict"), R16)
def test_r16_the_status_decides_who_is_to_blame(status: str, verdict: Verdict) -> None:
    assert judge_report(status).verdict is verdict


@given(st.integers(0, 999), st.sampled_from(["", "smtp; 550 no such user", "smtp; 554 unknown mailbox"]))
def test_r16_policy_never_marks_an_address(detail: int, said: str) -> None:
    for status in (f"5.7.{detail}", f"4.7.{detail}"):
        assert judge_report(status, said).verdict not in {Verdict.BAD_ADDRESS, Verdict.UNREACHABLE}


@pytest.mark.parametrize(
    ("status", "diagnostic", "code"),
    [
        ("5.0.0", "smtp; 550 5.1.1 no", "5.1.1"),
        ("5.0.0", "smtp; 550-5.1.1 The email account does not exist", "5.1.1"),
        ("", "smtp; 550 #5.1.0 Address rejected", "5.1.0"),
        ("5.0.0", "smtp; 550 user unknown", "550"),
        ("five", "x-unix; 550 no such mailbox", "550"),
    ],
)
def test_a_status_that_says_nothing_gives_way_to_what_the_last_server_said(
    status: str, diagnostic: str, code: str
) -> None:
    found = judge_report(status, diagnostic)
    assert (found.verdict, found.code) == (Verdict.BAD_ADDRESS, code)


def test_a_forged_bounce_proves_nothing() -> None:
    guessed = sent().replace(NAME.encode(), b"D7.17." + b"0" * 24)
    for original in (guessed, guessed.replace(b"D7.17." + b"0" * 24, b"D7.17"), sent(token="another")):
        found = read(postfix(original, RESIDENT, "5.1.1", "550 5.1.1 gone"))
        assert (found.kind, found.key) == (Kind.BOUNCE, None)
        assert found.address == RESIDENT


def test_the_proof_of_one_delivery_proves_no_other() -> None:
    other = sent().replace(NAME.encode(), NAME.replace("D7.17", "D7.18").encode())
    assert proven(other, lambda key: TOKEN) is None


def test_the_proof_shows_nothing_of_the_token() -> None:
    assert TOKEN[:6] not in NAME
    assert len(NAME.rpartition(".")[2]) == 24


@pytest.mark.parametrize("change", [str.lower, str.upper], ids=["lower", "upper"])
def test_a_name_is_known_after_a_server_changed_its_case(change: object) -> None:
    assert proven(change(NAME).encode(), token_of) == 17  # type: ignore[operator]


def test_a_bounce_that_returns_nothing_is_known_by_the_address_it_came_to() -> None:
    mail = envelope(17, TOKEN, return_path="bounces@riverton.example", return_tags=True)
    sender = f"bounces+{NAME}@riverton.example"
    assert f"MAIL FROM:<{sender}>\r\n".encode() in mail.envelope
    raw = postfix(b"", RESIDENT, "5.1.1", "550 5.1.1 gone").replace(
        b"To: bounces@", f"To: bounces+{NAME}@".encode()
    )
    assert read(raw).key == 17
    assert len(sender.partition("@")[0]) <= 64


def test_a_bounce_with_our_headers_rewritten_still_gives_the_token() -> None:
    original = b"\r\n".join(
        line
        for line in headers_of(sent()).split(b"\r\n")
        if not line.startswith((b"Message-ID", b"X-Notify"))
    )
    found = read(postfix(original, RESIDENT, "5.1.1", "550 5.1.1 gone"))
    assert (found.key, found.tokens) == (None, (TOKEN,))


def test_mail_that_leaves_names_its_bounce_address() -> None:
    assert (
        b"MAIL FROM:<back@riverton.example>\r\n"
        in envelope(1, "t", return_path="back@riverton.example").envelope
    )
    assert b"MAIL FROM:<news@riverton.example>\r\n" in envelope(1, "t").envelope


@pytest.mark.parametrize(
    ("action", "status", "kind"),
    [
        ("delayed", "4.4.1", Kind.DELAY),
        ("delivered", "2.0.0", Kind.DELIVERED),
        ("expanded", "2.1.5", Kind.DELIVERED),
        ("relayed", "2.0.0", Kind.AUTO_REPLY),
        ("failed", "4.4.7", Kind.BOUNCE),
        ("FAILED (permanently)", "5.1.1", Kind.BOUNCE),
        ("nonsense", "5.1.1", Kind.BOUNCE),
    ],
)
def test_the_action_tells_the_last_word_from_the_first(action: str, status: str, kind: Kind) -> None:
    assert read(postfix(sent(), RESIDENT, status, "451 try later", action)).kind is kind


def test_an_address_that_was_a_list_is_blamed_for_no_more_than_all_of_it() -> None:
    raw = postfix(sent(), RESIDENT, "5.1.1", "550 5.1.1 gone")
    second = b"\r\n\r\nFinal-Recipient: rfc822; other@example.org\r\nAction: %s\r\nStatus: %s\r\n"
    place = b"Diagnostic-Code: smtp; 550 5.1.1 gone\r\n"
    full = read(raw.replace(place, place + second % (b"failed", b"4.2.2")))
    assert (full.kind, full.verdict) == (Kind.BOUNCE, Verdict.UNREACHABLE)
    reached = read(raw.replace(place, place + second % (b"delivered", b"2.0.0")))
    assert (reached.kind, reached.verdict) == (Kind.DELIVERED, None)


@pytest.mark.parametrize("loop", [yahoo, comcast], ids=["yahoo", "comcast"])
@pytest.mark.parametrize(
    ("kind", "what"),
    [
        ("abuse", Kind.COMPLAINT),
        ("fraud", Kind.COMPLAINT),
        ("opt-out", Kind.COMPLAINT),
        ("not-spam", Kind.AUTO_REPLY),
        ("virus", Kind.UNCLEAR),
        ("auth-failure", Kind.UNCLEAR),
        ("dancing", Kind.UNCLEAR),
    ],
)
def test_r19_a_complaint_is_told_from_other_feedback(loop: object, kind: str, what: Kind) -> None:
    found = loop(sent(), kind=kind)  # type: ignore[operator]
    assert (read(found).kind, read(found).key, read(found).code) == (what, 17, kind)


def test_a_complaint_with_headers_only_and_nobody_named_is_known_by_what_we_put_there() -> None:
    raw = complaint(sent(), RESIDENT, agent="Loop/1", redacted=True, whole=False)
    assert RESIDENT.encode() not in raw
    assert read(raw).key == 17


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (written("Re: We stand with our neighbors", "Thank you, mayor."), Kind.REPLY),
        (written("", ""), Kind.REPLY),
        (written("Thanks", "yes", "Auto-Submitted: no"), Kind.REPLY),
        (
            written("Out of office", "Back on Monday", "Auto-Submitted: auto-replied (vacation)"),
            Kind.AUTO_REPLY,
        ),
        (written("Automatic reply", "Away", "Auto-Submitted: auto-generated"), Kind.AUTO_REPLY),
        (written("Abwesend", "Bis Montag", "X-Autoreply: yes"), Kind.AUTO_REPLY),
        (written("Away", "Away", "Precedence: auto_reply"), Kind.AUTO_REPLY),
        (written("News", "Our news", "List-Id: <news.example.org>"), Kind.AUTO_REPLY),
        (written("Please confirm your message", "Click", "Auto-Submitted: auto-replied"), Kind.CHALLENGE),
        (written("Your mail", "Click", "X-TMDA-Fingerprint: abc"), Kind.CHALLENGE),
        (written("I confirm that I will come", "See you"), Kind.REPLY),
        (written("failure notice", "Something broke.", sender="MAILER-DAEMON@example.org"), Kind.UNCLEAR),
        (written(f"unsubscribe {TOKEN}", ""), Kind.LEAVE),
        (written("Please unsubscribe me from this now", ""), Kind.REPLY),
    ],
)
def test_people_machines_and_filters_are_told_apart(raw: bytes, kind: Kind) -> None:
    assert read(raw).kind is kind


def test_a_read_receipt_is_no_answer() -> None:
    raw = postfix(sent(), RESIDENT, "2.0.0", "displayed").replace(
        b"delivery-status", b"disposition-notification"
    )
    assert read(raw).kind is Kind.AUTO_REPLY


def test_leaving_by_mail_carries_the_token_of_the_header() -> None:
    header = next(
        line for line in envelope(17, TOKEN, unsubscribe_mailto="leave@riverton.example").body.split(b"\r\n")
        if b"mailto:leave" in line
    )  # fmt: skip
    subject = header.partition(b"subject=")[2].rstrip(b">").replace(b"%20", b" ").decode()
    assert read(written(subject, "")).tokens == (TOKEN,)


def test_a_persons_answer_is_kept_without_what_it_quotes() -> None:
    raw = written(
        "=?utf-8?q?Gracias=2C_alcald=C3=ADa?=", "Mañana voy.\r\n\r\n> Stay away from Cedar Street.\r\n>\r\n"
    )
    found = read(raw)
    assert found.text == "Gracias, alcaldía\n\nMañana voy."
    assert "alcaldía" not in repr(found)
    assert RESIDENT not in repr(found)


def test_an_answer_in_html_alone_is_kept_as_text() -> None:
    raw = written("Hi", "<p>Is the <b>school</b> open?</p><script>alert(1)</script><p>A &amp; B</p>").replace(
        b"text/plain", b"text/html"
    )
    assert read(raw).text == "Hi\n\nIs the school open?\nA & B"


def test_an_answer_names_the_delivery_that_it_answers() -> None:
    raw = written("Re: x", "Yes", f"In-Reply-To: <{NAME}@riverton.example>", sender="Ana <work@example.net>")
    assert (read(raw).kind, read(raw).key) == (Kind.REPLY, 17)


# -- mails that are built to do harm


def nested(depth: int, kind: str) -> bytes:
    """A mail in a mail in a mail."""
    if kind == "rfc822":
        return b"Content-Type: message/rfc822\r\n\r\n" * depth + b"Subject: x\r\n\r\nx"
    levels = (
        f'Content-Type: multipart/mixed; boundary="b{n}"\r\n\r\n--b{n}\r\n'.encode() for n in range(depth)
    )
    return b"From: a@example.org\r\n" + b"".join(levels) + b"\r\nx"


HARMFUL = {
    "a thousand levels": nested(1000, "multipart"),
    "a thousand mails in mails": nested(1000, "rfc822"),
    "a thousand mails without a type of their own": b'Content-Type: multipart/digest; boundary="b"\r\n\r\n'
    + b"--b\r\n\r\n" * 5000,
    "a million parts": b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n' + b"--b\r\n" * 200_000,
    "a million parts by line feeds": b'Content-Type: multipart/mixed; boundary="b"\n\n' + b"--b\r" * 200_000,
    "a million headers": b"A:\r\n" * 250_000,
    "larger than any server takes": b"Subject: x\r\n\r\n" + b"x" * (33 * 1024 * 1024),
}


@pytest.mark.parametrize("raw", HARMFUL.values(), ids=HARMFUL)
def test_a_mail_built_to_do_harm_is_refused_before_it_is_parsed(raw: bytes) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(Unreadable):
            read(raw)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 40_000_000


ODD = {
    "fifty levels": nested(50, "multipart"),
    "fifty mails in mails": nested(50, "rfc822"),
    "a header without end": b"Subject: " + b"x" * 900_000 + b"\r\n\r\nx",
    "comments in comments": b"From: " + b"(" * 100_000 + b"\r\n\r\nx",
    "addresses without end": b"From: " + b"a@b.example, " * 50_000 + b"\r\n\r\nx",
    "an unknown charset": b"Content-Type: text/plain; charset=klingon\r\n\r\nx",
    "a charset that is no name": b"Content-Type: text/plain; charset*=x'y'%00\r\n\r\nx",
    "a charset that is no text": b"Content-Type: text/plain; charset=zlib_codec\r\n\r\nx",
    "broken base64": b"Content-Transfer-Encoding: base64\r\n\r\n====x",
    "broken encoded words": b"Subject: =?utf-8?b?////?= =?klingon?q?x?=\r\n\r\nx",
    "NUL bytes": b"Subject: a\x00b\r\n\r\nx\x00y",
    "nothing": b"",
    "no headers": b"\r\n\r\n",
    "a status part that is not one": b"Content-Type: message/delivery-status\r\n\r\n\x00\xff\xfe",
    "a report without its parts": b"Content-Type: multipart/report; boundary=b\r\n\r\n--b\r\n",
    "base64 in a status part": b"Content-Type: message/delivery-status\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    + base64.b64encode(b"Status: 5.1.1\r\nAction: failed\r\n"),
}


@pytest.mark.parametrize("raw", ODD.values(), ids=ODD)
def test_an_odd_mail_is_read_as_far_as_it_goes(raw: bytes) -> None:
    found = read(raw)
    assert found.key is None
    assert "\x00" not in found.text


def test_only_the_beginning_of_a_large_mail_is_parsed() -> None:
    raw = written("Photo", "See the photo.") + b"x" * 76 + b"\r\n" + (b"y" * 76 + b"\r\n") * 100_000
    assert read(raw).text.startswith("Photo\n\nSee the photo.")


def test_no_more_names_are_looked_up_than_a_mail_has_reason_to_hold() -> None:
    asked: list[int] = []
    raw = written("x", " ".join(f"D7.{key}.{key:024x}" for key in range(10_000)))
    reports.read(raw, lambda key: asked.append(key) or TOKEN)  # type: ignore[func-returns-value]
    assert len(asked) <= 20


@given(
    st.binary(max_size=2000)
    | st.lists(
        st.sampled_from(
            [b"From: ", b"Content-Type: multipart/report; boundary=b", b"\r\n", b"\r\n\r\n", b"--b\r\n", b"--b--",
             b"Content-Type: message/delivery-status", b"Content-Type: message/feedback-report", b"Status: 5.1.1",
             b"Action: failed", b"Feedback-Type: abuse", b"Content-Type: message/rfc822", b"X-Failed-Recipients: a@b.c",
             b"Subject: unsubscribe " + TOKEN.encode(), b"Return-Path: <>", b"=?utf-8?q?x?=", b"\xff", b"550 5.1.1 x"]
        ),
        max_size=40,
    ).map(b"".join)
)  # fmt: skip
@effort(max_examples=400, deadline=None)
def test_whatever_comes_is_read_or_refused_and_proves_nothing(raw: bytes) -> None:
    try:
        found = read(raw)
    except Unreadable:
        return
    assert found.key is None
    assert (found.verdict is not None) == (found.kind is Kind.BOUNCE)
