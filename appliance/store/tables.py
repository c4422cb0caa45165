"""Tables of one device's database. Mailbox tables come from ``mqtt_bridge.mailbox`` and share the file.

Ids of holds and orders are secrets (128 random bits): holding one is the right to act. Ticket ids and codes only find.
Times: ``*_at_ms`` wall clock (shown, never decides stock), ``*_boot_ms`` milliseconds of boot-time in ``boot_id``.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
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

order = Table(
    "orders",
    metadata,
    Column("id", String, primary_key=True),
    Column("hold", String, unique=True),
    Column("code", String, nullable=False, index=True),
    Column("client", String, nullable=False),
    Column("issuer", String, nullable=False),  # device that sold it
    Column("status", String, nullable=False),
    Column("payment", String, nullable=False),
    Column("total_minor", BigInteger, nullable=False),
    Column("currency", String, nullable=False),
    Column("name", String, nullable=False, default=""),
    Column("contact", String, nullable=False, default=""),
    Column("sold_by", String, nullable=False, default=""),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("refund_minor", BigInteger, nullable=False, server_default="0"),  # owed in all, paid back or not
    Column("changed_to", String),  # the order that its guest took instead
)
Index("order_client", order.c.client, order.c.status, order.c.payment)

ticket = Table(
    "ticket",
    metadata,
    Column("id", String, primary_key=True),
    Column("order", ForeignKey("orders.id"), nullable=False, index=True),
    Column("code", String, nullable=False, index=True),
    Column("ticket_type", String, nullable=False),
    Column("event_session", String, nullable=False, index=True),
    Column("quota", String, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("issuer", String, nullable=False),
    Column("price_minor", BigInteger, nullable=False),
    Column("currency", String, nullable=False),
    Column("receipt", Text, nullable=False, default=""),
    Column("voided", Boolean, nullable=False, default=False),  # the host door will never admit it
    Column("counted_cancelled", Boolean, nullable=False, default=False),  # in the issuer's totals
    Column("checked_in_by", String),  # check_in.id of the admission that counts
    Column("replaced_by", String, index=True),  # ticket.id it was rebooked to
    Column("left_by", String),  # check_in.id of the exit since which its holder is outside
)

# Orders asked for past the allocation: ``open`` while no answer came and the guest did not take it back; ``refusal`` is the
# cloud's reason. Their tickets have epoch 0 until they are confirmed.
request = Table(
    "request",
    metadata,
    Column("order", ForeignKey("orders.id"), primary_key=True),
    Column("open", Boolean, nullable=False),
    Column("confirmed", Boolean, nullable=False),
    Column("refusal", String, nullable=False),
)
Index("request_open", request.c.open)

# What an order that is or was ``pending`` has to prove, as far as this device knows. ``member`` is personal data. Of a code that its
# own modem sent: salted hash, tries left, and its life in boot-time; of a mailed one only ``tries_left``, as the cloud told.
verification = Table(
    "verification",
    metadata,
    Column("order", ForeignKey("orders.id"), primary_key=True),
    Column("verify", String, nullable=False),  # contact | member
    Column("channel", String, nullable=False),  # mail | sms
    Column("member", String, nullable=False, default=""),
    Column("waits_for", String, nullable=False, default="code"),  # code | standing | operator
    Column(
        "news", String, nullable=False, default=""
    ),  # of the code: "" | sent | undeliverable | limited | wrong | spent
    Column("codes", Integer, nullable=False, default=0),
    Column("salt", String, nullable=False, default=""),
    Column("digest", String, nullable=False, default=""),
    Column("tries_left", Integer, nullable=False, default=0),
    Column("code_boot_id", String, nullable=False, default=""),
    Column("code_until_boot_ms", BigInteger, nullable=False, default=0),
    Column("refusal", String, nullable=False, default=""),
    Column("decided_by", String, nullable=False, default=""),
    Column("decided_at_ms", BigInteger),
)

payment = Table(
    "payment",
    metadata,
    Column("id", String, primary_key=True),
    Column("order", ForeignKey("orders.id"), nullable=False, index=True),
    Column("method", String, nullable=False),
    Column("amount_minor", BigInteger, nullable=False),
    Column("currency", String, nullable=False),
    Column("staff", String, nullable=False),
    Column("taken_at_ms", BigInteger, nullable=False),
    Column("shift", Integer),  # 0: moved here outside any shift; none: moved at another device
)
Index("payment_shift", payment.c.shift)

# A person at the till. Once closed nothing of it changes; corrections are entries.
shift = Table(
    "shift",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("badge", String, nullable=False),
    Column("currency", String, nullable=False),
    Column("float_minor", BigInteger, nullable=False),
    Column("opened_at_ms", BigInteger, nullable=False),
    Column("closed_at_ms", BigInteger),
    Column("closed_by", String, nullable=False, default=""),
    Column("expected_minor", BigInteger, nullable=False, default=0),
    Column("counted_minor", BigInteger, nullable=False, default=0),
    Column("note", String, nullable=False, default=""),
    sqlite_autoincrement=True,
)
Index("shift_open", shift.c.badge, shift.c.closed_at_ms)

shift_entry = Table(
    "shift_entry",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("shift", ForeignKey("shift.number"), nullable=False, index=True),
    Column("kind", String, nullable=False),  # no_sale | paid_in | paid_out | correction
    Column("amount_minor", BigInteger, nullable=False),
    Column("note", String, nullable=False),
    Column("staff", String, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
)

# Orders that a guest list made. ``key`` (domain.guestlist) is the same whenever a person is listed again; wiped with the name.
guest = Table(
    "guest",
    metadata,
    Column("order", ForeignKey("orders.id"), primary_key=True),
    Column("event_session", String, nullable=False, index=True),
    Column("key", String, nullable=False, index=True),
    Column("tickets", Integer, nullable=False),
    Column("note", String, nullable=False),
    Column("added_at_ms", BigInteger, nullable=False),
    Column("added_by", String, nullable=False),
)

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

# Health of the hardware as the desk last saw it.
hardware = Table(
    "hardware",
    metadata,
    Column("name", String, primary_key=True),
    Column("state", String, nullable=False),
    Column("reason", String, nullable=False, default=""),
    Column("since_ms", BigInteger, nullable=False),
    Column("seen_at_ms", BigInteger, nullable=False),
)

# What verifies badges of staff: public keys (hex) that signed some, and the serials of those that were lost.
badge_trust = Table(
    "badge_trust",
    metadata,
    Column("value", String, primary_key=True),
    Column("kind", String, nullable=False),  # key | revoked
)

# A badge that a lane's scanner read, for signing in on a page within a minute; ``id`` is a secret.
badge_seen = Table(
    "badge_seen",
    metadata,
    Column("lane", String, primary_key=True),
    Column("id", String, nullable=False),
    Column("text", String, nullable=False),
    Column("boot_id", String, nullable=False),
    Column("boot_ms", BigInteger, nullable=False),
)

# Passkeys that staff registered at this device: ``id`` is the credential's (base64url), ``public_key`` COSE.
passkey = Table(
    "passkey",
    metadata,
    Column("id", String, primary_key=True),
    Column("badge", String, nullable=False),
    Column("label", String, nullable=False),
    Column("public_key", LargeBinary, nullable=False),
    Column("sign_count", BigInteger, nullable=False),
    Column("made_at_ms", BigInteger, nullable=False),
    Column("used_at_ms", BigInteger),
)

# Questions asked of a passkey, each answered once; ``badge`` is who registers one, empty for a sign-in.
passkey_challenge = Table(
    "passkey_challenge",
    metadata,
    Column("sha256", String, primary_key=True),
    Column("badge", String, nullable=False),
    Column("boot_id", String, nullable=False),
    Column("expires_boot_ms", BigInteger, nullable=False),
)

staff_token = Table(
    "staff_token",
    metadata,
    Column("sha256", String, primary_key=True),
    Column("badge", String, nullable=False),
    Column("name", String, nullable=False),
    Column("boot_id", String, nullable=False),
    Column("expires_boot_ms", BigInteger, nullable=False),
    Column("training", String, nullable=False, default="", server_default=""),  # the copy it practises on
)

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

# Failed and successful sign-ins, sales, payments, comps, cancels, undos, reprints: who did what.
audit = Table(
    "audit",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("who", String, nullable=False),
    Column("action", String, nullable=False),
    Column("subject", String, nullable=False, default=""),
    Column("detail", String, nullable=False, default=""),
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

# Staff switches: "sale:{event_session}" open|closed, "door:{event_session}" open|closed, "way:{lane}" out.
switch = Table(
    "switch",
    metadata,
    Column("name", String, primary_key=True),
    Column("value", String, nullable=False),
    Column("changed_at_ms", BigInteger, nullable=False),
    Column("changed_by", String, nullable=False),
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
