"""The console: who gets in, and what it tells about a dispatch."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from time import time

import httpx
import pytest
from itsdangerous import TimestampSigner
from sqlmodel import select
from web_city import ENGLISH, KEY, PUBLIC, Page, Town

from contacts.columns import now
from notify.dispatch import control
from notify.dispatch.models import ChannelHold, Delivery, DeliveryState, Dispatch
from notify.web.app import create_app
from notify.web.console import access
from notify.web.console.access import console_ticket
from notify.web.console.progress import Line, _duration

PAGES = (
    "/console",
    "/console/dispatches",
    "/console/dispatches.json",
    "/console/dispatches/1",
    "/console/dispatches/1.json",
)


async def enter(web: httpx.AsyncClient) -> httpx.Response:
    return await web.get(access.ENTRANCE, params={"ticket": console_ticket(KEY)})


def later(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Let so many seconds pass for everything that is signed."""
    moment = int(time() + seconds)
    monkeypatch.setattr(TimestampSigner, "get_timestamp", lambda _self: moment)


@pytest.mark.parametrize("path", PAGES)
async def test_nobody_is_let_in_without_a_link(web: httpx.AsyncClient, path: str) -> None:
    answer = await web.get(path)
    assert answer.status_code == 403
    assert "notify run" in answer.text and "notify console" in answer.text


async def test_a_link_lets_in_for_a_working_day(
    web: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = await enter(web)
    assert answer.status_code == 200
    cookie = answer.headers["set-cookie"]
    for word in ("HttpOnly", "SameSite=strict", "Secure", "Path=/console", "Max-Age=43200"):
        assert word in cookie
    assert (await web.get("/console/dispatches")).status_code == 200
    later(monkeypatch, 11.9 * 3600)
    assert (await web.get("/console/dispatches")).status_code == 200
    later(monkeypatch, 12.1 * 3600)
    assert (await web.get("/console/dispatches")).status_code == 403


async def test_a_link_is_good_for_a_quarter_of_an_hour(
    web: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticket = console_ticket(KEY)
    later(monkeypatch, 16 * 60)
    answer = await web.get(access.ENTRANCE, params={"ticket": ticket})
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    "ticket",
    ["", "x", "ü.☃.x", console_ticket(b"another city's key"), access.cookie(KEY)],
    ids=["none", "short", "no ascii", "of another city", "a cookie"],
)
async def test_a_ticket_that_is_none_lets_nobody_in(web: httpx.AsyncClient, ticket: str) -> None:
    assert (await web.get(access.ENTRANCE, params={"ticket": ticket})).status_code == 403


async def test_a_ticket_is_no_cookie(web: httpx.AsyncClient) -> None:
    web.cookies.set(access.COOKIE, console_ticket(KEY))
    assert (await web.get("/console/dispatches")).status_code == 403


async def test_a_residents_token_is_no_ticket(town: Town, web: httpx.AsyncClient) -> None:
    token = town.token(town.resident("+12065550123"))
    assert (await web.get(access.ENTRANCE, params={"ticket": token})).status_code == 403


@pytest.fixture
def dispatch(town: Town) -> Dispatch:
    """A dispatch under way, with something in every place."""
    for number in range(10):
        town.resident(f"+120655501{number:02}", language="ar" if number < 4 else "en")
    town.resident("+12065550110", agreed=False)
    town.resident("+12065550111", language="so")
    town.resident("rosa.quintero@example.org", channel="email", language="en")
    found = town.dispatch(town.statement())
    states = [
        (DeliveryState.DELIVERED, ""), (DeliveryState.DELIVERED, ""), (DeliveryState.ACCEPTED, ""),
        (DeliveryState.UNDELIVERED, "unreachable"), (DeliveryState.FAILED, "bad_address"),
        (DeliveryState.UNKNOWN, "no_result"), (DeliveryState.SENDING, ""),
    ]  # fmt: skip
    with town.session() as session:
        rows = session.exec(
            select(Delivery).where(Delivery.state == DeliveryState.PLANNED).order_by(Delivery.id)
        )  # type: ignore[arg-type]
        for row, (state, reason) in zip(rows, states, strict=False):
            row.state, row.reason, row.sent_at = state, reason, now()
            session.add(row)
        started = session.get_one(Dispatch, found.id)
        started.started_at = now() - timedelta(seconds=10)
        session.add(started)
        session.commit()
    return found


async def test_the_numbers_of_a_dispatch_add_up(web: httpx.AsyncClient, dispatch: Dispatch) -> None:
    await enter(web)
    found = (await web.get(f"/console/dispatches/{dispatch.id}.json")).json()
    assert (found["people"], found["audience"], found["accepted"], found["to_go"]) == (13, 13, 4, 4)
    assert found["skipped"] == {"language_not_ready": 1, "no_channel": 1, "no_consent": 1}
    assert found["balanced"] and not found["is_over"]
    assert found["rate"] == pytest.approx(0.4, rel=0.3)
    assert found["seconds_left"] == pytest.approx(10, rel=0.3)
    totals = [sum(channel["line"]["states"].values()) for channel in found["channels"]]
    assert sum(totals) == 13


async def test_the_page_says_in_plain_words_what_did_not_arrive(
    web: httpx.AsyncClient, dispatch: Dispatch
) -> None:
    await enter(web)
    page = Page((await web.get(f"/console/dispatches/{dispatch.id}")).text)
    words = " ".join(page.words.split())
    for sentence in (
        ENGLISH.title, "On its way", "Text message (Twilio)", "Arabic", "English", "No text in their language",
        "Not written to: 3", "1 never said yes", "1 no approved text in their language",
        "1 no address on these channels", "Failed: 1", "1 address does not work", "1 could not be reached",
        "The numbers add up: 13 planned",
    ):  # fmt: skip
        assert sentence in words


async def test_the_part_that_changes_is_the_part_that_is_on_the_page(
    town: Town, web: httpx.AsyncClient, dispatch: Dispatch
) -> None:
    with town.session() as session:  # so that no rate changes between two looks
        control.pause(session, session.get_one(Dispatch, dispatch.id), "ana@rivermouth.example")
        session.commit()
    await enter(web)
    for path in (f"/console/dispatches/{dispatch.id}", "/console/dispatches"):
        page = (await web.get(path)).text
        assert f'data-live="{path}.json"' in page
        assert (await web.get(f"{path}.json")).json()["html"].strip() in page


async def test_without_script_the_page_loads_itself_again(
    town: Town, web: httpx.AsyncClient, dispatch: Dispatch
) -> None:
    await enter(web)
    path = f"/console/dispatches/{dispatch.id}"
    assert '<noscript><meta http-equiv="refresh"' in (await web.get(path)).text
    with town.session() as session:
        control.stop(session, session.get_one(Dispatch, dispatch.id), "ana@rivermouth.example")
        session.commit()
    ended = (await web.get(path)).text
    assert "refresh" not in ended and "<script" not in ended
    assert (await web.get(f"{path}.json")).json()["is_over"]


async def test_no_page_of_the_console_shows_who_anybody_is(
    town: Town, web: httpx.AsyncClient, dispatch: Dispatch
) -> None:
    with town.session() as session:
        control.pause(session, session.get_one(Dispatch, dispatch.id), "ana@rivermouth.example")
        session.commit()
    await enter(web)
    for path in ("/console/dispatches", f"/console/dispatches/{dispatch.id}"):
        for answer in (await web.get(path), await web.get(f"{path}.json")):
            for secret in ("+1206", "5550", "example.org", "Quintero", "Rosa", "ana@"):
                assert secret not in answer.text.replace("(206) 555-0100", "")
    assert "paused by a member of staff" in (await web.get(f"/console/dispatches/{dispatch.id}")).text


async def test_a_channel_that_held_itself_says_why(
    town: Town, web: httpx.AsyncClient, dispatch: Dispatch
) -> None:
    with town.session() as session:
        session.add(
            ChannelHold(dispatch_id=dispatch.id or 0, channel="sms", reason="Twilio refused <our> key.")
        )
        session.commit()
    await enter(web)
    answer = await web.get(f"/console/dispatches/{dispatch.id}")
    assert "is held.</b> Twilio refused &lt;our&gt; key." in answer.text


@pytest.mark.parametrize("number", ["2", "0", "-1", "2147483648", "99999999999999999999999", "x", "1.5"])
async def test_a_dispatch_that_is_not_there_is_a_page_too(web: httpx.AsyncClient, number: str) -> None:
    await enter(web)
    for end in ("", ".json"):
        assert (await web.get(f"/console/dispatches/{number}{end}")).status_code == 404


async def test_a_city_that_has_sent_nothing_says_so(web: httpx.AsyncClient) -> None:
    await enter(web)
    assert "Nothing has been sent" in (await web.get("/console/dispatches")).text


async def test_nothing_can_be_changed_from_the_console(web: httpx.AsyncClient, dispatch: Dispatch) -> None:
    await enter(web)
    for path in PAGES:
        assert (await web.post(path)).status_code == 405


async def test_in_the_sandbox_the_console_is_open_and_leads_there(town: Town) -> None:
    async def residents(scope: dict[str, str], receive: object, send: object) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})  # type: ignore[operator]
        await send({"type": "http.response.body", "body": b"phones " + scope["path"].encode()})  # type: ignore[operator]

    transport = httpx.ASGITransport(create_app(town.hub, sandbox_app=residents))  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url=PUBLIC) as web:
        page = Page((await web.get("/console/dispatches")).text)
        assert "/sandbox/" in [link["href"] for link in page.all("a")]
        answer = await web.get("/sandbox/")
        assert answer.text.startswith("phones")
        assert "content-security-policy" not in answer.headers  # it brings its own
        assert (await web.get("/sandbox")).headers["location"] == "/sandbox/"


async def test_without_the_sandbox_there_is_none(web: httpx.AsyncClient) -> None:
    assert (await web.get("/sandbox/")).status_code == 404


def test_a_bar_has_no_gaps_and_is_full() -> None:
    line = Line("", {"delivered": 1, "planned": 1, "skipped": 1})
    ends = [(segment.start, round(segment.start + segment.width, 2)) for segment in line.bar]
    assert ends[0][0] == 0 and ends[-1][1] == 100
    assert all(a[1] == pytest.approx(b[0], abs=0.01) for a, b in pairwise(ends))


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (5, "less than a minute"),
        (61, "about 1 minute"),
        (600, "about 10 minutes"),
        (4 * 3600, "about 4 hours"),
    ],
)
def test_the_time_left_is_told_in_words(seconds: float, words: str) -> None:
    assert _duration(seconds) == words
