"""What holds for every request."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest
from sqlalchemy.exc import OperationalError
from web_city import Town

from notify.web.app import create_app
from notify.web.pages import STATIC


@pytest.mark.parametrize(
    "path", ["/", "/s/nothing", "/u/nothing", "/console/dispatches", "/static/pages.css", "/healthz"]
)
async def test_every_answer_forbids_what_it_does_not_need(web: httpx.AsyncClient, path: str) -> None:
    headers = (await web.get(path)).headers
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none'")
    assert "frame-ancestors 'none'" in policy and "unsafe" not in policy and "http" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"


def test_no_page_asks_anybody_else_for_anything() -> None:
    """Nor holds a script or a style of its own, which the policy would forbid."""
    layouts = [path for path in STATIC.parent.rglob("*.html") if "sandbox" not in path.parts]
    assert layouts
    for path in layouts:
        markup = path.read_text("utf-8")
        assert not re.search(r'(src|href|action)="(https?:)?//', markup), path
        assert not re.search(r"\sstyle=|<style|\son\w+=|<script(?![^>]*\ssrc=)", markup), path
    for path in [*STATIC.glob("*.css"), *STATIC.glob("*.js")]:
        assert not re.search(r"url\(|@import|https?://", path.read_text("utf-8")), path


async def test_health_follows_the_database(
    town: Town, web: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (await web.get("/healthz")).text == "ok"
    assert (await web.head("/healthz")).status_code == 200

    def broken() -> None:
        raise OperationalError("SELECT 1", {}, Exception("gone"))

    monkeypatch.setattr(town.hub.database, "reading", broken)
    assert (await web.get("/healthz")).status_code == 503


async def test_a_defect_tells_neither_the_reader_nor_the_log_anything_personal(
    town: Town, web: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    endpoint = town.resident("rosa@example.org", channel="email")
    token = town.token(endpoint)

    def broken() -> None:
        raise LookupError("rosa@example.org is not there")

    monkeypatch.setattr(town.hub.database, "reading", broken)
    answer = await web.get(f"/u/{token}")
    assert answer.status_code == 500
    assert "rosa" not in answer.text
    assert "content-security-policy" in answer.headers
    logged = "".join(capfd.readouterr())
    assert "request_failed" in logged and "/u/{token}" in logged and "notify/web/public/leaving.py" in logged
    assert "rosa" not in logged and token not in logged


@pytest.mark.parametrize(
    "path",
    ["/static/../pages.py", "/static/..%2f..%2f..%2fpyproject.toml", "/static/", "/static/nothing.css"],
)
async def test_only_static_files_are_static(web: httpx.AsyncClient, path: str) -> None:
    assert (await web.get(path)).status_code == 404


async def test_the_interface_is_described_nowhere(web: httpx.AsyncClient) -> None:
    for path in ("/docs", "/redoc", "/openapi.json"):
        assert (await web.get(path)).status_code == 404


def test_the_application_can_be_made_twice(town: Town) -> None:
    assert create_app(town.hub) is not create_app(town.hub)


def _colours(css: str) -> list[dict[str, str]]:
    """The colours of the light scheme, then of the dark one."""
    return [
        dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", block))
        for block in re.findall(r":root \{(.*?)\}", css, re.DOTALL)
    ]


def _luminance(colour: str) -> float:
    parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one: str, other: str) -> float:
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("scheme", [0, 1])
@pytest.mark.parametrize(
    ("text", "ground", "least"),
    [
        ("ink", "paper", 7), ("ink", "sheet", 7), ("ink", "tint", 7), ("quiet", "paper", 4.5), ("quiet", "sheet", 4.5),
        ("accent", "paper", 4.5), ("accent", "sheet", 4.5), ("accent", "tint", 4.5), ("on-accent", "accent", 4.5),
        ("focus", "paper", 3), ("focus", "sheet", 3),
    ],
)  # fmt: skip
def test_text_can_be_told_from_its_ground(scheme: int, text: str, ground: str, least: float) -> None:
    """WCAG 2.2, 1.4.3 and 1.4.11, level AA; level AAA for what is read at length."""
    colours = _colours((Path(STATIC) / "pages.css").read_text("utf-8"))[scheme]
    assert _contrast(colours[text], colours[ground]) >= least
