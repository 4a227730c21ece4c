"""The consent ledger: who said yes or no to what, when, how, in which words; and what it comes to.

Events are only ever added. `contacts.standing` says what they come to. `Subscription` and
`Endpoint.opted_out` keep the result beside them, so that the audience query can stand on an index.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Required, TypedDict, Unpack

from sqlalchemy import delete, select, update
from sqlmodel import Session, col

from contacts.bulk import hold_writes, insert_rows, reserve_ids
from contacts.columns import now
from contacts.models import Basis, ConsentEvent, Endpoint, Subscription
from contacts.standing import Course, Method, Said, Standing, State

__all__ = [
    "Method", "OptOutStands", "Saying", "Standing", "State", "Word",
    "carry_over", "course", "opt_in", "opt_out", "present", "record", "record_many", "replay", "was_just_refused",
]  # fmt: skip


_JUST_NOW = timedelta(hours=1)


class OptOutStands(ValueError):
    """A weak yes was refused because the resident has said no."""


@dataclass(slots=True, kw_only=True)
class Word:
    """One yes or no that is to be recorded; the fields are those of `ConsentEvent`."""

    contact_id: int
    endpoint_id: int
    list_id: int | None = None
    decision: bool
    method: str
    wording: str = field(default="", repr=False)
    wording_language: str = ""
    reference: str = ""
    actor: str = ""
    ip: str = field(default="", repr=False)
    at: datetime = field(default_factory=now)
    basis: str = Basis.CONSENT
    import_id: int | None = None


class Saying(TypedDict, total=False):
    """The arguments of `record` that neither name the endpoint nor decide."""

    list_id: int | None
    method: Required[str]
    wording: str
    wording_language: str
    reference: str
    actor: str
    ip: str
    at: datetime
    basis: str


def record(
    session: Session,
    *,
    contact_id: int,
    endpoint_id: int,
    list_id: int | None,
    decision: bool,
    method: str,
    wording: str = "",
    wording_language: str = "",
    reference: str = "",
    actor: str = "",
    ip: str = "",
    at: datetime | None = None,
    basis: str = Basis.CONSENT,
) -> ConsentEvent:
    """Record one decision, and bring the state up to date. Nothing is committed.

    Args:
        session: an open session that may write.
        contact_id: who decided.
        endpoint_id: about which address.
        list_id: about which list; None is everything.
        decision: yes or no.
        method: how it reached us, see `Method`.
        wording: the exact words the resident saw or sent.
        wording_language: their language, BCP 47.
        reference: form id, file and row, provider id.
        actor: staff, or "resident".
        ip: of who filled in a form.
        at: when the resident decided; now if None. A time still to come is taken as now.
        basis: why the city may write, see `Basis`.

    Returns:
        The event; the one recorded before where exactly the same comes again.

    Raises:
        OptOutStands: a weak yes, and the resident has said no.
        ValueError: no such endpoint of this contact, or a time without its zone.
    """
    word = Word(
        contact_id=contact_id, endpoint_id=endpoint_id, list_id=list_id, decision=decision, method=method,
        wording=wording, wording_language=wording_language, reference=reference, actor=actor, ip=ip,
        at=at or now(), basis=basis,
    )  # fmt: skip
    (event_id,) = record_many(session, [word])
    if event_id is None:
        raise OptOutStands("The resident has said no; only the resident's own new yes changes that.")
    return session.get_one(ConsentEvent, event_id)


def record_many(session: Session, words: Sequence[Word], *, fresh: Collection[int] = ()) -> list[int | None]:
    """Record decisions in their order, with a fixed number of statements. Nothing is committed.

    Args:
        session: an open session that may write.
        words: the decisions.
        fresh: endpoints made in this transaction about which nothing has been said.

    Returns:
        For each word the id of its event, or None where an opt-out stands against it.

    Raises:
        ValueError: no such endpoint of this contact, or a time without its zone.
    """
    return _record(session, words, fresh=fresh)


def carry_over(session: Session, source_id: int, target_id: int) -> int:
    """Say again about one endpoint all that was said about another with the same address. Nothing is committed.

    Times, words and methods stay; the reference names the event that is repeated. A weak yes is repeated
    even where an opt-out stands: it comes to nothing, but no event is lost.

    Args:
        session: an open session that may write.
        source_id: the endpoint whose events are read.
        target_id: the endpoint to which they are added.

    Returns:
        How many events there were.
    """
    owner = session.execute(
        select(col(Endpoint.contact_id)).where(col(Endpoint.id) == target_id)
    ).scalar_one()
    query = select(ConsentEvent).where(col(ConsentEvent.endpoint_id) == source_id)
    events = session.execute(query.order_by(col(ConsentEvent.id))).scalars()
    words = [_repeated(event, owner, target_id) for event in events]
    return len(_record(session, words, takes_all=True))


def take_back_import(session: Session, import_id: int, endpoint_ids: Sequence[int], *, actor: str) -> None:
    """Take back what an import said yes to about some endpoints; what it said no to stays. Nothing is committed.

    Args:
        session: an open session that may write.
        import_id: of the `ImportRun`.
        endpoint_ids: those it has events about.
        actor: who undoes it.
    """
    hold_writes(session)
    owners = {
        row.id: row.contact_id
        for row in session.execute(
            select(col(Endpoint.id), col(Endpoint.contact_id)).where(col(Endpoint.id).in_(endpoint_ids))
        )
    }
    _hold_endpoints(session, owners)
    moment = now()
    ids = reserve_ids(session, ConsentEvent, len(owners))
    words = [
        Word(
            contact_id=contact_id, endpoint_id=endpoint_id, decision=False, method=Method.IMPORT_UNDONE.value,
            reference=f"import {import_id}", actor=actor, at=moment, import_id=import_id,
        )
        for endpoint_id, contact_id in owners.items()
    ]  # fmt: skip
    insert_rows(session, ConsentEvent, [_row(word, _said(word, next(ids), moment), moment) for word in words])
    courses: dict[int, list[Said]] = defaultdict(list)
    for endpoint_id, event in _events(session, owners):
        courses[endpoint_id].append(event)
    _keep(session, {endpoint_id: Course(events).state() for endpoint_id, events in courses.items()}, ())


def opt_out(session: Session, channel: str, address_key: str, **saying: Unpack[Saying]) -> int:
    """Record a no for every endpoint with this address: a phone that two people share falls silent for both.

    Args:
        session: an open session that may write.
        channel: its name.
        address_key: from `contacts.addresses`.
        **saying: the other arguments of `record`; without `list_id` it is a no to everything.

    Returns:
        How many endpoints have this address.
    """
    return _say(session, channel, address_key, False, saying)


def opt_in(session: Session, channel: str, address_key: str, **saying: Unpack[Saying]) -> int:
    """Record a yes for every endpoint with this address; arguments and result as for `opt_out`.

    Without `list_id` it takes back a no to everything and gives back the lists there were.
    """
    return _say(session, channel, address_key, True, saying)


def course(session: Session, endpoint_id: int) -> Course:
    """All that was said about one endpoint."""
    return Course(event for _, event in _events(session, [endpoint_id]))


def replay(session: Session, endpoint_id: int) -> State:
    """What an endpoint's events come to, computed from the events alone."""
    return course(session, endpoint_id).state()


def present(session: Session, endpoint_id: int) -> State:
    """The state that is kept beside the events; always equal to `replay`."""
    subscriptions = session.execute(
        select(
            col(Subscription.list_id),
            col(Subscription.active),
            col(Subscription.basis),
            col(Subscription.event_id),
        ).where(col(Subscription.endpoint_id) == endpoint_id)
    )
    opted_out = session.execute(
        select(col(Endpoint.opted_out)).where(col(Endpoint.id) == endpoint_id)
    ).scalar_one()
    return State(opted_out, {row[0]: Standing(*row[1:]) for row in subscriptions})


def was_just_refused(session: Session, endpoint_id: int, list_id: int | None) -> bool:
    """Whether a no to just this list, or to everything (None), adds nothing to the one before it.

    Mail programs press twice. Any other no is kept, though nothing is sent anyhow: a list that only a no to
    everything silences would come back with the others, and a yes on paper that is entered late may be newer
    than the first no.
    """
    told = course(session, endpoint_id)
    own = told.general if list_id is None else told.own.get(list_id)
    return own is not None and not own.decision and now() - own.at < _JUST_NOW


def _record(
    session: Session, words: Sequence[Word], *, fresh: Collection[int] = (), takes_all: bool = False
) -> list[int | None]:
    if not words:
        return []
    hold_writes(session)
    moment = now()
    courses = _courses(session, [word for word in words if word.endpoint_id not in fresh])
    ids = reserve_ids(session, ConsentEvent, len(words))
    rows: list[dict[str, Any]] = []
    answers = [
        _take(word, courses[word.endpoint_id], ids, rows, moment, takes_all=takes_all) for word in words
    ]
    insert_rows(session, ConsentEvent, rows)
    _keep(session, {row["endpoint_id"]: courses[row["endpoint_id"]].state() for row in rows}, fresh)
    return answers


def _repeated(event: ConsentEvent, contact_id: int, endpoint_id: int) -> Word:
    return Word(
        contact_id=contact_id, endpoint_id=endpoint_id, list_id=event.list_id, decision=event.decision,
        method=event.method, wording=event.wording, wording_language=event.wording_language,
        reference=f"{event.reference} (from event {event.id})".strip(), actor=event.actor, ip=event.ip,
        at=event.at, basis=event.basis, import_id=event.import_id,
    )  # fmt: skip


def _courses(session: Session, words: Sequence[Word]) -> dict[int, Course]:
    """The course of each endpoint about which something may have been said before."""
    _hold_endpoints(session, {word.endpoint_id: word.contact_id for word in words})
    said: dict[int, list[Said]] = defaultdict(list)
    for endpoint_id, event in _events(session, {word.endpoint_id for word in words}):
        said[endpoint_id].append(event)
    return defaultdict(Course, ((endpoint_id, Course(events)) for endpoint_id, events in said.items()))


def _hold_endpoints(session: Session, owners: dict[int, int]) -> None:
    # Locked in one order, so that two that record at once wait for each other and see each other's events.
    query = select(col(Endpoint.id), col(Endpoint.contact_id)).where(col(Endpoint.id).in_(owners))
    found = {
        row.id: row.contact_id for row in session.execute(query.order_by(col(Endpoint.id)).with_for_update())
    }
    if found != owners:
        wrong = min(endpoint for endpoint, contact in owners.items() if found.get(endpoint) != contact)
        raise ValueError(f"Endpoint {wrong} does not exist or is not contact {owners[wrong]}'s.")


def _events(session: Session, endpoint_ids: Collection[int]) -> Iterator[tuple[int, Said]]:
    columns = (
        ConsentEvent.endpoint_id, ConsentEvent.id, ConsentEvent.list_id, ConsentEvent.decision,
        ConsentEvent.method, ConsentEvent.basis, ConsentEvent.at, ConsentEvent.reference, ConsentEvent.import_id,
    )  # fmt: skip
    if endpoint_ids:
        query = select(*map(col, columns)).where(col(ConsentEvent.endpoint_id).in_(endpoint_ids))
        for endpoint_id, *event in session.execute(query):
            yield endpoint_id, Said(*event)


def _take(
    word: Word,
    course: Course,
    ids: Iterator[int],
    rows: list[dict[str, Any]],
    moment: datetime,
    *,
    takes_all: bool,
) -> int | None:
    """Add a word to its course and to the rows to be inserted, unless it is refused or there already."""
    if word.at.tzinfo is None:
        raise ValueError("When a resident decided needs its time zone.")
    at = min(word.at, moment)
    said = _said(word, next(ids), at)
    for known in course.told:
        if known.content == said.content:
            return known.id
    if not takes_all and course.refuses(said):
        return None
    course.add(said)
    rows.append(_row(word, said, moment))
    return said.id


def _said(word: Word, number: int, at: datetime) -> Said:
    return Said(
        number, word.list_id, word.decision, word.method, word.basis, at, word.reference, word.import_id
    )


def _row(word: Word, said: Said, moment: datetime) -> dict[str, Any]:
    return {
        "id": said.id,
        "contact_id": word.contact_id,
        "endpoint_id": word.endpoint_id,
        "list_id": word.list_id,
        "decision": word.decision,
        "basis": word.basis,
        "method": word.method,
        "wording": word.wording,
        "wording_language": word.wording_language,
        "reference": word.reference,
        "actor": word.actor,
        "ip": word.ip,
        "import_id": word.import_id,
        "at": said.at,
        "recorded_at": moment,
    }


def _keep(session: Session, states: dict[int, State], fresh: Collection[int]) -> None:
    """Write what the events come to beside them."""
    known = [endpoint_id for endpoint_id in states if endpoint_id not in fresh]
    if known:
        session.execute(delete(Subscription).where(col(Subscription.endpoint_id).in_(known)))
    rows = [
        {
            "list_id": list_id,
            "endpoint_id": endpoint_id,
            "active": found.active,
            "basis": found.basis,
            "event_id": found.event_id,
        }
        for endpoint_id, state in states.items()
        for list_id, found in state.lists.items()
    ]
    insert_rows(session, Subscription, rows)
    _mark(session, True, [endpoint_id for endpoint_id, state in states.items() if state.opted_out])
    _mark(session, False, [endpoint_id for endpoint_id in known if not states[endpoint_id].opted_out])


def _mark(session: Session, opted_out: bool, endpoint_ids: Sequence[int]) -> None:
    if endpoint_ids:
        session.execute(
            update(Endpoint).where(col(Endpoint.id).in_(endpoint_ids)).values(opted_out=opted_out)
        )


def _say(session: Session, channel: str, address_key: str, decision: bool, saying: Saying) -> int:
    query = select(col(Endpoint.id), col(Endpoint.contact_id)).where(
        col(Endpoint.channel) == channel, col(Endpoint.address_key) == address_key
    )
    found = session.execute(query).all()
    words = [
        Word(contact_id=row.contact_id, endpoint_id=row.id, decision=decision, **saying) for row in found
    ]
    record_many(session, words)
    return len(words)
