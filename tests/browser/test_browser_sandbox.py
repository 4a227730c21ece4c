"""The residents' side in a real browser: what leaves the hub arrives on the phones, and the phones answer."""

from __future__ import annotations

import pytest
from browsing import PHONE, Open, Scene, fits
from playwright.sync_api import expect
from web_city import ENGLISH

import templates

pytestmark = [pytest.mark.slow, pytest.mark.browser]

NUMBER = "+12065550123"


def test_a_text_arrives_and_a_no_is_confirmed_and_kept(scene: Scene, open_page: Open) -> None:
    endpoint = scene.resident(NUMBER, language="en")
    with open_page("/sandbox/") as page:
        expect(page.get_by_text("Nothing yet")).to_be_visible()
        scene.dispatch(scene.statement(), ("sms",))
        page.get_by_role("link", name="Rosa Quintero").first.click()
        phone = page.locator(".handset")
        expect(phone).to_contain_text(ENGLISH.short)
        page.get_by_role("button", name="ALTO").click()
        stopped = templates.phrases("en")["sms_stopped"].format(city="Rivermouth")
        expect(phone).to_contain_text(stopped)
        assert scene.fresh(endpoint).opted_out
        again = scene.dispatch(scene.statement(), ("sms",))
        page.goto(f"/console/dispatches/{again.id}")
        expect(page.get_by_text("1 said no")).to_be_visible()
        expect(page.locator(".state")).to_have_text("Done")


def test_a_mail_arrives_and_its_button_takes_the_resident_off(scene: Scene, open_page: Open) -> None:
    endpoint = scene.resident("rosa@example.org", channel="email", language="ar")
    scene.dispatch(scene.statement(), ("email",))
    with open_page("/sandbox/") as page:
        page.get_by_role("link", name="Rosa Quintero").first.click()
        expect(page.frame_locator("iframe").locator("[dir=rtl]").first).to_be_visible()
        page.get_by_role("button", name="Unsubscribe").click()
        expect(page.get_by_text("Unsubscribed", exact=True)).to_be_visible()
    assert scene.fresh(endpoint).opted_out


def test_a_stranger_starts_the_bot_on_a_phone(scene: Scene, open_page: Open) -> None:
    with open_page("/sandbox/", viewport=PHONE) as page:
        page.get_by_text("Write as another resident").click()
        page.get_by_label("Over").select_option("telegram")
        page.get_by_label("Number, or Telegram chat").fill("7001")
        page.get_by_label("Message").fill("/start")
        page.get_by_role("button", name="Send").click()
        started = templates.phrases("en")["telegram_started"].format(city="Rivermouth")
        expect(page.locator(".handset")).to_contain_text(started)
        assert fits(page)
