"""Tables of one device's database. Mailbox tables come from ``mqtt_bridge.mailbox`` and share the file.

Ids of holds and orders are secrets (128 random bits): holding one is the right to act. Ticket ids and codes only find.
Times: ``*_at_ms`` wall clock (shown, never decides stock), ``*_boot_ms`` milliseconds of boot-time in ``boot_id``.
"""

from appliance.store.tables.base import metadata
from appliance.store.tables.door import check_in, photo, print_job, sms
from appliance.store.tables.itself import asset, catalogue, device, erasure, hardware, issuer_key
from appliance.store.tables.orders import guest, order, payment, request, shift, shift_entry, ticket, verification
from appliance.store.tables.staff import audit, badge_seen, badge_trust, passkey, passkey_challenge, staff_token, switch
from appliance.store.tables.stock import allocation, client, hold, hold_item, waiting, waitlist_line, wish
from appliance.store.tables.visits import (
    conversion,
    handover,
    hotspot_phone,
    idempotency,
    rate,
    token_revoked,
    visit_hold,
    visitor,
)

__all__ = [
    "allocation",
    "asset",
    "audit",
    "badge_seen",
    "badge_trust",
    "catalogue",
    "check_in",
    "client",
    "conversion",
    "device",
    "erasure",
    "guest",
    "handover",
    "hardware",
    "hold",
    "hold_item",
    "hotspot_phone",
    "idempotency",
    "issuer_key",
    "metadata",
    "order",
    "passkey",
    "passkey_challenge",
    "payment",
    "photo",
    "print_job",
    "rate",
    "request",
    "shift",
    "shift_entry",
    "sms",
    "staff_token",
    "switch",
    "ticket",
    "token_revoked",
    "verification",
    "visit_hold",
    "visitor",
    "waiting",
    "waitlist_line",
    "wish",
]
