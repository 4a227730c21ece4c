"""Residents in a chat on the sandbox's page: by link, language, topics, stop, back; mouse, keyboard, no script."""

from __future__ import annotations

import asyncio

import pytest
from browsing import DESKTOP, PHONE, Open, Scene, fits
from playwright.sync_api import Page, expect
from sqlmodel import select

import templates
from contacts import consent, lists
from contacts.models import ContactList, Endpoint

pytestmark = [pytest.mark.slow, pytest.mark.browser]

TITLES = {
    "Road works": {"en": "Road works and buses", "es": "Obras y autobuses", "ar": "أعمال الطرق والحافلات"},
    "Food help": {"en": "Food help", "es": "Ayuda con alimentos", "ar": "المساعدات الغذائية"},
    "Schools": {"en": "Schools", "es": "Escuelas", "ar": "المدارس"},
}


@pytest.fixture(autouse=True)
def _topics(scene: Scene) -> None:
    with scene.session() as session:
        for name, titles in TITLES.items():
            made = lists.get_or_create(session, name)
            made.public, made.titles = True, titles
            session.add(made)
        session.commit()


def link(scene: Scene, name: str) -> str:
    channel = scene.hub.channels["telegram"]
    invited = asyncio.run_coroutine_threadsafe(
        channel.invite(f"list-{scene.list_id(name)}"),
        scene.loop,  # type: ignore[attr-defined]
    )
    return str(invited.result(20))


def open_link(page: Page, url: str, language: str, chat: str = "7001") -> None:
    """A stranger scans a poster, with a phone in a language."""
    page.get_by_text("Write as another resident").click()
    page.get_by_label("Over").select_option("telegram")
    page.get_by_label("Number, or Telegram chat").fill(chat)
    page.get_by_label("Message, or a link").fill(url)
    page.get_by_label("Language of the phone").select_option(language)
    with page.expect_navigation(wait_until="load"):  # a press before the script is there leaves the page
        page.get_by_role("button", name="Send").click()


def gets(scene: Scene, chat: str = "7001") -> set[str]:
    with scene.hub.database.reading() as session:
        endpoint = session.exec(select(Endpoint).where(Endpoint.address_key == chat)).one()
        names = {each.id: each.name for each in session.exec(select(ContactList))}
        standing = consent.present(session, endpoint.id or 0).lists
    return {names[number] for number, found in standing.items() if found.active}


@pytest.mark.parametrize("language", ["en", "es", "ar"])
@pytest.mark.parametrize("viewport", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_a_resident_joins_chooses_leaves_and_comes_back(
    scene: Scene, open_page: Open, language: str, viewport: dict[str, int]
) -> None:
    said = templates.phrases(language)
    other = "es" if language == "en" else "en"
    with open_page("/sandbox/", viewport=viewport) as page:
        open_link(page, link(scene, "Food help"), language)
        screen = page.get_by_role("log")
        expect(screen).to_contain_text(TITLES["Food help"][language])
        expect(screen.get_by_role("button", name=f"✓ {TITLES['Food help'][language]}")).to_be_visible()
        assert fits(page)
        screen.get_by_role("button", name=templates.phrases(other)["language"]).click()
        expect(screen).to_contain_text(
            templates.phrases(other)["menu_language_set"].format(
                language=templates.phrases(other)["language"]
            )
        )
        expect(screen).to_contain_text(TITLES["Schools"][other])
        screen.get_by_role("button", name=said["language"]).click()
        screen.get_by_role("button", name=TITLES["Schools"][language]).last.click()
        expect(screen.get_by_role("button", name=f"✓ {TITLES['Schools'][language]}")).to_be_visible()
        assert gets(scene) == {"Food help", "Schools"}
        page.get_by_role("button", name="/stop").click()
        stopped = said["telegram_stopped"].format(city="Rivermouth")
        expect(screen).to_contain_text(stopped[: stopped.index("/")])
        assert gets(scene) == set()
        page.get_by_role("button", name="/start").click()
        newest = page.locator(".bubble.city").last
        expect(newest.get_by_role("button", name=f"✓ {TITLES['Schools'][language]}")).to_be_visible()
        assert gets(scene) == {"Food help", "Schools"}
        assert fits(page)


def test_buttons_are_pressed_with_the_keyboard_and_keep_the_focus(scene: Scene, open_page: Open) -> None:
    with open_page("/sandbox/") as page:
        open_link(page, link(scene, "Food help"), "en")
        schools = page.get_by_role("log").get_by_role("button", name="Schools")
        schools.focus()
        page.keyboard.press("Enter")
        expect(page.get_by_role("log").get_by_role("button", name="✓ Schools")).to_be_focused()
        page.keyboard.press("Space")
        expect(page.get_by_role("log").get_by_role("button", name="Schools", exact=True)).to_be_focused()
        assert gets(scene) == {"Food help"}


def test_without_script_a_button_works_too(scene: Scene, open_page: Open) -> None:
    with open_page("/sandbox/", java_script_enabled=False) as page:
        open_link(page, link(scene, "Food help"), "ar")
        page.get_by_role("button", name=TITLES["Schools"]["ar"]).click()
        expect(page.get_by_role("button", name=f"✓ {TITLES['Schools']['ar']}")).to_be_visible()
    assert gets(scene) == {"Food help", "Schools"}


def test_the_commands_on_the_page_are_the_bots_own(scene: Scene, open_page: Open) -> None:
    with open_page("/sandbox/") as page:
        open_link(page, "/start", "es")
        button = page.get_by_role("button", name="/topics")
        expect(button).to_have_attribute("title", templates.phrases("es")["telegram_command_topics"])
        button.click()
        expect(page.get_by_role("log")).to_contain_text(
            templates.phrases("es")["menu_topics"].format(city="Rivermouth")
        )
