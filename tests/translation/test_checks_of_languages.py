"""Which language a text is in."""

from __future__ import annotations

import pytest

from notify.translation.identifying import identify, is_in, scripts_for, words


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("The library stays open until six in the evening.", "en"),
        ("La biblioteca abre hasta las seis de la tarde.", "es"),
        ("A biblioteca fica aberta até as seis da tarde.", "pt"),
        ("La bibliothèque reste ouverte jusqu'à six heures.", "fr"),
        ("Nou la pou ede w jwenn sa w bezwen.", "ht"),
        ("Ofisi zitafunguliwa kesho asubuhi na mapema.", "sw"),
        ("Thư viện mở cửa đến sáu giờ tối.", "vi"),
        ("المكتبة مفتوحة حتى السادسة مساء.", "ar"),
        ("Бібліотека відкрита до шостої вечора.", "uk"),
        ("图书馆开到晚上六点。", "zh"),
        ("図書館は六時まで開いています。", "ja"),
        ("도서관은 여섯 시까지 엽니다.", "ko"),
        ("Ang aklatan ay bukas hanggang alas-sais ng gabi.", "fil"),
    ],
)
def test_a_sentence_is_in_its_language(text: str, language: str) -> None:
    found, chance = identify(text)
    assert found == language
    assert chance > 0.5
    assert is_in(text, language) is True


@pytest.mark.parametrize(
    ("text", "language", "answer"),
    [
        ("A biblioteca fica aberta até as seis da tarde.", "es", False),
        ("The library stays open until six.", "ar", False),
        ("图书馆开到晚上六点。", "zh-Hant", False),
        ("圖書館開到晚上六點。", "zh-Hant", True),
        ("圖書館開到晚上六點。", "zh-Hans", False),
        ("図書館は六時まで開いています。", "zh-Hans", False),
        ("Total", "es", None),  # too short
        ("Tsev qiv ntawv qhib txog thaum rau teev.", "hmn", None),  # not known
        ("555-0100", "es", None),
        ("", "es", None),
    ],
)
def test_what_cannot_be_told_is_none(text: str, language: str, answer: bool | None) -> None:
    assert is_in(text, language) is answer


def test_a_text_without_letters_is_in_no_language() -> None:
    assert identify("555-0100") == ("und", 0.0)


def test_scripts_follow_the_tag() -> None:
    assert scripts_for("sr-Latn") == {"Latn"}
    assert scripts_for("ja") == {"Hani", "Hira", "Kana"}


def test_letters_without_blanks_between_words_count_two_a_word() -> None:
    assert words("图书馆开门 today") == 3
