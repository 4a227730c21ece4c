"""What people call their language."""

from __future__ import annotations

import pytest
from babel import Locale
from hypothesis import given
from hypothesis import strategies as st

from contacts.languages import language_tag
from contacts.values import BadValue, Problem


@pytest.mark.parametrize(
    ("raw", "tag"),
    [
        ("es", "es"), ("ES", "es"), ("spa", "es"), ("Spanish", "es"), ("SPANISH ", "es"), ("español", "es"),
        ("espanol", "es"), ("castellano", "es"), ("es-MX", "es-MX"), ("es_419", "es-419"),
        ("zh", "zh-Hans"), ("zh-CN", "zh-Hans"), ("zh-SG", "zh-Hans"), ("cmn", "zh-Hans"), ("中文", "zh-Hans"),
        ("Chinese", "zh-Hans"), ("Mandarin", "zh-Hans"), ("简体中文", "zh-Hans"), ("Chinese (Simplified)", "zh-Hans"),
        ("zh-TW", "zh-Hant"), ("zh_HK", "zh-Hant"), ("zh-Hant-TW", "zh-Hant"), ("繁體中文", "zh-Hant"),
        ("Traditional Chinese", "zh-Hant"), ("Cantonese", "yue"),
        ("ht", "ht"), ("Kreyòl", "ht"), ("kreyol ayisyen", "ht"), ("Haitian Creole", "ht"), ("Creole", "ht"),
        ("tl", "fil"), ("Tagalog", "fil"), ("Filipino", "fil"), ("iw", "he"), ("Hebrew", "he"), ("mo", "ro"),
        ("pt-br", "pt-BR"), ("Brazilian Portuguese", "pt-BR"), ("Portuguese (Brazil)", "pt-BR"),
        ("português", "pt"), ("Français", "fr"), ("العربية", "ar"), ("Arabic", "ar"), ("Tiếng Việt", "vi"),
        ("Vietnamese", "vi"), ("Kiswahili", "sw"), ("हिन्दी", "hi"), ("Русский", "ru"), ("한국어", "ko"),
        ("አማርኛ", "am"), ("Soomaali", "so"), ("Farsi", "fa"), ("Dari", "fa-AF"), ("prs", "fa-AF"),
        ("árabe", "ar"), ("ARABE", "ar"), ("inglés", "en"), ("vietnamita", "vi"), ("anglais", "en"), ("arabe", "ar"),
        ("الإنجليزية", "en"), ("الاسبانية", "es"), ("عربي", "ar"), ("إنجليزي", "en"), ("арабский", "ar"),
        ("criollo haitiano", "ht"), ("chino", "zh-Hans"), ("chino simplificado", "zh-Hans"), ("somalí", "so"),
        ("پښتو", "ps"), ("Hmong", "hmn"), ("\u200fعربي\u200f ar"[-2:], "ar"),
    ],
)  # fmt: skip
def test_a_language_is_known_by_its_tag_and_its_names(raw: str, tag: str) -> None:
    assert language_tag(raw) == tag


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        ("", Problem.EMPTY),
        ("\u200b", Problem.EMPTY),
        ("xx", Problem.LANGUAGE_UNKNOWN),
        ("und", Problem.LANGUAGE_UNKNOWN),
        ("Root", Problem.LANGUAGE_UNKNOWN),
        ("Unknown language", Problem.LANGUAGE_UNKNOWN),
        ("Klingonese", Problem.LANGUAGE_UNKNOWN),
        ("en-x-private", Problem.LANGUAGE_UNKNOWN),
        ("English/Spanish", Problem.LANGUAGE_SEVERAL),
        ("Spanish and English", Problem.LANGUAGE_SEVERAL),
        ("es, en", Problem.LANGUAGE_SEVERAL),
        ("e" * 61, Problem.TOO_LONG),
    ],
)
def test_a_language_that_is_none_or_could_be_two_is_refused(raw: str, code: Problem) -> None:
    with pytest.raises(BadValue) as refused:
        language_tag(raw)
    assert refused.value.code == code


@pytest.mark.parametrize(
    "code", ["ar", "fr", "hi", "ko", "pl", "pt", "ru", "so", "sw", "ur", "vi", "uk", "fa", "bn"]
)
def test_english_and_own_names_agree(code: str) -> None:
    locale = Locale(code)
    assert language_tag(locale.english_name) == language_tag(locale.get_display_name()) == code


@given(st.text(max_size=80))
def test_any_text_is_a_tag_that_stays_or_is_refused(raw: str) -> None:
    try:
        tag = language_tag(raw)
    except BadValue:
        return
    assert language_tag(tag) == tag
