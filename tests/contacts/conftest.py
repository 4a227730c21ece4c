"""A real database for each test: SQLite in a file, and PostgreSQL where there is one."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import create_engine, text
from sqlmodel import Session, SQLModel

import contacts.models as models
from contacts.importing import ImportReport, import_contacts
from contacts.models import Contact, Endpoint
from notify.database import Database

TABLES = [
    SQLModel.metadata.tables[str(model.__tablename__)]
    for model in (
        models.Contact, models.Endpoint, models.ContactList, models.Membership, models.ConsentEvent,
        models.Subscription, models.ImportRun, models.ImportFill, models.PendingYes, models.Segment,
    )
]  # fmt: skip


@pytest.fixture(
    params=[
        "sqlite",
        pytest.param("postgresql", marks=[pytest.mark.slow, pytest.mark.postgres]),
    ]
)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """An empty database with the tables of contacts."""
    if request.param == "sqlite":
        database = Database(f"sqlite:///{tmp_path}/contacts.db")
        SQLModel.metadata.create_all(database.engine, tables=TABLES)
        yield database
        database.dispose()
    else:
        yield from _in_own_schema(tmp_path)


def _in_own_schema(tmp_path: Path) -> Iterator[Database]:
    url = os.environ.get("NOTIFY_TEST_POSTGRES")
    if not url:
        pytest.skip("NOTIFY_TEST_POSTGRES names no database")
    schema = f"contacts_{uuid4().hex[:12]}"
    admin = create_engine(url, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"CREATE SCHEMA {schema}"))
    separator = "&" if "?" in url else "?"
    database = Database(f"{url}{separator}options=-csearch_path%3D{schema}")
    SQLModel.metadata.create_all(database.engine, tables=TABLES)
    yield database
    database.dispose()
    with admin.connect() as connection:
        connection.execute(text(f"DROP SCHEMA {schema} CASCADE"))
    admin.dispose()


@pytest.fixture
def session(database: Database) -> Iterator[Session]:
    with database.session() as session:
        yield session


@pytest.fixture
def sheet(tmp_path: Path) -> Callable[[str], Path]:
    """Writes a CSV file; bytes as they are, text as UTF-8."""

    def write(content: str | bytes, name: str = "residents.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


@pytest.fixture
def load(session: Session, sheet: Callable[[str | bytes], Path]) -> Callable[..., ImportReport]:
    """Imports a sheet and commits it."""

    def run(content: str | bytes, **options: object) -> ImportReport:
        said = {"list_name": "News", "country": "US", "actor": "eva"} | options
        report = import_contacts(session, sheet(content), **said)  # type: ignore[arg-type]
        session.commit()
        return report

    return run


@pytest.fixture
def resident(session: Session) -> Callable[..., Endpoint]:
    """Makes a contact with one endpoint."""

    def make(channel: str = "sms", address: str = "+12025550143", **about: str) -> Endpoint:
        contact = Contact(**about)
        session.add(contact)
        session.flush()
        endpoint = Endpoint(contact_id=contact.id, channel=channel, address=address, address_key=address)
        session.add(endpoint)
        session.flush()
        return endpoint

    return make
