"""Tokens that were revoked, short codes between browsers, and which order took another's place."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "token_revoked",
        sa.Column("name", sa.String(), primary_key=True),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("revoked_by", sa.String(), nullable=False),
    )
    op.create_table(
        "handover",
        sa.Column("code", sa.String(), primary_key=True),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("network", sa.String(), nullable=False),
        sa.Column("boot_id", sa.String(), nullable=False),
        sa.Column("expires_boot_ms", sa.BigInteger(), nullable=False),
        sa.UniqueConstraint("purpose", "subject"),
    )
    op.add_column("orders", sa.Column("changed_to", sa.String()))
