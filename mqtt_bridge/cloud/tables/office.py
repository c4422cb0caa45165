"""What operators see and do, and what is counted."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Integer, LargeBinary, String, Table, Text, UniqueConstraint

from mqtt_bridge.cloud.tables.base import metadata

# What a person has to look at. One row per (kind, subject), counted; ``evidence`` is the message itself.
alarm = Table(
    "alarm",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("kind", String, nullable=False),
    Column("subject", String, nullable=False),
    Column("detail", Text, nullable=False),
    Column("evidence", LargeBinary),
    Column("count", Integer, nullable=False),
    Column("first_at_ms", BigInteger, nullable=False),
    Column("last_at_ms", BigInteger, nullable=False),
    UniqueConstraint("kind", "subject"),
)

operator_token = Table(
    "operator_token",
    metadata,
    Column("sha256", String, primary_key=True),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("revoked", Boolean, nullable=False, default=False),
)

# Sign-ins at the console that were ended before their time: a hash of each, until it would have ended by itself.
ended_sign_in = Table(
    "ended_sign_in",
    metadata,
    Column("sha256", String, primary_key=True),
    Column("until_ms", BigInteger, nullable=False),
)

# Sign-ins at the console, registrations, imports: who did what.
audit = Table(
    "audit",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("who", String, nullable=False),
    Column("action", String, nullable=False),
    Column("subject", String, nullable=False, default=""),
    Column("detail", Text, nullable=False, default=""),
)

# Sign-in attempts per address in fixed windows.
rate = Table(
    "rate",
    metadata,
    Column("bucket", String, primary_key=True),
    Column("window", BigInteger, primary_key=True, autoincrement=False),
    Column("count", Integer, nullable=False),
)

# How many phones reached a stage of an event, as each device counted them; only grows.
conversion = Table(
    "conversion",
    metadata,
    Column("device", String, primary_key=True),
    Column("event", String, primary_key=True),
    Column("experiment", String, primary_key=True),
    Column("variant", String, primary_key=True),
    Column("stage", String, primary_key=True),
    Column("phones", Integer, nullable=False),
    Column("counted_at_ms", BigInteger, nullable=False),
)
