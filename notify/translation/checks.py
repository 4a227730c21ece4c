"""Everything that is checked of one translated sentence, the gravest first.

What the checks cannot see: a wrong word that is of the right language, a "not" that moved to another verb, a name
that is on no list, a tone. They find breakage; whether a text is good, a person says.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from notify.translation import dates, facts, leftovers, negation, order, scripts, units, wholeness, wording
from notify.translation.facts import Kind, Severity, TextFinding
from notify.translation.glossary import Glossary


def examine(
    source: str,
    target: str,
    *,
    source_language: str,
    target_language: str,
    glossary: Glossary,
) -> tuple[TextFinding, ...]:
    """Compare a translated sentence with its source.

    Args:
        source: the sentence; a block of several is fine.
        target: its translation.
        source_language: BCP 47.
        target_language: BCP 47; checks that need words of a language say nothing where they have none.
        glossary: of the city, for these languages.

    Returns:
        What a person has to look at, each with its place in source or target, the gravest first; an empty
        translation has that finding alone.
    """
    if wholeness.is_empty(source, target):
        return (
            TextFinding(Severity.BLOCKING, Kind.EMPTY, "The translation is empty.", source=(0, len(source))),
        )
    found = _findings(source, target, source_language, target_language, glossary)
    return tuple(sorted(_once(found), key=lambda finding: _GRAVITY[finding.severity]))


_GRAVITY = {severity: at for at, severity in enumerate(Severity)}


def _findings(
    source: str, target: str, source_language: str, target_language: str, glossary: Glossary
) -> Iterator[TextFinding]:
    languages = (source_language, target_language)
    yield from facts.check(source, target, glossary.keep, *languages)
    yield from scripts.check(source, target, target_language)
    yield from leftovers.check(source, target, *languages, glossary.keep)
    yield from wholeness.check(source, target, *languages)
    yield from dates.compare(source, target, *languages)
    yield from units.compare(source, target, *languages)
    yield from order.check(source, target, *languages, glossary.keep)
    yield from negation.compare(source, target, *languages)
    yield from wording.check(source, target, glossary)


def _once(findings: Iterable[TextFinding]) -> list[TextFinding]:
    """The findings without those that say the same again."""
    return list({(each.kind, each.fact, each.source, each.target): each for each in findings}.values())
