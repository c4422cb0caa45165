"""What the device is and knows: its life, the catalogue, the keys of others, how its hardware is."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Integer, LargeBinary, String, Table, UniqueConstraint

from appliance.store.tables.base import metadata

# Exactly one row (id = 1). ``began`` tells why this life began. ``bound_to`` is the fingerprint of board and card; ``frozen`` = sells nothing until the cloud spoke.
# ``generation`` is that of the cloud which spoke last; ``sealed`` = the operator closed this device for good.
# ``retold_*``: how much of a venue it took over has arrived, in parts.
device = Table(
    "device",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("org", String, nullable=False),
    Column("venue", String, nullable=False),
    Column("device", String, nullable=False),
    Column("inc", String, nullable=False),
    Column("bound_to", String, nullable=False),
    Column("frozen", Boolean, nullable=False, default=False),
    Column("door", Boolean, nullable=False, default=False),
    Column("state_revision", Integer, nullable=False, default=0),
    Column("state_as_of_ms", BigInteger, nullable=False, default=0),
    Column("link_up", Boolean, nullable=False, default=False),
    Column("link_changed_at_ms", BigInteger, nullable=False, default=0),
    Column("generation", Integer, nullable=False, default=0),
    Column("sealed", Boolean, nullable=False, default=False),
    Column("retold_part", Integer, nullable=False, default=0),
    Column("retold_parts", Integer, nullable=False, default=0),
    Column("began", String, nullable=False, default=""),
)

catalogue = Table(
    "catalogue",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("document", LargeBinary, nullable=False),
)

asset = Table(
    "asset",
    metadata,
    Column("sha256", String, primary_key=True),
    Column("media_type", String, nullable=False),
    Column("body", LargeBinary, nullable=False),
)

# ``answered_by`` is the device that answers for the orders of a sealed one.
issuer_key = Table(
    "issuer_key",
    metadata,
    Column("kid", String, primary_key=True),
    Column("device", String, nullable=False),
    Column("venue", String, nullable=False),
    Column("public", String, nullable=False),
    Column("door", Boolean, nullable=False),
    Column("revoked", Boolean, nullable=False),
    Column("sealed", Boolean, nullable=False, default=False),
    Column("answered_by", String, nullable=False, default=""),
    UniqueConstraint("device", "kid"),
)

# Health of the hardware as the desk last saw it.
hardware = Table(
    "hardware",
    metadata,
    Column("name", String, primary_key=True),
    Column("state", String, nullable=False),
    Column("reason", String, nullable=False, default=""),
    Column("since_ms", BigInteger, nullable=False),
    Column("seen_at_ms", BigInteger, nullable=False),
    Column("seen_boot_id", String, nullable=False, default="", server_default=""),  # its age, while this boot lasts
    Column("seen_boot_ms", BigInteger, nullable=False, default=0, server_default="0"),
)

# What this device was asked to forget: messages that arrive later are held against it.
erasure = Table(
    "erasure",
    metadata,
    Column("id", String, primary_key=True),
    Column("order", String, nullable=False),
    Column("salt", String, nullable=False),
    Column("digest", String, nullable=False),
    Column("asked_at_ms", BigInteger, nullable=False),
)
