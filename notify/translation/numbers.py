"""Numbers in a text, and when two of them say the same.

Each language writes them its own way: 1,250 = 1.250 = 1 250, 35.5 = 35,5, 17,500 = 1.75万, 6:30 p.m. = 18:30.
A number is therefore read as everything that it can stand for, and two that share a reading may be the same.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import cache, lru_cache

from babel import Locale, UnknownLocaleError

from notify.translation import clock


@dataclass(frozen=True, slots=True)
class Number:
    """A number in digits, and everything that it can stand for: "1250", "18:30"."""

    text: str
    start: int
    end: int
    readings: frozenset[str]
    hours: frozenset[str] = frozenset()  # the times that a bare 6 may mean beside a 6:00 or a 6 p.m.

    @property
    def small(self) -> bool:
        """Whether a translator may well write it as a word."""
        return self.text.isdigit() and int(self.text) <= 12

    def equals(self, other: Number) -> bool:
        """Whether both can mean the same things only."""
        return self.readings == other.readings and self.hours == other.hours

    def fits(self, other: Number) -> bool:
        """Whether both can mean the same."""
        same = self.readings & (other.readings | other.hours)
        return bool(same or self.hours & other.readings)


_FULL_WIDTH = {ord("："): ":", ord("．"): ".", ord("，"): ",", ord("％"): "%"}

_NUMBER = re.compile(
    r"(?P<hour>\d{1,2})(?::|\s?(?:[hHè点點時时시]|giờ)\s?)(?:(?P<minute>[0-5]\d)(?!\d)|(?P<half>[半반]))"
    r"|\d{1,3}(?:[ \u00a0\u202f]\d{3})+(?!\d)"
    r"|\d+(?:[.,'’\u066b\u066c]\d+)*"
)
# "6 p.m.", and the first of "6 to 8 p.m.", which may share the mark or have none
_HALF_OF_DAY = re.compile(
    r"(?P<range>\s?(?:[-–—]|to|and|or|until|till|through)\s?\d{1,2}(?::\d\d)?)?\s?(?P<half>[ap])\.?\s?m(?![a-z])",
    re.IGNORECASE,
)
_POWERS = {
    2: "hundred",
    3: "thousand mil mille tausend tusen tisíc tys тыс тысяч тысячи тысяча тисяч тисячі ألف آلاف هزار "
    "nghìn ngàn ribu elfu हज़ार हजार 千 천",
    4: "万 萬 만",
    5: "lakh लाख",
    6: "million millions millón millones milhão milhões milione milioni Millionen miljoen milyon milion "
    "milioane миллион миллиона миллионов млн мільйон мільйонів مليون ملايين میلیون triệu juta",
    7: "crore करोड़",
    8: "億 亿 억",
    9: "billion milliard milliards miliardi Milliarde Milliarden miliar milyar миллиард миллиардов млрд "
    "مليار tỷ tỉ",
}
_SCALES = {word: power for power, words in _POWERS.items() for word in words.split()}
_SCALE = re.compile(
    r"\s?(" + "|".join(sorted(map(re.escape, _SCALES), key=len, reverse=True)) + r")(?![a-z])"
)


@lru_cache(maxsize=256)
def fold_digits(text: str) -> str:
    """The text with the decimal digits of every script as 0 to 9; nothing else moves."""
    return "".join(_fold(char) for char in text) if not text.isascii() else text


def _fold(char: str) -> str:
    digit = unicodedata.decimal(char, None)
    return str(digit) if digit is not None else _FULL_WIDTH.get(ord(char), char)


def numbers(text: str, language: str = "") -> list[Number]:
    """The numbers of a text that are written in digits, and hours in words, in their order.

    Args:
        text: anything.
        language: BCP 47; whose words say which half of the day an hour is in. May be unknown.
    """
    text = fold_digits(text)
    found = [number for hit in _NUMBER.finditer(text) for number in _read(hit, text, language)]
    for hour in clock.spoken(text, language):
        span = text[hour.start : hour.end]
        half = _half(text, hour.start, hour.end, language) or clock.EVERY_HOUR
        times = clock.readings(
            hour.hour, hour.minute, half, from_sunrise=bool(clock.is_from_sunrise(span[:3], 3, language))
        )
        found.append(Number(span, hour.start, hour.end, frozenset({str(hour.hour)}), frozenset(times)))
    return sorted(found, key=lambda number: number.start)


def unpaired(wanted: Iterable[Number], present: Iterable[Number]) -> tuple[list[Number], list[Number]]:
    """What remains on either side when numbers that can mean the same are taken away in pairs."""
    left, right = list(wanted), list(present)
    for alike in (Number.equals, Number.fits):
        for number in list(left):
            twin = next((other for other in right if alike(number, other)), None)
            if twin is not None:
                left.remove(number)
                right.remove(twin)
    return left, right


@dataclass(frozen=True, slots=True)
class NumberWords:
    """What the words of a text say in numbers."""

    values: tuple[frozenset[str], ...]  # of each word that is a number, a time or a month
    larger: bool  # some word stands for a larger number, which is not worked out
    known: bool  # the number words of this language are known

    def unexplained(self, numbers: Iterable[Number]) -> list[Number]:
        """Those numbers that no word stands for; a word explains one number."""
        left = list(self.values)
        strange: list[Number] = []
        for number in numbers:
            word = next((values for values in left if values & number.readings), None)
            if word is None:
                strange.append(number)
            else:
                left.remove(word)
        return strange


def number_words(text: str, language: str) -> NumberWords:
    """The numbers that a text says in words: months in every language, the rest in English only."""
    words = re.findall(r"[^\W\d_]+", text)
    english = language.split("-")[0] == "en"
    months = _months(language)
    values = [_ENGLISH.get(word.lower(), frozenset()) if english else frozenset() for word in words]
    values += [frozenset({months[word]}) for word in words if word in months]
    larger = english and not _LARGER.isdisjoint(word.lower() for word in words)
    return NumberWords(tuple(filter(None, values)), larger, english)


def _read(found: re.Match[str], text: str, language: str) -> Iterator[Number]:
    token, after = found.group(), text[found.end() : found.end() + 24]
    mark = _HALF_OF_DAY.match(after)
    half = _half(text, *found.span(), language)
    sunrise = clock.is_from_sunrise(text, found.start(), language)
    if found["hour"]:
        minute = found["minute"] or "30"
        unmarked = frozenset({int(found["hour"])}) if clock.counts_to_24(text, language) else clock.EVERY_HOUR
        yield _number(found, _clock(found["hour"], minute, half or unmarked, sunrise))
    elif _is_date(token):
        for part in re.finditer(r"\d+", token):
            start = found.start() + part.start()
            yield Number(part.group(), start, start + len(part.group()), frozenset({_plain(part.group())}))
    else:
        hours = _bare_clock(token, half or clock.EVERY_HOUR, sunrise)
        surely = bool(hours and half and mark)
        amount = set() if surely else _amount(token, after)
        marked = bool(mark or half)
        yield _number(found, amount | (hours if marked else set()), () if marked else hours)


def _half(text: str, start: int, end: int, language: str) -> frozenset[int] | None:
    """The hours that the marks beside a number leave, if there are any."""
    mark = _HALF_OF_DAY.match(text[end : end + 24])
    if mark:
        return None if mark["range"] else (clock.AFTERNOON if mark["half"] in "pP" else clock.MORNING)
    found = clock.half_after(text, end, language) or clock.half_before(text, start, language)
    return found.hours if found else None


def _number(found: re.Match[str], readings: Iterable[str], hours: Iterable[str] = ()) -> Number:
    return Number(found.group(), *found.span(), frozenset(readings), frozenset(hours))


def _clock(
    hour: str, minute: str, half: frozenset[int] = clock.EVERY_HOUR, sunrise: bool = False
) -> set[str]:
    return clock.readings(int(hour), minute, half, from_sunrise=sunrise)


def _bare_clock(token: str, half: frozenset[int], sunrise: bool = False) -> set[str]:
    """The times that a 6, an 18 or an 18.30 (as Germans and Finns write it) can mean."""
    found = re.fullmatch(r"(\d{1,2})(?:\.([0-5]\d))?", token)
    return _clock(found[1], found[2] or "00", half, sunrise) if found and int(found[1]) <= 24 else set()


def _is_date(token: str) -> bool:
    """Whether a token is several numbers: 14.03.2026 is, 1.250.000 and 1,00,000 are not."""
    groups, marks = re.split(r"\D", token), re.findall(r"\D", token)
    return len(groups) > 2 and len(set(marks)) == 1 and not _is_grouped(groups)


def _is_grouped(groups: list[str]) -> bool:
    """Whether groups of digits are one whole number: by thousands, or the Indian way."""
    first, *middle, last = groups
    sizes = {len(group) for group in middle}
    return len(first) <= 3 and len(last) == 3 and (sizes <= {3} or sizes <= {2})


def _amount(token: str, after: str) -> set[str]:
    values = _values(token)
    if re.fullmatch(r"\d{3}0", token) and after.startswith("s"):  # the 1960s, "los 60"
        values.add(token[2:])
    return values | _scaled(values, after)


def _values(token: str) -> set[str]:
    """What a token is worth, with its marks read as groups and as a decimal point, where they can be."""
    groups, marks = re.split(r"\D", token), re.findall(r"\D", token)
    whole = _plain("".join(groups))
    values = {whole} if not marks or _is_grouped(groups) else set()
    if marks and marks[-1] in ".,\u066b" and marks[-1] not in marks[:-1]:
        values.add(_plain("".join(groups[:-1]) + "." + groups[-1]))
    return values or {whole}


def _plain(number: str) -> str:
    """One way to write a value: no zeros that do not count."""
    whole, _, fraction = number.partition(".")
    fraction = fraction.rstrip("0")
    return (whole.lstrip("0") or "0") + (f".{fraction}" if fraction else "")


def _scaled(values: Iterable[str], after: str) -> set[str]:
    """The values times the word that follows: 1.5 million, 1.75万."""
    scale = _SCALE.match(after)
    power = _SCALES[scale[1]] if scale else 0
    return {_plain(f"{Decimal(value).scaleb(power):f}") for value in values} if power else set()


_UNITS = "zero one two three four five six seven eight nine ten eleven twelve"
_ORDINALS = "zeroth first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth"
_LARGER_WORDS = (
    "thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty thirty forty fifty sixty seventy "
    "eighty ninety hundred hundreds thousand thousands million millions billion billions dozen dozens half"
)
_LARGER = frozenset(_LARGER_WORDS.split())
_ENGLISH: dict[str, frozenset[str]] = {
    **{word: frozenset({str(n)} | _clock(str(n), "00")) for n, word in enumerate(_UNITS.split())},
    **{word: frozenset({str(n)}) for n, word in enumerate(_ORDINALS.split())},
    "once": frozenset({"1"}),
    "twice": frozenset({"2"}),
    "noon": frozenset({"12", "12:00"}),
    "midnight": frozenset({"24", "0:00", "12:00"}),
}


@cache
def _months(language: str) -> dict[str, str]:
    """The number of each month by its name, long and short, as the language writes it."""
    try:
        months = Locale.parse(language, sep="-").months["format"]
    except (UnknownLocaleError, ValueError):
        return {}
    names = [(name, number) for width in ("wide", "abbreviated") for number, name in months[width].items()]
    return {name.rstrip("."): str(number) for name, number in names}
