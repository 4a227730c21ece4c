"""The city's glossary: what is never translated, what is translated how, and what is never said."""

from __future__ import annotations

from dataclasses import dataclass

from sqlmodel import Session, col, select

from notify.translation.models import Term, TermKind


@dataclass(frozen=True, slots=True)
class Glossary:
    """The terms that hold for one pair of languages."""

    keep: tuple[str, ...] = ()  # never translated; case counts
    terms: tuple[tuple[str, tuple[str, ...]], ...] = ()  # a term, and the ways it may be translated
    forbidden: tuple[str, ...] = ()  # never used in the target language


def load(session: Session, source: str, target: str) -> Glossary:
    """The glossary for a pair of languages, BCP 47."""
    query = select(Term).where(
        col(Term.source_language).in_(["", source]), col(Term.target_language).in_(["", target])
    )
    found = list(session.exec(query.order_by(col(Term.id))))
    return Glossary(
        keep=tuple(each.source for each in found if each.kind == TermKind.KEEP),
        terms=tuple(
            (each.source, tuple(each.target.split("|"))) for each in found if each.kind == TermKind.TRANSLATE
        ),
        forbidden=tuple(each.target for each in found if each.kind == TermKind.FORBIDDEN),
    )
