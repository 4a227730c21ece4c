"""What consent events come to: a function of the set of events alone, in whatever order they were recorded.

- Events count by the time at which the resident decided. At the same instant, no counts after yes, and the
  resident's own yes after a weak one.
- A no to everything blocks every list until a later yes: to everything, which gives back what there was, or
  to one list, which opens that one.
- A yes that the resident did not give to us directly - from an import, or by public task - is weak: it
  counts only where nothing has been said yet, and never revives an opt-out (R32).
- Undoing an import takes back its yeses, by an event that names the import; a no is never taken back.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from contacts.models import Basis


class Method(StrEnum):
    """How a decision reached us. Other words are allowed; the imports are those with a meaning here."""

    IMPORT = "import"
    IMPORT_UNDONE = "import undone"  # decides nothing by itself: the yeses of that import count no more
    SMS_KEYWORD = "sms keyword"
    EMAIL_ONE_CLICK = "email one-click"
    EMAIL_CONFIRMED = "email double opt-in"
    TELEGRAM = "telegram"
    WEB_FORM = "web form"
    PAPER = "paper"
    PROVIDER = "provider"
    FREE_TEXT = "free text"  # a person read what the resident wrote, and decided (R3)


@dataclass(frozen=True, slots=True)
class Standing:
    """What the events come to for one endpoint on one list, and the event that says so."""

    active: bool
    basis: str
    event_id: int


@dataclass(frozen=True, slots=True)
class State:
    """What the events of one endpoint come to."""

    opted_out: bool = False
    lists: dict[int, Standing] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Said:
    """The part of a consent event that the state depends on, and what tells it from others."""

    id: int
    list_id: int | None
    decision: bool
    method: str
    basis: str
    at: datetime
    reference: str
    import_id: int | None = None

    @property
    def is_weak_yes(self) -> bool:
        """A yes that never revives an opt-out."""
        return self.decision and (self.method == Method.IMPORT or self.basis == Basis.PUBLIC_TASK)

    @property
    def takes_back(self) -> bool:
        """It takes back an import, and decides nothing by itself."""
        return self.method == Method.IMPORT_UNDONE

    @property
    def turn(self) -> tuple[datetime, bool, bool, int]:
        """Its place among the others: what counts more comes later."""
        return self.at, not self.decision, not self.is_weak_yes, self.id

    @property
    def content(self) -> tuple[Any, ...]:
        """Equal for an event that came twice."""
        return self.list_id, self.decision, self.method, self.basis, self.at, self.reference


class Course:
    """The events of one endpoint, heard in their order.

    Attributes:
        told: all of them, in the order in which they came.
        events: those that count, in their order: not what an undone import said yes to.
        general: the last that counts about everything.
        own: the last that counts about each list by itself.
    """

    def __init__(self, events: Iterable[Said] = ()) -> None:
        self.told = list(events)
        self._undone = {said.import_id for said in self.told if said.takes_back}
        self._hear_all_again()

    def last_word(self, list_id: int | None) -> Said | None:
        """The event that counts for a list (or for everything): its own last, or a later no to everything."""
        own = self.general if list_id is None else self.own.get(list_id)
        general = self.general
        if general is not None and not general.decision and (own is None or own.turn < general.turn):
            return general
        return own

    def refuses(self, said: Said) -> bool:
        """Whether an opt-out stands against this yes."""
        last = self.last_word(said.list_id)
        return said.is_weak_yes and last is not None and not last.decision

    def add(self, said: Said) -> None:
        """Add an event, which may be older than those heard before."""
        self.told.append(said)
        if said.takes_back:
            self._undone.add(said.import_id)
        in_turn = not self.events or self.events[-1].turn < said.turn
        if in_turn and self._counts(said):
            self.events.append(said)
            self._hear(said)
        else:
            self._hear_all_again()

    def state(self) -> State:
        """What the events come to."""
        last_words = {list_id: self.last_word(list_id) for list_id in sorted(self.own)}
        lists = {
            list_id: Standing(word.decision, word.basis, word.id)
            for list_id, word in last_words.items()
            if word
        }
        refused = self.general is not None and not self.general.decision
        return State(refused and not any(found.active for found in lists.values()), lists)

    def _hear_all_again(self) -> None:
        self.events = sorted(filter(self._counts, self.told), key=lambda said: said.turn)
        self.general: Said | None = None
        self.own: dict[int, Said] = {}
        for said in self.events:
            self._hear(said)

    def _counts(self, said: Said) -> bool:
        """Whether it says anything: not the taking back itself, and not the yeses that were taken back."""
        if said.takes_back:
            return False
        return not said.decision or said.import_id is None or said.import_id not in self._undone

    def _hear(self, said: Said) -> None:
        last = self.last_word(said.list_id)
        if said.is_weak_yes and last is not None and not _is_better(said, last):
            return
        if said.list_id is None:
            self.general = said
        else:
            self.own[said.list_id] = said


def _is_better(weak: Said, last: Said) -> bool:
    """An import's consent stands on firmer ground than public task; nothing else weak adds to a yes."""
    return last.decision and last.basis == Basis.PUBLIC_TASK and weak.basis == Basis.CONSENT
