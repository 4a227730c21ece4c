"""What the translation desk refuses, as problems: the place in the request, and the cure."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from notify.translation.desk.refusals import NotPossible, NotTheirs, Why
from notify.translation.engine import EngineError, Unavailable
from notify.web.api.problems import Place, Problem, not_possible, not_there


@dataclass(frozen=True, slots=True)
class _Spot:
    """Where in a request something is that cannot be done as it is."""

    detail: str
    pointer: str = ""
    parameter: str = ""


_SPOTS = {
    Why.LANGUAGE: _Spot(
        "No text is translated to this. Write a BCP 47 tag like es or zh-Hant, other than the source's.",
        parameter="language",
    ),
    Why.NO_FINDING: _Spot("The sentence has no finding with this number. Read it again.", "/finding"),
    Why.NO_REASON: _Spot("Say why the sentence is right as it is.", "/reason"),
    Why.EMPTY: _Spot("The sentence is empty. Write it.", "/text"),
}
_MEANWHILE = {
    Why.STALE: "The source has changed since this was translated. Bring it up to date: POST to …/prepare.",
    Why.CHANGED: "Somebody else has changed this since you read it. Read it again.",
}
_NOT_THEIRS = {
    Why.ROLE: "The person this key acts for may not work on translations.",
    Why.NOT_READ: "The person this key acts for does not read this language: somebody who does has to approve.",
    Why.OWN_EDIT: "The person this key acts for was the last to edit a sentence. Somebody else has to approve it.",
}


@contextmanager
def at_the_desk() -> Iterator[None]:
    """Say of a step that the desk refuses where and why.

    Raises:
        Problem: instead of `NotPossible`, `NotTheirs` and `EngineError`.
    """
    try:
        yield
    except NotPossible as error:
        raise _refused(error) from None
    except NotTheirs as error:
        raise Problem(403, error.why, _NOT_THEIRS[error.why]) from None
    except EngineError as error:
        raise _no_machine(error) from None


def _refused(error: NotPossible) -> Problem:
    why = error.why
    if why is Why.NO_TRANSLATION:
        return not_there("translation")
    if why is Why.NO_SENTENCE:
        return not_there("sentence")
    if why in _MEANWHILE:
        return Problem(409, why, _MEANWHILE[why])
    if why is Why.BLOCKED:
        places = [Place(code=why, detail=problem) for problem in error.problems]
        return Problem(422, "not_possible", "Not everything can be approved as it is.", errors=places)
    spot = _SPOTS[why]
    if spot.parameter:
        place = Place(parameter=spot.parameter, code=why, detail=spot.detail)
        return Problem(422, "not_possible", "The request cannot be done as it is.", errors=[place])
    return not_possible(spot.pointer, why, spot.detail)


def _no_machine(error: EngineError) -> Problem:
    """What an engine says holds no text of the statement."""
    if isinstance(error, Unavailable):
        return Problem(503, "machine_unavailable", str(error), headers={"Retry-After": "30"})
    return Problem(422, "not_possible", str(error), errors=[Place(code="machine", detail=str(error))])
