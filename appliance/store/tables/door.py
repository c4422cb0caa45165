"""Who came in, and what is printed, sent and photographed on the way."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Integer, LargeBinary, String, Table

from appliance.store.tables.base import metadata

# Every scan that happened at this door, whatever came of it. Never deleted, undone instead.
check_in = Table(
    "check_in",
    metadata,
    Column("id", String, primary_key=True),
    Column("code", String, nullable=False),  # readable code, or sha256 of what was scanned if it was none
    Column("ticket", String, index=True),
    Column("event_session", String),
    Column("verdict", String, nullable=False),
    Column("reason", String),
    Column("staff", String, nullable=False),
    Column("lane", String, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("undone_at_ms", BigInteger),
    Column("way", String, nullable=False, server_default="in"),  # in | out
    Column("after", String),  # the exit a re-entry follows, the admission an exit ends
)
Index("check_in_at", check_in.c.at_ms)

print_job = Table(
    "print_job",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("kind", String, nullable=False),  # stub | receipt | badge | door_list
    Column("document", LargeBinary, nullable=False),  # JSON of appliance.domain.printing
    Column("state", String, nullable=False),  # queued | sending | printed | sent | failed | ambiguous
    Column("reason", String),
    Column("attempts", Integer, nullable=False, default=0),
    Column("reprint_of", Integer),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("changed_at_ms", BigInteger, nullable=False),
    Column("printer", String, nullable=False, default="", server_default=""),  # that had it last
    Column("given_up", Boolean, nullable=False, default=False, server_default="0"),  # failed, and nobody tries again
    Column("training", Boolean, nullable=False, default=False, server_default="0"),  # made for practice
    Column("made_boot_id", String, nullable=False, default="", server_default=""),  # its age, while this boot lasts
    Column("made_boot_ms", BigInteger, nullable=False, default=0, server_default="0"),
)
Index("print_job_state", print_job.c.state, print_job.c.id)

# Text messages that guests asked for, one per order; number and text are wiped when it was sent, is old or is erased.
# ``due_boot_*``: not before. ``inc``: a copy of the card in another life sends none of them. ``reference``: the network's.
sms = Table(
    "sms",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("order", ForeignKey("orders.id"), nullable=False, unique=True),
    Column("number", String, nullable=False),
    Column("text", String, nullable=False),
    Column("state", String, nullable=False),  # queued | sending | sent | failed | ambiguous
    Column("reason", String, nullable=False, default=""),
    Column("reference", String, nullable=False, default=""),
    Column("attempts", Integer, nullable=False, default=0),
    Column("inc", String, nullable=False),
    Column("due_boot_id", String, nullable=False),
    Column("due_boot_ms", BigInteger, nullable=False),
    Column("keep_until_ms", BigInteger, nullable=False),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("changed_at_ms", BigInteger, nullable=False),
    Column("purpose", String, nullable=False, server_default="ticket"),  # ticket | code
)
Index("sms_state", sms.c.state, sms.c.id)

# Pictures of guests who agreed, one per ticket; small JPEG, and nothing of it in any message. ``keep_until_ms`` is set once the
# clock is trusted; ``left_ms`` is what was left of its life at ``left_boot_*``, counted while the device runs.
photo = Table(
    "photo",
    metadata,
    Column("id", String, primary_key=True),
    Column("ticket", String, nullable=False, unique=True),
    Column("state", String, nullable=False),  # wanted | taken | failed
    Column("reason", String, nullable=False, default=""),
    Column("staff", String, nullable=False),
    Column("asked_at_ms", BigInteger, nullable=False),
    Column("asked_boot_id", String, nullable=False),
    Column("asked_boot_ms", BigInteger, nullable=False),
    Column("taken_at_ms", BigInteger),
    Column("keep_until_ms", BigInteger),
    Column("left_ms", BigInteger, nullable=False),
    Column("left_boot_id", String, nullable=False),
    Column("left_boot_ms", BigInteger, nullable=False),
    # Last, so that nobody reads through a picture to what stands behind it. ``small`` is for lists.
    Column("small", LargeBinary),
    Column("body", LargeBinary),
)
Index("photo_state", photo.c.state, photo.c.asked_at_ms)
