"""How a route is added, so that its description says all it may answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from fastapi import Depends, FastAPI, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from notify.apikeys import Scope
from notify.web.api import problems
from notify.web.api.door import needs
from notify.web.api.fields import IdempotencyKey

LARGEST_BODY = 200_000  # bytes of JSON
MAKES = "x-makes"

_ALWAYS = frozenset({400, 401, 403, 429, 500})
_WITH_BODY = frozenset({413, 415})
_REPEATABLE = frozenset({409, 422})


@dataclass(frozen=True)
class Routes:
    """Adds the routes of one resource.

    Attributes:
        app: the interface.
        tag: the resource.
        largest_upload: bytes of a form with a file.
    """

    app: FastAPI
    tag: str
    largest_upload: int
    _bodiless: frozenset[str] = field(default=frozenset({"GET", "DELETE"}), repr=False)

    def add(
        self,
        method: str,
        path: str,
        endpoint: Callable[..., Response],
        *,
        scope: Scope,
        gives: type[BaseModel] | None,
        status: int = 200,
        refuses: Iterable[int] = (),
        repeatable: bool = False,
        has_body: bool | None = None,
        headers: Iterable[str] = (),
        largest: int = LARGEST_BODY,
        makes: tuple[str, str] | None = None,
    ) -> None:
        """Add a route.

        Args:
            method: GET, POST, PUT, PATCH or DELETE.
            path: below /api/v1.
            endpoint: its name becomes the operation's id.
            scope: what a key needs.
            gives: the body of a good answer; None for none.
            status: of a good answer.
            refuses: the statuses of its own refusals, beside those that every route may give.
            repeatable: whether an Idempotency-Key makes a repetition harmless.
            has_body: whether it takes a body; by its method, if None.
            headers: that a good answer carries.
            largest: bytes of the body.
            makes: what it makes, as paths call it, and where a good answer says so; for the description's links.
        """
        takes_body = method not in self._bodiless if has_body is None else has_body
        statuses = _ALWAYS | set(refuses)
        statuses |= (_WITH_BODY if takes_body else set()) | (_REPEATABLE if repeatable else set())
        told = {name: {"schema": {"type": "string"}} for name in headers}
        good: dict[int | str, dict[str, Any]] = {status: {"headers": told}} if told else {}
        self.app.add_api_route(
            path,
            endpoint,
            methods=[method],
            operation_id=endpoint.__name__,
            tags=[self.tag],
            status_code=status,
            response_model=gives,
            response_class=Response if gives is None else JSONResponse,
            responses=good | problems.declared(statuses),
            dependencies=[Depends(_repeatable)] if repeatable else [],
            openapi_extra=needs(scope, largest if takes_body else 0) | ({MAKES: makes} if makes else {}),
        )


def _repeatable(key: IdempotencyKey = "") -> None:
    """Takes the header; the door reads it."""
