"""How many planted errors the checks find, and how often they warn of a correct translation.

    uv run python tests/bench/translation/planted.py [--check] [--part held-out|tuning] [--most 14] [--show KIND]

Our own parallel sentences and the playbooks in 8 languages are split by a hash of the source sentence. The checks
are tuned on one part and measured on the other. An error is found when a blocking or warning finding is raised
that the correct translation does not have; a correct translation with such a finding is a false alarm. Nothing
here needs a network. --check fails below the floors.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from corpus import KEEP, LANGUAGES, Pair, blocks, pairs
from planting import FACTS, KINDS, Planted, all_planted
from rich.console import Console
from rich.table import Table

from notify.translation.checks import examine
from notify.translation.facts import Severity, TextFinding
from notify.translation.glossary import Glossary

RECALL, RECALL_OF_A_KIND, ALARMS = 0.98, 0.95, 0.05
GLOSSARY = Glossary(keep=KEEP)
SEED = 7


@dataclass(frozen=True)
class Measured:
    """What came of a corpus."""

    planted: Sequence[Planted]
    missed: Sequence[Planted]
    clean: Sequence[Pair]
    alarms: Sequence[tuple[Pair, tuple[TextFinding, ...]]]
    seconds: float

    def recall(self, kinds: Iterable[str] = FACTS, language: str | None = None) -> float | None:
        """The share of planted errors that were found; None where there are none."""
        kinds = set(kinds)
        fits = [
            each for each in self.planted if each.kind in kinds and language in (None, each.pair.language)
        ]
        missed = [
            each for each in self.missed if each.kind in kinds and language in (None, each.pair.language)
        ]
        return 1 - len(missed) / len(fits) if fits else None

    def count(self, kind: str, language: str | None = None) -> int:
        """How many errors of a kind were planted."""
        return sum(each.kind == kind and language in (None, each.pair.language) for each in self.planted)

    def alarm_rate(self, language: str | None = None, severity: Severity | None = None) -> float:
        """The share of correct translations with a finding."""
        clean = [each for each in self.clean if language in (None, each.language)]
        alarmed = [
            pair
            for pair, found in self.alarms
            if language in (None, pair.language) and any(severity in (None, each.severity) for each in found)
        ]
        return len(alarmed) / len(clean)


def grave(source: str, target: str, language: str) -> tuple[TextFinding, ...]:
    """The findings that a person has to look at."""
    found = examine(source, target, source_language="en", target_language=language, glossary=GLOSSARY)
    return tuple(each for each in found if each.severity is not Severity.NOTE)


def measure(held_out: bool, most: int) -> Measured:
    """Plant errors into one part of the corpus and look for them.

    Args:
        held_out: which part.
        most: errors of one kind in one language.
    """
    clean = [pair for pair in _unique([*pairs(), *blocks()]) if pair.held_out is held_out]
    began = time.perf_counter()
    before = {(pair.source, pair.target): grave(pair.source, pair.target, pair.language) for pair in clean}
    seconds = time.perf_counter() - began
    planted = list(all_planted(clean, SEED, most))
    missed = [each for each in planted if not _is_found(each, before[each.pair.source, each.pair.target])]
    alarms = [(pair, before[pair.source, pair.target]) for pair in clean if before[pair.source, pair.target]]
    return Measured(planted, missed, clean, alarms, seconds)


def _unique(found: Iterable[Pair]) -> list[Pair]:
    return list({(pair.source, pair.target, pair.language): pair for pair in found}.values())


def _is_found(planted: Planted, before: Sequence[TextFinding]) -> bool:
    known = Counter((each.kind, each.fact, each.severity) for each in before)
    now = grave(planted.pair.source, planted.target, planted.pair.language)
    return bool(Counter((each.kind, each.fact, each.severity) for each in now) - known)


def _share(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f}"


def show(measured: Measured) -> None:
    """Print the tables as Markdown."""
    print(
        f"\nErrors found, % (n = {len(measured.planted)} planted, {len(measured.clean)} correct translations)\n"
    )
    print("| kind | n | all | " + " | ".join(LANGUAGES) + " |")
    print("|---|---|---|" + "---|" * len(LANGUAGES))
    for kind in KINDS:
        row = [_share(measured.recall([kind], language)) for language in LANGUAGES]
        print(
            f"| {kind} | {measured.count(kind)} | {_share(measured.recall([kind]))} | "
            + " | ".join(row)
            + " |"
        )
    row = [_share(measured.recall(FACTS, language)) for language in LANGUAGES]
    facts = sum(measured.count(kind) for kind in FACTS)
    print(f"| **all but negation** | {facts} | {_share(measured.recall())} | " + " | ".join(row) + " |")
    for title, severity in (("false alarms", None), ("of them blocking", Severity.BLOCKING)):
        row = [_share(measured.alarm_rate(language, severity)) for language in LANGUAGES]
        print(
            f"| {title} | {len(measured.clean)} | {_share(measured.alarm_rate(None, severity))} | "
            + " | ".join(row)
            + " |"
        )
    kinds = Counter(finding.kind.value for _, found in measured.alarms for finding in found)
    print(
        "\nFalse alarms by finding: "
        + (", ".join(f"{kind} {n}" for kind, n in kinds.most_common()) or "none")
    )
    print(
        f"{1000 * measured.seconds / len(measured.clean):.2f} ms a sentence, identifying languages included"
    )


def examples(measured: Measured, kind: str) -> None:
    """Print what was missed, for tuning: never asked for on the held-out part."""
    table = Table(show_lines=True)
    for column in ("language", "source", "target", "was"):
        table.add_column(column, overflow="fold")
    if kind == "alarms":
        for pair, found in measured.alarms:
            table.add_row(pair.language, pair.source, pair.target, "\n".join(each.message for each in found))
    for each in measured.missed:
        if each.kind == kind:
            table.add_row(each.pair.language, each.pair.source, each.target, each.pair.target)
    Console(width=200).print(table)


def main() -> int:
    """Measure, print, and with --check say whether the floors hold."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--part", choices=("held-out", "tuning"), default="held-out")
    parser.add_argument("--most", type=int, default=14, help="errors of one kind in one language")
    parser.add_argument("--show", default="", help="a kind, or alarms: print them (tuning part only)")
    parser.add_argument("--check", action="store_true", help="fail below the floors")
    asked = parser.parse_args()
    measured = measure(asked.part == "held-out", asked.most)
    if asked.show and asked.part == "tuning":
        examples(measured, asked.show)
        return 0
    show(measured)
    return 1 if asked.check and not holds(measured) else 0


def holds(measured: Measured) -> bool:
    """Whether the floors hold: all errors but negation together, each of their kinds, and the false alarms."""
    worst = min(measured.recall([kind]) or 0.0 for kind in FACTS)
    enough = (measured.recall() or 0.0) >= RECALL and worst >= RECALL_OF_A_KIND
    return enough and measured.alarm_rate() < ALARMS


if __name__ == "__main__":
    sys.exit(main())
