"""Erasing a contact: what the law wants gone goes, and the proof of consent stays as a keyed hash (R31)."""

from __future__ import annotations

import hmac

ERASED_PREFIX = "erased:"


def erased_key(proof_key: bytes, channel: str, address_key: str) -> str:
    """What stays of an erased address: equal for equal addresses, and nothing without the city's key.

    Args:
        proof_key: the city's secret.
        channel: its name.
        address_key: from `contacts.addresses`.
    """
    digest = hmac.new(proof_key, f"{channel}\0{address_key}".encode(), "sha256").hexdigest()
    return f"{ERASED_PREFIX}{digest}"
