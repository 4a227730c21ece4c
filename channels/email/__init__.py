"""Email over SMTP: composed once per language, spliced per recipient, one round trip per message."""

from __future__ import annotations

from channels.email.adapter import EmailChannel
from channels.email.settings import EmailSettings

__all__ = ["EmailChannel", "EmailSettings"]
