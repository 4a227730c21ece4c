"""Opaque tokens for residents' links: they name an endpoint and a list, and cannot be made by anybody else.

They do not expire: a link to leave has to work for at least a year (R17). One is made for every message, so
they are short and quick: two numbers under a mask, and the half of a SHA-256 HMAC that both proves them and
makes the mask (a synthetic initialisation vector, as in RFC 5297), in the alphabet that URLs and Telegram's
deep links share.
"""

from __future__ import annotations

import hmac
import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass

_NUMBERS = struct.Struct(">QI")
_MAC = 15  # bytes: with the numbers a multiple of three, so that nothing is padded


@dataclass(frozen=True, slots=True)
class Recipient:
    """Whom a token names: an endpoint, and the list it was written to through (None: all)."""

    endpoint_id: int
    list_id: int | None


class Tokens:
    """Makes and reads tokens with the city's key."""

    def __init__(self, key: bytes) -> None:
        self._proof = hmac.digest(key, b"recipient proof", "sha256")
        self._cover = hmac.digest(key, b"recipient cover", "sha256")

    def make(self, recipient: Recipient) -> str:
        """The token for a recipient."""
        numbers = _NUMBERS.pack(recipient.endpoint_id, recipient.list_id or 0)
        mac = self._mac(numbers)
        return urlsafe_b64encode(mac + self._masked(numbers, mac)).decode("ascii")

    def read(self, token: str) -> Recipient | None:
        """Whom a token names; None when it is none of ours."""
        try:
            raw = urlsafe_b64decode(token.encode("ascii"))
        except ValueError:
            return None
        if len(raw) != _MAC + _NUMBERS.size:
            return None
        mac = raw[:_MAC]
        numbers = self._masked(raw[_MAC:], mac)
        if not hmac.compare_digest(mac, self._mac(numbers)):
            return None
        endpoint_id, list_id = _NUMBERS.unpack(numbers)
        return Recipient(endpoint_id, list_id or None)

    def _mac(self, numbers: bytes) -> bytes:
        return hmac.digest(self._proof, numbers, "sha256")[:_MAC]

    def _masked(self, numbers: bytes, mac: bytes) -> bytes:
        """Covered, or uncovered again."""
        mask = hmac.digest(self._cover, mac, "sha256")[: _NUMBERS.size]
        return (int.from_bytes(numbers) ^ int.from_bytes(mask)).to_bytes(_NUMBERS.size)
