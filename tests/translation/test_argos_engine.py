from __future__ import annotations

import json
import logging
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.contract import Level
from notify.translation import argos, argos_install, argos_model, argos_package
from notify.translation.argos import ArgosEngine
from notify.translation.argos_package import Package, PackageRefused
from notify.translation.engine import MAX_CHARACTERS, Rejected, Sentence, Unavailable, Unsupported


@pytest.mark.parametrize(
    ("english", "spanish"),
    [
        ("You are not alone.", "Ustedes no están solos."),
        ("If you need help, call 555-0100.", "Si necesita ayuda, llame al 555-0100."),
    ],
)
def test_a_real_package_translates(engine: ArgosEngine, english: str, spanish: str) -> None:
    (reply,) = engine.translate([english], "en", "es")
    assert reply.text == spanish
    assert reply.via == ("en", "es")
    assert reply.score is not None
    assert -0.1 < reply.score < 0


def test_sentences_come_back_in_their_order(engine: ArgosEngine) -> None:
    texts = ["You are not alone.", "", "If you need help, call 555-0100.", " \n", "You are not alone."]
    replies = engine.translate(texts, "en", "es")
    assert replies[0] == replies[4]
    assert [reply.text for reply in replies[1::2]] == ["", " \n"]
    assert [reply.score is None for reply in replies] == [False, True, False, True, False]


def test_no_sentences_are_no_work(engine: ArgosEngine) -> None:
    assert engine.translate([], "en", "es") == []


@pytest.mark.parametrize(
    "text", ["🕯️🕊️", "a\0b", "!!!", "日本語のテキスト", "مرحبا", "e\u0301", "\u200b", "<b>&amp;</b>", "x_y {z}"]
)
def test_strange_texts_do_not_stop_the_others(engine: ArgosEngine, text: str) -> None:
    first, _, last = engine.translate(["You are not alone.", text, "You are not alone."], "en", "es")
    assert first.text == last.text == "Ustedes no están solos."


@settings(max_examples=15, deadline=None)
@given(st.lists(st.text(max_size=20), max_size=4))
def test_any_texts_come_back_in_the_same_number(engine: ArgosEngine, texts: list[str]) -> None:
    assert len(engine.translate(texts, "en", "es")) == len(texts)


def test_a_text_too_long_for_the_model_goes_through_in_stretches(engine: ArgosEngine) -> None:
    (reply,) = engine.translate(["If you need help, call 555-0100. " * 30], "en", "es")
    assert len(reply.text) > 400
    assert reply.score is not None


@given(st.lists(st.sampled_from(["\u2581word", "s", ".", "\u2581"]), max_size=600))
def test_no_token_of_a_long_text_is_lost_and_no_stretch_is_too_long(tokens: list[str]) -> None:
    stretches = list(argos_model._stretches(tokens))
    assert [token for stretch in stretches for token in stretch] == tokens
    assert all(len(stretch) <= argos_model._MAX_TOKENS for stretch in stretches)


def test_a_long_text_is_cut_after_a_mark_or_else_between_words() -> None:
    words = ["\u2581word"] * 200
    assert len(next(argos_model._stretches(words))) == argos_model._MAX_TOKENS
    assert len(next(argos_model._stretches([*words[:100], ".", *words]))) == 101
    assert len(next(argos_model._stretches(["s"] * 70 + ["\u2581word"] + ["s"] * 200))) == 70


def test_too_much_at_once_is_refused(engine: ArgosEngine) -> None:
    with pytest.raises(Rejected, match="at most"):
        engine.translate(["a" * (MAX_CHARACTERS + 1)], "en", "es")


def test_half_a_character_is_refused_and_not_quoted(engine: ArgosEngine) -> None:
    with pytest.raises(Rejected, match="Text 2 is not valid Unicode") as refusal:
        engine.translate(["fine", "secret \ud83d"], "en", "es")
    assert "secret" not in str(refusal.value)


@pytest.mark.parametrize(("source", "target"), [("en-US", "es-MX"), ("en_GB", "es-419"), ("eng", "spa")])
def test_varieties_of_a_language_are_served(engine: ArgosEngine, source: str, target: str) -> None:
    (reply,) = engine.translate(["You are not alone."], source, target)
    assert reply.via == ("en", "es")


@pytest.mark.parametrize(
    ("source", "target"), [("en", "ht"), ("fr", "es"), ("en", "en"), ("es", "es-MX"), ("en", "?")]
)
def test_a_pair_without_a_package_is_unsupported(engine: ArgosEngine, source: str, target: str) -> None:
    with pytest.raises(Unsupported, match="let a person translate"):
        engine.translate(["You are not alone."], source, target)
    with pytest.raises(Unsupported):
        engine.describe(source, target)


def test_what_was_used_is_described_with_its_version(engine: ArgosEngine) -> None:
    assert engine.describe("en", "es-MX") == "argos translate-en_es 0.1"


def test_a_word_made_up_by_the_model_has_a_low_score(engine: ArgosEngine) -> None:
    """The facts of this sentence are all there; only the score tells that it says something else."""
    right, wrong = engine.translate(
        ["You are not alone.", "Mayor Reed thanked firefighters for their bravery."], "en", "es"
    )
    assert "Concejo Municipal" in wrong.text
    assert right.score is not None
    assert wrong.score is not None
    assert wrong.score < -0.2 < right.score


@pytest.fixture
def relay(tmp_path: Path, en_es: Path, es_en: Path) -> ArgosEngine:
    """Two packages that meet in English: the Spanish one plays Portuguese on the way out."""
    engine = ArgosEngine(tmp_path)
    engine.install(es_en)
    _relabelled(engine.install(en_es), to_code="pb")
    return engine


def _relabelled(package: Package, **metadata: str) -> None:
    path = package.path / "metadata.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **metadata}))


def test_two_packages_that_meet_in_english_make_a_pair_and_say_so(relay: ArgosEngine) -> None:
    assert relay.pairs() == {("es", "en"), ("en", "pt-BR"), ("es", "pt-BR")}
    (reply,) = relay.translate(["Ustedes no están solos."], "es", "pt")
    assert reply.text == "Ustedes no están solos."
    assert reply.via == ("es", "en", "pt-BR")
    assert relay.describe("es", "pt") == "argos translate-es_en 0.1 + translate-en_pb 0.1"


def test_a_relayed_sentence_has_the_lower_of_its_scores(relay: ArgosEngine) -> None:
    (there,) = relay.translate(["Ustedes no están solos."], "es", "en")
    (back,) = relay.translate([there.text], "en", "pt-BR")
    (relayed,) = relay.translate(["Ustedes no están solos."], "es", "pt-BR")
    assert there.score is not None
    assert back.score is not None
    assert relayed.score == pytest.approx(min(there.score, back.score), abs=1e-4)


def test_packages_that_would_meet_in_another_language_make_no_pair(
    tmp_path: Path, en_es: Path, es_en: Path
) -> None:
    engine = ArgosEngine(tmp_path)
    _relabelled(engine.install(en_es), from_code="fr")
    _relabelled(engine.install(es_en), to_code="it")
    assert engine.pairs() == {("fr", "es"), ("es", "it")}


def test_the_newest_version_is_used_and_ten_comes_after_nine(tmp_path: Path, en_es: Path) -> None:
    engine = ArgosEngine(tmp_path)
    for version in ("1.9", "1.10", "1.2"):
        package = engine.install(en_es)
        folder = package.path.rename(tmp_path / f"v{version}")
        _relabelled(argos_package.read_package(folder), package_version=version)
    assert engine.describe("en", "es") == "argos translate-en_es 1.10"


def test_a_newer_version_that_does_not_load_does_not_replace_a_good_one(tmp_path: Path, en_es: Path) -> None:
    engine = ArgosEngine(tmp_path)
    package = engine.install(en_es)
    broken = tmp_path / "newer"
    shutil.copytree(package.path, broken)
    _relabelled(argos_package.read_package(broken), package_version="2.0")
    (broken / "model" / "model.bin").write_bytes(b"not a model")

    assert engine.translate(["You are not alone."], "en", "es")[0].text == "Ustedes no están solos."
    assert engine.describe("en", "es") == "argos translate-en_es 0.1"
    warning = engine.health()[-1]
    assert warning.level is Level.WARNING
    assert "newer" in warning.message
    assert warning.cure


def test_a_pair_whose_only_package_does_not_load_is_unavailable(tmp_path: Path, en_es: Path) -> None:
    engine = ArgosEngine(tmp_path)
    package = engine.install(en_es)
    (package.path / "sentencepiece.model").write_bytes(b"junk")
    with pytest.raises(Unavailable, match="Install it again"):
        engine.translate(["You are not alone."], "en", "es")
    engine.install(en_es)
    assert engine.translate(["You are not alone."], "en", "es")[0].text == "Ustedes no están solos."


def test_folders_that_are_no_packages_are_passed_over(tmp_path: Path, en_es: Path) -> None:
    (tmp_path / "lost+found").mkdir()
    (tmp_path / ".new-left-behind" / "x").mkdir(parents=True)
    (tmp_path / "notes.txt").write_text("x")
    for name, metadata in {
        "list": "[]",
        "empty": "",
        "codes": '{"from_code": 1}',
        "junk": '{"from_code": "!!"}',
    }.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "metadata.json").write_text(metadata)
    engine = ArgosEngine(tmp_path)
    engine.install(en_es)
    assert engine.pairs() == {("en", "es")}
    assert [finding.message.split(":")[0] for finding in engine.health()[1:]] == [
        "codes",
        "empty",
        "junk",
        "list",
    ]


def test_a_package_installed_by_another_process_is_seen(tmp_path: Path, en_es: Path) -> None:
    engine = ArgosEngine(tmp_path)
    assert engine.pairs() == set()
    argos_install.install(en_es, tmp_path)
    assert engine.pairs() == {("en", "es")}


def test_without_packages_the_engine_says_what_to_do(tmp_path: Path) -> None:
    (finding,) = ArgosEngine(tmp_path / "none").health()
    assert finding.level is Level.WARNING
    assert "Install" in finding.cure
    assert not (tmp_path / "none").exists()


def test_threads_get_the_same_translations(engine: ArgosEngine) -> None:
    texts = ["You are not alone.", "If you need help, call 555-0100."]
    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda _: engine.translate(texts, "en", "es"), range(16)))
    assert all(reply == replies[0] for reply in replies)


class _CountingModel(argos_model.Model):
    """A real model that counts how often one is loaded."""

    loads: list[str]

    def __init__(self, package: Package, workers: int, beam: int) -> None:
        super().__init__(package, workers, beam)
        self.loads.append(package.label)


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The packages loaded, one after the other."""
    monkeypatch.setattr(argos, "Model", _CountingModel)
    _CountingModel.loads = []
    return _CountingModel.loads


def _again(engine: ArgosEngine, loaded: int) -> ArgosEngine:
    return ArgosEngine(engine.directory, loaded=loaded)


def test_many_threads_load_a_model_once(engine: ArgosEngine, loads: list[str]) -> None:
    fresh = _again(engine, loaded=2)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: fresh.translate(["You are not alone."], "en", "es"), range(16)))
    assert loads == ["translate-en_es 0.1"]


def test_the_pair_not_used_for_longest_is_let_go(engine: ArgosEngine, loads: list[str]) -> None:
    fresh = _again(engine, loaded=1)
    for source, target in (("en", "es"), ("en", "es"), ("es", "en"), ("en", "es")):
        fresh.translate(["No."], source, target)
    assert loads == ["translate-en_es 0.1", "translate-es_en 0.1", "translate-en_es 0.1"]


def test_texts_are_never_logged(engine: ArgosEngine, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        engine.translate(["Resident Febranjo lives here."], "en", "es")
    assert "Febranjo" not in caplog.text


def test_a_reply_is_a_plain_value(engine: ArgosEngine) -> None:
    assert isinstance(engine.translate(["You are not alone."], "en", "es")[0], Sentence)
    assert issubclass(PackageRefused, Rejected)
