"""Tables of the cloud. Mailbox tables come from ``mqtt_bridge.mailbox`` and share the database.

The pool of a quota is nowhere stored: it is ``limit + extra - sum(granted - returned + confirmed)`` over its allocations.
Times are the cloud's wall clock in ms unless the column says whose they are; no time ever moves stock.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData()

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

# ``told_to_stop`` is the incarnation whose database went back in time. ``status_sent_ms`` is the device's own clock.
# ``outages``, ``outage_hours`` and ``down_since_ms`` are what ``estimates.Outages`` remembers.
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
    Column("outages", Float, nullable=False, default=0.0),
    Column("outage_hours", Float, nullable=False, default=0.0),
    Column("down_since_ms", BigInteger, nullable=False, default=0),
    Column("generation", Integer, nullable=False, default=0),
    Column("answered_by", String, nullable=False, default=""),
    Column("health", Text, nullable=False, default=""),  # a HardwareReport, or empty
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

# What orders that are or were pending have to prove. ``private`` is who is to prove it, while it waits. Of the last code and the
# last link only hashes are kept; ``code_at_ms`` is when they were mailed, by the cloud's clock.
verification = Table(
    "verification",
    metadata,
    Column("order_id", String, primary_key=True),
    Column("device", String, nullable=False),
    Column("verify", String, nullable=False),  # contact | member
    Column("channel", String, nullable=False),  # mail | sms
    Column("language", String, nullable=False),
    Column("state", String, nullable=False),  # waiting | verified | refused | ended
    Column("waits_for", String, nullable=False),  # code | standing | operator
    Column("news", String, nullable=False),
    Column("proven", Boolean, nullable=False),
    Column("private", LargeBinary),
    Column("salt", String, nullable=False),
    Column("digest", String, nullable=False),
    Column("tries_left", Integer, nullable=False),
    Column("codes", Integer, nullable=False),
    Column("code_at_ms", BigInteger, nullable=False),
    Column("link_digest", String, nullable=False, index=True),
    Column("standing_due_ms", BigInteger, nullable=False),
    Column("standing_tries", Integer, nullable=False),
    Column("refusal", String, nullable=False),
    Column("decided_by", String, nullable=False),
    Column("received_at_ms", BigInteger, nullable=False),
    Column("decided_at_ms", BigInteger),
)
Index("verification_state", verification.c.state, verification.c.waits_for, verification.c.received_at_ms)

# What was said of them since the verifier looked last, in this order; ``verdicts`` lists the words. A link's has no order.
verification_word = Table(
    "verification_word",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("order_id", String, nullable=False),
    Column("word", String, nullable=False),
    Column("detail", String, nullable=False),
    Column("private", LargeBinary),
    Column("at_ms", BigInteger, nullable=False),
)

# Mails to guests, one under way at a time. ``private`` says to whom and is wiped with the end; ``contact_digest`` counts by contact.
mail = Table(
    "mail",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("order_id", String, nullable=False, index=True),
    Column("kind", String, nullable=False),  # code | verified | refused
    Column("state", String, nullable=False),  # queued | sending | sent | failed | ambiguous
    Column("reason", String, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("contact_digest", String, nullable=False),
    Column("private", LargeBinary),
    Column("due_at_ms", BigInteger, nullable=False),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("changed_at_ms", BigInteger, nullable=False),
)
Index("mail_state", mail.c.state, mail.c.due_at_ms)
Index("mail_contact", mail.c.contact_digest, mail.c.created_at_ms)
Index("mail_changed", mail.c.changed_at_ms)

# The verifier's jobs: who does them at the moment, and how they are.
verifier_job = Table(
    "verifier_job",
    metadata,
    Column("name", String, primary_key=True),  # verdicts | mail | standing
    Column("owner", String, nullable=False),
    Column("state", String, nullable=False),  # off | idle | busy | trouble
    Column("reason", Text, nullable=False),
    Column("since_ms", BigInteger, nullable=False),
    Column("beat_ms", BigInteger, nullable=False),
)

# Who is a member, as the operator imported it: numbers, and a salted hash of the contact where the list has one.
standing = Table(
    "standing",
    metadata,
    Column("number", String, primary_key=True),
    Column("contact_digest", String, nullable=False),
    Column("until_ms", BigInteger),
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
