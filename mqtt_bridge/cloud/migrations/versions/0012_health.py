"""What a device last said of its hardware, as it came."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("device", sa.Column("health", sa.Text(), nullable=False, server_default=""))
