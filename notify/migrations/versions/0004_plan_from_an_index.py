"""Mark the addresses that several contacts share, and plan from an index"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from contacts.sharing import TRIGGERS

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_ENDPOINT = sa.table("endpoint", *map(sa.column, ("channel", "address_key", "shared")))


def upgrade() -> None:
    """Apply."""
    op.add_column("endpoint", sa.Column("shared", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.execute(sa.update(_ENDPOINT).where(_may_be_shared()).values(shared=sa.true()))
    for statement in TRIGGERS[op.get_bind().dialect.name]:
        op.execute(statement)
    op.drop_index("ix_endpoint_contact_channel", "endpoint")
    asked = ["contact_id", "channel", "state", "opted_out", "held", "shared"]
    op.create_index("ix_endpoint_contact", "endpoint", asked)


def downgrade() -> None:
    """Take back."""
    op.drop_index("ix_endpoint_contact", "endpoint")
    op.create_index("ix_endpoint_contact_channel", "endpoint", ["contact_id", "channel"])
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP TRIGGER endpoint_is_shared ON endpoint")
        op.execute("DROP FUNCTION endpoint_may_be_shared")
    else:
        op.execute("DROP TRIGGER endpoint_is_shared")
        op.execute("DROP TRIGGER endpoint_gets_shared")
    op.drop_column("endpoint", "shared")


def _may_be_shared() -> sa.ColumnElement[bool]:
    if op.get_bind().dialect.name == "postgresql":
        return sa.true()
    one = _ENDPOINT.alias()
    several = sa.select(one.c.channel, one.c.address_key).group_by(one.c.channel, one.c.address_key)
    return sa.tuple_(_ENDPOINT.c.channel, _ENDPOINT.c.address_key).in_(several.having(sa.func.count() > 1))
