"""Things that go wrong on purpose, in drills and tests.

A rule says which messages it hits (one address, or every nth message) and what happens to them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Kind(StrEnum):
    """What happens to a message that a rule hits."""

    THROTTLED = "throttled"  # not taken: slow down, come back in `seconds`
    DOWN = "down"  # not taken: the provider has a fault of its own
    JUNK = "junk"  # not taken, and the answer is not what the protocol says
    DROP_BEFORE = "drop_before"  # the connection breaks before the message is taken
    DROP_AFTER = "drop_after"  # the message is taken, the connection breaks before the answer
    SLOW = "slow"  # taken, the answer comes after `seconds`
    REFUSED = "refused"  # not taken, with the provider's `code` (and `text`)
    UNDELIVERED = "undelivered"  # taken, and reported undelivered later, with `code`


@dataclass(slots=True)
class Rule:
    """One rule. `address` empty hits every address; `times` 0 is without end.

    `code` and `text` are in the provider's own words: an HTTP status for DOWN and JUNK, a Twilio code or a
    Telegram description or an SMTP reply for REFUSED.
    """

    kind: Kind
    address: str = field(default="", repr=False)
    every: int = 1
    times: int = 0
    seconds: float = 1.0
    code: int = 0
    text: str = ""
    seen: int = 0
    hits: int = 0

    def __post_init__(self) -> None:
        self.kind = Kind(self.kind)
        if self.every < 1:
            raise ValueError("A fault hits every nth message, with n from 1.")

    def strikes(self, address: str) -> bool:
        """Whether this rule hits the message that goes to `address` now; counts it."""
        if self.address and self.address != address:
            return False
        if self.times and self.hits >= self.times:
            return False
        self.seen += 1
        if self.seen % self.every:
            return False
        self.hits += 1
        return True


class Faults:
    """The rules of one stand-in; those with a fixed address come first, then in the order they were made."""

    def __init__(self) -> None:
        self.rules: list[Rule] = []

    def add(self, rule: Rule) -> Rule:
        """Put a rule in force."""
        self.rules.append(rule)
        self.rules.sort(key=lambda rule: not rule.address)
        return rule

    def clear(self) -> None:
        """Let everything go well again."""
        self.rules.clear()

    def find(self, address: str) -> Rule | None:
        """The rule that hits a message to this address, if any."""
        return next((rule for rule in self.rules if rule.strikes(address)), None)
