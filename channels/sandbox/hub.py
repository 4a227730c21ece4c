"""How the stand-ins call the hub back, as the providers would over the internet."""

from __future__ import annotations

from types import TracebackType
from typing import Self
from urllib.parse import urlsplit, urlunsplit

import aiohttp

from channels.net import is_loopback

_TIMEOUT = aiohttp.ClientTimeout(total=15)  # Twilio's own limit for a webhook


class HubUnreachable(RuntimeError):
    """The hub did not take a callback: nobody listens, or it answered with an error."""


class Hub:
    """The hub as the stand-ins see it.

    `url` is where it listens (http://127.0.0.1:8000), `public_url` the address it believes to have. Callbacks
    carry the public one, as they would behind a city's proxy, and go to the other.
    """

    def __init__(self, url: str = "", public_url: str = "") -> None:
        self.url = url
        self.public_url = public_url
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(timeout=_TIMEOUT, connector=aiohttp.TCPConnector(limit=16))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session:
            await self._session.close()

    def declared(self, path: str) -> str:
        """The public URL of one of the hub's paths, or nothing while no hub is known."""
        base = self.public_url or self.url
        return f"{base.rstrip('/')}{path}" if base else ""

    def actual(self, declared: str) -> str:
        """Where a declared URL really is.

        Raises:
            HubUnreachable: no hub is known, and the URL leads out of this machine.
        """
        parts = urlsplit(declared)
        if self.url:
            here = urlsplit(self.url)
            return urlunsplit((here.scheme, here.netloc, here.path.rstrip("/") + parts.path, parts.query, ""))
        if not is_loopback(parts.hostname or ""):
            raise HubUnreachable("The sandbox calls nobody outside this machine; set its hub_url.")
        return declared

    async def post(self, declared: str, body: bytes, headers: dict[str, str]) -> bytes:
        """POST to the hub and return what it answers.

        Raises:
            HubUnreachable: it did not answer with 2xx.
        """
        if self._session is None:
            raise HubUnreachable("The sandbox is not running.")
        try:
            async with self._session.post(
                self.actual(declared), data=body, headers=headers, allow_redirects=False
            ) as reply:
                answer = await reply.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise HubUnreachable(f"The hub did not answer a callback: {type(error).__name__}.") from error
        if not 200 <= reply.status < 300:
            raise HubUnreachable(f"The hub answered a callback with {reply.status}.")
        return answer
