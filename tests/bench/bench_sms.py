"""How fast text messages reach Twilio: this channel beside Twilio's own clients, in one run.

    uv run python tests/bench/bench_sms.py
    uv run python tests/bench/bench_sms.py --messages 2000 --rounds 5 --check

All of them post to one stub in a process of its own, which answers each request with a Message resource, at
once or after 60 ms (about what api.twilio.com takes). The ways take turns within a round, so that what else
the machine does hits all of them; the table shows medians, and ratios to the synchronous client made round
by round. `--check` ends with status 1 when the channel is slower than the floor.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from typing import Self

import uvloop
from rich.console import Console
from rich.table import Table
from twilio.http.async_http_client import AsyncTwilioHttpClient
from twilio.rest import Client

from channels.contract import Batch, City, Message, Rendering, Verdict
from channels.sms import SmsChannel

FLOOR = 2.5  # times Twilio's synchronous client
ACCOUNT, TOKEN, SENDER = "AC" + "0" * 32, "0" * 32, "+15550100199"
BODY = (
    "Riverton: Two people were hurt at the Elm Street mosque tonight. Police are there. Stay away.\n"
    "Full text: https://notify.riverton.example/s/12/en\nReply STOP to stop."
)
PUBLIC = "https://notify.riverton.example"


def address(number: int) -> str:
    """A fictional resident's number."""
    return f"+1555{number:07d}"


# -- the stub


RESOURCE = json.dumps(
    {
        "account_sid": ACCOUNT,
        "api_version": "2010-04-01",
        "body": BODY,
        "date_created": "Sun, 22 Nov 2026 12:00:00 +0000",
        "date_sent": None,
        "date_updated": "Sun, 22 Nov 2026 12:00:00 +0000",
        "direction": "outbound-api",
        "error_code": None,
        "error_message": None,
        "from": SENDER,
        "messaging_service_sid": None,
        "num_media": "0",
        "num_segments": "1",
        "price": None,
        "price_unit": "USD",
        "sid": "SM" + "0" * 32,
        "status": "queued",
        "subresource_uris": {},
        "to": address(0),
        "uri": f"/2010-04-01/Accounts/{ACCOUNT}/Messages/SM{'0' * 32}.json",
    }
).encode()
ANSWER = b"HTTP/1.1 201 CREATED\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (
    len(RESOURCE),
    RESOURCE,
)


class Stub(asyncio.Protocol):
    """Answers every whole request on a connection with `ANSWER`, after `delay` seconds."""

    delay = 0.0
    served = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.buffer = b""

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            head = self.buffer[:end].lower()
            length = int(head.partition(b"content-length:")[2].split(b"\r\n", 1)[0] or 0)
            if len(self.buffer) < end + 4 + length:
                return
            self.buffer = self.buffer[end + 4 + length :]
            Stub.served += 1
            self._answer()

    def _answer(self) -> None:
        if Stub.delay:
            asyncio.get_running_loop().call_later(Stub.delay, self._write)
        else:
            self._write()

    def _write(self) -> None:
        if not self.transport.is_closing():
            self.transport.write(ANSWER)


def serve(pipe: Connection) -> None:
    """Run the stub; take delays through the pipe, and answer with the requests served since the last."""
    pin(-1)

    async def run() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(Stub, "127.0.0.1", 0, backlog=1024)
        pipe.send(server.sockets[0].getsockname()[1])
        loop.add_reader(pipe.fileno(), take_delay)
        await server.serve_forever()

    def take_delay() -> None:
        Stub.delay = pipe.recv()
        pipe.send(Stub.served)
        Stub.served = 0

    uvloop.run(run())


def pin(position: int) -> None:
    """Keep this process on one processor, so that client and stub do not share one."""
    processors = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    if len(processors) > 1:
        os.sched_setaffinity(0, {processors[position]})


# -- the ways


def synchronous(base: str, messages: int) -> None:
    """Twilio's own client in one thread: one message after the other."""
    client = Client(ACCOUNT, TOKEN)
    client.api.base_url = base
    for number in range(messages):
        client.messages.create(to=address(number), body=BODY, from_=SENDER, status_callback=callback(number))


def callback(number: int) -> str:
    return f"{PUBLIC}/hooks/sms?d={number}&t=x"


async def asynchronous(base: str, messages: int, tasks: int = 100) -> None:
    """Twilio's own asynchronous client, with as many tasks as its connections."""
    numbers = iter(range(messages))
    async with AsyncTwilioHttpClient() as http:
        client = Client(ACCOUNT, TOKEN, http_client=http)
        client.api.base_url = base

        async def work() -> None:
            for number in numbers:
                await client.messages.create_async(
                    to=address(number), body=BODY, from_=SENDER, status_callback=callback(number)
                )

        await asyncio.gather(*(work() for _ in range(tasks)))


class Numbered:
    """Messages of one batch, made as they are pulled."""

    def __init__(self, total: int, rendering: Rendering) -> None:
        self._numbers = iter(range(total))
        self._renderings = (rendering,)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Message:
        for number in self._numbers:
            return Message(number, address(number), self._renderings, token="x")
        raise StopAsyncIteration


async def hand_over(base: str, messages: int, concurrency: int = 100) -> None:
    """This channel, its outcomes counted; a ledger goes round this function."""
    settings = {"account_sid": ACCOUNT, "auth_token": TOKEN, "from": SENDER, "api_base": base}
    channel = SmsChannel(
        SmsChannel.Settings.model_validate(settings | {"concurrency": concurrency}),
        City("Riverton", public_url=PUBLIC),
    )
    rendering = Rendering(channel="sms", language="en", preview=BODY, content=BODY)
    batch = Batch("D1", 1, 1, datetime.now(UTC), Numbered(messages, rendering))
    async with channel:
        accepted = [o async for o in channel.send(batch) if o.verdict is Verdict.ACCEPTED]
    assert len(accepted) == messages


def on(
    factory: Callable[[], asyncio.AbstractEventLoop] | None, way: Callable[[str, int], Awaitable[None]]
) -> Callable[[str, int], None]:
    """A way that runs on an event loop of that kind."""

    def run(base: str, messages: int) -> None:
        with asyncio.Runner(loop_factory=factory) as runner:
            runner.run(way(base, messages))  # type: ignore[arg-type]

    return run


async def hand_over_400(base: str, messages: int) -> None:
    """This channel with NOTIFY_SMS__CONCURRENCY at 400."""
    await hand_over(base, messages, concurrency=400)


@dataclass
class Way:
    """One way to send, and what its rounds took."""

    name: str
    run: Callable[[str, int], None]
    delays: tuple[float, ...] = (0.0, 0.06)
    rates: dict[float, list[float]] = field(default_factory=dict)  # messages a second, by delay
    processor: dict[float, list[float]] = field(default_factory=dict)  # messages a second of processor time


WAYS = [
    Way("twilio, synchronous, 1 thread", synchronous),
    Way("twilio, asynchronous, 100 tasks", on(None, asynchronous)),
    Way("this channel, asyncio", on(None, hand_over)),
    Way("this channel, uvloop", on(uvloop.new_event_loop, hand_over)),
    Way("this channel, uvloop, concurrency 400", on(uvloop.new_event_loop, hand_over_400), (0.06,)),
]


# -- measuring


@contextmanager
def stub():  # type: ignore[no-untyped-def]
    """The stub's address and the pipe to it; stopped at the end."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs,), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{ours.recv()}", ours
    finally:
        process.terminate()
        process.join()


def measure(way: Way, base: str, pipe: Connection, delay: float, messages: int) -> None:
    """Send once, check that the stub served all of it, and note the speed."""
    exchange(pipe, delay)
    wall, processor = time.perf_counter(), time.process_time()
    way.run(base, messages)
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    served = exchange(pipe, delay)
    if served != messages:
        raise SystemExit(f"{way.name}: {served} of {messages} messages reached the stub.")
    way.rates.setdefault(delay, []).append(messages / wall)
    way.processor.setdefault(delay, []).append(messages / processor)


def exchange(pipe: Connection, delay: float) -> int:
    """Set the stub's delay; return the requests it has served since it was last set."""
    pipe.send(delay)
    return int(pipe.recv())


def amount(way: Way, delay: float, messages: int) -> int:
    """The synchronous client waits out every delay, so it gets few messages."""
    return min(messages, 40) if delay and way is WAYS[0] else messages


def ratios(way: Way, delay: float) -> list[float]:
    """How many times the reference, round by round."""
    return [rate / reference for rate, reference in zip(way.rates[delay], WAYS[0].rates[delay], strict=True)]


def table(delay: float, messages: int, rounds: int) -> Table:
    """What was measured at one delay."""
    title = f"SMS, {messages} messages, {rounds} rounds, stub answers after {delay * 1000:.0f} ms"
    result = Table("way", title=title)
    for name in ("messages/s", "(min-max)", "per CPU second", "ratio", "(min-max)"):
        result.add_column(name, justify="right")
    for way in WAYS:
        if delay in way.delays:
            result.add_row(way.name, *row(way, delay))
    return result


def row(way: Way, delay: float) -> list[str]:
    """The cells of one way."""
    rates, times = way.rates[delay], ratios(way, delay)
    return [
        f"{statistics.median(rates):,.0f}",
        f"{min(rates):,.0f}-{max(rates):,.0f}",
        f"{statistics.median(way.processor[delay]):,.0f}",
        f"{statistics.median(times):.2f}",
        f"{min(times):.2f}-{max(times):.2f}",
    ]


def main() -> int:
    """Measure, print, and judge."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--messages", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--check", action="store_true", help=f"fail below {FLOOR} times the synchronous client"
    )
    asked = parser.parse_args()
    pin(0)
    with stub() as (base, pipe):
        for way in WAYS:
            way.run(base, 20)  # the SDK imports much of itself when it is first used
        for _ in range(asked.rounds):
            for delay in (0.0, 0.06):
                for way in WAYS:
                    if delay in way.delays:
                        measure(way, base, pipe, delay, amount(way, delay, asked.messages))
    console = Console(width=110)
    for delay in (0.0, 0.06):
        console.print(table(delay, asked.messages, asked.rounds))
    slowest = min(statistics.median(ratios(way, delay)) for way in WAYS[2:] for delay in way.delays)
    console.print(
        f"Slowest of this channel: {slowest:.2f} times Twilio's synchronous client; the floor is {FLOOR}."
    )
    return int(asked.check and slowest < FLOOR)


if __name__ == "__main__":
    sys.exit(main())
