"""A guest waits, is offered tickets in the transaction that frees them, and has some minutes to take them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from appliance.domain.clock import HOUR_MS, MINUTE_MS
from appliance.domain.errors import HoldExpired, Invalid, LimitReached, NotFound, SaleClosed, SoldOutHere
from appliance.domain.limits import Usage
from appliance.services import booking, clients, listing, switches, sync, waitlist
from appliance.services.booking import Item
from appliance.services.sweep import sweep
from appliance.services.views import EntryView, HoldView
from appliance.store import orders, waiting
from mqtt_bridge.protocol.catalogue import Limits
from mqtt_bridge.protocol.messages import (
    Content,
    Granted,
    InLine,
    OfferMade,
    OfferWithdrawn,
    OrderConfirmed,
    TicketFact,
    WaitlistEntrusted,
    WaitlistJoined,
    WaitlistLeft,
    Wish,
)
from mqtt_bridge.protocol.waitlist import MOST_PER_QUOTA, SAVING_MS
from tests.appliance.services.outbox import bodies
from tests.appliance.services.test_requests import hear
from tests.support.box import (
    ADULT,
    AWAY,
    CHILD,
    ELSEWHERE,
    HALL,
    OPEN_LIMITS,
    ROOM,
    SEAT,
    START_MS,
    TONIGHT,
    TestBox,
    desk,
    example_catalogue,
    guest,
)
from tests.support.box import make_box as _make_box
from tests.support.box import state as device_state

OFFER_MS = 20 * MINUTE_MS
MakeBox = Callable[..., TestBox]


@pytest.fixture
def make_box(tmp_path: Any) -> Any:
    """Return boxes with few tickets and no limits in the way."""
    made: list[TestBox] = []

    def make(room: int = 1, **facts: Any) -> TestBox:
        made.append(
            _make_box(tmp_path, catalogue=example_catalogue(OPEN_LIMITS), grants={ROOM: room, HALL: 4}, **facts)
        )
        return made[-1]

    yield make
    for each in made:
        each.database.close()


def hold(box: TestBox, quantity: int = 1, who: str = "first", kind: str = ADULT) -> HoldView:
    return box.run(lambda unit: booking.place_hold(unit, guest(who), [Item(kind, quantity)]))


def order(box: TestBox, quantity: int = 1, who: str = "first") -> str:
    held = hold(box, quantity, who)
    return box.run(lambda unit: booking.confirm(unit, held.id)).id


def join(box: TestBox, who: str, quantity: int = 1, kind: str = ADULT, contact: str = "") -> str:
    return box.run(lambda unit: waitlist.join(unit, guest(who), [Item(kind, quantity)], contact)).id


def leave(box: TestBox, entry: str) -> None:
    box.run(lambda unit: waitlist.leave(unit, entry))


def look(box: TestBox, entry: str) -> EntryView:
    return box.look(lambda unit: waitlist.look(unit, entry))


def states(box: TestBox, *entries: str) -> list[str]:
    return [look(box, each).state for each in entries]


def cancel(box: TestBox, order_id: str) -> None:
    box.run(lambda unit: booking.cancel(unit, order_id))


def available(box: TestBox) -> int:
    found = box.look(listing.availability).items
    return dict(found)[ADULT]


def told(box: TestBox, *line: InLine, granted: int = 1, longer: int = 0, up: bool = True) -> None:
    """The cloud tells the room's line; the link is up unless said otherwise."""

    def work(unit: Any) -> None:
        sync.link_changed(unit, up)
        grant = Granted(ROOM, 1, granted, 0, 5, 25, line, longer)
        sync.apply_state(unit, device_state(unit, (grant,), revision=unit.device.state_revision + 1))

    box.run(work)


def test_joining_says_where_one_stands_and_tells_the_cloud(make_box: MakeBox) -> None:
    """Positions count from one, in the order of joining."""
    box = make_box()
    hold(box)
    entries = [join(box, who) for who in ("a", "b")]
    assert [(look(box, each).position, look(box, each).of) for each in entries] == [(1, 2), (2, 2)]
    joined = [each for each in bodies(box) if isinstance(each, WaitlistJoined)]
    assert [(each.entry, each.quota, each.number) for each in joined] == [(entries[0], ROOM, 1), (entries[1], ROOM, 2)]
    assert len(entries[0]) == 26


def test_nobody_waits_for_what_is_on_sale(make_box: MakeBox) -> None:
    """Also not a group that is larger than what is left: it could keep the last tickets from everybody."""
    box = make_box(room=3)
    for quantity in (1, 4):
        with pytest.raises(Invalid, match="on sale right now: 3 are free"):
            join(box, "a", quantity)


def test_a_closed_sale_has_no_waitlist(make_box: MakeBox) -> None:
    """Nothing will be freed for anybody."""
    box = make_box()
    hold(box)
    box.run(lambda unit: switches.set_sale(unit, TONIGHT, "closed", "A7"))
    with pytest.raises(SaleClosed):
        join(box, "a")


def test_an_entry_is_for_one_quota_and_for_no_more_than_there_are(make_box: MakeBox) -> None:
    """Adults and children of one room together; a seat on the balcony is another list."""
    box = make_box()
    hold(box)
    mixed = box.run(lambda unit: waitlist.join(unit, guest("a"), [Item(ADULT, 1), Item(CHILD, 2)]))
    assert sum(each.quantity for each in mixed.items) == 3
    with pytest.raises(Invalid, match="Join once for each"):
        box.run(lambda unit: waitlist.join(unit, guest("b"), [Item(ADULT, 1), Item(SEAT, 1)]))
    with pytest.raises(Invalid, match="only 25 such tickets"):
        join(box, "c", 26)


def test_one_phone_has_one_place_per_list(make_box: MakeBox) -> None:
    """And cannot join for ever."""
    box = make_box()
    hold(box)
    entry = join(box, "a")
    with pytest.raises(LimitReached) as refusal:
        join(box, "a")
    assert refusal.value.facts["limit"] == "waitlist_per_client"
    for _ in range(waitlist.JOINS_PER_HOUR - 1):
        leave(box, entry)
        entry = join(box, "a")
    leave(box, entry)
    with pytest.raises(LimitReached) as refusal:
        join(box, "a")
    assert refusal.value.status == 429
    box.turn.advance(HOUR_MS)
    hold(box, who="again")
    assert states(box, join(box, "a")) == ["waiting"]


def test_a_list_is_full_at_some_point_and_sooner_for_one_address(make_box: MakeBox) -> None:
    """One phone that pretends to be many fills a quarter of it."""
    box = make_box()
    hold(box)
    for k in range(waitlist.MOST_PER_ADDRESS):
        join(box, f"phone-{k}")
    with pytest.raises(LimitReached) as refusal:
        join(box, "one more")
    assert refusal.value.facts["limit"] == "waitlist_per_address"

    def fill(unit: Any) -> None:
        for k in range(waitlist.MOST_PER_ADDRESS, MOST_PER_QUOTA):
            waitlist.join(unit, guest(f"phone-{k}", f"10.0.1.{k}"), [Item(ADULT, 1)])

    box.run(fill)
    with pytest.raises(LimitReached) as refusal:
        box.run(lambda unit: waitlist.join(unit, desk(), [Item(ADULT, 1)]))
    assert refusal.value.facts["limit"] == "waitlist_per_quota"


def test_a_cancelled_order_becomes_the_first_ones_offer_at_once(make_box: MakeBox) -> None:
    """In the same transaction, with the link down; nobody else can take it."""
    box = make_box()
    bought = order(box)
    first, second = join(box, "a"), join(box, "b")
    cancel(box, bought)
    offered = look(box, first)
    assert (offered.state, offered.position, offered.hold is not None) == ("offered", None, True)
    assert states(box, second) == ["waiting"]
    assert available(box) == 0
    with pytest.raises(SoldOutHere):
        hold(box, who="walk-up")
    made = next(each for each in bodies(box) if isinstance(each, OfferMade))
    assert (made.entry, made.stock[0].held) == (first, 1)


def test_taking_an_offer_is_an_order_with_tickets(make_box: MakeBox) -> None:
    """The contact given when joining goes into it, and is gone from the list."""
    box = make_box()
    bought = order(box)
    entry = join(box, "a", contact="a@example.org")
    cancel(box, bought)
    offer = look(box, entry).hold
    assert offer is not None
    taken = box.run(lambda unit: booking.confirm(unit, offer.id))
    assert (taken.status, len(taken.tickets), taken.contact) == ("confirmed", 1, "a@example.org")
    assert (look(box, entry).state, look(box, entry).order) == ("taken", taken.id)
    assert box.look(lambda unit: waiting.find(unit.db, entry)).contact == ""
    left = next(each for each in bodies(box) if isinstance(each, WaitlistLeft))
    assert (left.why, left.stock[0].held, left.stock[0].totals.sold) == ("taken", 0, 2)
    with pytest.raises(Invalid, match="Cancel the order"):
        box.run(lambda unit: waitlist.leave(unit, entry))


@pytest.mark.fault(2)
def test_a_hold_that_expires_offline_promotes_the_first_in_line(make_box: MakeBox) -> None:
    """The desk's sweep does it as time passes."""
    box = make_box()
    hold(box)
    entry = join(box, "a")
    box.turn.advance(10 * MINUTE_MS)
    assert available(box) == 0
    box.run(sweep)
    assert states(box, entry) == ["offered"]


def test_any_booking_promotes_too_when_a_hold_has_expired(make_box: MakeBox) -> None:
    """Nobody has to wait for the sweep, and who books gets only what is left."""
    box = make_box(room=3)
    hold(box, 3)
    entry = join(box, "a", 2)
    box.turn.advance(10 * MINUTE_MS)
    hold(box, who="walk-up")
    assert (states(box, entry), available(box)) == (["offered"], 0)


def test_an_offer_lapses_to_the_next_and_never_comes_back(make_box: MakeBox) -> None:
    """410 for the late one, whether or not stock is free; joining again is at the end."""
    box = make_box()
    bought = order(box)
    first, second = join(box, "a"), join(box, "b")
    cancel(box, bought)
    dead = look(box, first).hold
    assert dead is not None
    box.turn.advance(OFFER_MS)
    assert states(box, first) == ["lapsed"]
    with pytest.raises(HoldExpired, match="Join the waitlist again"):
        box.run(lambda unit: booking.confirm(unit, dead.id))
    box.run(sweep)
    assert states(box, first, second) == ["lapsed", "offered"]
    again = join(box, "a")
    leave(box, second)
    assert states(box, first, second, again) == ["lapsed", "left", "offered"]
    leave(box, again)
    assert available(box) == 1
    with pytest.raises(HoldExpired):
        box.run(lambda unit: booking.confirm(unit, dead.id))
    assert [each.why for each in bodies(box) if isinstance(each, WaitlistLeft)] == ["lapsed", "left", "left"]


def test_an_expired_ordinary_hold_is_confirmed_only_with_stock_nobody_in_line_is_due(make_box: MakeBox) -> None:
    """Late without a list: a new claim. Late with one: the list comes first."""
    box = make_box()
    late = hold(box)
    box.turn.advance(10 * MINUTE_MS)
    with pytest.raises(Invalid):
        join(box, "a")
    other = hold(box, who="other")
    entry = join(box, "a")
    box.run(lambda unit: booking.release_hold(unit, other.id))
    with pytest.raises(SoldOutHere):
        box.run(lambda unit: booking.confirm(unit, late.id))
    leave(box, entry)
    assert box.run(lambda unit: booking.confirm(unit, late.id)).status == "confirmed"


def test_a_reboot_restarts_an_offers_life_and_revives_no_dead_one(make_box: MakeBox) -> None:
    """Boot-time begins anew; what lapsed before the power cut stays lapsed."""
    box = make_box()
    bought = order(box)
    first, second = join(box, "a"), join(box, "b")
    cancel(box, bought)
    box.turn.advance(OFFER_MS)
    box.run(sweep)
    box.turn.advance(OFFER_MS - 1000)
    box.turn.reboot()
    box.run(sweep)
    assert states(box, first, second) == ["lapsed", "offered"]
    offer = look(box, second).hold
    assert offer is not None
    assert offer.expires_in_ms == OFFER_MS
    box.turn.advance(OFFER_MS)
    box.run(sweep)
    assert states(box, first, second) == ["lapsed", "lapsed"]


def test_a_grant_serves_the_line_before_anybody_else(make_box: MakeBox) -> None:
    """What the cloud sends for the waitlist is not swallowed by walk-ups."""
    box = make_box()
    hold(box)
    first, second = join(box, "a"), join(box, "b", 2)
    box.grant({ROOM: 3})
    assert states(box, first, second) == ["offered", "waiting"]
    assert available(box) == 1  # which is of no use to two
    box.grant({ROOM: 5})
    assert states(box, second) == ["offered"]
    assert available(box) == 1


def test_a_group_saves_up_and_small_ones_pass_within_its_size(make_box: MakeBox) -> None:
    """Two wanted: two singles may pass, then what is freed is saved, and walk-ups get none of it."""
    box = make_box(room=5)
    orders = [order(box, who=f"p{k}") for k in range(5)]
    group, *singles = [join(box, "group", 2), *(join(box, f"s{k}") for k in range(3))]
    for order_id in orders[:2]:
        cancel(box, order_id)
    assert states(box, group, *singles) == ["waiting", "offered", "offered", "waiting"]
    cancel(box, orders[2])
    assert states(box, group, singles[2]) == ["waiting", "waiting"]
    assert available(box) == 0
    cancel(box, orders[3])
    assert states(box, group, singles[2]) == ["offered", "waiting"]


def test_walk_ups_may_pass_a_group_within_its_size_then_stock_is_saved_and_freed_again_in_time(
    make_box: MakeBox,
) -> None:
    """Ten minutes saved in vain, then another round; a reboot restarts the wait."""
    box = make_box(room=3)
    orders = [order(box, who=f"p{k}") for k in range(3)]
    group = join(box, "group", 3)
    cancel(box, orders[0])
    for k in range(3):
        assert available(box) == 1
        walk_up = hold(box, who=f"walk-up-{k}")
        assert box.look(lambda unit: waiting.find(unit.db, group)).passed == k + 1
        box.run(partial(booking.release_hold, hold_id=walk_up.id))
    assert available(box) == 0
    box.turn.advance(SAVING_MS - 1)
    box.run(sweep)
    assert available(box) == 0
    box.turn.reboot()
    box.run(sweep)
    box.turn.advance(SAVING_MS - 1)
    box.run(sweep)
    assert available(box) == 0
    box.turn.advance(1)
    box.run(sweep)
    assert available(box) == 1
    for each in orders[1:]:
        cancel(box, each)
    assert states(box, group) == ["offered"]


def test_a_closed_sale_offers_nothing_until_staff_open_it_again(make_box: MakeBox) -> None:
    """Entries keep their places meanwhile."""
    box = make_box()
    bought = order(box)
    entry = join(box, "a")
    box.run(lambda unit: switches.set_sale(unit, TONIGHT, "closed", "A7"))
    cancel(box, bought)
    assert states(box, entry) == ["waiting"]
    box.run(lambda unit: switches.set_sale(unit, TONIGHT, None, "A7"))
    assert states(box, entry) == ["offered"]


def test_entries_are_closed_with_their_session(make_box: MakeBox) -> None:
    """Over, where the clock is trusted; cancelled or gone from the catalogue, always."""
    box = make_box()
    bought = order(box)
    first, second = join(box, "a"), join(box, "b")
    cancel(box, bought)
    box.turn.trust(False)
    box.turn.advance(3 * HOUR_MS)
    box.run(sweep)
    assert states(box, first, second) == ["lapsed", "offered"]
    box.turn.trust(True)
    box.run(sweep)
    assert states(box, first, second) == ["lapsed", "closed"]
    assert bodies(box)[-1].why == "closed"


def test_leaving_is_idempotent_and_serves_the_next(make_box: MakeBox) -> None:
    """Nobody has to wait for an offer somebody gave back."""
    box = make_box()
    bought = order(box)
    first, second = join(box, "a"), join(box, "b")
    cancel(box, bought)
    for _ in range(2):
        leave(box, first)
    assert states(box, first, second) == ["left", "offered"]
    with pytest.raises(NotFound):
        box.run(lambda unit: waitlist.leave(unit, "x" * 26))


def test_an_offer_does_not_count_against_its_phone(make_box: MakeBox) -> None:
    """Limits on placing holds are about what a phone asked for just now, and nobody ends an offer early."""
    box = make_box()
    bought = order(box)
    join(box, "a")
    cancel(box, bought)
    assert box.look(lambda unit: booking.open_holds(unit, guest("a"))) == ()


def test_who_joined_first_elsewhere_is_served_before_those_here(make_box: MakeBox) -> None:
    """With the link up a freed ticket is put aside for them and given back when the cloud asks."""
    box = make_box()
    bought = order(box)
    entry = join(box, "a")
    told(box, InLine(0, 1), InLine(1, 1))
    assert (look(box, entry).position, look(box, entry).of, look(box, entry).complete) == (2, 2, True)
    cancel(box, bought)
    assert (states(box, entry), available(box)) == (["waiting"], 0)
    told(box, InLine(1, 1))
    assert states(box, entry) == ["offered"]


def test_what_is_put_aside_goes_by_a_group_once_it_is_offered_and_not_at_every_look(make_box: MakeBox) -> None:
    """The cloud counts it then; counted here again and again, it would use up the group's patience."""
    box = make_box(room=2)
    bought = order(box, 2)
    group = join(box, "a", 3)
    told(box, InLine(1, 3), InLine(0, 2), granted=2)
    cancel(box, bought)
    for _ in range(3):
        box.run(sweep)
    assert box.look(lambda unit: waiting.find(unit.db, group)).passed == 0
    assert available(box) == 0
    told(box, InLine(1, 3, 0, 2), granted=2)
    assert states(box, group) == ["waiting"]


def test_cut_off_a_device_serves_its_own_line(make_box: MakeBox) -> None:
    """Its stock cannot get to people elsewhere, so it does not lie idle for them."""
    box = make_box()
    bought = order(box)
    entry = join(box, "a")
    told(box, InLine(0, 1), InLine(1, 1), longer=4)
    cancel(box, bought)
    assert states(box, entry) == ["waiting"]
    box.run(lambda unit: sync.link_changed(unit, up=False))
    assert states(box, entry) == ["offered"]
    later = join(box, "b")
    assert (look(box, later).position, look(box, later).of, look(box, later).complete) == (6, 6, False)


def test_a_cloud_that_fell_silent_is_not_waited_for(make_box: MakeBox) -> None:
    """The broker may be there without it: after a minute what was kept for people elsewhere goes to those here."""
    box = make_box()
    bought = order(box)
    entry = join(box, "a")
    told(box, InLine(0, 1), InLine(1, 1))
    cancel(box, bought)
    box.turn.advance(waiting.FRESH_MS - 1)
    box.run(sweep)
    assert states(box, entry) == ["waiting"]
    told(box, InLine(0, 1), InLine(1, 1))
    box.turn.advance(waiting.FRESH_MS)
    box.run(sweep)
    assert states(box, entry) == ["offered"]


def test_a_new_life_withdraws_offers_and_tells_its_entries_again(make_box: MakeBox) -> None:
    """The device lost its stock; nobody loses their place for that, and no dead hold is revived."""
    box = make_box()
    bought = order(box)
    first, second = join(box, "a"), join(box, "b")
    cancel(box, bought)
    dead = look(box, first).hold
    assert dead is not None
    box.run(sync.begin_incarnation)
    assert states(box, first, second) == ["waiting", "waiting"]
    assert isinstance(bodies(box)[-1], OfferWithdrawn)
    box.run(sweep)
    assert [each.entry for each in bodies(box)[-2:]] == [first, second]
    box.grant({ROOM: 1}, epoch=2, revision=1)
    assert states(box, first, second) == ["offered", "waiting"]
    with pytest.raises(HoldExpired):
        box.run(lambda unit: booking.confirm(unit, dead.id))


def entrust(box: TestBox, entry: str, number: int, quantity: int = 1) -> None:
    letter = WaitlistEntrusted(entry, ROOM, number, (Wish(ADULT, quantity),), 0)
    content = Content(1, "org", "cloud", "cloud", "c", 1, letter, 0)
    box.run(lambda unit: sync.apply_message(unit, content, None))


def test_entrusted_entries_come_before_a_devices_own_and_are_told_as_its_own(make_box: MakeBox) -> None:
    """A replacement continues the line of the device it replaces, in order; whoever has the id may act."""
    box = make_box()
    bought = order(box)
    own = join(box, "a")
    entrust(box, "second", -5)
    entrust(box, "first", -9)
    entrust(box, "first", -9)
    assert [look(box, each).position for each in ("first", "second", own)] == [1, 2, 3]
    told_again = [each.entry for each in bodies(box) if isinstance(each, WaitlistJoined)]
    assert told_again == [own, "second", "first", "first"]
    cancel(box, bought)
    assert states(box, "first", "second", own) == ["offered", "waiting", "waiting"]
    offer = look(box, "first").hold
    assert offer is not None
    assert box.run(lambda unit: booking.confirm(unit, offer.id)).status == "confirmed"
    assert join(box, "b")
    assert look(box, own).position == 2


def test_an_entry_that_a_card_forgot_which_went_back_gets_another_number_if_its_own_was_given_again(
    make_box: MakeBox,
) -> None:
    """It stands behind who joined meanwhile until the cloud, which knows its place, has told the line."""
    box = make_box()
    bought = order(box)
    own = join(box, "a")
    entrust(box, "forgotten", 1)
    assert states(box, "forgotten", own) == ["waiting", "waiting"]
    said = [(each.entry, each.number) for each in bodies(box) if isinstance(each, WaitlistJoined)]
    assert said == [(own, 1), ("forgotten", 2)]
    told(box, InLine(2, 1), InLine(1, 1))
    cancel(box, bought)
    assert states(box, "forgotten", own) == ["offered", "waiting"]


def test_an_end_that_the_cloud_missed_is_told_again_and_not_revived(make_box: MakeBox) -> None:
    """Entrusted with an entry that ended here: the end stands."""
    box = make_box()
    hold(box)
    entry = join(box, "a")
    leave(box, entry)
    entrust(box, entry, 1)
    assert states(box, entry) == ["left"]
    assert [each.why for each in bodies(box) if isinstance(each, WaitlistLeft)] == ["left", "left"]


def test_who_was_entrusted_takes_the_offer_whatever_others_bought_elsewhere(tmp_path: Path) -> None:
    """No phone is known of an entrusted place, nor of orders of other devices: each counts for itself alone."""
    box = _make_box(tmp_path, venue="south", grants={HALL: 4})
    limits = Limits()
    for k in range(limits.unpaid_per_client):
        sold = TicketFact(f"ticket-{k}", f"CODE{k}", ELSEWHERE, AWAY, HALL, 1, 1500, "EUR")
        hear(box, OrderConfirmed(f"order-{k}", f"SOLD{k}", "promised", (sold,), (), START_MS), "north-1")
    hear(box, WaitlistEntrusted("entry", HALL, -5, (Wish(ELSEWHERE, 2),), START_MS))
    offer = look(box, "entry").hold
    assert offer is not None
    taken = box.run(lambda unit: booking.confirm(unit, offer.id))
    assert taken.status == "confirmed"
    # What was bought with it counts for it from then on.
    assert [unpaid(box, each) for each in (taken.id, "order-0", "order-1")] == [2, 1, 1]
    box.database.close()


def unpaid(box: TestBox, order_id: str) -> int:
    """Unpaid tickets of whoever an order is counted for."""

    def query(unit: Any) -> int:
        row = orders.find(unit.db, order_id)
        assert row is not None
        return clients.usage(unit, row.client).unpaid_tickets

    return box.look(query)


def test_what_stands_under_no_name_is_nobodys_together(make_box: MakeBox) -> None:
    """Rows of before may have an empty one: their orders are not one phone's."""
    box = make_box()
    bought = order(box)
    box.run(lambda unit: orders.change(unit.db, bought, client=""))
    assert box.look(lambda unit: clients.usage(unit, "")) == Usage()
