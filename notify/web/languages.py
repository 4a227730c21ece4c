"""Which language a page is in: what the reader's browser asks for, and what there is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import templates
from notify.translation.codes import best_match

_MOST_ASKED = 20  # entries of one header


def asked_for(header: str) -> list[str]:
    """The language tags of an `Accept-Language` header, the most wanted first (RFC 9110, section 12.5.4)."""
    weighted = [_weighted(entry) for entry in header.split(",")[:_MOST_ASKED]]
    wanted = [(weight, tag) for weight, tag in weighted if tag and tag != "*" and weight > 0]
    return [tag for _, tag in sorted(wanted, key=lambda item: -item[0])]


def choose(wanted: Iterable[str], there_are: Sequence[str]) -> str:
    """The first language wanted that is there, or one its readers read as well; else the first there is."""
    for tag in wanted:
        if found := best_match(tag, there_are):
            return found
    return there_are[0]


def spoken(language: str) -> str:
    """The language of the fixed sentences on a page whose text is in `language`."""
    return best_match(language, templates.languages()) or templates.FALLBACK


def _weighted(entry: str) -> tuple[float, str]:
    tag, _, rest = entry.partition(";")
    name, _, value = rest.strip().partition("=")
    try:
        weight = float(value) if name.strip().lower() == "q" else 1.0
    except ValueError:
        weight = 0.0
    return weight, tag.strip()
