"""Why the desk does not do something: in words for people, by a code for programs."""

from __future__ import annotations

from enum import StrEnum

from notify.staff import StaffError
from notify.statements import StatementError


class Why(StrEnum):
    """What stands in the way; the codes do not change."""

    LANGUAGE = "language"  # no language, or the source's own
    NO_TRANSLATION = "no_translation"
    NO_SENTENCE = "no_sentence"
    NO_FINDING = "no_finding"
    NO_REASON = "no_reason"
    EMPTY = "empty"
    STALE = "stale"  # the source has changed since
    CHANGED = "changed_since"  # somebody else has changed it since it was read
    BLOCKED = "blocked"  # a sentence is missing, or a finding blocks it
    ROLE = "role"
    NOT_READ = "language_not_read"
    OWN_EDIT = "second_person"  # whoever edited it last may not approve it


class NotPossible(StatementError):
    """The step is not possible now.

    Args:
        why: for programs.
        problems: a line for each, naming the place and the cure.
    """

    def __init__(self, why: Why, *problems: str) -> None:
        super().__init__(*problems)
        self.why = why


class NotTheirs(StaffError):
    """The step is not this person's.

    Args:
        why: for programs.
        message: names the cure.
    """

    def __init__(self, why: Why, message: str) -> None:
        super().__init__(message)
        self.why = why
