"""Two records of one person become one, and one record of two people becomes two. No word on consent is lost.

- Addresses move to the contact that is kept, and with them what was said about them.
- Where both have one address, what was said about the other's is said again about the kept one; the other's
  becomes an empty twin, which old links still lead on from.
- What is left of the other contact is an empty shell, so that the ledger's sums stay true.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from sqlalchemy import select, update
from sqlmodel import Session, col

from contacts import consent, fills, lists
from contacts.columns import now
from contacts.models import Contact, Endpoint, EndpointState, Membership

TWIN_PREFIX = "merged:"  # the key of an endpoint whose address another endpoint keeps; then that one's id
METHOD = "merge"  # of the event that silences a twin

_FIELDS = ("name", "area")


class CannotJoin(ValueError):
    """These contacts cannot be merged, or this one not be split; the message names the cure."""


@dataclass(frozen=True, slots=True)
class Merge:
    """What merging two contacts does, or would do.

    Attributes:
        kept: the contact that stays.
        gone: the contact that becomes a shell.
        moved: the endpoints that move.
        shared: pairs of endpoints with one address: the gone contact's, the kept contact's.
        lists: the lists that the kept contact joins; this is no consent.
        filled: what the kept contact did not have, by field.
        overruled: the fields in which the kept contact's value wins over another one.
        languages: those to choose from, the kept contact's first; one where they agree.
    """

    kept: int
    gone: int
    moved: tuple[int, ...]
    shared: tuple[tuple[int, int], ...]
    lists: tuple[int, ...]
    filled: dict[str, str] = field(repr=False)
    overruled: tuple[str, ...]
    languages: tuple[str, ...]


def plan_merge(session: Session, kept_id: int, gone_id: int) -> Merge:
    """What `merge` would do.

    Raises:
        CannotJoin: they are one contact, or one of them is not there any more.
    """
    if kept_id == gone_id:
        raise CannotJoin(f"Contact {kept_id} cannot be merged with itself. Name two contacts.")
    kept, gone = _alive(session, kept_id), _alive(session, gone_id)
    places = {(each.channel, each.address_key): each.id or 0 for each in _endpoints(session, kept_id)}
    others = [
        (each.id or 0, places.get((each.channel, each.address_key))) for each in _endpoints(session, gone_id)
    ]
    return Merge(
        kept=kept_id,
        gone=gone_id,
        moved=tuple(number for number, twin in others if twin is None),
        shared=tuple((number, twin) for number, twin in others if twin is not None),
        lists=tuple(sorted(_lists(session, gone_id) - _lists(session, kept_id))),
        filled={name: getattr(gone, name) for name in _FIELDS if getattr(gone, name) and not getattr(kept, name)},
        overruled=tuple(name for name in _FIELDS if _differ(getattr(kept, name), getattr(gone, name))),
        languages=tuple(dict.fromkeys((kept.language, gone.language))),
    )  # fmt: skip


def merge(session: Session, kept_id: int, gone_id: int, *, actor: str, language: str | None = None) -> Merge:
    """Make two contacts one. Nothing is committed; `split` takes it back.

    Args:
        session: an open session that may write.
        kept_id: the contact that stays; its name, area and language win.
        gone_id: the contact that becomes a shell.
        actor: who merges them.
        language: which one stays, where they read different ones.

    Raises:
        CannotJoin: see `plan_merge`; or they read different languages, and nobody chose.
    """
    _lock(session, (kept_id, gone_id))
    plan = plan_merge(session, kept_id, gone_id)
    chosen = _chosen(plan, language)
    session.execute(update(Endpoint).where(col(Endpoint.id).in_(plan.moved)).values(contact_id=kept_id))
    for twin_id, endpoint_id in plan.shared:
        fold(session, twin_id, endpoint_id, actor=actor)
    for list_id in plan.lists:
        lists.add_member(session, list_id, kept_id)
    session.execute(update(Contact).where(col(Contact.merged_into) == gone_id).values(merged_into=kept_id))
    _leave_lists(session, gone_id)
    kept, gone = session.get_one(Contact, kept_id), session.get_one(Contact, gone_id)
    for contact in (kept, gone):
        fills.note(session, contact)
    stays = [name for name in plan.overruled if fills.is_imported(session, kept, name)]
    fills.hand_over(session, gone, kept, [*plan.filled, "groups"])
    _unite(kept, gone, plan, chosen, stays)
    session.flush()
    return plan


def split(
    session: Session,
    contact_id: int,
    endpoint_ids: Collection[int],
    *,
    shared: Collection[int] = (),
    name: str = "",
    language: str | None = None,
) -> Contact:
    """Make a new contact of some of a contact's addresses, with what was said about them. Nothing is committed.

    Args:
        session: an open session that may write.
        contact_id: whose addresses they are now.
        endpoint_ids: the addresses that go.
        shared: the addresses that both have from now on.
        name: of the new contact.
        language: the new contact's; as before if None.

    Returns:
        The new contact: on the same lists, in the same area and groups.

    Raises:
        CannotJoin: an address is not this contact's, or none would be left on one of the sides.
    """
    _lock(session, [contact_id])
    contact = _alive(session, contact_id)
    _check_split(contact_id, {each.id or 0 for each in _endpoints(session, contact_id)}, endpoint_ids, shared)
    made = Contact(name=name, language=language or contact.language, area=contact.area, groups=contact.groups)
    session.add(made)
    session.flush()
    assert made.id is not None
    session.execute(update(Endpoint).where(col(Endpoint.id).in_(endpoint_ids)).values(contact_id=made.id))
    shells = update(Contact).where(col(Contact.merged_into) == contact_id)
    session.execute(shells.values(dict.fromkeys(_FIELDS, "")))  # who these were is in doubt again
    for endpoint_id in shared:
        _copy(session, session.get_one(Endpoint, endpoint_id), made.id)
    for list_id in _lists(session, contact_id):
        lists.add_member(session, list_id, made.id)
    session.expire_all()
    return made


def living(session: Session, endpoint_id: int) -> Endpoint | None:
    """The endpoint of this id or, where its contact was merged into another, the one that keeps its address."""
    found = session.get(Endpoint, endpoint_id)
    while found is not None and found.address_key.startswith(TWIN_PREFIX):
        found = session.get(Endpoint, int(found.address_key.removeprefix(TWIN_PREFIX)))
    return found


def fold(session: Session, twin_id: int, endpoint_id: int, *, actor: str) -> None:
    """Say all that was said about a twin about the endpoint that stays, and make an empty shell of the twin.

    Args:
        session: an open session that may write. Nothing is committed.
        twin_id: the endpoint that goes.
        endpoint_id: the one that stays, of the same contact or of another.
        actor: who says that the two are one.
    """
    consent.carry_over(session, twin_id, endpoint_id)
    twin, kept = session.get_one(Endpoint, twin_id), session.get_one(Endpoint, endpoint_id)
    # What is known of an address is true of it whosever it is: bounced, or held until a person has looked.
    if twin.state == EndpointState.BAD:
        kept.state, kept.state_reason = twin.state, twin.state_reason
    kept.held = kept.held or twin.held
    kept.soft_bounces = max(kept.soft_bounces, twin.soft_bounces)
    consent.record(
        session, contact_id=twin.contact_id, endpoint_id=twin_id, list_id=None, decision=False, method=METHOD,
        reference=f"endpoint {endpoint_id} keeps the address", actor=actor,
    )  # fmt: skip
    twin.address, twin.address_key = "", f"{TWIN_PREFIX}{endpoint_id}"
    twin.state, twin.state_reason = EndpointState.ERASED, "merged"
    session.add_all((twin, kept))


def _alive(session: Session, contact_id: int) -> Contact:
    contact = session.get(Contact, contact_id)
    if contact is None:
        raise CannotJoin(f"There is no contact {contact_id}. Look it up: notify contacts list")
    if contact.merged_into is not None:
        raise CannotJoin(f"Contact {contact_id} was merged into {contact.merged_into}. Name that one.")
    if contact.erased_at is not None:
        raise CannotJoin(f"Contact {contact_id} was erased; there is nothing left of it to join.")
    return contact


def _lock(session: Session, contact_ids: Sequence[int]) -> None:
    """Let nobody else join or import these contacts meanwhile; in one order, so that two wait for each other."""
    query = select(col(Contact.id)).where(col(Contact.id).in_(contact_ids)).order_by(col(Contact.id))
    session.execute(query.with_for_update())
    session.expire_all()


def _endpoints(session: Session, contact_id: int) -> list[Endpoint]:
    query = select(Endpoint).where(col(Endpoint.contact_id) == contact_id).order_by(col(Endpoint.id))
    return list(session.execute(query).scalars())


def _lists(session: Session, contact_id: int) -> set[int]:
    query = select(col(Membership.list_id)).where(col(Membership.contact_id) == contact_id)
    return set(session.execute(query).scalars())


def _differ(kept: str, gone: str) -> bool:
    return bool(kept and gone) and kept.casefold() != gone.casefold()


def _chosen(plan: Merge, language: str | None) -> str:
    if language is None and len(plan.languages) > 1:
        both = " and ".join(plan.languages)
        raise CannotJoin(f"The two read {both}. Say which one stays: --language {plan.languages[0]}")
    if language is not None and language not in plan.languages:
        raise CannotJoin(f"Neither of the two reads {language!r}. Choose {' or '.join(plan.languages)}.")
    return language or plan.languages[0]


def _leave_lists(session: Session, contact_id: int) -> None:
    for list_id in _lists(session, contact_id):
        lists.remove_member(session, list_id, contact_id)


def _unite(kept: Contact, gone: Contact, plan: Merge, language: str, stays: Collection[str]) -> None:
    """Make one of two.

    Args:
        kept: the contact that stays.
        gone: the one that becomes a shell.
        plan: what is done.
        language: the chosen one.
        stays: the fields that the shell keeps until the import that overrules them is undone.
    """
    for name, value in plan.filled.items():
        setattr(kept, name, value)
    groups = dict.fromkeys(each for each in f"{kept.groups}{gone.groups}".split("|") if each)
    kept.groups = f"|{'|'.join(groups)}|" if groups else ""
    kept.language = language
    kept.updated_at = gone.updated_at = now()
    gone.groups = ""
    for name in _FIELDS:
        setattr(gone, name, getattr(gone, name) if name in stays else "")
    gone.merged_into = kept.id


def _check_split(
    contact_id: int, own: set[int], endpoint_ids: Collection[int], shared: Collection[int]
) -> None:
    foreign = (set(endpoint_ids) | set(shared)) - own
    if foreign:
        raise CannotJoin(
            f"Endpoint {min(foreign)} is not contact {contact_id}'s. See: notify contacts show {contact_id}"
        )
    if not set(endpoint_ids) | set(shared):
        raise CannotJoin("Name at least one address that goes to the new contact.")
    if own <= set(endpoint_ids):
        raise CannotJoin(f"At least one address has to stay with contact {contact_id}.")
    if set(endpoint_ids) & set(shared):
        raise CannotJoin("An address either goes or is shared, not both.")


def _copy(session: Session, endpoint: Endpoint, contact_id: int) -> None:
    made = Endpoint(
        contact_id=contact_id,
        channel=endpoint.channel,
        address=endpoint.address,
        address_key=endpoint.address_key,
        state=endpoint.state,
        state_reason=endpoint.state_reason,
        held=endpoint.held,
        soft_bounces=endpoint.soft_bounces,
    )
    session.add(made)
    session.flush()
    assert endpoint.id is not None
    assert made.id is not None
    consent.carry_over(session, endpoint.id, made.id)
