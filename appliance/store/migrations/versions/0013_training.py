"""Practising on a copy."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("print_job", sa.Column("training", sa.Boolean(), nullable=False, server_default="0"))
    op.add_column("staff_token", sa.Column("training", sa.String(), nullable=False, server_default=""))
