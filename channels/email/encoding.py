"""Transfer encodings with gaps: the text is encoded once, a recipient's few fields are spliced in.

A text carries a gap as its name between two U+0001, which `channels.text.clean` lets nobody else write. What comes
out decodes to exactly what encoding the filled text as a whole would decode to; only its line breaks differ,
which decoders ignore (RFC 2045 sections 6.7 and 6.8).
"""

from __future__ import annotations

import re
from binascii import b2a_base64, b2a_qp
from collections.abc import Mapping
from typing import ClassVar, Protocol

_GAP = re.compile("\x01(\\w+)\x01")
_SOFT = b"=\r\n"  # a line break of quoted-printable that is none of the text
_LONGEST = 76  # characters of an encoded line
_LINE = 57  # bytes that make a line of 76 base64 characters


def gap(name: str) -> str:
    """Where the field `name` goes."""
    return f"\x01{name}\x01"


def fill(text: str, fields: Mapping[str, str]) -> str:
    """The text with its gaps filled, not encoded."""
    return _GAP.sub(lambda match: fields[match[1]], text)


class Body(Protocol):
    """A text in its transfer encoding, with gaps."""

    encoding: ClassVar[str]  # the value of Content-Transfer-Encoding
    size: int  # in bytes, gaps empty

    def fill(self, fields: Mapping[str, str]) -> bytes:
        """The encoded text, gaps filled with `fields` (one line each)."""


def encode(text: str) -> Body:
    """The text in the encoding that makes it shorter, as the standard library chooses.

    Args:
        text: its line ends are line feeds.
    """
    quoted, base64 = QuotedPrintable(text), Base64(text)
    return quoted if quoted.size <= base64.size else base64


class QuotedPrintable:
    """RFC 2045 section 6.7: a soft line break on either side of a field keeps lines short."""

    encoding: ClassVar[str] = "quoted-printable"

    def __init__(self, text: str) -> None:
        pieces = _GAP.split(text)
        literals = [_quote(piece) for piece in pieces[::2]]
        self._names = pieces[1::2]
        self._before = [_open_ended(literal) for literal in literals[:-1]]
        self._last = literals[-1]
        self.size = sum(map(len, literals))

    def fill(self, fields: Mapping[str, str]) -> bytes:
        """See `Body`."""
        out: list[bytes] = []
        for literal, name in zip(self._before, self._names, strict=True):
            out += (literal, _open_ended(_quote(fields[name])))
        out.append(self._last)
        return b"".join(out)


def _quote(text: str) -> bytes:
    return b2a_qp(text.encode()).replace(b"\n", b"\r\n")


def _open_ended(quoted: bytes) -> bytes:
    """What is quoted, with a soft line break for more to follow."""
    last = len(quoted) - quoted.rfind(b"\n") - 1
    if last == 0:
        return quoted
    if last < _LONGEST:
        return quoted + _SOFT
    unit = 3 if quoted[-3:-2] == b"=" else 1
    return quoted[:-unit] + _SOFT + quoted[-unit:] + _SOFT


class Base64:
    """RFC 2045 section 6.8: each literal is encoded for all three places where a group of three may begin."""

    encoding: ClassVar[str] = "base64"

    def __init__(self, text: str) -> None:
        pieces = _GAP.split(text.replace("\n", "\r\n"))
        literals = [piece.encode() for piece in pieces[::2]]
        self._names = [*pieces[1::2], ""]
        self._literals = [tuple(_Aligned(literal, skip) for skip in range(3)) for literal in literals]
        self.size = sum(map(len, literals)) * 78 // _LINE

    def fill(self, fields: Mapping[str, str]) -> bytes:
        """See `Body`."""
        out: list[bytes] = []
        rest = b""
        for name, literal in zip(self._names, self._literals, strict=True):
            aligned = literal[-len(rest) % 3]
            if aligned.reached:
                out += (_lines(rest + aligned.head), aligned.middle)
                rest = aligned.tail
            else:
                rest += aligned.head
            if name:
                rest += fields[name].encode()
        out.append(_lines(rest))
        return b"".join(out)


class _Aligned:
    """A literal of which `skip` bytes complete the group of three that was begun before it."""

    __slots__ = ("head", "middle", "reached", "tail")

    def __init__(self, literal: bytes, skip: int) -> None:
        whole = skip + (len(literal) - skip) // 3 * 3
        self.reached = len(literal) >= skip
        self.head = literal[:skip]
        self.middle = _lines(literal[skip:whole])
        self.tail = literal[whole:]


def _lines(data: bytes) -> bytes:
    return b"".join(
        b2a_base64(data[start : start + _LINE], newline=False) + b"\r\n"
        for start in range(0, len(data), _LINE)
    )
