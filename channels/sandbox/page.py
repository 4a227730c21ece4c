"""The residents' side as a web page: phones, mails, Telegram chats and letters, as they come in.

Made on the server, so it works without JavaScript; a short script asks every second whether something has
happened and then exchanges what has changed. Every text on it is data, and nothing is fetched from elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from pypdfium2 import PdfiumError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import (
    FileResponse,
    HTMLResponse,
    JSONResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
)
from starlette.routing import Route

import templates
from channels.contract import City
from channels.sandbox import mailview
from channels.sandbox.captured import Direction, Mail
from channels.sandbox.chat import NoSuchButton
from channels.sandbox.conversations import (
    MOST_LISTED,
    Conversation,
    Conversations,
    Directory,
    preview_of,
    words_of,
)
from channels.sandbox.hub import HubUnreachable
from channels.sandbox.letters import Letters, PrintFile, picture
from channels.sandbox.markup import rich
from channels.sandbox.sandbox import Sandbox
from channels.sandbox.sms import NUMBER

_FOLDER = templates.directory() / "pages" / "sandbox"
_ON_THE_WALL = 12  # conversations shown side by side while none is open
_PAGES_SHOWN = 24  # of one print file
_LONGEST_REPLY = 1600

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self';"
        " frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'self'"
    ),
    "Cache-Control": "no-store",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}

PROBLEMS = {
    "hub": "The hub did not take that. Is it running, and does it know this sandbox?",
    "empty": "Write something first.",
    "address": "Write a phone number like +15550100123, or the number of a Telegram chat.",
    "button": "The phone does not show this button any more.",
}

_ADDRESSES = {
    "sms": re.compile(r"\+[1-9]\d{6,14}", re.ASCII),
    "telegram": re.compile(r"-?[1-9]\d{0,15}", re.ASCII),
}

# What residents often answer, one press away; a bot offers its own commands.
QUICK = {"sms": ("STOP", "ALTO", "HELP", "START"), "telegram": ("/start", "/stop", "/help")}


def residents_app(
    sandbox: Sandbox,
    letters: Path | None = None,
    directory: Directory | None = None,
    city: City = City("Your city"),
) -> Starlette:
    """The page, to be mounted at any path.

    Args:
        sandbox: a running sandbox.
        letters: the folder that the letter channel writes its PDF files to.
        directory: tells whose an address is; without it, addresses are shown as they are.
        city: who speaks, and in which time zone.
    """
    return Page(sandbox, Letters(letters), Conversations(sandbox, directory), city).app()


class Page:
    """The routes of the page."""

    def __init__(self, sandbox: Sandbox, letters: Letters, conversations: Conversations, city: City) -> None:
        self.sandbox = sandbox
        self.letters = letters
        self.conversations = conversations
        self.city = city
        self._templates = Environment(
            loader=FileSystemLoader(_FOLDER),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        zone = ZoneInfo(city.timezone)
        self._templates.globals["local"] = lambda moment: moment.astimezone(zone)
        self._templates.globals["preview_of"] = preview_of
        self._templates.globals |= {"rich": rich, "words_of": words_of, "is_out": _is_out}
        self._templates.globals |= {"quick": self._quick, "language_name": templates.language_name}
        self._templates.globals["mail_view"] = lambda mail: mailview.view(mail.raw)

    def app(self) -> Starlette:
        """The application with all its routes."""
        file = partial(Route, methods=["GET"])
        return Starlette(
            routes=[
                file("/", self._show),
                file("/version", self._tell_version),
                file("/page.css", _static("page.css")),
                file("/page.js", _static("page.js")),
                file("/icon.svg", _static("icon.svg")),
                file("/mail/{number:int}", self._show_mail),
                file("/letters/{name:path}/{page:int}.png", self._show_letter),
                file("/letters/{name:path}", self._send_letters),
                Route("/reply", self._reply, methods=["POST"]),
                Route("/press", self._press, methods=["POST"]),
                Route("/block", self._block, methods=["POST"]),
                Route("/unsubscribe", self._unsubscribe, methods=["POST"]),
            ]
        )

    async def _show(self, request: Request) -> Response:
        return await run_in_threadpool(self._rendered, request)

    def _rendered(self, request: Request) -> Response:
        asked = {name: request.query_params.get(name, "") for name in ("q", "channel", "language", "open")}
        found = self.conversations.select(asked["q"], asked["channel"], asked["language"])
        files = self.letters.files()
        context = {
            "base": request.scope.get("root_path", ""),
            "city": self.city,
            "number": NUMBER,
            "asked": asked,
            "link": partial(_link, request.scope.get("root_path", ""), asked),
            "problem": PROBLEMS.get(request.query_params.get("problem", ""), ""),
            "version": self._version(),
            "counts": self._counts(files),
            "languages": self.conversations.languages(),
            "found": found[:MOST_LISTED],
            "hidden": max(0, len(found) - MOST_LISTED),
            "letters": files
            if asked["channel"] in ("", "letter") and not asked["q"] and not asked["language"]
            else [],
            "items_of": self._items,
            "wall": found[:_ON_THE_WALL],
            **self._opened(asked["open"], request),
        }
        return HTMLResponse(self._templates.get_template("page.html").render(context), headers=_HEADERS)

    def _opened(self, key: str, request: Request) -> dict[str, Any]:
        """What the link opens: a conversation, a print file, or nothing."""
        opened = self.conversations.find(key)
        letter = self.letters.find(key.removeprefix("letter:")) if key.startswith("letter:") else None
        first = _number(request.query_params.get("from", "1"))
        shown = range(first, min(first + _PAGES_SHOWN, letter.pages + 1)) if letter else range(0)
        mail = self._mail(opened, request.query_params.get("mail", "")) if opened else None
        plain = request.query_params.get("view") == "text"
        return {
            "opened": opened,
            "is_blocked": bool(
                opened and opened.channel == "telegram" and opened.address in self.sandbox.bots.blocked
            ),
            "letter": letter,
            "pages": shown,
            "page_size": _PAGES_SHOWN,
            "mail": mail,
            "plain": plain,
        }

    def _mail(self, opened: Conversation, number: str) -> Mail | None:
        mails = [item for item in self._items(opened) if isinstance(item, Mail)]
        asked = next((mail for mail in mails if str(mail.number) == number), None)
        return asked or (mails[-1] if mails else None)

    def _items(self, conversation: Conversation) -> list[Any]:
        return list(self.sandbox.shelves[conversation.channel].of(conversation.address))

    def _counts(self, files: list[PrintFile]) -> dict[str, int]:
        totals = {channel: shelf.total for channel, shelf in self.sandbox.shelves.items()}
        return totals | {"letter": sum(file.pages for file in files)}

    def _version(self) -> str:
        return f"{self.sandbox.version}.{self.letters.files()[:1]}"

    async def _tell_version(self, _request: Request) -> Response:
        return JSONResponse({"version": await run_in_threadpool(self._version)}, headers=_HEADERS)

    async def _show_mail(self, request: Request) -> Response:
        number = request.path_params["number"]
        mail = next((mail for mail in self.sandbox.mail if mail.number == number), None)
        if mail is None:
            return _missing()
        shown = await run_in_threadpool(mailview.view, mail.raw)
        return HTMLResponse(shown.html, headers=_HEADERS | {"Content-Security-Policy": mailview.POLICY})

    async def _show_letter(self, request: Request) -> Response:
        file = self.letters.find(request.path_params["name"])
        if file is None:
            return _missing()
        try:
            image = await run_in_threadpool(picture, file, request.path_params["page"])
        except (IndexError, PdfiumError, OSError):
            return _missing()
        return Response(image, media_type="image/png", headers=_HEADERS)

    async def _send_letters(self, request: Request) -> Response:
        file = self.letters.find(request.path_params["name"])
        return FileResponse(file.path, media_type="application/pdf", headers=_HEADERS) if file else _missing()

    async def _reply(self, request: Request) -> Response:
        """A resident writes: to the number, or to the bot."""
        form = await request.form()
        channel, address, text, language = (
            str(form.get(name, "")).strip() for name in ("channel", "address", "text", "language")
        )
        if not _is_address(channel, address):
            return self._back(request, "", "address")
        if not text:
            return self._back(request, f"{channel}:{address}", "empty")
        text = text[:_LONGEST_REPLY]
        if channel == "sms":
            send: Callable[[], Awaitable[object]] = partial(self.sandbox.reply_sms, address, text)
        else:
            known = language if language in self.city.languages else ""
            send = partial(self.sandbox.reply_telegram, address, text, known)
        return await self._act(request, f"{channel}:{address}", send)

    async def _press(self, request: Request) -> Response:
        """A resident presses a button under one of the bot's messages."""
        form = await request.form()
        address, message, data = (str(form.get(name, "")) for name in ("address", "message", "data"))
        if not _is_address("telegram", address):
            return self._back(request, "", "address")
        press = partial(self.sandbox.press_button, address, message, data)
        return await self._act(request, f"telegram:{address}", press)

    async def _block(self, request: Request) -> Response:
        form = await request.form()
        address = str(form.get("address", ""))
        if not _is_address("telegram", address):
            return self._back(request, "", "address")
        return await self._act(request, f"telegram:{address}", partial(self.sandbox.block_bot, address))

    async def _unsubscribe(self, request: Request) -> Response:
        number = _number(str((await request.form()).get("mail", "")))
        mail = next((mail for mail in self.sandbox.mail if mail.number == number), None)
        if mail is None:
            return _missing()
        return await self._act(request, f"email:{mail.address}", partial(self.sandbox.unsubscribe, mail))

    async def _act(self, request: Request, key: str, action: Callable[[], Awaitable[object]]) -> Response:
        if not _is_own(request):
            return PlainTextResponse("This form belongs to another page.", HTTPStatus.FORBIDDEN)
        try:
            await action()
        except HubUnreachable:
            return self._back(request, key, "hub")
        except NoSuchButton:
            return self._back(request, key, "button")
        return self._back(request, key, "")

    def _quick(self, conversation: Conversation) -> list[tuple[str, str]]:
        """Answers that are one press away, and what they do."""
        if conversation.channel == "telegram" and (
            offered := self.sandbox.bots.offered(conversation.address)
        ):
            return [(f"/{each['command']}", each["description"]) for each in offered]
        return [(word, "") for word in QUICK[conversation.channel]]

    def _back(self, request: Request, key: str, problem: str) -> Response:
        """To the page again, with what was open."""
        asked = {"open": key, "problem": problem}
        query = urlencode({name: value for name, value in asked.items() if value})
        return RedirectResponse(f"{request.scope.get('root_path', '')}/?{query}", HTTPStatus.SEE_OTHER)


def _static(name: str) -> Callable[[Request], Awaitable[Response]]:
    async def send(_request: Request) -> Response:
        return FileResponse(
            _FOLDER / name, headers={"Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff"}
        )

    return send


def _link(base: str, asked: dict[str, str], **changes: object) -> str:
    """A link to the page as it is, but for some changes."""
    query = {name: str(value) for name, value in (asked | changes).items() if value not in ("", None)}
    return f"{base}/?{urlencode(query)}" if query else f"{base}/"


def _is_out(item: Any) -> bool:
    return bool(item.direction is Direction.OUT)


def _is_address(channel: str, address: str) -> bool:
    return channel in _ADDRESSES and bool(_ADDRESSES[channel].fullmatch(address))


def _is_own(request: Request) -> bool:
    """Whether a form was sent from this page (browsers tell by the header Origin)."""
    origin = request.headers.get("origin", "")
    return not origin or urlsplit(origin).netloc == request.headers.get("host", "")


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 1


def _missing() -> Response:
    return PlainTextResponse("There is nothing at this address.", HTTPStatus.NOT_FOUND)
