"""Quotas, who may sell how much of them, who waits for them, and their figures over time."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Float, Index, Integer, LargeBinary, String, Table, Text

from mqtt_bridge.cloud.tables.base import metadata

# ``target`` is a lower limit that returning stock has yet to allow; ``retired`` quotas are no longer in the catalogue;
# ``frozen`` is the reason why this one grants nothing, or empty. ``kept`` tickets of the pool wait for a while for tickets that
# are being rebooked to this quota: they are not granted, and nothing else is promised by them.
quota = Table(
    "quota",
    metadata,
    Column("id", String, primary_key=True),
    Column("event_session", String, nullable=False),
    Column("name", String, nullable=False),
    Column("limit", Integer, nullable=False),
    Column("extra", Integer, nullable=False),
    Column("target", Integer),
    Column("retired", Boolean, nullable=False, default=False),
    Column("frozen", Text, nullable=False, default=""),
    Column("kept", Integer, nullable=False, server_default="0"),
    Column("kept_until_ms", BigInteger, nullable=False, server_default="0"),
    Column("released", Integer, nullable=False, default=0),
    Column("contradicted", Integer, nullable=False, default=0),
)

# The five totals, plus what was last asked of the device: ``recall_to`` is the ``returned`` total we asked for,
# ``wanted_to`` the ``granted`` total the device asked for. ``demand_*`` is what ``estimates.Demand`` remembers. ``remembered`` is
# the part of ``confirmed`` that a restored cloud knows from the broker alone.
allocation = Table(
    "allocation",
    metadata,
    Column("quota", String, primary_key=True),
    Column("device", String, primary_key=True),
    Column("epoch", BigInteger, primary_key=True, autoincrement=False),
    Column("granted", Integer, nullable=False, default=0),
    Column("confirmed", Integer, nullable=False, default=0),
    Column("returned", Integer, nullable=False, default=0),
    Column("sold", Integer, nullable=False, default=0),
    Column("cancelled", Integer, nullable=False, default=0),
    Column("held", Integer, nullable=False, default=0),
    Column("recall_to", Integer, nullable=False, default=0),
    Column("recalled_at_ms", BigInteger, nullable=False, default=0),
    Column("wanted_to", Integer, nullable=False, default=0),
    Column("wanted_at_ms", BigInteger, nullable=False, default=0),
    Column("demand_tickets", Float, nullable=False, default=0.0),
    Column("demand_hours", Float, nullable=False, default=0.0),
    Column("demand_sold", Integer, nullable=False, default=0),
    Column("demand_at_ms", BigInteger, nullable=False, default=0),
    Column("netted", Integer, nullable=False, default=0),
    Column("reclaimed", Integer, nullable=False, default=0),
    Column("known_sold", Integer, nullable=False, default=0),
    Column("known_cancelled", Integer, nullable=False, default=0),
    Column("remembered", Integer, nullable=False, default=0),
)
Index("allocation_device", allocation.c.device, allocation.c.epoch)

# Orders asked for past a device's allocation, in the order in which they arrived. ``body`` is the OrderRequested, ``private`` its
# personal part while it waits. Open ones have a row in ``asked`` per quota; what guest or operator want of them is a ``request_wish``.
request = Table(
    "request",
    metadata,
    Column("place", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("order_id", String, nullable=False, unique=True),
    Column("device", String, nullable=False),
    Column("state", String, nullable=False),  # waiting | confirmed | refused | withdrawn
    Column("refusal", String, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("private", LargeBinary),
    Column("received_at_ms", BigInteger, nullable=False),
    Column("answered_at_ms", BigInteger),
)

asked = Table(
    "asked",
    metadata,
    Column("quota", String, primary_key=True),
    Column("order_id", String, primary_key=True, index=True),
    Column("quantity", Integer, nullable=False),
)

request_wish = Table(
    "request_wish",
    metadata,
    Column("order_id", String, primary_key=True),
    Column("wish", String, primary_key=True),  # withdraw | confirm | refuse | settled
    Column("at_ms", BigInteger, nullable=False),
)

# Everybody who waits or waited: ``place`` is the order of receipt and thus of the line, ``number`` the join sequence at the
# device that answers for the entry, ``inc`` the life in which that device last told of it, ``entrusted`` the life it was told to
# take it over in. ``wishes`` is JSON. ``offered`` and ``counted``: an offer is counted once past those before it. ``passed``,
# ``rounds``: see protocol.waitlist; ``since_ms`` is since when stock is saved for it, ``sold_from`` how many tickets
# had been sold to others when ``passed`` was last counted (-1: not yet).
waitlist = Table(
    "waitlist",
    metadata,
    Column("place", Integer, primary_key=True),
    Column("entry", String, nullable=False, unique=True),
    Column("quota", String, nullable=False, index=True),
    Column("device", String, nullable=False),
    Column("inc", String, nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("quantity", Integer, nullable=False),
    Column("wishes", Text, nullable=False),
    Column("state", String, nullable=False, index=True),  # waiting | offered | taken | lapsed | left | closed
    Column("offered", Boolean, nullable=False),
    Column("counted", Boolean, nullable=False),
    Column("passed", Integer, nullable=False),
    Column("rounds", Integer, nullable=False),
    Column("since_ms", BigInteger, nullable=False),
    Column("sold_from", BigInteger, nullable=False),
    Column("entrusted", String, nullable=False),
    Column("joined_at_ms", BigInteger, nullable=False),  # the device's clock
)

# Figures minute by minute, see ``samples``: a row holds from ``at_ms`` until the next one of its subject ("quota:{id}",
# "device:{name}"). Exactly one row of a subject is not superseded.
sample = Table(
    "sample",
    metadata,
    Column("subject", String, primary_key=True),
    Column("at_ms", BigInteger, primary_key=True, autoincrement=False),
    Column("sold", Integer, nullable=False),
    Column("held", Integer, nullable=False),
    Column("free", Integer, nullable=False),
    Column("pool", Integer, nullable=False),
    Column("unsynced", Integer, nullable=False),
    Column("up", Integer, nullable=False),
    Column("superseded", Boolean, nullable=False),
)
Index("sample_newest", sample.c.superseded, sample.c.subject)
