"""Text and the entities in it: stretches that are bold, a link, code. Never a parse mode, so nothing is markup.

Offsets count UTF-16 code units (https://core.telegram.org/bots/api#messageentity).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from channels.text import clean, has_right_to_left, isolate
from templates import direction

# Removed by Telegram's server, which would move every offset behind them: separators and bidi embeddings.
_REMOVED = dict.fromkeys(range(0x2028, 0x202F))
_RIGHT_TO_LEFT = "\u200f"  # a mark without width
_UPRIGHT = frozenset({"zh", "yue", "ja", "ko"})  # written without italics, as are right-to-left scripts
_CODE = ("code", "pre")
_STYLES = ("bold", "italic")


@dataclass(frozen=True, slots=True)
class Entity:
    """A stretch of text that is shown in its own way; `offset` and `length` in UTF-16 units."""

    type: str
    offset: int
    length: int
    url: str | None = None
    language: str | None = None

    @property
    def end(self) -> int:
        """The offset behind the last unit."""
        return self.offset + self.length

    def between(self, start: int, end: int) -> Entity | None:
        """What of it lies in a part of the text, with offsets from the part's start."""
        first, last = max(self.offset, start), min(self.end, end)
        return replace(self, offset=first - start, length=last - first) if first < last else None


@dataclass(frozen=True, slots=True)
class Formatted:
    """A text and its entities."""

    text: str
    entities: tuple[Entity, ...] = ()

    def slice(self, start: int, end: int) -> Formatted:
        """The characters from `start` to `end`, with their entities."""
        first, last = units(self.text[:start]), units(self.text[:end])
        found = (entity.between(first, last) for entity in self.entities)
        return Formatted(self.text[start:end], tuple(entity for entity in found if entity))


def units(text: str) -> int:
    """The length of a text in UTF-16 code units."""
    return len(text) + sum(character > "\uffff" for character in text)


class Writer:
    """Collects text and the entities in it, as Telegram allows them together.

    Code stands outside bold and italic text, and is plain in a link; a quotation holds no quotation.
    """

    def __init__(self, language: str) -> None:
        self._right_to_left = direction(language) == "rtl"
        upright = self._right_to_left or language.split("-")[0] in _UPRIGHT
        self.emphasis = "bold" if upright else "italic"
        self._pieces: list[str] = []
        self._entities: list[Entity] = []
        self._open: dict[str, int] = {}  # kinds of entities under way, and where each begins
        self.length = 0

    def write(self, text: str) -> None:
        """Add plain text.

        In a right-to-left text phone numbers keep their order, and so does a line that begins with a number or
        a Latin word: apps take a line's direction from its first letter.
        """
        text = _cleaned(text)
        if self._right_to_left:
            begins = _RIGHT_TO_LEFT if text and not self.length else ""
            text = begins + isolate(text).replace("\n", "\n" + _RIGHT_TO_LEFT)
        elif has_right_to_left(text):
            text = isolate(text)
        self._add(text)

    def write_as_is(self, text: str) -> None:
        """Add a piece of code or an address: no mark may stand in it."""
        self._add(_cleaned(text))

    def _add(self, text: str) -> None:
        if text:
            self._pieces.append(text)
            self.length += units(text)

    @property
    def position(self) -> int:
        """Where writing stands, for `since`."""
        return len(self._pieces)

    def since(self, position: int) -> str:
        """What was written after a position."""
        return "".join(self._pieces[position:])

    @contextmanager
    def span(self, kind: str, url: str | None = None, language: str | None = None) -> Iterator[None]:
        """Make an entity of what is written in the block."""
        if kind in self._open or (kind in _CODE and "text_link" in self._open):
            yield
            return
        if kind in _CODE:
            self._interrupt_styles()
        self._open[kind] = self.length
        yield
        self._emit(Entity(kind, self._open.pop(kind), 0, url, language))
        if kind in _CODE:
            self._open |= {style: self.length for style in _STYLES if style in self._open}

    def _interrupt_styles(self) -> None:
        for style in _STYLES:
            if style in self._open:
                self._emit(Entity(style, self._open[style], 0))

    def _emit(self, entity: Entity) -> None:
        """Keep an entity that ends here."""
        if self.length > entity.offset:
            self._entities.append(replace(entity, length=self.length - entity.offset))

    def formatted(self) -> Formatted:
        """What was written, without the space around it."""
        text = "".join(self._pieces)
        if not text.strip(_RIGHT_TO_LEFT + " \n"):
            return Formatted("")
        ordered = sorted(self._entities, key=lambda entity: (entity.offset, -entity.length))
        return Formatted(text, tuple(ordered)).slice(len(text) - len(text.lstrip()), len(text.rstrip()))


def _cleaned(text: str) -> str:
    return clean(text).translate(_REMOVED)
