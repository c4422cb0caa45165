"""Cash-up per person and shift."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("payment", sa.Column("shift", sa.Integer()))
    op.create_index("payment_shift", "payment", ["shift"])
    op.create_table(
        "shift",
        sa.Column("number", sa.Integer(), primary_key=True),
        sa.Column("badge", sa.String(), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("float_minor", sa.BigInteger(), nullable=False),
        sa.Column("opened_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("closed_at_ms", sa.BigInteger()),
        sa.Column("closed_by", sa.String(), nullable=False),
        sa.Column("expected_minor", sa.BigInteger(), nullable=False),
        sa.Column("counted_minor", sa.BigInteger(), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("shift_open", "shift", ["badge", "closed_at_ms"])
    op.create_table(
        "shift_entry",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("shift", sa.Integer(), sa.ForeignKey("shift.number"), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("staff", sa.String(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_shift_entry_shift", "shift_entry", ["shift"])
