"""A whole text through an engine: a draft for a person to approve, never more."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from notify.translation import markup
from notify.translation.engine import Engine, Sentence
from notify.translation.facts import Kind, Severity, TextFinding, blocks
from notify.translation.markup import Atom, Break, Enclosed, Node, Text, cut, visible
from notify.translation.protecting import Ask, How, Outcome, Rules, run, sentence
from notify.translation.splitting import split


@dataclass(frozen=True, slots=True)
class SourceText:
    """What a statement says, in its source language."""

    title: str
    short: str  # plain text
    body: str  # Markdown
    action_labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Segment:
    """One sentence of a draft beside its source, as the reader sees both."""

    place: str  # "title", "short", "body", "action 1"
    source: str
    text: str
    score: float | None  # the engine's; see `Sentence.score`
    via: tuple[str, ...]
    how: How
    findings: tuple[TextFinding, ...]


@dataclass(frozen=True, slots=True)
class Draft:
    """A machine's translation of a text. Nobody has approved it."""

    title: str
    short: str
    body: str
    action_labels: tuple[str, ...]
    engine: str  # name and version of what made it
    segments: tuple[Segment, ...]
    findings: tuple[TextFinding, ...]  # of every segment and of the whole, in the order of the text

    @property
    def blocked(self) -> bool:
        """Whether a person has to mend something, or sign it off, before approval."""
        return blocks(self.findings)


def translate_text(
    engine: Engine,
    text: SourceText,
    source: str,
    target: str,
    keep: Iterable[str] = (),
    *,
    unsure_below: float | None = None,
) -> Draft:
    """Translate a statement.

    Args:
        engine: does the translating; it may block for seconds, so call this from a job or a thread.
        text: in the source language.
        source: BCP 47.
        target: BCP 47.
        keep: terms that are never translated (streets, people, departments, STOP); case counts.
        unsure_below: a sentence whose score is lower gets a warning. Each package has a scale of its own, so
            there is no default; a good value is where the lowest 1 % of its approved sentences begin.

    Returns:
        The draft. Blocks, lists, links, code and placeholders of the body stand where they stood.

    Raises:
        Unavailable: the engine cannot work now.
        Unsupported: it does not know the pair.
        Rejected: it does not take the text.
    """
    body = markup.read(markup.tidy(text.body))
    body_parts = [_part("body", block.nodes, source) for block in body.blocks]
    title, short = (_plain("title", text.title, source), _plain("short", text.short, source))
    labels = [_plain(f"action {at}", label, source) for at, label in enumerate(text.action_labels, start=1)]
    parts = [title, short, *body_parts, *labels]

    _fill(parts, Rules(source, tuple(keep), unsure_below), _remembering(engine, source, target))

    new_body = body.rewritten([part.words() for part in body_parts])
    segments = tuple(segment for part in parts for segment in part.segments())
    return Draft(
        title=visible(title.words()),
        short=visible(short.words()),
        body=new_body,
        action_labels=tuple(visible(label.words()) for label in labels),
        engine=engine.describe(source, target),
        segments=segments,
        findings=(*(each for segment in segments for each in segment.findings), *_layout(body, new_body)),
    )


@dataclass(frozen=True, slots=True)
class _Piece:
    """A sentence, or what stands between sentences."""

    nodes: tuple[Node, ...]
    is_sentence: bool


@dataclass(slots=True)
class _Part:
    """A field of a text, or a block of its body, on its way through the engine."""

    place: str
    pieces: list[_Piece]
    outcomes: list[Outcome] = field(default_factory=list)  # of the sentences among the pieces

    def sentences(self) -> list[_Piece]:
        return [piece for piece in self.pieces if piece.is_sentence]

    def words(self) -> tuple[Node, ...]:
        outcomes = iter(self.outcomes)
        translated = (next(outcomes).nodes if piece.is_sentence else piece.nodes for piece in self.pieces)
        return tuple(node for nodes in translated for node in nodes)

    def segments(self) -> Iterator[Segment]:
        for piece, outcome in zip(self.sentences(), self.outcomes, strict=True):
            findings = tuple(replace(finding, place=self.place) for finding in outcome.findings)
            words = visible(piece.nodes), visible(outcome.nodes)
            yield Segment(self.place, *words, outcome.score, outcome.via, outcome.how, findings)


def _plain(place: str, words: str, language: str) -> _Part:
    return _part(place, (Text(markup.tidy(words)),), language)


def _part(place: str, nodes: Sequence[Node], language: str) -> _Part:
    return _Part(place, list(_pieces(nodes, language)))


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


def _fill(parts: Sequence[_Part], rules: Rules, ask: Ask) -> None:
    """Translate all sentences of all parts."""
    outcomes = iter(run([sentence(each.nodes, rules) for part in parts for each in part.sentences()], ask))
    for part in parts:
        part.outcomes = [next(outcomes) for _ in part.sentences()]


def _remembering(engine: Engine, source: str, target: str) -> Ask:
    """The engine, asked only once for the same words."""
    known: dict[str, Sentence] = {}

    def ask(texts: list[str]) -> list[Sentence]:
        new = [text for text in dict.fromkeys(texts) if text not in known]
        if new:
            known.update(zip(new, engine.translate(new, source, target), strict=True))
        return [known[text] for text in texts]

    return ask


def _layout(body: markup.Document, new_body: str) -> tuple[TextFinding, ...]:
    if markup.skeleton("\n".join(body.lines)) == markup.skeleton(new_body):
        return ()
    message = "The translation has other paragraphs, lists or links than the source. Set them right by hand."
    return (TextFinding(Severity.BLOCKING, Kind.LAYOUT, message, place="body"),)
