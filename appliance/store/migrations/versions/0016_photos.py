"""Photos of guests."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "photo",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("ticket", sa.String(), nullable=False, unique=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("staff", sa.String(), nullable=False),
        sa.Column("asked_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("asked_boot_id", sa.String(), nullable=False),
        sa.Column("asked_boot_ms", sa.BigInteger(), nullable=False),
        sa.Column("taken_at_ms", sa.BigInteger()),
        sa.Column("keep_until_ms", sa.BigInteger()),
        sa.Column("left_ms", sa.BigInteger(), nullable=False),
        sa.Column("left_boot_id", sa.String(), nullable=False),
        sa.Column("left_boot_ms", sa.BigInteger(), nullable=False),
        sa.Column("small", sa.LargeBinary()),
        sa.Column("body", sa.LargeBinary()),
    )
    op.create_index("photo_state", "photo", ["state", "asked_at_ms"])
