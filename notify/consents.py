"""The proof of consent, as staff see it and add to it: who said what about an address, and what stands (R31)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, or_
from sqlmodel import Session, col, select

from channels.contract import AddressKind
from contacts import consent, evidence, lists
from contacts.addresses import Address, BadAddress, normalise
from contacts.columns import now
from contacts.erasure import erased_key, said_no_since
from contacts.models import ConsentEvent, Contact, ContactList, Endpoint, EndpointState, ListKind
from contacts.standing import Method
from notify import audit
from notify.residents import Keeper

LONGEST_REFERENCE = 200
OUTLIVED = "Since that day somebody at this address has said no, and was erased. Only a newer yes counts."
EARLIEST = date(1990, 1, 1)  # nobody agreed to anything of ours before


class ConsentError(ValueError):
    """Nobody has this address, or a proof is missing; the message names the cure."""


@dataclass(frozen=True, slots=True)
class Known:
    """How addresses are looked for.

    Attributes:
        kinds: how they are written on each channel.
        country: the city's, ISO 3166-1 alpha-2.
        key: the city's secret: an erased address is found by its keyed hash.
    """

    kinds: Mapping[str, AddressKind]
    country: str
    key: bytes


@dataclass(frozen=True, slots=True)
class Paper:
    """What a paper form says.

    Attributes:
        agreed: yes or no.
        listed: to which list; None is everything, and only a no can be that.
        reference: where the form is kept: R31 wants it found again.
        wording: the exact words on the form.
        language: theirs, BCP 47.
        signed_on: the date on the form, in the city's time zone; None is today.
    """

    agreed: bool
    listed: ContactList | None
    reference: str
    wording: str
    language: str
    signed_on: date | None = None


def find(
    session: Session, keeper: Keeper, known: Known, target: str, channel: str | None = None
) -> list[Endpoint]:
    """The endpoints that a contact's number or an address means, erased ones too, of those a person may see.

    Args:
        session: an open session.
        keeper: who looks; whom they may not see is nobody to them, so that they learn nothing of other lists.
        known: how to look.
        target: the number of a contact, or an address as anybody writes it.
        channel: only on this channel; a number that is no contact's there is an address, like a chat's.

    Raises:
        ConsentError: nobody has it.
    """
    if channel is not None and channel not in known.kinds:
        raise ConsentError(f"There is no channel {channel!r}. There are: {', '.join(known.kinds)}.")
    found = _of_contact(session, target, channel) if _is_number(target) else []
    found = found or _with_address(session, known, target, channel)
    seen = [endpoint for endpoint in found if _is_visible(session, keeper, endpoint)]
    if not seen:
        where = "No" if keeper.keeps_all else f"On the lists that {keeper.name} keeps, no"
        raise ConsentError(
            f"{where} contact has this number, and nobody this address. "
            "Look them up: notify contacts list --search"
        )
    return seen


def proof(session: Session, keeper: Keeper, endpoints: Sequence[Endpoint]) -> list[dict[str, Any]]:
    """For each endpoint what stands and why, and everything that was ever said. Nothing is committed.

    Raises:
        StaffError: an address is of nobody on this person's lists.
    """
    for contact_id in sorted({endpoint.contact_id for endpoint in endpoints}):
        keeper.require_contact(session, contact_id)
        audit.record(session, keeper.name, "consent.view", f"contact {contact_id}")
    return [_proof_of(session, keeper, endpoint) for endpoint in endpoints]


def record_paper(
    session: Session,
    keeper: Keeper,
    endpoint: Endpoint,
    paper: Paper,
    *,
    timezone: str,
    shared: bool,
    key: bytes,
) -> ConsentEvent:
    """Enter a paper form. A yes puts the contact on the list. Nothing is committed.

    A date has no hour: a yes counts from the beginning of its day and a no from the end, so that of two of one
    day the no wins.

    Args:
        session: an open session that may write.
        keeper: who enters it.
        endpoint: the address on the form.
        paper: the form.
        timezone: the city's.
        shared: whether who has the same address shares a no: a phone does (R5), a letter box does not.
        key: the city's secret: an erased no is found by its keyed hash.

    Raises:
        StaffError: the list or the contact is not in this person's hands.
        ConsentError: a proof is missing (R31), the date cannot be, or a no has been said since.
    """
    _check(session, keeper, endpoint, paper)
    at = _moment(paper, timezone)
    list_id = paper.listed.id if paper.listed else None
    if paper.agreed and said_no_since(session, key, endpoint, list_id, at):
        raise ConsentError(OUTLIVED)
    saying: dict[str, Any] = {
        "list_id": list_id, "method": Method.PAPER, "wording": paper.wording,
        "wording_language": paper.language, "reference": paper.reference, "actor": keeper.name, "at": at,
    }  # fmt: skip
    event = consent.record(
        session, contact_id=endpoint.contact_id, endpoint_id=endpoint.id or 0, decision=paper.agreed, **saying
    )
    if paper.agreed and paper.listed is not None:
        lists.add_member(session, paper.listed.id or 0, endpoint.contact_id)
    if not paper.agreed and shared:
        consent.opt_out(session, endpoint.channel, endpoint.address_key, **saying)
    audit.record(
        session, keeper.name, "consent.record", f"contact {endpoint.contact_id}", endpoint=endpoint.id,
        list=saying["list_id"], decision=paper.agreed, event=event.id,
    )  # fmt: skip
    return event


def _is_visible(session: Session, keeper: Keeper, endpoint: Endpoint) -> bool:
    if keeper.sees is None:
        return True
    query = select(Contact.id).where(Contact.id == endpoint.contact_id, keeper.sees)
    return session.exec(query).first() is not None


def _is_number(target: str) -> bool:
    return target.isascii() and target.isdigit() and len(target) < 16


def _of_contact(session: Session, number: str, channel: str | None) -> list[Endpoint]:
    query = select(Endpoint).where(Endpoint.contact_id == int(number))
    if channel is not None:
        query = query.where(Endpoint.channel == channel)
    return list(session.exec(query.order_by(col(Endpoint.id))))


def _with_address(session: Session, known: Known, target: str, channel: str | None) -> list[Endpoint]:
    places: list[ColumnElement[bool]] = []
    for name, kind in known.kinds.items():
        address = _normalised(kind, target, known.country) if channel in (None, name) else None
        if address is not None:
            keys = (address.key, erased_key(known.key, name, address.key))
            places.append((col(Endpoint.channel) == name) & col(Endpoint.address_key).in_(keys))
    if not places:
        return []
    return list(session.exec(select(Endpoint).where(or_(*places)).order_by(col(Endpoint.id))))


def _normalised(kind: AddressKind, target: str, country: str) -> Address | None:
    try:
        return normalise(kind, target, country=country)
    except BadAddress:
        return None


def _proof_of(session: Session, keeper: Keeper, endpoint: Endpoint) -> dict[str, Any]:
    seen = keeper.list_ids(session)
    query = (
        select(ConsentEvent, ContactList.name)
        .outerjoin(ContactList, col(ContactList.id) == col(ConsentEvent.list_id))
        .where(ConsentEvent.endpoint_id == endpoint.id)
    )
    history = session.exec(query.order_by(col(ConsentEvent.at), col(ConsentEvent.id))).all()
    return {
        "endpoint": endpoint.id,
        "contact": endpoint.contact_id,
        "channel": endpoint.channel,
        "address": endpoint.address,
        "state": endpoint.state,
        "opted_out": endpoint.opted_out,
        "held": endpoint.held,
        "standing": [
            asdict(each) for each in evidence.why(session, endpoint.id or 0) if _may_see(each.list_id, seen)
        ],
        "history": [_told(event, name) for event, name in history if _may_see(event.list_id, seen)],
    }


def _may_see(list_id: int | None, seen: set[int] | None) -> bool:
    return seen is None or list_id is None or list_id in seen


def _told(event: ConsentEvent, list_name: str | None) -> dict[str, Any]:
    return {
        "event": event.id,
        "at": event.at,
        "recorded_at": event.recorded_at,
        "decision": event.decision,
        "list": list_name or "",
        "method": event.method,
        "basis": event.basis,
        "wording": event.wording,
        "wording_language": event.wording_language,
        "reference": event.reference,
        "actor": event.actor,
        "ip": event.ip,
        "import": event.import_id,
    }


def _check(session: Session, keeper: Keeper, endpoint: Endpoint, paper: Paper) -> None:
    if endpoint.state == EndpointState.ERASED:
        raise ConsentError("This address was erased. A resident who comes back signs up anew.")
    if not paper.reference.strip() or len(paper.reference) > LONGEST_REFERENCE:
        raise ConsentError("Say where the form is kept, in a few words: --reference 'binder 4, form 212'")
    if paper.agreed and paper.listed is None:
        raise ConsentError("Say which list the resident agreed to: --list NAME")
    if paper.agreed and not paper.wording.strip():
        raise ConsentError(
            "A yes needs the exact words on the form: --wording 'Yes, text me the weekly news.'"
        )
    if paper.wording and not paper.language:
        raise ConsentError("Say in which language these words are: --language es")
    if paper.agreed and paper.listed is not None and paper.listed.kind != ListKind.OPT_IN:
        raise ConsentError(f"Nobody agrees to {paper.listed.name!r}: it leaves people out.")
    if paper.listed is not None:
        keeper.require_list(session, paper.listed)
    keeper.require_contact(session, endpoint.contact_id)


def _moment(paper: Paper, timezone: str) -> datetime:
    """When a form counts, see `record_paper`."""
    zone = ZoneInfo(timezone)
    today = now().astimezone(zone).date()
    day = paper.signed_on or today
    if not EARLIEST <= day <= today:
        raise ConsentError(f"{day:%Y-%m-%d} cannot be the date on the form. Write it like {today:%Y-%m-%d}.")
    begins = datetime.combine(day, time(), zone)
    return begins if paper.agreed and paper.signed_on else min(begins + timedelta(days=1), now())
