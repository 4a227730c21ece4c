"""What is asked before anything is done at the desk: who it is, and whether they see what is there now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlmodel import Session

from notify.staff import Deed, Staff
from notify.statements import Statement, Translation
from notify.translation.codes import best_match
from notify.translation.desk import reading
from notify.translation.desk.refusals import NotPossible, NotTheirs, Why
from notify.translation.models import TranslatedSentence as Row


def require_translator(person: Staff) -> None:
    """Make sure that somebody may work on translations.

    Raises:
        NotTheirs: they may not.
    """
    if not person.may(Deed.TRANSLATE):
        raise NotTheirs(Why.ROLE, f"{person.email} may not {Deed.TRANSLATE}: this needs the role translator.")


def require_reader(person: Staff, language: str) -> None:
    """Make sure that somebody may answer for words in a language; nobody has said of a person with none.

    Raises:
        NotTheirs: they may not translate, or do not read it.
    """
    require_translator(person)
    known = person.languages.split()
    if known and best_match(language, known) is None:
        raise NotTheirs(
            Why.NOT_READ,
            f"{person.email} reads {', '.join(known)}, not {language}: somebody who reads it has to approve. "
            f"If that is not so: notify staff add {person.email} --role translator --reads {language}",
        )


def refuse_stale(session: Session, statement: Statement, translation: Translation) -> None:
    """Make sure that a translation is of the present source.

    Raises:
        NotPossible: it is of an earlier one.
    """
    if reading.is_stale(session, statement, translation):
        raise NotPossible(
            Why.STALE,
            f"The {translation.language} translation is of an earlier text. See what has changed: "
            f"notify translation machine {statement.id} {translation.language}",
        )


def refuse_unseen(chosen: Sequence[Row], seen: Mapping[int, str]) -> None:
    """Make sure that sentences are as somebody saw them.

    Args:
        chosen: the sentences.
        seen: what stood there, by number; of a sentence that is left out nothing is asked.

    Raises:
        NotPossible: somebody else has changed one.
    """
    changed = [str(row.number) for row in chosen if seen.get(row.number, row.text) != row.text]
    if changed:
        raise NotPossible(
            Why.CHANGED,
            f"Somebody else has changed sentence {', '.join(changed)} meanwhile. Look at it again.",
        )
