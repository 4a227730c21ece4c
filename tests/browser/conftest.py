"""Chromium against a whole hub: engine, pages, stand-ins for the providers, in a thread of its own."""

from __future__ import annotations

import asyncio
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from browsing import DESKTOP, Open, Scene
from playwright.sync_api import Browser, Page, expect, sync_playwright
from web_city import SETTINGS

from notify.stage import running_with_sandbox

ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
expect.set_options(timeout=20_000)


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    monkeypatch.chdir(tmp_path)
    given = {name: SETTINGS[name] for name in ("city", "secret_key")} | {"state_dir": tmp_path / "state"}
    ready, found, over = threading.Event(), list[Scene](), list[asyncio.Event]()

    async def run() -> None:
        try:
            async with running_with_sandbox("127.0.0.1", 0, tmp_path / "out", given) as stage:
                assert stage.sandbox
                found.append(Scene(stage.hub, stage.url, stage.sandbox, asyncio.get_running_loop()))
                over.append(asyncio.Event())
                ready.set()
                await over[0].wait()
        finally:
            ready.set()

    thread = threading.Thread(target=asyncio.run, args=(run(),))
    thread.start()
    ready.wait()
    assert found, "the hub did not start"
    yield found[0]
    found[0].loop.call_soon_threadsafe(over[0].set)
    thread.join()


@pytest.fixture(scope="module")  # not longer: while Playwright runs, asynchronous tests cannot
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    assert chromium, "These tests need Chromium; install the package chromium."
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield launched
        launched.close()


@pytest.fixture
def open_page(browser: Browser, scene: Scene) -> Open:
    """Opens a page in a fresh browser; afterwards, nothing may have gone wrong in it or left the machine."""

    @contextmanager
    def opened(path: str, **options: object) -> Iterator[Page]:
        context = browser.new_context(**{"viewport": DESKTOP, "base_url": scene.url} | options)  # type: ignore[arg-type]
        page = context.new_page()
        wrong: list[str] = []
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
        page.on("request", lambda request: wrong.append(request.url) if not _is_here(request.url) else None)
        page.goto(path)
        yield page
        context.close()
        assert wrong == []

    return opened


def _is_here(url: str) -> bool:
    return urlsplit(url).hostname == "127.0.0.1" or url.startswith(("data:", "about:"))
