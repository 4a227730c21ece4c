"""Bounces: delivery status notifications (RFC 3464), and what older mail servers write instead of them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from channels.contract import Verdict
from channels.email.codes import Reported, judge_report
from channels.email.parts import Part, addresses, blocks, decoded, first, header
from channels.incoming import Kind

_STATUS_PARTS = ("message/delivery-status", "message/global-delivery-status")

# What became of a recipient, by the action that a notification names (RFC 3464 section 2.3.3).
ACTIONS = {
    "failed": Kind.BOUNCE,
    "delayed": Kind.DELAY,
    "delivered": Kind.DELIVERED,
    "expanded": Kind.DELIVERED,  # into the addresses of a list
    "relayed": Kind.AUTO_REPLY,  # to a server that sends no notifications: nothing to hear any more
}
# Where the action is missing: by the class of the status.
_CLASSES = {"2": Kind.DELIVERED, "4": Kind.DELAY, "5": Kind.BOUNCE}

# From the best news to the worst. One mail has one recipient; where that was a list or was forwarded, the
# address itself works if anybody behind it was reached, and is blamed for no more than all of them are.
_NEWS = (Kind.DELIVERED, Kind.AUTO_REPLY, Kind.DELAY, Kind.BOUNCE)
_MILDEST = (
    Verdict.UNREACHABLE,
    Verdict.THROTTLED,
    Verdict.REFUSED,
    Verdict.MISCONFIGURED,
    Verdict.BAD_ADDRESS,
)

# How mail servers without notifications begin what they send back of the mail.
_COPY_BEGINS = re.compile(r"^(?:-{3,}.*|Return-Path:.*|Received:.*|Message-ID:.*)$", re.I | re.M)
_CODE = re.compile(r"(?<![\d.])#?([45]\.\d{1,3}\.\d{1,3})(?![\d.])")
_SMTP = re.compile(r"(?<![\d.])([45][0-5]\d)[ -](?=\S)[^\n]*")
_ADDRESS = re.compile(r"<([^<>\s@]{1,64}@[^<>\s@]{1,255})>")


@dataclass(frozen=True, slots=True)
class Bounce:
    """What a mail server says about one mail of ours."""

    kind: Kind
    reported: Reported
    address: str = field(default="", repr=False)


def notification(mail: Part) -> Bounce | None:
    """What a delivery status notification says; None when the mail is none."""
    part = first(mail, *_STATUS_PARTS)
    if part is None:
        return None
    found = [bounce for block in blocks(part) if (bounce := _recipient(block))]
    if not found:
        return None
    best = min((bounce.kind for bounce in found), key=_NEWS.index)
    return min((bounce for bounce in found if bounce.kind is best), key=_severity)


def _recipient(block: Part) -> Bounce | None:
    status = header(block, "Status").partition(" ")[0]
    action = header(block, "Action").lower().partition(" ")[0]
    kind = ACTIONS.get(action) or _CLASSES.get(status[:1])
    if kind is None:
        return None
    reported = judge_report(status, header(block, "Diagnostic-Code"))
    if kind is Kind.BOUNCE and reported.verdict is Verdict.ACCEPTED:
        return None  # failed with success: no mail server says that
    named = header(block, "Original-Recipient") or header(block, "Final-Recipient")
    return Bounce(kind, reported, named.rpartition(";")[2].strip().strip("<>"))


def _severity(bounce: Bounce) -> int:
    verdict = bounce.reported.verdict
    return _MILDEST.index(verdict) if verdict in _MILDEST else 0


def bare(mail: Part) -> Bounce | None:
    """What a mail server without notifications says, as far as a machine can read it: a failed recipient in a
    header (Exim), or a code in its text before what it sends back (qmail and others)."""
    part = first(mail, "text/plain")
    text = decoded(part) if part is not None else ""
    said = _COPY_BEGINS.split(text, maxsplit=1)[0][:10_000]
    code, smtp = _CODE.search(said), _SMTP.search(said)
    if not code and not smtp:
        return None
    named = addresses(mail, "X-Failed-Recipients") or _ADDRESS.findall(said)
    reported = judge_report(code[1] if code else "", smtp[0] if smtp else "")
    kind = Kind.BOUNCE if header(mail, "X-Failed-Recipients") or reported.code.startswith("5") else Kind.DELAY
    return Bounce(kind, reported, named[0] if named else "")
