"""How far a cloud that was lost had heard a device, as the broker still knew."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("device", sa.Column("lost_inc", sa.String(), nullable=False, server_default=""))
    op.add_column("device", sa.Column("lost_upto", sa.BigInteger(), nullable=False, server_default="0"))
