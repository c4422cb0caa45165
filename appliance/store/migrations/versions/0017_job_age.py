"""How old a print job is, whatever the wall clock does."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("print_job", sa.Column("made_boot_id", sa.String(), nullable=False, server_default=""))
    op.add_column("print_job", sa.Column("made_boot_ms", sa.BigInteger(), nullable=False, server_default="0"))
