"""Lists from spreadsheets: R32, and nothing half-done."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func
from sqlmodel import Session, SQLModel, select

import templates
from channels.contract import AddressKind
from contacts import consent, lists, writing
from contacts.columns import now
from contacts.consent import Method
from contacts.importing import Attestation, ImportFailed, ImportReport, NoConsent, RowError, import_contacts
from contacts.models import (
    Basis,
    ConsentEvent,
    Contact,
    ContactList,
    Endpoint,
    EndpointState,
    ImportFill,
    ImportRun,
    ImportState,
    Membership,
    PendingYes,
    Segment,
    Subscription,
)
from contacts.values import Problem, SheetProblem
from notify.database import Database

Load = Callable[..., ImportReport]
Write = Callable[..., Path]

TABLES = (
    Contact, Endpoint, ContactList, Membership, ConsentEvent, Subscription, ImportRun, ImportFill, PendingYes, Segment,
)  # fmt: skip
ANA = "name,phone,email,language,area,groups,consent\nAna Ruiz,202-555-0143,ana@example.org,es,North,elders,yes\n"
SIGNED = Attestation("I want news from the city.", "sign-up sheet 12", date(2026, 5, 1), "en")


def counted(session: Session, *, but: type[SQLModel] | None = None) -> list[int]:
    return [
        session.execute(select(func.count()).select_from(model)).scalar_one()
        for model in TABLES
        if model is not but
    ]


def contacts(session: Session) -> list[Contact]:
    return list(session.execute(select(Contact).order_by(Contact.id)).scalars())


def endpoints(session: Session) -> dict[tuple[str, str], Endpoint]:
    return {(each.channel, each.address): each for each in session.execute(select(Endpoint)).scalars()}


def subscribed(session: Session) -> set[str]:
    query = select(Endpoint.address).join(Subscription, Subscription.endpoint_id == Endpoint.id)
    return set(session.execute(query.where(Subscription.active, ~Endpoint.opted_out)).scalars())


def codes(report: ImportReport) -> list[tuple[int, str, Problem]]:
    return [(each.row, each.column, each.code) for each in report.errors]


def whole(report: ImportReport) -> bool:
    """Every row is counted once."""
    parts = (report.created, report.updated, report.unchanged, report.duplicates, report.rejected)
    return report.rows == sum(parts)


def test_a_row_becomes_a_contact_with_its_addresses_and_consent(session: Session, load: Load) -> None:
    report = load(ANA)
    (ana,) = contacts(session)
    assert (ana.name, ana.language, ana.area, ana.groups) == ("Ana Ruiz", "es", "North", "|elders|")
    assert set(endpoints(session)) == {("sms", "+12025550143"), ("email", "ana@example.org")}
    assert subscribed(session) == {"+12025550143", "ana@example.org"}
    assert (report.rows, report.created, report.endpoints, report.consents) == (1, 1, 2, 2)
    assert lists.count_members(session, lists.by_name(session, "News").id or 0) == 1


def test_the_report_is_plain_values(load: Load) -> None:
    told = load(ANA + "Bo,12,,,,,\n").to_dict()
    assert json.loads(json.dumps(told)) == told
    assert (told["encoding"], told["delimiter"], told["rows"], told["rejected"]) == ("utf-8", ",", 2, 1)
    assert told["columns"]["phone"] == "phone"
    assert told["errors"][0]["code"] == "phone_short"


def test_an_import_is_committed_when_it_returns(session: Session, sheet: Write) -> None:
    import_contacts(session, sheet(ANA), list_name="News", country="US", actor="eva")
    session.rollback()
    assert [each.name for each in contacts(session)] == ["Ana Ruiz"]


def test_a_dry_run_counts_the_same_and_keeps_nothing(session: Session, load: Load) -> None:
    dry = load(ANA, dry_run=True)
    assert counted(session) == [0] * len(TABLES)
    told, real = dry.to_dict(), load(ANA).to_dict()
    assert (told.pop("dry_run"), real.pop("dry_run")) == (True, False)
    assert (told.pop("import_id"), real.pop("import_id")) == (None, 1)
    assert told == real


def test_the_same_file_again_changes_nothing(session: Session, load: Load) -> None:
    load(ANA)
    before = counted(session, but=ImportRun)
    again = load(ANA)
    assert counted(session, but=ImportRun) == before
    assert (again.unchanged, again.endpoints, again.consents) == (1, 0, 0)


def test_another_list_is_joined_with_the_same_contact(session: Session, load: Load) -> None:
    load(ANA)
    report = load(ANA, list_name="Alerts")
    assert (report.updated, report.created, report.endpoints, report.consents) == (1, 0, 0, 2)
    assert len(contacts(session)) == 1


def test_what_is_empty_is_filled_and_what_is_known_stays(session: Session, load: Load) -> None:
    load("phone,consent\n202-555-0143,yes\n", language="es")
    report = load(ANA.replace(",es,", ",fr,").replace("elders", "Parents;elders"))
    (ana,) = contacts(session)
    assert (ana.name, ana.area, ana.groups) == ("Ana Ruiz", "North", "|elders|parents|")
    assert (report.updated, report.endpoints, report.languages_kept) == (1, 1, 1)
    later = load(ANA.replace("Ana Ruiz", "A. R.").replace("North", "South").replace("elders", "choir"))
    session.refresh(ana)
    assert (ana.name, ana.area, ana.groups) == ("Ana Ruiz", "North", "|choir|elders|parents|")
    assert later.updated == 1


def test_r32_a_language_that_is_known_stays(session: Session, load: Load) -> None:
    load(ANA)
    report = load(ANA.replace(",es,", ",ht,"))
    assert contacts(session)[0].language == "es"
    assert report.languages_kept == 1


def test_r32_an_address_that_bounced_stays_bad(session: Session, load: Load) -> None:
    load(ANA)
    phone = endpoints(session)["sms", "+12025550143"]
    phone.state = EndpointState.BAD
    session.commit()
    load(ANA)
    session.refresh(phone)
    assert phone.state == EndpointState.BAD


@pytest.mark.parametrize("scope", ["list", "everything"])
def test_r32_an_opt_out_is_kept_and_counted(session: Session, load: Load, scope: str) -> None:
    load(ANA)
    news = lists.by_name(session, "News").id
    consent.opt_out(
        session, "sms", "+12025550143", list_id=news if scope == "list" else None, method="sms keyword"
    )
    session.commit()
    events = counted(session)[4]
    report = load(ANA.replace(",yes", ",all"))
    assert (report.opt_outs_kept, report.consents) == (1, 0)
    assert counted(session)[4] == events
    assert subscribed(session) == {"ana@example.org"}


def test_r32_an_opt_out_from_everything_stands_against_a_new_list(session: Session, load: Load) -> None:
    load(ANA)
    consent.opt_out(session, "sms", "+12025550143", method="sms keyword")
    consent.opt_in(
        session, "sms", "+12025550143", list_id=lists.by_name(session, "News").id, method="web form"
    )
    report = load(ANA, list_name="Alerts")
    assert (report.opt_outs_kept, report.consents) == (1, 1)


@pytest.mark.parametrize(
    ("cell", "channels"),
    [
        ("yes", {"sms", "email"}), ("Y", {"sms", "email"}), ("TRUE", {"sms", "email"}), ("1", {"sms", "email"}),
        ("all", {"sms", "email"}), ("x", {"sms", "email"}), ("Sí", {"sms", "email"}), ("✓", {"sms", "email"}),
        ("", set()), ("no", set()), ("N", set()), ("false", set()), ("0", set()), ("None", set()), ("-", set()),
        ("sms", {"sms"}), ("Email", {"email"}), ('"sms, email"', {"sms", "email"}), ("sms and email", {"sms", "email"}),
        ("phone/telegram", {"sms"}), ("letter", set()), ('"text; mail"', {"sms", "email"}),
    ],
)  # fmt: skip
def test_the_consent_cell_says_which_addresses(
    session: Session, load: Load, cell: str, channels: set[str]
) -> None:
    report = load(ANA.replace(",yes\n", f",{cell}\n"))
    query = select(Endpoint.channel).join(Subscription, Subscription.endpoint_id == Endpoint.id)
    assert set(session.execute(query).scalars()) == channels
    assert (report.consents, report.opt_outs, report.error_count) == (len(channels), 0, 0)


@pytest.mark.parametrize("cell", ["stop", "STOP", "opted out", "Opt-out", "unsubscribed", "do not contact"])
def test_a_stop_in_the_sheet_is_an_opt_out_from_everything(session: Session, load: Load, cell: str) -> None:
    load(ANA)
    report = load(ANA.replace(",yes", f",{cell}"), list_name="Alerts")
    assert report.opt_outs == 2
    assert subscribed(session) == set()
    assert all(each.opted_out for each in endpoints(session).values())
    assert load(ANA.replace(",yes", f",{cell}")).opt_outs == 2  # said again, and kept again


def test_r32_a_stop_that_is_said_again_outlives_a_form_from_between(session: Session, load: Load) -> None:
    load("phone,consent\n202-555-0143,yes\n")
    (endpoint,), news = endpoints(session).values(), lists.by_name(session, "News").id

    def form(decision: bool, day: int, list_id: int | None) -> None:
        consent.record(
            session, contact_id=endpoint.contact_id, endpoint_id=endpoint.id or 0, list_id=list_id,
            decision=decision, method=Method.PAPER, at=datetime(2026, 1, day, tzinfo=UTC),
        )  # fmt: skip

    load("phone,consent,consent date\n202-555-0143,stop,2026-01-05\n")
    load("phone,consent\n202-555-0143,stop\n")
    form(True, 9, news)
    session.refresh(endpoint)
    assert endpoint.opted_out


def test_a_stop_silences_everybody_who_shares_the_phone(
    session: Session, load: Load, resident: Callable[..., Endpoint]
) -> None:
    both = [resident(), resident()]
    load("phone,consent\n202-555-0143,stop\n")
    for endpoint in both:
        session.refresh(endpoint)
    assert [endpoint.opted_out for endpoint in both] == [True, True]


def test_r32_an_opt_out_stands_for_everybody_who_shares_the_phone(
    session: Session, load: Load, resident: Callable[..., Endpoint]
) -> None:
    silent = [resident(), resident()][1]
    consent.record(
        session, contact_id=silent.contact_id, endpoint_id=silent.id or 0, list_id=None, decision=False,
        method=Method.SMS_KEYWORD,
    )  # fmt: skip
    report = load("phone,consent\n202-555-0143,yes\n")
    assert (report.opt_outs_kept, report.consents) == (1, 0)


def test_a_stop_older_than_the_residents_own_yes_changes_nothing(session: Session, load: Load) -> None:
    load(ANA)
    news = lists.by_name(session, "News").id
    consent.opt_in(session, "sms", "+12025550143", list_id=news, method=Method.WEB_FORM)
    load("phone,consent,consent_date\n202-555-0143,stop,2020-01-01\n")
    assert "+12025550143" in subscribed(session)


def test_an_answer_that_is_none_gives_no_consent(session: Session, load: Load) -> None:
    report = load(ANA.replace(",yes", ",maybe"))
    assert codes(report) == [(2, "consent", Problem.CONSENT_UNKNOWN)]
    assert (report.created, report.consents) == (1, 0)
    assert subscribed(session) == set()


def test_r31_the_ledger_has_date_source_and_words(session: Session, load: Load) -> None:
    head = "phone,consent,consent_date,consent_source,consent_wording,consent_language"
    load(f"{head}\n202-555-0143,yes,2026-01-05,form 7,Quiero recibir avisos.,Spanish\n")
    event = session.execute(select(ConsentEvent)).scalar_one()
    assert (event.wording, event.wording_language) == ("Quiero recibir avisos.", "es")
    assert event.reference == "form 7; residents.csv, row 2"
    assert (event.method, event.actor, event.at) == ("import", "eva", datetime(2026, 1, 5, tzinfo=UTC))


def test_r31_consents_without_their_words_are_counted(load: Load) -> None:
    assert load(ANA).consents_without_wording == 2


def test_no_consent_column_and_no_attestation_is_refused_with_the_cure(session: Session, load: Load) -> None:
    with pytest.raises(NoConsent, match=r"Add a column consent .* or attest"):
        load("phone\n202-555-0143\n")
    assert counted(session) == [0] * len(TABLES)


def test_an_attestation_stands_for_the_column(session: Session, load: Load) -> None:
    report = load("phone\n202-555-0143\n", attestation=SIGNED)
    event = session.execute(select(ConsentEvent)).scalar_one()
    assert (report.consents, report.consents_without_wording) == (1, 0)
    assert (event.wording, event.wording_language, event.at) == (
        SIGNED.wording,
        "en",
        datetime(2026, 5, 1, tzinfo=UTC),
    )
    assert event.reference == "sign-up sheet 12; residents.csv, row 2"


def test_an_attestation_never_turns_a_no_into_a_yes(session: Session, load: Load) -> None:
    report = load("phone,consent\n202-555-0143,\n202-555-0144,yes\n", attestation=SIGNED)
    assert report.consents == 1
    assert subscribed(session) == {"+12025550144"}


def test_public_task_covers_letters_only(session: Session, load: Load) -> None:
    law = Attestation("City charter, section 3", "city clerk", date(2026, 5, 1), basis=Basis.PUBLIC_TASK)
    load('phone,address\n202-555-0143,"12 Main St, Springfield, MA 01103"\n', attestation=law)
    found = session.execute(select(Endpoint.channel, Subscription.basis).join(Subscription)).all()
    assert [tuple(row) for row in found] == [("letter", "public_task")]


@pytest.mark.parametrize(
    "attestation",
    [
        Attestation("", "sheet 12", date(2026, 5, 1)),
        Attestation("Yes please", " ", date(2026, 5, 1)),
        Attestation("Yes please", "sheet 12", (now() + timedelta(days=3)).date()),
    ],
)
def test_an_attestation_without_proof_is_refused(load: Load, attestation: Attestation) -> None:
    with pytest.raises(ImportFailed) as refused:
        load("phone\n202-555-0143\n", attestation=attestation)
    assert refused.value.code == SheetProblem.ATTESTATION


def test_public_task_beside_a_consent_column_is_refused(load: Load) -> None:
    law = Attestation("City charter, section 3", "city clerk", date(2026, 5, 1), basis=Basis.PUBLIC_TASK)
    with pytest.raises(ImportFailed):
        load(ANA, attestation=law)


def test_r31_a_no_is_not_recorded_in_the_words_of_a_yes(session: Session, load: Load) -> None:
    sheet = "phone,consent,consent_source\n202-555-0143,yes,form 1\n202-555-0144,stop,form 2\n"
    load(sheet, attestation=SIGNED)
    yes, no = session.execute(select(ConsentEvent).order_by(ConsentEvent.id)).scalars().all()
    if not yes.decision:
        yes, no = no, yes
    assert (yes.wording, yes.wording_language) == ("I want news from the city.", "en")
    assert (no.decision, no.wording, no.wording_language) == (False, "", "")
    assert no.reference.startswith("form 2; ")


@pytest.mark.parametrize(
    ("cell", "country", "day"),
    [
        ("2026-02-01", "US", date(2026, 2, 1)),
        ("2/1/2026", "US", date(2026, 2, 1)),
        ("1/2/2026", "GB", date(2026, 2, 1)),
        ("01.02.2026", "DE", date(2026, 2, 1)),
        ("2/1/26", "US", date(2026, 2, 1)),
        ("01/02/26", "GB", date(2026, 2, 1)),
        ("01.02.26", "DE", date(2026, 2, 1)),
        ("2026/02/01", "US", date(2026, 2, 1)),
        ("٢٠٢٦-٠٢-٠١", "US", date(2026, 2, 1)),
        ("\u200f٠١/٠٢/٢٠٢٦", "EG", date(2026, 2, 1)),
        ("2026-02-01T10:00:00+00:00", "US", date(2026, 2, 1)),
        ("2026-02-01 10:00", "US", date(2026, 2, 1)),
    ],
)
def test_dates_are_read_as_the_country_writes_them(
    session: Session, load: Load, cell: str, country: str, day: date
) -> None:
    load(f"email,consent,consent_date\nana@example.org,yes,{cell}\n", country=country)
    assert session.execute(select(ConsentEvent)).scalar_one().at.date() == day


@pytest.mark.parametrize(
    ("cell", "code"),
    [
        ("yesterday", Problem.DATE_UNKNOWN), ("13/13/2026", Problem.DATE_UNKNOWN), ("0001-01-01", Problem.DATE_UNKNOWN),
        ("45000", Problem.DATE_UNKNOWN), ("2999-01-01", Problem.DATE_IN_FUTURE),
        ("9999-12-31T23:59:59-12:00", Problem.DATE_IN_FUTURE),
    ],
)  # fmt: skip
def test_a_yes_with_a_wrong_date_is_no_proof_but_a_stop_counts(
    session: Session, load: Load, cell: str, code: Problem
) -> None:
    head = "email,consent,consent_date"
    report = load(f"{head}\nana@example.org,yes,{cell}\nbo@example.org,stop,{cell}\n")
    assert codes(report) == [(2, "consent_date", code), (3, "consent_date", code)]
    assert (report.created, report.consents, report.opt_outs) == (2, 0, 1)


def test_a_bad_field_costs_that_field_only(session: Session, load: Load) -> None:
    report = load(
        "name,phone,email,telegram,language,consent\n"
        "Ana,12,ana@example.org,@ana,Klingonese,yes\n"
        "Bo,202-555-0143,bo@,12345,es,yes\n"
    )
    assert codes(report) == [
        (2, "language", Problem.LANGUAGE_UNKNOWN),
        (2, "phone", Problem.PHONE_SHORT),
        (2, "telegram", Problem.CHAT_NOT_A_NUMBER),
        (3, "email", Problem.EMAIL_NOT_VALID),
    ]
    assert subscribed(session) == {"ana@example.org", "+12025550143", "12345"}
    assert whole(report)


def test_a_row_without_an_address_is_not_imported(session: Session, load: Load) -> None:
    report = load("name,phone,consent\nAna,12,yes\nBo,,yes\n")
    assert [code for *_, code in codes(report)] == [
        Problem.PHONE_SHORT,
        Problem.NO_ADDRESS,
        Problem.NO_ADDRESS,
    ]
    assert (report.rejected, contacts(session)) == (2, [])


def test_errors_show_no_personal_data(load: Load) -> None:
    report = load("Name,Phone,consent\nZebedee,555-0143-9999-1,yes\n")
    shown = json.dumps(report.to_dict()) + repr(report)
    assert "0143" not in shown
    assert "Zebedee" not in shown
    assert report.errors[0].masked == "55…"
    assert report.errors[0].column == "Phone"


def test_rows_that_repeat_are_one_contact(session: Session, load: Load) -> None:
    report = load(
        "name,phone,email,groups,consent\n"
        "Ana,202-555-0143,,elders,sms\n"
        "Ana R.,(202) 555-0143,ana@example.org,parents,yes\n"
        ",,ANA@EXAMPLE.ORG,,yes\n"
    )
    (ana,) = contacts(session)
    assert (ana.name, ana.groups) == ("Ana", "|elders|parents|")
    assert (report.created, report.duplicates, report.endpoints, report.consents) == (1, 2, 2, 2)


def test_rows_that_repeat_far_apart_are_one_contact(
    session: Session, load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "CHUNK", 500)
    rows = "".join(f"p{number},p{number}@example.org,yes\n" for number in range(writing.CHUNK + 10))
    report = load("name,email,consent\n" + rows + "again,p1@example.org,yes\n")
    assert (report.created, report.duplicates) == (writing.CHUNK + 10, 1)
    again = load("name,email,consent\n" + rows + "again,p1@example.org,yes\n")
    assert (again.unchanged, again.duplicates, again.created) == (writing.CHUNK + 10, 1, 0)


def test_a_row_that_joins_two_contacts_leaves_each_its_address(session: Session, load: Load) -> None:
    load("name,phone,email,consent\nAna,202-555-0143,,yes\nBo,,bo@example.org,yes\n")
    report = load("name,phone,email,consent\nAna,202-555-0143,bo@example.org,yes\n", list_name="Alerts")
    assert (len(contacts(session)), report.endpoints, report.consents) == (2, 0, 2)
    assert lists.count_members(session, lists.by_name(session, "Alerts").id or 0) == 2


HOUSE = "name,address1,address2,city,state,postcode,consent\n"


def test_a_household_has_one_key_and_as_many_contacts_as_names(session: Session, load: Load) -> None:
    report = load(
        HOUSE + "Ana Ruiz,12 Main St,Apt 4,Springfield,MA,01103,yes\n"
        "Luis Ruiz,12 MAIN STREET #4,,Springfield,Massachusetts,1103,yes\n"
        "ana ruiz,12 Main St.,Unit 4,Springfield,MA,01103-1234,yes\n"
        ",12 Main St,Apt 4,Springfield,MA,01103,yes\n"
        ",12 Main St,Apt 4,Springfield,MA,01103,yes\n"
    )
    assert [each.name for each in contacts(session)] == ["Ana Ruiz", "Luis Ruiz", ""]
    assert (report.created, report.duplicates) == (3, 2)
    assert session.execute(select(func.count(Endpoint.address_key.distinct()))).scalar_one() == 1


def test_one_members_no_to_letters_is_not_the_others(session: Session, load: Load) -> None:
    load(HOUSE + "Ana,12 Main St,,Springfield,MA,01103,yes\nLuis,12 Main St,,Springfield,MA,01103,yes\n")
    load(HOUSE + "Ana,12 Main St,,Springfield,MA,01103,stop\n")
    found = session.execute(
        select(Contact.name, Endpoint.opted_out).join(Endpoint).order_by(Contact.id)
    ).all()
    assert [tuple(row) for row in found] == [("Ana", True), ("Luis", False)]


def test_the_same_name_at_the_same_address_is_the_same_person(session: Session, load: Load) -> None:
    load(HOUSE + "Ana,12 Main St,,Springfield,MA,01103,yes\n")
    load(HOUSE.replace("name", "name,phone") + "Ana,202-555-0143,12 Main St,,Springfield,MA,01103,yes\n")
    load(HOUSE.replace("name", "name,phone") + ",202-555-0144,12 Main St,,Springfield,MA,01103,yes\n")
    assert [each.name for each in contacts(session)] == ["Ana", ""]


def test_first_and_last_name_make_a_name(session: Session, load: Load) -> None:
    load("first name,Last Name,phone,consent\n Ana ,Ruiz\u200b,202-555-0143,yes\n")
    assert contacts(session)[0].name == "Ana Ruiz"


def test_a_postal_error_names_the_column_to_look_at(load: Load) -> None:
    head = "address1,city,state,postcode,country,consent\n"
    report = load(head + "12 Main St,Springfield,XX,01103,,yes\n5 Rue X,Paris,,75002,Atlantis,yes\n")
    assert [(row, column) for row, column, code in codes(report) if code != Problem.NO_ADDRESS] == [
        (2, "address1"),
        (3, "country"),
    ]


def test_channels_are_the_callers(session: Session, load: Load) -> None:
    channels = {"signal": AddressKind.PHONE, "sms": AddressKind.PHONE}
    report = load("phone,email,consent\n202-555-0143,ana@example.org,signal\n", channels=channels)
    assert {channel for channel, _ in endpoints(session)} == {"signal", "sms"}
    assert report.consents == 1


def test_progress_counts_the_files_bytes(
    session: Session, sheet: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "CHUNK", 500)
    path = sheet("email,consent\n" + "".join(f"p{number}@example.org,yes\n" for number in range(1100)))
    told: list[int] = []
    import_contacts(session, path, list_name="News", country="US", actor="eva", progress=told.append)
    assert told == sorted(told)
    assert len(told) == 3
    assert 0 < told[0] < told[-1] <= path.stat().st_size


def test_all_errors_are_told_and_the_first_are_kept(
    session: Session, sheet: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "MOST_ERRORS", 3)
    told: list[RowError] = []
    path = sheet("phone,consent\n" + "12,yes\n" * 5)
    report = import_contacts(session, path, list_name="News", country="US", actor="eva", on_error=told.append)
    assert (report.error_count, len(told), len(report.errors)) == (10, 10, 3)


def test_a_failure_in_the_middle_leaves_nothing(session: Session, sheet: Write) -> None:
    rows = "".join(f"p{number}@example.org,yes\n" for number in range(1200))
    path = sheet("email,consent\n" + rows + f'"{"x" * 200_000}",yes\n')
    with pytest.raises(ImportFailed):
        import_contacts(session, path, list_name="News", country="US", actor="eva")
    session.commit()
    assert counted(session) == [0] * len(TABLES)


def test_an_interruption_leaves_nothing_but_its_record(session: Session, sheet: Write) -> None:
    def interrupt(_done: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_contacts(session, sheet(ANA), list_name="News", country="US", actor="eva", progress=interrupt)
    made = dict(zip(TABLES, counted(session), strict=True))
    assert {model for model, count in made.items() if count} == {ContactList, ImportRun}
    assert session.execute(select(ImportRun)).scalar_one().state == ImportState.UNDONE


def test_two_imports_at_once_make_nobody_twice(database: Database, sheet: Write) -> None:
    path = sheet("email,consent\n" + "".join(f"p{number}@example.org,yes\n" for number in range(300)))

    def run(list_name: str) -> int:
        with database.session() as session:
            report = import_contacts(session, path, list_name=list_name, country="US", actor="eva")
            session.commit()
            return report.created

    with ThreadPoolExecutor(2) as pool:
        created = list(pool.map(run, ["News", "Alerts"]))
    assert sorted(created) == [0, 300]
    with database.session() as session:
        assert counted(session)[:2] == [300, 300]
        assert len(subscribed(session)) == 300


def test_a_bad_list_name_is_refused_before_anything_is_read(session: Session, load: Load) -> None:
    with pytest.raises(lists.BadListName):
        load(ANA, list_name=" ")


def test_hostile_cells_are_data(session: Session, load: Load) -> None:
    rows = [
        ['=HYPERLINK("http://x")', "a@example.org", "yes"],
        ["Robert'); DROP TABLE contact;--", "b@example.org", "yes"],
        ["<script>", "c@example.org", "yes"],
        ["{{ 7*7 }} #read(\"x\") %s :name", "d@example.org", "yes"],
        ["\u202eevil", "e@example.org", "yes"],
    ]  # fmt: skip
    quoted = "\n".join(",".join('"' + cell.replace('"', '""') + '"' for cell in row) for row in rows)
    assert load(f"name,email,consent\n{quoted}\n").created == 5
    names = [each.name for each in contacts(session)]
    assert names[:4] == [row[0] for row in rows[:4]]
    assert names[4] == "evil"


CELLS = st.one_of(
    st.text(st.characters(exclude_characters='"\n\r\0', exclude_categories=["Cs"]), max_size=15),
    st.sampled_from(
        ["yes", "stop", "sms", "202-555-0143", "2025550144", "ana@example.org", "es", "12345", "12 Main St"]
    ),
)
HEADER = "name,phone,email,telegram,address,language,groups,consent,consent_date\n"


def as_sheet(rows: list[list[str]]) -> bytes:
    return (HEADER + "".join(",".join(f'"{cell}"' for cell in row) + "\n" for row in rows)).encode()


@given(
    content=st.one_of(
        st.binary(max_size=300),
        st.binary(max_size=300).map(lambda rest: HEADER.encode() + rest),
        st.lists(st.lists(CELLS, min_size=9, max_size=9), max_size=6).map(as_sheet),
    )
)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_are_imported_whole_or_refused_whole(
    content: bytes, session: Session, sheet: Write
) -> None:
    before = counted(session)
    path = sheet(content)
    try:
        report = import_contacts(
            session, path, list_name="News", country="US", actor="eva", attestation=SIGNED
        )
    except ImportFailed:
        session.commit()
        assert counted(session) == before
        return
    session.commit()
    assert whole(report)
    made = dict(
        zip(TABLES, (now - then for now, then in zip(counted(session), before, strict=True)), strict=True)
    )
    assert (made[Contact], made[Endpoint]) == (report.created, report.endpoints)
    assert made[Subscription] <= report.consents + report.opt_outs
    for endpoint_id in session.execute(select(Endpoint.id)).scalars().all()[-20:]:
        assert consent.present(session, endpoint_id or 0) == consent.replay(session, endpoint_id or 0)
    again = import_contacts(session, path, list_name="News", country="US", actor="eva", attestation=SIGNED)
    session.commit()
    assert (again.created, again.endpoints, again.consents) == (0, 0, 0)


DEMO = templates.directory() / "demo"


def test_the_demos_residents_are_imported_with_exactly_the_intended_errors(
    session: Session, load: Load
) -> None:
    report = load((DEMO / "residents.csv").read_bytes())
    assert whole(report)
    assert (report.rows, report.created, report.duplicates, report.rejected) == (210, 188, 12, 10)
    assert {(row, code) for row, _, code in codes(report) if code != Problem.NO_ADDRESS} == {
        (9, Problem.PHONE_NOT_A_NUMBER),
        (20, Problem.EMAIL_SEVERAL),
        (21, Problem.LANGUAGE_UNKNOWN),
        (23, Problem.PHONE_EXTENSION),
        (40, Problem.EMAIL_NO_AT),
        (63, Problem.POSTAL_NO_FIXED_ADDRESS),
        (82, Problem.DATE_IN_FUTURE),
        (98, Problem.POSTAL_LAST_LINE_US),
        (105, Problem.CONSENT_UNKNOWN),
        (122, Problem.PHONE_SHORT),
        (123, Problem.LANGUAGE_SEVERAL),
        (204, Problem.POSTAL_LAST_LINE_US),
        (210, Problem.CHAT_NOT_A_NUMBER),
    }
    assert {row for row, _, code in codes(report) if code == Problem.NO_ADDRESS} == {
        9, 20, 23, 40, 63, 98, 122, 172, 204, 210,
    }  # fmt: skip
    assert len({each.language for each in contacts(session)}) >= 8
    assert report.opt_outs > 0


def test_the_demos_other_list_revives_nobody(session: Session, load: Load) -> None:
    load((DEMO / "residents.csv").read_bytes())
    silent = {each.id for each in endpoints(session).values() if each.opted_out}
    report = load((DEMO / "residents-extra.csv").read_bytes(), list_name="Volunteers")
    assert (report.rows, report.created, report.updated, report.error_count) == (28, 15, 13, 0)
    assert report.opt_outs_kept > 0
    session.expire_all()
    assert {each.id for each in endpoints(session).values() if each.opted_out} == silent


def test_every_table_of_contacts_is_counted_above() -> None:
    own = {
        mapper.class_
        for mapper in SQLModel._sa_registry.mappers
        if mapper.class_.__module__ == "contacts.models"
    }
    assert own == set(TABLES)
