"""The HTTP client under Twilio's SDK: one aiohttp session, and errors that tell what may have happened.

The SDK's own asynchronous client is not used: it holds its connections at 100 without saying so, logs every
request's address and query (which hold residents' numbers), keeps the last request in a shared variable, and
loses the header Retry-After. Nothing here is logged, and no error carries the provider's words: they quote
the number.
"""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from aiohttp import ClientError, ClientSession, ClientTimeout, DummyCookieJar, TCPConnector, encode_basic_auth
from aiohttp.client_exceptions import ClientConnectorError, ConnectionTimeoutError
from twilio.base.exceptions import TwilioException
from twilio.http import AsyncHttpClient
from twilio.http.response import Response
from twilio.rest import Client
from yarl import URL

from channels.sms.settings import TWILIO, SmsSettings

LONGEST_PAUSE = 86_400.0  # seconds; a provider that asks for more is asked again tomorrow

_silent = logging.Logger(
    "channels.sms"
)  # tied to no handler: what the SDK's base class might log goes nowhere
# The SDK reads TWILIO_EDGE and TWILIO_REGION and would bend a local address with them.
_NO_ENVIRONMENT = {"TWILIO_EDGE": "", "TWILIO_REGION": ""}


# What the SDK raises over a body that is not what it expects; it checks nothing before it looks inside.
UNREADABLE = (ValueError, TypeError, AttributeError, LookupError, TwilioException)


class ProviderSaidNo(Exception):
    """An answer that is no success.

    Attributes:
        status: the HTTP status.
        code: Twilio's own code, where the answer has one.
        retry_after: seconds to wait, where the answer says so.
    """

    def __init__(self, status: int, code: int | None, retry_after: float | None) -> None:
        super().__init__(f"HTTP {status}, code {code}")
        self.status = status
        self.code = code
        self.retry_after = retry_after


class NeverSent(Exception):
    """There was no connection: Twilio cannot have the message."""


class NoAnswer(Exception):
    """The connection broke, or time ran out, after the request may have left: Twilio may have the message."""


class QuietHttpClient(AsyncHttpClient):  # type: ignore[misc]  # the SDK is not marked as typed
    """What the SDK needs of an HTTP client, on a session of ours.

    `request` answers with the response for a success, and raises for everything else, so that the SDK never
    puts a resident's number into an error of its own.
    """

    def __init__(self, session: ClientSession) -> None:
        super().__init__(_silent, is_async=True)
        self._session = session

    async def request(
        self,
        method: str,
        uri: str,
        params: Mapping[str, object] | None = None,
        data: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        auth: tuple[str, str] | None = None,  # noqa: ARG002 - the session has it, encoded once
        timeout: float | None = None,  # noqa: ARG002 - the session's own timeouts hold
        allow_redirects: bool = False,
    ) -> Response:
        """Make one request.

        Raises:
            ProviderSaidNo: any status but 2xx.
            NeverSent: no connection could be made.
            NoAnswer: the connection was lost, or too slow, afterwards.
        """
        try:
            async with self._session.request(
                method,
                uri,
                params={name: str(value) for name, value in params.items()} if params else None,
                data=form_encoded(data) if data else None,
                headers=headers,
                allow_redirects=allow_redirects,
            ) as response:
                text = await response.text(encoding="utf-8", errors="replace")
        except (ClientConnectorError, ConnectionTimeoutError) as error:
            raise NeverSent(type(error).__name__) from None
        except (ClientError, OSError) as error:  # a time-out is an OSError
            raise NoAnswer(type(error).__name__) from None
        if response.status // 100 != 2:
            raise ProviderSaidNo(
                response.status,
                _code(text),
                retry_after(response.headers.get("Retry-After"), datetime.now(UTC)),
            )
        return Response(response.status, text)


def form_encoded(fields: Mapping[str, str]) -> bytes:
    """Fields as application/x-www-form-urlencoded, made by yarl: ten times as fast as the standard library."""
    return URL.build(query=fields).raw_query_string.encode("ascii")


def _code(text: str) -> int | None:
    """Twilio's code in an error's body: `{"code": 21211, "message": …}`."""
    try:
        code = json.loads(text)["code"]
    except (ValueError, TypeError, KeyError):
        return None
    return code if isinstance(code, int) else None


def retry_after(value: str | None, now: datetime) -> float | None:
    """Seconds that a header Retry-After asks for: a number, or an HTTP date (RFC 9110, 10.2.3).

    Returns:
        At least 0 and at most a day; None where the header is absent or unreadable.
    """
    value = (value or "").strip()
    if value.isascii() and value.isdigit():
        return min(float(value), LONGEST_PAUSE)
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    moment = moment.replace(tzinfo=moment.tzinfo or UTC)
    return min(max((moment - now).total_seconds(), 0.0), LONGEST_PAUSE)


@asynccontextmanager
async def twilio_client(settings: SmsSettings) -> AsyncIterator[Client]:
    """Twilio's SDK on a session that closes with the block; to be opened inside a running loop."""
    async with _session(settings) as session:
        client = Client(
            settings.account_sid,
            settings.auth_token.get_secret_value(),
            http_client=QuietHttpClient(session),
            environment=_NO_ENVIRONMENT,
        )
        if settings.api_base != TWILIO:
            client.api.base_url = client.messaging.base_url = settings.api_base
        yield client


def _session(settings: SmsSettings) -> ClientSession:
    return ClientSession(
        headers={
            "Authorization": encode_basic_auth(settings.account_sid, settings.auth_token.get_secret_value())
        },
        connector=TCPConnector(limit=settings.concurrency),
        # `total` only ends an answer that trickles; connecting and silence have their own limits before it.
        timeout=ClientTimeout(
            total=3 * settings.timeout, connect=settings.timeout, sock_read=settings.timeout
        ),
        cookie_jar=DummyCookieJar(),
    )
