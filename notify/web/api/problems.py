"""What goes wrong, as problem documents (RFC 9457): the place and the cure, and never what was sent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from itertools import takewhile
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from contacts.values import BadValue
from notify.web.api.fields import known_names

MEDIA_TYPE = "application/problem+json"


class Place(BaseModel):
    """One thing that is wrong, and where."""

    pointer: str = Field(
        default="", description="Where in the body, as a JSON Pointer (RFC 6901).", examples=["/language"]
    )
    parameter: str = Field(default="", description="Which parameter of the query, the path or the header.")
    code: str = Field(description="For programs; it does not change.", examples=["language_unknown"])
    detail: str = Field(description="For people: what is wrong, and the cure.")


class ProblemDocument(BaseModel):
    """A problem document as RFC 9457 describes it, with a code for programs and the places in the request."""

    model_config = ConfigDict(title="Problem")

    type: str = Field(default="about:blank", description="Always about:blank: `code` says more.")
    title: str = Field(description="The status in words.", examples=["Unprocessable Content"])
    status: int = Field(description="The status.", examples=[422])
    code: str = Field(description="For programs; it does not change.", examples=["not_possible"])
    detail: str = Field(description="For people: what is wrong, and the cure.")
    errors: list[Place] = Field(default=[], description="Each thing that is wrong, where there is a place.")


class Problem(HTTPException):
    """A request is refused.

    Args:
        status: the HTTP status.
        code: for programs.
        detail: for people: what is wrong, and the cure; no personal data.
        errors: where.
        headers: that the status asks for.
    """

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        errors: Sequence[Place] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(status, detail, headers)
        self.code = code
        self.errors = list(errors)


def not_possible(pointer: str, code: str, detail: str) -> Problem:
    """The request is well written, and still cannot be done."""
    place = Place(pointer=pointer, code=code, detail=detail)
    return Problem(422, "not_possible", "The request cannot be done as it is.", errors=[place])


def not_there(what: str) -> Problem:
    """There is no such thing, or it is in other hands: the answer is the same, so that nobody learns which."""
    return Problem(404, "not_found", f"There is no such {what} among those that this key may see.")


@contextmanager
def at(pointer: str) -> Iterator[None]:
    """Say of a value that is not taken where it stands.

    Raises:
        Problem: instead of `BadValue`.
    """
    try:
        yield
    except BadValue as error:
        raise not_possible(pointer, error.code, str(error)) from None


def answer(problem: HTTPException) -> Response:
    """The problem document."""
    document = ProblemDocument(
        title=_title(problem.status_code),
        status=problem.status_code,
        code=getattr(problem, "code", _code(problem.status_code)),
        detail=problem.detail,
        errors=getattr(problem, "errors", []),
    )
    headers = {"Cache-Control": "no-store", **(problem.headers or {})}
    return Response(document.model_dump_json(), problem.status_code, headers, MEDIA_TYPE)


def refuse(_request: Request, error: Exception) -> Response:
    """Handles a `Problem`, and what the framework refuses by itself."""
    assert isinstance(error, HTTPException)
    return answer(error)


def refuse_form(_request: Request, error: Exception) -> Response:
    """Handles a request that is not written as the interface describes it."""
    assert isinstance(error, RequestValidationError)
    places = [_place(item) for item in error.errors()]
    return answer(
        Problem(400, "not_as_described", "The request is not as /api/v1/openapi.json describes it.", errors=places)
    )  # fmt: skip


def declared(statuses: Iterable[int]) -> dict[int | str, dict[str, Any]]:
    """The statuses of a route, for its description."""
    return {status: {"$ref": f"#/components/responses/{status}"} for status in sorted(statuses)}


def components(statuses: Iterable[int]) -> dict[str, dict[str, Any]]:
    """The descriptions of all those responses, by status."""
    return {str(status): _component(status) for status in sorted(statuses)}


def _component(status: int) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Problem"}
    found: dict[str, Any] = {"description": _title(status), "content": {MEDIA_TYPE: {"schema": schema}}}
    header = {401: "WWW-Authenticate", 403: "WWW-Authenticate", 429: "Retry-After", 503: "Retry-After"}.get(
        status
    )
    if header:
        found["headers"] = {header: {"schema": {"type": "string"}}}
    return found


def _title(status: int) -> str:
    return HTTPStatus(status).phrase


def _code(status: int) -> str:
    return HTTPStatus(status).name.lower()


def _place(item: Mapping[str, Any]) -> Place:
    """Where and what, of one finding of pydantic's. Its message may quote what was sent, so it is not used."""
    where, *path = item["loc"]
    code = str(item["type"])
    detail = _DETAILS.get(code) or _ours(item) or "This is not what belongs here."
    limits = _limits(item.get("ctx") or {})
    said = f"{detail} {limits}".strip()
    if where == "body":
        return Place(pointer=_pointer(path, code), code=code, detail=said)
    return Place(parameter=_parameter(path, code), code=code, detail=said)


_UNNAMED = frozenset({"extra_forbidden", "json_invalid"})  # the last step is what was sent, or a number

_DETAILS = {
    "missing": "This is missing. Add it.",
    "extra_forbidden": "There is a name here that is not described. Remove it, or correct its name.",
    "json_invalid": "This is no JSON (RFC 8259).",
    "string_type": "Write a text.",
    "string_unicode": "Write a text in whole Unicode characters.",
    "string_too_long": "This is too long.",
    "string_too_short": "This is too short.",
    "string_pattern_mismatch": "This is not written as described.",
    "int_type": "Write a whole number.",
    "int_parsing": "Write a whole number.",
    "bool_type": "Write true or false.",
    "list_type": "Write a list.",
    "dict_type": "Write an object.",
    "model_type": "Write an object.",
    "model_attributes_type": "Write an object.",
    "enum": "This is none of the values described.",
    "literal_error": "This is none of the values described.",
    "too_long": "There are too many.",
    "too_short": "There are too few.",
    "greater_than_equal": "The number is too small.",
    "less_than_equal": "The number is too large.",
}
_LIMITS = {
    "max_length": "At most {}.",
    "min_length": "At least {}.",
    "ge": "At least {}.",
    "le": "At most {}.",
}


def _ours(item: Mapping[str, Any]) -> str:
    """The text of an error that a validator of ours raised: it quotes nothing."""
    return str(item["ctx"]["error"]) if item["type"] == "value_error" and item.get("ctx") else ""


def _limits(context: Mapping[str, Any]) -> str:
    return " ".join(text.format(context[name]) for name, text in _LIMITS.items() if name in context)


def _pointer(path: Sequence[str | int], code: str) -> str:
    """The JSON Pointer to a place in the body, up to the first name that only the sender knows."""
    steps = path[:-1] if code in _UNNAMED else path
    shown = takewhile(lambda step: isinstance(step, int) or step in known_names(), steps)
    return "".join(f"/{step}" for step in shown)


def _parameter(path: Sequence[str | int], code: str) -> str:
    return "" if code in _UNNAMED or not path else str(path[-1])
