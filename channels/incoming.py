"""What comes back by other ways than a provider's callbacks: mail to the city's mailbox, letters by post.

A channel that hears back by mail offers `TakesMail` beside the contract, one whose messages come back as paper
`TakesReturns`. The core asks for these, and knows no channel by name. As with callbacks, the channel reads and
checks, and the core draws the consequences.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from types import TracebackType
from typing import ClassVar, Protocol, Self, runtime_checkable

from channels.contract import AddressKind, Finding, Verdict

LARGEST = 32 * 1024 * 1024  # bytes of a mail; most servers take no larger ones

TokenOf = Callable[[int], str]
"""The token that a delivery was sent with, by its number; empty when there is no such delivery."""


class Kind(StrEnum):
    """What one mail to the city is."""

    BOUNCE = "bounce"  # the last word: it did not arrive
    DELAY = "delay"  # a mail server is still trying
    DELIVERED = "delivered"
    COMPLAINT = "complaint"  # the resident called it spam
    LEAVE = "leave"  # by the mailto of List-Unsubscribe (RFC 2369)
    AUTO_REPLY = "auto_reply"  # nobody wrote it: on holiday, a read receipt, a newsletter
    CHALLENGE = "challenge"  # a filter wants a person to prove to be one
    REPLY = "reply"  # a person wrote it
    UNCLEAR = "unclear"  # a machine wrote it, and what it says is for a person to find out


class Unreadable(ValueError):
    """This mail is not read: too large, or built to do harm. The message says why, in plain words."""


class MailboxUnavailable(RuntimeError):
    """The mailbox cannot be read now; the message names the cure."""


class BadCode(ValueError):
    """This is no code of a returned letter; the message says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Mail:
    """What one mail turned out to be.

    Whoever writes to the mailbox can write anything. Only what names a delivery by something that nobody else
    can know counts: `key` is set where the channel has checked that, and a token in `tokens` where it proves
    itself. `address` is a claim.
    """

    kind: Kind
    key: int | None = None  # the delivery, proven
    tokens: tuple[str, ...] = field(
        default=(), repr=False
    )  # of residents, in its returned headers; unchecked
    address: str = field(
        default="", repr=False
    )  # whom it claims to be about, or who claims to have written it
    verdict: Verdict | None = None  # with BOUNCE: what it says about the address
    code: str = ""  # "5.1.1", "abuse"
    text: str = field(default="", repr=False)  # with REPLY: what the person wrote
    detail: str = ""  # in words for staff, without personal data


@dataclass(frozen=True, slots=True)
class Waiting:
    """One mail that waits in a mailbox."""

    number: int  # the mailbox's own (UID)
    raw: bytes = field(repr=False)


class Mailbox(Protocol):
    """A mailbox on a server. It blocks: use it in a thread."""

    def __enter__(self) -> Self:
        """Connect and log in; raise `MailboxUnavailable`."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take leave."""

    def waiting(self) -> Iterator[Waiting]:
        """What is to be read, oldest first; raise `MailboxUnavailable`."""

    def put_away(self, mail: Waiting, *, look: bool) -> None:
        """Move a mail out of the way: it is dealt with, or (`look`) a person has to look at it."""


@runtime_checkable
class TakesMail(Protocol):
    """A channel that hears back by mail: bounces, complaints, answers."""

    name: ClassVar[str]
    address_kind: ClassVar[AddressKind]
    mail_every: float  # seconds between looks into the mailbox

    def read_mail(self, raw: bytes, token_of: TokenOf) -> Mail:
        """Read one mail; raise `Unreadable`. Never raises otherwise, whatever the mail holds."""

    def mailbox(self) -> Mailbox | None:
        """The mailbox that the settings name, or None."""

    def check_mailbox(self) -> list[Finding]:
        """Connect and log in; nothing is read. Blocks: use it in a thread."""


@runtime_checkable
class TakesReturns(Protocol):
    """A channel whose messages may come back by post, each with a code on it."""

    @staticmethod
    def return_code(key: int) -> str:
        """What stands on the message of a delivery."""

    @staticmethod
    def read_return_code(code: str) -> int:
        """The delivery that a code names, as typed or scanned; raise `BadCode`."""
