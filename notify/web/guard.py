"""What holds for every request: strict headers, bodies with an end, errors that tell nothing."""

from __future__ import annotations

import traceback
from collections.abc import Iterable
from pathlib import Path

import structlog
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = structlog.get_logger()

_HOME = Path(__file__).parents[2]  # where the project's packages are
_PACKAGES = frozenset({"notify", "channels", "contacts", "templates"})
_FRAMES = 4  # of a defect's traceback, in the log

# Pages load their own style sheet and script, talk to their own server, and nothing else.
POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",  # tokens and tickets are in addresses
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


LARGEST_ID = 2**31 - 1  # that a column of PostgreSQL can be asked for


class TooLarge(ValueError):
    """The body of a request is longer than it may be."""


async def read_body(request: Request, most: int) -> bytes:
    """The body of a request.

    Args:
        request: whose body has not been read yet.
        most: bytes it may have.

    Raises:
        TooLarge: it has more.
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most:
            raise TooLarge
    return bytes(body)


class Guard:
    """Adds the headers where a page has none of its own, and turns a defect into a plain 500.

    Paths under `except_under` are left alone: what is mounted there knows what it needs.
    """

    def __init__(self, app: ASGIApp, except_under: Iterable[str] = ()) -> None:
        self.app = app
        self.except_under = tuple(except_under)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(self.except_under):
            await self.app(scope, receive, send)
            return
        started = False

        async def guarded(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                _add_headers(message)
            await send(message)

        try:
            await self.app(scope, receive, guarded)
        except Exception as error:
            report(scope, error)
            if started:
                raise RuntimeError("A page broke off half-way; see request_failed in the log.") from None
            await PlainTextResponse("Something went wrong here. Please try again.", 500)(
                scope, receive, guarded
            )


def report(scope: Scope, error: Exception) -> None:
    """Log a defect. Neither the path (it may hold a token) nor the error's text (it may hold an address) goes in."""
    log.error("request_failed", route=_route(scope), error=type(error).__name__, where=where(error))


def _add_headers(message: Message) -> None:
    headers = MutableHeaders(scope=message)
    for name, value in HEADERS.items():
        headers.setdefault(name, value)


def _route(scope: Scope) -> str:
    return str(getattr(scope.get("route"), "path", "unknown"))


def where(error: BaseException) -> str:
    """Our own calls on the way to an error, by file and line: what a traceback tells without its values."""
    frames = [(Path(frame.filename), frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
    ours = [f"{path.relative_to(_HOME)}:{line}" for path, line in frames if _is_ours(path)]
    return " > ".join(ours[-_FRAMES:])


def _is_ours(path: Path) -> bool:
    return path.is_relative_to(_HOME) and path.relative_to(_HOME).parts[0] in _PACKAGES
