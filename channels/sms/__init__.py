"""Text messages through Twilio.

Read in this order: `settings`, `segments` (how a text travels), `composing`, `codes` and `http` (what the
provider says), `adapter` (the channel), `keywords` and `callbacks` (what comes back), `checks`.
"""

from __future__ import annotations

from channels.sms.adapter import SmsChannel

__all__ = ["SmsChannel"]
