"""What happened, to the unit: audience = accepted + skipped + failed + unknown + still to go."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import func, select
from sqlmodel import Session, col

from notify.dispatch.models import ACCEPTED, TO_GO, ChannelHold, Delivery, DeliveryState, Dispatch

# How reasons are told to staff.
SAID = {
    "excluded": "left out, by a list or an address they share",
    "held": "waits for a person to read what they wrote",
    "erased": "erased at their own wish",
    "no_longer_meant": "no longer on the list, or no longer in the segment",
    "opted_out": "said no",
    "no_consent": "never said yes",
    "bad_address": "address does not work",
    "language_not_ready": "no approved text in their language",
    "duplicate": "same address as somebody already written to",
    "same_household": "in a household that gets one letter",
    "no_channel": "no address on these channels",
    "already_sent": "has this statement already",
    "stopped": "the dispatch was stopped first",
    "window_over": "too late: the time window was over",
    "refused": "the provider refused it",
    "unreachable": "could not be reached",
    "misconfigured": "our settings were wrong",
    "no_result": "handed over, and no answer came",
    "crash": "handed over when the process died",
}


@dataclass(frozen=True, slots=True)
class Count:
    """Rows of one channel and language in one state, for one reason."""

    channel: str
    language: str
    state: str
    reason: str
    rows: int


@dataclass(frozen=True, slots=True)
class Report:
    """The counts of one dispatch."""

    dispatch_id: int
    state: str
    reason: str
    audience: int
    counts: tuple[Count, ...]
    holds: dict[str, str] = field(default_factory=dict)

    def of(self, *states: str) -> int:
        """Rows in any of these states."""
        return sum(count.rows for count in self.counts if count.state in states)

    def by_reason(self, state: str) -> dict[str, int]:
        """Rows in a state, by reason, most first."""
        found: dict[str, int] = {}
        for count in self.counts:
            if count.state == state:
                found[count.reason] = found.get(count.reason, 0) + count.rows
        return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))

    @property
    def accepted(self) -> int:
        """Rows a provider has taken, whatever it said later."""
        return self.of(*ACCEPTED)

    @property
    def to_go(self) -> int:
        """Rows planned or in hand."""
        return self.of(*TO_GO)

    @property
    def balanced(self) -> bool:
        """Whether every row of the audience is in exactly one place."""
        parts = self.accepted + self.of(DeliveryState.SKIPPED, DeliveryState.FAILED, DeliveryState.UNKNOWN)
        return parts + self.to_go == self.audience

    def to_dict(self) -> dict[str, Any]:
        """The report as a plain tree."""
        return {
            "dispatch": self.dispatch_id,
            "state": self.state,
            "reason": self.reason,
            "audience": self.audience,
            "accepted": self.accepted,
            "delivered": self.of(DeliveryState.DELIVERED),
            "undelivered": self.by_reason(DeliveryState.UNDELIVERED),
            "skipped": self.by_reason(DeliveryState.SKIPPED),
            "failed": self.by_reason(DeliveryState.FAILED),
            "unknown": self.of(DeliveryState.UNKNOWN),
            "to_go": self.to_go,
            "balanced": self.balanced,
            "held_channels": self.holds,
            "counts": [{name: getattr(count, name) for name in Count.__slots__} for count in self.counts],
        }


def report(session: Session, dispatch: Dispatch) -> Report:
    """Count the ledger's rows of a dispatch."""
    columns = (col(Delivery.channel), col(Delivery.language), col(Delivery.state), col(Delivery.reason))
    rows = session.execute(
        select(*columns, func.count())
        .where(col(Delivery.dispatch_id) == dispatch.id)
        .group_by(*columns)
        .order_by(*columns)
    )
    holds = session.execute(
        select(col(ChannelHold.channel), col(ChannelHold.reason)).where(
            col(ChannelHold.dispatch_id) == dispatch.id
        )
    )
    return Report(
        dispatch_id=dispatch.id or 0,
        state=dispatch.state,
        reason=dispatch.reason,
        audience=dispatch.audience,
        counts=tuple(Count(*row) for row in rows),
        holds=dict(holds.all()),
    )
