"""The record of each import: where it is, so that the same command goes on after a crash, and what it did."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import select, update
from sqlmodel import Session, col

from contacts.bulk import table
from contacts.chunks import Seen
from contacts.columns import now
from contacts.models import (
    ConsentEvent,
    Contact,
    Endpoint,
    ImportFill,
    ImportRun,
    ImportState,
    Membership,
)
from contacts.values import ImportFailed, SheetProblem

_TOUCHED = (
    (Contact, Contact.id), (Endpoint, Endpoint.contact_id), (Membership, Membership.contact_id),
    (ConsentEvent, ConsentEvent.contact_id), (ImportFill, ImportFill.contact_id),
)  # fmt: skip


class RunTakenOver(ImportFailed):
    """Another process goes on with the same import; this one stops and takes nothing back."""

    def __init__(self) -> None:
        super().__init__(
            SheetProblem.BUSY,
            "Another process imports this file, or undoes it, at this moment.",
            "Let it finish; notify contacts imports shows how far it is.",
        )


def digest(path: Path, options: Mapping[str, Any]) -> str:
    """What is equal for the same bytes imported in the same way.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256")
    found.update(json.dumps(options, sort_keys=True, default=str).encode())
    return found.hexdigest()


def broken_off(session: Session, wanted: str) -> ImportRun | None:
    """The import of this digest that has begun and neither ended nor been undone."""
    query = select(ImportRun).where(
        col(ImportRun.digest) == wanted,
        col(ImportRun.state).in_([ImportState.RUNNING, ImportState.UNDOING]),
    )
    return session.execute(query.order_by(col(ImportRun.id).desc())).scalars().first()


def begin(
    session: Session,
    path: Path,
    *,
    digest: str,
    list_id: int,
    options: Mapping[str, Any],
    actor: str,
) -> ImportRun:
    """A new import. Nothing is committed."""
    run = ImportRun(
        list_id=list_id,
        file_name=path.name,
        digest=digest,
        options=dict(options),
        actor=actor,
    )
    session.add(run)
    session.flush()
    return run


def advance(
    session: Session, run_id: int, *, before: int, done: int, counts: Mapping[str, int], ended: bool = False
) -> None:
    """Write down how far an import is, in the transaction of the rows themselves.

    Args:
        session: one that may write.
        run_id: of the `ImportRun`.
        before: the last row that was done until now.
        done: the last row that is done now.
        counts: those of `ImportReport`.
        ended: the file is at its end.

    Raises:
        RunTakenOver: somebody else has gone on with it, or undoes it.
    """
    values: dict[str, Any] = {"rows_done": done, "counts": dict(counts)}
    if ended:
        values |= {"state": ImportState.DONE.value, "finished_at": now()}
    runs = table(ImportRun)
    mine = (runs.c.id == run_id, runs.c.rows_done == before, runs.c.state == ImportState.RUNNING.value)
    if session.connection().execute(update(runs).where(*mine).values(values)).rowcount != 1:
        raise RunTakenOver


def seen_before(session: Session, run_id: int) -> Seen:
    """The contacts that a broken-off import has made or changed so far."""
    seen = Seen()
    for model, contact_id in _TOUCHED:
        columns = table(model).c
        for number in session.execute(select(col(contact_id)).where(columns.import_id == run_id)).scalars():
            seen.add(number or 0)
    return seen


def every(session: Session) -> list[ImportRun]:
    """All imports, the newest first."""
    return list(session.execute(select(ImportRun).order_by(col(ImportRun.id).desc())).scalars())


def by_id(session: Session, import_id: int) -> ImportRun:
    """One import.

    Raises:
        ImportFailed: there is none of this number.
    """
    found = session.get(ImportRun, import_id)
    if found is None:
        raise ImportFailed(
            SheetProblem.NO_SUCH_IMPORT,
            f"There is no import {import_id}.",
            "notify contacts imports lists them.",
        )
    return found
