"""Bounces and complaints as mail servers and mailbox providers write them, made for tests from their formats.

Each function takes a mail of ours as it was sent and returns the mail that comes back. Nobody in them exists.
"""

from __future__ import annotations

from collections.abc import Callable

RESIDENT = "ana@example.org"
BOUNCES = "bounces@riverton.example"
Bounce = Callable[[bytes, str, str, str], bytes]


def headers_of(mail: bytes) -> bytes:
    """The headers alone, as some servers return no more."""
    return mail.partition(b"\r\n\r\n")[0] + b"\r\n"


def _lines(*lines: str) -> bytes:
    return "\r\n".join(lines).encode() + b"\r\n"


def _report(head: list[str], human: str, fields: list[str], returned: bytes, kind: str, how: str) -> bytes:
    return b"".join(
        (
            _lines(
                *head,
                "MIME-Version: 1.0",
                f'Content-Type: multipart/report; report-type={kind}; boundary="=_b1"',
                "",
                "This is a MIME-encapsulated message.",
                "",
                "--=_b1",
                "Content-Type: text/plain; charset=us-ascii",
                "",
                human,
                "",
                "--=_b1",
                f"Content-Type: message/{kind}",
                "",
                *fields,
                "",
                "--=_b1",
                f"Content-Type: {how}",
                "",
            ),
            returned,
            _lines("", "--=_b1--"),
        )
    )


def postfix(mail: bytes, address: str, status: str, said: str, action: str = "failed") -> bytes:
    """Postfix: all of the mail."""
    return _report(
        [
            "Return-Path: <>",
            "Received: by mx.riverton.example (Postfix) id 4BXyz; Sun, 22 Nov 2026 03:00:02 +0000 (UTC)",
            "From: MAILER-DAEMON@mx.riverton.example (Mail Delivery System)",
            "Subject: Undelivered Mail Returned to Sender",
            f"To: {BOUNCES}",
            "Auto-Submitted: auto-replied",
            "Message-Id: <20261122030002.4BXyz@mx.riverton.example>",
        ],
        f"<{address}>: host mx.example.org[192.0.2.7] said: {said} (in reply to RCPT TO command)",
        [
            "Reporting-MTA: dns; mx.riverton.example",
            "X-Postfix-Queue-ID: 4BXyz",
            f"X-Postfix-Sender: rfc822; {BOUNCES}",
            "Arrival-Date: Sun, 22 Nov 2026 03:00:01 +0000 (UTC)",
            "",
            f"Final-Recipient: rfc822; {address}",
            f"Original-Recipient: rfc822;{address}",
            f"Action: {action}",
            f"Status: {status}",
            "Remote-MTA: dns; mx.example.org",
            f"Diagnostic-Code: smtp; {said}",
        ],
        mail,
        "delivery-status",
        "message/rfc822",
    )


def exim(mail: bytes, address: str, status: str, said: str) -> bytes:
    """Exim 4.90 and later: the headers only, and a generic status where it made none of its own."""
    return _report(
        [
            "Return-path: <>",
            f"X-Failed-Recipients: {address}",
            "Auto-Submitted: auto-replied",
            "From: Mail Delivery System <Mailer-Daemon@mx.riverton.example>",
            f"To: {BOUNCES}",
            "References: <unrelated@riverton.example>",
            "Subject: Mail delivery failed: returning message to sender",
        ],
        "This message was created automatically by mail delivery software.",
        [
            "Reporting-MTA: dns; mx.riverton.example",
            "",
            "Action: failed",
            f"Final-Recipient: rfc822;{address}",
            f"Status: {status[0]}.0.0",
            "Remote-MTA: dns; mx.example.org",
            f"Diagnostic-Code: smtp; {said}",
        ],
        headers_of(mail),
        "delivery-status",
        "text/rfc822-headers",
    )


def exchange(mail: bytes, address: str, status: str, said: str) -> bytes:
    """Exchange Online (Microsoft 365): an HTML report beside the text, long host names."""
    return _report(
        [
            "From: <postmaster@riverton.example>",
            f"To: <{BOUNCES}>",
            "Subject: Undeliverable: We stand with our neighbors",
            "Auto-Submitted: auto-generated",
            "X-MS-Exchange-Message-Is-Ndr:",
            "Content-Language: en-US",
        ],
        f"Your message to {address} couldn't be delivered.",
        [
            "Reporting-MTA: dns;AM0PR00MB0000.eurprd00.prod.outlook.com",
            "Received-From-MTA: dns;mail.riverton.example",
            "Arrival-Date: Sun, 22 Nov 2026 03:00:01 +0000",
            "",
            f"Final-Recipient: rfc822;{address}",
            "Action: failed",
            f"Status: {status}",
            f"Diagnostic-Code: smtp;{said}",
            f"X-Display-Name: {address}",
        ],
        mail,
        "delivery-status",
        "message/rfc822",
    )


def gmail(mail: bytes, address: str, status: str, said: str) -> bytes:
    """Gmail: the delivery status before a returned part of headers, `Last-Attempt-Date`, folded diagnostics."""
    return _report(
        [
            "Return-Path: <>",
            "From: Mail Delivery Subsystem <mailer-daemon@googlemail.com>",
            f"To: {BOUNCES}",
            "Auto-Submitted: auto-replied",
            "Subject: Delivery Status Notification (Failure)",
            f"X-Failed-Recipients: {address}",
        ],
        "** Address not found **",
        [
            "Reporting-MTA: dns; googlemail.com",
            "Arrival-Date: Sat, 21 Nov 2026 19:00:01 -0800 (PST)",
            "X-Original-Message-ID: <something@riverton.example>",
            "",
            f"Final-Recipient: rfc822; {address}",
            "Action: failed",
            f"Status: {status}",
            "Remote-MTA: dns; gmail-smtp-in.l.google.com. (192.0.2.26, the server for the domain gmail.com.)",
            f"Diagnostic-Code: smtp; {said}",
            f" {status} Learn more at https://support.google.com/mail/?p=NoSuchUser",
            "Last-Attempt-Date: Sat, 21 Nov 2026 19:00:02 -0800 (PST)",
        ],
        headers_of(mail),
        "delivery-status",
        "text/rfc822-headers",
    )


def amazon_ses(mail: bytes, address: str, status: str, said: str) -> bytes:
    """Amazon SES: it has replaced our Message-ID by its own before the mail left."""
    lines = mail.split(b"\r\n")
    own = b"Message-ID: <0100018f0000-aaaa-000000@email.amazonses.com>"
    replaced = b"\r\n".join(own if line.startswith(b"Message-ID:") else line for line in lines)
    return _report(
        [
            "Return-Path: <>",
            "From: MAILER-DAEMON@amazonses.com",
            f"To: {BOUNCES}",
            "Subject: Delivery Status Notification (Failure)",
        ],
        f"An error occurred while trying to deliver the mail to the following recipients:\r\n{address}",
        [
            "Reporting-MTA: dns; a8-31.smtp-out.amazonses.com",
            "",
            "Action: failed",
            f"Final-Recipient: rfc822; {address}",
            f"Diagnostic-Code: smtp; {said}",
            f"Status: {status}",
        ],
        replaced,
        "delivery-status",
        "message/rfc822",
    )


def old_exim(mail: bytes, address: str, status: str, said: str) -> bytes:
    """Exim before 4.90: text only, with the failed recipient in a header."""
    head = _lines(
        "Return-path: <>",
        f"X-Failed-Recipients: {address}",
        "From: Mail Delivery System <Mailer-Daemon@mx.riverton.example>",
        f"To: {BOUNCES}",
        "Subject: Mail delivery failed: returning message to sender",
        "",
        "A message that you sent could not be delivered to one or more of its recipients.",
        "",
        f"  {address}",
        f"    SMTP error from remote mail server after RCPT TO:<{address}>:",
        "    host mx.example.org [192.0.2.7]:",
        f"    {said}",
        "",
        "------ This is a copy of the message, including all the headers. ------",
        "",
    )
    return head + mail


def qmail(mail: bytes, address: str, status: str, said: str) -> bytes:
    """qmail: text only, the code behind a sharp sign."""
    head = _lines(
        "Return-Path: <>",
        "From: MAILER-DAEMON@mx.riverton.example",
        f"To: {BOUNCES}",
        "Subject: failure notice",
        "",
        "Hi. This is the qmail-send program at mx.riverton.example.",
        "I'm afraid I wasn't able to deliver your message to the following addresses.",
        "",
        f"<{address}>:",
        f"192.0.2.7 does not like recipient. (#{status})",
        "Giving up on 192.0.2.7.",
        "",
        "--- Below this line is a copy of the message.",
        "",
    )
    return head + mail


def complaint(
    mail: bytes, address: str, *, agent: str, kind: str = "abuse", redacted: bool = False, whole: bool = True
) -> bytes:
    """A feedback report (RFC 5965).

    Args:
        agent: the User-Agent of the provider.
        kind: the Feedback-Type.
        redacted: the provider leaves out whom it is about (RFC 6590), in its fields and in our headers.
        whole: all of the mail comes back, else the headers.
    """
    returned = mail if whole else headers_of(mail)
    fields = [
        f"Feedback-Type: {kind}",
        f"User-Agent: {agent}",
        "Version: 1",
        f"Original-Mail-From: <{BOUNCES}>",
        "Arrival-Date: Sun, 22 Nov 2026 03:00:02 +0000",
        "Source-IP: 192.0.2.25",
        "Reported-Domain: riverton.example",
    ]
    if redacted:
        returned = returned.replace(address.encode(), b"redacted@provider.example")
    else:
        fields.append(f"Original-Rcpt-To: <{address}>")
    return _report(
        [
            "From: <feedback@arf.mail.provider.example>",
            f"To: <{BOUNCES}>",
            "Subject: FW: We stand with our neighbors",
        ],
        "This is an email abuse report for a message received from 192.0.2.25.",
        fields,
        returned,
        "feedback-report",
        "message/rfc822" if whole else "text/rfc822-headers",
    )


def yahoo(mail: bytes, address: str = RESIDENT, kind: str = "abuse") -> bytes:
    """Yahoo's complaint feedback loop."""
    return complaint(mail, address, agent="Yahoo!-Mail-Feedback/2.0", kind=kind)


def comcast(mail: bytes, address: str = RESIDENT, kind: str = "abuse") -> bytes:
    """Comcast's (Validity's): nothing of the recipient but what we hid in our headers."""
    return complaint(mail, address, agent="ReturnPathFBL/1.0", kind=kind, redacted=True)


SERVERS: list[Bounce] = [postfix, exim, exchange, gmail, amazon_ses, old_exim, qmail]


def written(subject: str, text: str, *headers: str, sender: str = f"Ana <{RESIDENT}>") -> bytes:
    """A mail of a few lines."""
    return _lines(
        f"From: {sender}",
        "To: news@riverton.example",
        f"Subject: {subject}",
        *headers,
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=utf-8",
        "",
        text,
    )
