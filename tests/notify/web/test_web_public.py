"""Statements as pages: approved words only, in the reader's language, with nothing in them but words."""

from __future__ import annotations

import re
from time import monotonic

import httpx
import pytest
from fastapi import Response
from hypothesis import given
from hypothesis import strategies as st
from web_city import ARABIC, CHINESE, ENGLISH, PUBLIC, Page, Town

from channels.contract import Action
from notify import staff, statements
from notify.statements import Statement, Text
from notify.web.app import create_app
from notify.web.languages import asked_for, choose
from notify.web.pages import fill
from notify.web.public import fresh


@pytest.mark.parametrize(
    ("language", "text", "direction"),
    [("en", ENGLISH, "ltr"), ("ar", ARABIC, "rtl"), ("zh-Hans", CHINESE, "ltr")],
)
async def test_a_statement_is_a_page_in_each_of_its_languages(
    town: Town, web: httpx.AsyncClient, language: str, text: Text, direction: str
) -> None:
    answer = await web.get(f"/s/{town.statement().slug}/{language}")
    page = Page(answer.text)
    assert answer.status_code == 200
    assert answer.headers["content-language"] == language
    assert page.all("html") == [{"lang": language, "dir": direction}]
    assert text.title in page.words and text.short in page.words
    assert "Rivermouth" in page.words and "(206) 555-0100" in page.words
    assert [link["hreflang"] for link in page.all("link", rel="alternate")] == ["en", "ar", "zh-Hans"]
    assert [(link["lang"], link["dir"]) for link in page.all("a") if "hreflang" in link] == [
        ("en", "ltr"), ("ar", "rtl"), ("zh-Hans", "ltr"),
    ]  # fmt: skip
    assert all(name in page.words for name in ("English", "العربية", "中文"))
    assert page.all("a", **{"aria-current": "page"})[0]["lang"] == language


async def test_languages_stand_in_the_citys_order_as_on_every_other_page(
    town: Town, web: httpx.AsyncClient
) -> None:
    statement = town.statement(translations={"zh-Hans": CHINESE, "ar": ARABIC, "es": ENGLISH})
    page = Page((await web.get(f"/s/{statement.slug}/ar")).text)
    links = [link["lang"] for link in page.all("a") if "hreflang" in link]
    assert links == town.hub.settings.city.languages == ["en", "es", "ar", "zh-Hans"]


async def test_what_residents_can_do_is_there_to_press(town: Town, web: httpx.AsyncClient) -> None:
    page = Page((await web.get(f"/s/{town.statement().slug}/en")).text)
    targets = [link["href"] for link in page.all("a")]
    for target in ("tel:2065550134", "https://www.rivermouth.example/now", "mailto:mayor@rivermouth.example"):
        assert target in targets


async def test_a_phone_number_keeps_its_order_in_arabic(town: Town, web: httpx.AsyncClient) -> None:
    answer = await web.get(f"/s/{town.statement().slug}/ar")
    content = answer.text.partition("<main")[2]
    apart = re.findall(r'<bdi [^>]*dir="ltr"[^>]*>\(206\) 555-0134</bdi>', content)
    assert len(apart) == content.count("(206) 555-0134") == 3


@pytest.mark.parametrize(
    "danger",
    [
        "<script>alert(1)</script>",
        '"><img src=x onerror=alert(1)>',
        "[press](javascript:alert(1))",
        "![look](https://evil.example/pixel.png)",
        "{{ 7 * 7 }}{% for x in y %}",
        '#read("/etc/passwd")',
        '<https://example.org/" onmouseover=alert(1)>',
        "[a](data:text/html;base64,PHNjcmlwdD4=)",
        "<style>body{display:none}</style><base href=//evil.example>",
    ],
)
async def test_what_people_write_never_becomes_markup(
    town: Town, web: httpx.AsyncClient, danger: str
) -> None:
    clean = Page((await web.get(f"/s/{town.statement(translations={}).slug}/en")).text)
    text = Text(f"A {danger}"[:200], f"B {danger}", f"C {danger}\n\nD", (Action(f"E {danger}"[:80], "211"),))
    statement = town.statement(translations={"es": text})
    page = Page((await web.get(f"/s/{statement.slug}/es")).text)
    for tag in ("script", "img", "style", "base", "iframe", "form", "object"):
        assert page.all(tag) == clean.all(tag) == []
    for tag, attributes in page.elements:
        assert not [name for name in attributes if name.startswith("on")], tag
        assert attributes.get("href", "/").split(":")[0].lower() not in {"javascript", "data"}
    assert danger.split("](")[0].lstrip("![<") in page.words


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "en"),
        ("ar", "ar"),
        ("ar-EG,en;q=0.5", "ar"),
        ("fr,zh-CN;q=0.9,en;q=0.1", "zh-Hans"),
        ("zh-TW", "en"),  # nobody who reads traditional characters gets simplified ones
        ("en;q=0.2, ar;q=0.9", "ar"),
        ("ar;q=0, en", "en"),
        ("*", "en"),
        ("no such thing;;;q=x", "en"),
    ],
)
async def test_without_a_language_the_browser_is_asked(
    town: Town, web: httpx.AsyncClient, header: str, language: str
) -> None:
    slug = town.statement().slug
    answer = await web.get(f"/s/{slug}", headers={"accept-language": header})
    assert (answer.status_code, answer.headers["location"]) == (302, f"/s/{slug}/{language}")
    assert answer.headers["vary"] == "Accept-Language"


@pytest.mark.parametrize(
    ("asked", "given_"), [("zh-CN", "zh-Hans"), ("ar-EG", "ar"), ("fr", "en"), ("%22%3E", "en")]
)
async def test_a_language_that_is_not_there_leads_to_the_nearest(
    town: Town, web: httpx.AsyncClient, asked: str, given_: str
) -> None:
    slug = town.statement().slug
    assert (await web.get(f"/s/{slug}/{asked}")).headers["location"] == f"/s/{slug}/{given_}"


@pytest.mark.parametrize("path", ["/s/nothing", "/s/nothing/ar", "/s/no/no/no", "/admin", "/s/"])
async def test_an_unknown_address_is_a_page_in_the_readers_language(
    web: httpx.AsyncClient, path: str
) -> None:
    answer = await web.get(path, headers={"accept-language": "ar" if "ar" not in path else "es"})
    assert answer.status_code == 404
    assert Page(answer.text).all("html") == [{"lang": "ar", "dir": "rtl"}]


async def test_r33_a_draft_is_nothing_to_the_public(town: Town, web: httpx.AsyncClient) -> None:
    statement = town.statement(approve=False)
    for path in (f"/s/{statement.slug}", f"/s/{statement.slug}/en"):
        answer = await web.get(path)
        assert answer.status_code == 404
        assert ENGLISH.title not in answer.text


async def test_r33_a_translation_nobody_approved_is_not_shown(town: Town, web: httpx.AsyncClient) -> None:
    statement = town.statement(translations={})
    assert (await web.get(f"/s/{statement.slug}/ar")).headers["location"].endswith("/en")
    assert "العربية" not in (await web.get(f"/s/{statement.slug}/en")).text


async def test_r34_a_statement_changed_after_approval_is_not_shown(
    town: Town, web: httpx.AsyncClient
) -> None:
    statement = town.statement()
    _edit(town, statement)
    answer = await web.get(f"/s/{statement.slug}/en")
    assert answer.status_code == 503
    assert answer.headers["retry-after"]
    assert "being changed" in answer.text
    assert "Something else" not in answer.text and ENGLISH.title not in answer.text


async def test_r34_a_byte_changed_behind_our_back_is_not_shown(town: Town, web: httpx.AsyncClient) -> None:
    statement = town.statement()
    with town.session() as session:
        session.connection().exec_driver_sql("UPDATE revision SET body = body || '.'")
        session.commit()
    assert (await web.get(f"/s/{statement.slug}/en")).status_code == 503


async def test_a_withdrawn_statement_says_so_in_the_language_asked_for(
    town: Town, web: httpx.AsyncClient
) -> None:
    statement = town.statement()
    with town.session() as session:
        statements.withdraw(session, statements.find(session, statement.id or 0), "ana@rivermouth.example")
        session.commit()
    answer = await web.get(f"/s/{statement.slug}/ar")
    assert answer.status_code == 410
    assert Page(answer.text).all("html") == [{"lang": "ar", "dir": "rtl"}]
    assert ARABIC.title not in answer.text
    assert (await web.get(f"/s/{statement.slug}")).status_code == 410


async def test_a_page_that_was_just_read_is_gone_in_seconds_too(
    town: Town, web: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    statement = town.statement()
    path = f"/s/{statement.slug}/en"
    first = await web.get(path)
    with town.session() as session:
        statements.withdraw(session, statements.find(session, statement.id or 0), "ana@rivermouth.example")
        session.commit()
    again = await web.get(path)
    assert (again.text, again.headers) == (first.text, first.headers)
    later = monotonic() + fresh.SECONDS
    monkeypatch.setattr(fresh, "monotonic", lambda: later)
    assert (await web.get(path)).status_code == 410


def test_not_every_page_there_ever_was_is_kept() -> None:
    kept = fresh.Fresh()
    for number in range(fresh.MOST + 1):
        kept.keep(str(number), "en", Response(str(number)))
    assert kept.get("0", "en") is None
    newest = kept.get(str(fresh.MOST), "en")
    assert newest and newest.body == str(fresh.MOST).encode()


async def test_a_language_without_phrases_keeps_the_frame_in_english(
    town: Town, web: httpx.AsyncClient
) -> None:
    text = Text("Bonjou tout moun", "Kout", "Kò a")
    statement = town.statement(translations={"rmy": text})
    page = Page((await web.get(f"/s/{statement.slug}/rmy")).text)
    assert page.all("html")[0]["lang"] == "rmy"
    assert page.all("header")[0]["lang"] == "en"


async def test_the_citys_page_shows_what_everybody_was_sent(town: Town, web: httpx.AsyncClient) -> None:
    town.resident("+12065550123")
    everybody, one_list, unsent = town.statement(), town.statement(), town.statement()
    town.dispatch(everybody)
    town.dispatch(one_list, to="News")
    page = Page((await web.get("/", headers={"accept-language": "ar"})).text)
    links = [link["href"] for link in page.all("a")]
    assert f"/s/{everybody.slug}/ar" in links
    assert ARABIC.title in page.words
    for hidden in (one_list, unsent):
        assert hidden.slug not in str(links)
    assert Page((await web.get("/?language=zh-Hans")).text).all("html")[0]["lang"] == "zh-Hans"


async def test_a_city_that_has_said_nothing_says_so(web: httpx.AsyncClient) -> None:
    answer = await web.get("/")
    assert answer.status_code == 200
    assert "nothing new" in answer.text


async def test_behind_a_proxy_with_a_path_links_keep_it(town: Town) -> None:
    settings = town.hub.settings.model_copy(update={"public_url": f"{PUBLIC}/notify"})
    town.hub.settings = settings
    slug = town.statement().slug
    async with httpx.AsyncClient(transport=httpx.ASGITransport(create_app(town.hub)), base_url=PUBLIC) as web:
        assert (await web.get(f"/s/{slug}")).headers["location"] == f"/notify/s/{slug}/en"
        page = Page((await web.get(f"/s/{slug}/en")).text)
    own = [link["href"] for link in page.all("a") + page.all("link") if link["href"].startswith("/")]
    assert own and all(path.startswith("/notify/") for path in own)


@given(st.text(max_size=200))
def test_any_accept_language_header_is_read_without_an_error(header: str) -> None:
    assert choose(asked_for(header), ["en", "ar"]) in {"en", "ar"}


@given(st.text(max_size=60))
def test_what_fills_a_sentence_is_text_and_set_apart(value: str) -> None:
    page = Page(str(fill("Messages <from> {city}.", city=value)))
    assert page.elements == [("bdi", {})]
    assert "<from>" in page.words


def _edit(town: Town, statement: Statement) -> None:
    with town.session() as session:
        found = statements.find(session, statement.id or 0)
        ana = staff.find(session, "ana@rivermouth.example")
        statements.edit(session, found, Text("Something else", "Else", "Else"), ana)
        session.commit()
