"""Apertium: the real command where it is installed, and a server that follows the interface of APY."""

from __future__ import annotations

import logging
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from translation_servers import Asked, Reply, as_json, serving

from channels.contract import Level
from notify.translation import apertium
from notify.translation.apertium import ApertiumEngine
from notify.translation.engine import Rejected, Unavailable, Unsupported

SECRET = "Febranjo lives at 12 Elm Street"
here = pytest.mark.skipif(
    ("en", "es") not in ApertiumEngine().pairs(), reason="apertium and apertium-eng-spa are not installed"
)


@pytest.fixture(scope="module")
def command() -> ApertiumEngine:
    return ApertiumEngine()


@here
def test_the_command_translates_in_number_and_order(command: ApertiumEngine) -> None:
    replies = command.translate(["Good house.", "", "Thank you.", " \n"], "en-US", "es-MX")
    assert [reply.text for reply in replies] == ["Casa buena.", "", "Gracias.", " \n"]
    assert {(reply.score, reply.via) for reply in replies} == {(None, ("en", "es"))}
    assert command.describe("en", "es") == "apertium eng-spa"
    assert command.local
    assert [finding.level for finding in command.health()] == [Level.OK]


@here
@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("house ^a/b$ house", "^"),
        ("[house]", "["),
        ("house ] house", "]"),
        ("<b>house</b>", "<b>"),
        ("{house}", "{"),
        ("a \\ b", "\\"),
        ("house\\", "\\"),
        ("house / house @ #house *house +house ~", "~"),
        ("[[t:b:x]]house[[/]]", "[[/]]"),
        ("🕯️ house", "🕯️"),
        ("house 555-0100", "555-0100"),
        ("-f html", "-f"),
        ("$(id) `id` ; id", "$("),
    ],
)
def test_what_means_something_to_apertium_is_only_text(command: ApertiumEngine, text: str, kept: str) -> None:
    before, found, after = command.translate(["Thank you.", text, "Thank you."], "en", "es")
    assert before.text == after.text == "Gracias."
    assert kept in found.text


@here
@pytest.mark.parametrize(
    "text", ["line\nbreak", "one\n\ntwo", "a\r\n\r\nb", "tab\tbed", "a\0b", "a\x0bb", "\u2028x"]
)
def test_line_breaks_and_control_characters_do_not_make_two_sentences_of_one(
    command: ApertiumEngine, text: str
) -> None:
    first, _, last = command.translate(["Thank you.", text, "Thank you."], "en", "es")
    assert first.text == last.text == "Gracias."


@here
def test_ten_thousand_characters_are_translated(command: ApertiumEngine) -> None:
    (reply,) = command.translate(["Thank you. " * 1000], "en", "es")
    assert reply.text.count("racias.") == 1000


@here
@settings(max_examples=10, deadline=None)
@given(st.lists(st.text(alphabet="ab \n[]{}<>^$/\\@#*+~.:_\0\u00a0é", max_size=30), max_size=4))
def test_any_texts_come_back_in_the_same_number(texts: list[str]) -> None:
    assert len(ApertiumEngine().translate(texts, "en", "es")) == len(texts)


@here
def test_a_pair_that_is_not_installed_is_unsupported(command: ApertiumEngine) -> None:
    for target in ("fr", "ht", "?"):
        with pytest.raises(Unsupported, match="Let a person translate"):
            command.translate([SECRET], "en", target)


def _instead(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put another `apertium` first: a shell script, as the real one is."""
    path = folder / "apertium"
    listing = "if [ \"$1\" = -l ]; then printf '  eng-spa\\n  spa-eng_US\\n  x\\n'; exit; fi"
    path.write_text(f"#!/bin/sh\n{listing}\n{script}\n")
    path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


def test_without_the_command_there_is_nothing_and_the_doctor_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    engine = ApertiumEngine()
    assert engine.pairs() == set()
    (finding,) = engine.health()
    assert finding.level is Level.ERROR
    assert "Install" in finding.cure


def test_without_a_pair_the_doctor_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _instead(tmp_path, "", monkeypatch)
    (tmp_path / "apertium").write_text("#!/bin/sh\n")
    assert [finding.level for finding in ApertiumEngine().health()] == [Level.WARNING]


def test_a_command_that_fails_is_unavailable_and_its_words_are_not_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    _instead(tmp_path, "cat >&2; exit 3", monkeypatch)
    with caplog.at_level(logging.DEBUG), pytest.raises(Unavailable, match="status 3") as refusal:
        ApertiumEngine().translate([SECRET], "en", "es")
    assert "Febranjo" not in caplog.text + repr(refusal.value)


def test_a_pipeline_that_hangs_is_ended_with_all_its_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apertium, "TIMEOUT", 0.3)
    mark = tmp_path / "pids"
    _instead(tmp_path, f"sh -c 'echo $$ > {mark}; sleep 60' | cat", monkeypatch)
    with pytest.raises(Unavailable, match="took too long"):
        ApertiumEngine().translate(["x"], "en", "es")
    _wait_until_gone(int(mark.read_text()))


def _wait_until_gone(pid: int) -> None:
    for _ in range(100):
        stat = Path(f"/proc/{pid}/stat")
        if not stat.exists() or stat.read_text().rsplit(")", 1)[1].split()[0] == "Z":
            return
        time.sleep(0.05)
    raise AssertionError("it still runs")


def test_sentences_that_run_together_are_asked_for_one_by_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _instead(tmp_path, "tr -s '\\n' | tr a-z A-Z", monkeypatch)
    replies = ApertiumEngine().translate(["one", "two"], "en", "es")
    assert [reply.text for reply in replies] == ["ONE", "TWO"]


def test_a_broken_answer_of_the_command_is_still_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _instead(tmp_path, "cat >/dev/null; printf '\\377ok'", monkeypatch)
    assert ApertiumEngine().translate(["x"], "en", "es")[0].text == "\ufffdok"


def test_half_a_character_is_refused_before_anything_runs() -> None:
    with pytest.raises(Rejected, match="Text 1"):
        ApertiumEngine().translate(["cut \ud83d"], "en", "es")


PAIRS = [
    {"sourceLanguage": "eng", "targetLanguage": "spa"},
    {"sourceLanguage": "spa", "targetLanguage": "eng_US"},
    {"sourceLanguage": "nob", "targetLanguage": "nno"},
    {"sourceLanguage": "", "targetLanguage": None},
    "junk",
]


class Apy:
    """What apertium-apy answers."""

    def __init__(self) -> None:
        self.instead: Reply | None = None

    def __call__(self, method: str, path: str, body: Any) -> Reply | None:
        if path == "/listPairs":
            return as_json({"responseData": PAIRS, "responseDetails": None, "responseStatus": 200})
        if path != "/translate" or self.instead:
            return self.instead
        assert (body["langpair"], body["format"], body["markUnknown"]) == ("eng|spa", "txt", "no")
        return as_json({"responseData": {"translatedText": body["q"].upper()}, "responseStatus": 200})


@pytest.fixture
def apy() -> Apy:
    return Apy()


@pytest.fixture
def asked() -> Asked:
    return Asked()


@pytest.fixture
def url(apy: Apy, asked: Asked) -> Iterator[str]:
    with serving(apy, asked) as url:
        yield url


def test_a_server_translates_many_sentences_in_one_call(url: str, asked: Asked) -> None:
    engine = ApertiumEngine(url)
    assert engine.pairs() == {("en", "es"), ("es", "en-US"), ("nb", "nn")}
    replies = engine.translate(["one", "", "two\nlines", "100 % & +"], "en", "es")
    assert [reply.text for reply in replies] == ["ONE", "", "TWO LINES", "100 % & +"]
    assert len(asked.bodies("/translate")) == 1
    assert not engine.local


BAD_ANSWERS: dict[str, Reply | None] = {
    "no such pair": as_json({"status": "error", "explanation": f"bad {SECRET}"}, 400),
    "ill": as_json({"explanation": SECRET}, 503),
    "too many": (429, "text/html", SECRET.encode()),
    "a page": (200, "text/html", SECRET.encode()),
    "moved": (302, "text/html", b"http://127.0.0.1:9/"),
    "another tree": as_json([SECRET]),
    "no text": as_json({"responseData": {"translatedText": None}}),
    "a list": as_json({"responseData": [SECRET]}),
}


@pytest.mark.parametrize("case", BAD_ANSWERS)
def test_bad_answers_become_unavailable_without_the_text(apy: Apy, url: str, case: str) -> None:
    apy.instead = BAD_ANSWERS[case]
    with pytest.raises(Unavailable) as refusal:
        ApertiumEngine(url).translate([SECRET], "en", "es")
    assert refusal.value.cure
    assert "Febranjo" not in repr(refusal.value)


@pytest.mark.parametrize(
    "listed", [None, (200, "text/html", b""), as_json({"responseData": 5}), as_json([], 500)]
)
def test_a_server_that_is_none_has_no_pairs(listed: Reply | None) -> None:
    with serving(lambda *_: listed, Asked()) as url:
        engine = ApertiumEngine(url)
        assert engine.pairs() == set()
        assert [finding.level for finding in engine.health()] == [Level.ERROR]


def test_the_command_is_found_where_the_tests_say_it_is() -> None:
    """A skipped test must not hide that the engine no longer finds the command."""
    if shutil.which("apertium"):
        assert ApertiumEngine().health()[0].level is not Level.ERROR
