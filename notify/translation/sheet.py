"""A translation as rows, a sentence of the source beside its translation; made, carried over, put together.

A row is a sentence. Where a person's translation has other sentences in a block than the source has, the row
is that block; where it has other blocks, it is the whole body.
"""

from __future__ import annotations

import re
from collections import defaultdict, deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from difflib import SequenceMatcher

from channels.contract import Action
from notify.statements import Origin, Text
from notify.translation import markup
from notify.translation.markup import Node
from notify.translation.models import TranslatedSentence as Row
from notify.translation.segmenting import (
    Part,
    Segmented,
    SourceText,
    is_body,
    segment,
    understood,
)

WHOLE_BODY = "body"


def source_text(text: Text) -> SourceText:
    """The translatable words of a text."""
    return SourceText(text.title, text.short, text.body, tuple(each.label for each in text.actions))


def blank(source: Segmented, old: Iterable[Row] = ()) -> list[Row]:
    """A row for each sentence with nothing in it yet, or for what was one row in the old ones."""
    before = {row.source for row in old}
    body_at_once = source.markdown in before
    parts = [part for part in source.parts if not (body_at_once and is_body(part.place))]
    found = [
        Row(translation_id=0, number=0, place=part.place, source=sentence)
        for part in parts
        for sentence in _sentences(part, before)
    ]
    if body_at_once:
        at = sum(row.place in ("title", "short") for row in found)
        found.insert(at, Row(translation_id=0, number=0, place=WHOLE_BODY, source=source.markdown))
    return _numbered(found)


def _sentences(part: Part, before: Collection[str]) -> list[str]:
    sentences, whole = [unit.markdown for unit in part.units], part.whole.markdown
    return [whole] if len(sentences) != 1 and whole in before else sentences


def align(source: Segmented, text: Text, language: str) -> list[Row]:
    """The rows of a text that a person or a playbook gave as a whole.

    Args:
        source: what it translates.
        text: the translation.
        language: of the translation, BCP 47.
    """
    translated = segment(source_text(text), language)
    ours, theirs = _by_kind(source), _by_kind(translated)
    pairs = [*zip(ours["head"], theirs["head"], strict=True)]
    if len(ours["body"]) == len(theirs["body"]):
        pairs += zip(ours["body"], theirs["body"], strict=True)
    rows = [row for pair in pairs for row in _side_by_side(*pair)]
    if len(ours["body"]) != len(theirs["body"]):
        rows.append(Row(translation_id=0, number=0, place=WHOLE_BODY, source=source.markdown, text=text.body))
    actions = zip(ours["action"], theirs["action"], strict=False)
    return _numbered([*rows, *(row for pair in actions for row in _side_by_side(*pair))])


def carry_over(rows: Sequence[Row], old: Iterable[Row]) -> int:
    """Fill rows with what was said for the same sentence before, who approved it included.

    A sentence that stands twice keeps each of its translations where it was: what follows the same sentences
    as before comes first, then what has moved.

    Returns:
        How many.
    """
    before = [each for each in old if each.text]
    ours, theirs = [_identity(row) for row in rows], [_identity(row) for row in before]
    moved: dict[tuple[bool, str], deque[Row]] = defaultdict(deque)
    pairs: dict[int, Row] = {}
    matches = SequenceMatcher(None, ours, theirs, autojunk=False).get_matching_blocks()
    for match in matches:
        pairs |= {match.a + step: before[match.b + step] for step in range(match.size)}
    kept = {id(each) for each in pairs.values()}
    for each in before:
        if id(each) not in kept:
            moved[_identity(each)].append(each)
    for at, identity in enumerate(ours):
        if at not in pairs and moved[identity]:
            pairs[at] = moved[identity].popleft()
    for at, each in pairs.items():
        _copy(each, rows[at])
    return len(pairs)


def _identity(row: Row) -> tuple[bool, str]:
    """Equal for sentences that say the same in the same notation."""
    return is_body(row.place), row.source


def together(source: Segmented, rows: Sequence[Row], actions: Sequence[Action]) -> Text:
    """The text that the rows come to; the source's words where nobody has translated yet.

    Args:
        source: what is translated.
        rows: all rows, in their order.
        actions: the source's calls to action, for their values.
    """
    by_place: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_place[row.place].append(row)
    words = source.together([_words(part, by_place.get(part.place, ())) for part in source.parts])
    whole = by_place.get(WHOLE_BODY)
    labels = (Action(label, each.value) for label, each in zip(words.action_labels, actions, strict=True))
    body = (whole[0].text or whole[0].source) if whole else words.body
    return Text(words.title, words.short, body, tuple(labels))


def tidied(row: Row, text: str) -> str:
    """What a person wrote for a row, on one line, unless the row is a whole body."""
    return markup.tidy(text).strip() if row.place == WHOLE_BODY else " ".join(markup.tidy(text).split())


def plain(text: str, place: str) -> str:
    """What the reader sees of a row's text: without the marks of Markdown."""
    if place == WHOLE_BODY or not is_body(place):
        return text
    return markup.visible(understood(place, text))


def _by_kind(text: Segmented) -> dict[str, list[Part]]:
    kinds: dict[str, list[Part]] = {"head": [], "body": [], "action": []}
    for part in text.parts:
        found = re.match("body|action", part.place)
        kinds[found[0] if found else "head"].append(part)
    return kinds


def _side_by_side(ours: Part, theirs: Part) -> Iterator[Row]:
    units, others = ours.units, theirs.units
    if len(units) != len(others):
        units, others = (ours.whole,), (theirs.whole,)
    for unit, other in zip(units, others, strict=True):
        yield Row(translation_id=0, number=0, place=ours.place, source=unit.markdown, text=other.markdown)


def _numbered(rows: Iterable[Row]) -> list[Row]:
    found = list(rows)
    for number, row in enumerate(found, start=1):
        row.number = number
    return found


def _copy(old: Row, new: Row) -> None:
    for name in (
        "text", "origin", "engine", "score", "findings", "signed", "editor_id", "edited_at", "approved_by",
        "approved_at",
    ):  # fmt: skip
        setattr(new, name, getattr(old, name))


def _words(part: Part, rows: Sequence[Row]) -> tuple[Node, ...]:
    if not rows:  # under a whole body
        return part.whole.nodes
    return part.words([understood(part.place, row.text or row.source) for row in rows])


def set_origin(rows: Iterable[Row], origin: Origin) -> None:
    """Say where the text of rows comes from."""
    for row in rows:
        row.origin = origin
