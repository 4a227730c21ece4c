"""What the interface takes and gives about contacts, their addresses and their consent."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, ConfigDict, Field, WithJsonSchema

from channels.registry import available
from contacts.models import EndpointState
from notify.web.api.fields import Area, Body, Group, Id, InternetAddress, Language, Moment, Name, Shape, words
from notify.web.api.paging import Paged
from notify.web.guard import LARGEST_ID

MOST_ADDRESSES = 20
MOST_LISTS = 100
MOST_GROUPS = 30


def _installed(name: str) -> str:
    if name not in available():
        raise ValueError(f"No channel has this name. The channels: {', '.join(available())}.")
    return name


Channel = Annotated[
    str,
    Field(
        strict=True, max_length=40, description="A channel that is installed.", examples=[*available()][:1]
    ),
    AfterValidator(_installed),
    WithJsonSchema({"type": "string", "enum": [*available()]}),
]


class Made(Shape):
    """What was made. It repeats nothing of what was sent: ask for it by its address."""

    id: int = Field(examples=[12])
    url: str = Field(description="Where it is.", examples=["/api/v1/contacts/12"])


class NewEndpoint(Body):
    """An address."""

    channel: Channel
    address: Annotated[str, words(500, 1)] = Field(
        description="As people write it: a phone number, an email address, a Telegram chat's number, or the lines of "
        "a postal address without the name. It is put into its one form.",
        examples=["+12065550143"],
    )

    model_config = ConfigDict(json_schema_extra={"examples": [{"channel": "sms", "address": "+12065550143"}]})


class NewContact(Body):
    """A resident or a household. Being on a list is no consent: record that as well."""

    name: Name = Field(default="", description="May be empty.", examples=["Rosa Quintero"])
    language: Language = Field(
        description="What they read: a BCP 47 tag, or the language's name.", examples=["es"]
    )
    area: Area = Field(default="", description="Neighbourhood or postal area.", examples=["Harbor"])
    groups: list[Group] = Field(default=[], max_length=MOST_GROUPS, examples=[["elders"]])
    lists: list[Id] = Field(
        default=[],
        max_length=MOST_LISTS,
        description="Put on these lists. Needed where the key's person does not keep all lists.",
        examples=[[3]],
    )
    endpoints: list[NewEndpoint] = Field(default=[], max_length=MOST_ADDRESSES)

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "name": "Rosa Quintero",
                    "language": "es",
                    "area": "Harbor",
                    "groups": ["elders"],
                    "endpoints": [{"channel": "sms", "address": "+12065550143"}],
                }
            ]
        }
    )


class ContactChange(Body):
    """What is to be changed; what is left out stays."""

    name: Name = Field(default="", examples=["Rosa Quintero"])
    language: Language = Field(default="en", examples=["es"])
    area: Area = Field(default="", examples=["Harbor"])
    groups: list[Group] = Field(default=[], max_length=MOST_GROUPS, examples=[["elders"]])

    model_config = ConfigDict(json_schema_extra={"examples": [{"language": "es"}]})


class ContactSearch(Body):
    """Who has an address. It is asked for in a body, because paths and queries end up in logs."""

    channel: Channel
    address: Annotated[str, words(500, 1)] = Field(examples=["+12065550143"])

    model_config = ConfigDict(json_schema_extra={"examples": [{"channel": "sms", "address": "+12065550143"}]})


class ContactFilters(Paged):
    """Which contacts."""

    language: str = Field(
        default="", max_length=35, pattern=r"^[A-Za-z0-9-]*$", description="BCP 47; es finds es-MX as well."
    )
    area: str = Field(
        default="", max_length=100, pattern=r"^[^\x00]*$", description="In this area, whatever its case."
    )
    group: str = Field(
        default="", max_length=60, pattern=r"^[^|\x00]*$", description="In this audience group."
    )
    list_id: Annotated[int, Field(ge=1, le=LARGEST_ID)] | None = Field(
        default=None, description="On this list."
    )
    channel: Channel | None = Field(default=None, description="With an address on this channel.")


class SubscriptionShape(Shape):
    """The last word about one list, and on what it stands."""

    list_id: int
    active: bool = Field(description="Whether the last word is yes.")
    basis: Literal["consent", "public_task"]


class EndpointShape(Shape):
    """One way to reach a contact."""

    id: int
    channel: str
    address: str
    state: EndpointState
    state_reason: str
    opted_out: bool = Field(description="The last word is no, to everything.")
    held: str = Field(description="Why nothing is sent until a person has looked; empty if nothing is held.")
    subscriptions: list[SubscriptionShape]
    created_at: AwareDatetime


class ContactShape(Shape):
    """A resident or a household."""

    id: int
    name: str
    language: str = Field(description="BCP 47.")
    area: str
    groups: list[str]
    lists: list[int] = Field(description="The lists it is on, of those that the key may see.")
    endpoints: list[EndpointShape]
    created_at: AwareDatetime
    updated_at: AwareDatetime


class ContactPage(Shape):
    """A page of contacts in the order in which they came."""

    items: list[ContactShape]
    next_cursor: str | None = Field(description="For the next page; null on the last one.")


class ContactsFound(Shape):
    """Who has the address, of those that the key may see."""

    items: list[ContactShape]


class Endpoints(Shape):
    """A contact's addresses."""

    items: list[EndpointShape]


class NewConsent(Body):
    """One yes or no of a resident. It is added to the ledger, and can never be changed."""

    endpoint_id: Id = Field(description="About which address.", examples=[31])
    list_id: Id | None = Field(description="About which list; null: everything.", examples=[3])
    decision: Annotated[bool, Field(strict=True)] = Field(
        description="Yes or no. A no is taken from anybody: all who share a phone or a mailbox fall silent.",
        examples=[True],
    )
    method: Annotated[str, words(40, 1)] = Field(
        description="How it reached you. Rows of a sheet are brought in by imports, not here.",
        examples=["web form"],
    )
    wording: Annotated[str, words(5000)] = Field(
        default="",
        description="The exact words the resident saw or sent. A yes needs them.",
        examples=["Yes, write to me."],
    )
    wording_language: Annotated[str, words(60)] = Field(default="", description="BCP 47.", examples=["en"])
    reference: Annotated[str, words(200)] = Field(
        default="", description="Where the proof is: a form's number.", examples=["form 4711"]
    )
    ip: InternetAddress | None = Field(
        default=None, description="Of who filled in a form.", examples=["203.0.113.9"]
    )
    at: Moment | None = Field(
        default=None,
        description="When the resident decided; now, if it is left out.",
        examples=["2026-11-22T17:30:00Z"],
    )

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "endpoint_id": 31,
                    "list_id": 3,
                    "decision": True,
                    "method": "web form",
                    "wording": "Yes, write to me.",
                    "wording_language": "en",
                    "reference": "form 4711",
                    "ip": "203.0.113.9",
                }
            ]
        }
    )


class ConsentShape(Shape):
    """One event of the consent ledger."""

    id: int
    endpoint_id: int
    list_id: int | None = Field(description="null: everything.")
    decision: bool
    basis: Literal["consent", "public_task"]
    method: str
    wording: str
    wording_language: str
    reference: str
    actor: str
    ip: str
    at: AwareDatetime = Field(description="When the resident decided.")
    recorded_at: AwareDatetime


class ConsentPage(Shape):
    """A page of consent events in the order in which they were recorded."""

    items: list[ConsentShape]
    next_cursor: str | None = Field(description="For the next page; null on the last one.")
