"""What residents got and what they answered, as the stand-ins saw it.

The last conversations stay in memory, for the residents' page, for tests and for the providers' own "list
messages" calls; files below the sandbox's folder hold all of them.
"""

from __future__ import annotations

import re
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from itertools import chain
from pathlib import Path
from typing import Any, Generic, TypeVar

_UNSAFE = re.compile(r"[^\w.@+-]+")
_LONGEST_NAME = 80


class Direction(StrEnum):
    """Who wrote: the city, or the resident."""

    OUT = "out"
    IN = "in"


@dataclass(slots=True, kw_only=True)
class Item:
    """One message of any channel. `number` counts up over the whole sandbox."""

    number: int
    time: datetime
    address: str = field(repr=False)
    direction: Direction
    status: str = ""
    code: str = ""  # the provider's code, where something went wrong


@dataclass(slots=True, kw_only=True)
class Text(Item):
    """One text message."""

    sid: str
    sender: str  # the city's number or messaging service
    text: str = field(repr=False)
    segments: int = 1
    callback: str = ""  # the StatusCallback the hub asked for
    sent: datetime | None = None


@dataclass(slots=True, kw_only=True)
class Mail(Item):
    """One mail that the server took; its bytes are in the file."""

    path: Path = field(repr=False)
    sender: str = field(default="", repr=False)

    @property
    def raw(self) -> bytes:
        """The mail as it came over the wire."""
        return self.path.read_bytes()


@dataclass(slots=True, kw_only=True)
class ChatMessage(Item):
    """One Telegram message."""

    message_id: int
    text: str = field(repr=False)
    entities: list[dict[str, Any]] = field(default_factory=list, repr=False)  # as the Bot API writes them
    attachment: str = ""  # the kind of a file that came along
    keyboard: list[list[dict[str, Any]]] = field(default_factory=list, repr=False)  # rows of buttons under it


AnyItem = TypeVar("AnyItem", bound=Item)


class Shelf(Generic[AnyItem]):
    """The kept conversations of one channel, one for each address, the latest last.

    Iterating gives every kept item in the order it came, `of` those of one address; `total` counts all that
    ever came.
    """

    def __init__(self, keep: int, changed: Callable[[], None], longest: int = 100) -> None:
        """Keep at most `keep` conversations of at most `longest` items; call `changed` after each change."""
        self.keep = keep
        self.longest = longest
        self.total = 0
        self._changed = changed
        self._conversations: OrderedDict[str, deque[AnyItem]] = OrderedDict()

    def add(self, item: AnyItem) -> AnyItem:
        """Put an item at the end of its address's conversation; forget the oldest beyond the bounds."""
        conversation = self._conversations.setdefault(item.address, deque(maxlen=self.longest))
        self._conversations.move_to_end(item.address)
        conversation.append(item)
        self.total += 1
        while len(self._conversations) > self.keep:
            self._conversations.popitem(last=False)
        self._changed()
        return item

    def mark(self, item: AnyItem, status: str, code: str = "") -> None:
        """Give an item a new status."""
        item.status, item.code = status, code
        self._changed()

    def of(self, address: str) -> list[AnyItem]:
        """The items of one address, oldest first."""
        return list(self._conversations.get(address, ()))

    def addresses(self) -> list[str]:
        """The addresses that have a conversation, the one that changed last at the end."""
        return list(self._conversations)

    def __iter__(self) -> Iterator[AnyItem]:
        return iter(sorted(chain.from_iterable(self._conversations.values()), key=lambda item: item.number))

    def __len__(self) -> int:
        return sum(map(len, self._conversations.values()))


class Numbers:
    """Counts messages over the whole sandbox, and goes on where an earlier one in the same folder stopped."""

    def __init__(self) -> None:
        self._last = 0

    def next(self) -> int:
        """The next number."""
        self._last += 1
        return self._last

    def skip(self, taken: int) -> None:
        """Let every later number be greater than `taken`."""
        self._last = max(self._last, taken)


def file_name(address: str) -> str:
    """An address as a file name: no separators, no leading dot, not too long."""
    return _UNSAFE.sub("_", address).lstrip(".")[:_LONGEST_NAME] or "_"


def append_line(path: Path, item: Item, text: str) -> None:
    """Add one message to a conversation's file, as a person reads it."""
    who = "city" if item.direction is Direction.OUT else "resident"
    with path.open("a", encoding="utf-8") as file:
        file.write(f"{item.time:%Y-%m-%d %H:%M:%S} {who}:\n{text}\n\n")
