"""Everything in one process: web pages, engine, scheduler, and with the sandbox the residents' side as well."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from sqlmodel import col, select

from channels.sandbox import Sandbox, memory
from channels.sandbox.conversations import Resident
from channels.sandbox.page import residents_app
from contacts.models import Contact, Endpoint
from notify import mailbox, retention, timetables
from notify.hub import Hub
from notify.settings import Ground, load
from notify.web.app import create_app
from notify.web.hooks.fetching import fetching


@dataclass
class Stage:
    """A running hub: its address, and the sandbox if there is one."""

    hub: Hub
    url: str
    sandbox: Sandbox | None = None


class PortTaken(OSError):
    """Something else listens there; the message names the cure."""


class _Server(uvicorn.Server):
    """uvicorn inside our loop: signals are ours."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def running(host: str, port: int, given: Mapping[str, Any]) -> AsyncIterator[Stage]:
    """The hub as it serves a city.

    Raises:
        PortTaken, EngineBusy, SettingsError: with the cure.
    """
    async with AsyncExitStack() as stack:
        listener = stack.enter_context(_listen(host, port))
        yield await _start(stack, listener, load(**given), None)


@asynccontextmanager
async def running_with_sandbox(
    host: str, port: int, folder: Path, given: Mapping[str, Any]
) -> AsyncIterator[Stage]:
    """The hub with local stand-ins for every provider; nothing leaves this machine.

    Args:
        host: to listen at.
        port: to listen at; 0 lets the system choose.
        folder: where mails, texts, chats and letters go.
        given: settings that win over file and environment.

    Raises:
        PortTaken, EngineBusy, SettingsError: with the cure.
    """
    async with AsyncExitStack() as stack:
        listener = stack.enter_context(_listen(host, port))
        sandbox = await stack.enter_async_context(Sandbox(folder))
        memory.restore(sandbox)
        letters = folder / "letters"
        sandbox.hub_url = _url(listener)
        stand_ins: dict[str, Any] = {**sandbox.settings(), "letter": {"outbox": letters}}
        settings = load(**{**stand_ins, "public_url": sandbox.hub_url, **given})
        try:
            yield await _start(stack, listener, settings, sandbox, letters)
        finally:
            memory.save(sandbox)


async def _start(
    stack: AsyncExitStack,
    listener: socket.socket,
    settings: Ground,
    sandbox: Sandbox | None,
    letters: Path | None = None,
) -> Stage:
    hub = await asyncio.to_thread(Hub, settings)
    stack.callback(hub.database.dispose)
    await stack.enter_async_context(hub.engine().running())
    for channel in hub.channels.values():
        await channel.announce()
    app = create_app(hub, sandbox_app=_residents_side(hub, sandbox, letters) if sandbox else None)
    await stack.enter_async_context(_serving(app, listener))
    reader = mailbox.Reader(hub.database, settings, hub.tokens)
    await stack.enter_async_context(mailbox.reading(reader, hub.channels))
    await stack.enter_async_context(fetching(hub))  # in here the engine's lock is held
    scheduler = timetables.scheduler(hub.database, settings, hub.channels, hub.renderer)
    retention.schedule(scheduler, hub.database, settings)
    stack.enter_context(_waking(scheduler))
    return Stage(hub, _url(listener), sandbox)


def _residents_side(hub: Hub, sandbox: Sandbox, letters: Path | None) -> Any:
    def whose(channel: str, address: str) -> Resident | None:
        with hub.database.reading() as session:
            query = (
                select(Contact.name, Contact.language)
                .join(Endpoint, col(Endpoint.contact_id) == col(Contact.id))
                .where(Endpoint.channel == channel, Endpoint.address == address)
            )
            found = session.exec(query).first()
        return Resident(*found) if found else None

    return residents_app(sandbox, letters, whose, hub.settings.as_city())


def free_or_any(host: str, port: int) -> int:
    """The port where nobody listens there yet; else 0, and the system chooses."""
    try:
        with _listen(host, port):
            return port
    except PortTaken:
        return 0


@contextlib.contextmanager
def _listen(host: str, port: int) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise PortTaken(
            f"{host}:{port} cannot be listened at ({error.strerror}). Choose another --port."
        ) from None
    with contextlib.closing(listener):
        yield listener


@asynccontextmanager
async def _serving(app: Any, listener: socket.socket) -> AsyncIterator[None]:
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=1,
        proxy_headers=False,  # whom to believe is a setting of ours
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started and not task.done():
        await asyncio.sleep(0.01)
    try:
        yield
    finally:
        server.should_exit = True
        await task


@contextlib.contextmanager
def _waking(scheduler: AsyncIOScheduler) -> Iterator[None]:
    scheduler.start()
    try:
        yield
    finally:
        scheduler.shutdown(wait=False)


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    shown = "127.0.0.1" if host == "0.0.0.0" else f"[{host}]" if ":" in host else host  # noqa: S104 - compared, not bound
    return f"http://{shown}:{port}"
