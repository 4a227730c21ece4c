"""Which tables point at a row: by the database's own foreign keys, whoever made the tables.

`contacts` knows nothing of deliveries, but may not take away a contact that has one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, Index, Inspector, MetaData, Table, inspect, select
from sqlmodel import Session


@dataclass(frozen=True, slots=True)
class Reference:
    """A column that points at another table's `id`."""

    table: str
    column: str
    target: str
    is_indexed: bool

    def column_object(self) -> Any:
        """The column, for a query."""
        return Table(self.table, MetaData(), Column(self.column)).c[self.column]


def references(session: Session, targets: Collection[str]) -> list[Reference]:
    """The columns of all tables in this database that point at some tables.

    Args:
        session: an open session.
        targets: names of tables.
    """
    looker = inspect(session.connection())
    return [
        Reference(name, key["constrained_columns"][0], key["referred_table"], _is_indexed(looker, name, key))
        for name in looker.get_table_names()
        for key in looker.get_foreign_keys(name)
        if key["referred_table"] in targets
    ]


def _is_indexed(looker: Inspector, table: str, key: Any) -> bool:
    """Whether the rows that point at one row are found without reading the whole table."""
    column = key["constrained_columns"][0]
    starts: list[list[str | None]] = [[*looker.get_pk_constraint(table)["constrained_columns"][:1]]]
    starts += [index["column_names"][:1] for index in looker.get_indexes(table)]
    starts += [[*unique["column_names"][:1]] for unique in looker.get_unique_constraints(table)]
    return [column] in starts


def pointed_at(session: Session, found: Sequence[Reference], ids: Sequence[int]) -> set[int]:
    """Those of some ids that one of these columns points at."""
    columns = [each.column_object() for each in found]
    return {
        number
        for column in columns
        for number in session.execute(select(column).where(column.in_(ids)).distinct()).scalars()
    }


@contextmanager
def quick_deletes(session: Session, found: Sequence[Reference]) -> Iterator[None]:
    """Index what points at rows that are to be deleted: else the database reads whole tables for each of them.

    Commits; the indexes go again at the end, or when the next one has ended.
    """
    indexes = [_index(each) for each in found if not each.is_indexed]
    for index in indexes:
        index.create(session.connection(), checkfirst=True)
    session.commit()
    yield
    for index in indexes:
        index.drop(session.connection(), checkfirst=True)
    session.commit()


def _index(found: Reference) -> Index:
    return Index(f"ix_undo_{found.table}_{found.column}", found.column_object())
