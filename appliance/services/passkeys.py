"""Passkeys: a signed-in member of staff registers their phone at this device, and later signs in with its own lock (WebAuthn level 2).

Badge and PIN stay the way in that always works. A passkey belongs to one device and its secure address; it ends with a new PIN, a lost
badge, the person's place in the catalogue, or one tap of anybody on duty. With an untrusted clock nobody signs in by passkey: how old what
it says is cannot be told then, and a PIN asks the person again.
"""

from __future__ import annotations

import hashlib
import json
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from typing import Any, NoReturn

from appliance.domain import people
from appliance.domain.clock import MINUTE_MS
from appliance.domain.errors import Invalid, LimitReached, NotFound, Unauthorised
from appliance.domain.gateway import lives
from appliance.services import rates, staff
from appliance.services.box import Box, CommitAndRaise, Unit
from appliance.services.staff_views import PasskeyView, StaffToken
from appliance.store import passkeys, records
from mqtt_bridge.protocol.catalogue import StaffMember

CHALLENGE_BYTES = 32
CHALLENGE_LIFE_MS = 2 * MINUTE_MS
WINDOW_MS = 5 * MINUTE_MS
ASKED_PER_ADDRESS = 40
FAILURES_PER_ADDRESS = 10
MOST_EACH = 6
LONGEST_LABEL = 40
LONGEST_ANSWER = 8192
_TOO_MANY = "Too many attempts. Please wait some minutes, or use your badge and PIN."
_REFUSED = "This passkey is not known here, or did not answer rightly. Use your badge and PIN."


@dataclass(frozen=True, slots=True)
class Party:
    """Whom a passkey trusts: the host of the secure address, and the address as browsers name it."""

    host: str
    origin: str


def begin_registration(unit: Unit, badge: str, party: Party) -> str:
    """Return the options (JSON) with which a browser makes a passkey for the member of staff who is signed in."""
    import webauthn
    from webauthn.helpers import base64url_to_bytes, structs

    member = _member(unit, badge)
    if member is None:
        _refuse()
    known = passkeys.of(unit.db, badge)
    if len(known) >= MOST_EACH:
        msg = f"There are {MOST_EACH} passkeys already. Remove one first."
        raise Invalid(msg, field="passkey")
    options = webauthn.generate_registration_options(
        rp_id=party.host,
        rp_name="Marquee",
        user_id=_handle(unit, badge),
        user_name=member.badge,
        user_display_name=member.name,
        challenge=_ask(unit, badge),
        timeout=CHALLENGE_LIFE_MS,
        authenticator_selection=structs.AuthenticatorSelectionCriteria(
            resident_key=structs.ResidentKeyRequirement.REQUIRED,
            user_verification=structs.UserVerificationRequirement.REQUIRED,
        ),
        exclude_credentials=[structs.PublicKeyCredentialDescriptor(id=base64url_to_bytes(each.id)) for each in known],
    )
    return webauthn.options_to_json(options)


def register(box: Box, badge: str, answer: str, label: str, party: Party) -> None:
    """Keep the passkey that a browser made; raises ``Invalid`` if it is no answer to what was asked of this person."""
    import webauthn
    from webauthn.helpers import bytes_to_base64url
    from webauthn.helpers.exceptions import WebAuthnException

    label = people.clean(label, "label")[:LONGEST_LABEL]
    credential, challenge = _read(answer)
    box.run(lambda unit: _answered(unit, challenge, badge))
    try:
        made = webauthn.verify_registration_response(
            credential=credential,
            expected_challenge=challenge,
            expected_rp_id=party.host,
            expected_origin=party.origin,
            require_user_verification=True,
        )
    except WebAuthnException as error:
        raise Invalid("This passkey cannot be used here. Try again, or use another one.", field="passkey") from error

    def keep(unit: Unit) -> None:
        known = passkeys.of(unit.db, badge)
        found = bytes_to_base64url(made.credential_id)
        if len(known) >= MOST_EACH or passkeys.find(unit.db, found) is not None:
            raise Invalid("This passkey is known already, or there are too many.", field="passkey")
        values = {"id": found, "badge": badge, "label": label, "public_key": made.credential_public_key}
        passkeys.add(unit.db, values | {"sign_count": made.sign_count, "made_at_ms": unit.now.wall_ms})
        unit.audit(badge, "passkey_registered", found[:12])

    box.run(keep)


def begin_sign_in(unit: Unit, address: str, party: Party) -> str:
    """Return the options (JSON) with which a browser asks its owner for a passkey; whose, it tells by its answer."""
    import webauthn
    from webauthn.helpers.structs import UserVerificationRequirement

    _require_clock(unit)
    rates.take(unit, "passkey_asked", address, ASKED_PER_ADDRESS, WINDOW_MS, _TOO_MANY)
    options = webauthn.generate_authentication_options(
        rp_id=party.host,
        challenge=_ask(unit, ""),
        timeout=CHALLENGE_LIFE_MS,
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    return webauthn.options_to_json(options)


def sign_in(box: Box, answer: str, address: str, party: Party) -> StaffToken:
    """Return a fresh token for the passkey's owner; raises ``Unauthorised``, or ``LimitReached`` after too many failures.

    The attempt is charged and the question used up before anything is verified, and the charge given back after success.
    """
    import webauthn
    from webauthn.helpers.exceptions import WebAuthnException

    box.run(lambda unit: _charge(unit, address))
    try:
        credential, challenge = _read(answer)
        found = box.run(lambda unit: _asked_of(unit, challenge, str(credential.get("id", ""))))
        seen = webauthn.verify_authentication_response(
            credential=credential,
            expected_challenge=challenge,
            expected_rp_id=party.host,
            expected_origin=party.origin,
            credential_public_key=found.public_key,
            credential_current_sign_count=found.sign_count,
            require_user_verification=True,
        )
    except (WebAuthnException, Invalid) as error:
        box.run(lambda unit: unit.audit("unknown", "passkey_failed"))
        raise Unauthorised(_REFUSED) from error
    return box.run(lambda unit: _let_in(unit, found.id, seen.new_sign_count, address))


def offered(unit: Unit) -> bool:
    """Whether somebody could sign in by passkey now."""
    return unit.now.trusted and bool(passkeys.everybodys(unit.db))


def all_of_staff(unit: Unit) -> tuple[PasskeyView, ...]:
    """Return every passkey of this device, for whoever is on duty."""
    names = {each.badge: each.name for each in unit.catalogue.staff}
    return tuple(
        PasskeyView(row.id, row.badge, names.get(row.badge, row.badge), row.label, row.made_at_ms, row.used_at_ms)
        for row in passkeys.everybodys(unit.db)
    )


def revoke(unit: Unit, credential: str, staff_badge: str) -> None:
    """Delete a passkey and end its owner's sign-ins; ``NotFound`` for one that is not here (any more)."""
    row = passkeys.find(unit.db, credential)
    if row is None:
        raise NotFound("This passkey is not here (any more).")
    passkeys.drop(unit.db, credential)
    # The phone may be lost, and signed in.
    records.drop_staff_tokens_of(unit.db, [row.badge])
    unit.audit(staff_badge, "passkey_revoked", credential[:12], row.badge)


def _ask(unit: Unit, badge: str) -> bytes:
    """Return a fresh question, good for two minutes of this boot."""
    challenge = unit.box.random(CHALLENGE_BYTES)
    passkeys.forget_over(unit.db, unit.now)
    values = {"sha256": _digest(challenge), "badge": badge, "boot_id": unit.now.boot_id}
    passkeys.add_challenge(unit.db, values | {"expires_boot_ms": unit.now.boot_ms + CHALLENGE_LIFE_MS})
    return challenge


def _answered(unit: Unit, challenge: bytes, badge: str) -> None:
    """Use a question up; one that was not asked of ``badge``, or too long ago, commits that and raises ``Invalid``."""
    row = passkeys.take_challenge(unit.db, _digest(challenge))
    if row is None or row.badge != badge or not lives(row.boot_id, row.expires_boot_ms, unit.now):
        raise CommitAndRaise(Invalid("This took too long, or was sent twice. Try again.", field="passkey"))


def _asked_of(unit: Unit, challenge: bytes, credential: str) -> Any:
    _require_clock(unit)
    _answered(unit, challenge, "")
    row = passkeys.find(unit.db, credential)
    if row is None or _member(unit, row.badge) is None:
        raise CommitAndRaise(Invalid(_REFUSED, field="passkey"))
    return row


def _charge(unit: Unit, address: str) -> None:
    try:
        rates.check(unit, "passkey_address", address, FAILURES_PER_ADDRESS, WINDOW_MS, _TOO_MANY)
    except LimitReached as refusal:
        if not rates.counted(unit, "passkey_limited", address, WINDOW_MS):
            rates.count(unit, "passkey_limited", address, WINDOW_MS)
            unit.audit("unknown", "passkey_limited")
        raise CommitAndRaise(refusal) from refusal
    rates.count(unit, "passkey_address", address, WINDOW_MS)


def _let_in(unit: Unit, credential: str, sign_count: int, address: str) -> StaffToken:
    row = passkeys.find(unit.db, credential)
    member = _member(unit, row.badge) if row is not None else None
    # Two answers at once of one counter: the second is older than what is known by now.
    if member is None or row is None or (sign_count and sign_count <= row.sign_count):
        _refuse()
    passkeys.used(unit.db, credential, sign_count, unit.now.wall_ms)
    rates.give_back(unit, "passkey_address", address, WINDOW_MS)
    unit.audit(member.badge, "sign_in_passkey", credential[:12])
    token = urlsafe_b64encode(unit.box.random(staff.TOKEN_BYTES)).decode().rstrip("=")
    return staff.grant_token(unit, token, member.badge, member.name, staff.TOKEN_LIFE_MS // 1000)


def _read(answer: str) -> tuple[dict[str, Any], bytes]:
    """Return a browser's answer and the question it says it answers; raises ``Invalid``."""
    from webauthn.helpers import base64url_to_bytes

    try:
        if len(answer) > LONGEST_ANSWER:
            raise ValueError
        credential = json.loads(answer)
        said = json.loads(base64url_to_bytes(credential["response"]["clientDataJSON"]))
        return credential, base64url_to_bytes(said["challenge"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise Invalid("This is no answer of a passkey.", field="passkey") from error


def _require_clock(unit: Unit) -> None:
    if not unit.now.trusted:
        raise Unauthorised("The clock of this device is not trusted now: sign in with your badge and PIN.")


def _member(unit: Unit, badge: str) -> StaffMember | None:
    venue = unit.identity.venue
    return next(
        (each for each in unit.catalogue.staff if each.badge == badge and (not each.venues or venue in each.venues)),
        None,
    )


def _handle(unit: Unit, badge: str) -> bytes:
    """Return what a passkey stores of its owner: the same for the same person at this device, and nothing to be read."""
    return hashlib.sha256(f"passkey {unit.identity.org} {unit.identity.device} {badge}".encode()).digest()


def _digest(challenge: bytes) -> str:
    return hashlib.sha256(challenge).hexdigest()


def _refuse() -> NoReturn:
    raise Unauthorised(_REFUSED)
