"""An engine that has rehearsed answers at once, and as it did then."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from translation_servers import Asked, Reply, as_json, serving

from notify.translation.engine import Engine, Unavailable, Unsupported
from notify.translation.libretranslate import LibreTranslateEngine
from notify.translation.rehearsed import Rehearsed


class Capitals:
    """A LibreTranslate server that writes in capitals, as long as it works."""

    works = True

    def __call__(self, method: str, path: str, body: Any) -> Reply | None:
        if not self.works:
            return 503, "text/html", b"away"
        if path == "/languages":
            return as_json([{"code": code, "name": code, "targets": ["en", "es"]} for code in ("en", "es")])
        return as_json({"translatedText": [text.upper() for text in body["q"]]})


@pytest.fixture
def server() -> Capitals:
    return Capitals()


@pytest.fixture
def asked() -> Asked:
    return Asked()


@pytest.fixture
def engine(server: Capitals, asked: Asked) -> Iterator[Engine]:
    with serving(server, asked) as url:
        yield LibreTranslateEngine(url)


def texts(asked: Asked) -> list[list[str]]:
    return [body["q"] for body in asked.bodies("/translate")]


def test_it_is_asked_once_for_the_same_words(engine: Engine, asked: Asked) -> None:
    machine = Rehearsed(engine)
    assert [each.text for each in machine.translate(["a", "b", "a"], "en", "es")] == ["A", "B", "A"]
    assert [each.text for each in machine.translate(["b", "c"], "en", "es")] == ["B", "C"]
    assert texts(asked) == [["a", "b"], ["c"]]
    assert [each.text for each in machine.translate(["a"], "es", "en")] == ["A"]
    assert (machine.name, machine.local, machine.pairs()) == (engine.name, engine.local, engine.pairs())


def test_what_it_has_said_stays_when_the_engine_goes(engine: Engine, server: Capitals) -> None:
    machine = Rehearsed(engine)
    machine.translate(["a"], "en", "es")
    described = machine.describe("en", "es")
    server.works = False
    assert machine.translate(["a"], "en", "es")[0].text == "A"
    assert machine.describe("en", "es") == described == engine.describe("en", "es")


def test_an_engine_that_failed_is_not_waited_for_twice(
    engine: Engine, server: Capitals, asked: Asked
) -> None:
    server.works = False
    machine = Rehearsed(engine)
    with pytest.raises(Unavailable):
        machine.translate(["a"], "en", "es")
    calls = len(asked.calls)
    server.works = True
    with pytest.raises(Unavailable):
        machine.translate(["a"], "en", "es")
    assert len(asked.calls) == calls


def test_a_pair_that_is_not_there_is_refused(engine: Engine) -> None:
    with pytest.raises(Unsupported):
        Rehearsed(engine).translate(["a"], "en", "vi")
