"""Translations, as a program at the translation desk works on them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from threading import BoundedSemaphore
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from api_city import EVA, Office, Program, place, refused
from sqlmodel import Session
from world import ANA, BEN, TARA

from notify import apikeys, staff, statements
from notify.apikeys import Scope
from notify.staff import Role, StaffError
from notify.statements import NotApproved
from notify.translation.argos import ArgosEngine
from notify.web.api import translations

TOM = "tom@city.example"
PACKAGES = Path(__file__).parents[2] / "translation" / "packages"
VIGIL = """---
title: You are not alone
short: A candlelight vigil will be held at 7:00 p.m. on Friday at City Hall. If you need help, call 555-0100.
kind: crisis
actions:
  - label: If you need help, call 555-0100.
    value: 555-0100
---
**You are not alone.** A candlelight vigil will be held at 7:00 p.m. on Friday at City Hall.

- If you need help, call **555-0100**.
- You are not alone.
"""
CALL = "Si necesita ayuda, llame al 555-0100."


@pytest.fixture
def office(office: Office) -> Office:
    """With Ana, who writes, Ben, who approves, and two translators: Tara reads Spanish, Tom French."""
    office.hire(ANA, Role.AUTHOR)
    office.hire(BEN, Role.APPROVER)
    office.hire(TARA, Role.TRANSLATOR, reads=["es", "ht"])
    office.hire(TOM, Role.TRANSLATOR, reads=["fr"])
    ArgosEngine(office.town.hub.settings.models).install(PACKAGES / "translate-en_es-0_1.argosmodel")
    return office


@pytest.fixture
def tara(web: httpx.AsyncClient, office: Office) -> Program:
    return Program(web, office.key(TARA))


@pytest.fixture
def vigil(office: Office) -> int:
    """A draft of eight sentences."""
    with office.town.session() as session:
        kept = statements.draft(session, statements.parse(VIGIL), staff.find(session, ANA))
        session.commit()
        return kept.id or 0


@pytest.fixture
async def spanish(tara: Program, vigil: int) -> str:
    """The address of its Spanish translation, drafted by the machine."""
    address = f"/statements/{vigil}/translations/es"
    assert (await tara.post(f"{address}/prepare", {})).status_code == 200
    return address


def edit_source(office: Office, vigil: int, old: str, new: str) -> None:
    with office.town.session() as session:
        text = statements.parse(VIGIL.replace(old, new)).text
        statements.edit(session, statements.find(session, vigil), text, staff.find(session, ANA))
        session.commit()


def ready(session: Session, vigil: int) -> dict[str, statements.Text]:
    return statements.ready_texts(session, statements.find(session, vigil))


async def sentences(program: Program, address: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await program.get(address)).json()["sentences"]
    return found


async def approve(program: Program, address: str, *numbers: int, **headers: str) -> httpx.Response:
    body = {"sentences": numbers} if numbers else {}
    return await program.post(f"{address}/approvals", body, **headers)


async def test_from_the_draft_to_a_statement_that_is_ready(
    tara: Program, office: Office, vigil: int, web: httpx.AsyncClient
) -> None:
    (listed,) = (await tara.get("/statements?state=draft")).json()["items"]
    assert (listed["id"], listed["reference"], listed["title"]) == (vigil, f"S{vigil}r1", "You are not alone")
    address = f"/statements/{vigil}/translations/es"
    refused(await tara.get(address), 404, "not_found")

    work = (await tara.post(f"{address}/prepare", {})).json()
    assert (work["sentences"], work["drafted"], work["to_write"], work["problem"]) == (8, 8, 0, "")
    found = await sentences(tara, address)
    assert {each["origin"] for each in found} == {"machine"} and found[0]["engine"].startswith("argos")

    read = await tara.get(f"{address}/sentences/6")
    assert read.json()["source"] == "If you need help, call **555-0100**."
    wrong = {"text": "Si necesita ayuda, llame."}
    edited = await tara.ask("PUT", f"{address}/sentences/6", wrong, if_match=read.headers["etag"])
    (finding,) = [each for each in edited.json()["findings"] if each["severity"] == "blocking"]
    start, end = finding["source"]
    assert edited.json()["source_visible"][start:end] == finding["fact"] == "555-0100"
    problem = refused(await approve(tara, address), 422, "not_possible")
    assert {each["code"] for each in problem["errors"]} == {"blocked"}

    reason = {"finding": finding["number"], "reason": "The number stands above.", "seen": wrong["text"]}
    signed = (await tara.post(f"{address}/sentences/6/sign-offs", reason)).json()
    assert [each["signed_off"] for each in signed["findings"] if each["number"] == finding["number"]] == [
        True
    ]
    assert [(each["by"], each["reason"]) for each in signed["signatures"]] == [
        (TARA, "The number stands above.")
    ]

    tag = (await tara.get(f"{address}/sentences/6")).headers["etag"]
    read = {"seen": wrong["text"]}
    one = await tara.post(f"{address}/sentences/6/approvals", read, if_match=tag)
    assert one.json()["approved_by"] == TARA
    assert one.headers["etag"] == (await tara.get(f"{address}/sentences/6")).headers["etag"] != tag
    some = (await approve(tara, address, 1, 6)).json()
    assert (some["approved"], some["sentences_approved"]) == (False, 2)
    done = (await approve(tara, address)).json()
    assert (done["approved"], done["sentences_approved"]) == (True, 8)
    assert "blocking" not in {each["severity"] for each in done["findings"]}
    assert {each["approved_by"] for each in await sentences(tara, address)} == {TARA}
    with office.town.session() as session:
        assert sorted(ready(session, vigil)) == ["en", "es"]
        statement = statements.find(session, vigil)
        statements.submit(session, statement, ANA)
        statements.approve(session, statement, staff.find(session, BEN))
        session.commit()
        assert statements.require_approved(session, vigil)["es"].body.count("Si necesita ayuda, llame.") == 1
    deeds = [event.detail for event in office.trail("translation.by_key")]
    assert len(deeds) == 6 and all('"key"' in each for each in deeds)

    # Whatever changes after that has to be approved again.
    assert (await tara.ask("PUT", f"{address}/sentences/6", {"text": CALL})).status_code == 200
    with office.town.session() as session, pytest.raises(NotApproved):
        statements.require_approved(session, vigil)


async def test_people_write_where_there_is_no_machine(tara: Program, vigil: int) -> None:
    address = f"/statements/{vigil}/translations/ht"
    work = (await tara.post(f"{address}/prepare", {})).json()
    assert (work["drafted"], work["to_write"]) == (0, 8) and "Install a package" in work["problem"]
    work = (await tara.post(f"{address}/prepare", {"machine": False})).json()
    assert (work["to_write"], work["problem"]) == (8, "")
    title = await tara.ask("PUT", f"{address}/sentences/1", {"text": "Nou pa poukont nou", "seen": ""})
    assert (title.json()["origin"], title.json()["edited_by"]) == ("human", TARA)
    problem = refused(await approve(tara, address), 422, "not_possible")
    assert len(problem["errors"]) == 7 and "no translation yet" in problem["errors"][0]["detail"]
    refused(await tara.get(f"{address}/back"), 422, "not_possible")


async def test_a_changed_source_costs_one_sentence(
    tara: Program, office: Office, vigil: int, spanish: str
) -> None:
    await approve(tara, spanish)
    edit_source(office, vigil, "- You are not alone.", "- You are never alone.")
    assert (await tara.get(spanish)).json()["stale"] is True
    (summary,) = (await tara.get(f"/statements/{vigil}/translations")).json()["items"]
    assert (summary["approved"], summary["stale"]) == (True, True)
    for answer in (
        await approve(tara, spanish),
        await tara.ask("PUT", f"{spanish}/sentences/1", {"text": "No están solos"}),
        await tara.post(f"{spanish}/sentences/1/weight", {"text": "No están solos"}),
    ):
        assert "/prepare" in refused(answer, 409, "stale")["detail"]
    work = (await tara.post(f"{spanish}/prepare", {})).json()
    assert (work["carried"], work["drafted"]) == (7, 1)
    waiting = [each["number"] for each in await sentences(tara, spanish) if not each["approved_at"]]
    assert waiting == [7]


async def test_nobodys_words_are_lost_unseen(tara: Program, office: Office, vigil: int, spanish: str) -> None:
    ana = Program(tara.http, office.key(ANA))
    read = await ana.get(f"{spanish}/sentences/1")
    whole = await ana.get(spanish)
    mine = await tara.ask("PUT", f"{spanish}/sentences/1", {"text": "No están solos"})
    assert mine.headers["etag"] == (await tara.get(f"{spanish}/sentences/1")).headers["etag"]

    tag, seen = read.headers["etag"], read.json()["text"]
    edit, sentence = {"text": "Ustedes no están solos"}, f"{spanish}/sentences/1"
    why = {"finding": 1, "reason": "It is right."}
    refused(await ana.ask("PUT", sentence, edit, if_match=tag), 412, "changed_since")
    refused(await ana.ask("PUT", sentence, edit | {"seen": seen}), 409, "changed_since")
    refused(await ana.post(f"{sentence}/sign-offs", why, if_match=tag), 412, "changed_since")
    refused(await ana.post(f"{sentence}/sign-offs", why | {"seen": seen}), 409, "changed_since")
    refused(await ana.post(f"{sentence}/approvals", {"seen": seen}), 409, "changed_since")
    refused(await ana.post(f"{sentence}/approvals", {}, if_match=tag), 412, "changed_since")
    refused(await approve(ana, spanish, if_match=whole.headers["etag"]), 412, "changed_since")
    assert (await tara.get(sentence)).json()["text"] == "No están solos"

    # What others do to other sentences is no hindrance.
    other = await ana.get(f"{spanish}/sentences/8")
    await tara.ask("PUT", sentence, {"text": "Ustedes no están solos"})
    answer = await ana.ask("PUT", f"{spanish}/sentences/8", {"text": CALL}, if_match=other.headers["etag"])
    assert answer.status_code == 200
    assert (await approve(ana, spanish, if_match=(await ana.get(spanish)).headers["etag"])).status_code == 200


async def test_of_many_edits_at_once_one_is_kept(tara: Program, spanish: str) -> None:
    sentence = f"{spanish}/sentences/1"
    read = await tara.get(sentence)
    words = [f"No están solos, {number}" for number in range(6)]
    ways: list[tuple[dict[str, str], dict[str, str]]] = [
        ({"text": text, "seen": read.json()["text"]}, {}) for text in words[:3]
    ]
    ways += [({"text": text}, {"if_match": read.headers["etag"]}) for text in words[3:]]
    answers = await asyncio.gather(*(tara.ask("PUT", sentence, body, **named) for body, named in ways))
    kept = [answer.json()["text"] for answer in answers if answer.status_code == 200]
    assert [(await tara.get(sentence)).json()["text"]] == kept
    assert {answer.json()["code"] for answer in answers if answer.status_code != 200} == {"changed_since"}


async def test_nobody_answers_for_a_language_that_they_do_not_read(
    tara: Program, office: Office, spanish: str
) -> None:
    tom = Program(tara.http, office.key(TOM))
    await tara.ask("PUT", f"{spanish}/sentences/6", {"text": "Si necesita ayuda, llame."})
    refused(await approve(tom, spanish), 403, "language_not_read")
    why = {"finding": 1, "reason": "It is right."}
    refused(await tom.post(f"{spanish}/sentences/6/sign-offs", why), 403, "language_not_read")
    # What they may do: look, and help themselves with the machine.
    assert (await tom.get(f"{spanish}/sentences/6")).status_code == 200


async def test_nobody_approves_their_own_words_where_the_city_asks_for_two(
    tara: Program, office: Office, spanish: str
) -> None:
    office.town.hub.settings.translation.two_people = True
    await tara.ask("PUT", f"{spanish}/sentences/1", {"text": "No están solos"})
    refused(await approve(tara, spanish, 1), 403, "second_person")
    assert (await approve(tara, spanish, 2, 3)).status_code == 200
    ana = Program(tara.http, office.key(ANA))
    assert (await approve(ana, spanish)).json()["approved"] is True


async def test_a_translators_key_opens_the_desk_and_nothing_else(
    tara: Program, office: Office, spanish: str
) -> None:
    for path in ("/contacts", "/lists", "/segments", "/imports"):
        refused(await tara.get(path), 403, "scope")
    reader = Program(tara.http, office.key(TARA, [Scope.TRANSLATIONS_READ]))
    assert (await reader.get(spanish)).status_code == 200
    for path in (f"{spanish}/prepare", f"{spanish}/approvals"):
        refused(await reader.post(path, {}), 403, "scope")
    refused(await reader.ask("PUT", f"{spanish}/sentences/1", {"text": "x"}), 403, "scope")


async def test_a_key_ends_with_its_persons_role(tara: Program, office: Office, spanish: str) -> None:
    with office.town.session() as session:
        person = staff.find(session, TARA)
        person.roles = Role.LIAISON.value
        session.add(person)
        session.commit()
    assert "work on a translation" in refused(await tara.get(spanish), 403, "role")["detail"]


@pytest.mark.parametrize(
    ("email", "scope", "role"),
    [(EVA, Scope.TRANSLATIONS_READ, "translator"), (TARA, Scope.CONTACTS_READ, "liaison")],
)
def test_nobody_gets_a_key_for_what_they_may_not_do(
    office: Office, email: str, scope: Scope, role: str
) -> None:
    with office.town.session() as session, pytest.raises(StaffError, match=f"{scope}.*role {role}"):
        apikeys.add(session, "A program", staff.find(session, email), list(Scope), actor=email)


async def test_the_memory_helps_with_what_is_like_it(
    tara: Program, office: Office, vigil: int, spanish: str
) -> None:
    await tara.ask("PUT", f"{spanish}/sentences/6", {"text": CALL.replace("555-0100", "**555-0100**")})
    await approve(tara, spanish)
    edit_source(
        office, vigil, "If you need help, call **555-0100**.", "If you need any help, call **555-0100**."
    )
    await tara.post(f"{spanish}/prepare", {"machine": False})
    (new,) = [each for each in await sentences(tara, spanish) if not each["text"]]
    found = (await tara.get(f"{spanish}/sentences/{new['number']}/memory")).json()
    assert found["near"][0]["text"] == "Si necesita ayuda, llame al **555-0100**."
    assert 70 <= found["near"][0]["alike"] < 100 and found["near"][0]["approved_by"] == TARA
    assert all(len(each["text"]) < len(new["source"]) for each in found["shorter"])


async def test_words_are_weighed_and_not_kept(tara: Program, office: Office, spanish: str) -> None:
    office.town.resident("+12065550143", language="es")
    before = await tara.get(spanish)

    async def weighed(words: str) -> dict[str, Any]:
        weights = (await tara.post(f"{spanish}/sentences/2/weight", {"text": words})).json()
        assert weights["currency"] == "USD"
        return {each["channel"]: each for each in weights["channels"]}

    plain, candles = await weighed("Hay una vigilia hoy. " * 5), await weighed("Hay una vigilia hoy 🕯 " * 5)
    assert plain.keys() == {"sms", "email", "telegram"}
    assert (plain["sms"]["people"], plain["email"]["parts"], plain["sms"]["problem"]) == (1, 1, "")
    assert "GSM-7" in plain["sms"]["measure"] and "Unicode" in candles["sms"]["measure"]
    assert plain["sms"]["parts"] < candles["sms"]["parts"]
    assert float(plain["sms"]["cost"]) <= float(candles["sms"]["cost"])
    assert (await weighed("🕯" * 900))["sms"]["problem"]
    assert (await tara.get(spanish)).headers["etag"] == before.headers["etag"]


async def test_a_translation_comes_back_by_machine_as_a_help(tara: Program, spanish: str) -> None:
    # No package goes from Spanish to English here: the machine says so, and what to do.
    problem = refused(await tara.get(f"{spanish}/back"), 422, "not_possible")
    assert place(problem)[1] == "machine" and "notify languages install" in problem["detail"]


async def test_the_same_request_with_the_same_key_does_it_once(
    tara: Program, office: Office, spanish: str
) -> None:
    body = {"sentences": [2, 1, 2]}
    first = await tara.post(f"{spanish}/approvals", body, idempotency_key="a")
    again = await tara.post(f"{spanish}/approvals", body, idempotency_key="a")
    assert first.content == again.content and again.headers["idempotency-replayed"] == "true"
    assert (await tara.post(f"{spanish}/prepare", {}, idempotency_key="p")).json()["carried"] == 8
    again = await tara.post(f"{spanish}/prepare", {}, idempotency_key="p")
    assert again.headers["idempotency-replayed"] == "true"
    assert [event.detail.count("approve") for event in office.trail("translation.by_key")].count(1) == 1


async def test_statements_and_translations_come_in_pages(tara: Program, office: Office, vigil: int) -> None:
    for language in ("vi", "ar", "es"):
        await tara.post(f"/statements/{vigil}/translations/{language}/prepare", {"machine": False})
    found = await tara.everything(f"/statements/{vigil}/translations", 2)
    assert [each["language"] for each in found] == ["vi", "ar", "es"]
    with office.town.session() as session:
        for _ in range(2):
            statements.draft(session, statements.parse(VIGIL), staff.find(session, ANA))
        session.commit()
    assert [each["id"] for each in await tara.everything("/statements", 2)] == [vigil, vigil + 1, vigil + 2]
    assert (await tara.get("/statements?state=approved")).json()["items"] == []


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "where"),
    [
        ("POST", "/prepare", {"machine": "yes"}, 400, ("/machine", "bool_type")),
        ("POST", "/prepare", {"engine": "argos"}, 400, ("", "extra_forbidden")),
        ("PUT", "/sentences/1", {"text": ""}, 400, ("/text", "string_too_short")),
        ("PUT", "/sentences/1", {"text": " \n "}, 422, ("/text", "empty")),
        ("PUT", "/sentences/1", {}, 400, ("/text", "missing")),
        ("POST", "/sentences/1/sign-offs", {"finding": 9, "reason": "It is right."}, 422, ("/finding", "no_finding")),
        ("POST", "/sentences/6/sign-offs", {"finding": 1, "reason": "     "}, 422, ("/reason", "no_reason")),
        ("POST", "/sentences/6/sign-offs", {"finding": 0, "reason": "xxx"}, 400, ("/finding", "greater_than_equal")),
        ("POST", "/approvals", {"sentences": []}, 400, ("/sentences", "too_short")),
        ("POST", "/approvals", {"sentences": ["1"]}, 400, ("/sentences/0", "int_type")),
    ],
)  # fmt: skip
async def test_what_cannot_be_is_named_by_its_place(
    tara: Program,
    spanish: str,
    method: str,
    path: str,
    body: dict[str, Any],
    status: int,
    where: tuple[str, str],
) -> None:
    await tara.ask("PUT", f"{spanish}/sentences/6", {"text": "Si necesita ayuda, llame."})
    before = (await tara.get(spanish)).headers["etag"]
    answer = await tara.ask(method, f"{spanish}{path}", body)
    code = "not_as_described" if status == 400 else "not_possible"
    assert place(refused(answer, status, code)) == where
    assert (await tara.get(spanish)).headers["etag"] == before


@pytest.mark.parametrize("language", ["en", "EN", "en-x-so", "qq-1"])
async def test_a_statement_is_not_translated_to_what_is_no_other_language(
    tara: Program, vigil: int, language: str
) -> None:
    answer = await tara.post(f"/statements/{vigil}/translations/{language}/prepare", {"machine": False})
    assert place(refused(answer, 422, "not_possible")) == ("language", "language")
    assert (await tara.get(f"/statements/{vigil}/translations")).json()["items"] == []


@pytest.mark.parametrize("language", ["e", "../es", "es_MX", "español", "x" * 40])
async def test_what_is_no_language_tag_is_refused_before_it_is_looked_for(
    tara: Program, vigil: int, language: str
) -> None:
    answer = await tara.get(f"/statements/{vigil}/translations/{quote(language, safe='')}")
    assert answer.status_code in {400, 404} and answer.headers["content-type"] == "application/problem+json"


async def test_what_is_not_there_is_not_found(tara: Program, vigil: int, spanish: str) -> None:
    for path in (
        "/statements/999/translations",
        "/statements/999/translations/es",
        f"/statements/{vigil}/translations/fr",
        f"{spanish}/sentences/99",
        f"{spanish}/sentences/99/memory",
    ):
        refused(await tara.get(path), 404, "not_found")
    for path, body in (
        ("/statements/999/translations/es/prepare", {}),
        (f"/statements/{vigil}/translations/fr/approvals", {}),
        (f"{spanish}/approvals", {"sentences": [99]}),
        (f"{spanish}/sentences/99/weight", {"text": "x"}),
    ):
        refused(await tara.post(path, body), 404, "not_found")


async def test_a_tag_is_the_same_however_it_is_written(tara: Program, spanish: str) -> None:
    assert (await tara.get(spanish.replace("/es", "/ES"))).json()["language"] == "es"


async def test_the_machine_thinks_before_anything_is_locked(
    tara: Program, office: Office, vigil: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = office.town.hub
    asked = hub.translator.translate

    def while_others_write(texts: list[str], source: str, target: str) -> Any:
        with hub.database.session() as session:
            staff.add(session, "new@city.example", [Role.AUTHOR])
            session.commit()
        return asked(texts, source, target)

    monkeypatch.setattr(hub.translator, "translate", while_others_write)
    answer = await tara.post(f"/statements/{vigil}/translations/es/prepare", {})
    assert answer.json()["drafted"] == 8


async def test_a_few_translations_at_once_and_the_next_is_told_to_wait(
    tara: Program, vigil: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(translations, "_MACHINES", BoundedSemaphore(1))
    address = f"/statements/{vigil}/translations/es/prepare"
    with translations._at_a_machine():
        answer = await tara.post(address, {})
        refused(answer, 503, "still_busy")
        assert answer.headers["retry-after"] == "5"
        assert (await tara.post(address, {"machine": False})).status_code == 200
    assert (await tara.post(address, {})).json()["drafted"] == 8


async def test_looking_writes_nothing_even_at_a_playbooks_translation(tara: Program, office: Office) -> None:
    town = office.town.statement(approve=False)
    address = f"/statements/{town.id}/translations/ar"
    found = (await tara.get(address)).json()
    assert found["origin"] == "playbook" and found["sentences"]
    assert (await tara.get(address)).json() == found
    assert (await tara.post(f"{address}/prepare", {"machine": False})).json()["carried"] == len(
        found["sentences"]
    )
