"""Translating with the network cut: `notify translation machine`, a process of its own, from a draft to Spanish."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from world import ANA, TARA, hire

from notify import staff, statements
from notify.hub import Hub
from notify.settings import load
from notify.translation.argos import ArgosEngine

_NOTIFY = [sys.executable, "-c", "from notify.cli import main; main()"]
_MACHINE = [*_NOTIFY, "translation", "machine", "1", "es", "--as", TARA, "--json"]
_CONNECT = "import socket; socket.create_connection(('127.0.0.1', 9))"
# urllib3, which comes with Twilio, tries on import whether it may bind to ::1; that goes nowhere.
_CUT = """
import sys
talk = ("socket.connect", "socket.get", "socket.send", "urllib.", "http.", "ftplib.", "smtplib.", "subprocess.")
def cut(event, args):
    if event.startswith(talk):
        open({log!r}, "a").write(f"{{event}} {{args}}\\n")
        raise OSError("the network is cut")
sys.addaudithook(cut)
"""
DRAFT = """---
title: You are not alone
short: If you need help, call 555-0100.
kind: crisis
---
A candlelight vigil will be held at 7:00 p.m. on Friday at City Hall. If you need help, call **555-0100**.
"""


@pytest.fixture
def city(tmp_path: Path, engine: ArgosEngine) -> dict[str, str]:
    """A city with a drafted statement and the two packages; its variables."""
    given = {
        "NOTIFY_STATE_DIR": str(tmp_path / "state"),
        "NOTIFY_DATABASE_URL": f"sqlite:///{tmp_path / 'city.db'}",
        "NOTIFY_MODELS_DIR": str(engine.directory),
        "NOTIFY_CITY__NAME": "Rivermouth",
        "NOTIFY_CITY__LANGUAGES": '["en", "es"]',
        "HOME": str(tmp_path / "home"),
        "PATH": os.environ["PATH"],
    }
    hub = Hub(load(state_dir=tmp_path / "state", database_url=given["NOTIFY_DATABASE_URL"]))
    with hub.database.session() as session:
        hire(session)
        statements.draft(session, statements.parse(DRAFT), staff.find(session, ANA))
        session.commit()
    hub.database.dispose()
    return given


def _translated(command: list[str], folder: Path, environment: dict[str, str]) -> str:
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=120, check=False, cwd=folder, env=environment
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_no_connection_is_tried_while_translating(city: dict[str, str], tmp_path: Path) -> None:
    log, site = tmp_path / "asked.txt", tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(_CUT.format(log=str(log)))
    paths = os.pathsep.join((str(site), str(Path(__file__).parents[2])))
    environment = {**city, "PYTHONPATH": paths}
    with pytest.raises(AssertionError, match="the network is cut"):  # so the cut is a cut
        _translated([sys.executable, "-c", _CONNECT], tmp_path, environment)
    log.unlink()
    out = _translated(_MACHINE, tmp_path, environment)
    assert '"drafted": 4' in out
    assert not log.exists(), log.read_text()
    shown = _translated([*_NOTIFY, "translation", "show", "1", "es", "--json"], tmp_path, environment)
    assert "Si necesita ayuda, llame al 555-0100." in shown
    assert not (tmp_path / "home").exists()


_UNSHARE = shutil.which("unshare")
_ALONE = (
    bool(_UNSHARE)
    and not subprocess.run([str(_UNSHARE), "-rn", "true"], capture_output=True, check=False).returncode
)


@pytest.mark.skipif(not _ALONE, reason="this machine lets nobody make a namespace without a network")
def test_translating_works_where_there_is_no_network_at_all(city: dict[str, str], tmp_path: Path) -> None:
    environment = {**city, "PYTHONPATH": str(Path(__file__).parents[2])}
    assert '"drafted": 4' in _translated([str(_UNSHARE), "-rn", *_MACHINE], tmp_path, environment)
