"""Taking a whole import back.

What it made and nobody has used since is deleted. Where something was said or sent since, or was there before,
an event takes the import's yeses back, so that the state still equals a replay of the events. A no stays: nobody
who said no is ever written to because a sheet was withdrawn. Small transactions, each of which can be the last
one: begun again, the undoing goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import ColumnElement, delete, exists, or_, select, update
from sqlmodel import Session, SQLModel, col

from contacts import fills, runs
from contacts.bulk import hold_imports, table
from contacts.columns import now
from contacts.consent import take_back_import
from contacts.models import (
    ConsentEvent,
    Contact,
    Endpoint,
    EndpointState,
    ImportFill,
    ImportRun,
    ImportState,
    Membership,
    Subscription,
)
from contacts.references import Reference, pointed_at, quick_deletes, references
from contacts.standing import Method
from contacts.values import ImportFailed, SheetProblem

CHUNK = 2000  # rows in a transaction

_OWN = {"consent_event", "subscription", "membership", "import_fill", "endpoint"}


@dataclass(slots=True)
class Undone:
    """What undoing an import did.

    Attributes:
        import_id: of the `ImportRun`.
        contacts: deleted.
        contacts_kept: made by the import, but used since, or they said no.
        endpoints: deleted.
        endpoints_kept: made by the import, but used since, or they said no.
        memberships: ended.
        taken_back: endpoints whose yes counts no more.
        emptied: fields of known contacts.
    """

    import_id: int
    contacts: int = 0
    contacts_kept: int = 0
    endpoints: int = 0
    endpoints_kept: int = 0
    memberships: int = 0
    taken_back: int = 0
    emptied: int = 0

    def to_dict(self) -> dict[str, int]:
        """The counts as plain values, for JSON."""
        return {each.name: getattr(self, each.name) for each in fields(self)}


def undo(
    session: Session, import_id: int, *, actor: str, progress: Callable[[int], None] | None = None
) -> Undone:
    """Take an import back. Commits as it goes.

    Args:
        session: one that may write, with nothing pending.
        import_id: of the `ImportRun`.
        actor: who undoes it, for the consent ledger.
        progress: called with how many rows have been looked at.

    Raises:
        ImportFailed: there is no such import, or it is undone already.
    """
    _begin(session, import_id)
    pointing = references(session, {"endpoint", "contact", "consent_event"})
    with quick_deletes(session, pointing):
        undoing = _Undoing(session, import_id, actor, pointing)
        steps = (undoing.endpoints, undoing.consents, undoing.memberships, undoing.filled, undoing.contacts)
        seen = 0
        for step in steps:
            for count in step():
                session.commit()
                seen += count
                if progress:
                    progress(seen)
    run = runs.by_id(session, import_id)
    run.state, run.finished_at = ImportState.UNDONE, now()
    run.counts = {**run.counts, "undone": undoing.did.to_dict()}
    session.add(run)
    session.commit()
    return undoing.did


def _begin(session: Session, import_id: int) -> None:
    hold_imports(session)
    run = runs.by_id(session, import_id)
    if run.state == ImportState.UNDONE:
        session.rollback()
        raise ImportFailed(
            SheetProblem.NO_SUCH_IMPORT, f"Import {import_id} is undone already.", "There is nothing to do."
        )
    session.execute(
        update(ImportRun).where(col(ImportRun.id) == import_id).values(state=ImportState.UNDOING.value)
    )
    session.commit()


class _Undoing:
    """The steps, from what points at others to what is pointed at. Each yields how many rows it looked at."""

    def __init__(self, session: Session, import_id: int, actor: str, pointing: Sequence[Reference]) -> None:
        self._session = session
        self._import_id = import_id
        self._actor = actor
        self._users = [each for each in pointing if each.table not in _OWN]
        self.did = Undone(import_id)

    def endpoints(self) -> Iterator[int]:
        """Delete the addresses that nobody has used, with what the import said about them."""
        for ids in self._chunks(Endpoint, Endpoint.id):
            used = self._used_endpoints(ids)
            gone = [each for each in ids if each not in used]
            for model, column in (
                (Subscription, Subscription.endpoint_id),
                (ConsentEvent, ConsentEvent.endpoint_id),
                (Endpoint, Endpoint.id),
            ):
                self._session.execute(delete(model).where(col(column).in_(gone)))
            self.did.endpoints += len(gone)
            self.did.endpoints_kept += len(used)
            yield len(ids)

    def _used_endpoints(self, ids: list[int]) -> set[int]:
        since = select(col(ConsentEvent.endpoint_id)).where(
            col(ConsentEvent.endpoint_id).in_(ids), or_(self._not_ours(ConsentEvent), _refusal())
        )
        marked = select(col(Endpoint.id)).where(
            col(Endpoint.id).in_(ids),
            or_(col(Endpoint.state) != EndpointState.USABLE.value, col(Endpoint.held) != ""),
        )
        users = [each for each in self._users if each.target == "endpoint"]
        return {
            *self._session.execute(since).scalars(),
            *(each or 0 for each in self._session.execute(marked).scalars()),
            *pointed_at(self._session, users, ids),
        }

    def consents(self) -> Iterator[int]:
        """Take back what was said about addresses that stay."""
        for ids in self._chunks(ConsentEvent, ConsentEvent.id):
            events = col(ConsentEvent.id).in_(ids)
            query = select(col(ConsentEvent.endpoint_id)).where(events, col(ConsentEvent.decision)).distinct()
            wanted = set(self._session.execute(query).scalars()) - self._taken_back(query)
            if wanted:
                take_back_import(self._session, self._import_id, sorted(wanted), actor=self._actor)
            self.did.taken_back += len(wanted)
            yield len(ids)

    def _taken_back(self, endpoint_ids: Any) -> set[int]:
        query = select(col(ConsentEvent.endpoint_id)).where(
            col(ConsentEvent.endpoint_id).in_(endpoint_ids),
            col(ConsentEvent.import_id) == self._import_id,
            col(ConsentEvent.method) == Method.IMPORT_UNDONE.value,
        )
        return set(self._session.execute(query).scalars())

    def memberships(self) -> Iterator[int]:
        """Take people off the lists, except where they have said yes since."""
        agreed = (
            select(col(Subscription.list_id))
            .join(Endpoint, col(Endpoint.id) == col(Subscription.endpoint_id))
            .where(
                col(Endpoint.contact_id) == col(Membership.contact_id),
                col(Subscription.list_id) == col(Membership.list_id),
                col(Subscription.active),
            )
        )
        for ids in self._chunks(Membership, Membership.contact_id):
            statement = delete(Membership).where(
                self._ours(Membership), col(Membership.contact_id).in_(ids), ~agreed.exists()
            )
            self.did.memberships += self._session.connection().execute(statement).rowcount
            yield len(ids)

    def filled(self) -> Iterator[int]:
        """Empty the fields again that were empty, where nobody has changed them since; undo what they overruled."""
        for ids in self._chunks(ImportFill, ImportFill.id):
            query = select(ImportFill).where(col(ImportFill.id).in_(ids))
            for fill in self._session.execute(query).scalars().all():
                contact = self._session.get(Contact, fill.contact_id)
                self.did.emptied += contact is not None and fills.take_back(self._session, contact, fill)
                self._session.delete(fill)
            self._session.flush()
            yield len(ids)

    def contacts(self) -> Iterator[int]:
        """Delete the contacts of whom nothing is left; keep no name of those who only said no."""
        for ids in self._chunks(Contact, Contact.id):
            used = self._used_contacts(ids)
            gone = [each for each in ids if each not in used]
            self._session.execute(delete(Contact).where(col(Contact.id).in_(gone)))
            self._forget(sorted(used))
            self.did.contacts += len(gone)
            self.did.contacts_kept += len(used)
            yield len(ids)

    def _used_contacts(self, ids: list[int]) -> set[int]:
        owners = (Endpoint.contact_id, ConsentEvent.contact_id, Membership.contact_id, ImportFill.contact_id)
        users = [each for each in self._users if each.target == "contact"]
        used = pointed_at(self._session, users, ids)
        for owner in (*owners, Contact.merged_into):
            used.update(self._session.execute(select(col(owner)).where(col(owner).in_(ids))).scalars())
        return used

    def _forget(self, ids: list[int]) -> None:
        """What the withdrawn sheet said about people who said no, and of whom nothing else is known."""
        users = [each for each in self._users if each.target == "contact"]
        busy = pointed_at(self._session, users, ids)
        theirs = col(Contact.id)
        statement = update(Contact).where(
            theirs.in_([each for each in ids if each not in busy]),
            ~exists().where(col(Endpoint.contact_id) == theirs, self._not_ours(Endpoint)),
            ~exists().where(col(ConsentEvent.contact_id) == theirs, self._not_ours(ConsentEvent)),
            ~exists().where(col(Membership.contact_id) == theirs),
        )
        self._session.connection().execute(statement.values(name="", area="", groups=""))

    def _ours(self, model: type[SQLModel]) -> ColumnElement[bool]:
        return table(model).c.import_id == self._import_id

    def _not_ours(self, model: type[SQLModel]) -> ColumnElement[bool]:
        return table(model).c.import_id.is_distinct_from(self._import_id)

    def _chunks(self, model: type[SQLModel], number: Any) -> Iterator[list[int]]:
        """The ids of what the import made, in rising order; each chunk in a transaction of its own."""
        last = -1
        while True:
            hold_imports(self._session)
            query = select(col(number)).where(self._ours(model), col(number) > last).distinct()
            ids = [
                each or 0
                for each in self._session.execute(query.order_by(col(number)).limit(CHUNK)).scalars()
            ]
            if not ids:
                self._session.commit()
                return
            yield ids
            last = ids[-1]


def _refusal() -> ColumnElement[bool]:
    """A no in a sheet. It is what stays of an undone import."""
    return (col(ConsentEvent.method) == Method.IMPORT.value) & ~col(ConsentEvent.decision)
