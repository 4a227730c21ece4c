"""Providers call back: receipts, and what residents write."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any
from xml.etree import ElementTree

import httpx
import pytest
from sqlalchemy import event
from sqlmodel import Session, col, select
from web_city import PUBLIC, TELEGRAM_SECRET, Town, body, signed

import templates
from channels.contract import Channel, Event, EventKind
from channels.sms.callbacks import status_url
from contacts.models import ConsentEvent, Endpoint, EndpointState, Subscription
from notify.dispatch.models import DeliveryState, Receipt
from notify.inbound import Inbound
from notify.web.hooks.intake import Intake, NotTaken

NUMBER = "+12065550123"
SID = "SM" + "a" * 32
Post = Callable[..., Any]


@pytest.fixture
def texted(web: httpx.AsyncClient) -> Post:
    """A resident sends a text message; gives back the texts of the answer."""
    count = iter(range(1000))

    async def send(words: str, number: str = NUMBER, sid: str = "", **more: str) -> list[str]:
        form = {
            "MessageSid": sid or f"SM{next(count):032x}",
            "From": number,
            "To": "+15005550006",
            "Body": words,
        }
        answer = await web.post(
            "/hooks/sms", content=body(form | more), headers=signed(f"{PUBLIC}/hooks/sms", form | more)
        )
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"].startswith("text/xml")
        # A mark before the text keeps Arabic running from right to left on every phone; it is no word.
        return [
            str(message.text).lstrip("\u200f")
            for message in ElementTree.fromstring(answer.content).iter("Message")
        ]

    return send


@pytest.fixture
def reported(web: httpx.AsyncClient) -> Post:
    """Twilio reports a status of one delivery."""

    async def send(key: int, token: str, status: str, sid: str = SID, code: str = "") -> httpx.Response:
        url = status_url(PUBLIC, key, token)
        form = {"MessageSid": sid, "MessageStatus": status, "To": NUMBER} | (
            {"ErrorCode": code} if code else {}
        )
        return await web.post(url.removeprefix(PUBLIC), content=body(form), headers=signed(url, form))

    return send


async def telegram(
    web: httpx.AsyncClient, text: str, chat: int = 7001, secret: str = TELEGRAM_SECRET
) -> httpx.Response:
    """A resident writes to the bot."""
    update = {
        "update_id": 1,
        "message": {
            "message_id": 5,
            "date": 1_700_000_000,
            "chat": {"id": chat, "type": "private"},
            "from": {"id": chat, "is_bot": False, "language_code": "ar"},
            "text": text,
        },
    }
    headers = {"x-telegram-bot-api-secret-token": secret}
    return await web.post("/hooks/telegram", content=json.dumps(update), headers=headers)


def rows(town: Town, model: type[Any]) -> list[Any]:
    with town.hub.database.reading() as session:
        return list(session.exec(select(model).order_by(col(model.id))))


def subscribed(town: Town, endpoint: Endpoint) -> list[bool]:
    with town.hub.database.reading() as session:
        return list(session.exec(select(Subscription.active).where(Subscription.endpoint_id == endpoint.id)))


def phrase(language: str, key: str) -> str:
    return templates.phrases(language)[key].format(city="Rivermouth", phone="(206) 555-0100")


@pytest.mark.parametrize(
    ("statuses", "state"),
    [
        (["sent"], DeliveryState.ACCEPTED),
        (["sent", "delivered"], DeliveryState.DELIVERED),
        (["delivered", "sent", "undelivered"], DeliveryState.DELIVERED),
        (["undelivered", "delivered"], DeliveryState.UNDELIVERED),
    ],
)
async def test_r11_receipts_move_a_delivery_forward_only(
    town: Town, reported: Post, statuses: list[str], state: str
) -> None:
    endpoint = town.resident(NUMBER)
    row = town.accepted(town.dispatch(town.statement()), SID)
    for status in statuses:
        code = "30007" if status == "undelivered" else ""  # filtered: no further try
        assert (await reported(row.id, town.token(endpoint), status, code=code)).status_code == 200
    assert town.fresh(row).state == state


async def test_a_receipt_that_says_the_number_is_dead_marks_it(town: Town, reported: Post) -> None:
    endpoint = town.resident(NUMBER)
    row = town.accepted(town.dispatch(town.statement()), SID)
    await reported(row.id, town.token(endpoint), "undelivered", code="30005")
    assert town.fresh(endpoint).state == EndpointState.BAD


async def test_a_receipt_whose_token_names_somebody_else_is_ignored(
    town: Town, reported: Post, capfd: pytest.CaptureFixture[str]
) -> None:
    town.resident(NUMBER)
    other = town.resident("+12065550124")
    row = town.accepted(town.dispatch(town.statement()), SID)
    for token in (town.token(other), "WzEsMF0.made-up"):
        assert (await reported(row.id, token, "delivered")).status_code == 200
    assert town.fresh(row).state == DeliveryState.ACCEPTED
    assert rows(town, Receipt) == []
    logged = capfd.readouterr().out
    assert "receipt_ignored" in logged
    assert NUMBER not in logged


async def test_a_receipt_for_a_delivery_that_is_not_there_is_ignored(town: Town, reported: Post) -> None:
    endpoint = town.resident(NUMBER)
    assert (await reported(10**17, town.token(endpoint), "delivered")).status_code == 200


@pytest.mark.parametrize("tampered", ["body", "query", "signature", "no signature"])
async def test_what_the_provider_did_not_sign_is_refused(
    town: Town, web: httpx.AsyncClient, tampered: str
) -> None:
    endpoint = town.resident(NUMBER)
    row = town.accepted(town.dispatch(town.statement()), SID)
    url = status_url(PUBLIC, row.id or 0, town.token(endpoint))
    form = {"MessageSid": SID, "MessageStatus": "delivered"}
    headers, sent, path = signed(url, form), body(form), url.removeprefix(PUBLIC)
    if tampered == "body":
        sent += "&ErrorCode=1"
    elif tampered == "query":
        path += "&more=1"
    elif tampered == "signature":
        headers["x-twilio-signature"] = "A" + headers["x-twilio-signature"][1:] + "="
    else:
        del headers["x-twilio-signature"]
    answer = await web.post(path, content=sent, headers=headers)
    assert answer.status_code == 403
    assert (
        "NOTIFY_PUBLIC_URL" in answer.text
    )  # the likeliest cause, for whoever looks at the provider's debugger
    assert town.fresh(row).state == DeliveryState.ACCEPTED


async def test_a_wrong_telegram_secret_is_refused(web: httpx.AsyncClient) -> None:
    assert (await telegram(web, "/start", secret="somebody-elses-secret")).status_code == 403


@pytest.mark.parametrize(
    ("path", "status"), [("/hooks/fax", 404), ("/hooks/letter", 404), ("/hooks/email", 403)]
)
async def test_channels_without_callbacks_answer_in_plain_text(
    web: httpx.AsyncClient, path: str, status: int
) -> None:
    answer = await web.post(path, content=b"x=1")
    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("text/plain")


@pytest.mark.parametrize("declared", [True, False])
async def test_a_body_over_one_megabyte_is_refused(web: httpx.AsyncClient, declared: bool) -> None:
    async def chunks() -> Any:
        for _ in range(5):
            yield b"x" * 250_000

    content: Any = b"x" * 1_250_000 if declared else chunks()
    assert (await web.post("/hooks/sms", content=content)).status_code == 413


async def test_r6_a_no_is_confirmed_once_in_the_contacts_language(town: Town, texted: Post) -> None:
    endpoint = town.resident(NUMBER, language="ar")
    assert await texted("إيقاف") == [phrase("ar", "sms_stopped")]
    assert await texted("STOP") == []
    assert await texted("alto") == []
    assert town.fresh(endpoint).opted_out
    assert subscribed(town, endpoint) == [False]
    said = rows(town, ConsentEvent)[1]
    assert (said.decision, said.list_id, said.wording, said.actor) == (False, None, "إيقاف", "resident")
    assert said.method == "sms keyword"


async def test_r6_what_the_provider_confirmed_is_not_confirmed_again(town: Town, texted: Post) -> None:
    endpoint = town.resident(NUMBER)
    assert await texted("Stop") == []
    assert town.fresh(endpoint).opted_out


async def test_r2_a_spanish_word_is_confirmed_by_us(town: Town, texted: Post) -> None:
    town.resident(NUMBER, language="es")
    assert await texted("¡Alto!") == [phrase("es", "sms_stopped")]


async def test_r3_a_sentence_with_stop_in_it_is_a_reply(town: Town, texted: Post) -> None:
    endpoint = town.resident(NUMBER)
    assert await texted("Stop signs on Main St") == []
    assert not town.fresh(endpoint).opted_out
    (kept,) = rows(town, Inbound)
    assert (kept.kind, kept.text, kept.endpoint_id, kept.address_hash) == (
        EventKind.REPLY, "Stop signs on Main St", endpoint.id, "",
    )  # fmt: skip


async def test_r5_a_phone_that_two_people_share_falls_silent_for_both(town: Town, texted: Post) -> None:
    both = [town.resident(NUMBER), town.resident(NUMBER)]
    assert len(await texted("ALTO")) == 1
    assert [town.fresh(endpoint).opted_out for endpoint in both] == [True, True]


async def test_a_number_is_found_however_the_provider_writes_it(town: Town, texted: Post) -> None:
    endpoint = town.resident(NUMBER)
    await texted("ALTO", number="(206) 555-0123")
    assert town.fresh(endpoint).opted_out


async def test_the_no_of_a_stranger_is_kept_for_later_imports(town: Town, texted: Post) -> None:
    assert await texted("ALTO") == [phrase("es", "sms_stopped")]
    (endpoint,) = rows(town, Endpoint)
    assert (endpoint.address_key, endpoint.opted_out) == (NUMBER, True)
    assert await texted("ALTO") == []


async def test_a_callback_that_comes_twice_counts_once(town: Town, texted: Post) -> None:
    endpoint = town.resident(NUMBER, language="es")
    assert len(await texted("ALTO", sid=SID)) == 1
    assert len(await texted("INICIO")) == 1
    assert await texted("ALTO", sid=SID) == []
    assert not town.fresh(endpoint).opted_out
    assert len(rows(town, Inbound)) == 2


async def test_r8_start_gives_back_the_lists_there_were_and_no_others(town: Town, texted: Post) -> None:
    endpoint = town.resident(NUMBER, on="Food help")
    town.resident("+12065550124", on="Traffic")
    await texted("ALTO")
    assert await texted("INICIO") == [phrase("en", "sms_started")]
    with town.hub.database.reading() as session:
        active = session.exec(
            select(Subscription.list_id).where(Subscription.endpoint_id == endpoint.id)
        ).all()
    assert active == [town.list_id("Food help")]
    assert subscribed(town, endpoint) == [True]


async def test_r4_yes_is_a_yes_only_from_somebody_who_has_said_no(town: Town, texted: Post) -> None:
    endpoint = town.resident(NUMBER)
    assert await texted("Yes!") == []
    assert [each.text for each in rows(town, Inbound)] == ["Yes!"]
    assert len(rows(town, ConsentEvent)) == 1
    await texted("ALTO")
    await texted("Sí")
    assert not town.fresh(endpoint).opted_out
    assert rows(town, ConsentEvent)[-1].wording == "Sí"


@pytest.mark.parametrize(("word", "language"), [("AYUDA", "es"), ("مساعدة", "ar"), ("帮助", "zh-Hans")])
async def test_r7_help_is_given_to_strangers_in_the_language_they_ask_in(
    town: Town, texted: Post, word: str, language: str
) -> None:
    (answer,) = await texted(word)
    assert "(206) 555-0100" in answer
    assert phrase(language, "sms_help")[:12] in answer
    assert rows(town, Endpoint) == []
    (kept,) = rows(town, Inbound)
    assert len(kept.address_hash) == 64
    assert NUMBER[-7:] not in kept.address_hash


async def test_r7_help_is_given_to_who_has_said_no(town: Town, texted: Post) -> None:
    town.resident(NUMBER, language="es")
    await texted("ALTO")
    assert await texted("AYUDA") == [phrase("es", "sms_help")]


@pytest.mark.parametrize("sender", ["55501", "NOTIFY", "", "+1999"])
async def test_nothing_is_said_to_who_cannot_be_written_to(town: Town, texted: Post, sender: str) -> None:
    assert await texted("AYUDA", number=sender) == []
    assert rows(town, Inbound) == []


async def test_what_residents_write_is_never_logged(
    town: Town, texted: Post, capfd: pytest.CaptureFixture[str]
) -> None:
    town.resident(NUMBER)
    await texted("My door was painted last night")
    await texted("AYUDA", number="55501")
    logged = "".join(capfd.readouterr())
    assert "message_ignored" in logged
    for secret in ("painted", "0123", "55501", "AYUDA"):
        assert secret not in logged
    assert "painted" not in repr(rows(town, Inbound))


async def test_who_writes_to_us_can_be_reached_again(town: Town, texted: Post) -> None:
    endpoint = town.resident(NUMBER)
    with town.session() as session:
        session.merge(
            Endpoint(**endpoint.model_dump() | {"state": EndpointState.BAD, "state_reason": "30003"})
        )
        session.commit()
    await texted("INICIO")
    assert town.fresh(endpoint).state == EndpointState.USABLE


@pytest.fixture
def commits(town: Town) -> Iterator[list[None]]:
    """Grows with every commit of the test's database."""
    seen: list[None] = []

    def count(_connection: object) -> None:
        seen.append(None)

    event.listen(town.hub.database.engine, "commit", count)
    yield seen
    event.remove(town.hub.database.engine, "commit", count)


async def test_a_hundred_receipts_at_once_take_few_commits(
    town: Town, reported: Post, commits: list[None]
) -> None:
    endpoint = town.resident(NUMBER)
    row = town.accepted(town.dispatch(town.statement()), SID)
    commits.clear()
    answers = await asyncio.gather(*(reported(row.id, town.token(endpoint), "sent") for _ in range(100)))
    assert {answer.status_code for answer in answers} == {200}
    assert len(rows(town, Receipt)) == 100
    assert len(commits) < 20


async def test_a_callback_that_cannot_be_kept_takes_no_other_with_it(town: Town) -> None:
    channel = town.hub.channels["sms"]

    def take(session: Session, channel: Channel, event: Event) -> str:
        session.add(Inbound(channel="sms", kind=event.kind, text=event.text))
        session.flush()
        if event.text == "bad":
            raise LookupError(event.text)
        return event.text.upper()

    intake = Intake(town.hub.database, take)
    answers = await asyncio.gather(
        *(intake.enter(channel, [Event(EventKind.REPLY, text=text)]) for text in ("one", "bad", "two")),
        return_exceptions=True,
    )
    assert answers[0] == ["ONE"] and answers[2] == ["TWO"]
    assert isinstance(answers[1], NotTaken)
    assert [each.text for each in rows(town, Inbound)] == ["one", "two"]


async def test_a_callback_that_cannot_be_kept_is_asked_for_again(
    town: Town, texted: Post, web: httpx.AsyncClient, capfd: pytest.CaptureFixture[str]
) -> None:
    with town.session() as session:
        session.connection().exec_driver_sql("DROP TABLE inbound")
        session.commit()
    form = {"MessageSid": SID, "From": NUMBER, "Body": "ALTO"}
    answer = await web.post("/hooks/sms", content=body(form), headers=signed(f"{PUBLIC}/hooks/sms", form))
    assert answer.status_code == 503
    logged = "".join(capfd.readouterr())
    assert "callback_not_written" in logged and "residents.py" in logged
    assert NUMBER not in logged
