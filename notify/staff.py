"""Staff: the people who write, translate, approve, keep lists and look after the hub; and what each may do."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError
from email_validator import EmailNotValidError, validate_email
from sqlmodel import Field, Session, SQLModel, select

from contacts.columns import Moment, now
from notify import audit


class Role(StrEnum):
    """What a member of staff does."""

    AUTHOR = "author"
    APPROVER = "approver"
    TRANSLATOR = "translator"
    LIAISON = "liaison"
    ADMINISTRATOR = "administrator"


class Deed(StrEnum):
    """What can be done."""

    DRAFT = "draft a statement"
    APPROVE = "approve a statement"
    TRANSLATE = "work on a translation"
    KEEP_LISTS = "change contacts and lists"
    DISPATCH = "send, pause or stop a dispatch"
    SCHEDULE = "keep timetables"


_MAY: dict[Deed, frozenset[Role]] = {
    Deed.DRAFT: frozenset({Role.AUTHOR, Role.APPROVER, Role.ADMINISTRATOR}),
    Deed.APPROVE: frozenset({Role.APPROVER}),
    Deed.TRANSLATE: frozenset({Role.TRANSLATOR, Role.AUTHOR, Role.APPROVER}),
    Deed.KEEP_LISTS: frozenset({Role.LIAISON, Role.ADMINISTRATOR}),
    Deed.DISPATCH: frozenset({Role.AUTHOR, Role.APPROVER, Role.ADMINISTRATOR}),
    Deed.SCHEDULE: frozenset({Role.AUTHOR, Role.APPROVER, Role.ADMINISTRATOR}),
}


_MADE_FOR = {
    Deed.DRAFT: Role.AUTHOR,
    Deed.APPROVE: Role.APPROVER,
    Deed.TRANSLATE: Role.TRANSLATOR,
    Deed.KEEP_LISTS: Role.LIAISON,
    Deed.DISPATCH: Role.APPROVER,
    Deed.SCHEDULE: Role.APPROVER,
}


class StaffError(ValueError):
    """Nobody of that name, or not allowed; the message names the cure."""


class Staff(SQLModel, table=True):
    """A member of staff. Roles are added, a person may have several."""

    id: int | None = Field(default=None, primary_key=True)
    email: str = Field(unique=True)
    name: str = ""
    roles: str = ""  # "author approver"
    languages: str = ""  # that a translator reads, BCP 47: "es pt-BR"; empty: nobody has said
    password_hash: str = Field(default="", repr=False)
    active: bool = True
    created_at: datetime = Field(default_factory=now, sa_type=Moment)

    def has(self, role: Role) -> bool:
        """Whether this person has the role."""
        return role in self.roles.split()

    def may(self, deed: Deed) -> bool:
        """Whether one of this person's roles allows the deed."""
        return self.active and any(self.has(role) for role in _MAY[deed])


def add(
    session: Session,
    email: str,
    roles: list[Role],
    *,
    name: str = "",
    password: str = "",
    reads: Iterable[str] = (),
    actor: str = "system",
) -> Staff:
    """Add a person, or more roles and languages to one who is there.

    Args:
        session: an open session that may write.
        email: by which the person is known.
        roles: what they do.
        name: as it appears beside an approval.
        password: asked for again before something irreversible.
        reads: the languages a translator answers for, BCP 47; a person with none may answer for any.
        actor: who adds them.

    Raises:
        StaffError: the email address is not one.
    """
    address = _address(email)
    person = session.exec(select(Staff).where(Staff.email == address)).first() or Staff(email=address)
    person.roles = " ".join(sorted(set(person.roles.split()) | {role.value for role in roles}))
    person.languages = " ".join(sorted({*person.languages.split(), *reads}))
    person.name = name or person.name
    if password:
        person.password_hash = PasswordHasher().hash(password)
    session.add(person)
    session.flush()
    audit.record(
        session, actor, "staff.add", f"staff {person.id}", roles=person.roles,
        languages=person.languages,
    )  # fmt: skip
    return person


def find(session: Session, email: str) -> Staff:
    """The active person with this email address.

    Raises:
        StaffError: there is none.
    """
    person = session.exec(select(Staff).where(Staff.email == _address(email))).first()
    if person is None or not person.active:
        raise StaffError(
            f"There is no member of staff {email}. Add one: notify staff add {email} --role ROLE"
        )
    return person


def allowed(session: Session, email: str, deed: Deed) -> Staff:
    """The person with this email address, if a role of theirs allows the deed.

    Raises:
        StaffError: nobody, or not allowed.
    """
    person = find(session, email)
    if not person.may(deed):
        roles = ", ".join(sorted(_MAY[deed]))
        raise StaffError(f"{email} may not {deed}: this needs the role {roles}.")
    return person


def only_one_who_may(session: Session, deed: Deed) -> Staff:
    """The one person whose role is made for this deed, when there is just one.

    Raises:
        StaffError: none or several; the caller has to say who.
    """
    people = [person for person in session.exec(select(Staff)) if person.may(deed)]
    first = [person for person in people if person.has(_MADE_FOR[deed])] or people
    if len(first) != 1:
        who = "nobody on the staff may" if not first else f"{len(first)} people may"
        raise StaffError(f"Say who you are with --as EMAIL (or NOTIFY_AS): {who} {deed}.")
    return first[0]


def made_for(deed: Deed) -> Role:
    """The role to give somebody who has to do this."""
    return _MADE_FOR[deed]


def check_password(person: Staff, password: str) -> None:
    """Ask for the credentials again before something irreversible.

    Raises:
        StaffError: the password is not the one.
    """
    try:
        PasswordHasher().verify(person.password_hash, password)
    except (VerifyMismatchError, InvalidHashError):
        raise StaffError(f"The password of {person.email} does not match.") from None


def _address(email: str) -> str:
    try:
        return validate_email(email, check_deliverability=False).normalized.lower()
    except EmailNotValidError as error:
        raise StaffError(f"{email!r} is no email address: {error}") from None
