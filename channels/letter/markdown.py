"""A statement's Markdown as a tree of plain data, which the layout sets; and as plain text, for previews.

Nothing in the tree is markup any more: each leaf is a string that Typst prints as it is. Raw HTML is text, and
pictures are their descriptions.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode

from channels.letter.guards import Piece

Node = dict[str, Any]  # {"t": type, ...}; see `body.typ` for each type's fields
Pieces = Callable[[str], Iterable[Piece]]

_PARSER = MarkdownIt("commonmark", {"html": False})


def blocks(markdown: str, pieces: Pieces) -> list[Node]:
    """The block tree of a text.

    Args:
        markdown: CommonMark; cleaned.
        pieces: how to take a run of text apart, see `guards.isolate`.
    """
    return _blocks(SyntaxTreeNode(_PARSER.parse(markdown)).children, pieces)


def _blocks(nodes: Iterable[SyntaxTreeNode], pieces: Pieces) -> list[Node]:
    return [_block(node, pieces) for node in nodes]


def _block(node: SyntaxTreeNode, pieces: Pieces) -> Node:
    match node.type:
        case "heading":
            return {"t": "heading", "level": int(node.tag[1]), "c": _inline_of(node, pieces)}
        case "bullet_list" | "ordered_list":
            return _list(node, pieces)
        case "blockquote":
            return {"t": "quote", "c": _blocks(node.children, pieces)}
        case "hr":
            return {"t": "rule"}
        case "fence" | "code_block":
            lines = node.content.rstrip("\n").split("\n")
            return {"t": "par", "c": _joined([leaves(line, pieces) for line in lines])}
        case _:
            return {"t": "par", "c": _inline_of(node, pieces)}


def _list(node: SyntaxTreeNode, pieces: Pieces) -> Node:
    items = [_blocks(item.children, pieces) for item in node.children]
    if node.type == "bullet_list":
        return {"t": "bullets", "items": items}
    return {"t": "numbers", "start": int(node.attrs.get("start", 1)), "items": items}


def _joined(lines: list[list[Node]]) -> list[Node]:
    broken = [node for line in lines for node in ({"t": "break"}, *line)]
    return broken[1:]


def _inline_of(node: SyntaxTreeNode, pieces: Pieces) -> list[Node]:
    """The children of the block's one "inline" node."""
    return [leaf for inline in node.children for leaf in _inlines(inline.children, pieces)]


def _inlines(nodes: list[SyntaxTreeNode], pieces: Pieces) -> list[Node]:
    return [
        leaf for at, node in enumerate(nodes) for leaf in _inline(node, nodes[at + 1 :], nodes[:at], pieces)
    ]


def _inline(
    node: SyntaxTreeNode, after: list[SyntaxTreeNode], before: list[SyntaxTreeNode], pieces: Pieces
) -> list[Node]:
    match node.type:
        case "strong":
            return [{"t": "strong", "c": _inlines(node.children, pieces)}]
        case "em":
            return [{"t": "emph", "c": _inlines(node.children, pieces)}]
        case "link":
            return _link(node, pieces)
        case "image":
            return leaves(plain_of(node.children), pieces)
        case "hardbreak":
            return [{"t": "break"}]
        case "softbreak":
            return [] if _between_han(before, after) else [{"t": "text", "v": " "}]
        case _:
            return leaves(node.content, pieces)


def _link(node: SyntaxTreeNode, pieces: Pieces) -> list[Node]:
    """On paper a link is its text, and where it leads."""
    target = str(node.attrs.get("href", ""))
    shown = target.removeprefix("mailto:").removeprefix("tel:")
    if plain_of(node.children) in (target, shown):
        return leaves(shown, pieces)
    return [*_inlines(node.children, pieces), *leaves(f" ({shown})", pieces)]


def _between_han(before: list[SyntaxTreeNode], after: list[SyntaxTreeNode]) -> bool:
    """Chinese and Japanese lines are joined without a space."""
    return _is_wide(plain_of(before)[-1:]) and _is_wide(plain_of(after)[:1])


def _is_wide(character: str) -> bool:
    return (
        bool(character) and unicodedata.east_asian_width(character) in "WF" and not _HANGUL.match(character)
    )


_HANGUL = re.compile("[\u1100-\u11ff\u3130-\u318f\uac00-\ud7af]")  # Korean has spaces


def leaves(text: str, pieces: Pieces) -> list[Node]:
    """A run of text as leaves: numbers apart, which stay on one line."""
    return [{"t": "number" if piece.number else "text", "v": piece.text} for piece in pieces(text)]


def plain_of(nodes: Iterable[SyntaxTreeNode]) -> str:
    """What the inline nodes read as without any marks."""
    return "".join(" " if "break" in node.type else node.content or plain_of(node.children) for node in nodes)


def texts(nodes: Iterable[Node]) -> Iterator[Node]:
    """Every leaf of a tree, in reading order."""
    for node in nodes:
        if "v" in node:
            yield node
        yield from texts(node.get("c", ()))
        for item in node.get("items", ()):
            yield from texts(item)


def plain(nodes: Iterable[Node], indent: str = "") -> str:
    """The tree as plain text: blocks on lines of their own, list items marked."""
    return "\n\n".join(_plain_block(node, indent) for node in nodes)


def _plain_block(node: Node, indent: str) -> str:
    match node["t"]:
        case "bullets" | "numbers":
            first = node.get("start")
            marks = (f"{first + at}." if first is not None else "-" for at in range(len(node["items"])))
            return "\n".join(
                f"{indent}{mark} {plain(item, indent + '  ').strip()}"
                for mark, item in zip(marks, node["items"], strict=True)
            )
        case "quote":
            return plain(node["c"], indent + "  ")
        case "rule":
            return f"{indent}* * *"
        case _:
            return indent + _plain_inline(node["c"])


def _plain_inline(nodes: Iterable[Node]) -> str:
    return "".join(
        "\n" if node["t"] == "break" else node["v"] if "v" in node else _plain_inline(node["c"])
        for node in nodes
    )
