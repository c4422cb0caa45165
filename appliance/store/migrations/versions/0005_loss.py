"""Devices that were sealed and replaced, and clouds that were restored."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("device", sa.Column("generation", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("device", sa.Column("sealed", sa.Boolean(), nullable=False, server_default=sa.false()))
    for name in ("retold_part", "retold_parts"):
        op.add_column("device", sa.Column(name, sa.Integer(), nullable=False, server_default="0"))
    op.add_column("issuer_key", sa.Column("sealed", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("issuer_key", sa.Column("answered_by", sa.String(), nullable=False, server_default=""))
