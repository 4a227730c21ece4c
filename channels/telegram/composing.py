"""From an approved text to Telegram messages: plain text, and entities that say what is bold or a link."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable

from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode

from channels.contract import ApprovedText, CannotCompose, City, Rendering
from channels.telegram.entities import Formatted, Writer
from channels.telegram.splitting import BETWEEN, split
from channels.text import clean
from templates import language_name, phrases

_LINKS = ("http://", "https://", "tg://")
_BULLETS = ("•", "◦", "▪")

_PARSER = MarkdownIt("commonmark", {"html": False})


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
        preview=BETWEEN.join(part.text for part in parts),
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
                _blocks(writer, node.children, BETWEEN, depth)
        case "fence" | "code_block":
            with writer.span("pre", language=node.info.split()[0] if node.info.split() else None):
                writer.write_as_is(node.content.rstrip("\n"))
        case "hr":
            writer.write("— — —")
        case _:
            _blocks(writer, node.children, BETWEEN, depth)


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
