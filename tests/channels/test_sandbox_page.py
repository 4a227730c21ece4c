"""The residents' page: everything on it is data, it works without a script, and it leads nowhere else."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import AsyncIterator, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import aiosmtplib
import httpx
import pypdfium2
import pytest
import uvicorn
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.routing import Mount

from channels.contract import City
from channels.sandbox import Sandbox
from channels.sandbox.conversations import Resident, guess
from channels.sandbox.markup import rich
from channels.sandbox.page import residents_app
from templates import languages, phrases

HOSTILE = "<script>alert(1)</script> {{ 7*7 }} \" ' & 😀 </li>"
GRACE = "+15550100199"
HTML_MAIL = (
    "From: Riverton <mayor@city.example>\r\nTo: x@mail.example\r\nSubject: {subject}\r\nContent-Language: ar\r\n"
    "MIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary=b\r\n\r\n"
    "--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nplain <b>words</b>\r\n"
    "--b\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>rich</p><script>bad()</script>\r\n--b--\r\n"
)


@pytest.fixture
async def sandbox(tmp_path: Path) -> AsyncIterator[Sandbox]:
    async with Sandbox(tmp_path / "sandbox") as running:
        running.provider.delay = 0
        yield running


def who(channel: str, address: str) -> Resident | None:
    return Resident(f"Grace {HOSTILE}", "so") if address == GRACE else None


@pytest.fixture
async def client(sandbox: Sandbox, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    city = City("Riverton", timezone="America/Chicago")
    app = Starlette(routes=[Mount("/sandbox", residents_app(sandbox, tmp_path / "letters", who, city))])
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://hub.test/sandbox") as opened:
        yield opened


class Tags(HTMLParser):
    """Collects tags, attributes and text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def parsed(html: str) -> Tags:
    tags = Tags()
    tags.feed(html)
    return tags


async def mail(
    sandbox: Sandbox, raw: str = HTML_MAIL.format(subject="Hello"), to: str = "x@mail.example"
) -> None:
    await aiosmtplib.send(
        raw.encode(), sender="a@b.example", recipients=[to], hostname="127.0.0.1", port=sandbox.relay.port
    )


@pytest.mark.parametrize(
    "link", ["/", "/?open=sms:%2B15550100199", "/?open=telegram:42", "/?open=email:x@mail.example"]
)
async def test_every_text_is_data(sandbox: Sandbox, client: httpx.AsyncClient, link: str) -> None:
    await sandbox.reply_sms(GRACE, HOSTILE)
    await sandbox.reply_telegram(42, HOSTILE)
    await mail(sandbox, HTML_MAIL.format(subject=HOSTILE))
    page = await client.get(link)
    found = parsed(page.text)
    assert "<script>alert" not in page.text
    assert HOSTILE in "".join(found.words)
    scripts = [attributes for tag, attributes in found.tags if tag == "script"]
    assert [attributes["src"] for attributes in scripts] == ["/sandbox/page.js"]
    assert not [
        name
        for _, attributes in found.tags
        for name in attributes
        if name.startswith("on") or name == "style"
    ]


async def test_the_page_may_fetch_from_nowhere_else(client: httpx.AsyncClient) -> None:
    page = await client.get("/")
    policy = page.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    links = [
        value
        for _, attributes in parsed(page.text).tags
        for name, value in attributes.items()
        if name in ("src", "href", "action")
    ]
    assert links
    assert all(str(link).startswith(("/sandbox/", "#")) for link in links)
    for name in ("page.css", "page.js", "icon.svg"):
        assert (await client.get(f"/{name}")).status_code == 200


async def test_a_mails_html_runs_nothing_and_fetches_nothing(
    sandbox: Sandbox, client: httpx.AsyncClient
) -> None:
    await mail(sandbox)
    page = parsed((await client.get("/?open=email:x@mail.example")).text)
    (frame,) = [attributes for tag, attributes in page.tags if tag == "iframe"]
    assert "allow-scripts" not in str(frame["sandbox"])
    assert "allow-same-origin" not in str(frame["sandbox"])
    shown = await client.get(f"http://hub.test{frame['src']}")
    assert "<p>rich</p>" in shown.text
    assert shown.headers["content-security-policy"].startswith("sandbox; default-src 'none'")


async def test_a_mail_can_be_read_as_plain_text_in_its_language(
    sandbox: Sandbox, client: httpx.AsyncClient
) -> None:
    await mail(sandbox)
    page = (await client.get("/?open=email:x@mail.example&view=text")).text
    assert "plain &lt;b&gt;words&lt;/b&gt;" in page
    assert '<pre class="plain" dir="auto" tabindex="0" lang="ar">' in page
    assert "<iframe" not in page


async def test_a_resident_answers_through_the_form(sandbox: Sandbox, client: httpx.AsyncClient) -> None:
    form = {"channel": "sms", "address": GRACE, "text": "STOP"}
    answer = await client.post("/reply", data=form, headers={"Origin": "http://hub.test"})
    assert answer.status_code == 303
    assert answer.headers["location"] == "/sandbox/?open=sms%3A%2B15550100199"
    assert sandbox.sms.of(GRACE)[0].text == "STOP"
    await client.post("/reply", data={"channel": "telegram", "address": "-42", "text": "/start"})
    assert sandbox.chats.of("-42")[0].text == "/start"
    await client.post("/block", data={"address": "42"})
    assert sandbox.bots.blocked == {"42"}


async def test_the_page_tells_that_a_resident_has_blocked_the_bot(
    sandbox: Sandbox, client: httpx.AsyncClient
) -> None:
    told = "This resident has blocked the bot"
    await client.post("/reply", data={"channel": "telegram", "address": "42", "text": "/start"})
    assert told not in (await client.get("/?open=telegram:42")).text
    await client.post("/block", data={"address": "42"})
    assert told in (await client.get("/?open=telegram:42")).text
    await client.post("/reply", data={"channel": "telegram", "address": "42", "text": "/start"})
    assert told not in (await client.get("/?open=telegram:42")).text


@pytest.mark.parametrize(
    "form",
    [
        {"channel": "email", "address": "x@mail.example", "text": "x"},
        {"channel": "sms", "address": "12", "text": "x"},
        {"channel": "telegram", "address": "abc", "text": "x"},
        {"channel": "sms", "address": GRACE, "text": "  "},
        {"channel": "letter", "address": "1", "text": "x"},
        {},
    ],
)
async def test_a_form_that_does_not_fit_says_so(
    sandbox: Sandbox, client: httpx.AsyncClient, form: dict[str, str]
) -> None:
    answer = await client.post("/reply", data=form, follow_redirects=True)
    assert 'role="alert"' in answer.text
    assert not len(sandbox.sms)
    assert not len(sandbox.chats)


@pytest.mark.parametrize("path", ["/reply", "/block"])
async def test_another_sites_form_is_refused(sandbox: Sandbox, client: httpx.AsyncClient, path: str) -> None:
    form = {"channel": "telegram", "address": "42", "text": "x"}
    answer = await client.post(path, data=form, headers={"Origin": "https://evil.example"})
    assert answer.status_code == 403
    assert not len(sandbox.chats)
    assert not sandbox.bots.blocked


async def test_a_hub_that_does_not_answer_is_told(sandbox: Sandbox, client: httpx.AsyncClient) -> None:
    sandbox.hub_url = "http://127.0.0.1:9"
    form = {"channel": "sms", "address": GRACE, "text": "hello"}
    answer = await client.post("/reply", data=form, follow_redirects=True)
    assert "The hub did not take that" in answer.text
    assert "hello" in answer.text


async def test_search_and_filters_leave_what_fits(sandbox: Sandbox, client: httpx.AsyncClient) -> None:
    await sandbox.reply_sms(GRACE, "bridge")
    await sandbox.reply_sms("+15550100111", "tunnel")
    await sandbox.reply_telegram(42, "bridge")

    async def keys(query: str) -> set[str]:
        page = parsed((await client.get(f"/?{query}")).text)
        return {str(attributes["data-key"]) for tag, attributes in page.tags if tag == "li"} & {
            f"sms:{GRACE}",
            "sms:+15550100111",
            "telegram:42",
        }

    assert await keys("") == {f"sms:{GRACE}", "sms:+15550100111", "telegram:42"}
    assert await keys("q=BRIDGE") == {f"sms:{GRACE}", "telegram:42"}
    assert await keys("q=grace+bridge") == {f"sms:{GRACE}"}
    assert await keys("channel=telegram") == {"telegram:42"}
    assert await keys("language=so") == {f"sms:{GRACE}"}
    assert await keys("q=nothing") == set()


async def test_what_is_not_there_is_not_there(client: httpx.AsyncClient) -> None:
    assert "There is no such conversation" in (await client.get("/?open=sms:%2B15550100100")).text
    assert (await client.get("/?open=letter:../../etc/passwd")).status_code == 200
    for path in ("/mail/7", "/letters/x.pdf", "/letters/x.pdf/1.png", "/letters/..%2F..%2Fsandbox/1.png"):
        assert (await client.get(path)).status_code == 404


async def test_letters_are_shown_page_by_page(client: httpx.AsyncClient, tmp_path: Path) -> None:
    folder = tmp_path / "letters" / "D7"
    folder.mkdir(parents=True)
    document = pypdfium2.PdfDocument.new()
    for _ in range(30):
        document.new_page(612, 792)
    document.save(folder / "letters 1.pdf")
    document.save(folder / "letters 1_cover.pdf")
    (folder / "broken.pdf").write_bytes(b"%PDF-nothing")
    (tmp_path / "secret.pdf").write_bytes((folder / "letters 1.pdf").read_bytes())
    page = parsed((await client.get("/?open=letter:D7/letters%201.pdf")).text)
    pictures = [attributes for tag, attributes in page.tags if tag == "img"]
    assert len(pictures) == 24
    assert all(picture["loading"] == "lazy" for picture in pictures)
    shown = await client.get(f"http://hub.test{pictures[0]['src']}")
    assert shown.headers["content-type"] == "image/png"
    assert shown.content.startswith(b"\x89PNG\r\n")
    later = (await client.get("/?open=letter:D7/letters%201.pdf&from=25")).text
    assert "Page 30 of 30" in later
    assert "Page 24 of 30" not in later
    assert (await client.get("/letters/D7/letters%201.pdf/31.png")).status_code == 404
    assert (await client.get("/letters/D7/broken.pdf/1.png")).status_code == 404
    assert (await client.get("/letters/D7/letters%201_cover.pdf/1.png")).status_code == 404
    assert (await client.get("/letters/..%2Fsecret.pdf/1.png")).status_code == 404
    assert (await client.get("/letters/D7/letters%201.pdf")).content.startswith(b"%PDF")


async def test_the_version_changes_with_every_message(sandbox: Sandbox, client: httpx.AsyncClient) -> None:
    async def version() -> str:
        return str((await client.get("/version")).json()["version"])

    first = await version()
    assert await version() == first
    await sandbox.reply_sms(GRACE, "x")
    assert await version() != first


async def test_a_message_shows_the_citys_time_and_its_language(
    sandbox: Sandbox, client: httpx.AsyncClient
) -> None:
    sandbox.hub_url = ""
    await sandbox.reply_sms(GRACE, "STOP")
    page = (await client.get("/?open=sms:%2B15550100199")).text
    local = re.search(r'<time datetime="([^"]+)">(\d\d:\d\d)', page)
    assert local
    assert local[1][11:16] != local[2]
    assert 'lang="so"' in page


@pytest.mark.parametrize("language", languages())
def test_the_citys_own_sentences_tell_the_language(language: str) -> None:
    assert guess(f"Riverton: 123\n{phrases(language)['sms_stop']}") == language


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("市长", "zh"),
        ("שלום", "he"),
        ("안녕", "ko"),
        ("ひらがな", "ja"),
        ("Привет", "ru"),
        ("hello", ""),
        ("", ""),
    ],
)
def test_else_the_script_tells(text: str, language: str) -> None:
    assert guess(text) == language


def entities_for(text: str) -> st.SearchStrategy[list[dict[str, Any]]]:
    size = len(text.encode("utf-16-le")) // 2
    kinds = ["bold", "italic", "code", "pre", "blockquote", "text_link", "spoiler", "mention", "<b>"]
    one = st.fixed_dictionaries(
        {
            "type": st.sampled_from(kinds),
            "offset": st.integers(0, size),
            "length": st.integers(0, size + 3),
            "url": st.sampled_from(['https://x.example/"><script>', "javascript:alert(1)"]),
        }
    )
    return st.lists(one, max_size=6)


TEXT = st.text(st.sampled_from("ab <>&\"'😀é\nhttps://x.example/a?b=1"), max_size=60)


@given(TEXT.flatmap(lambda text: st.tuples(st.just(text), entities_for(text))))
def test_whatever_the_entities_the_text_stays_the_text(given_text: tuple[str, list[dict[str, Any]]]) -> None:
    text, entities = given_text
    html = str(rich(text, entities))
    found = parsed(html)
    assert "".join(found.words).replace("\n", "") == text.replace("\n", "")
    assert {tag for tag, _ in found.tags} <= {"strong", "em", "code", "pre", "blockquote", "a", "span"}
    assert all(str(attributes["href"]).startswith("http") for tag, attributes in found.tags if tag == "a")


@pytest.mark.parametrize(
    ("text", "links"),
    [
        ("see https://x.example/a?b=1&c=2.", ["https://x.example/a?b=1&c=2"]),
        ("(https://x.example/)", ["https://x.example/"]),
        ("https://x.example, https://y.example!", ["https://x.example", "https://y.example"]),
        ("\u2066https://x.example\u2069", ["https://x.example"]),
        ("javascript:alert(1) ftp://x", []),
    ],
)
def test_web_addresses_become_links(text: str, links: list[str]) -> None:
    assert [attributes["href"] for _, attributes in parsed(str(rich(text))).tags] == links


@pytest.fixture
def served(tmp_path: Path) -> Iterator[str]:
    """The page and its sandbox in a thread of their own, for a browser."""
    ready, stop, url = threading.Event(), asyncio.Event(), []

    async def run() -> None:
        async with Sandbox(tmp_path) as sandbox:
            await sandbox.reply_sms(GRACE, HOSTILE)
            app = Starlette(routes=[Mount("/sandbox", residents_app(sandbox, None, who))])
            server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning", lifespan="off"))
            serving = asyncio.create_task(server.serve())
            while not server.started:
                await asyncio.sleep(0.01)
            url.append(f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/sandbox/")
            ready.set()
            await stop.wait()
            server.should_exit = True
            await serving

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=lambda: loop.run_until_complete(run()))
    thread.start()
    assert ready.wait(20)
    yield url[0]
    loop.call_soon_threadsafe(stop.set)
    thread.join(20)
    loop.close()


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.parametrize("script", [True, False])
def test_in_a_browser_an_answer_appears_with_and_without_script(served: str, script: bool) -> None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        page = browser.new_context(java_script_enabled=script).new_page()
        problems: list[str] = []
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
        page.goto(f"{served}?open=sms:%2B15550100199")
        page.fill("#words", "Thank <i>you</i>")
        page.press("#words", "Enter")
        page.wait_for_selector("#bubbles .own >> nth=1")
        assert "Thank <i>you</i>" in page.locator("#bubbles .own").nth(1).inner_text()
        assert not problems
        browser.close()
