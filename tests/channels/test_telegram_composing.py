"""An approved text becomes Telegram messages: text, entities in UTF-16 units, parts that fit."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.contract import Action, ApprovedText, CannotCompose, City
from channels.telegram.composing import blocks, compose
from channels.telegram.entities import Entity, Formatted, units
from channels.telegram.splitting import LONGEST, split

CITY = City("Riverton", public_url="https://city.example", phone="+1 555 010 0100")
HOSTILE = '😀 <b>x</b> {{ 7 }} #read("/etc/passwd") &amp; [a](javascript:alert(1)) e\u0301 ‏اتصل 555-0100 الآن'


def statement(body: str, **changes: object) -> ApprovedText:
    fields: dict[str, object] = {
        "reference": "S1r1",
        "language": "en",
        "source_language": "en",
        "kind": "crisis",
        "title": "Title",
        "short": "short",
        "body": body,
    }
    return ApprovedText(**(fields | changes))  # type: ignore[arg-type]


def marked(formatted: Formatted, entity: Entity) -> str:
    """What an entity covers, cut out of the text as Telegram counts it."""
    raw = formatted.text.encode("utf-16-le")
    return raw[entity.offset * 2 : entity.end * 2].decode("utf-16-le")


def body_of(markdown: str, **changes: object) -> Formatted:
    """The blocks of a body alone, without title and footer."""
    found = blocks(statement(markdown, title="", **changes), CITY)[:-1]
    return split(found)[0]


@pytest.mark.parametrize(
    ("markdown", "text", "entities"),
    [
        ("plain", "plain", []),
        ("**b** *i*", "b i", [("bold", "b"), ("italic", "i")]),
        ("***both***", "both", [("bold", "both"), ("italic", "both")]),
        ("# Head", "Head", [("bold", "Head")]),
        ("# Head **twice**", "Head twice", [("bold", "Head twice")]),
        ("😀 **b**", "😀 b", [("bold", "b")]),
        ("`a*b`", "a*b", [("code", "a*b")]),
        ("**a `c` b**", "a c b", [("bold", "a "), ("code", "c"), ("bold", " b")]),
        ("[l](https://x.example/?a=1&b=2)", "l", [("text_link", "l")]),
        ("[`c`](https://x.example)", "c", [("text_link", "c")]),
        ("[](https://x.example)", "https://x.example", [("text_link", "https://x.example")]),
        ("[us](tel:+15550100)", "us (+15550100)", []),
        ("[a@x.example](mailto:a@x.example)", "a@x.example", []),
        ("[x](javascript:alert(1))", "[x](javascript:alert(1))", []),
        ("![alt](https://x.example/p.png)", "alt", [("text_link", "alt")]),
        ("- a\n- b\n  - c", "• a\n• b\n   ◦ c", []),
        ("3. a\n4. b", "3. a\n4. b", []),
        ("> q\n\n", "q", [("blockquote", "q")]),
        ("> a\n> > b", "a\n\nb", [("blockquote", "a\n\nb")]),
        ("```py\nx = 1\n```", "x = 1", [("pre", "x = 1")]),
        ("a\nb", "a b", []),
        ("a  \nb", "a\nb", []),
        ("你好，\n世界", "你好，世界", []),
        ("<b>no</b> &amp; {{ 1 }}", "<b>no</b> & {{ 1 }}", []),
        ("a\x00\u202eb\ud800c", "abc", []),
    ],
)
def test_markdown_becomes_text_and_entities(
    markdown: str, text: str, entities: list[tuple[str, str]]
) -> None:
    found = body_of(markdown)
    assert found.text == text
    assert [(entity.type, marked(found, entity)) for entity in found.entities] == entities


def test_a_link_keeps_its_address_and_code_its_language() -> None:
    assert body_of("[l](https://x.example/?a=1&b=2)").entities[0].url == "https://x.example/?a=1&b=2"
    assert body_of("```py\nx\n```").entities[0].language == "py"


def test_title_actions_and_footer_stand_around_the_body() -> None:
    actions = (Action("Help line", "+15550100"), Action("Site", "https://x.example"))
    rendering = compose(statement("Body", actions=actions, url="https://city.example/s/1"), CITY, 5)
    assert rendering.preview == (
        "Title\n\nBody\n\nWhat you can do\n• Help line: +15550100\n• Site: https://x.example\n\n"
        "Office of the Mayor, Riverton\nRead this on the web: https://city.example/s/1\n"
        "To check that a message is from us, call +1 555 010 0100 or look at https://city.example"
    )
    assert rendering.parts == 1
    assert not rendering.notes


def test_a_phone_number_in_an_arabic_text_keeps_its_order() -> None:
    assert "\u2066555-010-0199\u2069" in body_of("اتصل 555-010-0199 الآن", language="ar").text


def test_no_text_at_all_is_refused_with_the_cure() -> None:
    with pytest.raises(CannotCompose, match="write a title and a body"):
        compose(statement(" ", title=" "), CITY, 5)


def test_more_messages_than_allowed_are_refused_with_the_cure() -> None:
    with pytest.raises(CannotCompose, match=r"takes 2 Telegram messages; 1 are.*NOTIFY_TELEGRAM__MAX_PARTS"):
        compose(statement("word " * 1000), CITY, 1)


def test_a_long_paragraph_begins_in_the_message_of_the_title() -> None:
    first, second = compose(statement(("word " * 1000).strip()), CITY, 5).content
    assert first.text.startswith("Title\n\nword")
    assert second.text.startswith("word")


def test_a_long_text_is_split_between_paragraphs_in_order() -> None:
    """R13."""
    paragraphs = [f"Paragraph {number} " + "x" * 990 for number in range(10)]
    parts = compose(statement("\n\n".join(paragraphs)), CITY, 5).content
    assert all(units(part.text) <= LONGEST for part in parts)
    found = [line for part in parts for line in part.text.split("\n\n") if line.startswith("Paragraph")]
    assert found == paragraphs


@pytest.mark.parametrize(
    "text",
    [
        "A sentence of words. " * 300,
        "word " * 1500,
        "字" * 9000,
        "😀" * 5000,
        "e\u0301" * 5000,
        "👨‍👩‍👧" * 1000,
        "line\n" * 2000,
    ],
)
def test_a_paragraph_longer_than_a_message_is_cut_where_nothing_breaks(text: str) -> None:
    """R13."""
    parts = split([Formatted(text.strip())])
    assert all(units(part.text) <= LONGEST for part in parts)
    assert re.sub(r"\s+", "", "".join(part.text for part in parts)) == re.sub(r"\s+", "", text)
    assert not any(part.text[0] in "\u0301\u200d" for part in parts)
    assert not any(part.text.endswith("\u200d") for part in parts)


def test_an_entity_that_fits_is_never_cut() -> None:
    """R13."""
    block = Formatted("word " * 800 + "a bold end " * 30, (Entity("bold", 4000, 329),))
    first, second = split([Formatted(block.text.strip(), block.entities)])
    assert not first.entities
    assert marked(second, second.entities[0]).startswith("a bold end")


def test_an_entity_longer_than_a_message_goes_on_in_the_next() -> None:
    text = ("word " * 2000).strip()
    parts = split([Formatted(text, (Entity("bold", 0, len(text)),))])
    assert len(parts) == 3
    assert all(marked(part, part.entities[0]) == part.text for part in parts)


def nested_or_apart(first: Entity, second: Entity) -> bool:
    inside = first.offset <= second.offset and second.end <= first.end
    return inside or first.end <= second.offset or second.end <= first.offset


MARKDOWN = st.lists(
    st.sampled_from(
        [
            *(
                "**",
                "*",
                "`",
                "> ",
                "- ",
                "1. ",
                "# ",
                "\n",
                "\n\n",
                "```\n",
                "[",
                "](https://x.example)",
                "![",
                "<b>",
            ),
            *(
                "word",
                " ",
                "😀",
                "e\u0301",
                "עברית",
                "字",
                "555-010-0199",
                "\u202e",
                "\x00",
                "&lt;",
                "a@x.example",
            ),
        ]
    ),
    max_size=60,
).map("".join)


@given(markdown=MARKDOWN, language=st.sampled_from(["en", "ar"]))
@settings(max_examples=300, deadline=None)
def test_entities_always_lie_on_characters_and_are_nested_or_apart(markdown: str, language: str) -> None:
    for part in split(blocks(statement(markdown, language=language), CITY), longest=200):
        edges = {units(part.text[:index]) for index in range(len(part.text) + 1)}
        assert part.text
        assert part.text == part.text.strip()
        assert units(part.text) <= 200
        for entity in part.entities:
            assert entity.length > 0
            assert {entity.offset, entity.end} <= edges
        ordered = list(part.entities)
        for index, entity in enumerate(ordered):
            assert all(nested_or_apart(entity, other) for other in ordered[index + 1 :])


@given(st.text(max_size=400), st.integers(2, 50))
@settings(max_examples=200, deadline=None)
def test_splitting_loses_nothing_but_space(text: str, longest: int) -> None:
    parts = split([Formatted(text.strip())] if text.strip() else [], longest)
    assert "".join("".join(part.text.split()) for part in parts) == "".join(text.split())


def test_hostile_text_arrives_as_it_was_written() -> None:
    fenced = HOSTILE.replace("555-0100", "\u2066555-0100\u2069")  # its groups would change places in Arabic
    assert body_of(HOSTILE).text == fenced.replace("&amp;", "&")


def test_an_entity_that_would_not_fit_behind_the_title_goes_into_the_next_message() -> None:
    link = "l" * 2000
    block = Formatted(
        link + " " + "word " * 600 + "end", (Entity("text_link", 0, 2000, "https://x.example"),)
    )
    first, second, *_ = split([Formatted("t" * 2900), block])
    assert first.text == "t" * 2900
    assert marked(second, second.entities[0]) == link


def test_every_line_of_an_arabic_text_runs_from_right_to_left() -> None:
    text = statement(
        "سطر\n\n- 211\n- City Hall", title="عنوان", language="ar", actions=(Action("211", "211"),)
    )
    lines = [line for part in compose(text, CITY, 5).content for line in part.text.split("\n") if line]
    assert all(line.startswith("\u200f") for line in lines)


@pytest.mark.parametrize(
    ("language", "kind"), [("en", "italic"), ("ar", "bold"), ("zh-Hans", "bold"), ("so", "italic")]
)
def test_emphasis_is_bold_where_the_script_has_no_italics(language: str, kind: str) -> None:
    assert [entity.type for entity in body_of("*x*", language=language).entities] == [kind]
