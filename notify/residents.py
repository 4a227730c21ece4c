"""What staff do with residents' data: each step checks who keeps the contact, and leaves a trace.

The commands, the HTTP interface and staff's pages stand on these functions, so that none of them forgets.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import func, or_, update
from sqlalchemy import select as columns
from sqlalchemy.sql.elements import ColumnElement
from sqlmodel import Session, col, select

from channels.contract import AddressKind
from contacts import duplicates, erasure, exporting, joining, lists
from contacts.duplicates import Group
from contacts.erasure import Erasure
from contacts.joining import Merge
from contacts.models import Contact, ContactList, Endpoint, EndpointState
from notify import audit, liaisons
from notify.dispatch.models import Delivery, DeliveryState, Dispatch
from notify.inbound import Inbound
from notify.staff import Staff
from notify.statements import Revision, Statement, Translation

_NEVER_LEFT = (DeliveryState.PLANNED, DeliveryState.SKIPPED, DeliveryState.FAILED)


@dataclass(frozen=True, slots=True)
class Keeper:
    """Who is at work on contacts.

    Attributes:
        name: for the audit trail.
        person: the member of staff; None: whoever has this machine, and with it the whole database.
    """

    name: str
    person: Staff | None = None

    @property
    def sees(self) -> ColumnElement[bool] | None:
        """The condition on `Contact` that narrows what this person sees; None: nothing does."""
        return None if self.keeps_all else liaisons.visible_to(self._staff)

    @property
    def keeps_all(self) -> bool:
        """Whether every list is theirs."""
        return self.person is None or liaisons.keeps_all(self.person)

    @property
    def _staff(self) -> Staff:
        assert self.person is not None
        return self.person

    def lists(self, session: Session) -> list[ContactList]:
        """The lists that are theirs, by name."""
        return lists.every(session) if self.person is None else liaisons.lists_of(session, self.person)

    def list_ids(self, session: Session) -> set[int] | None:
        """The ids of these lists; None: all."""
        return None if self.keeps_all else {each.id or 0 for each in self.lists(session)}

    def require_list(self, session: Session, listed: ContactList) -> None:
        """Raise `StaffError` unless the list is theirs."""
        if self.person is not None:
            liaisons.require_keeper(session, self.person, listed.id or 0)

    def require_contact(self, session: Session, contact_id: int, *, whole: bool = False) -> None:
        """Raise `StaffError` unless the contact is on a list of theirs; with `whole`, on no other."""
        if self.person is not None:
            require = liaisons.require_whole if whole else liaisons.require_contact
            require(session, self.person, contact_id)


@dataclass(frozen=True, slots=True)
class Found:
    """Contacts that were looked for, in the order of their ids, and whether there are more."""

    contacts: list[Contact]
    more: bool


def list_to_fill(session: Session, keeper: Keeper, name: str) -> ContactList:
    """The list of this name; made if there is none, and then kept by the liaison who makes it.

    Raises:
        StaffError: the list is there, and not theirs.
        BadListName: no list can be called this.
    """
    known = {each.id for each in lists.every(session)}
    listed = lists.get_or_create(session, name)
    if listed.id not in known and keeper.person is not None and not keeper.keeps_all:
        liaisons.give(session, listed, keeper.person, by=keeper.name)
    keeper.require_list(session, listed)
    return listed


def find(
    session: Session,
    keeper: Keeper,
    *,
    listed: ContactList | None = None,
    text: str = "",
    after: int = 0,
    limit: int = 50,
) -> Found:
    """Look for contacts, of those that a person may see.

    Args:
        session: an open session that may write, for the trace.
        keeper: who looks.
        listed: only who is on this list.
        text: part of a name or of an address.
        after: only contacts with a higher id.
        limit: at most so many.

    Raises:
        StaffError: the list is not theirs.
    """
    if listed is not None:
        keeper.require_list(session, listed)
    query = select(Contact).where(
        col(Contact.id) > after, col(Contact.merged_into).is_(None), col(Contact.erased_at).is_(None)
    )
    if keeper.sees is not None:
        query = query.where(keeper.sees)
    if listed is not None:
        query = query.where(lists.is_member(listed.id or 0))
    if text.strip():
        query = query.where(_mentions(text.strip()))
    found = list(session.exec(query.order_by(col(Contact.id)).limit(limit + 1)))
    about = f"list {listed.id}" if listed else "contacts"
    audit.record(session, keeper.name, "contacts.list", about, count=len(found[:limit]))
    return Found(found[:limit], len(found) > limit)


def show(
    session: Session, keeper: Keeper, contact_id: int, *, household_channels: Collection[str]
) -> dict[str, Any]:
    """What a person may see of a contact, as a plain tree: own lists and what was said about these.

    Raises:
        StaffError: the contact is on none of their lists.
        LookupError: there is no such contact.
    """
    keeper.require_contact(session, contact_id)
    tree = exporting.own_data(session, contact_id, only_lists=keeper.list_ids(session))
    contact = session.get_one(Contact, contact_id)
    tree["household"] = _visible(
        session, keeper, duplicates.household(session, contact_id, household_channels)
    )
    tree["merged_into"], tree["erased_at"] = contact.merged_into, contact.erased_at
    tree["merged"] = list(session.exec(select(Contact.id).where(Contact.merged_into == contact_id)))
    audit.record(session, keeper.name, "contact.view", f"contact {contact_id}")
    return tree


def own_data(session: Session, keeper: Keeper, contact_id: int) -> dict[str, Any]:
    """Everything the hub holds about a contact, for the contact: as a plain tree.

    Raises:
        StaffError: the person does not keep every list the contact is on.
        LookupError: there is no such contact.
    """
    keeper.require_contact(session, contact_id, whole=True)
    tree = exporting.own_data(session, contact_id)
    people = _with_shells(session, contact_id)
    tree["messages"] = list(_messages(session, people))
    tree["written"] = list(_written(session, people))
    audit.record(session, keeper.name, "contact.export", f"contact {contact_id}", events=len(tree["consent"]))
    return tree


def preview_merge(session: Session, keeper: Keeper, kept_id: int, gone_id: int) -> Merge:
    """What `merge` would do; the same errors."""
    for contact_id in (kept_id, gone_id):
        keeper.require_contact(session, contact_id)
    return joining.plan_merge(session, kept_id, gone_id)


def merge(
    session: Session, keeper: Keeper, kept_id: int, gone_id: int, *, language: str | None = None
) -> Merge:
    """Make two contacts one; the trail keeps what moved, so that a split can take it back.

    Raises:
        StaffError: one of them is on none of the person's lists.
        CannotJoin: see `contacts.joining.merge`.
    """
    preview_merge(session, keeper, kept_id, gone_id)
    done = joining.merge(session, kept_id, gone_id, actor=keeper.name, language=language)
    audit.record(
        session, keeper.name, "contact.merge", f"contact {kept_id}", gone=gone_id, moved=done.moved,
        shared=done.shared, lists=done.lists, filled=sorted(done.filled),
    )  # fmt: skip
    return done


def split(
    session: Session,
    keeper: Keeper,
    contact_id: int,
    endpoint_ids: Collection[int],
    *,
    shared: Collection[int] = (),
    name: str = "",
    language: str | None = None,
) -> Contact:
    """Make a new contact of some of a contact's addresses; arguments as for `contacts.joining.split`.

    Raises:
        StaffError: the contact is on none of the person's lists.
        CannotJoin: see `contacts.joining.split`.
    """
    keeper.require_contact(session, contact_id)
    made = joining.split(session, contact_id, endpoint_ids, shared=shared, name=name, language=language)
    audit.record(
        session, keeper.name, "contact.split", f"contact {contact_id}", made=made.id,
        moved=sorted(endpoint_ids), shared=sorted(shared),
    )  # fmt: skip
    return made


def find_duplicates(
    session: Session,
    keeper: Keeper,
    *,
    household_channels: Collection[str],
    listed: ContactList | None = None,
) -> Iterator[Group]:
    """Groups of contacts that may be one person, of those that a person may see.

    Raises:
        StaffError: the list is not theirs.
    """
    if listed is not None:
        keeper.require_list(session, listed)
    count = 0
    for group in duplicates.find(
        session,
        household_channels=household_channels,
        list_id=listed.id if listed else None,
        where=keeper.sees,
    ):
        count += 1
        yield group
    audit.record(session, keeper.name, "contacts.duplicates", "contacts", groups=count)


def export_list(
    session: Session,
    keeper: Keeper,
    listed: ContactList,
    path: Path,
    wanted: Sequence[str],
    *,
    channels: dict[str, AddressKind],
) -> int:
    """Write a list to a file, see `contacts.exporting.export_list`; returns how many contacts are in it.

    Raises:
        StaffError: the list is not theirs.
        CannotExport: no such column, another ending, or the file cannot be written.
    """
    keeper.require_list(session, listed)
    count = exporting.export_list(session, listed.id or 0, path, wanted, channels=channels)
    audit.record(
        session, keeper.name, "list.export", f"list {listed.id}", contacts=count, columns=list(wanted)
    )
    return count


def preview_erasure(session: Session, keeper: Keeper, contact_id: int) -> Erasure:
    """What `erase` would do; the same errors."""
    keeper.require_contact(session, contact_id, whole=True)
    return erasure.plan_erasure(session, contact_id)


def erase(session: Session, keeper: Keeper, contact_id: int, *, key: bytes) -> Erasure:
    """Erase a contact everywhere in the database: the ledger's rows stay, empty of what was personal.

    Args:
        session: an open session that may write.
        keeper: who erases.
        contact_id: who is erased.
        key: the city's secret.

    Raises:
        StaffError: the person does not keep every list the contact is on.
        CannotErase: there is no such contact, or nothing is left of it.
    """
    preview_erasure(session, keeper, contact_id)
    return erase_everywhere(session, contact_id, key=key, actor=keeper.name)


def erase_everywhere(session: Session, contact_id: int, *, key: bytes, actor: str) -> Erasure:
    """What `erase` does, without asking who keeps the contact: for retention, and for residents themselves.

    Raises:
        CannotErase: there is no such contact, or nothing is left of it.
    """
    done = erasure.erase(session, key, contact_id, actor=actor)
    written = col(Inbound.endpoint_id).in_(done.endpoints)
    session.execute(update(Inbound).where(written).values(text=""))
    session.execute(update(Delivery).where(_to(done.endpoints), col(Delivery.detail) != "").values(detail=""))
    audit.record(
        session, actor, "contact.erase", f"contact {contact_id}", endpoints=len(done.endpoints),
        events=done.events, shells=done.shells,
    )  # fmt: skip
    return done


def _visible(session: Session, keeper: Keeper, contact_ids: Sequence[int]) -> list[int]:
    """Those of some contacts whom a person may see."""
    if keeper.sees is None:
        return list(contact_ids)
    query = select(Contact.id).where(col(Contact.id).in_(contact_ids), keeper.sees).order_by(col(Contact.id))
    return [number for number in session.exec(query) if number is not None]


def _mentions(text: str) -> ColumnElement[bool]:
    has_address = (
        select(Endpoint.id)
        .where(
            Endpoint.contact_id == Contact.id,
            Endpoint.state != EndpointState.ERASED,
            func.lower(Endpoint.address).contains(text.lower(), autoescape=True),
        )
        .exists()
    )
    return or_(func.lower(Contact.name).contains(text.lower(), autoescape=True), has_address)


def _with_shells(session: Session, contact_id: int) -> list[int]:
    """The endpoints of a contact and of those that were merged into it."""
    people = or_(col(Contact.id) == contact_id, col(Contact.merged_into) == contact_id)
    query = select(Endpoint.id).join(Contact, col(Contact.id) == col(Endpoint.contact_id)).where(people)
    return [number for number in session.exec(query) if number is not None]


def _to(endpoint_ids: Collection[int]) -> ColumnElement[bool]:
    """The condition that a delivery goes to one of these; by dispatch, because the index begins with it."""
    return col(Delivery.dispatch_id).in_(select(Dispatch.id)) & col(Delivery.endpoint_id).in_(endpoint_ids)


def _messages(session: Session, endpoint_ids: Collection[int]) -> Iterator[dict[str, Any]]:
    """What was sent, when, by which channel, with the title that was read."""
    source = (col(Revision.statement_id) == col(Dispatch.statement_id)) & (
        col(Revision.number) == col(Dispatch.revision)
    )
    translated = (col(Translation.statement_id) == col(Dispatch.statement_id)) & (
        col(Translation.language) == col(Delivery.language)
    )
    title = func.coalesce(Translation.title, Revision.title).label("title")
    read: list[Any] = [Delivery.sent_at, Delivery.channel, Delivery.language, Delivery.state, title]
    query = (
        columns(*read)
        .join(Dispatch, col(Dispatch.id) == col(Delivery.dispatch_id))
        .join(Statement, col(Statement.id) == col(Dispatch.statement_id))
        .join(Revision, source)
        .outerjoin(Translation, translated)
        .where(_to(endpoint_ids), col(Delivery.state).not_in(_NEVER_LEFT))
        .order_by(col(Delivery.sent_at), col(Delivery.id))
    )
    for sent_at, channel, language, state, title in session.execute(query):
        yield {"at": sent_at, "channel": channel, "language": language, "state": state, "title": title}


def _written(session: Session, endpoint_ids: Collection[int]) -> Iterator[dict[str, Any]]:
    """What the resident wrote to the city."""
    query = select(Inbound).where(col(Inbound.endpoint_id).in_(endpoint_ids)).order_by(col(Inbound.id))
    for each in session.exec(query):
        yield {"at": each.at, "channel": each.channel, "kind": each.kind, "text": each.text}
