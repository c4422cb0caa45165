"""Who waits for tickets here, and which holds are their offers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("hold", sa.Column("entry", sa.String(), nullable=True))
    op.create_table(
        "waiting",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("entry", sa.String(), nullable=False),
        sa.Column("quota", sa.String(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("client", sa.String(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("contact", sa.String(), nullable=False),
        sa.Column("hold", sa.String(), nullable=True),
        sa.Column("told_inc", sa.String(), nullable=False),
        sa.Column("passed", sa.Integer(), nullable=False),
        sa.Column("rounds", sa.Integer(), nullable=False),
        sa.Column("saving_boot_id", sa.String(), nullable=True),
        sa.Column("saving_boot_ms", sa.BigInteger(), nullable=True),
        sa.Column("joined_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("ended_at_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("number"),
        sa.UniqueConstraint("entry"),
        sqlite_autoincrement=True,
    )
    op.create_index("waiting_state", "waiting", ["state", "quota"], unique=False)
    op.create_index("waiting_client", "waiting", ["client", "state"], unique=False)
    op.create_table(
        "wish",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("ticket_type", sa.String(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["number"], ["waiting.number"]),
        sa.PrimaryKeyConstraint("number", "ticket_type"),
    )
    op.create_table(
        "waitlist_line",
        sa.Column("quota", sa.String(), nullable=False),
        sa.Column("line", sa.LargeBinary(), nullable=False),
        sa.Column("longer", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("quota"),
    )
