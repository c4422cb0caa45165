"""Nobody can lock up the stock: one phone, however it tries, leaves tickets to the others."""

from __future__ import annotations

import threading
from functools import partial

import pytest
from sqlalchemy import func, select

from appliance.domain.clock import HOUR_MS, MINUTE_MS
from appliance.domain.errors import LimitReached, Refusal, SoldOut, SoldOutHere
from appliance.services import booking, clients, listing, stock
from appliance.services.booking import Item
from appliance.services.box import Unit
from appliance.store import allocations, tables
from mqtt_bridge.protocol.catalogue import Limits
from tests.support.box import (
    ADULT,
    CHILD,
    OPEN_LIMITS,
    ROOM,
    SEAT,
    TestBox,
    desk,
    example_catalogue,
    guest,
    make_box,
)


def hold(box: TestBox, ticket_type: str = ADULT, quantity: int = 1, *, client=None):
    return box.run(lambda unit: booking.place_hold(unit, client or guest(), [Item(ticket_type, quantity)]))


def confirm(box: TestBox, hold_id: str):
    return box.run(lambda unit: booking.confirm(unit, hold_id))


def refused(box: TestBox, ticket_type: str = ADULT, quantity: int = 1, *, client=None) -> Refusal:
    with pytest.raises(Refusal) as caught:
        hold(box, ticket_type, quantity, client=client)
    return caught.value


def test_one_hold_is_limited_in_size(box):
    assert refused(box, ADULT, 9).facts == {"limit": "per_hold", "most": 8}


def test_one_client_has_few_open_holds(box):
    hold(box)
    hold(box)
    answer = refused(box)
    assert (answer.facts["limit"], answer.status) == ("holds_per_client", 409)


def test_one_client_gets_its_share_of_what_is_left_and_never_less_than_one(box):
    assert refused(box, SEAT, 3).facts["limit"] == "share_per_client"
    hold(box, SEAT, 2)
    assert refused(box, SEAT, 1).facts["limit"] == "share_per_client"
    hold(box, SEAT, 1, client=guest("phone-2"))
    hold(box, SEAT, 1, client=guest("phone-3"))
    assert hold(box, SEAT, 1, client=guest("phone-4")).state == "open"  # the very last one


def test_holding_again_and_again_without_booking_ends_after_a_while(box):
    for _ in range(6):
        held = hold(box)
        box.run(lambda unit, held=held: booking.release_hold(unit, held.id))
        box.turn.advance(MINUTE_MS)
    answer = refused(box)
    assert (answer.facts["limit"], answer.status) == ("unconfirmed_holds", 429)
    assert answer.facts["retry_after_s"] == 54 * 60
    box.turn.advance(54 * MINUTE_MS)
    assert hold(box).state == "open"


def test_unpaid_and_free_tickets_of_one_client_are_limited(tmp_path):
    limits = Limits(holds_per_client=9, unpaid_per_client=3, free_per_client=2, share_per_client=1.0)
    box = make_box(tmp_path, catalogue=example_catalogue(limits))
    confirm(box, hold(box, ADULT, 2).id)
    assert refused(box, ADULT, 2).facts["limit"] == "unpaid_per_client"
    confirm(box, hold(box, CHILD, 2).id)
    assert refused(box, CHILD, 1).facts["limit"] == "free_per_client"
    first, second = hold(box, ADULT, 1), hold(box, ADULT, 1)
    confirm(box, first.id)
    with pytest.raises(LimitReached):  # checked again when it counts
        confirm(box, second.id)
    box.turn.advance(4 * HOUR_MS)
    box.database.close()


def test_holds_are_shorter_when_little_is_left(tmp_path):
    box = make_box(tmp_path, catalogue=example_catalogue(OPEN_LIMITS), grants={ROOM: 20})
    lives = {}
    for left in range(20, 0, -1):
        lives[left] = hold(box).expires_in_ms // MINUTE_MS
    assert (lives[20], lives[4], lives[3], lives[2], lives[1]) == (10, 10, 5, 5, 2)
    box.database.close()


def test_staff_are_exempt(box):
    assert hold(box, ADULT, 10, client=desk()).state == "open"


def test_new_phones_from_one_address_are_limited_per_minute(tmp_path):
    box = make_box(tmp_path, catalogue=example_catalogue(Limits(new_clients_per_minute=3)))
    for number in range(3):
        hold(box, client=guest(f"phone-{number}"))
    answer = refused(box, client=guest("phone-9"))
    assert (answer.facts["limit"], answer.status) == ("new_clients_per_minute", 429)
    assert 0 < answer.facts["retry_after_s"] <= 60
    assert hold(box, client=guest("phone-0")).state == "open"
    assert hold(box, client=guest("phone-8", "10.0.0.2")).state == "open"
    box.turn.advance(MINUTE_MS)
    assert hold(box, client=guest("phone-9")).state == "open"
    box.database.close()


def test_one_phone_with_one_token_cannot_shut_out_the_others(box):
    for quantity in (8, 4, 2, 1) * 5:
        try:
            held = hold(box, ADULT, quantity)
            confirm(box, held.id)
        except Refusal:
            box.turn.advance(1000)
    left = dict(box.look(listing.availability).items)[ADULT]
    assert left >= 2
    assert confirm(box, hold(box, client=guest("phone-2", "10.0.0.2")).id).status == "confirmed"


def test_one_phone_with_many_tokens_cannot_shut_out_the_others(box):
    for number in range(50):
        try:
            hold(box, ADULT, 1 + number % 5, client=guest(f"fake-{number}"))
        except Refusal:
            continue
    assert dict(box.look(listing.availability).items)[ADULT] == 0
    for number in range(5):
        honest = guest(f"phone-{number}", f"10.0.0.{number + 2}")
        assert confirm(box, hold(box, client=honest).id).status == "confirmed"


def test_a_crowd_behind_one_address_may_hold_everything_while_nobody_else_wants_it(box):
    held = [hold(box, client=guest(f"phone-{number}")) for number in range(10)]
    assert [confirm(box, each.id).status for each in held] == ["confirmed"] * 10


def test_a_single_phone_within_its_share_keeps_its_holds(tmp_path):
    box = make_box(tmp_path, grants={ROOM: 4})
    mine = [hold(box, ADULT, 1), hold(box, ADULT, 1)]
    hold(box, ADULT, 1, client=guest("phone-2", "10.0.0.2"))
    hold(box, ADULT, 1, client=guest("phone-3", "10.0.0.3"))
    assert isinstance(refused(box, client=guest("phone-4", "10.0.0.4")), SoldOutHere)
    seen = box.look(lambda unit: {booking.find_hold(unit, each.id).state for each in mine})
    assert seen == {"open"}
    box.database.close()


def test_twenty_phones_at_once_sell_the_last_five_exactly(tmp_path):
    box = make_box(tmp_path, catalogue=example_catalogue(OPEN_LIMITS), grants={ROOM: 5}, elsewhere=0)
    begin = threading.Barrier(20)
    answers: list[object] = []

    def phone(number: int) -> None:
        begin.wait(30)
        try:
            held = hold(box, client=guest(f"phone-{number}"))
            answers.append(confirm(box, held.id).status)
        except (SoldOut, SoldOutHere) as refusal:
            answers.append(refusal.problem)

    threads = [threading.Thread(target=phone, args=(number,)) for number in range(20)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(60)
    assert len(answers) == 20
    assert answers.count("confirmed") == 5
    assert dict(box.look(listing.availability).items)[ADULT] == 0
    box.database.close()


def test_a_hold_of_two_types_of_one_quota_gives_its_stock_back_once_when_it_makes_room(tmp_path):
    box = make_box(tmp_path, catalogue=example_catalogue(Limits(share_per_client=0.5)), grants={ROOM: 10})
    pair = [Item(ADULT, 1), Item(CHILD, 1)]
    for phone in "abcd":
        box.run(partial(booking.place_hold, client=guest(phone), items=pair))
        box.turn.advance(10)
    for phone in "ef":
        hold(box, client=guest(phone))
        box.turn.advance(10)
    hold(box, ADULT, 4, client=desk())
    with box.database.read() as db:
        assert allocations.shelves(db, [ROOM])[ROOM].held == held_in_rows(db) <= 10
    box.database.close()


def held_in_rows(db) -> int:
    query = select(func.sum(tables.hold_item.c.quantity)).join(tables.hold).where(tables.hold.c.state == "open")
    return db.execute(query).scalar()


def test_ending_a_hold_twice_gives_its_stock_back_once(box):
    held = hold(box, ADULT, 2)
    before = box.look(lambda unit: allocations.shelves(unit.db)[ROOM].held)

    def end_twice(unit: Unit) -> None:
        stock.end_hold(unit, held.id, "expire")
        stock.end_hold(unit, held.id, "expire")

    box.run(end_twice)
    assert box.look(lambda unit: allocations.shelves(unit.db)[ROOM].held) == before - 2


def test_booking_and_cancelling_again_and_again_ends_like_holding_without_booking(box):
    for _ in range(6):
        order = confirm(box, hold(box, CHILD).id)
        box.run(lambda unit, order=order: booking.cancel(unit, order.id))
    assert refused(box, CHILD).facts["limit"] == "unconfirmed_holds"


def test_an_expired_hold_that_became_an_order_does_not_count_as_given_up(box):
    held = hold(box, CHILD)
    box.turn.advance(11 * MINUTE_MS)
    confirm(box, held.id)
    assert box.look(lambda unit: clients.usage(unit, guest().id)).unconfirmed_last_hour == 0
