"""Apertium as an engine: rules instead of a model, for close languages; the system's command, or an APY server.

Command: apertium(1). Server: https://wiki.apertium.org/wiki/Apertium-apy, tried against version 0.13. Codes are
ISO 639-3 on their side. Rough even where it works (`Mayor Long` becomes a long mayor), so it is nobody's default.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence

from channels.contract import Finding, Level
from notify.translation.codes import standard
from notify.translation.engine import (
    EngineError,
    Pair,
    Sentence,
    Unavailable,
    Unsupported,
    check_texts,
    closest_pair,
    in_words,
)
from notify.translation.remote import Answer, Listing, Server

TIMEOUT = 60.0
"""Seconds for one call of the command."""

_URL = "NOTIFY_TRANSLATION__APERTIUM_URL"
_BETWEEN = "\n\n"  # sentences: Apertium carries nothing over an empty line
_MODE = re.compile(r"^\s*([a-z]{2,3})-([a-z]{2,3})\s*$", re.MULTILINE)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")


class ApertiumEngine:
    """Translates with what is installed on this machine, or on a server. Safe to use from several threads."""

    name = "apertium"

    def __init__(self, url: str = "") -> None:
        """Start nothing yet.

        Args:
            url: of an APY server; empty for the command on this machine.
        """
        self._server = Server(url, "Apertium", _URL) if url else None
        self._modes = Listing(self._listed)
        self.local = not url

    def pairs(self) -> set[Pair]:
        """Every installed pair; nothing while it cannot be asked."""
        try:
            return set(self._modes())
        except EngineError:
            return set()

    def describe(self, source: str, target: str) -> str:
        """The engine and its mode: "apertium eng-spa".

        Raises:
            Unsupported, Unavailable: as `translate` does.
        """
        return f"{self.name} {'-'.join(self._modes()[self._pair(source, target)])}"

    def translate(self, texts: Sequence[str], source: str, target: str) -> list[Sentence]:
        """Translate sentences; see `Engine.translate`."""
        check_texts(texts)
        pair = self._pair(source, target)
        lines = [_one_line(text) for text in texts]
        worded = [line for line in lines if line]
        replies = iter(self._all(worded, self._modes()[pair]) if worded else ())
        return [
            Sentence(next(replies) if line else text, None, pair)
            for text, line in zip(texts, lines, strict=True)
        ]

    def health(self) -> Sequence[Finding]:
        """What it translates, or why it does not."""
        try:
            pairs = self._modes()
        except EngineError as error:
            return [Finding(Level.ERROR, self.name, error.reason, error.cure)]
        if not pairs:
            return [
                Finding(
                    Level.WARNING,
                    self.name,
                    "It has no language pair.",
                    "Install apertium-eng-spa or the like.",
                )
            ]
        return [Finding(Level.OK, self.name, f"Translates {in_words(pairs)}.")]

    def _listed(self) -> dict[Pair, Pair]:
        """The pairs by BCP 47, and what Apertium calls them."""
        found = _on_server(self._server) if self._server else _MODE.findall(_run(["-l"], ""))
        return {pair: mode for mode in found if (pair := _tags(mode)) and pair[0] != pair[1]}

    def _pair(self, source: str, target: str) -> Pair:
        pair = closest_pair(self._modes(), source, target)
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
        if self._server is None:
            return _run(["-f", "txt", "-u", "-".join(mode)], text).rstrip("\n")
        form = {"langpair": "|".join(mode), "q": text, "markUnknown": "no", "format": "txt"}
        found = _data(self._server.ask("POST", "/translate", form=form))
        if not isinstance(found, dict) or not isinstance(found.get("translatedText"), str):
            raise _nonsense()
        return str(found["translatedText"]).rstrip("\n")


def _one_line(text: str) -> str:
    return " ".join(_CONTROL.sub(" ", text).split())


def _tags(mode: Pair) -> Pair | None:
    from langcodes import Language

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
    process = subprocess.Popen(  # noqa: S603 - our own arguments; the text goes by standard input
        [command, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,
    )
    with process:
        try:
            out, _ = process.communicate(text, timeout=TIMEOUT)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)  # the command is a shell, with a pipeline of its own
            raise Unavailable("Apertium took too long.", "Try again.") from None
    if process.returncode and not out:
        raise Unavailable(
            f"Apertium failed with status {process.returncode}.", "Run `apertium -l` to see what it says."
        )
    return out


def _on_server(server: Server) -> Iterator[Pair]:
    listed = _data(server.ask("GET", "/listPairs"))
    if not isinstance(listed, list):
        raise _nonsense()
    for each in listed:
        if isinstance(each, dict):
            yield str(each.get("sourceLanguage", "")), str(each.get("targetLanguage", ""))


def _data(answer: Answer) -> object:
    if answer.status == 429 or answer.status >= 500:
        raise Unavailable(
            f"The Apertium server is too busy or ill (HTTP {answer.status}).", "Try again later."
        )
    tree = answer.tree() if answer.status == 200 else None
    if not isinstance(tree, dict) or "responseData" not in tree:
        raise Unavailable(f"What answers (HTTP {answer.status}) is no Apertium server.", f"Check {_URL}.")
    return tree["responseData"]


def _nonsense() -> Unavailable:
    return Unavailable("What the Apertium server answers makes no sense.", "Check its address.")
