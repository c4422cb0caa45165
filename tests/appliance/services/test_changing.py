"""A booking is changed in one step: the new tickets and the end of the old ones, or nothing at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance.domain.errors import Invalid, LimitReached, Refusal, SaleClosed, SoldOutHere
from appliance.services import booking, changing, door, listing, payments, switches, waitlist
from appliance.services.booking import Item
from appliance.services.views import OrderView
from appliance.store import allocations
from mqtt_bridge.protocol.catalogue import Limits
from mqtt_bridge.protocol.messages import OrderCancelled, OrderConfirmed
from tests.appliance.services.outbox import bodies
from tests.support.box import (
    ADULT,
    BADGE,
    CHILD,
    ELSEWHERE,
    HALL,
    OPEN_LIMITS,
    ROOM,
    SEAT,
    TONIGHT,
    TestBox,
    example_catalogue,
    guest,
    make_box,
)


@pytest.fixture
def box(tmp_path: Path) -> TestBox:
    """Four in the room, two in the hall of the other date, no limits in the way."""
    return make_box(tmp_path, catalogue=example_catalogue(OPEN_LIMITS), grants={ROOM: 4, HALL: 2})


def booked(box: TestBox, quantity: int = 2, kind: str = ADULT, **facts: str) -> OrderView:
    held = box.run(lambda unit: booking.place_hold(unit, guest(), [Item(kind, quantity)]))
    return box.run(lambda unit: booking.confirm(unit, held.id, **facts))  # type: ignore[arg-type]


def change(box: TestBox, order: OrderView, **wanted: int) -> OrderView:
    names = {"adult": ADULT, "child": CHILD, "elsewhere": ELSEWHERE, "seat": SEAT}
    items = [Item(names[name], quantity) for name, quantity in wanted.items()]
    return box.run(lambda unit: changing.change(unit, order.id, items))


def left(box: TestBox, kind: str = ADULT) -> int:
    return dict(box.look(listing.availability).items)[kind]


def now(box: TestBox, order: OrderView) -> OrderView:
    return box.look(lambda unit: booking.find_order(unit, order.id))


def test_more_and_fewer_keep_name_contact_and_way_back_and_void_the_old_tickets(box):
    first = booked(box, name="Ada", contact="a@example.org")
    more = change(box, first, adult=3)
    assert (more.status, len(more.tickets), more.total_minor) == ("confirmed", 3, 3600)
    assert (more.name, more.contact) == ("Ada", "a@example.org")
    old = now(box, first)
    assert (old.status, old.changed_to) == ("cancelled", more.id)
    assert all(each.voided for each in old.tickets)
    assert left(box) == 1
    fewer = change(box, more, adult=1)
    assert len(fewer.tickets) == 1
    assert left(box) == 3
    assert box.look(lambda unit: booking.find_hold(unit, first.hold)).order == fewer.id


def test_other_types_and_several_at_once_are_one_step(box):
    mixed = change(box, booked(box), adult=1, child=2)
    assert sorted(each.type.name for each in mixed.tickets) == ["Adult", "Child", "Child"]
    assert left(box) == 1
    assert mixed.payment == "promised"
    free = change(box, mixed, child=2)
    assert free.payment == "paid"


def test_all_of_its_own_tickets_may_go_into_the_new_ones_when_nothing_else_is_left(box):
    order = booked(box, 4)
    assert left(box) == 0
    swapped = change(box, order, child=4)
    assert len(swapped.tickets) == 4
    assert left(box) == 0


@pytest.mark.parametrize("wanted", [{"adult": 5}, {"elsewhere": 3}, {"adult": 1, "elsewhere": 3}, {"seat": 1}])
def test_what_cannot_be_had_leaves_the_old_order_as_it_was(box, wanted):
    order = booked(box)
    shelves = box.look(lambda unit: allocations.shelves(unit.db))
    before = len(bodies(box))
    with pytest.raises(Refusal):
        change(box, order, **wanted)
    assert now(box, order) == order
    assert box.look(lambda unit: allocations.shelves(unit.db)) == shelves
    assert len(bodies(box)) == before


def test_the_cloud_hears_of_the_cancel_before_the_sale_so_that_no_total_is_ever_beyond_its_grant(box):
    change(box, booked(box, 4), child=4)
    told = [each for each in bodies(box) if isinstance(each, OrderCancelled | OrderConfirmed)]
    assert [type(each).__name__ for each in told] == ["OrderConfirmed", "OrderCancelled", "OrderConfirmed"]
    for message in told:
        for count in message.stock:
            assert count.totals.sold - count.totals.cancelled <= 4


def test_the_same_twice_is_one_change_and_no_change_is_none(box):
    order = booked(box)
    assert change(box, order, adult=2) == order
    first = change(box, order, adult=3)
    assert change(box, order, adult=3).id == first.id
    assert change(box, order, adult=1).id == first.id


def test_whoever_waits_gets_what_is_left_over_and_nothing_of_what_the_guest_keeps(box):
    order = booked(box, 4)
    entry = box.run(lambda unit: waitlist.join(unit, guest("waits"), [Item(ADULT, 1)])).id
    with pytest.raises(SoldOutHere):
        change(box, order, adult=5)
    fewer = change(box, order, adult=2)
    assert len(fewer.tickets) == 2
    assert box.look(lambda unit: waitlist.look(unit, entry)).state == "offered"
    with pytest.raises(LimitReached):
        for number in (1, 2) * 6:
            fewer = change(box, fewer, adult=number)


def test_growing_does_not_jump_the_line(box):
    order = booked(box, 3)
    booked(box, 1)
    entry = box.run(lambda unit: waitlist.join(unit, guest("waits"), [Item(ADULT, 1)])).id
    box.grant({ROOM: 5})
    assert box.look(lambda unit: waitlist.look(unit, entry)).state == "offered"
    with pytest.raises(SoldOutHere):
        change(box, order, adult=4)


def test_another_date_whose_door_is_elsewhere_is_had_at_once_and_the_old_tickets_wait_for_the_rule(box):
    moved = change(box, booked(box), elsewhere=2)
    assert {each.event.title for each in moved.tickets} == {"Songs of the River"}
    assert left(box, ELSEWHERE) == 0
    assert left(box) == 4
    back = change(box, moved, adult=2)
    assert (back.status, now(box, moved).status) == ("confirmed", "cancel_pending")
    assert left(box) == 2
    assert left(box, ELSEWHERE) == 0


def test_what_is_over_paid_or_admitted_or_another_event_is_refused_with_its_reason(box):
    def reason(order: OrderView, **wanted: int) -> str:
        with pytest.raises(Invalid) as refused:
            change(box, order, **(wanted or {"child": 1}))
        return str(refused.value.facts["field"])

    cancelled = booked(box, 1)
    box.run(lambda unit: booking.cancel(unit, cancelled.id))
    assert reason(cancelled) == "order.over"
    paid = booked(box, 1)
    box.run(lambda unit: payments.take_payment(unit, paid.id, BADGE, "cash", paid.total_minor))
    assert reason(paid) == "order.paid"
    inside = booked(box, 1, CHILD)
    code = inside.tickets[0].code
    assert box.run(lambda unit: door.check_in(unit, code, BADGE, "door")).verdict == "admitted"
    assert reason(inside) == "order.admitted"


def test_a_closed_sale_lets_a_guest_have_fewer_and_not_more(box):
    order = booked(box)
    box.run(lambda unit: switches.set_sale(unit, TONIGHT, "closed", BADGE))
    with pytest.raises(SaleClosed):
        change(box, order, adult=3)
    assert len(change(box, order, adult=1).tickets) == 1


def test_the_limits_of_one_phone_count_what_is_changed_once(tmp_path):
    box = make_box(tmp_path, catalogue=example_catalogue(Limits(unpaid_per_client=3, share_per_client=1.0)))
    order = booked(box, 3)
    assert len(change(box, order, elsewhere=3).tickets) == 3
    other = make_box(tmp_path, venue="south", catalogue=example_catalogue(Limits(unpaid_per_client=3)), seed=2)
    first = booked(other, 1, ELSEWHERE)
    with pytest.raises(LimitReached):
        change(other, first, elsewhere=4)
