"""Going out and coming in again."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("ticket", sa.Column("left_by", sa.String()))
    op.add_column("check_in", sa.Column("way", sa.String(), nullable=False, server_default="in"))
    op.add_column("check_in", sa.Column("after", sa.String()))
