"""What pending orders have to prove, and the mails it takes."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, LargeBinary, String, Table, Text

from mqtt_bridge.cloud.tables.base import metadata

# What orders that are or were pending have to prove. ``private`` is who is to prove it, while it waits. Of the last code and the
# last link only hashes are kept; ``code_at_ms`` is when they were mailed, by the cloud's clock.
verification = Table(
    "verification",
    metadata,
    Column("order_id", String, primary_key=True),
    Column("device", String, nullable=False),
    Column("verify", String, nullable=False),  # contact | member
    Column("channel", String, nullable=False),  # mail | sms
    Column("language", String, nullable=False),
    Column("state", String, nullable=False),  # waiting | verified | refused | ended
    Column("waits_for", String, nullable=False),  # code | standing | operator
    Column("news", String, nullable=False),
    Column("proven", Boolean, nullable=False),
    Column("private", LargeBinary),
    Column("salt", String, nullable=False),
    Column("digest", String, nullable=False),
    Column("tries_left", Integer, nullable=False),
    Column("codes", Integer, nullable=False),
    Column("code_at_ms", BigInteger, nullable=False),
    Column("link_digest", String, nullable=False, index=True),
    Column("standing_due_ms", BigInteger, nullable=False),
    Column("standing_tries", Integer, nullable=False),
    Column("refusal", String, nullable=False),
    Column("decided_by", String, nullable=False),
    Column("received_at_ms", BigInteger, nullable=False),
    Column("decided_at_ms", BigInteger),
)
Index("verification_state", verification.c.state, verification.c.waits_for, verification.c.received_at_ms)

# What was said of them since the verifier looked last, in this order; ``verdicts`` lists the words. A link's has no order.
verification_word = Table(
    "verification_word",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("order_id", String, nullable=False),
    Column("word", String, nullable=False),
    Column("detail", String, nullable=False),
    Column("private", LargeBinary),
    Column("at_ms", BigInteger, nullable=False),
)

# Mails to guests, one under way at a time. ``private`` says to whom and is wiped with the end; ``contact_digest`` counts by contact.
mail = Table(
    "mail",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("order_id", String, nullable=False, index=True),
    Column("kind", String, nullable=False),  # code | verified | refused
    Column("state", String, nullable=False),  # queued | sending | sent | failed | ambiguous
    Column("reason", String, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("contact_digest", String, nullable=False),
    Column("private", LargeBinary),
    Column("due_at_ms", BigInteger, nullable=False),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("changed_at_ms", BigInteger, nullable=False),
)
Index("mail_state", mail.c.state, mail.c.due_at_ms)
Index("mail_contact", mail.c.contact_digest, mail.c.created_at_ms)
Index("mail_changed", mail.c.changed_at_ms)

# The verifier's jobs: who does them at the moment, and how they are.
verifier_job = Table(
    "verifier_job",
    metadata,
    Column("name", String, primary_key=True),  # verdicts | mail | standing
    Column("owner", String, nullable=False),
    Column("state", String, nullable=False),  # off | idle | busy | trouble
    Column("reason", Text, nullable=False),
    Column("since_ms", BigInteger, nullable=False),
    Column("beat_ms", BigInteger, nullable=False),
)

# Who is a member, as the operator imported it: numbers, and a salted hash of the contact where the list has one.
standing = Table(
    "standing",
    metadata,
    Column("number", String, primary_key=True),
    Column("contact_digest", String, nullable=False),
    Column("until_ms", BigInteger),
)
