"""The opt-in lists that liaisons keep: made once, found by name, looked at, taken away."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Select, delete, exists, func, select
from sqlmodel import Session, col

from contacts import consent
from contacts.columns import now
from contacts.models import Contact, ContactList, Endpoint, ListKind, Membership, Subscription

LONGEST_NAME = 100  # characters
LONGEST_TITLE = 80
LONGEST_DESCRIPTION = 500
_JOINERS = dict.fromkeys((0x200C, 0x200D))  # ZWNJ and ZWJ
REMOVAL = "list removed"  # the method of the noes by which a list that goes silences its subscriptions
CHUNK = 500  # contacts read, or words recorded, at once


class BadListName(ValueError):
    """No list can have this name; the message says why."""


class ListInUse(ValueError):
    """The list still has contacts on it; the message names the cure."""


class UnknownList(LookupError):
    """There is no list of this name; the message names those there are."""


def get_or_create(session: Session, name: str, *, description: str = "") -> ContactList:
    """The list of this name, made if there is none. Nothing is committed.

    Raises:
        BadListName: the name is empty, too long, or holds signs that cannot be printed.
    """
    wanted = clean_name(name)
    found = _find(session, wanted)
    if found is None:
        found = ContactList(name=wanted, description=description, created_at=now())
        session.add(found)
        session.flush()
    return found


def by_name(session: Session, name: str) -> ContactList:
    """The list of this name, whatever its case.

    Raises:
        UnknownList: there is none.
    """
    found = _find(session, " ".join(name.split()))
    if found is None:
        there_are = ", ".join(each.name for each in every(session)) or "none yet"
        raise UnknownList(f"There is no list called {name!r}. The lists: {there_are}.")
    return found


def every(session: Session) -> list[ContactList]:
    """All lists by name, but for those that were removed."""
    query = select(ContactList).where(col(ContactList.kind) != ListKind.REMOVED)
    return list(session.execute(query.order_by(col(ContactList.name))).scalars())


def edit(
    session: Session,
    listed: ContactList,
    *,
    name: str | None = None,
    description: str | None = None,
    kind: ListKind | None = None,
    public: bool | None = None,
    titles: Mapping[str, str] | None = None,
    join_word: str | None = None,
) -> None:
    """Change what is given, and leave the rest. Nothing is committed.

    Args:
        session: an open session that may write.
        listed: the list.
        name: what staff call it.
        description: what it is for.
        kind: whether people agree to it, or are left out by it.
        public: whether residents may join by themselves.
        titles: what residents read, by language; an empty one takes that language away.
        join_word: what residents text to join, folded as texts are; empty for none.

    Raises:
        BadListName: another list has the name or the word, a text is too long or cannot be printed, or
            residents are to join a list that leaves people out.
    """
    if name is not None:
        listed.name = _free_name(session, listed, name)
    if description is not None:
        listed.description = _clean_text(description, LONGEST_DESCRIPTION, "description")
    if titles is not None:
        listed.titles = _titles(listed.titles, titles)
    if join_word is not None:
        listed.join_word = _free_word(session, listed, join_word)
    listed.kind = kind.value if kind is not None else listed.kind
    listed.public = public if public is not None else listed.public
    if listed.kind == ListKind.EXCLUSION and (listed.public or listed.join_word):
        raise BadListName("An exclusion list leaves people out, so residents cannot join it by themselves.")
    session.add(listed)
    session.flush()


def remove(session: Session, listed: ContactList, *, actor: str, even_with_members: bool = False) -> None:
    """Take a list away. What was said about it stays on record, under a name that says so.

    Nobody is written to any more through it: each subscription gets a no, by staff.

    Args:
        session: an open session that may write.
        listed: the list.
        actor: who removes it.
        even_with_members: also when contacts are on it.

    Raises:
        ListInUse: contacts are on it.
    """
    assert listed.id is not None
    count = count_members(session, listed.id)
    if count and not even_with_members:
        raise ListInUse(
            f"{count:,} contacts are on the list {listed.name!r}. Take them off first, or remove it with them."
        )
    _silence(session, listed.id, actor)
    session.execute(delete(Membership).where(col(Membership.list_id) == listed.id))
    listed.name, listed.kind = f"{listed.name} (removed {listed.id})", ListKind.REMOVED
    listed.public, listed.join_word, listed.titles = False, "", {}
    session.add(listed)
    session.flush()


def add_member(session: Session, list_id: int, contact_id: int) -> None:
    """Put a contact on a list; there already is fine. This is no consent, see `contacts.consent`."""
    if session.get(Membership, (list_id, contact_id)) is None:
        session.add(Membership(list_id=list_id, contact_id=contact_id))
        session.flush()


def remove_member(session: Session, list_id: int, contact_id: int) -> None:
    """Take a contact off a list; not there is fine. What they agreed to stays on record."""
    session.execute(
        delete(Membership).where(col(Membership.list_id) == list_id, col(Membership.contact_id) == contact_id)
    )


def members(
    session: Session, list_id: int | None, *, where: ColumnElement[bool] | None = None
) -> Iterator[Contact]:
    """The contacts on a list, or all (None), in the order of their ids.

    Args:
        session: an open session.
        list_id: the list.
        where: a further condition on `Contact`.
    """
    for chunk in member_chunks(session, list_id, where=where):
        yield from chunk


def member_chunks(
    session: Session, list_id: int | None, *, where: ColumnElement[bool] | None = None
) -> Iterator[list[Contact]]:
    """What `members` gives, as it is read: some hundreds at once."""
    last = 0
    while chunk := _members_after(session, list_id, where, last):
        yield chunk
        last = chunk[-1].id or 0


def is_member(list_id: int) -> ColumnElement[bool]:
    """The condition that a `Contact` is on a list."""
    return exists().where(col(Membership.contact_id) == col(Contact.id), col(Membership.list_id) == list_id)


def count_members(session: Session, list_id: int) -> int:
    """How many contacts are on the list, whether or not they may be written to."""
    query = select(func.count()).select_from(Membership).where(col(Membership.list_id) == list_id)
    return int(session.execute(query).scalar_one())


def count_subscribed(session: Session, list_id: int) -> dict[str, int]:
    """How many addresses agreed to the list, by channel."""
    query = (
        select(col(Endpoint.channel), func.count())
        .join(Subscription, col(Subscription.endpoint_id) == col(Endpoint.id))
        .where(col(Subscription.list_id) == list_id, col(Subscription.active))
        .where(~col(Endpoint.opted_out))
        .group_by(col(Endpoint.channel))
        .order_by(col(Endpoint.channel))
    )
    return {row[0]: row[1] for row in session.execute(query)}


@dataclass(frozen=True, slots=True)
class Count:
    """How many addresses on one channel, of residents who read one language, may be written to."""

    channel: str
    language: str
    addresses: int


def count_by_language(session: Session, list_id: int) -> list[Count]:
    """How many addresses agreed to the list, by channel and language."""
    language = col(Contact.language)
    query: Select[*tuple[str, str, int]] = (
        select(col(Endpoint.channel), language, func.count())
        .join(Subscription, col(Subscription.endpoint_id) == col(Endpoint.id))
        .join(Contact, col(Contact.id) == col(Endpoint.contact_id))
        .where(col(Subscription.list_id) == list_id, col(Subscription.active))
        .where(~col(Endpoint.opted_out))
        .group_by(col(Endpoint.channel), language)
        .order_by(col(Endpoint.channel), func.count().desc(), language)
    )
    return [Count(*row) for row in session.execute(query)]


def clean_name(name: str) -> str:
    """The name without needless spaces.

    Raises:
        BadListName: see `get_or_create`.
    """
    cleaned = " ".join(name.split())
    if not cleaned:
        raise BadListName("A list needs a name.")
    if len(cleaned) > LONGEST_NAME:
        raise BadListName(
            f"A list's name has at most {LONGEST_NAME} characters; this one has {len(cleaned)}."
        )
    if not _is_printable(cleaned):
        raise BadListName("The list's name holds signs that cannot be printed. Type it again.")
    return cleaned


def _find(session: Session, name: str) -> ContactList | None:
    query = select(ContactList).where(func.lower(col(ContactList.name)) == func.lower(name))
    return session.execute(query.order_by(col(ContactList.id))).scalars().first()


def _free_name(session: Session, listed: ContactList, name: str) -> str:
    wanted = clean_name(name)
    found = _find(session, wanted)
    if found is not None and found.id != listed.id:
        raise BadListName(f"There is a list called {found.name!r} already. Choose another name.")
    return wanted


def _free_word(session: Session, listed: ContactList, word: str) -> str:
    query = select(ContactList).where(col(ContactList.join_word) == word, col(ContactList.id) != listed.id)
    found = session.execute(query).scalars().first() if word else None
    if found is not None:
        raise BadListName(f"The list {found.name!r} is joined by this word already. Choose another one.")
    return word


def _titles(known: Mapping[str, str], given: Mapping[str, str]) -> dict[str, str]:
    cleaned = {language: _clean_text(title, LONGEST_TITLE, "title") for language, title in given.items()}
    return {language: title for language, title in {**known, **cleaned}.items() if title}


def _is_printable(text: str) -> bool:
    """Whether every sign can be seen, or joins letters as Persian and Hindi need it (R23)."""
    return text.translate(_JOINERS).isprintable()


def _clean_text(text: str, longest: int, what: str) -> str:
    cleaned = " ".join(text.split())
    if len(cleaned) > longest:
        raise BadListName(f"A list's {what} has at most {longest} characters; this one has {len(cleaned)}.")
    if not _is_printable(cleaned):
        raise BadListName(f"The list's {what} holds signs that cannot be printed. Type it again.")
    return cleaned


def _silence(session: Session, list_id: int, actor: str) -> None:
    """Say no, by staff, for every address that may be written to through a list."""
    query = (
        select(col(Endpoint.id), col(Endpoint.contact_id))
        .join(Subscription, col(Subscription.endpoint_id) == col(Endpoint.id))
        .where(col(Subscription.list_id) == list_id, col(Subscription.active))
        .order_by(col(Endpoint.id))
        .limit(CHUNK)
    )
    while found := session.execute(query).all():
        consent.record_many(
            session,
            [
                consent.Word(
                    contact_id=row.contact_id, endpoint_id=row.id, list_id=list_id, decision=False,
                    method=REMOVAL, actor=actor,
                )
                for row in found
            ],
        )  # fmt: skip


def _members_after(
    session: Session, list_id: int | None, where: ColumnElement[bool] | None, last: int
) -> list[Contact]:
    query = select(Contact).where(
        col(Contact.id) > last, col(Contact.merged_into).is_(None), col(Contact.erased_at).is_(None)
    )
    if list_id is not None:
        query = query.where(is_member(list_id))
    if where is not None:
        query = query.where(where)
    return list(session.execute(query.order_by(col(Contact.id)).limit(CHUNK)).scalars())
