"""Badges of staff at a device: verified offline, and carried from a lane's scanner to the page that asks for the PIN."""

from __future__ import annotations

from appliance.domain.clock import MINUTE_MS
from appliance.domain.errors import Invalid
from appliance.domain.printing import StaffBadge
from appliance.services.box import Unit
from appliance.services.staff_views import SeenBadge
from appliance.store import passkeys, records, staff_badges
from mqtt_bridge.protocol import badges
from mqtt_bridge.protocol.errors import ProtocolError
from mqtt_bridge.protocol.messages import KeyDirectory

USABLE_MS = MINUTE_MS


def holder(unit: Unit, text: str) -> str:
    """Return whose badge a text is; empty for one that is not genuine, or was lost, or whose key is not known here (yet)."""
    keys, revoked = staff_badges.trusted(unit.db)
    try:
        claims = badges.read(text, keys)
    except ProtocolError:
        return ""
    return "" if claims.serial in revoked else claims.badge


def note_seen(unit: Unit, text: str, lane: str) -> bool:
    """A lane's scanner read this: keep it for a minute if it is a good badge, and return whether it is."""
    good = bool(holder(unit, text))
    if good:
        values = {"lane": lane, "id": unit.secret(), "text": text, "boot_id": unit.now.boot_id}
        staff_badges.put_seen(unit.db, values | {"boot_ms": unit.now.boot_ms})
    return good


def seen(unit: Unit) -> tuple[SeenBadge, ...]:
    """Return which lanes read a badge within the last minute; whose it is, nobody learns before the PIN is right."""
    rows = staff_badges.seen(unit.db, unit.now.boot_id, unit.now.boot_ms - USABLE_MS)
    return tuple(SeenBadge(row.id, row.lane, (unit.now.boot_ms - row.boot_ms) // 1000) for row in rows)


def text_of_seen(unit: Unit, seen_id: str) -> str:
    """Return the badge that a lane read, empty if its minute is over or it was used."""
    rows = staff_badges.seen(unit.db, unit.now.boot_id, unit.now.boot_ms - USABLE_MS)
    return next((row.text for row in rows if row.id == seen_id), "")


def used(unit: Unit, text: str) -> None:
    """Forget what lanes read of this badge: one scan signs in once."""
    for row in staff_badges.seen(unit.db, unit.now.boot_id, unit.now.boot_ms - USABLE_MS):
        if row.text == text:
            staff_badges.forget_seen(unit.db, row.id)


def tidy(unit: Unit) -> None:
    """Forget what lanes read longer ago than a minute, or before this boot."""
    staff_badges.forget_before(unit.db, unit.now.boot_id, unit.now.boot_ms - USABLE_MS)


def print_badge(unit: Unit, text: str, staff: str) -> str:
    """Queue a badge for wearing, and return whose it is; ``Invalid`` for a text that is no good badge."""
    badge = holder(unit, text)
    member = next((each for each in unit.catalogue.staff if each.badge == badge), None)
    if member is None:
        msg = "This is no badge that is good here. Copy its whole text, and let the link come back once."
        raise Invalid(msg, field="badge")
    venue = unit.catalogue.venue.get(unit.identity.venue)
    unit.print("staff_badge", StaffBadge(venue.name if venue else "", member.name, badge, text.strip().upper()))
    unit.audit(staff, "staff_badge", badge)
    return badge


def take_directory(unit: Unit, directory: KeyDirectory) -> None:
    """Know the keys of badges and those that were lost, whose holders are signed out; what was revoked stays so."""
    _keys, known = staff_badges.trusted(unit.db)
    fresh = [each for each in directory.revoked_badges if each.serial not in known]
    staff_badges.add(unit.db, "key", directory.badge_keys)
    staff_badges.add(unit.db, "revoked", (each.serial for each in fresh))
    if fresh:
        holders = {each.badge for each in fresh}
        records.drop_staff_tokens_of(unit.db, holders)
        passkeys.drop_of(unit.db, holders)
        for each in fresh:
            unit.audit("operator", "badge_revoked", each.serial, each.badge)
