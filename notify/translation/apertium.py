"""Apertium as an engine: rules instead of a model, for close languages; the system's command, or an APY server.

Command: apertium(1). Server: https://wiki.apertium.org/wiki/Apertium-apy. Codes are ISO 639-3 on their side.
Rough even where it works (`Mayor Long` becomes a long mayor), so it is nobody's default.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property

import httpx
from langcodes import Language

from channels.contract import Finding, Level
from notify.translation.codes import standard
from notify.translation.engine import EngineError, Pair, Sentence, Unavailable, Unsupported, closest_pair

TIMEOUT = 60.0  # seconds for one call
_BETWEEN = "\n\n"  # sentences: Apertium carries nothing over an empty line
_MODE = re.compile(r"^\s*([a-z]{2,3})-([a-z]{2,3})\s*$", re.MULTILINE)


class ApertiumEngine:
    """Translates with what is installed on this machine, or on a server."""

    name = "apertium"

    def __init__(self, url: str = "") -> None:
        """Start nothing yet.

        Args:
            url: of an APY server; empty for the command on this machine.
        """
        self._url = url.rstrip("/")
        self.local = not url

    def pairs(self) -> set[Pair]:
        """Every installed pair; nothing while it cannot be asked."""
        try:
            return set(self._modes)
        except EngineError:
            return set()

    def describe(self, source: str, target: str) -> str:
        """The engine and its mode: "apertium eng-spa".

        Raises:
            Unsupported: no such pair.
        """
        return f"{self.name} {'-'.join(self._modes[self._pair(source, target)])}"

    def translate(self, texts: Sequence[str], source: str, target: str) -> list[Sentence]:
        """Translate sentences; see `Engine.translate`."""
        pair = self._pair(source, target)
        mode = self._modes[pair]
        worded = [" ".join(text.split()) for text in texts if text.strip()]
        replies = iter(self._all(worded, mode) if worded else ())
        return [Sentence(next(replies) if text.strip() else text, None, pair) for text in texts]

    def health(self) -> Sequence[Finding]:
        """What it translates, or why it does not."""
        try:
            listed = ", ".join(f"{source} to {target}" for source, target in sorted(self._modes))
        except EngineError as error:
            return [Finding(Level.ERROR, self.name, error.reason, error.cure)]
        if not listed:
            return [
                Finding(
                    Level.WARNING,
                    self.name,
                    "It has no language pair.",
                    "Install apertium-eng-spa or the like.",
                )
            ]
        return [Finding(Level.OK, self.name, f"Translates {listed}.")]

    @cached_property
    def _modes(self) -> dict[Pair, Pair]:
        """The pairs by BCP 47, and what Apertium calls them."""
        found = list(self._listed())
        return {pair: mode for mode in found if (pair := _tags(mode)) and pair[0] != pair[1]}

    def _listed(self) -> Iterator[Pair]:
        if not self._url:
            yield from _MODE.findall(_run(["-l"], ""))
            return
        listed = _data(_get(f"{self._url}/listPairs"))
        for each in listed if isinstance(listed, list) else ():
            if isinstance(each, dict):
                yield str(each.get("sourceLanguage", "")), str(each.get("targetLanguage", ""))

    def _pair(self, source: str, target: str) -> Pair:
        pair = closest_pair(self._modes, source, target)
        if pair is None:
            raise Unsupported(f"Apertium does not translate {source} to {target}.", "Let a person translate.")
        return pair

    def _all(self, texts: list[str], mode: Pair) -> list[str]:
        """All in one call; one by one where it does not give back as many."""
        together = self._one(_BETWEEN.join(texts), mode).split(_BETWEEN)
        if len(together) == len(texts):
            return [text.strip() for text in together]
        return [self._one(text, mode).strip() for text in texts]

    def _one(self, text: str, mode: Pair) -> str:
        if not self._url:
            return _run(["-f", "txt", "-u", "-".join(mode)], text).rstrip("\n")
        found = _data(
            _post(
                f"{self._url}/translate",
                {"langpair": "|".join(mode), "q": text, "markUnknown": "no", "format": "txt"},
            )
        )
        if not isinstance(found, dict) or not isinstance(found.get("translatedText"), str):
            raise Unavailable("What the Apertium server answers makes no sense.", "Check its address.")
        return str(found["translatedText"]).rstrip("\n")


def _tags(mode: Pair) -> Pair | None:
    try:
        return standard(Language.get(mode[0]).to_tag()), standard(Language.get(mode[1]).to_tag())
    except (ValueError, LookupError):
        return None


def _run(arguments: list[str], text: str) -> str:
    command = shutil.which("apertium")
    if command is None:
        raise Unavailable(
            "Apertium is not installed here.", "Install the package apertium and a pair of languages."
        )
    try:
        done = subprocess.run(  # noqa: S603 - our own arguments; the text goes by standard input
            [command, *arguments], input=text, capture_output=True, text=True, timeout=TIMEOUT, check=False
        )
    except subprocess.TimeoutExpired:
        raise Unavailable("Apertium took too long.", "Try again.") from None
    if done.returncode and not done.stdout:
        raise Unavailable(
            f"Apertium failed with status {done.returncode}.", "Run `apertium -l` to see what it says."
        )
    return done.stdout


def _get(url: str) -> httpx.Response:
    return _called(lambda: httpx.get(url, timeout=TIMEOUT))


def _post(url: str, form: dict[str, str]) -> httpx.Response:
    return _called(lambda: httpx.post(url, data=form, timeout=TIMEOUT))


def _called(call: Callable[[], httpx.Response]) -> httpx.Response:
    try:
        return call().raise_for_status()
    except httpx.HTTPError as error:
        raise Unavailable(
            f"The Apertium server does not answer as it should ({type(error).__name__}).",
            "Check NOTIFY_TRANSLATION__APERTIUM_URL and that the server runs.",
        ) from None


def _data(answer: httpx.Response) -> object:
    try:
        tree = answer.json()
    except ValueError:
        tree = None
    if not isinstance(tree, dict) or "responseData" not in tree:
        raise Unavailable("What answers is no Apertium server.", "Check NOTIFY_TRANSLATION__APERTIUM_URL.")
    return tree["responseData"]
