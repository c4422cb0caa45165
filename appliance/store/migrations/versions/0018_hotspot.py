"""How far phones on the hotspot are past the welcome page."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "hotspot_phone",
        sa.Column("phone", sa.String(), primary_key=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("boot_id", sa.String(), nullable=False),
        sa.Column("until_boot_ms", sa.BigInteger(), nullable=False),
    )
