"""What a sandbox shows, kept in one file, so that a later one shows it again."""

from __future__ import annotations

from dataclasses import field
from pathlib import Path

from pydantic import TypeAdapter
from pydantic.dataclasses import dataclass

from channels.sandbox.captured import ChatMessage, Mail, Text
from channels.sandbox.sandbox import Sandbox

FILE = "sandbox.json"


@dataclass
class _Memory:
    """The kept items of each channel."""

    sms: list[Text]
    mail: list[Mail]
    chats: list[ChatMessage]
    opted_out: set[str] = field(default_factory=set)  # numbers that answered STOP
    blocked: set[str] = field(default_factory=set)  # chats that blocked the bot
    languages: dict[str, str] = field(default_factory=dict)  # of residents' Telegram clients


_ADAPTER = TypeAdapter(_Memory)


def save(sandbox: Sandbox) -> Path:
    """Write what residents' devices show into the sandbox's folder; returns the file."""
    path = sandbox.folder / FILE
    kept = _Memory(
        list(sandbox.sms),
        list(sandbox.mail),
        list(sandbox.chats),
        sandbox.provider.opted_out,
        sandbox.bots.blocked,
        sandbox.bots.languages,
    )
    part = path.with_suffix(".part")
    part.write_bytes(_ADAPTER.dump_json(kept))
    part.replace(path)
    return path


def restore(sandbox: Sandbox) -> None:
    """Put back what an earlier sandbox in this folder saved, if it did."""
    path = sandbox.folder / FILE
    if not path.is_file():
        return
    kept = _ADAPTER.validate_json(path.read_bytes())
    for text in kept.sms:
        sandbox.provider.remember(text)
    for mail in kept.mail:
        sandbox.mail.add(mail)
    for message in kept.chats:
        sandbox.bots.remember(message)
    sandbox.provider.opted_out |= kept.opted_out
    sandbox.bots.blocked |= kept.blocked
    sandbox.bots.languages |= kept.languages
    sandbox.numbers.skip(max((item.number for item in (*kept.sms, *kept.mail, *kept.chats)), default=0))
