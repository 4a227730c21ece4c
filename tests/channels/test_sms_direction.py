"""A browser, like a phone, lays out each line by its first letter: are phone numbers the right way round?"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from html import escape

import pytest

from channels.sms.composing import keep_direction

pytestmark = [pytest.mark.slow, pytest.mark.browser]

STYLE = "unicode-bidi: plaintext; white-space: pre-line; font: 24px sans-serif; width: 1200px"
PAGE = f"<p id=t style='{STYLE}'>{{}}</p>"
WHERE = """needle => {
  const node = document.getElementById('t').firstChild, from = node.data.indexOf(needle)
  return [...needle].map((_, place) => {
    const range = document.createRange()
    range.setStart(node, from + place); range.setEnd(node, from + place + 1)
    return range.getBoundingClientRect().left
  })
}"""


@pytest.fixture(scope="module")
def page() -> Iterator[object]:
    playwright = pytest.importorskip("playwright.sync_api")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    with playwright.sync_playwright() as browsers:
        browser = browsers.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser.new_page()
        browser.close()


def reads_from_left(page, text: str, needle: str) -> bool:
    """Whether each character of `needle` is shown to the right of the one before it."""
    page.set_content(PAGE.format(escape(text)))
    places = page.evaluate(WHERE, needle)
    return places == sorted(places) and len(set(places)) == len(places)


@pytest.mark.parametrize("words", ["اتصل بنا على", "התקשרו אל", "با ما تماس بگیرید:"])
@pytest.mark.parametrize(
    "number", ["+1 (555) 010-0199", "+15550100199", "555 010 0199", "1-800-555-0100", "3-1-1"]
)
def test_a_phone_number_in_a_right_to_left_line_keeps_its_order(page, words, number):
    for text in (f"{words} {number}.", f"{number} {words}", f"Riverton: {words} {number} {words}"):
        assert reads_from_left(page, keep_direction(text), number)


@pytest.mark.parametrize(
    ("text", "number"),
    [("اتصل بنا على 555-010-0199.", "555-010-0199"), ("התקשרו אל +15550100199", "+15550100199")],
)
def test_without_the_marks_the_number_is_shown_wrongly(page, text, number):
    assert not reads_from_left(page, text, number)


def test_a_message_that_begins_with_a_latin_name_still_runs_from_the_right(page):
    words = "مرحبا"
    page.set_content(PAGE.format(keep_direction(f"Riverton: {words}")))
    city, greeting = page.evaluate(WHERE, "Riverton")[0], page.evaluate(WHERE, words)[0]
    assert city > greeting
    page.set_content(PAGE.format(f"Riverton: {words}"))
    city, greeting = page.evaluate(WHERE, "Riverton")[0], page.evaluate(WHERE, words)[0]
    assert city < greeting


def test_a_link_keeps_its_order(page):
    link = "https://notify.riverton.example/s/12/ar"
    assert reads_from_left(page, keep_direction(f"Riverton: النص الكامل: {link}"), link)
