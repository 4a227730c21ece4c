"""The words with which residents leave, come back, ask for help, join a list or change their language.

The words are data, in `words.toml`. A text is a keyword only when it is nothing else: "Stop signs on Main St"
is a reply (R3). Case, accents, punctuation, spaces, width and the ways to write one letter do not count, see
`channels.folding`. Networks act on the English words only (R2), so the other languages are ours alone.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache
from importlib.resources import files

from channels.folding import fold, with_accents

__all__ = ["Keyword", "Meaning", "Word", "answered_by_provider", "fold", "read", "read_topic", "words"]

_LONGEST = 200  # characters; no keyword with a topic is longer
_LONGEST_KEYWORD = 3  # words
_MOST_WORDS = 6  # a keyword, and what it names


class Meaning(StrEnum):
    """What a keyword asks for; the first three are the values of Twilio's own `OptOutType`."""

    STOP = "STOP"
    START = "START"
    HELP = "HELP"
    YES = "YES"  # opts in only a number that is opted out, else it is an answer (R4): the core knows which
    JOIN = "JOIN"  # a list
    LANGUAGE = "LANGUAGE"  # to be written to in


# What a text may name after the word: STOP NEWS, JOIN NEWS, LANGUAGE ESPAÑOL; and before it: NEWS STOP.
_WITH_TOPIC = frozenset({Meaning.STOP, Meaning.JOIN, Meaning.LANGUAGE})
_AFTER_TOPIC = frozenset({Meaning.STOP})


@dataclass(frozen=True, slots=True)
class Keyword:
    """What a keyword says; `topic` is what else is in the text, as it was written."""

    meaning: Meaning
    languages: tuple[str, ...] = ()  # BCP 47: those that have the word
    topic: str = ""

    def language(self, spoken: Sequence[str]) -> str:
        """The language that the word tells: the only one of these that has it; empty where it tells none.

        Args:
            spoken: the city's languages, BCP 47. INICIO is Spanish in a city that speaks no Portuguese.
        """
        if _TELLS_NOTHING in self.languages:
            return ""
        bases = {each.split("-")[0] for each in spoken}
        here = [each for each in self.languages if each.split("-")[0] in bases] or self.languages
        if len({each.split("-")[0] for each in here}) != 1:
            return ""
        return here[0] if len(here) == 1 else here[0].split("-")[0]


@dataclass(frozen=True, slots=True)
class Word:
    """One entry of the data: how it is written there, and where it comes from ("R1", "R2", "general")."""

    text: str
    meaning: Meaning
    language: str
    source: str
    accents_count: bool = False


# What Twilio acts on and answers by itself, written exactly so, as a single word (any case).
# https://help.twilio.com/articles/223134027; YES is among them only for a number that is opted out.
_ANSWERED = frozenset(
    "STOP STOPALL UNSUBSCRIBE CANCEL END QUIT REVOKE OPTOUT START UNSTOP HELP INFO".split(),  # noqa: SIM905
)
_SIGN = re.compile(r"[^\w\s]+")
_IDEOGRAPHS = re.compile("[\u4e00-\u9fff]+")
# English words tell no language: networks and other languages' instructions make everybody use them.
_TELLS_NOTHING = "en"


@cache
def words() -> tuple[Word, ...]:
    """Every word of `words.toml`."""
    return tuple(_entries(tomllib.loads((files(__package__) / "words.toml").read_text("utf-8"))))


def read(text: str) -> Keyword | None:
    """The keyword a whole text is, or None when it says anything else. Said twice it is the same."""
    if found := _look_up(text):
        return found
    parts = text.split()
    return _said_again(parts) if 1 < len(parts) <= _MOST_WORDS * 2 else None


def read_topic(text: str) -> Keyword | None:
    """A keyword together with what it names, for texts that are not much longer; None for all others.

    Only who knows the lists can tell whether there is one of that name: "stop signs" is read as STOP with the
    topic "signs".
    """
    given = text.strip()
    if len(given) > _LONGEST or len(given.split()) > _MOST_WORDS:
        return None
    for word, topic in _partings(given):
        found = _look_up(word)
        leads = given.startswith(word)
        if found and found.meaning in (_WITH_TOPIC if leads else _AFTER_TOPIC) and fold(topic):
            return replace(found, topic=topic)
    return None


def answered_by_provider(text: str) -> bool:
    """Whether Twilio's default handling replies to this text itself."""
    return text.strip().upper() in _ANSWERED


def _partings(text: str) -> Iterator[tuple[str, str]]:
    """The ways to part a text into a keyword and a topic, the likeliest first."""
    parts = text.split()
    for count in range(min(_LONGEST_KEYWORD, len(parts) - 1), 0, -1):
        yield " ".join(parts[:count]), " ".join(parts[count:])
    for count in range(min(_LONGEST_KEYWORD, len(parts) - 1), 0, -1):
        yield " ".join(parts[-count:]), " ".join(parts[:-count])
    if len(parts) == 1:
        yield from _partings_of_one(text)


def _partings_of_one(text: str) -> Iterator[tuple[str, str]]:
    """STOP-NEWS, JOIN:NEWS; and scripts that put no space between words."""
    if found := _SIGN.search(text):
        yield text[: found.start()], text[found.end() :]
    for count in range(len(text) - 1, 0, -1):
        if _IDEOGRAPHS.fullmatch(text[:count]):
            yield text[:count], text[count:]


def _said_again(parts: list[str]) -> Keyword | None:
    """The keyword that a text says more than once, be it in other words: STOP STOP, STOP ALTO."""
    for count in range(min(_LONGEST_KEYWORD, len(parts)), 0, -1):
        first = _look_up(" ".join(parts[:count]))
        rest = parts[count:]
        again = _said_again(rest) if first and rest else first
        if first and again and again.meaning is first.meaning:
            return first
    return None


def _look_up(text: str) -> Keyword | None:
    loose, strict = _tables()
    return loose.get(fold(text)) or strict.get(with_accents(text).replace(" ", ""))


@cache
def _tables() -> tuple[dict[str, Keyword], dict[str, Keyword]]:
    """The keywords by what their texts fold to: without accents, and with."""
    loose: dict[str, Keyword] = {}
    strict: dict[str, Keyword] = {}
    for word in words():
        table = strict if word.accents_count else loose
        key = with_accents(word.text).replace(" ", "") if word.accents_count else fold(word.text)
        known = table.get(key)
        before = known.languages if known else ()
        table[key] = Keyword(word.meaning, (*before, word.language))
    return loose, strict


def _entries(data: dict[str, dict[str, dict[str, list[str]]]]) -> Iterator[Word]:
    for language, meanings in data.items():
        for meaning, sources in meanings.items():
            for source, texts in sources.items():
                for text in texts:
                    bare = text.removeprefix("=")
                    yield Word(bare, Meaning(meaning.upper()), language, source, bare != text)
