"""Staff's progress page in a real browser, while a real dispatch goes out."""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Iterator

import pytest
import uvicorn
from browsing import PHONE, Open, Scene, fits
from playwright.sync_api import expect
from web_city import KEY

from notify.dispatch import control
from notify.dispatch.models import Dispatch
from notify.web.app import create_app
from notify.web.console.access import console_ticket

pytestmark = [pytest.mark.slow, pytest.mark.browser]


def planned(scene: Scene) -> Dispatch:
    """A dispatch to thirty residents in three languages that waits for somebody to start it."""
    for number in range(30):
        scene.resident(f"+120655501{number:02}", language=("en", "ar", "zh-Hans")[number % 3])
    scene.resident("+12065550130", agreed=False)
    return scene.dispatch(scene.statement(), start=False)


def go(scene: Scene, dispatch: Dispatch) -> None:
    with scene.session() as session:
        control.start(session, session.get_one(Dispatch, dispatch.id), "ana@rivermouth.example")
        session.commit()


def test_the_numbers_change_by_themselves_until_all_is_done(scene: Scene, open_page: Open) -> None:
    dispatch = planned(scene)
    with open_page(f"/console/dispatches/{dispatch.id}") as page:
        expect(page.get_by_text("Planned, not started")).to_be_visible()
        page.evaluate("window.sameDocument = true")
        go(scene, dispatch)
        expect(page.locator(".state")).to_have_text("Done")
        expect(page.locator(".figures")).to_contain_text(re.compile(r"Accepted\s*30"))
        expect(page.get_by_text("1 never said yes")).to_be_visible()
        assert page.evaluate("window.sameDocument")
        rows = page.locator("table.ledger tbody tr")
        expect(rows.filter(has_text="Chinese (Simplified)")).to_contain_text("10")
        assert fits(page)


def test_without_script_the_numbers_change_too(scene: Scene, open_page: Open) -> None:
    dispatch = planned(scene)
    with open_page(f"/console/dispatches/{dispatch.id}", java_script_enabled=False, viewport=PHONE) as page:
        expect(page.get_by_text("Planned, not started")).to_be_visible()
        go(scene, dispatch)
        expect(page.locator(".state")).to_have_text("Done")
        assert fits(page)


def test_old_numbers_are_shown_as_old(scene: Scene, open_page: Open) -> None:
    dispatch = planned(scene)
    with open_page(f"/console/dispatches/{dispatch.id}") as page:
        page.route("**/*.json", lambda route: route.fulfill(status=200, body="no JSON"))
        expect(page.locator("[data-stale]")).to_be_visible()
        page.unroute_all()
        expect(page.locator("[data-stale]")).to_have_count(0)


def test_the_list_of_dispatches_leads_to_each(scene: Scene, open_page: Open) -> None:
    dispatch = planned(scene)
    with open_page("/console") as page:
        page.get_by_role("link", name=dispatch.reference).click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Standing with our neighbors")
        page.get_by_role("link", name="What residents see").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("What residents see")


@pytest.fixture
def closed(scene: Scene) -> Iterator[str]:
    """The same hub without the sandbox: the console asks for a link."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(create_app(scene.hub), log_level="error", access_log=False))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        while not server.started:
            time.sleep(0.02)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        thread.join()


def test_a_link_from_anywhere_lets_staff_in(closed: str, open_page: Open) -> None:
    """A strict cookie is not sent along after a redirect from another site; the page moves on by itself."""
    link = f"{closed}/console/enter?ticket={console_ticket(KEY)}"
    with open_page("about:blank") as page:
        page.set_content(f'<a href="{link}">The console</a>')
        page.get_by_role("link").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Dispatches")
        assert [cookie["sameSite"] for cookie in page.context.cookies()] == ["Strict"]
        assert page.evaluate("document.cookie") == ""
