"""What a restored cloud still has to be told before it answers requests, and what it knows of them from the broker alone."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("incarnation", sa.Column("due_upto", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("allocation", sa.Column("remembered", sa.Integer(), nullable=False, server_default="0"))
