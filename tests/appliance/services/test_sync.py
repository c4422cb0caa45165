from __future__ import annotations

from functools import partial

import msgspec
import pytest

from appliance.domain.clock import MINUTE_MS
from appliance.domain.errors import AlreadyAdmitted, Invalid
from appliance.services import booking, door, payments, sync
from appliance.services.booking import Item
from appliance.store import allocations, documents
from mqtt_bridge.protocol import receipts
from mqtt_bridge.protocol.codec import decode
from mqtt_bridge.protocol.messages import (
    Ack,
    CancelRefused,
    CancelRequested,
    Content,
    Envelope,
    Granted,
    OrderCancelled,
    OrderConfirmed,
    PaymentTaken,
    ReturnAllocation,
    TicketFact,
    TicketsVoided,
)
from tests.support.box import (
    ADULT,
    AWAY,
    BADGE,
    ELSEWHERE,
    HALL,
    OPEN_LIMITS,
    ROOM,
    TONIGHT,
    TestBox,
    desk,
    example_catalogue,
    state,
)


def book(box: TestBox, *items: tuple[str, int], name: str = ""):
    def work(unit):
        held = booking.place_hold(unit, desk(), [Item(*each) for each in items])
        return booking.confirm(unit, held.id, name=name)

    return box.run(work)


def totals(box: TestBox, quota: str = ROOM, epoch: int = 1):
    return box.look(lambda unit: allocations.count(unit.db, quota, epoch))


def find(box: TestBox, order_id: str):
    return box.look(lambda unit: booking.find_order(unit, order_id))


class Cloud:
    """Forwards every message of one box to another, once and in order, as the reconciler would."""

    def __init__(self) -> None:
        self.done: dict[str, int] = {}

    def carry(self, source: TestBox, target: TestBox, *kinds: type) -> list:
        done = self.done.get(source.identity.device, 0)
        rows = source.look(lambda unit: unit.mail.unacked("cloud", unit.inc, done))
        carried = []
        for row in rows:
            envelope = decode(row.envelope, Envelope)
            content = decode(envelope.content, Content)
            self.done[source.identity.device] = content.seq
            carried.append(content.body)
            if not kinds or isinstance(content.body, kinds):
                target.run(partial(sync.apply_message, content=content, private=envelope.private))
        return carried


@pytest.fixture
def cloud() -> Cloud:
    return Cloud()


@pytest.fixture
def away(box, south):
    """An order of north with two tickets for the session that south hosts."""
    south.grant({HALL: 1})
    return book(box, (ELSEWHERE, 2), name="Ada")


@pytest.mark.fault(10)
def test_a_repeated_or_older_state_changes_nothing(box):
    box.grant({ROOM: 15}, revision=7)
    box.grant({ROOM: 12}, revision=7)
    box.grant({ROOM: 99}, revision=6)
    assert totals(box).totals.granted == 15


def test_a_state_for_another_life_or_device_is_ignored(box):
    def apply(unit, **other: str):
        wrong = msgspec.structs.replace(state(unit, (Granted(ROOM, 1, 99, 0, 0, 99),), revision=50), **other)
        sync.apply_state(unit, wrong)

    box.run(lambda unit: apply(unit, inc="another"))
    box.run(lambda unit: apply(unit, device="another"))
    assert totals(box).totals.granted == 10


def test_a_later_epoch_becomes_current_and_an_earlier_one_never_again(box):
    book(box, (ADULT, 1))
    box.grant({ROOM: 4}, epoch=3)
    box.grant({ROOM: 50}, epoch=2)
    book(box, (ADULT, 1))
    assert (totals(box).totals.sold, totals(box, epoch=3).totals.sold, totals(box, epoch=2).totals.sold) == (1, 1, 0)


def test_stop_begins_a_new_life_that_sells_nothing_until_the_cloud_grants_to_it(box):
    before = box.look(sync.hello)
    box.run(lambda unit: sync.apply_state(unit, state(unit, (), revision=9, stop=True)))
    after = box.look(sync.hello)
    assert before.inc != after.inc
    assert after.last_seq == 0
    assert box.look(lambda unit: unit.device.frozen)
    box.grant({ROOM: 3}, epoch=2)
    assert not box.look(lambda unit: unit.device.frozen)
    book(box, (ADULT, 1))
    assert box.look(sync.hello).last_seq == 1


@pytest.mark.fault(11)
def test_a_recall_returns_what_is_free_and_never_a_hold(box):
    box.run(lambda unit: booking.place_hold(unit, desk(), [Item(ADULT, 7)]))
    recall = ReturnAllocation(ROOM, 1, 5)
    for _ in range(2):
        box.run(lambda unit: sync.apply_message(unit, _content(recall), None))
    assert totals(box).totals.returned == 3
    assert [row.kind for row in box.look(lambda unit: unit.mail.unacked("cloud", unit.inc))] == ["AllocationReturned"]
    box.turn.advance(11 * MINUTE_MS)
    box.run(lambda unit: sync.apply_message(unit, _content(recall), None))
    assert totals(box).totals.returned == 5


def test_of_an_earlier_life_nothing_is_returned_because_a_copy_of_the_card_may_be_selling_it(box):
    before = totals(box)
    box.run(lambda unit: sync.begin_incarnation(unit, "another_board"))
    box.run(lambda unit: sync.apply_message(unit, _content(ReturnAllocation(ROOM, 1, 5)), None))
    assert totals(box) == before
    assert "AllocationReturned" not in [row.kind for row in box.look(lambda unit: unit.mail.unacked("cloud", unit.inc))]


def _content(body, origin="cloud") -> Content:
    return Content(v=1, org="org", sender="cloud", origin=origin, inc="1", seq=1, body=body, wall_ms=0)


def test_a_device_of_which_the_cloud_remembers_more_than_itself_went_back_and_begins_anew(box):
    """Whatever it was granted meanwhile is not sold again, and its next hello says why."""
    book(box, (ADULT, 1))
    before = box.look(lambda unit: unit.inc)
    told = box.look(lambda unit: msgspec.structs.replace(state(unit, (), revision=20), upto=1))
    box.run(lambda unit: sync.apply_state(unit, told))
    assert box.look(lambda unit: unit.inc) == before
    box.run(lambda unit: sync.apply_state(unit, msgspec.structs.replace(told, upto=2)))
    hello = box.look(sync.hello)
    assert hello.inc != before
    assert (hello.began, box.look(lambda unit: unit.device.frozen)) == ("went_back", True)


def test_hello_says_how_far_everything_got(box):
    book(box, (ADULT, 2))
    hello = box.look(sync.hello)
    assert (hello.device, hello.venue, hello.last_seq, hello.downlink) == ("north-1", "north", 1, Ack("", 0))
    assert hello.untold == (Ack(hello.inc, 1),)
    assert next(each for each in hello.stock if each.quota == ROOM).totals.sold == 2


def test_a_sale_elsewhere_arrives_with_its_name_and_moves_out_of_its_receipt(box, south, away, cloud):
    south.run(lambda unit: door.check_in(unit, away.tickets[0].receipt, BADGE, "1"))
    cloud.carry(box, south, OrderConfirmed)
    order = find(south, away.id)
    assert (order.name, order.issuer, len(order.tickets)) == ("Ada", "north-1", 2)
    scanned = south.run(lambda unit: door.check_in(unit, away.tickets[1].code, BADGE, "1"))
    assert (scanned.reason, scanned.holder_name, scanned.order) == ("unpaid", "Ada", away.id)


def test_a_payment_at_the_door_reaches_the_issuer_whose_receipts_then_say_paid(box, south, away, cloud):
    cloud.carry(box, south, OrderConfirmed)
    south.run(lambda unit: door.pay_and_admit(unit, away.code, BADGE, "cash", "1"))
    for _ in range(2):  # a repeated payment counts once
        cloud.done.clear()
        cloud.carry(south, box, PaymentTaken)
    order = find(box, away.id)
    assert (order.payment, order.paid_minor) == ("paid", 3000)
    assert all(receipts.read(ticket.receipt).claims.paid for ticket in order.tickets)


def test_a_payment_for_a_receipt_whose_sale_was_unknown_finds_its_order(box, south, away, cloud):
    ticket = away.tickets[0]
    south.run(lambda unit: door.pay_and_admit(unit, ticket.receipt, BADGE, "cash", "1"))
    cloud.carry(south, box)
    assert (find(box, away.id).paid_minor, find(box, away.id).payment) == (1500, "promised")
    cloud.carry(box, south, OrderConfirmed)
    assert find(south, away.id).paid_minor == 1500
    assert find(south, away.id).tickets[0].admitted_at_ms or find(south, away.id).tickets[1].admitted_at_ms


def test_a_door_that_has_not_heard_of_a_payment_believes_its_signature(box, south, away, cloud):
    cloud.carry(box, south, OrderConfirmed)
    paid = box.run(lambda unit: payments.take_payment(unit, away.id, BADGE, "cash", 3000))
    seen = south.run(lambda unit: door.check_in(unit, paid.tickets[0].receipt, BADGE, "1"))
    assert seen.verdict == "admitted"


def test_a_paid_receipt_speaks_for_its_whole_order_when_the_sale_arrives_later(box, south, away, cloud):
    paid = box.run(lambda unit: payments.take_payment(unit, away.id, BADGE, "cash", 3000))
    south.run(lambda unit: door.check_in(unit, paid.tickets[0].receipt, BADGE, "1"))
    cloud.carry(box, south, OrderConfirmed)
    assert south.run(lambda unit: door.check_in(unit, paid.tickets[1].code, BADGE, "1")).verdict == "admitted"


@pytest.mark.fault(27)
def test_a_cancel_waits_for_the_host_door_and_counts_only_then(box, south, away, cloud):
    cloud.carry(box, south, OrderConfirmed)
    pending = box.run(lambda unit: booking.cancel(unit, away.id))
    assert pending.status == "cancel_pending"
    assert totals(box, HALL).totals.cancelled == 0
    cloud.carry(box, south, CancelRequested)
    assert south.run(lambda unit: door.check_in(unit, away.tickets[0].code, BADGE, "1")).reason == "cancelled"
    assert TicketsVoided in {type(each) for each in cloud.carry(south, box)}
    assert find(box, away.id).status == "cancelled"
    assert totals(box, HALL).totals.cancelled == 2
    assert any(isinstance(each, OrderCancelled) for each in cloud.carry(box, south))
    assert find(south, away.id).status == "cancelled"


def test_tickets_are_counted_cancelled_once_however_often_the_door_says_so(box, away):
    box.run(lambda unit: booking.cancel(unit, away.id))
    voided = TicketsVoided(away.id, tuple(each.id for each in away.tickets))
    for _ in range(3):
        box.run(lambda unit: sync.apply_message(unit, _content(voided, "south-1"), None))
    assert totals(box, HALL).totals.cancelled == 2


def test_a_door_that_admitted_somebody_refuses_the_cancel(box, south, away, cloud):
    cloud.carry(box, south, OrderConfirmed)
    south.run(lambda unit: payments.take_payment(unit, away.id, BADGE, "cash", 3000))
    south.run(lambda unit: door.check_in(unit, away.tickets[0].code, BADGE, "1"))
    box.run(lambda unit: booking.cancel(unit, away.id))
    cloud.carry(box, south, CancelRequested)
    assert CancelRefused in {type(each) for each in cloud.carry(south, box)}
    assert find(box, away.id).status == "confirmed"
    assert find(box, away.id).tickets[0].admitted_at_ms or find(box, away.id).tickets[1].admitted_at_ms
    with pytest.raises(AlreadyAdmitted):
        box.run(lambda unit: booking.cancel(unit, away.id))


def test_only_the_device_that_sold_a_ticket_may_ask_its_door_to_void_it(box, south, away, cloud):
    cloud.carry(box, south, OrderConfirmed)
    facts = tuple(
        TicketFact(each.id, each.code, each.type.id, each.at.id, HALL, 1, each.price_minor, "EUR")
        for each in away.tickets
    )
    asked = CancelRequested(away.id, facts)
    south.run(lambda unit: sync.apply_message(unit, _content(asked, "stranger-1"), None))
    assert find(south, away.id).status == "confirmed"


def test_a_cancel_that_overtook_its_sale_makes_a_later_scan_say_cancelled(box, south, away, cloud):
    box.run(lambda unit: booking.cancel(unit, away.id))
    cloud.carry(box, south, CancelRequested)
    assert south.run(lambda unit: door.check_in(unit, away.tickets[0].receipt, BADGE, "1")).reason == "cancelled"
    cloud.done.clear()
    cloud.carry(box, south, OrderConfirmed)
    assert south.run(lambda unit: door.check_in(unit, away.tickets[1].code, BADGE, "1")).reason == "cancelled"
    assert find(south, away.id).name == "Ada"


def test_an_order_for_two_venues_is_cancelled_in_two_steps(box, south, cloud):
    order = book(box, (ADULT, 1), (ELSEWHERE, 1))
    assert box.run(lambda unit: booking.cancel(unit, order.id)).status == "cancel_pending"
    assert (totals(box, ROOM).totals.cancelled, totals(box, HALL).totals.cancelled) == (1, 0)
    cloud.carry(box, south)
    cloud.carry(south, box)
    assert find(box, order.id).status == "cancelled"
    assert totals(box, HALL).totals.cancelled == 1


def test_staff_at_the_host_door_cancel_what_another_venue_sold(box, south, away, cloud):
    cloud.carry(box, south, OrderConfirmed)
    assert south.run(lambda unit: booking.cancel(unit, away.id, by=BADGE)).status == "cancel_pending"
    cloud.carry(south, box)
    assert (find(box, away.id).status, totals(box, HALL).totals.cancelled) == ("cancelled", 2)
    cloud.carry(box, south)
    assert find(south, away.id).status == "cancelled"


def test_only_its_venues_decide_about_an_order(box, south, cloud):
    order = book(box, (ADULT, 1))
    cloud.carry(box, south, OrderConfirmed)
    with pytest.raises(Invalid):
        south.run(lambda unit: booking.cancel(unit, order.id))


def test_an_undone_scan_elsewhere_lets_the_guest_cancel_again(box, south, away, cloud):
    cloud.carry(box, south, OrderConfirmed)
    south.run(lambda unit: payments.take_payment(unit, away.id, BADGE, "comp", 3000))
    seen = south.run(lambda unit: door.check_in(unit, away.tickets[0].code, BADGE, "1"))
    cloud.carry(south, box)
    assert find(box, away.id).tickets[0].admitted_at_ms or find(box, away.id).tickets[1].admitted_at_ms
    assert box.look(door.recent) == ()
    south.run(lambda unit: door.undo(unit, seen.id, BADGE))
    cloud.carry(south, box)
    assert box.run(lambda unit: booking.cancel(unit, away.id)).status == "cancel_pending"


def test_needs_carry_what_is_wanted_and_a_grant_answers_them(box):
    box.run(lambda unit: allocations.want(unit.db, ROOM, 3))
    [need] = box.look(sync.needs)
    assert (need.quota, need.wanted, need.stock.totals.granted) == (ROOM, 3, 10)
    box.grant({ROOM: 13})
    assert box.look(sync.needs) == ()


def test_a_newer_catalogue_signs_out_staff_who_left_and_an_older_one_is_ignored(box):
    from appliance.domain.errors import Unauthorised
    from appliance.services import staff

    box.run(lambda unit: staff.grant_token(unit, "token", BADGE, "Ada", 100))
    newer = msgspec.structs.replace(example_catalogue(OPEN_LIMITS, version=5), staff=())
    box.run(lambda unit: sync.apply_catalogue(unit, newer))
    box.run(lambda unit: sync.apply_catalogue(unit, example_catalogue(version=4)))
    assert box.look(lambda unit: unit.catalogue.version) == 5
    with pytest.raises(Unauthorised):
        box.look(lambda unit: staff.authenticate(unit, "token"))


def test_pictures_are_asked_for_until_they_are_here(box):
    event = example_catalogue().events[0]
    named = msgspec.structs.replace(
        example_catalogue(version=2), events=(msgspec.structs.replace(event, image="ab" * 32),)
    )
    box.run(lambda unit: sync.apply_catalogue(unit, named))
    assert box.look(sync.missing_assets) == ("ab" * 32,)
    box.run(lambda unit: sync.apply_asset(unit, "ab" * 32, "image/webp", b"picture"))
    assert box.look(sync.missing_assets) == ()
    box.run(lambda unit: sync.apply_catalogue(unit, example_catalogue(version=3)))
    assert box.look(lambda unit: documents.find_asset(unit.db, "ab" * 32)) is None


def test_nobody_waits_for_stock_over_a_broken_link(box):
    box.run(lambda unit: sync.link_changed(unit, True))
    box.run(lambda unit: allocations.want(unit.db, ROOM, 3))
    box.run(lambda unit: sync.link_changed(unit, False))
    assert box.look(sync.needs) == ()


def test_the_link_is_noted_with_the_time_it_changed(box):
    box.run(lambda unit: sync.link_changed(unit, True))
    noted = box.turn.now.wall_ms
    box.turn.advance(1000)
    box.run(lambda unit: sync.link_changed(unit, True))
    assert box.look(lambda unit: (unit.device.link_up, unit.device.link_changed_at_ms)) == (True, noted)


def test_sessions_are_where_the_fixture_says(box):
    found = box.look(lambda unit: unit.catalogue.event_session)
    assert (found[TONIGHT][1].venue, found[AWAY][1].venue) == ("north", "south")
