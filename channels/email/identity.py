"""The name of one mail: in its Message-ID, in a header of its own, and in the sender of its envelope (VERP).

    D7.123.5f0c…                    dispatch, delivery, proof
    <D7.123.5f0c…@city.example>     Message-ID (RFC 5322 section 3.6.4), the same on every attempt
    bounces+D7.123.5f0c…@city.example   envelope sender, where the mailbox takes tags (RFC 5233)

A bounce names the mail it is about by what came back of it, and anybody can write a bounce. The proof is an
HMAC over the name with the recipient's token as its key: whoever has not seen the mail cannot make it, and
what stands in the logs of every mail server on the way is not the token itself.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterator

from channels.incoming import TokenOf

HEADER = "X-Notify-Delivery"  # for relays that write a Message-ID of their own, as Amazon SES does

_PROOF = 12  # bytes
_MOST = 20  # names that one mail may hold before we stop looking: each costs a look into the ledger
_NAME = re.compile(rb"(?<![\w.%~-])([A-Za-z][\w%~-]{0,40})\.(\d{1,18})\.([0-9a-f]{24})(?![0-9a-f])", re.I)


def identity(reference: str, key: int, token: str) -> str:
    """The name of a mail.

    Args:
        reference: of the dispatch, in characters that a Message-ID may hold.
        key: the delivery's number.
        token: the recipient's; without one the name proves nothing.
    """
    name = f"{reference}.{key}"
    return f"{name}.{_proof(name, token)}" if token else name


def tagged(address: str, name: str) -> str:
    """An envelope's sender with the name in it: `bounces+D7.123.5f0c…@city.example`."""
    local, _, domain = address.rpartition("@")
    return f"{local}+{name}@{domain}"


def proven(text: bytes, token_of: TokenOf) -> int | None:
    """The delivery that a text names with its proof, or None."""
    for name, key, proof in _names(text):
        token = token_of(key)
        if token and hmac.compare_digest(_proof(name, token), proof):
            return key
    return None


def _names(text: bytes) -> Iterator[tuple[str, int, str]]:
    """What looks like names of ours, each once. Mail servers may have changed their case."""
    found: dict[tuple[str, int, str], None] = {}
    for match in _NAME.finditer(text):
        reference, key, proof = (group.decode("ascii") for group in match.groups())
        found[f"{reference}.{key}", int(key), proof.lower()] = None
        if len(found) == _MOST:
            break
    yield from found


def _proof(name: str, token: str) -> str:
    return hmac.digest(token.encode("utf-8", "surrogatepass"), name.lower().encode(), "sha256")[:_PROOF].hex()
