"""Pre-enrolments: what is verified, mails, members, and who does it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"

_SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "verification",
        sa.Column("order_id", sa.String(), primary_key=True),
        sa.Column("device", sa.String(), nullable=False),
        sa.Column("verify", sa.String(), nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("language", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("waits_for", sa.String(), nullable=False),
        sa.Column("news", sa.String(), nullable=False),
        sa.Column("proven", sa.Boolean(), nullable=False),
        sa.Column("private", sa.LargeBinary()),
        sa.Column("salt", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("tries_left", sa.Integer(), nullable=False),
        sa.Column("codes", sa.Integer(), nullable=False),
        sa.Column("code_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("link_digest", sa.String(), nullable=False),
        sa.Column("standing_due_ms", sa.BigInteger(), nullable=False),
        sa.Column("standing_tries", sa.Integer(), nullable=False),
        sa.Column("refusal", sa.String(), nullable=False),
        sa.Column("decided_by", sa.String(), nullable=False),
        sa.Column("received_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("decided_at_ms", sa.BigInteger()),
    )
    op.create_index("ix_verification_link_digest", "verification", ["link_digest"])
    op.create_index("verification_state", "verification", ["state", "waits_for", "received_at_ms"])
    op.create_table(
        "verification_word",
        sa.Column("id", _SERIAL, primary_key=True),
        sa.Column("order_id", sa.String(), nullable=False),
        sa.Column("word", sa.String(), nullable=False),
        sa.Column("detail", sa.String(), nullable=False),
        sa.Column("private", sa.LargeBinary()),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "mail",
        sa.Column("id", _SERIAL, primary_key=True),
        sa.Column("order_id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("contact_digest", sa.String(), nullable=False),
        sa.Column("private", sa.LargeBinary()),
        sa.Column("due_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("changed_at_ms", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_mail_order_id", "mail", ["order_id"])
    op.create_index("mail_state", "mail", ["state", "due_at_ms"])
    op.create_index("mail_contact", "mail", ["contact_digest", "created_at_ms"])
    op.create_index("mail_changed", "mail", ["changed_at_ms"])
    op.create_table(
        "verifier_job",
        sa.Column("name", sa.String(), primary_key=True),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("since_ms", sa.BigInteger(), nullable=False),
        sa.Column("beat_ms", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "standing",
        sa.Column("number", sa.String(), primary_key=True),
        sa.Column("contact_digest", sa.String(), nullable=False),
        sa.Column("until_ms", sa.BigInteger()),
    )
