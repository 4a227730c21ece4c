"""The stand-ins for Twilio and Telegram call the hub over real sockets, as the providers would."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest
import uvicorn
from sqlmodel import select
from web_city import Town

import templates
from channels.sandbox import Sandbox
from notify.dispatch.models import Delivery, DeliveryState
from notify.hub import Hub
from notify.web.app import create_app

NUMBER = "+12065550123"


@pytest.fixture
async def served(hub: Hub, sandbox: Sandbox) -> AsyncIterator[Town]:
    """The hub behind an address that is not where it listens, as with a proxy."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(create_app(hub), log_level="warning", access_log=False))
        task = asyncio.create_task(server.serve(sockets=[listener]))
        while not server.started:
            await asyncio.sleep(0.01)
        sandbox.hub_url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        sandbox.public_url = hub.settings.public_url
        yield Town(hub)
        server.should_exit = True
        await task


def words(language: str, key: str) -> str:
    return templates.phrases(language)[key].format(city="Rivermouth", phone="(206) 555-0134")


async def test_receipts_of_a_dispatch_come_back(served: Town, sandbox: Sandbox) -> None:
    for number in range(20):
        served.resident(f"+120655501{number:02}")
    served.dispatch(served.statement())
    async with served.hub.engine().running():
        for _ in range(200):
            await asyncio.sleep(0.1)
            with served.hub.database.reading() as session:
                states = set(session.exec(select(Delivery.state).where(Delivery.channel == "sms")))
            if states == {DeliveryState.DELIVERED}:
                break
    assert states == {DeliveryState.DELIVERED}
    assert sandbox.provider.lost_callbacks == 0


@pytest.mark.parametrize(("language", "word"), [("es", "ALTO"), ("ar", "إيقاف"), ("zh-Hans", "停止")])
async def test_r6_a_resident_who_leaves_reads_one_confirmation(
    served: Town, sandbox: Sandbox, language: str, word: str
) -> None:
    served.resident(NUMBER, language=language)
    (answer,) = await sandbox.reply_sms(NUMBER, word)
    assert answer.lstrip("\u200f") == words(language, "sms_stopped")
    assert await sandbox.reply_sms(NUMBER, word) == []


@pytest.mark.parametrize("back", ["START", "YES"])
async def test_r6_the_providers_own_confirmation_is_the_only_one(
    served: Town, sandbox: Sandbox, back: str
) -> None:
    endpoint = served.resident(NUMBER, language="es")
    assert len(await sandbox.reply_sms(NUMBER, "STOP")) == 1
    assert served.fresh(endpoint).opted_out
    assert len(await sandbox.reply_sms(NUMBER, back)) == 1
    assert not served.fresh(endpoint).opted_out


async def test_who_left_in_a_language_the_provider_does_not_know_is_welcomed_back_by_us(
    served: Town, sandbox: Sandbox
) -> None:
    served.resident(NUMBER, language="ar")
    await sandbox.reply_sms(NUMBER, "إيقاف")
    (answer,) = await sandbox.reply_sms(NUMBER, "START")
    assert answer.lstrip("\u200f") == words("ar", "sms_started")
