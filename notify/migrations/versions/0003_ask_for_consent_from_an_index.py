"""Ask for consent from an index"""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    _replace("endpoint_id", "active", "list_id", "basis")


def downgrade() -> None:
    """Take back."""
    _replace("endpoint_id", "active")


def _replace(*columns: str) -> None:
    with op.batch_alter_table("subscription", schema=None) as batch_op:
        batch_op.drop_index("ix_subscription_endpoint")
        batch_op.create_index("ix_subscription_endpoint", list(columns), unique=False)
