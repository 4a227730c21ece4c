"""Residents' forms in a real browser: by keyboard, without script, in frames, and past axe-core on every page."""

from __future__ import annotations

import email
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email import policy
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import urlsplit

import pytest
import uvicorn
from axe_playwright_python.sync_playwright import Axe
from browsing import Open, Scene, fits, press_until
from joining_city import make_lists, words
from playwright.sync_api import Browser, Locator, Page, expect
from sqlmodel import select
from web_city import ENGLISH

import templates
from channels.contract import Action
from contacts.models import ConsentEvent, Contact
from notify.statements import Text
from notify.web.app import create_app

pytestmark = [pytest.mark.slow, pytest.mark.browser]

WIDTHS = {"phone": {"width": 375, "height": 812}, "desktop": {"width": 1280, "height": 900}}
SPANISH = Text(
    "Con nuestros vecinos", "Rompieron ventanas en Harbor Hall. Nadie resultó herido.",
    "Anoche rompieron ventanas en **Harbor Hall**.\n\n## Lo que sabemos\n\n- Nadie resultó herido.",
    (Action("Hable con alguien", "(206) 555-0134"),),
)  # fmt: skip
# The browser itself reports pages that say what is wrong with a status of theirs.
_EXPECTED = "Failed to load resource: the server responded with a status of 4"


@pytest.fixture
def city(scene: Scene) -> Scene:
    scene.hub.settings.city.areas += ["Harbor", "Old Town"]
    with scene.session() as session:
        make_lists(session)
    return scene


def mail_link(city: Scene, address: str) -> str:
    """Where the link in the last mail to an address leads."""
    raw = city.sandbox.mail.of(address)[-1].raw
    found = re.search(r"/[cp]/[\w-]+", words(email.message_from_bytes(raw, policy=policy.default)))  # type: ignore[arg-type]
    assert found
    return found[0]


@contextmanager
def visiting(browser: Browser, url: str, **options: object) -> Iterator[Page]:
    """A fresh browser; afterwards, nothing may have failed in it, left the origin, or been kept."""
    context = browser.new_context(**{"base_url": url} | options)  # type: ignore[arg-type]
    page = context.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
    page.on(
        "request",
        lambda asked: wrong.append(asked.url) if urlsplit(asked.url).netloc != urlsplit(url).netloc else None,
    )
    yield page
    assert context.cookies() == []
    context.close()
    assert [each for each in wrong if not each.startswith(_EXPECTED)] == []


def press(page: Page, button: Locator) -> None:
    """Press a button or link, and wait for the page it leads to."""
    with page.expect_navigation():
        button.click()


def check(page: Page, what: str) -> None:
    """WCAG 2.1 AA and axe's own best practices, and no scrolling sideways."""
    results = Axe().run(page, options={"resultTypes": ["violations"]})
    found = [
        f"{what}: {each['id']} {node['html']}"
        for each in results.response["violations"]
        for node in each["nodes"]
    ]
    assert found == []
    assert fits(page), what


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("language", ["en", "es", "ar", "zh-Hans"])
def test_every_page_for_residents_is_accessible(
    city: Scene, browser: Browser, language: str, width: str
) -> None:
    statement = city.statement(translations={"es": SPANISH})
    city.dispatch(statement, ("sms",))
    leaver = city.resident("amina@example.org", channel="email", language=language)
    rosa = f"rosa-{language.lower()}@example.org"
    query = f"?language={language}"
    with visiting(browser, city.url, viewport=WIDTHS[width], locale=language) as page:

        def look(path: str, what: str) -> None:
            page.goto(path)
            check(page, what)

        look(f"/{query}", "home")
        look(f"/s/{statement.slug}/{language}", "statement")
        look(f"/s/nothing{query}", "message")
        look(f"/u/{city.token(leaver, city.list_id())}", "leave")
        press(page, page.get_by_role("button"))
        check(page, "left")
        look(f"/c/nothing{query}", "old link")
        look(f"/join/embed{query}", "embedded")
        look(f"/join/news{query}", "one topic")
        look(f"/join{query}", "join")
        press(page, page.locator("form.fields button"))
        check(page, "join, with errors")
        page.locator("#address").fill(rosa)
        page.locator("[name=topic]").first.check()
        press(page, page.locator("form.fields button"))
        expect(page.get_by_role("heading", level=1)).to_have_text(
            templates.phrases(language)["join_sent_title"]
        )
        check(page, "sent")
        look(mail_link(city, rosa), "confirm")
        press(page, page.locator("main button"))
        check(page, "confirmed")
        press(page, page.locator("main a"))
        check(page, "preferences")
        press(page, page.locator("[value=save]"))
        check(page, "saved")
        press(page, page.locator("[value=leave]"))
        check(page, "left everything")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast_holds_by_day_and_by_night(city: Scene, browser: Browser, scheme: str) -> None:
    with visiting(browser, city.url, color_scheme=scheme) as page:
        page.goto("/join?language=en")
        check(page, "join")
        press(page, page.locator("form.fields button"))
        check(page, "join, with errors")


def test_the_check_itself_finds_what_is_wrong(browser: Browser) -> None:
    page = browser.new_page()
    page.set_content("<html lang=en><title>x</title><main><h1>x</h1><input><p style='color:#ccc'>pale</p>")
    with pytest.raises(AssertionError, match="label"):
        check(page, "a field without a label")
    page.close()


def tab_to(page: Page, selector: str) -> None:
    """Press Tab until this element has the focus."""
    for _ in range(30):
        page.keyboard.press("Tab")
        if page.evaluate("wanted => document.activeElement.matches(wanted)", selector):
            return
    raise AssertionError(f"{selector} cannot be reached with Tab.")


@pytest.mark.parametrize(("language", "script"), [("en", True), ("ar", True), ("es", False)])
def test_a_resident_signs_up_and_confirms_with_the_keyboard_alone(
    city: Scene, browser: Browser, language: str, script: bool
) -> None:
    said, rosa = templates.phrases(language), f"rosa-{language}@example.org"
    heading = {"level": 1}
    options = {"viewport": WIDTHS["phone"], "java_script_enabled": script}
    with visiting(browser, city.url, **options) as page:
        page.goto(f"/join?language={language}")
        tab_to(page, "#address")
        page.keyboard.type("rosa@")
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert")).to_be_focused()
        tab_to(page, "a[href='#address']")
        page.keyboard.press("Enter")
        expect(page.locator("#address")).to_be_focused()
        expect(page.locator("#address")).to_have_value("rosa@")
        page.keyboard.press("Control+A")
        page.keyboard.type(rosa)
        tab_to(page, "#area")
        page.keyboard.type("Harbor")
        tab_to(page, "[name=topic]")
        page.keyboard.press("Space")
        tab_to(page, "form.fields button")
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", **heading)).to_have_text(said["join_sent_title"])
        page.goto(mail_link(city, rosa))
        expect(page.get_by_role("heading", **heading)).to_have_text(said["confirm_title"])
        press_until(page, "Tab", said["confirm_button"])
        page.keyboard.press("Enter")
        expect(page.get_by_role("status")).to_be_visible()
        expect(page.get_by_role("heading", **heading)).to_have_text(said["confirmed_title"])
        press_until(page, "Tab", said["prefs_link"])
        page.keyboard.press("Enter")
        expect(page.locator("#area")).to_have_value("Harbor")
        tab_to(page, "[value=leave]")
        page.keyboard.press("Enter")
        expect(page.locator("[value=return]")).to_be_visible()
        tab_to(page, "[value=return]")
        page.keyboard.press("Enter")
        expect(page.locator("[name=topic]").first).to_be_checked()
    with city.hub.database.reading() as session:
        assert session.exec(select(Contact.language)).one() == language
        assert list(session.exec(select(ConsentEvent.decision))) == [True, False, True]


def test_what_a_screen_reader_hears_at_a_field(city: Scene, open_page: Open) -> None:
    said = templates.phrases("en")
    with open_page("/join?language=en") as page:
        field = page.get_by_role("textbox", name=said["join_reach"])
        expect(field).to_have_accessible_description(re.compile("name@example.org"))
        expect(page.get_by_role("group", name=said["join_topics"])).to_be_visible()
        box = page.get_by_role("checkbox", name="Weekly news")
        expect(box).to_have_accessible_description("What the city does, every Friday.")
        assert page.get_by_role("textbox").count() == 1  # the trap is for programs only
        assert page.locator("#homepage").is_hidden()


def test_the_address_is_typed_from_left_to_right_in_arabic(city: Scene, open_page: Open) -> None:
    with open_page("/join?language=ar", viewport=WIDTHS["phone"]) as page:
        style = "element => [getComputedStyle(element).direction, getComputedStyle(element).textAlign]"
        assert page.locator("#address").evaluate(style) == ["ltr", "right"]


@pytest.fixture
def other_site() -> Iterator[tuple[str, dict[str, str]]]:
    """Another site on this machine, and the page that it shows."""
    shown = {"html": ""}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(shown["html"].encode() if self.path == "/" else b"")

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", shown
    server.shutdown()
    server.server_close()
    thread.join()


@contextmanager
def serving(city: Scene, embed_origins: list[str]) -> Iterator[str]:
    """The same hub with pages that these origins may hold in a frame."""
    city.hub.settings.web.embed_origins = embed_origins
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(create_app(city.hub), log_level="error", access_log=False))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        while not server.started:
            time.sleep(0.02)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        thread.join()


def test_the_form_works_in_a_frame_of_the_citys_own_site(
    city: Scene, browser: Browser, other_site: tuple[str, dict[str, str]]
) -> None:
    site, shown = other_site
    with serving(city, [site]) as url:
        shown["html"] = (
            f'<!doctype html><title>City</title><iframe title="Sign up" width="380" height="900"'
            f' src="{url}/join/embed?language=es"></iframe>'
        )
        context = browser.new_context(java_script_enabled=False)
        page = context.new_page()
        page.goto(site)
        frame = page.frame_locator("iframe")
        frame.locator("#address").fill("rosa@example.org")
        frame.locator("[name=topic]").first.check()
        frame.locator("form button").click()
        expect(frame.get_by_role("heading", level=1)).to_have_text(templates.phrases("es")["join_sent_title"])
        assert context.cookies() == []
        context.close()
    assert city.sandbox.mail.of("rosa@example.org")


def test_no_other_site_can_hold_it(
    city: Scene, browser: Browser, other_site: tuple[str, dict[str, str]]
) -> None:
    site, shown = other_site
    with serving(city, ["https://www.rivermouth.example"]) as url:
        shown["html"] = f'<iframe src="{url}/join/embed"></iframe><iframe src="{url}/join"></iframe>'
        context = browser.new_context()
        page = context.new_page()
        refused: list[str] = []
        page.on("console", lambda message: refused.append(message.text))
        page.goto(site)
        page.wait_for_timeout(300)
        assert [frame.locator("form").count() for frame in page.frames[1:]] == [0, 0]
        assert sum("frame-ancestors" in text for text in refused) == 2
        context.close()


def test_a_plain_form_on_another_site_leads_to_the_words_and_loses_nothing(
    city: Scene, browser: Browser, other_site: tuple[str, dict[str, str]]
) -> None:
    site, shown = other_site
    shown["html"] = (
        f'<!doctype html><form method="post" action="{city.url}/join?language=es">'
        '<input name="address" value="rosa@example.org"><button>Go</button></form>'
    )
    context = browser.new_context()
    page = context.new_page()
    page.goto(site)
    page.get_by_role("button").click()
    expect(page.locator("#address")).to_have_value("rosa@example.org")
    page.locator("[name=topic]").first.check()
    page.locator("form.fields button").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(templates.phrases("es")["join_sent_title"])
    context.close()


def test_the_citys_page_leads_to_the_form(city: Scene, open_page: Open) -> None:
    with open_page("/?language=ar", viewport=WIDTHS["phone"]) as page:
        title = templates.phrases("ar")["join_title"].format(city="Rivermouth")
        page.get_by_role("link", name=title).click()
        expect(page.get_by_role("heading", level=1)).to_have_text(title)
        assert ENGLISH.title not in page.content()
