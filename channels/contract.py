"""What a channel is: three verbs, the words they share, and nothing of the core.

A channel turns one approved text into a rendering (`compose`), hands addressed messages to a provider
(`send`), and reads what the provider calls back (`read_callback`). It opens no database, counts no quota,
decides no retry and writes no HTTP reply of its own: the core does that, the same way for all channels.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import ClassVar, Protocol, Self, runtime_checkable

from pydantic import BaseModel


class Verdict(StrEnum):
    """What a channel says about one attempt to send one message."""

    ACCEPTED = "accepted"  # the provider has it
    BAD_ADDRESS = "bad_address"  # never will work
    OPTED_OUT = "opted_out"  # the resident said no
    THROTTLED = "throttled"  # not accepted: slow down
    UNREACHABLE = "unreachable"  # not accepted: the provider is down, or the handset is
    UNKNOWN = "unknown"  # may have been accepted
    REFUSED = "refused"  # not this content to this recipient
    MISCONFIGURED = "misconfigured"  # our fault: blames no contact


class AddressKind(StrEnum):
    """How an address of a channel is written; `contacts.addresses` normalises each kind."""

    PHONE = "phone"  # E.164: +15550100199
    EMAIL = "email"  # a mailbox: name@example.org
    CHAT = "chat"  # a chat id: a whole number, negative for groups
    POSTAL = "postal"  # two to six lines joined by line feeds, without the addressee


@dataclass(frozen=True, slots=True)
class City:
    """What a channel may need to know of the city that speaks."""

    name: str
    timezone: str = "UTC"  # IANA
    public_url: str = ""  # without a slash at its end
    country: str = "US"  # ISO 3166-1 alpha-2
    sender: str = ""  # "Office of the Mayor"
    phone: str = ""  # the line residents can call, as residents write it
    postal_address: tuple[str, ...] = ()
    languages: tuple[str, ...] = ("en",)  # BCP 47, those the city speaks, the source first


@dataclass(frozen=True, slots=True)
class Action:
    """One thing a resident can do: a label and where it leads (a URL, a phone number, an email address)."""

    label: str
    value: str


@dataclass(frozen=True, slots=True)
class ApprovedText:
    """One statement in one language, exactly as it was signed."""

    reference: str  # "S12r3": statement 12, revision 3
    language: str  # BCP 47
    source_language: str
    kind: str  # crisis, update or notice
    title: str
    short: str  # for channels that have little room
    body: str  # Markdown (CommonMark); raw HTML in it is text
    actions: tuple[Action, ...] = ()
    url: str = ""  # the page with the full text in this language
    is_answer: bool = False  # to one resident who has just asked: no line about why and how to stop


class CannotCompose(ValueError):
    """The text cannot go over this channel as it is; the message names the reason and the cure."""


class MissingSettings(ValueError):
    """The channel's settings are not there or do not fit; the message names the setting and the cure."""


class NoInvitation(RuntimeError):
    """There can be no link to join by just now; the message names the reason and the cure."""


class CallbackRefused(ValueError):
    """The request did not come from the provider: its signature or secret does not match."""


@dataclass(frozen=True, slots=True)
class Rendering:
    """One text in one language composed for one channel: everything but the recipient."""

    channel: str
    language: str
    preview: str  # what the resident will read, as plain text
    parts: int = 1  # how many of the channel's units one recipient costs
    cost: Decimal = Decimal(0)  # estimated, per recipient, in the city's currency
    notes: tuple[str, ...] = ()  # what was changed to make it fit, for staff
    measure: str = ""  # how full it is, for whoever is writing: "212 of 306 GSM-7 characters"
    content: object = field(default=None, repr=False)  # the channel's own; nobody else reads it


@dataclass(frozen=True, slots=True)
class Message:
    """One delivery, addressed. Personal data stays out of its repr."""

    key: int  # the delivery's number in the ledger
    address: str = field(repr=False)
    renderings: tuple[Rendering, ...]  # one; more only for a household that reads several languages
    name: str = field(default="", repr=False)  # whom to greet, may be empty
    token: str = field(default="", repr=False)  # opaque, names recipient and list in links and callbacks
    attempt: int = 1

    @property
    def rendering(self) -> Rendering:
        """The first (for most channels the only) rendering."""
        return self.renderings[0]


@dataclass(frozen=True, slots=True)
class Batch:
    """Messages that belong to one dispatch, handed over together.

    Pulling a message from `messages` records the intent to call the provider for it, and waits for the
    sender's rate: a channel pulls a message only when it is about to send it. Several tasks may pull from
    the same iterator at once.
    """

    reference: str  # "D7": names the dispatch on files and in headers
    number: int  # of this batch within dispatch and channel, from 1
    total: int
    created_at: datetime  # when the dispatch was planned, with its zone: the same on every attempt
    messages: AsyncIterator[Message]


@dataclass(frozen=True, slots=True)
class Outcome:
    """A verdict about one message. `detail` is for staff and holds no personal data."""

    key: int
    verdict: Verdict
    provider_id: str | None = None
    code: str | None = None  # the provider's own code
    detail: str = ""
    retry_after: float | None = None  # seconds, with THROTTLED
    moved_to: str = field(default="", repr=False)  # the address that the provider gives instead


class EventKind(StrEnum):
    """What a provider, or a resident through it, tells us later."""

    SENT = "sent"
    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"
    OPTED_OUT = "opted_out"
    OPTED_IN = "opted_in"
    HELP = "help"
    REPLY = "reply"
    LANGUAGE = "language"  # wants to choose a language
    TOPICS = "topics"  # wants to choose topics
    CHOSEN = "chosen"  # pressed a button: `token` is its payload, `text` all the words that were shown
    MOVED = "moved"  # the address is now another one, `moved_to`


@dataclass(frozen=True, slots=True)
class Event:
    """One thing a callback said."""

    kind: EventKind
    key: int | None = None  # the delivery, where the callback names it
    token: str = field(default="", repr=False)  # the delivery's or list's token, where the callback names it
    provider_id: str | None = None
    address: str = field(default="", repr=False)
    text: str = field(default="", repr=False)
    verdict: Verdict | None = None  # with UNDELIVERED: what it says about the address
    code: str | None = None
    language: str = ""  # BCP 47, where the keyword or the client tells it
    topic: str = field(default="", repr=False)  # with a code that names something: STOP NEWS
    answered: bool = False  # the provider has already answered the resident itself
    moved_to: str = field(default="", repr=False)  # with MOVED
    handle: str = field(default="", repr=False)  # the channel's own: what it needs to answer this event


@dataclass(frozen=True, slots=True)
class Choice:
    """One button under a message."""

    label: str
    payload: str  # comes back as the token of a CHOSEN event; at most 64 bytes of ASCII
    chosen: bool = False  # shown with a tick


@dataclass(frozen=True, slots=True)
class Reply:
    """What a resident is told in answer to an event. A channel without buttons ignores the choices."""

    text: str = field(repr=False)
    choices: tuple[Choice, ...] = ()
    replaces: bool = False  # goes in the place of the message whose button was pressed


@dataclass(frozen=True, slots=True)
class CallbackRequest:
    """An HTTP request as the provider signed it."""

    url: str  # the public URL, with its query
    headers: Mapping[str, str] = field(repr=False)  # names in lower case
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the HTTP reply to a callback carries: nothing, or a short text for the resident."""

    media_type: str
    body: bytes = field(repr=False)


class Level(StrEnum):
    """How much a finding matters."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was checked, and what to do about it."""

    level: Level
    subject: str
    message: str
    cure: str = ""


class Channel(Protocol):
    """The contract. An adapter is built from its own settings and the city, and is an async context manager
    that holds its connections."""

    name: ClassVar[str]  # "sms": the folder, the setting prefix, the word in --channels
    label: ClassVar[str]  # "Text message (Twilio)"
    unit: ClassVar[str]  # what `Rendering.parts` counts: "segments", "messages", "pages"
    address_kind: ClassVar[AddressKind]
    batch_size: ClassVar[int]  # messages in a batch
    repeat_is_safe: ClassVar[bool]  # sending the same message again reaches the resident once
    disturbs: ClassVar[bool]  # rings at night, so quiet hours apply
    per_household: ClassVar[bool]  # one message for all contacts at one address
    Settings: ClassVar[type[BaseModel]]

    rate: float  # messages a second for this sender, all workers together; 0 is no limit

    def __init__(self, settings: BaseModel, city: City) -> None:
        """Check the settings; raise `MissingSettings`. No network."""

    async def __aenter__(self) -> Self:
        """Open what sending needs. No message leaves."""

    async def __aexit__(self, *exc: object) -> None:
        """Close it."""

    async def announce(self) -> None:
        """Tell the provider where to call the hub, where that is its way; safe to repeat, never raises."""

    def compose(self, text: ApprovedText) -> Rendering:
        """Fit, split, count and price one text; raise `CannotCompose` when it cannot fit."""

    def send(self, batch: Batch) -> AsyncIterator[Outcome]:
        """Hand the messages to the provider; an outcome for each message pulled, in any order.

        Never raises for one recipient. On cancellation, what is in flight has no outcome.
        """

    async def reconcile(self, message: Message, since: datetime) -> Outcome | None:
        """Ask the provider what became of a message that may have been accepted after `since`.

        Returns ACCEPTED (with its id), UNREACHABLE (provably not accepted), or None: nobody can tell.
        """

    def read_callback(self, request: CallbackRequest) -> Sequence[Event]:
        """Check the signature, then read events; raise `CallbackRefused`."""

    def answer(self, event: Event, text: str) -> Answer:
        """The reply to a callback, with a text for the resident (may be empty)."""

    async def check(self) -> Sequence[Finding]:
        """Look at settings, credentials and reachability without sending anything."""


@runtime_checkable
class Conversing(Protocol):
    """What a channel has beside `Channel` when its answers are messages of their own, with buttons."""

    async def converse(self, event: Event, replies: Sequence[Reply]) -> None:
        """Answer an event, at a rate the provider allows; also when there is nothing to say. Never raises."""

    async def invite(self, payload: str) -> str:
        """A link with which a resident joins: it comes back as the token of an OPTED_IN event.

        Args:
            payload: 1 to 64 letters, digits, _ and -.

        Raises:
            ValueError: the payload cannot be part of a link.
            NoInvitation: the provider has to be asked, and does not answer.
        """


# Takes the events of one update; returns whether they are kept.
Take = Callable[[Sequence[Event]], Awaitable[bool]]


@runtime_checkable
class Fetching(Protocol):
    """What a channel has beside `Channel` when it can ask for residents' messages instead of being called."""

    @property
    def fetches(self) -> bool:
        """Whether its settings say so."""

    async def fetch(self, take: Take) -> None:
        """Hand over what residents said, as it comes, until cancelled; one process for one sender.

        The provider is told that an update has arrived only after `take` has kept it, so none is lost; one
        that was kept just before a crash comes again, with the same provider id.
        """
