"""What translating touches outside of itself: nothing. Each in a process of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from notify.translation.argos import ArgosEngine


def _run(code: str, home: Path, *args: object, **environment: str) -> str:
    """Run Python where the home is empty, and return what it prints."""
    kept = {"PATH": os.environ["PATH"], "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, args)],
        capture_output=True, text=True, timeout=120, check=False, env={**kept, "HOME": str(home), **environment},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


_NO_NETWORK = """
import sys
def forbid(event, args):
    if event.startswith(("socket.", "urllib.")):
        raise SystemExit(f"the network was asked: {event} {args}")
sys.addaudithook(forbid)
"""

_TRANSLATE = """
from pathlib import Path
from notify.translation.argos import ArgosEngine
from notify.translation.machine import SourceText, translate_text
import os
before = dict(os.environ)
engine = ArgosEngine(Path(sys.argv[1]))
text = SourceText("You are not alone.", "J\\u00a0. Call 555-0100.", "- You are **not** alone.")
print(translate_text(engine, text, "en", "es").title)
assert dict(os.environ) == before, set(os.environ) ^ set(before)
wrong = {"argostranslate.translate", "argostranslate.sbd", "minisbd", "onnxruntime"} & set(sys.modules)
assert not wrong, wrong
"""


def test_translating_asks_no_network_and_leaves_nothing_behind(engine: ArgosEngine, tmp_path: Path) -> None:
    assert _run(_NO_NETWORK + _TRANSLATE, tmp_path, engine.directory) == "Ustedes no están solos.\n"
    assert list(tmp_path.iterdir()) == []


def test_settings_of_argos_translate_do_not_matter(engine: ArgosEngine, tmp_path: Path) -> None:
    strange = {
        "ARGOS_DEBUG": "1",
        "ARGOS_MODEL_PROVIDER": "NONE",
        "ARGOS_PACKAGES_DIR": "/proc/none",
        "SNAP": "x",
    }
    assert (
        _run("import sys\n" + _TRANSLATE, tmp_path, engine.directory, **strange)
        == "Ustedes no están solos.\n"
    )


def test_translating_changes_nothing_in_a_directory_of_packages(engine: ArgosEngine, tmp_path: Path) -> None:
    """It may be read-only, or shared by many processes."""
    packages = shutil.copytree(engine.directory, tmp_path / "packages")
    for path in [packages, *packages.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    before = _listing(packages)
    try:
        assert _run("import sys\n" + _TRANSLATE, tmp_path, packages) == "Ustedes no están solos.\n"
        assert _listing(packages) == before
    finally:
        for path in [packages, *packages.rglob("*")]:
            path.chmod(0o755)


def _listing(folder: Path) -> list[tuple[Path, int]]:
    return sorted((path, path.stat().st_mtime_ns) for path in [folder, *folder.rglob("*")])


def test_importing_loads_no_model_library(tmp_path: Path) -> None:
    code = """
import sys
import notify.translation.argos, notify.translation.machine, notify.translation.codes
heavy = {"ctranslate2", "sentencepiece", "argostranslate", "sentencex", "numpy"} & set(sys.modules)
assert not heavy, heavy
"""
    _run(code, tmp_path)


def test_what_is_installed_here_works_in_stock_argos_translate(engine: ArgosEngine, tmp_path: Path) -> None:
    code = (
        _NO_NETWORK
        + """
import argostranslate.translate
print(argostranslate.translate.translate("You are not alone. If you need help, call 555-0100.", "en", "es"))
"""
    )
    settings = {"ARGOS_PACKAGES_DIR": str(engine.directory), "ORT_DISABLE_TELEMETRY": "1"}
    assert (
        _run(code, tmp_path, **settings).strip()
        == "Ustedes no están solos. Si necesita ayuda, llame al 555-0100."
    )
