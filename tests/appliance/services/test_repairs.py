"""What an operator decided reaches the issuer and the doors: withdrawn, rebooked, paid back; dates cancelled and moved."""

from __future__ import annotations

import msgspec
import pytest

from appliance.domain.errors import Invalid, SaleClosed
from appliance.services import booking, door, listing, payments, repairs
from appliance.services.booking import Item
from appliance.store import allocations, device
from mqtt_bridge.protocol import receipts
from mqtt_bridge.protocol.catalogue import Moved
from mqtt_bridge.protocol.messages import (
    CancelRefused,
    OrderCancelled,
    OrderConfirmed,
    PaymentTaken,
    RefundOwed,
    RefundPaid,
    TicketsVoided,
    TicketsWithdrawn,
    WaitlistEntrusted,
    Wish,
)
from mqtt_bridge.protocol.waitlist import entry_of
from tests.support.box import (
    ADULT,
    AWAY,
    BADGE,
    ELSEWHERE,
    HALL,
    ROOM,
    TONIGHT,
    TestBox,
    desk,
    example_catalogue,
)
from tests.support.repairs import import_into, rebooked, tell, told, with_session, withdrawn


def book(box: TestBox, kind: str, quantity: int, *, pay: bool = True):
    def work(unit):
        held = booking.place_hold(unit, desk(), [Item(kind, quantity)])
        order = booking.confirm(unit, held.id, name="Ada")
        return payments.take_payment(unit, order.id, BADGE, "cash", order.due_minor) if pay else order

    return box.run(work)


def find(box: TestBox, order_id: str):
    return box.look(lambda unit: booking.find_order(unit, order_id))


def scan(box: TestBox, code: str):
    return box.run(lambda unit: door.check_in(unit, code, BADGE, "1"))


def totals(box: TestBox, quota: str, epoch: int = 1):
    return box.look(lambda unit: allocations.count(unit.db, quota, epoch)).totals


def forward(source: TestBox, target: TestBox, *kinds: type) -> None:
    for body in told(source, *kinds):
        tell(target, body, source.identity.device)


def test_own_tickets_are_withdrawn_and_counted_in_one_step_at_their_own_door(box):
    order = book(box, ADULT, 2)
    for _ in range(2):
        tell(box, withdrawn(box, order))
    assert find(box, order.id).status == "cancelled"
    assert totals(box, ROOM).cancelled == 2
    assert len(told(box, OrderCancelled)) == 1
    assert scan(box, order.tickets[0].code).reason == "cancelled"


def test_tickets_hosted_elsewhere_wait_for_their_door_and_then_count_once(box, south):
    order = book(box, ELSEWHERE, 2)
    message = withdrawn(box, order)
    tell(box, message)
    assert find(box, order.id).status == "cancel_pending"
    assert totals(box, HALL).cancelled == 0
    tell(south, message)  # a door that never heard of the sale
    assert scan(south, order.tickets[0].receipt).reason in {"cancelled", "wrong_session"}
    assert len(told(south, TicketsVoided)) == 1
    for _ in range(2):
        forward(south, box, TicketsVoided)
    assert find(box, order.id).status == "cancelled"
    assert totals(box, HALL).cancelled == 2


def test_who_came_in_keeps_the_ticket_and_only_the_rest_is_withdrawn(box):
    order = book(box, ADULT, 2)
    assert scan(box, order.tickets[0].code).verdict == "admitted"
    tell(box, withdrawn(box, order))
    assert told(box, CancelRefused) == [CancelRefused(order.id, (order.tickets[0].id,))]
    after = find(box, order.id)
    assert (after.status, [each.voided for each in after.tickets].count(True)) == ("confirmed", 1)
    assert totals(box, ROOM).cancelled == 1


def test_a_rebooked_order_admits_at_the_new_door_by_new_and_old_code_once(box, south):
    order = book(box, ADULT, 2)
    forward(box, south, OrderConfirmed)
    message = rebooked(box, order, ELSEWHERE, AWAY, HALL)
    for _ in range(2):
        tell(box, message)
        tell(south, message)
    after = find(box, order.id)
    assert (after.status, after.total_minor, after.due_minor) == ("confirmed", order.total_minor, 0)
    assert totals(box, ROOM).cancelled == 2
    assert (totals(box, HALL).sold, totals(box, HALL).confirmed) == (0, 2)
    assert south.look(lambda unit: allocations.count(unit.db, HALL, 1)) is None
    new = {each.id: each for each in after.tickets if each.replaced_by is None}
    claims = receipts.read(next(iter(new.values())).receipt).claims
    assert (claims.issuer, claims.event_session, claims.paid) == ("north-1", AWAY, True)
    there = scan(south, order.tickets[0].receipt)
    assert (there.verdict, there.rebooked) == ("admitted", True)
    assert there.ticket is not None
    assert scan(south, new[there.ticket.id].code).verdict == "already_admitted"
    assert scan(south, new[there.ticket.id].receipt).verdict == "already_admitted"
    old_door = scan(box, order.tickets[0].code)
    assert old_door.reason == "wrong_session"
    assert "South Barn" in old_door.words
    assert "rebooked" in old_door.words


def test_a_rebooking_of_a_cloud_that_was_lost_counts_nowhere_once_its_successor_was_named(box):
    order = book(box, ADULT, 2)
    box.run(lambda unit: device.change(unit.db, generation=2))
    message = rebooked(box, order, ELSEWHERE, AWAY, HALL)
    tell(box, message, inc="1.abcd")
    assert {each.replaced_by for each in find(box, order.id).tickets} == {None}
    tell(box, message, inc="2.abcd")
    assert len([each for each in find(box, order.id).tickets if each.replaced_by]) == 2


def test_who_had_come_in_is_not_rebooked(box, south):
    order = book(box, ADULT, 1)
    scan(box, order.tickets[0].code)
    tell(box, rebooked(box, order, ELSEWHERE, AWAY, HALL))
    assert told(box, CancelRefused) == [CancelRefused(order.id, (order.tickets[0].id,))]
    assert scan(box, order.tickets[0].code).verdict == "already_admitted"


def test_a_rebooking_that_came_too_late_leaves_no_desk_owing_money(box, south):
    """The new door gave up the old ticket for the new one: when that is taken back because somebody came in, the old one counts again."""
    order = book(box, ADULT, 1)
    forward(box, south, OrderConfirmed)
    taken = PaymentTaken(order.id, "p1", "cash", order.total_minor, "EUR", BADGE, paid=True, tickets=())
    south.run(lambda unit: payments.on_payment_taken(unit, taken))
    message = rebooked(box, order, ELSEWHERE, AWAY, HALL)
    tell(south, message)
    new = tuple(each.new for each in message.swaps)
    assert find(south, order.id).refund_due_minor == 0
    tell(south, TicketsWithdrawn(order.id, order.code, order.issuer, "paid", new, "admitted-twice"))
    after = find(south, order.id)
    assert (after.refund_due_minor, [each.replaced_by for each in after.tickets]) == (0, [None, None])


def test_a_door_that_knows_a_part_of_an_order_pays_back_on_the_clouds_word_alone(box, south):
    """It heard of no sale, only of what an operator decided about one ticket, and then of money for all of them."""
    order = book(box, ADULT, 2)
    message = rebooked(box, order, ELSEWHERE, AWAY, HALL)
    tell(south, msgspec.structs.replace(message, swaps=message.swaps[:1]))
    taken = PaymentTaken(order.id, "p1", "cash", order.total_minor, "EUR", BADGE, paid=True, tickets=())
    south.run(lambda unit: payments.on_payment_taken(unit, taken))
    assert find(south, order.id).refund_due_minor == 0
    tell(south, RefundOwed(order.id, 300, "EUR", "session-cancelled"))
    assert find(south, order.id).refund_due_minor == 300
    forward(box, south, OrderConfirmed)
    assert (find(south, order.id).whole, find(south, order.id).refund_due_minor) == (True, 300)


def test_an_order_cancelled_meanwhile_stays_cancelled_and_gives_the_new_stock_back(box):
    order = book(box, ADULT, 2)
    message = rebooked(box, order, ELSEWHERE, AWAY, HALL)
    box.run(lambda unit: booking.cancel(unit, order.id))
    tell(box, message)
    assert find(box, order.id).status == "cancelled"
    assert totals(box, ROOM).cancelled == 2


def test_money_is_paid_back_once_and_every_desk_knows(box, south):
    order = book(box, ADULT, 2)
    forward(box, south, OrderConfirmed)
    owed = RefundOwed(order.id, 2400, "EUR", "session-cancelled")
    tell(box, owed)
    tell(south, owed)
    with pytest.raises(Invalid, match="at most"):
        south.run(lambda unit: repairs.pay_back(unit, order.id, BADGE, "cash", 2401))
    with pytest.raises(Invalid, match="paid back by"):
        south.run(lambda unit: repairs.pay_back(unit, order.id, BADGE, "comp", 1))
    view = south.run(lambda unit: repairs.pay_back(unit, order.id, BADGE, "cash", 2400))
    assert (view.refund_due_minor, view.paid_back_minor) == (0, 2400)
    for _ in range(2):
        forward(south, box, RefundPaid)
    after = find(box, order.id)
    assert (after.refund_due_minor, after.paid_minor, after.due_minor) == (0, 2400, 0)


def test_what_is_left_of_an_unpaid_order_costs_less(box):
    order = book(box, ADULT, 2, pay=False)
    message = withdrawn(box, order)
    tell(box, msgspec.structs.replace(message, tickets=message.tickets[:1]))
    after = find(box, order.id)
    assert (after.status, after.total_minor, after.due_minor) == ("confirmed", 1200, 1200)
    assert box.run(lambda unit: payments.take_payment(unit, order.id, BADGE, "cash", 1200)).payment == "paid"


def test_a_cancelled_date_sells_nothing_and_its_tickets_admit_nobody(box, south):
    order = book(box, ADULT, 1)
    held = box.run(lambda unit: booking.place_hold(unit, desk(), [Item(ADULT, 1)]))
    import_into(box, with_session(2, TONIGHT, cancelled=True, notice="The singer is ill."))
    seen = scan(box, order.tickets[0].code)
    assert (seen.verdict, seen.reason) == ("refused", "cancelled")
    assert "date was cancelled" in seen.words
    for attempt in (
        lambda unit: booking.confirm(unit, held.id),
        lambda unit: booking.place_hold(unit, desk(), [Item(ADULT, 1)]),
    ):
        with pytest.raises(SaleClosed, match="cancelled"):
            box.run(attempt)
    (event,) = box.look(listing.listing).events
    states = {each.state for at in event.sessions if at.at.id == TONIGHT for each in at.types}
    assert states == {"cancelled"}
    assert find(box, order.id).called_off


def test_a_moved_date_is_admitted_at_its_new_door_and_the_old_one_says_where(box, south):
    order = book(box, ADULT, 1)
    (event,) = example_catalogue().events
    at = next(each for each in event.sessions if each.id == TONIGHT)
    moved = Moved("north", at.starts_at_ms, at.ends_at_ms, 1)
    for each in (box, south):
        import_into(each, with_session(2, TONIGHT, venue="south", moved=moved))
    old = scan(box, order.tickets[0].code)
    assert old.reason == "wrong_session"
    assert old.words == "This ticket is for Songs of the River at South Barn. It was moved there."
    assert scan(south, order.tickets[0].receipt).verdict == "admitted"


def test_a_holder_who_was_put_on_the_waitlist_finds_the_place_from_the_order(box):
    order = book(box, ADULT, 2)
    tell(box, withdrawn(box, order))
    assert find(box, order.id).waits is None
    entry = entry_of(order.id, ROOM)
    tell(box, WaitlistEntrusted(entry, ROOM, -5, (Wish(ADULT, 2),), 1))
    assert find(box, order.id).waits == entry
