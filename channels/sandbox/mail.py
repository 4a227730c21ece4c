"""A stand-in for the city's mail relay: an SMTP server that keeps every mail as a file.

It announces PIPELINING (RFC 2920), 8BITMIME and SMTPUTF8; with a certificate, STARTTLS and AUTH too.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import re
import ssl
from collections.abc import Mapping
from datetime import UTC, datetime
from email.parser import BytesHeaderParser
from email.policy import SMTP as SMTP_POLICY
from pathlib import Path

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from channels.sandbox.captured import Direction, Mail, Numbers, Shelf, file_name
from channels.sandbox.faults import Faults, Kind, Rule

USERNAME = "sandbox"
PASSWORD = "sandbox-password"  # noqa: S105 - of the stand-in only
SENDER = "mayor@city.example"

# What a mailbox's name does to it, at any domain.
MAGIC_MAILBOXES: Mapping[str, str] = {
    "no-such-mailbox": "550 5.1.1 No such mailbox here",
    "mailbox-full": "452 4.2.2 Mailbox full",
    "blocked": "554 5.7.1 Message refused by policy",
    "greylisted": "451 4.7.1 Greylisted, try again later",  # the first time only
}

_LARGEST_MAIL = 33_554_432


class _Envelope(Envelope):
    """An envelope that remembers what shall go wrong with it."""

    rule: Rule | None = None


class _Connection(SMTP):
    """A connection that can break."""

    def _create_envelope(self) -> _Envelope:
        return _Envelope()

    def hang_up(self) -> None:
        """Break the connection without an answer."""
        if isinstance(self.transport, asyncio.Transport):
            self.transport.abort()


class MailServer:
    """The SMTP server; an `aiosmtpd` handler for all its connections."""

    def __init__(
        self, folder: Path, shelf: Shelf[Mail], numbers: Numbers, port: int, tls: ssl.SSLContext | None
    ) -> None:
        """Keep one file for each mail in `folder`; take message numbers from `numbers`."""
        self.folder = folder
        self.shelf = shelf
        self.faults = Faults()
        self.port = port
        self.tls = tls
        self._numbers = numbers
        self._greylist: set[str] = set()
        self._server: asyncio.Server | None = None
        self._open: set[_Connection] = set()

    async def start(self) -> None:
        """Listen; a port of 0 is replaced by the one the system chose."""
        logging.getLogger("mail.log").setLevel(logging.WARNING)  # below it, aiosmtpd logs whole mails
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._connection, "127.0.0.1", self.port, backlog=1024)
        self.port = self._server.sockets[0].getsockname()[1]

    def last_number(self) -> int:
        """The greatest number of a mail that an earlier sandbox left in the folder."""
        found = (path.name.partition(" ")[0] for path in self.folder.glob("*.eml"))
        return max((int(number) for number in found if number.isdecimal()), default=0)

    async def stop(self) -> None:
        """Stop listening and break what is open."""
        if self._server:
            self._server.close()
        for connection in tuple(self._open):
            connection.hang_up()
        await asyncio.sleep(0)  # lets the transports say they are closed

    def _connection(self) -> _Connection:
        connection = _Connection(
            self,
            data_size_limit=_LARGEST_MAIL,
            enable_SMTPUTF8=True,
            hostname="sandbox.localhost",
            ident="Notify sandbox",
            tls_context=self.tls,
            authenticator=_authenticate,
            loop=asyncio.get_running_loop(),
        )
        self._open = {kept for kept in self._open if kept.transport} | {connection}
        return connection

    async def handle_EHLO(  # noqa: N802 - aiosmtpd's name
        self, _server: SMTP, session: Session, _envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        """Announce PIPELINING beside what aiosmtpd offers."""
        session.host_name = hostname
        return [*responses[:-1], "250-PIPELINING", responses[-1]]

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: _Connection, _session: Session, envelope: _Envelope, address: str, options: list[str]
    ) -> str:
        """Take a recipient, or fail as its rule or its name demands."""
        envelope.rule = rule = self.faults.find(address)
        if rule and rule.kind is Kind.DROP_BEFORE:
            server.hang_up()
            return "421 4.4.2 Closing"
        if reply := _refusal(rule) or self._fate(address):
            return reply
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 2.1.5 OK"

    def _fate(self, address: str) -> str:
        name = address.partition("@")[0].partition("+")[0].lower()
        if name == "greylisted":
            known = address in self._greylist
            self._greylist.add(address)
            return "" if known else MAGIC_MAILBOXES[name]
        return MAGIC_MAILBOXES.get(name, "")

    async def handle_DATA(self, server: _Connection, _session: Session, envelope: _Envelope) -> str:  # noqa: N802
        """Keep the mail, once for each recipient."""
        mails = [self._keep(envelope, address) for address in envelope.rcpt_tos]
        rule = envelope.rule
        if rule and rule.kind is Kind.DROP_AFTER:
            server.hang_up()
        if rule and rule.kind is Kind.SLOW:
            await asyncio.sleep(rule.seconds)
        return f"250 2.0.0 OK: queued as {mails[-1].number}"

    def _keep(self, envelope: _Envelope, address: str) -> Mail:
        number = self._numbers.next()
        path = self.folder / f"{number:06d} {file_name(address)}.eml"
        path.write_bytes(envelope.original_content or b"")
        mail = Mail(
            number=number,
            time=datetime.now(UTC),
            address=address,
            direction=Direction.OUT,
            status="delivered",
            path=path,
            sender=envelope.mail_from or "",
        )
        return self.shelf.add(mail)


def one_click_url(raw: bytes) -> str:
    """Where a mail's one-click unsubscribe leads (RFC 8058); empty where it offers none."""
    headers = BytesHeaderParser(policy=SMTP_POLICY).parsebytes(raw)
    if str(headers.get("List-Unsubscribe-Post", "")).replace(" ", "") != "List-Unsubscribe=One-Click":
        return ""
    found = re.search(r"<(https?://[^>\s]+)>", str(headers.get("List-Unsubscribe", "")))
    return found[1] if found else ""


def _authenticate(
    _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, data: LoginPassword
) -> AuthResult:
    expected = f"{USERNAME}\0{PASSWORD}".encode()
    right = hmac.compare_digest(data.login + b"\0" + data.password, expected)
    return AuthResult(success=right, handled=False)


def _refusal(rule: Rule | None) -> str:
    """The reply to RCPT that the rule demands, or nothing where the recipient is taken."""
    if rule is None:
        return ""
    replies = {
        Kind.THROTTLED: "450 4.7.1 Too much mail, slow down",
        Kind.DOWN: f"{rule.code or 451} {rule.text or '4.3.0 Temporary system problem'}",
        Kind.JUNK: rule.text or "It works!",
        Kind.REFUSED: f"{rule.code or 550} {rule.text or '5.1.1 No such mailbox here'}",
    }
    return replies.get(rule.kind, "")
