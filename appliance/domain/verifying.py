"""What has to be proven before a ticket admits, and how its holder can be reached to prove it."""

from __future__ import annotations

from collections.abc import Iterable

from appliance.domain.errors import Invalid
from appliance.domain.sms import number_of
from mqtt_bridge.protocol.messages import Channel, Verify
from mqtt_bridge.protocol.proofs import mail_of

__all__ = ["Channel", "Verify", "channel_of", "needed", "shown_contact"]


def needed(asked: Iterable[Verify | None]) -> Verify | None:
    """Return what an order with tickets of these kinds has to prove: the most that any of them asks for."""
    found = set(asked)
    return "member" if "member" in found else "contact" if "contact" in found else None


def channel_of(contact: str, *, texts: bool) -> Channel:
    """Return how a contact is proven; ``texts``: this device can send text messages. ``Invalid`` for what cannot be reached."""
    if mail_of(contact) is not None:
        return "mail"
    if texts and number_of(contact) is not None:
        return "sms"
    if texts:
        msg = "Write an e-mail address or a phone number: a code is sent to it."
    else:
        msg = "Write an e-mail address: a code is sent to it."
    raise Invalid(msg, field="contact")


def shown_contact(contact: str) -> str:
    """Return a contact as a page that others may see shows it: enough to notice a slip, too little to learn it."""
    name, at, host = contact.strip().partition("@")
    if at:
        return f"{name[:2]}…@{host}"
    return f"…{contact.strip()[-3:]}" if contact.strip() else ""
