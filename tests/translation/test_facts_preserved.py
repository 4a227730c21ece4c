from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from notify.translation.facts import Kind, Severity, blocks, check, verbatim_facts


@pytest.mark.parametrize(
    ("text", "kind", "facts"),
    [
        ("Dear {first_name}, case {{ case.id }} %(n)s %s <b>x</b>", Kind.PLACEHOLDER,
         ["{first_name}", "{{ case.id }}", "%(n)s", "%s", "<b>", "</b>"]),
        ("100%strong and 50% off", Kind.PLACEHOLDER, []),
        ("Mail mary_jones@city.gov.", Kind.EMAIL, ["mary_jones@city.gov"]),
        ("发邮件至help@city.gov。", Kind.EMAIL, ["help@city.gov"]),
        ("See https://a.gov/x_y?q=1&r=(2), or www.b.org.", Kind.URL, ["https://a.gov/x_y?q=1&r=(2", "www.b.org"]),
        ("请访问https://a.gov/help。谢谢", Kind.URL, ["https://a.gov/help"]),
        ("Visit city.gov/help! Or (oakdale.gov).", Kind.URL, ["city.gov/help", "oakdale.gov"]),
        ("We came home. It rained. At 8 a.m. we left.", Kind.URL, []),
        ("@CityOfGary and #GaryStrong, not a@b nor #1", Kind.HANDLE, ["@CityOfGary", "#GaryStrong"]),
        ("Call 555-0100, (614) 555-0100 or 1-614-555-0100", Kind.PHONE,
         ["555-0100", "(614) 555-0100", "1-614-555-0100"]),
        ("+44 20 7946 0958; 06 12 34 56 78; 2-1-1; 988; 911", Kind.PHONE,
         ["+44 20 7946 0958", "06 12 34 56 78", "2-1-1", "988", "911"]),
        ("١-٨٠٠-٥٥٥-٠١٠٠", Kind.PHONE, ["١-٨٠٠-٥٥٥-٠١٠٠"]),
        ("In 2026, 1,911 people gave $988 and 112% more", Kind.PHONE, []),
        ("Exit 24A on I-95, room B2, COVID-19, 1-800-273-TALK", Kind.CODE,
         ["24A", "I-95", "B2", "COVID-19", "1-800-273-TALK"]),
        ("6PM, 6-8PM, 10:30AM, 6PM-8PM, 21ST, $5M", Kind.CODE, []),
    ],
)  # fmt: skip
def test_what_must_stay_is_found(text: str, kind: Kind, facts: list[str]) -> None:
    assert [fact.text for fact in verbatim_facts(text) if fact.kind is kind] == facts


def test_protected_terms_are_found_whole_with_their_case_and_the_longest_first() -> None:
    found = verbatim_facts("Reed Park, Reed, Reedy and reed", ["Reed", "Reed Park", "", " "])
    assert [fact.text for fact in found] == ["Reed Park", "Reed"]


def test_facts_do_not_overlap_and_know_their_places() -> None:
    text = "Ask help@oakdale.gov or https://oakdale.gov/A1?x=555-0100 by 555-0100"
    facts = verbatim_facts(text, ["oakdale"])
    assert [fact.text for fact in facts] == [
        "help@oakdale.gov",
        "https://oakdale.gov/A1?x=555-0100",
        "555-0100",
    ]
    assert all(text[fact.start : fact.end] == fact.text for fact in facts)


@pytest.mark.parametrize(
    ("source", "target", "keep"),
    [
        ("Call 555-0100 at 6:30 p.m. on March 3.", "Llame al 555-0100 a las 18:30 del 3 de marzo.", ()),
        ("Call 555-0100.", "اتصل على ٥٥٥-٠١٠٠.", ()),
        ("Text STOP or call 988.", "Envíe STOP o llame al 988.", ("STOP",)),
        ("Dear {first_name}, see https://a.gov/x_y.", "Estimada {first_name}: vea https://a.gov/x_y", ()),
        ("See city.gov/help today", "今天请看city.gov/help吧", ()),
        ("José Pérez spoke", unicodedata.normalize("NFD", "Habló José Pérez"), ("José Pérez",)),
        ("Go to East Palestine", "Vaya a East\u00a0Palestine", ("East Palestine",)),
        ("Call (614) 555-0100", "Appelez le (614)\u00a0555\u20110100", ()),
        ("two rooms", "2 salas", ()),
        ("On Nov. 22, 2026, from 6 to 8 p.m.", "El 22.11.2026 de 18 a 20 h", ()),
    ],
)  # fmt: skip
def test_a_right_translation_has_no_findings(source: str, target: str, keep: tuple[str, ...]) -> None:
    assert check(source, target, keep) == ()


@pytest.mark.parametrize(
    ("source", "target", "keep", "kind", "fact"),
    [
        ("Dear {first_name}", "Querida {nombre}", (), Kind.PLACEHOLDER, "{first_name}"),
        ("Mail mary_jones@city.gov", "Correo mary jones@city.gov", (), Kind.EMAIL, "mary_jones@city.gov"),
        ("Mail reed@oakdale.gov", "Correo reed-oakdale.gov", (), Kind.EMAIL, "reed@oakdale.gov"),
        ("See https://a.gov/x_y", "Vea https://a.gov/x y", (), Kind.URL, "https://a.gov/x_y"),
        ("See city.gov", "Vea city.gov/ayuda", (), Kind.URL, "city.gov"),
        ("See city.gov", "Vea mi.city.gov", (), Kind.URL, "city.gov"),
        ("See https://a.gov/x", "Vea https://a.gov/x.evil.com", (), Kind.URL, "https://a.gov/x"),
        ("Follow @CityOfGary", "Siga a CityOfGary", (), Kind.HANDLE, "@CityOfGary"),
        ("Reply STOP", "Responda PARE", ("STOP",), Kind.TERM, "STOP"),
        ("Mark Green spoke", "Mark Verde habló", ("Mark Green",), Kind.TERM, "Mark Green"),
        ("Call 555-0100", "Llame al 555-0101", (), Kind.PHONE, "555-0100"),
        ("Call 555-0100", "Llame al 614-555-0100", (), Kind.PHONE, "555-0100"),
        ("Call 988", "Llame al 989", (), Kind.PHONE, "988"),
        ("Exit 24A", "Salida 24Un", (), Kind.CODE, "24A"),
        ("Call 555-0100 or 555-0100", "Llame al 555-0100", (), Kind.PHONE, "555-0100"),
    ],
)  # fmt: skip
def test_a_lost_fact_blocks_and_is_named(
    source: str, target: str, keep: tuple[str, ...], kind: Kind, fact: str
) -> None:
    finding = next(each for each in check(source, target, keep) if each.source)
    assert (finding.severity, finding.kind, finding.fact) == (Severity.BLOCKING, kind, fact)
    assert fact in finding.message
    assert finding.source is not None
    assert source[slice(*finding.source)] == fact


@pytest.mark.parametrize(
    ("target", "fact"),
    [
        ("Llame al 555-0100", "555-0100"),
        ("Vea www.evil.com", "www.evil.com"),
        ("Escriba a a@b.org", "a@b.org"),
        ("Hola {name}", "{name}"),
    ],
)
def test_an_address_from_nowhere_blocks(target: str, fact: str) -> None:
    (finding,) = check("Hello there", target)
    assert (finding.severity, finding.fact) == (Severity.BLOCKING, fact)
    assert finding.target is not None
    assert target[slice(*finding.target)] == fact


@pytest.mark.parametrize(
    ("source", "target", "severities"),
    [
        ("1,250 people", "1.520 personas", [Severity.BLOCKING, Severity.BLOCKING]),
        ("6:30 p.m.", "6:30 a. m.", [Severity.BLOCKING, Severity.BLOCKING]),
        ("up to $1,500", "hasta $1", [Severity.BLOCKING, Severity.BLOCKING]),
        ("We saw 40 people", "Vimos a muchas personas", [Severity.WARNING]),
        ("We saw people", "Vimos a 40 personas", [Severity.WARNING]),
        ("3 buses", "tres autobuses", [Severity.NOTE]),
        ("3 buses", "4 autobuses", [Severity.BLOCKING, Severity.BLOCKING]),
        ("twenty buses", "20 autobuses", [Severity.NOTE]),
    ],
)
def test_a_changed_number_blocks_a_lost_one_warns_and_one_that_may_be_a_word_is_noted(
    source: str, target: str, severities: list[Severity]
) -> None:
    assert [finding.severity for finding in check(source, target)] == severities


def test_number_words_of_other_languages_are_not_known_so_small_numbers_are_only_noted() -> None:
    (finding,) = check("dos salas", "2 rooms", source_language="es")
    assert finding.severity is Severity.NOTE


def test_the_gravest_finding_comes_first() -> None:
    findings = check("Call 555-0100 with 40 friends", "Venga")
    assert [finding.severity for finding in findings] == sorted(
        (finding.severity for finding in findings), key=list(Severity).index
    )
    assert blocks(findings)
    assert not blocks(findings[1:])


_STATEMENTS = st.lists(
    st.sampled_from(
        [
            "Call 555-0100.", "Text STOP to 741741.", "at 6:30 p.m.", "on March 3, 2026", "1,250 people",
            "$1.5 million",
            "https://a.gov/x_y?z=1", "help@oakdale.gov", "{first_name}", "@CityOfGary", "Exit 24A", "988", "35.5%",
            "Reed Park", "two", "12", "18.30 Uhr", "你好", "٥٥٥", "+44 20 7946 0958", "é", "<b>",
        ]
    ),
    min_size=1, max_size=8,
).map(" ".join)  # fmt: skip


@given(st.one_of(st.text(max_size=120), _STATEMENTS))
def test_a_text_compared_with_itself_has_no_findings(text: str) -> None:
    assert check(text, text, ["Reed Park", "STOP"]) == ()


@given(_STATEMENTS, st.data())
def test_a_changed_digit_is_always_found(text: str, data: st.DataObject) -> None:
    places = [found.start() for found in re.finditer(r"[0-9]", text)]
    assume(places)
    at = data.draw(st.sampled_from(places))
    other = data.draw(st.sampled_from([digit for digit in "123456789" if digit != text[at]]))
    changed = text[:at] + other + text[at + 1 :]
    assert check(text, changed, ["Reed Park", "STOP"])


@given(_STATEMENTS)
def test_a_text_that_lost_everything_loses_every_verbatim_fact(text: str) -> None:
    lost = [finding for finding in check(text, "", ["Reed Park"]) if finding.severity is Severity.BLOCKING]
    assert len(lost) == len(verbatim_facts(text, ["Reed Park"]))
