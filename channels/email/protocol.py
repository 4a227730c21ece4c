"""SMTP in one round trip per message, where the server announces PIPELINING (RFC 2920).

The body of one message and the envelope of the next travel together, which section 3.1 allows: a message's
body may be the first element of a group. The next body leaves only after its own 354, and that follows the
verdict on the message before: at most one message per connection is in doubt.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from channels.email.codes import Ending, Reply, Stage

Settle = Callable[["Mail", Ending], None]

LAST_DOT_PATIENCE = 10  # times longer than for other replies (RFC 5321 sections 4.5.3.2.6 and 6.1)
_REPLY_BYTES = 65536  # more than any honest reply
_QUIT_SECONDS = 5.0
_END = b".\r\n"


@dataclass(frozen=True, slots=True)
class Mail:
    """One message ready for the wire. Personal data stays out of its repr."""

    key: int
    message_id: str
    envelope: bytes = field(repr=False)  # MAIL, RCPT and DATA, each with its line end
    body: bytes = field(repr=False)  # dots doubled, with the closing dot
    utf8: bool = False  # needs SMTPUTF8


def as_body(message: bytes) -> bytes:
    """A message as it follows the 354: leading dots doubled, and the closing dot (RFC 5321 section 4.5.2).

    Args:
        message: its lines end with CR LF, its first begins with no dot.
    """
    return message.replace(b"\r\n.", b"\r\n..") + (_END if message.endswith(b"\r\n") else b"\r\n" + _END)


class Connection(Protocol):
    """One session with the server, after its login."""

    utf8: bool  # the server speaks SMTPUTF8

    @property
    def usable(self) -> bool:
        """Another message may go over it."""

    @property
    def idle(self) -> bool:
        """Nothing is under way."""

    async def deliver(self, mail: Mail, settle: Settle) -> Ending | None:
        """Send one message; return when the next may be offered.

        `settle` is called once, now or later, with how it ended; unless the connection closed before the
        body left: then the ending is returned, nothing was accepted, and another connection may try.
        """

    async def rest(self) -> None:
        """Wait until nothing is under way."""

    async def quit(self) -> None:
        """Take leave of the server, not for long."""

    def abort(self) -> None:
        """Close at once."""


class PipelinedConnection(asyncio.Protocol):
    """Takes over a transport from a client that has connected, secured and logged in.

    Args:
        transport: open, with nothing under way on it.
        timeout: seconds to wait for a reply; for the reply to a body ten times as long.
        utf8: the server announced SMTPUTF8.
    """

    def __init__(self, transport: asyncio.Transport, timeout: float, *, utf8: bool) -> None:
        self.utf8 = utf8
        self._transport = transport
        self._timeout = timeout
        self._loop = asyncio.get_running_loop()
        self._expected: deque[Callable[[Reply], None]] = deque()  # what each reply to come is an answer to
        self._unsent: list[bytes] = []
        self._buffer = b""
        self._lines: list[bytes] = []  # of a reply that is not complete
        self._mail: Mail | None = None  # its envelope is out
        self._settle: Settle | None = None
        self._refusal: Ending | None = None  # of its envelope
        self._passed: asyncio.Future[Ending | None] | None = None
        self._in_doubt: tuple[Mail, Settle] | None = None  # its body is out
        self._rested: asyncio.Future[None] | None = None
        self._needs_reset = False
        self._closing = False
        self._reason = "the connection was lost"
        self._heard = 0.0
        self._watch: asyncio.TimerHandle | None = None
        transport.set_protocol(self)

    @property
    def usable(self) -> bool:
        """See `Connection`."""
        return not (self._closing or self._transport.is_closing())

    @property
    def idle(self) -> bool:
        """See `Connection`."""
        return not self._expected

    async def deliver(self, mail: Mail, settle: Settle) -> Ending | None:
        """See `Connection`. Returns as soon as the body is on its way: the envelope of the next message,
        if it is offered before the event loop turns, leaves together with it."""
        if not self.usable:
            return Ending(Stage.MAIL, reason=self._reason)
        self._mail, self._settle, self._refusal = mail, settle, None
        self._passed = self._loop.create_future()
        if self._needs_reset:
            self._needs_reset = False
            self._write(b"RSET\r\n", self._ignore)
        self._write(mail.envelope, self._on_mail, self._on_rcpt, self._on_data)
        return await self._passed

    async def rest(self) -> None:
        """See `Connection`."""
        if self._expected:
            self._rested = self._loop.create_future()
            await self._rested

    async def quit(self) -> None:
        """See `Connection`."""
        if self.usable:
            self._closing = True
            self._write(b"QUIT\r\n", self._ignore)
            try:
                await asyncio.wait_for(self.rest(), _QUIT_SECONDS)
            except TimeoutError:
                self.abort()
        self._transport.close()

    def abort(self) -> None:
        """See `Connection`."""
        self._closing = True
        self._transport.abort()

    # Writing: collected until the event loop turns, so that a body and the next envelope are one packet.

    def _write(self, data: bytes, *expected: Callable[[Reply], None]) -> None:
        if not self._unsent:
            self._loop.call_soon(self._flush)
        self._unsent.append(data)
        self._expected.extend(expected)
        self._heard = self._loop.time()
        if self._watch is None:
            self._watch = self._loop.call_later(self._timeout, self._look_at_the_clock)

    def _flush(self) -> None:
        if not self._transport.is_closing():
            self._transport.write(b"".join(self._unsent))
            self._unsent.clear()

    # Reading

    def data_received(self, data: bytes) -> None:
        """Cut replies out of the stream and hand each to what expects it."""
        self._heard = self._loop.time()
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        for line in lines:
            if not self._transport.is_closing():
                self._on_line(line.rstrip(b"\r"))
        if len(self._buffer) + sum(map(len, self._lines)) > _REPLY_BYTES:
            self._fail("the server sent a reply without end")
        if not self._expected and self._rested is not None and not self._rested.done():
            self._rested.set_result(None)

    def _on_line(self, line: bytes) -> None:
        if not line[:3].isdigit():
            self._fail("the server sent something that is no SMTP reply")
            return
        self._lines.append(line[4:])
        if line[3:4] != b"-":
            text = b"\n".join(self._lines).decode("utf-8", "replace")
            self._lines.clear()
            self._on_reply(Reply(int(line[:3]), text))

    def _on_reply(self, reply: Reply) -> None:
        if reply.code == 421:
            self._closing = True
        if self._expected:
            self._expected.popleft()(reply)
        else:
            # Nobody asked: the server says good-bye to an idle connection.
            self._closing = True
            self._transport.close()

    def _on_mail(self, reply: Reply) -> None:
        self._note(Stage.MAIL, reply)

    def _on_rcpt(self, reply: Reply) -> None:
        self._note(Stage.RCPT, reply)

    def _note(self, stage: Stage, reply: Reply) -> None:
        if self._refusal is None and not 200 <= reply.code < 300:
            self._refusal = Ending(stage, reply)

    def _on_data(self, reply: Reply) -> None:
        if reply.code == 354 and self._refusal is None:
            self._send_body()
        elif reply.code == 354:
            # The server wants a body although it took no recipient (RFC 2920 section 3.1): an empty one.
            self._write(_END, self._ignore)
            self._end_envelope(self._refusal)
        else:
            self._needs_reset = True
            self._end_envelope(self._refusal or Ending(Stage.DATA, reply))

    def _send_body(self) -> None:
        if self._mail is None or self._settle is None:
            raise RuntimeError("A reply to DATA without a message.")
        mail, self._mail = self._mail, None
        self._in_doubt = (mail, self._settle)
        self._pass(None)  # wakes the sender first, so that the next envelope joins this body
        self._write(mail.body, self._on_body)

    def _on_body(self, reply: Reply) -> None:
        self._end_body(Ending(Stage.BODY, reply))

    def _ignore(self, reply: Reply) -> None:
        """The reply to RSET, QUIT or an empty body: whatever it is, the next one tells more."""

    # Endings

    def _end_envelope(self, ending: Ending | None) -> None:
        mail, self._mail = self._mail, None
        if mail is None or self._settle is None or ending is None:
            return
        if ending.closes:
            self._closing = True
            self._pass(ending)
        else:
            self._settle(mail, ending)
            self._pass(None)

    def _pass(self, ending: Ending | None) -> None:
        if self._passed is not None and not self._passed.done():
            self._passed.set_result(ending)

    def _end_body(self, ending: Ending) -> None:
        if self._in_doubt is not None:
            (mail, settle), self._in_doubt = self._in_doubt, None
            settle(mail, ending)

    def _fail(self, reason: str) -> None:
        self._reason = reason
        self.abort()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """Whatever was under way has ended: a body that had left may have been accepted, an envelope not."""
        self._closing = True
        if self._watch is not None:
            self._watch.cancel()
        body_left = not any(data.endswith(b"\r\n.\r\n") for data in self._unsent)
        self._end_body(Ending(Stage.BODY if body_left else Stage.DATA, reason=self._reason))
        self._end_envelope(self._refusal or Ending(Stage.MAIL, reason=self._reason))
        self._expected.clear()
        if self._rested is not None and not self._rested.done():
            self._rested.set_result(None)

    def _look_at_the_clock(self) -> None:
        self._watch = None
        if not self._expected or self._transport.is_closing():
            return
        patience = self._timeout * (LAST_DOT_PATIENCE if self._expected[0] == self._on_body else 1)
        left = self._heard + patience - self._loop.time()
        if left > 0:
            self._watch = self._loop.call_later(left, self._look_at_the_clock)
        else:
            self._fail("the server did not reply in time")
