"""Residents' pages in a real browser: every script, every size, and without a mouse."""

from __future__ import annotations

import pytest
from browsing import PHONE, Open, Scene, fits, press_until
from playwright.sync_api import expect
from web_city import ARABIC, CHINESE, ENGLISH

import templates
from notify.statements import Text

pytestmark = [pytest.mark.slow, pytest.mark.browser]

# What a check of accessibility looks for first, asked of the page as the browser built it.
FAULTS = """() => {
  const faults = [];
  const visible = (element) => element.getClientRects().length > 0;
  if (document.querySelectorAll("h1").length !== 1) faults.push("not one h1");
  if (document.querySelectorAll("main").length !== 1) faults.push("not one main");
  if (!document.documentElement.lang) faults.push("no language");
  if (!document.title.trim()) faults.push("no title");
  for (const element of document.querySelectorAll("a, button")) {
    const name = element.innerText || element.getAttribute("aria-label") || "";
    if (!name.trim()) faults.push("no name: " + element.outerHTML);
    const alone = visible(element) && !element.closest("p") && !element.matches(".skip");
    if (alone && element.getBoundingClientRect().height < 24) faults.push("small: " + element.outerHTML);
  }
  for (const field of document.querySelectorAll("input:not([type=hidden]), select, textarea")) {
    if (!field.labels?.length && !field.getAttribute("aria-label")) faults.push("no label: " + field.outerHTML);
  }
  const ids = [...document.querySelectorAll("[id]")].map((element) => element.id);
  if (new Set(ids).size !== ids.length) faults.push("an id twice");
  return faults;
}"""


@pytest.mark.parametrize(
    ("language", "text", "direction", "font"),
    [("en", ENGLISH, "ltr", "Noto"), ("ar", ARABIC, "rtl", "Arabic"), ("zh-Hans", CHINESE, "ltr", "CJK")],
)
def test_a_statement_reads_well_in_every_size(
    scene: Scene, open_page: Open, language: str, text: Text, direction: str, font: str
) -> None:
    slug = scene.statement().slug
    for viewport in (PHONE, {"width": 320, "height": 640}, {"width": 1280, "height": 900}):
        with open_page(f"/s/{slug}/{language}", viewport=viewport) as page:
            expect(page.get_by_role("heading", level=1)).to_have_text(text.title)
            assert page.evaluate("getComputedStyle(document.body).direction") == direction
            assert fits(page)
            assert page.evaluate(FAULTS) == []
            assert font in page.evaluate("getComputedStyle(document.querySelector('h1')).fontFamily")


def test_a_phone_number_reads_from_left_to_right_in_arabic(scene: Scene, open_page: Open) -> None:
    with open_page(f"/s/{scene.statement().slug}/ar", viewport=PHONE) as page:
        number = page.locator(".body bdi", has_text="(206) 555-0134")
        box = number.bounding_box()
        assert box
        places = number.evaluate(
            """(element) => [...element.firstChild.data].map((_, index) => {
                 const range = document.createRange();
                 range.setStart(element.firstChild, index);
                 range.setEnd(element.firstChild, index + 1);
                 return range.getBoundingClientRect().left;
               })"""
        )
        assert places == sorted(places)


def test_a_word_without_end_breaks_instead_of_pushing_the_page(scene: Scene, open_page: Open) -> None:
    long = Text("Z" * 150, "X" * 300, f"{'Y' * 500}\n\n    {'code ' * 100}", ENGLISH.actions)
    slug = scene.statement(translations={"es": long}).slug
    with open_page(f"/s/{slug}/es", viewport=PHONE) as page:
        assert fits(page)


def test_another_language_is_a_few_keys_away(scene: Scene, open_page: Open) -> None:
    with open_page(f"/s/{scene.statement().slug}/en") as page:
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name="Skip to the text")).to_be_focused()
        expect(page.get_by_role("link", name="Skip to the text")).to_be_in_viewport()
        press_until(page, "Tab", "العربية")
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=1)).to_have_text(ARABIC.title)
        expect(page.get_by_role("link", name="العربية")).to_have_attribute("aria-current", "page")


def test_the_skip_link_leads_to_the_text(scene: Scene, open_page: Open) -> None:
    with open_page(f"/s/{scene.statement().slug}/en") as page:
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "text"


@pytest.mark.parametrize(("language", "script"), [("en", True), ("ar", True), ("zh-Hans", False)])
def test_a_resident_leaves_with_the_keyboard_alone(
    scene: Scene, open_page: Open, language: str, script: bool
) -> None:
    words = templates.phrases(language)
    endpoint = scene.resident("rosa@example.org", channel="email", language=language)
    with open_page(f"/u/{scene.token(endpoint)}", viewport=PHONE, java_script_enabled=script) as page:
        expect(page.get_by_role("heading", level=1)).to_have_text(words["leave_title"])
        assert not scene.fresh(endpoint).opted_out
        for _ in range(2):  # past the way to the text and the city's name
            page.keyboard.press("Tab")
        page.keyboard.press("Tab")
        expect(page.get_by_role("button", name=words["leave_button"])).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=1)).to_have_text(words["left_title"])
        expect(page.get_by_role("status")).to_be_visible()
        assert page.context.cookies() == []
    assert scene.fresh(endpoint).opted_out


def test_who_leaves_one_list_may_leave_all_with_one_more_press(scene: Scene, open_page: Open) -> None:
    endpoint = scene.resident("rosa@example.org", channel="email")
    with open_page(f"/u/{scene.token(endpoint, scene.list_id())}") as page:
        page.get_by_role("button").click()
        page.get_by_role("button", name="Stop all messages from Rivermouth").click()
        expect(page.get_by_role("button")).to_have_count(0)
        assert page.evaluate(FAULTS) == []
    assert scene.fresh(endpoint).opted_out


def test_the_citys_page_and_the_page_for_nothing_read_well(scene: Scene, open_page: Open) -> None:
    scene.dispatch(scene.statement(), ("sms",))
    with open_page("/?language=ar", viewport=PHONE) as page:
        assert fits(page)
        assert page.evaluate(FAULTS) == []
        page.get_by_role("link", name=ARABIC.title).click()
        expect(page.get_by_role("heading", level=1)).to_have_text(ARABIC.title)
