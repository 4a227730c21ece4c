"""The sandbox's messages as the page lists them: one entry for each address, the latest first."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cache, lru_cache
from pathlib import Path

from channels.sandbox.captured import ChatMessage, Item, Mail, Text
from channels.sandbox.mailview import view
from channels.sandbox.sandbox import Sandbox
from templates import language_name, languages, phrases

CHANNELS = ("sms", "email", "telegram")
MOST_LISTED = 200
_SNIPPET = 90
_PREVIEW = 500

# Languages that a script tells, where no sentence of the city's does.
_SCRIPTS = (
    (re.compile(r"[\u3040-\u30ff]"), "ja"),
    (re.compile(r"[\uac00-\ud7a3]"), "ko"),
    (re.compile(r"[\u4e00-\u9fff]"), "zh"),
    (re.compile(r"[\u0600-\u06ff]"), "ar"),
    (re.compile(r"[\u0590-\u05ff]"), "he"),
    (re.compile(r"[\u0400-\u04ff]"), "ru"),
    (re.compile(r"[\u0900-\u097f]"), "hi"),
    (re.compile(r"[\u1200-\u137f]"), "am"),
)
_FOOTERS = ("sms_stop", "sms_more", "from_office", "read_online", "verify")


@dataclass(frozen=True, slots=True)
class Resident:
    """What the hub may tell about an address: whose it is, and the language they chose (BCP 47)."""

    name: str = ""
    language: str = ""


# Given a channel ("sms", "email", "telegram") and an address; called in a worker thread.
Directory = Callable[[str, str], Resident | None]


@dataclass(frozen=True, slots=True)
class Conversation:
    """One address and the last thing that happened there."""

    channel: str
    address: str
    resident: Resident
    last: Item

    @property
    def key(self) -> str:
        """Names it in links: `sms:+15550100199`."""
        return f"{self.channel}:{self.address}"

    @property
    def name(self) -> str:
        """The resident's name, or the address."""
        return self.resident.name or self.address

    @property
    def language(self) -> str:
        """The language's English name, or nothing."""
        return language_name(self.resident.language, "en") if self.resident.language else ""

    @property
    def at(self) -> datetime:
        """When the last thing happened."""
        return self.last.time

    @property
    def snippet(self) -> str:
        """The beginning of the last message, or a mail's subject."""
        line = " ".join(words_of(self.last).split())
        return line if len(line) <= _SNIPPET else line[: _SNIPPET - 1] + "…"

    def matches(self, words: str) -> bool:
        """Whether each word is in the name, the address, the language or the last message."""
        shown = f"{self.resident.name} {self.address} {self.language} {self.snippet}".casefold()
        return all(word in shown for word in words.casefold().split())


class Conversations:
    """Everything that the page lists; made anew only when something has happened."""

    def __init__(self, sandbox: Sandbox, directory: Directory | None = None) -> None:
        self._sandbox = sandbox
        self._directory = directory
        self._residents: dict[tuple[str, str], tuple[int, Resident]] = {}
        self._version = -1
        self._all: list[Conversation] = []

    def all(self) -> list[Conversation]:
        """Every conversation, the latest first."""
        if self._version != self._sandbox.version:
            self._version = self._sandbox.version
            self._all = sorted(self._found(), key=lambda entry: entry.last.number, reverse=True)
        return self._all

    def select(self, words: str = "", channel: str = "", language: str = "") -> list[Conversation]:
        """Those that a search and two filters leave."""
        return [
            entry
            for entry in self.all()
            if (not channel or entry.channel == channel)
            and (not language or entry.resident.language == language)
            and entry.matches(words)
        ]

    def find(self, key: str) -> Conversation | None:
        """The conversation that `Conversation.key` names."""
        return next((entry for entry in self.all() if entry.key == key), None)

    def languages(self) -> list[tuple[str, str]]:
        """Languages in use, with their English names, by name."""
        found = {entry.resident.language: entry.language for entry in self.all() if entry.resident.language}
        return sorted(found.items(), key=lambda item: item[1])

    def _found(self) -> Iterator[Conversation]:
        for channel, shelf in self._sandbox.shelves.items():
            for address in shelf.addresses():
                items = shelf.of(address)
                if items:
                    yield Conversation(channel, address, self._resident(channel, address, items), items[-1])

    def _resident(self, channel: str, address: str, items: list[Item]) -> Resident:
        """Who it is; asked once for each new message, since a directory may be a database."""
        seen, known = self._residents.get((channel, address), (0, Resident()))
        if seen == items[-1].number:
            return known
        found = (self._directory(channel, address) if self._directory else None) or Resident()
        found = Resident(found.name, found.language or _language_of(items))
        if found.language:
            self._residents[channel, address] = (items[-1].number, found)
        return found


def words_of(item: Item) -> str:
    """What an entry says in one line: a text, or a mail's subject."""
    if isinstance(item, Mail):
        return _mail_facts(item.number, str(item.path)).subject
    return item.text if isinstance(item, Text | ChatMessage) else ""


@dataclass(frozen=True, slots=True)
class _MailFacts:
    subject: str
    language: str
    beginning: str


@lru_cache(maxsize=4096)
def _mail_facts(number: int, path: str) -> _MailFacts:  # noqa: ARG001 - a file may be written again by another run
    found = view(Path(path).read_bytes())
    return _MailFacts(found.subject, found.language, found.text[:_PREVIEW])


def preview_of(mail: Mail) -> str:
    """The beginning of a mail's plain text."""
    return _mail_facts(mail.number, str(mail.path)).beginning


def _language_of(items: Iterable[Item]) -> str:
    """The language of the city's messages: a mail says it; else a fixed sentence in it, or its script, tells."""
    for item in reversed(list(items)):
        if isinstance(item, Mail):
            return _mail_facts(item.number, str(item.path)).language
        if item.direction == "out" and isinstance(item, Text | ChatMessage) and (found := guess(item.text)):
            return found
    return ""


def guess(text: str) -> str:
    """The language of one of the city's messages, or nothing."""
    for language, sentences in _sentences().items():
        if any(sentence in text for sentence in sentences):
            return language
    return next((language for script, language in _SCRIPTS if script.search(text)), "")


@cache
def _sentences() -> dict[str, list[str]]:
    """The longest fixed piece of each sentence that ends the city's messages, by language."""
    return {
        language: [
            max(re.split(r"\{\w+\}", phrases(language)[key]), key=len).strip()
            for key in _FOOTERS
            if key in phrases(language)
        ]
        for language in languages()
    }
