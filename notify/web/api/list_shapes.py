"""What the interface takes and gives about lists."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AwareDatetime, ConfigDict, Field, WithJsonSchema

from contacts.lists import LONGEST_DESCRIPTION, LONGEST_NAME, LONGEST_TITLE
from contacts.models import ListKind
from notify.web.api.fields import WITHOUT_NUL, Body, Shape, words

MOST_TITLES = 100

ListName = Annotated[str, words(LONGEST_NAME, 1)]
Description = Annotated[str, words(LONGEST_DESCRIPTION)]
Title = Annotated[str, words(LONGEST_TITLE)]
Tag = Annotated[str, words(60, 1)]
Kind = Literal["opt_in", "exclusion"]
Titles = Annotated[
    dict[Tag, Title],
    WithJsonSchema(
        {
            "type": "object",
            "maxProperties": MOST_TITLES,
            "propertyNames": {"minLength": 1, "maxLength": 60, "pattern": WITHOUT_NUL},
            "additionalProperties": {"type": "string", "maxLength": LONGEST_TITLE, "pattern": WITHOUT_NUL},
        }
    ),
    Field(
        max_length=MOST_TITLES,
        description="What residents read, by language (BCP 47). An empty title takes a language away.",
        examples=[{"en": "Weekly news", "es": "Noticias de la semana"}],
    ),
]
JoinWord = Annotated[
    str, words(60), Field(description="What residents text to join; empty for none.", examples=["elders"])
]
Public = Annotated[
    bool, Field(strict=True, description="Whether residents may join by themselves.", examples=[True])
]


class NewList(Body):
    """A list. Its maker keeps it."""

    name: ListName = Field(description="What staff call it; no two lists have one name.", examples=["News"])
    description: Description = Field(default="", examples=["What happens in the city, every week."])
    kind: Kind = Field(
        default="opt_in", description="Whether people agree to it, or are left out of dispatches by it."
    )
    public: Public = False
    titles: Titles = Field(default={})
    join_word: JoinWord = ""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": "News", "public": True, "titles": {"en": "Weekly news"}}]}
    )


class ListChange(Body):
    """What is to be changed; what is left out stays."""

    name: ListName = Field(default="-", examples=["News"])
    description: Description = ""
    kind: Kind = "opt_in"
    public: Public = False
    titles: Titles = Field(default={})
    join_word: JoinWord = ""

    model_config = ConfigDict(json_schema_extra={"examples": [{"description": "What happens in the city."}]})


class ListShape(Shape):
    """A list."""

    id: int
    name: str
    description: str
    kind: ListKind
    public: bool
    join_word: str = Field(description="What residents text to join; empty for none.")
    titles: dict[str, str]
    members: int = Field(description="How many contacts are on it, whether or not they may be written to.")
    created_at: AwareDatetime


class ListPage(Shape):
    """A page of lists in the order in which they were made."""

    items: list[ListShape]
    next_cursor: str | None = Field(description="For the next page; null on the last one.")
