"""The parts of a mail from outside, taken apart by the standard library within limits.

Anybody can write to a mailbox. A mail is looked at before it is parsed: as the parser's time and memory grow
with the number of lines, boundaries and nested parts, a mail with more of them than people and mail servers
write is not parsed at all. Headers are never parsed as structures, only read as text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.message import Message
from email.parser import BytesParser, HeaderParser
from email.policy import compat32
from email.utils import getaddresses
from html import unescape
from typing import TypeAlias

import nh3

from channels.incoming import LARGEST, Unreadable
from channels.text import clean

READ = 1024 * 1024  # bytes that are parsed: what matters of bounces and replies stands before the attachments

_MOST_LINES = 50_000
_MOST_BOUNDARIES = 1_000
_MOST_PARTS = 60  # headers that begin a part, however deep
_LONGEST_HEADER = 2_000  # characters

_LINE = re.compile(rb"\r\n|\r|\n")
_BOUNDARY = re.compile(rb"[\r\n]--")
_PART = re.compile(rb"(?:^|[\r\n])content-type\s*:", re.I)
_BREAK = re.compile(r"<(?:br|/p|/div|/li|/tr)\b[^>]*>", re.I)

Part: TypeAlias = "Message[str, str]"


def parse(raw: bytes) -> Part:
    """Take a mail apart; of a large one, what comes first.

    Raises:
        Unreadable: it is too large, or built to do harm.
    """
    if len(raw) > LARGEST:
        raise Unreadable(f"The mail is larger than {LARGEST // 1024**2} MB.")
    raw = raw[:READ]
    if len(_LINE.findall(raw)) > _MOST_LINES or len(_BOUNDARY.findall(raw)) > _MOST_BOUNDARIES:
        raise Unreadable("The mail has far more lines or boundaries than people and mail servers write.")
    if len(_PART.findall(raw)) > _MOST_PARTS:
        raise Unreadable(f"The mail has more than {_MOST_PARTS} parts.")
    try:
        return BytesParser(policy=compat32).parsebytes(raw)
    except (RecursionError, ValueError, LookupError, AttributeError, IndexError) as error:
        raise Unreadable(f"The mail cannot be taken apart ({type(error).__name__}).") from None


def header(part: Part, name: str) -> str:
    """A header as one line of text; empty where it is not there. Encoded words stay as they are."""
    value = part.get(name)
    return " ".join(clean(str(value)[:_LONGEST_HEADER]).split()) if value is not None else ""


def words(part: Part, name: str) -> str:
    """A header as people read it, its encoded words decoded (RFC 2047)."""
    value = header(part, name)
    try:
        return " ".join(clean(str(make_header(decode_header(value)))).split())
    except (HeaderParseError, LookupError, ValueError):
        return value


def addresses(part: Part, *names: str) -> list[str]:
    """The addresses in headers, in their order; at most twenty. They are not checked."""
    values = [header(part, name).replace("(", "") for name in names]  # comments nest without end
    return [
        address for _, address in getaddresses([value for value in values if value])[:20] if "@" in address
    ]


def leaves(part: Part, kind: str = "") -> Iterator[Part]:
    """The parts of a mail, the mail itself first, but nothing inside a mail that is enclosed.

    Args:
        part: the mail.
        kind: only parts of this type, like "text/plain".
    """
    if not kind or part.get_content_type() == kind:
        yield part
    if part.get_content_maintype() == "multipart" and part.is_multipart():
        for inner in part.get_payload():
            if isinstance(inner, Message):
                yield from leaves(inner, kind)


def first(part: Part, *kinds: str) -> Part | None:
    """The first part of one of these types."""
    return next((found for found in leaves(part) if found.get_content_type() in kinds), None)


def blocks(part: Part) -> list[Part]:
    """The groups of fields in a part such as message/delivery-status (RFC 3464 section 2.1).

    The parser has made messages of them, or of the first one with the others as its text (RFC 6533).
    """
    if not part.is_multipart():
        return _blocks_of(decoded(part))
    found = [inner for inner in part.get_payload() if isinstance(inner, Message)]
    if len(found) == 1 and not found[0].is_multipart():
        found += _blocks_of(decoded(found[0]))
    return [block for block in found if block.keys()]


def _blocks_of(text: str) -> list[Part]:
    parser = HeaderParser(policy=compat32)
    return [parser.parsestr(block) for block in re.split(r"\n\s*\n", text)[:50] if block.strip()]


def enclosed(part: Part) -> Part | None:
    """The mail, or the headers of a mail, that came back in a report (RFC 6522)."""
    found = first(part, "message/rfc822", "message/global", "text/rfc822-headers", "message/global-headers")
    if found is None:
        return None
    if found.is_multipart():
        inner = found.get_payload(0)
        return inner if isinstance(inner, Message) else None
    return HeaderParser(policy=compat32).parsestr(decoded(found).lstrip())


def decoded(part: Part) -> str:
    """The text of a part, whatever its encodings claim to be; its line ends as line feeds."""
    if part.is_multipart():
        return ""
    payload = part.get_payload(decode=True)
    raw = payload if isinstance(payload, bytes) else b""
    try:
        text = raw.decode(part.get_content_charset("utf-8"), "replace")
    except (LookupError, ValueError):
        text = raw.decode("utf-8", "replace")
    return clean(text)


def written(part: Part) -> str:
    """What a person wrote: the plain text, or the HTML without its markup; without what is quoted."""
    plain = first(part, "text/plain")
    if plain is not None:
        text = decoded(plain)
    else:
        html = first(part, "text/html")
        text = unescape(nh3.clean(_BREAK.sub("\n", decoded(html)), tags=set())) if html else ""
    lines = (line.rstrip() for line in clean(text).split("\n") if not line.startswith(">"))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def searchable(part: Part, raw: bytes) -> bytes:
    """All that a mail says in clear: as it came, and its encoded texts decoded."""
    texts = [raw[:READ]]
    for found in part.walk():
        encoding = header(found, "Content-Transfer-Encoding").lower()
        if encoding in ("base64", "quoted-printable") and found.get_content_maintype() == "text":
            texts.append(decoded(found).encode("utf-8", "replace"))
    return b"\n".join(texts)
