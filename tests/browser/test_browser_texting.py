"""A resident's phone in the browser: join, change language, refuse, leave and come back, in three languages."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from browsing import DESKTOP, PHONE, Open, Scene, fits
from playwright.sync_api import Page, expect

import templates
from contacts import lists
from notify.inbound import HELD

pytestmark = [pytest.mark.slow, pytest.mark.browser]

NUMBER = "+12065550123"
TITLES = {"en": "Weekly news", "es": "Noticias de la semana", "ar": "أخبار الأسبوع"}
# What to text, and the sentence that answers it; none where a person has to read it.
STORIES = {
    "en": [("JOIN NEWS", "sms_joined"), ("Stop signs on Main St", ""), ("STOP NEWS", "sms_left"),
           ("OPT OUT", "sms_stopped"), ("Yes!", "sms_started"), ("no more texts please", "")],
    "es": [("Español", "menu_language_set"), ("JOIN NEWS", "sms_joined"), ("Alto al fuego", ""),
           ("ALTO", "sms_stopped"), ("INICIO", "sms_started"), ("dejen de escribirme por favor", "")],
    "ar": [("العربية", "menu_language_set"), ("JOIN NEWS", "sms_joined"), ("أوقفوا الكراهية", ""),
           ("توقّف", "sms_stopped"), ("ابدأ", "sms_started"), ("لا ترسلوا لي رسائل", "")],
}  # fmt: skip


def texts(page: Page, words: str) -> None:
    """Write on the phone that is open, and send."""
    said = page.locator(".handset").get_by_text(words, exact=True)
    before = said.count()
    page.locator("#words").fill(words)
    page.get_by_role("button", name="Send", exact=True).first.click()
    expect(said).to_have_count(before + 1)


def beginning(language: str, key: str) -> re.Pattern[str]:
    """The first words of a sentence: enough to know it by."""
    sentence = templates.phrases(language)[key].split("{list}")[0].split("{language}")[0]
    words = sentence.format(city="Rivermouth").rstrip("«“ ").strip()
    return re.compile(re.escape(words))


@pytest.mark.parametrize("viewport", [PHONE, DESKTOP], ids=["phone", "desktop"])
@pytest.mark.parametrize("language", STORIES)
def test_a_resident_joins_leaves_comes_back_and_refuses(
    scene: Scene, open_page: Open, tmp_path: Path, language: str, viewport: dict[str, int]
) -> None:
    endpoint = scene.resident(NUMBER, on="Food help")
    with scene.session() as session:
        news = lists.get_or_create(session, "News")
        lists.edit(session, news, public=True, join_word="news", titles=TITLES)
        session.commit()
    scene.dispatch(scene.statement(), ("sms",))
    with open_page("/sandbox/", viewport=viewport) as page:
        page.get_by_role("link", name="Rosa Quintero").first.click()
        phone = page.locator(".handset")
        for number, (words, answer) in enumerate(STORIES[language]):
            texts(page, words)
            if answer:
                expect(phone).to_contain_text(beginning(language, answer))
            page.screenshot(path=tmp_path / f"{language}-{number}.png", animations="disabled")  # to look at
        assert fits(page)
        assert scene.fresh(endpoint).held == HELD
    assert not scene.fresh(endpoint).opted_out
