"""Long polling against the stand-in: each update once, none lost, and one poller at a time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from channels.contract import City, Event, Fetching, Take
from channels.sandbox import Sandbox
from channels.telegram import TelegramChannel, TelegramSettings, polling


@pytest.fixture
async def sandbox(tmp_path: Path) -> AsyncIterator[Sandbox]:
    async with Sandbox(tmp_path) as running:
        yield running


@pytest.fixture(autouse=True)
def _no_long_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(polling, "_LONGEST_PAUSE", 0.05)


@asynccontextmanager
async def fetching(sandbox: Sandbox, take: Take) -> AsyncIterator[TelegramChannel]:
    """The channel while it fetches; afterwards it is killed."""
    given = sandbox.settings()["telegram"] | {"updates": "polling"}
    async with TelegramChannel(TelegramSettings.model_validate(given), City("Riverton")) as channel:
        await channel.announce()
        task = asyncio.create_task(channel.fetch(take))
        yield channel
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


class Keeper:
    """A hub that keeps what it is told, but for some texts."""

    def __init__(self, refuses: Callable[[str], bool] = lambda _text: False) -> None:
        self.refuses = refuses
        self.kept: list[str] = []
        self.asked: list[str] = []

    async def take(self, events: Sequence[Event]) -> bool:
        (event,) = events
        self.asked.append(event.text)
        if self.refuses(event.text):
            return False
        self.kept.append(event.text)
        return True


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.01)


def waiting(sandbox: Sandbox) -> int:
    return int(sandbox.bots.updates.info()["pending_update_count"])


def test_the_channel_can_fetch() -> None:
    assert isinstance(
        TelegramChannel(
            TelegramSettings.model_validate({"token": "1234:" + "a" * 35, "updates": "polling"}), City("X")
        ),
        Fetching,
    )


async def test_what_residents_say_is_taken_in_order_and_acknowledged(sandbox: Sandbox) -> None:
    keeper = Keeper()
    async with fetching(sandbox, keeper.take):
        for number in range(5):
            await sandbox.reply_telegram(42, f"text {number}")
        await until(lambda: len(keeper.kept) == 5 and not waiting(sandbox))
    assert keeper.kept == [f"text {number}" for number in range(5)]
    assert keeper.asked == keeper.kept


async def test_what_waited_while_nobody_fetched_is_taken(sandbox: Sandbox) -> None:
    sandbox.bots.updates.delete_webhook({})
    for number in range(250):
        await sandbox.reply_telegram(42, f"text {number}")
    keeper = Keeper()
    async with fetching(sandbox, keeper.take):
        await until(lambda: not waiting(sandbox))
    assert keeper.kept == [f"text {number}" for number in range(250)]


async def test_what_could_not_be_kept_comes_again(sandbox: Sandbox) -> None:
    keeper = Keeper()
    keeper.refuses = lambda _text: len(keeper.asked) < 3
    async with fetching(sandbox, keeper.take):
        await sandbox.reply_telegram(42, "/stop")
        await until(lambda: keeper.kept)
    assert keeper.asked == ["/stop"] * 3


async def test_a_kill_before_the_update_is_kept_loses_nothing(sandbox: Sandbox) -> None:
    reached = asyncio.Event()

    async def hang(_events: Sequence[Event]) -> bool:
        reached.set()
        await asyncio.sleep(60)
        return True

    async with fetching(sandbox, hang):
        await sandbox.reply_telegram(42, "/stop")
        await reached.wait()
    keeper = Keeper()
    async with fetching(sandbox, keeper.take):
        await until(lambda: keeper.kept)
    assert keeper.kept == ["/stop"]


async def test_while_nothing_can_be_kept_nothing_is_given_up(sandbox: Sandbox) -> None:
    """The database is away, say."""
    keeper = Keeper(lambda _text: True)
    async with fetching(sandbox, keeper.take):
        await sandbox.reply_telegram(42, "one")
        await sandbox.reply_telegram(42, "two")
        await until(lambda: len(keeper.asked) > 30)
        assert waiting(sandbox) == 2
        keeper.refuses = lambda _text: False
        await until(lambda: not waiting(sandbox))
    assert keeper.kept == ["one", "two"]


async def test_one_update_that_can_never_be_kept_does_not_hold_the_others_up(
    sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    keeper = Keeper(lambda text: text == "poison")
    sandbox.bots.updates.delete_webhook({})
    for text in ("one", "poison", "two"):
        await sandbox.reply_telegram(42, text)
    async with fetching(sandbox, keeper.take):
        await until(lambda: not waiting(sandbox))
    assert {"one", "two"} <= set(keeper.kept)
    assert keeper.asked.count("poison") == 5
    (record,) = [each for each in caplog.records if each.levelno == logging.ERROR]
    assert "given up" in record.getMessage()
    assert "poison" not in record.getMessage()


async def test_a_second_poller_is_told_from_and_named_in_the_log(
    sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    """https://core.telegram.org/bots/api#getupdates: the older request ends with 409."""
    first, second = Keeper(), Keeper()
    async with fetching(sandbox, first.take), fetching(sandbox, second.take):
        await until(lambda: "Only one hub may use a bot" in caplog.text)
        await sandbox.reply_telegram(42, "hello")
        await until(lambda: first.kept or second.kept)
    assert sandbox.bots.token not in caplog.text


async def test_a_webhook_that_comes_in_the_way_is_named_in_the_log(
    sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    keeper = Keeper()
    async with fetching(sandbox, keeper.take):
        sandbox.bots.updates.set_webhook({"url": "https://other.example/x"})
        await sandbox.bots.updates.stop()
        await until(lambda: "NOTIFY_TELEGRAM__UPDATES=webhook" in caplog.text)
        sandbox.bots.updates.delete_webhook({})
        await sandbox.reply_telegram(42, "hello")
        await until(lambda: keeper.kept)


async def test_telegram_that_cannot_be_reached_is_asked_again(
    sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    keeper = Keeper()
    async with fetching(sandbox, keeper.take):
        await sandbox._chat_server.stop()
        await until(lambda: "cannot be reached" in caplog.text)
        await sandbox._chat_server.start()
        await sandbox.reply_telegram(42, "hello")
        await until(lambda: keeper.kept)
    assert sandbox.bots.token not in caplog.text


async def test_only_updates_that_the_hub_understands_are_asked_for(sandbox: Sandbox) -> None:
    async with fetching(sandbox, Keeper().take):
        await until(lambda: sandbox.bots.webhook.get("allowed_updates"))
    assert sandbox.bots.webhook["allowed_updates"] == ["message", "callback_query", "my_chat_member"]
