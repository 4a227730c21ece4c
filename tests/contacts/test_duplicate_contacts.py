"""Contacts that may be one person, found across lists; and households."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import Session, col

from contacts import duplicates, joining, lists
from contacts.duplicates import SAME_NAME, _Families
from contacts.models import Contact, Endpoint

Make = Callable[..., Endpoint]
HOME = "us|01103|12 main st|"


@pytest.fixture
def find(session: Session) -> Callable[..., dict[tuple[int, ...], tuple[str, ...]]]:
    def run(**options: object) -> dict[tuple[int, ...], tuple[str, ...]]:
        found = duplicates.find(session, household_channels=["letter"], **options)  # type: ignore[arg-type]
        return {each.contacts: each.why for each in found}

    return run


def also(session: Session, endpoint: Endpoint, channel: str, address: str) -> None:
    session.add(
        Endpoint(contact_id=endpoint.contact_id, channel=channel, address=address, address_key=address)
    )
    session.flush()


def test_the_same_phone_or_mailbox_joins_contacts_into_one_group(
    session: Session, resident: Make, find: Callable[..., dict]
) -> None:
    ana = resident()
    also(session, ana, "email", "ana@example.org")
    by_phone, by_mail = resident(), resident("email", "ana@example.org")
    resident(address="+12025550199")
    group = (ana.contact_id, by_phone.contact_id, by_mail.contact_id)
    assert find() == {group: ("same email", "same sms")}


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Ana Pérez", "PEREZ, ANA", True),
        ("Ana Pérez", "Ana Pires", False),
        ("Ana", "", False),
        ("", "", False),
        ("Nguyễn Văn An", "nguyen van an", True),
        ("Łukasz", "Lukasz", False),  # another letter, not an accent
        ("أحمد علي", "علي أحمد", True),
    ],
)
def test_at_one_letter_box_only_namesakes_are_one_person(
    session: Session, resident: Make, find: Callable[..., dict], one: str, other: str, same: bool
) -> None:
    first, second = resident("letter", HOME, name=one), resident("letter", HOME, name=other)
    expected = {(first.contact_id, second.contact_id): (SAME_NAME,)} if same else {}
    assert find() == expected
    assert duplicates.household(session, first.contact_id, ["letter"]) == [second.contact_id]


def test_a_list_narrows_groups_to_those_with_somebody_on_it(
    session: Session, resident: Make, find: Callable[..., dict]
) -> None:
    listed = lists.get_or_create(session, "News").id or 0
    first, second = resident(), resident()
    resident(address="+12025550199"), resident(address="+12025550199")
    lists.add_member(session, listed, second.contact_id)
    assert list(find(list_id=listed)) == [(first.contact_id, second.contact_id)]
    assert len(find()) == 2
    assert find(where=col(Contact.id) == second.contact_id) == {}


def test_who_was_merged_is_no_duplicate_any_more(
    session: Session, resident: Make, find: Callable[..., dict]
) -> None:
    first, second = resident(), resident()
    joining.merge(session, first.contact_id, second.contact_id, actor="eva")
    assert find() == {}


@given(st.lists(st.lists(st.integers(1, 12), min_size=2, max_size=4, unique=True), max_size=8))
def test_groups_are_what_is_connected(pairs: list[list[int]]) -> None:
    families = _Families()
    connected: list[set[int]] = []
    for contacts in pairs:
        families.join(contacts, "same sms")
        touched = [group for group in connected if group & set(contacts)]
        connected = [group for group in connected if group not in touched] + [set(contacts).union(*touched)]
    found = [set(group.contacts) for group in families.groups()]
    assert sorted(map(sorted, found)) == sorted(map(sorted, connected))
    assert all(group.why == ("same sms",) for group in families.groups())
