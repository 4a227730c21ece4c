"""Texts made comparable: what residents type, without what does not change its meaning.

Case, accents, vowel marks, width, punctuation and the many ways to write one letter do not count. Vowel signs
of Indic scripts do: they are letters there, not accents.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

_VIRAMA = 9  # canonical combining class: joins two consonants, so it tells words apart
_KEPT = frozenset({"Lu", "Ll", "Lt", "Lo", "Nl", "No", "Mn", "Mc"})  # Mn and Mc: those that are no accents
# Left out without parting a word: Arabic's stroke that stretches words, joiners, soft hyphens, variation
# selectors, and the apostrophes that some write and some do not.
_DROPPED = frozenset({"Lm", "Cf"})
_APOSTROPHES = frozenset("'`´\u2018\u2019\u201b\u02bc\u05f3")
_SELECTORS = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]")

_LATIN = {"đ": "d", "ð": "d", "ł": "l", "ø": "o", "ı": "i", "ħ": "h", "ə": "e", "ƙ": "k", "ɗ": "d", "ɓ": "b"}
# One letter, typed with Arabic, Persian or Urdu keys; and teh marbuta as many type it.
_ARABIC = {"ی": "ي", "ى": "ي", "ے": "ي", "ک": "ك", "ہ": "ه", "ھ": "ه", "ە": "ه", "ة": "ه", "ۃ": "ه", "ٱ": "ا"}
_DEVANAGARI = {"ँ": "ं"}


def _amharic() -> dict[str, str]:
    """Rows of the Ethiopic syllabary that sound alike in Amharic, and are written one for the other."""
    rows = {0x1210: 0x1200, 0x1280: 0x1200, 0x1220: 0x1230, 0x12D0: 0x12A0, 0x1340: 0x1338}
    alike = {chr(row + place): chr(same + place) for row, same in rows.items() for place in range(7)}
    first = {"ሃ": "ሀ", "ሓ": "ሀ", "ኃ": "ሀ", "ኣ": "አ", "ዓ": "አ"}  # the first and fourth orders as well
    return alike | first


_SAME = str.maketrans(_LATIN | _ARABIC | _DEVANAGARI | _amharic())


@lru_cache(maxsize=4096)
def plain(text: str) -> str:
    """The text's words, folded, with one space between two of them."""
    apart = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold())
    return _words(apart.translate(_SAME), accents=False)


def fold(text: str) -> str:
    """`plain` without the spaces: `S.T.O.P` and `stop` are the same."""
    return plain(text).replace(" ", "")


def with_accents(text: str) -> str:
    """`plain`, but accents count: in Vietnamese they tell *dừng* (stop) from *đúng* (right)."""
    return _words(unicodedata.normalize("NFKC", text).casefold(), accents=True)


def _words(text: str, *, accents: bool) -> str:
    signs = (_sign(sign, accents=accents) for sign in _SELECTORS.sub("", text))
    return unicodedata.normalize("NFC", " ".join("".join(signs).split()))


@lru_cache(maxsize=8192)
def _sign(sign: str, *, accents: bool) -> str:
    """What stays of one character: itself, nothing, or the gap that it makes."""
    category = unicodedata.category(sign)
    if category == "Nd":
        return str(unicodedata.decimal(sign))
    if category in _DROPPED or sign in _APOSTROPHES:
        return ""
    if unicodedata.combining(sign) not in (0, _VIRAMA) and not accents:
        return ""
    return sign if category in _KEPT else " "
