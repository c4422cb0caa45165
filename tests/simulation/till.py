"""What a device does in one transaction: the product's rules over a card. Each function mirrors one of ``appliance.services``.

``test_till`` drives both with the same random sequences and compares every shelf, hold, order and message.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from appliance.domain.booking import left_ms, next_hold, next_order
from appliance.domain.errors import AlreadyAdmitted, HoldExpired, Invalid, NotFound, SaleClosed
from appliance.domain.inventory import Line, Shelf, backs, per_quota, require, shortages, take_grant
from appliance.domain.limits import hold_life_ms
from mqtt_bridge.mailbox import sender
from mqtt_bridge.protocol.catalogue import Limits
from mqtt_bridge.protocol.messages import (
    AllocationReturned,
    Began,
    CancelRefused,
    CancelRequested,
    CheckedIn,
    Content,
    DeviceClosed,
    DeviceState,
    OrderCancelled,
    OrderConfirmed,
    Private,
    QuotaNeed,
    ReturnAllocation,
    TicketFact,
    TicketsVoided,
    WaitlistEntrusted,
)
from tests.simulation import turns
from tests.simulation.card import Hold, Item, Order, Ticket
from tests.simulation.unit import CLOUD, Unit

RECEIPT_ONLY = "receipt-"


# --- services/stock


def current(unit: Unit) -> dict[str, Shelf]:
    """The shelf of each quota that may be sold from."""
    return {each.quota: each for each in unit.card.shelves.rows.values() if each.current}


def free_lapsed(unit: Unit) -> int:
    """Expire holds whose life is over; those of an earlier boot get their whole life again first."""
    lapsed = 0
    for hold in list(unit.card.open_holds.rows.values()):
        if hold.boot_id != unit.now.boot_id:
            unit.put_hold(hold._replace(boot_id=unit.now.boot_id, expires_boot_ms=unit.now.boot_ms + hold.life_ms))
        elif hold.expires_boot_ms <= unit.now.boot_ms:
            end_hold(unit, hold, "expire")
            lapsed += 1
    return lapsed


def end_hold(unit: Unit, hold: Hold, event: str) -> None:
    """Give the stock of an open hold back, once."""
    if hold.state != "open":
        return
    unit.put_hold(hold._replace(state=next_hold("open", event)))
    for item in hold.items:
        unit.change_shelf(item.quota, item.epoch, partial(Shelf.end, quantity=item.quantity))
    if hold.entry is not None:
        turns.offer_over(unit, hold.entry, "leave" if event == "release" else "lapse")
    unit.at_end(turns.serve)


def claim(unit: Unit, lines: tuple[Line, ...]) -> dict[str, Shelf]:
    """Return shelves that meet all lines."""
    wanted = per_quota(lines)
    shelves = shelves_of(unit, wanted)
    if shortages(shelves, lines) and free_lapsed(unit):
        shelves = shelves_of(unit, wanted)
    require(shelves, lines)
    turns.walked_past(unit, wanted, shelves)
    return shelves


def shelves_of(unit: Unit, quotas: Iterable[str]) -> dict[str, Shelf]:
    """The shelves of these quotas as anybody but the waitlist finds them."""
    shelves = current(unit)
    return turns.kept(unit, {each: shelves[each] for each in quotas if each in shelves})


# --- services/booking


def place_hold(unit: Unit, wanted: Iterable[tuple[str, int]], limits: Limits) -> str:
    """Claim tickets (quota, quantity) for a while."""
    lines = tuple(Line(f"t-{quota}", quota, quantity) for quota, quantity in wanted)
    _require_not_frozen(unit)
    free_lapsed(unit)
    shelves = claim(unit, lines)
    life_ms = hold_life_ms(limits, list(shelves.values()))
    items = tuple(Item(line.quota, shelves[line.quota].epoch, line.quantity) for line in lines)
    hold = Hold(unit.secret(), items, "open", unit.now.boot_id, unit.now.boot_ms + life_ms, life_ms)
    unit.put_hold(hold)
    for quota, quantity in per_quota(lines).items():
        unit.put_shelf(shelves[quota].hold(quantity))
    return hold.id


def release_hold(unit: Unit, hold_id: str) -> None:
    """Give a hold back."""
    hold = _hold(unit, hold_id)
    if hold.order is not None:
        next_hold("confirmed", "release")
    if hold.state == "open":
        end_hold(unit, hold, "release")
    else:
        unit.put_hold(hold._replace(state=next_hold(hold.state, "release")))


def confirm(unit: Unit, hold_id: str) -> str:
    """Turn a hold into an order; the same hold again returns the first order."""
    hold = _hold(unit, hold_id)
    if hold.order is not None:
        return hold.order
    next_hold(hold.state, "confirm")
    lines = tuple(Line(f"t-{item.quota}", item.quota, item.quantity) for item in hold.items)
    epochs = {item.quota: item.epoch for item in hold.items}
    held = _still_holds(unit, hold, epochs)
    if hold.entry is not None:
        _require_live_offer(held=held)
    if held:
        hold = hold._replace(state=next_hold("open", "confirm"))
        _require_not_frozen(unit)
    else:
        if hold.state == "open":
            end_hold(unit, hold, "expire")
            hold = _hold(unit, hold_id)
        _require_not_frozen(unit)
        epochs = {quota: shelf.epoch for quota, shelf in claim(unit, lines).items()}
    order = _record_sale(unit, hold, lines, epochs, held=held)
    if hold.entry is not None:
        unit.steps.append(turns.Step("take", unit.card.waiters.rows[hold.entry], hold.id))
        turns.offer_over(unit, hold.entry, "take")
    return order


def _require_live_offer(*, held: bool) -> None:
    """A dead offer is never revived: whoever is next in line may have its tickets."""
    if not held:
        raise HoldExpired("this offer is over")


def _still_holds(unit: Unit, hold: Hold, epochs: dict[str, int]) -> bool:
    alive = hold.state == "open" and left_ms(hold.boot_id, hold.expires_boot_ms, hold.life_ms, unit.now) > 0
    return alive and backs(current(unit), epochs)


def _record_sale(unit: Unit, hold: Hold, lines: tuple[Line, ...], epochs: dict[str, int], *, held: bool) -> str:
    order_id = unit.secret()
    for quota, number in per_quota(lines).items():
        unit.change_shelf(quota, epochs[quota], partial(Shelf.confirm, quantity=number, held=held))
    me = unit.identity.device
    tickets = [
        Ticket(unit.secret(), order_id, me, line.quota, epochs[line.quota], f"s-{line.quota}")
        for line in lines
        for _ in range(line.quantity)
    ]
    for each in tickets:
        unit.card.tickets.put(each.id, each)
    unit.card.orders.put(order_id, Order(order_id, me, "confirmed", tuple(each.id for each in tickets)))
    unit.put_hold(hold._replace(order=order_id))
    stock = tuple(unit.card.shelves.rows[pair].count for pair in sorted(epochs.items()))
    facts = tuple(_fact(each) for each in tickets)
    unit.emit(OrderConfirmed(order_id, order_id[:8], "promised", facts, stock, unit.now.wall_ms))
    unit.issued += tickets
    return order_id


def _fact(ticket: Ticket) -> TicketFact:
    kind = f"t-{ticket.quota}"
    return TicketFact(ticket.id, ticket.id[:8], kind, ticket.event_session, ticket.quota, ticket.epoch, 1000, "EUR")


def _require_not_frozen(unit: Unit) -> None:
    if unit.card.row.frozen:
        raise SaleClosed("starting anew", state="closed")


def _hold(unit: Unit, hold_id: str) -> Hold:
    hold = unit.card.holds.get(hold_id)
    if hold is None:
        raise NotFound("no such hold")
    return hold


# --- services/cancelling


def cancel(unit: Unit, order_id: str) -> None:
    """Cancel an order of this device, or void at this door what another one sold."""
    order = _order(unit, order_id)
    if order.status in {"cancelled", "cancel_pending"}:
        return
    tickets = [each for each in _tickets(unit, order) if not each.voided]
    if any(each.checked_in for each in tickets):
        raise AlreadyAdmitted("somebody came in")
    here = [each for each in tickets if _decides(unit, each)]
    elsewhere = [each for each in tickets if not _decides(unit, each)]
    if order.issuer == unit.identity.device:
        _set_status(unit, order, "request_cancel" if elsewhere else "cancel")
        if here:
            _void_and_count(unit, order_id, here)
        if elsewhere:
            unit.emit(CancelRequested(order_id, tuple(_fact(each) for each in elsewhere)))
        return
    if elsewhere or not here:
        raise Invalid("sold at another venue", field="order")
    _set_status(unit, order, "request_cancel")
    _void(unit, here)
    unit.emit(TicketsVoided(order_id, tuple(each.id for each in here)))


def _decides(unit: Unit, ticket: Ticket) -> bool:
    return unit.card.row.door and _hosted(unit, ticket.event_session)


def _hosted(unit: Unit, event_session: str) -> bool:
    found = unit.catalogue.event_session.get(event_session)
    return found is not None and found[1].venue == unit.identity.venue


def _void(unit: Unit, tickets: Iterable[Ticket], *, count: bool = False) -> None:
    for each in tickets:
        now = unit.card.tickets.rows[each.id]
        unit.card.tickets.put(each.id, now._replace(voided=True, counted_cancelled=now.counted_cancelled or count))


def _void_and_count(unit: Unit, order_id: str, tickets: list[Ticket]) -> None:
    fresh = [each for each in tickets if not each.counted_cancelled]
    _void(unit, tickets, count=True)
    for each in fresh:
        unit.change_shelf(each.quota, each.epoch, lambda shelf: shelf.cancel(1))
    if fresh:
        pairs = sorted({(each.quota, each.epoch) for each in fresh})
        stock = tuple(shelf.count for pair in pairs if (shelf := unit.card.shelves.get(pair)) is not None)
        unit.emit(OrderCancelled(order_id, tuple(each.id for each in fresh), stock))
        unit.at_end(turns.serve)
    unit.counted += [each.id for each in fresh]


def _on_cancel_requested(unit: Unit, message: CancelRequested, origin: str) -> None:
    hosted = [each for each in message.tickets if _hosted(unit, each.event_session)]
    rows = {each.ticket: unit.card.tickets.get(each.ticket) for each in hosted}
    mine = [each for each in hosted if (row := rows[each.ticket]) is None or row.issuer == origin]
    if not mine:
        return
    admitted = tuple(each.ticket for each in mine if (row := rows[each.ticket]) is not None and row.checked_in)
    if admitted:
        unit.emit(CancelRefused(message.order, admitted))
        return
    for each in mine:
        if rows[each.ticket] is None:
            _take_in(unit, message.order, origin, each, "cancel_pending")
    ids = tuple(each.ticket for each in mine)
    _void(unit, [unit.card.tickets.rows[each] for each in ids])
    for order in _orders_of(unit, ids):
        if order.status == "confirmed":
            _set_status(unit, order, "request_cancel")
    unit.emit(TicketsVoided(message.order, ids))


def _on_voided(unit: Unit, message: TicketsVoided) -> None:
    for order in _orders_of(unit, message.tickets):
        if order.issuer != unit.identity.device:
            continue
        _void_and_count(unit, order.id, [each for each in _tickets(unit, order) if each.id in message.tickets])
        if all(each.voided for each in _tickets(unit, order)):
            _set_status(unit, order, "void")


def _on_refused(unit: Unit, message: CancelRefused) -> None:
    for order in _orders_of(unit, message.tickets):
        _set_status(unit, order, "refuse")


def _on_order_cancelled(unit: Unit, message: OrderCancelled, origin: str) -> None:
    if origin == unit.identity.device:
        return
    known = (unit.card.tickets.get(each) for each in message.tickets)
    theirs = [row for row in known if row is not None and row.issuer == origin]
    _void(unit, theirs)
    for order in _orders_of(unit, [each.id for each in theirs]):
        if all(each.voided for each in _tickets(unit, order)):
            unit.card.orders.put(order.id, order._replace(status="cancelled"))


# --- services/foreign and services/door


def _on_order_confirmed(unit: Unit, message: OrderConfirmed, origin: str) -> None:
    if origin != unit.identity.device:
        for fact in message.tickets:
            _take_in(unit, message.order, origin, fact, "confirmed")


def _take_in(unit: Unit, order_id: str, origin: str, fact: TicketFact, status: str) -> None:
    """Write a ticket down that was sold elsewhere; one known from its receipt moves into its order."""
    ticket = unit.card.tickets.get(fact.ticket)
    if ticket is None:
        ticket = Ticket(fact.ticket, order_id, origin, fact.quota, fact.epoch, fact.event_session)
    unit.card.tickets.put(fact.ticket, ticket._replace(order=order_id))
    order = unit.card.orders.get(order_id, Order(order_id, origin, status, ()))  # type: ignore[arg-type]
    if fact.ticket not in order.tickets:
        order = order._replace(tickets=(*order.tickets, fact.ticket))
    unit.card.orders.put(order_id, order)


def check_in(unit: Unit, fact: TicketFact, issuer: str) -> bool:
    """Scan a receipt at a door and record it, whatever it says; tells whether somebody came in."""
    if unit.card.tickets.get(fact.ticket) is None:
        _take_in(unit, RECEIPT_ONLY + fact.ticket, issuer, fact, "confirmed")
    ticket = unit.card.tickets.rows[fact.ticket]
    admitted = not ticket.voided and not ticket.checked_in
    if admitted:
        unit.card.tickets.put(ticket.id, ticket._replace(checked_in=True))
    verdict = "admitted" if admitted else "already_admitted" if ticket.checked_in else "refused"
    reason = "cancelled" if verdict == "refused" else None
    unit.emit(
        CheckedIn(unit.secret(), verdict, reason, ticket.id, ticket.event_session, "badge", unit.now.wall_ms)  # type: ignore[arg-type]
    )
    return admitted


def _on_checked_in(unit: Unit, message: CheckedIn) -> None:
    ticket = unit.card.tickets.get(message.ticket or "")
    if ticket is not None and message.verdict == "admitted":
        unit.card.tickets.put(ticket.id, ticket._replace(checked_in=True))


def _order(unit: Unit, order_id: str) -> Order:
    order = unit.card.orders.get(order_id)
    if order is None:
        raise NotFound("no such order")
    return order


def _orders_of(unit: Unit, ticket_ids: Iterable[str]) -> list[Order]:
    rows = [row for each in ticket_ids if (row := unit.card.tickets.get(each)) is not None]
    return [_order(unit, each) for each in sorted({row.order for row in rows})]


def _tickets(unit: Unit, order: Order) -> list[Ticket]:
    return [unit.card.tickets.rows[each] for each in sorted(order.tickets)]


def _set_status(unit: Unit, order: Order, event: str) -> None:
    unit.card.orders.put(order.id, unit.card.orders.rows[order.id]._replace(status=next_order(order.status, event)))


# --- services/asking


def ask(unit: Unit, quota: str, short: int) -> bool:
    """Note that tickets are missing here; tells whether the cloud can be asked."""
    shelf = current(unit).get(quota)
    if shelf is None or not unit.card.row.link_up or unit.card.row.frozen or shelf.elsewhere == 0:
        return False
    unit.change_shelf(quota, shelf.epoch, lambda each: each.want(short))
    return True


def remember_no(unit: Unit, quota: str) -> None:
    """Patience ran out."""
    shelf = current(unit).get(quota)
    if shelf is not None:
        unit.put_shelf(shelf.refused(unit.now.boot_ms))


# --- services/sync


def needs(unit: Unit) -> tuple[QuotaNeed, ...]:
    """What somebody here waits for."""
    waiting = [each for each in current(unit).values() if each.wanted]
    return tuple(QuotaNeed(each.quota, each.wanted, each.count) for each in sorted(waiting, key=lambda s: s.quota))


def forgot(unit: Unit, state: DeviceState) -> bool:
    """Whether the cloud has more messages of this life than were ever written here."""
    return state.written > unit.mail.last_seq(CLOUD, unit.card.row.inc)


def apply_state(unit: Unit, state: DeviceState) -> None:
    """Take the cloud's totals; begin a new life where it remembers more of us than we do, or says so."""
    row = unit.card.row
    older = (state.generation, state.revision) < (row.generation, row.state_revision)
    mine = (state.device, state.inc) == (unit.identity.device, row.inc)
    went = mine and forgot(unit, state)
    if not mine or (older and not went):
        return
    if went or state.stop:
        begin_incarnation(unit, "went_back" if went else "told")
    if state.sealed or row.sealed:
        close(unit, state)
    if went or state.stop or unit.card.row.sealed:
        return
    for grant in state.grants:
        known = [each for each in unit.card.shelves.rows.values() if each.quota == grant.quota]
        for shelf in take_grant(known, grant, state.as_of_ms):
            unit.put_shelf(shelf)
        turns.hear_line(unit, grant.quota, grant.line, grant.longer)
    unit.at_end(turns.serve)
    told = {"state_revision": state.revision, "generation": state.generation}
    unit.change_row(frozen=False, door=state.door, **told)


def close(unit: Unit, state: DeviceState) -> None:
    """Stop for good, once: open holds end, unsold stock of this life is returned."""
    if not unit.card.row.sealed:
        turns.withdraw_all(unit)
        for hold in list(unit.card.open_holds.rows.values()):
            end_hold(unit, hold, "release")
        emptied = [each.give_back_all() for _, each in sorted(current(unit).items())]
        for shelf in emptied:
            unit.put_shelf(shelf)
        unit.emit(DeviceClosed(tuple(each.count for each in emptied)))
    told = {"state_revision": state.revision, "generation": state.generation}
    unit.change_row(sealed=True, frozen=True, door=False, **told)


def went_back(unit: Unit, inc: str) -> None:
    """The cloud knows another history of this life."""
    if inc == unit.card.row.inc:
        begin_incarnation(unit, "went_back")
    else:
        sender.carry_over(unit.mail, CLOUD, inc, unit.card.row.inc, signer=unit.signer, wall_ms=unit.now.wall_ms)
        unit.emitted += 1


def begin_incarnation(unit: Unit, began: Began) -> None:
    """Start a new life: nothing is sold until the cloud granted to it."""
    before = unit.card.row.inc
    unit.change_row(inc=unit.secret(), bound_to=unit.identity.board, frozen=True, state_revision=0, began=began)
    for shelf in list(unit.card.shelves.rows.values()):
        unit.put_shelf(shelf.old_life())
    sender.carry_over(unit.mail, CLOUD, before, unit.card.row.inc, signer=unit.signer, wall_ms=unit.now.wall_ms)
    unit.emitted += 1
    unit.at_end(turns.serve)


def link_changed(unit: Unit, *, up: bool) -> None:
    """Note whether the cloud answers; nobody waits for stock without it."""
    if not up:
        want_nothing(unit)
    if up != unit.card.row.link_up:
        unit.change_row(link_up=up)
        unit.at_end(turns.serve)


def sweep(unit: Unit) -> None:
    """Expire lapsed holds and serve the waitlist, as every device does every few seconds."""
    free_lapsed(unit)
    turns.tidy(unit)


def want_nothing(unit: Unit) -> None:
    """Nobody waits for more stock any more."""
    for shelf in [each for each in unit.card.shelves.rows.values() if each.wanted]:
        unit.put_shelf(shelf.want(-shelf.wanted))


def apply_message(unit: Unit, content: Content, private: Private | None) -> None:
    """Apply one downlink message."""
    body, origin = content.body, content.origin
    match body:
        case OrderConfirmed():
            _on_order_confirmed(unit, body, origin)
        case CancelRequested():
            _on_cancel_requested(unit, body, origin)
        case TicketsVoided():
            _on_voided(unit, body)
        case CancelRefused():
            _on_refused(unit, body)
        case OrderCancelled():
            _on_order_cancelled(unit, body, origin)
        case CheckedIn():
            _on_checked_in(unit, body)
        case ReturnAllocation():
            _return_allocation(unit, body)
        case WaitlistEntrusted():
            turns.on_entrusted(unit, body)
        case _:
            pass


def _return_allocation(unit: Unit, message: ReturnAllocation) -> None:
    free_lapsed(unit)
    turns.serve(unit)
    before = unit.card.shelves.get((message.quota, message.epoch))
    if before is None:
        return
    after = before.give_back(message.returned)
    if after != before:
        unit.put_shelf(after)
        unit.emit(AllocationReturned((after.count,)))
