"""How fast the email channel is, beside its peers and its limit, into the same Postfix smtp-sink.

    uv run python tests/bench/bench_email.py [--messages 4000] [--rounds 5] [--check]

Every client hands over the same personalised mail (plain text and HTML, about 7 kB, all headers) over ten
connections; smtp-source, the limit, sends the same number of bytes that it need not compose. The rounds are
interleaved, and a ratio is the median of the ratios within a round, so that a noisy machine slows down all.
The client runs on one processor, the sink on another, where there are two.

Needs Postfix's smtp-sink and smtp-source (apt package postfix) and, for the row of nodemailer, npm.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from functools import partial
from itertools import count, product
from pathlib import Path
from statistics import median

import aiosmtplib
import uvloop
from rich.console import Console
from rich.table import Table

from channels.contract import Action, ApprovedText, Batch, Message, Verdict
from channels.email import EmailChannel
from channels.email.compose import MailTemplate

sys.path.insert(0, str(Path(__file__).parents[1] / "channels"))
from email_servers import CITY, Messages, postfix_tool, settings, smtp_sink

CONNECTIONS = 10
NODEMAILER = "nodemailer@10.6.0"
FLOORS = {"nodemailer": 2.5, "smtp-source": 0.2}  # plain asyncio, times the peer

TEXT = ApprovedText(
    reference="S1r1",
    language="es",
    source_language="en",
    kind="crisis",
    title="Estamos con nuestros vecinos",
    short="Un ataque contra nuestros vecinos",
    body="Anoche alguien atacó el **centro comunitario de Cedar Street**. Dos personas están en el hospital.\n\n"
    "- No se acerque a Cedar Street hasta las 18:00.\n- Comparta solo lo que sabe.\n\n"
    "Llame al +1 555 010 0199 a cualquier hora. " + "Nuestros corazones están con las familias. " * 8,
    actions=(Action("Llame a la línea de crisis", "+1 555 010 0199"),),
    url="https://notify.riverton.example/s/1/es",
)
SENDER = settings().sender


# Our way: the one function to swap when more of the hub (the ledger) is to be measured.


async def our_way(port: int, messages: int) -> None:
    """Compose once, then send batches through the channel as the hub does."""
    async with EmailChannel(settings(port, connections=CONNECTIONS), CITY) as channel:
        rendering = channel.compose(TEXT)
        numbers = count(1)
        while messages > 0:
            size = min(messages, channel.batch_size)
            source = Messages(
                Message(key, f"resident{key}@example.org", (rendering,), f"Ana Díaz {key}", f"token{key}")
                for key in (next(numbers) for _ in range(size))
            )
            accepted = 0
            async for outcome in channel.send(Batch("D7", 1, 1, datetime.now(UTC), source)):
                accepted += outcome.verdict is Verdict.ACCEPTED
            if accepted != size:
                raise SystemExit(f"Only {accepted} of {size} messages were accepted.")
            messages -= size


# The peers


def bodies() -> tuple[str, str]:
    """The channel's own plain and HTML bodies, `{{name}}` and `{{token}}` still in them."""
    template = EmailChannel(settings(), CITY).compose(TEXT).content
    assert isinstance(template, MailTemplate)
    fields = {"greeting": template.greeting.replace("{name}", "{{name}}"), "token": "{{token}}"}
    mail = EmailMessage()
    for body in (template.text, template.html):
        part = EmailMessage()
        part["Content-Transfer-Encoding"] = body.encoding
        part.set_payload(body.fill(fields).decode())
        mail.attach(part)
    plain, html = (part.get_payload(decode=True).decode() for part in mail.get_payload())
    return plain, html


async def naive_way(port: int, messages: int) -> None:
    """What a first version does: an EmailMessage and a connection for each resident, ten at a time."""
    plain, html = bodies()
    numbers = iter(range(1, messages + 1))

    async def work() -> None:
        for key in numbers:
            mail = _email_message(key, plain, html)
            await aiosmtplib.send(mail, hostname="127.0.0.1", port=port, start_tls=False)

    await asyncio.gather(*(work() for _ in range(CONNECTIONS)))


def _email_message(key: int, plain: str, html: str) -> EmailMessage:
    def personal(text: str) -> str:
        return text.replace("{{name}}", f"Ana Díaz {key}").replace("{{token}}", f"token{key}")

    mail = EmailMessage()
    mail["From"] = SENDER
    mail["To"] = f"Ana Díaz {key} <resident{key}@example.org>"
    mail["Subject"] = TEXT.title
    mail["Date"] = format_datetime(datetime.now(UTC))
    mail["Message-ID"] = make_msgid(domain="riverton.example")
    mail["Auto-Submitted"] = "auto-generated"
    mail["List-Unsubscribe"] = f"<{CITY.public_url}/u/token{key}>"
    mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    mail.set_content(personal(plain))
    mail.add_alternative(personal(html), subtype="html")
    return mail


_NODEMAILER_SCRIPT = """
const nodemailer = require("nodemailer");
const {port, messages, connections, sender, subject, plain, html, base} = JSON.parse(process.argv[1]);
const transport = nodemailer.createTransport({
  host: "127.0.0.1", port, secure: false, ignoreTLS: true, pool: true,
  maxConnections: connections, maxMessages: Infinity });
const personal = (text, key) => text.replaceAll("{{name}}", "Ana Díaz " + key).replaceAll("{{token}}", "token" + key);
let next = 1;
async function work() {
  while (next <= messages) {
    const key = next++;
    await transport.sendMail({
      from: sender, to: {name: "Ana Díaz " + key, address: `resident${key}@example.org`}, subject,
      text: personal(plain, key), html: personal(html, key), messageId: `<D7.${key}@riverton.example>`,
      headers: {"Auto-Submitted": "auto-generated", "Content-Language": "es",
        "List-Id": "<notify.riverton.example>",
        "List-Unsubscribe": `<${base}/u/token${key}>`, "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"} });
  }
}
const start = process.hrtime.bigint();
Promise.all(Array.from({length: connections}, work)).then(() => {
  console.log(Number(process.hrtime.bigint() - start) / 1e9);
  transport.close();
});
"""


def nodemailer(folder: Path, port: int, messages: int) -> float:
    """nodemailer's pool; its own clock, so that the start of node does not count."""
    plain, html = bodies()
    job = {
        "port": port,
        "messages": messages,
        "connections": CONNECTIONS,
        "sender": SENDER,
        "subject": TEXT.title,
        "plain": plain,
        "html": html,
        "base": CITY.public_url,
    }
    run = subprocess.run(
        ["node", "-e", _NODEMAILER_SCRIPT, json.dumps(job)],
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
    )
    return float(run.stdout)


def smtp_source(port: int, messages: int) -> float:
    """Postfix's own load generator: nothing to compose, as many bytes."""
    length = str(len(_one_mail()))
    command = [postfix_tool("smtp-source"), "-d", "-s", str(CONNECTIONS), "-m", str(messages), "-l", length]
    start = time.perf_counter()
    subprocess.run([*command, f"127.0.0.1:{port}"], check=True)
    return time.perf_counter() - start


def _one_mail() -> bytes:
    rendering = EmailChannel(settings(), CITY).compose(TEXT)
    template = rendering.content
    assert isinstance(template, MailTemplate)
    message = Message(1, "resident1@example.org", (rendering,), "Ana Díaz 1", "token1")
    batch = Batch("D7", 1, 1, datetime.now(UTC), Messages([]))
    return template.address(message, batch, datetime.now(UTC)).body


# Measuring


@dataclass(frozen=True)
class Row:
    """One client."""

    name: str
    seconds: Callable[[int, int], float]  # port, messages


def timed(
    run: Callable[[Awaitable[None]], None],
    way: Callable[[int, int], Awaitable[None]],
    port: int,
    messages: int,
) -> float:
    """Seconds that an asynchronous way takes on the given kind of event loop."""
    start = time.perf_counter()
    run(way(port, messages))
    return time.perf_counter() - start


def rows(folder: Path, console: Console) -> list[Row]:
    """The clients that this machine can run."""
    listed = [
        Row("smtp-source", smtp_source),
        Row("notify, asyncio", partial(timed, asyncio.run, our_way)),
        Row("notify, uvloop", partial(timed, uvloop.run, our_way)),
        Row("aiosmtplib + EmailMessage", partial(timed, asyncio.run, naive_way)),
    ]
    if shutil.which("npm") and shutil.which("node"):
        subprocess.run(
            ["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(folder), NODEMAILER],
            check=True,
        )
        listed.append(Row("nodemailer", partial(nodemailer, folder)))
    else:
        console.print("nodemailer is left out: npm is not installed (apt package npm).")
    return listed


def pin(sink_pid: int) -> None:
    """The sink on one processor, we and our children on another: else the numbers swing with the scheduler."""
    if not hasattr(os, "sched_setaffinity") or len(os.sched_getaffinity(0)) < 2:
        return
    ours, theirs = sorted(os.sched_getaffinity(0))[:2]
    os.sched_setaffinity(0, {ours})
    os.sched_setaffinity(sink_pid, {theirs})


Rates = Mapping[str, list[float]]


def measure(listed: list[Row], port: int, messages: int, rounds: int, console: Console) -> Rates:
    """Messages a second of every row in every round, the rounds interleaved."""
    rates: dict[str, list[float]] = {row.name: [] for row in listed}
    with console.status("measuring") as status:
        for number, row in product(range(1, rounds + 1), listed):
            status.update(f"round {number} of {rounds}: {row.name}")
            rates[row.name].append(messages / row.seconds(port, messages))
    return rates


def ratio(rates: Rates, name: str, reference: str) -> float:
    """The median of the ratios within a round."""
    return median(ours / theirs for ours, theirs in zip(rates[name], rates[reference], strict=True))


def table(rates: Rates) -> Table:
    """The result."""
    shown = Table(
        title=f"Email into smtp-sink, {CONNECTIONS} connections, {len(_one_mail()):,} bytes a message"
    )
    shown.add_column("client", no_wrap=True)
    references = [name for name in ("smtp-source", "nodemailer") if name in rates]
    for heading in ("messages/s", "range", *(f"x {name}" for name in references)):
        shown.add_column(heading, justify="right")
    for name, found in sorted(rates.items(), key=lambda item: -median(item[1])):
        ratios = (f"{ratio(rates, name, reference):.2f}" for reference in references)
        shown.add_row(name, f"{median(found):,.0f}", f"{min(found):,.0f} - {max(found):,.0f}", *ratios)
    return shown


def main() -> int:
    """Measure, print, and with --check fail below a floor."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--messages", type=int, default=4000, help="messages per client and round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--check", action="store_true", help="exit with 1 when a floor is not met")
    options = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 110)
    with smtp_sink() as (port, pid), tempfile.TemporaryDirectory() as folder:
        pin(pid)
        listed = rows(Path(folder), console)
        rates = measure(listed, port, options.messages, options.rounds, console)
    console.print(table(rates))
    missed = [
        f"{ratio(rates, 'notify, asyncio', name):.2f} times {name}, and {floor} is the floor"
        for name, floor in FLOORS.items()
        if name in rates and ratio(rates, "notify, asyncio", name) < floor
    ]
    for line in missed:
        console.print(f"[red]Too slow:[/red] {line}.")
    return 1 if missed and options.check else 0


if __name__ == "__main__":
    sys.exit(main())
