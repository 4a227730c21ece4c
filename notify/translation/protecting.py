"""One sentence through an engine with its facts, links and emphasis kept.

The way measured best: translate plainly, compare, and only where something was lost send the sentence again with
stand-ins (`masking`): first for just what was lost, then for everything that must stay, then with other marks.
Where that fails, the plain translation stands and findings name what is missing. A link that found no place
splits the sentence around itself, so that it is never lost.

A sentence is translated by a generator that yields the strings it wants translated next, so that `run` can ask
for all sentences of a text in one call.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from notify.translation.engine import Sentence
from notify.translation.facts import (
    Fact,
    Kind,
    Severity,
    TextFinding,
    as_written,
    blocks,
    check,
    verbatim_facts,
)
from notify.translation.markup import Atom, Break, Enclosed, Node, Text, cut, visible
from notify.translation.masking import PATTERNS, Region, mask


class How(StrEnum):
    """How a sentence was translated."""

    KEPT = "kept"  # nothing in it to translate
    PLAIN = "plain"
    MASKED = "masked"  # with stand-ins for what must stay
    IN_PARTS = "in parts"  # around its links, which reads rougher


@dataclass(frozen=True, slots=True)
class Rules:
    """What holds for all sentences of a text."""

    source_language: str
    keep: tuple[str, ...] = ()
    unsure_below: float | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """One translated sentence and what the checks say about it."""

    nodes: tuple[Node, ...]
    how: How
    score: float | None = None
    via: tuple[str, ...] = ()
    findings: tuple[TextFinding, ...] = ()
    homeless: tuple[Inlay, ...] = ()  # links and code that found no place

    @property
    def complete(self) -> bool:
        """Whether nothing that must be there is missing."""
        return not self.homeless and not blocks(self.findings)

    @property
    def warnings(self) -> int:
        """How many things a person should look at."""
        return sum(finding.severity is Severity.WARNING for finding in self.findings)


@dataclass(frozen=True, slots=True)
class Inlay:
    """A marked part of a sentence: where it stands in the source, and what it is in the translation."""

    start: int
    end: int
    node: Node
    source: str

    @property
    def required(self) -> bool:
        """Whether the translation is not complete without it."""
        return _required(self.node)


Steps = Generator[list[str], list[Sentence], Outcome]
Ask = Callable[[list[str]], list[Sentence]]


def run(jobs: Sequence[Steps], ask: Ask) -> list[Outcome]:
    """Translate many sentences side by side, asking for what all of them want next in one call.

    Args:
        jobs: what `sentence` returns, for each.
        ask: translates strings; as many come back, in their order.
    """
    outcomes: dict[int, Outcome] = {}
    wanted: dict[int, list[str]] = {}
    replies: dict[int, list[Sentence] | None] = dict.fromkeys(range(len(jobs)))
    while replies:
        for number, reply in replies.items():
            try:
                wanted[number] = jobs[number].send(reply)  # type: ignore[arg-type]  # None starts it
            except StopIteration as done:
                outcomes[number] = done.value
        answers = iter(ask([text for texts in wanted.values() for text in texts]) if wanted else ())
        replies = {number: [next(answers) for _ in texts] for number, texts in wanted.items()}
        wanted = {}
    return [outcomes[number] for number in range(len(jobs))]


def sentence(nodes: Sequence[Node], rules: Rules) -> Steps:
    """Translate one sentence.

    Args:
        nodes: the sentence; line breaks in it count as blanks.
        rules: what holds for the text it is from.

    Returns:
        Steps for `run`.
    """
    nodes = tuple(Text(" ") if isinstance(node, Break) else node for node in nodes)
    source = visible(nodes)
    core = source.strip()
    if not _has_words(core, rules):
        return Outcome(nodes, How.KEPT)
    start = source.index(core)
    outcome = yield from _core(cut(nodes, start, start + len(core)), rules)
    around = (Text(source[:start]), *outcome.nodes, Text(source[start + len(core) :]))
    return replace(outcome, nodes=tuple(node for node in around if node.visible))


def _core(nodes: tuple[Node, ...], rules: Rules) -> Steps:
    if len(nodes) == 1 and isinstance(nodes[0], Enclosed):
        inside = yield from sentence(nodes[0].children, rules)
        return replace(inside, nodes=(replace(nodes[0], children=inside.nodes),))
    source = visible(nodes)
    inlays = yield from _inlays(nodes, rules)
    (reply,) = yield [source]
    plain = _outcome((_words(reply),), How.PLAIN, reply, source, inlays, rules)
    if plain.complete:
        return plain
    masked = yield from _masked(plain, source, inlays, rules)
    if masked is None and plain.homeless:
        return (yield from _in_parts(nodes, inlays, rules))
    return masked or plain


def _inlays(nodes: Sequence[Node], rules: Rules) -> Generator[list[str], list[Sentence], tuple[Inlay, ...]]:
    """The marked parts of a sentence, their own words translated."""
    inlays: list[Inlay] = []
    at = 0
    for node in nodes:
        end = at + len(node.visible)
        if isinstance(node, Enclosed):
            inside = yield from sentence(node.children, rules)
            inlays.append(Inlay(at, end, replace(node, children=inside.nodes), node.visible))
        elif isinstance(node, Atom):
            inlays.append(Inlay(at, end, node, node.visible))
        at = end
    return tuple(inlays)


def _masked(
    plain: Outcome, source: str, inlays: Sequence[Inlay], rules: Rules
) -> Generator[list[str], list[Sentence], Outcome | None]:
    """The sentence with stand-ins, or None where no way to set them did better than the plain one."""
    for hidden, facts, pattern in _maskings(plain, source, inlays, rules):
        regions = [Region(inlay.start, inlay.end, inlay.node) for inlay in hidden]
        regions += [Region(fact.start, fact.end, Text(fact.text)) for fact in facts]
        masked = mask(source, regions, pattern)
        if masked is None:
            continue
        (reply,) = yield [masked.text]
        nodes = masked.unmasked(_words(reply).visible)
        if nodes is None:
            continue
        open_ = [inlay for inlay in inlays if inlay not in hidden]
        outcome = _outcome(nodes, How.MASKED, reply, source, open_, rules)
        if outcome.complete and outcome.warnings <= plain.warnings:
            return outcome
    return None


def _maskings(
    plain: Outcome, source: str, inlays: Sequence[Inlay], rules: Rules
) -> Iterator[tuple[Sequence[Inlay], Sequence[Fact], str]]:
    """What to hide behind which marks, one attempt after the other."""
    facts = verbatim_facts(source, rules.keep)
    missing = {finding.source for finding in plain.findings if finding.severity is Severity.BLOCKING}
    lost = [fact for fact in facts if (fact.start, fact.end) in missing]
    required = [inlay for inlay in inlays if inlay.required]
    yield plain.homeless, _outside(plain.homeless, lost), PATTERNS[0]
    for pattern in PATTERNS[:2]:
        yield required, _outside(required, facts), pattern


def _outside(inlays: Sequence[Inlay], facts: Sequence[Fact]) -> list[Fact]:
    return [
        fact for fact in facts if all(fact.end <= inlay.start or inlay.end <= fact.start for inlay in inlays)
    ]


def _in_parts(nodes: Sequence[Node], inlays: Sequence[Inlay], rules: Rules) -> Steps:
    """The sentence cut at its links, each stretch between them translated by itself."""
    source = visible(nodes)
    parts: list[Outcome] = []
    at = 0
    for inlay in (*(each for each in inlays if each.required), None):
        stretch = cut(nodes, at, inlay.start if inlay else len(source))
        parts.append((yield from sentence(stretch, rules)))
        if inlay:
            parts.append(Outcome((inlay.node,), How.KEPT))
            at = inlay.end
    words = tuple(node for part in parts for node in part.nodes)
    scores = [part.score for part in parts if part.score is not None]
    via = next((part.via for part in parts if part.via), ())
    emphasis = tuple(each for part in parts for each in part.findings if each.kind is Kind.EMPHASIS)
    findings = (*_facts(source, words, rules), *emphasis, *_doubt(min(scores, default=None), rules))
    return Outcome(words, How.IN_PARTS, min(scores, default=None), via, findings)


def _outcome(
    nodes: Sequence[Node], how: How, reply: Sentence, source: str, inlays: Sequence[Inlay], rules: Rules
) -> Outcome:
    """What a reply comes to when the marked parts have been put where their words stand in it."""
    words, homeless = _placed(nodes, inlays)
    findings = (
        *_facts(source, words, rules),
        *(_lost_emphasis(inlay) for inlay in homeless if not inlay.required),
        *_doubt(reply.score, rules),
    )
    required = tuple(inlay for inlay in homeless if inlay.required)
    return Outcome(words, how, reply.score, reply.via, findings, required)


def _facts(source: str, words: Sequence[Node], rules: Rules) -> tuple[TextFinding, ...]:
    target = visible(words)
    if not any(char.isalnum() for char in target):
        return (TextFinding(Severity.BLOCKING, Kind.EMPTY, "Nothing came back for this sentence.", source),)
    return check(source, target, rules.keep, rules.source_language)


def _lost_emphasis(inlay: Inlay) -> TextFinding:
    message = f"The emphasis on “{inlay.source}” has no place in the translation."
    return TextFinding(Severity.NOTE, Kind.EMPHASIS, message, inlay.source, source=(inlay.start, inlay.end))


def _doubt(score: float | None, rules: Rules) -> tuple[TextFinding, ...]:
    if score is None or rules.unsure_below is None or score >= rules.unsure_below:
        return ()
    message = f"The engine is not sure of this sentence ({score:.2f}): it may say something else."
    return (TextFinding(Severity.WARNING, Kind.SCORE, message),)


def _placed(nodes: Sequence[Node], inlays: Sequence[Inlay]) -> tuple[tuple[Node, ...], list[Inlay]]:
    """The nodes with each inlay where its words stand, and the inlays of whose words that cannot be said.

    Words that stand more often than there are inlays of them could be meant or not.
    """
    words, homeless = tuple(nodes), []
    for at, inlay in enumerate(inlays):
        times = sum(other.source == inlay.source for other in inlays[at:])
        found = next(
            (new for form in _forms(inlay) if (new := _set_in(words, form, times)) is not None), None
        )
        if found is None:
            homeless.append(inlay)
        else:
            words = found
    return words, homeless


def _set_in(nodes: Sequence[Node], inlay: Node, times: int) -> tuple[Node, ...] | None:
    """The nodes with an inlay in place of the first of its words, if they stand so many times; else None."""
    if not inlay.visible.strip():
        return None
    pattern = as_written(inlay.visible, Kind.TERM)
    hits = [
        (at, found)
        for at, node in enumerate(nodes)
        if isinstance(node, Text)
        for found in re.finditer(pattern, node.visible)
    ]
    if len(hits) != times:
        return None
    at, found = hits[0]
    before, after = found.string[: found.start()], found.string[found.end() :]
    new = (Text(before), inlay, Text(after))
    return (*nodes[:at], *(node for node in new if node.visible), *nodes[at + 1 :])


def _forms(inlay: Inlay) -> Iterator[Node]:
    """An inlay as its words may stand inside a sentence: an engine ends a fragment like a sentence."""
    words = inlay.node.visible
    bare = words.rstrip(".")
    forms = (words, bare, bare[:1].lower() + bare[1:], bare[:1].upper() + bare[1:], inlay.source)
    for form in dict.fromkeys(forms):
        if (node := _reworded(inlay.node, form)) is not None:
            yield node


def _reworded(node: Node, words: str) -> Node | None:
    """A node with other words in it; None where that would need a decision."""
    if node.visible == words:
        return node
    match node:
        case Text():
            return Text(words)
        case Enclosed(children=(child,)):
            inside = _reworded(child, words)
            return None if inside is None else replace(node, children=(inside,))
        case _:
            return None


def _required(node: Node) -> bool:
    match node:
        case Enclosed():
            return node.required or any(_required(child) for child in node.children)
        case Atom():
            return True
        case _:
            return False


def _words(reply: Sentence) -> Text:
    return Text(re.sub(r"\s*[\n\r\v\f\x85\u2028\u2029]\s*", " ", reply.text).strip())


def _has_words(text: str, rules: Rules) -> bool:
    """Whether anything in a text can be translated: a letter outside what stays as it is."""
    facts = verbatim_facts(text, rules.keep)
    inside = {at for fact in facts for at in range(fact.start, fact.end)}
    return any(char.isalpha() for at, char in enumerate(text) if at not in inside)
