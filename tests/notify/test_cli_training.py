"""`notify run --sandbox` in one terminal, a liaison's or an author's commands in another."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

NOTIFY = [sys.executable, "-c", "from notify.cli import main; main()"]


@pytest.fixture
def training(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A city that is tried out, in a process of its own."""
    process = subprocess.Popen(
        [*NOTIFY, "run", "--sandbox", "--port", "0"],
        cwd=tmp_path, env=clean(), stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    yield process
    process.kill()
    process.wait(20)


def clean() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("NOTIFY_")}


@pytest.mark.slow
def test_commands_in_another_terminal_reach_the_stand_ins(
    training: subprocess.Popen[str], tmp_path: Path
) -> None:
    file = tmp_path / "notify-data" / "sandbox" / "commands.env"
    shown = told(training)
    assert f"there first:  . {file}" in shown
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    quoted = " ".join(f"'{word}'" for word in [*NOTIFY, "channels", "list", "--json"])
    listed = subprocess.run(
        ["/bin/sh", "-c", f". '{file}' && {quoted}"],
        cwd=tmp_path, env=clean(), capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert {each["name"]: each["state"] for each in json.loads(listed.stdout)} == {
        "sms": "on", "email": "on", "telegram": "on", "letter": "on",
    }  # fmt: skip
    training.send_signal(signal.SIGTERM)
    training.wait(20)
    assert not file.exists()


def told(process: subprocess.Popen[str], seconds: float = 30) -> str:
    """What it says until it runs."""
    assert process.stdout is not None
    lines, end = [], time.monotonic() + seconds
    while time.monotonic() < end:
        lines.append(process.stdout.readline())
        if "Stop with Ctrl-C" in lines[-1]:
            return "".join(lines)
    raise AssertionError("It did not start.")
