"""Which printer had a job, and whether it is given up."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("print_job", sa.Column("printer", sa.String(), nullable=False, server_default=""))
    op.add_column("print_job", sa.Column("given_up", sa.Boolean(), nullable=False, server_default="0"))
    # What had failed before this release had failed for good.
    op.execute("UPDATE print_job SET given_up = 1 WHERE state = 'failed'")
