"""What is on, as imported and as operators changed it."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Integer, LargeBinary, String, Table, Text

from mqtt_bridge.cloud.tables.base import metadata

catalogue = Table(
    "catalogue",
    metadata,
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("document", LargeBinary, nullable=False),
    Column("imported_at_ms", BigInteger, nullable=False),
)

asset = Table(
    "asset",
    metadata,
    Column("sha256", String, primary_key=True),
    Column("media_type", String, nullable=False),
    Column("body", LargeBinary, nullable=False),
)

# What an operator changed about a session; laid over every imported file, see ``session_changes``.
session_change = Table(
    "session_change",
    metadata,
    Column("event_session", String, primary_key=True),
    Column("cancelled", Boolean, nullable=False),
    Column("notice", Text, nullable=False, default=""),
    Column("document", LargeBinary),  # JSON of the move, None if it was not moved
    Column("changed_at_ms", BigInteger, nullable=False),
    Column("changed_by", String, nullable=False),
)

# Print templates that an operator changed; laid over every imported file, see ``papers``. ``filed``: what the file said then.
paper_change = Table(
    "paper_change",
    metadata,
    Column("kind", String, primary_key=True),
    Column("text", Text, nullable=False),
    Column("filed", Text, nullable=False),
    Column("changed_at_ms", BigInteger, nullable=False),
    Column("changed_by", String, nullable=False),
)
