"""A real hub for each test: SQLite in a file, PostgreSQL where there is one, the sandbox over real sockets."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import create_engine, text

from channels.sandbox import Sandbox
from notify.hub import Hub
from notify.settings import load

CITY = {
    "name": "Rivermouth",
    "timezone": "America/Los_Angeles",
    "phone": "(206) 555-0134",
    "languages": ["en", "es"],
}


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=[pytest.mark.slow, pytest.mark.postgres])])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database; on PostgreSQL a schema of its own."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'notify.db'}"
        return
    base = os.environ["NOTIFY_TEST_POSTGRES"]
    schema = f"notify_{uuid4().hex[:12]}"
    admin = create_engine(base, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"CREATE SCHEMA {schema}"))
    yield f"{base}?options=-csearch_path%3D{schema}"
    with admin.connect() as connection:
        connection.execute(text(f"DROP SCHEMA {schema} CASCADE"))
    admin.dispose()


@pytest.fixture
async def sandbox(tmp_path: Path) -> AsyncIterator[Sandbox]:
    """Stand-ins for every provider, in this loop."""
    async with Sandbox(tmp_path / "sandbox") as running:
        yield running


@pytest.fixture
def make_hub(database_url: str, tmp_path: Path) -> Iterator[Callable[..., Hub]]:
    """Makes a hub over the test's database; settings may be given."""
    made: list[Hub] = []

    def make(**given: object) -> Hub:
        defaults: dict[str, object] = {
            "state_dir": tmp_path / "state",
            "database_url": database_url,
            "city": CITY,
        }
        made.append(Hub(load(**{**defaults, **given})))
        return made[-1]

    yield make
    for hub in made:
        hub.database.dispose()


@pytest.fixture
def hub(make_hub: Callable[..., Hub], sandbox: Sandbox, tmp_path: Path) -> Hub:
    """A hub with every channel on, against the sandbox, that retries at once."""
    return make_hub(
        **sandbox.settings(),
        letter={"outbox": tmp_path / "letters"},
        public_url="http://127.0.0.1:9",
        sending={"retry_seconds": 0.2, "retry_longest_seconds": 0.5, "settle_seconds": 0},
    )
