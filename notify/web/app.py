"""The hub's web application: hooks for providers, pages for residents, the console for staff."""

from __future__ import annotations

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import PlainTextResponse, RedirectResponse
from fastapi.staticfiles import StaticFiles
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

from notify.hub import Hub
from notify.web.api.app import mount as mount_api
from notify.web.console.routes import Console, Outside
from notify.web.guard import Guard
from notify.web.hooks.routes import Hooks
from notify.web.languages import asked_for, choose
from notify.web.pages import STATIC, Pages
from notify.web.public.confirming import Confirming
from notify.web.public.joining import Joining
from notify.web.public.leaving import Leaving
from notify.web.public.preferences import Preferences
from notify.web.public.statements import Statements

SANDBOX = "/sandbox"


def create_app(hub: Hub, *, sandbox_app: ASGIApp | None = None) -> FastAPI:
    """Put the application together.

    Args:
        hub: whose channels and data; the application neither starts nor stops its engine.
        sandbox_app: what residents' phones show, mounted at /sandbox. With it the console is open to
            everybody, so it must listen on this machine only.

    Raises:
        SettingsError: a channel's settings do not fit.
    """
    # No page describes the interface: providers know theirs, and residents need none.
    app = FastAPI(title="Notify", openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    pages = Pages(hub.settings)
    console = Console(hub, pages, is_open=sandbox_app is not None)
    for part in (Hooks(hub), Statements(hub, pages), Leaving(hub, pages), console, Health(hub)):
        app.include_router(part.router())
    for way in (Joining(hub, pages), Confirming(hub, pages), Preferences(hub, pages)):
        app.include_router(way.router())
    mount_api(app, hub, pages)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    if sandbox_app is not None:
        _mount_sandbox(app, sandbox_app, pages)
    _explain_errors(app, hub, pages, console)
    app.add_middleware(Guard, except_under=(f"{SANDBOX}/",))
    return app


class Health:
    """`/healthz`, for whoever watches the hub."""

    def __init__(self, hub: Hub) -> None:
        self._database = hub.database

    def router(self) -> APIRouter:
        """The route."""
        router = APIRouter()
        router.add_api_route("/healthz", self.check, methods=["GET", "HEAD"])
        return router

    def check(self) -> Response:
        """Whether the database answers."""
        try:
            with self._database.reading() as session:
                session.execute(text("SELECT 1"))
        except SQLAlchemyError:
            return PlainTextResponse("The database does not answer.", 503)
        return PlainTextResponse("ok")


def _mount_sandbox(app: FastAPI, sandbox_app: ASGIApp, pages: Pages) -> None:
    def with_slash() -> Response:
        return RedirectResponse(pages.at(f"{SANDBOX}/"), 307)

    app.add_api_route(SANDBOX, with_slash, methods=["GET"])
    app.mount(SANDBOX, sandbox_app)


def _explain_errors(app: FastAPI, hub: Hub, pages: Pages, console: Console) -> None:
    languages = hub.settings.city.languages

    def not_found(request: Request, _error: Exception) -> Response:
        wanted = asked_for(request.headers.get("accept-language", ""))
        return pages.not_found(choose(wanted, languages))

    def refused(request: Request, error: Exception) -> Response:
        if not isinstance(error, HTTPException) or error.status_code == 404:
            return not_found(request, error)
        return PlainTextResponse(error.detail, error.status_code, error.headers)

    app.add_exception_handler(HTTPException, refused)
    app.add_exception_handler(RequestValidationError, not_found)
    app.add_exception_handler(Outside, console.refuse)
