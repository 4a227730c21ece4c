"""Planning a dispatch over a big city, beside a bare INSERT … SELECT of as many rows.

    uv run python tests/bench/bench_audience.py [--contacts 1000000] [--rounds 5] [--postgres URL] [--check]

A city with a phone for each contact (one in fifty shared), four lists, four languages, one no in twenty and a
list of people to leave out. The bare statement asks nothing: the addresses of the same people, or of as many for
a segment, with their languages, into the same table, with the same indexes, in the same run, read in the order
that is quickest. Every plan is `notify dispatch plan`'s own, with consent, duplicates, batches and reasons. Both
are committed, and cleared before the next one. Of several rounds the quickest counts, for what others do on the
machine only adds.

A segment has no limit: its filter asks every contact, the bare statement none.

On PostgreSQL the database has to be empty; it is left with the city in it.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from hub_city import APPROVER, AUTHOR
from rich.console import Console
from rich.table import Table
from sqlalchemy import event, text
from sqlmodel import Session

from contacts import segments
from notify import staff, statements
from notify.dispatch import plan
from notify.dispatch.models import Dispatch
from notify.hub import Hub
from notify.settings import load
from notify.staff import Role
from notify.statements import Draft, Kind, Text
from notify.translation.desk import approving, editing

MOST = 2.0  # times the bare statement, for everybody and for lists
MOMENT = "'2026-05-01 00:00:00'"
TEXT = Text("The library is open again", "The library is open again from Monday.", "Thank you.", ())
TRANSLATED = {
    "es": Text("La biblioteca abre de nuevo", "La biblioteca abre de nuevo desde el lunes.", "Gracias.", ()),
    "ht": Text("Bibliyotèk la louvri ankò", "Bibliyotèk la louvri ankò depi lendi.", "Mèsi.", ()),
}
SPEAKS = "CASE WHEN n % 10 < 6 THEN 'en' WHEN n % 10 < 8 THEN 'es' WHEN n % 10 = 8 THEN 'es-MX' ELSE 'ht' END"
# Which contacts are on each list, by their numbers: all, half, a third, a tenth; and the families left out.
LISTS = {"Alerts": "n > 0", "Weekly news": "n % 2 = 0", "Schools": "n % 3 = 0", "Harbor": "n % 10 = 3"}
FAMILIES = "n % 5000 = 0"
SEGMENT = 'language in (es, ht) and (area in ("Area 3", "Area 4", "Area 5") or group = elders)'
WIDE = 'language in (en, es, ht) and not area = "Area 19" and list = "Alerts"'

AUDIENCES: dict[str, tuple[str | None, tuple[str, ...]]] = {
    "everybody": (None, ()),
    "everybody, families left out": (None, ("Families",)),
    "a list of all": ("Alerts", ()),
    "a list of half": ("Weekly news", ()),
    "a list of half, families left out": ("Weekly news", ("Families",)),
    "a list of a tenth": ("Harbor", ()),
    "a segment of nearly all": ("segment:Wide", ()),
    "a segment of a tenth": ("segment:Spanish", ()),
}


def build(hub: Hub, contacts: int) -> None:
    """The city, in SQL: an import is another bench's matter."""
    numbers = (
        f"WITH RECURSIVE number(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < {contacts}) "
    )
    # Scattered, as people's numbers are: nothing near in the table is near in the index of addresses.
    phone = "'+1206' || (1000000 + CASE WHEN n % 50 = 0 THEN n - 1 ELSE n END * 1619 % 9000000)"
    lists = {**LISTS, "Families": FAMILIES}
    kinds = {name: "exclusion" if name == "Families" else "opt_in" for name in lists}
    lines = [
        "INSERT INTO contact_list (id, name, description, kind, public, join_word, titles, created_at) "
        f"VALUES ({number}, '{name}', '', '{kind}', FALSE, '', '{{}}', {MOMENT})"
        for number, (name, kind) in enumerate(kinds.items(), 1)
    ]
    lines += [
        "INSERT INTO contact (id, name, language, area, groups, created_at, updated_at) "
        f"{numbers} SELECT n, 'Ana Díaz ' || n, {SPEAKS}, 'Area ' || (n % 20), "
        f"CASE WHEN n % 7 = 0 THEN '|elders|' ELSE '' END, {MOMENT}, {MOMENT} FROM number",
        "INSERT INTO endpoint (id, contact_id, channel, address, address_key, state, state_reason, opted_out, "
        f"held, soft_bounces, created_at) {numbers} SELECT n, n, 'sms', {phone}, {phone}, 'usable', '', FALSE, "
        f"'', 0, {MOMENT} FROM number",
        "INSERT INTO consent_event (id, contact_id, endpoint_id, list_id, decision, basis, method, wording, "
        "wording_language, reference, actor, ip, at, recorded_at) "
        f"{numbers} SELECT n, n, n, 1, n % 20 <> 0, 'consent', 'import', '', '', '', 'bench', '', {MOMENT}, "
        f"{MOMENT} FROM number",
    ]
    for number, (name, who) in enumerate(lists.items(), 1):
        lines.append(
            f"INSERT INTO membership (list_id, contact_id) {numbers} SELECT {number}, n FROM number WHERE {who}"
        )
        if kinds[name] == "opt_in":
            lines.append(
                "INSERT INTO subscription (list_id, endpoint_id, active, basis, event_id) "
                f"{numbers} SELECT {number}, n, n % 20 <> 0, 'consent', n FROM number WHERE {who}"
            )
    with hub.database.engine.begin() as connection:
        for line in lines:
            connection.execute(text(line))
    if not hub.database.is_sqlite:
        with hub.database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE"))


def statement(hub: Hub) -> int:
    """An approved statement, and the segments."""
    with hub.database.session() as session:
        author = staff.add(session, AUTHOR, [Role.AUTHOR])
        approver = staff.add(session, APPROVER, [Role.APPROVER])
        kept = statements.draft(session, Draft(TEXT, Kind.CRISIS, "en"), author)
        translator = staff.add(session, "tara@city.example", [Role.TRANSLATOR])
        for language, translated in TRANSLATED.items():
            editing.set_by_hand(session, kept, language, translated, translator)
            approving.approve(session, kept, language, translator)
        statements.submit(session, kept, AUTHOR)
        statements.approve(session, kept, approver)
        segments.add(session, "Spanish", SEGMENT, actor="bench")
        segments.add(session, "Wide", WIDE, actor="bench")
        session.commit()
        return kept.id or 0


@contextmanager
def inserting(hub: Hub) -> Iterator[list[float]]:
    """Adds up the seconds of the statements that insert deliveries of a channel."""
    spent = [0.0]
    begun = [0.0]

    def before(_: object, __: object, sql: str, *___: object) -> None:
        begun[0] = time.perf_counter()

    def after(_: object, __: object, sql: str, parameters: object, *___: object) -> None:
        if sql.startswith("INSERT INTO delivery") and "no_channel" not in str(parameters):
            spent[0] += time.perf_counter() - begun[0]

    event.listen(hub.database.engine, "before_cursor_execute", before)
    event.listen(hub.database.engine, "after_cursor_execute", after)
    try:
        yield spent
    finally:
        event.remove(hub.database.engine, "before_cursor_execute", before)
        event.remove(hub.database.engine, "after_cursor_execute", after)


def planned(
    hub: Hub, statement_id: int, to: str | None, except_: tuple[str, ...]
) -> tuple[int, float, float]:
    """Rows, seconds of the INSERT … SELECT, and seconds of the whole plan."""

    def run(session: Session, dispatch: Dispatch) -> int:
        plan.fill(session, dispatch, {"sms": hub.channels["sms"]})
        return dispatch.audience

    return _measured(hub, statement_id, run, to, except_)


def bare(hub: Hub, statement_id: int, to: str | None, rows: int) -> float:
    """Seconds to insert as many rows without a question: the same people's, where a list says who they are."""
    in_order = "CROSS JOIN" if hub.database.is_sqlite else "JOIN"
    # In the order of contacts too: not by the index of their languages, which would be read first.
    source, where = "contact NOT INDEXED" if hub.database.is_sqlite else "contact", ""
    if to in LISTS:
        source = f"membership {in_order} contact ON contact.id = membership.contact_id"
        where = f"AND membership.list_id = {list(LISTS).index(to) + 1}"
    asked = (
        "INSERT INTO delivery (dispatch_id, channel, batch, contact_id, endpoint_id, language, state, "
        "reason, attempts, detail) SELECT :dispatch, 'sms', 1, contact.id, endpoint.id, contact.language, "
        f"'planned', '', 0, '' FROM {source} {in_order} endpoint ON endpoint.contact_id = contact.id "
        f"WHERE endpoint.channel = 'sms' {where} LIMIT :rows"
    )

    def run(session: Session, dispatch: Dispatch) -> int:
        session.execute(text(asked), {"dispatch": dispatch.id, "rows": rows})
        return rows

    return _measured(hub, statement_id, run)[1]


def _measured(
    hub: Hub,
    statement_id: int,
    run: Callable[[Session, Dispatch], int],
    to: str | None = None,
    except_: tuple[str, ...] = (),
) -> tuple[int, float, float]:
    with hub.database.session() as session, inserting(hub) as spent:
        meant = plan.target(session, to, except_)
        dispatch = Dispatch(
            statement_id=statement_id, revision=1, channels="sms", actor=AUTHOR, list_id=meant.list_id,
            filter=meant.filter, excluded=list(meant.excluded), again=True,
        )  # fmt: skip
        session.add(dispatch)
        session.flush()
        start = time.perf_counter()
        rows = run(session, dispatch)
        before = time.perf_counter()
        session.commit()
        end = time.perf_counter()
    _clear(hub)
    return rows, spent[0] + end - before, end - start


def _clear(hub: Hub) -> None:
    with hub.database.engine.begin() as connection:
        if hub.database.is_sqlite:
            connection.execute(text("DELETE FROM batch"))
            connection.execute(text("DELETE FROM delivery"))
        else:
            connection.execute(text("TRUNCATE delivery, batch, receipt"))


def measure(hub: Hub, statement_id: int, rounds: int, console: Console) -> dict[str, float]:
    """Print the table; returns each audience's ratio to the bare statement."""
    shown = Table(title=f"Planning on {hub.database.url.get_backend_name()}, the quickest of {rounds} rounds")
    shown.add_column("audience")
    for name in ("rows", "bare, s", "INSERT … SELECT, s", "times", "whole plan, s"):
        shown.add_column(name, justify="right")
    ratios = {}
    for name, (to, except_) in AUDIENCES.items():
        found = []
        for _ in range(rounds):
            rows, insert, whole = planned(hub, statement_id, to, except_)
            found.append((bare(hub, statement_id, to, rows), insert, whole))
        alone, insert, whole = (min(column) for column in zip(*found, strict=True))
        ratios[name] = insert / alone
        shown.add_row(
            name, f"{rows:,}", f"{alone:.2f}", f"{insert:.2f}", f"{ratios[name]:.2f}", f"{whole:.2f}"
        )
    console.print(shown)
    return ratios


def main() -> int:
    """Measure, print, and with --check fail above the limit."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--contacts", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--postgres", metavar="URL", help="an empty database, instead of SQLite")
    parser.add_argument("--check", action="store_true", help=f"exit with 1 above {MOST} times the bare one")
    options = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 110)
    with tempfile.TemporaryDirectory() as folder:
        hub = Hub(
            load(
                state_dir=Path(folder),
                database_url=options.postgres or f"sqlite:///{folder}/bench.db",
                public_url="https://notify.rivermouth.example",
                city={"name": "Rivermouth", "quiet_from": None},
                sms={"account_sid": "AC" + "0" * 32, "auth_token": "0" * 32, "from": "+12065550100"},
            )
        )
        start = time.perf_counter()
        build(hub, options.contacts)
        console.print(f"{options.contacts:,} contacts, made in {time.perf_counter() - start:.0f} s.")
        ratios = measure(hub, statement(hub), options.rounds, console)
        hub.database.dispose()
    missed = {name: ratio for name, ratio in ratios.items() if ratio > MOST and "segment" not in name}
    for name, ratio in missed.items():
        console.print(f"[red]Above the limit:[/red] {name} takes {ratio:.2f} times as long.")
    return 1 if missed and options.check else 0


if __name__ == "__main__":
    sys.exit(main())
