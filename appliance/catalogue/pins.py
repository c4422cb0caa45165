"""Plain PINs leave the catalogue file only as hashes, and an unchanged PIN keeps its hash."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from appliance.domain.pins import SALT_BYTES, hash_pin, up_to_date, verify_pin
from mqtt_bridge.protocol.catalogue import StaffMember


def keeping(known: Iterable[StaffMember], random: Callable[[int], bytes]) -> Callable[[str, str], str]:
    """Return a hasher of (badge, PIN) that answers with the known hash if the PIN still fits: importing twice is no change.

    A hash that is cheaper to try than those made now is made anew.
    """
    hashes = {member.badge: member.pin_hash for member in known}

    def hashed(badge: str, pin: str) -> str:
        before = hashes.get(badge, "")
        return before if up_to_date(before) and verify_pin(pin, before) else hash_pin(pin, random(SALT_BYTES))

    return hashed
