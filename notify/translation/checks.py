"""Everything that is checked of one translated sentence, the gravest first."""

from __future__ import annotations

from notify.translation.facts import TextFinding, check
from notify.translation.glossary import Glossary


def examine(
    source: str,
    target: str,
    *,
    source_language: str,
    target_language: str,  # noqa: ARG001 - for the checks to come
    glossary: Glossary,
) -> tuple[TextFinding, ...]:
    """Compare a translated sentence with its source.

    Args:
        source: the sentence.
        target: its translation, not empty.
        source_language: BCP 47.
        target_language: BCP 47.
        glossary: of the city, for these languages.
    """
    return check(source, target, glossary.keep, source_language)
