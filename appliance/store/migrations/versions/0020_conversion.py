"""How far phones come with an event."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "visitor",
        sa.Column("event", sa.String(), primary_key=True),
        sa.Column("experiment", sa.String(), primary_key=True),
        sa.Column("visitor", sa.String(), primary_key=True),
        sa.Column("variant", sa.String(), nullable=False),
        sa.Column("stage", sa.Integer(), nullable=False),
    )
    op.create_table(
        "visit_hold",
        sa.Column("hold", sa.String(), primary_key=True),
        sa.Column("event", sa.String(), primary_key=True),
        sa.Column("experiment", sa.String(), nullable=False),
        sa.Column("variant", sa.String(), nullable=False),
        sa.Column("visitor", sa.String(), nullable=False),
    )
    op.create_index("visit_hold_event", "visit_hold", ["event"])
    op.create_table(
        "conversion",
        sa.Column("event", sa.String(), primary_key=True),
        sa.Column("experiment", sa.String(), primary_key=True),
        sa.Column("variant", sa.String(), primary_key=True),
        sa.Column("stage", sa.String(), primary_key=True),
        sa.Column("phones", sa.Integer(), nullable=False),
        sa.Column("told", sa.Integer(), nullable=False),
    )
