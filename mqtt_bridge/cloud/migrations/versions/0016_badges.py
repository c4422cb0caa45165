"""Badges of staff."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    op.create_table(
        "staff_badge",
        sa.Column("serial", sa.String(), primary_key=True),
        sa.Column("badge", sa.String(), nullable=False),
        sa.Column("public", sa.String(), nullable=False),
        sa.Column("issued_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("issued_by", sa.String(), nullable=False),
        sa.Column("revoked_at_ms", sa.BigInteger()),
        sa.Column("revoked_by", sa.String(), nullable=False),
    )
    op.create_index("ix_staff_badge_badge", "staff_badge", ["badge"])
