"""A LibreTranslate server as an engine: another machine of the city's, over HTTP.

Interface: https://docs.libretranslate.com (`/languages`, `/translate`). Text goes as `format: text`, since
`html` takes sentences apart at tags. The server is somebody's computer: what it answers is checked.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from channels.contract import Finding, Level
from notify.translation.codes import from_argos
from notify.translation.engine import (
    EngineError,
    Pair,
    Rejected,
    Sentence,
    Unavailable,
    Unsupported,
    closest_pair,
)

TIMEOUT = 60.0  # seconds for one call: a small server translates some sentences a second
FRESH = 600.0  # seconds for which the list of languages holds
MOST = 40  # sentences in one call


_Model = TypeVar("_Model", bound=BaseModel)


class _Language(BaseModel):
    code: str
    targets: list[str] = []


class _Languages(BaseModel):
    languages: list[_Language]


class _Translations(BaseModel):
    translatedText: list[str]  # noqa: N815 - the server's name


class LibreTranslateEngine:
    """Translates over HTTP. Safe to use from several threads."""

    name = "libretranslate"
    local = False

    def __init__(self, url: str, key: str = "") -> None:
        """Connect to nothing yet.

        Args:
            url: of the server, like https://translate.city.example
            key: if it wants one.
        """
        self._url, self._key = url.rstrip("/"), key
        self._client = httpx.Client(timeout=TIMEOUT, follow_redirects=False)
        self._lock = threading.Lock()
        self._codes: dict[Pair, Pair] = {}  # by BCP 47, the server's own
        self._read_at = -FRESH

    def pairs(self) -> set[Pair]:
        """What the server says that it translates; nothing while it cannot be reached."""
        try:
            return set(self._known())
        except EngineError:
            return set()

    def describe(self, source: str, target: str) -> str:
        """The engine and its pair. The server does not tell its version.

        Raises:
            Unsupported, Unavailable: as `translate` does.
        """
        return " ".join((self.name, "-".join(self._pair(source, target))))

    def translate(self, texts: Sequence[str], source: str, target: str) -> list[Sentence]:
        """Translate sentences; see `Engine.translate`."""
        pair = self._pair(source, target)
        theirs = self._known()[pair]
        worded = [text for text in texts if text.strip()]
        replies: Iterator[str] = (
            reply
            for start in range(0, len(worded), MOST)
            for reply in self._ask(worded[start : start + MOST], theirs)
        )
        return [Sentence(next(replies) if text.strip() else text, None, pair) for text in texts]

    def health(self) -> Sequence[Finding]:
        """Whether the server answers, and what it translates."""
        try:
            pairs = self._known()
        except EngineError as error:
            return [Finding(Level.ERROR, self.name, error.reason, error.cure)]
        listed = ", ".join(f"{source} to {target}" for source, target in sorted(pairs))
        return [Finding(Level.OK, self.name, f"Translates {listed}.")]

    def _pair(self, source: str, target: str) -> Pair:
        pair = closest_pair(self._known(), source, target)
        if pair is None:
            raise Unsupported(
                f"The LibreTranslate server does not translate {source} to {target}.",
                "Install the language there, or let a person translate.",
            )
        return pair

    def _known(self) -> dict[Pair, Pair]:
        with self._lock:
            if time.monotonic() - self._read_at > FRESH:
                found = _tree(self._call("GET", "/languages"))
                listed = _parsed(_Languages, {"languages": found}).languages
                self._codes = dict(_by_tag(listed))
                self._read_at = time.monotonic()
            return self._codes

    def _ask(self, texts: list[str], theirs: Pair) -> list[str]:
        body = {"q": texts, "source": theirs[0], "target": theirs[1], "format": "text"}
        answer = self._call("POST", "/translate", body | ({"api_key": self._key} if self._key else {}))
        found = _parsed(_Translations, _tree(answer)).translatedText
        if len(found) != len(texts):
            raise Unavailable(
                "The LibreTranslate server sent back another number of sentences.", "Try again."
            )
        return found

    def _call(self, method: str, path: str, body: Mapping[str, object] | None = None) -> httpx.Response:
        try:
            answer = self._client.request(method, f"{self._url}{path}", json=body)
        except httpx.HTTPError as error:
            raise Unavailable(
                f"The LibreTranslate server cannot be reached ({type(error).__name__}).",
                "Check NOTIFY_TRANSLATION__LIBRETRANSLATE_URL and that the server runs.",
            ) from None
        _refuse(answer)
        return answer


def _by_tag(listed: Sequence[_Language]) -> Iterator[tuple[Pair, Pair]]:
    for language in listed:
        for target in language.targets:
            if language.code != target:
                try:
                    yield (from_argos(language.code), from_argos(target)), (language.code, target)
                except ValueError:
                    continue


def _refuse(answer: httpx.Response) -> None:
    """Turn an error of the server's into ours. Its text is left out: it may quote what it was given."""
    status = answer.status_code
    if status == 403:
        raise Unavailable(
            "The LibreTranslate server wants a key, or another one.",
            "Set NOTIFY_TRANSLATION__LIBRETRANSLATE_KEY.",
        )
    if status == 429 or status >= 500:
        raise Unavailable(
            f"The LibreTranslate server is too busy or ill (HTTP {status}).", "Try again later."
        )
    if status != 200:
        raise Rejected(
            f"The LibreTranslate server does not take the text (HTTP {status}).", "Let a person translate."
        )
    if "json" not in answer.headers.get("content-type", ""):
        raise Unavailable(
            "What answers is no LibreTranslate server.", "Check NOTIFY_TRANSLATION__LIBRETRANSLATE_URL."
        )


def _tree(answer: httpx.Response) -> object:
    try:
        return answer.json()
    except ValueError:
        return None


def _parsed(model: type[_Model], tree: object) -> _Model:
    try:
        return model.model_validate(tree)
    except ValidationError:
        raise Unavailable(
            "What the LibreTranslate server answers makes no sense.", "Check its version."
        ) from None
