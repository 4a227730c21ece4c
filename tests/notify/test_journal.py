"""The journal: what a killed worker had in hand."""

from __future__ import annotations

import json
import resource
from collections import deque
from pathlib import Path

import pytest
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
    written = path.read_text()
    path.write_text(json.dumps({"boot": "another"}) + written[written.index("\n") :])
    past = journal.read(tmp_path, record.worker)
    assert not past.whole
    assert set(past.outcomes) == {3}


def test_a_line_that_the_kill_left_with_a_hole_was_not_written(tmp_path: Path) -> None:
    with Journal(tmp_path) as record:
        record.intent(7)
        record.intent(12345678)
    path = tmp_path / f"{record.worker}.journal"
    path.write_bytes(path.read_bytes().replace(b"\n12345678\n", b"\n1234\0\0\0\0\n"))
    past = journal.read(tmp_path, record.worker)
    assert past.whole
    assert past.in_flight == {7}


def test_a_journal_grows_with_its_batch(tmp_path: Path) -> None:
    with Journal(tmp_path) as record:
        for key in range(5000):
            record.intent(key)
            record.result(Outcome(key, Verdict.UNREACHABLE, detail="The provider said: " + "no " * 30))
    past = journal.read(tmp_path, record.worker)
    assert past.whole
    assert len(past.outcomes) == 5000
    assert not past.in_flight


def test_a_full_disk_is_an_error_before_the_provider_is_called(tmp_path: Path) -> None:
    most = resource.getrlimit(resource.RLIMIT_FSIZE)
    with Journal(tmp_path) as record:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, most[1]))
        try:
            with pytest.raises(OSError, match="large"):
                deque(map(record.intent, range(100_000)), maxlen=0)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, most)
    assert journal.read(tmp_path, record.worker).in_flight


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
