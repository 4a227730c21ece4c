"""Whether a letter can be delivered to what stands in its window, as far as the lines themselves can tell.

`contacts` has written the lines tidily; here they are never trusted (R25, R26). The rules for lines follow what
GOV.UK Notify asks of an address; the last line follows the Universal Postal Union's and each post's own habits.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache

from babel import Locale

from channels.letter.guards import clean

FEWEST, MOST = 3, 7  # lines, the addressee's included (R25)
_LONGEST = 100  # characters in a line

_NOT_FIRST = tuple('@()=[]"\\/,<>~')
_NO_HOME = re.compile(r"(?i)^n\.?f\.?a\.?$|\bno fixed (?:abode|address)\b")
_BFPO = re.compile(r"(?i)\bb\.?f\.?p\.?o\.?(?: ?c/o)? ?\d{1,4}$")

_STATES = (
    "AL|AK|AZ|AR|CA|CO|CT|DE|FL|GA|HI|ID|IL|IN|IA|KS|KY|LA|ME|MD|MA|MI|MN|MS|MO|MT|NE|NV|NH|NJ|NM|NY|NC|ND|OH"
    "|OK|OR|PA|RI|SC|SD|TN|TX|UT|VT|VA|WA|WV|WI|WY|DC|AS|GU|MP|PR|VI|FM|MH|PW|AA|AE|AP"
)  # USPS Publication 28, appendix B
_US_LAST = re.compile(
    rf"(?i)(?P<city>[^\d].*?),? (?P<state>{_STATES}) (?P<zip>\d{{5}})(?:-?(?P<four>\d{{4}}))?"
)

_GB_AREAS = (
    "AB|AL|B|BA|BB|BD|BF|BH|BL|BN|BR|BS|BT|BX|CA|CB|CF|CH|CM|CO|CR|CT|CV|CW|DA|DD|DE|DG|DH|DL|DN|DT|DY|E|EC|EH"
    "|EN|EX|FK|FY|G|GL|GU|GY|HA|HD|HG|HP|HR|HS|HU|HX|IG|IM|IP|IV|JE|KA|KT|KW|KY|L|LA|LD|LE|LL|LN|LS|LU|M|ME|MK"
    "|ML|N|NE|NG|NN|NP|NR|NW|OL|OX|PA|PE|PH|PL|PO|PR|RG|RH|RM|S|SA|SE|SG|SK|SL|SM|SN|SO|SP|SR|SS|ST|SW|SY|TA|TD"
    "|TF|TN|TQ|TR|TS|TW|UB|W|WA|WC|WD|WF|WN|WR|WS|WV|YO|ZE"
)  # the postcode areas of Royal Mail and the Crown dependencies
_GB_POSTCODE = re.compile(
    rf"(?i)(?:^|\s)(?P<out>(?:{_GB_AREAS})\d[\dA-HJKMNPR-Y]?)"
    r"\s*(?P<in>\d[ABD-HJLNP-UW-Z]{2})$"
)
_CA_POSTCODE = re.compile(
    r"(?i)(?:^|\s)(?P<out>[ABCEGHJ-NPRSTVXY]\d[ABCEGHJ-NPRSTV-Z])\s*(?P<in>\d[ABCEGHJ-NPRSTV-Z]\d)$"
)

_HOME_NAMES = {
    "GB": (
        *("united kingdom", "uk", "great britain", "gb", "england", "scotland", "wales", "northern ireland"),
        *("jersey", "guernsey", "isle of man"),
    ),
    "US": ("united states", "united states of america", "usa", "us", "u.s.a.", "u.s.", "puerto rico"),
}
_MORE_NAMES = {
    "usa": "US",
    "uk": "GB",
    "great britain": "GB",
    "england": "GB",
    "scotland": "GB",
    "wales": "GB",
}


class BadAddress(ValueError):
    """A letter cannot be delivered there. The message names a line by its number, and never quotes it."""

    def __init__(self, reason: str, line: int = 0) -> None:
        super().__init__(f"Line {line} {reason}" if line else reason)
        self.line = line  # from 1, the addressee's first; 0 where it is not one line's fault


@dataclass(frozen=True, slots=True)
class Place:
    """Where a letter goes."""

    lines: tuple[str, ...] = field(repr=False)  # without the addressee
    postcode: str = field(repr=False)  # or ZIP; empty where the country has none
    country: str  # ISO 3166-1 alpha-2


def tidy(text: str) -> tuple[str, ...]:
    """The lines of an address or a name: no empty ones, no control characters, single spaces, no commas at ends."""
    lines = (" ".join(line.split()).rstrip(" ,") for line in clean(text).split("\n"))
    return tuple(line for line in lines if line)


def check(lines: Sequence[str], addressee: Sequence[str], country: str, *, international: bool) -> Place:
    """Whether post can go there.

    Args:
        lines: tidy, without the addressee.
        addressee: the tidy lines above them.
        country: the city's, ISO 3166-1 alpha-2: its name is dropped, its last line is checked closely.
        international: whether addresses that end in another country's name are taken.

    Raises:
        BadAddress: naming what does not fit.
    """
    named = _country_named(lines[-1:], country)
    lines = tuple(lines[:-1] if named == country else lines)
    if not lines:
        raise BadAddress("There is no address.")
    _check_lines([*addressee, *lines])
    if named not in ("", country):
        place = _place_abroad(lines, named, international)
    else:
        last, postcode = _LAST_LINES.get(country, _any_last)(lines[-1])
        place = Place((*lines[:-1], *last), postcode, country)
    _check_count(len(addressee) + len(place.lines))
    return place


def _check_count(count: int) -> None:
    if not FEWEST <= count <= MOST:
        raise BadAddress(f"There are {count} lines with the addressee; {FEWEST} to {MOST} are needed.")


def _check_lines(lines: Sequence[str]) -> None:
    for number, line in enumerate(lines, start=1):
        if line.startswith(_NOT_FIRST):
            raise BadAddress("starts with a sign that no address starts with.", number)
        if _NO_HOME.search(line):
            raise BadAddress("says that there is no fixed address.", number)
        if len(line) > _LONGEST:
            raise BadAddress(f"is longer than {_LONGEST} characters.", number)
        if number <= 2 and not any(character.isalnum() for character in line):
            raise BadAddress("has no letter or digit.", number)


def _place_abroad(lines: tuple[str, ...], country: str, international: bool) -> Place:
    if any(_BFPO.search(line) for line in lines):
        raise BadAddress("A BFPO address has no country.")
    if not international:
        raise BadAddress("It is in another country, and NOTIFY_LETTER__INTERNATIONAL is off.")
    return Place((*lines[:-1], lines[-1].upper()), "", country)


def _country_named(last: Sequence[str], home: str) -> str:
    """The country a last line names, or nothing."""
    name = "".join(last).casefold()
    if name in _HOME_NAMES.get(home, ()):
        return home
    return _countries().get(name, "")


@cache
def _countries() -> dict[str, str]:
    territories = Locale("en").territories
    named = {
        str(name).casefold(): code for code, name in territories.items() if len(code) == 2 and code.isalpha()
    }
    return named | _MORE_NAMES


def _us_last(line: str) -> tuple[tuple[str, ...], str]:
    found = _US_LAST.fullmatch(line)
    if not found:
        raise BadAddress("The last line is not a city, a state of two letters and a ZIP code.")
    code = found["zip"] + (f"-{found['four']}" if found["four"] else "")
    return (f"{found['city']} {found['state'].upper()} {code}",), code


def _gb_last(line: str) -> tuple[tuple[str, ...], str]:
    if _BFPO.search(line):
        return (line.upper(),), line.upper()
    return _postcode_last(line, _GB_POSTCODE, own_line=True)


def _ca_last(line: str) -> tuple[tuple[str, ...], str]:
    return _postcode_last(line, _CA_POSTCODE, own_line=False)


def _postcode_last(line: str, pattern: re.Pattern[str], *, own_line: bool) -> tuple[tuple[str, ...], str]:
    """A last line that ends in a postcode, with the postcode's one space in its place."""
    found = pattern.search(line)
    if not found:
        raise BadAddress("The last line is not a postcode.")
    code = f"{found['out']} {found['in']}".upper()
    town = line[: found.start()].rstrip(" ,")
    if not town:
        return (code,), code
    return ((town, code) if own_line else (f"{town} {code}",)), code


def _any_last(line: str) -> tuple[tuple[str, ...], str]:
    """Elsewhere: the digits, where the line has them, are what letters are sorted by."""
    if not any(character.isalnum() for character in line):
        raise BadAddress("The last line has no letter or digit.")
    digits = re.search(r"\d[\d -]*\d", line)
    return (line,), digits.group() if digits else ""


_LAST_LINES: dict[str, Callable[[str], tuple[tuple[str, ...], str]]] = {
    "US": _us_last,
    "PR": _us_last,
    "GB": _gb_last,
    "CA": _ca_last,
}
