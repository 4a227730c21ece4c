"""The planted-error corpus of tests/bench/translation: a small sample here, the whole with its floors when slow."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

BENCH = str(Path(__file__).parents[1] / "bench" / "translation")


@pytest.fixture(scope="module", autouse=True)
def _bench_on_the_path() -> None:
    if BENCH not in sys.path:
        sys.path.insert(0, BENCH)


def test_a_sample_of_planted_errors_is_found() -> None:
    import planted

    sample = planted.measure(held_out=False, most=1)
    assert len(sample.planted) > 70
    assert (sample.recall() or 0.0) >= 0.95
    assert sample.alarm_rate() < planted.ALARMS


def test_the_corpus_is_the_same_in_every_run() -> None:
    import corpus
    import planting

    def made() -> list[tuple[str, str]]:
        clean = corpus.pairs(times=1)
        return [(each.kind, each.target) for each in planting.all_planted(clean, seed=1, most=2)]

    assert made() == made()


def test_no_sentence_is_in_both_parts() -> None:
    import corpus

    parts = [{pair.template for pair in corpus.pairs() if pair.held_out is part} for part in (True, False)]
    assert not parts[0] & parts[1]
    assert all(len(part) > 60 for part in parts)


@pytest.mark.slow
def test_the_floors_hold_on_the_part_that_the_checks_were_not_tuned_on() -> None:
    import planted

    measured = planted.measure(held_out=True, most=14)
    assert len(measured.planted) >= 500
    assert planted.holds(measured)
