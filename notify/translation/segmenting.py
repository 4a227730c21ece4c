"""A text as sentences, and put together again from other sentences.

Title, short text and action labels are plain text; the body is Markdown, cut block by block. What stands
between sentences, and the blocks, lists and links around them, stay where they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from notify.translation import markup
from notify.translation.markup import Atom, Break, Document, Enclosed, Node, Text, cut, visible
from notify.translation.splitting import split


@dataclass(frozen=True, slots=True)
class SourceText:
    """What a statement says, in one language."""

    title: str
    short: str  # plain text
    body: str  # Markdown
    action_labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Unit:
    """One sentence of a text, and where it stands."""

    place: str  # "title", "short", "body 3" (its third block), "action 1"
    nodes: tuple[Node, ...]

    @property
    def markdown(self) -> str:
        """The sentence as a person edits it, on one line: inline Markdown in the body, else plain text."""
        return written(self.place, self.nodes)


@dataclass(frozen=True, slots=True)
class _Piece:
    """A sentence, or what stands between sentences."""

    nodes: tuple[Node, ...]
    is_sentence: bool


@dataclass(frozen=True, slots=True)
class Part:
    """A field of a text, or a block of its body."""

    place: str
    pieces: tuple[_Piece, ...]

    @property
    def units(self) -> tuple[Unit, ...]:
        """Its sentences."""
        return tuple(Unit(self.place, piece.nodes) for piece in self.pieces if piece.is_sentence)

    @property
    def whole(self) -> Unit:
        """All of it as if it were one sentence."""
        return Unit(self.place, tuple(node for piece in self.pieces for node in piece.nodes))

    def words(self, sentences: Sequence[Sequence[Node]]) -> tuple[Node, ...]:
        """The part with other sentences; a single one stands for all of it.

        Raises:
            ValueError: neither one nor as many as there are.
        """
        if len(sentences) == 1 != len(self.units):
            return tuple(sentences[0])
        new = iter(sentences)
        found = [next(new) if piece.is_sentence else piece.nodes for piece in self.pieces]
        if next(new, None) is not None:
            raise ValueError(f"{self.place} has {len(self.units)} sentences, not {len(sentences)}.")
        return tuple(node for nodes in found for node in nodes)


@dataclass(frozen=True, slots=True)
class Segmented:
    """A text as parts, in the order of reading: title, short text, the blocks of the body, action labels."""

    parts: tuple[Part, ...]
    body: Document

    @property
    def units(self) -> tuple[Unit, ...]:
        """Every sentence."""
        return tuple(unit for part in self.parts for unit in part.units)

    @property
    def markdown(self) -> str:
        """The body as it was."""
        return "\n".join(self.body.lines)

    def together(self, words: Sequence[Sequence[Node]]) -> SourceText:
        """The text with other words in each part.

        Args:
            words: for each part.
        """
        said = dict(zip((part.place for part in self.parts), words, strict=True))
        blocks = [nodes for place, nodes in said.items() if is_body(place)]
        labels = [visible(nodes) for place, nodes in said.items() if place.startswith("action ")]
        return SourceText(
            visible(said["title"]), visible(said["short"]), self.body.rewritten(blocks), tuple(labels)
        )


def segment(text: SourceText, language: str) -> Segmented:
    """Cut a text into sentences.

    Args:
        text: to be cut.
        language: of the text, BCP 47.
    """
    body = markup.read(markup.tidy(text.body))
    blocks = [_part(f"body {at}", block.nodes, language) for at, block in enumerate(body.blocks, start=1)]
    labels = [_plain(f"action {at}", label, language) for at, label in enumerate(text.action_labels, start=1)]
    head = (_plain("title", text.title, language), _plain("short", text.short, language))
    return Segmented((*head, *blocks, *labels), body)


def is_body(place: str) -> bool:
    """Whether what stands there is Markdown."""
    return place.startswith("body")


def written(place: str, nodes: Sequence[Node]) -> str:
    """Nodes as a person edits them, on one line."""
    flat = tuple(Text(" ") if isinstance(node, Break) else node for node in nodes)
    return (markup.write(flat) if is_body(place) else visible(flat)).strip()


def understood(place: str, text: str) -> tuple[Node, ...]:
    """What a person wrote for a place, as nodes."""
    words = " ".join(markup.tidy(text).split())
    return markup.read_inline(words) if is_body(place) else (Text(words),) if words else ()


def _plain(place: str, words: str, language: str) -> Part:
    return _part(place, (Text(markup.tidy(words)),), language)


def _part(place: str, nodes: Sequence[Node], language: str) -> Part:
    return Part(place, tuple(_pieces(nodes, language)))


def _pieces(nodes: Sequence[Node], language: str) -> Iterator[_Piece]:
    """Some nodes cut into sentences, never inside a link or code."""
    whole = list(_whole(nodes, 0))
    start = end = 0
    is_sentence = False
    for piece in split(_as_lines(nodes), language):
        if any(begin < end < stop for begin, stop in whole):
            is_sentence = True
        else:
            yield from _cut_out(nodes, start, end, is_sentence)
            start, is_sentence = end, piece.is_sentence
        end += len(piece.text)
    yield from _cut_out(nodes, start, end, is_sentence)


def _cut_out(nodes: Sequence[Node], start: int, end: int, is_sentence: bool) -> Iterator[_Piece]:
    if start < end:
        yield _Piece(cut(nodes, start, end), is_sentence)


def _as_lines(nodes: Sequence[Node]) -> str:
    """What the reader sees, except that a soft line end after a colon ends a line for good."""
    text = ""
    for node in nodes:
        text += "\n" if isinstance(node, Break) and text.endswith(":") else node.visible
    return text


def _whole(nodes: Sequence[Node], at: int) -> Iterator[tuple[int, int]]:
    """Where the parts stand that no sentence end divides."""
    for node in nodes:
        end = at + len(node.visible)
        if isinstance(node, Atom) or (isinstance(node, Enclosed) and node.required):
            yield at, end
        elif isinstance(node, Enclosed):
            yield from _whole(node.children, at)
        at = end
