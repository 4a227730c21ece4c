"""Clean parallel sentences: our own ones with their slots filled, and the texts of the playbooks.

Everything is made from a seed, so that every run has the same corpus.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path
from random import Random

from babel.numbers import format_decimal

from channels.contract import Action
from notify.statements import Text
from notify.translation import sheet
from notify.translation.segmenting import segment
from templates import playbook_files
from templates.playbook_values import write_date

LANGUAGES = ("es", "pt", "fr", "ar", "zh-Hans", "ht", "sw", "vi")

PERSONS = (
    "Helen Reed", "Mark Green", "Will Park", "José Pérez", "Amina Yusuf", "Rich Baker", "Grace Okoro", "Li Wei Chen",
    "Brandon Long", "Marie Joseph", "Tom Rivers", "Nguyen Van An",
)  # fmt: skip
STREETS = ("Mill Street", "River Road", "Oak Avenue", "Summer Lane", "Old Church Road", "Queen Boulevard")
PLACES = (
    "Harbor Hall",
    "Reed Park",
    "Northside Library",
    "East Palestine",
    "Union Station",
    "Rose Garden Center",
)
KEEP = (*PERSONS, *STREETS, *PLACES, "HELP")
YEAR = 2026


@dataclass(frozen=True)
class Pair:
    """A sentence and its translation, and what they were made from."""

    source: str
    target: str
    language: str
    template: str  # the source with its slots: what the split goes by
    slots: Mapping[str, object]
    pattern: str  # the target with its slots
    parallel: Mapping[str, str]  # the same in every language, slots filled

    @property
    def held_out(self) -> bool:
        """Whether the checks are measured on it; the other half is for tuning them."""
        return hashlib.sha256(f"held out {self.template}".encode()).digest()[0] % 2 == 1


def pairs(seed: int = 1, times: int = 4) -> list[Pair]:
    """All clean pairs: each of our sentences a few times with other values, and the playbooks."""
    random = Random(seed)
    return [*_own(random, times), *_playbooks(random)]


def _own(random: Random, times: int) -> Iterator[Pair]:
    path = Path(__file__).with_name("sentences.toml")
    for entry in tomllib.loads(path.read_text(encoding="utf-8"))["sentence"]:
        for _ in range(times if "<" in entry["en"] else 1):
            slots = values(random)
            styles = {language: Style(language, random.random()) for language in ("en", *LANGUAGES)}
            shown = {name: fill(entry[name], slots, style) for name, style in styles.items()}
            for language in LANGUAGES:
                yield Pair(
                    shown["en"], shown[language], language, entry["en"],
                    {**slots, "style": styles[language]}, entry[language], shown,
                )  # fmt: skip


def values(random: Random) -> dict[str, object]:
    """A value for every slot, none equal to another of its kind."""
    persons, places = random.sample(PERSONS, 2), random.sample(PLACES, 2)
    first = datetime(YEAR, 1, 1, random.randrange(7, 11), random.choice((0, 15, 30, 45)))
    days = [date(YEAR, 1, 1) + timedelta(random.randrange(365)) for _ in range(3)]
    month, day = random.sample(range(1, 13), 2)
    return {
        "PERSON": persons[0], "PERSON2": persons[1], "PLACE": places[0], "PLACE2": places[1],
        "STREET": (random.randrange(12, 990), random.choice(STREETS)),
        "PHONE": f"({random.randrange(201, 989)}) 555-01{random.randrange(10, 99)}",
        "TIME": first, "TIME2": first + timedelta(hours=random.randrange(3, 9), minutes=15),
        "DAY": days[0], "DATE": date(YEAR, month, day), "DATE2": date(YEAR, month, 13 + random.randrange(14)),
        "N": random.randrange(130, 9800), "N2": random.randrange(21, 990), "SMALL": random.randrange(3, 11),
        "MINUTES": random.randrange(12, 90), "PERCENT": random.randrange(5, 96), "DEGREES": random.randrange(5, 31),
        "MILES": random.choice((3.5, 7, 12, 25, 4.2)), "MONEY": random.randrange(25, 900) * 1000,
        "CODE": str(random.randrange(21000, 99999)), "ROUTE": f"{random.randrange(2, 40)}{random.choice('ABC')}",
        "URL": f"https://city{random.randrange(9)}.example/help/{random.randrange(10, 99)}",
        "EMAIL": f"help{random.randrange(9)}@city.example",
    }  # fmt: skip


@dataclass(frozen=True)
class Style:
    """One way to write numbers, dates and times in a language; languages have several."""

    language: str
    turn: float  # 0 to 1: which way


def fill(pattern: str, slots: Mapping[str, object], style: Style) -> str:
    """A sentence with its slots filled, as a language writes them."""
    text = re.sub(r"<(\w+)>", lambda hit: written(hit[1], slots[hit[1]], style), pattern)
    return _eastern(text) if style.language == "ar" and style.turn < 0.35 else text


def written(name: str, value: object, style: Style) -> str:
    """A value as a language writes it."""
    match value:
        case datetime():
            return time_of_day(value, style)
        case date():
            if name == "DAY":
                return write_date(value, style.language, "US")
            return short_date(value, style, with_year=value.month % 2 == 0 or name == "DATE2")
        case (number, street):
            return f"{number} {street}"
        case int() | float():
            return _number(value, style)
        case _:
            return str(value)


def _number(value: float, style: Style) -> str:
    locale = {"zh-Hans": "zh_Hans", "ht": "fr", "es": "es_US" if style.turn < 0.5 else "es_CO", "ar": "en"}
    return str(format_decimal(value, locale=locale.get(style.language, style.language))).replace(
        "\u202f", "\u00a0"
    )


def short_date(day: date, style: Style, *, with_year: bool) -> str:
    """A date in digits, in the language's order."""
    if style.language == "zh-Hans":
        year = f"{day.year}年" if with_year else ""
        return f"{year}{day.month}月{day.day}日"
    order = (day.month, day.day) if style.language == "en" else (day.day, day.month)
    return "/".join(map(str, order)) + (f"/{day.year}" if with_year else "")


_PARTS: dict[str, Callable[[int], str]] = {
    "es": lambda hour: "de la mañana" if hour < 12 else "de la tarde" if hour < 19 else "de la noche",
    "pt": lambda hour: "da manhã" if hour < 12 else "da tarde" if hour < 18 else "da noite",
    "fr": lambda hour: "du matin" if hour < 12 else "de l'après-midi" if hour < 17 else "du soir",
    "ar": lambda hour: "صباحًا" if hour < 12 else "مساءً",
    "zh-Hans": lambda hour: "上午" if hour < 12 else "下午" if hour < 18 else "晚上",
    "ht": lambda hour: "nan maten" if hour < 12 else "nan apremidi" if hour < 17 else "diswa",
    "sw": lambda hour: (
        "asubuhi" if hour < 12 else "mchana" if hour < 16 else "jioni" if hour < 19 else "usiku"
    ),
    "vi": lambda hour: "sáng" if hour < 11 else "trưa" if hour < 13 else "chiều" if hour < 18 else "tối",
}


def time_of_day(moment: datetime, style: Style) -> str:
    """A time in one of a language's ways to write it."""
    hour, minute, half = moment.hour, moment.minute, moment.hour % 12 or 12
    short = f"{half}:{minute:02}" if minute or style.turn < 0.4 else str(half)
    day = f"{hour}:{minute:02}"
    part = _PARTS.get(style.language, lambda _: "")(hour)
    first, second, third = {
        "en": (f"{short} {'ap'[hour > 11]}.m.",) * 3,
        "es": (f"{half}:{minute:02} {'ap'[hour > 11]}. m.", f"{short} {part}", day),
        "pt": (day, f"{hour}h{minute:02}" if minute else f"{hour}h", f"{short} {part}"),
        "fr": (f"{hour} h {minute:02}" if minute else f"{hour} h", f"{hour}h{minute:02}", day),
        "ar": (f"{half}:{minute:02} {part}", f"{short} {part}", day),
        "zh-Hans": (f"{part}{half}点" + (f"{minute}分" if minute else ""), f"{part}{half}:{minute:02}", day),
        "ht": (f"{half}:{minute:02} {'AP'[hour > 11]}M", f"{short} {part}", f"{short} {part}"),
        "sw": (f"saa {(hour - 6) % 12 or 12}:{minute:02} {part}", f"saa {day}", f"saa {(hour - 6) % 12 or 12} {part}"
               if not minute else f"saa {day}"),
        "vi": (f"{short} {part}", f"{half} giờ {minute:02} {part}" if minute else f"{half} giờ {part}", day),
    }[style.language]  # fmt: skip
    return first if style.turn < 0.4 else second if style.turn < 0.7 else third


def _eastern(text: str) -> str:
    """The text with Arabic digits, but for addresses, names and placeholders."""
    kept = re.compile(r"https?://\S+|\S+@\S+|\{\w+\}|\b\d+[A-Z]\b")
    digits = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")
    parts, at = [], 0
    for hit in kept.finditer(text):
        parts += [text[at : hit.start()].translate(digits), hit.group()]
        at = hit.end()
    return "".join([*parts, text[at:].translate(digits)])


def _playbooks(random: Random) -> Iterator[Pair]:
    for name in playbook_files.names():
        playbook = playbook_files.load(name)
        values_given = _given(playbook, random)
        filled = playbook_files.fill(playbook, values_given, "America/New_York")
        for texts in (playbook.texts, filled):
            yield from _aligned(texts)


def _given(playbook: playbook_files.Playbook, random: Random) -> dict[str, str]:
    given = dict(playbook.examples())
    for key, each in playbook.placeholders.items():
        if each.type in ("place", "name") and key != "community":
            given[key] = random.choice(PLACES)
        elif each.type == "phone" and key == "phone":
            given[key] = f"(206) 555-01{random.randrange(10, 99)}"
        elif each.type == "time":
            given[key] = (
                f"2026-{random.randrange(1, 13):02}-{random.randrange(1, 28):02}T{random.randrange(8, 21):02}:30"
            )
    return given | {f"news@{language}": given["news"] for language in LANGUAGES if "news" in given}


def _aligned(texts: Mapping[str, playbook_files.PlaybookText]) -> Iterator[Pair]:
    source = segment(sheet.source_text(_text(texts["en"])), "en")
    rows: dict[str, dict[str, str]] = {}
    found: list[tuple[str, str, str]] = []
    for language in LANGUAGES:
        if language not in texts:
            continue
        for row in sheet.align(source, _text(texts[language]), language):
            ours, theirs = sheet.plain(row.source, row.place), sheet.plain(row.text, row.place)
            rows.setdefault(ours, {})[language] = theirs
            found.append((ours, theirs, language))
    for ours, theirs, language in found:
        if not _is_news(ours):
            yield Pair(ours, theirs, language, ours, {}, theirs, {"en": ours, **rows[ours]})


def blocks() -> list[Pair]:
    """The paragraphs of the playbooks that have several sentences, as pairs of whole paragraphs."""
    found: list[Pair] = []
    for name in playbook_files.names():
        texts = playbook_files.load(name).texts
        ours = _paragraphs(texts["en"].body)
        for language in LANGUAGES:
            theirs = _paragraphs(texts[language].body) if language in texts else []
            if len(theirs) == len(ours):
                found += [
                    Pair(one, other, language, one, {}, other, {"en": one, language: other})
                    for one, other in zip(ours, theirs, strict=True)
                    if re.search(r"[.!?] \w", one)
                ]
    return found


def _paragraphs(body: str) -> list[str]:
    return [re.sub(r"^- ", "", line) for line in body.splitlines() if line.strip()]


def _text(text: playbook_files.PlaybookText) -> Text:
    actions = tuple(Action(each.label, each.value) for each in text.actions)
    return Text(text.title, text.short, text.body, actions)


@cache
def _news() -> str:
    return playbook_files.load("weekly-update").examples().get("news", "")


def _is_news(text: str) -> bool:
    """The news of the week stand in one language only in the playbook's examples."""
    return bool(_news()) and text.strip() in _news()
