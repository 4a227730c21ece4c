"""The checks of one sentence: what each finds, and what it lets pass."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notify.translation.checks import examine
from notify.translation.facts import Kind, Severity, TextFinding
from notify.translation.glossary import Glossary


def found(
    source: str, target: str, language: str = "es", glossary: Glossary | None = None
) -> list[TextFinding]:
    """What a person has to look at."""
    findings = examine(
        source, target, source_language="en", target_language=language, glossary=glossary or Glossary()
    )
    return [each for each in findings if each.severity is not Severity.NOTE]


def kinds(source: str, target: str, language: str = "es", glossary: Glossary | None = None) -> set[Kind]:
    return {each.kind for each in found(source, target, language, glossary)}


@pytest.mark.parametrize(
    ("source", "target", "language"),
    [
        ("Come on Monday, March 4, at 7:30 p.m.", "Venga el lunes 4 de marzo a las 7:30 de la noche.", "es"),
        ("Come on March 3 and 4.", "Venez les 3 et 4 mars.", "fr"),
        ("Open from 3/4 to 3/15/2026.", "Aberto de 4/3 a 15/3/2026.", "pt"),
        ("Come on Monday, March 4, at 7:30 p.m.", "请于3月4日星期一晚上7点半前来。", "zh-Hans"),
        ("Come on Monday at 7 p.m.", "تعالوا يوم الاثنين في الساعة السابعة مساءً.", "ar"),
        ("Come on Monday, March 4, at 7:30 p.m.", "Vini lendi 4 mas a 7è30 diswa.", "ht"),
        ("Come on Monday, March 4, at 7:30 p.m.", "Njoo Jumatatu, 4 Machi, saa 1:30 usiku.", "sw"),
        ("Come on Monday, March 4, at 7 p.m.", "Hãy đến vào thứ Hai, 4 tháng 3, lúc 7 giờ tối.", "vi"),
        ("It is 5 miles away and costs $20.", "Está a 5 millas y cuesta 20 dólares.", "es"),
        ("Half, or 50%, of the 30 minutes", "La moitié, soit 50 pour cent, des 30 minutes", "fr"),
        ("We have not confirmed this.", "Esto está sin confirmar.", "es"),
        ("Do not go near it.", "Usikaribie hapo.", "sw"),
        ("Help is here 24/7 for all of you.", "La ayuda está aquí las 24 horas, los 7 días, para todos.", "es"),
    ],
)  # fmt: skip
def test_a_right_translation_passes(source: str, target: str, language: str) -> None:
    assert found(source, target, language) == []


@pytest.mark.parametrize(
    ("source", "target", "language", "kind"),
    [
        ("Come on Monday.", "Venga el martes.", "es", Kind.DATE),
        ("Come on March 4.", "Venga el 3 de abril.", "es", Kind.DATE),
        ("Come on 3/4.", "Venga el 3/4.", "es", Kind.DATE),
        ("Come on March 4.", "请于4月3日前来。", "zh-Hans", Kind.DATE),
        ("Come in January.", "Venez en février.", "fr", Kind.DATE),
        ("Come at 7 p.m.", "Venga a las 7 de la mañana.", "es", Kind.NUMBER),
        ("Come at 7:00 p.m.", "تعالوا في الساعة 7:00 صباحًا.", "ar", Kind.NUMBER),
        ("Come at 7:00 p.m.", "Njoo saa 1:00 asubuhi.", "sw", Kind.NUMBER),
        ("It is 5 miles away.", "Está a 5 kilómetros.", "es", Kind.UNIT),
        ("It costs $20.", "Cuesta 20 euros.", "es", Kind.UNIT),
        ("Wait 30 minutes.", "Espere 30 horas.", "es", Kind.UNIT),
        ("35% of the homes", "35 kay", "ht", Kind.UNIT),
        ("Open from 9 a.m. to 5 p.m.", "Abierto de 5 p. m. a 9 a. m.", "es", Kind.ORDER),
        ("Dear {first} {last}", "Hola, {last} {first}", "es", Kind.ORDER),
        ("Call 911, or 555-0100 for advice.", "Llame al 555-0100, o al 911 para consejos.", "es", Kind.ORDER),
        ("Do not drink it.", "Beba esto.", "es", Kind.NEGATION),
        ("Nobody was hurt.", "有人受伤。", "zh-Hans", Kind.NEGATION),
        ("Drink the water.", "No beba el agua.", "es", Kind.NEGATION),
        ("Stay calm. Help is near.", "Mantenga la calma.", "es", Kind.DROPPED),
        ("The city will help all families now.", "La ciudad ayudará a todas", "es", Kind.DROPPED),
        ("The office is open to all who live here.", "Todas.", "es", Kind.LENGTH),
        ("It is open.", "Está abierto abierto abierto abierto.", "es", Kind.REPETITION),
        ("The road is closed.", "La calle the road está cerrada.", "es", Kind.UNTRANSLATED),
        ("The road near the school is closed.", "学校附近的road关闭。", "zh-Hans", Kind.UNTRANSLATED),
        ("Please stay at home until we tell you.", "Por favor, fique em casa até nós avisarmos.", "es", Kind.LANGUAGE),
        ("It is open.", "Está \u202eabierto.", "es", Kind.SCRIPT),
        ("It is open.", "Está \u2066abierto.", "es", Kind.SCRIPT),
        ("It is open.", "Está abiеrto.", "es", Kind.SCRIPT),  # a Cyrillic е
        ("It has 5 rooms.", "Tiene ५ salas.", "es", Kind.SCRIPT),
        ("It is open.", "Est\ufffd abierto.", "es", Kind.SCRIPT),
    ],
)  # fmt: skip
def test_what_does_harm_is_found(source: str, target: str, language: str, kind: Kind) -> None:
    assert kind in kinds(source, target, language)


@pytest.mark.parametrize(
    ("source", "target", "language", "kind"),
    [
        ("The shelter is open tonight.", "The shelter is open tonight.", "es", Kind.UNTRANSLATED),
        ("The shelter is open tonight.", "El refugio abre hoy.", "ar", Kind.LANGUAGE),
        ("The shelter is open tonight.", "…", "es", Kind.EMPTY),
        ("Call 555-0100 now.", "Llame al 555-0101 ahora.", "es", Kind.PHONE),
        ("It is open.", "Está \u202eabierto.", "es", Kind.SCRIPT),
    ],
)
def test_the_plainest_breakage_blocks(source: str, target: str, language: str, kind: Kind) -> None:
    assert (Severity.BLOCKING, kind) in {
        (each.severity, each.kind) for each in found(source, target, language)
    }


def test_marks_of_direction_that_guard_a_number_are_fine_in_arabic() -> None:
    assert found("Call (206) 555-0134.", "اتصلوا بالرقم \u200e(206) 555-0134.", "ar") == []


def test_a_finding_points_at_its_place_in_both_texts() -> None:
    (finding,) = found("It is 5 miles away.", "Está a 5 kilómetros.")
    assert finding.source == (8, 13)
    assert finding.target == (9, 19)


def test_the_gravest_comes_first() -> None:
    severities = [each.severity for each in found("Call 555-0100 on Monday.", "Llame el martes.")]
    assert severities == [Severity.BLOCKING, Severity.WARNING, Severity.WARNING]


@pytest.mark.parametrize("target", ["El refugio está abierto.", "Los refugios están abiertos."])
def test_a_glossary_term_counts_as_used_when_it_is_inflected(target: str) -> None:
    glossary = Glossary(terms=(("shelter", ("refugio", "albergue")),))
    assert found("The shelters are open.", target, glossary=glossary) == []


def test_a_term_said_otherwise_than_the_city_does_is_found() -> None:
    glossary = Glossary(terms=(("city hall", ("ayuntamiento",)), ("hall", ("salón",))))
    (finding,) = found("Come to City Hall.", "Venga a la alcaldía.", glossary=glossary)
    assert (finding.kind, finding.severity, finding.fact) == (Kind.GLOSSARY, Severity.WARNING, "city hall")


def test_a_forbidden_term_blocks_and_a_longer_word_is_not_it() -> None:
    glossary = Glossary(forbidden=("ilegal",))
    (finding,) = found("They live here.", "Los ilegal viven aquí.", glossary=glossary)
    assert (finding.kind, finding.severity) == (Kind.FORBIDDEN, Severity.BLOCKING)
    assert found("They live here.", "La ilegalidad vive aquí.", glossary=glossary) == []


def test_an_unknown_language_is_checked_for_what_needs_no_words() -> None:
    assert kinds("Call 555-0100 on Monday, not today.", "Hu rau 555-0101", "hmn") >= {Kind.PHONE}


_TEXTS = st.lists(
    st.sampled_from(
        ["Do not", "Monday", "March 4", "3/4", "7 p.m.", "5 miles", "$20", "{place}", "911", "saa", "星期一", "不",
         "لا", "٥٥٥", "\u202e", "\u2066", "the", "No", ".", "!", "thứ Hai", "1,250", "é", "a\u0301", "%"]
    ),
    max_size=9,
).map(" ".join)  # fmt: skip


@given(
    st.one_of(st.text(max_size=60), _TEXTS),
    st.one_of(st.text(max_size=60), _TEXTS),
    st.sampled_from(["es", "ar", "zh-Hans", "sw", "vi", "ht", "hmn", "de", "ja"]),
)
def test_any_two_texts_can_be_compared_and_every_place_is_inside_them(
    source: str, target: str, language: str
) -> None:
    glossary = Glossary(keep=("Monday",), terms=(("miles", ("millas",)),), forbidden=("No",))
    for finding in found(source, target, language, glossary):
        for span, text in ((finding.source, source), (finding.target, target)):
            assert span is None or 0 <= span[0] <= span[1] <= len(text)
