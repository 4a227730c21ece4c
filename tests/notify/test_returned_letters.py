"""Letters that the post brought back: what each reason means for the ledger, the address and consent."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from sqlmodel import Session, col, select
from typer.testing import CliRunner
from world import ANA, approved

from channels.letter.codes import code
from channels.registry import available
from contacts import consent
from contacts.audience import Skip
from contacts.columns import now
from contacts.models import Basis, ConsentEvent, Contact, ContactList, Endpoint, EndpointState
from notify import audit
from notify.audit import AuditEvent
from notify.cli import bounces
from notify.dispatch import returns
from notify.dispatch.models import Delivery, DeliveryState, Dispatch, Receipt
from notify.dispatch.returns import Reason, Returned
from notify.hub import Hub

HOME = "12 alder st|rivermouth|wa|98599"


def someone(session: Session, name: str, place: str, *, state: str, reason: str = "", days: int = 30) -> int:
    """A resident whose household got (or did not get) a letter; the delivery's number."""
    contact = Contact(name=name)
    session.add(contact)
    session.flush()
    phone = Endpoint(contact_id=contact.id or 0, channel="sms", address="+1", address_key=f"+1{contact.id}")
    post = Endpoint(
        contact_id=contact.id or 0, channel="letter", address="12 Alder St", address_key=place,
        created_at=now() - timedelta(days=days),
    )  # fmt: skip
    session.add_all([phone, post])
    session.flush()
    consent.record(
        session, contact_id=contact.id or 0, endpoint_id=post.id or 0, list_id=1, decision=True,
        method="import", basis=Basis.PUBLIC_TASK,
    )  # fmt: skip
    row = Delivery(
        dispatch_id=1, channel="letter", contact_id=contact.id or 0, endpoint_id=post.id, language="en",
        state=state, reason=reason, sent_at=now() - timedelta(days=5), provider_id=f"D1.pdf#{contact.id}",
    )  # fmt: skip
    session.add(row)
    session.flush()
    return row.id or 0


@pytest.fixture
def hub_with_letters(make_hub: Callable[..., Hub]) -> Hub:
    """Ann lives alone; Bea and Cem share an address, and Bea's letter was for both."""
    hub = make_hub()
    with hub.database.session() as session:
        statement = approved(session)
        session.add(ContactList(name="households"))
        session.flush()
        session.add(
            Dispatch(statement_id=statement.id or 0, revision=1, list_id=1, channels="letter", actor=ANA)
        )
        session.flush()
        someone(session, "Ann", "1 elm st", state=DeliveryState.ACCEPTED)
        someone(session, "Bea", HOME, state=DeliveryState.ACCEPTED)
        someone(session, "Cem", HOME, state=DeliveryState.SKIPPED, reason=Skip.SAME_HOUSEHOLD)
        session.commit()
    return hub


def enter(hub: Hub, key: int, reason: Reason) -> Returned:
    with hub.database.session() as session:
        (found,) = returns.look_up(session, [code(key)], available())
        returns.enter(session, found, reason, ANA)
        session.commit()
    return found


def state(hub: Hub, name: str, channel: str = "letter") -> Endpoint:
    with hub.database.reading() as session:
        query = select(Endpoint).join(Contact).where(Contact.name == name, Endpoint.channel == channel)
        return session.exec(query).one()


@pytest.mark.parametrize("reason", [Reason.MOVED, Reason.UNKNOWN])
def test_moved_and_unknown_mark_the_address_for_those_who_had_it_then(
    hub_with_letters: Hub, reason: Reason
) -> None:
    hub = hub_with_letters
    with hub.database.session() as session:
        someone(session, "Dee moved in later", HOME, state=DeliveryState.PLANNED, days=1)
        session.commit()
    assert enter(hub, 2, reason).people == 2
    for name in ("Bea", "Cem"):
        assert (state(hub, name).state, state(hub, name).state_reason) == (
            EndpointState.BAD, f"letter returned: {reason}",
        )  # fmt: skip
    assert state(hub, "Dee moved in later").state == EndpointState.USABLE
    assert state(hub, "Ann").state == EndpointState.USABLE
    assert state(hub, "Bea", "sms").held == ""
    with hub.database.reading() as session:
        row = session.get_one(Delivery, 2)
        assert (row.state, row.reason, row.code) == (
            DeliveryState.UNDELIVERED,
            "bad_address",
            f"returned: {reason}",
        )
        assert [event for event in session.exec(select(ConsentEvent)) if not event.decision] == []


def test_r31_a_refused_letter_is_a_no_to_letters_on_record(hub_with_letters: Hub) -> None:
    enter(hub_with_letters, 2, Reason.REFUSED)
    assert state(hub_with_letters, "Bea").opted_out
    assert state(hub_with_letters, "Cem").opted_out
    assert state(hub_with_letters, "Bea").state == EndpointState.USABLE
    assert not state(hub_with_letters, "Bea", "sms").opted_out
    with hub_with_letters.database.reading() as session:
        said = [event for event in session.exec(select(ConsentEvent)) if not event.decision]
        assert {(event.method, event.reference, event.actor) for event in said} == {
            ("returned letter", code(2), ANA)
        }
        for endpoint in session.exec(select(Endpoint.id)):
            assert consent.present(session, endpoint or 0) == consent.replay(session, endpoint or 0)


def test_the_death_of_the_only_addressee_holds_every_way_to_that_person(hub_with_letters: Hub) -> None:
    enter(hub_with_letters, 1, Reason.DECEASED)
    assert state(hub_with_letters, "Ann").state == EndpointState.BAD
    assert "died" in state(hub_with_letters, "Ann", "sms").held
    assert state(hub_with_letters, "Bea", "sms").held == ""


def test_the_death_of_one_of_several_holds_the_letters_of_all_and_says_no_for_nobody(
    hub_with_letters: Hub,
) -> None:
    enter(hub_with_letters, 2, Reason.DECEASED)
    for name in ("Bea", "Cem"):
        assert "died" in state(hub_with_letters, name).held
        assert state(hub_with_letters, name).state == EndpointState.USABLE
        assert state(hub_with_letters, name, "sms").held == ""
        assert not state(hub_with_letters, name).opted_out


def test_each_letter_is_in_the_audit_trail_without_a_name_and_has_its_receipt(hub_with_letters: Hub) -> None:
    enter(hub_with_letters, 1, Reason.MOVED)
    with hub_with_letters.database.reading() as session:
        last = session.exec(select(AuditEvent).order_by(col(AuditEvent.id).desc())).first()
        assert last is not None
        assert (last.actor, last.action, last.subject) == (ANA, "delivery.returned", "delivery 1")
        assert json.loads(last.detail) == {"dispatch": 1, "reason": "moved"}
        assert audit.verify(session) is None
        assert [(each.delivery_id, each.code) for each in session.exec(select(Receipt))] == [(1, "moved")]


@pytest.mark.parametrize(
    ("typed", "problem"),
    [
        (code(999), "belongs to no letter"),
        ("R1-94", "mistyped"),
        ("D1-1-00001", "no code of a letter"),
        (code(3), "never handed over"),
    ],
)
def test_a_code_that_names_no_letter_says_why(hub_with_letters: Hub, typed: str, problem: str) -> None:
    with hub_with_letters.database.reading() as session:
        (found,) = returns.look_up(session, [typed], available())
        assert problem in found.problem
        with pytest.raises(ValueError, match=problem):
            returns.enter(session, found, Reason.MOVED, ANA)


def test_a_letter_is_entered_once_however_often_it_is_scanned(hub_with_letters: Hub) -> None:
    enter(hub_with_letters, 1, Reason.MOVED)
    with hub_with_letters.database.reading() as session:
        found = returns.look_up(session, [code(1), "", f" {code(1).lower()} ", code(2)], available())
    assert [each.problem for each in found] == ["is entered already", ""]


# -- as staff type it


@pytest.fixture
def typed(hub_with_letters: Hub, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, str]]:
    def run(*arguments: str, scanned: str = "") -> tuple[int, str]:
        answer = CliRunner().invoke(bounces.bounces_app, ["returned", *arguments], input=scanned)
        assert answer.exception is None or isinstance(answer.exception, SystemExit), answer.exception
        return answer.exit_code, answer.output

    monkeypatch.setattr(bounces, "hub", lambda: hub_with_letters)
    monkeypatch.setattr(bounces, "actor", lambda *_: ANA)
    return run


def test_a_preview_changes_nothing(typed: Callable[..., tuple[int, str]], hub_with_letters: Hub) -> None:
    status, said = typed(code(1), code(2), "--reason", "moved", "--dry-run")
    assert (status, code(1) in said, "12 Alder" in said, "Bea" in said) == (0, True, False, False)
    assert state(hub_with_letters, "Ann").state == EndpointState.USABLE


def test_codes_come_from_a_scanner_one_a_line(
    typed: Callable[..., tuple[int, str]], hub_with_letters: Hub
) -> None:
    status, said = typed("--reason", "moved", "--from", "-", "--json", scanned=f"{code(1)}\r\n{code(2)}\n\n")
    assert (status, json.loads(said)["entered"]) == (0, 2)
    assert state(hub_with_letters, "Cem").state == EndpointState.BAD


def test_codes_come_from_a_file_and_those_that_do_not_fit_are_told(
    typed: Callable[..., tuple[int, str]], hub_with_letters: Hub, tmp_path: Path
) -> None:
    file = tmp_path / "codes.txt"
    file.write_text(f"{code(1)}, R1-94\n", "utf-8")
    status, said = typed("--reason", "unknown", "--from", str(file), "--yes")
    assert status == 1
    assert "mistyped" in " ".join(said.split())
    assert state(hub_with_letters, "Ann").state == EndpointState.BAD


def test_without_a_reason_nothing_is_entered(typed: Callable[..., tuple[int, str]]) -> None:
    assert typed(code(1))[0] == 2
