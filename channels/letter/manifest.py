"""The papers that go with a print file: what is in it, what is not, and which letters were ever written.

A set of files shares a stem, `D7_us-10_001_of_003`:

    <stem>.pdf              the letters, nothing else
    <stem>_cover.pdf        the cover sheet
    <stem>_totals.csv       one row to reconcile by
    <stem>_exceptions.csv   the letters that are not in the file, if any, and why
    <stem>.csv              the manifest: one row for each letter

The manifest is renamed into place last. Where it is, the set is whole, and its letters count as handed over;
where it is not, nothing was. The mail house may take the PDF away and leave the manifest.
"""

from __future__ import annotations

import csv
import io
import os
import re
from array import array
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from channels.letter.addresses import MOST
from channels.letter.codes import code
from channels.letter.compose import Body
from channels.letter.recipients import Addressed, Letter, Problem

_ADDRESS = tuple(f"addr_{number}" for number in range(1, MOST + 1))
COLUMNS = (
    *(
        "job_id",
        "batch_file",
        "file_sha256",
        "seq_in_file",
        "first_page",
        "pages",
        "sheets",
        "duplex",
        "letter_id",
    ),
    *("household_id", "languages", "page_size", "profile", "envelope", "postage_class"),
    *_ADDRESS,
    *("postcode", "country", "template_version", "body_sha256", "return_code"),
)
EXCEPTION_COLUMNS = ("job_id", "letter_id", "verdict", "reason", "name", *_ADDRESS)

_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # how a cell begins that a spreadsheet would run
_SAFE_REFERENCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")


def table(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> bytes:
    """A CSV file that spreadsheets open as it is meant: UTF-8 with its mark, and no cell that they would run."""
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, restval="")
    writer.writeheader()
    writer.writerows({name: _cell(value) for name, value in row.items()} for row in rows)
    return out.getvalue().encode("utf-8-sig")


def _cell(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def address_cells(lines: Sequence[str]) -> dict[str, str]:
    """An address over its columns; what is beyond them stays in the last."""
    kept = [*lines[: MOST - 1], " / ".join(lines[MOST - 1 :])]
    return dict(zip(_ADDRESS, kept, strict=False))


def row(
    job: str, file: str, letter: Addressed, bodies: Sequence[Body], place: Mapping[str, Any]
) -> dict[str, Any]:
    """A letter's row. `place` says where it is in the file, and what is the same for all."""
    used = [bodies[words.body] for words in letter.words]
    return {
        "job_id": job,
        "batch_file": file,
        "letter_id": letter.key,
        "return_code": code(letter.key),
        "household_id": sha256(letter.household.encode()).hexdigest()[:12],
        "languages": "+".join(body.language for body in used),
        "page_size": used[0].profile.paper,
        "profile": used[0].profile.name,
        "envelope": used[0].profile.label,
        **address_cells(letter.lines),
        "postcode": letter.place.postcode,
        "country": letter.place.country,
        "template_version": used[0].template_version,
        "body_sha256": "+".join(body.digest for body in used),
        **place,
    }


def exception_rows(job: str, problems: Sequence[Problem], letters: Iterable[Letter]) -> list[dict[str, Any]]:
    """A row for each letter that is not printed, with the address for staff to put right."""
    sent = {letter.key: letter for letter in letters}
    return [
        {
            "job_id": job,
            "letter_id": problem.key,
            "verdict": problem.verdict.value,
            "reason": problem.reason,
            "name": " / ".join(sent[problem.key].name.split("\n")),
            **address_cells(sent[problem.key].address.split("\n")),
        }
        for problem in sorted(problems, key=lambda problem: problem.key)
    ]


class Outbox:
    """The folder that the mail house takes letters from: a folder for each job in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def job(self, reference: str) -> Path:
        """The folder of one dispatch.

        Raises:
            ValueError: the reference cannot be a folder's name.
        """
        if not _SAFE_REFERENCE.fullmatch(reference):
            raise ValueError("A dispatch's reference is letters, digits, dots, hyphens and underscores.")
        return self.folder / reference

    def written(self, reference: str, keys: Collection[int]) -> dict[int, str]:
        """Which of these letters of a job were handed over: `file#sequence` by key."""
        handed_over = _handed_over(self.job(reference).glob("*.csv"))
        return {key: place for key, place in handed_over if key in keys}

    def find(self, key: int, since: float) -> str | None:
        """Where a letter is, in any job whose manifest was written after a time (seconds since 1970)."""
        for path in _manifests(self.folder.glob("*/*.csv")):
            modified, size = _version(path)
            if modified >= since * 1e9 and key in (keys := _keys(path, modified, size)):
                return _place(path, keys.index(key) + 1)
        return None

    def refused(self, reference: str) -> set[int]:
        """Letters of a job that are on a list of exceptions."""
        lists = self.job(reference).glob("*_exceptions.csv")
        return {key for path in lists for key in _keys(path, *_version(path))}

    def stem(self, reference: str, profile: str, number: int, total: int) -> str:
        """A free name for a set of files: that of the batch, with `-2` and so on where it is taken."""
        first = f"{reference}_{profile}_{number:03}_of_{total:03}"
        taken = {path.stem for path in _manifests(self.job(reference).glob("*.csv"))}
        names = (first if turn == 1 else f"{first}-{turn}" for turn in range(1, len(taken) + 2))
        return next(name for name in names if name not in taken)


def _manifests(paths: Iterable[Path]) -> Iterator[Path]:
    return (path for path in sorted(paths) if not path.stem.endswith(("_totals", "_exceptions")))


def _handed_over(paths: Iterable[Path]) -> Iterator[tuple[int, str]]:
    for path in _manifests(paths):
        for sequence, key in enumerate(_keys(path, *_version(path)), start=1):
            yield key, _place(path, sequence)


def _place(manifest: Path, sequence: int) -> str:
    return f"{manifest.stem}.pdf#{sequence}"


def _version(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_mtime_ns, found.st_size


@lru_cache(maxsize=4096)
def _keys(path: Path, modified: int, size: int) -> array[int]:  # noqa: ARG001 - a changed file is another one
    """The letters of a manifest or list of exceptions, in its order; eight bytes each."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        return array("q", (int(found["letter_id"]) for found in csv.DictReader(file)))


def write_set(folder: Path, stem: str, files: Mapping[str, bytes]) -> None:
    """Put a set of files into a job's folder so that it is there whole, or not at all.

    Args:
        folder: made if need be, for its owner only, since addresses are personal data.
        stem: what the names begin with.
        files: content by what the names end with; the manifest (`.csv`) last.

    Raises:
        OSError: the folder cannot be written; the manifest is not there then.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for stale in folder.glob(f"{stem}[._]*"):
        stale.unlink()
    parts = {folder / f"{stem}{end}": folder / f"{stem}{end}.part" for end in files}
    for part, data in zip(parts.values(), files.values(), strict=True):
        _write_private(part, data)
    *others, manifest = parts.items()
    for group in (others, [manifest]):
        for path, part in group:
            part.replace(path)
        _sync(folder)


def _write_private(path: Path, data: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    """Make the renames last: a folder is a file of names."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
