"""What `notify doctor` says about the machine that drafts."""

from __future__ import annotations

from pathlib import Path

import pytest
from translation_servers import Asked, as_json, serving

from channels.contract import Finding, Level
from notify.doctor import examine
from notify.settings import load
from notify.translation.argos import ArgosEngine


async def _said(tmp_path: Path, models: Path, **translation: object) -> list[Finding]:
    settings = load(
        state_dir=tmp_path / "state",
        database_url=f"sqlite:///{tmp_path / 'city.db'}",
        models_dir=models,
        city={"name": "Rivermouth", "languages": ["en", "es-MX", "ht"]},
        translation=translation,
    )
    about = {"argos", "libretranslate", "apertium", "translation"}
    return [finding for finding in await examine(settings) if finding.subject in about]


async def test_languages_without_a_machine_are_named_with_the_way_to_get_one(
    tmp_path: Path, engine: ArgosEngine
) -> None:
    works, by_hand = await _said(tmp_path, engine.directory)
    assert (works.level, works.message) == (Level.OK, "Translates en to es, es to en.")
    assert by_hand.message == "No machine drafts for: ht. People translate these."
    assert "notify languages install --city" in by_hand.cure


async def test_a_server_of_the_city_counts_and_one_that_is_away_is_an_error(
    tmp_path: Path, engine: ArgosEngine
) -> None:
    chosen = ["argos", "libretranslate"]
    with serving(lambda *_: as_json([{"code": "en", "targets": ["ht"]}]), Asked()) as url:
        found = await _said(tmp_path, engine.directory, engines=chosen, libretranslate_url=url)
        assert [each.level for each in found] == [Level.OK, Level.OK]
    found = await _said(tmp_path, engine.directory, engines=chosen, libretranslate_url=url)
    assert [(each.subject, each.level) for each in found] == [
        ("argos", Level.OK),
        ("libretranslate", Level.ERROR),
        ("translation", Level.WARNING),
    ]
    assert all(each.cure for each in found[1:])


@pytest.mark.parametrize("metadata", ["{", "[]"])
async def test_a_broken_package_is_told_with_its_cure(tmp_path: Path, metadata: str) -> None:
    (tmp_path / "models" / "junk").mkdir(parents=True)
    (tmp_path / "models" / "junk" / "metadata.json").write_text(metadata)
    none, broken, by_hand = await _said(tmp_path, tmp_path / "models")
    assert "no Argos packages" in none.message
    assert broken.message.startswith("junk: ")
    assert "notify languages install" in broken.cure
    assert "es-MX, ht" in by_hand.message
