"""Badges of staff."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "badge_trust",
        sa.Column("value", sa.String(), primary_key=True),
        sa.Column("kind", sa.String(), nullable=False),
    )
    op.create_table(
        "badge_seen",
        sa.Column("lane", sa.String(), primary_key=True),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("boot_id", sa.String(), nullable=False),
        sa.Column("boot_ms", sa.BigInteger(), nullable=False),
    )
