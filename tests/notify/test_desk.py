"""The desk: a translation sentence by sentence, from the memory, the machine and people, to approval."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlmodel import Session
from world import ANA, ENGLISH, SPANISH, TARA, approved, hire

from notify import staff, statements
from notify.hub import Hub
from notify.staff import Role, StaffError
from notify.statements import NotApproved, Origin, Statement, StatementError, Text
from notify.translation import memory
from notify.translation.argos import ArgosEngine
from notify.translation.desk import approving, editing, findings, preparing, reading
from notify.translation.models import Term, TermKind, TranslatedSentence

PACKAGES = Path(__file__).parents[1] / "translation" / "packages"
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


@pytest.fixture
def session(make_hub: Callable[..., Hub]) -> Session:
    with make_hub().database.session() as session:
        yield session


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> ArgosEngine:
    engine = ArgosEngine(tmp_path_factory.mktemp("packages"))
    engine.install(PACKAGES / "translate-en_es-0_1.argosmodel")
    return engine


def drafted(session: Session, source: str = VIGIL) -> Statement:
    return statements.draft(session, statements.parse(source), staff.find(session, ANA))


def sentences(session: Session, statement: Statement, language: str = "es") -> list[TranslatedSentence]:
    (translation,) = [
        each for each in statements.translations(session, statement) if each.language == language
    ]
    return reading.rows(session, statement, translation)


def test_the_machine_drafts_every_sentence_and_none_of_them_leaves(
    session: Session, engine: ArgosEngine
) -> None:
    _, _, tara = hire(session)
    statement = drafted(session)
    work = preparing.prepare(session, statement, "es", engine, tara)
    assert (work.sentences, work.drafted, work.carried, work.to_write) == (8, 8, 0, 0)
    assert [row.origin for row in sentences(session, statement)] == [Origin.MACHINE] * 8
    assert sorted(statements.ready_texts(session, statement)) == ["en"]
    approving.approve(session, statement, "es", tara)
    spanish = statements.ready_texts(session, statement)["es"]
    assert spanish.body.startswith("**Ustedes no están solos.** ")
    assert "**555-0100**" in spanish.body
    assert spanish.actions[0].value == "555-0100"


def test_a_change_of_one_word_costs_one_sentence(session: Session, engine: ArgosEngine) -> None:
    ana, _, tara = hire(session)
    statement = drafted(session)
    preparing.prepare(session, statement, "es", engine, tara)
    approving.approve(session, statement, "es", tara)
    changed = VIGIL.replace(
        "**You are not alone.** A candlelight vigil will be held at 7:00",
        "**You are not alone.** A candlelight vigil will be held at 8:00",
    )
    statements.edit(session, statement, statements.parse(changed).text, ana)
    work = preparing.prepare(session, statement, "es", engine, tara)
    assert (work.carried, work.new) == (7, 1)
    waiting = [row.number for row in sentences(session, statement) if row.approved_at is None]
    assert len(waiting) == 1
    assert sorted(statements.ready_texts(session, statement)) == ["en"]
    approving.approve(session, statement, "es", tara, numbers=waiting)
    assert "8:00" in statements.ready_texts(session, statement)["es"].body


def test_an_approved_sentence_is_remembered_for_the_next_statement(
    session: Session, engine: ArgosEngine
) -> None:
    _, _, tara = hire(session)
    first = drafted(session)
    preparing.prepare(session, first, "es", engine, tara)
    number = sentences(session, first)[0].number
    editing.edit(session, first, "es", number, "Usted no está solo", tara)
    approving.approve(session, first, "es", tara)
    second = drafted(session)
    work = preparing.prepare(session, second, "es", None, tara)
    assert (work.remembered, work.to_write) == (8, 0)
    assert sentences(session, second)[0].text == "Usted no está solo"
    assert sorted(statements.ready_texts(session, second)) == ["en"]


def test_what_was_only_saved_is_not_remembered(session: Session, engine: ArgosEngine) -> None:
    _, _, tara = hire(session)
    preparing.prepare(session, drafted(session), "es", engine, tara)
    assert preparing.prepare(session, drafted(session), "es", None, tara).to_write == 8


def test_a_sentence_that_nobody_translated_blocks(session: Session) -> None:
    _, _, tara = hire(session)
    statement = drafted(session)
    assert preparing.prepare(session, statement, "ht", None, tara).to_write == 8
    with pytest.raises(StatementError, match="Sentence 1 has no translation yet"):
        approving.approve(session, statement, "ht", tara)


def test_r33_a_lost_fact_blocks_until_it_is_corrected_or_signed_off_by_name(session: Session) -> None:
    _, _, tara = hire(session)
    statement = drafted(session)
    preparing.prepare(session, statement, "es", None, tara)
    for row in sentences(session, statement):
        editing.edit(session, statement, "es", row.number, "Llame ya.", tara)
    lost = [
        row
        for row in sentences(session, statement)
        if any(each["severity"] == "blocking" for each in findings.open_findings(row))
    ]
    assert [row.source for row in lost] == [
        "If you need help, call 555-0100.",
        "If you need help, call **555-0100**.",
        "If you need help, call 555-0100.",
    ]
    with pytest.raises(StatementError, match="phone number 555-0100"):
        approving.approve(session, statement, "es", tara)
    for row in lost:
        for at, finding in enumerate(row.findings, start=1):
            if finding["severity"] == "blocking":
                approving.sign_off(
                    session, statement, "es", row.number, at, "The number follows below.", tara
                )
    approving.approve(session, statement, "es", tara)
    assert {each["by"] for row in sentences(session, statement) for each in row.signed} == {TARA}


def test_a_reason_is_needed_to_sign_off(session: Session) -> None:
    _, _, tara = hire(session)
    statement = drafted(session)
    preparing.prepare(session, statement, "es", None, tara)
    editing.edit(session, statement, "es", 3, "Llame ya.", tara)
    with pytest.raises(StatementError, match="Say why"):
        approving.sign_off(session, statement, "es", 3, 1, " ", tara)


def test_an_edited_sentence_loses_its_approval_and_its_signatures(
    session: Session, engine: ArgosEngine
) -> None:
    _, _, tara = hire(session)
    statement = drafted(session)
    preparing.prepare(session, statement, "es", engine, tara)
    approving.approve(session, statement, "es", tara)
    editing.edit(session, statement, "es", 1, "No están solos", tara)
    assert [row.approved_at is None for row in sentences(session, statement)] == [True] + [False] * 7
    assert sorted(statements.ready_texts(session, statement)) == ["en"]


def test_nobody_approves_a_language_they_do_not_read(session: Session, engine: ArgosEngine) -> None:
    _, _, tara = hire(session)
    tara.languages = "ar fr"
    statement = drafted(session)
    preparing.prepare(session, statement, "es", engine, tara)
    with pytest.raises(StaffError, match="reads ar, fr, not es"):
        approving.approve(session, statement, "es", tara)
    tara.languages = "es-MX"
    approving.approve(session, statement, "es", tara)


def test_nobody_approves_their_own_last_edit_where_the_city_asks_for_two(
    session: Session, engine: ArgosEngine
) -> None:
    _, ben, tara = hire(session)
    statement = drafted(session)
    preparing.prepare(session, statement, "es", engine, tara)
    editing.edit(session, statement, "es", 2, "La vigilia es a las 7:00 p. m. del viernes.", tara)
    with pytest.raises(StaffError, match="last to edit sentence 2"):
        approving.approve(session, statement, "es", tara, two_people=True)
    approving.approve(session, statement, "es", tara, numbers=[1, 3, 4, 5, 6, 7, 8], two_people=True)
    assert sorted(statements.ready_texts(session, statement)) == ["en"]
    approving.approve(session, statement, "es", ben, two_people=True)
    assert sorted(statements.ready_texts(session, statement)) == ["en", "es"]


def test_r34_whoever_edited_any_sentence_cannot_sign_the_statement(
    session: Session, engine: ArgosEngine
) -> None:
    _, ben, tara = hire(session)
    statement = drafted(session)
    preparing.prepare(session, statement, "es", engine, tara)
    editing.edit(session, statement, "es", 1, "No están solos", ben)
    editing.edit(session, statement, "es", 2, "La vigilia es a las 7:00 p. m. del viernes.", tara)
    approving.approve(session, statement, "es", tara)
    statements.submit(session, statement, ANA)
    with pytest.raises(StaffError, match="second person"):
        statements.approve(session, statement, ben)


def test_a_text_set_as_a_whole_stands_beside_its_source(session: Session) -> None:
    statement = approved(session, es=SPANISH)
    found = sentences(session, statement)
    assert [(row.place, row.source, row.text) for row in found][2:4] == [
        (
            "body 1",
            "The library on Mill Street is open again from **Monday 9:00**.",
            "La biblioteca de Mill Street abre de nuevo desde el **lunes a las 9:00**.",
        ),
        ("body 2", "Thank you for your patience.", "Gracias por su paciencia."),
    ]
    assert all(row.approved_at for row in found)


@pytest.mark.parametrize(
    ("body", "places"),
    [
        ("Una frase. Otra frase desde el lunes a las 9:00.\n\nGracias.", ["body 1", "body 2"]),
        ("Todo en un solo párrafo desde el lunes a las 9:00.", ["body"]),
    ],
)
def test_a_text_cut_otherwise_than_its_source_is_kept_as_it_is(
    session: Session, body: str, places: list[str]
) -> None:
    ana, _, tara = hire(session)
    statement = drafted(session, ENGLISH)
    text = statements.parse(SPANISH).text
    editing.set_by_hand(session, statement, "es", Text(text.title, text.short, body, text.actions), tara)
    found = sentences(session, statement)
    assert [row.place for row in found if row.place.startswith("body")] == places
    editing.edit(session, statement, "es", 1, "Abierta de nuevo", tara)
    (kept,) = statements.translations(session, statement)
    assert (kept.title, kept.body) == ("Abierta de nuevo", body)
    changed = statements.parse(ENGLISH.replace("open again\n", "open once more\n")).text
    statements.edit(session, statement, changed, ana)
    assert preparing.prepare(session, statement, "es", None, tara).new == 1
    session.refresh(kept)
    assert kept.body == body


def test_the_number_of_actions_is_the_sources(session: Session) -> None:
    _, _, tara = hire(session)
    statement = drafted(session, ENGLISH)
    text = statements.parse(SPANISH).text
    with pytest.raises(StatementError, match="source has 2, the translation 1"):
        editing.set_by_hand(
            session, statement, "es", Text(text.title, text.short, text.body, text.actions[:1]), tara
        )


def test_a_stale_translation_is_not_edited_before_it_is_brought_up_to_date(session: Session) -> None:
    statement = approved(session, es=SPANISH)
    ana, tara = staff.find(session, ANA), staff.find(session, TARA)
    statements.edit(session, statement, statements.parse(ENGLISH.replace("9:00", "10:00")).text, ana)
    with pytest.raises(StatementError, match="earlier text"):
        editing.edit(session, statement, "es", 1, "Abierta", tara)


def test_an_approval_is_void_after_any_edit_of_a_sentence(session: Session) -> None:
    statement = approved(session, es=SPANISH)
    staff.add(session, "luz@city.example", [Role.TRANSLATOR])
    editing.edit(session, statement, "es", 1, "Abierta", staff.find(session, "luz@city.example"))
    with pytest.raises(NotApproved):
        statements.require_approved(session, statement.id)


def test_r33_a_draft_is_checked_against_a_term_that_was_added_after_it(session: Session) -> None:
    _, _, tara = hire(session)
    statement = drafted(session, ENGLISH)
    text = statements.parse(SPANISH.replace("Mill Street", "la calle del Molino")).text
    editing.set_by_hand(session, statement, "es", text, tara)
    assert [row.number for row in sentences(session, statement) if _blocking(row)] == []
    session.add(Term(kind=TermKind.KEEP, source_language="en", source="Mill Street"))
    findings.examine_again(session)
    assert [row.number for row in sentences(session, statement) if _blocking(row)] == [2, 3]
    with pytest.raises(StatementError, match="Mill Street"):
        approving.approve(session, statement, "es", tara)


def test_a_translation_cannot_pass_for_what_stands_in_for_one(session: Session) -> None:
    _, _, tara = hire(session)
    with pytest.raises(StatementError, match="no language that people read"):
        preparing.prepare(session, drafted(session), "en-x-so", None, tara)


def test_a_body_that_is_kept_as_one_piece_is_no_sentence_for_the_memory(session: Session) -> None:
    body = "Todo en un solo párrafo desde el lunes a las 9:00."
    _, _, tara = hire(session)
    statement = drafted(session, ENGLISH)
    text = statements.parse(SPANISH).text
    editing.set_by_hand(session, statement, "es", Text(text.title, text.short, body, text.actions), tara)
    whole = [row.number for row in sentences(session, statement) if row.place == "body"]
    assert len(whole) == 1
    approving.approve(session, statement, "es", tara, numbers=whole)
    assert [each.text for each in memory.every(session)] == []


def _blocking(row: TranslatedSentence) -> list[str]:
    return [each["fact"] for each in findings.open_findings(row) if each["severity"] == "blocking"]
