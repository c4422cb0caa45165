"""Requests past the allocation."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "request",
        sa.Column("order", sa.String(), nullable=False),
        sa.Column("open", sa.Boolean(), nullable=False),
        sa.Column("confirmed", sa.Boolean(), nullable=False),
        sa.Column("refusal", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["order"], ["orders.id"]),
        sa.PrimaryKeyConstraint("order"),
    )
    op.create_index("request_open", "request", ["open"])
