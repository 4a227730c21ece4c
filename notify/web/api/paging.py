"""Long lists page by page: a cursor says after which row to go on, so that rows that come or go shift nothing."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Any

from fastapi import Query
from itsdangerous import BadSignature, URLSafeSerializer
from pydantic import BaseModel, ConfigDict, Field

from notify.web.api.problems import Place, Problem

MOST = 200  # rows on a page
USUAL = 50

Cursor = Annotated[
    str,
    Field(
        max_length=200,
        pattern=r"^[A-Za-z0-9_.-]*$",
        description="`next_cursor` of the page before; empty for the first page.",
    ),
]
Limit = Annotated[int, Field(ge=1, le=MOST, description="How many at most on a page.")]


class Paged(BaseModel):
    """The two parameters of every long list. Lists with filters add theirs."""

    model_config = ConfigDict(extra="forbid")

    limit: Limit = USUAL
    cursor: Cursor = ""


Paging = Annotated[Paged, Query()]


class Cursors:
    """Makes and reads cursors. They are signed, and good only for the list and the filters they came with.

    Args:
        key: the city's secret.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key

    def after(self, what: str, asked: Paged) -> int:
        """The id after which the page begins.

        Args:
            what: the list.
            asked: the parameters of the request.

        Raises:
            Problem: the cursor is none of ours, or of another list.
        """
        if not asked.cursor:
            return 0
        try:
            return int(self._serializer(what, asked).loads(asked.cursor))
        except (BadSignature, ValueError, TypeError):
            place = Place(parameter="cursor", code="cursor", detail="Begin again without a cursor.")
            detail = "The cursor belongs to another list, or to other filters."
            raise Problem(422, "not_possible", detail, errors=[place]) from None

    def following(self, what: str, asked: Paged, ids: list[int]) -> tuple[int, str | None]:
        """How many of the rows found belong on the page, and the cursor of the next page.

        Args:
            what: the list.
            asked: the parameters of the request.
            ids: of the rows found, in their order, one more than `asked.limit` where there are.
        """
        if len(ids) <= asked.limit:
            return len(ids), None
        last = ids[asked.limit - 1]
        return asked.limit, str(self._serializer(what, asked).dumps(last))

    def _serializer(self, what: str, asked: Paged) -> URLSafeSerializer:
        return URLSafeSerializer(
            self._key,
            salt=f"api cursor {what} {_filters(asked)}",
            signer_kwargs={"digest_method": hashlib.sha256, "key_derivation": "hmac"},
        )


def _filters(asked: Paged) -> str:
    """What tells one question from another."""
    chosen: dict[str, Any] = asked.model_dump(mode="json", exclude={"limit", "cursor"})
    return json.dumps(chosen, sort_keys=True)
