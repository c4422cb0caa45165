"""Messages to devices wait unnumbered, so that no device waits for another one's; reconcilers know of each other."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "letter",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("device", sa.String(), nullable=False),
        sa.Column("origin", sa.String(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("private", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_letter_device", "letter", ["device"])
    op.create_index("device_untold", "device", ["state_at_ms"])
    op.create_table(
        "member",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("beat", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    if op.get_bind().dialect.name == "postgresql":
        op.drop_index("outbox_unacked", "outbox")
        unacked = sa.text("acked_at_ms IS NULL")
        op.create_index("outbox_unacked", "outbox", ["peer", "inc", "seq"], postgresql_where=unacked)
