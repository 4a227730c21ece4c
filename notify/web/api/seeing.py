"""What a key may see of contacts, and how they are shown."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from sqlalchemy import ColumnElement
from sqlmodel import Session, col, select

from contacts import registering
from contacts.conditions import is_there
from contacts.models import Contact, ContactList, Endpoint, EndpointState, ListKind, Membership, Subscription
from notify import liaisons
from notify.staff import StaffError
from notify.web.api.calls import Answer, Call, Trace
from notify.web.api.problems import Problem, not_there
from notify.web.api.shapes import ContactShape, EndpointShape, Made, SubscriptionShape

BASE = "/api/v1"


def among(call: Call) -> list[ColumnElement[bool]]:
    """The conditions that a contact is there, and that the key may see it."""
    return [is_there(Contact), liaisons.visible_to(call.person)]


def visible(session: Session, call: Call, contact_id: int) -> Contact:
    """A contact that the key may see.

    Raises:
        Problem: there is none; or it is erased, merged into another, or on nobody's list but others'.
    """
    contact = session.exec(select(Contact).where(Contact.id == contact_id, *among(call))).first()
    if contact is None:
        raise not_there("contact")
    return contact


def endpoint_of(session: Session, contact_id: int, endpoint_id: int) -> Endpoint | None:
    """A contact's address of this id, if it has one that is still there."""
    query = select(Endpoint).where(
        Endpoint.id == endpoint_id,
        Endpoint.contact_id == contact_id,
        Endpoint.state != EndpointState.ERASED,
    )
    return session.exec(query).first()


def visible_list(session: Session, call: Call, list_id: int) -> ContactList:
    """A list that the key's person keeps.

    Raises:
        Problem: there is none, or it is in other hands.
    """
    with hidden("list"):
        liaisons.require_keeper(session, call.person, list_id)
    listed = session.get(ContactList, list_id)
    if listed is None or listed.kind == ListKind.REMOVED:
        raise not_there("list")
    return listed


def check_whole(session: Session, call: Call, contact_id: int) -> None:
    """Make sure that the key's person keeps every list a contact is on.

    Raises:
        Problem: it is also on others.
    """
    try:
        liaisons.require_whole(session, call.person, contact_id)
    except StaffError:
        detail = "The contact is also on lists that the key's person does not keep. Ask an administrator."
        raise Problem(403, "other_lists", detail) from None


@contextmanager
def hidden(what: str) -> Iterator[None]:
    """Say of what is in other hands that it is not there.

    Raises:
        Problem: instead of `StaffError`.
    """
    try:
        yield
    except StaffError:
        raise not_there(what) from None


def shaped(session: Session, call: Call, contacts: Sequence[Contact]) -> list[ContactShape]:
    """Contacts as answers show them, with a fixed number of queries."""
    ids = [contact.id or 0 for contact in contacts]
    seen = {listed.id for listed in liaisons.lists_of(session, call.person)}
    places = _endpoints(session, ids)
    said = _subscriptions(session, [each.id or 0 for each in places])
    shown: dict[int, list[EndpointShape]] = defaultdict(list)
    for place in places:
        standing = [each for each in said[place.id or 0] if each.list_id in seen]
        shown[place.contact_id].append(_endpoint_shape(place, standing))
    on = _memberships(session, ids)
    return [
        ContactShape(
            id=contact.id or 0, name=contact.name, language=contact.language, area=contact.area,
            groups=registering.groups_of(contact), lists=[each for each in on[contact.id or 0] if each in seen],
            endpoints=shown[contact.id or 0], created_at=contact.created_at, updated_at=contact.updated_at,
        )
        for contact in contacts
    ]  # fmt: skip


def _endpoints(session: Session, contact_ids: Sequence[int]) -> list[Endpoint]:
    query = select(Endpoint).where(
        col(Endpoint.contact_id).in_(contact_ids), Endpoint.state != EndpointState.ERASED
    )
    return list(session.exec(query.order_by(col(Endpoint.id))))


def _subscriptions(session: Session, endpoint_ids: Sequence[int]) -> dict[int, list[Subscription]]:
    query = select(Subscription).where(col(Subscription.endpoint_id).in_(endpoint_ids))
    found: dict[int, list[Subscription]] = defaultdict(list)
    for row in session.exec(query.order_by(col(Subscription.list_id))):
        found[row.endpoint_id].append(row)
    return found


def _memberships(session: Session, contact_ids: Sequence[int]) -> dict[int, list[int]]:
    query = select(Membership).where(col(Membership.contact_id).in_(contact_ids))
    found: dict[int, list[int]] = defaultdict(list)
    for row in session.exec(query.order_by(col(Membership.list_id))):
        found[row.contact_id].append(row.list_id)
    return found


def _endpoint_shape(place: Endpoint, standing: Sequence[Subscription]) -> EndpointShape:
    return EndpointShape(
        id=place.id or 0, channel=place.channel, address=place.address, state=EndpointState(place.state),
        state_reason=place.state_reason, opted_out=place.opted_out, held=place.held,
        subscriptions=[SubscriptionShape.model_validate(each) for each in standing], created_at=place.created_at,
    )  # fmt: skip


def made(path: str, number: int, trace: Trace) -> Answer:
    """What is said of something that was made."""
    url = f"{BASE}/{path}"
    return Answer(Made(id=number, url=url), 201, {"Location": url}, trace)


def check_match(match: str, now_there: Answer) -> None:
    """Make sure that what is to be changed is still what the program saw (RFC 9110, section 13.1.1).

    Raises:
        Problem: it has changed since.
    """
    known = {tag.strip() for tag in match.split(",")}
    if match and not known & {"*", now_there.headers["ETag"]}:
        raise Problem(
            412, "changed_since", "This has changed since you read it. Read it again, then change it."
        )


def tagged(answer: Answer) -> Answer:
    """The answer with its ETag: equal for equal content."""
    tag = f'"{hashlib.sha256(answer.body).hexdigest()[:32]}"'
    return Answer(answer.content, answer.status, {**answer.headers, "ETag": tag}, answer.trace)
