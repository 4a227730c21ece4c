from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import pytest
from api_city import ADA, EVA, OMAR, Office, Program
from web_city import PUBLIC, SETTINGS, Town

from notify.hub import Hub
from notify.staff import Role
from notify.web.app import create_app


@pytest.fixture
def town(make_hub: Callable[..., Hub], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Town:
    monkeypatch.chdir(tmp_path)  # away from any notify.toml
    return Town(make_hub(**SETTINGS))


@pytest.fixture
async def web(town: Town) -> AsyncIterator[httpx.AsyncClient]:
    """A browser, or a provider, behind the city's proxy."""
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(create_app(town.hub)), base_url=PUBLIC
    ) as client:
        yield client


@pytest.fixture
def office(town: Town) -> Office:
    """Ada, the administrator, and two liaisons."""
    made = Office(town)
    made.hire(ADA, Role.ADMINISTRATOR)
    made.hire(EVA)
    made.hire(OMAR)
    return made


@pytest.fixture
def ada(web: httpx.AsyncClient, office: Office) -> Program:
    """A program of the administrator's, with every scope that they may have."""
    return Program(web, office.key(ADA))


@pytest.fixture
def eva(web: httpx.AsyncClient, office: Office) -> Program:
    """A program of a liaison's, with every scope that they may have."""
    return Program(web, office.key(EVA))
