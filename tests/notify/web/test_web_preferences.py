"""What a resident may choose with the link from a message: every change a word on record, no GET a change."""

from __future__ import annotations

import httpx
import pytest
from joining_city import MAIL, NUMBER, make_lists
from sqlmodel import col, select
from web_city import Page, Town

import templates
from contacts import consent, joining
from contacts.models import ConsentEvent, Contact, ContactList, Endpoint, EndpointState, Subscription
from notify.tokens import Recipient

EN = templates.phrases("en")


@pytest.fixture
def rosa(town: Town) -> Endpoint:
    """Gets the news by mail."""
    with town.session() as session:
        make_lists(session)
    return town.resident(MAIL, channel="email")


def path(town: Town, endpoint: Endpoint, list_id: int | None = None) -> str:
    return f"/p/{town.token(endpoint, list_id)}"


def add(town: Town, rosa: Endpoint, channel: str, address: str) -> Endpoint:
    """One more address of the same contact, that gets the news."""
    with town.session() as session:
        endpoint = Endpoint(contact_id=rosa.contact_id, channel=channel, address=address, address_key=address)
        session.add(endpoint)
        session.flush()
        consent.record(
            session, contact_id=rosa.contact_id, endpoint_id=endpoint.id or 0,
            list_id=town.list_id("News"), decision=True, method="paper",
        )  # fmt: skip
        session.commit()
    return endpoint


def events(town: Town) -> list[ConsentEvent]:
    with town.hub.database.reading() as session:
        return list(session.exec(select(ConsentEvent).order_by(col(ConsentEvent.id))))


def gets(town: Town, endpoint: Endpoint) -> set[str]:
    query = (
        select(ContactList.name)
        .join(Subscription, col(Subscription.list_id) == col(ContactList.id))
        .where(Subscription.endpoint_id == endpoint.id, col(Subscription.active))
    )
    with town.hub.database.reading() as session:
        return set(session.exec(query))


async def save(
    town: Town, web: httpx.AsyncClient, endpoint: Endpoint, query: str = "", **fields: object
) -> httpx.Response:
    """Press the page's own button with some fields changed."""
    page = Page((await web.get(path(town, endpoint) + query)).text)
    shown = [field["value"] for field in page.all("input", type="hidden", name="shown")]
    ticked = [field["value"] for field in page.all("input", type="checkbox") if "checked" in field]
    filled = {"do": "save", "shown": shown, "topic": ticked, "language": "en", "area": ""}
    return await web.post(path(town, endpoint) + query, data={**filled, **fields})


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_r18_looking_changes_nothing(
    town: Town, web: httpx.AsyncClient, rosa: Endpoint, method: str
) -> None:
    for query in ("", "?done=leave", "?do=leave", "?language=es&topic="):
        answer = await web.request(method, path(town, rosa) + query)
        assert answer.status_code == 200 and answer.headers["cache-control"] == "no-store"
    assert len(events(town)) == 1


async def test_the_page_shows_what_there_is_and_no_address(
    town: Town, web: httpx.AsyncClient, rosa: Endpoint
) -> None:
    add(town, rosa, "sms", NUMBER)
    answer = await web.get(path(town, rosa, town.list_id("News")))
    page = Page(answer.text)
    boxes = {box["value"]: "checked" in box for box in page.all("input", type="checkbox")}
    assert boxes == {str(town.list_id("News")): True, str(town.list_id("Urgent")): False}
    assert "r•••@example.org" in page.words and "•••0123" in page.words and EN["way_phone"] in page.words
    for secret in (MAIL, NUMBER, "Quintero", "Families", "Press"):
        assert secret not in answer.text
    assert "set-cookie" not in answer.headers


async def test_the_page_speaks_the_contacts_language_and_any_other(
    town: Town, web: httpx.AsyncClient
) -> None:
    endpoint = town.resident(MAIL, channel="email", language="ar")
    page = Page((await web.get(path(town, endpoint), headers={"accept-language": "en"})).text)
    assert page.all("html") == [{"lang": "ar", "dir": "rtl"}]
    page = Page((await web.get(path(town, endpoint) + "?language=es")).text)
    assert page.all("html") == [{"lang": "es", "dir": "ltr"}]
    assert page.all("option", value="ar", selected="")  # of the messages: still Arabic


async def test_the_page_goes_on_in_the_language_that_was_just_chosen_for_messages(
    town: Town, web: httpx.AsyncClient, rosa: Endpoint
) -> None:
    answer = await save(town, web, rosa, "?language=en", language="ar")
    page = Page((await web.get(answer.headers["location"])).text)
    assert page.all("html") == [{"lang": "ar", "dir": "rtl"}]
    assert templates.phrases("ar")["prefs_saved"] in page.words
    answer = await save(town, web, rosa, "?language=es", language="ar")  # the page's own choice stays
    page = Page((await web.get(answer.headers["location"])).text)
    assert page.all("html") == [{"lang": "es", "dir": "ltr"}]


async def test_r31_a_topic_is_joined_and_left_with_the_words_that_stood_there(
    town: Town, web: httpx.AsyncClient, rosa: Endpoint
) -> None:
    news, urgent = town.list_id("News"), town.list_id("Urgent")
    answer = await save(town, web, rosa, "?language=es", topic=[str(urgent)])
    assert answer.status_code == 303
    assert gets(town, rosa) == {"Urgent"}
    said = templates.phrases("es")
    no, yes = sorted(events(town)[1:], key=lambda event: event.decision)
    assert (no.list_id, yes.list_id) == (news, urgent)
    assert no.wording == f"{said['join_topics']}\n☐ Noticias de la semana"
    consent_words = said["join_consent"].format(city="Rivermouth")
    assert yes.wording == f"{said['join_topics']}\n☑ Urgent messages\n{consent_words}"
    for event in (no, yes):
        assert (event.method, event.actor, event.wording_language) == ("web form", "resident", "es")
        assert event.ip and event.reference == f"preferences-{rosa.id}"
    page = Page((await web.get(answer.headers["location"])).text)
    assert said["prefs_saved"] in page.words and page.all("p", role="status")


async def test_saving_without_a_change_says_nothing_about_consent(
    town: Town, web: httpx.AsyncClient, rosa: Endpoint
) -> None:
    await save(town, web, rosa)
    await save(town, web, rosa)
    assert len(events(town)) == 1


async def test_what_was_not_on_the_page_is_not_decided_about(
    town: Town, web: httpx.AsyncClient, rosa: Endpoint
) -> None:
    await save(town, web, rosa, shown=[str(town.list_id("Urgent"))], topic=[])
    families = [str(town.list_id("Families")), str(town.list_id("Press"))]
    await save(town, web, rosa, shown=families, topic=families)
    assert gets(town, rosa) == {"News"} and len(events(town)) == 1


async def test_language_and_area_are_changed(town: Town, web: httpx.AsyncClient, rosa: Endpoint) -> None:
    await save(town, web, rosa, language="ar", area="Nowhere")
    with town.hub.database.reading() as session:
        contact = session.get_one(Contact, rosa.contact_id)
    assert (contact.language, contact.area) == ("ar", "")  # the town has no areas
    await save(town, web, rosa, language="tlh")
    with town.hub.database.reading() as session:
        assert session.get_one(Contact, rosa.contact_id).language == "ar"


async def test_an_unknown_language_of_before_stays_a_choice(town: Town, web: httpx.AsyncClient) -> None:
    endpoint = town.resident(MAIL, channel="email", language="so")
    page = Page((await web.get(path(town, endpoint))).text)
    assert page.all("option", value="so", selected="")


async def test_one_press_leaves_everything_everywhere(
    town: Town, web: httpx.AsyncClient, rosa: Endpoint
) -> None:
    phone, letter = add(town, rosa, "sms", NUMBER), add(town, rosa, "letter", "1 Mill St\nRivermouth")
    answer = await web.post(path(town, rosa), data={"do": "leave"})
    assert answer.status_code == 303
    for endpoint in (rosa, phone, letter):
        assert town.fresh(endpoint).opted_out  # type: ignore[union-attr]
    wording = EN["prefs_leave_text"].format(city="Rivermouth")
    assert [event.wording for event in events(town)[-3:]] == [wording] * 3
    page = Page((await web.get(answer.headers["location"])).text)
    assert [button["value"] for button in page.all("button")] == ["return"]
    await web.post(path(town, rosa), data={"do": "leave"})
    assert len(events(town)) == 6  # twice is fine


async def test_who_left_comes_back_at_this_address(
    town: Town, web: httpx.AsyncClient, rosa: Endpoint
) -> None:
    phone = add(town, rosa, "sms", NUMBER)
    await web.post(path(town, rosa), data={"do": "leave"})
    await web.post(path(town, rosa) + "?language=ar", data={"do": "return"})
    assert gets(town, rosa) == {"News"} and not town.fresh(rosa).opted_out  # type: ignore[union-attr]
    assert town.fresh(phone).opted_out  # type: ignore[union-attr] - its owner says so there
    last = events(town)[-1]
    assert last.decision and last.list_id is None and last.wording_language == "ar"
    said = templates.phrases("ar")["prefs_return_text"]
    assert last.wording == said.format(city="Rivermouth", address="r•••@example.org")


async def test_who_has_left_everything_saves_no_topic_by_the_way(
    town: Town, web: httpx.AsyncClient, rosa: Endpoint
) -> None:
    await web.post(path(town, rosa), data={"do": "leave"})
    news = str(town.list_id("News"))
    await web.post(path(town, rosa), data={"do": "save", "shown": news, "topic": news, "language": "en"})
    assert gets(town, rosa) == set()


async def test_who_shares_a_mailbox_shares_its_silence_who_shares_a_letter_box_does_not(
    town: Town, web: httpx.AsyncClient, rosa: Endpoint
) -> None:
    letter = add(town, rosa, "letter", "1 Mill St")
    mailbox = town.resident(MAIL, channel="email")
    letter_box = town.resident("1 Mill St", channel="letter")
    await web.post(path(town, rosa), data={"do": "leave"})
    assert town.fresh(mailbox).opted_out and town.fresh(letter).opted_out  # type: ignore[union-attr]
    assert not town.fresh(letter_box).opted_out  # type: ignore[union-attr]


async def test_a_list_that_is_not_public_can_be_left_by_who_is_on_it(
    town: Town, web: httpx.AsyncClient, rosa: Endpoint
) -> None:
    endpoint = town.resident("amina@example.org", channel="email", on="Families")
    families = str(town.list_id("Families"))
    page = Page((await web.get(path(town, endpoint))).text)
    assert page.all("input", value=families, checked="")
    await save(town, web, endpoint, topic=[])
    assert gets(town, endpoint) == set()
    await save(town, web, endpoint, shown=[families], topic=[families])  # and joined by its liaison only
    assert gets(town, endpoint) == set()


async def test_an_old_link_leads_to_the_contact_that_was_kept(
    town: Town, web: httpx.AsyncClient, rosa: Endpoint
) -> None:
    other = town.resident(MAIL, channel="email")
    with town.session() as session:
        joining.merge(session, rosa.contact_id, other.contact_id, actor="eva")
        session.commit()
    assert (await web.get(path(town, other))).status_code == 200
    await web.post(path(town, other), data={"do": "leave"})
    assert town.fresh(rosa).opted_out  # type: ignore[union-attr]


async def test_an_erased_address_has_no_page(town: Town, web: httpx.AsyncClient, rosa: Endpoint) -> None:
    with town.session() as session:
        found = session.get_one(Endpoint, rosa.id)
        found.state, found.address = EndpointState.ERASED, ""
        session.commit()
    for way in ("/p/", "/u/"):
        assert (await web.get(way + town.token(rosa))).status_code == 404
        assert (await web.post(way + town.token(rosa), data={"do": "leave"})).status_code == 404


@pytest.mark.parametrize(
    "change", [lambda token: token[:-1], lambda token: token[::-1], lambda token: "x" + token]
)
async def test_a_token_that_is_none_opens_nothing(
    town: Town, web: httpx.AsyncClient, rosa: Endpoint, change: object
) -> None:
    token = change(town.token(rosa))  # type: ignore[operator]
    assert (await web.get(f"/p/{token}")).status_code == 404
    assert (await web.post(f"/p/{token}", data={"do": "leave"})).status_code == 404
    assert len(events(town)) == 1


async def test_an_invitations_token_opens_nothing(town: Town, web: httpx.AsyncClient, rosa: Endpoint) -> None:
    token = town.hub.tokens.make(Recipient(0, town.list_id("News")))
    assert (await web.get(f"/p/{token}")).status_code == 404
    assert (await web.post(f"/u/{token}")).status_code == 404


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"do=erase", "application/x-www-form-urlencoded", 400),
        (b"", "application/x-www-form-urlencoded", 400),
        (b"do=leave", "text/plain", 400),
        (b"do=leave&x=" + b"x" * 60_000, "application/x-www-form-urlencoded", 413),
    ],
)
async def test_what_no_button_of_ours_says_changes_nothing(
    town: Town, web: httpx.AsyncClient, rosa: Endpoint, content: bytes, kind: str, status: int
) -> None:
    answer = await web.post(path(town, rosa), content=content, headers={"content-type": kind})
    assert answer.status_code == status and EN["join_unreadable"] in answer.text
    assert len(events(town)) == 1


@pytest.mark.parametrize("gone", [False, True])
async def test_the_way_out_leads_to_the_choices(
    town: Town, web: httpx.AsyncClient, rosa: Endpoint, gone: bool
) -> None:
    answer = await (web.post if gone else web.get)(f"/u/{town.token(rosa, town.list_id('News'))}")
    assert {"href": path(town, rosa)} in Page(answer.text).all("a")


async def test_what_the_page_says_is_what_the_events_come_to(
    town: Town, web: httpx.AsyncClient, rosa: Endpoint
) -> None:
    for fields in ({"do": "leave"}, {"do": "return"}, {"do": "leave"}, {"do": "return"}):
        await web.post(path(town, rosa), data=fields)
    await save(town, web, rosa, topic=[str(town.list_id("Urgent"))])
    with town.hub.database.reading() as session:
        assert consent.present(session, rosa.id or 0) == consent.replay(session, rosa.id or 0)
    assert gets(town, rosa) == {"Urgent"}
