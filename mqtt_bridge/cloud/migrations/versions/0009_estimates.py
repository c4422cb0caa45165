"""What demand and outages are guessed from."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.add_column("device", sa.Column("outages", sa.Float(), server_default="0", nullable=False))
    op.add_column("device", sa.Column("outage_hours", sa.Float(), server_default="0", nullable=False))
    op.add_column("device", sa.Column("down_since_ms", sa.BigInteger(), server_default="0", nullable=False))
    op.add_column("allocation", sa.Column("demand_tickets", sa.Float(), server_default="0", nullable=False))
    op.add_column("allocation", sa.Column("demand_hours", sa.Float(), server_default="0", nullable=False))
    op.add_column("allocation", sa.Column("demand_sold", sa.Integer(), server_default="0", nullable=False))
    op.add_column("allocation", sa.Column("demand_at_ms", sa.BigInteger(), server_default="0", nullable=False))
