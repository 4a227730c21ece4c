"""The tables of WHO: contacts, endpoints, lists, and the consent that joins them.

`ConsentEvent` is only ever added to. `Subscription` and `Endpoint.opted_out` are what the events come to,
kept beside them so that the audience query can stand on an index.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from contacts.columns import Moment, now


class EndpointState(StrEnum):
    """Whether an address works."""

    USABLE = "usable"
    BAD = "bad"


class Basis(StrEnum):
    """Why the city may write: the resident agreed, or a law lets it write to every household."""

    CONSENT = "consent"
    PUBLIC_TASK = "public_task"


class Contact(SQLModel, table=True):
    """A resident or a household. Nothing but ids and language in its repr."""

    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(default="", repr=False)
    language: str = Field(default="en", index=True)  # BCP 47
    area: str = Field(default="", repr=False)  # neighbourhood or postal area, a plain value
    groups: str = Field(default="", repr=False)  # "|elders|newcomers|", or empty
    created_at: datetime = Field(default_factory=now, sa_type=Moment)
    updated_at: datetime = Field(default_factory=now, sa_type=Moment)


class Endpoint(SQLModel, table=True):
    """One way to reach a contact.

    `address` is normalised by `contacts.addresses`; `address_key` is equal for equal places (a household has
    one postal key, however its members wrote it).
    """

    __table_args__ = (
        UniqueConstraint("channel", "address_key", "contact_id"),
        Index("ix_endpoint_contact_channel", "contact_id", "channel"),
    )

    id: int | None = Field(default=None, primary_key=True)
    contact_id: int = Field(foreign_key="contact.id")
    channel: str  # "sms", "email", "telegram", "letter"
    address: str = Field(repr=False)
    address_key: str = Field(repr=False)
    state: str = EndpointState.USABLE
    state_reason: str = ""
    opted_out: bool = False  # from everything
    created_at: datetime = Field(default_factory=now, sa_type=Moment)


class ContactList(SQLModel, table=True):
    """An opt-in list that a liaison keeps."""

    __tablename__ = "contact_list"

    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(unique=True)
    description: str = ""
    created_at: datetime = Field(default_factory=now, sa_type=Moment)


class Membership(SQLModel, table=True):
    """A contact is on a list; whether it may be written to is the subscriptions' matter."""

    __table_args__ = (Index("ix_membership_contact", "contact_id"),)

    list_id: int = Field(foreign_key="contact_list.id", primary_key=True)
    contact_id: int = Field(foreign_key="contact.id", primary_key=True)


class ConsentEvent(SQLModel, table=True):
    """Who said yes or no to what, when, how, and in which exact words. Never changed, never deleted (R31)."""

    __tablename__ = "consent_event"

    id: int | None = Field(default=None, primary_key=True)
    contact_id: int = Field(foreign_key="contact.id", index=True)
    endpoint_id: int = Field(foreign_key="endpoint.id", index=True)
    list_id: int | None = Field(default=None, foreign_key="contact_list.id")  # None: everything
    decision: bool  # yes or no
    basis: str = Basis.CONSENT
    method: str  # "import", "sms keyword", "email one-click", "telegram", "web form", "paper"
    wording: str = Field(default="", repr=False)  # the exact words the resident saw or sent
    wording_language: str = ""
    reference: str = ""  # form id, file and row, provider id
    actor: str = ""  # staff, or "resident"
    at: datetime = Field(default_factory=now, sa_type=Moment)  # when the resident decided
    recorded_at: datetime = Field(default_factory=now, sa_type=Moment)


class Subscription(SQLModel, table=True):
    """The present state of one endpoint on one list: the last word of its consent events."""

    __table_args__ = (Index("ix_subscription_endpoint", "endpoint_id", "active"),)

    list_id: int = Field(foreign_key="contact_list.id", primary_key=True)
    endpoint_id: int = Field(foreign_key="endpoint.id", primary_key=True)
    active: bool
    basis: str = Basis.CONSENT
    event_id: int = Field(foreign_key="consent_event.id")
