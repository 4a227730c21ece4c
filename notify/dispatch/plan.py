"""From an audience to rows: one SQL statement for each channel, with consent in its WHERE."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Select, Subquery, case, func, insert, literal, select
from sqlalchemy.sql.elements import ColumnElement
from sqlmodel import Session, col

from channels.contract import Channel, Rendering
from contacts import audience, filters, lists, segments
from contacts.audience import Audience
from contacts.columns import now
from contacts.filter_trees import FilterError
from contacts.models import Endpoint
from notify import audit, statements
from notify.database import counting
from notify.dispatch.models import Batch, BatchState, Delivery, DeliveryState, Dispatch, DispatchState
from notify.rendering import Renderer
from notify.statements import Kind, Statement, Text
from notify.translation.serving import text_for

SEGMENT = "segment:"  # before a segment's name, where a list's could stand
EVERYBODY = "all"


class DispatchError(ValueError):
    """The dispatch is not possible like this; the message names the cure."""


@dataclass(frozen=True, slots=True)
class Order:
    """What is asked for."""

    statement_id: int
    list_name: str | None  # a list, or "segment:NAME"; None: everybody
    channels: tuple[str, ...]
    actor: str
    starts_at: datetime | None = None
    urgent_reason: str = ""  # an override of quiet hours, with its reason
    again: bool = False
    window: timedelta = timedelta(hours=24)
    excluded: tuple[str, ...] = ()  # lists whose people are left out


@dataclass(frozen=True, slots=True)
class Target:
    """Whom a dispatch is for, as it is kept with the dispatch.

    Attributes:
        list_id: those on a list; None is everybody, or a segment.
        segment: the segment's name, for people.
        filter: its filter as it is now, with its lists looked up.
        excluded: lists whose people are left out.
    """

    list_id: int | None = None
    segment: str = ""
    filter: str = ""
    excluded: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Line:
    """What a dispatch comes to for one channel and language."""

    channel: str
    language: str
    people: int
    parts: int
    unit: str
    cost: Decimal
    preview: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Forecast:
    """What would leave, and who would not be written to and why."""

    lines: tuple[Line, ...]
    skipped: Mapping[tuple[str, str], int]  # (channel, reason) -> rows
    audience: int

    @property
    def people(self) -> int:
        """Messages to addresses that may be written to."""
        return sum(line.people for line in self.lines)

    @property
    def cost(self) -> Decimal:
        """Estimated, in the city's currency."""
        return sum((line.cost for line in self.lines), Decimal(0))


def plan(session: Session, order: Order, channels: Mapping[str, Channel], renderer: Renderer) -> Dispatch:
    """Keep a dispatch. One with a time ahead is only scheduled; its rows are planned when it comes.

    Raises:
        NotApproved: the statement is not approved as it is now.
        DispatchError: an unknown list or channel, a channel that is off, a text that does not fit.
    """
    texts = statements.require_approved(session, order.statement_id)
    statement = statements.find(session, order.statement_id)
    chosen = _channels(order.channels, channels)
    meant = target(session, order.list_name, order.excluded)
    _refuse_what_does_not_fit(statement, texts, chosen, renderer)
    dispatch = Dispatch(
        statement_id=order.statement_id,
        revision=statement.revision,
        list_id=meant.list_id,
        segment=meant.segment,
        filter=meant.filter,
        excluded=list(meant.excluded),
        channels=" ".join(chosen),
        urgent=statement.kind == Kind.CRISIS or bool(order.urgent_reason),
        urgent_reason=order.urgent_reason or ("crisis" if statement.kind == Kind.CRISIS else ""),
        again=order.again,
        starts_at=order.starts_at,
        window_until=(order.starts_at or now()) + order.window,
        actor=order.actor,
        state=DispatchState.SCHEDULED,
    )
    session.add(dispatch)
    session.flush()
    if order.starts_at is None:
        fill(session, dispatch, chosen)
    audit.record(
        session, order.actor, "dispatch.plan", f"dispatch {dispatch.id}",
        statement=order.statement_id, list=order.list_name or EVERYBODY, except_=", ".join(order.excluded),
        channels=dispatch.channels, audience=dispatch.audience, urgent_reason=dispatch.urgent_reason,
    )  # fmt: skip
    return dispatch


def fill(session: Session, dispatch: Dispatch, channels: Mapping[str, Channel]) -> None:
    """Turn the audience into rows and batches.

    Raises:
        NotApproved: the statement is not approved as it is now.
    """
    texts = statements.require_approved(session, dispatch.statement_id)
    wanted = audience_of(dispatch)
    language = _language_map(session, texts)
    before = _others(session, dispatch)
    for name, channel in channels.items():
        had = before(name) if before else None
        rows = audience.candidates(name, wanted, language, per_household=channel.per_household, already=had)
        _insert(session, dispatch, name, _in_batches(session, rows, channel, wanted))
        _make_batches(session, dispatch, name)
    _insert(session, dispatch, "", _in_no_batch(audience.without_address(list(channels), wanted)))
    dispatch.audience = session.execute(
        select(func.count()).select_from(Delivery).where(col(Delivery.dispatch_id) == dispatch.id)
    ).scalar_one()
    dispatch.state = DispatchState.PLANNED
    session.add(dispatch)
    session.flush()


def forecast(session: Session, order: Order, channels: Mapping[str, Channel], renderer: Renderer) -> Forecast:
    """Plan, count, and keep nothing.

    Raises:
        NotApproved, DispatchError: as `plan` does.
    """
    inside = session.begin_nested()
    try:
        dispatch = plan(session, Order(**{**_as_dict(order), "starts_at": None}), channels, renderer)
        return summarise(session, dispatch, channels, renderer)
    finally:
        inside.rollback()


def summarise(
    session: Session, dispatch: Dispatch, channels: Mapping[str, Channel], renderer: Renderer
) -> Forecast:
    """Count a planned dispatch by channel and language, with parts, cost and a preview of each."""
    texts = statements.require_approved(session, dispatch.statement_id)
    statement = statements.find(session, dispatch.statement_id)
    query = (
        select(Delivery.channel, Delivery.language, Delivery.state, Delivery.reason, func.count())  # type: ignore[call-overload]
        .where(col(Delivery.dispatch_id) == dispatch.id)
        .group_by(Delivery.channel, Delivery.language, Delivery.state, Delivery.reason)
        .order_by(Delivery.channel, Delivery.language)
    )
    lines, skipped, total = [], dict[tuple[str, str], int](), 0
    for name, language, state, reason, count in session.execute(query):
        total += count
        if state == DeliveryState.SKIPPED:
            skipped[name, reason] = skipped.get((name, reason), 0) + count
            continue
        renderings = [
            renderer.rendering(statement, texts[each], each, channels[name]) for each in language.split(",")
        ]
        lines.append(_line(name, language, count, renderings, channels[name].unit))
    return Forecast(tuple(lines), skipped, total)


def _line(channel: str, language: str, people: int, renderings: list[Rendering], unit: str) -> Line:
    return Line(
        channel,
        language,
        people,
        people * sum(each.parts for each in renderings),
        unit,
        people * sum((each.cost for each in renderings), Decimal(0)),
        "\n\n".join(each.preview for each in renderings),
        tuple(dict.fromkeys(note for each in renderings for note in each.notes)),
    )


def _channels(names: Iterable[str], on: Mapping[str, Channel]) -> dict[str, Channel]:
    chosen = {name: on[name] for name in names if name in on}
    if missing := [name for name in dict.fromkeys(names) if name not in on]:
        raise DispatchError(
            f"Channel {', '.join(missing)} is off or unknown; on are: {', '.join(on) or 'none'}. "
            "See `notify channels list` for what its settings need."
        )
    if not chosen:
        raise DispatchError("Name at least one channel, like --channels sms,email.")
    return chosen


def audience_of(dispatch: Any) -> Audience:
    """The audience that a dispatch keeps; a row of its columns will do.

    Raises:
        FilterError: the filter is damaged.
    """
    return Audience.kept(dispatch.list_id, dispatch.filter, dispatch.excluded)


def target(session: Session, to: str | None, except_: Iterable[str] = ()) -> Target:
    """Whom words like these mean, now.

    Args:
        session: may read.
        to: a list's name, "segment:NAME", or None or "all" for everybody.
        except_: the names of lists whose people are left out.

    Raises:
        DispatchError: there is no such list or segment, or the segment's filter cannot be asked.
    """
    excluded = tuple(sorted({_list_id(session, name) for name in except_}))
    if to is None or to == EVERYBODY:
        return Target(excluded=excluded)
    if not to.startswith(SEGMENT):
        return Target(_list_id(session, to), excluded=excluded)
    try:
        found = segments.find(session, to.removeprefix(SEGMENT))
        tree = segments.looked_up(session, found.expression)
    except (segments.UnknownSegment, FilterError) as error:
        raise DispatchError(str(error)) from None
    return Target(segment=found.name, filter=filters.show(tree), excluded=excluded)


def in_words(session: Session, order: Order) -> list[str]:
    """Whom an order is for, and whom it leaves out, in plain English, a line each.

    Raises:
        DispatchError: as `target` does.
    """
    meant = target(session, order.list_name, order.excluded)
    if meant.filter:
        lines = [f"For the segment {meant.segment!r}: {segments.explain(session, meant.filter)}"]
        lines += segments.doubts(session, meant.filter)
    elif meant.list_id is not None:
        lines = [f"For the list {order.list_name!r}."]
    else:
        lines = ["For everybody who has said yes to a list."]
    if order.excluded:
        names = " or ".join(map(repr, order.excluded))
        lines.append(f"Left out: everybody on {names}, and whoever shares an address with one of them.")
    return lines


def _list_id(session: Session, name: str) -> int:
    try:
        found = lists.by_name(session, name)
    except lists.UnknownList:
        known = ", ".join(each.name for each in lists.every(session)) or "none yet"
        raise DispatchError(
            f"There is no list {name!r}. Lists are: {known}; `{EVERYBODY}` is everybody, {SEGMENT}NAME a segment."
        ) from None
    assert found.id is not None
    return found.id


def _refuse_what_does_not_fit(
    statement: Statement, texts: Mapping[str, Text], channels: Mapping[str, Channel], renderer: Renderer
) -> None:
    if problems := renderer.problems(statement, texts, channels.values()):
        raise DispatchError("\n".join(problems))


def _language_map(session: Session, texts: Mapping[str, Text]) -> dict[str, str]:
    """The statement's language for each language that residents read."""
    matches = {wanted: text_for(wanted, texts) for wanted in audience.languages(session)}
    return {wanted: found for wanted, found in matches.items() if found}


def _others(session: Session, dispatch: Dispatch) -> Any:
    """How to ask whether an endpoint has this statement from another dispatch; None when there is no other."""
    if dispatch.again:
        return None
    others = list(
        session.execute(
            select(col(Dispatch.id)).where(
                col(Dispatch.statement_id) == dispatch.statement_id,
                col(Dispatch.id) != dispatch.id,
                col(Dispatch.revision) == dispatch.revision,
            )
        ).scalars()
    )
    if not others:
        return None

    def had(channel: str) -> ColumnElement[bool]:
        return (
            select(literal(1))
            .where(
                col(Delivery.dispatch_id).in_(others),
                col(Delivery.endpoint_id) == col(Endpoint.id),
                col(Delivery.channel) == channel,
                col(Delivery.state).not_in([DeliveryState.SKIPPED, DeliveryState.FAILED]),
            )
            .exists()
        )

    return had


def _in_batches(session: Session, rows: Select[Any], sender: Channel, wanted: Audience) -> Subquery:
    """The rows of `audience.candidates`, each with the number of its batch, should it go."""
    # The offset lets a database find the reason of a row once, however often it is used.
    found = rows.offset(0).subquery()
    # Not `//`, which asks SQLite for the floor of a fraction.
    batch = (_place(session, found, sender, wanted) - 1).op("/", precedence=8)(sender.batch_size) + 1
    return select(found, batch.label("nth")).where(found.c.contact_id.is_not(None)).subquery()


def _place(session: Session, found: Subquery, sender: Channel, wanted: Audience) -> ColumnElement[Any]:
    """A row's place among those found, from 1: the batches are cut by it."""
    if sender.per_household:  # mail is printed by language
        left_out = found.c.reason.is_not(None)
        return func.row_number().over(order_by=[left_out, found.c.language, found.c.endpoint_id])
    # Of nearly all contacts their own numbers tell it, which costs nothing.
    return found.c.contact_id if audience.is_wide(session, sender.name, wanted) else counting(session)


def _in_no_batch(rows: Select[Any]) -> Subquery:
    return rows.add_columns(literal(0).label("nth")).subquery()


def _insert(session: Session, dispatch: Dispatch, channel: str, rows: Subquery) -> None:
    """The rows of one channel, in one statement."""
    goes = rows.c.reason.is_(None)
    chosen = select(
        literal(dispatch.id).label("dispatch_id"),
        literal(channel).label("channel"),
        case((goes, rows.c.nth), else_=0).label("batch"),
        rows.c.contact_id,
        rows.c.endpoint_id,
        func.coalesce(rows.c.language, "").label("language"),
        case((goes, DeliveryState.PLANNED.value), else_=DeliveryState.SKIPPED.value).label("state"),
        func.coalesce(rows.c.reason, "").label("reason"),
        literal(0).label("attempts"),
        literal("").label("detail"),
    )
    session.execute(insert(Delivery).from_select([column.name for column in chosen.selected_columns], chosen))


def _make_batches(session: Session, dispatch: Dispatch, channel: str) -> None:
    rows = (
        select(
            literal(dispatch.id),
            literal(channel),
            col(Delivery.batch),
            literal(0 if dispatch.urgent else 1),
            literal(BatchState.READY.value),
            literal(""),
        )
        .where(
            col(Delivery.dispatch_id) == dispatch.id,
            col(Delivery.channel) == channel,
            col(Delivery.batch) > 0,
        )
        .distinct()
    )
    names = ["dispatch_id", "channel", "number", "priority", "state", "worker"]
    session.execute(insert(Batch).from_select(names, rows))


def _as_dict(order: Order) -> dict[str, Any]:
    return {name: getattr(order, name) for name in Order.__slots__}
