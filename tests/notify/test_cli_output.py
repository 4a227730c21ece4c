"""What commands say is broken between words in a terminal, and never in a file."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from notify.cli import desk, output
from notify.translation.models import TranslatedSentence

LONG = "tara@city.example was the last to edit sentence 1, 4, 7 and 11. Somebody else has to approve. [/red]"


@pytest.mark.parametrize(("name", "speak"), [("errors", output.fail), ("console", output.good)])
@pytest.mark.parametrize("terminal", [True, False])
def test_a_line_is_broken_between_words(
    monkeypatch: pytest.MonkeyPatch, name: str, speak: object, terminal: bool
) -> None:
    shown = Console(file=io.StringIO(), width=80, force_terminal=terminal, color_system=None, highlight=False)
    monkeypatch.setattr(output, name, shown)
    assert callable(speak)
    speak(LONG)
    lines = shown.file.getvalue().rstrip("\n").split("\n")  # type: ignore[attr-defined]
    assert LONG in " ".join(each.strip() for each in lines)
    assert len(lines) == (2 if terminal else 1)


def test_a_finding_at_the_desk_is_broken_between_words(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = Console(file=io.StringIO(), width=80, force_terminal=True, color_system=None)
    monkeypatch.setattr(desk, "console", shown)
    message = "The source ends with a full stop, and the translation does not. Is its end left out?"
    finding = {"severity": "warning", "kind": "left out", "fact": "", "message": message}
    row = TranslatedSentence(translation_id=1, number=1, place="short", source="A.", text="A")
    row.findings = [finding]
    desk._show_findings(row)
    lines = shown.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert " ".join(each.strip() for each in lines) == f"1 warning {message}"
