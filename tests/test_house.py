"""The house: arrows run one way, no channel's name in the core, no package without its files."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
# From the ground up: a module may import only its own floor and those below.
FLOORS = (
    ("settings", "slots"),
    ("database",),
    ("audit", "inbound", "tokens"),
    ("staff",),
    ("liaisons", "apikeys"),
    ("statements",),
    ("playbooks", "translation", "rendering"),
    ("dispatch",),
    ("timetables", "mailbox", "residents", "own_data", "consents", "inbox"),
    ("retention",),
    ("hub", "invitations", "tables", "migrations", "doctor"),
    ("web",),
    ("stage",),
    ("cli",),
)
FLOOR = {name: number for number, names in enumerate(FLOORS) for name in names}


def modules(package: str) -> Iterator[tuple[Path, str]]:
    """Every module of a package, with what it imports of this project."""
    for path in sorted((ROOT / package).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
                yield from ((path, f"{node.module}.{alias.name}") for alias in node.names)
            elif isinstance(node, ast.Import):
                yield from ((path, alias.name) for alias in node.names)


@pytest.mark.parametrize(
    ("package", "forbidden"),
    [
        ("channels", ("notify", "contacts")),
        ("contacts", ("notify", "templates")),
        ("templates", ("notify", "channels", "contacts")),
    ],
)
def test_a_package_imports_nothing_from_above_it(package: str, forbidden: tuple[str, ...]) -> None:
    wrong = [f"{path}: {name}" for path, name in modules(package) if name.split(".")[0] in forbidden]
    assert wrong == []


def test_contacts_know_of_channels_only_the_contract() -> None:
    known = "channels.contract"
    wrong = [
        name for _, name in modules("contacts") if name.startswith("channels") and not name.startswith(known)
    ]
    assert wrong == []


def test_arrows_inside_notify_run_one_way() -> None:
    wrong = []
    for path, name in modules("notify"):
        parts = name.split(".")
        room = path.relative_to(ROOT / "notify").parts[0].removesuffix(".py")
        if parts[0] == "notify" and len(parts) > 1 and parts[1] in FLOOR and room in FLOOR:
            same = parts[1] == room
            if not same and FLOOR[parts[1]] > FLOOR[room]:
                wrong.append(f"{path.relative_to(ROOT)} imports {name}")
    assert wrong == []


def module_of(name: str) -> Path | None:
    """The file that is loaded for a dotted name, or for the longest part of it that is a module or a package."""
    while name:
        place = ROOT.joinpath(*name.split("."))
        for file in (place.with_suffix(".py"), place / "__init__.py"):
            if file.exists():
                return file
        name = name.rpartition(".")[0]
    return None


def test_no_module_imports_itself_by_way_of_others() -> None:
    imports: dict[Path, set[Path]] = {}
    for package in ("channels", "contacts", "notify", "templates"):
        for path, name in modules(package):
            if found := module_of(name):
                imports.setdefault(path, set()).add(found)
    assert len(list(TopologicalSorter(imports).static_order())) > 200  # raises CycleError, naming the circle


def test_every_room_of_notify_has_its_floor() -> None:
    rooms = {
        path.stem
        for path in (ROOT / "notify").iterdir()
        if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    assert rooms - {"__init__", "__pycache__"} <= set(FLOOR)


def test_no_channel_is_named_in_the_core() -> None:
    """The core asks a channel what it is; it does not know any by name."""
    names = {"sms", "email", "telegram", "letter"}
    wrong = []
    for path in sorted((ROOT / "notify").rglob("*.py")):
        if path.name == "demo.py":  # tells a story with four known channels
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Compare):
                values = [each.value for each in ast.walk(node) if isinstance(each, ast.Constant)]
                if names & {value for value in values if isinstance(value, str)}:
                    wrong.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert wrong == []
