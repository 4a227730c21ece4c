"""Residents' text messages over the real app, signed as Twilio signs them: leave, join, refuse, change language."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from xml.etree import ElementTree

import httpx
import pytest
from sqlmodel import select
from web_city import PUBLIC, Town, body, signed

import templates
from channels.sms.keywords import Meaning, words
from contacts import consent, lists, pending
from contacts.columns import now
from contacts.models import ConsentEvent, Contact, ContactList, Endpoint, Membership, Subscription
from notify import inbound
from notify.dispatch import ledger
from notify.dispatch.models import Batch, Delivery, DeliveryState, Dispatch
from notify.inbound import Inbound

NUMBER, OTHER = "+12065550123", "+12065550124"
Text = Callable[..., Any]


@pytest.fixture
def text(web: httpx.AsyncClient) -> Text:
    """A resident sends a text message; gives back the texts of the answer."""
    count = iter(range(10_000))

    async def send(words: str, number: str = NUMBER, sid: str = "", to: str = "+15005550006") -> list[str]:
        form = {
            "MessageSid": sid or f"SM{next(count):032x}", "From": number, "To": to, "Body": words,
            "NumMedia": "0", "SmsStatus": "received",
        }  # fmt: skip
        answer = await web.post("/hooks/sms", content=body(form), headers=signed(f"{PUBLIC}/hooks/sms", form))
        assert answer.status_code == 200, answer.text
        found = ElementTree.fromstring(answer.content).iter("Message")
        return [str(message.text).replace("\u200f", "").replace("\u200e", "") for message in found]

    return send


@pytest.fixture
def topics(town: Town) -> dict[str, int]:
    """Two lists with words that residents may join, and one that they may not."""
    with town.session() as session:
        news = lists.get_or_create(session, "News")
        titles = {"en": "Weekly news", "es": "Noticias de la semana", "ar": "أخبار الأسبوع"}
        lists.edit(session, news, public=True, join_word="news", titles=titles)
        food = lists.get_or_create(session, "Food help")
        lists.edit(session, food, public=True, join_word="food", titles={"en": "Food"})
        staff = lists.get_or_create(session, "Volunteers")
        lists.edit(session, staff, join_word="crew")
        found = {"news": news.id or 0, "food": food.id or 0, "crew": staff.id or 0}
        session.commit()
    return found


def rows(town: Town, model: type[Any], **having: Any) -> list[Any]:
    with town.hub.database.reading() as session:
        return list(session.exec(select(model).filter_by(**having).order_by(*model.__table__.primary_key)))


def active(town: Town, endpoint: Endpoint) -> dict[int, bool]:
    return {each.list_id: each.active for each in rows(town, Subscription, endpoint_id=endpoint.id)}


def claimed(town: Town, dispatch: Dispatch) -> list[str]:
    """The addresses to which a worker would send now."""
    with town.session() as session:
        batches = session.exec(select(Batch.id).where(Batch.dispatch_id == dispatch.id)).all()
        claims = [ledger.claim(session, number or 0, "worker", per_household=False) for number in batches]
        session.commit()
    return [row.address for claim in claims if claim for row in claim.rows]


def phrase(language: str, key: str, **more: str) -> str:
    given = {"city": "Rivermouth", "phone": "(206) 555-0100"} | more
    return templates.phrases(language)[key].format(**given).replace("«", '"').replace("»", '"')


def plain(texts: list[str]) -> list[str]:
    """Typographic quotes are exchanged for plain ones, which cost less (R23)."""
    return [each.translate(str.maketrans("“”«»", '""""')) for each in texts]


def said(language: str, key: str, **more: str) -> list[str]:
    return plain([phrase(language, key, **more)])


# -- leaving


STOPS = {word.language: word.text for word in words() if word.meaning is Meaning.STOP}


@pytest.mark.parametrize(("language", "word"), STOPS.items())
async def test_r2_r6_a_no_in_every_language_is_confirmed_once(
    town: Town, text: Text, language: str, word: str
) -> None:
    endpoint = town.resident(NUMBER, language="es")
    answers = [await text(word), await text(word), await text(word.lower())]
    if language == "en":  # the network answers this one
        answers = [answers[0] or said("es", "sms_stopped"), *answers[1:]]
    assert [len(each) for each in answers] == [1, 0, 0]
    assert town.fresh(endpoint).opted_out


async def test_a_no_that_is_said_again_is_kept_again(town: Town, text: Text, topics: dict[str, int]) -> None:
    """Found by the state machine: a form that is entered late may be newer than the first no, not than the last."""
    endpoint = town.resident(NUMBER, agreed=False)
    said = {"contact_id": endpoint.contact_id, "endpoint_id": endpoint.id, "method": "paper"}
    with town.session() as session:
        consent.record(session, **said, list_id=None, decision=False, at=now() - timedelta(days=9))
        session.commit()
    assert await text("ALTO") == []  # which was so already
    with town.session() as session:
        consent.record(session, **said, list_id=topics["news"], decision=True, at=now() - timedelta(days=5))
        session.commit()
    assert active(town, endpoint) == {topics["news"]: False}


async def test_r6_a_webhook_that_is_sent_again_is_answered_once(town: Town, text: Text) -> None:
    endpoint = town.resident(NUMBER, language="es")
    answers = [await text("ALTO", sid="SM" + "7" * 32) for _ in range(3)]
    assert answers == [said("es", "sms_stopped"), [], []]
    assert len(rows(town, ConsentEvent, endpoint_id=endpoint.id, decision=False)) == 1


async def test_r8_stop_and_a_lists_word_leaves_that_list_only(
    town: Town, text: Text, topics: dict[str, int]
) -> None:
    endpoint = town.resident(NUMBER, on="News")
    await text("join food")
    assert plain(await text("STOP news")) == said("en", "sms_left", list="Weekly news")
    assert active(town, endpoint) == {topics["news"]: False, topics["food"]: True}
    last = rows(town, ConsentEvent)[-1]
    assert (last.list_id, last.decision, last.wording) == (topics["news"], False, "STOP news")
    assert await text("stop NEWS") == []  # it is so already
    assert not town.fresh(endpoint).opted_out


async def test_r8_a_list_left_after_a_no_to_everything_stays_left_when_start_gives_back_the_others(
    town: Town, text: Text, topics: dict[str, int]
) -> None:
    """Found by the state machine: the list was silent already, so the no to it was not kept."""
    endpoint = town.resident(NUMBER, on="News")
    await text("join food")
    await text("ALTO")
    assert await text("STOP news") == []  # that nothing comes was confirmed before
    await text("INICIO")
    assert active(town, endpoint) == {topics["news"]: False, topics["food"]: True}


async def test_r8_a_link_left_by_after_a_no_to_everything_counts_as_well(
    town: Town, text: Text, web: httpx.AsyncClient, topics: dict[str, int]
) -> None:
    endpoint = town.resident(NUMBER, on="News")
    await text("join food")
    await text("ALTO")
    for _ in range(2):  # twice is fine, and kept once
        await web.post(f"/u/{town.token(endpoint, topics['news'])}")
    await text("INICIO")
    assert active(town, endpoint) == {topics["news"]: False, topics["food"]: True}
    assert len(rows(town, ConsentEvent, list_id=topics["news"], decision=False)) == 1


@pytest.mark.parametrize(
    "words", ["News stop", "stop-news", "STOP  “News”!", "UNSUBSCRIBE news", "baja news"]
)
async def test_r8_a_list_is_named_in_many_ways(
    town: Town, text: Text, topics: dict[str, int], words: str
) -> None:
    endpoint = town.resident(NUMBER, on="News")
    await text(words)
    assert active(town, endpoint) == {topics["news"]: False}


async def test_r8_a_list_that_residents_cannot_join_they_can_leave(
    town: Town, text: Text, topics: dict[str, int]
) -> None:
    endpoint = town.resident(NUMBER, on="Volunteers")
    assert len(await text("stop crew")) == 1
    assert active(town, endpoint) == {topics["crew"]: False}


async def test_r3_stop_with_anything_else_is_a_reply(town: Town, text: Text, topics: dict[str, int]) -> None:
    endpoint = town.resident(NUMBER)
    for sentence in ("Stop signs on Main St", "stop the newsstand robberies", "End of news?"):
        assert await text(sentence) == []
    assert active(town, endpoint) == {topics["news"]: True}
    assert {each.kind for each in rows(town, Inbound)} == {inbound.REPLY}
    assert town.fresh(endpoint).held == ""


async def test_r5_a_no_to_one_of_our_numbers_counts_for_all_before_the_next_send(
    town: Town, text: Text
) -> None:
    town.resident(NUMBER)
    town.resident(OTHER)
    dispatch = town.dispatch(town.statement())
    await text("ALTO", to="+15005559999")  # another number of ours
    assert claimed(town, dispatch) == [OTHER]
    (skipped,) = rows(town, Delivery, state=DeliveryState.SKIPPED)
    assert skipped.reason == "opted_out"


# -- joining


@pytest.mark.parametrize(
    "words", ["NEWS", "news", "Join news", "JOIN NEWS!", "join: news", "ｎｅｗｓ", "UNIRSE news"]
)
async def test_a_stranger_joins_a_list_by_its_word(
    town: Town, text: Text, topics: dict[str, int], words: str
) -> None:
    answers = plain(await text(words))
    language = "es" if words.startswith("UNIRSE") else "en"
    title = "Noticias de la semana" if language == "es" else "Weekly news"
    assert answers == said(language, "sms_joined", list=title)
    (endpoint,) = rows(town, Endpoint)
    assert active(town, endpoint) == {topics["news"]: True}
    assert [each.list_id for each in rows(town, Membership)] == [topics["news"]]
    (event,) = rows(town, ConsentEvent)
    assert (event.wording, event.actor, event.method) == (words, "resident", "sms keyword")


async def test_r7_the_first_message_says_all_that_it_has_to(
    town: Town, text: Text, topics: dict[str, int]
) -> None:
    (answer,) = await text("JOIN NEWS")
    for part in ("Rivermouth", "Weekly news", "How often", "Msg & data rates may apply", "HELP", "STOP"):
        assert part in answer
    (answer,) = await text("INICIO", number=OTHER)
    for part in ("Rivermouth", "noticias", "frecuencia", "tarifas de mensajes y datos", "AYUDA", "ALTO"):
        assert part in answer


async def test_the_confirmation_names_the_list_in_the_contacts_language(
    town: Town, text: Text, topics: dict[str, int]
) -> None:
    town.resident(NUMBER, language="ar", on="Other")
    (answer,) = await text("JOIN NEWS")
    assert "أخبار الأسبوع" in answer
    (answer,) = await text("JOIN FOOD")
    assert "Food" in answer  # no Arabic title: the city's own


async def test_r8_a_word_after_a_no_to_everything_opens_that_list_only(
    town: Town, text: Text, topics: dict[str, int]
) -> None:
    endpoint = town.resident(NUMBER, on="Food help")
    await text("ALTO")
    assert len(await text("JOIN NEWS")) == 1
    assert active(town, endpoint) == {topics["food"]: False, topics["news"]: True}


async def test_a_list_that_is_not_public_is_not_joined(
    town: Town, text: Text, topics: dict[str, int]
) -> None:
    town.resident(NUMBER, on="Other")
    assert await text("crew") == []
    (answer,) = await text("JOIN crew")
    assert "FOOD, NEWS (Weekly news)" in answer
    assert topics["crew"] not in {each.list_id for each in rows(town, Subscription)}


@pytest.mark.parametrize(
    ("words", "language"), [("JOIN", "en"), ("join nonsense", "en"), ("UNIRSE", "es"), ("اشترك", "ar")]
)
async def test_an_unknown_word_is_answered_with_those_there_are(
    town: Town, text: Text, topics: dict[str, int], words: str, language: str
) -> None:
    (answer,) = await text(words)
    title = {"en": "Weekly news", "es": "Noticias de la semana", "ar": "أخبار الأسبوع"}[language]
    assert answer == phrase(language, "sms_join_help", words=f"FOOD, NEWS ({title})")
    assert rows(town, Endpoint) == []  # asking is no consent


async def test_join_us_tonight_is_a_reply(town: Town, text: Text, topics: dict[str, int]) -> None:
    assert await text("Join us at the vigil") == []
    assert [each.kind for each in rows(town, Inbound)] == [inbound.REPLY]


async def test_join_without_any_list_is_a_start(town: Town, text: Text) -> None:
    assert await text("JOIN") == said("en", "sms_welcome")
    assert [each.active for each in rows(town, Subscription)] == [True]


async def test_join_from_somebody_who_has_left_brings_them_back(
    town: Town, text: Text, topics: dict[str, int]
) -> None:
    endpoint = town.resident(NUMBER)
    await text("ALTO")
    assert await text("JOIN") == said("en", "sms_started")
    assert active(town, endpoint) == {topics["news"]: True}


async def test_r4_yes_is_an_answer_unless_somebody_has_left(
    town: Town, text: Text, topics: dict[str, int]
) -> None:
    town.resident(NUMBER)
    assert await text("YES") == []
    await text("ALTO")
    assert await text("sí") == said("en", "sms_started")
    assert [each.kind for each in rows(town, Inbound)] == [inbound.REPLY, "opted_out", "opted_in"]


# -- language


@pytest.mark.parametrize(
    ("words", "language"),
    [
        ("ESPAÑOL", "es"),
        ("español", "es"),
        ("Espanol", "es"),
        ("العربية", "ar"),
        ("العربيه", "ar"),
        ("中文", "zh-Hans"),
        ("LANGUAGE Spanish", "es"),
        ("language es", "es"),
        ("Idioma español", "es"),
        ("لغة العربية", "ar"),
        ("语言中文", "zh-Hans"),
    ],
)
async def test_a_languages_own_name_changes_the_language(
    town: Town, text: Text, words: str, language: str
) -> None:
    town.resident(NUMBER)
    (answer,) = await text(words)
    own = {"es": "español", "ar": "العربية", "zh-Hans": "中文"}[language]
    assert own in answer.casefold()
    assert answer.startswith(templates.phrases(language)["menu_language_set"].partition("{")[0].strip())
    assert [each.language for each in rows(town, Contact)] == [language]


async def test_the_next_answer_is_in_the_new_language(town: Town, text: Text) -> None:
    town.resident(NUMBER)
    await text("Español")
    assert await text("ALTO") == said("es", "sms_stopped")
    assert "English" in (await text("English"))[0]
    assert [each.language for each in rows(town, Contact)] == ["en"]


@pytest.mark.parametrize(
    "words",
    [
        "Français",
        "I speak Español",
        "LANGUAGE Klingon",
        "idioma",
        "Is this in Español?",
        "es",
        "language barrier",
    ],
)
async def test_what_is_no_language_of_the_city_changes_nothing(town: Town, text: Text, words: str) -> None:
    town.resident(NUMBER)
    assert await text(words) == []
    assert [each.language for each in rows(town, Contact)] == ["en"]


async def test_a_stranger_has_no_language_to_change(town: Town, text: Text) -> None:
    assert await text("Español") == []
    assert rows(town, Contact) == []


# -- refusals in free text


REFUSALS = [
    ("en", "no more texts please"),
    ("es", "dejen de escribirme"),
    ("ar", "لا ترسلوا لي رسائل"),
    ("zh-Hans", "请不要再给我发短信"),
    ("en", "Wrong number!"),
]


@pytest.mark.parametrize(("language", "words"), REFUSALS)
async def test_r3_a_refusal_holds_sending_for_a_person(
    town: Town, text: Text, language: str, words: str
) -> None:
    both = [town.resident(NUMBER, language=language), town.resident(NUMBER)]
    other = town.resident(OTHER)
    assert await text(words) == []
    assert [town.fresh(endpoint).held for endpoint in [*both, other]] == [inbound.HELD, inbound.HELD, ""]
    assert not any(town.fresh(endpoint).opted_out for endpoint in both)
    (kept,) = rows(town, Inbound)
    assert (kept.kind, kept.text, kept.done_at) == (inbound.REFUSAL, words, None)


async def test_r3_nothing_is_planned_for_who_is_held(town: Town, text: Text) -> None:
    town.resident(NUMBER)
    town.resident(OTHER)
    await text("Please stop texting me")
    town.dispatch(town.statement())
    found = {(each.state, each.reason) for each in rows(town, Delivery)}
    assert found == {(DeliveryState.SKIPPED, "held"), (DeliveryState.PLANNED, "")}


async def test_r3_nothing_is_sent_to_who_is_held_after_the_plan(town: Town, text: Text) -> None:
    town.resident(NUMBER)
    town.resident(OTHER)
    dispatch = town.dispatch(town.statement())
    await text("Please stop texting me")
    assert claimed(town, dispatch) == [OTHER]


async def test_r3_a_strangers_refusal_is_held_for_later_imports(town: Town, text: Text) -> None:
    await text("take me off this list")
    (endpoint,) = rows(town, Endpoint)
    assert (endpoint.address, endpoint.held) == (NUMBER, inbound.HELD)


@pytest.mark.parametrize(("words", "opted_out"), [("INICIO", False), ("JOIN news", False), ("ALTO", True)])
async def test_clear_words_afterwards_need_no_person_any_more(
    town: Town, text: Text, topics: dict[str, int], words: str, opted_out: bool
) -> None:
    endpoint = town.resident(NUMBER)
    await text("no more texts please")
    assert len(await text(words)) == 1
    found = town.fresh(endpoint)
    assert (found.held, found.opted_out) == ("", opted_out)
    assert [each.done_by for each in rows(town, Inbound, kind=inbound.REFUSAL)] == ["resident"]


@pytest.mark.parametrize(
    "words",
    [
        "Yes!",
        "2",
        "When does the road open?",
        "STOP the hate",
        "Don't stop texting me",
        "No",
        "Thank you",
        "👍",
    ],
)
async def test_r3_answers_and_questions_hold_nothing(town: Town, text: Text, words: str) -> None:
    endpoint = town.resident(NUMBER)
    await text(words)
    assert town.fresh(endpoint).held == ""
    assert [each.kind for each in rows(town, Inbound)] == [inbound.REPLY]


async def test_a_yes_on_the_web_needs_no_person_any_more(
    town: Town, text: Text, web: httpx.AsyncClient, topics: dict[str, int]
) -> None:
    endpoint = town.resident(NUMBER)
    wish = pending.Wish(
        channel="sms", address=NUMBER, address_key=NUMBER, language="en", wording="Yes", list_ids=(topics["food"],)
    )  # fmt: skip
    with town.session() as session:
        token = pending.ask(session, wish, days=2)
        session.commit()
    for held in ("", inbound.HELD):  # pressed again, an old link ends no new hold
        await text("no more texts please")
        assert town.fresh(endpoint).held == inbound.HELD
        await web.post(f"/c/{token}")
        assert town.fresh(endpoint).held == held
    await web.post(
        f"/p/{town.token(endpoint)}",
        data={"do": "save", "shown": str(topics["food"]), "topic": [], "language": "en", "area": ""},
    )
    assert town.fresh(endpoint).held == inbound.HELD  # leaves one list, and says nothing of the others
    await web.post(f"/p/{town.token(endpoint)}", data={"do": "leave", "language": "en", "area": ""})
    assert (town.fresh(endpoint).held, town.fresh(endpoint).opted_out) == ("", True)


async def test_another_hold_outlives_what_a_person_decides_about_words(town: Town) -> None:
    endpoint = town.resident(NUMBER)
    with town.session() as session:
        found = session.get_one(Endpoint, endpoint.id)
        found.held = "5 messages in succession could not be delivered."
        session.add(found)
        inbound.release(session, "sms", NUMBER, by="eva")
        session.commit()
    assert town.fresh(endpoint).held.startswith("5 messages")


async def test_what_residents_write_stays_out_of_the_log(
    town: Town, text: Text, topics: dict[str, int], capfd: pytest.CaptureFixture[str]
) -> None:
    for sentence in ("take me off your list, Fatima", "JOIN news", "Español", "stop news"):
        await text(sentence)
    logged = "".join(capfd.readouterr())
    assert "Fatima" not in logged and "5550123" not in logged


async def test_the_lists_own_words_may_be_written_in_any_script(town: Town, text: Text) -> None:
    with town.session() as session:
        listed = lists.get_or_create(session, "Somali elders")
        session.add(listed)
        listed.public, listed.join_word = True, "شيوخ"
        session.commit()
        number = listed.id
    assert len(await text("شُيُـوخ")) == 1
    assert [each.list_id for each in rows(town, Subscription)] == [number]
    assert rows(town, ContactList)[0].join_word == "شيوخ"
