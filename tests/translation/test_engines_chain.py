"""Several engines as one, in the city's order."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from translation_servers import Asked, as_json, serving

from channels.contract import Finding, Level
from notify.settings import TranslationSettings
from notify.translation import chain
from notify.translation.argos import ArgosEngine
from notify.translation.chain import Chain, chosen
from notify.translation.engine import EngineError, Pair, Rejected, Sentence, Unavailable, Unsupported
from notify.translation.machine import SourceText, translate_text


class Recorded:
    """A real engine, or its failure, that notes what it is asked."""

    def __init__(self, name: str, pairs: set[Pair], engine: ArgosEngine | None = None) -> None:
        self.name, self._pairs, self._engine = name, pairs, engine
        self.local = engine is not None
        self.fails: EngineError | None = None
        self.calls: list[list[str]] = []

    def pairs(self) -> set[Pair]:
        return self._pairs

    def describe(self, source: str, target: str) -> str:
        return f"{self.name} 1"

    def translate(self, texts: Sequence[str], source: str, target: str) -> list[Sentence]:
        self.calls.append(list(texts))
        if self.fails:
            raise self.fails
        if self._engine:
            return self._engine.translate(texts, source, target)
        return [Sentence(f"{self.name}: {text}", None, (source, target)) for text in texts]

    def health(self) -> Sequence[Finding]:
        return [Finding(Level.OK, self.name, "fine")]


SPANISH, FRENCH = ("en", "es"), ("en", "fr")


def test_the_first_engine_that_has_the_pair_is_asked() -> None:
    one, two = Recorded("one", {SPANISH}), Recorded("two", {SPANISH, FRENCH})
    both = Chain([one, two])
    assert both.translate(["x"], "en", "es-MX")[0].text == "one: x"
    assert both.translate(["x"], "en", "fr")[0].text == "two: x"
    assert (len(one.calls), len(two.calls)) == (1, 1)
    assert both.pairs() == {SPANISH, FRENCH}
    assert both.describe("en", "fr") == "two 1"
    assert [finding.subject for finding in both.health()] == ["one", "two"]
    assert not both.local


def test_where_the_first_cannot_work_the_next_does_and_is_named() -> None:
    one, two = Recorded("one", {SPANISH}), Recorded("two", {SPANISH})
    one.fails = Unavailable("One is away.", "Wait.")
    both = Chain([one, two])
    assert both.translate(["x"], "en", "es")[0].text == "two: x"
    assert both.describe("en", "es") == "two 1"
    both.translate(["y"], "en", "es")
    assert len(one.calls) == 1


def test_an_engine_that_failed_is_asked_first_again_after_a_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = Recorded("one", {SPANISH}), Recorded("two", {SPANISH})
    one.fails = Unavailable("One is away.", "Wait.")
    both = Chain([one, two])
    both.translate(["x"], "en", "es")
    one.fails = None
    later = chain.time.monotonic() + chain.PAUSE + 1
    monkeypatch.setattr(chain.time, "monotonic", lambda: later)
    assert both.translate(["x"], "en", "es")[0].text == "one: x"


def test_where_none_can_work_the_first_says_why() -> None:
    one, two = Recorded("one", {SPANISH}), Recorded("two", {SPANISH})
    one.fails, two.fails = Unavailable("One is away.", "Wait."), Unavailable("Two is away.", "Wait.")
    with pytest.raises(Unavailable, match="One is away"):
        Chain([one, two]).translate(["x"], "en", "es")


def test_a_text_that_is_refused_is_not_shown_to_the_next() -> None:
    one, two = Recorded("one", {SPANISH}), Recorded("two", {SPANISH})
    one.fails = Rejected("Too long.", "Shorten it.")
    with pytest.raises(Rejected):
        Chain([one, two]).translate(["x"], "en", "es")
    assert two.calls == []


@pytest.mark.parametrize("engines", [[], [Recorded("one", {SPANISH})]])
def test_a_pair_that_nobody_has_is_unsupported(engines: list[Recorded]) -> None:
    for call in (
        lambda: Chain(engines).translate(["x"], "en", "ht"),
        lambda: Chain(engines).describe("en", "ht"),
    ):
        with pytest.raises(Unsupported, match="notify languages install"):
            call()


def test_a_statement_goes_to_the_engine_in_one_call(engine: ArgosEngine) -> None:
    """Only where a fact was lost is a sentence sent again."""
    asked = Recorded("argos", {SPANISH}, engine)
    text = SourceText(
        "You are not alone.",
        "If you need help, call 555-0100.",
        "**You are not alone.** If you need help, call 555-0100.\n\n- You are not alone.",
    )
    draft = translate_text(Chain([asked]), text, "en", "es")
    assert draft.title == "Ustedes no están solos."
    assert len(asked.calls) == 1
    assert len(asked.calls[0]) < 5


def test_a_package_that_breaks_gives_way_to_a_server(tmp_path: Path, en_es: Path) -> None:
    languages = as_json([{"code": "en", "targets": ["es"]}])
    reply = as_json({"translatedText": ["del servidor"]})
    with serving(lambda _, path, __: languages if path == "/languages" else reply, Asked()) as url:
        settings = TranslationSettings(engines=["argos", "libretranslate"], libretranslate_url=url)
        both = chosen(settings, tmp_path)
        package = ArgosEngine(tmp_path).install(en_es)
        (package.path / "model" / "model.bin").write_bytes(b"broken")
        assert both.translate(["x"], "en", "es")[0].text == "del servidor"
        assert both.describe("en", "es") == "libretranslate en-es"


def test_the_city_chooses_the_engines_and_their_order(tmp_path: Path) -> None:
    settings = TranslationSettings(engines=["apertium", "argos"])
    assert [engine.name for engine in chosen(settings, tmp_path).engines] == ["apertium", "argos"]
    assert chosen(settings, tmp_path).local
    assert not chosen(TranslationSettings(engines=["argos", "libretranslate"]), tmp_path).local


def test_choosing_engines_loads_no_library_that_talks_and_starts_nothing(tmp_path: Path) -> None:
    code = """
import sys
from pathlib import Path
def forbid(event, args):
    if event.startswith(("socket.", "subprocess.")):
        raise SystemExit(f"asked: {event}")
sys.addaudithook(forbid)
from notify.settings import TranslationSettings
from notify.translation.chain import chosen
chosen(TranslationSettings(engines=["argos", "libretranslate", "apertium"], libretranslate_url="http://x"), Path("x"))
heavy = {"httpx", "httpcore", "ctranslate2", "sentencepiece", "argostranslate", "py3langid", "numpy"}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
