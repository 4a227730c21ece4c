"""Markdown taken apart for translation and put together again.

The structure (blocks, lists, quotes, code, link targets) never goes through an engine. What does is the
visible text of each block; the structure in it (emphasis, links, code, line breaks) is kept beside it as a
small tree. The dialect is CommonMark, and raw HTML is text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeGuard

from markdown_it import MarkdownIt
from markdown_it.token import Token


@dataclass(frozen=True, slots=True)
class Text:
    """Words."""

    visible: str


@dataclass(frozen=True, slots=True)
class Atom:
    """Something that stays as it is: code, or an address in angle brackets."""

    markdown: str
    visible: str


@dataclass(frozen=True, slots=True)
class Break:
    """The end of a line inside a block: soft (a blank to the reader) or hard."""

    markdown: str
    visible: str


@dataclass(frozen=True, slots=True)
class Enclosed:
    """Nodes between two marks: emphasis, a link, a picture with its description."""

    opening: str
    closing: str
    children: tuple[Node, ...]
    required: bool  # a link must come through; emphasis may be lost, and that is said

    @property
    def visible(self) -> str:
        """What the reader sees of it."""
        return visible(self.children)


Node = Text | Atom | Break | Enclosed


@dataclass(frozen=True, slots=True)
class Block:
    """The text of one paragraph or heading, and where its lines are in the document."""

    line: int  # the first one
    lines: int
    prefixes: tuple[str, str]  # before the first line, and before each further one
    suffix: str  # after the last line
    nodes: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """A Markdown text whose blocks can be replaced."""

    lines: tuple[str, ...]
    blocks: tuple[Block, ...]

    def rewritten(self, words: Sequence[Sequence[Node]]) -> str:
        """The document with other words in its blocks.

        Backslashes go where words would be read as marks. Emphasis that cannot be told from its neighbours
        (`**a *b***` has three readings) is left out.
        """
        settled = [_settled(nodes) for nodes in words]
        wanted = [_flat(nodes) for nodes in settled]
        care = [0] * len(words)  # for each block, how much care its words need
        while True:
            text = self._with([_WAYS[care[at]](nodes) for at, nodes in enumerate(settled)])
            got = [_flat(block.nodes) for block in read(text).blocks]
            more = _unlike(wanted, got, care)
            if not more:
                return text
            for at in more:
                care[at] += 1

    def _with(self, texts: Sequence[str]) -> str:
        lines = list(self.lines)
        for block, text in reversed(list(zip(self.blocks, texts, strict=True))):
            lines[block.line : block.line + block.lines] = _block_lines(block, text)
        return "\n".join(lines)


class _Reader(MarkdownIt):
    """CommonMark that leaves link targets as they are written: they may hold placeholders."""

    def __init__(self) -> None:
        super().__init__("commonmark", {"html": False})

    def normalizeLink(self, url: str) -> str:  # noqa: N802 - the library's name
        return url

    def normalizeLinkText(self, link: str) -> str:  # noqa: N802 - the library's name
        return link


_reader = _Reader()
_INVISIBLE = r"[\x00-\x08\x0e-\x1f\x7f-\x9f]"
_LINE_END = r"\r\n|[\r\v\f\x85\u2028\u2029]"


def tidy(text: str) -> str:
    """A text with one kind of line end, without control characters, its empty lines really empty."""
    clean = re.sub(_INVISIBLE, "", re.sub(_LINE_END, "\n", text))
    return "\n".join(line if line.strip() else "" for line in clean.split("\n"))


def read(markdown: str) -> Document:
    """Take a Markdown text apart. It must be tidy."""
    lines = tuple(markdown.split("\n"))
    texts = (token for token in _reader.parse(markdown) if token.type == "inline" and token.children)
    return Document(lines, tuple(_block(token, lines) for token in texts))


def read_inline(markdown: str) -> tuple[Node, ...]:
    """Take the Markdown inside one block apart: marks that begin a block are words there."""
    return tuple(node for token in _reader.parseInline(markdown) for node in _nodes(token.children or ()))


def visible(nodes: Iterable[Node]) -> str:
    """What the reader sees of some nodes."""
    return "".join(node.visible for node in nodes)


def write(nodes: Iterable[Node]) -> str:
    """Nodes as Markdown; words get backslashes only where they would else be read as marks."""
    nodes = tuple(nodes)
    bare = _write(nodes, escape=False)
    return bare if _reads_as(bare, nodes) else _write(nodes, escape=True)


def cut(nodes: Iterable[Node], start: int, end: int) -> tuple[Node, ...]:
    """The nodes that the reader sees between two places, in characters of the visible text."""
    out: list[Node] = []
    at = 0
    for node in nodes:
        length = len(node.visible)
        if max(start, at) < min(end, at + length):
            out.append(_cut(node, max(start - at, 0), min(end - at, length)))
        at += length
    return tuple(out)


def skeleton(markdown: str) -> tuple[object, ...]:
    """All that two texts of the same structure have in common: blocks, code and link targets."""
    tokens = _reader.parse(markdown)
    blocks = [
        (each.type, each.level, each.info, each.content if each.tag == "code" else "") for each in tokens
    ]
    return (*blocks, *sorted(_targets(tokens)))


def _block(token: Token, lines: Sequence[str]) -> Block:
    start, end = token.map or (0, 0)
    content = token.content.split("\n")
    # the parser drops lines of nothing but no-break blanks from the content, not from its place
    first = next(at for at in range(start, end) if content[0].strip(" \t") in lines[at])
    last = len(content) - 1
    head, _ = _around(content[0], lines[first])
    further, _ = _around(content[min(1, last)], lines[first + min(1, last)])
    _, tail = _around(content[last], lines[first + last])
    return Block(first, len(content), (head, further), tail, tuple(_nodes(token.children or ())))


def _around(content: str, line: str) -> tuple[str, str]:
    """What stands before and after a block's text in its line."""
    core = content.strip(" \t")
    at = line.rindex(core)
    return line[:at], line[at + len(core) :].rstrip()


def _nodes(tokens: Sequence[Token]) -> Iterator[Node]:
    stream = iter(tokens)
    for token in stream:
        if token.nesting == 1:
            yield _enclosed(token, list(_until_closed(token, stream)))
        elif (node := _node(token)) is not None:
            yield node


def _until_closed(opening: Token, stream: Iterator[Token]) -> Iterator[Token]:
    depth = 1
    for token in stream:
        depth += token.nesting
        if not depth:
            return
        yield token
    raise ValueError(f"{opening.type} is never closed")


def _enclosed(opening: Token, inside: Sequence[Token]) -> Node:
    if opening.markup == "autolink":
        address = "".join(token.content for token in inside)
        return Atom(f"<{address}>", address)
    children = tuple(_nodes(inside))
    if opening.type == "link_open":
        return Enclosed("[", f"]({_target(opening, 'href')})", children, required=True)
    return Enclosed(opening.markup, opening.markup, children, required=False)


def _node(token: Token) -> Node | None:
    match token.type:
        case "softbreak":
            return Break("\n", " ")
        case "hardbreak":
            return Break("\\\n", "\n")
        case "code_inline":
            return Atom(_code(token.content), token.content)
        case "image":
            children = tuple(_nodes(token.children or ()))
            return Enclosed("![", f"]({_target(token, 'src')})", children, required=True)
        case _:
            return Text(token.content) if token.content else None


_BACKSLASH = r"\\\1"
_IN_TITLE = r"([\\\"&])"


def _target(token: Token, attribute: str) -> str:
    url, title = str(token.attrGet(attribute) or ""), token.attrGet("title")
    if not re.fullmatch(r"(?:[^\s<>()\\&]|&(?![#\w]+;))+", url):
        url = "<" + re.sub(r"([\\<>&])", _BACKSLASH, url) + ">"
    return url if not title else f'{url} "{re.sub(_IN_TITLE, _BACKSLASH, str(title))}"'


def _code(content: str) -> str:
    fence = "`" * (max(map(len, re.findall("`+", content)), default=0) + 1)
    pad = " " if content.startswith("`") or content.endswith("`") or _padded(content) else ""
    return f"{fence}{pad}{content}{pad}{fence}"


def _padded(content: str) -> bool:
    return content[:1] == " " == content[-1:] and bool(content.strip())


def _cut(node: Node, start: int, end: int) -> Node:
    match node:
        case Text():
            return Text(node.visible[start:end])
        case Enclosed():
            return replace(node, children=cut(node.children, start, end))
        case _:
            return node


def _write(nodes: Iterable[Node], *, escape: bool) -> str:
    return "".join(_write_node(node, escape=escape) for node in nodes)


def _write_node(node: Node, *, escape: bool) -> str:
    match node:
        case Text():
            return _escaped(node.visible) if escape else node.visible
        case Enclosed():
            return node.opening + _write(node.children, escape=escape) + node.closing
        case _:
            return node.markdown


def _escaped(text: str) -> str:
    return re.sub(r"([\\`*_\[\]<]|&(?=[#\w]+;)|!(?=\[|$))", _BACKSLASH, text)


def _reads_as(markdown: str, nodes: Sequence[Node]) -> bool:
    """Whether Markdown is read as these nodes and no others, blanks aside."""
    return _flat(read_inline(markdown)) == _flat(nodes)


def _flat(nodes: Iterable[Node]) -> str:
    """Nodes in a form in which only their marks and words count."""
    parts: list[str] = []
    for node in nodes:
        match node:
            case Enclosed():
                parts.append(f"\x01{node.opening}\x02{_flat(node.children)}\x03{node.closing}\x04")
            case Atom():
                parts.append(f"\x05{node.markdown}\x06")
            case _:
                parts.append(node.visible)
    return " ".join("".join(parts).split())


def _targets(tokens: Iterable[Token]) -> Iterator[str]:
    for token in tokens:
        yield from _targets(token.children or ())
        if target := token.attrGet("href") or token.attrGet("src"):
            yield str(target)


def _block_lines(block: Block, text: str) -> list[str]:
    first, further = block.prefixes
    head, *rest = text.split("\n")
    lines = [first + head, *(further + line for line in rest)]
    return [*lines[:-1], lines[-1] + block.suffix]


_STARTS_A_BLOCK = re.compile(
    r"(?P<number>\d{1,9})(?=[.)](?:\s|$))"
    r"|(?=[-+*](?:\s|$)|\#{1,6}(?:\s|$)|>|=+\s*$|-+\s*$|~~~|```|(?:[-*_]\s*){3,}$|\[[^\]]*\]:)"
)
_ENDS_A_HEADING = re.compile(r"(^|\s)(#+\s*)$")


def _guarded(nodes: Iterable[Node]) -> str:
    """Nodes as Markdown whose lines cannot begin a block or end a heading."""
    return "\n".join(_guarded_line(line) for line in write(nodes).split("\n"))


def _guarded_everywhere(nodes: Iterable[Node]) -> str:
    return "\n".join(_guarded_line(line) for line in _write(nodes, escape=True).split("\n"))


def _bare(nodes: Iterable[Node]) -> str:
    return _guarded_everywhere(_without_emphasis(nodes))


_WAYS = (write, _guarded, _guarded_everywhere, _bare)


def _unlike(wanted: Sequence[str], got: Sequence[str], care: Sequence[int]) -> list[int]:
    """The blocks that do not read as they should and can still be written with more care."""
    shifted = len(wanted) != len(got)
    unlike = [at for at in range(len(wanted)) if shifted or wanted[at] != got[at]]
    return [at for at in unlike if care[at] + 1 < len(_WAYS)]


def _settled(nodes: Iterable[Node]) -> tuple[Node, ...]:
    """Emphasis that was cut into sentences in one piece again, and no blanks at its edges."""
    out: list[Node] = []
    for node in nodes:
        before = out[-1] if out else None
        if _is_emphasis(node) and _is_emphasis(before) and node.opening == before.opening:
            out[-1] = replace(before, children=(*before.children, *node.children))
        else:
            out.append(node)
    return tuple(each for node in out for each in (_trimmed(node) if _is_emphasis(node) else (node,)))


def _is_emphasis(node: Node | None) -> TypeGuard[Enclosed]:
    return isinstance(node, Enclosed) and not node.required


def _trimmed(node: Enclosed) -> Iterator[Node]:
    words = node.visible
    core = words.strip()
    start = words.index(core)
    yield from cut(node.children, 0, start)
    if core:
        yield replace(node, children=_settled(cut(node.children, start, start + len(core))))
    yield from cut(node.children, start + len(core), len(words))


def _without_emphasis(nodes: Iterable[Node]) -> tuple[Node, ...]:
    out: list[Node] = []
    for node in nodes:
        if isinstance(node, Enclosed):
            inside = _without_emphasis(node.children)
            out += [replace(node, children=inside)] if node.required else inside
        else:
            out.append(node)
    return tuple(out)


def _guarded_line(line: str) -> str:
    if found := _STARTS_A_BLOCK.match(line):
        line = line[: found.end()] + "\\" + line[found.end() :]
    return _ENDS_A_HEADING.sub(r"\1\\\2", line)
