"""The lists that liaisons keep."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlmodel import Session

from contacts import consent, lists
from contacts.lists import BadListName, UnknownList
from contacts.models import Endpoint


def test_a_list_is_made_once_whatever_its_case_and_spaces(session: Session) -> None:
    first = lists.get_or_create(session, "Elders North", description="Kept by Eva")
    assert lists.get_or_create(session, "  elders   north ").id == first.id
    assert lists.by_name(session, "ELDERS NORTH").description == "Kept by Eva"
    assert [each.name for each in lists.every(session)] == ["Elders North"]


def test_an_unknown_list_is_answered_with_those_there_are(session: Session) -> None:
    lists.get_or_create(session, "Elders")
    with pytest.raises(UnknownList, match="The lists: Elders"):
        lists.by_name(session, "Parents")


@pytest.mark.parametrize("name", ["", "  ", "x" * 101, "a\x00b", "a\u202eb"])
def test_a_name_that_cannot_be_read_aloud_is_refused(session: Session, name: str) -> None:
    with pytest.raises(BadListName):
        lists.get_or_create(session, name)


def test_members_and_agreed_addresses_are_counted(
    session: Session, resident: Callable[..., Endpoint]
) -> None:
    listed = lists.get_or_create(session, "News").id or 0
    agreed, silent, gone = resident(), resident("email", "ana@example.org"), resident(address="+12025550199")
    for endpoint in (agreed, agreed, silent, gone):
        lists.add_member(session, listed, endpoint.contact_id)
    for endpoint in (agreed, gone):
        consent.opt_in(session, "sms", endpoint.address_key, list_id=listed, method="web form")
    consent.opt_out(session, "sms", gone.address_key, method="sms keyword")
    assert lists.count_members(session, listed) == 3
    assert lists.count_subscribed(session, listed) == {"sms": 1}
