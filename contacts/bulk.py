"""Many rows at once, the same way on SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import count, islice
from operator import itemgetter
from typing import Any

from sqlalchemy import ClauseElement, Dialect, Table, func, insert, select, text
from sqlalchemy.sql.compiler import SQLCompiler
from sqlmodel import Session, SQLModel

from contacts.columns import Moment

# Names the lock under which imports wait for each other in one PostgreSQL database.
_IMPORT_LOCK = 0x6E6F7469667901


def table(model: type[SQLModel]) -> Table:
    """The table of a model."""
    return SQLModel.metadata.tables[str(model.__tablename__)]


def insert_rows(session: Session, model: type[SQLModel], rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows that carry the same columns, in one statement, by the driver's own bulk call."""
    if not rows:
        return
    connection = session.connection()
    sql, order, encoders = _insert(model, connection.dialect, tuple(rows[0]))
    encoded = _encode(rows, encoders)
    connection.exec_driver_sql(sql, list(map(itemgetter(*order), encoded)) if order else encoded)


def run_many(session: Session, statement: ClauseElement, rows: Sequence[Mapping[str, Any]]) -> None:
    """Run a statement once for each row, by the driver's own bulk call.

    Args:
        session: an open session that may write.
        statement: its only bound parameters are the names in the rows.
        rows: values as the driver takes them, the same names in each.
    """
    if not rows:
        return
    connection = session.connection()
    sql, order = _compiled(statement, connection.dialect)
    connection.exec_driver_sql(sql, list(map(itemgetter(*order), rows)) if order else list(map(dict, rows)))


@lru_cache(maxsize=64)
def _compiled(statement: ClauseElement, dialect: Dialect) -> tuple[str, Sequence[str] | None]:
    """The statement, and its parameters in their order where the driver wants tuples."""
    compiled = statement.compile(dialect=dialect)
    assert isinstance(compiled, SQLCompiler)
    return str(compiled), compiled.positiontup


@lru_cache(maxsize=64)
def _insert(
    model: type[SQLModel], dialect: Dialect, names: tuple[str, ...]
) -> tuple[str, Sequence[str] | None, Mapping[str, Callable[[Any], Any]]]:
    """The statement, its columns in their order where the driver wants tuples, and how moments are written."""
    compiled = insert(table(model)).compile(dialect=dialect, column_keys=list(names))
    assert isinstance(compiled, SQLCompiler)
    moments = [
        column for column in table(model).c if column.name in names and isinstance(column.type, Moment)
    ]
    encoders = {each.name: each.type.dialect_impl(dialect).bind_processor(dialect) for each in moments}
    known = {name: encoder for name, encoder in encoders.items() if encoder}
    return str(compiled), compiled.positiontup, known


def _encode(
    rows: Sequence[Mapping[str, Any]], encoders: Mapping[str, Callable[[Any], Any]]
) -> list[dict[str, Any]]:
    """The rows as the driver takes them. The ORM would do it value by value, at twice the time of the insert."""
    once = {name: lru_cache(maxsize=256)(encoder) for name, encoder in encoders.items()}
    return [{**row, **{name: encoder(row[name]) for name, encoder in once.items()}} for row in rows]


def reserve_ids(session: Session, model: type[SQLModel], how_many: int) -> Iterator[int]:
    """Ids that no other transaction will use, in rising order.

    Call `hold_writes` first: on SQLite that is what keeps others from taking them.
    """
    if not how_many:
        return iter(())
    if is_sqlite(session):
        highest = session.execute(select(func.max(table(model).c.id))).scalar()
        return count((highest or 0) + 1)
    sequence = func.nextval(func.pg_get_serial_sequence(table(model).name, "id"))
    wanted = func.generate_series(1, how_many).table_valued("number")
    return iter(sorted(session.execute(select(sequence).select_from(wanted)).scalars()))


def reserve_block(session: Session, model: type[SQLModel], how_many: int) -> int:
    """The first of so many ids in a row that no other transaction will use; see `reserve_ids`."""
    while True:
        ids = list(islice(reserve_ids(session, model, how_many), how_many))
        # Others who take ids from the same sequence at this moment leave a gap; then these stay unused.
        if not ids or ids[-1] - ids[0] == how_many - 1:
            return ids[0] if ids else 0


def hold_writes(session: Session) -> None:
    """Let nobody else write until this transaction ends, where the database has one writer (SQLite)."""
    session.flush()
    if is_sqlite(session):
        session.execute(text("DELETE FROM contact WHERE 1 = 0"))


def hold_imports(session: Session) -> None:
    """Let no other import run until this transaction ends."""
    hold_writes(session)
    if not is_sqlite(session):
        session.execute(select(func.pg_advisory_xact_lock(_IMPORT_LOCK)))


def is_sqlite(session: Session) -> bool:
    """Whether the database has one writer, and no sequences."""
    return session.get_bind().dialect.name == "sqlite"
