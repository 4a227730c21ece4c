"""The journal: the intent to call a provider for one message, written before the call.

The ledger is written in chunks, so after a kill it does not know which rows of a chunk were handed over.
The journal does: one line before each call, one after, a file for each batch, written through a shared
mapping. A kill of the process loses nothing of it, since the pages are the kernel's. A kill of the machine
may; so the journal names the boot it was written in, and after another boot every claimed row without a
result is unknown.
"""

from __future__ import annotations

import json
import mmap
import os
import uuid
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path
from typing import Self

from pydantic_core import to_json

from channels.contract import Outcome, Verdict

_FIRST_SIZE = 1 << 16  # bytes: about 500 messages; doubled when full


def boot_id() -> str:
    """What names this boot of this machine; empty where the system does not tell."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        return ""


class Journal:
    """The journal of one batch in the hands of one worker.

    Raises:
        OSError: there is no room for it; raised before the provider is called.
    """

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.worker = uuid.uuid4().hex
        self._path = _path(directory, self.worker)
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        self._size = self._end = 0
        self._grow(_FIRST_SIZE)
        self._append(to_json({"boot": boot_id()}))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._pages.close()
        os.close(self._file)

    def intent(self, key: int) -> None:
        """The provider is about to be called for this delivery."""
        self._append(b"%d" % key)

    def result(self, outcome: Outcome) -> None:
        """This is what it said."""
        said = (outcome.key, str(outcome.verdict), outcome.provider_id, outcome.code, outcome.detail)
        self._append(to_json(said))

    def remove(self) -> None:
        """Forget it: all of it is in the ledger now."""
        self._path.unlink(missing_ok=True)

    def _append(self, line: bytes) -> None:
        end = self._end + len(line) + 1
        if end > self._size:
            self._grow(max(end, 2 * self._size))
        self._pages[self._end : end] = line + b"\n"
        self._end = end

    def _grow(self, size: int) -> None:
        # With the room on the disk taken first, a full disk is an error here and not a signal at a store.
        os.posix_fallocate(self._file, 0, size)
        self._pages, self._size = mmap.mmap(self._file, size), size


@dataclass
class Past:
    """What a worker that is no more had done with its batch."""

    whole: bool = False  # written in this boot and readable to the end: no intent is missing
    in_flight: set[int] = field(default_factory=set)  # intent, and no result
    outcomes: dict[int, Outcome] = field(default_factory=dict)


def read(directory: Path, worker: str) -> Past:
    """What a worker's journal tells; an empty and not `whole` past where the journal is lost."""
    past = Past()
    try:
        lines = _path(directory, worker).read_bytes().split(b"\n")[:-1]
    except FileNotFoundError:
        return past
    # The kill may have come in the middle of the last line: it has no end then, or a hole.
    for number, raw in enumerate(takewhile(lambda line: b"\0" not in line, lines)):
        line = json.loads(raw)
        if number == 0:
            past.whole = bool(line["boot"]) and line["boot"] == boot_id()
        elif isinstance(line, int):
            past.in_flight.add(line)
            past.outcomes.pop(line, None)
        else:
            key, verdict, *rest = line
            past.in_flight.discard(key)
            past.outcomes[key] = Outcome(key, Verdict(verdict), *rest)
    return past


def remove_all(directory: Path) -> None:
    """Forget every journal: after a recovery the ledger knows all of it."""
    for path in directory.glob("*.journal"):
        path.unlink(missing_ok=True)


def _path(directory: Path, worker: str) -> Path:
    return directory / f"{worker}.journal"
