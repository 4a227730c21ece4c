"""What residents and spreadsheets call a language, as a BCP 47 tag."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import cache, lru_cache

from babel import Locale, UnknownLocaleError
from babel.localedata import locale_identifiers
from langcodes import Language, standardize_tag
from langcodes.tag_parser import LanguageTagError

from contacts.values import INVISIBLE, BadValue, Problem

LONGEST = 60  # characters of a language's name

_NOT_ONE_LANGUAGE = frozenset({"und", "mul", "zxx", "mis"})
# In whose words a sheet may name the others: árabe, inglés, الإنجليزية.
_SPOKEN = (
    "es",
    "pt",
    "fr",
    "ar",
    "zh",
    "vi",
    "ru",
    "uk",
    "pl",
    "de",
    "it",
    "fa",
    "ur",
    "hi",
    "ko",
    "so",
    "sw",
    "fil",
)
_BETWEEN_LANGUAGES = re.compile(r"[/,;&+|]|\band\b|\by\b|\bet\b", re.IGNORECASE)

# What people write and the locale data does not say.
_CALLED = {
    "mandarin": "zh-Hans", "simplified": "zh-Hans", "traditional": "zh-Hant", "汉语": "zh-Hans",
    "漢語": "zh-Hant", "普通话": "zh-Hans", "國語": "zh-Hant", "简体": "zh-Hans", "繁體": "zh-Hant",
    "kreyol": "ht", "creole": "ht", "haitian": "ht", "haitian kreyol": "ht", "kreyol ayisyen": "ht",
    "farsi": "fa", "dari": "fa-AF", "tagalog": "fil", "pilipino": "fil", "cambodian": "km", "moldovan": "ro",
    "castellano": "es", "castilian": "es", "sp": "es", "brazilian": "pt-BR", "ukranian": "uk",
    "pashtu": "ps", "oromo": "om", "hmong": "hmn", "hmoob": "hmn", "tieng viet": "vi",
    "عربي": "ar", "عربى": "ar", "انجليزي": "en", "اسباني": "es", "فرنسي": "fr", "صومالي": "so",
    "somali": "so", "af soomaali": "so", "afsoomaali": "so", "maay": "ymm", "maay maay": "ymm",
}  # fmt: skip


def language_tag(raw: str) -> str:
    """The BCP 47 tag of a language given by its tag, its English name, its own name, or that in a language spoken
    in many cities.

    Chinese always gets its script, because that is what its readers differ in: `zh-TW` is `zh-Hant`. Old
    codes become new ones (`iw` is `he`, `tl` is `fil`).

    Raises:
        BadValue: no language is called that, or several are named.
    """
    text = " ".join(raw.translate(INVISIBLE).split())
    if not text:
        raise BadValue(Problem.EMPTY)
    if len(text) > LONGEST:
        raise BadValue(Problem.TOO_LONG)
    tag = _tag_of(text)
    if tag is None:
        several = _BETWEEN_LANGUAGES.search(text)
        raise BadValue(Problem.LANGUAGE_SEVERAL if several else Problem.LANGUAGE_UNKNOWN)
    return tag


@lru_cache(maxsize=4096)
def _tag_of(text: str) -> str | None:
    name = _fold(text)
    found = _CALLED.get(name) or _by_tag(text) or _english_names().get(name) or _own_names().get(name)
    found = found or _neighbours_names().get(name)
    return _with_script(found) if found and found not in _NOT_ONE_LANGUAGE else None


def _by_tag(text: str) -> str | None:
    try:
        tag = str(standardize_tag(text))
        language = Language.get(tag)
    except (LanguageTagError, ValueError):
        return None
    plain = not language.extensions and not language.private
    return tag if plain and language.is_valid() else None


def _with_script(tag: str) -> str:
    language = Language.get(tag)
    return f"zh-{language.maximize().script}" if language.language in ("zh", "cmn") else tag


@cache
def _english_names() -> dict[str, str]:
    return {_fold(name): _plain_tag(code) for code, name in _names_in_english()}


def _names_in_english() -> Iterator[tuple[str, str]]:
    """Both ways in which English names a variety: Brazilian Portuguese, Portuguese (Brazil)."""
    names = Locale("en").languages
    for code, name in names.items():
        if "_" in code:
            yield code, _display_name(code, "en")
        yield code, name


@cache
def _own_names() -> dict[str, str]:
    """Every language in its own words. Reads some hundred locales, so only when the English names fail."""
    codes = [
        code for code in locale_identifiers() if "_" not in code or code in ("zh_Hans", "zh_Hant", "pt_BR")
    ]
    return {
        _fold(name): _plain_tag(code)
        for code in codes
        for name in (_display_name(code), _own_name(code))
        if name
    }


@cache
def _neighbours_names() -> dict[str, str]:
    """What languages are called in one another, where all who use a name mean the same. Comes after the rest."""
    found: dict[str, set[str]] = {}
    for spoken in _SPOKEN:
        for code, name in Locale(spoken).languages.items():
            found.setdefault(_fold(name), set()).add(_plain_tag(code))
    return {name: codes.pop() for name, codes in found.items() if len(codes) == 1}


def _display_name(code: str, language: str | None = None) -> str:
    try:
        return Locale.parse(code).get_display_name(language) or ""
    except (UnknownLocaleError, ValueError):
        return ""


def _own_name(code: str) -> str:
    try:
        return str(Locale.parse(code).languages.get(code, ""))
    except (UnknownLocaleError, ValueError):
        return ""


def _plain_tag(code: str) -> str:
    return str(standardize_tag(code.replace("_", "-")))


def _fold(name: str) -> str:
    """The name without regard to case, accents, width and brackets, nor to Arabic's hamza and vowels."""
    bare = unicodedata.normalize("NFKD", name.casefold())
    letters = (sign for sign in bare if not _is_mark(sign))
    return " ".join("".join(" " if sign in "()’'-_." else sign for sign in letters).split())


def _is_mark(sign: str) -> bool:
    return 0x300 <= ord(sign) < 0x370 or 0x64B <= ord(sign) < 0x656
