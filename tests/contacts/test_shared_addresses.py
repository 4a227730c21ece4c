"""The mark that somebody else has the same address: kept by the database, whoever writes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, inspect, text, update
from sqlmodel import Session, col, select

from contacts.audience import Audience, candidates
from contacts.importing import ImportReport
from contacts.models import Contact, Endpoint
from notify.database import Database, migrations

PHONE = "+12065550143"
SOMEBODY = (
    "INSERT INTO endpoint (id, contact_id, channel, address, address_key, state, state_reason, opted_out, held, "
    "soft_bounces, created_at) VALUES ({id}, {contact}, '{channel}', '{key}', '{key}', 'usable', '', FALSE, '', 0, "
    "'2026-05-01 00:00:00')"
)


def marked(session: Session) -> list[bool]:
    """By the order in which they were made."""
    return list(session.execute(select(col(Endpoint.shared)).order_by(col(Endpoint.id))).scalars())


def contacts(session: Session, number: int) -> None:
    session.add_all(Contact() for _ in range(number))
    session.commit()


def put(session: Session, id_: int, contact: int, key: str = PHONE, channel: str = "sms") -> None:
    session.execute(text(SOMEBODY.format(id=id_, contact=contact, key=key, channel=channel)))


@pytest.fixture
def exact(database: Database) -> bool:
    """Whether the database knows; else every address may be shared."""
    return database.is_sqlite


def test_an_address_is_shared_once_a_second_contact_has_it(session: Session, exact: bool) -> None:
    contacts(session, 4)
    put(session, 1, 1)
    put(session, 2, 2, "+12065550144")
    put(session, 3, 3, PHONE, "telegram")
    assert marked(session) == [not exact] * 3
    put(session, 4, 4)
    assert marked(session) == [True, not exact, not exact, True]


def test_an_address_that_becomes_another_s_is_shared(session: Session, exact: bool) -> None:
    contacts(session, 2)
    put(session, 1, 1)
    put(session, 2, 2, "+12065550144")
    assert marked(session) == [not exact] * 2
    session.execute(update(Endpoint).where(col(Endpoint.id) == 2).values(address_key=PHONE))
    assert marked(session) == [True, True]


def test_whoever_writes_an_object_cannot_take_the_mark_away(
    session: Session, resident: Callable[..., Endpoint], exact: bool
) -> None:
    one, other = resident(address=PHONE), resident(address=PHONE)
    other.held = "said no"
    session.flush()
    assert (one.shared, other.shared) == (False, False)  # as they were made
    session.expire_all()
    assert (one.shared, other.shared) == (True, True)
    alone = resident(address="+12065550144")
    session.expire_all()
    assert alone.shared is not exact


def test_an_import_is_marked_like_everything_else(
    session: Session, load: Callable[..., ImportReport], exact: bool
) -> None:
    where = "Rivermouth,WA,98101,yes"
    rows = [f"Ana,12 Alder St,{where}", f"Ben,12 Alder St,{where}", f"Cy,14 Alder St,{where}"]
    load("\n".join(["name,address1,city,state,postcode,consent", *rows]))
    assert marked(session)[:2] == [True, True]
    assert marked(session)[2] is not exact


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)  # PostgreSQL knows its tables, and chooses
def test_a_plan_starts_from_those_on_the_list(session: Session, database: Database) -> None:
    query = candidates("sms", Audience(list_id=7), {"en": "en"}, per_household=False)
    shown = str(query.compile(database.engine, compile_kwargs={"literal_binds": True}))
    steps = [row[3] for row in session.execute(text(f"EXPLAIN QUERY PLAN {shown}"))]
    assert [step.split()[1] for step in steps[:3]] == ["membership", "contact", "endpoint"]
    assert "COVERING" in steps[0]


def test_addresses_of_before_the_mark_get_it(database_url: str) -> None:
    database = Database(database_url)
    with database.engine.begin() as connection:
        command.upgrade(_over(connection), "0003")
        for number, key in enumerate((PHONE, "+12065550144", PHONE), 1):
            connection.execute(
                text(
                    "INSERT INTO contact (id, name, language, area, groups, created_at, updated_at) VALUES "
                    f"({number}, '', 'en', '', '', '2026-05-01 00:00:00', '2026-05-01 00:00:00')"
                )
            )
            connection.execute(text(SOMEBODY.format(id=number, contact=number, key=key, channel="sms")))
        command.upgrade(_over(connection), "head")
    with database.session() as session:
        assert marked(session) == [True, not database.is_sqlite, True]
        put(session, 4, 1, "+12065550144")
        assert marked(session) == [True] * 4
        session.commit()
    with database.engine.begin() as connection:
        command.downgrade(_over(connection), "0003")
        assert "shared" not in {each["name"] for each in inspect(connection).get_columns("endpoint")}
        command.upgrade(_over(connection), "head")
    database.dispose()


def _over(connection: Connection) -> Config:
    config = migrations()
    config.attributes["connection"] = connection
    return config
