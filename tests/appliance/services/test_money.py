"""Money that desks take while they cannot hear each other: whoever paid keeps the ticket or gets the money back, and only once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from appliance.domain.clock import HOUR_MS, MINUTE_MS
from appliance.domain.errors import Invalid
from appliance.services import booking, changing, door, payments, repairs, shifts, sweep, switches
from appliance.services.booking import Item
from appliance.services.views import OrderView
from appliance.store import orders
from mqtt_bridge.protocol.catalogue import Catalogue, Limits
from mqtt_bridge.protocol.codec import encode
from mqtt_bridge.protocol.messages import (
    CancelRefused,
    CancelRequested,
    OrderConfirmed,
    OrderPending,
    PaymentTaken,
    Private,
    RefundOwed,
    TicketsVoided,
)
from tests.appliance.services.test_requests import hear, told
from tests.appliance.services.test_verifying import checked
from tests.support.box import (
    ADULT,
    AWAY,
    BADGE,
    CHILD,
    ELSEWHERE,
    FakeClock,
    TestBox,
    desk,
    example_catalogue,
    guest,
    make_box,
)
from tests.support.repairs import tell, withdrawn

UNPAID_UNTIL = msgspec.structs.replace(Limits(), unpaid_until=-30, verify_until=-30)


class Pair:
    """North sells what the door of south hosts; what each says reaches the other in order, when the test wants it."""

    def __init__(self, folder: Path, catalogue: Catalogue) -> None:
        self.north = make_box(folder, catalogue=catalogue)
        assert isinstance(self.north.clock, FakeClock)
        self.clock = self.north.clock
        self.south = make_box(folder, venue="south", catalogue=catalogue, clock=self.clock, grants={})
        self.south.meet(self.north)
        self.north.meet(self.south)
        self._told = {"north-1": 0, "south-1": 0}

    def sell(self, *items: tuple[str, int]) -> OrderView:
        held = self.north.run(lambda unit: booking.place_hold(unit, guest(), [Item(*each) for each in items]))
        order = self.north.run(lambda unit: booking.confirm(unit, held.id, name="Ada", contact="ada@example.org"))
        self.talk()
        return order

    def talk(self) -> None:
        """Both links are up until nobody has anything to say."""
        while self._say(self.north, self.south) + self._say(self.south, self.north):
            pass

    def _say(self, teller: TestBox, hearer: TestBox) -> int:
        name = teller.identity.device
        said = told(teller)[self._told[name] :]
        self._told[name] += len(said)
        for each in said:
            private = Private("s", "Ada", "") if isinstance(each.body, OrderConfirmed | OrderPending) else None
            hear(hearer, each.body, name, private)
        return len(said)

    def both(self, order: OrderView) -> list[OrderView]:
        return [look(box, order) for box in (self.north, self.south)]


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    yield from _opened(tmp_path, example_catalogue(UNPAID_UNTIL))


@pytest.fixture
def verifying_pair(tmp_path: Path) -> Iterator[Pair]:
    yield from _opened(tmp_path, checked(UNPAID_UNTIL))


def _opened(folder: Path, catalogue: Catalogue) -> Iterator[Pair]:
    made = Pair(folder, catalogue)
    yield made
    for each in (made.north, made.south):
        each.database.close()


def look(box: TestBox, order: OrderView) -> OrderView:
    return box.look(lambda unit: booking.find_order(unit, order.id))


def pay(box: TestBox, order: OrderView, amount_minor: int, method: str = "cash") -> OrderView:
    return box.run(lambda unit: payments.take_payment(unit, order.id, BADGE, method, amount_minor))  # type: ignore[arg-type]


def pay_back(box: TestBox, order: OrderView, amount_minor: int) -> OrderView:
    return box.run(lambda unit: repairs.pay_back(unit, order.id, BADGE, "cash", amount_minor))


def scan(box: TestBox, code: str) -> tuple[str, str | None]:
    seen = box.run(lambda unit: door.check_in(unit, code, BADGE, "1"))
    return seen.verdict, seen.reason


def unpaid_cancelled(box: TestBox, clock: FakeClock) -> int:
    """Half an hour before the start of the date away."""
    clock.advance(HOUR_MS + 31 * MINUTE_MS)
    return box.run(sweep.sweep).cancelled_orders


# --- unpaid, as far as the issuer knows


def test_who_paid_at_the_door_keeps_the_ticket_though_its_issuer_took_the_order_for_unpaid(pair: Pair) -> None:
    order = pair.sell((ELSEWHERE, 2))
    pay(pair.south, order, 3000)
    assert unpaid_cancelled(pair.north, pair.clock) == 1
    assert look(pair.north, order).status == "cancel_pending"
    pair.talk()
    for view in pair.both(order):
        assert (view.status, view.payment, view.refund_due_minor) == ("confirmed", "paid", 0)
        assert not any(each.voided for each in view.tickets)
    assert [each.body.tickets for each in told(pair.south) if isinstance(each.body, CancelRefused)] == [
        tuple(each.id for each in look(pair.south, order).tickets)
    ]
    assert scan(pair.south, order.tickets[0].code) == ("admitted", None)
    assert pair.north.run(sweep.sweep).cancelled_orders == 0


def test_what_nobody_paid_enough_for_is_cancelled_and_a_part_that_was_paid_is_owed(pair: Pair) -> None:
    unpaid, part = pair.sell((ELSEWHERE, 1)), pair.sell((ELSEWHERE, 1))
    pay(pair.south, part, 500)
    assert unpaid_cancelled(pair.north, pair.clock) == 2
    pair.talk()
    for view in pair.both(unpaid) + pair.both(part):
        assert view.tickets[0].voided
    assert [each.refund_due_minor for each in pair.both(unpaid) + pair.both(part)] == [0, 0, 500, 500]


def test_staff_who_cancel_unpaid_orders_ask_in_the_same_way(pair: Pair) -> None:
    order = pair.sell((ELSEWHERE, 1))
    pay(pair.south, order, 1500, "comp")
    assert pair.north.run(lambda unit: switches.cancel_unpaid(unit, AWAY, BADGE)) == 1
    pair.talk()
    assert [each.status for each in pair.both(order)] == ["confirmed", "confirmed"]


def test_who_was_verified_and_paid_at_the_door_keeps_a_ticket_that_its_issuer_refused_as_late(
    verifying_pair: Pair,
) -> None:
    pair = verifying_pair
    order = pair.sell((ELSEWHERE, 1))
    pair.south.run(lambda unit: door.verify_and_admit(unit, order.tickets[0].code, BADGE, "1"))
    pay(pair.south, order, 1500)
    pair.clock.advance(HOUR_MS + 31 * MINUTE_MS)
    assert pair.north.run(sweep.sweep).refused_orders == 1
    pair.talk()
    assert [(each.status, each.payment) for each in pair.both(order)] == [("confirmed", "paid")] * 2


def test_a_guest_who_cancels_gets_back_what_was_paid_elsewhere_meanwhile(pair: Pair) -> None:
    order = pair.sell((ELSEWHERE, 1))
    pay(pair.south, order, 1500)
    pair.north.run(lambda unit: booking.cancel(unit, order.id))
    assert look(pair.north, order).refund_due_minor == 0, "its door may still refuse"
    pair.talk()
    assert [each.refund_due_minor for each in pair.both(order)] == [1500, 1500]


def test_only_such_a_request_says_so_and_any_other_is_as_older_doors_know_it(pair: Pair) -> None:
    order = pair.sell((ELSEWHERE, 1))
    pair.north.run(lambda unit: booking.cancel(unit, order.id))
    other = pair.sell((ELSEWHERE, 1))
    pair.north.run(lambda unit: switches.cancel_unpaid(unit, AWAY, BADGE))
    first, second = (each.body for each in told(pair.north) if isinstance(each.body, CancelRequested))
    assert b"unpaid" not in encode(first)
    assert (second.order, second.unpaid) == (other.id, True)


# --- what is owed back


def test_who_cancels_a_paid_booking_gets_the_money_at_the_desk_and_the_shift_counts_it(box: TestBox) -> None:
    held = box.run(lambda unit: booking.place_hold(unit, guest(), [Item(ADULT, 1)]))
    order = box.run(lambda unit: booking.confirm(unit, held.id, name="Ada"))
    shift = box.run(lambda unit: shifts.open_shift(unit, BADGE, 5000))
    pay(box, order, 1200)
    with pytest.raises(Invalid, match="at most what is to be paid back"):
        pay_back(box, order, 1)
    box.run(lambda unit: booking.cancel(unit, order.id))
    assert look(box, order).refund_due_minor == 1200
    with pytest.raises(Invalid, match="at most what is to be paid back"):
        pay_back(box, order, 1201)
    assert pay_back(box, order, 700).refund_due_minor == 500
    assert pay_back(box, order, 500).refund_due_minor == 0
    assert box.look(lambda unit: shifts.view(unit, shift.number)).till.expected_minor == 5000


def test_what_was_given_away_is_not_paid_back(box: TestBox) -> None:
    held = box.run(lambda unit: booking.place_hold(unit, desk(), [Item(ADULT, 1)]))
    order = box.run(lambda unit: booking.confirm(unit, held.id))
    pay(box, order, 200)
    pay(box, order, 1000, "comp")
    box.run(lambda unit: booking.cancel(unit, order.id, by=BADGE))
    view = look(box, order)
    assert (view.paid_minor, view.taken_minor, view.refund_due_minor) == (1200, 200, 200)


def test_the_clouds_word_and_what_the_desk_sees_itself_are_not_added(box: TestBox) -> None:
    held = box.run(lambda unit: booking.place_hold(unit, desk(), [Item(ADULT, 2)]))
    order = box.run(lambda unit: booking.confirm(unit, held.id))
    pay(box, order, 2400)
    tell(box, RefundOwed(order.id, 1200, "EUR", "session-cancelled"))
    assert look(box, order).refund_due_minor == 1200
    tell(box, withdrawn(box, order))
    assert look(box, order).refund_due_minor == 2400
    assert pay_back(box, order, 2400).refund_due_minor == 0
    tell(box, RefundOwed(order.id, 2400, "EUR", "voided"))
    assert look(box, order).refund_due_minor == 0


def test_money_for_an_order_that_its_guest_changed_meanwhile_is_owed_on_the_old_one(pair: Pair) -> None:
    order = pair.sell((ELSEWHERE, 2))
    pay(pair.south, order, 3000)
    changed = pair.north.run(lambda unit: changing.change(unit, order.id, [Item(ELSEWHERE, 1)]))
    pair.talk()
    assert [each.refund_due_minor for each in pair.both(order)] == [3000, 3000]
    assert [(each.due_minor, each.refund_due_minor) for each in pair.both(changed)] == [(1500, 0)] * 2


def test_who_paid_at_two_desks_gets_the_surplus_back_and_keeps_the_tickets(pair: Pair) -> None:
    order = pair.sell((ELSEWHERE, 1))
    for each in (pair.north, pair.south):
        pay(each, order, 1500)
    pair.talk()
    assert [each.refund_due_minor for each in pair.both(order)] == [1500, 1500]
    pay_back(pair.north, order, 1500)
    pair.talk()
    for view in pair.both(order):
        assert (view.status, view.payment, view.due_minor, view.refund_due_minor) == ("confirmed", "paid", 0, 0)
    assert scan(pair.south, order.tickets[0].code) == ("admitted", None)


def test_a_ticket_that_was_used_is_not_paid_back_whatever_became_of_it(pair: Pair) -> None:
    order = pair.sell((ELSEWHERE, 1))
    pay(pair.north, order, 1500)
    pair.talk()
    scan(pair.south, order.tickets[0].code)
    pair.talk()
    hear(pair.north, TicketsVoided(order.id, (order.tickets[0].id,)), "south-1")
    view = look(pair.north, order)
    assert (view.tickets[0].voided, view.refund_due_minor) == (True, 0)


# --- paid stays paid


def test_an_order_verified_and_paid_at_the_door_stays_paid_whatever_its_issuer_says_later(verifying_pair: Pair) -> None:
    pair = verifying_pair
    order = pair.sell((ELSEWHERE, 2))
    first, second = (each.code for each in order.tickets)
    assert pair.south.run(lambda unit: door.verify_and_admit(unit, first, BADGE, "1")).reason == "unpaid"
    assert pair.south.run(lambda unit: door.pay_and_admit(unit, first, BADGE, "cash", "1")).verdict == "admitted"
    pair.talk()
    assert [(each.payment, each.paid_minor, each.due_minor) for each in pair.both(order)] == [("paid", 3000, 0)] * 2
    assert OrderConfirmed in [type(each.body) for each in told(pair.north)], (
        "told as unpaid, before the money was heard of"
    )
    assert scan(pair.south, second) == ("admitted", None)


def test_what_a_signed_ticket_says_is_paid_stays_so_when_the_sale_is_told_once_more(pair: Pair) -> None:
    """The money itself was not heard of yet: only the receipt speaks of it."""
    order = pair.sell((ELSEWHERE, 1))
    (sale,) = (each.body for each in told(pair.north) if isinstance(each.body, OrderConfirmed))
    receipt = pay(pair.north, order, 1500).tickets[0].receipt
    assert scan(pair.south, receipt) == ("admitted", None)
    assert look(pair.south, order).payment == "paid"
    hear(pair.south, sale, "north-1")
    assert look(pair.south, order).payment == "paid"


def test_a_sale_that_is_told_once_more_puts_right_what_its_payments_contradict(pair: Pair) -> None:
    order = pair.sell((ELSEWHERE, 1))
    (sale,) = (each.body for each in told(pair.north) if isinstance(each.body, OrderConfirmed))
    pay(pair.south, order, 1500)
    pair.south.run(lambda unit: orders.change(unit.db, order.id, payment="promised"))
    hear(pair.south, sale, "north-1")
    assert look(pair.south, order).payment == "paid"


def test_what_was_paid_may_be_enough_once_part_of_an_order_was_taken_back(box: TestBox) -> None:
    """Else the rest is neither paid nor can anything be paid for it."""
    held = box.run(lambda unit: booking.place_hold(unit, desk(), [Item(ADULT, 2), Item(CHILD, 1)]))
    order = box.run(lambda unit: booking.confirm(unit, held.id))
    pay(box, order, 1200)
    message = withdrawn(box, order)
    gone = next(each for each in message.tickets if each.price_minor)
    tell(box, msgspec.structs.replace(message, tickets=(gone,)))
    view = look(box, order)
    assert (view.payment, view.due_minor, view.refund_due_minor) == ("paid", 0, 0)
    left = next(each for each in view.tickets if not each.voided and each.price_minor)
    assert scan(box, left.code) == ("admitted", None)


def test_a_payment_that_is_told_twice_counts_once(pair: Pair) -> None:
    order = pair.sell((ELSEWHERE, 1))
    pay(pair.south, order, 1500)
    (payment,) = (each.body for each in told(pair.south) if isinstance(each.body, PaymentTaken))
    for _ in range(2):
        hear(pair.north, payment, "south-1")
    assert (look(pair.north, order).paid_minor, look(pair.north, order).refund_due_minor) == (1500, 0)
