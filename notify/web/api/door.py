"""The door: who calls, with which key, for what, how often, and in which form. Nothing is read before that."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, cast

from fastapi import FastAPI, Request, Response
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.types import Message

from notify import apikeys
from notify.apikeys import Admitted, NotAdmitted, Scope
from notify.hub import Hub
from notify.web.api.calls import Call, Pending, fingerprint
from notify.web.api.paging import Cursors
from notify.web.api.problems import Problem
from notify.web.api.rates import Rates

SCHEME = "key"
_SCHEME_WORD = "bearer"
_LARGEST = "x-largest-body"  # bytes
JSON = "application/json"
FORM = "multipart/form-data"

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


def needs(scope: Scope, largest: int) -> dict[str, Any]:
    """What a route asks for, as its description says it and as the door checks it.

    Args:
        scope: of the key.
        largest: bytes of the body; 0 where it takes none.
    """
    wanted: dict[str, Any] = {"security": [{SCHEME: [scope.value]}]}
    return wanted | ({_LARGEST: largest} if largest else {})


class Doorkeeper:
    """Knows the keys of one hub.

    Args:
        hub: whose keys they are.
    """

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._rates = Rates(hub.settings.api.requests_per_minute)
        self._cursors = Cursors(hub.settings.key())
        self._pending = Pending()

    def admit(self, authorization: str, scope: Scope) -> Admitted:
        """Whose call it is.

        Raises:
            Problem: nobody's, or not allowed, or too often.
        """
        admitted = self._known(authorization)
        if wait := self._rates.take(admitted.key.id or 0):
            raise _too_often(wait)
        if not admitted.has(scope):
            raise _out_of_scope(scope)
        if not admitted.person.may(scope.deed):
            raise Problem(403, "role", f"The person this key acts for may not {scope.deed} any more.")
        return admitted

    def call(self, admitted: Admitted, repetition: str, printed: str) -> Call:
        """The call, with what it needs."""
        return Call(self._hub, admitted, self._cursors, self._pending, repetition, printed)

    def _known(self, authorization: str) -> Admitted:
        word, _, presented = authorization.partition(" ")
        if word.lower() != _SCHEME_WORD or not presented.strip():
            raise _who_is_it("")
        with self._hub.database.reading() as session:
            try:
                return apikeys.admit(session, presented.strip())
            except NotAdmitted:
                raise _who_is_it(', error="invalid_token"') from None


@dataclass(frozen=True)
class _Form:
    """What a route takes."""

    scope: Scope
    media_type: str | None
    largest: int  # bytes of the body


class Door(APIRoute):
    """A route that is open to keys only."""

    def get_route_handler(self) -> Handler:
        """The handler, behind the door."""
        handle, form = super().get_route_handler(), self._form()

        async def behind_the_door(request: Request) -> Response:
            keeper = doorkeeper(request.app)
            authorization = request.headers.get("authorization", "")
            admitted = await run_in_threadpool(keeper.admit, authorization, form.scope)
            _check_media_type(request, form.media_type)
            request = _with_an_end(request, form.largest) if form.largest else request
            repetition = request.headers.get("idempotency-key", "") if request.method == "POST" else ""
            printed = await _printed(request, form) if repetition else ""
            request.state.call = keeper.call(admitted, repetition, printed)
            return await handle(request)

        return behind_the_door

    def _form(self) -> _Form:
        extra = cast("dict[str, Any]", self.openapi_extra)
        (scope,) = extra["security"][0][SCHEME]
        media_type = getattr(self.body_field.field_info, "media_type", JSON) if self.body_field else None
        return _Form(Scope(scope), media_type, extra.get(_LARGEST, 0))


def doorkeeper(app: FastAPI) -> Doorkeeper:
    """The doorkeeper of an application."""
    return cast("Doorkeeper", app.state.doorkeeper)


async def _printed(request: Request, form: _Form) -> str:
    """The request's fingerprint. A form's is made of its parts, where they are read."""
    body = await request.body() if form.media_type == JSON else b""
    return fingerprint(request.method, request.url.path, body)


def _with_an_end(request: Request, largest: int) -> Request:
    """The request with a body that may not be longer, whatever its headers say.

    Raises:
        Problem: it says that it is longer; reading it raises the same.
    """
    said = request.headers.get("content-length", "")
    if said.isdecimal() and int(said) > largest:
        raise _too_large(largest)
    read = 0

    async def bounded() -> Message:
        nonlocal read
        message = await request.receive()
        read += len(message.get("body", b""))
        if read > largest:
            raise _too_large(largest)
        return message

    return Request(request.scope, bounded)


def _check_media_type(request: Request, wanted: str | None) -> None:
    sent = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if wanted and sent != wanted:
        raise Problem(415, "media_type", f"Send the body as {wanted}, and say so in Content-Type.")


def _who_is_it(more: str) -> Problem:
    return Problem(
        401, "unauthorized", "Send a key that is good: Authorization: Bearer notify_… (notify api-key add).",
        headers={"WWW-Authenticate": f'Bearer realm="notify"{more}'},
    )  # fmt: skip


def _out_of_scope(scope: Scope) -> Problem:
    said = f'Bearer realm="notify", error="insufficient_scope", scope="{scope}"'
    return Problem(
        403, "scope", f"This key was not given the scope {scope}.", headers={"WWW-Authenticate": said}
    )


def _too_large(largest: int) -> Problem:
    return Problem(413, "too_large", f"The body has more than {largest:,} bytes. Send less at once.")


def _too_often(wait: float) -> Problem:
    seconds = int(wait) + 1
    return Problem(
        429, "too_often", f"This key has asked too often. Ask again in {seconds} seconds.",
        headers={"Retry-After": str(seconds)},
    )  # fmt: skip
