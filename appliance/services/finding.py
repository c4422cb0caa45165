"""From what a scanner read, or a person typed, to the ticket it means."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

from sqlalchemy import Row

from appliance.domain.admission import Proof, Way
from appliance.services.answering import hosted_here
from appliance.services.box import Unit
from appliance.services.foreign import from_receipt, settle_by_receipt, ticket_values, verified
from appliance.store import orders, records
from mqtt_bridge.protocol import ids, receipts
from mqtt_bridge.protocol.errors import BadSignature, ProtocolError, UnknownIssuer
from mqtt_bridge.protocol.messages import DeviceKey, ReceiptSeen
from mqtt_bridge.protocol.receipts import TicketClaims, fact_of


@dataclass(frozen=True, slots=True)
class Found:
    """``ticket`` is a ticket row (or looks like one); ``code`` is what may be stored of what was read.

    ``place`` says "1 of 3" when an order's code stood for one of its tickets.
    """

    proof: Proof
    code: str
    ticket: Any = None
    place: str = ""


def find(unit: Unit, text: str, way: Way = "in") -> Found:
    """Return what ``text`` stands for: a receipt, the code of a ticket, or the code of an order (its next ticket on that way).

    A valid receipt of another device's ticket for this venue is written down, so that its code finds it from now on; and the
    cloud is told of any whose sale was never heard of, because its device may be dead. What stood for a ticket that was
    rebooked stands for the one that took its place.
    """
    return _followed(unit, _find(unit, text.strip(), way))


def _followed(unit: Unit, found: Found) -> Found:
    seen: set[str] = set()
    while found.ticket is not None and found.ticket.replaced_by and found.ticket.id not in seen:
        seen.add(found.ticket.id)
        found = replace(found, ticket=orders.find_ticket(unit.db, found.ticket.replaced_by) or found.ticket)
    return found


def _find(unit: Unit, text: str, way: Way) -> Found:
    if text.upper().startswith(receipts.PREFIX):
        return _by_receipt(unit, text.upper())
    normal = ids.normal_code(text)
    if normal is None:
        return Found("unknown", fingerprint(text))
    rows = orders.tickets_by_code(unit.db, normal)
    if len(rows) == 1:
        return Found("known", normal, rows[0])
    return Found("unknown", normal) if rows else _next_of_order(unit, normal, way)


def fingerprint(text: str) -> str:
    """Return what is stored of a text that is no readable code: it may be anything, a person's card for one."""
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()


def _next_of_order(unit: Unit, code: str, way: Way) -> Found:
    found = orders.by_code(unit.db, code)
    if len(found) != 1:
        return Found("unknown", code)
    tickets = orders.tickets(unit.db, found[0])
    valid = [row for row in tickets if not row.voided and row.replaced_by is None] or tickets
    if not valid:
        return Found("unknown", code)
    waiting = _waiting(valid, way)
    here = [row for row in waiting if hosted_here(unit, row.event_session)]
    chosen = (here or waiting or valid)[0]
    number = len(valid) - len(waiting) + (1 if waiting else 0)
    return Found("known", code, chosen, f"{number} of {len(valid)}" if len(valid) > 1 else "")


def _waiting(rows: list[Row[Any]], way: Way) -> list[Row[Any]]:
    """Return the tickets whose holders may be at this side of the door: who never came in goes before who went out."""
    if way == "out":
        return [row for row in rows if row.checked_in_by and not row.left_by]
    return [row for row in rows if not row.checked_in_by] or [row for row in rows if row.left_by]


def _by_receipt(unit: Unit, text: str) -> Found:
    code = fingerprint(text)
    try:
        reading = receipts.read(text)
    except ProtocolError:
        return Found("unknown", code)
    key = key_of(unit, reading.kid)
    try:
        reading.verify(key)
    except UnknownIssuer:
        return Found("unknown_issuer", code)
    except BadSignature:
        # A stolen card may sign what it likes: of its tickets those are good that its message or the cloud told us of.
        told = (
            orders.find_ticket(unit.db, reading.claims.ticket)
            if key is not None and key.sealed and key.revoked
            else None
        )
        return Found("bad_signature", code) if told is None else Found("known", code, told)
    return _proven(unit, reading.claims, text, code)


def _proven(unit: Unit, claims: TicketClaims, text: str, code: str) -> Found:
    row = orders.find_ticket(unit.db, claims.ticket)
    if row is None:
        unit.emit(ReceiptSeen(receipt=text))
    if row is None and not hosted_here(unit, claims.event_session):
        return Found("known", code, SimpleNamespace(**ticket_values("", claims.issuer, fact_of(claims), text)))
    if row is None:
        from_receipt(unit, claims, text)
    else:
        _believe(unit, claims, row.order)
    return Found("known", code, orders.find_ticket(unit.db, claims.ticket))


def _believe(unit: Unit, claims: TicketClaims, order_id: str) -> None:
    """A signature may say more than the messages that arrived: that the order is paid, or that it is verified."""
    if claims.paid:
        settle_by_receipt(unit, order_id)
    if not claims.pending:
        verified(unit, order_id)


def key_of(unit: Unit, kid: str) -> DeviceKey | None:
    """Return the key of an issuer; our own is known before the cloud ever told anybody."""
    row = records.find_issuer(unit.db, kid)
    if row is not None:
        names = (row.device, row.venue, row.door, row.kid, row.public)
        return DeviceKey(*names, row.revoked, row.sealed, row.answered_by)
    signer, me = unit.box.signer, unit.identity
    if kid == signer.kid:
        return DeviceKey(me.device, me.venue, unit.device.door, kid, signer.public.hex())
    return None
