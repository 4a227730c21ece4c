"""What the interface takes and gives about segments."""

from __future__ import annotations

from typing import Annotated

from pydantic import AwareDatetime, ConfigDict, Field

from contacts.filter_trees import LONGEST
from contacts.segments import LONGEST_NAME
from notify.web.api.fields import Body, Shape, words

EXAMPLE = 'language in (es, ht) and area = "North End"'

Expression = Annotated[
    str,
    words(LONGEST, 1),
    Field(
        description="Who is meant, over language, area, group, list, channel, consent and created; joined by and, or, "
        "not and parentheses.",
        examples=[EXAMPLE],
    ),
]


class Filter(Body):
    """A filter."""

    expression: Expression

    model_config = ConfigDict(json_schema_extra={"examples": [{"expression": EXAMPLE}]})


class NewSegment(Body):
    """A filter under a name."""

    name: Annotated[str, words(LONGEST_NAME, 1)] = Field(examples=["Elders in the north"])
    expression: Expression

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": "North End in Spanish", "expression": EXAMPLE}]}
    )


class SegmentShape(Shape):
    """A segment."""

    id: int
    name: str
    expression: str
    created_by: str
    created_at: AwareDatetime
    updated_at: AwareDatetime


class SegmentPage(Shape):
    """A page of segments in the order in which they were made."""

    items: list[SegmentShape]
    next_cursor: str | None = Field(description="For the next page; null on the last one.")


class CountShape(Shape):
    """How many people who read one language can be written to over one channel."""

    channel: str
    language: str
    people: int


class CountsShape(Shape):
    """How many people a filter means now."""

    explanation: str = Field(description="Whom it means, in words.")
    meant: int = Field(description="Of how many it is true, whether or not they may be written to.")
    reached: int = Field(description="Of these, how many can be written to over at least one channel.")
    rows: list[CountShape]
