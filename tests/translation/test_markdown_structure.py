from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notify.translation.markup import Text, cut, read, skeleton, tidy, visible, write

_STATEMENT = """# You are *not* alone

Call [the **hotline**](tel:555-0100 "Any time") or see <https://a.gov/x>, `code` and ![a candle](c.png).\\
We stand with you.
Always.

> - First, look at
>   [this]({link})
> - Second

1. One
2. Two

[home]: https://oakdale.gov/x_y
See [home] & <b>raw</b>.

Heading
=======

```
left alone
```
"""


def _same_words(one: str, other: str) -> bool:
    return [visible(block.nodes).split() for block in read(one).blocks] == [
        visible(block.nodes).split() for block in read(other).blocks
    ]


def test_a_document_written_with_its_own_words_reads_the_same() -> None:
    document = read(_STATEMENT)
    again = document.rewritten([block.nodes for block in document.blocks])
    assert again == _STATEMENT.replace("[home] &", "[home](https://oakdale.gov/x_y) &")
    assert skeleton(again) == skeleton(_STATEMENT)


def test_only_the_words_of_blocks_change() -> None:
    document = read(_STATEMENT)
    again = document.rewritten([(Text("x"),) for _ in document.blocks])
    assert again.splitlines()[:3] == ["# x", "", "x"]
    assert "> - x\n> - x\n" in again
    assert "1. x\n2. x\n" in again
    assert "x\n=======\n\n```\nleft alone\n```" in again


@pytest.mark.parametrize(
    "words",
    [
        "1. a", "2026. What a year", "- a", "+ a", "# a", "> a", "---", "===", "* * *", "~~~", "```", "[a]: b", "a #",
        "#",
        "*a*", "_a_", "**a", "`a`", "[a](b)", "![a](b)", "<https://a.gov>", "&amp;", "a\\*b", "\\", "<b>", "!", "a ` b",
    ],
)  # fmt: skip
@pytest.mark.parametrize("frame", ["x", "# x", "- x", "> x", "1. x\n2. y", "x\ny"])
def test_words_stay_words_whatever_they_look_like(words: str, frame: str) -> None:
    document = read(frame)
    new = [(Text(words),), *(block.nodes for block in document.blocks[1:])]
    again = document.rewritten(new)
    assert visible(read(again).blocks[0].nodes) == words
    assert skeleton(again)[: len(skeleton(frame))] == skeleton(frame)


@pytest.mark.parametrize(
    "words", ["https://a.gov/x_y_z", "{first_name}", "5 * 3 = 15", "R&B", "mary_jones@a.gov", "a < b"]
)
def test_words_that_are_no_marks_get_no_backslashes(words: str) -> None:
    assert write((Text(words),)) == words


@pytest.mark.parametrize(
    "target",
    [
        "https://a.gov/x?a=1&b=2",
        "{link}",
        "<a b>",
        "tel:555-0100",
        "<https://a.gov/(x)>",
        "mailto:a@b.gov",
        "a%20ñ",
    ],
)
def test_link_targets_come_through_as_they_are_written(target: str) -> None:
    text = f"See [this]({target})."
    document = read(text)
    assert document.rewritten([document.blocks[0].nodes]) == text


def test_a_cut_goes_through_marks() -> None:
    nodes = read("ab **cd [ef](u)** gh").blocks[0].nodes
    assert [write(cut(nodes, *span)) for span in ((0, 4), (4, 7), (6, 8), (9, 11))] == [
        "ab **c**",
        "**d [e](u)**",
        "**[ef](u)**",
        "gh",
    ]


def test_a_tidy_text_has_one_kind_of_line_end_and_nothing_invisible() -> None:
    assert tidy("a\r\nb\rc\u2028d\x00e\x0bf\x1b\n \u00a0 \ng") == "a\nb\nc\nde\nf\n\ng"


_MARKDOWN = st.lists(
    st.sampled_from(
        [
            "# ", "## ", "> ", "- ", "1. ", "  ", "    ", "\n", "\n\n", "**", "*", "_", "`", "``", "[",
            "](http://a.gov)", "](<a b>)", "![", "]", "(", ")", "<http://b.gov>", "\\", "&amp;", "&", "text",
            "word two. Next", " ",
            "***", "===", "---", "~~~\n", "<b>", "\t", "|", "[r]: /x\n", "[r]", "  \n", "\\\n", "2026. x", ":", "!",
            "é", "\u00a0", "#", "+ ",
        ]
    ),
    max_size=14,
).map("".join)  # fmt: skip


@given(_MARKDOWN)
def test_any_markdown_written_with_its_own_words_keeps_structure_and_words(text: str) -> None:
    text = tidy(text)
    document = read(text)
    again = document.rewritten([block.nodes for block in document.blocks])
    assert skeleton(again) == skeleton(text)
    assert _same_words(again, text)
