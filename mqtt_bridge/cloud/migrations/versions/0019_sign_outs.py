"""Sign-ins at the console that were ended."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    op.create_table(
        "ended_sign_in",
        sa.Column("sha256", sa.String(), primary_key=True),
        sa.Column("until_ms", sa.BigInteger(), nullable=False),
    )
