"""How commands speak: tables for people, JSON for programs, errors that name the cure."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Sequence
from typing import Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from channels.contract import Level

# A file or a pipe has no width of its own; at 80 columns tables would break words that people search for.
_WIDTH = None if sys.stdout.isatty() else 160
console = Console(highlight=False, width=_WIDTH)
errors = Console(stderr=True, highlight=False)

JSON = typer.Option(False, "--json", help="Print one JSON document, for programs.")
AS = typer.Option(None, "--as", metavar="EMAIL", help="Who you are, of the staff. Or set NOTIFY_AS.")
YES = typer.Option(False, "--yes", "-y", help="Do not ask; for scripts.")

MARKS = {Level.OK: "[green]ok[/]", Level.WARNING: "[yellow]look[/]", Level.ERROR: "[red]wrong[/]"}


class Refused(Exception):
    """The command cannot do this; the message names the cure."""


def put_json(tree: Any) -> None:
    """One JSON document on standard output."""
    sys.stdout.write(json.dumps(tree, ensure_ascii=False, indent=2, default=str) + "\n")


def say(*lines: str) -> None:
    """Plain lines; what residents or files wrote is never read as markup."""
    for line in lines:
        _prose(line)


def good(line: str) -> None:
    """Something was done."""
    _marked(console, "[green]✓[/]", line)


def _marked(where: Console, mark: str, line: str) -> None:
    words = Text.from_markup(f"{mark} ").append(line)
    where.print(words, soft_wrap=not where.is_terminal)


def _prose(line: str) -> None:
    # A terminal wraps between words; a file or a pipe keeps the line whole, for those who search in it.
    console.print(line, markup=False, soft_wrap=not console.is_terminal)


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table; numbers to the right. Without rows it is a line, so that nobody looks for what is missing."""
    found = [list(row) for row in rows]
    if not found and title:
        return _prose(f"{title}: none.")
    grid = Table(title=title or None, title_justify="left", header_style="bold")
    for index, column in enumerate(columns):
        numeric = bool(found) and all(isinstance(row[index], int | float) for row in found)
        grid.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in found:
        grid.add_row(*map(_shown, row))
    console.print(grid)
    return None


def confirm(question: str, *, yes: bool) -> None:
    """Ask before something that cannot be taken back; scripts, which have no terminal, are not asked.

    Raises:
        typer.Abort: the answer is no.
    """
    if not yes and sys.stdin.isatty() and "CI" not in os.environ:
        typer.confirm(question, abort=True)


def fail(message: str) -> None:
    """An error, on standard error, one line for each problem."""
    for line in message.splitlines() or ["It did not work."]:
        _marked(errors, "[red]error:[/]", line)


def _shown(cell: object) -> str:
    """Our own marks are markup; everything else is data."""
    return cell if isinstance(cell, str) and cell in MARKS.values() else escape(str(cell))
