"""A text through an engine: a draft for a person to approve, never more."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from notify.translation import markup
from notify.translation.engine import Engine, Sentence
from notify.translation.facts import Kind, Severity, TextFinding, blocks
from notify.translation.markup import Node
from notify.translation.protecting import Ask, How, Rules, run, sentence
from notify.translation.segmenting import Segmented, SourceText, Unit, segment, written

__all__ = ["Draft", "Segment", "SourceText", "draft_units", "layout_findings", "translate_text"]


@dataclass(frozen=True, slots=True)
class Segment:
    """One sentence of a draft beside its source, as a person edits both."""

    place: str  # "title", "short", "body 3" (its third block), "action 1"
    source: str
    text: str
    nodes: tuple[Node, ...]
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
    segmented = segment(text, source)
    segments = draft_units(engine, segmented.units, source, target, keep, unsure_below=unsure_below)
    drafted = segmented.together(_by_part(segmented, [each.nodes for each in segments]))
    return Draft(
        title=drafted.title,
        short=drafted.short,
        body=drafted.body,
        action_labels=drafted.action_labels,
        engine=engine.describe(source, target),
        segments=tuple(segments),
        findings=(
            *(each for found in segments for each in found.findings),
            *layout_findings(segmented, drafted.body),
        ),
    )


def draft_units(
    engine: Engine,
    units: Sequence[Unit],
    source: str,
    target: str,
    keep: Iterable[str] = (),
    *,
    unsure_below: float | None = None,
) -> list[Segment]:
    """Translate sentences, all in one call of the engine where none loses a fact.

    Args and errors as for `translate_text`.

    Returns:
        One for each unit, in their order.
    """
    rules = Rules(source, tuple(keep), unsure_below)
    outcomes = run([sentence(unit.nodes, rules) for unit in units], _remembering(engine, source, target))
    return [
        Segment(
            place=unit.place,
            source=unit.markdown,
            text=written(unit.place, outcome.nodes),
            nodes=outcome.nodes,
            score=outcome.score,
            via=outcome.via,
            how=outcome.how,
            findings=tuple(replace(finding, place=unit.place) for finding in outcome.findings),
        )
        for unit, outcome in zip(units, outcomes, strict=True)
    ]


def layout_findings(source: Segmented, new_body: str) -> tuple[TextFinding, ...]:
    """Whether blocks, lists and links of a body are those of its source."""
    if markup.skeleton(source.markdown) == markup.skeleton(new_body):
        return ()
    message = "The translation has other paragraphs, lists or links than the source. Set them right by hand."
    return (TextFinding(Severity.BLOCKING, Kind.LAYOUT, message, place="body"),)


def _by_part(segmented: Segmented, sentences: Sequence[tuple[Node, ...]]) -> list[tuple[Node, ...]]:
    new = iter(sentences)
    return [part.words([next(new) for _ in part.units]) for part in segmented.parts]


def _remembering(engine: Engine, source: str, target: str) -> Ask:
    """The engine, asked only once for the same words."""
    known: dict[str, Sentence] = {}

    def ask(texts: list[str]) -> list[Sentence]:
        new = [text for text in dict.fromkeys(texts) if text not in known]
        if new:
            known.update(zip(new, engine.translate(new, source, target), strict=True))
        return [known[text] for text in texts]

    return ask
