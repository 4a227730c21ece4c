"""The fixed sentences residents read: one file a language, all with the same keys and placeholders."""

from __future__ import annotations

import re
import unicodedata
from string import Formatter

import pytest

import templates
from channels.sms import keywords
from channels.sms.keywords import Meaning
from channels.sms.segments import alphabet_of
from channels.telegram.commands import COMMANDS

LANGUAGES = templates.languages()
TRANSLATED = [language for language in LANGUAGES if language != "en"]
SCRIPTS = {
    "ar": {"ARABIC"},
    "fa": {"ARABIC"},
    "ur": {"ARABIC"},
    "hi": {"DEVANAGARI"},
    "ko": {"HANGUL"},
    "ru": {"CYRILLIC"},
    "uk": {"CYRILLIC"},
    "zh-Hans": {"CJK"},
}
SAMPLE = {
    "city": "Rivermouth",
    "name": "Amina Warsame",
    "phone": "(206) 555-0134",
    "url": "https://www.rivermouth.example",
    "address": "name@example.org",
    "date": "1",
    "page": "1",
    "pages": "2",
    "list": "Weekly news",
    "words": "NEWS, FOOD",
    "language": "Español",
}
# What stays as it is in every script: keywords, Telegram's commands, the names of techniques.
SHARED = r"\{\w+\}|/\w+|(STOP|START|HELP|JOIN|SMS)(?![A-Z])"


def placeholders(sentence: str) -> list[str]:
    return sorted(field for _, field, _, _ in Formatter().parse(sentence) if field is not None)


def test_the_playbooks_languages_and_more_have_phrases() -> None:
    assert {"en", "es", "pt", "fr", "ar", "zh-Hans", "ht", "sw"} <= set(LANGUAGES)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_every_sentence_in_the_same_order(language: str) -> None:
    assert list(templates.phrases(language)) == list(templates.phrases("en"))


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_sentence_keeps_its_placeholders_and_can_be_filled(language: str) -> None:
    english = templates.phrases("en")
    for key, sentence in templates.phrases(language).items():
        assert placeholders(sentence) == placeholders(english[key]), key
        assert not re.search(r"[{}\n]", sentence.format(**SAMPLE)), key
        assert sentence == sentence.strip() != "", key


@pytest.mark.parametrize("language", TRANSLATED)
def test_no_sentence_is_left_in_english(language: str) -> None:
    english = templates.phrases("en")
    same = [key for key, sentence in templates.phrases(language).items() if sentence == english[key]]
    assert same == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_sentence_is_in_the_languages_own_script(language: str) -> None:
    for key, sentence in templates.phrases(language).items():
        letters = [letter for letter in re.sub(SHARED, "", sentence) if letter.isalpha()]
        scripts = {unicodedata.name(letter).split()[0] for letter in letters}
        assert scripts <= SCRIPTS.get(language, {"LATIN"}), key


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_text_message_offers_a_word_that_we_act_on(language: str) -> None:
    def meanings(key: str) -> set[Meaning]:
        capitals = re.findall(r"[A-ZÀ-Ý]{2,}", re.sub(r"\{\w+\}", "", templates.phrases(language)[key]))
        return {found.meaning for found in map(keywords.read, capitals) if found}

    assert Meaning.STOP in meanings("sms_stop")
    assert Meaning.STOP in meanings("sms_help")
    assert {Meaning.STOP, Meaning.HELP} <= meanings("sms_started")
    assert meanings("sms_stopped") == {Meaning.START}


@pytest.mark.parametrize("language", LANGUAGES)
def test_telegram_tells_both_commands(language: str) -> None:
    words = templates.phrases(language)
    assert "/stop" in words["telegram_started"]
    assert "/start" in words["telegram_stopped"]
    assert "/stop" in words["telegram_joined"]
    commands = {f"/{command}" for command in COMMANDS} - {"/help"}
    assert set(re.findall(r"/[a-z]+", words["telegram_help"])) == commands


@pytest.mark.parametrize("language", LANGUAGES)
def test_telegram_takes_the_descriptions_of_its_commands(language: str) -> None:
    """https://core.telegram.org/bots/api#botcommand: 1 to 256 characters; a short line fits on a phone."""
    words = templates.phrases(language)
    assert all(len(words[f"telegram_command_{command}"]) <= 40 for command in COMMANDS)


@pytest.mark.parametrize("language", ["en", "es", "pt", "fr", "ht", "sw", "so", "fil"])
def test_the_lines_under_every_text_message_stay_in_the_cheap_alphabet(language: str) -> None:
    words = templates.phrases(language)
    assert alphabet_of(words["sms_more"] + words["sms_stop"]).name.startswith("GSM")


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_stop_line_is_short(language: str) -> None:
    assert len(templates.phrases(language)["sms_stop"]) <= 45


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_direction_is_that_of_the_script(language: str) -> None:
    expected = "rtl" if SCRIPTS.get(language) == {"ARABIC"} else "ltr"
    assert templates.direction(language) == expected


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_language_has_a_name_for_itself_and_in_english(language: str) -> None:
    assert templates.language_name(language, "en") != language
    names = [templates.phrases(each)["language"] for each in LANGUAGES]
    assert names.count(templates.phrases(language)["language"]) == 1
