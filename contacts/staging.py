"""Plain rows into the database by whole chunks: one load into a staging table, then one INSERT … SELECT a table.

Only rows whose addresses nobody has, in the database or in the same chunk, come this way; they need no merging,
so nothing has to be looked at row by row. What is written is what `contacts.merging` would have written.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Integer,
    MetaData,
    String,
    Table,
    bindparam,
    delete,
    exists,
    func,
    insert,
    literal,
    select,
)
from sqlalchemy.schema import CreateTable
from sqlmodel import Session

from channels.contract import AddressKind
from contacts.bulk import is_sqlite, reserve_block, table
from contacts.columns import Moment, now
from contacts.merging import Scope, refused_addresses
from contacts.models import (
    ConsentEvent,
    Contact,
    Endpoint,
    EndpointState,
    Membership,
    Subscription,
)
from contacts.plain import Plain
from contacts.reports import ImportReport
from contacts.standing import Method

_ROW = Table(
    "import_row",
    MetaData(),
    Column("n", Integer, primary_key=True, autoincrement=False),  # the row's place in the chunk
    Column("row", Integer),
    *(Column(name, String) for name in ("name", "language", "area", "groups", "phone", "mail", "mail_key")),
    Column("yes", BigInteger),
    Column("lists", BigInteger),
    Column("agreed_at", Moment),
    *(Column(name, String) for name in ("wording", "wording_language", "reference")),
    prefixes=["TEMPORARY"],
)
_COLUMNS = {AddressKind.PHONE: ("phone", "phone"), AddressKind.EMAIL: ("mail", "mail_key")}
_OURS = "given_"  # what our own parameters are called, apart from columns
_AGREED_AT = _ROW.c.keys().index("agreed_at")


class Stager:
    """Writes plain rows.

    Args:
        session: one that may write, see `contacts.bulk.hold_imports`.
        report: counts what happens.
        scope: what is the same for every row.
        channels: those of `PlainReader.channels`, with how their addresses are written.
        basis: why the city may write to these people.
    """

    def __init__(
        self,
        session: Session,
        report: ImportReport,
        scope: Scope,
        *,
        channels: dict[str, AddressKind],
        basis: str,
    ) -> None:
        self._session = session
        self._report = report
        self._scope = scope
        self._channels = channels
        self._basis = basis
        self._all_have_words = False

    def write(self, rows: Sequence[Plain], lists: Sequence[int]) -> tuple[set[int], range]:
        """Write the rows of a chunk whose addresses are new.

        Args:
            rows: plain rows, none of which shares an address with an earlier row of the chunk.
            lists: those of `PlainReader.lists`.

        Returns:
            The places in the chunk of rows that have to be merged, and the ids of the contacts made.
        """
        if not rows:
            return set(), range(0)
        self._load(rows)
        left = self._leave_known(rows)
        made = self._insert(rows, lists)
        self._session.connection().execute(delete(_ROW))
        return left, made

    def _load(self, rows: Sequence[Plain]) -> None:
        connection = self._session.connection()
        connection.execute(CreateTable(_ROW, if_not_exists=True))
        encode = Moment().dialect_impl(connection.dialect).bind_processor(connection.dialect)
        moment: Any = lru_cache(maxsize=256)(encode) if encode else (lambda value: value)
        before = _AGREED_AT - 1
        values = ((n, *row[:before], moment(row.agreed_at), *row[before + 1 :]) for n, row in enumerate(rows))
        driver: Any = connection.connection.driver_connection
        if is_sqlite(self._session):
            marks = ", ".join("?" * len(_ROW.c))
            driver.executemany(f"INSERT INTO {_ROW.name} VALUES ({marks})", values)  # noqa: S608
            return
        with driver.cursor() as cursor, cursor.copy(f"COPY {_ROW.name} FROM STDIN") as copy:
            for each in values:
                copy.write_row(each)

    def _leave_known(self, rows: Sequence[Plain]) -> set[int]:
        """Take the rows out again whose addresses somebody has, or had and said no."""
        known = {
            n for channel in self._channels for n in self._session.execute(self._known(channel)).scalars()
        }
        if self._scope.proof_key:
            known |= self._refused(rows)
        if known:
            self._session.connection().execute(delete(_ROW).where(_ROW.c.n.in_(known)))
        return known

    def _known(self, channel: str) -> Any:
        endpoint = table(Endpoint)
        key = _ROW.c[self._key_column(channel)]
        there = exists().where(endpoint.c.channel == channel, endpoint.c.address_key == key)
        return select(_ROW.c.n).where(key != "", there)

    def _key_column(self, channel: str) -> str:
        return _COLUMNS[self._channels[channel]][1]

    def _refused(self, rows: Sequence[Plain]) -> set[int]:
        found: set[int] = set()
        for channel in self._channels:
            column = Plain._fields.index(self._key_column(channel))
            asked = ((channel, str(row[column])) for row in rows if row[column])
            refused = {key for _, key in refused_addresses(self._session, self._scope.proof_key, asked)}
            found.update(n for n, row in enumerate(rows) if row[column] in refused)
        return found

    def _insert(self, rows: Sequence[Plain], lists: Sequence[int]) -> range:
        """All tables, from those that others point at to those that point."""
        size = len(rows)
        first = reserve_block(self._session, Contact, size)
        self._report.created += self._run(_people(), first=first, **self._made())
        endpoints = reserve_block(self._session, Endpoint, size * len(self._channels))
        used = [(bit, each) for bit, each in enumerate(lists) if any(row.lists >> bit & 1 for row in rows)]
        self._all_have_words = all(row.wording for row in rows)
        agreed = [pair for pair in used if pair[1] not in self._scope.exclusions]
        events = reserve_block(self._session, ConsentEvent, size * len(self._channels) * len(agreed))
        for bit, list_id in used:
            self._run(_members(), first=first, on=1 << bit, list_id=list_id, import_id=self._scope.import_id)
        for number, channel in enumerate(self._channels):
            at = {"first": first, "endpoint": endpoints + number * size}
            count = self._run(_places(self._channels[channel]), **at, channel=channel, **self._made())
            self._report.endpoints += count
            for bit, list_id in agreed:
                self._agree(number, bit, list_id, at | {"event": events})
                events += size
        return range(first, first + size)

    def _agree(self, number: int, bit: int, list_id: int, at: dict[str, int]) -> None:
        kind = list(self._channels.values())[number]
        which = {"on": 1 << bit, "agreed": 1 << number, "list_id": list_id, "basis": self._basis} | at
        about = {"actor": self._scope.actor, "import_id": self._scope.import_id, "moment": now()}
        self._report.consents += self._run(_events(kind), **which, **about)
        self._run(_subscriptions(kind), **which)
        if not self._all_have_words:
            self._report.consents_without_wording += self._execute(_wordless(kind), which).scalar_one()

    def _made(self) -> dict[str, Any]:
        return {
            "moment": self._scope.moment,
            "import_id": self._scope.import_id,
            "language": self._scope.language,
        }

    def _run(self, statement: Any, **values: Any) -> int:
        return int(self._execute(statement, values).rowcount)

    def _execute(self, statement: Any, values: dict[str, Any]) -> Any:
        given = {name: values[name.removeprefix(_OURS)] for name in _asks_for(statement)}
        counting = {"preserve_rowcount": True}
        return self._session.connection().execute(statement, given, execution_options=counting)


@lru_cache(maxsize=64)
def _asks_for(statement: Any) -> frozenset[str]:
    return frozenset(name for name in statement.compile().params if name.startswith(_OURS))


def _number(name: str) -> Any:
    return bindparam(_OURS + name, type_=Integer)


def _text(name: str) -> Any:
    return bindparam(_OURS + name, type_=String)


def _moment() -> Any:
    return bindparam(f"{_OURS}moment", type_=Moment)


@lru_cache(maxsize=1)
def _people() -> Any:
    row, moment = _ROW.c, _moment()
    values = {
        "id": row.n + _number("first"),
        "name": row.name,
        "language": func.coalesce(func.nullif(row.language, ""), _text("language")),
        "area": row.area,
        "groups": row.groups,
        "created_at": moment,
        "updated_at": moment,
        "import_id": _number("import_id"),
    }
    return _from_rows(Contact, values)


@lru_cache(maxsize=1)
def _members() -> Any:
    values = {
        "list_id": _number("list_id"),
        "contact_id": _ROW.c.n + _number("first"),
        "import_id": _number("import_id"),
    }
    return _from_rows(Membership, values, _has_bit("lists", "on"))


@lru_cache(maxsize=8)
def _places(kind: AddressKind) -> Any:
    address, key = (_ROW.c[name] for name in _COLUMNS[kind])
    values = {
        "id": _ROW.c.n + _number("endpoint"),
        "contact_id": _ROW.c.n + _number("first"),
        "channel": _text("channel"),
        "address": address,
        "address_key": key,
        "state": literal(EndpointState.USABLE.value, String),
        "state_reason": literal("", String),
        "opted_out": literal(False, Boolean),
        "held": literal("", String),
        "soft_bounces": literal(0, Integer),
        "created_at": _moment(),
        "import_id": _number("import_id"),
    }
    return _from_rows(Endpoint, values, key != "")


@lru_cache(maxsize=8)
def _events(kind: AddressKind) -> Any:
    row = _ROW.c
    values = {
        "id": row.n + _number("event"),
        "contact_id": row.n + _number("first"),
        "endpoint_id": row.n + _number("endpoint"),
        "list_id": _number("list_id"),
        "decision": literal(True, Boolean),
        "basis": _text("basis"),
        "method": literal(Method.IMPORT.value, String),
        "wording": row.wording,
        "wording_language": row.wording_language,
        "reference": row.reference,
        "actor": _text("actor"),
        "ip": literal("", String),
        "import_id": _number("import_id"),
        "at": row.agreed_at,
        "recorded_at": _moment(),
    }
    return _from_rows(ConsentEvent, values, *_agreeing(kind))


@lru_cache(maxsize=8)
def _subscriptions(kind: AddressKind) -> Any:
    values = {
        "list_id": _number("list_id"),
        "endpoint_id": _ROW.c.n + _number("endpoint"),
        "active": literal(True, Boolean),
        "basis": _text("basis"),
        "event_id": _ROW.c.n + _number("event"),
    }
    return _from_rows(Subscription, values, *_agreeing(kind))


@lru_cache(maxsize=8)
def _wordless(kind: AddressKind) -> Any:
    return select(func.count()).select_from(_ROW).where(_ROW.c.wording == "", *_agreeing(kind))


def _agreeing(kind: AddressKind) -> tuple[Any, ...]:
    """The rows with such an address that agree to be written to there, on the list in question."""
    return _ROW.c[_COLUMNS[kind][1]] != "", _has_bit("yes", "agreed"), _has_bit("lists", "on")


def _has_bit(column: str, name: str) -> Any:
    return _ROW.c[column].bitwise_and(bindparam(_OURS + name, type_=BigInteger)) != 0


def _from_rows(model: Any, values: dict[str, Any], *conditions: Any) -> Any:
    source = select(*(value.label(name) for name, value in values.items())).where(*conditions)
    return insert(table(model)).from_select(list(values), source.order_by(_ROW.c.n))
