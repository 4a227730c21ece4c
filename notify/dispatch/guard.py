"""One engine for one database, and none that carries on from an old backup by itself."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path
from typing import Self

from sqlalchemy import Connection, text, update
from sqlmodel import Session, col

from notify import audit
from notify.database import Database
from notify.dispatch.models import Dispatch, DispatchState, Generation

NOTICED_WITHIN = 3  # seconds: a server takes a moment to see that a killed process is gone

_ADVISORY = 776402


class EngineBusy(RuntimeError):
    """Another process is already sending from this database."""


class EngineLock:
    """Held by the process that sends; the system lets go of it when that process dies, however it dies."""

    def __init__(self, database: Database, directory: Path) -> None:
        self._database = database
        self._path = directory / "engine.lock"
        self._file: int | None = None
        self._connection: Connection | None = None

    def __enter__(self) -> Self:
        taken = self._lock_file() if self._database.is_sqlite else self._lock_server()
        if not taken:
            self.__exit__()
            raise EngineBusy(
                "Another process is sending from this database (`notify run`, or a wait). Leave it to it."
            )
        return self

    def __exit__(self, *exc: object) -> None:
        if self._file is not None:
            os.close(self._file)
        if self._connection is not None:
            self._connection.invalidate()
            self._connection.close()
        self._file = self._connection = None

    def _lock_file(self) -> bool:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _lock_server(self) -> bool:
        self._connection = self._database.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        # By schema: two cities may live in one database, each with tables of its own.
        asked = text(f"SELECT pg_try_advisory_lock({_ADVISORY}, hashtext(current_schema()))")
        until = time.monotonic() + NOTICED_WITHIN
        while not self._connection.execute(asked).scalar():
            if time.monotonic() > until:
                return False
            time.sleep(0.1)
        return True


def begin_generation(session: Session, directory: Path) -> bool:
    """Count this start in the database and beside it; pause everything when the database is an older one.

    A database restored from a backup has a lower count than the file beside it, or no file at all. What it
    thinks is unsent may have been sent since, so a person has to look first (R36).

    Returns:
        Whether dispatches were paused.
    """
    path = directory / "generation"
    directory.mkdir(parents=True, exist_ok=True)
    row = session.get(Generation, 1) or Generation(number=0)
    known = int(path.read_text("ascii")) if path.exists() else 0
    restored = row.number < known or (row.number > 0 and known == 0)
    row.number = max(row.number, known) + 1
    session.add(row)
    paused = restored and _pause_all(session)
    session.flush()
    part = path.with_suffix(".part")
    part.write_text(str(row.number), "ascii")
    part.replace(path)
    return paused


def _pause_all(session: Session) -> bool:
    reason = "This database was restored or moved. Compare with the provider, then resume."
    result = session.execute(
        update(Dispatch)
        .where(col(Dispatch.state).in_([DispatchState.SENDING, DispatchState.SCHEDULED]))
        .values(state=DispatchState.PAUSED, reason=reason)
    )
    if getattr(result, "rowcount", 0):
        audit.record(session, "system", "dispatch.pause_all", "database", reason=reason)
        return True
    return False
