"""Real mail servers on loopback for the email channel's tests: aiosmtpd, and one that misbehaves by script."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP

from channels.contract import ApprovedText, Batch, City, Message, Outcome, Rendering
from channels.email import EmailChannel, EmailSettings

CITY = City(
    "City of Riverton",
    timezone="America/New_York",
    public_url="https://notify.riverton.example",
    phone="+1 555 010 0142",
    postal_address=("City Hall", "1 Main Street", "Riverton, NY 10001"),
)
TEXT = ApprovedText(
    reference="S1r1",
    language="en",
    source_language="en",
    kind="crisis",
    title="We stand with our neighbors",
    short="An attack on our neighbors",
    body="Stay away from **Cedar Street**.\n\n.a line with a leading dot",
    url="https://notify.riverton.example/s/1",
)


def settings(port: int = 25, **changes: Any) -> EmailSettings:
    """Settings for a server on this machine."""
    values = {"host": "127.0.0.1", "port": port, "from": "City of Riverton <news@riverton.example>"}
    return EmailSettings.model_validate({**values, "security": "none", "timeout": 5, **changes})


class Messages:
    """An iterator that several tasks may pull from, and that counts."""

    def __init__(self, messages: Iterable[Message]) -> None:
        self._messages = iter(messages)
        self.pulled: list[int] = []

    def __aiter__(self) -> Messages:
        return self

    async def __anext__(self) -> Message:
        for message in self._messages:
            self.pulled.append(message.key)
            return message
        raise StopAsyncIteration


def batch(messages: AsyncIterator[Message]) -> Batch:
    """The messages as a batch of dispatch D7."""
    return Batch("D7", 1, 1, datetime(2026, 11, 22, 3, 0, tzinfo=UTC), messages)


def message(rendering: Rendering, key: int, address: str = "", name: str = "Ana Díaz") -> Message:
    """One addressed message."""
    return Message(key, address or f"resident{key}@example.org", (rendering,), name, f"token-{key}")


async def send_all(
    channel: EmailChannel, messages: Sequence[Message] | Messages, *, timeout: float = 20
) -> dict[int, Outcome]:
    """Send a batch and return the outcomes by key; fails when a message has two."""
    source = messages if isinstance(messages, Messages) else Messages(messages)
    outcomes: dict[int, Outcome] = {}
    async with asyncio.timeout(timeout):
        async for outcome in channel.send(batch(source)):
            assert outcome.key not in outcomes
            outcomes[outcome.key] = outcome
    return outcomes


async def send_to(channel: EmailChannel, *addresses: str) -> list[Outcome]:
    """Send one message to each address; the outcomes in their order."""
    rendering = channel.compose(TEXT)
    messages = [message(rendering, key, address) for key, address in enumerate(addresses)]
    outcomes = await send_all(channel, messages)
    return [outcomes[key] for key in range(len(addresses))]


@dataclass
class Received:
    """What the server took."""

    sender: str
    recipients: list[str]
    options: list[str]
    content: bytes

    @property
    def parsed(self) -> EmailMessage:
        """The mail, read by the standard library."""
        return message_from_bytes(self.content, policy=policy.default)  # type: ignore[return-value]

    def body(self, kind: str) -> str:
        """The decoded text of the `plain` or `html` part, its line ends as line feeds."""
        return self.parsed.get_body((kind,)).get_content().replace("\r\n", "\n")


@dataclass
class Handler:
    """An aiosmtpd handler: replies by address, everything taken is kept."""

    pipelining: bool = True
    rcpt: dict[str, str] = field(default_factory=dict)  # what to reply to RCPT; "drop" closes
    data: dict[str, str] = field(default_factory=dict)  # what to reply to the body; "drop" closes
    received: list[Received] = field(default_factory=list)
    sessions: int = 0
    commands: list[str] = field(default_factory=list)
    hold: asyncio.Event | None = None  # keeps the reply to a body back

    async def handle_EHLO(
        self, server: Any, session: Any, envelope: Any, hostname: str, responses: list[str]
    ) -> Any:
        session.host_name = hostname
        self.sessions += 1
        return [responses[0], *(["250-PIPELINING"] if self.pipelining else []), *responses[1:]]

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        reply = self.rcpt.get(address, "250 2.1.5 Ok")
        if reply == "drop":
            server.transport.abort()
        elif reply.startswith("2"):
            envelope.rcpt_tos.append(address)
        elif reply.startswith("421"):
            asyncio.get_running_loop().call_soon(server.transport.close)
        return reply

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        content = envelope.original_content or envelope.content
        reply = self.data.get(envelope.rcpt_tos[0], "250 2.0.0 Ok: queued as 4XYZ")
        if self.hold:
            await self.hold.wait()
        if reply == "drop":
            server.transport.abort()
        elif reply.startswith("2"):
            self.received.append(
                Received(envelope.mail_from, envelope.rcpt_tos, envelope.mail_options, content)
            )
        return reply

    async def handle_RSET(self, server: Any, session: Any, envelope: Any) -> str:
        self.commands.append("RSET")
        return "250 2.0.0 Ok"

    async def handle_QUIT(self, server: Any, session: Any, envelope: Any) -> str:
        self.commands.append("QUIT")
        return "221 2.0.0 Bye"


@asynccontextmanager
async def mail_server(
    handler: Handler, *, tls: ssl.SSLContext | None = None, **options: Any
) -> AsyncIterator[int]:
    """Run aiosmtpd on a free port of loopback; yields the port.

    Args:
        tls: speak TLS from the first byte. For STARTTLS pass `tls_context` among the options.
    """
    loop = asyncio.get_running_loop()
    options = {"hostname": "mail.riverton.example", "enable_SMTPUTF8": True, **options}
    server = await loop.create_server(lambda: SMTP(handler, loop=loop, **options), "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


@dataclass
class Script:
    """A server that says what it is told: for each line it reads, the reply whose key begins it.

    A reply of `None` says nothing, `"drop"` breaks the connection off, 421 ends it. `"."` is the reply to a
    body.
    """

    replies: dict[str, str | None]
    pipelining: bool = True
    greeting: str = "220 mail.riverton.example"
    lines: list[str] = field(default_factory=list)
    bodies: int = 0
    sessions: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.sessions += 1
        writer.write(f"{self.greeting}\r\n".encode())
        in_body = False
        while raw := await reader.readline():
            line = raw.decode().rstrip("\r\n")
            if in_body and line != ".":
                continue
            self.lines.append(line)
            self.bodies += in_body
            in_body = False
            reply = self._reply(line)
            if reply == "drop":
                writer.transport.abort()
                return
            if reply:
                writer.write(f"{reply}\r\n".encode())
                in_body = reply.startswith("354")
                if reply.startswith("421"):
                    break
        writer.close()

    def _reply(self, line: str) -> str | None:
        for beginning, reply in self.replies.items():
            if line.startswith(beginning):
                return reply
        if line.startswith("EHLO"):
            return (
                "250-mail\r\n250-PIPELINING\r\n250 8BITMIME"
                if self.pipelining
                else "250-mail\r\n250 8BITMIME"
            )
        return {"DATA": "354 go on", "QUIT": "221 bye"}.get(line, "250 ok")


@asynccontextmanager
async def scripted_server(script: Script) -> AsyncIterator[int]:
    """Run the script on a free port of loopback; yields the port."""
    tasks: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.create_task(_quietly(script.serve(reader, writer))))

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _quietly(work: Any) -> None:
    with suppress(OSError):  # the client left
        await work


def postfix_tool(name: str) -> str:
    """The path of one of Postfix's test programs."""
    path = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    assert path, f"{name} is missing: install Postfix (apt install postfix)."
    return path


@contextmanager
def smtp_sink(*options: str, folder: Path | None = None) -> Iterator[tuple[int, int]]:
    """Run Postfix's smtp-sink on a free port of loopback; yields the port and the process id.

    Args:
        options: of smtp-sink.
        folder: where each mail is kept as a file.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    root = ["-u", "nobody"] if os.geteuid() == 0 else []
    keep = ["-d", f"{folder}/%M."] if folder else []
    process = subprocess.Popen(
        [postfix_tool("smtp-sink"), *root, *keep, *options, f"127.0.0.1:{port}", "1000"]
    )
    try:
        _wait_for(port)
        yield port, process.pid
    finally:
        process.terminate()
        process.wait()


def _wait_for(port: int) -> None:
    for _ in range(100):
        with suppress(OSError):
            socket.create_connection(("127.0.0.1", port)).close()
            return
        time.sleep(0.05)
    raise AssertionError("smtp-sink did not start.")


def server_context(pem: Path) -> ssl.SSLContext:
    """A TLS context for a server with this certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context
