"""A statement's Markdown on paper: a tree of plain text, nothing of which is markup."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.letter import guards, markdown


def tree(text: str) -> list[markdown.Node]:
    """The block tree, as the channel makes it."""
    return markdown.blocks(text, guards.isolate)


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("one\ntwo", "one two"),
        ("one  \ntwo", "one\ntwo"),
        ("你好\n世界", "你好世界"),
        ("你好\nworld", "你好 world"),
        ("한국\n사람", "한국 사람"),
        ("# Head\n\ntext", "Head\n\ntext"),
        ("- a\n- b\n  1. c\n  2. d", "- a\n- b\n\n  1. c\n  2. d"),
        ("3. three\n4. four", "3. three\n4. four"),
        ("> quoted", "  quoted"),
        ("a\n\n---\n\nb", "a\n\n* * *\n\nb"),
        ("[our page](https://a.example/x)", "our page (https://a.example/x)"),
        ("<https://a.example/x>", "https://a.example/x"),
        ("[help@a.example](mailto:help@a.example)", "help@a.example"),
        ("[call](tel:+15550100199)", "call (+15550100199)"),
        ("![a **red** flag](flag.png)", "a red flag"),
        ("<b>raw</b> &amp; &lt;i&gt;", "<b>raw</b> & <i>"),
        ("<div>\nblock\n</div>", "<div> block </div>"),
        ("```\n#read(1)\n  x\n```", "#read(1)\n  x"),
        ("**bold _both_** *thin* `code`", "bold both thin code"),
        ("| a | b |\n|---|---|", "| a | b | |---|---|"),
    ],
)
def test_markdown_reads_on_paper_as_it_is_meant(text, plain):
    assert markdown.plain(tree(text)) == plain


def test_emphasis_and_levels_are_kept_for_the_layout():
    assert [node["t"] for node in tree("**b** *i*")[0]["c"]] == ["strong", "text", "emph"]
    assert tree("### Three")[0] == {"t": "heading", "level": 3, "c": [{"t": "text", "v": "Three"}]}


def test_a_telephone_number_is_a_leaf_of_its_own_and_keeps_together():
    assert {"t": "number", "v": "(555) 010-0199"} in tree("Call **(555) 010-0199** now")[0]["c"][1]["c"]


@given(st.text(st.characters(codec="utf-8"), max_size=200))
def test_any_text_becomes_a_tree_whose_leaves_are_strings(text):
    made = tree(guards.clean(text))
    assert json.loads(json.dumps(made)) == made
    assert all(
        isinstance(leaf["v"], str) and leaf["t"] in ("text", "number") for leaf in markdown.texts(made)
    )


@given(st.text("abcABC *_`#>-!\n", max_size=120))
def test_no_letter_gets_lost_whatever_marks_stand_around_it(text):
    printed = filter(str.isalpha, markdown.plain(tree(text)))
    assert list(printed) == list(filter(str.isalpha, text))
