"""Erasing personal data: whom an erasure means, decided alike at every device and in the cloud.

Personal data travels beside the signed part of a message, which holds only a salted hash of it. Taking it away therefore
leaves every signature good. An erasure names an order, or a contact as a salted hash, so that asking for it spreads nothing.
"""

from __future__ import annotations

import hashlib
import hmac

import msgspec

from mqtt_bridge.protocol.codec import decode, encode
from mqtt_bridge.protocol.messages import Envelope, ErasePersonalData


def contact_digest(salt: str, contact: str) -> str:
    """Return what an erasure says of a contact; case and white space do not count."""
    plain = "".join(contact.casefold().split())
    return hashlib.sha256(f"{salt}\0{plain}".encode()).hexdigest()


def means(erasure: ErasePersonalData, order: str, contact: str) -> bool:
    """Tell whether an erasure is about this order, or about the person of this contact."""
    if erasure.order:
        return hmac.compare_digest(erasure.order, order)
    return bool(contact) and hmac.compare_digest(erasure.digest, contact_digest(erasure.salt, contact))


def without_private(envelope: bytes) -> bytes:
    """Return an envelope whose personal part is gone and whose signature still holds."""
    return encode(msgspec.structs.replace(decode(envelope, Envelope), private=None))
