from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notify.translation.splitting import sentences, split


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("en", "You are not alone. We stand with you!", ["You are not alone.", "We stand with you!"]),
        ("en", "Dr. Lee and Mrs. Cruz spoke.", ["Dr. Lee and Mrs. Cruz spoke."]),
        (
            "en",
            "Vigil at 8 p.m. Friday at City Hall. Come.",
            ["Vigil at 8 p.m. Friday at City Hall.", "Come."],
        ),
        ("en", "Doors open at 8 p.m. Bring a candle.", ["Doors open at 8 p.m.", "Bring a candle."]),
        ("en", "Open 24 hrs. a day. Call.", ["Open 24 hrs. a day.", "Call."]),
        ("en", "What we know:\nSchools are closed.", ["What we know:", "Schools are closed."]),
        ("en", "- Call 988.\n- Stay home.\n\n1. Rest.", ["Call 988.", "Stay home.", "Rest."]),
        ("en", "2) Go.\na) Wait.\n• Help.", ["Go.", "Wait.", "Help."]),
        ("en", "A. Smith spoke. No one left.", ["A. Smith spoke.", "No one left."]),
        ("es", "La Sra. López habló. ¿Qué pasó? Nada.", ["La Sra. López habló.", "¿Qué pasó?", "Nada."]),
        ("es", "Es a las 8 p. m. el viernes. Venga.", ["Es a las 8 p. m. el viernes.", "Venga."]),
        ("zh-Hans", "你好。我们在这里！谢谢。", ["你好。", "我们在这里！", "谢谢。"]),
        ("ar", "أنتم لستم وحدكم. نحن معكم.", ["أنتم لستم وحدكم.", "نحن معكم."]),
        ("hi", "नमस्ते। हम यहाँ हैं।", ["नमस्ते।", "हम यहाँ हैं।"]),
        ("no-such-language", "One. Two.", ["One.", "Two."]),
        ("en", "", []),
        ("en", " \n\t\n ", []),
        ("en", "1.", ["1."]),
    ],
)
def test_sentences_are_found(language: str, text: str, expected: list[str]) -> None:
    assert [each for each in sentences(text, language) if each.strip()] == expected


_TEXTS = st.one_of(
    st.text(max_size=200),
    st.lists(
        st.sampled_from(
            [
                "A. ",
                "8 p.m. ",
                "Friday",
                "- ",
                "1. ",
                "\n",
                "\r\n",
                "\u2028",
                "\u00a0",
                "\u3000",
                "。",
                "? ",
                '"',
                "Dr.",
                "é",
                "🕯️",
                " ",
            ]
        ),
        max_size=20,
    ).map("".join),
)


@given(_TEXTS, st.sampled_from(["en", "es", "ar", "zh-Hans", "hi", "am", "kk", "x"]))
def test_the_pieces_joined_are_the_text(text: str, language: str) -> None:
    pieces = split(text, language)
    assert "".join(piece.text for piece in pieces) == text
    assert all(piece.text for piece in pieces)


@given(_TEXTS)
def test_a_sentence_has_no_blanks_at_its_ends_and_no_line_end_inside(text: str) -> None:
    for sentence in sentences(text, "en"):
        assert sentence.strip() == sentence
        assert "\n" not in sentence


@pytest.mark.parametrize("blank", ["\u00a0", "\u2003", "\u3000"])
def test_blanks_that_take_several_bytes_do_not_break_the_splitter(blank: str) -> None:
    """sentencex 1.0.32 panics on `J\\u00a0.` as it is."""
    assert sentences(f"We met J{blank}. She spoke.", "en")[-1] == "She spoke."


@pytest.mark.parametrize(
    "address", ["https://a.gov/x", "oakdale.gov", "help@oakdale.gov", "www.a.gov/q?a=1&b=2"]
)
def test_a_sentence_ends_after_an_address_and_never_inside_it(address: str) -> None:
    assert sentences(f"Write to {address}. We answer.", "en") == [f"Write to {address}.", "We answer."]
