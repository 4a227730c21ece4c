"""Which addresses several contacts share: a mark that the database itself keeps.

A plan asks of each address whether somebody else at it is written to already. Nearly always nobody else has it,
and the mark says so without looking. Triggers keep it, so that no way of writing can forget it. It may stay
when an address is no longer shared, which costs time and changes no answer; it is never missing.

On SQLite writers wait for each other, so a trigger sees every other row. On PostgreSQL two of them would not see
each other's rows before they commit: there every address counts as shared, and is looked up.
"""

from __future__ import annotations

from sqlalchemy import DDL, Table, event

_TWINS = "channel = NEW.channel AND address_key = NEW.address_key"
_MARK = f"""
WHEN EXISTS (SELECT 1 FROM endpoint WHERE {_TWINS} AND id <> NEW.id)
BEGIN UPDATE endpoint SET shared = TRUE WHERE {_TWINS} AND NOT shared; END
"""  # noqa: S608, of constants

# By the name of the database's kind: what makes it keep the mark from now on.
TRIGGERS = {
    "sqlite": (
        f"CREATE TRIGGER endpoint_is_shared AFTER INSERT ON endpoint {_MARK}",
        f"CREATE TRIGGER endpoint_gets_shared AFTER UPDATE OF channel, address_key ON endpoint {_MARK}",
    ),
    "postgresql": (
        "CREATE FUNCTION endpoint_may_be_shared() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN NEW.shared := TRUE; RETURN NEW; END $$",
        "CREATE TRIGGER endpoint_is_shared BEFORE INSERT ON endpoint "
        "FOR EACH ROW EXECUTE FUNCTION endpoint_may_be_shared()",
    ),
}


def keep_marked(endpoints: Table) -> None:
    """Have the triggers made wherever the table is."""
    for kind, statements in TRIGGERS.items():
        for statement in statements:
            made = DDL(statement)  # type: ignore[no-untyped-call]
            event.listen(endpoints, "after_create", made.execute_if(dialect=kind))
