"""A city with many residents for the benches: made quickly, sent to by the real engine."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import text

from notify import staff, statements
from notify.dispatch import control, plan
from notify.dispatch.models import DispatchState
from notify.dispatch.plan import Order
from notify.hub import Hub
from notify.settings import load
from notify.staff import Role
from notify.statements import Draft, Kind, Text

AUTHOR, APPROVER = "ana@city.example", "ben@city.example"
ADDRESSES = {
    "email": "'resident' || n || '@example.org'",
    "sms": "'+1206555' || substr('0000000' || n, -7)",
    "telegram": "'' || (n + 1000)",
    "letter": "n || ' Alder St' || char(10) || 'Rivermouth WA 98578'",
}


@contextmanager
def city(channel: str, given: Mapping[str, Any], text_: Text, residents: int) -> Iterator[Hub]:
    """A hub with one channel on, an approved statement, and residents who agreed to that channel."""
    with tempfile.TemporaryDirectory() as folder:
        hub = Hub(
            load(
                state_dir=Path(folder),
                database_url=f"sqlite:///{folder}/bench.db",
                public_url="https://notify.rivermouth.example",
                city={"name": "Rivermouth", "quiet_from": None},
                **{channel: dict(given)},
            )
        )
        _people(hub, channel, residents)
        with hub.database.session() as session:
            author = staff.add(session, AUTHOR, [Role.AUTHOR])
            approver = staff.add(session, APPROVER, [Role.APPROVER])
            statement = statements.draft(session, Draft(text_, Kind.CRISIS, "en"), author)
            statements.submit(session, statement, AUTHOR)
            statements.approve(session, statement, approver)
            session.commit()
        try:
            yield hub
        finally:
            hub.database.dispose()


def _people(hub: Hub, channel: str, residents: int) -> None:
    """In SQL: an import is another bench's matter."""
    numbers = (
        f"WITH RECURSIVE number(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < {residents}) "
    )
    moment = "datetime('now')"
    with hub.database.engine.begin() as connection:
        for line in (
            f"INSERT INTO contact_list (id, name, description, created_at) VALUES (1, 'all', '', {moment})",
            "INSERT INTO contact (id, name, language, area, groups, created_at, updated_at) "
            f"{numbers} SELECT n, 'Ana Díaz ' || n, 'en', '', '', {moment}, {moment} FROM number",
            "INSERT INTO endpoint (id, contact_id, channel, address, address_key, state, state_reason, opted_out, "
            f"created_at) {numbers} SELECT n, n, '{channel}', {ADDRESSES[channel]}, {ADDRESSES[channel]}, 'usable', "
            f"'', 0, {moment} FROM number",
            "INSERT INTO consent_event (id, contact_id, endpoint_id, list_id, decision, basis, method, wording, "
            "wording_language, reference, actor, at, recorded_at) "
            f"{numbers} SELECT n, n, n, 1, 1, 'consent', 'import', '', '', '', 'bench', {moment}, {moment} FROM number",
            "INSERT INTO subscription (list_id, endpoint_id, active, basis, event_id) "
            f"{numbers} SELECT 1, n, 1, 'consent', n FROM number",
            f"INSERT INTO membership (list_id, contact_id) {numbers} SELECT 1, n FROM number",
        ):
            connection.execute(text(line))


def planned(hub: Hub, channel: str) -> int:
    """Plan and start a dispatch to everybody; returns its number."""
    with hub.database.session() as session:
        order = Order(1, None, (channel,), AUTHOR, again=True)
        dispatch = plan.plan(session, order, hub.channels, hub.renderer)
        control.start(session, dispatch, AUTHOR)
        session.commit()
        return dispatch.id or 0


async def send(hub: Hub, dispatch_id: int) -> float:
    """Send a dispatch; seconds from the first claim to the last result in the ledger."""
    async with hub.engine().running():
        start = time.perf_counter()
        while not await asyncio.to_thread(_done, hub, dispatch_id):
            await asyncio.sleep(0.02)
        return time.perf_counter() - start


def _done(hub: Hub, dispatch_id: int) -> bool:
    with hub.database.reading() as session:
        return control.find(session, dispatch_id).state == DispatchState.DONE
