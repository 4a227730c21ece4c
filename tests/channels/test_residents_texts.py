"""Some 1,250 texts as residents write them, in 20 languages: 0 false opt-outs, 0 missed (R1-R3).

`corpus/residents_texts.txt` says of each whether it leaves (stop), refuses in free text so that a person
decides (refusal), or does neither (reply), though it holds the words that do.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.refusals import BadPattern, is_refusal, to_regex
from channels.sms.keywords import Meaning, read, read_topic, words

CORPUS = Path(__file__).parent / "corpus" / "residents_texts.txt"


def texts() -> Iterator[tuple[str, str, str]]:
    """Language, what a text is, and the text."""
    language = kind = ""
    for line in CORPUS.read_text("utf-8").splitlines():
        if line.startswith("== "):
            language, kind = line.removeprefix("== ").split()
        else:
            yield language, kind, line


TEXTS = list(texts())


def kind_of(text: str) -> str:
    """What the program takes a text for."""
    found = read(text)
    if found and found.meaning is Meaning.STOP:
        return "stop"
    return "refusal" if is_refusal(text) else "reply"


def test_the_corpus_is_large_and_has_every_language_of_the_table() -> None:
    assert {language for language, _, _ in TEXTS} == {word.language for word in words()}
    count = Counter(kind for _, kind, _ in TEXTS)
    assert count["reply"] >= 500 and count["refusal"] >= 400 and count["stop"] >= 200
    for language in {language for language, _, _ in TEXTS}:
        assert {kind for each, kind, _ in TEXTS if each == language} == {"reply", "refusal", "stop"}


@pytest.mark.parametrize("language", sorted({language for language, _, _ in TEXTS}))
def test_r1_r3_every_text_is_taken_for_what_it_is(language: str) -> None:
    wrong = [
        (kind, kind_of(text), text)
        for each, kind, text in TEXTS
        if each == language and kind_of(text) != kind
    ]
    assert wrong == []


@pytest.mark.parametrize("change", [str.upper, str.lower, "  {}  ".format, "{} 🙏".format, "“{}”".format])
def test_r3_case_and_marks_change_nothing(change: object) -> None:
    assert callable(change)
    wrong = [
        (kind, change(text))
        for _, kind, text in TEXTS
        if kind_of(change(text)) != kind and not text.startswith(("Liked", "Laughed"))
    ]
    assert wrong == []


def test_r8_no_reply_of_the_corpus_leaves_a_list_by_accident() -> None:
    """A text that names something after STOP needs a list of just that name."""
    found = {
        read_topic(text).topic.lower() for _, kind, text in TEXTS if kind == "reply" and read_topic(text)
    }
    assert found.isdisjoint({"news", "alerts", "noticias", "food", "traffic"})


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "?",
        "Liked “stop texting me”",
        "Disliked «No more texts»",
        "👍 to “wrong number”",
        "x" * 20_000,
    ],
)
def test_what_a_phone_says_by_itself_is_no_refusal(text: str) -> None:
    assert not is_refusal(text)


@given(st.text(max_size=500))
def test_any_text_can_be_looked_at(text: str) -> None:
    assert is_refusal(text) in (True, False)


@given(st.lists(st.sampled_from([text for _, _, text in TEXTS]), max_size=60).map(" ".join))
def test_long_texts_take_no_long_time(text: str) -> None:
    """Patterns have no nested repetitions: hypothesis' own deadline of 200 ms would tell."""
    is_refusal(text)


@pytest.mark.parametrize("pattern", ["", "(one|two", "one)", "<nobody> two", "()"])
def test_a_pattern_that_cannot_be_read_is_refused_by_name(pattern: str) -> None:
    with pytest.raises(BadPattern, match="pattern"):
        to_regex(pattern, {})
