"""Leaving, coming back, asking for help, joining: the words residents use (R1-R4), as a matrix."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.folding import fold, plain, with_accents
from channels.sms.keywords import Meaning, Word, answered_by_provider, read, read_topic, words
from templates import languages, phrases

NAMED = {
    *("en", "es", "pt", "fr", "ht", "ar", "zh-Hans", "zh-Hant", "vi", "sw", "hi", "fil", "ru", "ko", "am"),
    *("so", "uk", "pl", "fa", "ur"),
}
Variant = Callable[[str], str]


def _full_width(text: str) -> str:
    return "".join(chr(ord(sign) + 0xFEE0) if "!" <= sign <= "~" else sign for sign in text)


def _without_accents(text: str) -> str:
    apart = unicodedata.normalize("NFD", text)
    return unicodedata.normalize("NFC", "".join(sign for sign in apart if unicodedata.combining(sign) != 230))


def _bold(text: str) -> str:
    """As decorated keyboards write Latin capitals."""
    return "".join(chr(0x1D400 + ord(sign) - 65) if "A" <= sign <= "Z" else sign for sign in text)


def _stretched(text: str) -> str:
    return "".join(f"{sign}\u0640" if "\u0621" <= sign <= "\u064a" else sign for sign in text)


def _with_vowel_marks(text: str) -> str:
    return "".join(f"{sign}\u064e" if "\u0621" <= sign <= "\u064a" else sign for sign in text)


def _bare_alef(text: str) -> str:
    return text.translate(str.maketrans("أإآٱؤئة", "اااٱويه"))


def _persian_keys(text: str) -> str:
    return text.translate(str.maketrans("يك", "یک"))


def _arabic_keys(text: str) -> str:
    return text.translate(str.maketrans("یکہ", "يكه"))


def _with_joiners(text: str) -> str:
    return text.replace("\u094d", "\u094d\u200d")


def _without_nukta(text: str) -> str:
    return unicodedata.normalize("NFD", text).replace("\u093c", "")


def _other_nasal(text: str) -> str:
    return text.replace("\u0901", "\u0902")


def _amharic_homophones(text: str) -> str:
    return text.translate(str.maketrans("አሰሀጸ", "ዐሠሐፀ"))


CASES: dict[str, Variant] = {
    "as it is": str,
    "lower": str.lower,
    "upper": str.upper,
    "title": str.title,
    "swapped": lambda text: text.lower().swapcase(),
    "mixed": lambda text: "".join(
        sign.upper() if place % 2 else sign.lower() for place, sign in enumerate(text)
    ),
    "full width": _full_width,
    "full width, small": lambda text: _full_width(text.lower()),
    "bold": _bold,
    "composed": lambda text: unicodedata.normalize("NFC", text),
    "taken apart": lambda text: unicodedata.normalize("NFD", text),
    "compatible, taken apart": lambda text: unicodedata.normalize("NFKD", text),
    "stretched": _stretched,
    "vowel marks": _with_vowel_marks,
    "bare alef": _bare_alef,
    "Persian keys": _persian_keys,
    "Arabic keys": _arabic_keys,
    "joiners": _with_joiners,
    "no nukta": _without_nukta,
    "other nasal": _other_nasal,
    "homophones": _amharic_homophones,
}
AROUND: dict[str, Variant] = {
    "alone": str,
    "full stop": "{}.".format,
    "shouted": "{}!!!".format,
    "Spanish marks": "¡{}!".format,
    "quoted": "“{}”".format,
    "German quotes": "„{}“".format,
    "French quotes": "« {} »".format,
    "Chinese quotes": "「{}」".format,
    "brackets": "【{}】".format,
    "apostrophes": "'{}'".format,
    "spaces": "  {} \n".format,
    "no-break space": "\u00a0{}\u3000".format,
    "emoji": "🛑 {} 🙏🏽".format,
    "emoji with selectors": "{}❤️‍🔥".format,
    "danda": "{}।".format,
    "Ethiopic stop": "{}።".format,
    "Arabic comma": "{}،".format,
    "Chinese stop": "{}。".format,
    "zero width": "\u200b{}\ufeff".format,
    "direction marks": "\u200f{}\u200e".format,
    "hyphens": "--{}--".format,
    "said twice": lambda text: f"{text} {text}",
    "dots between": lambda text: ".".join(_clusters(text)),
    "spaces between": lambda text: " ".join(_clusters(text)),
    "hyphens between": lambda text: "-".join(_clusters(text)),
}


def _clusters(text: str) -> list[str]:
    """What a person would part: a letter with its marks."""
    return re.findall(r"[^\W_][^\w\s]*|\S", re.sub(r"\s+", "", unicodedata.normalize("NFC", text))) or [text]


def _marks_follow(text: str) -> bool:
    """Whether letters carry signs of their own (Indic scripts), which nobody writes apart."""
    return any(unicodedata.category(sign) in ("Mn", "Mc") for sign in unicodedata.normalize("NFC", text))


def variants(word: Word) -> Iterator[str]:
    """Every way in which the matrix writes one word."""
    for case, change in CASES.items():
        if word.accents_count and case == "compatible, taken apart":
            continue
        for name, put in AROUND.items():
            if name.endswith("between") and _marks_follow(word.text):
                continue
            yield put(change(word.text))


def test_the_matrix_has_every_language_of_the_rules() -> None:
    by_language = defaultdict(set)
    for word in words():
        by_language[word.language].add(word.meaning)
    assert set(by_language) == NAMED
    assert all(meanings == set(Meaning) for meanings in by_language.values())


def test_every_word_says_where_it_comes_from() -> None:
    assert {word.source for word in words()} == {"R1", "R2", "general"}


@pytest.mark.parametrize("word", words(), ids=lambda word: f"{word.language}-{word.text}")
def test_r1_r2_every_keyword_is_read_in_every_way_it_may_be_written(word: Word) -> None:
    wrong = [text for text in variants(word) if (read(text) or Word).meaning is not word.meaning]
    assert wrong == []


@pytest.mark.parametrize(
    "word",
    [word for word in words() if not word.accents_count],
    ids=lambda word: f"{word.language}-{word.text}",
)
def test_accents_may_be_left_out(word: Word) -> None:
    assert read(_without_accents(word.text)).meaning is word.meaning


def test_no_word_has_two_meanings_in_all_languages_together() -> None:
    meanings = defaultdict(set)
    for word in words():
        meanings[fold(word.text)].add(word.meaning)
    assert {word: each for word, each in meanings.items() if len(each) > 1} == {}


def test_a_word_whose_accents_count_is_something_else_without_them() -> None:
    for word in words():
        if word.accents_count:
            assert read(_without_accents(word.text).replace("đ", "d").replace("Đ", "D")) is None
            assert with_accents(word.text) != plain(word.text)


@pytest.mark.parametrize("word", [word for word in words() if word.meaning is Meaning.STOP])
@pytest.mark.parametrize(
    "more", ["{} 5", "{} Ave", "the {} we need", "{}, {} and peace", "Main {} St", "a{}b"]
)
def test_r3_a_word_with_anything_beside_it_opts_nobody_out(word: Word, more: str) -> None:
    found = read(more.format(word.text, word.text))
    assert found is None or found.meaning is not Meaning.STOP


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("STOP", Meaning.STOP),
        ("OPT OUT", Meaning.STOP),
        ("START", Meaning.START),
        ("UNSTOP", Meaning.START),
        ("HELP", Meaning.HELP),
        ("INFO", Meaning.HELP),
        ("ALTO", Meaning.STOP),
        ("NO MAS", Meaning.STOP),
        ("INICIO", Meaning.START),
        ("AYUDA", Meaning.HELP),
        ("auxilio", Meaning.HELP),
        ("ARRET", Meaning.STOP),
        ("AIDE", Meaning.HELP),
        ("YES", Meaning.YES),
        ("sí", Meaning.YES),
        ("STOP END", Meaning.STOP),
        ("join", Meaning.JOIN),
        ("idioma", Meaning.LANGUAGE),
    ],
)
def test_r1_r2_the_words_of_the_rules(text: str, meaning: Meaning) -> None:
    assert read(text).meaning is meaning


@pytest.mark.parametrize(
    "text",
    [
        *(
            "yes please",
            "help me",
            "the end",
            "1",
            "👍",
            "",
            "???",
            "St",
            "Don't stop",
            "Đúng",
            "Dũng",
            "dung",
        ),
        *("STOP HELP", "START STOP", "stop yes"),
    ],
)
def test_r3_what_is_no_keyword(text: str) -> None:
    assert read(text) is None


@pytest.mark.parametrize(
    ("text", "spoken", "language"),
    [
        ("ALTO", [], "es"),
        ("ARRÊT", [], "fr"),
        ("SAIR", [], "pt"),
        ("KANPE", [], "ht"),
        ("توقف", [], "ar"),
        ("停止", [], "zh"),  # in both scripts
        ("停止", ["en", "zh-Hant"], "zh"),
        ("退订", [], "zh-Hans"),
        ("退訂", [], "zh-Hant"),
        ("ACHA", [], "sw"),
        ("DỪNG", [], "vi"),
        ("JOOJI", [], "so"),
        ("PARAR", [], ""),  # Spanish and Portuguese
        ("PARAR", ["en", "es"], "es"),
        ("PARAR", ["en", "es-MX", "pt"], ""),
        ("INICIO", ["en", "pt-BR"], "pt"),
        ("ALTO", ["en", "fr"], "es"),  # though the city does not speak it
        ("СТОП", [], ""),  # Russian and Ukrainian
        ("СТОП", ["en", "uk"], "uk"),
        ("STOP", ["en", "es"], ""),  # everybody is told to write it
        ("LANG", ["ht"], ""),
        ("YES", [], ""),
    ],
)
def test_the_word_tells_the_language_where_only_one_has_it(
    text: str, spoken: list[str], language: str
) -> None:
    assert read(text).language(spoken) == language


@pytest.mark.parametrize("language", languages())
@pytest.mark.parametrize(("phrase", "meaning"), [("sms_stop", Meaning.STOP), ("sms_stopped", Meaning.START)])
def test_the_word_that_a_phrase_tells_residents_to_send_is_understood(
    language: str, phrase: str, meaning: Meaning
) -> None:
    """Written in capitals or between quotes, so that a resident sees what to send."""
    quoted = re.findall(r"[«“\"„「](.+?)[»”\"」]", phrases(language)[phrase])
    capitals = re.findall(r"[A-ZÀ-Ý]{3,}(?: [A-ZÀ-Ý]{3,})?", phrases(language)[phrase])
    assert meaning in {keyword.meaning for word in (*quoted, *capitals) if (keyword := read(word))}


@pytest.mark.parametrize(
    ("text", "meaning", "topic"),
    [
        ("STOP NEWS", Meaning.STOP, "NEWS"),
        ("news stop", Meaning.STOP, "news"),
        ("opt out weekly news", Meaning.STOP, "weekly news"),
        ("Stop-news", Meaning.STOP, "news"),
        ("JOIN Food Help", Meaning.JOIN, "Food Help"),
        ("join:food", Meaning.JOIN, "food"),
        ("UNIRSE noticias", Meaning.JOIN, "noticias"),
        ("订阅新闻", Meaning.JOIN, "新闻"),
        ("اشترك أخبار", Meaning.JOIN, "أخبار"),
        ("LANGUAGE Español", Meaning.LANGUAGE, "Español"),
        ("idioma español", Meaning.LANGUAGE, "español"),
        ("语言中文", Meaning.LANGUAGE, "中文"),
        ("stop signs", Meaning.STOP, "signs"),  # who knows the lists knows that there is none of that name
    ],
)
def test_what_a_word_names_is_read_with_it(text: str, meaning: Meaning, topic: str) -> None:
    found = read_topic(text)
    assert (found.meaning, found.topic) == (meaning, topic)


@pytest.mark.parametrize(
    "text", ["STOP", "hello there", "yes news", "help news", "", "stop " * 50, "x" * 300]
)
def test_a_text_that_names_nothing_has_no_topic(text: str) -> None:
    found = read_topic(text)
    assert found is None or found.topic


@pytest.mark.parametrize("text", ["STOP", "stop", " Stop ", "UNSUBSCRIBE", "start", "INFO", "optout"])
def test_twilio_answers_its_own_words_itself(text: str) -> None:
    assert answered_by_provider(text)


@pytest.mark.parametrize("text", ["ALTO", "OPT OUT", "stop!", "YES", "ｓｔｏｐ", "Stop signs", "", "JOIN"])
def test_what_twilio_may_not_recognise_is_ours_to_answer(text: str) -> None:
    assert not answered_by_provider(text)


@given(st.text(max_size=60))
def test_folding_is_stable_and_leaves_words_only(text: str) -> None:
    folded = plain(text)
    assert plain(folded) == folded
    assert fold(text) == folded.replace(" ", "")
    assert all(sign == " " or sign.isalnum() or unicodedata.category(sign) in ("Mn", "Mc") for sign in folded)


@given(st.text(max_size=300))
def test_any_text_can_be_read(text: str) -> None:
    read(text)
    read_topic(text)


@given(st.sampled_from(words()), st.text(st.sampled_from(' .,!?-_"\u200b\u00a0🙏'), max_size=5))
def test_no_punctuation_hides_a_keyword(word: Word, noise: str) -> None:
    assert read(noise + word.text + noise).meaning is word.meaning
