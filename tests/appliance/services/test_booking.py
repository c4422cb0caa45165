from __future__ import annotations

from dataclasses import replace

import pytest

from appliance.domain.clock import MINUTE_MS
from appliance.domain.errors import (
    DiskFull,
    HoldExpired,
    Invalid,
    LimitReached,
    NotFound,
    SaleClosed,
    SoldOut,
    SoldOutHere,
)
from appliance.services import booking, listing, sweep, switches, sync
from appliance.services.booking import Item
from appliance.services.views import HoldView, OrderView
from mqtt_bridge.protocol import receipts
from mqtt_bridge.protocol.codec import decode
from mqtt_bridge.protocol.messages import Content, Envelope, OrderConfirmed
from tests.support.box import (
    ADULT,
    CHILD,
    ELSEWHERE,
    HALL,
    OPEN_LIMITS,
    ROOM,
    SEAT,
    TONIGHT,
    TestBox,
    desk,
    example_catalogue,
    guest,
    make_box,
)


def hold(box: TestBox, *items: tuple[str, int], who: str = "phone-1") -> HoldView:
    return box.run(lambda unit: booking.place_hold(unit, guest(who), [Item(*each) for each in items]))


def book(box: TestBox, *items: tuple[str, int], who: str = "phone-1", name: str = "") -> OrderView:
    held = hold(box, *items, who=who)
    return box.run(lambda unit: booking.confirm(unit, held.id, name=name))


def available(box: TestBox, ticket_type: str = ADULT) -> int:
    return dict(box.look(listing.availability).items)[ticket_type]


def sent(box: TestBox) -> list[Content]:
    rows = box.look(lambda unit: unit.mail.unacked("cloud", unit.inc))
    return [decode(decode(row.envelope, Envelope).content, Content) for row in rows]


def test_a_hold_takes_stock_and_says_until_when(box):
    held = hold(box, (ADULT, 2), (CHILD, 1))
    assert (held.state, held.total_minor, held.currency, held.requested) == ("open", 2400, "EUR", False)
    assert held.expires_in_ms == 10 * MINUTE_MS
    assert held.expires_at_ms == box.turn.now.wall_ms + 10 * MINUTE_MS
    assert available(box) == 7


def test_types_that_share_a_quota_share_its_stock(box):
    hold(box, (ADULT, 3))
    assert available(box, CHILD) == 7


def test_a_hold_is_all_or_nothing_across_quotas(box):
    with pytest.raises(SoldOutHere) as refusal:
        box.run(lambda unit: booking.place_hold(unit, desk(), [Item(ADULT, 2), Item(SEAT, 6)]))
    assert refusal.value.facts["available"] == 5
    assert (available(box, ADULT), available(box, SEAT)) == (10, 5)


def test_a_confirmed_hold_becomes_an_order_with_receipts_and_one_message(box):
    order = book(box, (ADULT, 2), name="Zoë  Müller ")
    assert (order.status, order.payment, order.total_minor, order.name) == ("confirmed", "promised", 2400, "Zoë Müller")
    assert len({ticket.id for ticket in order.tickets}) == 2
    [content] = sent(box)
    assert isinstance(content.body, OrderConfirmed)
    assert content.private_hash is not None
    assert "Müller" not in content.body.__repr__()
    assert content.body.stock[0].totals.sold == 2
    assert content.body.stock[0].held == 0
    claims = receipts.read(order.tickets[0].receipt).claims
    assert (claims.ticket, claims.seq, claims.paid) == (order.tickets[0].id, content.seq, False)
    assert "bridge" in box.wakes.whom


def test_an_order_without_name_sends_no_private_part(box):
    book(box, (ADULT, 1))
    assert sent(box)[0].private_hash is None


def test_a_free_order_is_paid_at_once(box):
    order = book(box, (CHILD, 1))
    assert order.payment == "paid"
    assert receipts.read(order.tickets[0].receipt).claims.paid


def test_a_second_confirm_of_one_hold_returns_the_first_order(box):
    held = hold(box, (ADULT, 1))
    first = box.run(lambda unit: booking.confirm(unit, held.id, name="A"))
    again = box.run(lambda unit: booking.confirm(unit, held.id, name="B"))
    assert again == first
    assert box.look(lambda unit: booking.find_hold(unit, held.id)).order == first.id


def test_a_released_hold_frees_its_stock_and_cannot_be_confirmed(box):
    held = hold(box, (ADULT, 2))
    for _ in range(2):
        box.run(lambda unit: booking.release_hold(unit, held.id))
    assert available(box) == 10
    with pytest.raises(HoldExpired):
        box.run(lambda unit: booking.confirm(unit, held.id))


def test_a_hold_that_became_an_order_cannot_be_released(box):
    order = book(box, (ADULT, 1))
    with pytest.raises(Invalid):
        box.run(lambda unit: booking.release_hold(unit, order.hold))
    assert available(box) == 9


def test_a_lapsed_hold_counts_as_free_before_anybody_swept_it(box):
    held = hold(box, (ADULT, 4))
    box.turn.advance(10 * MINUTE_MS)
    assert available(box) == 10
    assert box.look(lambda unit: booking.find_hold(unit, held.id)).state == "expired"
    assert box.run(sweep.sweep).expired_holds == 1
    assert available(box) == 10


def test_confirming_an_expired_hold_succeeds_if_stock_remains(box):
    held = hold(box, (ADULT, 2))
    box.turn.advance(11 * MINUTE_MS)
    order = box.run(lambda unit: booking.confirm(unit, held.id))
    assert (order.status, available(box)) == ("confirmed", 8)
    assert box.look(lambda unit: booking.find_hold(unit, held.id)).state == "confirmed"


def test_confirming_an_expired_hold_is_refused_if_others_took_the_stock(box):
    held = hold(box, (SEAT, 2))
    box.turn.advance(11 * MINUTE_MS)
    box.run(lambda unit: booking.place_hold(unit, desk(), [Item(SEAT, 4)]))
    with pytest.raises(SoldOutHere):
        box.run(lambda unit: booking.confirm(unit, held.id))


def test_a_reboot_gives_a_hold_its_whole_life_again(box):
    held = hold(box, (ADULT, 1))
    box.turn.advance(9 * MINUTE_MS)
    box.turn.reboot()
    assert box.look(lambda unit: booking.find_hold(unit, held.id)).expires_in_ms == 10 * MINUTE_MS
    box.run(sweep.sweep)
    box.turn.advance(9 * MINUTE_MS)
    assert box.look(lambda unit: booking.find_hold(unit, held.id)).state == "open"
    box.turn.advance(MINUTE_MS)
    assert box.look(lambda unit: booking.find_hold(unit, held.id)).state == "expired"


def test_a_hold_of_an_older_epoch_is_claimed_anew(box):
    held = hold(box, (ADULT, 2))
    box.grant({ROOM: 3}, epoch=2)
    order = box.run(lambda unit: booking.confirm(unit, held.id))
    assert len(order.tickets) == 2
    assert available(box) == 1


@pytest.mark.fault(2)
def test_sold_out_everywhere_is_told_from_sold_out_here(tmp_path):
    box = make_box(tmp_path, grants={ROOM: 1}, elsewhere=0)
    held = box.run(lambda unit: booking.place_hold(unit, desk(), [Item(ADULT, 1)]))
    with pytest.raises(SoldOutHere):  # the hold may yet come back
        hold(box, (ADULT, 1))
    box.run(lambda unit: booking.confirm(unit, held.id))
    with pytest.raises(SoldOut):
        hold(box, (ADULT, 1))
    with pytest.raises(SoldOutHere):  # never granted here, so nothing is known of the rest
        hold(box, (SEAT, 1))
    box.database.close()


@pytest.mark.parametrize(
    "items",
    [
        [],
        [Item(ADULT, 0)],
        [Item(ADULT, -3)],
        [Item("'; DROP TABLE hold;--", 1)],
        [Item(ADULT, 1)] * 21 + [Item("x", 1)],
    ],
)
def test_items_that_cannot_be_meant_are_refused(box, items):
    with pytest.raises(Invalid):
        box.run(lambda unit: booking.place_hold(unit, guest(), items))


def test_a_huge_quantity_is_refused_even_at_the_desk(box):
    with pytest.raises(LimitReached):
        box.run(lambda unit: booking.place_hold(unit, desk(), [Item(ADULT, 10**18)]))


def test_the_same_type_twice_is_added_up(box):
    assert hold(box, (ADULT, 1), (ADULT, 2)).items[0].quantity == 3


@pytest.mark.parametrize("name", ["x" * 201, "x" * 10_000, "bell\x07", "\ud800"])
def test_names_that_cannot_be_shown_are_refused(box, name):
    held = hold(box, (ADULT, 1))
    with pytest.raises(Invalid) as refusal:
        box.run(lambda unit: booking.confirm(unit, held.id, name=name))
    assert refusal.value.facts == {"field": "name"}


@pytest.mark.parametrize("name", ["مرحبا بالعالم", "שלום", "👩‍👩‍👧 family", "<b>Robert'); DROP TABLE orders;--</b>"])
def test_names_in_any_script_are_kept(box, name):
    assert book(box, (ADULT, 1), name=name).name == name


@pytest.mark.fault(25)
def test_with_little_room_on_the_disk_nothing_new_is_held_and_what_was_promised_is_kept(box):
    """The last megabytes belong to holds that are open, and to scans."""
    held = hold(box, (ADULT, 1))
    full = replace(box, has_room=lambda: False)
    with pytest.raises(DiskFull) as caught:
        full.run(lambda unit: booking.place_hold(unit, guest("phone-2"), [Item(ADULT, 1)]))
    assert (caught.value.status, caught.value.problem) == (503, "disk-full")
    assert full.run(lambda unit: booking.confirm(unit, held.id)).status == "confirmed"


def test_a_frozen_device_sells_nothing_and_says_why(box):
    held = hold(box, (ADULT, 1))
    box.run(sync.begin_incarnation)
    with pytest.raises(SaleClosed, match="starting anew"):
        hold(box, (ADULT, 1))
    with pytest.raises(SaleClosed):
        box.run(lambda unit: booking.confirm(unit, held.id))
    box.grant({ROOM: 5}, epoch=2)
    assert box.run(lambda unit: booking.confirm(unit, held.id)).status == "confirmed"


def test_staff_close_the_sale_but_a_hold_stays_a_promise(box):
    held = hold(box, (ADULT, 1))
    box.run(lambda unit: switches.set_sale(unit, TONIGHT, "closed", "A7"))
    with pytest.raises(SaleClosed):
        hold(box, (ADULT, 1), who="phone-2")
    assert box.run(lambda unit: booking.confirm(unit, held.id)).status == "confirmed"


def test_a_hold_or_order_nobody_placed_is_not_found(box):
    for use_case in (booking.find_hold, booking.release_hold, booking.confirm, booking.find_order, booking.cancel):
        with pytest.raises(NotFound):
            box.run(lambda unit, use_case=use_case: use_case(unit, "nothing"))


def test_codes_find_the_order_however_they_are_typed(box):
    order = book(box, (ADULT, 2))
    typed = f" {order.code[:4].lower()}-{order.code[4:]} "
    assert box.look(lambda unit: booking.find_by_code(unit, typed)).id == order.id
    assert box.look(lambda unit: booking.find_by_code(unit, order.tickets[1].code)).id == order.id
    with pytest.raises(NotFound):
        box.look(lambda unit: booking.find_by_code(unit, "no code"))


def test_a_guest_cancels_and_the_stock_is_free_again(box):
    order = book(box, (ADULT, 2))
    for _ in range(2):
        assert box.run(lambda unit: booking.cancel(unit, order.id)).status == "cancelled"
    assert available(box) == 10
    bodies = [content.body for content in sent(box)]
    assert [type(each).__name__ for each in bodies] == ["OrderConfirmed", "OrderCancelled"]
    assert bodies[1].stock[0].totals.cancelled == 2


def test_many_tickets_of_one_order_sell_what_was_granted_and_no_more(tmp_path):
    box = make_box(tmp_path, catalogue=example_catalogue(OPEN_LIMITS), grants={ROOM: 10, HALL: 2})
    assert len(book(box, (ADULT, 7), (CHILD, 3), (ELSEWHERE, 2)).tickets) == 12
    assert (available(box), available(box, ELSEWHERE)) == (0, 0)
    box.database.close()


def test_a_guest_finds_its_open_holds_again_newest_first(box):
    first = hold(box, (ADULT, 1))
    box.turn.advance(1000)
    second = hold(box, (ADULT, 1))
    seen = box.look(lambda unit: booking.open_holds(unit, guest()))
    assert [each.id for each in seen] == [second.id, first.id]
    box.turn.advance(10 * MINUTE_MS - 1000)
    assert [each.id for each in box.look(lambda unit: booking.open_holds(unit, guest()))] == [second.id]
