"""Markdown as the plain part of a mail."""

from __future__ import annotations

from typing import Any

from markdown_it.tree import SyntaxTreeNode

from channels.text import isolate, tree


def plain(markdown: str, *, right_to_left: bool = False) -> str:
    """The Markdown as text for people: no marks, but lists and quotations, and where links lead."""
    text = "\n\n".join(_blocks(tree(markdown)))
    return isolate(text) if right_to_left else text


def _blocks(node: SyntaxTreeNode) -> list[str]:
    return [text for child in node.children if (text := _block(child))]


def _block(node: SyntaxTreeNode) -> str:
    match node.type:
        case "paragraph" | "heading":
            return "".join(_inline(child) for child in node.children)
        case "bullet_list":
            return _list(node, lambda _: "- ")
        case "ordered_list":
            start = int(node.attrs.get("start", 1))
            return _list(node, lambda index: f"{start + index}. ")
        case "blockquote":
            return _prefixed("\n\n".join(_blocks(node)), "> ", "> ")
        case "fence" | "code_block":
            return _prefixed(node.content.rstrip("\n"), "    ", "    ")
        case "hr":
            return "* * *"
    return "\n\n".join(_blocks(node))


def _list(node: SyntaxTreeNode, marker: Any) -> str:
    return "\n".join(
        _prefixed("\n".join(_blocks(item)), marker(index), " " * len(marker(index)))
        for index, item in enumerate(node.children)
    )


def _prefixed(text: str, first: str, others: str) -> str:
    return first + text.replace("\n", "\n" + others)


def _inline(node: SyntaxTreeNode) -> str:
    match node.type:
        case "text" | "code_inline":
            return node.content
        case "softbreak" | "hardbreak":
            return "\n"
        case "link":
            return _link("".join(_inline(child) for child in node.children), str(node.attrs.get("href", "")))
        case "image":
            return _link(node.content, str(node.attrs.get("src", "")))
    return "".join(_inline(child) for child in node.children)


def _link(label: str, target: str) -> str:
    shown = target.removeprefix("mailto:").removeprefix("tel:")
    if not label:
        return shown
    return label if label in (shown, target) else f"{label} ({shown})"
