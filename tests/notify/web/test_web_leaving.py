"""The way out: one button for people, one click for mail programs, and nothing that a GET can change."""

from __future__ import annotations

import httpx
import pytest
from sqlmodel import col, select
from web_city import Page, Town

import templates
from channels.contract import AddressKind
from contacts import consent
from contacts.models import ConsentEvent, Endpoint, Subscription
from notify.web.public.leaving import shown_address

MAIL = "rosa.quintero@example.org"


def events(town: Town) -> list[ConsentEvent]:
    with town.hub.database.reading() as session:
        return list(session.exec(select(ConsentEvent).order_by(col(ConsentEvent.id))))


def active(town: Town, endpoint: Endpoint) -> list[bool]:
    with town.hub.database.reading() as session:
        return list(session.exec(select(Subscription.active).where(Subscription.endpoint_id == endpoint.id)))


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_r18_looking_at_the_page_changes_nothing(
    town: Town, web: httpx.AsyncClient, method: str
) -> None:
    endpoint = town.resident(MAIL, channel="email")
    for path in (f"/u/{town.token(endpoint)}", f"/u/{town.token(endpoint)}?List-Unsubscribe=One-Click"):
        assert (await web.request(method, path)).status_code == 200
    assert active(town, endpoint) == [True]
    assert len(events(town)) == 1


async def test_r18_the_page_has_one_button_in_the_contacts_language(
    town: Town, web: httpx.AsyncClient
) -> None:
    endpoint = town.resident(MAIL, channel="email", language="ar")
    page = Page((await web.get(f"/u/{town.token(endpoint)}", headers={"accept-language": "en"})).text)
    assert page.all("html") == [{"lang": "ar", "dir": "rtl"}]
    assert len(page.all("button")) == len(page.all("form")) == 1
    assert page.all("form") == [{"method": "post"}]
    assert templates.phrases("ar")["leave_button"] in page.words
    assert "r•••@example.org" in page.words and MAIL not in page.words


@pytest.mark.parametrize(
    ("content", "headers", "method"),
    [
        (b"", {"content-type": "application/x-www-form-urlencoded"}, "web form"),
        (
            b"List-Unsubscribe=One-Click",
            {"content-type": "application/x-www-form-urlencoded", "origin": "https://mail.example"},
            "email one-click",
        ),
        (
            b'--b\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--b--\r\n',
            {"content-type": "multipart/form-data; boundary=b"},
            "email one-click",
        ),
    ],
)
async def test_r17_one_post_is_enough_and_twice_is_fine(
    town: Town, web: httpx.AsyncClient, content: bytes, headers: dict[str, str], method: str
) -> None:
    """Without cookies, log-in or redirect (RFC 8058)."""
    endpoint = town.resident(MAIL, channel="email")
    for _ in range(2):
        answer = await web.post(f"/u/{town.token(endpoint)}", content=content, headers=headers)
        assert answer.status_code == 200
        assert "set-cookie" not in answer.headers
    assert town.fresh(endpoint).opted_out
    assert active(town, endpoint) == [False]
    (_, no) = events(town)
    assert (no.decision, no.list_id, no.method, no.actor) == (False, None, method, "resident")
    assert no.wording == (
        "You will get no more messages from Rivermouth at r•••@example.org." * (method == "web form")
    )


async def test_r8_a_lists_link_leaves_that_list_and_the_next_button_all(
    town: Town, web: httpx.AsyncClient
) -> None:
    endpoint = town.resident(MAIL, channel="email")
    town.resident("x@example.org", channel="email", on="Traffic")
    with town.session() as session:
        consent.record(
            session, contact_id=endpoint.contact_id, endpoint_id=endpoint.id or 0, list_id=2, decision=True,
            method="paper",
        )  # fmt: skip
        session.commit()
    path = f"/u/{town.token(endpoint, town.list_id('News'))}"
    answer = await web.post(path)
    assert sorted(active(town, endpoint)) == [False, True]
    assert not town.fresh(endpoint).opted_out
    page = Page(answer.text)
    assert page.all("input") == [{"type": "hidden", "name": "scope", "value": "all"}]
    assert "Stop all messages from Rivermouth" in page.words
    answer = await web.post(path, data={"scope": "all"})
    assert town.fresh(endpoint).opted_out
    assert Page(answer.text).all("button") == []


async def test_who_has_left_is_told_so(town: Town, web: httpx.AsyncClient) -> None:
    endpoint = town.resident(MAIL, channel="email")
    await web.post(f"/u/{town.token(endpoint)}")
    page = Page((await web.get(f"/u/{town.token(endpoint)}")).text)
    assert page.all("button") == []
    assert templates.phrases("en")["left_title"] in page.words


async def test_two_people_with_one_mailbox_leave_together(town: Town, web: httpx.AsyncClient) -> None:
    both = [town.resident(MAIL, channel="email"), town.resident(MAIL, channel="email")]
    await web.post(f"/u/{town.token(both[1])}")
    assert [town.fresh(endpoint).opted_out for endpoint in both] == [True, True]


async def test_another_address_of_the_same_person_stays(town: Town, web: httpx.AsyncClient) -> None:
    mail, phone = town.resident(MAIL, channel="email"), town.resident("+12065550123")
    await web.post(f"/u/{town.token(mail)}")
    assert not town.fresh(phone).opted_out


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_token_that_is_not_ours_tells_nothing(
    town: Town, web: httpx.AsyncClient, method: str
) -> None:
    endpoint = town.resident(MAIL, channel="email")
    good = town.token(endpoint)
    nobody = town.token(Endpoint(id=999_999, contact_id=1, channel="email", address="", address_key=""))
    pages = []
    for token in (good[:-1], good + "x", good.replace("W", "X", 1), nobody, "%00", "☃", "x" * 5000):
        answer = await web.request(method, f"/u/{token}")
        assert answer.status_code == 404
        pages.append(answer.text)
    assert len(set(pages)) == 1
    assert "example.org" not in pages[0]
    assert active(town, endpoint) == [True]


async def test_a_form_that_is_far_too_large_is_refused(town: Town, web: httpx.AsyncClient) -> None:
    endpoint = town.resident(MAIL, channel="email")
    assert (await web.post(f"/u/{town.token(endpoint)}", content=b"x" * 20_000)).status_code == 413
    assert active(town, endpoint) == [True]


async def test_pages_about_one_person_are_kept_nowhere(town: Town, web: httpx.AsyncClient) -> None:
    endpoint = town.resident(MAIL, channel="email")
    for answer in (await web.get(f"/u/{town.token(endpoint)}"), await web.post(f"/u/{town.token(endpoint)}")):
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-robots-tag"] == "noindex"
        assert answer.headers["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize(
    ("kind", "address", "shown"),
    [
        (AddressKind.EMAIL, "rosa@example.org", "r•••@example.org"),
        (AddressKind.EMAIL, '"a@b"@example.org', '"•••@example.org'),
        (AddressKind.PHONE, "+12065550123", "•••0123"),
        (AddressKind.CHAT, "-1001234567890", "•••890"),
        (AddressKind.POSTAL, "12 Mill Street\nRivermouth WA 98101", "12\N{NO-BREAK SPACE}•••"),
    ],
)
def test_an_address_is_shown_to_be_known_again_only(kind: AddressKind, address: str, shown: str) -> None:
    assert shown_address(kind, address) == shown
