from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from notify.translation.markup import Text, visible
from notify.translation.masking import PATTERNS, Region, mask

_SENTENCE = "Call Reed at 555-0100 now"
_REGIONS = [Region(13, 21, Text("555-0100")), Region(5, 9, Text("Reed"))]


def test_regions_are_hidden_and_come_back() -> None:
    masked = mask(_SENTENCE, _REGIONS, PATTERNS[0])
    assert masked is not None
    assert masked.text == "Call ZQX0 at ZQX1 now"
    nodes = masked.unmasked("Llame a zqx0 al ZQX1 ya")
    assert nodes is not None
    assert visible(nodes) == "Llame a Reed al 555-0100 ya"


def test_a_stand_in_that_is_lost_doubled_or_glued_is_not_accepted() -> None:
    masked = mask(_SENTENCE, _REGIONS, PATTERNS[0])
    assert masked is not None
    for reply in ("Llame a ZQX0", "ZQX0 ZQX0 ZQX1", "ZQX0 ZQX12", "ZQX0s ZQX1", ""):
        assert masked.unmasked(reply) is None


def test_a_sentence_that_holds_such_a_mark_gets_none() -> None:
    assert mask("Room zqx0 at 555-0100", [Region(13, 21, Text("555-0100"))], PATTERNS[0]) is None
    assert mask("Room zqx0 at 555-0100", [Region(13, 21, Text("555-0100"))], PATTERNS[1]) is not None


def test_without_regions_there_is_nothing_to_mask() -> None:
    assert mask(_SENTENCE, [], PATTERNS[0]) is None


@given(st.integers(1, 25), st.sampled_from(PATTERNS))
def test_any_number_of_stand_ins_comes_back_to_its_own_place(count: int, pattern: str) -> None:
    words = [f"w{number}" for number in range(count)]
    sentence = " ".join(words)
    starts = [
        sentence.index(word + " ") if word != words[-1] else len(sentence) - len(word) for word in words
    ]
    regions = [Region(at, at + len(word), Text(word.upper())) for at, word in zip(starts, words, strict=True)]
    masked = mask(sentence, regions, pattern)
    assert masked is not None
    nodes = masked.unmasked(masked.text)
    assert nodes is not None
    assert visible(nodes) == sentence.upper()
