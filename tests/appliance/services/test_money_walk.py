"""Two desks and the cloud, in an order that a seed decides: sold, paid here and there, cancelled, paid back, told late.

Afterwards everybody has heard everything, and they agree on every order's money.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from appliance.domain.errors import Refusal
from appliance.services import booking, door, payments, repairs, switches
from appliance.services.booking import Item
from appliance.services.views import OrderView
from mqtt_bridge.cloud import aftermath, facts, kinds, scans
from mqtt_bridge.cloud.accounts import account
from mqtt_bridge.cloud.counts import Counts
from mqtt_bridge.cloud.memory import MemoryStore
from mqtt_bridge.cloud.records import Contradiction
from mqtt_bridge.cloud.rows import Rows
from mqtt_bridge.cloud.work import Work
from tests.appliance.services.test_money import UNPAID_UNTIL, Pair
from tests.appliance.services.test_requests import hear, told
from tests.support.box import ADULT, AWAY, BADGE, ELSEWHERE, TestBox, example_catalogue, guest

STEPS = 60
REGISTERED = (facts, scans)  # what they say of each kind of message is registered by their import


class Walk:
    """North sells, south is a door; each link carries one message at a time, when the dice say so."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.pair = Pair(folder, example_catalogue(UNPAID_UNTIL))
        self.dice = random.Random(seed)
        self.boxes = (self.pair.north, self.pair.south)
        self.orders: list[str] = []
        self.passed = {each.identity.device: 0 for each in self.boxes}
        self.cloud = MemoryStore()
        self.given_up: set[str] = set()

    def step(self) -> None:
        """Do one thing, as far as it is allowed."""
        steps = (self.sell, self.pay, self.pay, self.cancel, self.cancel_unpaid, self.come, self.pay_back, self.talk)
        self.dice.choice((*steps, self.talk, self.talk))()

    def end(self) -> None:
        """Everybody hears everything."""
        while any(self.carry(each) for each in self.boxes):
            pass

    def sell(self) -> None:
        kind = self.dice.choice((ADULT, ELSEWHERE, ELSEWHERE, ELSEWHERE))

        def work(unit: Any) -> str:
            held = booking.place_hold(unit, guest(f"phone-{len(self.orders)}"), [Item(kind, 1)])
            return booking.confirm(unit, held.id, name="Ada").id

        self.attempt(self.pair.north, lambda unit: self.orders.append(work(unit)))

    def pay(self) -> None:
        method = self.dice.choice(payments.METHODS)
        part = self.dice.choice((1, 1, 2)) if method != "comp" else 1

        def work(unit: Any, order: OrderView) -> None:
            payments.take_payment(unit, order.id, BADGE, method, -(-order.due_minor // part))

        self.with_order(work)

    def cancel(self) -> None:
        def work(unit: Any, order: OrderView) -> None:
            booking.cancel(unit, order.id)
            self.given_up.add(order.id)

        self.with_order(work, self.pair.north)

    def cancel_unpaid(self) -> None:
        if self.dice.random() < 0.5:
            self.attempt(self.pair.north, lambda unit: switches.cancel_unpaid(unit, AWAY, BADGE))

    def come(self) -> None:
        self.with_order(lambda unit, order: door.check_in(unit, order.tickets[0].code, BADGE, "1"))

    def pay_back(self) -> None:
        def work(unit: Any, order: OrderView) -> None:
            repairs.pay_back(unit, order.id, BADGE, "cash", order.refund_due_minor)

        self.with_order(work)

    def talk(self) -> None:
        self.carry(self.dice.choice(self.boxes))

    def with_order(self, work: Callable[[Any, OrderView], object], box: TestBox | None = None) -> None:
        if self.orders:
            order = self.dice.choice(self.orders)
            box = box or self.dice.choice(self.boxes)
            self.attempt(box, lambda unit: work(unit, booking.find_order(unit, order)))

    @staticmethod
    def attempt(box: TestBox, work: Callable[[Any], object]) -> None:
        try:
            box.run(work)
        except Refusal:
            pass

    def carry(self, teller: TestBox) -> bool:
        """Have the next message of a device reach the cloud and the other one."""
        name = teller.identity.device
        said = told(teller)[self.passed[name] :]
        if not said:
            return False
        self.passed[name] += 1
        body = said[0].body

        def apply(rows: Rows) -> None:
            work = Work(rows)
            at = kinds.Telling(work, name, 1, Counts(work, 1))
            kinds.apply(at, body)
            aftermath.follow(work, body, 1)
            work.write()

        self.cloud.run(apply)
        hear(next(each for each in self.boxes if each is not teller), body, name)
        return True

    def views(self, order: str) -> list[OrderView]:
        """What those say of it who know it."""
        found = []
        for each in self.boxes:
            try:
                found.append(each.look(lambda unit: booking.find_order(unit, order)))
            except Refusal:
                continue
        return found


@pytest.mark.parametrize("seed", range(6))
def test_desks_and_cloud_agree_on_every_orders_money_and_nobody_pays_for_nothing(tmp_path: Path, seed: int) -> None:
    walk = Walk(tmp_path, seed)
    for _ in range(STEPS):
        walk.step()
    walk.end()
    work = Work(walk.cloud.rows)
    listed = {(each.kind, each.subject): each.state for each in walk.cloud.rows.all(Contradiction)}
    for order in walk.orders:
        found, views = account(work, order), walk.views(order)
        for view in views:
            assert (view.taken_minor, view.paid_back_minor) == (found.taken_minor, found.paid_back_minor)
            assert view.refund_due_minor == found.due_minor
            assert view.payment == "paid" or view.status != "confirmed" or view.due_minor, "neither paid nor to be paid"
        paid_at_the_door = any(view.payment == "paid" for view in views)
        if paid_at_the_door and order not in walk.given_up:
            assert {view.status for view in views} == {"confirmed"}, "paid, and no guest cancelled it"
        assert (("paid-twice", order) in listed) == (found.taken_minor > found.price_minor)
        assert (listed.get(("paid-back-twice", order)) == "open") == (found.paid_back_minor > found.owed_minor)
    for each in walk.boxes:
        each.database.close()
