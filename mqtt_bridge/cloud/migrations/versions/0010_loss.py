"""Sealed devices and their stock in doubt, and clouds put back from a backup."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    numbers = {
        "device": ("generation",),
        "quota": ("released", "contradicted"),
        "allocation": ("netted", "reclaimed", "known_sold", "known_cancelled"),
    }
    op.add_column("cloud", sa.Column("restoring", sa.Boolean(), nullable=False, server_default=sa.false()))
    for table, columns in numbers.items():
        for name in columns:
            op.add_column(table, sa.Column(name, sa.Integer(), nullable=False, server_default="0"))
    op.add_column("device", sa.Column("answered_by", sa.String(), nullable=False, server_default=""))
