"""The tables of WHO: contacts, endpoints, lists, and the consent that joins them.

`ConsentEvent` is only ever added to. `Subscription` and `Endpoint.opted_out` are what the events come to,
kept beside them so that the audience query can stand on an index.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, Boolean, Column, Index, UniqueConstraint, false
from sqlmodel import Field, SQLModel

from contacts.columns import Moment, now
from contacts.sharing import keep_marked


class EndpointState(StrEnum):
    """Whether an address works."""

    USABLE = "usable"
    BAD = "bad"
    ERASED = "erased"  # the address is gone; its key is a keyed hash, as the proof of consent


class ListKind(StrEnum):
    """What a list is for."""

    OPT_IN = "opt_in"
    EXCLUSION = "exclusion"  # people whom a dispatch leaves out: families affected, staff, press
    REMOVED = "removed"  # nobody is on it; what was said about it stays on record


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
    import_id: int | None = None  # the import that made it, so that the import can be undone
    merged_into: int | None = None  # the same person, kept there
    erased_at: datetime | None = Field(default=None, sa_type=Moment)  # an empty shell, for the ledger's sums


class Endpoint(SQLModel, table=True):
    """One way to reach a contact.

    `address` is normalised by `contacts.addresses`; `address_key` is equal for equal places (a household has
    one postal key, however its members wrote it).
    """

    __table_args__ = (
        UniqueConstraint("channel", "address_key", "contact_id"),
        # All that a plan asks of an address, so that it reads the index and not the table.
        Index("ix_endpoint_contact", "contact_id", "channel", "state", "opted_out", "held", "shared"),
    )

    id: int | None = Field(default=None, primary_key=True)
    contact_id: int = Field(foreign_key="contact.id")
    channel: str  # "sms", "email", "telegram", "letter"
    address: str = Field(repr=False)
    address_key: str = Field(repr=False)
    state: str = EndpointState.USABLE
    state_reason: str = ""
    opted_out: bool = False  # from everything
    held: str = ""  # why nothing is sent until a person has looked, like a refusal in free text (R3)
    soft_bounces: int = 0  # in succession (R16)
    created_at: datetime = Field(default_factory=now, sa_type=Moment)
    import_id: int | None = None
    # Somebody else may have the same address. Kept by the database, see `contacts.sharing`; never to be written.
    shared: bool = Field(default=False, sa_column=Column(Boolean, nullable=False, server_default=false()))


keep_marked(Endpoint.__table__)  # type: ignore[attr-defined]


class ContactList(SQLModel, table=True):
    """An opt-in list that a liaison keeps."""

    __tablename__ = "contact_list"

    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(unique=True)
    description: str = ""
    kind: str = ListKind.OPT_IN
    public: bool = False  # residents may join by themselves: on the web, by SMS, in a chat
    join_word: str = Field(default="", index=True)  # what residents text to join; folded, empty for none
    titles: dict[str, str] = Field(default_factory=dict, sa_type=JSON)  # what residents read, by language
    created_at: datetime = Field(default_factory=now, sa_type=Moment)


class Membership(SQLModel, table=True):
    """A contact is on a list; whether it may be written to is the subscriptions' matter."""

    __table_args__ = (Index("ix_membership_contact", "contact_id"),)

    list_id: int = Field(foreign_key="contact_list.id", primary_key=True)
    contact_id: int = Field(foreign_key="contact.id", primary_key=True)
    import_id: int | None = None


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
    ip: str = Field(default="", repr=False)  # of who filled in a form
    import_id: int | None = None
    at: datetime = Field(default_factory=now, sa_type=Moment)  # when the resident decided
    recorded_at: datetime = Field(default_factory=now, sa_type=Moment)


class Subscription(SQLModel, table=True):
    """The present state of one endpoint on one list: the last word of its consent events."""

    __table_args__ = (Index("ix_subscription_endpoint", "endpoint_id", "active", "list_id", "basis"),)

    list_id: int = Field(foreign_key="contact_list.id", primary_key=True)
    endpoint_id: int = Field(foreign_key="endpoint.id", primary_key=True)
    active: bool
    basis: str = Basis.CONSENT
    event_id: int = Field(foreign_key="consent_event.id")


class PendingYes(SQLModel, table=True):
    """A yes on a web form that the owner of the address has not confirmed yet (double opt-in)."""

    __tablename__ = "pending_yes"

    id: int | None = Field(default=None, primary_key=True)
    digest: str = Field(
        unique=True, repr=False
    )  # of the token in the link: a copy of the table opens nothing
    channel: str
    address: str = Field(repr=False)
    address_key: str = Field(index=True, repr=False)
    name: str = Field(default="", repr=False)
    language: str
    area: str = Field(default="", repr=False)
    list_ids: list[int] = Field(default_factory=list, sa_type=JSON)
    wording: str = Field(repr=False)
    ip: str = Field(default="", repr=False)
    asked_at: datetime = Field(default_factory=now, sa_type=Moment)
    expires_at: datetime = Field(sa_type=Moment)
    confirmed_at: datetime | None = Field(default=None, sa_type=Moment)


class ImportState(StrEnum):
    """How far an import is."""

    RUNNING = "running"  # or broken off: the same file goes on where it stopped
    DONE = "done"
    UNDOING = "undoing"  # begun; whatever happens, it is to be finished
    UNDONE = "undone"


class ImportRun(SQLModel, table=True):
    """One import of one file: where it is, what it made, so that it can go on and can be undone."""

    __tablename__ = "import_run"

    id: int | None = Field(default=None, primary_key=True)
    list_id: int = Field(foreign_key="contact_list.id")
    file_name: str
    digest: str = Field(index=True)  # of the file's bytes and of the options
    options: dict[str, Any] = Field(default_factory=dict, sa_type=JSON)  # encoding, delimiter, mapping
    state: str = ImportState.RUNNING
    rows_done: int = 0  # of the sheet, as it counts them
    counts: dict[str, Any] = Field(default_factory=dict, sa_type=JSON)
    actor: str
    created_at: datetime = Field(default_factory=now, sa_type=Moment)
    finished_at: datetime | None = Field(default=None, sa_type=Moment)


class ImportFill(SQLModel, table=True):
    """An empty field of a known contact that an import filled; undoing empties it again."""

    __tablename__ = "import_fill"

    id: int | None = Field(default=None, primary_key=True)
    import_id: int = Field(foreign_key="import_run.id", index=True)
    contact_id: int = Field(foreign_key="contact.id")
    field: str
    value: str = Field(repr=False)


class Segment(SQLModel, table=True):
    """A saved filter over contacts: its name and its expression, see `contacts.segments`."""

    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(unique=True)
    expression: str
    created_by: str = ""
    created_at: datetime = Field(default_factory=now, sa_type=Moment)
    updated_at: datetime = Field(default_factory=now, sa_type=Moment)
