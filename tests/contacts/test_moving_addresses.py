"""A chat group gets a new id: what was said about the old one holds for the new one (R14)."""

from __future__ import annotations

import pytest
from sqlmodel import Session, select

from contacts import consent, lists
from contacts.addresses import Address
from contacts.models import Contact, Endpoint, EndpointState, Membership
from contacts.moving import readdress

OLD, NEW = Address("-77", "-77"), Address("-10077", "-10077")


def group(session: Session, address: Address, *, says: tuple[tuple[str, bool], ...]) -> Endpoint:
    """A contact with a chat, and what it said about lists; an empty name is everything."""
    contact = Contact()
    session.add(contact)
    session.flush()
    endpoint = Endpoint(
        contact_id=contact.id or 0, channel="telegram", address=address.address, address_key=address.key
    )
    session.add(endpoint)
    session.flush()
    for name, decision in says:
        list_id = lists.get_or_create(session, name).id if name else None
        consent.record(
            session, contact_id=contact.id or 0, endpoint_id=endpoint.id or 0, list_id=list_id,
            decision=decision, method="telegram", wording="/start",
        )  # fmt: skip
    return endpoint


def gets(session: Session, endpoint: Endpoint) -> set[str]:
    names = {each.id: each.name for each in lists.every(session)}
    found = consent.present(session, endpoint.id or 0)
    assert found == consent.replay(session, endpoint.id or 0)
    return {names[number] for number, standing in found.lists.items() if standing.active}


def test_an_address_that_nobody_has_yet_takes_the_olds_place(session: Session) -> None:
    endpoint = group(session, OLD, says=(("Buses", True),))
    assert readdress(session, "telegram", OLD.key, NEW) == 1
    assert (endpoint.address, endpoint.address_key) == (NEW.address, NEW.key)
    assert gets(session, endpoint) == {"Buses"}


@pytest.mark.parametrize("channel", ["telegram", "sms"])
def test_again_or_elsewhere_it_changes_nothing(session: Session, channel: str) -> None:
    endpoint = group(session, NEW, says=(("Buses", True),))
    assert readdress(session, channel, OLD.key, NEW) == 0
    assert readdress(session, "telegram", NEW.key, NEW) == 0
    assert endpoint.address == NEW.address


def test_two_contacts_in_one_chat_both_move(session: Session) -> None:
    both = [group(session, OLD, says=(("Buses", True),)) for _ in range(2)]
    assert readdress(session, "telegram", OLD.key, NEW) == 2
    assert [endpoint.address for endpoint in both] == [NEW.address] * 2


def test_an_address_that_is_known_takes_over_what_was_said_and_the_lists(session: Session) -> None:
    old = group(session, OLD, says=(("Buses", True), ("Food", False)))
    new = group(session, NEW, says=(("Schools", True),))
    assert readdress(session, "telegram", OLD.key, NEW) == 1
    assert gets(session, new) == {"Buses", "Schools"}
    assert (old.address, old.state) == ("", EndpointState.ERASED)
    assert gets(session, old) == set()
    buses = lists.by_name(session, "Buses").id
    members = session.exec(select(Membership.contact_id).where(Membership.list_id == buses)).all()
    assert new.contact_id in members
    assert readdress(session, "telegram", OLD.key, NEW) == 0


@pytest.mark.parametrize(("later", "expected"), [("old", set()), ("new", {"Buses"})])
def test_the_last_word_counts_whichever_id_it_was_said_under(
    session: Session, later: str, expected: set[str]
) -> None:
    if later == "old":
        new = group(session, NEW, says=(("Buses", True),))
        group(session, OLD, says=(("Buses", True), ("", False)))
    else:
        group(session, OLD, says=(("Buses", True), ("", False)))
        new = group(session, NEW, says=(("Buses", True),))
    readdress(session, "telegram", OLD.key, NEW)
    assert gets(session, new) == expected


def test_that_the_old_id_failed_says_nothing_about_the_new_one(session: Session) -> None:
    old = group(session, OLD, says=(("Buses", True),))
    old.state, old.state_reason = EndpointState.BAD, "provider"
    new = group(session, NEW, says=(("Buses", True),))
    readdress(session, "telegram", OLD.key, NEW)
    assert new.state == EndpointState.USABLE
