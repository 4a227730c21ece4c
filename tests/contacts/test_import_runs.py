"""Imports that go on after a crash, and imports that are taken back as a whole."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import func
from sqlmodel import Session, SQLModel, select

from channels.contract import AddressKind
from contacts import consent, erasure, importing, lists, runs, undoing, writing
from contacts.chunks import Seen
from contacts.consent import Method
from contacts.importing import ImportFailed, ImportReport, NoConsent, NoList, import_contacts, undo
from contacts.models import (
    ConsentEvent,
    Contact,
    ContactList,
    Endpoint,
    EndpointState,
    ImportFill,
    ImportRun,
    ImportState,
    ListKind,
    Membership,
    Subscription,
)
from contacts.registering import add_contact, add_endpoint
from contacts.values import Address, Problem, SheetProblem
from notify.database import Database

Load = Callable[..., ImportReport]
Write = Callable[..., Path]

ANA = "name,phone,email,language,area,groups,consent\nAna Ruiz,202-555-0143,ana@example.org,es,North,elders,yes\n"
MADE = (Contact, Endpoint, Membership, ConsentEvent, Subscription, ImportFill)


def counted(session: Session, *models: type[SQLModel]) -> list[int]:
    return [session.execute(select(func.count()).select_from(model)).scalar_one() for model in models]


def settled(session: Session) -> None:
    """The state beside the events is what the events come to, at every address."""
    for endpoint_id in session.execute(select(Endpoint.id)).scalars():
        assert consent.present(session, endpoint_id or 0) == consent.replay(session, endpoint_id or 0)


def people(count: int, start: int = 0) -> str:
    rows = (
        f"P{n},{206 + n // 10000}-555-{n % 10000:04d},p{n}@example.org,yes"
        for n in range(start, start + count)
    )
    return "name,phone,email,consent\n" + "\n".join(rows) + "\n"


class Crash(BaseException):
    """Stands for the process's end: nothing after it is run."""


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "CHUNK", 100)
    monkeypatch.setattr(undoing, "CHUNK", 70)


def crash_after(monkeypatch: pytest.MonkeyPatch, chunks: int, load: Load, content: str) -> None:
    """Begin an import that dies after so many chunks, without taking anything back."""
    left = [chunks]
    advance = runs.advance

    def count(*args: object, **kwargs: object) -> None:
        advance(*args, **kwargs)  # type: ignore[arg-type]
        left[0] -= 1
        if left[0] < 0:
            raise Crash

    with monkeypatch.context() as patch:
        patch.setattr(runs, "advance", count)
        patch.setattr(importing, "undo", lambda *_args, **_kwargs: None)
        with pytest.raises(Crash):
            load(content)


def test_after_a_crash_the_same_command_goes_on(
    session: Session, load: Load, small_chunks: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = people(450) + "Zed,12,zed@,yes\n"
    crash_after(monkeypatch, 2, load, bad)
    run = session.execute(select(ImportRun)).scalar_one()
    assert (run.state, run.rows_done, counted(session, Contact)) == (ImportState.RUNNING, 201, [200])
    report = load(bad)
    assert (report.resumed_at, report.import_id) == (201, run.id)
    assert (report.rows, report.created, report.rejected, report.consents) == (451, 450, 1, 900)
    assert [each.row for each in report.errors] == [452, 452, 452]
    assert counted(session, Contact, Endpoint, ConsentEvent, ImportRun) == [450, 900, 900, 1]
    assert session.execute(select(ImportRun.state)).scalar_one() == ImportState.DONE
    settled(session)


def test_who_was_repeated_across_a_crash_is_counted_as_repeated(
    session: Session, load: Load, small_chunks: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    sheet = people(150) + "P3,,p3@example.org,yes\n"
    crash_after(monkeypatch, 1, load, sheet)
    report = load(sheet)
    assert (report.created, report.duplicates, report.rows) == (150, 1, 151)


def test_another_file_or_other_options_begin_anew(
    session: Session, load: Load, small_chunks: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    crash_after(monkeypatch, 1, load, people(250))
    assert load(people(251)).resumed_at == 0
    assert load(people(250), list_name="Alerts").resumed_at == 0
    assert load(people(250)).resumed_at == 101
    assert counted(session, Contact, ImportRun) == [251, 3]


def test_a_second_process_with_the_same_file_stops_and_takes_nothing_back(
    session: Session, database: Database, sheet: Write, small_chunks: None
) -> None:
    path = sheet(people(350))
    other: list[str] = []

    def overtake(_done: int) -> None:
        if not other:
            other.append("")
            with database.session() as second:
                import_contacts(second, path, list_name="News", country="US", actor="bo")

    with pytest.raises(runs.RunTakenOver):
        import_contacts(session, path, list_name="News", country="US", actor="eva", progress=overtake)
    assert counted(session, Contact, Endpoint, ImportRun) == [350, 700, 1]
    assert session.execute(select(ImportRun.state)).scalar_one() == ImportState.DONE


KILLED = """
import sys
from pathlib import Path
from contacts import writing
from contacts.importing import import_contacts
from notify.database import Database
writing.CHUNK = 50

def told(done):
    print(done, flush=True)
    sys.stdin.readline()  # goes on when it is let: however busy the machine is, it does not run ahead

with Database(sys.argv[1]).session() as session:
    import_contacts(session, Path(sys.argv[2]), list_name=["News", "Alerts"], country="US", actor="eva",
                    progress=told)
"""


@pytest.mark.slow
def test_killed_again_and_again_nobody_is_lost_or_doubled(
    session: Session, database: Database, sheet: Write, tmp_path: Path
) -> None:
    path = sheet(people(3000) + people(100, start=50).split("\n", 1)[1] + "Zed,12,zed@,yes\n" * 20)
    url = database.engine.url.render_as_string(hide_password=False)
    killed = 0
    for patience in (3, 8, 5, 13, 7, 1_000_000):
        process = subprocess.Popen(
            [sys.executable, "-c", KILLED, url, str(path)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        for _ in range(patience):
            if not process.stdout.readline():
                break
            process.stdin.write("on\n")
            process.stdin.flush()
        else:
            time.sleep(0.004 * patience)  # somewhere inside the next chunk
            os.kill(process.pid, signal.SIGKILL)
            killed += 1
        process.stdout.close()
        status = process.wait()
        with suppress(BrokenPipeError):  # what it was not let do any more
            process.stdin.close()
    assert (killed, status) == (5, 0)
    assert counted(session, Contact, Endpoint, Membership) == [3000, 6000, 6000]
    assert counted(session, ConsentEvent, Subscription, ImportRun) == [12000, 12000, 1]
    run = session.execute(select(ImportRun)).scalar_one()
    assert (run.state, run.rows_done) == (ImportState.DONE, 3121)
    told = run.counts
    assert (told["rows"], told["created"], told["duplicates"], told["rejected"]) == (3120, 3000, 100, 20)
    assert told["consents"] == 12000
    sample = session.execute(select(Endpoint.id).order_by(Endpoint.id)).scalars().all()[::97]
    assert all(consent.present(session, each or 0) == consent.replay(session, each or 0) for each in sample)


def test_an_import_is_taken_back_as_a_whole(session: Session, load: Load, small_chunks: None) -> None:
    report = load(people(250))
    done = undo(session, report.import_id or 0, actor="eva")
    assert counted(session, *MADE) == [0] * len(MADE)
    assert (done.contacts, done.endpoints, done.memberships) == (250, 500, 250)
    assert (done.contacts_kept, done.endpoints_kept, done.taken_back) == (0, 0, 0)
    run = session.execute(select(ImportRun)).scalar_one()
    assert (run.state, run.counts["undone"]["contacts"]) == (ImportState.UNDONE, 250)
    again = load(people(250))
    assert (again.created, again.consents, again.import_id) == (250, 500, 2)


def test_what_was_there_before_is_as_it_was(session: Session, load: Load) -> None:
    load("name,phone,groups,consent\nAna,202-555-0143,choir,yes\n")
    before = counted(session, *MADE)
    (ana,) = session.execute(select(Contact)).scalars()
    report = load(ANA, list_name="Alerts")
    assert (ana.area, ana.groups) == ("North", "|choir|elders|")
    done = undo(session, report.import_id or 0, actor="eva")
    session.expire_all()
    assert (ana.name, ana.area, ana.groups) == ("Ana", "", "|choir|")
    assert (done.endpoints, done.memberships, done.taken_back, done.emptied) == (1, 1, 1, 2)
    after = dict(zip(MADE, counted(session, *MADE), strict=True))
    assert after == dict(zip(MADE, before, strict=True)) | {
        ConsentEvent: before[3] + 2
    }  # said, and taken back
    settled(session)


def test_a_field_that_somebody_changed_since_is_left(session: Session, load: Load) -> None:
    load("phone,consent\n202-555-0143,yes\n")
    report = load(ANA)
    (ana,) = session.execute(select(Contact)).scalars()
    ana.area = "South"
    session.add(ana)
    session.commit()
    undo(session, report.import_id or 0, actor="eva")
    session.expire_all()
    assert (ana.name, ana.area) == ("", "South")


def test_an_undone_yes_counts_no_more_and_can_be_said_again(session: Session, load: Load) -> None:
    load("phone,consent\n202-555-0143,\n")
    yes = "phone,consent\n202-555-0143,yes\n"
    report = load(yes)
    assert counted(session, Subscription) == [1]
    undo(session, report.import_id or 0, actor="eva")
    settled(session)
    assert counted(session, Subscription) == [0]
    methods = session.execute(select(ConsentEvent.method).order_by(ConsentEvent.id)).scalars().all()
    assert methods == [Method.IMPORT, Method.IMPORT_UNDONE]
    assert load(yes).consents == 1
    settled(session)
    assert session.execute(select(Subscription.active)).scalar_one() is True


@pytest.mark.parametrize("known", [True, False])
def test_r32_a_no_in_the_sheet_outlives_its_undoing(session: Session, load: Load, known: bool) -> None:
    if known:
        load("phone,consent\n202-555-0143,yes\n")
    report = load("name,phone,area,consent\nAna,202-555-0143,North,stop\n")
    done = undo(session, report.import_id or 0, actor="eva")
    endpoint = session.execute(select(Endpoint)).scalar_one()
    assert endpoint.opted_out
    settled(session)
    assert (done.contacts_kept, done.endpoints_kept) == (0 if known else 1, 0 if known else 1)
    contact = session.execute(select(Contact)).scalar_one()
    assert (contact.name, contact.area) == ("", "")
    assert load("phone,consent\n202-555-0143,yes\n").opt_outs_kept == 1


def test_what_a_resident_said_since_stays(session: Session, load: Load) -> None:
    report = load(ANA)
    news = lists.by_name(session, "News").id
    consent.opt_in(session, "sms", "+12025550143", list_id=news, method=Method.WEB_FORM)
    session.commit()
    done = undo(session, report.import_id or 0, actor="eva")
    settled(session)
    assert (done.contacts_kept, done.endpoints, done.endpoints_kept, done.memberships) == (1, 1, 1, 0)
    assert session.execute(select(Endpoint.channel)).scalar_one() == "sms"
    assert session.execute(select(Subscription.active)).scalar_one() is True
    assert counted(session, Membership) == [1]


def test_r32_an_opt_out_since_stays(session: Session, load: Load) -> None:
    report = load(ANA)
    consent.opt_out(session, "sms", "+12025550143", method=Method.SMS_KEYWORD)
    session.commit()
    undo(session, report.import_id or 0, actor="eva")
    settled(session)
    assert session.execute(select(Endpoint.opted_out)).scalar_one() is True
    assert load(ANA).opt_outs_kept == 1


def test_an_address_that_bounced_since_stays_known_as_bad(session: Session, load: Load) -> None:
    report = load(ANA)
    mail = session.execute(select(Endpoint).where(Endpoint.channel == "email")).scalar_one()
    mail.state = EndpointState.BAD
    session.add(mail)
    session.commit()
    undo(session, report.import_id or 0, actor="eva")
    assert session.execute(select(Endpoint.state)).scalar_one() == EndpointState.BAD


def test_undoing_goes_on_after_a_crash(
    session: Session, load: Load, small_chunks: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(people(50))
    report = load(people(250), list_name="Alerts")

    def die(seen: int) -> None:
        if seen > 200:
            raise Crash

    with pytest.raises(Crash):
        undo(session, report.import_id or 0, actor="eva", progress=die)
    session.rollback()
    run = session.get_one(ImportRun, report.import_id)
    assert run.state == ImportState.UNDOING
    undo(session, report.import_id or 0, actor="eva")
    settled(session)
    assert counted(session, Contact, Endpoint, Subscription, Membership) == [50, 100, 100, 50]
    taken_back = ConsentEvent.method == Method.IMPORT_UNDONE
    assert session.execute(select(func.count()).where(taken_back)).scalar_one() == 100


def test_a_file_whose_undoing_was_broken_off_is_undone_first(
    session: Session, load: Load, small_chunks: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    crash_after(monkeypatch, 1, load, people(250))
    run = session.execute(select(ImportRun)).scalar_one()
    run.state = ImportState.UNDOING
    session.add(run)
    session.commit()
    report = load(people(250))
    assert (report.created, report.resumed_at) == (250, 0)
    assert counted(session, Contact, ImportRun) == [250, 2]


def test_undoing_twice_or_nothing_is_refused(session: Session, load: Load) -> None:
    report = load(ANA)
    undo(session, report.import_id or 0, actor="eva")
    for number in (report.import_id or 0, 77):
        with pytest.raises(ImportFailed) as refused:
            undo(session, number, actor="eva")
        assert refused.value.code == SheetProblem.NO_SUCH_IMPORT


def test_imports_are_listed_the_newest_first(session: Session, load: Load) -> None:
    load(ANA)
    load(people(3))
    assert [(each.id, each.counts["created"]) for each in runs.every(session)] == [(2, 3), (1, 1)]


def test_several_lists_are_filled_at_once(session: Session, load: Load) -> None:
    lists.get_or_create(session, "Elders")
    session.commit()
    rows = "Ana,202-555-0143,elders|News,yes\nBo,202-555-0144,,yes\nCy,202-555-0145,Nowhere,yes\n"
    report = load("name,phone,lists,consent\n" + rows, list_name=["News", "Alerts"])
    counts = {each.name: lists.count_members(session, each.id or 0) for each in lists.every(session)}
    assert counts == {"News": 3, "Alerts": 3, "Elders": 1}
    assert (report.consents, report.endpoints) == (7, 3)
    assert [(each.row, each.code) for each in report.errors] == [(4, Problem.LIST_UNKNOWN)]


def test_rows_may_name_their_lists_by_themselves(session: Session, load: Load) -> None:
    lists.get_or_create(session, "Elders")
    session.commit()
    report = load("phone,lists,consent\n202-555-0143,Elders,yes\n202-555-0144,,yes\n", list_name=())
    assert (report.created, report.rejected) == (1, 1)
    assert [each.code for each in report.errors] == [Problem.NO_LIST]


def test_no_list_at_all_is_refused(load: Load) -> None:
    for rows in ("phone,consent\n202-555-0143,yes\n", "phone,lists,consent\n202-555-0143,Elders,yes\n"):
        with pytest.raises(NoList):
            load(rows, list_name=())


def test_an_exclusion_list_needs_no_consent_and_records_none(session: Session, load: Load) -> None:
    families = lists.get_or_create(session, "Families")
    families.kind = ListKind.EXCLUSION
    session.add(families)
    session.commit()
    report = load("phone\n202-555-0143\n", list_name="Families")
    assert (report.created, report.consents, counted(session, Membership, ConsentEvent)) == (1, 0, [1, 0])
    with pytest.raises(NoConsent):
        load("phone\n202-555-0144\n", list_name=["Families", "News"])


def erased(session: Session, load: Load, *, everything: bool) -> None:
    """Ana said no, and was erased."""
    load(ANA)
    news = None if everything else lists.by_name(session, "News").id
    consent.opt_out(session, "sms", "+12025550143", list_id=news, method=Method.SMS_KEYWORD)
    erasure.erase(session, b"secret", 1, actor="eva")
    session.commit()


@pytest.mark.parametrize("everything", [True, False])
@pytest.mark.parametrize("row", ["Ana,202-555-0143,ana@example.org,,,,yes", "Ana,202-555-0143,,,,,yes"])
def test_r32_an_erased_opt_out_is_known_again(
    session: Session, load: Load, everything: bool, row: str
) -> None:
    erased(session, load, everything=everything)
    report = load(ANA.split("\n")[0] + f"\n{row}\n", proof_key=b"secret")
    assert report.opt_outs_kept == 1
    live = (
        session.execute(select(Endpoint.channel).where(Endpoint.state == EndpointState.USABLE))
        .scalars()
        .all()
    )
    assert live == (["email"] if "@" in row else [])
    assert report.rows == report.created + report.unchanged
    settled(session)


@pytest.mark.parametrize("everything", [True, False])
def test_r32_an_erased_opt_out_stands_though_the_address_is_on_record_again(
    session: Session, load: Load, everything: bool
) -> None:
    """Somebody wrote from the phone, say, and agreed to nothing."""
    erased(session, load, everything=everything)
    back = add_contact(session, language="en")
    phone = Address("+12025550143", "+12025550143")
    add_endpoint(session, back.id or 0, "sms", AddressKind.PHONE, phone)
    session.commit()
    report = load("phone,consent\n202-555-0143,yes\n", proof_key=b"secret")
    assert (report.created, report.consents, report.opt_outs_kept) == (0, 0, 1)
    settled(session)
    consent.opt_in(session, "sms", "+12025550143", list_id=1, method=Method.SMS_KEYWORD)
    session.commit()
    report = load("phone,consent\n202-555-0143,yes\n", proof_key=b"secret", list_name="News")
    assert report.opt_outs_kept == 0


def test_r32_a_stop_is_kept_where_somebody_erased_had_refused_only_this_list(
    session: Session, load: Load
) -> None:
    erased(session, load, everything=False)
    assert load("phone,consent\n202-555-0143,stop\n", proof_key=b"secret").opt_outs == 1
    report = load("phone,consent\n202-555-0143,yes\n", list_name="Alerts", proof_key=b"secret")
    assert (report.consents, report.opt_outs_kept) == (0, 1)


def test_an_erased_no_to_one_list_is_no_no_to_another(session: Session, load: Load) -> None:
    erased(session, load, everything=False)
    report = load("phone,consent\n202-555-0143,yes\n", list_name=["News", "Alerts"], proof_key=b"secret")
    alerts = lists.by_name(session, "Alerts").id
    query = select(Subscription.list_id).join(Endpoint).where(Subscription.active, ~Endpoint.opted_out)
    assert session.execute(query).scalars().all() == [alerts]
    assert (report.created, report.consents, report.opt_outs_kept) == (1, 1, 1)


def test_without_the_key_nothing_is_imported_beside_erased_contacts(session: Session, load: Load) -> None:
    erased(session, load, everything=True)
    with pytest.raises(ValueError, match="proof_key"):
        load(ANA)


def test_who_was_seen_is_remembered_by_a_bit() -> None:
    seen = Seen()
    for number in (1, 8, 100_000):
        seen.add(number)
    assert [number for number in (0, 1, 7, 8, 99_999, 100_000, 10**9) if number in seen] == [1, 8, 100_000]


def test_the_list_of_an_undone_import_stays(session: Session, load: Load) -> None:
    undo(session, load(ANA).import_id or 0, actor="eva")
    assert counted(session, ContactList) == [1]
