"""The interface against its own description: a fuzzer makes requests from it, and checks every answer."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import uvicorn
from api_city import ADA, EVA, ROSA, Office
from web_city import SETTINGS, Town
from world import TARA

from notify.apikeys import Scope
from notify.hub import Hub
from notify.staff import Role
from notify.web.app import create_app

EXAMPLES = 25  # for each operation

# What fits the description may still be impossible: no phone has the number, no language the name, or the
# contact has changed. That is 422 and 412; a request that does not fit it is 400, and never expected here.
CONFIGURATION = """
[checks.positive_data_acceptance]
expected-statuses = ["2xx", "401", "403", "404", "409", "412", "422"]
"""


@pytest.fixture
def office(make_hub: Callable[..., Hub], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Office:
    monkeypatch.chdir(tmp_path)
    settings = {**SETTINGS, "public_url": "", "api": {"requests_per_minute": 10_000_000}}
    made = Office(Town(make_hub(**settings)))
    made.hire(ADA, Role.ADMINISTRATOR, Role.TRANSLATOR)
    made.hire(EVA)
    made.hire(TARA, Role.TRANSLATOR, reads=["es"])
    news = made.list_of(EVA, "News")
    made.town.resident("rosa@example.org", channel=ROSA["channel"], on="News")
    assert news
    made.town.statement()
    return made


@contextmanager
def serving(hub: Hub) -> Iterator[str]:
    """The hub at a port of its own; its address."""
    server = uvicorn.Server(uvicorn.Config(create_app(hub), port=0, log_level="error", access_log=False))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.05)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/api/v1"
    finally:
        server.should_exit = True
        thread.join()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("email", "scopes"),
    [
        pytest.param(ADA, None, id="every scope"),
        pytest.param(EVA, None, id="a liaison"),
        pytest.param(TARA, None, id="a translator"),
        pytest.param(ADA, (Scope.LISTS_READ,), id="one scope"),
    ],
)
def test_every_answer_is_as_described(
    office: Office, tmp_path: Path, email: str, scopes: Collection[Scope] | None
) -> None:
    (tmp_path / "schemathesis.toml").write_text(CONFIGURATION)
    tool = Path(sys.executable).with_name("schemathesis")
    key = f"Authorization: Bearer {office.key(email, scopes)}"
    with serving(office.town.hub) as url:
        done = subprocess.run(
            [tool, "run", f"{url}/openapi.json", "--url", url, "--header", key, "--checks", "all",
             # A repeated POST is answered as the first time, even when what it made has been deleted since.
             "--exclude-checks", "ensure_resource_availability",
             "--max-examples", str(EXAMPLES), "--generation-database", "none", "--no-color"],
            cwd=tmp_path, capture_output=True, text=True, timeout=1200, check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-2000:]
    assert "Tested: 40" in done.stdout
