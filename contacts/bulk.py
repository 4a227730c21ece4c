"""Many rows at once, the same way on SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from typing import Any

from sqlalchemy import Table, func, insert, select, text
from sqlmodel import Session, SQLModel

# Names the lock under which imports wait for each other in one PostgreSQL database.
_IMPORT_LOCK = 0x6E6F7469667901


def table(model: type[SQLModel]) -> Table:
    """The table of a model."""
    return SQLModel.metadata.tables[str(model.__tablename__)]


def insert_rows(session: Session, model: type[SQLModel], rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows that carry every column, in one statement."""
    if rows:
        session.execute(insert(table(model)), list(rows))


def reserve_ids(session: Session, model: type[SQLModel], how_many: int) -> Iterator[int]:
    """Ids that no other transaction will use, in rising order.

    Call `hold_writes` first: on SQLite that is what keeps others from taking them.
    """
    if not how_many:
        return iter(())
    if _is_sqlite(session):
        highest = session.execute(select(func.max(table(model).c.id))).scalar()
        return count((highest or 0) + 1)
    sequence = func.nextval(func.pg_get_serial_sequence(table(model).name, "id"))
    wanted = func.generate_series(1, how_many).table_valued("number")
    return iter(sorted(session.execute(select(sequence).select_from(wanted)).scalars()))


def hold_writes(session: Session) -> None:
    """Let nobody else write until this transaction ends, where the database has one writer (SQLite)."""
    session.flush()
    if _is_sqlite(session):
        session.execute(text("DELETE FROM contact WHERE 1 = 0"))


def hold_imports(session: Session) -> None:
    """Let no other import run until this transaction ends."""
    hold_writes(session)
    if not _is_sqlite(session):
        session.execute(select(func.pg_advisory_xact_lock(_IMPORT_LOCK)))


def _is_sqlite(session: Session) -> bool:
    return session.get_bind().dialect.name == "sqlite"
