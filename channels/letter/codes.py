"""The code at the foot of each letter, by which one that comes back is entered: `R1234-82`.

Digits only, so that it can be typed on any keyboard and read by any scanner: the delivery's number, and two
check digits (ISO/IEC 7064, MOD 97-10), which find every wrong digit and every two that changed places.
"""

from __future__ import annotations

import re
import unicodedata

from channels.incoming import BadCode

_MOST = 18  # digits of a delivery's number
_CODE = re.compile(rf"R?(\d{{1,{_MOST}}})(\d\d)", re.ASCII)
_SEPARATORS = str.maketrans("", "", " -\u2010\u2011\u2012\u2013\u2014./")


def code(key: int) -> str:
    """The code of a letter.

    Args:
        key: the delivery's number, from 0.
    """
    return f"R{key}-{98 - key * 100 % 97:02}"


def read(text: str) -> int:
    """The delivery that a code names, however it was typed: with or without its letter, signs and spaces.

    Raises:
        BadCode: this is none, or it was mistyped.
    """
    plain = unicodedata.normalize("NFKC", text).translate(_SEPARATORS).strip().upper()
    match = _CODE.fullmatch(plain)
    if match is None:
        raise BadCode("is no code of a letter; it looks like R1234-82, at the foot of each page")
    key = int(match[1])
    if int(match[1] + match[2]) % 97 != 1:
        raise BadCode("was mistyped: its check digits do not fit")
    return key
