"""A message's text as HTML that cannot be anything but text, with its links and Telegram's entities."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup, escape

# A web address, without the punctuation behind it.
_ADDRESS = re.compile(r"https?://[^\s<>\"'\u2066-\u2069]+?(?=[.,;:!?)\]»”]*(?:[\s<>\"'\u2066-\u2069]|$))")
_TAGS = {
    "bold": "strong",
    "italic": "em",
    "underline": "u",
    "strikethrough": "s",
    "code": "code",
    "pre": "pre",
    "blockquote": "blockquote",
    "expandable_blockquote": "blockquote",
}


@dataclass(frozen=True, slots=True)
class _Span:
    """A stretch of text, in characters, and the tags around it."""

    start: int
    end: int
    opening: Markup
    closing: Markup

    @property
    def is_block(self) -> bool:
        """Whether it stands on lines of its own."""
        return self.closing in ("</blockquote>", "</pre>")


def rich(text: str, entities: Sequence[dict[str, Any]] = ()) -> Markup:
    """A text with its entities (as the Bot API writes them) as HTML.

    Entities that cross are clipped to the one that began first; web addresses in the text become links.
    """
    spans = [span for entity in entities if (span := _span(text, entity))]
    links = [(span.start, span.end) for span in spans if span.closing == "</a>"]
    for found in _ADDRESS.finditer(text):
        if not any(start < found.end() and found.start() < end for start, end in links):
            spans.append(_Span(found.start(), found.end(), _anchor(found[0]), Markup("</a>")))
    spans.sort(key=lambda span: (span.start, -span.end))
    return Markup("").join(_pieces(text, 0, len(text), spans))


def _pieces(text: str, start: int, end: int, spans: list[_Span]) -> Iterator[Markup]:
    """Text from start to end; `spans` begin within it, the outer before the inner."""
    position = start
    while spans:
        span = spans.pop(0)
        first, last = max(span.start, position), min(span.end, end)
        if first >= last:
            continue
        yield escape(text[position:first])
        inner = [other for other in spans if other.start < last]
        del spans[: len(inner)]
        yield Markup("{}{}{}").format(
            span.opening, Markup("").join(_pieces(text, first, last, inner)), span.closing
        )
        position = last
        if span.is_block and text[position:end].startswith("\n"):
            position += 1  # a block has its own line end
    yield escape(text[position:end])


def _span(text: str, entity: dict[str, Any]) -> _Span | None:
    start = _index(text, entity["offset"])
    end = _index(text, entity["offset"] + entity["length"])
    kind = entity["type"]
    if kind == "text_link" and str(entity.get("url", "")).startswith(("http://", "https://")):
        return _Span(start, end, _anchor(entity["url"]), Markup("</a>"))
    if kind == "spoiler":
        return _Span(start, end, Markup('<span class="spoiler">'), Markup("</span>"))
    tag = _TAGS.get(kind)
    return _Span(start, end, Markup(f"<{tag}>"), Markup(f"</{tag}>")) if tag else None  # noqa: S704 - from the table


def _anchor(url: str) -> Markup:
    return Markup('<a href="{}" rel="noopener noreferrer" target="_blank">').format(url)


def _index(text: str, offset: int) -> int:
    """The character at an offset in UTF-16 units."""
    return len(text.encode("utf-16-le")[: offset * 2].decode("utf-16-le", "ignore"))
