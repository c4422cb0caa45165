"""What was sold, asked for and paid, and what must be proved first."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Integer, String, Table, Text

from appliance.store.tables.base import metadata

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
