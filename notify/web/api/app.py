"""The interface as an application of its own, with its own errors: what it answers is JSON for programs."""

from __future__ import annotations

import re
from typing import Any, Protocol

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.routing import Match, Mount
from starlette.types import ASGIApp, Message, Receive, Scope, Send

import notify
from notify.hub import Hub
from notify.web.api import consents, contacts, imports, lists, problems, segments, translations
from notify.web.api.door import SCHEME, Door, Doorkeeper
from notify.web.api.problems import Problem, ProblemDocument, not_there
from notify.web.api.routing import MAKES, Routes
from notify.web.api.seeing import BASE
from notify.web.guard import report
from notify.web.pages import Pages


class _Part(Protocol):
    """A module with the routes of one resource."""

    def add_routes(self, routes: Routes) -> None:
        """Add them."""


_PARTS: dict[str, _Part] = {
    "contacts": contacts,
    "consent": consents,
    "lists": lists,
    "segments": segments,
    "imports": imports,
    "translations": translations,
}
_DESCRIPTION = """\
Contacts, consent, lists, segments, imports and translations of one city's hub, for its programs.

- A key is sent with each request: `Authorization: Bearer notify_…`. It is made with `notify api-key add`, has
  scopes, and may do no more than the member of staff it acts for. Whatever that person may not see is not found.
- What goes wrong is a problem document (RFC 9457). 400: the request is not as described here. 422: it is, and
  still cannot be done.
- Long lists come in pages: send `next_cursor` back as `cursor`. Rows that come or go meanwhile shift nothing.
- A POST that makes something takes an `Idempotency-Key`: the same request with it does nothing twice.
- Residents' addresses belong into bodies, never into paths or queries.
- Each look at residents' data is in the hub's audit trail.
"""


class Interface(FastAPI):
    """The sub-application under /api/v1."""

    def __init__(self, hub: Hub) -> None:
        base = f"{hub.settings.public_url}{BASE}"
        super().__init__(
            title="Notify", summary="Contacts, consent, lists, segments, imports and translations.",
            description=_DESCRIPTION, version=notify.__version__, openapi_url="/openapi.json", docs_url=None,
            redoc_url=None, redirect_slashes=False, servers=[{"url": base}], root_path_in_servers=False,
        )  # fmt: skip
        self.router.route_class = Door
        self.state.doorkeeper = Doorkeeper(hub)
        self.add_exception_handler(HTTPException, _refuse)
        self.add_exception_handler(RequestValidationError, problems.refuse_form)
        self.add_middleware(_Calm)

    def openapi(self) -> dict[str, Any]:
        """The description, OpenAPI 3.1."""
        if self.openapi_schema is None:
            self.openapi_schema = _completed(super().openapi())
        return self.openapi_schema


def mount(app: FastAPI, hub: Hub, pages: Pages) -> None:
    """Put the interface into the hub's application.

    Args:
        app: the hub's.
        hub: whose data.
        pages: for the page that tells people what is here.
    """
    interface = Interface(hub)
    largest_upload = hub.settings.api.upload_megabytes * 1_000_000
    for tag, part in _PARTS.items():
        part.add_routes(Routes(interface, tag, largest_upload))

    def index(request: Request) -> Response:
        return _index(request, interface, pages)

    interface.add_route("/", index, include_in_schema=False)
    app.add_api_route(BASE, index, methods=["GET"])
    app.mount(BASE, interface)
    app.router.routes.append(_Rest("/api", _nothing_here))


def _index(request: Request, interface: Interface, pages: Pages) -> Response:
    """What is here: for people a page, for programs where the description is."""
    description = interface.openapi()
    if "text/html" in request.headers.get("accept", ""):
        return pages.page("api", "en", description=description, base=BASE, tags=_tags(description))
    return JSONResponse(
        {
            "title": description["info"]["title"],
            "version": description["info"]["version"],
            "description": pages.at(f"{BASE}/openapi.json"),
            "resources": _tags(description),
        }
    )


def _tags(description: dict[str, Any]) -> list[str]:
    found = (tag for path in description["paths"].values() for way in path.values() for tag in way["tags"])
    return list(dict.fromkeys(found))


def _completed(description: dict[str, Any]) -> dict[str, Any]:
    """The framework's description with our problems instead of its own errors, and with the way in."""
    _link(description["paths"])
    statuses: set[int] = set()
    for path in description["paths"].values():
        for operation in path.values():
            operation["responses"].pop("422", None) if _is_frameworks(operation) else None
            statuses |= {int(each) for each in operation["responses"] if int(each) >= 400}
    components = description["components"]
    schemas = components["schemas"]
    schemas.pop("HTTPValidationError", None)
    schemas.pop("ValidationError", None)
    problem = ProblemDocument.model_json_schema(
        ref_template="#/components/schemas/{model}", mode="serialization"
    )
    schemas |= problem.pop("$defs") | {"Problem": problem}
    components["responses"] = problems.components(statuses)
    components["securitySchemes"] = {
        SCHEME: {"type": "http", "scheme": "bearer", "description": "A key: `notify api-key add`."}
    }
    return description


def _link(paths: dict[str, Any]) -> None:
    """Say of what makes something where that is found from then on."""
    ways = {way["operationId"]: (path, way) for path, found in paths.items() for way in found.values()}
    for _, way in ways.values():
        name, place = way.pop(MAKES, ("", ""))
        links = {
            other: {"operationId": other, "parameters": {name: f"$response.body#/{place}"}}
            for other, (path, _) in ways.items()
            if name and path.count("{") == 1 and f"{{{name}}}" in path
        }
        if links:
            good = min(way["responses"])
            way["responses"][good]["links"] = links


def _is_frameworks(operation: dict[str, Any]) -> bool:
    """Whether a 422 is the framework's own, which is never answered: we answer 400."""
    return "$ref" not in operation["responses"].get("422", {"$ref": ""})


def _refuse(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 405:
        methods = {method for route in request.app.routes for method in _methods(route, request.scope)}
        detail = "There is nothing here for this method."
        error = Problem(405, "method", detail, headers={"Allow": ", ".join(sorted(methods))})
    if error.status_code == 404 and not isinstance(error, Problem):
        error = not_there("address")
    return problems.answer(error)


def _methods(route: Any, scope: Scope) -> set[str]:
    """The methods of a route that has this path."""
    return set(route.methods or ()) if route.matches(scope)[0] is not Match.NONE else set()


async def _nothing_here(scope: Scope, receive: Receive, send: Send) -> None:
    await problems.answer(not_there("address"))(scope, receive, send)


class _Rest(Mount):
    """Everything below a path, addresses with a line break in them included: the framework passes those by."""

    def __init__(self, path: str, app: ASGIApp) -> None:
        super().__init__(path, app)
        self.path_regex = re.compile(self.path_regex.pattern, re.DOTALL)


class _Calm:
    """Turns a defect into a problem document that tells nothing."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def noticing(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, noticing)
        except Exception as error:
            report(scope, error)
            if started:
                raise RuntimeError("An answer broke off half-way; see request_failed in the log.") from None
            defect = Problem(500, "defect", "Something went wrong here. Nothing was changed.")
            await problems.answer(defect)(scope, receive, send)
