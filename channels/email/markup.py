"""Markdown as the two bodies of a mail: HTML that cannot carry anything harmful, and plain text.

Raw HTML in the Markdown is text. What markdown-it makes of the rest passes through nh3 as well, so that a
mistake in one of them alone lets nothing through.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import MutableMapping, Sequence
from html import escape
from typing import Any

import nh3
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from markdown_it.tree import SyntaxTreeNode
from markdown_it.utils import OptionsDict

_TAGS = {
    *("p", "br", "hr", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "li", "blockquote"),
    *("strong", "em", "code", "pre", "a", "bdi"),
}
_ATTRIBUTES = {"a": {"href"}, "ol": {"start"}, "bdi": {"class", "dir"}}
_SCHEMES = {"http", "https", "mailto", "tel"}

# A number of several groups: in a line that runs from right to left its groups would change places
# (Unicode Standard Annex 9, rules W2 and N1).
_NUMBER = re.compile(
    r"(?<![\w+/.=&?#%@-])(?:\+\(?\d|\(?\d)(?:[ ().\u00a0\u2010-\u2013/-]{0,3}\d){6,}(?![\w/@])", re.ASCII
)
_ISOLATE, _ISOLATE_AS_IT_IS, _END_ISOLATE = "\u2066", "\u2068", "\u2069"  # LRI, FSI and PDI


def clean(text: str) -> str:
    """Text without control characters and lone surrogates, its line ends as line feeds."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\x85", "\n")
    if text.isprintable():
        return text
    return "".join(
        character
        for character in text
        if character in "\n\t" or unicodedata.category(character) not in ("Cc", "Cs")
    )


def html(markdown: str) -> str:
    """The Markdown as HTML; its headings begin at the second level, its pictures are links."""
    rendered = _PARSER.render(markdown)
    return nh3.clean(
        rendered, tags=_TAGS, attributes=_ATTRIBUTES, url_schemes=_SCHEMES, link_rel="noopener noreferrer"
    )


def plain(markdown: str, *, right_to_left: bool = False) -> str:
    """The Markdown as text for people: no marks, but lists and quotations, and where links lead."""
    text = "\n\n".join(_blocks(SyntaxTreeNode(_PARSER.parse(markdown))))
    return isolate(text) if right_to_left else text


def isolate(text: str) -> str:
    """Phone numbers and dates set apart, so that they read from left to right in text that does not."""
    return _NUMBER.sub(lambda match: f"{_ISOLATE}{match[0]}{_END_ISOLATE}", text)


def set_apart(line: str) -> str:
    """A line of another script, such as a postal address, in its own direction."""
    return f"{_ISOLATE_AS_IT_IS}{line}{_END_ISOLATE}"


def isolate_html(text: str) -> str:
    """The same in HTML, where such a number is not broken over two lines either; the rest is escaped."""
    return _NUMBER.sub(lambda match: f'<bdi class="number" dir="ltr">{match[0]}</bdi>', escape(text))


class _Renderer(RendererHTML):
    """HTML for mail: no remote pictures, numbers that keep their order."""

    def text(
        self,
        tokens: Sequence[Token],
        idx: int,
        options: OptionsDict,  # noqa: ARG002
        env: MutableMapping[str, Any],  # noqa: ARG002
    ) -> str:
        return isolate_html(tokens[idx].content)

    def image(
        self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: MutableMapping[str, Any]
    ) -> str:
        source = str(tokens[idx].attrGet("src") or "")
        label = self.renderInlineAsText(tokens[idx].children or [], options, env) or source
        return f'<a href="{escape(source)}">{escape(label)}</a>'


def _lower_headings(state: StateCore) -> None:
    for token in state.tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(int(token.tag[1]) + 1, 6)}"


def _leads_somewhere(url: str) -> bool:
    return url.lower().startswith(tuple(f"{scheme}:" for scheme in _SCHEMES))


_PARSER = MarkdownIt("commonmark", {"html": False}, renderer_cls=_Renderer)
_PARSER.validateLink = _leads_somewhere  # type: ignore[method-assign]
_PARSER.core.ruler.push("lower_headings", _lower_headings)


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
