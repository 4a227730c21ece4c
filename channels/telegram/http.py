"""The HTTP client under python-telegram-bot: one session, and errors that tell what may have happened.

The library's own client slows down with every connection it holds (its pool is searched once for each
connection on each request), and tells neither a connection that was never made from an answer that was lost,
nor one server error from another. Nothing is logged here: the token is in every URL.
"""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import ClientError, ClientSession, ClientTimeout, DummyCookieJar, TCPConnector
from aiohttp.client_exceptions import ClientConnectorError, ConnectionTimeoutError
from pydantic import BaseModel, ValidationError
from telegram import Bot
from telegram.error import NetworkError, TelegramError
from telegram.request import BaseRequest, RequestData
from yarl import URL

from channels.telegram.settings import TelegramSettings

_HEADERS = {"Content-Type": "application/json"}
_FETCHING = 2  # connections: one that waits for news, one for its successor
_DEFAULT_PAUSE = 5.0  # seconds, where Telegram does not say how long to wait


class NeverSent(NetworkError):
    """There was no connection: Telegram cannot have the message."""


class NoAnswer(NetworkError):
    """The connection broke, time ran out, or what came back was no answer: it may have been sent."""


class ApiRefusal(TelegramError):
    """An answer that is no success. Its text carries nothing of the answer.

    Attributes:
        status: the HTTP status.
        description: the API's own words.
        retry_after: seconds to wait, with 429.
        migrate_to: the new id of a group that became a supergroup.
    """

    def __init__(self, status: int, description: str, retry_after: float, migrate_to: int | None) -> None:
        super().__init__(f"Telegram answered with HTTP status {status}")
        self.status = status
        self.description = description
        self.retry_after = retry_after
        self.migrate_to = migrate_to


class _Parameters(BaseModel):
    retry_after: float | None = None
    migrate_to_chat_id: int | None = None


class _ErrorBody(BaseModel):
    """https://core.telegram.org/bots/api#making-requests"""

    description: str = ""
    parameters: _Parameters = _Parameters()


class AiohttpRequest(BaseRequest):
    """python-telegram-bot's requests on a session of ours, to be opened inside a running loop."""

    def __init__(self, connections: int, timeout: float) -> None:
        """Hold at most so many connections; wait `timeout` seconds to connect, and again for an answer."""
        self._connections = connections
        self._timeout = timeout
        self._session: ClientSession | None = None

    @property
    def read_timeout(self) -> float:
        """Seconds that an answer may take."""
        return self._timeout

    async def initialize(self) -> None:
        """Open the session; connections are made when messages leave."""
        if self._session is None:
            self._session = ClientSession(
                connector=TCPConnector(limit=self._connections),
                # `total` only ends an answer that trickles; the others come before it.
                timeout=ClientTimeout(
                    total=3 * self._timeout, connect=self._timeout, sock_read=self._timeout
                ),
                cookie_jar=DummyCookieJar(),
            )

    async def shutdown(self) -> None:
        """Close the session."""
        if self._session:
            await self._session.close()
        self._session = None

    async def do_request(
        self,
        url: str,
        method: str,
        request_data: RequestData | None = None,
        read_timeout: Any = BaseRequest.DEFAULT_NONE,  # noqa: ARG002 - the session's own timeouts hold
        write_timeout: Any = BaseRequest.DEFAULT_NONE,  # noqa: ARG002
        connect_timeout: Any = BaseRequest.DEFAULT_NONE,  # noqa: ARG002
        pool_timeout: Any = BaseRequest.DEFAULT_NONE,  # noqa: ARG002
    ) -> tuple[int, bytes]:
        """Make one request, its parameters as JSON.

        Raises:
            ApiRefusal: any status but 2xx.
            NeverSent: no connection could be made.
            NoAnswer: the connection was lost, or too slow, afterwards.
        """
        if self._session is None:
            raise RuntimeError("The Telegram channel is not open.")
        body = _encoded(request_data)
        try:
            async with self._session.request(
                method, URL(url, encoded=True), data=body, headers=_HEADERS, allow_redirects=False
            ) as response:
                payload = await response.read()
        except (ClientConnectorError, ConnectionTimeoutError) as error:
            raise NeverSent(type(error).__name__) from None
        except (ClientError, OSError) as error:  # a time-out is an OSError
            raise NoAnswer(type(error).__name__) from None
        if response.status // 100 != 2:
            raise _refusal(response.status, payload, response.headers.get("Retry-After", ""))
        return response.status, payload

    @staticmethod
    def parse_json_payload(payload: bytes) -> dict[str, Any]:
        """Read a good answer.

        Raises:
            NoAnswer: it is not one of Telegram's; what it says is not repeated.
        """
        try:
            answer = json.loads(payload)
        except ValueError:
            raise NoAnswer("the answer is not JSON") from None
        if not isinstance(answer, dict) or answer.get("ok") is not True or "result" not in answer:
            raise NoAnswer("the answer is not one of the Bot API's")
        return answer


def _encoded(data: RequestData | None) -> bytes:
    return json.dumps(data.parameters if data else {}, ensure_ascii=False, separators=(",", ":")).encode()


def _refusal(status: int, payload: bytes, retry_after: str) -> ApiRefusal:
    try:
        body = _ErrorBody.model_validate_json(payload)
    except ValidationError:
        body = _ErrorBody()
    header = float(retry_after) if retry_after.isascii() and retry_after.isdigit() else _DEFAULT_PAUSE
    pause = body.parameters.retry_after
    return ApiRefusal(
        status, body.description, header if pause is None else pause, body.parameters.migrate_to_chat_id
    )


class _DiscreetBot(Bot):
    """The library's bot; its own repr shows the token."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "<Telegram bot>"


@asynccontextmanager
async def telegram_bot(settings: TelegramSettings, *, wait: float = 0.0) -> AsyncIterator[Bot]:
    """The library's bot on a session that closes with the block. It does not call Telegram to open.

    Args:
        settings: whose token and time-outs.
        wait: seconds that Telegram may let `get_updates` wait for news.
    """
    # Below WARNING the library logs the token, the chat ids and the texts.
    logging.getLogger("telegram").setLevel(logging.WARNING)
    request = AiohttpRequest(settings.concurrency, settings.timeout)
    fetching = AiohttpRequest(_FETCHING, settings.timeout + wait)
    bot = _DiscreetBot(
        settings.token.get_secret_value(),
        base_url=f"{settings.api_base}/bot",
        request=request,
        get_updates_request=fetching,
    )
    async with request, fetching:
        yield bot
