"""What a mail server's replies mean: the codes as data, and the verdict each comes to (R16).

Sources: RFC 5321 section 4.2.3 (three digits), RFC 3463 with the IANA registry of enhanced status codes
(class.subject.detail), RFC 4954 (login), RFC 7372 (domain authentication), RFC 7504 (no mail at all),
RFC 3464 section 2.3 (the same codes in bounces that come by mail).
A reply's text may name the resident, so no text of a server gets into a detail once a recipient is involved;
our own words for the code do, and the address of a page that the server points to.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar

from channels.contract import Outcome, Verdict

_T = TypeVar("_T")


class Stage(StrEnum):
    """How far a message, or a connection, had come."""

    CONNECT = "connecting"
    SECURE = "securing the connection"
    LOGIN = "logging in"
    MAIL = "naming the sender"
    RCPT = "naming the recipient"
    DATA = "announcing the message"
    BODY = "handing over the message"


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply of the server, its lines joined by line feeds."""

    code: int
    text: str = field(repr=False)

    @property
    def enhanced(self) -> str:
        """The enhanced status code, `"5.1.1"`, or nothing."""
        match = _ENHANCED.match(self.text)
        return match[0] if match else ""


@dataclass(frozen=True, slots=True)
class Ending:
    """How an attempt ended: with a reply at a stage, or without one because of `reason`."""

    stage: Stage
    reply: Reply | None = None
    reason: str = "the connection was lost"
    ours: bool = False  # without a reply: a mistake of our settings, not of the network

    @property
    def closes(self) -> bool:
        """The server takes nothing more on this connection: no reply, or 421 (RFC 5321 section 3.8)."""
        return self.reply is None or self.reply.code == 421


_ENHANCED = re.compile(r"[245]\.\d{1,3}\.\d{1,3}\b")

# Enhanced codes without their class; the subject alone stands for the details that are not named.
MEANINGS = {
    "1": "the address does not work",
    "1.0": "the address does not work",
    "1.1": "there is no such mailbox",
    "1.2": "there is no such domain",
    "1.3": "the address is not written as an address",
    "1.4": "the address is ambiguous",
    "1.6": "the mailbox has moved away",
    "1.7": "our sender address is not written as an address",
    "1.8": "our sender domain is not known there",
    "1.9": "the receiving system is too old",
    "1.10": "the domain takes no mail",
    "2": "the mailbox has a problem",
    "2.1": "the mailbox is disabled",
    "2.2": "the mailbox is full",
    "2.3": "the message is too long for the mailbox",
    "2.4": "the mailing list cannot be expanded",
    "3": "the receiving system has a problem",
    "3.1": "the receiving system is full",
    "3.2": "the receiving system takes no messages now",
    "3.4": "the message is too big",
    "4": "there is no way to the receiving system",
    "4.1": "the receiving system does not answer",
    "4.5": "too much mail for now",
    "5": "the receiving system did not understand us",
    "6": "the content cannot be handled there",
    "6.7": "the receiving system takes ASCII addresses only",
    "7": "the receiving system refuses the message by its policy",
    "7.8": "the login was refused",
    "7.20": "our DKIM signature is missing or does not verify",
    "7.21": "our DKIM signature is not acceptable",
    "7.22": "our DKIM signature is not of our domain",
    "7.23": "our mail server is not in our SPF record",
    "7.24": "our SPF record is broken",
    "7.25": "our mail server has no reverse DNS",
    "7.26": "our domain fails SPF and DKIM",
    "7.27": "our sender domain takes no mail",
    "7.28": "too much mail for now",
    "7.57": "the server wants a login",
    "7.60": "the login may not send as this sender",
}

# Permanent refusals (5.x.x). Only the recipient's own faults mark an address; policy never does.
PERMANENT = {
    "1": Verdict.BAD_ADDRESS,
    "1.7": Verdict.MISCONFIGURED,
    "1.8": Verdict.MISCONFIGURED,
    "1.9": Verdict.REFUSED,
    "2": Verdict.REFUSED,
    "2.1": Verdict.BAD_ADDRESS,
    "2.2": Verdict.UNREACHABLE,  # a full mailbox is emptied one day
    "4.5": Verdict.THROTTLED,
    "6.7": Verdict.BAD_ADDRESS,
    "7.8": Verdict.MISCONFIGURED,
    "7.9": Verdict.MISCONFIGURED,
    "7.10": Verdict.MISCONFIGURED,
    "7.11": Verdict.MISCONFIGURED,
    "7.12": Verdict.MISCONFIGURED,
    "7.13": Verdict.MISCONFIGURED,
    "7.20": Verdict.MISCONFIGURED,
    "7.21": Verdict.MISCONFIGURED,
    "7.22": Verdict.MISCONFIGURED,
    "7.23": Verdict.MISCONFIGURED,
    "7.24": Verdict.MISCONFIGURED,
    "7.25": Verdict.MISCONFIGURED,
    "7.26": Verdict.MISCONFIGURED,
    "7.27": Verdict.MISCONFIGURED,
    "7.28": Verdict.THROTTLED,
    "7.57": Verdict.MISCONFIGURED,
    "7.60": Verdict.MISCONFIGURED,
}

# Three digits alone, for servers that send no enhanced codes. 550 is for both a wrong address and a policy:
# its words decide.
BASIC = {
    530: Verdict.MISCONFIGURED,
    534: Verdict.MISCONFIGURED,
    535: Verdict.MISCONFIGURED,
    538: Verdict.MISCONFIGURED,
    551: Verdict.BAD_ADDRESS,
    553: Verdict.BAD_ADDRESS,
    556: Verdict.BAD_ADDRESS,
}
BASIC_MEANINGS = {
    421: "the server closes the connection",
    450: "the mailbox is not available",
    451: "the server has a problem",
    452: "the server is full",
    454: "it is not available",
    521: "the server takes no mail",
    530: "the server wants a login",
    534: "the server wants a stronger login",
    535: "the login was refused",
    538: "the server wants encryption for the login",
    550: "the mailbox is not available",
    551: "the mailbox is elsewhere",
    552: "the mailbox is full, or the message too big",
    553: "the address is not allowed",
    554: "the transaction failed",
    556: "the domain takes no mail",
}

RETRY_AFTER = 60.0  # seconds, where a server that wants us slower does not say
RETRY_AFTER_QUOTA = 3600.0  # seconds, where a day's quota is used up
_RETRY_AFTER_RANGE = (1.0, 3600.0)

# Subjects in which a bounce's own status says nothing; what the last server said may (RFC 3464 section 2.3.6).
_SAYS_NOTHING = frozenset({"", "0.0", "5.0"})

_SLOW_DOWN = re.compile(
    r"\brate\b|rate.?limit|throttl|too (?:many|much|fast)|slow down|quota|limit exceeded", re.I
)
_NO_MAILBOX = re.compile(
    r"no such|unknown (?:user|recipient|mailbox|address)|invalid (?:recipient|mailbox|address)"
    r"|(?:user|mailbox|recipient|address|account)\b.*\b"
    r"(?:unknown|unavailable|disabled|inactive|invalid|not (?:found|exist))",
    re.I | re.S,
)
_OUR_FAULT = re.compile(
    r"relay(?:ing)? (?:access )?(?:is )?(?:denied|not|prohibited)|(?:not|unable)\b.{0,40}\brelay"
    r"|(?:sender address|client host|helo command) rejected",
    re.I | re.S,
)
_SAID = re.compile(r"\b([245]\d\d)(?:[ -]+#?([245]\.\d{1,3}\.\d{1,3})\b)?(?P<words>.*)", re.S)
_WAIT = re.compile(r"\bin (\d{1,6}) ?(s|m)", re.I)
_PAGE = re.compile(r"https?://[\w./?&=#~:-]{4,120}", re.ASCII)
_QUEUE_ID = re.compile(r"(?:queued as|\bid[=:]?) ?([\w.-]{4,64})", re.I | re.ASCII)
_PERSONAL = re.compile(r"\S*@\S*")


def outcome(key: int, ending: Ending, provider_id: str | None = None) -> Outcome:
    """What became of one message.

    Args:
        key: the delivery's number.
        ending: how its attempt ended.
        provider_id: for an accepted message whose server names no queue id.
    """
    verdict = judge(ending)
    if verdict is Verdict.ACCEPTED and ending.reply:
        match = _QUEUE_ID.search(ending.reply.text)
        return Outcome(key, verdict, provider_id=match[1] if match else provider_id)
    return Outcome(
        key,
        verdict,
        code=_code(ending.reply),
        detail=describe(ending),
        retry_after=_retry_after(ending.reply) if verdict is Verdict.THROTTLED else None,
    )


def judge(ending: Ending) -> Verdict:
    """The verdict on one ending (R16)."""
    reply = ending.reply
    if reply is None:
        return _without_reply(ending)
    if ending.stage is Stage.BODY and 200 <= reply.code < 300:
        return Verdict.ACCEPTED
    if reply.code < 500 or reply.enhanced.startswith("4"):
        return Verdict.THROTTLED if _wants_us_slower(reply) else Verdict.UNREACHABLE
    if ending.stage in (Stage.CONNECT, Stage.SECURE, Stage.LOGIN, Stage.MAIL):
        return Verdict.MISCONFIGURED
    return _permanent(ending.stage, reply)


@dataclass(frozen=True, slots=True)
class Reported:
    """What a bounce that came by mail says about one address."""

    verdict: Verdict
    code: str  # "5.1.1"
    detail: str  # in words for staff, without personal data


def judge_report(status: str, diagnostic: str = "") -> Reported:
    """The verdict of a bounce that is the last word (R16): nobody tries any more.

    Args:
        status: an enhanced status code, `"5.1.1"`; may be empty.
        diagnostic: what the last server said (RFC 3464 section 2.3.6): "smtp; 550 5.1.1 No such user".

    Returns:
        With UNREACHABLE what may work another day; what is a matter of policy (x.7) is never blamed on the
        address, not even as that.
    """
    reply = _reported(status.strip(), diagnostic)
    subject = _subject(reply)
    if reply.code < 300:
        verdict = Verdict.ACCEPTED
    elif reply.code < 500 and not subject.startswith("7."):
        verdict = Verdict.UNREACHABLE
    else:
        verdict = _permanent(Stage.RCPT, reply)
    return Reported(verdict, _code(reply) or "", _meaning(reply, verdict))


def _reported(status: str, diagnostic: str) -> Reply:
    """A bounce as the reply that it goes back to; its own status counts, where it says anything."""
    said = _SAID.search(diagnostic)
    words = " ".join((said["words"] if said else diagnostic).split())
    enhanced = status if _ENHANCED.fullmatch(status) else ""
    if said and enhanced.partition(".")[2] in _SAYS_NOTHING:
        return Reply(int(said[1]), f"{said[2] or ''} {words}".strip())
    digits = (
        int(said[1]) if said and said[1][0] == (enhanced or said[1])[0] else int((enhanced or "5")[0]) * 100
    )
    return Reply(digits, f"{enhanced} {words}".strip())


def _without_reply(ending: Ending) -> Verdict:
    if ending.ours:
        return Verdict.MISCONFIGURED
    return Verdict.UNKNOWN if ending.stage is Stage.BODY else Verdict.UNREACHABLE


def _wants_us_slower(reply: Reply) -> bool:
    subject = _subject(reply)
    about_the_mailbox = subject.startswith(("1.", "2."))
    return not about_the_mailbox and (subject in ("4.5", "7.28") or bool(_SLOW_DOWN.search(reply.text)))


def _permanent(stage: Stage, reply: Reply) -> Verdict:
    subject = _subject(reply)
    if reply.code in (530, 534, 535, 538):
        return Verdict.MISCONFIGURED
    if not subject.startswith(("1.", "2.")) and _OUR_FAULT.search(reply.text):
        return Verdict.MISCONFIGURED
    if subject:
        return _first(PERMANENT, subject, Verdict.REFUSED)
    return _by_words(stage, reply)


def _by_words(stage: Stage, reply: Reply) -> Verdict:
    if reply.code == 552 and stage is Stage.RCPT:
        return Verdict.UNREACHABLE
    if reply.code == 550 and _NO_MAILBOX.search(reply.text):
        return Verdict.BAD_ADDRESS
    return BASIC.get(reply.code, Verdict.REFUSED) if stage is Stage.RCPT else Verdict.REFUSED


def _subject(reply: Reply) -> str:
    return reply.enhanced.partition(".")[2]


def _first(table: dict[str, _T], subject: str, default: _T) -> _T:
    return table.get(subject, table.get(subject.partition(".")[0], default))


def _code(reply: Reply | None) -> str | None:
    return (reply.enhanced or str(reply.code)) if reply else None


def _retry_after(reply: Reply | None) -> float:
    if reply is None:
        return RETRY_AFTER
    if match := _WAIT.search(reply.text):
        seconds = float(match[1]) * (60 if match[2].lower() == "m" else 1)
        return min(max(seconds, _RETRY_AFTER_RANGE[0]), _RETRY_AFTER_RANGE[1])
    return RETRY_AFTER if reply.code < 500 else RETRY_AFTER_QUOTA


def describe(ending: Ending) -> str:
    """An ending in words for staff, without personal data."""
    reply = ending.reply
    if reply is None:
        return f"{ending.reason} while {ending.stage}"
    codes = f"{reply.code} {reply.enhanced}".rstrip()
    meaning = _meaning(reply, judge(ending))
    return f"{meaning} ({codes}) while {ending.stage}{_more(ending.stage, reply.text)}"


def _meaning(reply: Reply, verdict: Verdict) -> str:
    if verdict is Verdict.THROTTLED:
        return "the server wants fewer messages"
    if verdict is Verdict.MISCONFIGURED and _OUR_FAULT.search(reply.text):
        return "the server takes no such mail from us"
    basic = BASIC_MEANINGS.get(reply.code, "the server said no")
    meaning = _first(MEANINGS, _subject(reply), basic)
    return f"{meaning}, for now" if verdict is Verdict.UNREACHABLE else meaning


def _more(stage: Stage, text: str) -> str:
    if stage in (Stage.RCPT, Stage.DATA, Stage.BODY):
        pages = _PAGE.findall(text)
        return f"; see {pages[0]}" if pages else ""
    return f"; the server says: {' '.join(_PERSONAL.sub('…', text).split())[:200]}"
