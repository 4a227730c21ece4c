"""The consent ledger of a contact: read, and added to."""

from __future__ import annotations

from datetime import UTC, datetime

from fastapi import Response
from sqlalchemy import ColumnElement, or_
from sqlmodel import Session, col, select

from channels.contract import AddressKind
from contacts import consent, lists
from contacts.columns import now
from contacts.consent import Saying
from contacts.erasure import said_no_since
from contacts.languages import language_tag
from contacts.models import ConsentEvent, Endpoint, ListKind
from contacts.standing import Method
from notify import liaisons
from notify.apikeys import Scope
from notify.consents import OUTLIVED
from notify.hub import address_kinds
from notify.web.api.calls import Answer, Call, Caller, Trace
from notify.web.api.fields import PathId
from notify.web.api.paging import Paging
from notify.web.api.problems import Problem, at, not_possible
from notify.web.api.routing import Routes
from notify.web.api.seeing import check_whole, endpoint_of, made, visible, visible_list
from notify.web.api.shapes import ConsentPage, ConsentShape, Made, NewConsent

OLDEST = datetime(1990, 1, 1, tzinfo=UTC)  # nobody agreed to anything of ours before


def add_routes(routes: Routes) -> None:
    """The routes of consent."""
    path = "/contacts/{contact_id:id}/consent"
    routes.add("GET", path, list_consent, scope=Scope.CONSENT_READ, gives=ConsentPage, refuses=[404, 422])
    routes.add(
        "POST", path, record_consent, scope=Scope.CONSENT_WRITE, gives=Made, status=201, refuses=[404, 409, 422],
        repeatable=True, headers=["Location"],
    )  # fmt: skip


def list_consent(call: Caller, contact_id: PathId, asked: Paging) -> Response:
    """Every yes and no of a contact, about everything and about the lists that the key may see."""
    what = f"consent {contact_id}"
    after = call.cursors.after(what, asked)

    def look(session: Session) -> Answer:
        visible(session, call, contact_id)
        query = select(ConsentEvent).where(
            ConsentEvent.contact_id == contact_id, col(ConsentEvent.id) > after, _seen(session, call)
        )
        found = list(session.exec(query.order_by(col(ConsentEvent.id)).limit(asked.limit + 1)))
        count, cursor = call.cursors.following(what, asked, [each.id or 0 for each in found])
        items = [ConsentShape.model_validate(each) for each in found[:count]]
        trace = Trace("consent.view", f"contact {contact_id}", {"count": count})
        return Answer(ConsentPage(items=items, next_cursor=cursor), trace=trace)

    return call.read(look)


def record_consent(call: Caller, contact_id: PathId, said: NewConsent) -> Response:
    """Add a yes or a no to the ledger. A yes also puts the contact on the list."""
    saying, key = _saying(call, said), call.hub.settings.key()

    def do(session: Session) -> Answer:
        visible(session, call, contact_id)
        endpoint = endpoint_of(session, contact_id, said.endpoint_id)
        if endpoint is None:
            raise not_possible("/endpoint_id", "endpoint_unknown", "The contact has no such address.")
        _check_list(session, call, contact_id, said)
        if said.decision and said_no_since(session, key, endpoint, said.list_id, saying["at"]):
            raise not_possible("/at", "no_since", OUTLIVED)
        event = consent.record(
            session, contact_id=contact_id, endpoint_id=said.endpoint_id, decision=said.decision, **saying
        )
        if said.decision:
            _put_on_list(session, said.list_id, contact_id)
        else:
            _silence_all(session, endpoint, saying)
        detail = {"endpoint": said.endpoint_id, "list": said.list_id, "decision": said.decision}
        trace = Trace("consent.record", f"contact {contact_id}", {**detail, "event": event.id})
        return made(f"contacts/{contact_id}/consent", event.id or 0, trace)

    return call.write(do)


def _seen(session: Session, call: Call) -> ColumnElement[bool]:
    everything = col(ConsentEvent.list_id).is_(None)
    kept = [listed.id for listed in liaisons.lists_of(session, call.person)]
    return or_(everything, col(ConsentEvent.list_id).in_(kept))


def _saying(call: Call, said: NewConsent) -> Saying:
    """What is recorded of a decision.

    Raises:
        Problem: a proof is missing (R31), or cannot be one.
    """
    if said.decision and not said.wording.strip():
        raise not_possible(
            "/wording", "wording_needed", "A yes needs the exact words the resident agreed to."
        )
    if said.method.strip().casefold() == Method.IMPORT:
        raise not_possible("/method", "method", "Bring the rows of a sheet in by an import.")
    if said.at is not None and said.at < OLDEST:
        raise not_possible("/at", "date_unknown", "This is too long ago. Check the date.")
    with at("/wording_language"):
        language = language_tag(said.wording_language) if said.wording_language else ""
    return Saying(
        list_id=said.list_id, method=said.method, wording=said.wording, wording_language=language,
        reference=said.reference, actor=call.actor, ip=said.ip or "", at=min(said.at or now(), now()),
    )  # fmt: skip


def _check_list(session: Session, call: Call, contact_id: int, said: NewConsent) -> None:
    """Make sure that a decision is about a list in the key's hands; a no to everything is taken from anybody."""
    if said.list_id is None:
        if said.decision:
            check_whole(session, call, contact_id)
        return
    try:
        listed = visible_list(session, call, said.list_id)
    except Problem:
        raise not_possible("/list_id", "list_unknown", "There is no such list, or it is not yours.") from None
    if said.decision and listed.kind != ListKind.OPT_IN:
        raise not_possible("/list_id", "list_kind", "Nobody agrees to a list that leaves people out.")


def _put_on_list(session: Session, list_id: int | None, contact_id: int) -> None:
    if list_id is not None:
        lists.add_member(session, list_id, contact_id)


def _silence_all(session: Session, endpoint: Endpoint, saying: Saying) -> None:
    """Who shares a phone or a mailbox shares its silence (R5); who shares a letter box does not."""
    if address_kinds().get(endpoint.channel) is not AddressKind.POSTAL:
        consent.opt_out(session, endpoint.channel, endpoint.address_key, **saying)
