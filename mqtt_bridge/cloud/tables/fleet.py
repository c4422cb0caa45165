"""The cloud itself, its devices, what they said and what is to be said to them."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Float, Index, Integer, LargeBinary, String, Table, Text

from mqtt_bridge.cloud.tables.base import metadata

# Exactly one row (id = 1), locked by operators' changes only. ``inc`` names this cloud as a sender; ``frozen`` holds the
# reason why nothing is granted at all, or is empty: whoever sets it locks every quota, so no grant is under way after that.
cloud = Table(
    "cloud",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("generation", Integer, nullable=False),
    Column("inc", String, nullable=False),
    Column("catalogue_version", Integer, nullable=False),
    Column("keys_revision", Integer, nullable=False),
    Column("frozen", Text, nullable=False),
    Column("restoring", Boolean, nullable=False, default=False),
)

# ``told_to_stop`` is the incarnation whose database went back in time. ``status_sent_ms`` is the device's own clock.
# ``outages``, ``outage_hours`` and ``down_since_ms`` are what ``estimates.Outages`` remembers.
# ``lost_*``: so many messages of that life a cloud which was lost since had received, as the broker still knew.
# ``older_*``: a life that is over goes on saying hello, and since when the present one was not heard meanwhile.
# ``state_*`` describe the DeviceState published last; ``down_upto`` is what the device's current life has acknowledged.
device = Table(
    "device",
    metadata,
    Column("name", String, primary_key=True),
    Column("venue", String, nullable=False, index=True),
    Column("status", String, nullable=False),  # registered | live | sealed
    Column("door", Boolean, nullable=False),
    Column("registered_at_ms", BigInteger, nullable=False),
    Column("inc", String),
    Column("epoch", BigInteger, nullable=False, default=0),
    Column("told_to_stop", String),
    Column("link_up", Boolean, nullable=False, default=False),
    Column("last_seen_ms", BigInteger),
    Column("status_sent_ms", BigInteger, nullable=False, default=0),
    Column("unsynced", Integer, nullable=False, default=0),
    Column("oldest_unsynced_ms", BigInteger, nullable=False, default=0),
    Column("clock_trusted", Boolean, nullable=False, default=False),
    Column("hardware", Text, nullable=False, default="{}"),
    Column("state_revision", Integer, nullable=False, default=0),
    Column("state_urgent", String, nullable=False, default=""),
    Column("state_digest", String, nullable=False, default=""),
    Column("state_at_ms", BigInteger, nullable=False, default=0),  # 0: to be told at the next look
    Column("lost_inc", String, nullable=False, default=""),
    Column("lost_upto", BigInteger, nullable=False, default=0),
    Column("outages", Float, nullable=False, default=0.0),
    Column("outage_hours", Float, nullable=False, default=0.0),
    Column("down_since_ms", BigInteger, nullable=False, default=0),
    Column("generation", Integer, nullable=False, default=0),
    Column("answered_by", String, nullable=False, default=""),
    Column("health", Text, nullable=False, default=""),  # a HardwareReport, or empty
    Column("older_inc", String, nullable=False, default=""),
    Column("older_since_ms", BigInteger, nullable=False, default=0),
)
Index("device_untold", device.c.state_at_ms)

# Every life of every device; messages of an earlier life are still facts, about its epoch. A restored cloud answers no request of
# a device before it has ``due_upto`` messages of each life: a lost cloud's answers may be among them.
incarnation = Table(
    "incarnation",
    metadata,
    Column("device", String, primary_key=True),
    Column("inc", String, primary_key=True),
    Column("epoch", BigInteger, nullable=False),
    Column("since_ms", BigInteger, nullable=False),
    Column("due_upto", BigInteger, nullable=False, default=0),
)

# The first key is pinned by the first hello, later ones are announced under an earlier one. ``retired`` keys sign nothing new.
device_key = Table(
    "device_key",
    metadata,
    Column("kid", String, primary_key=True),
    Column("device", String, nullable=False, index=True),
    Column("public", String, nullable=False),
    Column("retired", Boolean, nullable=False, default=False),
    Column("revoked", Boolean, nullable=False, default=False),
    Column("added_at_ms", BigInteger, nullable=False),
)

# Staff badges. The text of one is kept nowhere: whoever lost it gets another.
staff_badge = Table(
    "staff_badge",
    metadata,
    Column("serial", String, primary_key=True),
    Column("badge", String, nullable=False, index=True),
    Column("public", String, nullable=False),
    Column("issued_at_ms", BigInteger, nullable=False),
    Column("issued_by", String, nullable=False),
    Column("revoked_at_ms", BigInteger),
    Column("revoked_by", String, nullable=False, default=""),
)

# What was applied, message by message: tells a repetition from a second history under the same numbers. ``content`` is the
# signed part, which holds no personal data.
applied = Table(
    "applied",
    metadata,
    Column("device", String, primary_key=True),
    Column("inc", String, primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("sha256", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("content", LargeBinary),
)

# Facts that cannot be forwarded yet: ``about`` is "order:{id}" or "ticket:{id}" whose sale has not arrived,
# or "venue:{id}" that has no door.
parked = Table(
    "parked",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("about", String, nullable=False, index=True),
    Column("device", String, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("private", LargeBinary),
)

# Messages for a device, committed with what caused them; they get their numbers, and go to its outbox, one device at a time.
letter = Table(
    "letter",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("device", String, nullable=False, index=True),
    Column("origin", String, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("private", LargeBinary),
)

# Reconcilers that run; ``beat`` grows while one does, see ``members``.
member = Table(
    "member",
    metadata,
    Column("id", String, primary_key=True),
    Column("beat", BigInteger, nullable=False),
)

# Tokens that enrol a device once, as hashes. ``key`` is the SHA-256 (hex) of the public key that used it, empty before: with that key
# the device renews its certificate, with another the token is worthless. ``void``: a later token took its place.
enrolment = Table(
    "enrolment",
    metadata,
    Column("token", String, primary_key=True),
    Column("device", String, nullable=False, index=True),
    Column("made_at_ms", BigInteger, nullable=False),
    Column("expires_at_ms", BigInteger, nullable=False),
    Column("used_at_ms", BigInteger),
    Column("key", String, nullable=False, default=""),
    Column("void", Boolean, nullable=False, default=False),
)

# Every certificate that the authority gave a device; those revoked and not yet over are its revocation list.
certificate = Table(
    "certificate",
    metadata,
    Column("serial", String, primary_key=True),
    Column("device", String, nullable=False, index=True),
    Column("key", String, nullable=False),
    Column("not_after_ms", BigInteger, nullable=False),
    Column("issued_at_ms", BigInteger, nullable=False),
    Column("revoked_at_ms", BigInteger),
)
