"""What readers get whose language has no approved translation, as the city chose it for each language."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from sqlmodel import Session, col, select
from world import ANA, BEN, ENGLISH, SPANISH, crisis, hire, readers, residents

import templates
from notify import staff, statements
from notify.dispatch import plan
from notify.dispatch.models import Delivery
from notify.dispatch.plan import Order
from notify.hub import Hub
from notify.statements import NotApproved, Statement, written_in
from notify.translation.desk import approving, editing
from notify.translation.serving import coverage, text_for


def approved(session: Session, missing: Mapping[str, str], *languages: str) -> Statement:
    ana, ben, tara = hire(session)
    statement = statements.draft(session, statements.parse(crisis(ENGLISH)), ana)
    for language in languages:
        editing.set_by_hand(session, statement, language, statements.parse(SPANISH).text, tara)
        approving.approve(session, statement, language, tara)
    statements.submit(session, statement, ANA, missing=missing)
    statements.approve(session, statement, ben)
    return statement


@pytest.fixture
def hub(make_hub: Callable[..., Hub], tmp_path: Path) -> Hub:
    mail = {"host": "127.0.0.1", "port": 9, "security": "none", "from": "City <news@riverton.example>"}
    hub = make_hub(email=mail, public_url="https://notify.riverton.example")
    people = [
        *readers(3),
        *readers(2, "so", 3),
        *readers(1, "ar", 5),
        *readers(1, "es-MX", 6),
        *readers(1, "ht", 7),
    ]
    residents(hub, tmp_path, people)
    return hub


def test_r33_without_a_choice_nothing_leaves_for_them(hub: Hub) -> None:
    with hub.database.session() as session:
        assert sorted(statements.ready_texts(session, approved(session, {}))) == ["en"]


def test_a_notice_stands_before_the_source_in_their_language(hub: Hub) -> None:
    with hub.database.session() as session:
        texts = statements.ready_texts(session, approved(session, {"so": "notice", "ht": "hold"}))
    assert sorted(texts) == ["en", "en-x-so"]
    notice = templates.phrases("so")["untranslated"].format(language="Ingiriisi")
    assert texts["en-x-so"].short == f"{notice} {texts['en'].short}"
    assert texts["en-x-so"].body == f"{notice}\n\n---\n\n{texts['en'].body}"


def test_a_notice_in_arabic_runs_its_own_way_before_english(hub: Hub) -> None:
    with hub.database.session() as session:
        text = statements.ready_texts(session, approved(session, {"ar": "notice"}))["en-x-ar"]
    assert text.short.startswith("\u2067لم")
    assert "\u2069 The library" in text.short


def test_both_gives_a_second_approved_language_too(hub: Hub) -> None:
    with hub.database.session() as session:
        texts = statements.ready_texts(session, approved(session, {"ht": "both es"}, "es"))
    assert texts["en-x-ht"].body.endswith(f"{texts['en'].body}\n\n---\n\n{texts['es'].body}")


def test_both_is_only_a_notice_while_the_second_is_not_approved(hub: Hub) -> None:
    with hub.database.session() as session:
        texts = statements.ready_texts(session, approved(session, {"ht": "both es"}))
    assert texts["en-x-ht"].body.endswith(texts["en"].body)


def test_an_own_translation_comes_before_any_notice() -> None:
    assert text_for("es-MX", ["en", "en-x-es", "es"]) == "es"
    assert text_for("es-MX", ["en", "en-x-es"]) == "en-x-es"
    assert text_for("so", ["en", "es"]) is None
    assert written_in("en-x-so") == "en"


def test_what_they_get_is_counted_in_people_before_anybody_signs(hub: Hub) -> None:
    with hub.database.session() as session:
        texts = statements.ready_texts(session, approved(session, {"so": "notice"}, "es"))
        found = {each.language: (each.people, each.text) for each in coverage(session, texts)}
    assert found == {
        "en": (3, "en"), "so": (2, "en-x-so"), "ar": (1, None), "es-MX": (1, "es"), "ht": (1, None),
    }  # fmt: skip


def test_the_choice_is_part_of_what_is_signed(hub: Hub) -> None:
    with hub.database.session() as session:
        statement = approved(session, {"so": "notice"})
        statement.missing = {"so": "notice", "ht": "notice"}
        session.add(statement)
        session.flush()
        with pytest.raises(NotApproved, match="changed since"):
            statements.require_approved(session, statement.id or 0)


def test_a_translation_that_comes_later_takes_the_notices_place_after_a_new_approval(hub: Hub) -> None:
    with hub.database.session() as session:
        statement = approved(session, {"es": "notice"})
        tara = staff.find(session, "tara@city.example")
        editing.set_by_hand(session, statement, "es", statements.parse(SPANISH).text, tara)
        approving.approve(session, statement, "es", tara)
        with pytest.raises(NotApproved):
            statements.require_approved(session, statement.id or 0)
        statements.approve(session, statement, staff.find(session, BEN))
        assert sorted(statements.require_approved(session, statement.id or 0)) == ["en", "es"]


def test_a_dispatch_gives_each_reader_what_was_counted(hub: Hub) -> None:
    with hub.database.session() as session:
        statement = approved(session, {"so": "notice"}, "es")
        order = Order(statement.id or 0, None, ("email",), ANA)
        dispatch = plan.plan(session, order, hub.channels, hub.renderer)
        rows = session.execute(
            select(Delivery.language, Delivery.reason).where(
                col(Delivery.dispatch_id) == dispatch.id, col(Delivery.channel) == "email"
            )
        ).all()
    assert sorted(rows) == sorted(
        [("en", "")] * 3 + [("en-x-so", "")] * 2 + [("es", "")] + [("", "language_not_ready")] * 2
    )
