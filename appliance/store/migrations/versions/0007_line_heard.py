"""When the cloud last told each waitlist."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("waitlist_line", sa.Column("heard_boot_id", sa.String(), nullable=False, server_default=""))
    op.add_column("waitlist_line", sa.Column("heard_boot_ms", sa.BigInteger(), nullable=False, server_default="0"))
