"""In which boot the desk last said how a device is doing, and when in it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("hardware", sa.Column("seen_boot_id", sa.String(), nullable=False, server_default=""))
    op.add_column("hardware", sa.Column("seen_boot_ms", sa.BigInteger(), nullable=False, server_default="0"))
