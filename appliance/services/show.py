"""Rows into views: the one place that knows how a hold, an order and a ticket look from outside."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Row

from appliance.domain.booking import UNHEARD, left_ms, total_of
from appliance.domain.requests import NO_STOCK
from appliance.domain.verifying import needed, shown_contact
from appliance.services.box import Unit
from appliance.services.rows import hold_row, order_row
from appliance.services.views import HoldLine, HoldView, OrderView, TicketView, VerificationView
from appliance.store import holds, orders, requests, verifications, waiting
from mqtt_bridge.protocol.catalogue import Event, EventSession, TicketType, Venue
from mqtt_bridge.protocol.waitlist import entry_of

_NOWHERE = Venue(id="", name="", address="")


def hold_view(unit: Unit, hold_id: str) -> HoldView:
    """Return a hold as the guest sees it; ``NotFound`` if there is none."""
    row = hold_row(unit, hold_id)
    items = holds.items(unit.db, hold_id)
    lines = tuple(_line(unit, item) for item in items)
    life_left_ms = remaining_ms(unit, row)
    order_id = orders.find_by_hold(unit.db, hold_id)
    state = "confirmed" if order_id else "expired" if row.state == "open" and life_left_ms == 0 else row.state
    return HoldView(
        id=row.id,
        code=row.code,
        state=state,
        items=lines,
        expires_at_ms=unit.now.wall_ms + life_left_ms if state == "open" else row.expires_at_ms,
        expires_in_ms=life_left_ms if state == "open" else 0,
        total_minor=sum(line.type.price_minor * line.quantity for line in lines),
        currency=lines[0].type.currency,
        requested=any(item.epoch == NO_STOCK for item in items),
        order=order_id,
        entry=row.entry,
        verify=needed(line.type.verify for line in lines),
    )


def remaining_ms(unit: Unit, row: Row[Any]) -> int:
    """Return how long a hold still lives; a hold of an earlier boot has its whole life again."""
    return left_ms(row.boot_id, row.expires_boot_ms, row.life_ms, unit.now)


def _line(unit: Unit, item: Row[Any]) -> HoldLine:
    event, at, kind = where_and_what(unit, item.ticket_type, "")
    return HoldLine(type=kind, event=event, at=at, quantity=item.quantity)


def where_and_what(unit: Unit, ticket_type: str, event_session: str) -> tuple[Event, EventSession, TicketType]:
    """Return what the catalogue says; empty values for what it does not know (yet)."""
    known = unit.catalogue.ticket_type.get(ticket_type)
    if known is not None:
        return known
    kind = TicketType(id=ticket_type, name="", quota="", price_minor=0, currency="")
    found = unit.catalogue.event_session.get(event_session)
    if found is not None:
        return (*found, kind)
    event = Event(id="", slug="", title="", summary="", sessions=())
    at = EventSession(event_session, "", "", 0, 0, "UTC", (), ())
    return event, at, kind


def ticket_view(unit: Unit, row: Row[Any], admitted_at_ms: int | None) -> TicketView:
    """Return one ticket."""
    event, at, kind = where_and_what(unit, row.ticket_type, row.event_session)
    return TicketView(
        id=row.id,
        code=row.code,
        type=kind,
        event=event,
        at=at,
        venue=unit.catalogue.venue.get(at.venue, _NOWHERE),
        receipt=row.receipt,
        price_minor=row.price_minor,
        voided=row.voided,
        admitted_at_ms=admitted_at_ms,
        replaced_by=row.replaced_by,
        moved_from=None if at.moved is None else unit.catalogue.venue.get(at.moved.venue, _NOWHERE),
        check_in=row.checked_in_by,
        outside=row.left_by is not None,
    )


def order_view(unit: Unit, order_id: str) -> OrderView:
    """Return an order with its tickets; ``NotFound`` if there is none."""
    row = order_row(unit, order_id)
    tickets = orders.tickets(unit.db, order_id)
    return OrderView(
        id=row.id,
        code=row.code,
        status=row.status,
        payment=row.payment,
        total_minor=total_of(row.total_minor, tickets),
        currency=row.currency,
        name=row.name,
        contact=row.contact,
        issuer=row.issuer,
        created_at_ms=row.created_at_ms,
        tickets=tuple(ticket_view(unit, each, each.admitted_at_ms) for each in tickets),
        **orders.paid(unit.db, order_id)._asdict(),
        whole=row.sold_by != UNHEARD,
        hold=row.hold,
        refund_minor=row.refund_minor,
        waits=_waits(unit, order_id, tickets),
        refusal=_refusal(unit, row),
        changed_to=row.changed_to,
        proof=_proof(unit, row),
    )


def _waits(unit: Unit, order_id: str, tickets: Iterable[Row[Any]]) -> str | None:
    """Return the waitlist entry an operator made for the holder of tickets that were taken back."""
    entries = (entry_of(order_id, quota) for quota in sorted({each.quota for each in tickets if each.voided}))
    return next((entry for entry in entries if waiting.find(unit.db, entry) is not None), None)


def _refusal(unit: Unit, row: Row[Any]) -> str:
    if row.status != "refused":
        return ""
    asked = requests.find(unit.db, row.id) or verifications.find(unit.db, row.id)
    return "" if asked is None else str(asked.refusal)


def _proof(unit: Unit, row: Row[Any]) -> VerificationView | None:
    # Of an order that never was pending nothing is read: most are not.
    if row.status not in {"pending", "refused"}:
        return None
    known = verifications.find(unit.db, row.id)
    if known is None:
        return None
    alive = known.channel == "mail" or (
        known.code_boot_id == unit.now.boot_id and unit.now.boot_ms < known.code_until_boot_ms
    )
    return VerificationView(
        verify=known.verify,
        channel=known.channel,
        waits_for=known.waits_for,
        news=known.news if alive or known.news != "sent" else "spent",
        tries_left=known.tries_left if alive else 0,
        contact=shown_contact(row.contact),
        member=known.member,
        decided_by=known.decided_by,
    )
