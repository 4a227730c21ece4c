"""Alembic's entry: runs on the connection that `Database.upgrade` hands over."""

from __future__ import annotations

from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from sqlmodel import AutoString, SQLModel

from contacts.columns import Moment
from notify import tables


def _render(kind: str, found: Any, autogen: AutogenContext) -> str | Literal[False]:
    if kind == "type" and isinstance(found, Moment):
        autogen.imports.add("from contacts.columns import Moment")
        return "Moment()"
    if kind == "type" and isinstance(found, AutoString):
        return "sa.String()"
    return False


KNOWN = tables.ALL  # importing it makes every table known
context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=SQLModel.metadata,
    render_as_batch=True,
    render_item=_render,
)
with context.begin_transaction():
    context.run_migrations()
