"""Names, addresses and lines of text as headers write them.

Whatever comes from outside passes here before it goes into one: no line break, no angle bracket, no
control character gets through, so nobody can add a header, a command or a recipient.
"""

from __future__ import annotations

import unicodedata
from base64 import b64encode

from channels.net import Mailbox

NAME_LENGTH = 100  # characters of a name that a header and a greeting carry
_JOINERS = "\u200c\u200d"  # Persian and Indic names need them (R23)
_WORD_BYTES = 39  # what fits into one encoded word on a line of 76 characters that begins with "Subject: "
_PLAIN_LENGTH = 66  # characters that need no folding behind "Subject: "


def display_name(name: str) -> str:
    """A name on one line, not endless, without control or invisible direction characters."""
    if not (name.isascii() and name.isprintable()):
        name = "".join(_visible(character) for character in name)
    return " ".join(name.split())[:NAME_LENGTH].rstrip()


def _visible(character: str) -> str:
    if character.isspace():
        return " "
    if character not in _JOINERS and unicodedata.category(character) in ("Cc", "Cf", "Cs"):
        return ""
    return character


def phrase(name: str) -> str:
    """A display name as a header writes it: a quoted string, or encoded words (RFC 5322 section 3.2.5).

    Args:
        name: what `display_name` returned.
    """
    if _looks_plain(name):
        return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return encoded_words(name)


def unstructured(text: str) -> str:
    """One line of text as a header such as Subject writes it: as it is, or as encoded words."""
    return text if _looks_plain(text) and len(text) <= _PLAIN_LENGTH else encoded_words(text)


def _looks_plain(text: str) -> bool:
    return text.isascii() and "=?" not in text  # what only looks like an encoded word would be decoded


def encoded_words(text: str) -> str:
    """Text in base64, in words of lawful length, one a line (RFC 2047 section 2)."""
    return "\r\n ".join(f"=?utf-8?b?{b64encode(chunk).decode()}?=" for chunk in _chunks(text))


def _chunks(text: str) -> list[bytes]:
    chunks = [b""]
    for character in text:
        encoded = character.encode()
        if len(chunks[-1]) + len(encoded) > _WORD_BYTES:
            chunks.append(b"")
        chunks[-1] += encoded
    return chunks


def address_header(box: Mailbox, name: str) -> str:
    """The value of a From or To header, folded after the name."""
    return f"{phrase(name)}\r\n <{box.address}>" if name else box.address
