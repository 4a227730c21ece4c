"""Every channel passes the one battery, against the sandbox."""

from __future__ import annotations

from collections.abc import Callable
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from itertools import pairwise
from typing import Any

import pypdfium2
from conformance import Battery, Described, Situation, World

from channels.email import EmailChannel
from channels.letter import LetterChannel
from channels.registry import BUILT_IN
from channels.sandbox import Rule
from channels.sms import SmsChannel
from channels.telegram import TelegramChannel

NO_NETWORK = "Letters are files in a folder: there is no connection and nobody who answers."


def fault(channel: str, **rule: Any) -> Callable[[World], Rule]:
    """A situation that the sandbox brings about."""
    return lambda world: world.sandbox.fault(channel, **rule)


def changed(**settings: Any) -> Callable[[World], None]:
    """A situation that comes of wrong settings."""
    return lambda world: world.settings.update(settings)


def sms_settings(world: World) -> dict[str, Any]:
    return world.sandbox.settings()["sms"] | {"timeout": 0.5, "concurrency": 4}


class TestSms(Battery):
    described = Described(
        channel=SmsChannel,
        settings=sms_settings,
        required=("account_sid", "auth_token", "from"),
        address=lambda number: f"+1555010{number:04d}",
        arrived=lambda world, address: [text.text for text in world.sandbox.sms.of(address)],
        carries=("short",),
        bring_about={
            Situation.THROTTLED: fault("sms", kind="throttled", seconds=3),
            Situation.DOWN: fault("sms", kind="down"),
            Situation.JUNK: fault("sms", kind="junk", code=201),
            Situation.UNKNOWN_CODE: fault("sms", kind="refused", code=99999),
            Situation.NO_CONNECTION: changed(api_base="http://127.0.0.1:9"),
            Situation.DROP_BEFORE: fault("sms", kind="drop_before"),
            Situation.DROP_AFTER: fault("sms", kind="drop_after"),
            Situation.NO_ANSWER: fault("sms", kind="slow", seconds=3),
            Situation.WRONG_CREDENTIALS: changed(auth_token="f" * 32),
            Situation.BAD_ADDRESS: fault("sms", kind="refused", code=21211),
            Situation.OPTED_OUT: fault("sms", kind="refused", code=21610),
        },
        stall=fault("sms", kind="slow", seconds=5),
    )


def email_settings(world: World) -> dict[str, Any]:
    return world.sandbox.settings()["email"] | {"timeout": 1, "connections": 4}


def mails(world: World, address: str) -> list[str]:
    """Subject and plain text of each mail."""
    found = (
        BytesParser(EmailMessage, policy=default).parsebytes(mail.raw)
        for mail in world.sandbox.mail.of(address)
    )
    return [
        f"{mail['Subject']}\n{plain.get_content()}" for mail in found if (plain := mail.get_body(("plain",)))
    ]


class TestEmail(Battery):
    described = Described(
        channel=EmailChannel,
        settings=email_settings,
        required=("host", "from"),
        address=lambda number: f"resident-{number:04d}@mail.example",
        arrived=mails,
        carries=("title", "body"),
        bring_about={
            Situation.THROTTLED: fault("email", kind="throttled"),
            Situation.DOWN: fault("email", kind="down"),
            Situation.JUNK: fault("email", kind="junk"),
            Situation.UNKNOWN_CODE: fault("email", kind="refused", code=559, text="5.9.99 New"),
            Situation.NO_CONNECTION: changed(port=9),
            Situation.DROP_BEFORE: fault("email", kind="drop_before"),
            Situation.DROP_AFTER: fault("email", kind="drop_after"),
            Situation.WRONG_CREDENTIALS: fault("email", kind="refused", code=530, text="5.7.57 Log in first"),
            Situation.BAD_ADDRESS: fault("email", kind="refused", code=550, text="5.1.1 No such mailbox"),
        },
        cannot_be={
            Situation.NO_ANSWER: "It waits ten times its time-out for the last reply: test_email_sending.",
            Situation.OPTED_OUT: "A mail server does not know who unsubscribed; that comes as a POST to the hub.",
        },
        stall=fault("email", kind="slow", seconds=5),
        pulls_ahead=8,  # with pipelining the envelope of the next message goes with the body before it
    )


def telegram_settings(world: World) -> dict[str, Any]:
    return world.sandbox.settings()["telegram"] | {"timeout": 0.5, "concurrency": 4, "pause": 0, "rate": 0}


class TestTelegram(Battery):
    described = Described(
        channel=TelegramChannel,
        settings=telegram_settings,
        required=("token",),
        address=lambda number: str(7_700_100_000 + number),
        arrived=lambda world, address: (
            ["\n".join(message.text for message in world.sandbox.chats.of(address))]
            if world.sandbox.chats.of(address)
            else []
        ),
        carries=("title", "body"),
        bring_about={
            Situation.THROTTLED: fault("telegram", kind="throttled", seconds=3),
            Situation.DOWN: fault("telegram", kind="down"),
            Situation.JUNK: fault("telegram", kind="junk"),
            Situation.UNKNOWN_CODE: fault("telegram", kind="refused", text="Forbidden: something new"),
            Situation.NO_CONNECTION: changed(api_base="http://127.0.0.1:9"),
            Situation.DROP_BEFORE: fault("telegram", kind="drop_before"),
            Situation.DROP_AFTER: fault("telegram", kind="drop_after"),
            Situation.NO_ANSWER: fault("telegram", kind="slow", seconds=3),
            Situation.WRONG_CREDENTIALS: changed(token="5550100:AAbbCCddEEffGGhhIIjjKKllMMnnOOppQQr"),
            Situation.BAD_ADDRESS: fault(
                "telegram", kind="refused", code=400, text="Bad Request: PEER_ID_INVALID"
            ),
            Situation.OPTED_OUT: fault("telegram", kind="refused"),
        },
        stall=fault("telegram", kind="slow", seconds=5),
    )


def letter_settings(world: World) -> dict[str, Any]:
    return {"outbox": world.folder / "outbox", "workers": 0}


def letters(world: World, address: str) -> list[str]:
    """The text of each letter to an address: its pages up to the next letter's."""
    found: list[str] = []
    for path in sorted((world.folder / "outbox").rglob("*.pdf")):
        with pypdfium2.PdfDocument(path) as document:
            pages = [page.get_textpage().get_text_range() for page in document]
        starts = [number for number, page in enumerate(pages) if "Elm Street" in page]
        for start, end in pairwise([*starts, len(pages)]):
            if address.split("\n")[1] in pages[start]:
                found.append("\n".join(pages[start:end]))
    return found


def outbox_is_a_file(world: World) -> None:
    world.folder.mkdir()
    (world.folder / "outbox").write_text("in the way")


def nowhere(world: World) -> None:
    world.address = lambda number: f"No fixed address\n{100 + number} Elm Street"


class TestLetter(Battery):
    described = Described(
        channel=LetterChannel,
        settings=letter_settings,
        required=("outbox",),
        address=lambda number: f"The Okafor household\n{100 + number} Elm Street\nRiverton IL 62701",
        arrived=letters,
        carries=("title", "body"),
        only_ascii="The text of a PDF has Arabic letters as they are joined, in the order of the page.",
        bring_about={Situation.DOWN: outbox_is_a_file, Situation.BAD_ADDRESS: nowhere},
        cannot_be={
            Situation.OPTED_OUT: "A mail house does not know who wants no letters; residents say so on the web.",
        }
        | {
            situation: NO_NETWORK
            for situation in Situation
            if situation not in (Situation.DOWN, Situation.BAD_ADDRESS, Situation.OPTED_OUT)
        },
        why_no_stall="A print file holds the whole batch: it appears complete or not at all.",
    )


def test_every_channel_in_the_registry_is_here() -> None:
    tested = {battery.described.channel for battery in Battery.__subclasses__()}
    assert {f"{channel.__module__.rpartition('.')[0]}:{channel.__name__}" for channel in tested} == set(
        BUILT_IN.values()
    )
