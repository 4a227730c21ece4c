"""The journal: what a killed worker had in hand."""

from __future__ import annotations

import json
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from channels.contract import Outcome, Verdict
from notify.dispatch import journal
from notify.dispatch.journal import Journal


def test_an_intent_without_a_result_is_in_flight(tmp_path: Path) -> None:
    with Journal(tmp_path) as record:
        record.intent(7)
        record.intent(8)
        record.result(Outcome(8, Verdict.ACCEPTED, provider_id="SM1"))
    past = journal.read(tmp_path, record.worker)
    assert past.whole
    assert past.in_flight == {7}
    assert past.outcomes == {8: Outcome(8, Verdict.ACCEPTED, provider_id="SM1")}


def test_a_lost_journal_is_not_whole(tmp_path: Path) -> None:
    past = journal.read(tmp_path, "gone")
    assert not past.whole
    assert not past.in_flight


def test_a_journal_of_another_boot_is_not_whole_but_its_results_count(tmp_path: Path) -> None:
    with Journal(tmp_path) as record:
        record.result(Outcome(3, Verdict.ACCEPTED))
    path = tmp_path / f"{record.worker}.journal"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([json.dumps({"boot": "another"}), *lines[1:]]) + "\n")
    past = journal.read(tmp_path, record.worker)
    assert not past.whole
    assert set(past.outcomes) == {3}


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 20), st.booleans()), max_size=30), st.integers(0, 400))
def test_a_journal_cut_at_any_byte_reads_as_a_prefix_of_what_was_written(
    tmp_path_factory: object, steps: list[tuple[int, bool]], cut: int
) -> None:
    folder = tmp_path_factory.mktemp("journal")  # type: ignore[attr-defined]
    with Journal(folder) as record:
        for key, done in steps:
            record.result(Outcome(key, Verdict.ACCEPTED)) if done else record.intent(key)
    path = folder / f"{record.worker}.journal"
    raw = path.read_bytes()[: max(cut, len(path.read_bytes().split(b"\n")[0]) + 1)]
    path.write_bytes(raw)
    in_flight: set[int] = set()
    done_keys: set[int] = set()
    for key, done in steps[: raw.count(b"\n") - 1]:
        (done_keys if done else in_flight).add(key)
        (in_flight if done else done_keys).discard(key)
    past = journal.read(folder, record.worker)
    assert past.in_flight == in_flight
    assert set(past.outcomes) == done_keys
