"""Orders, tickets and money as devices told them, and what is wrong with them."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, String, Table, Text, UniqueConstraint

from mqtt_bridge.cloud.tables.base import metadata

# Orders, tickets, payments and check-ins as the devices told them. Names and contacts are not kept here.
order = Table(
    "orders",
    metadata,
    Column("id", String, primary_key=True),
    Column("code", String, nullable=False, index=True),
    Column("issuer", String, nullable=False),
    Column("status", String, nullable=False),  # pending | confirmed | refused | cancel_pending | cancelled
    Column("payment", String, nullable=False),  # promised | paid
    Column("sold_by", String, nullable=False),
    Column("confirmed_at_ms", BigInteger, nullable=False),
)

ticket = Table(
    "ticket",
    metadata,
    Column("id", String, primary_key=True),
    Column("order_id", String, nullable=False, index=True),
    Column("code", String, nullable=False),
    Column("ticket_type", String, nullable=False, index=True),
    Column("event_session", String, nullable=False, index=True),
    Column("quota", String, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("price_minor", BigInteger, nullable=False),
    Column("currency", String, nullable=False),
    Column("state", String, nullable=False),  # valid | voided | cancelled
    Column("check_in", String),  # the admission that counts
    Column("replaced_by", String),  # the ticket it was rebooked to
    Column("exit", String),  # the scan on the way out since which its holder is outside
)

payment = Table(
    "payment",
    metadata,
    Column("id", String, primary_key=True),
    Column("order_id", String, nullable=False, index=True),
    Column("device", String, nullable=False),
    Column("method", String, nullable=False),
    Column("amount_minor", BigInteger, nullable=False),
    Column("currency", String, nullable=False),
    Column("staff", String, nullable=False),
    Column("paid", Boolean, nullable=False),
)

check_in = Table(
    "check_in",
    metadata,
    Column("id", String, primary_key=True),
    Column("device", String, nullable=False),
    Column("verdict", String, nullable=False),
    Column("reason", String),
    Column("ticket", String, index=True),
    Column("event_session", String),
    Column("staff", String, nullable=False),
    Column("at_ms", BigInteger, nullable=False),  # the device's clock
    Column("undone", Boolean, nullable=False, default=False),
    Column("after", String),  # the exit a re-entry follows, the admission an exit ends
)

# Tickets or orders that cannot all be right, worked through by a person (or by rule): one row per (kind, subject), see
# ``contradictions``. ``tickets`` is a JSON list of ids, ``remedy`` and ``outcome`` say what was done about it.
contradiction = Table(
    "contradiction",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("kind", String, nullable=False),
    Column("subject", String, nullable=False),
    Column("detail", Text, nullable=False),
    Column("order_id", String, nullable=False, default="", index=True),
    Column("event_session", String, nullable=False, default=""),
    Column("tickets", Text, nullable=False, default="[]"),
    Column("state", String, nullable=False),  # open | resolved | dismissed
    Column("remedy", String, nullable=False, default=""),
    Column("outcome", Text, nullable=False, default=""),
    Column("decided_by", String, nullable=False, default=""),
    Column("decided_at_ms", BigInteger, nullable=False, default=0),
    Column("count", Integer, nullable=False),
    Column("first_at_ms", BigInteger, nullable=False),
    Column("last_at_ms", BigInteger, nullable=False),
    UniqueConstraint("kind", "subject"),
)
Index("contradiction_state", contradiction.c.state, contradiction.c.kind, contradiction.c.event_session)

# The remedy that an operator chose for every contradiction of a kind; no row: a person decides each.
remedy_rule = Table(
    "remedy_rule",
    metadata,
    Column("kind", String, primary_key=True),
    Column("remedy", String, nullable=False),
    Column("set_at_ms", BigInteger, nullable=False),
    Column("set_by", String, nullable=False),
)

# What is paid back for a withdrawn ticket; ``owed`` once its door has voided it, or at once where the session is cancelled.
refund = Table(
    "refund",
    metadata,
    Column("ticket", String, primary_key=True),
    Column("order_id", String, nullable=False, index=True),
    Column("amount_minor", BigInteger, nullable=False),
    Column("currency", String, nullable=False),
    Column("owed", Boolean, nullable=False),
    Column("since_ms", BigInteger, nullable=False),
)

# Requests to forget a person: an order, or a contact as a salted hash; and what each device that was asked has done.
erasure = Table(
    "erasure",
    metadata,
    Column("id", String, primary_key=True),
    Column("order", String, nullable=False),
    Column("salt", String, nullable=False),
    Column("digest", String, nullable=False),
    Column("asked_at_ms", BigInteger, nullable=False),
)

erasure_device = Table(
    "erasure_device",
    metadata,
    Column("erasure", String, primary_key=True),
    Column("device", String, primary_key=True),
    Column("orders", Integer),
    Column("done_at_ms", BigInteger),
)
