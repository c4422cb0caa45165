"""Guest lists."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "guest",
        sa.Column("order", sa.String(), sa.ForeignKey("orders.id"), primary_key=True),
        sa.Column("event_session", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("tickets", sa.Integer(), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("added_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("added_by", sa.String(), nullable=False),
    )
    op.create_index("ix_guest_event_session", "guest", ["event_session"])
    op.create_index("ix_guest_key", "guest", ["key"])
