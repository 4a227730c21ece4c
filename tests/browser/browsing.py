"""What the tests in a browser share."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Page

from channels.sandbox import Sandbox

sys.path.append(str(Path(__file__).parent.parent / "notify" / "web"))
from web_city import Town

DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}

Open = Callable[..., AbstractContextManager[Page]]


@dataclass
class Scene(Town):
    """A running city with its sandbox, and where its pages are."""

    url: str
    sandbox: Sandbox
    loop: asyncio.AbstractEventLoop


def fits(page: Page) -> bool:
    """Whether nobody has to scroll sideways."""
    return bool(page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"))


def press_until(page: Page, key: str, name: str) -> None:
    """Press a key until the element in focus has this text."""
    for _ in range(20):
        page.keyboard.press(key)
        if page.evaluate("document.activeElement.innerText.trim()") == name:
            return
    raise AssertionError(f"{name!r} cannot be reached with {key}.")
