"""A join that is done in the order in which it is written."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Join
from sqlalchemy.ext.compiler import compiles


class InOrder(Join):
    """For each row of the left side, its rows of the right side.

    SQLite keeps no statistics of a young database, and may start from a million addresses to find the ten on a
    list; a CROSS JOIN is done as written (https://sqlite.org/optoverview.html). PostgreSQL knows better.
    """

    inherit_cache = True


@compiles(InOrder, "sqlite")
def _as_written(join: InOrder, compiler: Any, **options: Any) -> str:
    inside = {**options, "asfrom": True}
    left, right = (compiler.process(side, **inside) for side in (join.left, join.right))
    return f"{left} CROSS JOIN {right} ON {compiler.process(join.onclause, **options)}"
