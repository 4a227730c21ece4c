"""Text from people, made ready for wherever it is shown: cleaned, isolated, linked, as harmless HTML.

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

from channels.net import mailbox

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

_PHONE = re.compile(r"(?!\d{4}-\d\d-\d\d\b)\+?[\d\s().\u00a0/-]{3,25}", re.ASCII)
_DOMAIN = re.compile(r"(?:[\w-]+\.)+[^\W\d_]{2,}(?:[/?#]\S*)?")


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


def has_right_to_left(text: str) -> bool:
    """Whether any letter is written from right to left: numbers beside it change places, whatever the language."""
    return not text.isascii() and any(unicodedata.bidirectional(letter) in ("R", "AL") for letter in text)


def isolate(text: str) -> str:
    """Phone numbers and dates set apart, so that they read from left to right in text that does not."""
    return _NUMBER.sub(lambda match: f"{_ISOLATE}{match[0]}{_END_ISOLATE}", text)


def set_apart(line: str) -> str:
    """A line of another script, such as a postal address, in its own direction."""
    return f"{_ISOLATE_AS_IT_IS}{line}{_END_ISOLATE}"


def isolate_html(text: str) -> str:
    """What `isolate` does, in HTML, where a number is not broken over two lines either; the rest is escaped."""
    return _NUMBER.sub(lambda match: f'<bdi class="number" dir="ltr">{match[0]}</bdi>', escape(text))


def link(value: str) -> str:
    """Where an action's value leads: a web address, `mailto:`, `tel:`, or nothing for plain words."""
    if value.lower().startswith(("https://", "http://")):
        return value
    if _PHONE.fullmatch(value) and any(map(str.isdigit, value)):
        return "tel:" + re.sub(r"[^\d+]", "", value)
    if _DOMAIN.fullmatch(value):
        return f"https://{value}"
    try:
        return f"mailto:{mailbox(value).address}"
    except ValueError:
        return ""


def safe_html(markdown: str) -> str:
    """The Markdown as HTML; its headings begin at the second level, below a title; its pictures are links."""
    rendered = _PARSER.render(markdown)
    return nh3.clean(
        rendered, tags=_TAGS, attributes=_ATTRIBUTES, url_schemes=_SCHEMES, link_rel="noopener noreferrer"
    )


def tree(markdown: str) -> SyntaxTreeNode:
    """The Markdown as the tree of what `safe_html` would render."""
    return SyntaxTreeNode(_PARSER.parse(markdown))


class _Renderer(RendererHTML):
    """HTML for mails and pages: no remote pictures, numbers that keep their order."""

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


def _below_the_title(state: StateCore) -> None:
    """Whatever level the text begins its headings at: none is skipped below the title, which is the first."""
    headings = [token for token in state.tokens if token.type in ("heading_open", "heading_close")]
    highest = min((int(token.tag[1]) for token in headings), default=1)
    for token in headings:
        token.tag = f"h{min(int(token.tag[1]) - highest + 2, 6)}"


def _leads_somewhere(url: str) -> bool:
    return url.lower().startswith(tuple(f"{scheme}:" for scheme in _SCHEMES))


_PARSER = MarkdownIt("commonmark", {"html": False}, renderer_cls=_Renderer)
_PARSER.validateLink = _leads_somewhere  # type: ignore[method-assign]
_PARSER.core.ruler.push("below_the_title", _below_the_title)
