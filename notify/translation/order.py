"""Have two facts of one kind changed places: two times, two telephone numbers, two names, two placeholders?

Languages put a sentence's parts in different orders, but hardly ever the two ends of "from 9 to 5". So only facts
of one kind are compared with each other, and a person looks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from notify.translation import dates
from notify.translation.facts import Fact, Kind, Severity, Span, TextFinding, verbatim_facts
from notify.translation.numbers import Number, fold_digits, numbers

_PLACED = (Kind.PLACEHOLDER, Kind.PHONE, Kind.TERM, Kind.EMAIL, Kind.URL, Kind.CODE)


def check(
    source: str, target: str, source_language: str, target_language: str, keep: Iterable[str] = ()
) -> Iterator[TextFinding]:
    """Which facts of a translation stand in another order than in the source.

    Args:
        source: a sentence.
        target: its translation.
        source_language: BCP 47.
        target_language: BCP 47.
        keep: terms that stay as they are.
    """
    keep = tuple(keep)
    ours, theirs = verbatim_facts(source, keep), verbatim_facts(target, keep)
    for kind in _PLACED:
        yield from _moved(_spans(ours, kind), _spans(theirs, kind), kind)
    yield from _moved_numbers(
        _amounts(source, ours, source_language), _amounts(target, theirs, target_language)
    )


def _spans(facts: Iterable[Fact], kind: Kind) -> list[tuple[str, Span]]:
    return [(fold_digits(fact.text), (fact.start, fact.end)) for fact in facts if fact.kind is kind]


def _moved(
    before: Sequence[tuple[str, Span]], after: Sequence[tuple[str, Span]], kind: Kind
) -> Iterator[TextFinding]:
    """Facts that stand once on either side, in another order there."""
    names = [name for name, _ in before]
    once = [name for name in names if names.count(name) == 1 and [n for n, _ in after].count(name) == 1]
    there = [name for name, _ in after if name in once]
    if once != there:
        spans = dict(before)
        places = dict(after)
        one = next(name for name, other in zip(once, there, strict=True) if name != other)
        message = f"The {kind}s stand in another order than in the source. Does {one} stand where it belongs?"
        yield TextFinding(Severity.WARNING, Kind.ORDER, message, one, source=spans[one], target=places[one])


def _amounts(text: str, facts: Iterable[Fact], language: str) -> list[Number]:
    """The numbers of a text that are no part of a date or another fact."""
    blanks = [*dates.spans(text, language), *((fact.start, fact.end) for fact in facts)]
    for start, end in blanks:
        text = text[:start] + " " * (end - start) + text[end:]
    return numbers(text, language)


def _moved_numbers(before: Sequence[Number], after: Sequence[Number]) -> Iterator[TextFinding]:
    """Numbers that fit exactly one on the other side, in another order there."""
    placed: list[tuple[int, Number, Number]] = []
    for number in before:
        fits = [at for at, other in enumerate(after) if number.fits(other)]
        alike = [
            other for other in before if other is not number and any(other.fits(after[at]) for at in fits)
        ]
        if len(fits) == 1 and not alike:
            placed.append((fits[0], number, after[fits[0]]))
    for (at, number, _), (next_at, other, there) in pairwise(placed):
        if at > next_at and _is_time(number) == _is_time(other):
            message = (
                f"{number.text} and {other.text} stand in another order than in the source. Is that right?"
            )
            yield TextFinding(
                Severity.WARNING,
                Kind.ORDER,
                message,
                number.text,
                (number.start, number.end),
                (there.start, there.end),
            )


def _is_time(number: Number) -> bool:
    return any(":" in reading for reading in number.readings)
