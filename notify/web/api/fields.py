"""The kinds of values in requests: strict, so that what is taken is exactly what the interface describes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from functools import cache
from ipaddress import ip_address
from typing import Annotated, Any

from fastapi import Header, Path
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    WithJsonSchema,
)
from starlette.convertors import Convertor, register_url_convertor

from contacts.values import clean_line
from notify.web.guard import LARGEST_ID

_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)")
WITHOUT_NUL = r"^[^\x00]*$"  # PostgreSQL keeps none, and no text needs one


class _IdConvertor(Convertor[int]):
    """A number in a path. Whatever else is there is another path, or none."""

    regex = "[1-9][0-9]{0,9}"

    def convert(self, value: str) -> int:
        return int(value)

    def to_string(self, value: int) -> str:
        return str(value)


register_url_convertor("id", _IdConvertor())


class Body(BaseModel):
    """The body of a request. A name that is not described is refused: it may be a described one misspelt."""

    model_config = ConfigDict(extra="forbid")


class Shape(BaseModel):
    """The body of an answer."""

    model_config = ConfigDict(extra="forbid", from_attributes=True)


@cache
def known_names() -> frozenset[str]:
    """Every name that a body may hold: what an error may say of where it is."""
    return frozenset(name for body in _all_under(Body) for name in body.model_fields)


def _all_under(model: type[BaseModel]) -> Sequence[type[BaseModel]]:
    below = model.__subclasses__()
    return [*below, *(each for one in below for each in _all_under(one))]


def _text_only(value: Any) -> Any:
    if not isinstance(value, str) or not _RFC_3339.fullmatch(value):
        raise ValueError("Write a moment with its zone, like 2026-11-22T17:30:00Z (RFC 3339).")
    return value


def _whole(value: Any) -> Any:
    """JSON has one kind of number: 12.0 is 12 (RFC 8259, section 6)."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _internet_address(value: str) -> str:
    try:
        return str(ip_address(value))
    except ValueError:
        raise ValueError("This is no IPv4 or IPv6 address.") from None


Id = Annotated[int, Field(strict=True, ge=1, le=LARGEST_ID), BeforeValidator(_whole)]
PlainId = Annotated[int, Field(ge=1, le=LARGEST_ID)]  # in a form or a query, where all values are texts
PathId = Annotated[int, Path(ge=1, le=LARGEST_ID)]
Moment = Annotated[AwareDatetime, BeforeValidator(_text_only)]
InternetAddress = Annotated[
    str,
    Field(strict=True, max_length=64),
    AfterValidator(_internet_address),
    WithJsonSchema({"type": "string", "anyOf": [{"format": "ipv4"}, {"format": "ipv6"}]}),
]


def words(longest: int, least: int = 0) -> Any:
    """A text that is kept exactly as it was sent.

    Args:
        longest: characters.
        least: characters.
    """
    return StringConstraints(strict=True, max_length=longest, min_length=least, pattern=WITHOUT_NUL)


Name = Annotated[str, words(200), AfterValidator(clean_line)]
Area = Annotated[str, words(100), AfterValidator(clean_line)]
Group = Annotated[
    str, StringConstraints(strict=True, min_length=1, max_length=60, pattern=r"^[^|,;/\n\x00]*$")
]
Language = Annotated[str, words(60, 1)]

IfMatch = Annotated[
    str,
    Header(
        alias="If-Match",
        max_length=100,
        pattern=r"^[ -~]*$",
        description="The ETag of what is to be changed: refused with 412 where it has changed since.",
    ),
]
IdempotencyKey = Annotated[
    str,
    Header(
        alias="Idempotency-Key",
        max_length=255,
        pattern=r"^[!-~]*$",
        description="Any text of your choice, a UUID for example. The same request with the same key gets the "
        "same answer for 24 hours, and nothing is done twice.",
    ),
]


def utc(moment: datetime) -> str:
    """A moment as answers write it."""
    return moment.isoformat().replace("+00:00", "Z")
