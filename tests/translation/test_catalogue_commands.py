"""`notify languages` as a person types it, over real sockets and folders."""

from __future__ import annotations

import json
import os
import shutil
import sys
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import structlog
from translation_servers import Asked, Reply, as_json, serving

from notify.cli import acting, main


@dataclass(frozen=True)
class Answer:
    """What a command did."""

    status: int
    out: str
    err: str


Notify = Callable[..., Answer]


@pytest.fixture
def notify(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Iterator[Notify]:
    """Runs one command as `notify` does, in this process."""
    for name in [name for name in os.environ if name.startswith("NOTIFY_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NOTIFY_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("NOTIFY_DATABASE_URL", f"sqlite:///{tmp_path / 'city.db'}")
    monkeypatch.setenv("NOTIFY_CITY__NAME", "Rivermouth")
    monkeypatch.setenv("NOTIFY_CITY__LANGUAGES", '["en", "es-MX", "ht"]')
    monkeypatch.setenv("NOTIFY_TRANSLATION__INDEX", "http://127.0.0.1:1/index.json")
    monkeypatch.setenv("COLUMNS", "200")

    def run(*words: str, **more: str) -> Answer:
        acting.hub.cache_clear()
        capfd.readouterr()
        status: Any = 0
        with monkeypatch.context() as patch:
            for name, value in more.items():
                patch.setenv(name, value)
            patch.setattr(sys, "argv", ["notify", "languages", *words])
            try:
                main()
            except SystemExit as end:
                status = end.code
        out, err = capfd.readouterr()
        return Answer(int(status or 0), out, err)

    yield run
    structlog.reset_defaults()


def _entry(source: str, target: str) -> dict[str, Any]:
    link = f"translate-{source}_{target}-0_1.argosmodel"
    return {"package_version": "0.1", "from_code": source, "to_code": target, "links": [link]}


@pytest.fixture
def mirror(en_es: Path, es_en: Path) -> Iterator[tuple[str, Asked]]:
    """A mirror of two packages; its index, and what it is asked."""
    files = {f"/{path.name}": path for path in (en_es, es_en)}

    def answer(method: str, path: str, body: object) -> Reply:
        if path == "/index.json":
            return as_json([_entry("en", "es"), _entry("es", "en")])
        return (200, "application/zip", files[path].read_bytes()) if path in files else (404, "", b"")

    asked = Asked()
    with serving(answer, asked) as url:
        yield f"{url}/index.json", asked


def _state(notify: Notify) -> dict[str, Any]:
    answer = notify("list", "--json")
    assert answer.status == 0, answer.err
    found: dict[str, Any] = json.loads(answer.out)
    return found


def test_without_packages_people_translate_and_the_list_says_so(notify: Notify) -> None:
    answer = notify("list")
    assert answer.status == 0
    assert "notify languages install --city" in answer.out
    assert "People translate: es-MX, ht." in answer.out
    assert [way["engine"] for way in _state(notify)["languages"]] == [None, None]


def test_two_languages_are_installed_from_a_mirror_and_used_by_the_city(
    notify: Notify, mirror: tuple[str, Asked]
) -> None:
    index, _ = mirror
    answer = notify("install", "en", "es", NOTIFY_TRANSLATION__INDEX=index)
    assert answer.status == 0, answer.err
    assert "translate-en_es 0.1 is installed" in answer.out
    (package,) = _state(notify)["packages"]
    assert (package["from"], package["to"], package["version"]) == ("en", "es", "0.1")
    assert (package["used_for"], package["place"]) == (
        ["es-MX"],
        index.replace("index.json", "translate-en_es-0_1.argosmodel"),
    )
    assert package["bytes"] > 3_000_000
    spanish, haitian = _state(notify)["languages"]
    assert (spanish["described"], spanish["local"]) == ("argos translate-en_es 0.1", True)
    assert haitian["engine"] is None
    assert "translate-en_es 0.1" in notify("list").out


def test_what_the_city_needs_is_installed_and_only_what_it_lacks(
    notify: Notify, mirror: tuple[str, Asked]
) -> None:
    index, asked = mirror
    first = notify("install", "--city", "--index", index)
    assert (first.status, "No package for ht: people translate it." in first.err) == (0, True)
    assert [each["to"] for each in _state(notify)["packages"]] == ["es"]
    fetched = len(asked.bodies("/translate-en_es-0_1.argosmodel"))
    again = notify("install", "--city", "--index", index)
    assert "nothing to install" in again.out
    assert len(asked.bodies("/translate-en_es-0_1.argosmodel")) == fetched


def test_a_broken_package_is_put_right_by_installing_for_the_city_again(
    notify: Notify, mirror: tuple[str, Asked], tmp_path: Path
) -> None:
    notify("install", "--city", "--index", mirror[0])
    (tmp_path / "state" / "models" / "translate-en_es_0_1" / "model" / "model.bin").write_bytes(b"rot")
    broken = notify("verify")
    assert (broken.status, "its model does not work" in broken.out) == (1, True)
    assert notify("install", "--city", "--index", mirror[0]).status == 0
    assert notify("verify").status == 0


def test_a_folder_serves_a_machine_without_internet(
    notify: Notify, tmp_path: Path, en_es: Path, es_en: Path
) -> None:
    for path in (en_es, es_en):
        shutil.copy(path, tmp_path)
    assert notify("install", str(tmp_path)).status == 0
    assert len(_state(notify)["packages"]) == 2
    assert notify("install", str(en_es)).status == 0
    assert notify("install", "en", "es", "--index", str(tmp_path)).status == 0


def test_good_packages_of_a_folder_are_installed_beside_bad_ones(
    notify: Notify, tmp_path: Path, en_es: Path, es_en: Path
) -> None:
    folder = tmp_path / "stick"
    folder.mkdir()
    shutil.copy(en_es, folder)
    (folder / "cut.argosmodel").write_bytes(es_en.read_bytes()[:5000])
    with zipfile.ZipFile(es_en) as good, zipfile.ZipFile(folder / "french.argosmodel", "w") as bad:
        for name in good.namelist():
            content = good.read(name)
            if name.endswith("/metadata.json"):
                content = json.dumps({**json.loads(content), "to_code": "fr"}).encode()
            bad.writestr(name, content)
    answer = notify("install", str(folder))
    assert answer.status == 1
    assert "cut.argosmodel: it is damaged" in answer.err
    assert "should translate to French (fr), but what it writes looks like English" in answer.err
    assert [each["to"] for each in _state(notify)["packages"]] == ["es"]
    in_json = notify("install", str(folder), "--json")
    assert in_json.status == 1
    found = json.loads(in_json.out)
    assert ([each["to"] for each in found["installed"]], len(found["problems"])) == (["es"], 2)


def test_an_index_that_gives_another_package_than_it_says_is_refused(notify: Notify, es_en: Path) -> None:
    entry = {"package_version": "1", "from_code": "en", "to_code": "es", "links": ["x.argosmodel"]}

    def answer(method: str, path: str, body: object) -> Reply:
        return as_json([entry]) if path.endswith(".json") else (200, "", es_en.read_bytes())

    with serving(answer, Asked()) as url:
        refused = notify("install", "en", "es", "--index", f"{url}/index.json")
    assert refused.status == 1
    assert "translates es to en, not en to es" in refused.err
    assert _state(notify)["packages"] == []


def test_a_wrong_digest_in_the_index_is_refused(notify: Notify, en_es: Path) -> None:
    entry = {"package_version": "1", "from_code": "en", "to_code": "es", "links": ["x"], "sha256": "0" * 64}

    def answer(method: str, path: str, body: object) -> Reply:
        return as_json([entry]) if path.endswith(".json") else (200, "", en_es.read_bytes())

    with serving(answer, Asked()) as url:
        refused = notify("install", "en", "es", "--index", f"{url}/index.json")
    assert (refused.status, "SHA-256" in refused.err) == (1, True)


def test_what_is_available_is_listed_beside_what_is_installed(
    notify: Notify, mirror: tuple[str, Asked]
) -> None:
    notify("install", "en", "es", "--index", mirror[0])
    offered = json.loads(notify("list", "--available", "--index", mirror[0], "--json").out)["available"]
    assert [(each["from"], each["to"], each["installed"]) for each in offered] == [
        ("en", "es", "0.1"),
        ("es", "en", None),
    ]
    assert "Packages that can be installed" in notify("list", "--available", "--index", mirror[0]).out


def test_a_removed_package_is_gone_and_the_list_says_who_translates(
    notify: Notify, en_es: Path, tmp_path: Path
) -> None:
    notify("install", str(en_es))
    answer = notify("remove", "en", "es-MX")
    assert (answer.status, "People will have to translate: es-MX." in answer.out) == (0, True)
    assert _state(notify)["packages"] == []
    assert list((tmp_path / "state" / "models").iterdir()) == []
    again = notify("remove", "en", "es")
    assert (again.status, "there are: none" in again.err) == (1, True)


def test_packages_that_work_are_verified(notify: Notify, en_es: Path) -> None:
    assert "There are no packages" in notify("verify").out
    notify("install", str(en_es))
    answer = notify("verify", "--json")
    assert answer.status == 0
    assert json.loads(answer.out) == [{"package": "translate-en_es 0.1", "problem": "", "note": ""}]


def test_a_package_whose_language_was_changed_after_installing_is_found(
    notify: Notify, en_es: Path, tmp_path: Path
) -> None:
    notify("install", str(en_es))
    folder = tmp_path / "state" / "models" / "translate-en_es_0_1"
    metadata = folder / "metadata.json"
    metadata.write_text(json.dumps({**json.loads(metadata.read_text()), "to_code": "ar"}))
    (folder.parent / "junk").mkdir()
    (folder.parent / "junk" / "metadata.json").write_text("{")
    answer = notify("verify", "--json")
    assert answer.status == 1
    problems = {each["package"]: each["problem"] for each in json.loads(answer.out)}
    assert "Arabic (ar), but what it writes looks like Spanish" in problems["translate-en_ar 0.1"]
    assert "metadata cannot be read" in problems["junk"]


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ((), "Say what to install"),
        (("en",), "no file or folder en"),
        (("en", "es", "fr"), "Say what to install"),
        (("en", "es", "--city"), "Say what to install"),
        (("en", "es"), "cannot be reached"),
        (("en", "es", "--index", "/nowhere"), "cannot be read"),
    ],
)
def test_what_cannot_be_done_is_said_with_its_cure(notify: Notify, words: tuple[str, ...], why: str) -> None:
    answer = notify("install", *words)
    assert answer.status == 1
    assert why in answer.err
    assert "Traceback" not in answer.err


def test_installing_and_removing_are_in_the_audit_trail(notify: Notify, en_es: Path, tmp_path: Path) -> None:
    notify("install", str(en_es))
    notify("remove", "en", "es")
    acting.hub.cache_clear()
    with acting.hub().database.reading() as session:
        from sqlmodel import select

        from notify.audit import AuditEvent

        found = [(each.action, each.subject) for each in session.exec(select(AuditEvent))]
    assert found == [(f"languages.{deed}", "translate-en_es 0.1") for deed in ("install", "remove")]
