"""A life that is over and says hello, while the present one is silent."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("device", sa.Column("older_inc", sa.String(), nullable=False, server_default=""))
    op.add_column("device", sa.Column("older_since_ms", sa.BigInteger(), nullable=False, server_default="0"))
