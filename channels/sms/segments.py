"""How a text travels: its alphabet, its segments, and the characters that only cost money (R22-R24).

Sources: 3GPP TS 23.038 (the GSM 7-bit alphabet and its extension), 3GPP TS 23.040 (the header that joins
segments takes 7 of 160 septets, or 3 of 70 UCS-2 units).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass

# TS 23.038 table 6.2.1; 0x1B, the escape to the extension, is no character of its own.
GSM_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
# TS 23.038 table 6.2.1.1: an escape and a second septet.
GSM_EXTENSION = frozenset("\f^{}\\[~]|€")
GSM = GSM_BASIC | GSM_EXTENSION


@dataclass(frozen=True, slots=True)
class Alphabet:
    """An alphabet of text messages and how many of its units fit."""

    name: str
    single: int  # units in a message of one segment
    joined: int  # units in each of several segments
    units: Callable[[str], int]  # units one character takes


GSM_7 = Alphabet("GSM-7", 160, 153, lambda character: 2 if character in GSM_EXTENSION else 1)
UCS_2 = Alphabet("Unicode", 70, 67, lambda character: 2 if ord(character) > 0xFFFF else 1)


def alphabet_of(text: str) -> Alphabet:
    """GSM-7 where every character of the text is in it, else UCS-2."""
    return GSM_7 if GSM.issuperset(text) else UCS_2


def length(text: str) -> int:
    """The text's length in units of its alphabet: septets, or UTF-16 units."""
    return sum(map(alphabet_of(text).units, text))


def split(text: str) -> tuple[str, ...]:
    """The text as it travels: one string for each segment, none for an empty text.

    Each segment takes as many characters as fit; an escape and its character, or the two halves of a
    surrogate pair, stay together.
    """
    alphabet = alphabet_of(text)
    if length(text) <= alphabet.single:
        return (text,) if text else ()
    return tuple(_filled(text, alphabet))


def _filled(text: str, alphabet: Alphabet) -> Iterator[str]:
    start = used = 0
    for position, character in enumerate(text):
        units = alphabet.units(character)
        if used + units > alphabet.joined:
            yield text[start:position]
            start, used = position, 0
        used += units
    yield text[start:]


def count(text: str) -> int:
    """How many segments the text costs."""
    return len(split(text))


# -- characters that look like others and make a text dearer, or are there by accident

_QUOTES = dict.fromkeys("‘’‚‛′´`", "'") | dict.fromkeys("“”„‟″«»", '"')
_DASHES = dict.fromkeys("‐‑‒–—―−", "-")
_TYPOGRAPHY = _QUOTES | _DASHES | {"…": "..."}
_SPACES = dict.fromkeys(["\u00a0", "\u202f", "\u205f", "\t", *map(chr, range(0x2000, 0x200B))], " ")
_BREAKS = dict.fromkeys("\r\v\f\u0085\u2028\u2029", "\n")
_INVISIBLE = dict.fromkeys("\u200b\u2060\ufeff\u00ad", "")
_ACCENTED = re.compile(r"\w[\u0300-\u036f]+")
_JOINERS = frozenset("\u200c\u200d")
_DIRECTION_MARKS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


@dataclass(frozen=True, slots=True)
class Normalised:
    """A text without costly look-alikes, and what was done to it."""

    text: str
    notes: tuple[str, ...]


def normalise(text: str) -> Normalised:
    """Exchange typographic characters for plain ones of the GSM alphabet, and drop what nobody sees (R23).

    No letter, digit, accent or vowel mark is touched. In texts of other scripts than Latin and Greek the
    quotes, dashes and the ellipsis stay: they belong to those scripts, and the text is UCS-2 in any case.
    Joiners stay where they shape a letter (Persian, Hindi, Bengali) or join an emoji; marks of direction
    stay in a text that has right-to-left letters.

    Returns:
        The text, without space at its ends, and one note for each kind of change.
    """
    lines = text.replace("\r\n", "\n")
    exchanges = _exchanges(lines)
    new = [_kept(lines, place, exchanges) for place in range(len(lines))]
    changes = dict.fromkeys((old, new) for old, new in zip(lines, new, strict=True) if old != new)
    return Normalised(_composed("".join(new)).strip(), tuple(_note(*change) for change in changes))


def _kept(text: str, place: int, exchanges: dict[str, str]) -> str:
    """What becomes of the character at `place`."""
    character = text[place]
    if character in _JOINERS and not _joins(text, place):
        return ""
    return exchanges.get(character, character)


def _composed(text: str) -> str:
    """Letters and the accents that follow them as one character, where there is one."""
    return _ACCENTED.sub(lambda found: unicodedata.normalize("NFC", found[0]), text)


def _exchanges(text: str) -> dict[str, str]:
    exchanges = _SPACES | _BREAKS | _INVISIBLE | {c: "" for c in text if _is_control(c)}
    if not has_right_to_left(text):
        exchanges |= dict.fromkeys(_DIRECTION_MARKS, "")
    if all(map(_is_western, text)):
        exchanges |= _TYPOGRAPHY
    return exchanges


def _is_control(character: str) -> bool:
    plain = character in _BREAKS or character in "\n\t"
    return unicodedata.category(character) in ("Cc", "Cs") and not plain


def _is_western(character: str) -> bool:
    """Whether this is no letter, or one of the Latin or Greek script."""
    name = unicodedata.name(character, "")
    return character < "\u0250" or not character.isalpha() or name.startswith(("LATIN", "GREEK", "MODIFIER"))


def has_right_to_left(text: str) -> bool:
    """Whether the text has letters that are written from right to left."""
    return any(
        character.isalpha() and unicodedata.bidirectional(character) in ("R", "AL") for character in text
    )


def _joins(text: str, place: int) -> bool:
    """Whether the joiner at `place` stands beside something that it can shape."""
    beside = text[max(place - 1, 0) : place] + text[place + 1 : place + 2]
    return any(not _is_plain(character) for character in beside)


def _is_plain(character: str) -> bool:
    return character in GSM or character in _JOINERS or (character.isalpha() and _is_western(character))


def _note(character: str, plain: str) -> str:
    shown = f"{_name(character)} (U+{ord(character):04X})"
    if not plain:
        return f"{shown} was removed."
    return f"{shown} became {'a line break' if plain == chr(10) else 'a space' if plain == ' ' else plain}"


def _name(character: str) -> str:
    return unicodedata.name(character, "control character").capitalize()
