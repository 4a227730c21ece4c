"""The desk in a terminal: one sentence at a time, a letter and Enter for each step."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from rich.panel import Panel
from rich.table import Table
from rich.text import Text as Words
from sqlmodel import Session

from notify import statements
from notify.cli.output import Refused, console, fail, good, say
from notify.hub import Hub
from notify.staff import StaffError, find
from notify.statements import Statement, StatementError
from notify.translation import memory, serving, sheet
from notify.translation.desk import approving, editing, reading
from notify.translation.desk.findings import open_findings
from notify.translation.engine import EngineError
from notify.translation.models import TranslatedSentence as Row
from templates import direction

HELP = {
    "a": "approve this sentence, and on",
    "e": "write it, beginning with what stands there; e TEXT replaces it at once",
    "u": "undo your last change",
    "1 2 3": "take a suggestion from the memory",
    "s N WHY": "answer by name for finding N",
    "b": "translate back, by machine",
    "n p": "next, previous",
    "g N": "go to sentence N",
    "A": "approve all that is left",
    "?": "these keys",
    "q": "leave; everything is kept",
}
SEVERITY = {"blocking": "red", "warning": "yellow", "note": "dim"}


class Desk:
    """One translator at one translation. Every step is kept at once."""

    def __init__(self, hub: Hub, statement_id: int, language: str, email: str) -> None:
        self._hub, self._statement_id, self._language, self._email = hub, statement_id, language, email
        self._at = 1
        self._seen = ""  # what stood there when it was shown
        self._read: dict[int, str] = {}  # every sentence that was shown, as it stood then
        self._before: tuple[int, editing.Before, str] | None = (
            None  # the last change: where, from what, to what
        )
        self._suggestions: list[str] = []

    def work(self) -> None:
        """Until the translator leaves, or the input ends."""
        with self._hub.database.session() as session:
            find(session, self._email)
            rows = self._rows(session)
            waiting = [row.number for row in rows if row.approved_at is None]
            self._at = waiting[0] if waiting else 1
            session.commit()
        self._show_keys()
        while self._step():
            pass

    def _step(self) -> bool:
        with self._hub.database.reading() as session:
            self._show(session)
        try:
            line = console.input("[bold]› [/]").strip() if sys.stdin.isatty() else input().strip()
        except EOFError:
            return False
        key, _, rest = line.partition(" ")
        if key == "q":
            return False
        self._do(key, rest.strip())
        return True

    def _do(self, key: str, rest: str) -> None:
        steps: dict[str, Callable[[Session, Statement, str], None]] = {
            "a": self._approve, "A": self._approve_all, "e": self._edit, "s": self._sign_off, "b": self._back,
            "u": self._undo, "n": self._next, "p": self._previous, "g": self._go, "": self._next,
        }  # fmt: skip
        if key == "?":
            return self._show_keys()
        if key == "e" and not rest and sys.stdin.isatty():
            try:
                rest = self._typed()
            except (EOFError, KeyboardInterrupt):
                return say("Nothing is changed.")
        with self._hub.database.session() as session:
            statement = statements.find(session, self._statement_id)
            try:
                if key.isdigit():
                    self._take(session, statement, int(key))
                elif key in steps:
                    steps[key](session, statement, rest)
                else:
                    fail(f"There is no key {key!r}. Press ? and Enter for those there are.")
            except (StatementError, StaffError, EngineError, Refused) as error:
                session.rollback()
                return fail(str(error))
            session.commit()
        return None

    def _approve(self, session: Session, statement: Statement, _rest: str) -> None:
        self._sign(session, statement, [self._at], seen={self._at: self._seen})
        self._next(session, statement, "")

    def _approve_all(self, session: Session, statement: Statement, _rest: str) -> None:
        unread = [row for row in self._rows(session) if not row.approved_at and not self._has_read(row)]
        if unread:
            for row in unread:
                self._show_row(row)
            return say(f"You had not seen these {len(unread)} as they stand. A once more approves all.")
        self._sign(session, statement, None, seen=self._read)
        return good("All sentences are approved.")

    def _has_read(self, row: Row) -> bool:
        return self._read.get(row.number) == row.text

    def _show_row(self, row: Row) -> None:
        say("", f"{row.number}  {row.source}", f"→  {row.text or '(nothing yet)'}")
        _show_findings(row)
        self._read[row.number] = row.text

    def _sign(
        self,
        session: Session,
        statement: Statement,
        numbers: list[int] | None,
        seen: Mapping[int, str] | None = None,
    ) -> None:
        approving.approve(
            session, statement, self._language, find(session, self._email), numbers=numbers,
            two_people=self._hub.settings.translation.two_people, seen=seen,
        )  # fmt: skip

    def _edit(self, session: Session, statement: Statement, rest: str) -> None:
        number, before = self._at, editing.Before.of(self._row(session))
        row = editing.edit(
            session, statement, self._language, number, rest, find(session, self._email), seen=self._seen
        )
        self._before = (number, before, row.text)

    def _undo(self, session: Session, statement: Statement, _rest: str) -> None:
        if self._before is None:
            raise Refused("There is no change to take back.")
        number, before, made = self._before
        person = find(session, self._email)
        editing.put_back(session, statement, self._language, number, before, person, seen=made)
        self._at, self._before = number, None

    def _typed(self) -> str:
        """A sentence typed over the one there, with what it comes to shown underneath while it is typed.

        Nothing is locked meanwhile: somebody may think for minutes.
        """
        from prompt_toolkit import PromptSession
        from prompt_toolkit.application import get_app

        with self._hub.database.reading() as session:
            row = self._row(session)
            scale = self._scale(session, statements.find(session, self._statement_id), row)
        prompt: PromptSession[str] = PromptSession(
            message="› ", bottom_toolbar=lambda: scale(get_app().current_buffer.text)
        )
        return prompt.prompt(default=row.text or row.source)

    def _scale(self, session: Session, statement: Statement, row: Row) -> Callable[[str], str]:
        """What the text comes to over each channel with other words in one row."""
        rows, channels = self._rows(session), list(self._hub.channels.values())
        people = serving.readers(session, self._language)
        source = statements.source(session, statement).text()

        def told(words: str) -> str:
            text = reading.with_words(statement, source, rows, row.number, words)
            weights = serving.weigh(statement, text, self._language, channels, self._hub.renderer, people)
            return "   ".join(each.said for each in weights)

        return told

    def _take(self, session: Session, statement: Statement, number: int) -> None:
        if not 1 <= number <= len(self._suggestions):
            raise Refused(f"There is no suggestion {number} for this sentence.")
        self._edit(session, statement, self._suggestions[number - 1])

    def _sign_off(self, session: Session, statement: Statement, rest: str) -> None:
        number, _, reason = rest.partition(" ")
        if not number.isdigit():
            raise Refused(
                "Write s, the number of the finding, and why: s 1 The number is in the next sentence"
            )
        person = find(session, self._email)
        approving.sign_off(
            session, statement, self._language, self._at, int(number), reason, person, seen=self._seen
        )

    def _back(self, session: Session, statement: Statement, _rest: str) -> None:
        row = self._row(session)
        (text,) = reading.back(self._hub.translator, statement, self._language, [row])
        say(f"Back by machine, and no proof: {text}")

    def _next(self, session: Session, _statement: Statement, _rest: str) -> None:
        self._at = min(self._at + 1, len(self._rows(session)))

    def _previous(self, _session: Session, _statement: Statement, _rest: str) -> None:
        self._at = max(self._at - 1, 1)

    def _go(self, session: Session, _statement: Statement, rest: str) -> None:
        last = len(self._rows(session))
        if not rest.isdigit() or not 1 <= int(rest) <= last:
            raise Refused(f"Write g and a number from 1 to {last}.")
        self._at = int(rest)

    def _rows(self, session: Session) -> list[Row]:
        statement = statements.find(session, self._statement_id)
        for each in statements.translations(session, statement):
            if each.language == self._language:
                return reading.rows(session, statement, each)
        raise Refused(
            f"{statement.reference} has no {self._language} translation yet. Begin with: "
            f"notify translation machine {self._statement_id} {self._language}"
        )

    def _row(self, session: Session) -> Row:
        return self._rows(session)[self._at - 1]

    def _show(self, session: Session) -> None:
        rows = self._rows(session)
        statement = statements.find(session, self._statement_id)
        row = rows[self._at - 1]
        self._seen = self._read[row.number] = row.text
        done = sum(each.approved_at is not None for each in rows)
        grid = Table.grid(expand=True, padding=(0, 2))
        for language in (statement.source_language, self._language):
            grid.add_column(ratio=1, justify="right" if direction(language) == "rtl" else "left")
        grid.add_row(
            marked(row.source, row.place, row.findings, "source"),
            marked(row.text, row.place, row.findings, "target"),
        )
        state = "approved" if row.approved_at else row.engine or row.origin or "nobody has translated it"
        console.print(
            Panel(
                grid,
                title=f"{self._at} of {len(rows)} · {row.place} · {state}",
                subtitle=f"{done} of {len(rows)} approved · ? for keys",
                border_style="green" if row.approved_at else "blue",
            )
        )
        _show_findings(row)
        if row.place == "short":
            say(f"  {self._scale(session, statement, row)(row.text)}")
            self._suggest_shorter(session, statement, row)
        self._suggest(session, statement, row)

    def _suggest(self, session: Session, statement: Statement, row: Row) -> None:
        found = memory.near(session, statement.source_language, self._language, row.source)
        near = [each for each in found if each.text != row.text]
        self._suggestions = [each.text for each in near]
        for at, each in enumerate(near, start=1):
            say(f"  {at}  {each.alike} % alike, from the memory: {each.source} → {each.text}")

    def _suggest_shorter(self, session: Session, statement: Statement, row: Row) -> None:
        for each in memory.shorter(session, statement.source_language, self._language, row.source):
            say(f"  shorter, from the memory: {each.source} → {each.text}")

    def _show_keys(self) -> None:
        grid = Table.grid(padding=(0, 2))
        for key, what in HELP.items():
            grid.add_row(Words(key, style="bold"), what)
        console.print(grid)


def marked(text: str, place: str, findings: Iterable[Mapping[str, Any]], side: str) -> Words:
    """A sentence in its notation, with the places that findings point at.

    Args:
        text: inline Markdown, in the body.
        place: which part of the statement it is.
        findings: of the sentence; they point into what readers see of it.
        side: "source" or "target".
    """
    words, visible, after = Words(text), sheet.plain(text, place), 0
    for each in sorted((each for each in findings if each[side]), key=lambda each: tuple(each[side])):
        start, end = each[side]
        meant = visible[start:end]
        begins = text.find(meant, max(start, after))  # notation only ever adds characters
        if begins >= 0:
            words.stylize(f"underline {SEVERITY.get(each['severity'], '')}", begins, begins + len(meant))
            after = begins
    return words


def _show_findings(row: Row) -> None:
    still_open = open_findings(row)
    for at, each in enumerate(row.findings, start=1):
        style = SEVERITY.get(each["severity"], "") if each in still_open else "green"
        mark = f"[{style}]{at} {each['severity'] if each in still_open else 'signed off'}[/]"
        line = Words.from_markup(f"  {mark} ").append(each["message"])
        console.print(line, soft_wrap=not console.is_terminal)
