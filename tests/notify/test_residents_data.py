"""What staff may do with residents' data, what trace it leaves, and what erasing and exporting come to."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pypdfium2
import pytest
from sqlmodel import Session, col, select
from world import approved, phone

import templates
from channels.contract import City, Event, EventKind, Verdict
from channels.letter import guards
from contacts import consent, lists
from contacts.erasure import said_no_before
from contacts.lists import BadListName
from contacts.models import Contact, Endpoint, EndpointState
from notify import audit, invitations, liaisons, own_data, residents, staff
from notify.audit import AuditEvent
from notify.dispatch import consequences, receipts
from notify.dispatch.models import Delivery, DeliveryState, Dispatch
from notify.hub import Hub
from notify.inbound import Inbound
from notify.invitations import NothingToInvite, join_word
from notify.residents import Keeper
from notify.staff import Role, Staff, StaffError

AT = datetime(2026, 11, 20, 18, tzinfo=UTC)


@pytest.fixture
def session(make_hub: Callable[..., Hub]) -> Session:
    with make_hub(public_url="https://notify.city.example").database.session() as session:
        yield session


def person(session: Session, *, number: int = 1, name: str = "Dana Okafor", on: list[str] = ()) -> int:  # type: ignore[assignment]
    contact = Contact(name=name, language="en", area="Harbor")
    session.add(contact)
    session.flush()
    endpoint = Endpoint(
        contact_id=contact.id or 0, channel="sms", address=phone(number), address_key=phone(number)
    )
    session.add(endpoint)
    session.flush()
    for each in on:
        list_id = lists.get_or_create(session, each).id or 0
        lists.add_member(session, list_id, contact.id or 0)
        consent.record(
            session, contact_id=contact.id or 0, endpoint_id=endpoint.id or 0, list_id=list_id, decision=True,
            method="paper", wording="Yes, write to me.", wording_language="en",
        )  # fmt: skip
    return contact.id or 0


def liaison(session: Session, *names: str) -> Keeper:
    eva = staff.add(session, "eva@city.example", [Role.LIAISON])
    for name in names:
        liaisons.give(session, lists.get_or_create(session, name), eva, by="admin")
    return Keeper(eva.email, eva)


def endpoint_of(session: Session, contact_id: int) -> Endpoint:
    return session.exec(select(Endpoint).where(Endpoint.contact_id == contact_id)).one()


def trail(session: Session) -> list[tuple[str, str]]:
    events = session.exec(select(AuditEvent).order_by(col(AuditEvent.id)))
    return [(each.action, each.actor) for each in events if each.action.split(".")[0].startswith("contact")]


def sent(session: Session, contact_id: int, detail: str = "") -> Dispatch:
    statement = approved(session)
    dispatch = Dispatch(statement_id=statement.id or 0, revision=1, channels="sms", actor="ben")
    session.add(dispatch)
    session.flush()
    session.add(
        Delivery(
            dispatch_id=dispatch.id or 0, channel="sms", contact_id=contact_id, language="en", sent_at=AT,
            endpoint_id=endpoint_of(session, contact_id).id, state=DeliveryState.DELIVERED, detail=detail,
        )
    )  # fmt: skip
    session.flush()
    return dispatch


def test_a_liaison_sees_only_who_is_on_their_lists(session: Session) -> None:
    mine, others = person(session, on=["Elders"]), person(session, number=2, on=["Parents"])
    eva = liaison(session, "Elders")
    assert [each.id for each in residents.find(session, eva).contacts] == [mine]
    assert [each.name for each in eva.lists(session)] == ["Elders"]
    with pytest.raises(StaffError, match=r"on no list that eva@city.example keeps"):
        residents.show(session, eva, others, household_channels=["letter"])
    with pytest.raises(StaffError, match=r"notify list keepers 'Parents' --add eva@city.example"):
        residents.find(session, eva, listed=lists.by_name(session, "Parents"))
    assert [each.id for each in residents.find(session, Keeper("root")).contacts] == [mine, others]


def test_a_liaison_is_told_the_same_of_who_is_elsewhere_and_who_is_nowhere(session: Session) -> None:
    other = person(session, on=["Parents"])
    eva = liaison(session, "Elders")
    said = []
    for contact_id in (other, 999):
        with pytest.raises(StaffError) as found:
            residents.show(session, eva, contact_id, household_channels=[])
        said.append(str(found.value).replace(str(contact_id), "N"))
    assert said[0] == said[1]


def test_a_liaison_sees_of_a_contact_only_what_is_about_their_lists(session: Session) -> None:
    both = person(session, on=["Elders", "Families affected"])
    eva = liaison(session, "Elders")
    tree = residents.show(session, eva, both, household_channels=["letter"])
    assert [each["list"] for each in tree["lists"]] == ["Elders"]
    assert [each["list"] for each in tree["consent"]] == ["Elders"]


@pytest.mark.parametrize("step", ["own_data", "erase"])
def test_what_touches_every_list_of_a_contact_needs_who_keeps_them_all(session: Session, step: str) -> None:
    both = person(session, on=["Elders", "Families affected"])
    eva = liaison(session, "Elders")
    with pytest.raises(StaffError, match=r"does not keep. Ask an administrator"):
        _step(session, eva, both, step)
    liaisons.give(session, lists.by_name(session, "Families affected"), _staff(eva), by="admin")
    _step(session, eva, both, step)


def _staff(keeper: Keeper) -> Staff:
    assert keeper.person is not None
    return keeper.person


def _step(session: Session, keeper: Keeper, contact_id: int, step: str) -> None:
    if step == "erase":
        residents.erase(session, keeper, contact_id, key=b"k")
    else:
        residents.own_data(session, keeper, contact_id)


def test_a_liaison_fills_a_new_list_and_none_of_somebody_else(session: Session) -> None:
    eva = liaison(session)
    lists.get_or_create(session, "Parents")
    made = residents.list_to_fill(session, eva, "Elders")
    assert residents.list_to_fill(session, eva, "elders").id == made.id
    with pytest.raises(StaffError, match="does not keep the list 'Parents'"):
        residents.list_to_fill(session, eva, "Parents")


def test_nobody_merges_a_contact_that_is_not_theirs(session: Session) -> None:
    mine, others = person(session, on=["Elders"]), person(session, on=["Parents"])
    with pytest.raises(StaffError):
        residents.merge(session, liaison(session, "Elders"), mine, others)


def test_a_list_taken_away_is_seen_no_more_and_administrators_see_all(session: Session) -> None:
    mine = person(session, on=["Elders"])
    eva, listed = liaison(session, "Elders"), lists.by_name(session, "Elders")
    assert [each.email for each in liaisons.keepers_of(session, listed.id or 0)] == ["eva@city.example"]
    liaisons.take(session, listed, _staff(eva), by="admin")
    assert residents.find(session, eva).contacts == []
    boss = staff.add(session, "boss@city.example", [Role.ADMINISTRATOR])
    liaisons.require_keeper(session, boss, listed.id or 0)
    assert [each.id for each in residents.find(session, Keeper(boss.email, boss)).contacts] == [mine]


def test_who_keeps_no_lists_by_role_is_given_none(session: Session) -> None:
    ana = staff.add(session, "ana@city.example", [Role.AUTHOR])
    listed = lists.get_or_create(session, "Elders")
    with pytest.raises(StaffError, match="needs the role liaison"):
        liaisons.give(session, listed, ana, by="admin")
    with pytest.raises(StaffError, match="needs the role liaison"):
        liaisons.require_keeper(session, ana, listed.id or 0)


def test_every_look_and_every_change_is_in_the_audit_trail_without_personal_data(
    session: Session, tmp_path: Path
) -> None:
    first, second = person(session, on=["Elders"]), person(session, on=["Elders"])
    eva = liaison(session, "Elders")
    residents.find(session, eva, text="dana")
    residents.show(session, eva, first, household_channels=["letter"])
    list(residents.find_duplicates(session, eva, household_channels=["letter"]))
    residents.merge(session, eva, first, second)
    residents.own_data(session, eva, first)
    residents.erase(session, eva, first, key=b"k")
    assert trail(session) == [
        (action, "eva@city.example")
        for action in (
            "contacts.list", "contact.view", "contacts.duplicates", "contact.merge", "contact.export",
            "contact.erase",
        )
    ]  # fmt: skip
    residents.export_list(
        session, eva, lists.by_name(session, "Elders"), tmp_path / "a.csv", ["name"], channels={}
    )
    last = session.exec(select(AuditEvent).order_by(col(AuditEvent.id).desc())).first()
    assert last is not None
    assert (last.action, json.loads(last.detail)) == ("list.export", {"columns": ["name"], "contacts": 0})
    told = "".join(session.exec(select(AuditEvent.detail)))
    assert "Dana" not in told
    assert "555" not in told
    assert audit.verify(session) is None


@pytest.mark.parametrize("text", ["dana", "OKAFOR", "5550001", "%", "_"])
def test_people_are_found_by_part_of_a_name_or_address(session: Session, text: str) -> None:
    number = person(session)
    person(session, number=2, name="Bo")
    found = [each.id for each in residents.find(session, Keeper("root"), text=text).contacts]
    assert found == ([] if text in "%_" else [number])


def test_pages_of_contacts_follow_each_other(session: Session) -> None:
    numbers = [person(session, number=number) for number in range(5)]
    first = residents.find(session, Keeper("root"), limit=3)
    second = residents.find(session, Keeper("root"), limit=3, after=first.contacts[-1].id or 0)
    assert ([each.id for each in first.contacts], first.more) == (numbers[:3], True)
    assert ([each.id for each in second.contacts], second.more) == (numbers[3:], False)


def test_own_data_hold_messages_and_what_the_resident_wrote_also_from_before_a_merge(
    session: Session,
) -> None:
    kept, gone = person(session), person(session)
    sent(session, gone)
    session.add(
        Inbound(
            channel="sms", kind="reply", endpoint_id=endpoint_of(session, gone).id, text="Thank you", at=AT
        )
    )
    residents.merge(session, Keeper("root"), kept, gone)
    tree = residents.own_data(session, Keeper("root"), kept)
    assert tree["messages"] == [
        {
            "at": AT,
            "channel": "sms",
            "language": "en",
            "state": "delivered",
            "title": "The library is open again",
        }
    ]
    assert [each["text"] for each in tree["written"]] == ["Thank you"]
    json.dumps(tree, default=str)


def test_r31_erasing_empties_the_ledger_of_what_is_personal_and_keeps_its_sums(session: Session) -> None:
    number = person(session, on=["Elders"])
    sent(session, number, detail="550 no mailbox dana")
    session.add(
        Inbound(channel="sms", kind="reply", endpoint_id=endpoint_of(session, number).id, text="I am Dana")
    )
    session.flush()
    residents.erase(session, Keeper("root"), number, key=b"k")
    session.expire_all()
    delivery = session.exec(select(Delivery)).one()
    assert (delivery.state, delivery.detail, delivery.contact_id) == (DeliveryState.DELIVERED, "", number)
    assert session.exec(select(Inbound.text)).all() == [""]


def test_a_no_to_a_message_from_before_a_merge_is_a_no_of_the_contact_that_stays(session: Session) -> None:
    kept, gone = person(session, on=["Elders"]), person(session, on=["Elders"])
    sent(session, gone)
    residents.merge(session, Keeper("root"), kept, gone)
    delivery = session.exec(select(Delivery)).one()
    consequences.record_opt_out(session, delivery.id or 0, method="complaint", reference="")
    assert endpoint_of(session, kept).opted_out


def test_a_bounce_of_a_message_from_before_a_merge_counts_for_the_contact_that_stays(
    session: Session,
) -> None:
    kept, gone = person(session, on=["Elders"]), person(session, on=["Elders"])
    sent(session, gone)
    residents.merge(session, Keeper("root"), kept, gone)
    delivery = session.exec(select(Delivery)).one()
    delivery.state = DeliveryState.ACCEPTED
    session.add(delivery)
    session.flush()
    receipts.record(session, Event(EventKind.UNDELIVERED, key=delivery.id, verdict=Verdict.BAD_ADDRESS))
    session.expire_all()
    assert endpoint_of(session, kept).state == EndpointState.BAD


def test_a_complaint_that_comes_after_erasure_is_remembered(session: Session) -> None:
    number = person(session, on=["Elders"])
    sent(session, number)
    residents.erase(session, Keeper("root"), number, key=b"k")
    assert not said_no_before(session, b"k", "sms", phone(1))
    delivery = session.exec(select(Delivery)).one()
    consequences.record_opt_out(session, delivery.id or 0, method="complaint", reference="")
    assert said_no_before(session, b"k", "sms", phone(1))


@pytest.mark.parametrize(
    "word",
    [
        "stop",
        "S.T.O.P",
        "ALTO",
        "توقف",
        "停止",
        "help",
        "YES",
        "sí",
        "start",
        "stop news",
        "1",
        "x",
        "a" * 21,
        "!?",
    ],
)
def test_a_word_that_means_something_else_is_no_word_to_join_by(word: str) -> None:
    with pytest.raises(BadListName):
        join_word(word)


@pytest.mark.parametrize(
    ("word", "folded"), [("Elders", "elders"), ("ÉTÉ 26", "ete26"), ("", ""), ("新闻", "新闻")]
)
def test_a_word_to_join_by_is_kept_as_texts_are_compared(word: str, folded: str) -> None:
    assert join_word(word) == folded


def test_two_lists_are_not_joined_by_one_word(session: Session) -> None:
    lists.edit(session, lists.get_or_create(session, "Elders"), join_word="elders")
    with pytest.raises(BadListName, match="'Elders' is joined by this word"):
        lists.edit(session, lists.get_or_create(session, "Others"), join_word="elders")
    with pytest.raises(BadListName, match="cannot join it by themselves"):
        lists.edit(session, lists.get_or_create(session, "Press"), kind=lists.ListKind.EXCLUSION, public=True)


async def test_an_invitation_names_every_way_in(hub: Hub) -> None:
    with hub.database.session() as session:
        listed = lists.get_or_create(session, "Elders")
        session.commit()
        with pytest.raises(NothingToInvite, match="--public"):
            await invitations.invite(hub, listed)
        lists.edit(session, listed, public=True, join_word="elders")
        session.commit()
    found = await invitations.invite(hub, listed)
    assert found.page == f"http://127.0.0.1:9/join/{listed.id}"
    assert (found.word, list(found.numbers)) == ("ELDERS", ["sms"])
    payload = found.links["telegram"].partition("?start=")[2]
    named = hub.tokens.read(payload)
    assert named is not None
    assert named.list_id == listed.id
    assert found.missing == []


@pytest.mark.parametrize(("name", "start"), [("a.svg", b"<?xml"), ("a.PNG", b"\x89PNG")])
def test_a_poster_has_a_code(name: str, start: bytes) -> None:
    assert invitations.qr("https://notify.city.example/join/1", name).startswith(start)


def test_a_code_is_a_picture() -> None:
    with pytest.raises(NothingToInvite):
        invitations.qr("https://notify.city.example/join/1", "a.pdf")


@pytest.mark.parametrize("language", ["en", "ar", "zh-Hans", "am", "xx"])
def test_own_data_are_printed_in_the_residents_language_with_every_word_as_it_is(
    session: Session, language: str
) -> None:
    number = person(session, name="Dana #panic() *x* \ue000", on=["Elders"])
    session.get_one(Contact, number).language = language
    sent(session, number)
    tree = residents.own_data(session, Keeper("root"), number)
    made = own_data.pdf(tree, City("Rivermouth", timezone="America/Los_Angeles"), language, AT)
    with guards.Pdf(made) as printed:
        assert phone(1)[1:] in printed.lines_of_digits()
    if templates.direction(language) == "ltr":  # an extracted text is in the order of the eye
        text = _text_of(made)
        assert "#panic() *x*" in text
        assert "The library is open again" in text
    assert made == own_data.pdf(tree, City("Rivermouth", timezone="America/Los_Angeles"), language, AT)


def _text_of(pdf: bytes) -> str:
    document = pypdfium2.PdfDocument(pdf)
    return "\n".join(page.get_textpage().get_text_bounded() for page in document)
