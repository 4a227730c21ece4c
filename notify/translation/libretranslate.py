"""A LibreTranslate server as an engine: another machine of the city's, over HTTP.

Interface: https://docs.libretranslate.com (`/languages`, `/translate`); tried against version 1.9. Text goes as
`format: text`, since `html` takes sentences apart at tags. What the server answers is checked. By itself it writes
every text into its log: run it where that log may hold drafts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

from pydantic import BaseModel, Field, ValidationError

from channels.contract import Finding, Level
from notify.translation.codes import from_argos
from notify.translation.engine import (
    EngineError,
    Pair,
    Rejected,
    Sentence,
    Unavailable,
    Unsupported,
    check_texts,
    closest_pair,
    in_words,
)
from notify.translation.remote import Answer, Listing, Server

MOST = 40
"""Sentences in one call."""

_URL = "NOTIFY_TRANSLATION__LIBRETRANSLATE_URL"
_KEY = "NOTIFY_TRANSLATION__LIBRETRANSLATE_KEY"
_Model = TypeVar("_Model", bound=BaseModel)


class _Language(BaseModel):
    code: str = Field(max_length=40)
    targets: list[str] = []


class _Languages(BaseModel):
    languages: list[_Language] = Field(max_length=1000)


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
        self._server, self._key = Server(url, "LibreTranslate", _URL), key
        self._known = Listing(self._listed)

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
        check_texts(texts)
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
        if not pairs:
            return [
                Finding(
                    Level.WARNING, self.name, "The server has no languages.", "Install some on the server."
                )
            ]
        return [Finding(Level.OK, self.name, f"Translates {in_words(pairs)}, on {self._server.url}.")]

    def _pair(self, source: str, target: str) -> Pair:
        pair = closest_pair(self._known(), source, target)
        if pair is None:
            raise Unsupported(
                f"The LibreTranslate server does not translate {source} to {target}.",
                "Install the language there, or let a person translate.",
            )
        return pair

    def _listed(self) -> dict[Pair, Pair]:
        tree = _read(self._server.ask("GET", "/languages")).tree()
        return dict(_by_tag(_parsed(_Languages, {"languages": tree}).languages))

    def _ask(self, texts: list[str], theirs: Pair) -> list[str]:
        """The texts in one call; in halves where that is too much for the server's limits."""
        try:
            return self._asked(texts, theirs)
        except Rejected:
            if len(texts) == 1:
                raise
            middle = len(texts) // 2
            return self._ask(texts[:middle], theirs) + self._ask(texts[middle:], theirs)

    def _asked(self, texts: list[str], theirs: Pair) -> list[str]:
        tree = {"q": texts, "source": theirs[0], "target": theirs[1], "format": "text"}
        key = {"api_key": self._key} if self._key else {}
        answer = _read(self._server.ask("POST", "/translate", tree={**tree, **key}))
        found = _parsed(_Translations, answer.tree()).translatedText
        if len(found) != len(texts):
            raise Unavailable(
                "The LibreTranslate server sent back another number of sentences.", "Try again."
            )
        return found


def _by_tag(listed: Sequence[_Language]) -> Iterator[tuple[Pair, Pair]]:
    for language in listed:
        for target in language.targets:
            try:
                pair = from_argos(language.code), from_argos(target)
            except ValueError:
                continue
            if pair[0] != pair[1]:
                yield pair, (language.code, target)


def _read(answer: Answer) -> Answer:
    """An answer that is one; an error of the server's becomes ours, without its text."""
    status = answer.status
    if status == 403:
        raise Unavailable("The LibreTranslate server wants a key, or another one.", f"Set {_KEY}.")
    if status == 429 or status >= 500:
        raise Unavailable(
            f"The LibreTranslate server is too busy or ill (HTTP {status}).", "Try again later."
        )
    if status in (400, 413):
        raise Rejected(
            f"The LibreTranslate server does not take the text (HTTP {status}).", "Let a person translate."
        )
    if status != 200 or "json" not in answer.kind:
        raise Unavailable(f"What answers (HTTP {status}) is no LibreTranslate server.", f"Check {_URL}.")
    return answer


def _parsed(model: type[_Model], tree: object) -> _Model:
    try:
        return model.model_validate(tree)
    except ValidationError:
        raise Unavailable(
            "What the LibreTranslate server answers makes no sense.", "Check its version."
        ) from None
