"""Staff's pages: the dispatches, and one dispatch as it goes."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse

from channels.registry import available
from notify.dispatch.models import Dispatch
from notify.hub import Hub
from notify.web.console import access
from notify.web.console.progress import STATES, Progress, newest, progress
from notify.web.guard import LARGEST_ID
from notify.web.pages import NO_STORE, Pages

Number = Annotated[int, Path(ge=1, le=LARGEST_ID)]


class Outside(PermissionError):
    """Nobody is let in without a cookie that is good."""


class Console:
    """Routes for staff.

    Args:
        hub: whose dispatches.
        pages: renders.
        is_open: let everybody in, and point to the sandbox.
    """

    def __init__(self, hub: Hub, pages: Pages, *, is_open: bool) -> None:
        self._database = hub.database
        self._key = hub.settings.key()
        self._is_public = hub.settings.public_url.startswith("https://")
        self._pages = pages
        self._is_open = is_open
        self._labels = {name: channel.label for name, channel in available().items()}

    def router(self) -> APIRouter:
        """The routes."""
        router = APIRouter()
        router.add_api_route(access.ENTRANCE, self.enter, methods=["GET"])
        inside = APIRouter(prefix="/console", dependencies=[Depends(self.require_inside)])
        inside.add_api_route("", self.start, methods=["GET"])
        inside.add_api_route("/dispatches", self.dispatches, methods=["GET"])
        inside.add_api_route("/dispatches.json", self.dispatches_now, methods=["GET"])
        inside.add_api_route("/dispatches/{number}.json", self.dispatch_now, methods=["GET"])
        inside.add_api_route("/dispatches/{number}", self.dispatch, methods=["GET"])
        router.include_router(inside)
        return router

    def require_inside(self, request: Request) -> None:
        """Let those with a good cookie pass.

        Raises:
            Outside: there is none.
        """
        if not self._is_open and not access.is_inside(self._key, request.cookies.get(access.COOKIE, "")):
            raise Outside

    def refuse(self, _request: Request, _error: Exception) -> Response:
        """The page for those outside: how to get in."""
        return self._page("console/outside", status=403)

    def enter(self, ticket: str = "") -> Response:
        """Exchange a ticket for the cookie.

        The page moves on by itself: on a redirect from elsewhere browsers hold back a strict cookie.
        """
        if not access.admits(self._key, ticket):
            raise Outside
        response = self._page("console/entered")
        response.set_cookie(
            access.COOKIE,
            access.cookie(self._key),
            max_age=access.COOKIE_SECONDS,
            path=self._pages.at("/console"),
            secure=self._is_public,
            httponly=True,
            samesite="strict",
        )
        return response

    def start(self) -> Response:
        """The console's first page."""
        return self._pages.redirect("/console/dispatches", NO_STORE)

    def dispatches(self) -> Response:
        """The dispatches of late."""
        with self._database.reading() as session:
            return self._page("console/dispatches", entries=newest(session))

    def dispatches_now(self) -> Response:
        """The part of that page that changes."""
        with self._database.reading() as session:
            return self._live("console/_dispatches", {}, is_over=False, entries=newest(session))

    def dispatch(self, number: Number) -> Response:
        """One dispatch."""
        found = self._progress(number)
        if found is None:
            return self._page("console/absent", status=404)
        return self._page("console/dispatch", number=number, progress=found, states=STATES)

    def dispatch_now(self, number: Number) -> Response:
        """The part of that page that changes, and its numbers."""
        found = self._progress(number)
        if found is None:
            return JSONResponse({"error": "There is no such dispatch."}, 404, NO_STORE)
        return self._live(
            "console/_dispatch", found.to_dict(), is_over=found.is_over, progress=found, states=STATES
        )

    def _progress(self, number: int) -> Progress | None:
        with self._database.reading() as session:
            dispatch = session.get(Dispatch, number)
            return progress(session, dispatch, self._labels) if dispatch else None

    def _page(self, layout: str, *, status: int = 200, **values: Any) -> HTMLResponse:
        return self._pages.page(
            layout, "en", status=status, headers=NO_STORE, is_open=self._is_open, **self._tools, **values
        )

    def _live(self, layout: str, numbers: dict[str, Any], *, is_over: bool, **values: Any) -> Response:
        markup = self._pages.fragment(layout, **self._tools, **values)
        return JSONResponse(numbers | {"is_over": is_over, "html": markup}, headers=NO_STORE)

    @property
    def _tools(self) -> dict[str, Any]:
        return {"local_time": self._pages.local_time}
