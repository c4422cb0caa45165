"""What a ticket was rebooked to, and what is owed back for an order."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("orders", sa.Column("refund_minor", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("ticket", sa.Column("replaced_by", sa.String(), nullable=True))
    op.create_index(op.f("ix_ticket_replaced_by"), "ticket", ["replaced_by"], unique=False)
