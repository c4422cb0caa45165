"""Tokens that enrol a device, and the certificates that came of them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    op.create_table(
        "enrolment",
        sa.Column("token", sa.String(), primary_key=True),
        sa.Column("device", sa.String(), nullable=False),
        sa.Column("made_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("expires_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("used_at_ms", sa.BigInteger()),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("void", sa.Boolean(), nullable=False),
    )
    op.create_index("ix_enrolment_device", "enrolment", ["device"])
    op.create_table(
        "certificate",
        sa.Column("serial", sa.String(), primary_key=True),
        sa.Column("device", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("not_after_ms", sa.BigInteger(), nullable=False),
        sa.Column("issued_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("revoked_at_ms", sa.BigInteger()),
    )
    op.create_index("ix_certificate_device", "certificate", ["device"])
