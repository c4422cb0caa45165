"""Stock of a quota that waits in the pool for tickets that are being rebooked."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.add_column("quota", sa.Column("kept", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("quota", sa.Column("kept_until_ms", sa.BigInteger(), nullable=False, server_default="0"))
