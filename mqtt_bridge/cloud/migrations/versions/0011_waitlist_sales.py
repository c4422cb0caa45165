"""How many tickets had been sold to others when what passed a waitlist entry was last counted."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("waitlist", sa.Column("sold_from", sa.BigInteger(), nullable=False, server_default="-1"))
