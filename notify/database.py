"""The database: SQLite for one machine, PostgreSQL for several, the same SQL for both."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, Integer, create_engine, event, make_url, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.functions import FunctionElement
from sqlmodel import Session

from contacts.bulk import is_sqlite


class DatabaseUnavailable(RuntimeError):
    """The database cannot be reached or opened; the message names the cure."""


class _RunningNumber(FunctionElement[int]):
    """A number for each row, one more than for the row before."""

    type = Integer()
    inherit_cache = True


@compiles(_RunningNumber)
def _by_a_window(*_: Any, **__: Any) -> str:
    return "row_number() OVER ()"


@compiles(_RunningNumber, "sqlite")
def _by_a_counter(*_: Any, **__: Any) -> str:
    # A window keeps every row before it numbers the first; a counter of the connection keeps none.
    return "running_number()"


def counting(session: Session) -> ColumnElement[int]:
    """1, 2, 3 … for the rows of the next statement, in the order in which they come."""
    number = _RunningNumber()
    return number - session.execute(select(number)).scalar_one() if is_sqlite(session) else number


class Database:
    """Sessions that write, and sessions that only read.

    On SQLite a writing session takes the write lock when it begins: two writers wait for each other instead
    of failing half-way, and readers wait for nobody.
    """

    def __init__(self, url: str) -> None:
        self.url = make_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        if self.is_sqlite and self.url.database:
            Path(self.url.database).parent.mkdir(parents=True, exist_ok=True)
        options: dict[str, Any] = (
            {"connect_args": {"timeout": 60}} if self.is_sqlite else {"pool_pre_ping": True}
        )
        # An error's text must not quote residents' addresses.
        self.engine: Engine = create_engine(self.url, hide_parameters=True, **options)
        if self.is_sqlite:
            event.listen(self.engine, "connect", _prepare_sqlite)
            event.listen(self.engine, "begin", _begin_sqlite)
        self.reader = self.engine.execution_options(reads_only=True)

    def session(self) -> Session:
        """A session that may write; commit it."""
        return Session(self.engine, expire_on_commit=False)

    def reading(self) -> Session:
        """A session that only reads."""
        return Session(self.reader, expire_on_commit=False)

    def upgrade(self) -> None:
        """Bring the tables to the newest revision.

        Raises:
            DatabaseUnavailable: it cannot be reached or opened.
        """
        try:
            with self.engine.begin() as connection:
                config = migrations()
                config.attributes["connection"] = connection
                command.upgrade(config, "head")
        except OperationalError as error:
            shown = self.url.render_as_string(hide_password=True)
            raise DatabaseUnavailable(
                f"The database {shown} cannot be used: {str(error.orig).strip()}. "
                "Check NOTIFY_DATABASE_URL and that the server runs."
            ) from None

    def dispose(self) -> None:
        """Close every connection."""
        self.engine.dispose()


def migrations() -> Config:
    """Alembic's configuration, without a file."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    # A claim that a power cut forgets would send a message twice, so every commit reaches the disk.
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute("PRAGMA cache_size=-8000")  # kB, for each connection
    cursor.close()
    connection.create_function("running_number", 0, itertools.count(1).__next__)


def _begin_sqlite(connection: Connection) -> None:
    reads_only = connection.get_execution_options().get("reads_only")
    connection.exec_driver_sql("BEGIN" if reads_only else "BEGIN IMMEDIATE")
