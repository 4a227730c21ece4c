"""A resident's own data as a PDF that the resident can read: their language, their script, nothing technical."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import templates
from channels.contract import City
from channels.letter import fonts, guards
from channels.letter.compose import is_borrowed
from channels.letter.dates import long_date
from channels.letter.typesetting import Typesetter
from channels.registry import available

_A4, _US_LETTER = {"width": 210, "height": 297}, {"width": 215.9, "height": 279.4}
_LETTER_COUNTRIES = frozenset({"US", "CA", "MX", "PH", "CO", "CL", "VE"})


def pdf(tree: Mapping[str, Any], city: City, language: str, at: datetime) -> bytes:
    """Set what `notify.residents.own_data` gave.

    A character that no font here has is printed as a box: the resident has a right to the rest.

    Args:
        tree: the data.
        city: whose hub it is.
        language: of the headings, BCP 47.
        at: when it is made.

    Raises:
        CannotTypeset: Typst refused.
    """
    with Typesetter() as typesetter:
        return typesetter.pdf("own", _Page(city, language).job(tree, at), at, archival=False)


class _Page:
    """The tree in words."""

    def __init__(self, city: City, language: str) -> None:
        self._city = city
        # Where nobody has written the headings in a language, dates are not in it either.
        self._language = templates.FALLBACK if is_borrowed(language) else language
        self._words = templates.phrases(language)
        self._direction = templates.direction(self._language)
        self._zone = ZoneInfo(city.timezone)
        self._kinds = {name: channel.address_kind for name, channel in available().items()}

    def job(self, tree: Mapping[str, Any], at: datetime) -> dict[str, Any]:
        """What the layout reads."""
        return {
            "title": self._words["own_title"].format(city=guards.named(self._city.name)),
            "made": self._words["own_made"].format(date=self._day(at)),
            "nothing": self._words["own_nothing"],
            "city": self._city.name,
            "language": self._language.split("-")[0],
            "direction": self._direction,
            "fonts": list(fonts.stack(self._language)),
            "leading": fonts.leading(self._language),
            "page": _US_LETTER if self._city.country in _LETTER_COUNTRIES else _A4,
            "sections": [
                self._section("own_about", pairs=self._about(tree)),
                self._section("own_addresses", pairs=[self._address(each) for each in tree["addresses"]]),
                self._section("own_lists", entries=[self._list(each) for each in tree["lists"]]),
                self._section("own_consent", entries=[self._decision(each) for each in tree["consent"]]),
                self._section("own_messages", entries=[self._message(each) for each in tree["messages"]]),
                self._section("own_written", entries=[self._inbound(each) for each in tree["written"]]),
            ],
        }

    def _section(
        self, key: str, *, pairs: list[list[str]] | None = None, entries: list[dict[str, Any]] | None = None
    ) -> dict[str, Any]:
        return {"title": self._words[key], "pairs": pairs or [], "entries": entries or []}

    def _about(self, tree: Mapping[str, Any]) -> list[list[str]]:
        said = {
            "own_name": self._text(tree["name"]),
            "page_language": templates.language_name(tree["language"], self._language),
            "own_area": self._text(tree["area"]),
            "own_groups": " · ".join(map(self._text, tree["groups"])),
        }
        return [[self._words[key], value or "–"] for key, value in said.items()]

    def _address(self, address: Mapping[str, Any]) -> list[str]:
        lines = guards.clean(address["address"]).splitlines()
        return [self._way(address["channel"]), "\n".join(map(guards.fenced, lines))]

    def _list(self, listed: Mapping[str, Any]) -> dict[str, Any]:
        title = listed["titles"].get(self._language) or listed["list"]
        return _entry("", self._text(title))

    def _decision(self, event: Mapping[str, Any]) -> dict[str, Any]:
        decided = self._words["own_yes" if event["decision"] else "own_no"]
        about = self._text(event["list"] or self._words["own_everything"])
        facts = [event["method"], event["reference"], event["ip"]]
        apart = [self._text(each) for each in facts if each]
        words = [f"“{self._text(event['wording'])}”"] if event["wording"] else []
        return _entry(self._head(event), f"{decided}: {about}", *words, " · ".join(apart))

    def _message(self, message: Mapping[str, Any]) -> dict[str, Any]:
        return _entry(self._head(message), self._text(message["title"]))

    def _inbound(self, message: Mapping[str, Any]) -> dict[str, Any]:
        return _entry(self._head(message), "", self._text(message["text"]) or "–")

    def _head(self, item: Mapping[str, Any]) -> str:
        when = self._day(item["at"]) if item["at"] else ""
        return " · ".join(filter(None, (when, self._way(item["channel"]))))

    def _way(self, channel: str) -> str:
        """The channel as residents call it."""
        kind = self._kinds.get(channel)
        return self._words[f"way_{kind}"] if kind else channel

    def _day(self, moment: datetime) -> str:
        return long_date(moment.astimezone(self._zone).date(), self._language)

    def _text(self, words: str) -> str:
        """Words in whatever script, set apart from what is around them; numbers in them do not turn round."""
        cleaned = guards.clean(words)
        mixed = guards.is_right_to_left(cleaned)
        pieces = guards.isolate(cleaned, "rtl" if mixed else self._direction, mixed)
        return guards.named("".join(piece.text for piece in pieces)) if cleaned else ""


def _entry(head: str, title: str, *words: str) -> dict[str, Any]:
    return {"head": head, "title": title, "words": [each for each in words if each]}
