"""An import that is taken back after its contacts were merged: what it said goes, what it overruled comes back."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlmodel import Session, select

from contacts import joining
from contacts.importing import ImportReport, undo
from contacts.models import Contact, Endpoint, ImportFill

Load = Callable[..., ImportReport]
Make = Callable[..., Endpoint]

SHEET = "name,phone,area,groups,consent\nAna Ruiz,202-555-0143,North,elders,yes\n"


def imported(session: Session, load: Load, sheet: str = SHEET) -> tuple[int, int]:
    """The import, and the contact at its first address."""
    report = load(sheet)
    query = select(Endpoint.contact_id).where(Endpoint.import_id == report.import_id)
    return report.import_id or 0, session.exec(query).first() or 0


def about(session: Session, contact_id: int) -> tuple[str, str, str]:
    session.expire_all()
    found = session.get_one(Contact, contact_id)
    return found.name, found.area, found.groups


def test_a_name_that_the_import_overruled_is_given_back(session: Session, load: Load, resident: Make) -> None:
    own = resident("email", "ana@example.org", name="Ana María", area="Harbor", groups="|parents|")
    shell = own.contact_id
    run, made = imported(session, load)
    joining.merge(session, made, shell, actor="eva")
    session.commit()
    assert about(session, made) == ("Ana Ruiz", "North", "|elders|parents|")
    undo(session, run, actor="eva")
    assert about(session, made) == ("Ana María", "Harbor", "|parents|")
    assert about(session, shell) == ("", "", "")


def test_what_the_import_gave_to_the_contact_that_stays_goes(
    session: Session, load: Load, resident: Make
) -> None:
    own = resident("email", "ana@example.org", groups="|elders|")
    run, made = imported(session, load)
    joining.merge(session, own.contact_id, made, actor="eva")
    session.commit()
    assert about(session, own.contact_id) == ("Ana Ruiz", "North", "|elders|")
    undo(session, run, actor="eva")
    assert about(session, own.contact_id) == ("", "", "|elders|")
    assert session.exec(select(ImportFill)).all() == []


def test_what_the_import_filled_goes_where_a_merge_took_it(
    session: Session, load: Load, resident: Make
) -> None:
    kept = resident("email", "ana@example.org", area="Harbor")
    filled = resident("sms", "+12025550143")
    run = load(SHEET).import_id or 0
    joining.merge(session, kept.contact_id, filled.contact_id, actor="eva")
    session.commit()
    assert about(session, kept.contact_id) == ("Ana Ruiz", "Harbor", "|elders|")
    undo(session, run, actor="eva")
    assert about(session, kept.contact_id) == ("", "Harbor", "")


def test_an_own_name_stays_though_the_import_had_the_same(
    session: Session, load: Load, resident: Make
) -> None:
    own = resident("email", "ana@example.org", name="Ana Ruiz", groups="|elders|")
    run, made = imported(session, load)
    joining.merge(session, own.contact_id, made, actor="eva")
    session.commit()
    undo(session, run, actor="eva")
    assert about(session, own.contact_id) == ("Ana Ruiz", "", "|elders|")


@pytest.mark.parametrize("first", [0, 1])
def test_two_imports_are_undone_in_any_order(session: Session, load: Load, first: int) -> None:
    one, kept = imported(session, load)
    other, gone = imported(session, load, "name,email,consent\nAna María,ana@example.org,yes\n")
    session.add(Endpoint(contact_id=kept, channel="telegram", address="7", address_key="7"))
    session.commit()
    joining.merge(session, kept, gone, actor="eva")
    session.commit()
    runs = [one, other]
    undo(session, runs[first], actor="eva")
    assert about(session, kept)[0] == ("Ana María", "Ana Ruiz")[first]
    undo(session, runs[1 - first], actor="eva")
    assert about(session, kept) == ("", "", "")


def test_what_somebody_changed_since_stays(session: Session, load: Load, resident: Make) -> None:
    own = resident("email", "ana@example.org", name="Ana María")
    run, made = imported(session, load)
    joining.merge(session, made, own.contact_id, actor="eva")
    session.get_one(Contact, made).name = "Ana R."
    session.commit()
    undo(session, run, actor="eva")
    assert about(session, made)[0] == "Ana R."


def test_a_split_forgets_what_the_merge_overruled(session: Session, load: Load, resident: Make) -> None:
    own = resident("email", "ana@example.org", name="Bo")
    own_id = own.id or 0
    run, made = imported(session, load)
    joining.merge(session, made, own.contact_id, actor="eva")
    session.add(Endpoint(contact_id=made, channel="telegram", address="7", address_key="7"))
    session.commit()
    joining.split(session, made, [own_id], name="Bo")
    session.commit()
    undo(session, run, actor="eva")
    assert about(session, made)[0] == ""
