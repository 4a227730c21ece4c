"""The quick ways and the long ways say the same: about numbers and mailboxes, about rows, and in the database."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import phonenumbers
import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st
from phonenumbers import PhoneMetadata
from sqlmodel import Session, SQLModel, create_engine, select

from channels.contract import AddressKind
from contacts import addresses, consent, writing
from contacts.addresses import BadAddress
from contacts.columns import now
from contacts.entries import Attestation, EntryReader
from contacts.importing import KINDS, ImportReport, import_contacts
from contacts.models import ConsentEvent, Contact, ContactList, Endpoint, ImportRun, Membership, Subscription
from contacts.plain import PlainReader
from contacts.quick_addresses import quick_mailboxes, quick_phones
from contacts.sheets import Row, RowError, open_sheet

REGIONS = sorted(phonenumbers.SUPPORTED_REGIONS)
KINDS_OF_NUMBERS = (
    "fixed_line", "mobile", "toll_free", "premium_rate", "shared_cost", "voip", "personal_number", "pager", "uan",
    "voicemail",
)  # fmt: skip

quick_phone = cache(quick_phones)
quick_mail = quick_mailboxes()


@cache
def examples() -> list[tuple[str, int, str]]:
    """An example of every kind of number in every region, from the library's metadata."""
    found = []
    for region in REGIONS:
        plan = PhoneMetadata.metadata_for_region(region, None)
        for name in KINDS_OF_NUMBERS:
            kind = getattr(plan, name)
            if kind is not None and kind.example_number:
                found.append((region, plan.country_code, kind.example_number))
    return found


def library_phone(raw: str, country: str) -> str | None:
    try:
        return addresses.phone(raw, country).address
    except BadAddress:
        return None


def library_mail(raw: str) -> tuple[str, str] | None:
    try:
        found = addresses.email(raw)
    except BadAddress:
        return None
    return found.address, found.key


def mutated(chance: random.Random, code: int, number: str) -> str:
    """A number as people and spreadsheets damage and decorate it."""
    digits = list(number)
    for _ in range(chance.choice((0, 0, 1, 1, 2, 3))):
        place, deed = chance.randrange(len(digits)), chance.random()
        if deed < 0.5:
            digits[place] = chance.choice("0123456789")
        elif deed < 0.7:
            digits.insert(place, chance.choice("0123456789"))
        elif len(digits) > 3:
            digits.pop(place)
    before = chance.choice(
        ["", "", f"+{code}", f"+{code}", str(code), "0", "1", "8", f"00{code}", f"011{code}", f"+{code}0", f"+{code}1",
         f"0{code}", f"{code}{code}", f"1{code}"]
    )  # fmt: skip
    text = before + "".join(digits)
    for _ in range(chance.randrange(4)):
        place = chance.randrange(text.startswith("+"), len(text))
        text = text[:place] + chance.choice(" -.()") + text[place:]
    return text


def compare_phones(seed: int, count: int) -> int:
    """How many were understood quickly; every one of them as the library does."""
    chance = random.Random(seed)
    quickly = 0
    for _ in range(count):
        region, code, number = chance.choice(examples())
        raw = mutated(chance, code, number)
        country = chance.choice((region, region, "US", "GB", chance.choice(REGIONS)))
        found = quick_phone(country)(raw)
        if found is not None:
            quickly += 1
            assert found == library_phone(raw, country), (country, raw)
    return quickly


def test_quick_phones_are_the_librarys_over_mutated_numbers_of_all_regions() -> None:
    assert compare_phones(20261122, 4000) > 400


@pytest.mark.slow
def test_quick_phones_are_the_librarys_over_very_many_mutated_numbers() -> None:
    assert compare_phones(7, 200_000) > 20_000


@pytest.mark.parametrize("region", REGIONS)
def test_every_example_number_is_read_alike_at_home_and_with_its_code(region: str) -> None:
    for code, number in {(code, number) for name, code, number in examples() if name == region}:
        for raw in (
            number,
            f"+{code}{number}",
            f"+{code} {number[:3]}-{number[3:]}",
            f"0{number}",
            f"{code}{number}",
        ):
            found = quick_phone(region)(raw)
            assert found is None or found == library_phone(raw, region)


@given(
    st.text(st.sampled_from("0123456789+-(). x#,;/"), max_size=22),
    st.sampled_from(["US", "DE", "IT", "MX", "AR"]),
)
@settings(max_examples=400)
@example("+1 (206) 555-0143", "US")
@example("12065550143", "US")
@example("206.555.0143", "US")
@example("(0151) 23456789", "DE")
@example("+39 06 698 12345", "US")
def test_quick_phones_are_the_librarys_for_any_text(raw: str, country: str) -> None:
    found = quick_phone(country)(raw)
    assert found is None or found == library_phone(raw, country)


@pytest.mark.parametrize(
    "raw", ["(206) 555-0143", "206-555-0143", "206.555.0143", "+1 206 555 0143", "12065550143"]
)
def test_plain_numbers_are_understood_quickly(raw: str) -> None:
    assert quick_phone("US")(raw) == "+12065550143"


@pytest.mark.parametrize(
    "raw", ["", "911", "+800 1234 5678", "206-555-0143 x5", "２０６５５５０１４３", "5550143", "1.0"]
)
def test_unusual_numbers_are_left_to_the_library(raw: str) -> None:
    assert quick_phone("US")(raw) is None


MAILBOXES = st.one_of(
    st.emails(),
    st.from_regex(r"[A-Za-z0-9._+'-]{1,70}@[A-Za-z0-9.äß中-]{1,80}", fullmatch=True),
    st.builds("{}@{}".format, st.sampled_from(["Postmaster", "ana", "a" * 65, "a..b", ".a", "ABUSE"]),
              st.sampled_from(["example.org", "BÜCHER.example", "localhost", "x.test", "xn--bcher-kva.example",
                               "a" * 64 + ".org"])),
    st.text(max_size=30),
)  # fmt: skip


@given(MAILBOXES)
@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow])
@example("Ana.Ruiz@Example.ORG")
@example("info@straße.example")
@example("a@" + ".".join(["b" * 60] * 4) + ".org")
def test_quick_mailboxes_are_the_librarys(raw: str) -> None:
    found = quick_mail(raw)
    assert found is None or found == library_mail(raw)


def test_plain_mailboxes_are_understood_quickly() -> None:
    assert quick_mail("Ana@Example.org") == ("Ana@example.org", "ana@example.org")
    assert quick_mail("ana@BÜCHER.example") == ("ana@xn--bcher-kva.example", "ana@bücher.example")


HEADER = (
    "name,first name,phone,email,telegram,language,area,groups,lists,consent,consent_date,consent_source,"
    "consent_wording,consent_language"
)
SIGNED = Attestation("I want news from the city.", "sign-up sheet 12", now().date(), "en")

NAMES = st.sampled_from(["", "Ana Ruiz", " ana  ruiz ", "José\u200b", "x" * 201, "=1+1"])
PHONES = st.sampled_from(
    ["", "202-555-0143", "(202) 555-0143", "+12025550144", "202-555-0145", "12", "+44 20 7946 0958"]
)
MAILS = st.sampled_from(
    ["", "ana@example.org", "ANA@example.org", "bo@bücher.example", "cy@", "di@example.org"]
)
ROWS = st.tuples(
    NAMES, st.sampled_from(["", "Bo"]), PHONES, MAILS, st.sampled_from(["", "", "", "12345"]),
    st.sampled_from(["", "es", "Spanish", "Klingonese"]), st.sampled_from(["", "North", " South "]),
    st.sampled_from(["", "elders;parents"]), st.sampled_from(["", "", "Alerts", "alerts|News", "Nowhere"]),
    st.sampled_from(["yes", "yes", "", "no", "sms", "email", "stop", "maybe"]),
    st.sampled_from(["", "2026-05-01", "yesterday", "2999-01-01", now().isoformat()]),
    st.sampled_from(["", "form 7"]), st.sampled_from(["", "Yes, please."]), st.sampled_from(["", "en", "zz-zz"]),
)  # fmt: skip


def sheet_of(rows: list[tuple[str, ...]]) -> str:
    return HEADER + "\n" + "".join(",".join(f'"{cell}"' for cell in row) + "\n" for row in rows)


@given(row=ROWS, attested=st.booleans())
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_plain_row_says_what_the_long_way_says(
    row: tuple[str, ...], attested: bool, tmp_path: Path
) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(sheet_of([row]), "utf-8")
    sheet = open_sheet(path)
    reader = EntryReader(
        sheet, country="US", channels=KINDS, attestation=SIGNED if attested else None, moment=now(),
        lists={"news": 1, "alerts": 2}, list_ids=[1],
    )  # fmt: skip
    quick = PlainReader(sheet, reader, channels=KINDS)
    for number, cells in sheet.records():
        assert isinstance(cells, list)
        quick_errors: list[RowError] = []
        plain = quick.read(number, cells, quick_errors)
        long_way = sheet.row(number, cells)
        assert isinstance(long_way, Row)
        entry, errors = reader.read(long_way)
        if plain is None:
            assert quick_errors == []
        else:
            assert quick_errors == errors
            assert entry is not None
            assert quick.made_entry(plain) == replace(entry, refused_at=reader.moment)
            there = sum(1 << quick.channels.index(reach.channel) for reach in entry.reaches)
            assert quick.made_plain(entry) == plain._replace(yes=plain.yes & there)


def state(session: Session) -> dict[str, list[tuple[object, ...]]]:
    """Everything that an import makes, without ids and moments of writing."""
    listed = {each.id: each.name for each in session.execute(select(ContactList)).scalars()}
    places = {
        each.id: (each.channel, each.address_key) for each in session.execute(select(Endpoint)).scalars()
    }
    people = {
        each.id: (each.name, tuple(sorted(places[end.id] for end in session.execute(
            select(Endpoint).where(Endpoint.contact_id == each.id)).scalars())))
        for each in session.execute(select(Contact)).scalars()
    }  # fmt: skip
    moments = set(session.execute(select(ImportRun.created_at)).scalars())
    events = {each.id: each for each in session.execute(select(ConsentEvent)).scalars()}

    def rows(model: type[SQLModel], tell: Callable[[object], tuple[object, ...]]) -> list[tuple[object, ...]]:
        return sorted(map(tell, session.execute(select(model)).scalars()), key=repr)

    def event(each: ConsentEvent) -> tuple[object, ...]:
        return (
            places[each.endpoint_id], people[each.contact_id], listed.get(each.list_id), each.decision, each.basis,
            each.method, each.wording, each.wording_language, each.reference, each.actor, each.ip,
            each.at not in moments and each.at,
            each.import_id,
        )  # fmt: skip

    return {
        "contacts": rows(Contact, lambda each: (
            people[each.id], each.language, each.area, each.groups, each.import_id)),
        "endpoints": rows(Endpoint, lambda each: (
            places[each.id], people[each.contact_id], each.address, each.state, each.opted_out, each.held,
            each.soft_bounces, each.state_reason, each.import_id)),
        "members": rows(Membership, lambda each: (people[each.contact_id], listed[each.list_id], each.import_id)),
        "events": rows(ConsentEvent, event),
        "subscriptions": rows(Subscription, lambda each: (
            places[each.endpoint_id], listed[each.list_id], each.active, each.basis, event(events[each.event_id]))),
    }  # type: ignore[attr-defined]  # fmt: skip


@given(
    known=st.lists(ROWS, max_size=4),
    rows=st.lists(ROWS, max_size=12),
    chunk=st.sampled_from([2, 5, 100]),
)
@settings(
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_the_quick_way_leaves_the_same_database_as_the_long_way(
    known: list[tuple[str, ...]],
    rows: list[tuple[str, ...]],
    chunk: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = []
    for quickly in (True, False):
        with monkeypatch.context() as patch:
            patch.setattr(writing, "CHUNK", chunk)
            if not quickly:
                patch.setattr(PlainReader, "read", lambda *_: None)
                patch.setattr(PlainReader, "made_plain", lambda *_: None)
            found.append(imported(known, rows, tmp_path))
    assert found[0] == found[1]


def imported(
    known: list[tuple[str, ...]], rows: list[tuple[str, ...]], folder: Path
) -> tuple[dict[str, list[tuple[object, ...]]], dict[str, object]]:
    engine = create_engine("sqlite://")
    SQLModel.metadata.create_all(engine)
    with Session(engine) as session:
        report: ImportReport | None = None
        for number, some in enumerate((known, rows)):
            path = folder / f"residents{number}.csv"
            path.write_text(sheet_of(some), "utf-8")
            session.merge(ContactList(id=2, name="Alerts"))
            session.commit()
            report = import_contacts(session, path, list_name="News", country="US", actor="eva")
        for endpoint_id in session.execute(select(Endpoint.id)).scalars():
            assert consent.present(session, endpoint_id or 0) == consent.replay(session, endpoint_id or 0)
        assert report is not None
        return state(session), report.to_dict()


def test_channels_of_one_kind_are_all_written(tmp_path: Path) -> None:
    engine = create_engine("sqlite://")
    SQLModel.metadata.create_all(engine)
    path = tmp_path / "residents.csv"
    path.write_text("phone,consent\n202-555-0143,signal\n")
    with Session(engine) as session:
        kinds = {"signal": AddressKind.PHONE, "sms": AddressKind.PHONE}
        report = import_contacts(session, path, list_name="News", country="US", actor="eva", channels=kinds)
        assert (report.created, report.endpoints, report.consents) == (1, 2, 1)
