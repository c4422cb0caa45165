"""Going out and coming in again."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    op.add_column("ticket", sa.Column("exit", sa.String()))
    op.add_column("check_in", sa.Column("after", sa.String()))
