"""Language codes: BCP 47 on our side, an engine's own at its border.

Distances between languages are those of CLDR's language matching, as langcodes has them.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from langcodes import closest_match, standardize_tag
from langcodes.tag_parser import LanguageTagError

FARTHEST = 10
"""How far a stand-in may be from the language asked for. 5 is a regional variety (es-MX for es); 10 lets
Egyptian Arabic be served by Arabic; 14 would give Cantonese readers Mandarin, 20 Nynorsk readers Bokmål."""

_ARGOS = {"zh": "zh-Hans", "zt": "zh-Hant", "pb": "pt-BR", "pt": "pt-PT", "tl": "fil"}
_TO_ARGOS = {tag: code for code, tag in _ARGOS.items()}


def standard(tag: str) -> str:
    """A language tag as BCP 47 writes it: `ES_mx` is `es-MX`, `iw` is `he`, `tl` is `fil`.

    Raises:
        ValueError: it is no language tag.
    """
    try:
        return str(standardize_tag(tag.strip()))
    except LanguageTagError as error:
        raise ValueError(f"{tag!r} is no language tag. Write one like en, es-MX or zh-Hant.") from error


def from_argos(code: str) -> str:
    """The BCP 47 tag for a code in an Argos package.

    Raises:
        ValueError: it is no language code.
    """
    return _ARGOS.get(code) or standard(code)


def to_argos(tag: str) -> str:
    """The code that an Argos package uses for a BCP 47 tag.

    Raises:
        ValueError: it is no language tag.
    """
    return _TO_ARGOS.get(standard(tag)) or standard(tag)


def best_match(wanted: str, have: Iterable[str]) -> str | None:
    """The tag among `have` that a reader of `wanted` can read just as well, or None.

    A reader of zh-TW gets zh-Hant and never zh-Hans; nobody gets a language that is only related (Haitian
    Creole is not French, Nynorsk not Bokmål, Cantonese not Mandarin).

    Args:
        wanted: a BCP 47 tag; one that is none has no match.
        have: BCP 47 tags; those that are none are passed over.

    Returns:
        One of `have`, written as it is there.
    """
    return _closest(wanted, tuple(have))


@lru_cache(maxsize=4096)
def _closest(wanted: str, have: tuple[str, ...]) -> str | None:
    known = {tag: given for given in reversed(have) if (tag := _standard_or_none(given))}
    asked = _standard_or_none(wanted)
    if not asked or not known:
        return None
    if asked in known:
        return known[asked]
    match, _ = closest_match(asked, list(known), max_distance=FARTHEST)
    return known.get(match)


def _standard_or_none(tag: str) -> str | None:
    try:
        return standard(tag)
    except ValueError:
        return None
