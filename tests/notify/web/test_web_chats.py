"""Residents in a chat with the bot: join, choose language and topics, stop, come back; over real sockets."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from sqlalchemy import text as sql
from sqlmodel import col, select
from web_city import Town

import templates
from channels.sandbox import Sandbox
from channels.sandbox.captured import ChatMessage
from contacts import consent, lists
from contacts.models import ConsentEvent, Contact, ContactList, Endpoint, EndpointState, ListKind, Membership
from notify.dispatch.guard import EngineBusy
from notify.hub import Hub
from notify.inbound import Inbound
from notify.stage import running_with_sandbox
from notify.tokens import Recipient
from notify.web.app import create_app
from notify.web.hooks import fetching
from notify.web.hooks.residents import JOINED_LIST

ROSA = 7001
LANGUAGES = ["en", "es", "ar"]


@dataclass
class Square(Town):
    """A town whose bot is open to residents."""

    sandbox: Sandbox

    def topic(self, name: str, public: bool = True, kind: str = ListKind.OPT_IN, **titles: str) -> int:
        with self.session() as session:
            made = lists.get_or_create(session, name)
            made.public, made.kind, made.titles = public, kind, titles
            session.add(made)
            session.commit()
        return made.id or 0

    async def says(self, words: str, language: str = "", chat: int = ROSA) -> list[ChatMessage]:
        """A resident writes; returns what the city's bot says to it."""
        before = len(self.screen(chat))
        await self.sandbox.reply_telegram(chat, words, language)
        await self.settled()
        return self.screen(chat)[before:]

    async def presses(self, label: str, chat: int = ROSA) -> ChatMessage:
        """A resident presses the last button with this label; returns the message it is under."""
        message, data = self.button(label, chat)
        await self.sandbox.press_button(chat, message.message_id, data)
        await self.settled()
        return message

    def button(self, label: str, chat: int = ROSA) -> tuple[ChatMessage, str]:
        for message in reversed(self.screen(chat)):
            for row in message.keyboard:
                for each in row:
                    if each["text"].removeprefix("✓ ") == label:
                        return message, each["callback_data"]
        raise AssertionError(f"There is no button {label!r}.")

    def screen(self, chat: int = ROSA) -> list[ChatMessage]:
        """What the bot has written to a chat."""
        return [each for each in self.sandbox.chats.of(str(chat)) if each.direction == "out"]

    def ticked(self, chat: int = ROSA) -> list[str]:
        """The labels with a tick, all over the screen."""
        labels = [each["text"] for message in self.screen(chat) for row in message.keyboard for each in row]
        return [label.removeprefix("✓ ") for label in labels if label.startswith("✓")]

    async def settled(self) -> None:
        """Wait until the hub has taken everything, and every pressed button was answered."""
        async with asyncio.timeout(20):
            while self.sandbox.bots.unanswered or self.sandbox.bots.updates.info()["pending_update_count"]:
                await asyncio.sleep(0.01)

    def gets(self, chat: int = ROSA) -> set[str]:
        """The names of the lists that the chat gets."""
        with self.hub.database.reading() as session:
            endpoints = session.exec(select(Endpoint).where(Endpoint.address_key == str(chat))).all()
            names = {each.id: each.name for each in session.exec(select(ContactList))}
            return {
                names[list_id]
                for endpoint in endpoints
                for list_id, standing in consent.present(session, endpoint.id or 0).lists.items()
                if standing.active
            }

    def rows(self, model: type[Any]) -> list[Any]:
        with self.hub.database.reading() as session:
            return list(session.exec(select(model).order_by(col(model.id))))


@pytest.fixture
def open_square(
    make_hub: Callable[..., Hub], sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[..., Any]:
    monkeypatch.chdir(tmp_path)

    @asynccontextmanager
    async def opened(updates: str = "webhook") -> AsyncIterator[Square]:
        stand_ins = sandbox.settings()
        hub = make_hub(
            telegram=stand_ins["telegram"] | {"pause": 0, "rate": 0, "updates": updates},
            sms=stand_ins["sms"],
            public_url="http://127.0.0.1:9",
            city={"name": "Rivermouth", "phone": "(206) 555-0134", "languages": LANGUAGES},
        )
        with socket.create_server(("127.0.0.1", 0)) as listener:
            server = uvicorn.Server(uvicorn.Config(create_app(hub), log_level="warning", access_log=False))
            task = asyncio.create_task(server.serve(sockets=[listener]))
            sandbox.hub_url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            async with hub.engine().running():
                await hub.channels["telegram"].announce()
                async with fetching.fetching(hub):
                    yield Square(hub, sandbox)
            server.should_exit = True
            await task

    return opened


@pytest.fixture(params=["webhook", "polling"])
async def square(open_square: Callable[..., Any], request: pytest.FixtureRequest) -> AsyncIterator[Square]:
    async with open_square(request.param) as opened:
        yield opened


@pytest.fixture
async def called(open_square: Callable[..., Any]) -> AsyncIterator[Square]:
    """By webhook only, where the way in makes no difference."""
    async with open_square() as opened:
        yield opened


def plain(text: str) -> str:
    """A text without the marks that keep numbers, titles and commands in their direction."""
    return text.translate(dict.fromkeys((0x2066, 0x2068, 0x2069)))


def words(tag: str, key: str, **values: str) -> str:
    return templates.phrases(tag)[key].format(city="Rivermouth", phone="(206) 555-0134", **values)


@pytest.mark.parametrize("client", ["es", "es-MX"])
async def test_r15_a_link_joins_its_list_and_welcomes_in_the_clients_language(
    square: Square, client: str
) -> None:
    buses = square.topic("Buses", en="Bus news", es="Noticias de autobuses")
    welcome, topics = await square.says(f"https://t.me/city_sandbox_bot?start=list-{buses}", client)
    assert welcome.text == "\n\n".join(
        (words("es", "telegram_joined", list="Noticias de autobuses"), words("es", "menu_language"))
    )
    assert [each["text"] for row in welcome.keyboard for each in row] == ["English", "✓ Español", "العربية"]
    assert topics.text == words("es", "menu_topics")
    assert square.ticked() == ["Español", "Noticias de autobuses"]
    assert square.gets() == {"Buses"}
    (said,) = square.rows(ConsentEvent)
    assert (said.wording, said.method, said.actor) == (f"/start list-{buses}", "telegram keyword", "resident")
    assert said.reference.startswith("u")
    with square.hub.database.reading() as session:
        assert session.exec(select(Membership.list_id)).all() == [buses]


async def test_a_client_in_a_language_of_no_city_reads_the_citys_first(called: Square) -> None:
    (welcome,) = await called.says("/start", "pl")
    assert welcome.text.startswith(words("en", "telegram_started"))
    assert called.gets() == {JOINED_LIST}


async def test_a_link_made_by_the_hub_joins_a_list_that_is_not_public(called: Square) -> None:
    elders = called.topic("Elders", public=False, en="For elders")
    token = called.hub.tokens.make(Recipient(0, elders))
    welcome, *_ = await called.says(f"https://t.me/city_sandbox_bot?start={token}", "en")
    assert "For elders" in welcome.text
    assert called.gets() == {"Elders"}


@pytest.mark.parametrize(("public", "kind"), [(False, ListKind.OPT_IN), (True, ListKind.EXCLUSION)])
async def test_a_list_that_is_not_for_everybody_is_not_joined_by_its_number(
    called: Square, public: bool, kind: str
) -> None:
    number = called.topic("Families", public=public, kind=kind)
    await called.says(f"/start list-{number}", "en")
    assert called.gets() == {JOINED_LIST}


@pytest.mark.parametrize(
    "payload", ["list-999999", "list-", "list-99999999999999999999", "list-x", "A" * 36, "é"]
)
async def test_a_payload_that_says_nothing_is_a_plain_start(called: Square, payload: str) -> None:
    (welcome,) = await called.says(f"/start {payload}", "en")
    assert welcome.text.startswith(words("en", "telegram_started"))


async def test_a_token_of_a_known_person_gives_that_person_the_chat(called: Square) -> None:
    phone = called.resident("+12065550123", language="ar")
    token = called.token(phone, called.list_id("News"))
    welcome, *_ = await called.says(f"/start {token}", "es")
    assert plain(welcome.text).startswith(words("ar", "telegram_joined", list="News"))
    (contact,) = called.rows(Contact)
    assert {each.contact_id for each in called.rows(Endpoint)} == {contact.id}
    assert called.gets() == {"News"}


async def test_a_token_that_was_passed_on_makes_a_new_contact(called: Square) -> None:
    token = called.token(called.resident("+12065550123"), called.list_id("News"))
    await called.says(f"/start {token}", "en")
    await called.says(f"/start {token}", "es", chat=7002)
    assert len(called.rows(Contact)) == 2
    assert called.gets(7002) == {"News"}


async def test_a_language_is_chosen_by_button_and_all_that_follows_is_in_it(square: Square) -> None:
    square.topic("Buses", en="Bus news", ar="أخبار الحافلات")
    await square.says("/start", "en")
    first = await square.presses("العربية")
    assert plain(first.text) == "\n\n".join(
        (words("ar", "menu_language_set", language="العربية"), words("ar", "telegram_started"))
    )
    assert square.ticked()[0] == "العربية"
    assert square.screen()[-1].text == words("ar", "menu_topics")
    assert square.button("أخبار الحافلات")
    (contact,) = square.rows(Contact)
    assert contact.language == "ar"
    (said,) = await square.says("/stop")
    assert plain(said.text) == words("ar", "telegram_stopped")


async def test_the_language_chosen_already_changes_nothing(called: Square) -> None:
    called.topic("Buses", en="Bus news")
    await called.says("/start", "en")
    await called.presses("English")
    assert len(called.screen()) == 2


@pytest.mark.parametrize(("command", "key"), [("/language", "menu_language"), ("/topics", "menu_topics")])
async def test_a_command_brings_the_menu(called: Square, command: str, key: str) -> None:
    called.topic("Buses", en="Bus news")
    await called.says("/start", "es")
    (menu,) = await called.says(command)
    assert menu.text == words("es", key)
    assert menu.keyboard


async def test_without_public_lists_there_is_nothing_to_choose(called: Square) -> None:
    called.topic("Staff", public=False)
    await called.says("/start", "es")
    (menu,) = await called.says("/topics")
    assert (menu.text, menu.keyboard) == (words("es", "menu_topics_none"), [])


@pytest.mark.parametrize("command", ["/language", "/topics"])
async def test_r15_who_never_joined_is_told_how_to_and_not_kept(called: Square, command: str) -> None:
    (told,) = await called.says(command, "es")
    assert plain(told.text) == words("es", "telegram_help")
    assert called.rows(Endpoint) == []


async def test_r31_a_topic_is_joined_with_the_exact_words_that_were_shown(square: Square) -> None:
    square.topic("Buses", en="Bus news", es="Noticias de autobuses")
    await square.says("/start", "es")
    menu = await square.presses("Noticias de autobuses")
    assert square.gets() == {JOINED_LIST, "Buses"}
    said = square.rows(ConsentEvent)[-1]
    assert said.wording == f"{words('es', 'menu_topics')}\n\nNoticias de autobuses"
    assert (said.wording_language, said.method, said.actor) == ("es", "telegram button", "resident")
    assert said.reference.startswith("u")
    assert "Noticias de autobuses" in square.ticked()
    assert menu.message_id == square.screen()[-1].message_id
    await square.presses("Noticias de autobuses")
    assert square.gets() == {JOINED_LIST}
    assert square.rows(ConsentEvent)[-1].wording.endswith("\n\n✓ Noticias de autobuses")


async def test_r31_the_words_are_those_on_the_button_though_the_language_is_another_now(
    called: Square,
) -> None:
    called.topic("Buses", en="Bus news", es="Noticias de autobuses")
    await called.says("/start", "en")
    await called.presses("Español")
    await called.presses("Bus news")  # under the older message
    said = called.rows(ConsentEvent)[-1]
    assert (said.wording, said.wording_language) == (f"{words('en', 'menu_topics')}\n\nBus news", "en")


async def test_a_press_that_comes_twice_changes_nothing(called: Square) -> None:
    buses = called.topic("Buses", en="Bus news")
    await called.says("/start", "en")
    message, data = called.button("Bus news")
    # Two presses before the phone has shown the change.
    keyboard = message.keyboard
    await called.sandbox.press_button(ROSA, message.message_id, data)
    message.keyboard = keyboard
    await called.sandbox.press_button(ROSA, message.message_id, data)
    await called.settled()
    assert called.gets() == {JOINED_LIST, "Buses"}
    everything, joined, pressed = [each.list_id for each in called.rows(ConsentEvent)]
    assert (everything, pressed) == (None, buses)
    assert joined not in {None, buses}


async def test_an_update_that_comes_again_late_revives_nothing(called: Square) -> None:
    buses = called.topic("Buses", en="Bus news")
    told: list[dict[str, Any]] = []
    post = called.sandbox.bots.updates._post

    async def remember(url: str, update: dict[str, Any]) -> bytes:
        told.append(update)
        return await post(url, update)

    called.sandbox.bots.updates._post = remember  # type: ignore[method-assign,assignment]
    await called.says(f"/start list-{buses}", "en")
    await called.presses("Bus news")
    await called.presses("Bus news")
    await called.says("/stop")
    before = len(called.screen())
    for update in told[:3]:
        await post(called.sandbox.bots.webhook["url"], update)
    assert called.gets() == set()
    assert called.screen()[before:] == []
    assert len(called.rows(ConsentEvent)) == 4


@pytest.mark.parametrize(
    "data",
    [
        "topic:{staff}:yes:en",
        "topic:999999:yes:en",
        "topic:9999999999:yes:en",
        "language:tlh",
        "nonsense",
        "x" * 64,
    ],
)
async def test_a_button_that_nobody_was_shown_opens_nothing(called: Square, data: str) -> None:
    """Clients may send any data: https://core.telegram.org/bots/api#callbackquery"""
    staff = called.topic("Staff", public=False)
    called.topic("Buses", en="Bus news")
    await called.says("/start", "en")
    (*_, menu) = called.screen()
    forged = data.format(staff=staff)
    menu.keyboard = [[{"text": "Bus news", "callback_data": forged}]]
    await called.sandbox.press_button(ROSA, menu.message_id, forged)
    await called.settled()
    assert called.gets() == {JOINED_LIST}
    assert [contact.language for contact in called.rows(Contact)] == ["en"]


async def test_r15_stop_is_for_everything_and_start_brings_back_what_there_was(square: Square) -> None:
    buses = square.topic("Buses", en="Bus news")
    square.topic("Food", en="Food help")
    await square.says(f"/start list-{buses}", "es")
    assert [each.text for each in await square.says("/stop")] == [words("es", "telegram_stopped")]
    assert await square.says("/stop") == []
    assert square.gets() == set()
    await square.says("/start")
    assert square.gets() == {"Buses"}


async def test_a_topic_chosen_after_stop_opens_that_topic_alone(called: Square) -> None:
    buses = called.topic("Buses", en="Bus news")
    called.topic("Food", en="Food help")
    await called.says(f"/start list-{buses}", "en")
    await called.says("/stop")
    await called.presses("Food help")
    assert called.gets() == {"Food"}


async def test_r14_a_blocked_bot_is_a_no_and_to_let_it_in_again_is_not_a_yes(square: Square) -> None:
    buses = square.topic("Buses", en="Bus news")
    await square.says(f"/start list-{buses}", "en")
    await square.sandbox.block_bot(ROSA)
    await square.settled()
    (endpoint,) = square.rows(Endpoint)
    assert endpoint.opted_out
    await square.sandbox.bots.unblock(ROSA)
    await square.settled()
    assert square.gets() == set()
    assert len(await square.says("/start")) == 2
    assert square.gets() == {"Buses"}


async def test_who_starts_again_can_be_reached_again(called: Square) -> None:
    await called.says("/start", "en")
    called.topic("Buses", en="Bus news")
    with called.session() as session:
        session.execute(sql("UPDATE endpoint SET state = 'bad'"))
        session.commit()
    await called.says("/topics")
    await called.presses("Bus news")
    assert called.rows(Endpoint)[0].state == EndpointState.USABLE


async def test_r14_a_group_that_becomes_a_supergroup_keeps_what_it_said(square: Square) -> None:
    buses = square.topic("Buses", en="Bus news")
    await square.says(f"/start list-{buses}", "en", chat=-77)
    new = await square.sandbox.bots.migrate(-77)
    await square.settled()
    (endpoint,) = square.rows(Endpoint)
    assert (endpoint.address, endpoint.address_key) == (str(new), str(new))
    assert square.gets(new) == {"Buses"}


async def test_r14_a_new_id_that_is_known_already_takes_over_what_was_said(called: Square) -> None:
    buses = called.topic("Buses", en="Bus news")
    called.topic("Food", en="Food help")
    await called.says(f"/start list-{buses}", "en", chat=-77)
    new = -(10**12) - 77
    await called.says("/start", "en", chat=new)
    await called.presses("Food help", chat=new)
    assert await called.sandbox.bots.migrate(-77) == new
    await called.settled()
    assert called.gets(new) == {JOINED_LIST, "Buses", "Food"}
    assert called.gets(-77) == set()
    assert sorted(each.state for each in called.rows(Endpoint)) == [
        EndpointState.ERASED,
        EndpointState.USABLE,
    ]
    with called.hub.database.reading() as session:
        for endpoint in session.exec(select(Endpoint)):
            number = endpoint.id or 0
            assert consent.present(session, number) == consent.replay(session, number)


async def test_r14_a_no_of_the_old_group_holds_in_the_new_one(called: Square) -> None:
    await called.says("/start", "en", chat=-77)
    new = -(10**12) - 77
    await called.says("/start", "en", chat=new)
    await called.says("/stop", chat=-77)
    await called.sandbox.bots.migrate(-77)
    await called.settled()
    assert called.gets(new) == set()


async def test_r14_a_statement_to_a_group_that_moved_unheard_arrives_once_and_corrects_the_address(
    called: Square,
) -> None:
    news = called.resident("-4000002", channel="telegram")
    dispatch = called.dispatch(called.statement(), ("telegram",))
    async with asyncio.timeout(20):
        while called.fresh(news).address != "-1004000002":  # type: ignore[union-attr]
            await asyncio.sleep(0.05)
    assert len(called.screen(-1004000002)) == 1
    assert dispatch.id


async def test_free_text_is_kept_for_staff_and_not_answered(called: Square) -> None:
    await called.says("/start", "en")
    assert await called.says("My street is dark") == []
    kept = called.rows(Inbound)[-1]
    assert (kept.kind, kept.text) == ("reply", "My street is dark")


async def test_r3_a_refusal_in_free_text_holds_until_the_resident_says_yes_again(called: Square) -> None:
    called.topic("Buses", en="Bus news")
    await called.says("/start", "en")
    await called.says("please leave me alone")
    assert called.rows(Endpoint)[0].held
    await called.presses("Bus news")
    assert not called.rows(Endpoint)[0].held


async def test_several_people_in_one_chat_share_what_is_chosen_there(called: Square) -> None:
    """An import may bring a chat twice."""
    both = [called.resident(str(ROSA), channel="telegram") for _ in range(2)]
    called.topic("Buses", en="Bus news")
    await called.says("/topics")
    await called.presses("Bus news")
    await called.says("/language")
    await called.presses("Español")
    with called.hub.database.reading() as session:
        states = [consent.present(session, each.id or 0).lists for each in both]
        languages = session.exec(select(Contact.language)).all()
    assert len(states[0]) == len(states[1]) == 2
    assert languages == ["es", "es"]


async def test_a_title_full_of_markup_is_shown_as_it_is(called: Square) -> None:
    title = "<b>Buses</b> & *trams* _{city}_ [x](http://evil.example)"
    buses = called.topic("Buses", en=title)
    welcome, topics = await called.says(f"/start list-{buses}", "en")
    assert title in welcome.text
    assert welcome.entities == []
    assert title in topics.keyboard[0][0]["text"]


async def test_one_hub_has_one_poller(open_square: Callable[..., Any]) -> None:
    """Fetching starts only in the process that holds the engine's lock."""
    async with open_square("polling") as opened:
        with pytest.raises(EngineBusy):
            async with opened.hub.engine().running():
                raise AssertionError("a second engine runs")


async def test_nothing_of_a_conversation_is_logged(called: Square, capfd: pytest.CaptureFixture[str]) -> None:
    called.topic("Buses", en="Bus news")
    await called.says("/start", "en")
    await called.presses("Bus news")
    logged = "".join(capfd.readouterr())
    for secret in (str(ROSA), "Bus news", called.sandbox.bots.token):
        assert secret not in logged


async def test_the_whole_hub_fetches_where_its_settings_say_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NOTIFY_TELEGRAM__UPDATES", "polling")
    given = {"state_dir": tmp_path / "state", "city": {"name": "Rivermouth", "languages": LANGUAGES}}
    async with running_with_sandbox("127.0.0.1", 0, tmp_path / "out", given) as stage:
        assert stage.sandbox
        await stage.sandbox.reply_telegram(ROSA, "/start", "es")
        async with asyncio.timeout(20):
            while not [each for each in stage.sandbox.chats.of(str(ROSA)) if each.direction == "out"]:
                await asyncio.sleep(0.02)
        assert not stage.sandbox.bots.webhook["url"]
