"""What a form on a resident's page brought, whoever made it up."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import parse_qsl

from fastapi import Request

from channels.text import clean
from notify.web.guard import read_body

LARGEST = 50_000  # bytes of a form
MOST_FIELDS = 200
LONGEST = 400  # characters of a value: an address has 320 at most

_TYPE = "application/x-www-form-urlencoded"


class Unreadable(ValueError):
    """The body is no form as browsers send it."""


class Form:
    """The fields of a form. What should be there once and comes again counts once."""

    def __init__(self, fields: Iterable[tuple[str, str]]) -> None:
        self._fields = [(name, _tidy(value)) for name, value in fields]

    def one(self, name: str) -> str:
        """A field's first value; empty where there is none."""
        return next(iter(self.many(name)), "")

    def many(self, name: str) -> list[str]:
        """All values of a field."""
        return [value for key, value in self._fields if key == name]


async def read_form(request: Request) -> Form:
    """The form in a request.

    Raises:
        TooLarge: it has more than `LARGEST` bytes.
        Unreadable: it is none, or has too many fields.
    """
    body = await read_body(request, LARGEST)
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _TYPE:
        raise Unreadable
    try:
        text = body.decode("utf-8")
        return Form(parse_qsl(text, keep_blank_values=True, max_num_fields=MOST_FIELDS, errors="replace"))
    except ValueError:
        raise Unreadable from None


def _tidy(value: str) -> str:
    """On one line, without control characters, and with an end."""
    return " ".join(clean(value[: LONGEST + 1]).split())
