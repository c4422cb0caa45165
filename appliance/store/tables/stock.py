"""What may be sold here, what is held of it, and who waits."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Integer, LargeBinary, String, Table

from appliance.store.tables.base import metadata

# What this device may sell. ``held`` is the sum of its open holds' items, kept in the same transaction as the holds.
allocation = Table(
    "allocation",
    metadata,
    Column("quota", String, primary_key=True),
    Column("epoch", Integer, primary_key=True, autoincrement=False),
    Column("current", Boolean, nullable=False),
    Column("granted", Integer, nullable=False, default=0),
    Column("confirmed", Integer, nullable=False, default=0),
    Column("returned", Integer, nullable=False, default=0),
    Column("sold", Integer, nullable=False, default=0),
    Column("cancelled", Integer, nullable=False, default=0),
    Column("held", Integer, nullable=False, default=0),
    Column("elsewhere", Integer, nullable=False, default=0),
    Column("quota_limit", Integer, nullable=False, default=0),
    Column("as_of_ms", BigInteger, nullable=False, default=0),
    Column("wanted", Integer, nullable=False, default=0),
    Column("refused_boot_ms", BigInteger),
)

client = Table(
    "client",
    metadata,
    Column("id", String, primary_key=True),
    Column("address", String, nullable=False),
    Column("boot_id", String, nullable=False),
    Column("first_boot_ms", BigInteger, nullable=False),
)
Index("client_address", client.c.address, client.c.first_boot_ms)

hold = Table(
    "hold",
    metadata,
    Column("id", String, primary_key=True),
    Column("code", String, nullable=False, unique=True),
    Column("client", String, nullable=False),
    Column("state", String, nullable=False),  # open | confirmed | released | expired
    Column("boot_id", String, nullable=False),
    Column("placed_boot_ms", BigInteger, nullable=False),
    Column("expires_boot_ms", BigInteger, nullable=False),
    Column("life_ms", BigInteger, nullable=False),
    Column("placed_at_ms", BigInteger, nullable=False),
    Column("expires_at_ms", BigInteger, nullable=False),
    Column("channel", String, nullable=False),  # phone | desk
    Column("entry", String),  # the waitlist entry this hold is an offer for
)
Index("hold_open", hold.c.state, hold.c.expires_boot_ms)
Index("hold_client", hold.c.client, hold.c.state)

hold_item = Table(
    "hold_item",
    metadata,
    Column("hold", ForeignKey("hold.id"), primary_key=True),
    Column("ticket_type", String, primary_key=True),
    Column("quota", String, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("quantity", Integer, nullable=False),
)

# Who waits here, in the order they joined. ``number`` is the join sequence (negative: taken over from a sealed device, whose
# entries keep their places before all others). ``entry`` is a secret like a hold's id; ``contact`` is wiped at the end.
# ``told_inc`` is the incarnation that announced the entry; ``passed`` and ``rounds`` are the rule's, see protocol.waitlist.
waiting = Table(
    "waiting",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("entry", String, nullable=False, unique=True),
    Column("quota", String, nullable=False),
    Column("quantity", Integer, nullable=False),
    Column("state", String, nullable=False),  # waiting | offered | taken | lapsed | left | closed
    Column("client", String, nullable=False),
    Column("address", String, nullable=False),
    Column("contact", String, nullable=False, default=""),
    Column("hold", String),
    Column("told_inc", String, nullable=False),
    Column("passed", Integer, nullable=False, default=0),
    Column("rounds", Integer, nullable=False, default=0),
    Column("saving_boot_id", String),
    Column("saving_boot_ms", BigInteger),
    Column("joined_at_ms", BigInteger, nullable=False),
    Column("ended_at_ms", BigInteger),
    # Numbers of entries that were deleted are never used again.
    sqlite_autoincrement=True,
)
Index("waiting_state", waiting.c.state, waiting.c.quota)
Index("waiting_client", waiting.c.client, waiting.c.state)

wish = Table(
    "wish",
    metadata,
    Column("number", ForeignKey("waiting.number"), primary_key=True),
    Column("ticket_type", String, primary_key=True),
    Column("quantity", Integer, nullable=False),
)

# The waitlist of a quota as the cloud last told it: ``line`` is JSON of messages.InLine; no row where nobody waits. ``heard_*``: when.
waitlist_line = Table(
    "waitlist_line",
    metadata,
    Column("quota", String, primary_key=True),
    Column("line", LargeBinary, nullable=False),
    Column("longer", Integer, nullable=False),
    Column("heard_boot_id", String, nullable=False),
    Column("heard_boot_ms", BigInteger, nullable=False),
)
