"""An order's money in the cloud: too much taken or paid back is listed, whatever came first, and leaves the list by itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from mqtt_bridge.cloud import losses
from mqtt_bridge.cloud.accounts import account
from mqtt_bridge.cloud.repair import apply_remedy, apply_rules, dismiss, set_rule
from mqtt_bridge.cloud.repair_view import repairs
from mqtt_bridge.cloud.session_changes import cancel_session, move_session
from mqtt_bridge.cloud.sql import SqlRows
from mqtt_bridge.cloud.store import apply_catalogue
from mqtt_bridge.cloud.work import Work
from mqtt_bridge.protocol.catalogue import Catalogue, Quota, TicketType, Venue
from mqtt_bridge.protocol.messages import (
    CancelRefused,
    CancelRequested,
    CheckedIn,
    OrderConfirmed,
    OrderRebooked,
    PaymentTaken,
    RefundOwed,
    RefundPaid,
    TicketFact,
    TicketsVoided,
)
from tests.mqtt_bridge.cloud.test_repair import listed
from tests.mqtt_bridge.cloud.town import Town, town_in, two_dates
from tests.mqtt_bridge.cloud.world import START_MS, FakeDevice

PRICE = 1250


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    with town_in(tmp_path / "cloud.db") as made:
        yield made


def paid(town: Town, device: FakeDevice, payment: str, amount: int, order: str = "o1", method: str = "cash") -> None:
    money = PaymentTaken(order, payment, method, amount, "EUR", "A7", paid=True, tickets=(f"{order}-0",))  # type: ignore[arg-type]
    town.tell(device, device.envelope(money))


def paid_back(town: Town, device: FakeDevice, payment: str, amount: int, order: str = "o1") -> None:
    town.tell(device, device.envelope(RefundPaid(order, payment, "cash", amount, "EUR", "A7")))


def kinds(town: Town, state: str = "open") -> list[str]:
    return [each.kind for each in town.listed(state)]


def owed(town: Town) -> list[int]:
    return [each.owed_minor for each in town.bodies("hall-1") if isinstance(each, RefundOwed)]


def test_an_order_paid_at_two_desks_is_listed_and_its_surplus_can_be_told_to_every_desk(town: Town) -> None:
    town.tell(town.hall, town.hall.sell("o1", 1))
    paid(town, town.hall, "p1", PRICE)
    assert kinds(town) == []
    paid(town, town.yard, "p2", PRICE)
    (row,) = town.listed()
    assert (row.kind, row.order_id) == ("paid-twice", "o1")
    assert row.detail == "2500 taken by hall-1 and yard-1, 1250 is the price (EUR, minor units)"
    with town.database.read() as db:
        (group,) = repairs(db, town.now_ms).groups
    (offer,) = group.entries[0].offers
    assert (group.title, offer.remedy, offer.price) == ("More taken than the price", "refund", "12.50 EUR to pay back")
    done = apply_remedy(town.database, row.id, "refund", "ada", town.now_ms, seen=(0, PRICE))
    assert done == "every desk concerned knows: 12.50 EUR to pay back"
    town.tick()
    assert owed(town) == [PRICE]
    assert town.scalar("SELECT state FROM ticket") == "valid"
    paid_back(town, town.hall, "r1", PRICE)
    assert kinds(town) == []


def test_two_payments_that_came_before_their_sale_are_listed_when_it_is_told(town: Town) -> None:
    paid(town, town.yard, "p1", PRICE)
    paid(town, town.yard, "p2", PRICE)
    assert kinds(town) == []
    town.tell(town.hall, town.hall.sell("o1", 1))
    assert kinds(town) == ["paid-twice"]


def test_parts_that_make_the_price_and_what_was_given_away_are_no_surplus(town: Town) -> None:
    town.tell(town.hall, town.hall.sell("o1", 2))
    paid(town, town.hall, "p1", PRICE)
    paid(town, town.yard, "p2", PRICE, method="terminal")
    paid(town, town.yard, "p3", 2 * PRICE, method="comp")
    assert kinds(town) == []


def test_a_surplus_that_a_desk_has_paid_back_leaves_the_list(town: Town) -> None:
    town.tell(town.hall, town.hall.sell("o1", 1))
    for device, payment in ((town.hall, "p1"), (town.yard, "p2")):
        paid(town, device, payment, PRICE)
    paid_back(town, town.hall, "r1", PRICE - 1)
    assert kinds(town) == ["paid-twice"]
    paid_back(town, town.hall, "r2", 1)
    assert kinds(town) == []
    (row,) = town.listed("decided")
    assert (row.state, row.outcome, row.decided_by) == ("dismissed", "the surplus was paid back", "the desks")
    paid_back(town, town.yard, "r3", PRICE)
    assert kinds(town) == ["paid-back-twice"]


def test_a_rule_may_tell_of_every_surplus_and_an_operator_may_leave_it(town: Town) -> None:
    for order in ("o1", "o2"):
        town.tell(town.hall, town.hall.sell(order, 1))
        for device in (town.hall, town.yard):
            paid(town, device, f"{order} {device.name}", PRICE, order)
    dismiss(town.database, town.listed()[0].id, "ada", town.now_ms)
    set_rule(town.database, "paid-twice", "refund", "ada", town.now_ms)
    assert apply_rules(town.database, town.now_ms) == 1
    assert kinds(town) == []


def test_money_of_who_cancelled_is_owed_and_paying_it_back_once_is_no_contradiction(town: Town) -> None:
    town.sold("o1")
    town.tell(town.hall, town.hall.cancel("o1", 2))
    paid_back(town, town.hall, "r1", 2 * PRICE)
    assert kinds(town) == []
    paid_back(town, town.yard, "r2", 2 * PRICE)
    (row,) = town.listed()
    assert (row.kind, row.detail) == (
        "paid-back-twice",
        "5000 paid back, 2500 owed (EUR, minor units); yard-1 paid last",
    )


def test_what_went_back_before_it_was_told_that_it_is_owed_leaves_the_list(town: Town) -> None:
    """As after a restore, when a desk tells what it did before the door does."""
    town.sold("o1")
    paid_back(town, town.yard, "r1", 2 * PRICE)
    assert kinds(town) == ["paid-back-twice"]
    town.tell(town.hall, town.hall.envelope(TicketsVoided("o1", ("o1-0",))))
    assert kinds(town) == ["paid-back-twice"]
    town.tell(town.hall, town.hall.cancel("o1", 2))
    assert kinds(town) == []


def test_a_cancelled_date_owes_a_surplus_too_though_no_door_has_voided_yet(town: Town) -> None:
    town.tell(town.hall, town.hall.sell("o1", 1))
    for device in (town.hall, town.yard):
        paid(town, device, f"p {device.name}", PRICE)
    cancel_session(town.database, "s", "ada", town.now_ms)
    row = next(each for each in town.listed() if each.kind == "session-cancelled")
    apply_remedy(town.database, row.id, "refund", "ada", town.now_ms)
    town.tick()
    assert owed(town) == [2 * PRICE]


def test_a_ticket_that_was_used_is_not_owed_though_it_was_cancelled(town: Town) -> None:
    town.sold("o1", 1)
    town.tell(town.hall, town.hall.envelope(CheckedIn("c1", "admitted", None, "o1-0", "s", "A7", START_MS)))
    town.tell(town.hall, town.hall.cancel("o1", 1))
    with town.database.read() as db:
        found = account(Work(SqlRows(db)), "o1")
    assert (found.taken_minor, found.owed_minor, found.due_minor) == (PRICE, 0, 0)


def test_a_new_door_hears_of_money_that_went_back_too(town: Town) -> None:
    """It counts what is owed by itself, and would pay it back once more."""
    town.sold("o1")
    town.tell(town.hall, town.hall.cancel("o1", 2))
    paid_back(town, town.hall, "r1", 2 * PRICE)
    move_session(town.database, "s", "ada", town.now_ms, venue="yard")
    town.tick()
    money = [each for each in town.bodies("yard-1") if isinstance(each, PaymentTaken | RefundPaid)]
    assert [type(each) for each in money] == [PaymentTaken, RefundPaid]
    assert money[1] == RefundPaid("o1", "r1", "cash", 2 * PRICE, "EUR", "A7")


def test_in_the_place_of_a_lost_door_the_cloud_keeps_what_it_knows_to_be_paid(town: Town) -> None:
    """Asked back as unpaid by an issuer that had not heard of the money yet; what a guest cancelled goes all the same."""
    for order in ("o1", "o2", "o3"):
        town.tell(town.yard, town.yard.sell(order))
    for order in ("o1", "o3"):
        paid(town, town.hall, f"p {order}", PRICE, order)
    losses.seal_device(town.database, "hall-1", "op", "lost", town.now_ms, log=None)
    town.tick()
    for order, unpaid in (("o1", True), ("o2", True), ("o3", False)):
        fact = TicketFact(f"{order}-0", f"{order}0", "t", "s", "q", town.yard.epoch, PRICE, "EUR")
        town.tell(town.yard, town.yard.envelope(CancelRequested(order, (fact,), unpaid=unpaid)))
    losses.answer_cancels(town.database, "hall", "op", town.now_ms)
    town.tick()
    answers = [each for each in town.bodies("yard-1") if isinstance(each, CancelRefused | TicketsVoided)]
    assert [(type(each), each.order) for each in answers] == [
        (CancelRefused, "o1"),
        (TicketsVoided, "o2"),
        (TicketsVoided, "o3"),
    ]


def test_every_door_of_an_order_hears_that_part_of_it_was_rebooked(town: Town) -> None:
    """A door that knew the old ticket alone would count its price as owed once it is cancelled."""
    (event,) = two_dates(hall=400, yard=400).events
    late = msgspec.structs.replace(
        event.sessions[0],
        id="s3",
        key="late",
        venue="barn",
        quotas=(Quota("q3", "floor", 400),),
        ticket_types=(TicketType("t3", "Place", "q3", 900, "EUR"),),
    )
    venues = (*two_dates().venues, Venue("barn", "The Barn", ""))
    event = msgspec.structs.replace(event, sessions=(*event.sessions, late))
    apply_catalogue(town.database, Catalogue(0, venues, (event,)), {}, town.now_ms)
    town.add("barn-1", "barn")
    town.tick()
    facts = (
        TicketFact("o1-0", "o10", "t", "s", "q", town.hall.epoch, PRICE, "EUR"),
        TicketFact("o1-1", "o11", "t3", "s3", "q3", town.hall.epoch, 900, "EUR"),
    )
    town.tell(town.hall, town.hall.envelope(OrderConfirmed("o1", "o1", "paid", facts, (), START_MS)))
    number = listed(town, "oversold", "o1", ["o1-0"])
    apply_remedy(town.database, number, "rebook", "ada", town.now_ms, target="s2")
    town.tick()
    for device in ("hall-1", "yard-1", "barn-1"):
        assert any(isinstance(each, OrderRebooked) for each in town.bodies(device)), device
