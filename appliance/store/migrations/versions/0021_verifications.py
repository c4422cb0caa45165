"""Pre-enrolments: what an order still has to prove."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "verification",
        sa.Column("order", sa.String(), nullable=False),
        sa.Column("verify", sa.String(), nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("member", sa.String(), nullable=False),
        sa.Column("waits_for", sa.String(), nullable=False),
        sa.Column("news", sa.String(), nullable=False),
        sa.Column("codes", sa.Integer(), nullable=False),
        sa.Column("salt", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("tries_left", sa.Integer(), nullable=False),
        sa.Column("code_boot_id", sa.String(), nullable=False),
        sa.Column("code_until_boot_ms", sa.BigInteger(), nullable=False),
        sa.Column("refusal", sa.String(), nullable=False),
        sa.Column("decided_by", sa.String(), nullable=False),
        sa.Column("decided_at_ms", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["order"], ["orders.id"]),
        sa.PrimaryKeyConstraint("order"),
    )
    op.add_column("sms", sa.Column("purpose", sa.String(), nullable=False, server_default="ticket"))
