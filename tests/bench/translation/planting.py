# ruff: noqa: E501 - tables of rules read best a language a line
"""Errors put into correct translations, one at a time, each of a kind that does harm in a statement."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from random import Random

from corpus import PERSONS, PLACES, STREETS, Pair, Style, fill, short_date

KINDS = (
    "digit", "unit", "date order", "time", "phone", "name", "dropped sentence", "swapped placeholder",
    "leftover source", "wrong language", "negation",
)  # fmt: skip
FACTS = KINDS[:-1]
"""What the floor holds for; negation is reported by itself."""


@dataclass(frozen=True)
class Planted:
    """A translation with an error in it."""

    kind: str
    pair: Pair
    target: str


Planter = Callable[[Pair, Random], str | None]


def plant(kind: str, pair: Pair, random: Random) -> Planted | None:
    """A pair with one error of a kind in its target, or None where it has no place for it."""
    target = _PLANTERS[kind](pair, random)
    return None if target is None or target == pair.target else Planted(kind, pair, target)


def _refilled(pair: Pair, **changed: object) -> str:
    style = pair.slots["style"]
    assert isinstance(style, Style)
    return fill(pair.pattern, {**pair.slots, **changed}, style)


def _has(pair: Pair, *names: str) -> list[str]:
    return [name for name in names if f"<{name}>" in pair.pattern]


def _digit(pair: Pair, random: Random) -> str | None:
    names = _has(
        pair, "N", "N2", "MONEY", "PERCENT", "STREET", "CODE", "MINUTES", "SMALL", "MILES", "DEGREES", "ROUTE"
    )
    if not names:
        return None
    name = random.choice(names)
    value = pair.slots[name]
    if name == "STREET":
        assert isinstance(value, tuple)
        return _refilled(pair, STREET=(_other_number(value[0], random), value[1]))
    if isinstance(value, str):
        return _refilled(pair, **{name: _other_digit(value, random)})
    assert isinstance(value, int | float)
    return _refilled(pair, **{name: _other_number(value, random)})


def _other_number(value: float, random: Random) -> float:
    """A number with one digit changed, or two that changed places."""
    text = str(value)
    swapped = [text[:at] + text[at + 1] + text[at] + text[at + 2 :] for at in range(len(text) - 1)]
    swapped = [each for each in swapped if each != text and each[0] != "0" and "." not in each]
    new = random.choice(swapped) if swapped and random.random() < 0.4 else _other_digit(text, random)
    return float(new) if isinstance(value, float) else int(new)


def _other_digit(text: str, random: Random) -> str:
    at = random.choice([at for at, char in enumerate(text) if char.isdigit()])
    return text[:at] + random.choice([each for each in "123456789" if each != text[at]]) + text[at + 1 :]


# What stands for a unit in our sentences, and what an engine or a tired person makes of it.
_UNITS = {
    "es": ("millas>kilómetros", "$<MONEY>>€<MONEY>", "$<MONEY>><MONEY> euros", " %>", "minutos>horas", "libras>kilos",
           "días>semanas", "semanas>días", "°F>°C", "años>meses"),
    "pt": ("milhas>quilômetros", "dólares>euros", "dólares>reais", "%>", "minutos>horas", "libras>quilos", "dias>semanas",
           "semanas>meses", "°F>°C", "anos>meses"),
    "fr": ("miles>kilomètres", "dollars>euros", " %>", "minutes>heures", "livres>kilos", "jours>semaines",
           "semaines>mois", "°F>°C", "ans>mois"),
    "ar": ("ميلاً>كيلومترًا", "دولار>يورو", "%>", "دقيقة>ساعة", "دقائق>ساعات", "أرطال>كيلوغرامات", "أيام>أسابيع",
           "أسابيع>أشهر", "فهرنهايت>مئوية", "سنوات>أشهر"),
    "zh-Hans": ("英里>公里", "美元>欧元", "%>", "分钟>小时", "磅>公斤", "天>周", "周>天", "华氏>摄氏", "岁>个月"),
    "ht": ("mil>kilomèt", "dola>ewo", "dola>goud", "%>", "minit>èdtan", "liv>kilo", "jou>semèn", "semèn>mwa", "°F>°C",
           " an > mwa "),
    "sw": ("maili>kilomita", "dola>yuro", "Asilimia >", "dakika>saa", "pauni>kilo", "siku>wiki", "wiki>miezi", "°F>°C",
           "miaka>miezi"),
    "vi": ("dặm>km", "đô la>euro", "%>", "phút>giờ", "pound>kg", "ngày>tuần", "tuần>tháng", "°F>°C", "tuổi>tháng"),
}  # fmt: skip


def _unit(pair: Pair, random: Random) -> str | None:
    if not _has(pair, "MILES", "MONEY", "PERCENT", "MINUTES", "SMALL", "DEGREES"):
        return None
    found = []
    for rule in _UNITS[pair.language]:
        old, new = _halves(rule)
        near = re.compile(rf"(<\w+>\W{{0,2}}){re.escape(old)}|{re.escape(old)}(\s?<\w+>)")
        if "<MONEY>" in old and old in pair.pattern:
            found.append(pair.pattern.replace(old, new))
        elif near.search(pair.pattern):
            found.append(
                near.sub(lambda hit, new=new: (hit[1] or "") + new + (hit[2] or ""), pair.pattern, count=1)
            )
    return _refilled(replace(pair, pattern=random.choice(found))) if found else None


def _halves(rule: str) -> tuple[str, str]:
    if "<MONEY>" in rule:
        old, new = rule.split(">>", 1)
        return old + ">", new
    old, new = rule.split(">", 1)
    return old, new


def _date_order(pair: Pair, random: Random) -> str | None:
    names = _has(pair, "DAY", "DATE")
    if not names:
        return None
    name = random.choice(names)
    day = pair.slots[name]
    assert isinstance(day, date)
    if name == "DATE" and random.random() < 0.5:
        return _in_the_order_of_english(pair, day)
    if name == "DAY" and random.random() < 0.4:
        return _refilled(pair, DAY=day + timedelta(random.randrange(1, 7)))
    if day.day <= 12 and day.day != day.month:
        return _refilled(pair, **{name: day.replace(month=day.day, day=day.month)})
    return _refilled(pair, **{name: day.replace(month=day.month % 12 + 1, day=min(day.day, 28))})


def _in_the_order_of_english(pair: Pair, day: date) -> str:
    """The digits of the source as they are, where the language reads them the other way round."""
    style = pair.slots["style"]
    assert isinstance(style, Style)
    flipped = day.replace(month=day.day, day=day.month)
    wrong = short_date(flipped, style, with_year=day.month % 2 == 0)
    return pair.target.replace(fill("<DATE>", pair.slots, style), wrong, 1)


def _time(pair: Pair, random: Random) -> str | None:
    names = _has(pair, "TIME", "TIME2")
    if not names:
        return None
    if len(names) == 2 and random.random() < 0.3:
        return _refilled(pair, TIME=pair.slots["TIME2"], TIME2=pair.slots["TIME"])
    name = random.choice(names)
    moment = pair.slots[name]
    assert isinstance(moment, datetime)
    by = random.choice((timedelta(hours=12), timedelta(hours=12), timedelta(hours=1), timedelta(minutes=20)))
    return _refilled(pair, **{name: moment + by})


def _phone(pair: Pair, random: Random) -> str | None:
    numbers = re.findall(r"\(\d{3}\) \d{3}-\d{4}|\b(?:911|988)\b", pair.target)
    if not numbers:
        return None
    number = random.choice(numbers)
    digits = [at for at, char in enumerate(number) if char.isdigit()]
    how = random.random()
    if how < 0.5:
        new = _other_digit(number, random)
    elif how < 0.8 and len(number) > 3:
        at = random.choice(digits)
        new = number[:at] + number[at + 1 :]
    else:
        new = re.sub(r"(\d)(?!\1)(\d)", r"\2\1", number, count=1)
    return pair.target.replace(number, new, 1)


def _name(pair: Pair, random: Random) -> str | None:
    found = [name for name in (*PERSONS, *STREETS, *PLACES) if name in pair.target]
    if not found:
        return None
    name = random.choice(found)
    group = next(each for each in (PERSONS, STREETS, PLACES) if name in each)
    at = random.choice([at for at, char in enumerate(name) if char.islower()])
    wrong = (
        random.choice([each for each in group if each != name]),
        name[:at] + name[at + 1 :],  # a letter lost
        name.split()[0],  # the surname lost
        name[:at] + random.choice("aeioumnr") + name[at + 1 :],
    )
    return pair.target.replace(name, random.choice(wrong), 1)


_SENTENCE = re.compile(r"[^.!?。！？؟]+[.!?。！？؟]+[\"”»]?\s*")


def _dropped(pair: Pair, random: Random) -> str | None:
    each = _SENTENCE.findall(pair.target)
    if (
        len(each) < 2
        or "".join(each).strip() != pair.target.strip()
        or any(len(part.strip()) < 6 for part in each)
    ):
        return None
    if re.search(r"\d[.]\d|[ap]\. ?m\.|https?:", pair.target):
        return None
    gone = random.randrange(len(each))
    return "".join(part for at, part in enumerate(each) if at != gone).strip()


def _placeholder(pair: Pair, random: Random) -> str | None:
    found = list(dict.fromkeys(re.findall(r"\{\w+\}", pair.target)))
    if not found:
        return None
    if len(found) > 1 and random.random() < 0.7:
        one, other = random.sample(found, 2)
        return re.sub(
            "|".join(map(re.escape, (one, other))),
            lambda hit: other if hit.group() == one else one,
            pair.target,
        )
    others = [each for each in ("{phone}", "{place}", "{link}", "{lugar}", "{name}") if each not in found]
    return pair.target.replace(random.choice(found), random.choice(others), 1)


_WORDS = re.compile(r"\S+")


def _leftover(pair: Pair, random: Random) -> str | None:
    """The source's first or last words instead of the translation's, or all of them."""
    ours = [word for word in pair.source.split() if not re.search(r"[\d{}<>:/@]", word)]
    if len(ours) < 6 or len(pair.source.split()) - len(ours) > len(ours):
        return None
    how = random.random()
    if how < 0.2:
        return pair.source
    share = random.choice((0.3, 0.4, 0.5))
    source, target = pair.source.split(), pair.target
    count = max(3, round(len(source) * share))
    if pair.language == "zh-Hans":
        cut = round(len(target) * share)
        kept = (target[cut:], target[:-cut])
    else:
        each = target.split()
        cut = max(1, round(len(each) * share))
        kept = (" ".join(each[cut:]), " ".join(each[:-cut]))
    first, last = source[:count], source[-count:]
    words = first if how < 0.6 else last
    if sum(word.strip(".,").isalpha() and word.islower() for word in words) < 3:
        return None
    return f"{' '.join(first)} {kept[0]}" if how < 0.6 else f"{kept[1]} {' '.join(last)}"


_CONFUSED = {
    "es": "pt",
    "pt": "es",
    "fr": "es",
    "ar": "fr",
    "zh-Hans": "vi",
    "ht": "fr",
    "sw": "pt",
    "vi": "zh-Hans",
}


def _wrong_language(pair: Pair, random: Random) -> str | None:
    """The same sentence in another language, in a sentence of at least five words of its own."""
    wanted = _CONFUSED[pair.language] if random.random() < 0.6 else random.choice(sorted(_CONFUSED))
    other = pair.parallel.get(wanted)
    words = [word for word in re.findall(r"[^\W\d_]+", pair.source) if word.islower()]
    return other if other and wanted != pair.language and len(words) >= 5 else None


# A negation and what is left when it is lost; all of a sentence's go.
_NEGATIONS = {
    "es": (r"\b[Nn]o (?:se )?|\b[Tt]ampoco ", r"\b[Nn]adie\b>alguien", r"\b[Nn]unca\b>siempre", r"\bsin\b>con",
           r"\bnada\b>algo", r"\bni\b>y", r"\bning[uú]na?\b>algún"),
    "pt": (r"\b[Nn]ão ", r"\b[Nn]inguém\b>alguém", r"\b[Nn]unca\b>sempre", r"\bsem\b>com", r"\b[Nn]ada\b>tudo", r"\bnem\b>e",
           r"\bnenhuma?\b>algum"),
    "fr": (r"\b[Nn]e ", r"\b[Nn]['’]", r" (?:pas|jamais)\b", r"\b[Pp]ersonne\b>quelqu'un", r"\bsans\b>avec",
           r"\b[Rr]ien\b>tout", r"\bni\b>et", r"\baucune?\b>un", r"\bnon "),
    "ar": (r"\b(?:لا|لم|لن|ألا|ألّا) ", r"\b(?:ليس|ليست|لست) ", r"\bعدم ", r"\bغير ", r"\bبدون\b>مع", r"\bأبدًا\b>",
           r"\bلستم ", r"\bولا ", r"\bدون "),
    "zh-Hans": (r"请不要>请", r"没有", r"无人>有人", r"不(?=[上得要靠需能会])", r"还?未(?=经)", r"切勿>请", r"不要", r"还不", r"任何>",
                r"不", r"没", r"无(?=法)", r"未"),
    "ht": (r"\b[Pp]a (?:janm )?", r"\b[Pp]èsonn\b>yon moun", r"\b[Aa]nyen\b>tout bagay", r"\bpoko\b>deja", r"\bsan\b>ak",
           r"\bni\b>ak", r"\bokenn\b>yon"),
    "sw": (r"\b[Uu]si(?=\w{3})>u", r"\b[Hh]akuna\b>kuna", r"\b[Hh]uhitaji\b>unahitaji", r"\bhawana\b>wana", r"\bhuwezi\b>unaweza",
           r"\b[Hh]airuhusiwi\b>inaruhusiwa", r"\bhawajam>wame", r"\b[Hh]atu(?=\w)>tuna", r"\bbila\b>kwa", r"\bkamwe>",
           r"\bwala\b>na", r"\bhazija>zime", r"\bhaija>ime", r"\bhauko\b>uko", r"\bhaw(?=\w)>wana"),
    "vi": (r"\b[Đđ]ừng\b>Hãy", r"\b[Kk]hông bao giờ\b>luôn", r"\b[Kk]hông ", r"\b[Cc]hưa\b>đã"),
}  # fmt: skip


def _negation(pair: Pair, random: Random) -> str | None:
    if not re.search(r"\b(?:not|no|never|nobody|nothing|none|cannot|without)\b", pair.source, re.IGNORECASE):
        return None
    target = pair.target
    for rule in _NEGATIONS[pair.language]:
        old, _, new = (
            rule.rpartition(">") if ">" in rule and not rule.endswith((")", "]")) else (rule, "", "")
        )
        target = re.sub(old, new, target)
    return " ".join(target.split()) if pair.language != "zh-Hans" else target


_PLANTERS: dict[str, Planter] = {
    "digit": _digit,
    "unit": _unit,
    "date order": _date_order,
    "time": _time,
    "phone": _phone,
    "name": _name,
    "dropped sentence": _dropped,
    "swapped placeholder": _placeholder,
    "leftover source": _leftover,
    "wrong language": _wrong_language,
    "negation": _negation,
}


def all_planted(pairs: list[Pair], seed: int, most: int) -> Iterator[Planted]:
    """Up to `most` errors of each kind in each language, spread over the sentences.

    Args:
        pairs: correct translations.
        seed: the same seed plants the same errors.
        most: of one kind in one language.
    """
    for kind in KINDS:
        for language in sorted({pair.language for pair in pairs}):
            random = Random(f"{seed} {kind} {language}")
            fitting = [pair for pair in pairs if pair.language == language]
            random.shuffle(fitting)
            found = (planted for pair in fitting if (planted := plant(kind, pair, random)))
            yield from (planted for planted, _ in zip(found, range(most), strict=False))
