"""From an approved text to Telegram messages: plain text, and entities that say what is bold or a link.

Never a parse mode: with entities nothing in the text can be markup. Offsets count UTF-16 code units, and a
message holds 4096 of them (https://core.telegram.org/bots/api#messageentity, #sendmessage; R13).
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import accumulate

from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode

from channels.contract import ApprovedText, CannotCompose, City, Rendering
from channels.text import clean, has_right_to_left, isolate
from templates import direction, language_name, phrases

LONGEST = 4096  # UTF-16 units in one message
_BETWEEN = "\n\n"
_LINKS = ("http://", "https://", "tg://")
_BULLETS = ("•", "◦", "▪")
# Removed by Telegram's server, which would move every offset behind them: separators and bidi embeddings.
_REMOVED = dict.fromkeys(range(0x2028, 0x202F))
_RIGHT_TO_LEFT = "\u200f"  # a mark without width
_UPRIGHT = frozenset({"zh", "yue", "ja", "ko"})  # written without italics, as are right-to-left scripts
_JOINER = "\u200d"
_CODE = ("code", "pre")
_STYLES = ("bold", "italic")

_PARSER = MarkdownIt("commonmark", {"html": False})


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


def compose(text: ApprovedText, city: City, most_parts: int) -> Rendering:
    """Put title, body, actions and footer together, in as many messages as they take.

    Raises:
        CannotCompose: nothing to say, or too much of it; with the cure.
    """
    parts = split(blocks(text, city))
    if not (text.title.strip() or text.body.strip()):
        raise CannotCompose(
            f"The text in {language_name(text.language, 'en')} is empty: write a title and a body."
        )
    if len(parts) > most_parts:
        raise CannotCompose(
            f"In {language_name(text.language, 'en')} this takes {len(parts)} Telegram messages;"
            f" {most_parts} are allowed. Shorten the body, or raise NOTIFY_TELEGRAM__MAX_PARTS."
        )
    return Rendering(
        channel="telegram",
        language=text.language,
        preview=_BETWEEN.join(part.text for part in parts),
        parts=len(parts),
        notes=(f"Split into {len(parts)} messages at paragraphs.",) if len(parts) > 1 else (),
        content=parts,
    )


def blocks(text: ApprovedText, city: City) -> list[Formatted]:
    """The paragraphs of a statement, in order."""
    body = SyntaxTreeNode(_PARSER.parse(clean(text.body))).children
    found = (
        _written(text.language, _title, text),
        *(_written(text.language, _block, node) for node in body),
        _written(text.language, _actions, text),
        _written(text.language, _footer, text, city),
    )
    return [block for block in found if block.text]


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


def _written(language: str, write: Callable[..., None], *arguments: object) -> Formatted:
    writer = Writer(language)
    write(writer, *arguments)
    return writer.formatted()


def _title(writer: Writer, text: ApprovedText) -> None:
    with writer.span("bold"):
        writer.write(" ".join(text.title.split()))


def _actions(writer: Writer, text: ApprovedText) -> None:
    if not text.actions:
        return
    with writer.span("bold"):
        writer.write(phrases(text.language)["actions"])
    for action in text.actions:
        writer.write(
            f"\n{_BULLETS[0]} {action.label}: " if action.label != action.value else f"\n{_BULLETS[0]} "
        )
        _value(writer, action.value)


def _value(writer: Writer, value: str) -> None:
    """A URL, an email address or a phone number: Telegram's apps make each of them a link themselves."""
    (writer.write_as_is if "@" in value or "://" in value else writer.write)(value)


def _footer(writer: Writer, text: ApprovedText, city: City) -> None:
    fixed = phrases(text.language)
    lines = [fixed["from_office"].format(city=city.name)]
    if text.url:
        lines.append(f"{fixed['read_online']}: {text.url}")
    if city.phone and city.public_url:
        lines.append(fixed["verify"].format(phone=city.phone, url=city.public_url))
    writer.write("\n".join(lines))


def _block(writer: Writer, node: SyntaxTreeNode, depth: int = 0) -> None:
    match node.type:
        case "heading":
            with writer.span("bold"):
                _inlines(writer, node)
        case "paragraph":
            _inlines(writer, node)
        case "bullet_list" | "ordered_list":
            _list(writer, node, depth)
        case "blockquote":
            with writer.span("blockquote"):
                _blocks(writer, node.children, _BETWEEN, depth)
        case "fence" | "code_block":
            with writer.span("pre", language=node.info.split()[0] if node.info.split() else None):
                writer.write_as_is(node.content.rstrip("\n"))
        case "hr":
            writer.write("— — —")
        case _:
            _blocks(writer, node.children, _BETWEEN, depth)


def _blocks(writer: Writer, nodes: Iterable[SyntaxTreeNode], between: str, depth: int) -> None:
    for index, node in enumerate(nodes):
        if index:
            writer.write(between)
        _block(writer, node, depth)


def _list(writer: Writer, node: SyntaxTreeNode, depth: int) -> None:
    start = int(node.attrs.get("start", 1)) if node.type == "ordered_list" else None
    indent = "   " * depth
    for index, item in enumerate(node.children):
        bullet = _BULLETS[min(depth, len(_BULLETS) - 1)] if start is None else f"{start + index}."
        writer.write(("\n" if index else "") + f"{indent}{bullet} ")
        _blocks(writer, item.children, "\n" + indent, depth + 1)


def _inlines(writer: Writer, node: SyntaxTreeNode) -> None:
    for child in node.children:
        _inline(writer, child)


def _inline(writer: Writer, node: SyntaxTreeNode) -> None:
    match node.type:
        case "text":
            writer.write(node.content)
        case "code_inline":
            with writer.span("code"):
                writer.write_as_is(node.content)
        case "softbreak":
            # A line end between letters that take no space between words, as in Chinese, is none.
            last = writer.since(writer.position - 1)[-1:]
            writer.write("" if last and unicodedata.east_asian_width(last) in "WF" else " ")
        case "hardbreak":
            writer.write("\n")
        case "strong" | "em":
            with writer.span("bold" if node.type == "strong" else writer.emphasis):
                _inlines(writer, node)
        case "link":
            _link(writer, str(node.attrs.get("href", "")), lambda: _inlines(writer, node))
        case "image":
            _link(writer, str(node.attrs.get("src", "")), lambda: writer.write(node.content))
        case _:
            _inlines(writer, node)


def _link(writer: Writer, target: str, label: Callable[[], None]) -> None:
    """A link on the web becomes one; with any other kind of address both label and address are written."""
    start = writer.position
    if target.lower().startswith(_LINKS):
        with writer.span("text_link", url=target):
            label()
            if not writer.since(start):
                writer.write_as_is(target)
        return
    label()
    written, shown = writer.since(start), target.removeprefix("mailto:").removeprefix("tel:")
    if shown not in written:
        writer.write(f" ({shown})" if written else shown)


def split(found: list[Formatted], longest: int = LONGEST) -> tuple[Formatted, ...]:
    """Paragraphs put into as few messages as hold them, in order.

    A paragraph that is longer than a message is cut at a line, a sentence or a word; never inside an entity
    that fits into a message, never inside a character. A longer entity goes on in the next message.
    """
    parts: list[Formatted] = []
    for block in found:
        room = longest - units(parts[-1].text + _BETWEEN) if parts else 0
        for piece in _pieces(block, room, longest):
            joined = _joined(parts[-1], piece) if parts else None
            if joined and units(joined.text) <= longest:
                parts[-1] = joined
            else:
                parts.append(piece)
    return tuple(parts)


def _joined(first: Formatted, second: Formatted) -> Formatted:
    shift = units(first.text) + units(_BETWEEN)
    moved = (replace(entity, offset=entity.offset + shift) for entity in second.entities)
    return Formatted(first.text + _BETWEEN + second.text, (*first.entities, *moved))


def _pieces(block: Formatted, room: int, longest: int) -> Iterator[Formatted]:
    """A paragraph in pieces that fit; the first into the room left, where that is worth while."""
    most = room if room > longest // 4 else longest
    while units(block.text) > longest:
        end = (
            _cut(block, most, longest)
            or _cut(block, longest, longest)
            or _most(_offsets(block, longest), longest)
        )
        head = block.slice(0, end)
        yield head.slice(0, len(head.text.rstrip()))
        rest = block.text[end:]
        block = block.slice(len(block.text) - len(rest.lstrip()), len(block.text))
        most = longest
    if block.text:
        yield block


_BOUNDARIES = (
    re.compile(r"\n"),
    re.compile(r"(?<=[.!?…؟。！？।])[\"'”»)]*\s|(?<=[。！？])"),
    re.compile(r"\s"),
)


def _offsets(block: Formatted, room: int) -> list[int]:
    """Where each character begins, in UTF-16 units, as far as the room goes."""
    return list(accumulate(map(units, block.text[:room]), initial=0))


def _most(offsets: list[int], room: int) -> int:
    """How many characters the room holds."""
    return bisect_right(offsets, room) - 1


def _cut(block: Formatted, room: int, longest: int) -> int:
    """The best index, in characters, to cut a text at so that its head fits; 0 where there is none."""
    offsets = _offsets(block, room)
    most = _most(offsets, room)

    def is_whole(index: int) -> bool:
        cut = offsets[index]
        return not any(
            entity.offset < cut < entity.end and entity.length <= longest for entity in block.entities
        )

    for boundary in _BOUNDARIES:
        ends = [found.end() for found in boundary.finditer(block.text, 0, most) if is_whole(found.end())]
        if ends:
            return ends[-1]
    inside = (index for index in range(most, 0, -1) if is_whole(index) and not _is_joined(block.text, index))
    return next(inside, 0)


def _is_joined(text: str, index: int) -> bool:
    """Whether the characters beside an index make one sign: accents, families, skin tones, flags."""
    before, after = text[index - 1], text[index : index + 1]
    if not after:
        return False
    both_flags = all("\U0001f1e6" <= letter <= "\U0001f1ff" for letter in (before, after))
    joining = (
        unicodedata.category(after)[0] == "M" or "\U0001f3fb" <= after <= "\U0001f3ff" or after == _JOINER
    )
    return joining or before == _JOINER or both_flags
