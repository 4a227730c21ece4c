"""Leaving, coming back and asking for help, in the words residents use (R1-R4)."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.sms.keywords import WORDS, Meaning, answered_by_provider, fold, read
from templates import languages, phrases

ALL = [
    (meaning, word.strip())
    for meaning, by in WORDS.items()
    for words in by.values()
    for word in words.split(",")
]


@pytest.mark.parametrize(
    "word", ["STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT", "OPT OUT"]
)
def test_r1_english_words_that_stop(word):
    assert read(word).meaning is Meaning.STOP


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("START", Meaning.START),
        ("UNSTOP", Meaning.START),
        ("HELP", Meaning.HELP),
        ("INFO", Meaning.HELP),
        ("ALTO", Meaning.STOP),
        ("No más", Meaning.STOP),
        ("NO MAS", Meaning.STOP),
        ("Parar", Meaning.STOP),
        ("CANCELAR", Meaning.STOP),
        ("baja", Meaning.STOP),
        ("detener", Meaning.STOP),
        ("INICIO", Meaning.START),
        ("REINICIAR", Meaning.START),
        ("AYUDA", Meaning.HELP),
        ("auxilio", Meaning.HELP),
        ("ARRET", Meaning.STOP),
        ("Arrêt", Meaning.STOP),
        ("AIDE", Meaning.HELP),
        ("sair", Meaning.STOP),
        ("kanpe", Meaning.STOP),
        ("توقف", Meaning.STOP),
        ("إيقاف", Meaning.STOP),
        ("ايقاف", Meaning.STOP),
        ("停止", Meaning.STOP),
        ("退订", Meaning.STOP),
        ("acha", Meaning.STOP),
        ("YES", Meaning.YES),
        ("sí", Meaning.YES),
    ],
)
def test_r2_words_in_other_languages(text, meaning):
    assert read(text).meaning is meaning


@pytest.mark.parametrize(
    "text",
    [
        "stop",
        " Stop. ",
        "STOP!!!",
        "«stop»",
        "S.T.O.P",
        "s t o p",
        "ｓｔｏｐ",
        "ＳＴＯＰ",
        "stop\u200b",
        "STOP 🙏",
        "Stóp",
        "stop\n",
        "“Stop”",
    ],
)
def test_r1_case_punctuation_spaces_accents_and_width_do_not_count(text):
    assert read(text).meaning is Meaning.STOP


@pytest.mark.parametrize(
    "text",
    [
        "Stop signs on Main St",
        "stop please",
        "no more texts please",
        "dejen de escribirme",
        "Don't stop",
        "yes please",
        "help me",
        "the end",
        "1",
        "👍",
        "",
        "???",
        "St",
    ],
)
def test_r3_anything_longer_is_a_reply(text):
    assert read(text) is None


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("ALTO", "es"),
        ("ARRÊT", "fr"),
        ("SAIR", "pt"),
        ("KANPE", "ht"),
        ("توقف", "ar"),
        ("停止", "zh"),
        ("ACHA", "sw"),
        ("PARAR", ""),  # Spanish and Portuguese
        ("CANCELAR", ""),
        ("STOP", ""),  # everybody is told to write it
        ("YES", ""),
    ],
)
def test_the_word_tells_the_language_where_only_one_has_it(text, language):
    assert read(text).language == language


@pytest.mark.parametrize(("meaning", "word"), ALL)
def test_every_word_of_the_table_is_read_with_its_own_meaning(meaning, word):
    assert read(word).meaning is meaning
    assert read(f" {word.lower()}! ").meaning is meaning


@pytest.mark.parametrize("language", languages())
@pytest.mark.parametrize(("phrase", "meaning"), [("sms_stop", Meaning.STOP), ("sms_stopped", Meaning.START)])
def test_the_word_that_a_phrase_tells_residents_to_send_is_understood(language, phrase, meaning):
    """Written in capitals or between quotes, so that a resident sees what to send."""
    quoted = re.findall(r"[«“\"„「](.+?)[»”\"」]", phrases(language)[phrase])
    capitals = re.findall(r"[A-ZÀ-Ý]{3,}(?: [A-ZÀ-Ý]{3,})?", phrases(language)[phrase])
    assert meaning in {keyword.meaning for word in (*quoted, *capitals) if (keyword := read(word))}


@pytest.mark.parametrize("text", ["STOP", "stop", " Stop ", "UNSUBSCRIBE", "start", "INFO", "optout"])
def test_twilio_answers_its_own_words_itself(text):
    assert answered_by_provider(text)


@pytest.mark.parametrize("text", ["ALTO", "OPT OUT", "stop!", "YES", "ｓｔｏｐ", "Stop signs", ""])
def test_what_twilio_may_not_recognise_is_ours_to_answer(text):
    assert not answered_by_provider(text)


@given(st.text(max_size=60))
def test_folding_is_stable_and_leaves_letters_and_digits_only(text):
    folded = fold(text)
    assert fold(folded) == folded
    assert all(character.isalnum() for character in folded)


@given(st.sampled_from(ALL), st.text(st.sampled_from(" .,!?-_'\"\u200b\u00a0🙏"), max_size=5))
def test_no_punctuation_hides_a_keyword(entry, noise):
    meaning, word = entry
    assert read(noise + word + noise).meaning is meaning
