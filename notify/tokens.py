"""Opaque tokens for residents' links: they name an endpoint and a list, and cannot be made by anybody else.

They do not expire: a link to leave has to work for at least a year (R17).
"""

from __future__ import annotations

from dataclasses import dataclass

from itsdangerous import BadData, URLSafeSerializer


@dataclass(frozen=True, slots=True)
class Recipient:
    """Whom a token names: an endpoint, and the list it was written to through (None: all)."""

    endpoint_id: int
    list_id: int | None


class Tokens:
    """Makes and reads tokens with the city's key."""

    def __init__(self, key: bytes) -> None:
        self._serializer = URLSafeSerializer(key, salt="recipient", signer_kwargs={"key_derivation": "hmac"})

    def make(self, recipient: Recipient) -> str:
        """The token for a recipient."""
        return str(self._serializer.dumps([recipient.endpoint_id, recipient.list_id or 0]))

    def read(self, token: str) -> Recipient | None:
        """Whom a token names; None when it is none of ours."""
        try:
            endpoint_id, list_id = self._serializer.loads(token)
        except (BadData, TypeError, ValueError):
            return None
        return Recipient(endpoint_id, list_id or None)
