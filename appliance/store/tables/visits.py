"""Browsers and phones: their rights, their limits, and how far they came."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, String, Table, UniqueConstraint

from appliance.store.tables.base import metadata

# Tokens of the gateway that end before their time: ``name`` is ``serial:...`` of one, or ``ticket:...`` for all of a ticket's.
token_revoked = Table(
    "token_revoked",
    metadata,
    Column("name", String, primary_key=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("revoked_by", String, nullable=False),
)

# Short codes that lead from one browser to another: ``purpose`` and ``subject`` are those of the page's token. Used once.
handover = Table(
    "handover",
    metadata,
    Column("code", String, primary_key=True),
    Column("purpose", String, nullable=False),
    Column("subject", String, nullable=False),
    Column("network", String, nullable=False),  # hotspot, or empty: where it must be typed
    Column("boot_id", String, nullable=False),
    Column("expires_boot_ms", BigInteger, nullable=False),
    UniqueConstraint("purpose", "subject"),
)

# Fixed windows of boot-time: bucket is e.g. "pin:A7". Old rows are swept.
rate = Table(
    "rate",
    metadata,
    Column("bucket", String, primary_key=True),
    Column("window", BigInteger, primary_key=True, autoincrement=False),
    Column("boot_id", String, primary_key=True),
    Column("count", Integer, nullable=False),
)

# The first 2xx answer under a key, replayed until 30 days after the event.
idempotency = Table(
    "idempotency",
    metadata,
    Column("scope", String, primary_key=True),
    Column("key", String, primary_key=True),
    Column("fingerprint", String, nullable=False),
    Column("status", Integer, nullable=False),
    Column("answer", LargeBinary, nullable=False),
    Column("keep_until_ms", BigInteger, nullable=False),
)

# How far a phone on the hotspot is past the welcome page, until ``until_boot_ms``; ``phone`` is a name derived from its DHCP lease.
hotspot_phone = Table(
    "hotspot_phone",
    metadata,
    Column("phone", String, primary_key=True),
    Column("state", String, nullable=False),
    Column("boot_id", String, nullable=False),
    Column("until_boot_ms", BigInteger, nullable=False),
)

# How far each phone came with an event (domain.experiments.STAGES, 1 = seen), in which variant of which experiment (empty: none).
visitor = Table(
    "visitor",
    metadata,
    Column("event", String, primary_key=True),
    Column("experiment", String, primary_key=True),
    Column("visitor", String, primary_key=True),
    Column("variant", String, nullable=False),
    Column("stage", Integer, nullable=False),
)

# Which visitor a hold counts for.
visit_hold = Table(
    "visit_hold",
    metadata,
    Column("hold", String, primary_key=True),
    Column("event", String, primary_key=True),
    Column("experiment", String, nullable=False),
    Column("variant", String, nullable=False),
    Column("visitor", String, nullable=False),
)
Index("visit_hold_event", visit_hold.c.event)

# How many phones reached a stage; only grows. ``told`` is what the cloud was told last.
conversion = Table(
    "conversion",
    metadata,
    Column("event", String, primary_key=True),
    Column("experiment", String, primary_key=True),
    Column("variant", String, primary_key=True),
    Column("stage", String, primary_key=True),
    Column("phones", Integer, nullable=False),
    Column("told", Integer, nullable=False, default=0),
)
