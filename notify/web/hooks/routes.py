"""`POST /hooks/{channel}`: the one address that each provider calls."""

from __future__ import annotations

import structlog
from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse

from channels.contract import Answer, CallbackRefused, CallbackRequest
from notify.hub import Hub
from notify.web.guard import TooLarge, read_body
from notify.web.hooks.intake import NotTaken
from notify.web.hooks.talking import Talks

log = structlog.get_logger()

LARGEST = 1_000_000  # bytes of a callback


class Hooks:
    """Receives what providers call back, for the channels that are on."""

    def __init__(self, hub: Hub) -> None:
        self._channels = hub.channels
        self._public_url = hub.settings.public_url
        self._talks = Talks(hub)

    def router(self) -> APIRouter:
        """The routes."""
        router = APIRouter()
        router.add_api_route("/hooks/{name}", self.receive, methods=["POST"])
        return router

    async def receive(self, name: str, request: Request) -> Response:
        """Check one callback, enter what it says, and answer in the provider's own way."""
        channel = self._channels.get(name)
        if channel is None:
            return PlainTextResponse("There is no such channel, or it is off.", 404)
        try:
            events = channel.read_callback(await self._as_signed(request))
        except TooLarge:
            return PlainTextResponse(f"The body has more than {LARGEST} bytes.", 413)
        except CallbackRefused as refusal:
            log.warning("callback_refused", channel=name, reason=str(refusal))
            return PlainTextResponse(str(refusal), 403)
        try:
            answer = await self._talks.hear(channel, events)
        except NotTaken:
            return PlainTextResponse("This could not be kept. Please call again.", 503)
        return _reply(answer)

    async def _as_signed(self, request: Request) -> CallbackRequest:
        """The request with the URL that the provider called; the city's proxy may have changed it since."""
        query = request.scope["query_string"].decode("latin-1")
        base = self._public_url or str(request.base_url).rstrip("/")
        return CallbackRequest(
            url=f"{base}{request.url.path}{'?' if query else ''}{query}",
            headers={key.lower(): value for key, value in request.headers.items()},
            body=await read_body(request, LARGEST),
        )


def _reply(answer: Answer | None) -> Response:
    if answer is None:
        return Response(status_code=204)
    return Response(answer.body, media_type=answer.media_type)
