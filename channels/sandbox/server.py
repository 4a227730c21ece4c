"""One local HTTP stand-in: listening, stopping, and breaking on purpose."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from aiohttp import web

from channels.sandbox.faults import Kind, Rule

JUNK = b"<html><body>It works!</body></html>"
_LARGEST_REQUEST = 55 * 1024 * 1024  # Telegram's 50 MB file limit, and its frame


class LocalServer:
    """An HTTP server on a loopback port, in the running event loop."""

    def __init__(self, port: int = 0) -> None:
        self.port = port
        self.app = web.Application(client_max_size=_LARGEST_REQUEST)
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """Where it listens, without a slash at its end."""
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Listen; a port of 0 is replaced by the one the system chose."""
        self._runner = web.AppRunner(self.app, access_log=None, handle_signals=False, shutdown_timeout=0.2)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, backlog=1024)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Stop listening and break what is open."""
        if self._runner:
            await self._runner.cleanup()


def hang_up(request: web.Request) -> web.Response:
    """Break the connection without an answer."""
    if request.transport:
        request.transport.abort()
    return web.Response()


async def play(
    request: web.Request,
    rule: Rule | None,
    accept: Callable[[], web.Response],
    refuse: Callable[[Rule], web.Response],
) -> web.Response:
    """Answer a request that hands over a message as the rule demands.

    Args:
        accept: takes the message and makes the good answer.
        refuse: makes the provider's own error for THROTTLED, DOWN and REFUSED.
    """
    if rule is None or rule.kind is Kind.UNDELIVERED:
        return accept()
    if rule.kind is Kind.JUNK:
        return web.Response(
            status=rule.code or 200, body=rule.text.encode() or JUNK, content_type="text/html"
        )
    if rule.kind is Kind.DROP_BEFORE:
        return hang_up(request)
    if rule.kind is Kind.DROP_AFTER:
        accept()
        return hang_up(request)
    if rule.kind is Kind.SLOW:
        answer = accept()
        await asyncio.sleep(rule.seconds)
        return answer
    return refuse(rule)
