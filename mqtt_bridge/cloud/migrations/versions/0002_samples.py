"""Figures minute by minute, for charts, and the content of what was applied, for reading it again."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "sample",
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("sold", sa.Integer(), nullable=False),
        sa.Column("held", sa.Integer(), nullable=False),
        sa.Column("free", sa.Integer(), nullable=False),
        sa.Column("pool", sa.Integer(), nullable=False),
        sa.Column("unsynced", sa.Integer(), nullable=False),
        sa.Column("up", sa.Integer(), nullable=False),
        sa.Column("superseded", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("subject", "at_ms"),
    )
    op.create_index("sample_newest", "sample", ["superseded", "subject"])
    op.add_column("applied", sa.Column("at_ms", sa.BigInteger(), server_default="0", nullable=False))
    op.add_column("applied", sa.Column("content", sa.LargeBinary(), nullable=True))
