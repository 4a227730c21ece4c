"""The way in: nothing without the owner's yes, no way to ask who is known, and an end to abuse."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlencode

import httpx
import pytest
from joining_city import MAIL, NUMBER, VISITOR, SignUps, make_lists, visitor, words
from web_city import PUBLIC, SETTINGS, Page, Town

import templates
from channels.sandbox import Sandbox
from contacts.columns import now
from contacts.models import Contact, ContactList, Endpoint, EndpointState, PendingYes
from notify.hub import Hub
from notify.settings import SettingsError, load

FORM = {"content-type": "application/x-www-form-urlencoded"}
Make = Callable[..., SignUps]


@pytest.fixture
async def make_sign_ups(
    make_hub: Callable[..., Hub], sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Make]:
    monkeypatch.chdir(tmp_path)
    opened: list[httpx.AsyncClient] = []

    def make(**web: object) -> SignUps:
        city = {**SETTINGS["city"], "areas": ["Harbor", "Old Town"]}  # type: ignore[dict-item]
        given = {**SETTINGS, **sandbox.settings(), "city": city, "web": web}
        town = Town(make_hub(**given))
        with town.session() as session:
            make_lists(session)
        opened.append(visitor(town))
        return SignUps(town, sandbox, opened[-1])

    yield make
    for client in opened:
        await client.aclose()


@pytest.fixture
def there(make_sign_ups: Make) -> SignUps:
    return make_sign_ups()


# the page


@pytest.mark.parametrize(
    ("asked", "query", "language", "direction"),
    [
        ("en-US,en;q=0.9", "", "en", "ltr"), ("ar-EG, en;q=0.5", "", "ar", "rtl"), ("tlh", "", "en", "ltr"),
        ("ar", "?language=es", "es", "ltr"), ("", "?language=zh-Hans", "zh-Hans", "ltr"),
        ("", "?language=%00x", "en", "ltr"),
    ],
)  # fmt: skip
async def test_the_page_is_in_the_readers_language(
    there: SignUps, asked: str, query: str, language: str, direction: str
) -> None:
    answer = await there.web.get(f"/join{query}", headers={"accept-language": asked})
    page, said = Page(answer.text), templates.phrases(language)
    assert page.all("html") == [{"lang": language, "dir": direction}]
    assert said["join_topics"] in page.words and said["join_consent"].format(city="Rivermouth") in page.words
    links = {link["hreflang"]: link for link in page.all("a") if "hreflang" in link}
    assert set(links) == {"en", "es", "ar", "zh-Hans"}
    assert links[language]["aria-current"] == "page" and links["ar"]["dir"] == "rtl"
    assert "set-cookie" not in answer.headers


async def test_r31_nothing_is_ticked_and_only_public_lists_are_there(there: SignUps) -> None:
    page = Page((await there.web.get("/join?language=es")).text)
    boxes = page.all("input", type="checkbox")
    assert [box["value"] for box in boxes] == [str(there.list_id("News")), str(there.list_id("Urgent"))]
    assert not any("checked" in box for box in boxes)
    assert "Noticias de la semana" in page.words and "Weekly news" not in page.words
    assert "Families" not in page.words and "Press" not in page.words
    assert page.all("label", lang="en", **{"for": f"topic-{there.list_id('Urgent')}"})


@pytest.mark.parametrize("name", ["news", "{id}"])
async def test_a_list_has_a_page_of_its_own(there: SignUps, name: str) -> None:
    path = f"/join/{name.format(id=there.list_id('News'))}?language=en"
    page = Page((await there.web.get(path)).text)
    assert not page.all("input", type="checkbox")
    assert "What the city does, every Friday." in page.words
    answer = await there.web.post(path, data={**await there.form(path), "address": MAIL})
    assert answer.status_code == 303
    assert there.pending()[0].list_ids == [there.list_id("News")]


@pytest.mark.parametrize(
    "name", ["families", "press", "{Families}", "{Press}", "nothing", "0", "-1", "٣", "%00"]
)
async def test_a_list_that_is_not_public_is_not_there(there: SignUps, name: str) -> None:
    shown = name.format(Families=there.list_id("Families"), Press=there.list_id("Press"))
    assert (await there.web.get(f"/join/{shown}")).status_code == 404
    assert (await there.web.post(f"/join/{shown}", data={"address": MAIL})).status_code == 404
    assert there.pending() == []


async def test_a_city_without_public_lists_says_so(town: Town, web: httpx.AsyncClient) -> None:
    page = Page((await web.get("/join?language=en")).text)
    assert templates.phrases("en")["join_closed"] in page.words and not page.all("form")


async def test_telegram_is_offered_by_a_link_that_names_the_list(there: SignUps) -> None:
    page = Page((await there.web.get("/join/news?language=en")).text)
    (link,) = [each["href"] for each in page.all("a") if each.get("href", "").startswith("https://t.me/")]
    recipient = there.town.hub.tokens.read(link.partition("?start=")[2])
    assert recipient and recipient.list_id == there.list_id("News")
    assert page.all("svg")


# double opt-in


async def test_nothing_is_subscribed_before_the_owner_has_confirmed(there: SignUps) -> None:
    answer = await there.sign_up(area="Harbor")
    assert (answer.status_code, answer.headers["location"]) == (303, "/join/sent?by=email&language=en")
    assert (await there.web.get(answer.headers["location"])).status_code == 200
    assert there.rows(Contact) == there.rows(Endpoint) == there.events() == []
    (pending,) = there.pending()
    assert (pending.address, pending.ip, pending.area) == (MAIL, VISITOR, "Harbor")
    assert there.link().removeprefix("/c/") not in pending.digest


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_r18_opening_the_link_confirms_nothing(there: SignUps, method: str) -> None:
    await there.sign_up()
    for _ in range(2):  # a mail scanner, then a preview
        assert (await there.web.request(method, there.link())).status_code == 200
    assert there.events() == [] and there.pending()[0].confirmed_at is None


async def test_r31_the_button_subscribes_with_proof(there: SignUps) -> None:
    await there.sign_up("/join?language=es", language="ar", area="Harbor")
    link = there.link()
    page = Page((await there.web.get(link)).text)
    said = templates.phrases("ar")
    assert page.all("html") == [{"lang": "ar", "dir": "rtl"}]  # of the messages, as chosen
    assert len(page.all("button")) == 1 and "أخبار الأسبوع" in page.words
    answer = await there.web.post(link)
    assert answer.status_code == 303
    assert said["confirmed_title"] in (await there.web.get(answer.headers["location"])).text
    assert there.subscribed() == {"News"}
    (event,), (contact,), (pending,) = there.events(), there.rows(Contact), there.pending()
    assert (contact.language, contact.area, contact.name) == ("ar", "Harbor", "")
    assert (event.method, event.actor, event.ip) == ("email double opt-in", "resident", VISITOR)
    assert (event.reference, event.wording_language) == (f"join-{pending.id}", "ar")
    consent = said["join_consent"].format(city="Rivermouth")
    assert event.wording == f"{said['join_topics']}\n☑ أخبار الأسبوع\n{consent}"
    assert consent in page.words
    assert pending.wording.endswith(templates.phrases("es")["join_consent"].format(city="Rivermouth"))


async def test_confirming_twice_is_fine(there: SignUps) -> None:
    await there.sign_up()
    for _ in range(3):
        assert (await there.web.post(there.link())).status_code == 303
    assert len(there.events()) == len(there.rows(Contact)) == 1


async def test_an_old_link_revives_nothing_after_a_no(there: SignUps) -> None:
    await there.sign_up()
    link = there.link()
    await there.web.post(link)
    (endpoint,) = there.rows(Endpoint)
    await there.web.post(f"/u/{there.town.token(endpoint)}")
    await there.web.post(link)
    assert there.subscribed() == set() and len(there.events()) == 2
    gone = templates.phrases("en")["prefs_gone"].format(city="Rivermouth", address="r•••@example.org")
    assert gone in Page((await there.web.get(link)).text).words


async def test_who_left_comes_back_to_what_is_chosen_and_to_nothing_else(there: SignUps) -> None:
    endpoint = there.town.resident(MAIL, channel="email", on="Urgent")
    await there.web.post(f"/u/{there.town.token(endpoint)}")
    await there.sign_up()
    await there.web.post(there.link())
    assert there.subscribed() == {"News"}


async def test_a_message_that_came_through_mends_a_bounced_address(there: SignUps) -> None:
    endpoint = there.town.resident(MAIL, channel="email", agreed=False)
    with there.town.session() as session:
        found = session.get_one(Endpoint, endpoint.id)
        found.state, found.state_reason, found.soft_bounces = EndpointState.BAD, "5.1.1", 3
        session.commit()
    await there.sign_up(language="es")
    await there.web.post(there.link())
    mended = there.town.fresh(endpoint)
    assert isinstance(mended, Endpoint)
    assert (mended.state, mended.state_reason, mended.soft_bounces) == ("usable", "", 0)
    assert [contact.language for contact in there.rows(Contact)] == ["es"]


async def test_a_link_that_is_too_old_says_how_to_go_on(there: SignUps) -> None:
    await there.sign_up()
    link = there.link()
    with there.town.session() as session:
        row = session.get_one(PendingYes, 1)
        row.expires_at = now() - timedelta(seconds=1)
        session.commit()
    for answer in (await there.web.get(link), await there.web.post(link)):
        assert answer.status_code == 410
        assert {"href": "/join?language=en"} in Page(answer.text).all("a")
    assert there.events() == []


@pytest.mark.parametrize("token", ["x", "a" * 5000, "%00", "%F0%9F%92%A9", "..%2f", "' OR 1=1 --"])
async def test_a_link_that_is_none_says_so_too(there: SignUps, token: str) -> None:
    for answer in (await there.web.get(f"/c/{token}"), await there.web.post(f"/c/{token}")):
        assert answer.status_code == 404


async def test_a_text_message_asks_and_its_link_confirms(there: SignUps) -> None:
    answer = await there.sign_up(address="(206) 555-0123", language="es")
    assert answer.headers["location"] == "/join/sent?by=phone&language=en"
    (text,) = there.sandbox.sms.of(NUMBER)
    assert text.text.startswith("Rivermouth: ") and "ALTO" in text.text and "AYUDA" in text.text  # R7
    await there.web.post(there.link(NUMBER))
    assert there.subscribed(NUMBER) == {"News"}
    assert there.events()[0].method == "web form"


async def test_the_mail_that_asks_is_an_answer_and_no_newsletter(there: SignUps) -> None:
    await there.sign_up(language="ar")
    (mail,) = there.mails()
    assert mail["Subject"] == templates.phrases("ar")["email_confirm_title"]
    assert mail["List-Unsubscribe"] is None and mail["List-Id"] is None
    for kind in ("plain", "html"):
        assert "/u/" not in words(mail, kind) and "/p/" not in words(mail, kind)
        assert PUBLIC + there.link() in words(mail, kind)


# nobody is told who is known


async def test_a_known_address_gets_a_mail_that_says_so_and_the_page_tells_nothing(there: SignUps) -> None:
    there.town.resident(MAIL, channel="email")
    known = await there.sign_up()
    unknown = await there.sign_up(address="somebody.else@example.org")
    assert known.status_code == unknown.status_code and known.content == unknown.content
    assert known.headers == unknown.headers
    (mail,) = there.mails()
    assert mail["Subject"] == templates.phrases("en")["email_known_title"]
    assert there.link().startswith("/p/")
    assert (await there.web.get(there.link())).status_code == 200
    assert len(there.events()) == 1


async def test_a_known_address_that_wants_more_is_asked_again(there: SignUps) -> None:
    there.town.resident(MAIL, channel="email")
    await there.sign_up(topic=[str(there.list_id("News")), str(there.list_id("Urgent"))])
    await there.web.post(there.link())
    assert there.subscribed() == {"News", "Urgent"}


# limits


async def test_an_address_is_asked_only_so_often_known_or_not(make_sign_ups: Make) -> None:
    there = make_sign_ups(confirmations_per_day=2)
    there.town.resident("known@example.org", channel="email")
    for address in (MAIL, "known@example.org"):
        codes = [(await there.sign_up(address=address)).status_code for _ in range(3)]
        assert codes == [303, 303, 429]
        assert len(there.mails(address)) == 2


async def test_a_visitor_signs_up_only_so_often(make_sign_ups: Make) -> None:
    there = make_sign_ups(signups_per_hour=2)
    answers = [await there.sign_up(address=f"{number}@example.org") for number in range(3)]
    assert [each.status_code for each in answers] == [303, 303, 429]
    assert templates.phrases("en")["join_too_many"] in answers[2].text
    assert answers[2].headers["retry-after"] and "203.0" not in answers[2].text
    assert len(there.pending()) == 2


async def test_all_together_sign_up_only_so_often(make_sign_ups: Make) -> None:
    there = make_sign_ups(all_signups_per_hour=1)
    assert (await there.sign_up()).status_code == 303
    assert (await there.sign_up(address="b@example.org")).status_code == 429


async def test_a_mistake_counts_against_nobody(make_sign_ups: Make) -> None:
    there = make_sign_ups(signups_per_hour=1)
    for _ in range(5):
        assert (await there.sign_up(address="rosa")).status_code == 422
    assert (await there.sign_up()).status_code == 303


@pytest.mark.parametrize(("trusted", "ip"), [(["203.0.113.0/24"], "198.51.100.9"), ([], VISITOR)])
async def test_a_proxy_is_believed_only_if_the_city_says_so(
    make_sign_ups: Make, trusted: list[str], ip: str
) -> None:
    there = make_sign_ups(trusted_proxies=trusted)
    there.web.headers["x-forwarded-for"] = "192.0.2.66, 198.51.100.9"
    await there.sign_up()
    assert there.pending()[0].ip == ip


async def test_a_program_that_fills_in_every_field_is_told_nothing_and_gets_nothing(there: SignUps) -> None:
    answer = await there.sign_up(homepage="https://spam.example")
    assert answer.headers["location"] == "/join/sent?by=email&language=en"
    assert there.pending() == [] and there.mails() == []


async def test_a_provider_that_is_down_is_no_yes_and_no_riddle(there: SignUps) -> None:
    there.sandbox.fault("email", kind="refused", code=421, text="4.3.2 Closing")
    answer = await there.sign_up()
    assert answer.status_code == 503
    assert templates.phrases("en")["join_unavailable"] in answer.text
    assert there.pending() == []  # it does not count
    there.sandbox.clear_faults()
    assert (await there.sign_up()).status_code == 303


async def test_a_mailbox_that_does_not_exist_is_not_told(there: SignUps) -> None:
    answer = await there.sign_up(address="no-such-mailbox@example.org")
    assert answer.status_code == 303


# what is wrong


@pytest.mark.parametrize("language", ["en", "es", "ar", "zh-Hans"])
async def test_errors_stand_at_their_fields_in_the_pages_language(there: SignUps, language: str) -> None:
    path, said = f"/join?language={language}", templates.phrases(language)
    answer = await there.sign_up(path, address="rosa@", topic="", area="Old Town", language="es")
    assert answer.status_code == 422
    page = Page(answer.text)
    assert page.words.count(said["join_wrong_reach"]) == page.words.count(said["join_wrong_topics"]) == 2
    (field,) = page.all("input", id="address")
    assert field["value"] == "rosa@" and field["aria-invalid"] == "true"
    assert "address-error" in field["aria-describedby"]
    assert page.all("option", value="es", selected="") and page.all("option", value="Old Town", selected="")
    (summary,) = page.all("div", role="alert")
    assert "autofocus" in summary and summary["tabindex"] == "-1"
    assert there.pending() == []


async def test_a_form_from_elsewhere_shows_the_words_before_it_counts(there: SignUps) -> None:
    """A plain form on another page has not shown what the resident agrees to."""
    filled = {"address": MAIL, "topic": str(there.list_id("News"))}
    answer = await there.web.post("/join?language=es", data=filled)
    page = Page(answer.text)
    assert answer.status_code == 422 and there.pending() == []
    assert templates.phrases("es")["join_wrong_words"] in page.words
    assert page.all("input", value=MAIL) and page.all("input", value=filled["topic"], checked="")
    hidden = {field["name"]: field["value"] for field in page.all("input", type="hidden")}
    assert (await there.web.post("/join?language=es", data={**filled, **hidden})).status_code == 303


@pytest.mark.parametrize(
    ("field", "value"),
    [("language", "tlh"), ("language", "x" * 10_000), ("area", "Nowhere"), ("area", "<b>Harbor</b>")],
)
async def test_what_is_not_on_the_list_is_not_taken(there: SignUps, field: str, value: str) -> None:
    answer = await there.sign_up(**{field: value})
    assert answer.status_code == 422
    assert templates.phrases("en")["join_wrong_choice"] in answer.text
    assert "<b>" not in answer.text


@pytest.mark.parametrize("topic", ["{Families}", "{Press}", "999999", "-1", "1e0", "９", "", "9" * 400])
async def test_a_topic_that_is_not_offered_cannot_be_had(there: SignUps, topic: str) -> None:
    shown = topic.format(Families=there.list_id("Families"), Press=there.list_id("Press"))
    assert (await there.sign_up(topic=shown)).status_code == 422
    assert (await there.sign_up(topic=[shown, str(there.list_id("News"))])).status_code == 303
    assert there.pending()[0].list_ids == [there.list_id("News")]


async def test_a_list_that_is_public_no_longer_is_not_joined_by_an_old_link(there: SignUps) -> None:
    await there.sign_up(topic=[str(there.list_id("News")), str(there.list_id("Urgent"))])
    with there.town.session() as session:
        session.get_one(ContactList, there.list_id("Urgent")).public = False
        session.commit()
    await there.web.post(there.link())
    assert there.subscribed() == {"News"}


HOSTILE = [
    "<script>alert(1)</script>@example.org", "a@b.example\r\nBcc: all@example.org", "a@b.example%0aBcc:x@y.z",
    "\u202egro.elpmaxe@asor", "a\x00b", "x" * 10_000, "x" * 10_000 + "@example.org", "@" * 400,
    "a@b@c.example", '"a b"@example.org', "a@[127.0.0.1]", "+1 206 555 0123; DROP TABLE", "911", "tel:911",
    "mailto:a@b.example?bcc=c@d.example", "a@localhost", "\ud7ff\ufeff", "﷽" * 100, "{{7*7}}",
]  # fmt: skip


@pytest.mark.parametrize("address", HOSTILE)
async def test_a_hostile_address_is_shown_as_text_and_gets_nothing(there: SignUps, address: str) -> None:
    answer = await there.sign_up(address=address)
    assert answer.status_code in (413, 422)
    assert "<script" not in answer.text and "\x00" not in answer.text
    assert there.pending() == [] and there.sandbox.mail.total == there.sandbox.sms.total == 0


@pytest.mark.parametrize(
    ("content", "headers", "status"),
    [
        (b"{}", {"content-type": "application/json"}, 400),
        (b"address=a", {"content-type": "text/plain"}, 400),
        (b"address=a", {}, 400),
        (b"\xff\xfe", FORM, 400),
        (b"--x\r\n", {"content-type": "multipart/form-data; boundary=x"}, 400),
        (b"&".join(b"topic=%d" % number for number in range(1000)), FORM, 400),
        (b"address=" + b"x" * 60_000, FORM, 413),
        (b"", FORM, 422),
        (b"%00=%00&address=%ff%fe&topic=%d8%00", FORM, 422),
    ],
)
async def test_what_is_no_form_gets_a_page_that_says_so(
    there: SignUps, content: bytes, headers: dict[str, str], status: int
) -> None:
    answer = await there.web.post("/join?language=es", content=content, headers=headers)
    assert answer.status_code == status
    assert Page(answer.text).all("html") == [{"lang": "es", "dir": "ltr"}]
    if status != 422:
        assert templates.phrases("es")["join_unreadable"] in answer.text


async def test_a_field_that_comes_twice_counts_once(there: SignUps) -> None:
    path = "/join?language=en"
    fields = [*(await there.form(path)).items(), ("topic", str(there.list_id("News")))]
    fields += [("address", MAIL), ("address", "other@example.org"), ("language", "es"), ("language", "ar")]
    answer = await there.web.post(path, content=urlencode(fields), headers=FORM)
    assert answer.status_code == 303
    assert [(each.address, each.language) for each in there.pending()] == [(MAIL, "es")]
    assert there.mails("other@example.org") == []


# in other pages


async def test_only_pages_of_the_citys_choice_may_hold_the_form_in_a_frame(make_sign_ups: Make) -> None:
    there = make_sign_ups(embed_origins=["https://www.rivermouth.example", "http://localhost:8000"])
    for path in ("/join/embed", "/join/embed/news", "/join/embed/sent", "/join/embed/nothing"):
        policy = (await there.web.get(path)).headers["content-security-policy"]
        assert policy.endswith("frame-ancestors https://www.rivermouth.example http://localhost:8000")
        assert policy.startswith("default-src 'none'") and "unsafe" not in policy
    for path in ("/join", "/join/news", "/join/sent", "/c/x", "/p/x", "/"):
        policy = (await there.web.get(path)).headers["content-security-policy"]
        assert policy.endswith("frame-ancestors 'none'")


async def test_without_such_a_choice_nobody_may(there: SignUps) -> None:
    policy = (await there.web.get("/join/embed")).headers["content-security-policy"]
    assert policy.endswith("frame-ancestors 'none'")


async def test_the_embedded_form_stays_embedded(there: SignUps) -> None:
    path = "/join/embed?language=ar"
    page = Page((await there.web.get(path)).text)
    assert page.all("body") == [{"class": "embedded"}] and not page.all("header")
    assert (await there.sign_up(path)).headers["location"] == "/join/embed/sent?by=email&language=ar"
    assert Page((await there.sign_up(path, address="x")).text).all("body") == [{"class": "embedded"}]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"embed_origins": ["https://city.example/path"]}, "the start of a page's address"),
        ({"embed_origins": ["*"]}, "the start of a page's address"),
        ({"embed_origins": ["https://a.example; script-src *"]}, "the start of a page's address"),
        ({"trusted_proxies": ["proxy.example"]}, "an IP address or a network"),
        ({"signups_per_hour": 0}, "greater than or equal to 1"),
    ],
)
def test_a_setting_that_does_not_fit_names_the_cure(
    given: dict[str, object], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SettingsError, match=says):
        load(web=given)


async def test_nothing_personal_is_logged(there: SignUps, capfd: pytest.CaptureFixture[str]) -> None:
    there.sandbox.fault("email", kind="refused", code=550, text=f"5.1.1 <{MAIL}> unknown")
    await there.sign_up()
    logged = "".join(capfd.readouterr())
    assert "answer_not_sent" in logged
    assert MAIL not in logged and VISITOR not in logged and "rosa" not in logged


async def test_every_page_is_reached_under_the_citys_path(make_hub: Callable[..., Hub]) -> None:
    """A proxy may put the hub under a path of its own."""
    town = Town(make_hub(**{**SETTINGS, "public_url": f"{PUBLIC}/notify"}))
    with town.session() as session:
        make_lists(session)
    async with visitor(town) as web:
        page = Page((await web.get("/join?language=en")).text)
    assert page.all("form")[0]["action"] == "/notify/join?language=en"
