"""Whole texts through real packages, and through an engine that answers with what it is asked, for the structure."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.contract import Finding
from notify.translation.argos import ArgosEngine
from notify.translation.engine import Sentence, Unsupported
from notify.translation.facts import Kind, Severity
from notify.translation.machine import Draft, SourceText, translate_text
from notify.translation.markup import read, skeleton, tidy, visible
from notify.translation.protecting import How

_VIGIL = SourceText(
    title="You are not alone",
    short="A candlelight vigil will be held at 7:00 p.m. on Friday at City Hall. If you need help, call 555-0100.",
    body="""# You are not alone

**You are not alone.** A candlelight vigil will be held at 7:00 p.m. on Friday at City Hall.

- If you need help, call **555-0100**.
- If you need help, call [555-0100](tel:555-0100).

> You are not alone. If you
> need help, call 555-0100.

[You are not alone](https://oakdale.gov/x_y "{title}")
""",
    action_labels=("You are not alone", "555-0100"),
)


def test_a_vigil_statement_becomes_a_spanish_draft(engine: ArgosEngine) -> None:
    draft = translate_text(engine, _VIGIL, "en", "es-MX")
    assert draft.title == "Ustedes no están solos"
    assert draft.short.endswith(" Si necesita ayuda, llame al 555-0100.")
    assert "7:00 p. m." in draft.short
    assert draft.action_labels == ("Ustedes no están solos", "555-0100")
    assert draft.engine == "argos translate-en_es 0.1"
    assert draft.body.startswith("# Ustedes no están solos\n\n**Ustedes no están solos.** Se llevará a cabo")
    assert draft.body.endswith(
        """
- Si necesita ayuda, llame al **555-0100**.
- Si necesita ayuda, llame al [555-0100](tel:555-0100).

> Ustedes no están solos. Si necesita ayuda, llame al 555-0100.

[Ustedes no están solos](https://oakdale.gov/x_y "{title}")
"""
    )
    assert not draft.blocked
    assert skeleton(draft.body) == skeleton(_VIGIL.body)


def test_every_sentence_of_a_draft_stands_beside_its_source(engine: ArgosEngine) -> None:
    draft = translate_text(engine, _VIGIL, "en", "es")
    assert [segment.place for segment in draft.segments] == (
        ["title", "short", "short"]
        + [f"body {block}" for block in (1, 2, 2, 3, 4, 5, 5, 6)]
        + ["action 1", "action 2"]
    )
    first, *_, last = draft.segments
    assert (first.source, first.text, first.how) == ("You are not alone", "Ustedes no están solos", How.PLAIN)
    assert first.via == ("en", "es")
    assert first.score is not None
    assert (last.source, last.text, last.how, last.score) == ("555-0100", "555-0100", How.KEPT, None)


@pytest.mark.parametrize(
    ("sentence", "kept"),
    [
        ("Reply STOP or see https://oakdale.gov/x_y.", ["https://oakdale.gov/x_y", "STOP"]),
        ("Dear {first_name}, your case is {case_id}.", ["{first_name}", "{case_id}"]),
        ("Write to mary_jones@oakdale.gov or call 555-0199.", ["mary_jones@oakdale.gov", "555-0199"]),
        ("Mayor Quillfeather will speak at 2401 Zeppelin Avenue.", ["Quillfeather", "Zeppelin Avenue"]),
        ("Follow @OakdaleCity and take Exit 24A.", ["@OakdaleCity", "24A"]),
    ],
)
def test_facts_are_kept_or_the_draft_is_blocked_and_names_them(
    engine: ArgosEngine, sentence: str, kept: list[str]
) -> None:
    draft = translate_text(
        engine, SourceText(sentence, "", ""), "en", "es", keep=["STOP", "Quillfeather", "Zeppelin Avenue"]
    )
    named = {finding.fact for finding in draft.findings if finding.severity is Severity.BLOCKING}
    assert all((fact in draft.title) != (fact in named) for fact in kept)
    assert draft.blocked == bool(named)


def test_a_lost_fact_is_rescued_by_a_stand_in(engine: ArgosEngine) -> None:
    """The plain translation of this sentence loses both."""
    (plain,) = engine.translate(["Dear {first_name}, text STOP to stop."], "en", "es")
    assert "{first_name}" not in plain.text
    draft = translate_text(
        engine, SourceText("Dear {first_name}, text STOP to stop.", "", ""), "en", "es", ["STOP"]
    )
    assert "{first_name}" in draft.title
    assert "STOP" in draft.title
    assert draft.segments[0].how is How.MASKED


def test_a_sentence_the_engine_made_up_is_reported_by_its_score(engine: ArgosEngine) -> None:
    """All facts are there, so nothing else tells."""
    text = SourceText("Mayor Reed thanked firefighters for their bravery.", "You are not alone.", "")
    draft = translate_text(engine, text, "en", "es", unsure_below=-0.2)
    (finding,) = draft.findings
    assert (finding.kind, finding.severity, finding.place) == (Kind.SCORE, Severity.WARNING, "title")
    assert translate_text(engine, text, "en", "es").findings == ()


def test_an_unknown_pair_is_unsupported_even_with_nothing_to_translate(engine: ArgosEngine) -> None:
    with pytest.raises(Unsupported):
        translate_text(engine, SourceText("", "", ""), "en", "ht")


class Parrot:
    """An engine that says what its function makes of each sentence."""

    name = "parrot"

    def __init__(self, reply: Callable[[str], str] = str) -> None:
        self.reply = reply
        self.calls: list[list[str]] = []

    def pairs(self) -> set[tuple[str, str]]:
        return {("en", "es")}

    def describe(self, source: str, target: str) -> str:
        return "parrot 1"

    def translate(self, texts: Sequence[str], source: str, target: str) -> list[Sentence]:
        self.calls.append(list(texts))
        return [Sentence(self.reply(text), -0.1, (source, target)) for text in texts]

    def health(self) -> Sequence[Finding]:
        return ()


def _body(markdown: str, reply: Callable[[str], str] = str, keep: Sequence[str] = ()) -> Draft:
    return translate_text(Parrot(reply), SourceText("", "", markdown), "en", "es", keep)


def _backwards(text: str) -> str:
    """Another order of words, so that nothing stands where it stood."""
    return " ".join(reversed(text.split()))


@pytest.mark.parametrize(
    ("markdown", "translated"),
    [
        ("one [two](u) three", "three [two](u) one"),
        ("one **two** three", "three **two** one"),
        ("one **[two](u)** three", "three **[two](u)** one"),
        ("one `two` three", "three `two` one"),
        ("see <https://a.gov> now", "now <https://a.gov> see"),
        ("one [two **three**](u) four", "four [**three** two](u) one"),
        ("**one two**", "**two one**"),
        ("one\ntwo three", "three two one"),
        ("one:\ntwo three", "one:\nthree two"),
        ("One two. Three four.", "two. One four. Three"),
        ("one two\\\nthree four", "two one\\\nfour three"),
        ("> one\n> two. Three\n> four", "> two. one four Three"),
        ("> One two.\n> Three four.", "> two. One\n> four. Three"),
        ("# one two #", "# two one #"),
        ("one ![a b](c.png) d", "d ![b a](c.png) one"),
        ("- one two\n\n  three four\n- five", "- two one\n\n  four three\n- five"),
        ("one two\n===\n", "two one\n===\n"),
        ("    code stays\n\none two", "    code stays\n\ntwo one"),
    ],
)
def test_marks_go_where_their_words_go(markdown: str, translated: str) -> None:
    draft = _body(markdown, _backwards)
    assert draft.body == translated
    assert not draft.blocked


def test_a_link_whose_words_stand_twice_is_placed_by_a_stand_in() -> None:
    draft = _body("Call [now](u) and now again", str)
    assert draft.body == "Call [now](u) and now again"
    assert draft.segments[0].how is How.MASKED


def test_a_link_that_finds_no_place_divides_the_sentence() -> None:
    def forgetful(text: str) -> str:
        return text.replace("hotline", "line") if text != "hotline" else "phone"

    draft = _body(
        "Call the [hotline](tel:1) at once",
        lambda text: forgetful(text).replace("ZQX0", "").replace("QWX0Q", ""),
    )
    assert draft.body == "Call the [phone](tel:1) at once"
    assert draft.segments[0].how is How.IN_PARTS


def test_lost_emphasis_is_noted_and_blocks_nothing() -> None:
    draft = _body("Stay **very** calm", lambda text: "muy" if text == "very" else "tranquilos")
    assert draft.body == "tranquilos"
    (finding,) = draft.findings
    assert (finding.kind, finding.severity, finding.fact) == (Kind.EMPHASIS, Severity.NOTE, "very")


def test_an_engine_that_says_nothing_is_reported() -> None:
    draft = _body("Stay calm.", lambda _: "")
    assert draft.findings[0].kind is Kind.EMPTY
    assert draft.blocked


def test_a_fact_that_no_way_could_keep_blocks_and_the_plain_words_stand() -> None:
    draft = _body("Call 555-0100 now", lambda _: "Llame ya")
    assert draft.body == "Llame ya"
    (finding,) = draft.findings
    assert (finding.kind, finding.fact, finding.place) == (Kind.PHONE, "555-0100", "body 1")


def test_a_stand_in_must_not_make_the_numbers_worse() -> None:
    def careless(text: str) -> str:
        return text.replace("555-0100", "").replace("40", "50" if "ZQX" in text or "QWX" in text else "40")

    draft = _body("Call 555-0100 for 40 beds", careless)
    assert draft.segments[0].how is How.PLAIN
    assert "40" in draft.body
    assert draft.blocked


def test_words_that_look_like_marks_are_escaped() -> None:
    draft = _body("Stay calm", lambda _: "1. *Calma* [a](b)")
    assert visible(read(draft.body).blocks[0].nodes) == "1. *Calma* [a](b)"
    assert skeleton(draft.body) == skeleton("Stay calm")


def test_line_ends_from_an_engine_do_not_make_paragraphs() -> None:
    assert _body("- Stay calm", lambda _: "Calma\n\n- por favor\u2028ya").body == "- Calma - por favor ya"


def test_all_sentences_go_in_one_call_and_none_twice() -> None:
    engine = Parrot()
    translate_text(
        engine, SourceText("Stay calm.", "Stay calm. We care.", "Stay calm.\n\n- We care."), "en", "es"
    )
    assert engine.calls == [["Stay calm.", "We care."]]


@pytest.mark.parametrize(
    "text", ["555-0100", "https://a.gov", "🕯️", "{first_name}", "2026", "Reed Park", "6:30", ""]
)
def test_what_has_no_words_is_not_sent_to_the_engine(text: str) -> None:
    engine = Parrot()
    draft = translate_text(engine, SourceText(text, text, text, (text,)), "en", "es", ["Reed Park"])
    assert engine.calls == []
    assert (draft.title, draft.short, draft.body, draft.action_labels) == (text, text, text, (text,))


_WORDS = [
    "One two.",
    "three",
    "**four**",
    "[five six](https://a.gov/x_y)",
    "`seven`",
    "<https://b.gov>",
    "*eight. Nine*",
    "555-0100",
]
_BLOCKS = st.lists(
    st.tuples(
        st.sampled_from(["", "# ", "- ", "> ", "1. ", "> - ", "  "]),
        st.lists(st.sampled_from(_WORDS), min_size=1, max_size=5),
    ),
    max_size=5,
).map(lambda blocks: "\n\n".join(mark + " ".join(words) for mark, words in blocks))


@given(_BLOCKS)
def test_an_engine_that_changes_nothing_gives_the_text_back(markdown: str) -> None:
    draft = _body(markdown)
    assert draft.body == markdown
    assert draft.findings == ()


@given(
    _BLOCKS,
    st.sampled_from(
        [_backwards, str.upper, str.title, lambda text: text[: len(text) // 2], lambda _: "x * [1. `"]
    ),
)
def test_no_engine_can_change_blocks_and_links(markdown: str, reply: Callable[[str], str]) -> None:
    assert skeleton(_body(markdown, reply).body) == skeleton(markdown)


@given(st.text(max_size=60))
def test_any_text_survives_an_engine_that_changes_nothing(text: str) -> None:
    draft = translate_text(Parrot(), SourceText(text, text, text), "en", "es")
    assert draft.title.split() == draft.short.split() == tidy(text).split()
    assert skeleton(draft.body) == skeleton(tidy(text))
