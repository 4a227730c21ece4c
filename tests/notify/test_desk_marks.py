"""The desk in a terminal underlines what a finding points at, Markdown or not."""

from __future__ import annotations

import pytest

from notify.cli.desk import marked


@pytest.mark.parametrize(
    ("text", "place", "span", "expected"),
    [
        ("Call 555-0100.", "short", (5, 13), "555-0100"),
        ("**If you need help**, call **555-0100**.", "body 2", (23, 31), "555-0100"),
        ("See [the page](https://city.example) at 7:00.", "body 1", (16, 20), "7:00"),
        ("*7:00* or **7:00**.", "body 1", (8, 12), "7:00"),
        ("A &amp; B at 7:00.", "body 1", (9, 13), "7:00"),
    ],
)
def test_a_mark_lies_on_the_words_that_the_finding_means(
    text: str, place: str, span: tuple[int, int], expected: str
) -> None:
    words = marked(text, place, [{"severity": "blocking", "source": span, "target": None}], "source")
    (found,) = words.spans
    assert words.plain == text
    assert words.plain[found.start : found.end] == expected
    assert found.start >= span[0]


def test_what_is_nowhere_in_the_notation_is_not_marked() -> None:
    finding = {"severity": "note", "source": None, "target": (0, 9)}
    assert marked("a *b* c", "body 1", [finding], "target").spans == []
