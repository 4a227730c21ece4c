"""Sessions with the mail server: opened by aiosmtplib, kept for the next batch, given up in time."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Coroutine
from time import monotonic
from typing import Any, TypeGuard, cast

import aiosmtplib
from aiosmtplib.protocol import SMTPProtocol

from channels.email.codes import Ending, Reply, Stage
from channels.email.protocol import LAST_DOT_PATIENCE, Connection, Mail, PipelinedConnection, Settle
from channels.email.settings import EmailSettings, Security

MESSAGES_PER_CONNECTION = 1000  # then a fresh one: servers count, and some count quietly
IDLE_SECONDS = 60.0  # a server waits five minutes (RFC 5321 section 4.5.3.2.7); we leave well before
RECONNECT_SECONDS = 2.0  # how long a failed attempt to connect speaks for all others


class NoConnection(Exception):
    """The server could not be reached, secured or logged in to; `ending` says why."""

    def __init__(self, ending: Ending) -> None:
        super().__init__(ending.stage)
        self.ending = ending


def tls_context(settings: EmailSettings) -> ssl.SSLContext:
    """The one context for all connections: building it takes longer than a message."""
    return ssl.create_default_context(cafile=settings.ca_file)


async def connect(settings: EmailSettings, context: ssl.SSLContext | None) -> Connection:
    """Open a session: connect, secure, greet, log in.

    Args:
        context: may be None where the connection is not secured.

    Raises:
        NoConnection: with the stage and the server's reply, where it gave one.
    """
    client = _client(settings, context)
    try:
        await client.connect()
        await _greet(client)
    except (aiosmtplib.SMTPException, OSError, UnicodeError) as error:
        client.close()
        raise NoConnection(_failure(error)) from None
    except asyncio.CancelledError:
        client.close()
        raise
    if client.supports_extension("pipelining"):
        return PipelinedConnection(
            cast(asyncio.Transport, client.transport),
            settings.timeout,
            utf8=client.supports_extension("smtputf8"),
        )
    return SteppedConnection(client, settings.timeout)


def _client(settings: EmailSettings, context: ssl.SSLContext | None) -> aiosmtplib.SMTP:
    return aiosmtplib.SMTP(
        hostname=settings.host,
        port=settings.effective_port,
        username=settings.username,
        password=settings.password.get_secret_value() if settings.password else None,
        timeout=settings.timeout,
        use_tls=settings.security is Security.TLS,
        start_tls=settings.security is Security.STARTTLS,
        tls_context=context,
        local_hostname=_own_name(settings),
    )


def _own_name(settings: EmailSettings) -> str:
    """The name for EHLO, which should be a full one; asking the DNS for it could take long."""
    name = socket.gethostname()
    return name if "." in name and name.isascii() else settings.sender_mailbox.domain


async def _greet(client: aiosmtplib.SMTP) -> None:
    if not client.is_ehlo_or_helo_needed:
        return
    try:
        await client.ehlo()
    except aiosmtplib.SMTPHeloError:
        await client.helo()


def _failure(error: Exception) -> Ending:
    if isinstance(error, aiosmtplib.SMTPAuthenticationError):
        return Ending(Stage.LOGIN, _reply(error))
    if isinstance(error, aiosmtplib.SMTPConnectError | aiosmtplib.SMTPHeloError) and _has_code(error):
        return Ending(Stage.CONNECT, _reply(error))
    if _has_code(error):
        return Ending(Stage.SECURE, _reply(error))
    if isinstance(error, ssl.SSLError) or isinstance(error.__cause__, ssl.SSLError):
        return Ending(Stage.SECURE, reason=_tls_reason(error), ours=True)
    if type(error) is aiosmtplib.SMTPException:
        # The server offers no STARTTLS, no AUTH, or no kind of login that aiosmtplib knows.
        stage = Stage.SECURE if "STARTTLS" in str(error) else Stage.LOGIN
        return Ending(stage, reason=str(error).rstrip("."), ours=True)
    return Ending(Stage.CONNECT, reason=_network_reason(error))


def _has_code(error: Exception) -> TypeGuard[aiosmtplib.SMTPResponseException]:
    return isinstance(error, aiosmtplib.SMTPResponseException) and error.code >= 200


def _reply(error: aiosmtplib.SMTPResponseException) -> Reply:
    return Reply(error.code, error.message)


def _tls_reason(error: Exception) -> str:
    problem = error if isinstance(error, ssl.SSLError) else error.__cause__
    if isinstance(problem, ssl.SSLCertVerificationError):
        return f"the server's certificate does not verify ({problem.verify_message})"
    return "the server does not speak TLS as expected"


def _network_reason(error: Exception) -> str:
    cause = error.__cause__
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return "the server sent something that is no SMTP reply"
    if isinstance(error, TimeoutError):
        return "the server did not reply in time"
    if isinstance(cause, socket.gaierror) or isinstance(error, UnicodeError):
        return "the server's name was not found"
    if isinstance(cause, ConnectionRefusedError):
        return "the server refused the connection"
    return "the connection was lost"


class SteppedConnection:
    """A session with a server that does not announce PIPELINING: aiosmtplib sends, command by command."""

    def __init__(self, client: aiosmtplib.SMTP, timeout: float) -> None:
        self.utf8 = client.supports_extension("smtputf8")
        self._client = client
        self._timeout = timeout
        self.idle = True

    @property
    def usable(self) -> bool:
        """See `Connection`."""
        return self._client.is_connected

    async def deliver(self, mail: Mail, settle: Settle) -> Ending | None:
        """See `Connection`."""
        self.idle = False
        ending = await self._exchange(mail)
        if ending.closes:
            self.abort()
            if ending.stage is not Stage.BODY:
                return ending
        settle(mail, ending)
        if ending.stage is not Stage.BODY:
            await self._reset()
        self.idle = True
        return None

    async def _exchange(self, mail: Mail) -> Ending:
        stage = Stage.MAIL
        try:
            for stage, command in zip(
                (Stage.MAIL, Stage.RCPT, Stage.DATA), mail.envelope.splitlines(), strict=True
            ):
                response = await self._client.execute_command(command)
                if not 200 <= response.code < 300 and response.code != 354:
                    return Ending(stage, Reply(*response))
            protocol = self._protocol()
            protocol.write(mail.body)
            stage = Stage.BODY
            response = await protocol.read_response(self._timeout * LAST_DOT_PATIENCE)
            return Ending(stage, Reply(*response))
        except aiosmtplib.SMTPTimeoutError:
            return Ending(stage, reason="the server did not reply in time")
        except aiosmtplib.SMTPResponseException:
            return Ending(stage, reason="the server sent something that is no SMTP reply")
        except (aiosmtplib.SMTPException, OSError):
            return Ending(stage)

    def _protocol(self) -> SMTPProtocol:
        if self._client.protocol is None:
            raise aiosmtplib.SMTPServerDisconnected("Connection lost")
        return self._client.protocol

    async def _reset(self) -> None:
        if not self.usable:
            return
        try:
            await self._client.rset()
        except (aiosmtplib.SMTPException, OSError):
            self.abort()

    async def rest(self) -> None:
        """See `Connection`: `deliver` has already waited."""

    async def quit(self) -> None:
        """See `Connection`."""
        try:
            await self._client.quit(timeout=5)
        except (aiosmtplib.SMTPException, OSError):
            self.abort()

    def abort(self) -> None:
        """See `Connection`."""
        transport = self._client.transport
        self._client.close()
        if transport is not None:
            cast(asyncio.Transport, transport).abort()


class Pool:
    """At most `settings.connections` sessions, shared by all batches and kept between them."""

    def __init__(self, settings: EmailSettings) -> None:
        self._settings = settings
        self._context: ssl.SSLContext | None = None
        self._places = asyncio.Semaphore(settings.connections)
        self._resting: dict[Connection, asyncio.TimerHandle] = {}
        self._sent: dict[Connection, int] = {}
        self._leaving: set[asyncio.Task[None]] = set()
        self._failure: tuple[float, Ending] | None = None  # until when it speaks for all

    async def acquire(self) -> Connection:
        """A session that rested, or a new one; waits while all are in use.

        Raises:
            NoConnection: none could be opened, now or a moment ago.
        """
        await self._places.acquire()
        try:
            return self._rested() or await self._open()
        except BaseException:
            self._places.release()
            raise

    def release(self, connection: Connection, sent: int) -> None:
        """Give a session back.

        Args:
            sent: how many messages were offered over it.
        """
        self._places.release()
        self._sent[connection] = self._sent.get(connection, 0) + sent
        if not connection.idle:
            self._forget(connection)
            connection.abort()
        elif connection.usable and self.fresh(connection):
            timer = asyncio.get_running_loop().call_later(IDLE_SECONDS, self._leave, connection)
            self._resting[connection] = timer
        else:
            self._leave(connection)

    def fresh(self, connection: Connection, sent: int = 0) -> bool:
        """Whether the session may carry one more message after `sent` since it was acquired."""
        return self._sent.get(connection, 0) + sent < MESSAGES_PER_CONNECTION

    async def close(self) -> None:
        """Take leave on all resting sessions."""
        for connection in list(self._resting):
            self._leave(connection)
        await asyncio.gather(*self._leaving)

    def _rested(self) -> Connection | None:
        while self._resting:
            connection, timer = self._resting.popitem()
            timer.cancel()
            if connection.usable:
                return connection
            self._forget(connection)
        return None

    async def _open(self) -> Connection:
        if self._failure and monotonic() < self._failure[0]:
            raise NoConnection(self._failure[1])
        try:
            connection = await connect(self._settings, await self._tls())
        except NoConnection as problem:
            self._failure = (monotonic() + RECONNECT_SECONDS, problem.ending)
            raise
        self._failure = None
        return connection

    async def _tls(self) -> ssl.SSLContext | None:
        if self._context is None and self._settings.security is not Security.NONE:
            self._context = await asyncio.to_thread(tls_context, self._settings)
        return self._context

    def _leave(self, connection: Connection) -> None:
        self._forget(connection)
        self._spawn(connection.quit())

    def _forget(self, connection: Connection) -> None:
        self._sent.pop(connection, None)
        if timer := self._resting.pop(connection, None):
            timer.cancel()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)
