"""The filter language: what is understood, what is told of what is not, and that print and read agree."""

from __future__ import annotations

from contextlib import suppress
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contacts.filter_trees import CHOICES, DATES, LONGEST, All, Dated, Either, FilterError, Is, Not, Tree
from contacts.filters import explain, lists_asked_for, parse, show

WORDS = st.sampled_from(
    ["North End", "Harbor", "02118", "and", "Not", 'say "hi"', "back\\slash", "St. Mary's", "100%", "a_b", "Ñuñoa",
     "東区", "(x)", "#3", "a,b", "after", "=", "“", "x" * 80]
)  # fmt: skip
TAGS = st.sampled_from(["en", "es", "es-MX", "ht", "zh", "zh-Hant", "pt-BR", "ar"])
CHANNELS = st.sampled_from(["sms", "email", "telegram", "letter"])


def some(values: st.SearchStrategy[str | int]) -> st.SearchStrategy[tuple[str | int, ...]]:
    return st.lists(values, min_size=1, max_size=3, unique=True).map(tuple)


def choices(field: str) -> st.SearchStrategy[Tree]:
    values = {"language": TAGS, "channel": CHANNELS, "list": WORDS.filter(str.strip) | st.integers(1, 999)}
    return st.builds(Is, st.just(field), some(values.get(field, WORDS)))


TERMS = st.one_of(
    *map(choices, CHOICES),
    st.builds(
        Dated, st.sampled_from(DATES), st.sampled_from(["after", "since", "before", "until"]),
        st.dates(date(1990, 1, 1), date(2100, 1, 1)),
    ),
)  # fmt: skip


def joined(kind: type[All] | type[Either], parts: list[Tree]) -> Tree:
    """As the parser joins them: parts of the same kind are parts."""
    flat: list[Tree] = []
    for part in parts:
        flat += part.parts if isinstance(part, kind) else (part,)
    return kind(tuple(flat))


# The parser is built at the first filter, which takes its time.
at_leisure = settings(deadline=None)
TREES = st.recursive(
    TERMS,
    lambda parts: st.one_of(
        parts.map(Not),
        st.lists(parts, min_size=2, max_size=3).map(lambda found: joined(All, found)),
        st.lists(parts, min_size=2, max_size=3).map(lambda found: joined(Either, found)),
    ),
    max_leaves=8,
)


@at_leisure
@given(TREES)
def test_a_filter_that_is_printed_reads_as_the_same_filter(tree: Tree) -> None:
    assert parse(show(tree)) == tree


@at_leisure
@given(TREES)
def test_whatever_can_be_asked_can_be_told_in_words(tree: Tree) -> None:
    told = explain(tree, {number: f"L{number}" for number in range(1000)})
    assert told.startswith("People who ")
    assert told.endswith(".")


@at_leisure
@given(st.text(max_size=200) | st.text(alphabet='()"= andorti#,\\', max_size=LONGEST))
def test_any_text_is_a_filter_or_refused_with_words(text: str) -> None:
    with suppress(FilterError):
        tree = parse(text)
        assert parse(show(tree)) == tree


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("language = es", Is("language", ("es",))),
        ("LANGUAGE = Spanish", Is("language", ("es",))),
        ("language in (ES-mx, kreyol)", Is("language", ("es-MX", "ht"))),
        ("language = zh", Is("language", ("zh",))),
        ("language = zh-TW", Is("language", ("zh-Hant",))),
        ("area = “North End”", Is("area", ("North End",))),
        ("area = 02118", Is("area", ("02118",))),
        ("area != Harbor", Not(Is("area", ("Harbor",)))),
        ("area not in (a, b)", Not(Is("area", ("a", "b")))),
        ("area in (a, a)", Is("area", ("a",))),
        ("list = #3", Is("list", (3,))),
        ('list = "#3"', Is("list", ("#3",))),
        ("channel = SMS", Is("channel", ("sms",))),
        ("consent AFTER 2026-01-01", Dated("consent", "after", date(2026, 1, 1))),
        ("area=a or area=b and area=c", Either((Is("area", ("a",)), All((Is("area", ("b",)), Is("area", ("c",))))))),
        ("(area=a or area=b) and area=c", All((Either((Is("area", ("a",)), Is("area", ("b",)))), Is("area", ("c",))))),
        ("area=a and (area=b and area=c)", All(tuple(Is("area", (each,)) for each in "abc"))),
        ("not area=a and area=b", All((Not(Is("area", ("a",))), Is("area", ("b",))))),
        ("area = andover", Is("area", ("andover",))),
        ("area = not-here", Is("area", ("not-here",))),
    ],
)  # fmt: skip
def test_a_filter_is_understood(text: str, tree: Tree) -> None:
    assert parse(text) == tree


@pytest.mark.parametrize(
    ("text", "place", "cure"),
    [
        ("", None, "The filter is empty"),
        ("lanuage = es", 0, "Did you mean language?"),
        ("colour = red", 0, "The words there are: language, area"),
        ("area = North End", 13, 'need quotes, like "North End"'),
        ("area = a area = b", 9, '"and" or "or" between'),
        ("area is x", 5, "After a word comes ="),
        ("area =", 6, "missing at its end"),
        ("(area = a", 9, "missing at its end"),
        ("area = a)", 8, "stands before it"),
        ('area = "x', 7, "Close it"),
        ("area in ()", 9, "stands before it"),
        ("area = x; DROP TABLE contact", 10, "need quotes"),
        ("consent = 3", 10, "consent after 2026-01-01"),
        ("area after 2026-01-01", 0, "Write area ="),
        ("consent after 2026-02-30", 14, "like 2026-01-01"),
        ("consent after 9999-12-31", 14, "like 2026-01-01"),
        ("language = klingonish", 11, "es, es-MX"),
        ("language in (es, xx-yy-zz)", 17, "es, es-MX"),
        ('group = "a|b"', 8, "Write its name"),
        ("area = #4", 7, "in quotes"),
        ('area = ""', 7, "Write its name"),
        ("area = x\nand lanuage = es", 13, "Did you mean language?"),
    ],
)
def test_an_error_points_at_the_place_and_names_the_cure(text: str, place: int | None, cure: str) -> None:
    with pytest.raises(FilterError) as caught:
        parse(text)
    lines = str(caught.value).splitlines()
    assert cure in lines[-1]
    if place is not None:
        assert lines[-2] == f"  {' ' * place}^"
        assert lines[-3] == "  " + text.replace("\n", " ")


def test_the_place_in_a_long_filter_is_shown_with_what_stands_around_it() -> None:
    text = " and ".join(f"area = a{number}" for number in range(40)) + " and grup = x and area = b"
    with pytest.raises(FilterError) as caught:
        parse(text)
    _, shown, caret, _ = str(caught.value).splitlines()
    assert shown[caret.index("^") :].startswith("grup = x")
    assert len(shown) < 80


@pytest.mark.parametrize(
    "text",
    [
        "(" * 3000 + "area=x",
        "(" * 1500 + "area=x" + ")" * 1500,
        "not " * 900 + "area=x",
        "not(" * 800 + "area=x" + ")" * 800,
        " or ".join(["a=1"] * 600),
        "area in (" + ",".join(map(str, range(2000))) + ")",
        "area = " + "x" * 100_000,
        " or ".join(["area=1"] * 400),
    ],
)
def test_a_hostile_filter_is_refused_quickly(text: str) -> None:
    with pytest.raises(FilterError):
        parse(text)


def test_only_lists_that_must_be_agreed_to_are_asked_for() -> None:
    text = "list = #1 and not list = #2 and not (area = x or not list = #3) or list in (#4, #1)"
    assert lists_asked_for(parse(text)) == (1, 3, 4)


def test_a_filter_is_told_in_plain_words() -> None:
    text = (
        'language in (es, ht) and (area = "North End" or group = elders) and not list = #2 '
        "and consent since 2026-02-03"
    )
    assert explain(parse(text), {2: "Press"}) == (
        "People who read Spanish or Haitian Creole, and who (live in North End, or who belong to elders), and who "
        'have not agreed, with this very address, to "Press", and who said yes on or after 3 February 2026.'
    )
