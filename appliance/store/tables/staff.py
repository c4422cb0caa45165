"""Who works here, what they signed in with, and what they did."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, String, Table

from appliance.store.tables.base import metadata

# What verifies badges of staff: public keys (hex) that signed some, and the serials of those that were lost.
badge_trust = Table(
    "badge_trust",
    metadata,
    Column("value", String, primary_key=True),
    Column("kind", String, nullable=False),  # key | revoked
)

# A badge that a lane's scanner read, for signing in on a page within a minute; ``id`` is a secret.
badge_seen = Table(
    "badge_seen",
    metadata,
    Column("lane", String, primary_key=True),
    Column("id", String, nullable=False),
    Column("text", String, nullable=False),
    Column("boot_id", String, nullable=False),
    Column("boot_ms", BigInteger, nullable=False),
)

# Passkeys that staff registered at this device: ``id`` is the credential's (base64url), ``public_key`` COSE.
passkey = Table(
    "passkey",
    metadata,
    Column("id", String, primary_key=True),
    Column("badge", String, nullable=False),
    Column("label", String, nullable=False),
    Column("public_key", LargeBinary, nullable=False),
    Column("sign_count", BigInteger, nullable=False),
    Column("made_at_ms", BigInteger, nullable=False),
    Column("used_at_ms", BigInteger),
)

# Questions asked of a passkey, each answered once; ``badge`` is who registers one, empty for a sign-in.
passkey_challenge = Table(
    "passkey_challenge",
    metadata,
    Column("sha256", String, primary_key=True),
    Column("badge", String, nullable=False),
    Column("boot_id", String, nullable=False),
    Column("expires_boot_ms", BigInteger, nullable=False),
)

staff_token = Table(
    "staff_token",
    metadata,
    Column("sha256", String, primary_key=True),
    Column("badge", String, nullable=False),
    Column("name", String, nullable=False),
    Column("boot_id", String, nullable=False),
    Column("expires_boot_ms", BigInteger, nullable=False),
    Column("training", String, nullable=False, default="", server_default=""),  # the copy it practises on
)

# Staff switches: "sale:{event_session}" open|closed, "door:{event_session}" open|closed, "way:{lane}" out.
switch = Table(
    "switch",
    metadata,
    Column("name", String, primary_key=True),
    Column("value", String, nullable=False),
    Column("changed_at_ms", BigInteger, nullable=False),
    Column("changed_by", String, nullable=False),
)

# Failed and successful sign-ins, sales, payments, comps, cancels, undos, reprints: who did what.
audit = Table(
    "audit",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("who", String, nullable=False),
    Column("action", String, nullable=False),
    Column("subject", String, nullable=False, default=""),
    Column("detail", String, nullable=False, default=""),
)
