"""The door: decide, record, report and print one scan in one transaction; undo; sell to a walk-up."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from sqlalchemy import Row

from appliance.domain import admission
from appliance.domain.admission import Decision, Facts, Way
from appliance.domain.client import Client
from appliance.domain.errors import Invalid, NotFound
from appliance.domain.printing import Stub
from appliance.services import badges, booking, conversion, payments, show, verifying
from appliance.services.answering import answered_by_me, decides
from appliance.services.booking import Item
from appliance.services.box import Unit
from appliance.services.finding import Found, find
from appliance.services.overview import door_view
from appliance.services.staff_views import CheckInView
from appliance.services.views import OrderView, TicketView
from appliance.store import orders, records, scans
from mqtt_bridge.protocol.messages import CheckedIn, CheckInUndone, Exited, Method

RECENT = 50
__all__ = [
    "admit_party",
    "check_in",
    "door_view",
    "on_check_in_undone",
    "on_checked_in",
    "on_exited",
    "pay_and_admit",
    "recent",
    "sell",
    "undo",
]


def check_in(unit: Unit, code: str, staff: str, lane: str, way: Way | None = None) -> CheckInView:
    """Decide about one code and record the scan, whatever comes of it.

    ``way`` is in or out; None leaves it to the lane's switch. The verdict commits together with its message and, if admitted for
    the first time, its stub in the print spool.
    """
    if way is None:
        way = "out" if records.switches(unit.db).get(f"way:{lane}") == "out" else "in"
    return _scan(unit, find(unit, code, way), staff, lane, way)


def _scan(unit: Unit, found: Found, staff: str, lane: str, way: Way = "in") -> CheckInView:
    decide = admission.decide if way == "in" else admission.decide_exit
    return _record(unit, found, decide(_facts(unit, found)), staff, lane, way)


def pay_and_admit(unit: Unit, code: str, staff: str, method: Method, lane: str) -> CheckInView:
    """Take what is due for the scanned order and admit; no money is taken unless the ticket is admitted with it."""
    found = find(unit, code)
    facts = _facts(unit, found)
    would_be = admission.decide(replace(facts, paid=True))
    if not facts.paid and would_be.verdict == "admitted":
        order = show.order_view(unit, found.ticket.order)
        payments.take_payment(unit, order.id, staff, method, order.due_minor)
    return check_in(unit, code, staff, lane, "in")


def verify_and_admit(unit: Unit, code: str, staff: str, lane: str) -> CheckInView:
    """Let a pre-enrolment admit on staff's word who saw the proof, then scan its ticket; what is due is asked for as usual."""
    found = find(unit, code)
    if found.ticket is not None and _facts(unit, found).status == "pending":
        verifying.verify_here(unit, found.ticket.order, staff)
    return check_in(unit, code, staff, lane, "in")


def admit_party(
    unit: Unit, order_id: str, staff: str, lane: str, method: Method | None = None
) -> tuple[CheckInView, ...]:
    """Admit everybody of an order who is not inside yet, each a scan of its own; with a method take what is due first.

    Raises ``Invalid``, and takes no money, where nobody of it can come in here now.
    """
    found = [Found("known", row.code, row) for row in orders.tickets(unit.db, order_id)]
    due = [each for each in found if admission.decide(replace(_facts(unit, each), paid=True)).verdict == "admitted"]
    due = [each for each in due if each.ticket.replaced_by is None]
    if not due:
        msg = "Nobody of this order can come in here now. Scan a ticket of it: the verdict says why."
        raise Invalid(msg, field="order")
    order = show.order_view(unit, order_id)
    if method is not None and order.due_minor:
        payments.take_payment(unit, order.id, staff, method, order.due_minor)
    return tuple(_scan(unit, each, staff, lane) for each in due)


def sell(unit: Unit, staff: str, items: Iterable[Item], method: Method | None, lane: str) -> OrderView:
    """Sell to a walk-up in one step: hold, confirm, pay, print, and admit where the door is open here.

    Without a method the order stays promised.
    """
    client = Client(id=f"staff:{staff}", address="desk", known=True, kind="staff")
    hold = booking.place_hold(unit, client, items, channel="desk")
    order = booking.confirm(unit, hold.id, client=client, staff=staff)
    if method is not None and order.due_minor:
        payments.take_payment(unit, order.id, staff, method, order.due_minor)
    else:
        payments.print_receipt(unit, order.id, staff, "")
    unit.audit(staff, "sale", order.id, f"{order.total_minor} {order.currency}")
    order = show.order_view(unit, order.id)
    if order.payment == "paid":
        for ticket in order.tickets:
            if _open_here(unit, ticket.at.id):
                check_in(unit, ticket.code, staff, lane, "in")
    return show.order_view(unit, order.id)


def undo(unit: Unit, check_in_id: str, staff: str) -> CheckInView:
    """Take a scan back: the ticket is admissible again. Doing it twice changes nothing; ``NotFound`` if there is none.

    A device that replaced the door may take its predecessor's scans back too.
    """
    row = scans.find(unit.db, check_in_id)
    if row is None or (row.lane.startswith("@") and row.lane[1:] not in answered_by_me(unit)):
        msg = "This scan does not exist at this door."
        raise NotFound(msg)
    if row.undone_at_ms is None:
        scans.undo(unit.db, row.id, unit.now.wall_ms)
        _restore(unit, row)
        unit.emit(CheckInUndone(check_in=row.id, ticket=row.ticket, staff=staff))
        unit.audit(staff, "undo", row.id)
    return _view(unit, _known_scan(unit, check_in_id))


def recent(unit: Unit, limit: int = RECENT) -> tuple[CheckInView, ...]:
    """Return this door's latest scans, newest first."""
    return tuple(_view(unit, row) for row in scans.recent(unit.db, min(limit, RECENT)))


def on_checked_in(unit: Unit, message: CheckedIn, origin: str) -> None:
    """Another door scanned a ticket of ours: know it as used."""
    if origin != unit.identity.device:
        take_scan(unit, message, lane=f"@{origin}")


def take_scan(unit: Unit, message: CheckedIn, *, lane: str) -> None:
    """Write a scan down that happened elsewhere, or here before this database was made."""
    scans.add(unit.db, _scan_values(message, code="", lane=lane))
    row = orders.find_ticket(unit.db, message.ticket) if message.ticket else None
    again = row is not None and message.after is not None and message.after == row.left_by
    if row is not None and message.verdict == "admitted" and (row.checked_in_by is None or again):
        orders.change_tickets(unit.db, [row.id], checked_in_by=message.check_in, left_by=None)
        _count_admitted(unit, row.order)


def on_exited(unit: Unit, message: Exited, origin: str) -> None:
    """Another door scanned a ticket of ours on the way out."""
    if origin != unit.identity.device:
        take_exit(unit, message, lane=f"@{origin}")


def take_exit(unit: Unit, message: Exited, *, lane: str) -> None:
    """Write down that somebody went out elsewhere, or here before this database was made."""
    scans.add(unit.db, _scan_values(message, code="", lane=lane))
    row = orders.find_ticket(unit.db, message.ticket) if message.ticket else None
    if row is not None and message.verdict == "left" and row.checked_in_by == message.after:
        orders.change_tickets(unit.db, [row.id], left_by=message.check_in)


def on_check_in_undone(unit: Unit, message: CheckInUndone, origin: str) -> None:
    """Another door took a scan back."""
    if origin != unit.identity.device:
        take_back(unit, message)


def take_back(unit: Unit, message: CheckInUndone) -> None:
    """Write down that a scan was taken back."""
    scans.undo(unit.db, message.check_in, unit.now.wall_ms)
    row = scans.find(unit.db, message.check_in)
    if row is not None:
        _restore(unit, row)


def _restore(unit: Unit, scan: Row[Any]) -> None:
    """Have a ticket be as it was before a scan that was taken back, if that scan is the last that counts."""
    ticket = orders.find_ticket(unit.db, scan.ticket) if scan.ticket else None
    if ticket is None:
        return
    if ticket.left_by == scan.id:
        orders.change_tickets(unit.db, [ticket.id], left_by=None)
    elif ticket.checked_in_by == scan.id:
        before = scans.find(unit.db, scan.after) if scan.after else None
        out = None if before is None or before.undone_at_ms is not None else before.id
        inside = None if before is None else before.after
        orders.change_tickets(unit.db, [ticket.id], checked_in_by=inside, left_by=out)


def _facts(unit: Unit, found: Found) -> Facts:
    ticket = found.ticket
    if ticket is None:
        return Facts(found.proof)
    order = orders.find(unit.db, ticket.order)
    return Facts(
        proof=found.proof,
        door_open=_open_here(unit, ticket.event_session),
        called_off=_called_off(unit, ticket.event_session),
        status=order.status if order else "confirmed",
        voided=ticket.voided,
        paid=order is not None and order.payment == "paid",
        admitted=ticket.checked_in_by is not None,
        outside=ticket.left_by is not None,
        re_entry=_re_entry(unit, ticket.event_session),
        hosted=decides(unit, ticket.event_session),
    )


def _re_entry(unit: Unit, event_session: str) -> bool:
    found = unit.catalogue.event_session.get(event_session)
    return found is not None and found[1].re_entry


def _open_here(unit: Unit, event_session: str) -> bool:
    """Return whether this device is the door of that session and its door is open now."""
    if not decides(unit, event_session):
        return False
    at = unit.catalogue.event_session[event_session][1]
    return admission.door_open(at, unit.now, records.switches(unit.db).get(f"door:{at.id}"))


def _called_off(unit: Unit, event_session: str) -> bool:
    found = unit.catalogue.event_session.get(event_session)
    return found is not None and found[1].cancelled


def _record(unit: Unit, found: Found, decision: Decision, staff: str, lane: str, way: Way) -> CheckInView:
    ticket = found.ticket
    message = _message(unit, ticket, decision, staff, way)
    scans.add(unit.db, _scan_values(message, code=found.code, lane=lane))
    if decision.verdict == "admitted":
        orders.come_in(unit.db, ticket.id, message.check_in)
        _count_admitted(unit, ticket.order)
    if decision.verdict == "left":
        orders.go_out(unit.db, ticket.id, message.check_in)
    unit.emit(message)
    view = _view(unit, _known_scan(unit, message.check_in), found)
    # Who comes in again has a stub.
    if decision.verdict == "admitted" and view.ticket is not None and message.after is None:
        stub = Stub(payments.printed(view.ticket), unit.now.wall_ms, lane, message.check_in)
        unit.print("stub", stub)
        badges.on_admitted(unit, view.ticket, ticket.order)
    return view


def _count_admitted(unit: Unit, order_id: str) -> None:
    order = orders.find(unit.db, order_id)
    conversion.reached(unit, order.hold if order is not None else None, "admitted")


def _message(unit: Unit, ticket: Any, decision: Decision, staff: str, way: Way) -> CheckedIn | Exited:
    kind, after = (CheckedIn, "left_by") if way == "in" else (Exited, "checked_in_by")
    counts = ticket is not None and decision.verdict in {"admitted", "left"}
    made: CheckedIn | Exited = kind(
        check_in=unit.secret(),
        verdict=decision.verdict,  # type: ignore[arg-type]  # each rule gives the verdicts of its own way
        reason=decision.reason,
        ticket=ticket.id if ticket is not None else None,
        event_session=ticket.event_session if ticket is not None else None,
        staff=staff,
        at_ms=unit.now.wall_ms,
        after=getattr(ticket, after) if counts else None,
    )
    return made


def _scan_values(message: CheckedIn | Exited, *, code: str, lane: str) -> dict[str, Any]:
    return {
        "id": message.check_in,
        "code": code,
        "ticket": message.ticket,
        "event_session": message.event_session,
        "verdict": message.verdict,
        "reason": message.reason,
        "staff": message.staff,
        "lane": lane,
        "at_ms": message.at_ms,
        "undone_at_ms": None,
        "way": "in" if isinstance(message, CheckedIn) else "out",
        "after": message.after,
    }


def _known_scan(unit: Unit, check_in_id: str) -> Row[Any]:
    row = scans.find(unit.db, check_in_id)
    if row is None:
        msg = "This scan does not exist at this door."
        raise NotFound(msg)
    return row


def _view(unit: Unit, row: Row[Any], found: Found | None = None) -> CheckInView:
    ticket = orders.find_ticket(unit.db, row.ticket) if row.ticket else None
    if ticket is None and found is not None:
        ticket = found.ticket
    order = show.order_view(unit, ticket.order) if ticket is not None and ticket.order else None
    previous_at_ms = None
    if row.verdict == "already_admitted" and row.ticket:
        previous_at_ms = scans.admitted_before(unit.db, row.ticket, row.at_ms)
    shown = None if ticket is None else show.ticket_view(unit, ticket, _admitted_at_ms(unit, ticket))
    rebooked = ticket is not None and orders.replaced(unit.db, ticket.id) is not None
    return CheckInView(
        id=row.id,
        verdict=row.verdict,
        reason=row.reason,
        words=_words(unit, Decision(row.verdict, row.reason), shown, found.place if found else "", rebooked=rebooked),
        ticket=shown,
        amount_due_minor=order.due_minor if order and row.reason == "unpaid" else 0,
        currency=ticket.currency if ticket is not None else "",
        at_ms=row.at_ms,
        holder_name=order.name if order else "",
        previous_at_ms=previous_at_ms,
        code=row.code,
        lane=row.lane,
        undone=row.undone_at_ms is not None,
        order=order.id if order else None,
        rebooked=rebooked,
        way=row.way,
        again=row.way == "in" and row.after is not None,
    )


def _admitted_at_ms(unit: Unit, ticket: Any) -> int | None:
    row = scans.find(unit.db, ticket.checked_in_by) if ticket.checked_in_by else None
    return None if row is None else int(row.at_ms)


def _words(unit: Unit, decision: Decision, ticket: TicketView | None, place: str, *, rebooked: bool) -> str:
    sentence = admission.words(decision)
    if decision.reason == "wrong_session" and ticket is not None and ticket.event.title:
        if ticket.at.venue != unit.identity.venue:
            sentence = f"This ticket is for {ticket.event.title} at {ticket.venue.name}."
        elif not unit.device.door:
            sentence = "This device is not the door of this venue. Scan at the door."
        else:
            sentence = f"The door for {ticket.event.title} at that time is not open."
        if ticket.at.moved is not None and ticket.at.moved.venue == unit.identity.venue != ticket.at.venue:
            sentence += " It was moved there."
    if decision.reason == "cancelled" and ticket is not None and ticket.at.cancelled:
        sentence = "This date was cancelled. Look the order up: it says what is paid back."
    if rebooked:
        sentence += " The ticket was rebooked; its old code leads here."
    return f"{sentence} Ticket {place} of this order." if place else sentence
