"""The playbooks that come with the project, the reader of their files, and the values that fill them."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

import templates
from channels.sms.segments import alphabet_of, count
from notify.translation import facts
from templates import direction
from templates.playbook_files import (
    Playbook,
    PlaybookError,
    PlaybookText,
    digest,
    fill,
    load,
    names,
)
from templates.playbook_values import PlaceholderType, isolated, write_date, write_time

ZONE = "America/Los_Angeles"
LANGUAGES = ("en", "ar", "es", "fr", "ht", "pt", "sw", "zh-Hans")
LATIN = ("en", "es", "fr", "ht", "pt", "sw")
NEEDED = {
    "first-hours": "crisis",
    "public-gathering": "notice",
    "rumours": "crisis",
    "help-and-trauma": "update",
    "standing-together": "crisis",
    "weekly-update": "update",
    "safety-notice": "notice",
}
EACH_TEXT = [(name, language) for name in NEEDED for language in LANGUAGES]

# Words that blame, guess a motive, or frighten: none has a place in a text written before anything is known.
NOT_OURS = {
    "en": "terror|hate crime|hatred|extremis|revenge|enem(y|ies)|illegal|alien|evil|motive|perpetrator",
    "es": "terror|crimen de odio|odio|extremis|venganza|enemig|ilegal|malvad|monstruo|\\bmóvil\\b|culpables",
    "pt": "terror|crime de ódio|ódio|extremis|vingança|inimig|ilega|monstro|motivação|culpados",
    "fr": "terroris|crime de haine|haine|extrémis|vengeance|ennemi|illéga|clandestin|mobile du|coupables",
    "ar": "إرهاب|كراهية|متطرف|انتقام|ثأر|العدو|أعداء|غير شرعي|وحش|دافع|مجرم",
    "zh-Hans": "恐怖|仇恨|极端|报复|复仇|敌人|非法|凶手|动机|罪犯",
    "ht": "teroris|rayisman|krim rayi|ekstremis|vanjans|lènmi|ilegal|kriminèl",
    "sw": "gaidi|ugaidi|chuki|msimamo mkali|kisasi|adui|maadui|haramu|mhalifu|nia ya",
}
ENGLISH_WORDS = re.compile(r"\b(the|and|of|you|your|please|what|with|who|this|is|are)\b", re.IGNORECASE)


@pytest.fixture(scope="module")
def books() -> dict[str, Playbook]:
    return {name: load(name) for name in NEEDED}


def filled(playbook: Playbook, **values: str) -> dict[str, PlaybookText]:
    return fill(playbook, playbook.examples() | values, ZONE)


def residents_read(text: PlaybookText) -> str:
    labels = "\n".join(action.label for action in text.actions)
    return "\n".join((text.title, text.short, text.body, labels))


def test_every_night_and_week_that_cities_named_has_its_playbook(books: dict[str, Playbook]) -> None:
    assert set(NEEDED) <= set(names())
    assert {name: book.kind for name, book in books.items()} == NEEDED


@pytest.mark.parametrize("name", names())
def test_every_playbook_on_the_shelf_loads_in_eight_languages(name: str) -> None:
    assert tuple(load(name).texts) == LANGUAGES


@pytest.mark.parametrize(("name", "language"), EACH_TEXT)
def test_the_examples_fill_every_text(books: dict[str, Playbook], name: str, language: str) -> None:
    text = filled(books[name])[language]
    for part in (residents_read(text), *(action.value for action in text.actions)):
        assert not re.search(r"[{}]", part)
    assert books[name].examples()["phone"] in text.short
    assert books[name].examples()["link"] in {action.value for action in text.actions}


@pytest.mark.parametrize(("name", "language"), EACH_TEXT)
def test_a_short_text_leaves_room_for_link_and_stop_line(
    books: dict[str, Playbook], name: str, language: str
) -> None:
    short = filled(books[name])[language].short
    if language in LATIN:
        assert alphabet_of(books[name].texts[language].short).name.startswith("GSM")
        assert count(short) == 1
    else:
        assert count(short) <= 2


@pytest.mark.parametrize(("name", "language"), EACH_TEXT)
def test_no_text_blames_or_guesses_a_motive(books: dict[str, Playbook], name: str, language: str) -> None:
    found = re.search(NOT_OURS[language], residents_read(books[name].texts[language]), re.IGNORECASE)
    assert found is None


def test_the_list_of_words_that_are_not_ours_bites() -> None:
    said = {"en": "a Terrorist", "es": "venganza", "ar": "الإرهاب", "zh-Hans": "恐怖袭击", "sw": "magaidi"}
    for language, words in said.items():
        assert re.search(NOT_OURS[language], words, re.IGNORECASE)


@pytest.mark.parametrize(("name", "language"), [pair for pair in EACH_TEXT if pair[1] != "en"])
def test_no_english_is_left_in_a_translation(books: dict[str, Playbook], name: str, language: str) -> None:
    words = re.sub(r"\{\w+\}", "", residents_read(books[name].texts[language]))
    assert not ENGLISH_WORDS.findall(words)
    letters = [character for character in words if character.isalpha()]
    script = {"ar": "ARABIC", "zh-Hans": "CJK"}.get(language, "LATIN")
    assert all(unicodedata.name(letter).startswith(script) for letter in letters)


@pytest.mark.parametrize(("name", "language"), EACH_TEXT)
def test_a_translation_has_every_heading_paragraph_and_item_of_the_english(
    books: dict[str, Playbook], name: str, language: str
) -> None:
    def shape(text: PlaybookText) -> list[str]:
        return [
            re.match(r"#+ |- |", line)[0] + ",".join(sorted(re.findall(r"\{\w+\}", line)))  # type: ignore[index]
            for line in text.body.split("\n")
            if line
        ]

    assert shape(books[name].texts[language]) == shape(books[name].texts["en"])
    assert len(books[name].texts[language].actions) == len(books[name].texts["en"].actions)


@pytest.mark.parametrize(("name", "language"), [pair for pair in EACH_TEXT if pair[1] != "en"])
def test_a_translation_keeps_every_fact_of_the_english(
    books: dict[str, Playbook], name: str, language: str
) -> None:
    texts = filled(books[name])
    for part in ("title", "short", "body"):
        findings = facts.check(getattr(texts["en"], part), getattr(texts[language], part))
        assert [finding for finding in findings if finding.severity is not facts.Severity.NOTE] == []  # R33


@pytest.mark.parametrize("name", NEEDED)
def test_english_sentences_are_short_and_plain(books: dict[str, Playbook], name: str) -> None:
    plain = re.sub(r"<?\{\w+\}>?|#+|^- ", "", books[name].texts["en"].body, flags=re.MULTILINE)
    sentences = [sentence.split() for sentence in re.split(r"[.?!:\n]+", plain) if sentence.split()]
    words = [word for sentence in sentences for word in sentence]
    syllables = sum(max(1, len(re.findall(r"[aeiouy]+", re.sub(r"e\b", "", word.lower())))) for word in words)
    grade = 0.39 * len(words) / len(sentences) + 11.8 * syllables / len(words) - 15.59  # Flesch-Kincaid
    assert grade < 6
    assert max(map(len, sentences)) <= 32


@pytest.mark.parametrize("name", NEEDED)
def test_staff_are_told_what_a_playbook_promises_before_they_sign(name: str) -> None:
    assert "Before you sign it:" in load(name).summary


def test_arabic_runs_from_right_to_left_and_guards_what_does_not(books: dict[str, Playbook]) -> None:
    text = filled(books["first-hours"], place="200 River Road")["ar"]
    assert direction("ar") == "rtl"
    assert "\u200e200 River Road\u200e" in text.title
    assert "\u200e(206) 555-0134" in text.body
    assert "(206) 555-0134" in [action.value for action in text.actions]


@pytest.mark.parametrize(
    ("value", "language", "shown"),
    [
        ("Harbor Hall", "en", "Harbor Hall"),
        ("Harbor Hall", "ar", "\u200eHarbor Hall\u200e"),
        ("+1 206 555 0134", "ar", "\u200e+1 206 555 0134"),
        ("911", "ar", "911"),
        ("قاعة الميناء", "ar", "قاعة الميناء"),
        ("قاعة الميناء", "en", "\u200fقاعة الميناء\u200f"),
        ("12 Elm St", "fa", "\u200e12 Elm St\u200e"),
    ],
)
def test_a_value_that_runs_against_its_text_is_guarded(value: str, language: str, shown: str) -> None:
    assert isolated(value, language) == shown


@pytest.mark.parametrize(
    ("language", "shown"),
    [
        ("en", "Friday, November 27, 6:00 PM"),
        ("es", "viernes, 27 de noviembre, 6:00 p.m."),
        ("pt", "sexta-feira, 27 de novembro, 18:00"),
        ("fr", "vendredi 27 novembre, 18:00"),
        ("ar", "الجمعة، 27 نوفمبر، 6:00 م"),
        ("zh-Hans", "11月27日星期五 18:00"),
        ("ht", "vandredi 27 novanm, 6:00 PM"),
        ("sw", "Ijumaa, 27 Novemba, 18:00"),
    ],
)
@pytest.mark.parametrize("given_as", ["2026-11-27T18:00", "2026-11-28T02:00+00:00", "2026-11-27 18:00-08:00"])
def test_a_time_is_written_as_each_language_writes_it(
    books: dict[str, Playbook], language: str, shown: str, given_as: str
) -> None:
    text = filled(books["first-hours"], next_update=given_as)[language]
    assert shown in text.short
    assert shown in text.body


def test_a_sentence_ends_in_one_full_stop_after_a_value_that_has_one(books: dict[str, Playbook]) -> None:
    assert filled(books["first-hours"])["es"].short.endswith("6:00 p.m.")


def test_a_date_has_no_year_and_no_time(books: dict[str, Playbook]) -> None:
    assert filled(books["weekly-update"])["zh-Hans"].title == "市长每周通讯：11月30日星期一"
    assert filled(books["weekly-update"])["ht"].title == "Mesaj meri a chak semèn: lendi 30 novanm"


def test_the_country_settles_the_clock_and_whose_numbers_are_national(books: dict[str, Playbook]) -> None:
    values = books["first-hours"].examples() | {"phone": "020 7946 0958", "emergency": "999"}
    text = fill(books["first-hours"], values, "Europe/London", "GB")["en"]
    assert "Friday 27 November, 18:00" in text.short
    assert "020 7946 0958" in text.short


PHONES = [
    ("206 555 0134", "(206) 555-0134"),
    ("+12065550134", "(206) 555-0134"),
    ("1-206-555-0134 ext 7", "(206) 555-0134 ext. 7"),
    ("+442079460958", "+44 20 7946 0958"),
    ("988", "988"),
]


@pytest.mark.parametrize(("typed", "shown"), PHONES)
def test_a_phone_number_is_shown_as_residents_dial_it(
    books: dict[str, Playbook], typed: str, shown: str
) -> None:
    text = filled(books["first-hours"], phone=typed)["en"]
    assert f"Help: {shown}" in text.short
    assert text.actions[0].value == shown


BAD_VALUES = [
    ("phone", "555", "cannot exist"),
    ("phone", "call us", "not a phone number"),
    ("phone", "123-456-7890", "cannot exist"),
    ("emergency", "12", "phone number"),
    ("link", "http://www.rivermouth.example", "secure"),
    ("link", "www.rivermouth.example", "secure"),
    ("link", "https://", "secure"),
    ("link", "https://localhost/x", "secure"),
    ("link", "https://user:word@rivermouth.example", "password"),
    ("link", "https://rivermouth.example/a b", "character"),
    ("link", "https://rivermouth.example/<script>", "character"),
    ("link", "https://[bad", "web address"),
    ("link", "javascript:alert(1)", "secure"),
    ("next_update", "tomorrow", "day with its time"),
    ("next_update", "2026-11-27", "no time"),
    ("next_update", "2026-02-30T10:00", "day with its time"),
    ("next_update", "2026-03-08T02:30", "does not happen"),
    ("next_update", "2026-11-01T01:30", "happens twice"),
    ("next_update", "0001-01-01T00:00+14:00", "outside the calendar"),
    ("place", "", "empty"),
    ("place", "   \u200e ", "empty"),
    ("place", "?!", "no letter"),
    ("place", "Hall {link}", "brace"),
    ("place", "Hall\nAn attack", "line break"),
    ("place", "Hall\u2028An attack", "line break"),
    ("place", "H" * 81, "81 characters"),
    ("link", "https://rivermouth.example/" + "x" * 300, "at most 300"),
]


@pytest.mark.parametrize(("key", "value", "complaint"), BAD_VALUES)
def test_a_value_that_does_not_fit_is_refused_with_its_cure(
    books: dict[str, Playbook], key: str, value: str, complaint: str
) -> None:
    with pytest.raises(PlaybookError) as caught:
        filled(books["first-hours"], **{key: value})
    (problem,) = caught.value.problems
    assert problem.subject == key
    assert complaint in str(problem)
    assert problem.cure.endswith(".")


@pytest.mark.parametrize(
    ("given_as", "shown"),
    [
        ("2026-11-01T01:30-07:00", "1:30 AM"),
        ("2026-11-01T01:30-08:00", "1:30 AM"),
        ("2026-03-08T03:30", "3:30 AM"),
    ],
)
def test_a_time_on_the_night_of_a_clock_change_needs_its_offset_only_when_in_doubt(
    books: dict[str, Playbook], given_as: str, shown: str
) -> None:
    assert shown in filled(books["first-hours"], next_update=given_as)["en"].short


def test_all_that_is_wrong_with_the_values_is_said_at_once(books: dict[str, Playbook]) -> None:
    values = {"phone": "555", "place@es": "Sala", "colour": "red", "link": "x", "place": "Hall"}
    with pytest.raises(PlaybookError) as caught:
        fill(books["first-hours"], values, ZONE)
    assert sorted(problem.subject for problem in caught.value.problems) == [
        "colour",
        "emergency",
        "link",
        "next_update",
        "phone",
        "place@es",
    ]
    assert "Give 'Emergency number', as in: 911" in str(caught.value)
    assert "Use one of: place, emergency, phone, link, next_update." in str(caught.value)


def test_an_unknown_time_zone_is_named(books: dict[str, Playbook]) -> None:
    for zone in ("Mars/Olympus", "", "../../etc/passwd"):
        with pytest.raises(PlaybookError, match="IANA"):
            fill(books["first-hours"], books["first-hours"].examples(), zone)


def test_a_paragraph_without_its_optional_value_is_left_out(books: dict[str, Playbook]) -> None:
    without, empty = filled(books["weekly-update"]), filled(books["weekly-update"], news="  ")
    assert without == empty
    assert tuple(without) == LANGUAGES
    assert "## This week\n\nAll news" in without["en"].body


def test_words_of_one_language_never_stand_in_a_text_of_another(books: dict[str, Playbook]) -> None:
    texts = filled(books["weekly-update"], **{"news": "The park opens.", "news@es": "El parque abre."})
    assert tuple(texts) == ("en", "es")
    assert "The park opens." in texts["en"].body
    assert "El parque abre." in texts["es"].body


@pytest.mark.parametrize("name", ["news@es", "news@xx"])
def test_words_in_a_translation_need_the_source_and_the_language(
    books: dict[str, Playbook], name: str
) -> None:
    with pytest.raises(PlaybookError) as caught:
        filled(books["weekly-update"], **{name: "Hola."})
    assert "news: is missing" in str(caught.value)


def test_a_digest_holds_for_exactly_these_words(books: dict[str, Playbook]) -> None:
    text = books["first-hours"].texts["en"]
    again = load("first-hours").texts["en"]
    assert digest(text) == digest(again)
    changed = [
        PlaybookText("en", text.title + " ", text.short, text.body, text.actions),
        PlaybookText("en", text.title, text.short, text.body.replace(".", "!", 1), text.actions),
        PlaybookText("en", text.title, text.short, text.body, text.actions[:1]),
        PlaybookText("es", text.title, text.short, text.body, text.actions),
    ]
    assert len({digest(text), *map(digest, changed)}) == 5


TOML = """
title = "Power cut"
summary = "When the power is out."
kind = "notice"
[placeholders.place]
type = "place"
label = "Where"
help = "The street."
example = "Elm Street"
[placeholders.link]
type = "link"
label = "Page"
help = "A page."
example = "https://www.rivermouth.example"
[placeholders.note]
type = "text"
label = "Note"
help = "One sentence."
example = "Crews are there."
required = false
"""
HEAD = (
    '---\ntitle: "No power"\nshort: "No power: {place}"\nactions:\n  - {label: Page, value: "{link}"}\n---\n'
)
BODY = "- {place}\n\n{place}\n\n{note}\n\nSee <{link}>\n"


def shelf(folder: Path, **files: str) -> Path:
    """A city's own playbook called power-cut, with some files written otherwise."""
    book = folder / "power-cut"
    book.mkdir()
    for name, content in {"playbook.toml": TOML, "en.md": HEAD + BODY, "es.md": HEAD + BODY, **files}.items():
        (book / name).write_text(content, "utf-8")
    return folder


def test_a_city_adds_playbooks_of_its_own(tmp_path: Path) -> None:
    folder = shelf(tmp_path)
    assert set(names(folder)) == {*names(), "power-cut"}
    assert load("power-cut", folder).placeholders["place"].type is PlaceholderType.PLACE
    assert load("rumours", folder) == load("rumours")


def test_the_example_in_the_readme_is_a_playbook(tmp_path: Path) -> None:
    readme = (templates.directory() / "playbooks" / "README.md").read_text("utf-8")
    head, text = re.findall(r"```\w+\n(.*?)```", readme, re.DOTALL)
    (tmp_path / "power-cut").mkdir()
    (tmp_path / "power-cut" / "playbook.toml").write_text(head, "utf-8")
    (tmp_path / "power-cut" / "en.md").write_text(text, "utf-8")
    assert filled(load("power-cut", tmp_path))["en"].title == "Power cut: Old Mill"


def test_a_citys_own_playbook_goes_before_ours(tmp_path: Path) -> None:
    shelf(tmp_path)
    (tmp_path / "power-cut").rename(tmp_path / "rumours")
    assert load("rumours", tmp_path).title == "Power cut"
    assert load("rumours").title != "Power cut"


@pytest.mark.parametrize("name", ["no-such", "../playbooks/rumours", "", "/etc"])
def test_an_unknown_playbook_lists_the_known_ones(name: str) -> None:
    with pytest.raises(PlaybookError, match="first-hours"):
        load(name)


BAD_FILES = [
    ({"playbook.toml": "title = "}, "power-cut/playbook.toml", "not TOML"),
    (
        {"playbook.toml": TOML.replace("notice", "alarm")},
        "playbook.toml: kind",
        "'crisis', 'update' or 'notice'",
    ),
    ({"playbook.toml": TOML.replace('"place"', '"street"')}, "placeholders.place.type", "'place'"),
    ({"playbook.toml": TOML.replace("label", "lable", 1)}, "placeholders.place.lable", "not permitted"),
    ({"playbook.toml": TOML.replace("place]", "Place]")}, "placeholders.Place", "match pattern"),
    ({"playbook.toml": 'source_language = "de"' + TOML}, "power-cut/de.md", "missing"),
    (
        {"playbook.toml": TOML + '[placeholders.x]\ntype="date"\nlabel="x"\nhelp="x"\nexample="x"'},
        ".x",
        "no text",
    ),
    ({"playbook.toml": TOML.replace("= false", '= "maybe"')}, "placeholders.note.required", "boolean"),
    ({"es.md": "no front matter"}, "power-cut/es.md", "head"),
    ({"es.md": HEAD.replace('"No power: {place}"', "[") + BODY}, "power-cut/es.md", "line"),
    ({"es.md": HEAD.replace('"No power"', "2026") + BODY}, "es.md: title", "string"),
    ({"es.md": HEAD.replace("title", "titel") + BODY}, "es.md: titel", "not permitted"),
    ({"es.md": HEAD}, "es.md: body", "empty"),
    ({"es.md": HEAD + BODY.replace("{place}", "{plaza}", 1)}, "es.md: body", "not described"),
    ({"es.md": HEAD + BODY + "{ }"}, "es.md: body", "brace"),
    ({"es.md": HEAD + BODY + "{Place}"}, "es.md: body", "brace"),
    ({"es.md": HEAD + BODY.replace("<{link}>", "{link}")}, "es.md: body", "bare"),
    ({"es.md": HEAD.replace('"No power"', '"{note}"') + BODY}, "es.md: title or short", "optional"),
    ({"es.md": HEAD.replace("power: {place}", "power") + BODY}, "es.md: short", "lacks 'place'"),
    ({"es.md": HEAD.replace("{link}", "{place}") + BODY}, "es.md: actions", "lacks '{link}'"),
    ({"es.md": HEAD + BODY.replace("{note}", "")}, "es.md: the text", "lacks 'note'"),
    ({"xq.md": HEAD + BODY}, "xq.md", "no language"),
    ({"zh-hans.md": HEAD + BODY}, "zh-hans.md", "zh-Hans.md"),
]


@pytest.mark.parametrize(("files", "subject", "message"), BAD_FILES)
def test_a_bad_file_names_file_key_and_cure(
    tmp_path: Path, files: dict[str, str], subject: str, message: str
) -> None:
    with pytest.raises(PlaybookError) as caught:
        load("power-cut", shelf(tmp_path, **files))
    assert any(subject in problem.subject and message in str(problem) for problem in caught.value.problems)
    assert all(problem.cure for problem in caught.value.problems)


def test_a_file_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    (shelf(tmp_path) / "power-cut" / "es.md").write_bytes(b"---\ntitle: caf\xe9\n---\nx")
    with pytest.raises(PlaybookError, match=r"power-cut/es\.md: cannot be read"):
        load("power-cut", tmp_path)


@pytest.fixture(scope="module")
def power_cut(tmp_path_factory: pytest.TempPathFactory) -> Playbook:
    return load("power-cut", shelf(tmp_path_factory.mktemp("city")))


def as_read(markdown: str) -> list[str]:
    """The lines of text a reader of the Markdown sees."""
    tokens = MarkdownIt("commonmark", {"html": False}).parse(markdown)
    inline = [token.children or [] for token in tokens if token.type == "inline"]
    return ["".join(child.content for child in children) for children in inline]


one_line = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp", "Cf"), exclude_characters="{}"),
    min_size=1,
    max_size=60,
)
markup = st.text("*_[]()<>`~#-+=!&;|\\1. a\"'/:", min_size=1, max_size=30)


@given(value=(one_line | markup).map(str.strip).filter(lambda text: any(map(str.isalnum, text))))
@settings(max_examples=150, deadline=None)
def test_a_value_is_text_wherever_it_stands_in_markdown(power_cut: Playbook, value: str) -> None:
    text = filled(power_cut, place=value, note=value)["en"]
    item, paragraph, note, _link = as_read(text.body)
    assert [shown.strip("\u200e\u200f") for shown in (item, paragraph, note)] == [value] * 3
    assert text.short.replace("\u200f", "") == f"No power: {value}"


@given(
    moment=st.datetimes(timezones=st.timezones()),
    language=st.sampled_from([*LANGUAGES, "vi", "ko", "fa", "am"]),
)
@settings(max_examples=100, deadline=None)
def test_every_moment_can_be_written_with_western_digits(moment, language: str) -> None:  # type: ignore[no-untyped-def]
    written = write_time(moment, language, "US")
    assert str(moment.day) in re.findall(r"\d+", written)
    assert f"{moment.minute:02}" in re.findall(r"\d+", written)
    assert all(digit in "0123456789" for digit in written if digit.isdigit())
    assert write_date(moment.date(), language, "US") in written
