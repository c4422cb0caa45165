"""The edge gateway: issues short-lived tokens for an EventSession, and says of any token who its holder is.

Staff's sign-ins are its tokens too: random, known here by their hash only, ended by dropping their row. What is done with a token depends
on its form alone, which its sender knows; comparing happens on hashes and signatures.
"""

from __future__ import annotations

import hashlib
from typing import NamedTuple

from appliance.domain import admission, gateway
from appliance.domain.errors import Invalid, NotFound, Unauthorised
from appliance.domain.gateway import Audience, Facts
from appliance.services import staff
from appliance.services.answering import hosted_here
from appliance.services.box import Unit
from appliance.services.finding import key_of
from appliance.services.rows import order_row
from appliance.store import orders, records, revoked
from mqtt_bridge.protocol import ids, tokens
from mqtt_bridge.protocol.errors import ProtocolError
from mqtt_bridge.protocol.tokens import TokenClaims

SERIAL_BYTES = 8
PURPOSES: dict[tokens.Audience, tokens.Purpose] = {"attendee": "order", "viewer": "watch"}


class Issued(NamedTuple):
    """A fresh token; it is stored nowhere."""

    token: str
    audience: tokens.Audience
    purpose: tokens.Purpose
    event_session: str
    expires_in_s: int


class Bearer(NamedTuple):
    """Whose token it is: ``subject`` is a badge or a ticket's id, which only find; ``event_session`` is empty for staff."""

    audience: Audience
    purpose: str
    subject: str
    event_session: str = ""
    serial: str = ""


def issue(unit: Unit, order_id: str, event_session: str, audience: tokens.Audience) -> Issued:
    """Return a token for the first ticket of an order that is good for a date; nothing is written.

    Raises ``NotFound`` for an order that is not here, ``Invalid`` where it has no such ticket.
    """
    order = order_row(unit, order_id)
    rows = [row for row in orders.tickets(unit.db, order_id) if row.event_session == event_session]
    ticket = next((row for row in rows if not row.voided and row.replaced_by is None), None)
    if ticket is None or order.status not in {"confirmed", "cancel_pending"}:
        raise Invalid("This order has no ticket that is good for this date.", field="event_session")
    claims = TokenClaims(
        audience=audience,
        purpose=PURPOSES[audience],
        ticket=ticket.id,
        event_session=event_session,
        serial=unit.box.random(SERIAL_BYTES).hex(),
        issuer=unit.identity.device,
        boot=_boot(unit),
        expires_boot_ms=unit.now.boot_ms + gateway.LIFE_MS,
    )
    text = tokens.issue(claims, unit.box.signer)
    return Issued(text, audience, claims.purpose, event_session, gateway.LIFE_MS // 1000)


def bearer_of(unit: Unit, token: str) -> Bearer | None:
    """Return whose token this is; None for one that is not genuine, over, or revoked."""
    if not tokens.is_token(token):
        return _staff(unit, token)
    claims = _proven(unit, token)
    if claims is None or not gateway.is_good(_facts(unit, claims), unit.now, _boot(unit)):
        return None
    return Bearer(claims.audience, claims.purpose, claims.ticket, claims.event_session, claims.serial)


def revoke(unit: Unit, what: str, who: str) -> str:
    """End one token by itself or by its serial, or all of a ticket by its code, at this device; return what was ended.

    Raises ``NotFound`` for what is none of these. Where a token was issued it ends by itself within minutes; here, or at another
    venue where it is bound to a date, this ends it at once.
    """
    name = _name_of(unit, what.strip())
    revoked.add(unit.db, name, unit.now.wall_ms, who)
    unit.audit(who, "token_revoked", name)
    return name


def _name_of(unit: Unit, what: str) -> str:
    if tokens.is_token(what):
        claims = _proven(unit, what)
        if claims is None:
            raise NotFound("This token was signed by no box office that is known here.")
        return f"serial:{claims.serial}"
    if len(what) == SERIAL_BYTES * 2 and all(each in "0123456789abcdef" for each in what):
        return f"serial:{what}"
    code = ids.normal_code(what)
    found = orders.tickets_by_code(unit.db, code) if code else []
    if len(found) != 1:
        raise NotFound("Give a token, its serial (16 hex digits), or the code of one ticket.")
    return f"ticket:{found[0].id}"


def _staff(unit: Unit, token: str) -> Bearer | None:
    try:
        member = staff.authenticate(unit, token)
    except Unauthorised:
        return None
    return Bearer("staff", "desk", member.badge)


def _proven(unit: Unit, token: str) -> TokenClaims | None:
    """Return what a genuine token says: signed by a key of the very device it names, and not by one that was lost."""
    try:
        reading = tokens.read(token)
        key = key_of(unit, reading.kid)
        claims = reading.verify(None if key is None else key.public)
    except ProtocolError:
        return None
    if key is None or key.revoked or key.sealed or key.device != claims.issuer:
        return None
    return claims


def _facts(unit: Unit, claims: TokenClaims) -> Facts:
    ticket = orders.find_ticket(unit.db, claims.ticket)
    return Facts(
        issued_here=claims.issuer == unit.identity.device,
        boot=claims.boot,
        expires_boot_ms=claims.expires_boot_ms,
        door_open=_door_open(unit, claims.event_session),
        revoked=revoked.any_of(unit.db, (f"serial:{claims.serial}", f"ticket:{claims.ticket}")),
        void=ticket is not None and (ticket.voided or ticket.replaced_by is not None),
    )


def _door_open(unit: Unit, event_session: str) -> bool:
    if not hosted_here(unit, event_session):
        return False
    at = unit.catalogue.event_session[event_session][1]
    return admission.door_open(at, unit.now, records.switches(unit.db).get(f"door:{at.id}"))


def _boot(unit: Unit) -> str:
    """Name this boot without telling its id."""
    return hashlib.sha256(f"{unit.identity.device}\0{unit.now.boot_id}".encode()).hexdigest()[:16]
