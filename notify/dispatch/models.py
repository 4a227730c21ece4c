"""The tables of the ledger, and the states a row can be in."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import JSON, Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from contacts.columns import Moment, now


class DispatchState(StrEnum):
    """Where a dispatch is."""

    SCHEDULED = "scheduled"  # its rows are planned when its time comes
    PLANNED = "planned"
    SENDING = "sending"
    PAUSED = "paused"
    STOPPED = "stopped"
    DONE = "done"


class DeliveryState(StrEnum):
    """Where one row is. States only move forward, but for a provider's proof that nothing was accepted."""

    PLANNED = "planned"
    SENDING = "sending"
    ACCEPTED = "accepted"
    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"
    SKIPPED = "skipped"
    FAILED = "failed"
    UNKNOWN = "unknown"


# Rows in these states are still to go; a dispatch with one of them is not done.
TO_GO = (DeliveryState.PLANNED, DeliveryState.SENDING)
# A provider has taken rows in these states, whatever it said later.
ACCEPTED = (DeliveryState.ACCEPTED, DeliveryState.DELIVERED, DeliveryState.UNDELIVERED)


class BatchState(StrEnum):
    """Where a batch is."""

    READY = "ready"
    CLAIMED = "claimed"
    DONE = "done"


class Dispatch(SQLModel, table=True):
    """One approved statement, to one audience, over some channels, at one time."""

    id: int | None = Field(default=None, primary_key=True)
    statement_id: int = Field(foreign_key="statement.id")
    revision: int  # of the statement, when this was planned
    list_id: int | None = Field(default=None, foreign_key="contact_list.id")  # None: everybody
    segment: str = ""  # the saved filter's name, for people
    filter: str = ""  # the filter as it was when this was planned: later changes of the segment do not count
    excluded: list[int] = Field(default_factory=list, sa_type=JSON)  # lists whose members are left out
    channels: str  # "sms email"
    state: str = Field(default=DispatchState.PLANNED, index=True)
    reason: str = ""  # why it is paused or stopped
    urgent: bool = False  # a crisis, or an override: goes first, and quiet hours do not hold it
    urgent_reason: str = ""
    again: bool = False  # also to those who have had the statement: a repeating timetable
    starts_at: datetime | None = Field(default=None, sa_type=Moment)
    window_until: datetime | None = Field(default=None, sa_type=Moment)
    actor: str
    created_at: datetime = Field(default_factory=now, sa_type=Moment)
    started_at: datetime | None = Field(default=None, sa_type=Moment)
    finished_at: datetime | None = Field(default=None, sa_type=Moment)
    audience: int = 0  # rows planned: what a report has to add up to

    @property
    def reference(self) -> str:
        """How the dispatch is named everywhere: D7."""
        return f"D{self.id}"

    @property
    def channel_names(self) -> list[str]:
        """The channels, in the order they were asked for."""
        return self.channels.split()


class Batch(SQLModel, table=True):
    """Deliveries that are claimed, sent and written together."""

    __table_args__ = (
        UniqueConstraint("dispatch_id", "channel", "number"),
        Index("ix_batch_next", "channel", "state", "priority", "dispatch_id", "number"),
    )

    id: int | None = Field(default=None, primary_key=True)
    dispatch_id: int = Field(foreign_key="dispatch.id")
    channel: str
    number: int  # from 1
    priority: int = 1  # 0 goes first
    state: str = BatchState.READY
    due_at: datetime | None = Field(default=None, sa_type=Moment)  # not before
    worker: str = ""  # who claimed it
    claimed_at: datetime | None = Field(default=None, sa_type=Moment)


class Delivery(SQLModel, table=True):
    """One row: one dispatch to one endpoint. The table of deliveries is the ledger."""

    __table_args__ = (
        UniqueConstraint("dispatch_id", "endpoint_id"),
        Index("ix_delivery_batch", "dispatch_id", "channel", "batch"),
    )

    id: int | None = Field(default=None, primary_key=True)
    dispatch_id: int = Field(foreign_key="dispatch.id")
    channel: str
    batch: int = 0  # 0: skipped when planned
    contact_id: int = Field(foreign_key="contact.id")
    endpoint_id: int | None = Field(default=None, foreign_key="endpoint.id")
    language: str = ""  # "es"; "en,ar" for a household's letter
    state: str = DeliveryState.PLANNED
    reason: str = ""  # with skipped, failed, undelivered: why; with unknown: since when nobody knows
    attempts: int = 0
    provider_id: str | None = None
    code: str | None = None
    detail: str = ""
    sent_at: datetime | None = Field(default=None, sa_type=Moment)  # when its batch was claimed last


class ChannelHold(SQLModel, table=True):
    """A channel of a dispatch that was stopped by itself: our settings, or too many refusals."""

    __tablename__ = "channel_hold"

    dispatch_id: int = Field(foreign_key="dispatch.id", primary_key=True)
    channel: str = Field(primary_key=True)
    reason: str
    at: datetime = Field(default_factory=now, sa_type=Moment)


class Receipt(SQLModel, table=True):
    """What a provider said later about one delivery. Only added to."""

    id: int | None = Field(default=None, primary_key=True)
    delivery_id: int = Field(foreign_key="delivery.id", index=True)
    kind: str
    provider_id: str | None = None
    code: str | None = None
    at: datetime = Field(default_factory=now, sa_type=Moment)


class Generation(SQLModel, table=True):
    """How often an engine was started on this database: how a restored backup is recognised (R36)."""

    id: int = Field(default=1, primary_key=True)
    number: int = 0
