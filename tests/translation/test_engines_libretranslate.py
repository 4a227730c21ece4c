"""LibreTranslate over real sockets, against a stand-in that follows its documented interface."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from translation_servers import Asked, Reply, as_json, serving

from channels.contract import Level
from notify.translation import remote
from notify.translation.engine import EngineError, Rejected, Unavailable, Unsupported
from notify.translation.libretranslate import MOST, LibreTranslateEngine

CODES = ("en", "es", "zh-Hans", "zh-Hant", "pt-BR", "pt", "nb", "tl")
SECRET = "Febranjo lives at 12 Elm Street"


class StandIn:
    """A server with the limits and errors that LibreTranslate has."""

    def __init__(self, codes: tuple[str, ...] = CODES, key: str = "", batch: int = 10_000) -> None:
        self.codes, self.key, self.batch = codes, key, batch
        self.instead: Callable[[str, Any], Reply | None] | None = None

    def __call__(self, method: str, path: str, body: Any) -> Reply | None:
        if self.instead and (method, path) == ("POST", "/translate"):
            return self.instead(path, body)
        if (method, path) == ("GET", "/languages"):
            return as_json([{"code": code, "name": code, "targets": list(self.codes)} for code in self.codes])
        if (method, path) == ("POST", "/translate"):
            return self._translate(body)
        return 404, "text/html", b"<h1>Not Found</h1>"

    def _translate(self, body: Any) -> Reply:
        if self.key and body.get("api_key") != self.key:
            return as_json({"error": "Invalid API key"}, 403)
        if body["source"] not in self.codes or body["target"] not in self.codes:
            return as_json({"error": f"{body['target']} is not supported"}, 400)
        if len(body["q"]) > self.batch:
            return as_json({"error": f"Invalid request: {body['q']} exceeds text limit"}, 400)
        assert body["format"] == "text"
        return as_json({"translatedText": [f"{body['target']}: {text}" for text in body["q"]]})


@pytest.fixture
def server() -> StandIn:
    return StandIn()


@pytest.fixture
def asked() -> Asked:
    return Asked()


@pytest.fixture
def url(server: StandIn, asked: Asked) -> Iterator[str]:
    with serving(server, asked) as url:
        yield url


def test_sentences_come_back_in_number_and_order_and_empty_ones_are_not_sent(url: str, asked: Asked) -> None:
    replies = LibreTranslateEngine(url).translate(["One.", "", "Two.", " \n"], "en", "es")
    assert [reply.text for reply in replies] == ["es: One.", "", "es: Two.", " \n"]
    assert {(reply.score, reply.via) for reply in replies} == {(None, ("en", "es"))}
    assert [body["q"] for body in asked.bodies("/translate")] == [["One.", "Two."]]


@pytest.mark.parametrize(
    ("wanted", "theirs", "ours"),
    [
        ("es-MX", "es", "es"),
        ("zh-Hans", "zh-Hans", "zh-Hans"),
        ("zh-CN", "zh-Hans", "zh-Hans"),
        ("zh-TW", "zh-Hant", "zh-Hant"),
        ("pt-BR", "pt-BR", "pt-BR"),
        ("pt-PT", "pt", "pt-PT"),
        ("no", "nb", "nb"),
        ("fil", "tl", "fil"),
    ],
)
def test_language_codes_are_ours_on_one_side_and_theirs_on_the_other(
    url: str, asked: Asked, wanted: str, theirs: str, ours: str
) -> None:
    (reply,) = LibreTranslateEngine(url).translate(["x"], "en-US", wanted)
    assert (asked.bodies("/translate")[0]["source"], asked.bodies("/translate")[0]["target"]) == (
        "en",
        theirs,
    )
    assert reply.via == ("en", ours)


@pytest.mark.parametrize(
    ("codes", "tags"),
    [(("en", "zt", "zh"), {"en", "zh-Hant", "zh-Hans"}), (("en", "pb", "pt"), {"en", "pt-BR", "pt-PT"})],
)
def test_servers_that_use_the_codes_of_argos_are_understood(
    server: StandIn, url: str, codes: tuple[str, ...], tags: set[str]
) -> None:
    server.codes = codes
    assert {tag for pair in LibreTranslateEngine(url).pairs() for tag in pair} == tags


def test_languages_nobody_can_read_are_passed_over(server: StandIn, url: str) -> None:
    server.codes = ("en", "es", "auto!!", "", "../..")
    assert LibreTranslateEngine(url).pairs() == {("en", "es"), ("es", "en")}


def test_a_pair_it_does_not_have_is_unsupported_and_nothing_is_sent(url: str, asked: Asked) -> None:
    with pytest.raises(Unsupported, match="let a person translate"):
        LibreTranslateEngine(url).translate([SECRET], "en", "ht")
    assert asked.bodies("/translate") == []


def test_many_sentences_go_in_a_few_calls(url: str, asked: Asked) -> None:
    texts = [f"Sentence {number}." for number in range(MOST + 1)]
    replies = LibreTranslateEngine(url).translate(texts, "en", "es")
    assert [reply.text for reply in replies] == [f"es: {text}" for text in texts]
    assert [len(body["q"]) for body in asked.bodies("/translate")] == [MOST, 1]
    assert len(asked.bodies("/languages")) == 1


def test_a_server_with_smaller_limits_gets_smaller_calls(server: StandIn, url: str, asked: Asked) -> None:
    server.batch = 3
    texts = [f"Sentence {number}." for number in range(10)]
    replies = LibreTranslateEngine(url).translate(texts, "en", "es")
    assert [reply.text for reply in replies] == [f"es: {text}" for text in texts]
    server.batch = 0
    before = len(asked.calls)
    with pytest.raises(Rejected, match="HTTP 400"):
        LibreTranslateEngine(url).translate(texts, "en", "es")
    assert len(asked.calls) - before <= 6


def test_a_key_is_sent_where_there_is_one_and_asked_for_where_it_is_wrong(server: StandIn, url: str) -> None:
    server.key = "k3y"
    assert LibreTranslateEngine(url, "k3y").translate(["x"], "en", "es")[0].text == "es: x"
    with pytest.raises(Unavailable, match="LIBRETRANSLATE_KEY") as refusal:
        LibreTranslateEngine(url, "wr0ng").translate(["x"], "en", "es")
    assert "wr0ng" not in str(refusal.value)


BAD_ANSWERS: dict[str, tuple[type[EngineError], Reply | None]] = {
    "too many": (Unavailable, as_json({"error": f"Slowdown: {SECRET}"}, 429)),
    "ill": (Unavailable, as_json({"error": f"Cannot translate text: {SECRET}"}, 500)),
    "gateway": (Unavailable, (502, "text/html", SECRET.encode())),
    "too long": (Rejected, as_json({"error": f"Invalid request: {SECRET}"}, 400)),
    "huge": (Rejected, (413, "text/html", SECRET.encode())),
    "moved": (Unavailable, (302, "text/html", b"")),
    "not there": (Unavailable, (404, "text/html", SECRET.encode())),
    "a page": (Unavailable, (200, "text/html", f"<html>{SECRET}</html>".encode())),
    "no JSON": (Unavailable, (200, "application/json", b'{"translatedText": ["cut off')),
    "no UTF-8": (Unavailable, (200, "application/json", b"\xff\xfe")),
    "deep": (Unavailable, (200, "application/json", b"[" * 100_000)),
    "nothing": (Unavailable, (200, "application/json", b"")),
    "too few": (Unavailable, as_json({"translatedText": []})),
    "more": (Unavailable, as_json({"translatedText": ["a", "b", SECRET]})),
    "one text": (Unavailable, as_json({"translatedText": SECRET})),
    "numbers": (Unavailable, as_json({"translatedText": [1, 2]})),
    "null": (Unavailable, as_json({"translatedText": None})),
    "a list": (Unavailable, as_json([SECRET])),
    "an error": (Unavailable, as_json({"error": SECRET})),
    "closed": (Unavailable, None),
}


@pytest.mark.parametrize("case", BAD_ANSWERS)
def test_bad_answers_become_errors_with_a_cure_and_without_the_text(
    server: StandIn, url: str, case: str, caplog: pytest.LogCaptureFixture
) -> None:
    kind, reply = BAD_ANSWERS[case]
    server.instead = lambda path, body: reply
    with caplog.at_level(logging.DEBUG), pytest.raises(kind) as refusal:
        LibreTranslateEngine(url).translate([SECRET, SECRET], "en", "es")
    assert refusal.value.cure
    shown = caplog.text + repr(refusal.value) + str(refusal.value)
    assert "Febranjo" not in shown


@pytest.mark.parametrize(
    "listed",
    [
        (200, "text/html", b"<html>"),
        as_json({"error": "x"}),
        as_json([{"code": 5}]),
        as_json([{"code": "en", "targets": "es"}]),
        as_json([{"code": "e" * 10_000, "targets": []}]),
        as_json([{"code": "en", "targets": []}] * 1001),
        as_json([], 500),
        None,
    ],
)
def test_a_server_that_is_none_has_no_pairs_and_the_doctor_says_why(listed: Reply | None) -> None:
    with serving(lambda *_: listed, Asked()) as url:
        engine = LibreTranslateEngine(url)
        assert engine.pairs() == set()
        (finding,) = engine.health()
        assert finding.level is Level.ERROR
        assert finding.cure


def test_a_server_without_languages_is_told(server: StandIn, url: str) -> None:
    server.codes = ()
    (finding,) = LibreTranslateEngine(url).health()
    assert (finding.level, finding.subject) == (Level.WARNING, "libretranslate")


def test_the_doctor_says_what_it_translates_and_where(server: StandIn, url: str) -> None:
    server.codes = ("en", "es")
    (finding,) = LibreTranslateEngine(url).health()
    assert finding.level is Level.OK
    assert finding.message == f"Translates en to es, es to en, on {url}."


def test_a_server_that_is_away_is_asked_once_and_again_after_a_pause(
    asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(lambda *_: None, asked) as url:
        engine = LibreTranslateEngine(url)
        for _ in range(5):
            assert engine.pairs() == set()
            with pytest.raises(Unavailable):
                engine.translate(["x"], "en", "es")
        assert len(asked.calls) == 1
        monkeypatch.setattr(remote.time, "monotonic", lambda: 1e9)
        engine.pairs()
        assert len(asked.calls) == 2


def test_nobody_there_is_unavailable_and_no_address_names_the_setting() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(Unavailable, match="cannot be reached"):
        LibreTranslateEngine(f"http://127.0.0.1:{port}").describe("en", "es")
    for url in ("", "http://", "http://[", "ftp://x"):
        with pytest.raises(Unavailable, match="LIBRETRANSLATE_URL"):
            LibreTranslateEngine(url).describe("en", "es")


def test_a_server_that_does_not_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "TIMEOUT", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(Unavailable, match="ReadTimeout"):
        LibreTranslateEngine(f"http://127.0.0.1:{silent.getsockname()[1]}").describe("en", "es")


def test_an_answer_without_an_end_is_cut(server: StandIn, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "MOST_BYTES", 10_000)
    server.instead = lambda path, body: as_json({"translatedText": ["x" * 100_000]})
    with pytest.raises(Unavailable, match="does not come to an end"):
        LibreTranslateEngine(url).translate(["x"], "en", "es")


def test_texts_never_follow_a_redirection(server: StandIn, url: str) -> None:
    other = Asked()
    with serving(lambda *_: as_json({"translatedText": ["stolen"]}), other) as elsewhere:
        server.instead = lambda path, body: (307, "text/html", f"{elsewhere}/translate".encode())
        with pytest.raises(Unavailable):
            LibreTranslateEngine(url).translate([SECRET], "en", "es")
    assert other.calls == []


def test_half_a_character_is_refused_before_anything_is_sent(url: str, asked: Asked) -> None:
    with pytest.raises(Rejected, match="Text 1 is not valid Unicode"):
        LibreTranslateEngine(url).translate(["cut \ud83d"], "en", "es")
    assert asked.calls == []


def test_texts_in_every_script_arrive_as_they_are(url: str) -> None:
    texts = ["مرحبا", "日本語", "🕯️", "a\0b", "<b>&amp;</b>", 'quote " \\ /', "x" * 5000, "line\nbreak"]
    replies = LibreTranslateEngine(url).translate(texts, "en", "es")
    assert [reply.text for reply in replies] == [f"es: {text}" for text in texts]


def test_it_says_that_texts_leave_this_machine() -> None:
    assert not LibreTranslateEngine("http://x").local
