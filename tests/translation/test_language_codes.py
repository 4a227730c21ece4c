from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notify.translation.codes import best_match, from_argos, standard, to_argos
from notify.translation.engine import closest_pair


@pytest.mark.parametrize(
    ("wanted", "have", "served_by"),
    [
        ("es-MX", ["en", "es"], "es"),
        ("es-419", ["en", "es"], "es"),
        ("en-GB", ["en"], "en"),
        ("ar-EG", ["ar"], "ar"),
        ("arz", ["ar"], "ar"),
        ("fa-AF", ["fa"], "fa"),
        ("prs", ["fa"], "fa"),
        ("no", ["nb"], "nb"),
        ("tl", ["fil"], "fil"),
        ("iw", ["he"], "he"),
        ("pt-PT", ["pt"], "pt"),
        ("pt", ["pt-PT"], "pt-PT"),
        ("pt", ["pt-PT", "pt-BR"], "pt-BR"),
        ("sw-KE", ["sw"], "sw"),
        ("zh-TW", ["zh-Hans", "zh-Hant"], "zh-Hant"),
        ("zh-HK", ["zh-Hans", "zh-Hant"], "zh-Hant"),
        ("zh-CN", ["zh-Hant", "zh-Hans"], "zh-Hans"),
        ("zh", ["zh-Hant", "zh-Hans"], "zh-Hans"),
        ("cmn", ["zh-Hans"], "zh-Hans"),
        ("zh_TW", ["zh-Hant"], "zh-Hant"),
        ("es", ["es-MX", "es"], "es"),
        ("ES", ["es"], "es"),
        ("es", ["not a tag", "es"], "es"),
    ],
)
def test_a_reader_is_served_by_the_closest_language(wanted: str, have: list[str], served_by: str) -> None:
    assert best_match(wanted, have) == served_by


@pytest.mark.parametrize(
    ("wanted", "have"),
    [
        ("zh-TW", ["zh-Hans", "en"]),
        ("zh-Hans", ["zh-Hant", "en"]),
        ("ht", ["fr", "en"]),
        ("yue", ["zh-Hant", "zh-Hans"]),
        ("nn", ["nb", "no", "da"]),
        ("da", ["nb", "sv"]),
        ("id", ["ms"]),
        ("uk", ["ru"]),
        ("ca", ["es"]),
        ("so", ["en", "ar"]),
        ("ur", ["hi", "en"]),
        ("ti", ["am"]),
        ("und", ["en"]),
        ("not a tag", ["en"]),
        ("", ["en"]),
        ("es", []),
    ],
)
def test_nobody_is_served_a_language_that_is_only_related(wanted: str, have: list[str]) -> None:
    assert best_match(wanted, have) is None


@given(st.lists(st.sampled_from(["en", "es", "es-MX", "zh-Hant", "zh-Hans", "pt-BR", "ht", "ar", "fil"])))
def test_every_language_that_is_there_serves_its_own_readers(have: list[str]) -> None:
    assert [best_match(each, have) for each in have] == have


@pytest.mark.parametrize(
    ("code", "tag"),
    [
        ("zt", "zh-Hant"),
        ("zh", "zh-Hans"),
        ("pb", "pt-BR"),
        ("pt", "pt-PT"),
        ("tl", "fil"),
        ("nb", "nb"),
        ("en", "en"),
        ("ar", "ar"),
    ],
)
def test_an_argos_code_and_its_tag_lead_to_each_other(code: str, tag: str) -> None:
    assert from_argos(code) == tag
    assert to_argos(tag) == code


@pytest.mark.parametrize(
    ("written", "tag"),
    [("ES_mx", "es-MX"), ("iw", "he"), ("mo", "ro"), ("spa", "es"), (" prs ", "fa-AF"), ("zh_tw", "zh-TW")],
)
def test_tags_are_written_one_way(written: str, tag: str) -> None:
    assert standard(written) == tag


@pytest.mark.parametrize("written", ["", "!!", "english please", "en-", "e"])
def test_what_is_no_tag_is_refused_with_an_example(written: str) -> None:
    with pytest.raises(ValueError, match="Write one like en"):
        standard(written)


@pytest.mark.parametrize(
    ("source", "target", "pair"),
    [
        ("en-US", "es-MX", ("en", "es")),
        ("en", "zh-TW", ("en", "zh-Hant")),
        ("en", "pt-BR", ("en", "pt-PT")),
        ("es", "en", ("es", "en")),
        ("en", "ht", None),
        ("fr", "es", None),
        ("en", "en", None),
        ("es-MX", "es-AR", None),
    ],
)
def test_the_closest_pair_is_found(source: str, target: str, pair: tuple[str, str] | None) -> None:
    pairs = {("en", "es"), ("es", "en"), ("en", "zh-Hans"), ("en", "zh-Hant"), ("en", "pt-PT")}
    assert closest_pair(pairs, source, target) == pair
