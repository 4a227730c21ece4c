"""The settings of the Telegram channel, read from `NOTIFY_TELEGRAM__…` or the table `[telegram]`.

The core puts the variable's name in front of every message here, so a message only says what fits.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from enum import StrEnum
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr

from channels.net import leads_to_loopback

TELEGRAM = "https://api.telegram.org"

_TOKEN = re.compile(r"\d{3,20}:[\w-]{30,64}", re.ASCII)
_SECRET = re.compile(r"[A-Za-z0-9_-]{16,256}")  # setWebhook allows from 1 character, which is no secret


def _token(value: SecretStr) -> SecretStr:
    if not _TOKEN.fullmatch(value.get_secret_value()):
        raise ValueError("a bot's token is a number, a colon and 35 letters; copy it from @BotFather")
    return value


def _webhook_secret(value: SecretStr | None) -> SecretStr | None:
    if value and not _SECRET.fullmatch(value.get_secret_value()):
        raise ValueError("write 16 to 256 letters, digits, _ or -, or leave it out")
    return value


def _api_base(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError(f"write an address like {TELEGRAM}, or leave it out")
    if parts.scheme == "http" and not leads_to_loopback(value):
        raise ValueError("http:// would send the token and the texts unencrypted; write https://")
    return value.rstrip("/")


class Updates(StrEnum):
    """How the hub hears what residents say to the bot."""

    WEBHOOK = "webhook"  # Telegram calls the hub
    POLLING = "polling"  # the hub asks Telegram, again and again


class TelegramSettings(BaseModel):
    """What it takes to send messages as a Telegram bot."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, hide_input_in_errors=True, str_strip_whitespace=True
    )

    token: Annotated[SecretStr, AfterValidator(_token)]
    api_base: Annotated[str, AfterValidator(_api_base)] = TELEGRAM
    # Sent by Telegram with every callback; left out, it is derived from the token.
    webhook_secret: Annotated[SecretStr | None, AfterValidator(_webhook_secret)] = None
    # Left out: the webhook where Telegram can call the hub, else polling.
    updates: Updates | None = None
    rate: float = Field(default=30, ge=0, allow_inf_nan=False)  # messages a second (R12)
    concurrency: int = Field(default=64, ge=1, le=1000)
    timeout: float = Field(default=20, gt=0, le=300)  # seconds to connect, and again to answer
    max_parts: int = Field(default=5, ge=1, le=20)  # messages that one statement may take
    pause: float = Field(default=1.0, ge=0, le=60)  # seconds between two messages to one chat (R12)

    @property
    def secret(self) -> str:
        """What Telegram sends along in the header X-Telegram-Bot-Api-Secret-Token."""
        if self.webhook_secret:
            return self.webhook_secret.get_secret_value()
        return hmac.new(self.token.get_secret_value().encode(), b"notify webhook", hashlib.sha256).hexdigest()
