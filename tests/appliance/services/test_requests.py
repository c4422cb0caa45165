from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest
from sqlalchemy import select

from appliance.domain.clock import MINUTE_MS
from appliance.domain.errors import AskFirst, Invalid, LimitReached, SoldOutHere
from appliance.services import asking, booking, door, listing, payments, sweep, switches, sync
from appliance.services.booking import Item
from appliance.services.views import HoldView, OrderView
from appliance.store import allocations, device, orders, tables
from mqtt_bridge.mailbox import tables as mailbox
from mqtt_bridge.protocol import receipts
from mqtt_bridge.protocol.catalogue import Catalogue, Limits
from mqtt_bridge.protocol.codec import decode
from mqtt_bridge.protocol.messages import (
    CancelRefused,
    CancelRequested,
    Content,
    DeviceState,
    Envelope,
    Granted,
    OrderCancelled,
    OrderConfirmed,
    OrderRefused,
    OrderRequested,
    Private,
    RequestWithdrawn,
    Retold,
    StockCount,
    TicketsVoided,
    VenueRetold,
)
from mqtt_bridge.protocol.stock import Totals
from tests.support.box import (
    ADULT,
    AWAY,
    BADGE,
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

PLENTY = msgspec.structs.replace(OPEN_LIMITS, request_share=1.0)


def on_request(limits: Limits = PLENTY) -> Catalogue:
    """The example, with both adults' types provisional."""
    catalogue = example_catalogue(limits)
    event = catalogue.events[0]
    sessions = tuple(
        msgspec.structs.replace(
            at,
            ticket_types=tuple(
                msgspec.structs.replace(kind, policy="provisional" if kind.name == "Adult" else "strict")
                for kind in at.ticket_types
            ),
        )
        for at in event.sessions
    )
    return msgspec.structs.replace(catalogue, events=(msgspec.structs.replace(event, sessions=sessions),))


@pytest.fixture
def cut_off(tmp_path) -> Iterator[TestBox]:
    """A box without a link and with two tickets for the room."""
    box = make_box(tmp_path, catalogue=on_request(), grants={ROOM: 2, HALL: 0}, elsewhere=9)
    yield box
    box.database.close()


def hold(box: TestBox, *items: tuple[str, int], who: str = "phone-1") -> HoldView:
    return asking.run(box, lambda unit: booking.place_hold(unit, guest(who), [Item(*each) for each in items]))


def ask(box: TestBox, *items: tuple[str, int], who: str = "phone-1", name: str = "") -> OrderView:
    held = hold(box, *items, who=who)
    assert held.requested
    return box.run(lambda unit: booking.confirm(unit, held.id, name=name))


def only_order(box: TestBox) -> OrderView:
    """The one order there is."""
    with box.database.read() as db:
        [found] = db.execute(select(tables.order.c.id)).scalars()
    return box.look(lambda unit: booking.find_order(unit, found))


def show(box: TestBox, order: OrderView) -> OrderView:
    return box.look(lambda unit: booking.find_order(unit, order.id))


def told(box: TestBox) -> list[Content]:
    with box.database.read() as db:
        rows = db.execute(select(mailbox.outbox.c.envelope).order_by(mailbox.outbox.c.seq)).scalars()
        return [decode(decode(row, Envelope).content, Content) for row in rows]


def said(box: TestBox) -> list[str]:
    return [type(each.body).__name__ for each in told(box)]


def hear(box: TestBox, body, origin: str = "cloud", private: Private | None = None, inc: str = "c") -> None:
    content = Content(v=1, org="org", sender="cloud", origin=origin, inc=inc, seq=1, body=body, wall_ms=0)
    box.run(lambda unit: sync.apply_message(unit, content, private))


def answer(box: TestBox, order: OrderView, epoch: int = 1) -> OrderConfirmed:
    """The cloud's confirmation of what the box asked for."""
    asked = next(each.body for each in told(box) if getattr(each.body, "order", "") == order.id)
    assert isinstance(asked, OrderRequested)
    tickets = tuple(msgspec.structs.replace(each, epoch=epoch) for each in asked.tickets)
    numbers: dict[str, int] = {}
    for each in tickets:
        numbers[each.quota] = numbers.get(each.quota, 0) + 1
    stock = tuple(StockCount(quota, epoch, Totals(confirmed=number)) for quota, number in numbers.items())
    return OrderConfirmed(order.id, order.code, asked.payment, tickets, stock, 5)


def totals(box: TestBox, quota: str = ROOM, epoch: int = 1) -> Totals:
    with box.database.read() as db:
        found = allocations.count(db, quota, epoch)
    assert found is not None
    return found.totals


def state(box: TestBox, ticket_type: str) -> tuple[str, int, int]:
    view = box.look(listing.listing)
    types = [each for event in view.events for at in event.sessions for each in at.types]
    return next((each.state, each.available, each.max_quantity) for each in types if each.type.id == ticket_type)


def scan(box: TestBox, code: str) -> str | None:
    return box.run(lambda unit: door.check_in(unit, code, BADGE, "1")).reason


# --- asking


def test_past_the_allocation_a_request_claims_no_stock_and_says_so(cut_off):
    held = hold(cut_off, (ADULT, 3))
    assert (held.state, held.requested, held.expires_in_ms) == ("open", True, 10 * MINUTE_MS)
    assert state(cut_off, ADULT)[:2] == ("on_sale", 2)
    assert hold(cut_off, (ADULT, 2)).requested is False
    assert state(cut_off, ADULT) == ("on_request", 0, 22)  # of 25, three are in the open hold
    assert state(cut_off, CHILD)[0] == "sold_out_here"
    order = cut_off.run(lambda unit: booking.confirm(unit, held.id, name="Zoë"))
    assert (order.status, order.payment, [each.receipt for each in order.tickets]) == (
        "requested",
        "promised",
        [""] * 3,
    )
    assert len({each.code for each in order.tickets}) == 3
    assert totals(cut_off) == Totals(granted=2)
    content = told(cut_off)[-1]
    assert isinstance(content.body, OrderRequested)
    assert content.private_hash is not None
    assert {each.epoch for each in content.body.tickets} == {0}


def test_a_strict_type_is_refused_and_drags_its_hold_with_it(cut_off):
    with pytest.raises(SoldOutHere):
        hold(cut_off, (CHILD, 3))
    with pytest.raises(SoldOutHere):
        hold(cut_off, (ADULT, 1), (CHILD, 3))
    with pytest.raises(SoldOutHere):
        hold(cut_off, (ADULT, 3), (SEAT, 1))
    assert ask(cut_off, (ADULT, 3), (CHILD, 2)).status == "requested"


def test_the_cloud_is_asked_before_a_request_is_taken(cut_off):
    with pytest.raises(AskFirst):
        cut_off.run(lambda unit: booking.place_hold(unit, guest(), [Item(ADULT, 3)]))
    cut_off.run(lambda unit: sync.link_changed(unit, True))
    pauses = []

    def pause(seconds):
        pauses.append(seconds)
        if len(pauses) == 2:
            cut_off.grant({ROOM: 5}, elsewhere=6)

    held = asking.run(cut_off, lambda unit: booking.place_hold(unit, guest(), [Item(ADULT, 3)]), pause)
    assert (held.requested, len(pauses)) == (False, 2)
    cut_off.run(lambda unit: sync.link_changed(unit, True))
    held = asking.run(cut_off, lambda unit: booking.place_hold(unit, guest(), [Item(ADULT, 3)]), pause)
    assert (held.requested, len(pauses)) == (True, 42)


def test_where_nothing_is_left_anywhere_nothing_is_requested(cut_off):
    cut_off.grant({ROOM: 2}, elsewhere=0)
    with pytest.raises(SoldOutHere):
        hold(cut_off, (ADULT, 3))
    hold(cut_off, (ADULT, 2))
    assert state(cut_off, ADULT)[0] == "sold_out_here"


def test_the_desk_sells_and_never_asks(cut_off):
    with pytest.raises(SoldOutHere):
        asking.run(cut_off, lambda unit: door.sell(unit, BADGE, [Item(ADULT, 3)], "cash", "1"))


def test_a_device_takes_requests_up_to_its_cap_and_one_phone_its_share(tmp_path):
    limits = msgspec.structs.replace(OPEN_LIMITS, request_share=0.1, share_per_client=0.5)
    box = make_box(tmp_path, catalogue=on_request(limits), grants={ROOM: 0}, elsewhere=9)
    assert state(box, ADULT) == ("on_request", 0, 2)
    first = ask(box, (ADULT, 2), who="one")
    with pytest.raises(LimitReached):
        hold(box, (ADULT, 1), who="one")
    assert hold(box, (ADULT, 2), who="two").requested
    with pytest.raises(SoldOutHere, match="No more requests"):
        hold(box, (ADULT, 1), who="three")
    assert state(box, ADULT) == ("sold_out_here", 0, 0)
    box.run(lambda unit: booking.cancel(unit, first.id))
    assert hold(box, (ADULT, 1), who="three").requested
    box.turn.advance(11 * MINUTE_MS)  # requests in holds lapse like any hold
    assert state(box, ADULT) == ("on_request", 0, 2)
    box.database.close()


def test_requested_tickets_count_against_what_one_phone_may_have(tmp_path):
    limits = msgspec.structs.replace(PLENTY, unpaid_per_client=3, holds_per_client=1)
    box = make_box(tmp_path, catalogue=on_request(limits), grants={ROOM: 0}, elsewhere=9)
    held = hold(box, (ADULT, 2))
    with pytest.raises(LimitReached, match="already hold"):
        hold(box, (ADULT, 1))
    order = box.run(lambda unit: booking.confirm(unit, held.id))
    with pytest.raises(LimitReached, match="unpaid"):
        hold(box, (ADULT, 2))
    hear(box, OrderRefused(order.id, "sold_out"))
    assert hold(box, (ADULT, 2)).requested
    box.database.close()


def test_a_requested_hold_is_given_back_expires_and_is_asked_for_again(cut_off):
    held = hold(cut_off, (ADULT, 3))
    cut_off.run(lambda unit: booking.release_hold(unit, held.id))
    assert cut_off.look(lambda unit: booking.find_hold(unit, held.id)).state == "released"
    held = hold(cut_off, (ADULT, 3))
    cut_off.turn.advance(11 * MINUTE_MS)
    assert cut_off.run(sweep.sweep).expired_holds == 1
    order = cut_off.run(lambda unit: booking.confirm(unit, held.id))
    assert order.status == "requested"
    assert cut_off.run(lambda unit: booking.confirm(unit, held.id)) == order
    assert totals(cut_off) == Totals(granted=2)
    assert state(cut_off, ADULT)[:2] == ("on_sale", 2)


def test_a_request_is_a_sale_if_stock_came_before_it_was_sent(cut_off):
    held = hold(cut_off, (ADULT, 3))
    cut_off.grant({ROOM: 4}, elsewhere=7)
    order = cut_off.run(lambda unit: booking.confirm(unit, held.id))
    assert (order.status, totals(cut_off).sold) == ("confirmed", 3)


# --- the answer


def test_a_confirmation_issues_receipts_and_leaves_the_devices_own_stock_alone(cut_off):
    cut_off.meet()
    order = ask(cut_off, (ADULT, 3))
    assert scan(cut_off, order.tickets[0].code) == "requested"
    message = answer(cut_off, order)
    for _ in range(2):
        hear(cut_off, message)
    after = show(cut_off, order)
    assert (after.status, after.payment) == ("confirmed", "promised")
    [echo] = [each for each in told(cut_off) if isinstance(each.body, OrderConfirmed)]
    assert (echo.body.tickets, echo.body.stock[0].totals) == (message.tickets, Totals(granted=2, confirmed=3))
    for ticket in after.tickets:
        claims = receipts.read(ticket.receipt).claims
        assert (claims.ticket, claims.code, claims.epoch) == (ticket.id, ticket.code, 1)
        assert (claims.inc, claims.seq) == (receipts.inc_hash(echo.inc), echo.seq)
    assert totals(cut_off) == Totals(granted=2, confirmed=3)
    assert state(cut_off, ADULT)[:2] == ("on_sale", 2)
    assert scan(cut_off, order.tickets[0].code) == "unpaid"
    cut_off.run(lambda unit: payments.take_payment(unit, order.id, BADGE, "cash", after.due_minor))
    assert scan(cut_off, show(cut_off, order).tickets[0].receipt) is None


def test_a_confirmation_at_an_epoch_never_granted_here_is_counted_all_the_same(cut_off):
    order = ask(cut_off, (ADULT, 3))
    hear(cut_off, answer(cut_off, order, epoch=7))
    cut_off.run(lambda unit: booking.cancel(unit, order.id))
    assert totals(cut_off, epoch=7) == Totals(confirmed=3, cancelled=3)
    cut_off.grant({ROOM: 0}, epoch=7)
    assert state(cut_off, ADULT)[:2] == ("on_sale", 3)


def test_a_yes_of_a_cloud_that_was_lost_counts_nowhere_once_its_successor_was_named(cut_off):
    order = ask(cut_off, (ADULT, 3))
    cut_off.run(lambda unit: device.change(unit.db, generation=2))
    hear(cut_off, answer(cut_off, order), inc="1.abcd")
    assert show(cut_off, order).status == "requested"
    assert totals(cut_off) == Totals(granted=2)
    hear(cut_off, answer(cut_off, order), inc="2.abcd")
    assert show(cut_off, order).status == "confirmed"
    assert totals(cut_off) == Totals(granted=2, confirmed=3)


def test_the_count_of_an_answer_that_did_not_arrive_is_not_known_here(cut_off):
    """Or a restored cloud would take it for one that did."""
    told = (Granted(ROOM, 1, 4, 3, 9, 25),)
    state = DeviceState("north-1", cut_off.look(lambda unit: unit.inc), 9, 0, told, True, False, 1)
    cut_off.run(lambda unit: sync.apply_state(unit, state))
    assert totals(cut_off) == Totals(granted=4)


@pytest.mark.parametrize("reason", ["sold_out", "closed", "cancelled", "operator", "sealed"])
def test_a_refusal_says_why_and_is_final(cut_off, reason):
    order = ask(cut_off, (ADULT, 3))
    for _ in range(2):
        hear(cut_off, OrderRefused(order.id, reason))
    after = show(cut_off, order)
    assert (after.status, after.refusal) == ("refused", reason)
    assert scan(cut_off, order.tickets[0].code) == "refused"
    assert state(cut_off, ADULT)[:2] == ("on_sale", 2)


def test_cancelling_what_was_refused_changes_nothing(cut_off):
    """The page may still have shown the button when the cloud's no arrived."""
    order = ask(cut_off, (ADULT, 3))
    hear(cut_off, OrderRefused(order.id, "sold_out"))
    before = totals(cut_off)
    after = cut_off.run(lambda unit: booking.cancel(unit, order.id))
    assert (after.status, after.refusal) == ("refused", "sold_out")
    assert totals(cut_off) == before


def test_a_confirmed_order_is_not_refused_any_more(cut_off):
    order = ask(cut_off, (ADULT, 3))
    hear(cut_off, answer(cut_off, order))
    hear(cut_off, OrderRefused(order.id, "sold_out"))
    assert show(cut_off, order).status == "confirmed"


def test_what_is_only_asked_for_is_no_ticket_in_any_figure(cut_off):
    def figures() -> tuple[int, dict[str, int]]:
        view = cut_off.look(door.door_view)
        return view.sold, cut_off.look(lambda unit: orders.issued_by_quota(unit.db, unit.identity.device))

    first, second = ask(cut_off, (ADULT, 3)), ask(cut_off, (ADULT, 4))
    assert figures() == (0, {})
    hear(cut_off, OrderRefused(second.id, "sold_out"))
    hear(cut_off, answer(cut_off, first))
    assert figures() == (3, {ROOM: 3})


def test_nobody_pays_for_a_request(cut_off):
    order = ask(cut_off, (ADULT, 3))
    with pytest.raises(Invalid, match="only requested"):
        cut_off.run(lambda unit: payments.take_payment(unit, order.id, BADGE, "cash", order.due_minor))


def test_the_switch_that_cancels_unpaid_orders_leaves_requests_alone(cut_off):
    order = ask(cut_off, (ADULT, 3))
    assert cut_off.run(lambda unit: switches.cancel_unpaid(unit, TONIGHT, BADGE)) == 0
    assert show(cut_off, order).status == "requested"


# --- taking a request back


def test_a_withdrawn_request_is_cancelled_and_told_once(cut_off):
    order = ask(cut_off, (ADULT, 3))
    for _ in range(2):
        assert cut_off.run(lambda unit: booking.cancel(unit, order.id)).status == "cancelled"
    assert said(cut_off) == ["OrderRequested", "RequestWithdrawn"]
    hear(cut_off, OrderRefused(order.id, "sold_out"))
    assert show(cut_off, order).status == "cancelled"
    assert scan(cut_off, order.tickets[0].code) == "cancelled"
    assert totals(cut_off) == Totals(granted=2)


def test_a_confirmation_that_crossed_a_withdrawal_is_cancelled_and_its_stock_is_free_here(cut_off):
    order = ask(cut_off, (ADULT, 3))
    message = answer(cut_off, order)
    cut_off.run(lambda unit: booking.cancel(unit, order.id))
    for _ in range(2):
        hear(cut_off, message)
    assert show(cut_off, order).status == "cancelled"
    assert totals(cut_off) == Totals(granted=2, confirmed=3, cancelled=3)
    assert state(cut_off, ADULT)[:2] == ("on_sale", 5)
    cancelled = told(cut_off)[-1].body
    assert isinstance(cancelled, OrderCancelled)
    assert cancelled.stock[0].totals.cancelled == 3


@pytest.mark.parametrize("came_in", [False, True])
def test_a_late_confirmation_hosted_elsewhere_waits_for_that_door(cut_off, came_in):
    order = ask(cut_off, (ELSEWHERE, 2))
    message = answer(cut_off, order)
    cut_off.run(lambda unit: booking.cancel(unit, order.id))
    hear(cut_off, message)
    assert said(cut_off)[-1] == CancelRequested.__name__
    assert totals(cut_off, HALL) == Totals(confirmed=2)
    tickets = tuple(each.ticket for each in message.tickets)
    reply = CancelRefused(order.id, tickets) if came_in else TicketsVoided(order.id, tickets)
    for _ in range(2):
        hear(cut_off, reply, "south-1")
    assert show(cut_off, order).status == "cancelled"
    assert totals(cut_off, HALL).cancelled == (0 if came_in else 2)


def test_a_confirmation_after_a_refusal_admits_nobody(cut_off):
    order = ask(cut_off, (ADULT, 3))
    message = answer(cut_off, order)
    hear(cut_off, OrderRefused(order.id, "sold_out"))
    hear(cut_off, message)
    assert show(cut_off, order).status == "cancelled"
    assert totals(cut_off).cancelled == 3


# --- lives and doors


def test_what_is_not_told_yet_is_told_in_a_new_life_and_answered_there(cut_off):
    order = ask(cut_off, (ADULT, 3))
    cut_off.run(sync.begin_incarnation)
    hear(cut_off, answer(cut_off, order, epoch=2))
    assert show(cut_off, order).status == "confirmed"
    assert totals(cut_off, epoch=2) == Totals(confirmed=3)


def retold(sale: OrderConfirmed, device: str = "north-1") -> VenueRetold:
    """What a card is told of a sale that it forgot."""
    return VenueRetold(1, 1, (Retold(device, msgspec.structs.replace(sale, stock=())),), ())


@pytest.mark.fault(18)
def test_a_card_that_forgot_the_answer_to_its_request_has_it_from_what_the_cloud_retells(cut_off):
    """It is not said twice, nor counted again: the life that heard the answer did."""
    order = ask(cut_off, (ADULT, 3))
    message = answer(cut_off, order, epoch=7)
    cut_off.run(sync.begin_incarnation)
    before = len(told(cut_off))
    for _ in range(2):
        hear(cut_off, retold(message))
    after = show(cut_off, order)
    assert after.status == "confirmed"
    assert [receipts.read(each.receipt).claims.epoch for each in after.tickets] == [7, 7, 7]
    assert len(told(cut_off)) == before
    assert scan(cut_off, order.tickets[0].code) == "unpaid"


def test_what_was_taken_back_on_a_card_that_forgot_the_answer_is_cancelled(cut_off):
    order = ask(cut_off, (ADULT, 3))
    message = answer(cut_off, order)
    cut_off.run(lambda unit: booking.cancel(unit, order.id))
    hear(cut_off, retold(message))
    assert show(cut_off, order).status == "cancelled"
    assert isinstance(told(cut_off)[-1].body, OrderCancelled)


def test_another_devices_sale_that_is_retold_confirms_no_request_of_ours(cut_off):
    order = ask(cut_off, (ADULT, 3))
    hear(cut_off, retold(answer(cut_off, order), "south-1"))
    assert show(cut_off, order).status == "requested"


@pytest.mark.fault(18)
@pytest.mark.parametrize("came_in", [False, True])
def test_a_doors_word_about_a_request_whose_answer_was_forgotten_stops_nothing(cut_off, came_in):
    """It was confirmed and given back in a life before; the next message is not kept waiting for this one."""
    order = ask(cut_off, (ELSEWHERE, 2))
    message = answer(cut_off, order)
    tickets = tuple(each.ticket for each in message.tickets)
    hear(cut_off, CancelRefused(order.id, tickets) if came_in else TicketsVoided(order.id, tickets), "south-1")
    assert show(cut_off, order).status == ("requested" if came_in else "cancelled")
    hear(cut_off, message)
    assert show(cut_off, order).status == ("confirmed" if came_in else "cancelled")


def test_an_older_copy_that_forgot_the_request_shows_it_again(cut_off, tmp_path):
    order = ask(cut_off, (ADULT, 3), name="Zoë")
    message = answer(cut_off, order)
    (tmp_path / "copy").mkdir()
    copy = make_box(tmp_path / "copy", catalogue=on_request(), grants={ROOM: 2}, elsewhere=9)
    hear(copy, message, private=Private("salt", "Zoë"))
    again = show(copy, order)
    assert (again.status, again.name, again.total_minor) == ("confirmed", "Zoë", 3600)
    assert all(each.receipt for each in again.tickets)
    assert scan(copy, order.tickets[0].code) == "unpaid"
    copy.database.close()


def test_the_host_door_knows_a_request_from_afar_and_what_became_of_it(tmp_path, cut_off):
    hall_only = on_request()
    south = make_box(tmp_path, venue="south", clock=cut_off.turn, catalogue=hall_only, grants={HALL: 1})
    south.run(lambda unit: switches.set_door(unit, AWAY, "open", BADGE))
    wanted = [ask(cut_off, (ELSEWHERE, 1)) for _ in range(4)]
    for content in [each for each in told(cut_off) if isinstance(each.body, OrderRequested)]:
        hear(south, content.body, "north-1")
    confirmed, refused, withdrawn, waiting = wanted
    hear(south, answer(cut_off, confirmed), "north-1")
    hear(south, OrderRefused(refused.id, "sold_out"))
    hear(south, RequestWithdrawn(withdrawn.id), "somebody-1")
    assert scan(south, withdrawn.tickets[0].code) == "requested"
    hear(south, RequestWithdrawn(withdrawn.id), "north-1")
    found = [scan(south, each.tickets[0].code) for each in (confirmed, refused, withdrawn, waiting)]
    assert found == ["unpaid", "refused", "cancelled", "requested"]
    with south.database.read() as db:
        epochs = {row.order: row.epoch for row in db.execute(select(tables.ticket))}
    assert (epochs[confirmed.id], epochs[waiting.id]) == (1, 0)
    with pytest.raises(Invalid):
        south.run(lambda unit: booking.cancel(unit, waiting.id, by=BADGE))
    south.database.close()


def test_staff_may_withdraw_for_a_guest(cut_off):
    order = ask(cut_off, (ADULT, 3))
    cut_off.run(lambda unit: booking.cancel(unit, order.id, by=BADGE))
    with pytest.raises(SoldOutHere):
        cut_off.run(lambda unit: booking.place_hold(unit, desk(), [Item(ADULT, 3)], channel="desk"))
