"""Who keeps which list: a liaison sees and changes only the lists given to them; administrators all."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import ColumnElement, delete, exists, literal
from sqlmodel import Field, Session, SQLModel, col, select

from contacts.columns import Moment, now
from contacts.models import Contact, ContactList, Membership
from notify import audit
from notify.staff import Deed, Role, Staff, StaffError


class ListKeeper(SQLModel, table=True):
    """A list is in this member of staff's hands."""

    __tablename__ = "list_keeper"

    list_id: int = Field(foreign_key="contact_list.id", primary_key=True)
    staff_id: int = Field(foreign_key="staff.id", primary_key=True)
    given_by: str = ""
    given_at: datetime = Field(default_factory=now, sa_type=Moment)


def keeps_all(person: Staff) -> bool:
    """Whether every list is this person's: an administrator's."""
    return person.active and person.has(Role.ADMINISTRATOR)


def lists_of(session: Session, person: Staff) -> list[ContactList]:
    """The lists that a person sees and changes, by name."""
    query = select(ContactList).where(_kept(person)).order_by(ContactList.name)
    return list(session.exec(query))


def keepers_of(session: Session, list_id: int) -> list[Staff]:
    """The members of staff in whose hands a list was put, by email."""
    query = select(Staff).join(ListKeeper, col(ListKeeper.staff_id) == col(Staff.id))
    return list(session.exec(query.where(ListKeeper.list_id == list_id).order_by(Staff.email)))


def require_keeper(session: Session, person: Staff, list_id: int) -> None:
    """Make sure that a person may see and change a list and who is on it.

    Raises:
        StaffError: the list is not in their hands.
    """
    _require_deed(person)
    listed = session.exec(select(ContactList).where(ContactList.id == list_id, _kept(person))).first()
    if listed is None:
        name = session.exec(select(ContactList.name).where(ContactList.id == list_id)).first() or "NAME"
        raise StaffError(
            f"{person.email} does not keep the list {name!r}. "
            f"An administrator gives it: notify list keepers {name!r} --add {person.email}"
        )


def require_counting(session: Session, person: Staff, list_ids: Collection[int]) -> None:
    """Make sure that a person may count with lists: who only keeps lists, with no others'; a count of one names one.

    Raises:
        StaffError: a list is not in their hands.
    """
    for list_id in sorted(list_ids) if not person.may(Deed.DISPATCH) else ():
        require_keeper(session, person, list_id)


def require_contact(session: Session, person: Staff, contact_id: int) -> None:
    """Make sure that a person may see a contact: who is on one of their lists.

    Raises:
        StaffError: the contact is on none of them. The same is said where there is no such contact, so that
            nobody learns who is on other lists.
    """
    _require_deed(person)
    query = select(Contact.id).where(Contact.id == contact_id, visible_to(person))
    if session.exec(query).first() is None:
        raise StaffError(
            f"Contact {contact_id} is on no list that {person.email} keeps. Ask an administrator."
        )


def require_whole(session: Session, person: Staff, contact_id: int) -> None:
    """Make sure that a person keeps every list a contact is on: for what touches all of them.

    Raises:
        StaffError: the contact is also on lists of others, or on none of this person's.
    """
    require_contact(session, person, contact_id)
    others = select(Membership.list_id).join(ContactList, col(ContactList.id) == col(Membership.list_id))
    if session.exec(others.where(Membership.contact_id == contact_id, ~_kept(person))).first() is not None:
        raise StaffError(
            f"Contact {contact_id} is also on lists that {person.email} does not keep. Ask an administrator."
        )


def visible_to(person: Staff) -> ColumnElement[bool]:
    """The condition that a `Contact` is on one of a person's lists."""
    if keeps_all(person):
        return literal(True)
    return exists().where(
        col(Membership.contact_id) == col(Contact.id),
        col(Membership.list_id) == col(ListKeeper.list_id),
        col(ListKeeper.staff_id) == person.id,
    )


def give(session: Session, listed: ContactList, person: Staff, *, by: str) -> None:
    """Put a list into a person's hands; there already is fine. Nothing is committed.

    Raises:
        StaffError: the person's roles do not let them keep lists.
    """
    _require_deed(person)
    assert listed.id is not None
    assert person.id is not None
    if session.get(ListKeeper, (listed.id, person.id)) is None:
        session.add(ListKeeper(list_id=listed.id, staff_id=person.id, given_by=by))
        session.flush()
        audit.record(session, by, "list.give", f"list {listed.id}", staff=person.id)


def take(session: Session, listed: ContactList, person: Staff, *, by: str) -> None:
    """Take a list out of a person's hands. Nothing is committed."""
    found = session.get(ListKeeper, (listed.id, person.id))
    if found is not None:
        session.delete(found)
        session.flush()
        audit.record(session, by, "list.take", f"list {listed.id}", staff=person.id)


def forget(session: Session, list_ids: Collection[int]) -> None:
    """Let nobody keep lists that are about to go."""
    session.execute(delete(ListKeeper).where(col(ListKeeper.list_id).in_(list_ids)))


def _kept(person: Staff) -> ColumnElement[bool]:
    """The condition that a `ContactList` is one of a person's."""
    if keeps_all(person):
        return literal(True)
    return exists().where(
        col(ListKeeper.list_id) == col(ContactList.id), col(ListKeeper.staff_id) == person.id
    )


def _require_deed(person: Staff) -> None:
    if not person.may(Deed.KEEP_LISTS):
        raise StaffError(f"{person.email} may not {Deed.KEEP_LISTS}: this needs the role liaison.")
