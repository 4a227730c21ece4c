"""From an approved text to a finished sheet, and the guards that look at it: each is shown to bite."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from functools import cache
from pathlib import Path

import pypdfium2
import pypdfium2.raw as pdfium
import pytest

from channels.contract import Action, CannotCompose, City, Rendering
from channels.letter import LetterChannel, LetterSettings, fonts, guards, proof
from channels.letter.compose import Body, Draft, outside
from channels.letter.guards import Pdf
from channels.letter.profiles import names
from channels.letter.typesetting import CannotTypeset, Typesetter, source

from letter_texts import AMERICAN, CITY, PHONE, SENTENCES, WHEN, text, words_of  # isort: skip

DIGITS = guards.digits_of(PHONE)

ATTACKS = (
    '#read("/etc/passwd")',
    "#{panic()}",
    "$x^2$ and $ broken",
    "@ref <lab>",
    '"] + read("/etc/passwd") + ["',
    "\\u{41}",
    "// no comment",
    "/* nor this */",
    "-- --- ~",
    '#eval("1+1", mode: "markup")',
    '#import "@preview/cetz:0.3.0"',
    "{{ title }} {name} %s ${HOME}",
    '<b onclick="x">bold</b> <script>alert(1)</script>',
)


@cache
def channel(city: City = CITY, profile: str = "") -> LetterChannel:
    """A channel that composes."""
    return LetterChannel(LetterSettings(outbox=Path("unused"), profile=profile), city)


@cache
def composed(language: str, profile: str = "") -> Rendering:
    """The short statement in a language, composed once for all tests."""
    return channel(CITY, profile).compose(text(language))


def body_of(rendering: Rendering) -> Body:
    """What the channel keeps in a rendering."""
    assert isinstance(rendering.content, Body)
    return rendering.content


@pytest.mark.parametrize("language", SENTENCES)
def test_every_script_is_set_on_one_page_with_its_numbers_in_order(language):
    """Right-to-left scripts, scripts without spaces, Han in three countries' shapes; both roles of the body."""
    body = body_of(composed(language))
    for leaf in (body.lead, body.follow):
        assert leaf.pages == 1
        assert set(leaf.slots) == {"date", "greeting", "choices", "scan"}
        with Pdf(leaf.pdf) as printed:
            assert sum(line.count(DIGITS) for line in printed.lines_of_digits()) == 2


@pytest.mark.parametrize("language", ["en", "ar", "zh-Hans", "km"])
def test_all_fonts_are_embedded(language):
    """R26."""
    document = pypdfium2.PdfDocument(body_of(composed(language)).lead.pdf)
    found = [
        pdfium.FPDFFont_GetIsEmbedded(pdfium.FPDFTextObj_GetFont(text_object))
        for text_object in document[0].get_objects(filter=[pdfium.FPDF_PAGEOBJ_TEXT])
    ]
    assert len(found) > 5
    assert set(found) == {1}


@pytest.mark.parametrize("profile", names())
def test_the_window_and_the_margins_of_a_body_are_white(profile):
    body = body_of(composed("ar", profile))
    zones = [area.box() for area in (*body.profile.clear, body.profile.address)]
    with Pdf(body.lead.pdf) as printed:
        assert not printed.ink(0, [*zones, *outside(body.profile)])
    with Pdf(body.follow.pdf) as printed:
        assert not printed.ink(0, outside(body.profile))
        assert printed.ink(0, [body.profile.address.box()]), "the second language uses the room of the window"


def test_a_body_is_an_archival_pdf():
    assert b"pdfaid" in body_of(composed("en")).lead.pdf


def test_the_page_says_what_a_resident_needs_to_know():
    printed = words_of(body_of(composed("en")).lead.pdf)
    for words in (
        *(
            "Riverton",
            "Office of the Mayor",
            "City Hall",
            "1 Main Street",
            "What you can do",
            "help@riverton.example",
        ),
        *(
            "To check that a message is from us, call (555) 010-0100",
            "https://notify.riverton.example/s/elm/en",
        ),
        *(
            "This letter in other languages",
            "Español",
            "中文",
            "To choose how we write to you",
            "Page 1 of 1",
        ),
    ):
        assert words in printed


def test_a_return_line_is_small_enough_for_its_window():
    city = replace(
        CITY,
        postal_address=(
            "Office of the Mayor and of the City Council",
            "City Hall",
            "1 Very Long Main Street",
        ),
    )
    rendering = channel(city, "din-dl-left").compose(text())
    line = body_of(rendering).profile.return_line
    assert line is not None
    assert "1 Very Long Main Street" in words_of(body_of(rendering).lead.pdf, 0, line.box())


def test_a_city_that_has_told_little_still_gets_a_letter():
    bare = City(name="Riverton", country="GB")
    rendering = channel(bare).compose(text(url=""))
    printed = words_of(body_of(rendering).lead.pdf)
    assert "To check that" not in printed
    assert "other languages" not in printed
    assert set(body_of(rendering).lead.slots) == {"date", "greeting"}


def test_cost_and_pages_are_counted():
    settings = LetterSettings(
        outbox=Path("unused"), price_per_page=Decimal("0.04"), price_per_letter=Decimal("0.61")
    )
    rendering = LetterChannel(settings, CITY).compose(text(body="\n\n".join([SENTENCES["en"]] * 40)))
    assert rendering.parts == 2
    assert rendering.cost == Decimal("0.69")


def test_the_preview_is_the_letter_as_plain_text():
    preview = composed("ar").preview
    assert SENTENCES["ar"] in re.sub("[\u2066-\u2069]", "", preview)
    assert not set(preview) & set("\u2066\u2068\u2069\u200b")


def test_staff_are_told_what_was_changed_for_paper():
    notes = channel().compose(text(title="A\u202eB", body="![a flag](flag.png)")).notes
    assert len(notes) == 2
    assert composed("en").notes == ()


def test_the_same_text_gives_the_same_bytes():
    first, again = body_of(composed("km")), body_of(channel().compose(text("km")))
    assert first == again


# -- user text is data


def test_thirteen_attacks_are_printed_and_not_obeyed():
    given = text(
        body="\n\n".join(f"    {attack}" for attack in ATTACKS),
        title=ATTACKS[0],
        actions=(Action(*ATTACKS[:2]),),
    )
    printed = words_of(body_of(channel().compose(given)).lead.pdf)
    squeezed = re.sub(r"\s", "", printed)
    assert [attack for attack in ATTACKS if re.sub(r"\s", "", attack) not in squeezed] == []
    assert "root:" not in printed


def test_markdown_that_smuggles_direction_marks_in_as_entities_prints_none():
    given = text(body="Call &#x202E;0199-010-555&#x202C; or &#8238; now&#0;&#x2066;")
    leaves = Draft(given, CITY, channel().profile).nodes()
    assert not {"\u202e", "\u202c", "\x00"} & {character for leaf in leaves for character in leaf["v"]}


def test_no_layout_imports_a_package_or_evaluates_text():
    for layout in ("body", "overlay", "cover"):
        code = source(layout).decode().replace('read("codes.bin", encoding: none)', "")  # pixels of QR codes
        assert not re.search(r"#?\b(eval|read|plugin)\(|import|@preview|mode:", code), layout


def test_a_file_that_is_there_already_is_never_followed(tmp_path):
    """Typst follows a symbolic link inside its folder, so only new files are put there."""
    with Typesetter() as typesetter:
        (typesetter.root / "0.pdf").symlink_to("/etc/hostname")
        with pytest.raises(FileExistsError):
            typesetter.put("0.pdf", b"x")


def test_a_warning_of_typst_is_an_error():
    job = Draft(text(), CITY, channel().profile).job("lead") | {"fonts": ["No Such Font", *fonts.stack("en")]}
    with Typesetter() as typesetter, pytest.raises(CannotTypeset, match="unknown font family"):
        typesetter.pdf("body", job, WHEN, archival=True)


# -- the guards bite


@pytest.mark.parametrize("language", ["ar", "ur", "he"])
def test_without_fences_the_guard_finds_the_number_turned_round(language, monkeypatch):
    """Failure 1. The Unicode rule prints (555) 010-0199 as 0199-010 (555) in every engine."""
    monkeypatch.setattr(guards, "fenced", str)
    with pytest.raises(CannotCompose, match="would not be printed in that order"):
        channel().compose(text(language))


def test_the_guard_also_finds_it_in_the_footer_only(monkeypatch):
    """The field that was once forgotten."""
    monkeypatch.setattr(guards, "fenced", str)
    with pytest.raises(CannotCompose, match="5550100100"):
        channel().compose(text("ar", body="لا أرقام هنا", actions=(), title="بلا أرقام"))


def test_a_number_beside_a_right_to_left_name_keeps_its_order_in_english():
    body = body_of(
        channel().compose(text(title=f"محمد {PHONE}", body=f"Call محمد {PHONE} today.", actions=()))
    )
    with Pdf(body.lead.pdf) as printed:
        assert sum(line.count(DIGITS) for line in printed.lines_of_digits()) == 2


@pytest.mark.parametrize("field", ["title", "body", "label", "value"])
def test_a_character_without_a_glyph_is_refused_by_name(field):
    """Failure 2: tofu is silent."""
    tofu = "Peace \U0001e900 peace"
    changes = {"actions": (Action(tofu, "x"),)} if field == "label" else {field: tofu}
    changes = {"actions": (Action("x", tofu),)} if field == "value" else changes
    with pytest.raises(CannotCompose, match=r"U\+1E900 ADLAM CAPITAL LETTER ALIF"):
        channel().compose(text(**changes))


def test_the_second_net_is_typst_itself(monkeypatch):
    """PDF/A: a glyph that the first check missed stops the compilation."""
    monkeypatch.setattr(fonts, "missing", lambda *_: ())
    with pytest.raises(CannotCompose, match="could not be displayed"):
        channel().compose(text(body="Peace \U0001e900"))


def test_a_vowel_sign_without_its_letter_is_refused():
    with pytest.raises(CannotCompose, match="dotted circle"):
        channel().compose(text("hi", body="नमस्ते।\n\nि गलत"))


@pytest.mark.parametrize("word", ["W" * 39 + "\u2060" + "W" * 39 + "\u2060" + "W" * 39, "ᚠ" * 200])
def test_text_that_runs_over_the_edge_is_refused(word, monkeypatch):
    """Failure 3: with the breaks taken away, a long word leaves the page."""
    monkeypatch.setattr(guards, "breakable", str)
    with pytest.raises(CannotCompose, match=r"runs out of its place|No font"):
        channel().compose(text(body=word))


def test_a_box_that_cannot_break_is_refused_when_it_is_taller_than_a_page():
    tall = "\n".join(["word"] * 80)
    with pytest.raises(CannotCompose, match="runs out of its place"):
        channel().compose(text(actions=(Action("x " * 900, tall), Action("y " * 900, tall))))


def test_a_letter_of_more_than_ten_pages_is_refused():
    """R26."""
    with pytest.raises(CannotCompose, match=r"has \d+ pages, and 10 is the most"):
        channel().compose(text(body="\n\n".join([SENTENCES["en"]] * 500)))


@pytest.mark.parametrize(
    "body",
    [
        "word " * 2000,
        "x" * 10_000,
        "W" * 10_000,
        "字" * 10_000,
        "\n\n".join(["a"] * 5000),
        "> " * 5000,
        "- x\n" * 2500,
        "1" * 10_000,
        "<b>" * 3333,
        "*" * 10_000,
        "e\u0301" * 5000,
        "m" * 70_000,
    ],
    ids=lambda body: f"{body[:4]!r}",
)
def test_ten_thousand_characters_fit_or_are_refused_with_a_reason(body):
    try:
        pages = channel().compose(text(body=body)).parts
    except CannotCompose as refused:
        reason = str(refused)
    else:
        reason = "Shorten" if 1 <= pages <= 10 else "too many pages"
    assert re.search("Shorten|Break up|Correct", reason)


def test_the_message_of_a_refusal_quotes_no_more_than_a_line():
    with pytest.raises(CannotCompose) as refused:
        channel().compose(text(body="\U0001e900" + "secret " * 500))
    assert len(str(refused.value)) < 300


# -- the proof


@pytest.mark.parametrize("city", [CITY, AMERICAN], ids=["a4", "us-letter"])
def test_a_proof_is_a_picture_of_the_page(city):
    picture = proof(
        channel(city).compose(text()), city, ppi=50, at=datetime(2026, 11, 22, 9, tzinfo=WHEN.tzinfo)
    )
    width, height = (int.from_bytes(picture[at : at + 4], "big") for at in (16, 20))
    assert picture.startswith(b"\x89PNG")
    assert (width, height) == ((413, 585) if city is CITY else (425, 550))


def test_a_proof_shows_the_page_that_is_asked_for():
    rendering = channel().compose(text(body="\n\n".join([SENTENCES["en"]] * 40)))
    first, second, last = (proof(rendering, CITY, page=page, ppi=30, at=WHEN) for page in (1, 2, 99))
    assert first != second == last


def test_a_proof_needs_a_letters_rendering():
    with pytest.raises(TypeError, match="letter"):
        proof(Rendering("sms", "en", "x"), CITY)
