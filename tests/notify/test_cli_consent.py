"""`notify consent …` and `notify inbox …` as a liaison types them (R3, R31)."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import structlog
from sqlalchemy import update
from sqlmodel import select

from channels.contract import Event, EventKind
from contacts import consent, erasure, lists
from contacts.models import ConsentEvent, Contact, Endpoint
from notify import liaisons, staff
from notify.audit import AuditEvent
from notify.cli import acting, main
from notify.inbound import HELD, Inbound
from notify.web.hooks.residents import Residents

ANA, BO, SHARED = "+12065550123", "+12065550124", "+12065550125"
BOSS, EVA = "boss@city.example", "eva@city.example"


@dataclass(frozen=True)
class Answer:
    """What a command did."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        assert self.status == 0, self.err + self.out
        return json.loads(self.out)

    @property
    def refusal(self) -> str:
        assert self.status == 1, (self.status, self.out, self.err)
        return self.err


class City:
    """A city of its own: two lists, of which Eva keeps the first; Ana on it, Bo on the other."""

    def __init__(self, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self._capfd, self._patch = capfd, monkeypatch
        with self.session() as session:
            for email, role in ((BOSS, staff.Role.ADMINISTRATOR), (EVA, staff.Role.LIAISON)):
                staff.add(session, email, [role])
            elders, youth = (lists.get_or_create(session, name) for name in ("Elders", "Youth"))
            liaisons.give(session, elders, staff.find(session, EVA), by=BOSS)
            session.commit()
            self.elders, self.youth = elders.id or 0, youth.id or 0
        self.ana = self.resident(ANA, self.elders, "Ana")
        self.bo = self.resident(BO, self.youth, "Bo")

    def session(self) -> Any:
        return acting.hub().database.session()

    def resident(self, phone: str, list_id: int, name: str, language: str = "es") -> Endpoint:
        with self.session() as session:
            contact = Contact(name=name, language=language)
            session.add(contact)
            session.flush()
            endpoint = Endpoint(contact_id=contact.id, channel="sms", address=phone, address_key=phone)
            session.add(endpoint)
            session.flush()
            lists.add_member(session, list_id, contact.id)
            consent.record(
                session, contact_id=contact.id, endpoint_id=endpoint.id, list_id=list_id, decision=True,
                method="web form", wording="Sí, escríbanme.", wording_language="es", ip="203.0.113.9",
                actor="resident",
            )  # fmt: skip
            session.commit()
        return endpoint

    def writes(self, phone: str, text: str) -> None:
        """A resident's text message, as the hooks take it."""
        hub = acting.hub()
        with self.session() as session:
            Residents(hub).take(
                session, hub.channels["sms"], Event(EventKind.REPLY, address=phone, text=text)
            )
            session.commit()

    def run(self, *words: str, by: str = "") -> Answer:
        self._capfd.readouterr()
        status: Any = 0
        with self._patch.context() as patch:
            if by:
                patch.setenv("NOTIFY_AS", by)
            patch.setattr(sys, "argv", ["notify", *words])
            patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"")))
            try:
                main()
            except SystemExit as end:
                status = end.code
        out, err = self._capfd.readouterr()
        assert "Traceback" not in err
        return Answer(int(status or 0), out, err)

    def fresh(self, endpoint: Endpoint) -> Endpoint:
        with self.session() as session:
            return session.get_one(Endpoint, endpoint.id)

    def all(self, model: type[Any]) -> list[Any]:
        with self.session() as session:
            return list(session.exec(select(model).order_by(model.id)))

    def deeds(self) -> list[tuple[str, str, str]]:
        return [(each.actor, each.action, each.subject) for each in self.all(AuditEvent)]


@pytest.fixture
def city(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Iterator[City]:
    for name in [name for name in os.environ if name.startswith("NOTIFY_")]:
        monkeypatch.delenv(name)
    given = {
        "STATE_DIR": str(tmp_path / "state"), "SMS__ACCOUNT_SID": "AC" + "0" * 32, "SMS__AUTH_TOKEN": "0" * 32,
        "SMS__FROM": "+15005550006", "CITY__TIMEZONE": "America/Los_Angeles",
    }  # fmt: skip
    for name, value in given.items():
        monkeypatch.setenv(f"NOTIFY_{name}", value)
    monkeypatch.setenv("COLUMNS", "250")
    monkeypatch.chdir(tmp_path)
    acting.hub.cache_clear()
    yield City(capfd, monkeypatch)
    acting.hub().database.dispose()
    acting.hub.cache_clear()
    structlog.reset_defaults()


def flat(shown: str) -> str:
    """What was printed, as if the terminal had no edge."""
    return " ".join(shown.split())


# -- consent show


@pytest.mark.parametrize("target", ["1", "206-555-0123", "(206) 555 0123", "+12065550123"])
def test_r31_the_proof_says_who_when_how_in_which_words_from_where(city: City, target: str) -> None:
    (tree,) = city.run("consent", "show", target, "--json").json
    assert (tree["contact"], tree["channel"], tree["address"]) == (city.ana.contact_id, "sms", ANA)
    (standing,) = tree["standing"]
    assert (standing["list_name"], standing["allowed"], standing["wording"]) == (
        "Elders",
        True,
        "Sí, escríbanme.",
    )
    (event,) = tree["history"]
    assert (event["ip"], event["wording_language"], event["method"]) == ("203.0.113.9", "es", "web form")
    shown = flat(city.run("consent", "show", target).out)
    assert "Sí, escríbanme." in shown and "203.0.113.9" in shown and "Elders" in shown


def test_r31_the_history_keeps_what_no_longer_stands(city: City) -> None:
    city.run("consent", "record", ANA, "--refused", "--reference", "call of 3 May", "--yes")
    (tree,) = city.run("consent", "show", ANA, "--json").json
    assert [(each["list"], each["decision"]) for each in tree["history"]] == [("Elders", True), ("", False)]
    assert [each["allowed"] for each in tree["standing"]] == [False, False]
    assert tree["opted_out"]


def test_every_look_is_in_the_audit_trail(city: City) -> None:
    city.run("consent", "show", ANA, by=EVA)
    assert (EVA, "consent.view", f"contact {city.ana.contact_id}") in city.deeds()


def test_a_liaison_sees_own_people_and_own_lists_only(city: City) -> None:
    assert "keeps" in city.run("consent", "show", BO, by=EVA).refusal
    with city.session() as session:
        lists.add_member(session, city.youth, city.ana.contact_id)
        consent.record(
            session, contact_id=city.ana.contact_id, endpoint_id=city.ana.id, list_id=city.youth, decision=True,
            method="web form", wording="Yes to youth",
        )  # fmt: skip
        session.commit()
    (tree,) = city.run("consent", "show", ANA, "--json", by=EVA).json
    assert {each["list"] for each in tree["history"]} == {"Elders"}
    (tree,) = city.run("consent", "show", ANA, "--json", by=BOSS).json
    assert {each["list"] for each in tree["history"]} == {"Elders", "Youth"}


def test_nobody_learns_who_is_on_other_lists_by_asking_for_an_address(city: City) -> None:
    known, stranger = (city.run("consent", "show", each, by=EVA) for each in (BO, "+12065559999"))
    assert (known.status, known.refusal) == (stranger.status, stranger.refusal)
    known, stranger = (
        city.run("consent", "record", each, "--refused", *FORM, by=EVA) for each in (BO, "+12065559999")
    )
    assert (known.status, known.refusal) == (stranger.status, stranger.refusal)


def test_who_shares_an_address_with_others_is_still_seen_by_their_liaison(city: City) -> None:
    own = city.resident(SHARED, city.elders, "Cy")
    city.resident(SHARED, city.youth, "Di")
    (tree,) = city.run("consent", "show", SHARED, "--json", by=EVA).json
    assert tree["contact"] == own.contact_id
    assert len(city.run("consent", "show", SHARED, "--json", by=BOSS).json) == 2


def test_r31_the_proof_of_an_erased_address_is_found_by_the_address(city: City) -> None:
    with city.session() as session:
        erasure.erase(session, acting.hub().settings.key(), city.ana.contact_id, actor=BOSS)
        session.commit()
    (tree,) = city.run("consent", "show", ANA, "--json", by=BOSS).json
    assert (tree["address"], tree["state"]) == ("", "erased")
    assert tree["history"][0]["method"] == "web form"
    assert "(erased)" in city.run("consent", "show", ANA, by=BOSS).out


@pytest.mark.parametrize("target", ["999", "+12065559999", "nobody@example.org", "not an address", "9" * 30])
def test_nobody_is_nobody(city: City, target: str) -> None:
    assert "nobody" in city.run("consent", "show", target).refusal


def test_a_channel_that_is_none_is_named(city: City) -> None:
    assert "pigeon" in city.run("consent", "show", "1", "--channel", "pigeon").refusal


# -- consent record

FORM = ("--reference", "binder 4, form 212", "--wording", "Avisos para mayores", "--language", "es")


def test_r31_a_paper_form_is_kept_with_reference_words_and_date(city: City) -> None:
    done = city.run(
        "consent",
        "record",
        ANA,
        "--agreed",
        "--list",
        "youth",
        *FORM,
        "--on",
        "2026-05-03",
        "--json",
        by=BOSS,
    )
    assert done.json["event"]
    event = city.all(ConsentEvent)[-1]
    assert (event.method, event.reference, event.actor) == ("paper", "binder 4, form 212", BOSS)
    assert (event.wording, event.wording_language, event.list_id) == ("Avisos para mayores", "es", city.youth)
    assert event.at.isoformat() == "2026-05-03T07:00:00+00:00"  # the beginning of that day in the city
    assert (BOSS, "consent.record", f"contact {city.ana.contact_id}") in city.deeds()
    with city.session() as session:
        assert lists.count_members(session, city.youth) == 2


def test_of_a_yes_and_a_no_of_one_day_the_no_wins(city: City) -> None:
    for said in ("--refused", "--agreed"):
        city.run("consent", "record", ANA, said, "--list", "Elders", *FORM, "--on", "2026-05-03", by=BOSS)
    events = [each for each in city.all(ConsentEvent) if each.method == "paper"]
    assert [each.decision for each in sorted(events, key=lambda each: each.at)] == [True, False]


def test_r5_a_no_on_paper_silences_everybody_who_shares_the_phone(city: City) -> None:
    both = [city.resident(SHARED, city.elders, name) for name in ("Cy", "Di")]
    refused = city.run("consent", "record", SHARED, "--refused", "--reference", "form 1").refusal
    assert "2 addresses fit" in refused
    number = str(both[0].contact_id)
    assert (
        city.run("consent", "record", number, "--channel", "sms", "--refused", "--reference", "f 1").status
        == 0
    )
    assert [city.fresh(endpoint).opted_out for endpoint in both] == [True, True]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--agreed", "--list", "Elders", "--reference", "f 1"), "exact words"),
        (("--agreed", *FORM), "--list NAME"),
        (("--refused", "--reference", " "), "where the form is kept"),
        (("--reference", "f 1"), "--agreed or --refused"),
        (("--refused", "--reference", "f 1", "--list", "Nobody's"), "no list called"),
        (("--refused", "--reference", "f 1", "--on", "2099-01-01"), "cannot be the date"),
        (("--refused", "--reference", "f 1", "--on", "1890-01-01"), "cannot be the date"),
        (("--agreed", "--list", "Elders", "--reference", "f", "--wording", "Yes"), "in which language"),
        (("--agreed", "--list", "Elders", *FORM[:4], "--language", "Klingonish"), "no language"),
    ],
)
def test_a_form_without_its_proof_is_refused_with_the_cure(
    city: City, words: tuple[str, ...], told: str
) -> None:
    before = len(city.all(ConsentEvent))
    assert told in city.run("consent", "record", ANA, *words).refusal
    assert len(city.all(ConsentEvent)) == before


def test_the_reference_is_not_optional(city: City) -> None:
    assert city.run("consent", "record", ANA, "--refused").status == 2


def test_a_liaison_records_for_own_lists_only(city: City) -> None:
    done = city.run("consent", "record", ANA, "--agreed", "--list", "Youth", *FORM, by=EVA)
    assert "does not keep" in done.refusal
    assert city.run("consent", "record", ANA, "--agreed", "--list", "Elders", *FORM, by=EVA).status == 0


# -- inbox


def test_r3_holds_come_first_then_the_oldest(city: City) -> None:
    city.writes(BO, "When is the meeting?")
    city.writes(ANA, "2")
    city.writes(ANA, "dejen de escribirme por favor")
    found = city.run("inbox", "list", "--json", by=BOSS).json
    assert [each["text"] for each in found] == [
        "dejen de escribirme por favor", "When is the meeting?", "2",
    ]  # fmt: skip
    assert [each["held"] for each in found] == [True, False, False]
    shown = flat(city.run("inbox", "list", by=BOSS).out)
    assert "held" in shown and "--refused | --not-a-refusal" in shown
    assert (BOSS, "inbox.list", "inbox") in city.deeds()


def test_r3_a_refusal_becomes_a_no_in_the_residents_words(city: City) -> None:
    city.writes(ANA, "dejen de escribirme por favor")
    assert city.fresh(city.ana).held == HELD
    assert city.run("inbox", "resolve", "1", "--refused", "--as", EVA).status == 0
    found = city.fresh(city.ana)
    assert (found.opted_out, found.held) == (True, "")
    event = city.all(ConsentEvent)[-1]
    assert (event.decision, event.list_id, event.method, event.actor) == (False, None, "free text", EVA)
    assert (event.wording, event.reference) == ("dejen de escribirme por favor", "inbound 1")
    assert event.at < event.recorded_at  # when the resident wrote it
    assert city.run("inbox", "list", "--json", by=BOSS).json == []


def test_r3_what_was_no_refusal_goes_on(city: City) -> None:
    city.writes(ANA, "wrong number")
    city.writes(ANA, "no more texts please")
    assert city.run("inbox", "resolve", "1", "--not-a-refusal", "--as", EVA).status == 0
    assert city.fresh(city.ana).held == HELD  # the other one waits
    assert city.run("inbox", "resolve", "2", "--not-a-refusal", "--as", EVA).status == 0
    assert (city.fresh(city.ana).held, city.fresh(city.ana).opted_out) == ("", False)
    assert (EVA, "inbox.resolve", "inbound 2") in city.deeds()


def test_a_plain_reply_is_put_away_or_read_as_a_refusal(city: City) -> None:
    city.writes(ANA, "Thank you")
    city.writes(ANA, "You people are the worst, I am done with this")
    assert city.run("inbox", "resolve", "1", "--as", EVA).status == 0
    assert city.run("inbox", "resolve", "2", "--refused", "--as", EVA).status == 0
    assert city.fresh(city.ana).opted_out


def test_r3_what_is_held_needs_a_decision(city: City) -> None:
    city.writes(ANA, "wrong number")
    assert "--refused or --not-a-refusal" in city.run("inbox", "resolve", "1", "--as", EVA).refusal
    assert city.fresh(city.ana).held == HELD


def test_r3_what_is_held_waits_though_its_words_are_thrown_away(city: City) -> None:
    city.writes(ANA, "wrong number")
    city.writes(ANA, "thanks")
    with city.session() as session:
        session.execute(update(Inbound).values(text=""))
        session.commit()
    (waits,) = city.run("inbox", "list", "--json", by=BOSS).json
    assert (waits["number"], waits["held"]) == (1, True)


def test_a_message_is_resolved_once(city: City) -> None:
    city.writes(ANA, "wrong number")
    city.run("inbox", "resolve", "1", "--refused", "--as", EVA)
    assert f"resolved by {EVA}" in city.run("inbox", "resolve", "1", "--not-a-refusal", "--as", BOSS).refusal
    assert city.fresh(city.ana).opted_out


def test_a_refusal_read_late_gives_way_to_a_newer_yes(city: City) -> None:
    city.writes(ANA, "You people are the worst")
    with city.session() as session:
        consent.opt_in(session, "sms", ANA, list_id=city.elders, method="sms keyword", wording="JOIN")
        session.commit()
    city.run("inbox", "resolve", "1", "--refused", "--as", EVA)
    with city.session() as session:
        assert consent.present(session, city.ana.id).lists[city.elders].active


def test_a_liaison_reads_what_own_people_wrote(city: City) -> None:
    city.writes(BO, "take me off your list")
    city.writes("+12065550199", "hello?")
    assert city.run("inbox", "list", "--json", by=EVA).json == []
    assert "on your lists" in city.run("inbox", "resolve", "1", "--refused", "--as", EVA).refusal
    assert "on your lists" in city.run("inbox", "show", "2", by=EVA).refusal
    assert [each["contact_id"] for each in city.run("inbox", "list", "--json", by=BOSS).json][1] is None


def test_a_strangers_reply_is_put_away(city: City) -> None:
    city.writes("+12065550199", "hello?")
    assert "nobody to opt out" in city.run("inbox", "resolve", "1", "--refused", "--as", BOSS).refusal
    assert city.run("inbox", "resolve", "1", "--as", BOSS).status == 0


def test_show_prints_the_whole_text_as_data(city: City) -> None:
    city.writes(ANA, "Hello [red]there[/red]\n\x1b[31mline two " + "x" * 300)
    shown = city.run("inbox", "show", "1", by=EVA).out
    assert "[red]there[/red]" in shown and "x" * 100 in shown.replace("\n", "")
    assert "\x1b[31mline" not in shown
    assert "no message 7" in city.run("inbox", "show", "7", by=EVA).refusal


def test_what_the_hub_has_carried_out_waits_for_nobody(city: City) -> None:
    with city.session() as session:
        hub = acting.hub()
        event = Event(EventKind.OPTED_OUT, address=ANA, text="ALTO", language="es")
        Residents(hub).take(session, hub.channels["sms"], event)
        session.commit()
    assert city.run("inbox", "list", "--json", by=BOSS).json == []


def test_no_personal_data_in_the_trail(city: City) -> None:
    city.writes(ANA, "take me off your list, Fatima")
    city.run("inbox", "resolve", "1", "--refused", "--as", EVA)
    city.run("consent", "show", ANA, by=EVA)
    trail = " ".join(str(each.model_dump()) for each in city.all(AuditEvent))
    assert "Fatima" not in trail and "5550123" not in trail
