"""The settings of the SMS channel, read from `NOTIFY_SMS__…` or the table `[sms]`.

The core puts the variable's name in front of every message here, so a message only says what fits.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr

from channels.net import leads_to_loopback

TWILIO = "https://api.twilio.com"

_PHONE = re.compile(r"\+[1-9]\d{6,14}")  # E.164
_SHORT_CODE = re.compile(r"\d{3,8}")
_SERVICE = re.compile(r"MG[0-9a-fA-F]{32}")
_ACCOUNT = re.compile(r"AC[0-9a-fA-F]{32}")


def _account_sid(value: str) -> str:
    if not _ACCOUNT.fullmatch(value):
        raise ValueError(
            "an account SID is AC and 32 hexadecimal digits; copy it from the Twilio console's first page"
        )
    return value


def _auth_token(value: SecretStr) -> SecretStr:
    if not value.get_secret_value().strip():
        raise ValueError("this is empty; copy the auth token from the Twilio console's first page")
    return value


def _sender(value: str) -> str:
    plain = re.sub(r"[\s().-]", "", value)
    if not any(form.fullmatch(plain) for form in (_PHONE, _SHORT_CODE, _SERVICE)):
        raise ValueError(
            "write a phone number with its country code (+15550100199), a short code (55501), or a messaging"
            " service SID (MG and 32 hexadecimal digits); a name cannot receive STOP, so it cannot send"
        )
    return plain


def _api_base(value: str) -> str:
    parts = urlsplit(value)
    if (
        parts.scheme not in ("http", "https")
        or not parts.hostname
        or parts.query
        or parts.fragment
        or parts.username
    ):
        raise ValueError(f"write an address like {TWILIO}, or leave it out")
    if parts.scheme == "http" and not leads_to_loopback(value):
        raise ValueError("http:// would send the key and the residents' numbers unencrypted; write https://")
    return value.rstrip("/")


class SmsSettings(BaseModel):
    """What it takes to send text messages with Twilio."""

    model_config = ConfigDict(
        extra="forbid", hide_input_in_errors=True, validate_by_name=True, validate_by_alias=True
    )

    account_sid: Annotated[str, AfterValidator(_account_sid)]
    auth_token: Annotated[SecretStr, AfterValidator(_auth_token)]
    sender: Annotated[str, AfterValidator(_sender)] = Field(alias="from", coerce_numbers_to_str=True)
    api_base: Annotated[str, AfterValidator(_api_base)] = TWILIO
    # Segments a second handed to Twilio, not to the network: Twilio queues up to ten hours of a sender's own
    # rate (1 a second for a US long code, 3 toll-free, 100 for a short code) and gives them out at that rate.
    # 100 a second stays below the 100 requests under way at once that an account is allowed by default.
    rate: float = Field(default=100, ge=0)
    concurrency: int = Field(default=100, ge=1, le=1000)
    price_per_segment: Decimal = Field(default=Decimal("0.0079"), ge=0)  # an estimate, in the city's currency
    max_segments: int = Field(default=6, ge=1, le=10)
    provider_answers_stop: bool = (
        True  # Twilio answers the English keywords of long codes and toll-free numbers
    )
    status_callbacks: bool = True  # ask for receipts, where the city has a public URL
    timeout: float = Field(default=15, gt=0, le=300)  # seconds to connect, and again to answer

    @property
    def is_service(self) -> bool:
        """Whether a messaging service picks the number a text comes from."""
        return self.sender.startswith("MG")

    @property
    def is_real(self) -> bool:
        """Whether messages leave this machine."""
        return not leads_to_loopback(self.api_base)
