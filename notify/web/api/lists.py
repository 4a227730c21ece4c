"""Lists: read, made, changed; and who is on them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from fastapi import Response
from sqlalchemy import func
from sqlmodel import Session, col, select

from contacts import lists
from contacts.languages import language_tag
from contacts.lists import BadListName, UnknownList
from contacts.models import Contact, ContactList, ListKind, Membership
from notify import invitations, liaisons
from notify.apikeys import Scope
from notify.web.api.calls import Answer, Caller, Trace
from notify.web.api.fields import IfMatch, PathId
from notify.web.api.list_shapes import ListChange, ListPage, ListShape, NewList
from notify.web.api.paging import Paging
from notify.web.api.problems import Problem, at, not_possible
from notify.web.api.routing import Routes
from notify.web.api.seeing import among, check_match, made, shaped, tagged, visible, visible_list
from notify.web.api.shapes import ContactPage, Made


def add_routes(routes: Routes) -> None:
    """The routes of lists."""
    read, write = Scope.LISTS_READ, Scope.LISTS_WRITE
    one = "/lists/{list_id:id}"
    member = f"{one}/members/{{contact_id:id}}"
    routes.add("GET", "/lists", list_lists, scope=read, gives=ListPage, refuses=[422])
    routes.add(
        "POST", "/lists", create_list, scope=write, gives=Made, status=201, refuses=[409, 422],
        repeatable=True, headers=["Location"], makes=("list_id", "id"),
    )  # fmt: skip
    routes.add("GET", one, get_list, scope=read, gives=ListShape, refuses=[404], headers=["ETag"])
    routes.add(
        "PATCH", one, change_list, scope=write, gives=ListShape, refuses=[404, 412, 422], headers=["ETag"]
    )
    routes.add(
        "GET",
        f"{one}/members",
        list_members,
        scope=Scope.CONTACTS_READ,
        gives=ContactPage,
        refuses=[404, 422],
    )
    routes.add("PUT", member, add_member, scope=write, gives=None, status=204, refuses=[404], has_body=False)
    routes.add("DELETE", member, remove_member, scope=write, gives=None, status=204, refuses=[404])


def list_lists(call: Caller, asked: Paging) -> Response:
    """The lists that the key's person keeps."""
    after = call.cursors.after("lists", asked)

    def look(session: Session) -> Answer:
        kept = sorted(liaisons.lists_of(session, call.person), key=lambda each: each.id or 0)
        there = [each for each in kept if (each.id or 0) > after and each.kind != ListKind.REMOVED]
        found = there[: asked.limit + 1]
        count, cursor = call.cursors.following("lists", asked, [each.id or 0 for each in found])
        return Answer(ListPage(items=_shaped(session, found[:count]), next_cursor=cursor))

    return call.read(look)


def get_list(call: Caller, list_id: PathId) -> Response:
    """One list, and how many are on it."""
    return call.read(lambda session: _shown(session, visible_list(session, call, list_id)))


def create_list(call: Caller, wanted: NewList) -> Response:
    """A new list, kept by the key's person."""
    titles = _titles(wanted.titles)

    def make(session: Session) -> Answer:
        _check_free(session, wanted.name)
        with _named():
            listed = lists.get_or_create(session, wanted.name)
            lists.edit(
                session, listed, description=wanted.description, kind=ListKind(wanted.kind),
                public=wanted.public, titles=titles, join_word=invitations.join_word(wanted.join_word),
            )  # fmt: skip
        if not liaisons.keeps_all(call.person):
            liaisons.give(session, listed, call.person, by=call.actor)
        return made(f"lists/{listed.id}", listed.id or 0, Trace("list.add", f"list {listed.id}"))

    return call.write(make)


def change_list(call: Caller, list_id: PathId, change: ListChange, match: IfMatch = "") -> Response:
    """Change what is given, and leave the rest."""
    given: dict[str, Any] = change.model_dump(exclude_unset=True)
    if "titles" in given:
        given["titles"] = _titles(change.titles)
    if "kind" in given:
        given["kind"] = ListKind(change.kind)

    def do(session: Session) -> Answer:
        listed = visible_list(session, call, list_id)
        check_match(match, _shown(session, listed))
        with _named():
            if "join_word" in given:
                given["join_word"] = invitations.join_word(change.join_word)
            lists.edit(session, listed, **given)
        return _shown(session, listed, Trace("list.edit", f"list {list_id}", {"fields": sorted(given)}))

    return call.write(do)


def list_members(call: Caller, list_id: PathId, asked: Paging) -> Response:
    """Who is on a list, whether or not they may be written to."""
    what = f"members {list_id}"
    after = call.cursors.after(what, asked)

    def look(session: Session) -> Answer:
        visible_list(session, call, list_id)
        query = select(Contact).where(*among(call), lists.is_member(list_id), col(Contact.id) > after)
        found = list(session.exec(query.order_by(col(Contact.id)).limit(asked.limit + 1)))
        count, cursor = call.cursors.following(what, asked, [each.id or 0 for each in found])
        page = ContactPage(items=shaped(session, call, found[:count]), next_cursor=cursor)
        return Answer(page, trace=Trace("list.members", f"list {list_id}", {"count": count}))

    return call.read(look)


def add_member(call: Caller, list_id: PathId, contact_id: PathId) -> Response:
    """Put a contact on a list; there already is fine. This is no consent: record that as well."""

    def do(session: Session) -> Answer:
        visible_list(session, call, list_id)
        visible(session, call, contact_id)
        lists.add_member(session, list_id, contact_id)
        return Answer(status=204, trace=Trace("list.add_member", f"list {list_id}", {"contact": contact_id}))

    return call.write(do)


def remove_member(call: Caller, list_id: PathId, contact_id: PathId) -> Response:
    """Take a contact off a list; not there is fine. What they agreed to stays on record."""

    def do(session: Session) -> Answer:
        visible_list(session, call, list_id)
        visible(session, call, contact_id)
        lists.remove_member(session, list_id, contact_id)
        return Answer(
            status=204, trace=Trace("list.remove_member", f"list {list_id}", {"contact": contact_id})
        )

    return call.write(do)


@contextmanager
def _named() -> Iterator[None]:
    """Say why no list can be called that.

    Raises:
        Problem: instead of `BadListName`.
    """
    try:
        yield
    except BadListName as error:
        raise not_possible("", "list_refused", str(error)) from None


def _check_free(session: Session, name: str) -> None:
    try:
        lists.by_name(session, name)
    except UnknownList:
        return
    raise Problem(409, "list_known", "There is a list of this name already. Choose another name.")


def _titles(given: Mapping[str, str]) -> dict[str, str]:
    with at("/titles"):
        return {language_tag(language): title for language, title in given.items()}


def _shown(session: Session, listed: ContactList, trace: Trace | None = None) -> Answer:
    (shape,) = _shaped(session, [listed])
    return tagged(Answer(shape, trace=trace))


def _shaped(session: Session, found: Sequence[ContactList]) -> list[ListShape]:
    query = (
        select(Membership.list_id, func.count())
        .where(col(Membership.list_id).in_([each.id for each in found]))
        .group_by(col(Membership.list_id))
    )
    counts = dict(session.execute(query).all())
    return [_shape(each, counts.get(each.id, 0)) for each in found]


def _shape(listed: ContactList, count: int) -> ListShape:
    return ListShape(
        id=listed.id or 0, name=listed.name, description=listed.description, kind=ListKind(listed.kind),
        public=listed.public, join_word=listed.join_word, titles=listed.titles, members=count,
        created_at=listed.created_at,
    )  # fmt: skip
