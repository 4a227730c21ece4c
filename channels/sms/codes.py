"""What Twilio's codes mean for a resident, a text or a sender: data, and two functions that read it.

Names of the codes: https://www.twilio.com/docs/api/errors. What each means for us: rules R5, R9 and R11 and
the table beside them; those not in that table were judged by the provider's description.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from channels.contract import Verdict

# The daily caps of US networks start again at midnight in this zone.
CAP_ZONE = ZoneInfo("America/Los_Angeles")


@dataclass(frozen=True, slots=True)
class Code:
    """One of the provider's codes."""

    verdict: Verdict
    meaning: str  # for staff, with the cure where it is ours to find
    patience: int = 0  # so many attempts are counted as unreachable before the verdict holds
    until_tomorrow: bool = False  # a daily cap: nothing passes before it starts again


# R11: a code nobody has listed may be a passing fault once.
UNLISTED = Code(Verdict.REFUSED, "Twilio gave a code this version does not know; look it up", patience=1)

_OUT = Verdict.OPTED_OUT
_BAD = Verdict.BAD_ADDRESS
_DOWN = Verdict.UNREACHABLE
_SLOW = Verdict.THROTTLED
_NO = Verdict.REFUSED
_OURS = Verdict.MISCONFIGURED

CODES: dict[int, Code] = {
    # the resident said no
    21610: Code(_OUT, "The resident has replied STOP to this sender"),
    # the number will never work
    21211: Code(_BAD, "This is no phone number"),
    21214: Code(_BAD, "This number cannot be reached"),
    21217: Code(_BAD, "This does not look like a phone number"),
    21401: Code(_BAD, "This is no phone number"),
    21612: Code(_BAD, "No route leads from this sender to this number", patience=1),
    21614: Code(_BAD, "This is not a mobile number"),
    30005: Code(_BAD, "Nobody has this number"),
    30006: Code(_BAD, "A landline, or a network that takes no text messages"),
    # the handset, the network or Twilio is down for now
    20500: Code(_DOWN, "Twilio had an internal fault"),
    20503: Code(_DOWN, "Twilio is not available"),
    30001: Code(_DOWN, "The message waited longer than the sender's queue allows"),
    30003: Code(_DOWN, "The phone is off, or out of reach"),
    30008: Code(_DOWN, "The network did not say why it was not delivered"),
    30009: Code(_DOWN, "A part of the message was lost on its way"),
    30017: Code(_DOWN, "The network is congested"),
    30410: Code(_DOWN, "The network did not answer in time"),
    # too fast
    14107: Code(_SLOW, "Messages leave faster than this sender may"),
    20429: Code(_SLOW, "More requests at once than the account may make"),
    21611: Code(_SLOW, "The sender's queue at Twilio is full"),
    30022: Code(_SLOW, "Faster than the registered campaign may send"),
    63018: Code(_SLOW, "Faster than this kind of sender may send"),
    # a daily cap: hold until the next day, or use another sender
    30023: Code(_SLOW, "The brand's daily cap is reached", until_tomorrow=True),
    30027: Code(_SLOW, "The network's daily cap for the campaign is reached", until_tomorrow=True),
    63038: Code(_SLOW, "The account's daily cap is reached", until_tomorrow=True),
    # this text does not pass
    21602: Code(_NO, "The text is empty"),
    21617: Code(_NO, "The text has more than 1600 characters"),
    21618: Code(_NO, "The text cannot be sent"),
    21619: Code(_NO, "The text is empty"),
    30004: Code(_NO, "The network or the phone blocks this sender"),
    30007: Code(
        _NO, "The network filtered it as unwanted; do not send it again before Twilio support has looked"
    ),
    # our configuration
    10001: Code(_OURS, "The account is not active; see the Twilio console"),
    20003: Code(_OURS, "Account SID and auth token do not match; correct NOTIFY_SMS__AUTH_TOKEN"),
    20005: Code(_OURS, "The account is not active; see the Twilio console"),
    20403: Code(_OURS, "The account may not do this; see its permissions in the Twilio console"),
    20404: Code(
        _OURS, "There is no such account here; correct NOTIFY_SMS__ACCOUNT_SID or NOTIFY_SMS__API_BASE"
    ),
    21210: Code(_OURS, "The sender is not verified; correct NOTIFY_SMS__FROM"),
    21212: Code(_OURS, "The sender is no valid number; correct NOTIFY_SMS__FROM"),
    21408: Code(_OURS, "Texts to this country are switched off; allow it under Messaging, Geo permissions"),
    21601: Code(_OURS, "The sender cannot send texts; correct NOTIFY_SMS__FROM"),
    21603: Code(_OURS, "There is no sender; set NOTIFY_SMS__FROM"),
    21606: Code(
        _OURS, "The sender is not a number of this account that can send texts; correct NOTIFY_SMS__FROM"
    ),
    21608: Code(_OURS, "A trial account may only write to verified numbers; upgrade the account"),
    21609: Code(_OURS, "Twilio does not accept the address for receipts; correct NOTIFY_PUBLIC_URL"),
    21701: Code(_OURS, "There is no such messaging service; correct NOTIFY_SMS__FROM"),
    21702: Code(_OURS, "The messaging service sends nothing new; see the Twilio console"),
    21703: Code(_OURS, "The messaging service has no number to send from; add one in the Twilio console"),
    21705: Code(_OURS, "This is no messaging service; correct NOTIFY_SMS__FROM"),
    30002: Code(_OURS, "The account is suspended; see the Twilio console"),
    30024: Code(_OURS, "The network has not been told of this sender; ask Twilio support"),
    30032: Code(_OURS, "The toll-free number is not verified; verify it in the Twilio console (R9)"),
    30034: Code(_OURS, "The number belongs to no registered A2P 10DLC campaign; register it (R9)"),
}


def meaning(code: int) -> Code:
    """What is known about a code; `UNLISTED` for one that is not in the table."""
    return CODES.get(code, UNLISTED)


def verdict_of(code: int, attempt: int = 1) -> Verdict:
    """The verdict a code stands for at the so-many-th attempt, counted from 1."""
    known = meaning(code)
    return Verdict.UNREACHABLE if attempt <= known.patience else known.verdict


def verdict_for(status: int, code: int | None, attempt: int = 1) -> Verdict:
    """The verdict on an answer that is no success.

    Args:
        status: the HTTP status, not 2xx.
        code: Twilio's code, where the answer has one; it says more than the status.
        attempt: the so-many-th, from 1.
    """
    if code in CODES:
        return verdict_of(code, attempt)
    if status == 429:
        return Verdict.THROTTLED
    if status in (502, 504):
        return (
            Verdict.UNKNOWN
        )  # a gateway waited in vain for an answer: Twilio behind it may have the message
    if status >= 500 or status == 408:
        return Verdict.UNREACHABLE
    if status < 400 or status in (401, 403, 404, 405):
        return Verdict.MISCONFIGURED  # wrong credentials, or an address that is not Twilio's API
    return verdict_of(code or 0, attempt)


def seconds_to_tomorrow(now: datetime) -> float:
    """Seconds from `now` (with its zone) until a daily cap starts again."""
    local = now.astimezone(CAP_ZONE)
    midnight = datetime.combine(local.date() + timedelta(days=1), datetime.min.time(), CAP_ZONE)
    return midnight.timestamp() - local.timestamp()
