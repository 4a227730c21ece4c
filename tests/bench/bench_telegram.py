"""How fast messages reach Telegram: this channel beside python-telegram-bot's default request class, in one run.

    uv run python tests/bench/bench_telegram.py
    uv run python tests/bench/bench_telegram.py --messages 1000 --rounds 5 --check

Both post the same statement, with its entities, to one stub in a process of its own, which answers 60 ms later
(about what api.telegram.org takes). The ways take turns within a round; the table shows medians, and ratios to the
library's default class with as many tasks, made round by round. `--check` ends with status 1 when the channel, on
plain asyncio with 64 tasks, is slower than the floor. Free bots may send 30 messages a second; paid broadcasts 1000.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from multiprocessing.connection import Connection
from statistics import median
from time import perf_counter, process_time

import bench_sms
import uvloop
from bench_sms import exchange, on, pin
from rich.console import Console
from rich.table import Table
from telegram import Bot, LinkPreviewOptions, MessageEntity
from telegram.request import HTTPXRequest

from channels.contract import ApprovedText, Batch, City, Message, Verdict
from channels.telegram import TelegramChannel
from channels.telegram.entities import Formatted

FLOOR = 5.0  # times the default class with 64 tasks
LATENCY = 0.06  # seconds
TASKS = (20, 64)
TOKEN = "5550100:AAbbCCddEEffGGhhIIjjKKllMMnnOOppQQr"
CITY = City("Riverton", public_url="https://notify.riverton.example", phone="+1 555 010 0100")
TEXT = ApprovedText(
    reference="S1r1",
    language="en",
    source_language="en",
    kind="crisis",
    title="Attack on the Elm Street mosque",
    short="",
    body="Tonight two people were **hurt**. Police are on site; the area is *safe*.\n\n"
    "- The mayor speaks at **8 pm** at City Hall\n- [What we know](https://notify.riverton.example/known)\n\n"
    "We stand together.",
    url="https://notify.riverton.example/s/1/en",
)


def composed() -> Formatted:
    """The statement as one message."""
    (part,) = channel("http://127.0.0.1:9", 1).compose(TEXT).content  # type: ignore[misc]
    return part


def channel(base: str, tasks: int) -> TelegramChannel:
    """This channel against the stub."""
    given = {"token": TOKEN, "api_base": base, "concurrency": tasks, "rate": 0}
    return TelegramChannel(TelegramChannel.Settings.model_validate(given), CITY)


def serve(pipe: Connection) -> None:
    """Run the stub with a Bot API's answer."""
    chat = {"id": 1, "first_name": "Resident", "type": "private"}
    sender = {"id": 5550100, "is_bot": True, "first_name": "City", "username": "city_bot"}
    result = {"message_id": 1, "from": sender, "chat": chat, "date": 1795305600, "text": TEXT.title}
    body = json.dumps({"ok": True, "result": result}).encode()
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
    bench_sms.ANSWER = head + body
    bench_sms.serve(pipe)


@contextmanager
def stub() -> Iterator[tuple[str, Connection]]:
    """The stub's address and the pipe to it; stopped at the end."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs,), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{ours.recv()}", ours
    finally:
        process.terminate()
        process.join()


async def default_way(base: str, messages: int, tasks: int) -> None:
    """python-telegram-bot as it comes, with the pool its Application makes; nobody gives up waiting for it."""
    part = composed()
    entities = [
        MessageEntity(entity.type, entity.offset, entity.length, url=entity.url) for entity in part.entities
    ]
    numbers = iter(range(1, messages + 1))
    request = HTTPXRequest(connection_pool_size=256, pool_timeout=600, read_timeout=60)
    bot = Bot(TOKEN, base_url=f"{base}/bot", request=request, get_updates_request=HTTPXRequest())

    async def work() -> None:
        for number in numbers:
            preview = LinkPreviewOptions(is_disabled=True)
            await bot.send_message(number, part.text, entities=entities, link_preview_options=preview)

    async with request:
        await asyncio.gather(*(work() for _ in range(tasks)))


async def our_way(base: str, messages: int, tasks: int) -> None:
    """This channel, composing and all; its outcomes are counted."""
    async with channel(base, tasks) as opened:
        rendering = opened.compose(TEXT)

        async def source() -> AsyncIterator[Message]:
            for number in range(1, messages + 1):
                yield Message(number, str(number), (rendering,))

        batch = Batch("D1", 1, 1, datetime.now(UTC), source())
        accepted = [outcome async for outcome in opened.send(batch) if outcome.verdict is Verdict.ACCEPTED]
    if len(accepted) != messages:
        raise SystemExit(f"Only {len(accepted)} of {messages} messages were accepted.")


@dataclass
class Way:
    """One way to send with so many tasks, and what its rounds took."""

    name: str
    tasks: int
    run: object
    rates: list[float] = field(default_factory=list)  # messages a second
    processor: list[float] = field(default_factory=list)  # messages a second of processor time


def ways() -> list[Way]:
    """The default class first, then the channel, for each number of tasks."""
    found = []
    for tasks in TASKS:
        found += [
            Way("python-telegram-bot", tasks, on(None, partial(default_way, tasks=tasks))),
            Way("this channel, asyncio", tasks, on(None, partial(our_way, tasks=tasks))),
            Way("this channel, uvloop", tasks, on(uvloop.new_event_loop, partial(our_way, tasks=tasks))),
        ]
    return found


def measure(way: Way, base: str, pipe: Connection, messages: int) -> None:
    """Send once, check that the stub served all of it, and note the speed."""
    exchange(pipe, LATENCY)
    wall, processor = perf_counter(), process_time()
    way.run(base, messages)  # type: ignore[operator]
    wall, processor = perf_counter() - wall, process_time() - processor
    served = exchange(pipe, LATENCY)
    if served != messages:
        raise SystemExit(f"{way.name}: {served} of {messages} messages reached the stub.")
    way.rates.append(messages / wall)
    way.processor.append(messages / processor)


def ratios(way: Way, measured: list[Way]) -> list[float]:
    """How many times the default class with as many tasks, round by round."""
    reference = next(other for other in measured if other.tasks == way.tasks)
    return [rate / other for rate, other in zip(way.rates, reference.rates, strict=True)]


def table(measured: list[Way], messages: int, rounds: int) -> Table:
    """What was measured."""
    title = f"Telegram, {messages} messages, {rounds} rounds, stub answers after {LATENCY * 1000:.0f} ms"
    result = Table("way", title=title)
    for name in (
        "tasks",
        "messages/s",
        "(min-max)",
        "of tasks / 60 ms",
        "per CPU second",
        "ratio",
        "(min-max)",
    ):
        result.add_column(name, justify="right")
    for way in measured:
        times = ratios(way, measured)
        result.add_row(
            way.name,
            str(way.tasks),
            f"{median(way.rates):,.0f}",
            f"{min(way.rates):,.0f}-{max(way.rates):,.0f}",
            f"{median(way.rates) / (way.tasks / LATENCY):.0%}",
            f"{median(way.processor):,.0f}",
            f"{median(times):.2f}",
            f"{min(times):.2f}-{max(times):.2f}",
        )
    return result


def main() -> int:
    """Measure, print, and judge."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--messages", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--check", action="store_true", help=f"fail below {FLOOR} times the default class")
    asked = parser.parse_args()
    pin(0)
    measured = ways()
    with stub() as (base, pipe):
        for _ in range(asked.rounds):
            for way in measured:
                measure(way, base, pipe, asked.messages)
    Console(width=120).print(table(measured, asked.messages, asked.rounds))
    judged = next(way for way in measured if way.tasks == TASKS[-1] and way.name.endswith("asyncio"))
    reached = median(ratios(judged, measured))
    print(f"Floor: {FLOOR:g} times the default class with {TASKS[-1]} tasks; reached {reached:.2f}.")
    return int(asked.check and reached < FLOOR)


if __name__ == "__main__":
    sys.exit(main())
