"""Who may see the console: whoever has a fresh link from the machine it runs on.

The link's ticket is good for a quarter of an hour, and exchanged for a cookie that is good for a working day.
"""

from __future__ import annotations

import secrets
from hashlib import sha256

from itsdangerous import BadSignature, TimestampSigner

TICKET_SECONDS = 15 * 60
COOKIE_SECONDS = 12 * 3600
COOKIE = "notify_console"
ENTRANCE = "/console/enter"


def console_ticket(key: bytes) -> str:
    """A ticket for `/console/enter?ticket=…`, good for 15 minutes from now.

    Args:
        key: the city's secret, `settings.key()`.
    """
    return _sign(key, "console ticket")


def admits(key: bytes, ticket: str) -> bool:
    """Whether a ticket is ours and fresh."""
    return _is_good(key, "console ticket", ticket, TICKET_SECONDS)


def cookie(key: bytes) -> str:
    """The value of the cookie, good for 12 hours from now."""
    return _sign(key, "console cookie")


def is_inside(key: bytes, value: str) -> bool:
    """Whether a cookie's value is ours and still good."""
    return _is_good(key, "console cookie", value, COOKIE_SECONDS)


def _signer(key: bytes, purpose: str) -> TimestampSigner:
    return TimestampSigner(key, salt=purpose, key_derivation="hmac", digest_method=sha256)


def _sign(key: bytes, purpose: str) -> str:
    return _signer(key, purpose).sign(secrets.token_urlsafe(9)).decode("ascii")


def _is_good(key: bytes, purpose: str, value: str, seconds: int) -> bool:
    try:
        _signer(key, purpose).unsign(value, max_age=seconds)
    except (BadSignature, ValueError):
        return False
    return True
