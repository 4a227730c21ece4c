"""Segments: saved filters, read, made, changed, counted. Nothing here shows who is in one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from fastapi import Response
from sqlmodel import Session, col, select

from contacts import segments
from contacts.models import Segment
from contacts.segments import FilterError, SegmentError
from notify import liaisons
from notify.apikeys import Scope
from notify.hub import address_kinds
from notify.staff import StaffError
from notify.web.api.calls import Answer, Call, Caller, Trace
from notify.web.api.fields import IfMatch, PathId
from notify.web.api.paging import Paging
from notify.web.api.problems import not_possible, not_there
from notify.web.api.routing import Routes
from notify.web.api.seeing import check_match, made, tagged
from notify.web.api.segment_shapes import (
    CountShape,
    CountsShape,
    Filter,
    NewSegment,
    SegmentPage,
    SegmentShape,
)
from notify.web.api.shapes import Made


def add_routes(routes: Routes) -> None:
    """The routes of segments."""
    read, write = Scope.SEGMENTS_READ, Scope.SEGMENTS_WRITE
    one = "/segments/{segment_id:id}"
    routes.add("GET", "/segments", list_segments, scope=read, gives=SegmentPage, refuses=[422])
    routes.add(
        "POST", "/segments", create_segment, scope=write, gives=Made, status=201, repeatable=True,
        headers=["Location"], makes=("segment_id", "id"),
    )  # fmt: skip
    routes.add("POST", "/segments/count", count_filter, scope=read, gives=CountsShape, refuses=[422])
    routes.add("GET", one, get_segment, scope=read, gives=SegmentShape, refuses=[404], headers=["ETag"])
    routes.add(
        "PUT",
        one,
        replace_segment,
        scope=write,
        gives=SegmentShape,
        refuses=[404, 412, 422],
        headers=["ETag"],
    )
    routes.add("DELETE", one, delete_segment, scope=write, gives=None, status=204, refuses=[404])
    routes.add("GET", f"{one}/count", count_segment, scope=read, gives=CountsShape, refuses=[404, 422])


def list_segments(call: Caller, asked: Paging) -> Response:
    """All segments in the order in which they were made."""
    after = call.cursors.after("segments", asked)

    def look(session: Session) -> Answer:
        query = select(Segment).where(col(Segment.id) > after).order_by(col(Segment.id))
        found = list(session.exec(query.limit(asked.limit + 1)))
        count, cursor = call.cursors.following("segments", asked, [each.id or 0 for each in found])
        items = [_shape(session, each) for each in found[:count]]
        return Answer(SegmentPage(items=items, next_cursor=cursor))

    return call.read(look)


def get_segment(call: Caller, segment_id: PathId) -> Response:
    """One segment, and whom it means in words."""
    return call.read(lambda session: _shown(session, _segment(session, segment_id)))


def create_segment(call: Caller, wanted: NewSegment) -> Response:
    """Save a filter under a name."""

    def make(session: Session) -> Answer:
        with _understood():
            kept = segments.add(
                session, wanted.name, wanted.expression, actor=call.actor, channels=address_kinds()
            )
        return made(f"segments/{kept.id}", kept.id or 0, Trace("segment.add", f"segment {kept.id}"))

    return call.write(make)


def replace_segment(call: Caller, segment_id: PathId, wanted: NewSegment, match: IfMatch = "") -> Response:
    """Give a segment another name and filter. Dispatches that were planned keep the filter as it was."""

    def do(session: Session) -> Answer:
        segment = _segment(session, segment_id)
        check_match(match, _shown(session, segment))
        with _understood():
            segments.edit(
                session, segment, name=wanted.name, expression=wanted.expression, channels=address_kinds()
            )
        return _shown(session, segment, Trace("segment.edit", f"segment {segment_id}"))

    return call.write(do)


def delete_segment(call: Caller, segment_id: PathId) -> Response:
    """Take a segment away. Dispatches that were planned keep their filter."""

    def do(session: Session) -> Answer:
        segments.remove(session, _segment(session, segment_id))
        return Answer(status=204, trace=Trace("segment.remove", f"segment {segment_id}"))

    return call.write(do)


def count_segment(call: Caller, segment_id: PathId) -> Response:
    """How many people a segment means now, by channel and language."""
    return call.read(lambda session: _counted(session, call, _segment(session, segment_id).expression))


def count_filter(call: Caller, wanted: Filter) -> Response:
    """How many people a filter means now, without saving it."""
    return call.read(lambda session: _counted(session, call, wanted.expression))


def _segment(session: Session, segment_id: int) -> Segment:
    found = session.get(Segment, segment_id)
    if found is None:
        raise not_there("segment")
    return found


@contextmanager
def _understood() -> Iterator[None]:
    """Say of a filter or a name that is not taken why.

    Raises:
        Problem: instead of `FilterError` and `SegmentError`.
    """
    try:
        yield
    except FilterError as error:
        raise not_possible("/expression", "filter", str(error)) from None
    except SegmentError as error:
        raise not_possible("/name", "segment_name", str(error)) from None


def _counted(session: Session, call: Call, expression: str) -> Answer:
    with _understood():
        named = segments.lists_named(session, expression)
    try:
        liaisons.require_counting(session, call.person, named)
    except StaffError as error:
        raise not_possible("/expression", "list_unknown", str(error)) from None
    with _understood():
        counts = segments.count(session, expression)
        said = segments.explain(session, expression)
    rows = [CountShape.model_validate(row) for row in counts.rows]
    return Answer(CountsShape(explanation=said, meant=counts.meant, reached=counts.reached, rows=rows))


def _shown(session: Session, segment: Segment, trace: Trace | None = None) -> Answer:
    return tagged(Answer(_shape(session, segment), trace=trace))


def _shape(session: Session, segment: Segment) -> SegmentShape:
    return SegmentShape(
        id=segment.id or 0, name=segment.name, expression=segments.written(session, segment.expression),
        created_by=segment.created_by, created_at=segment.created_at, updated_at=segment.updated_at,
    )  # fmt: skip
