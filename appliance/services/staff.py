"""Staff at the door: badge and PIN give a token for eight hours of this boot; it is stored only as a hash."""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64encode

from appliance.domain.clock import HOUR_MS, MINUTE_MS
from appliance.domain.errors import LimitReached, Unauthorised
from appliance.domain.gateway import lives
from appliance.domain.pins import NOBODY, verify_pin
from appliance.services import rates, staff_badges
from appliance.services.box import Box, CommitAndRaise, Unit
from appliance.services.staff_views import StaffMemberView, StaffToken
from appliance.store import records
from mqtt_bridge.protocol import badges
from mqtt_bridge.protocol.catalogue import StaffMember

TOKEN_LIFE_MS = 8 * HOUR_MS
TOKEN_BYTES = 32
WINDOW_MS = 5 * MINUTE_MS
FAILURES_PER_BADGE = 5
FAILURES_PER_ADDRESS = 20
LONGEST_NAME = 64
_TOO_MANY = "Too many wrong PINs. Please wait some minutes, or ask a colleague."


def sign_in(box: Box, badge: str, pin: str, address: str) -> StaffToken:
    """Return a fresh token; raises ``Unauthorised`` for a wrong badge or PIN, ``LimitReached`` after too many of them.

    ``badge`` is the name of one, or the signed text of a card; whom the catalogue asks for the card gets in by that alone.

    Takes the box, not a unit: the PIN's hash is slow on purpose and must not hold up everybody's writes. The attempt is
    charged before and given back after a right PIN, so attempts made at once are limited too. Known and unknown badges do
    the same work.
    """
    member = box.run(lambda unit: _charge(unit, badge, address))
    right = verify_pin(pin, member.pin_hash if member else NOBODY)
    if member is None or not right:
        box.run(lambda unit: unit.audit(_who(member), "sign_in_failed"))
        msg = "Badge or PIN is wrong."
        raise Unauthorised(msg)
    return box.run(lambda unit: _let_in(unit, member, address, badge))


def _charge(unit: Unit, badge: str, address: str) -> StaffMember | None:
    """Count an attempt and return whose it is; the first refusal because of too many is audited although it raises.

    Those that follow from the same address write nothing: who goes on trying must not fill the disk.
    """
    member = _member(unit, badge)
    # One count for a person's card and the typed name; of a text that is nobody's no more than a name is kept.
    badge = member.badge if member else badge[:LONGEST_NAME]
    try:
        rates.check(unit, "pin_badge", badge, FAILURES_PER_BADGE, WINDOW_MS, _TOO_MANY)
        rates.check(unit, "pin_address", address, FAILURES_PER_ADDRESS, WINDOW_MS, _TOO_MANY)
    except LimitReached as refusal:
        if rates.counted(unit, "pin_limited", address, WINDOW_MS):
            raise
        rates.count(unit, "pin_limited", address, WINDOW_MS)
        unit.audit(_who(member), "sign_in_limited")
        raise CommitAndRaise(refusal) from refusal
    rates.count(unit, "pin_badge", badge, WINDOW_MS)
    rates.count(unit, "pin_address", address, WINDOW_MS)
    return member


def _let_in(unit: Unit, member: StaffMember, address: str, badge: str) -> StaffToken:
    staff_badges.used(unit, badge)
    rates.give_back(unit, "pin_badge", member.badge, WINDOW_MS)
    rates.give_back(unit, "pin_address", address, WINDOW_MS)
    unit.audit(member.badge, "sign_in")
    token = urlsafe_b64encode(unit.box.random(TOKEN_BYTES)).decode().rstrip("=")
    return grant_token(unit, token, member.badge, member.name, TOKEN_LIFE_MS // 1000)


def grant_token(unit: Unit, token: str, badge: str, name: str, life_s: int) -> StaffToken:
    """Make ``token`` valid for ``life_s`` seconds of this boot; granting it again renews it."""
    records.add_staff_token(
        unit.db,
        {
            "sha256": hash_of(token),
            "badge": badge,
            "name": name,
            "boot_id": unit.now.boot_id,
            "expires_boot_ms": unit.now.boot_ms + life_s * 1000,
        },
    )
    return StaffToken(token, life_s, badge, name)


def authenticate(unit: Unit, token: str) -> StaffMemberView:
    """Return who holds the token; raises ``Unauthorised`` if it is unknown, over, or from an earlier boot."""
    row = records.find_staff_token(unit.db, hash_of(token))
    if row is None or not lives(row.boot_id, row.expires_boot_ms, unit.now):
        msg = "Please sign in with your badge and PIN."
        raise Unauthorised(msg)
    return StaffMemberView(row.badge, row.name, row.training)


def sign_out(unit: Unit, token: str) -> None:
    """End a token; ending it twice changes nothing."""
    row = records.find_staff_token(unit.db, hash_of(token))
    if row is not None:
        records.drop_staff_token(unit.db, row.sha256)
        unit.audit(row.badge, "sign_out")


def _member(unit: Unit, text: str) -> StaffMember | None:
    venue, card = unit.identity.venue, badges.is_badge(text)
    badge = staff_badges.holder(unit, text) if card else text
    found = (each for each in unit.catalogue.staff if each.badge == badge and (not each.venues or venue in each.venues))
    return next((each for each in found if card or not each.card), None)


def _who(member: StaffMember | None) -> str:
    """Name a badge only if it exists: what strangers type does not enter the audit."""
    return member.badge if member else "unknown"


def hash_of(token: str) -> str:
    """Return what is stored of a token."""
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()
