"""Whatever operators decide, in whatever order doors and issuers answer: stock is conserved and nothing is decided twice."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from sqlalchemy import Connection

from mqtt_bridge.cloud import contradictions
from mqtt_bridge.cloud.alarms import contradict
from mqtt_bridge.cloud.repair import RepairRefused, apply_remedy, apply_rules, dismiss
from mqtt_bridge.cloud.repair_view import repairs
from mqtt_bridge.cloud.sql import SqlRows
from mqtt_bridge.cloud.work import Work
from mqtt_bridge.protocol.messages import (
    AllocationReturned,
    CancelRefused,
    OrderCancelled,
    OrderRebooked,
    ReturnAllocation,
    StockCount,
    TicketsVoided,
    TicketsWithdrawn,
)
from mqtt_bridge.protocol.stock import Totals
from tests.mqtt_bridge.cloud.town import Town, town_in

STEPS = 90


class Walk:
    """Sales, entries, decisions and the doors' words in an order that a seed decides."""

    def __init__(self, town: Town, seed: int) -> None:
        self.town = town
        self.dice = random.Random(seed)
        self.orders: list[str] = []
        self.heard: dict[str, int] = {}
        self.returned = {"hall-1": 0, "yard-1": 0}
        self.refused: list[str] = []

    def step(self) -> None:
        """Do one thing that can be done."""
        self.dice.choice(
            [self.sell, self.contradict, self.contradict, self.decide, self.decide, self.answer, self.answer, self.tick]
        )()

    def sell(self) -> None:
        hall = self.town.hall
        if hall.totals.unsold >= 2:
            self.orders.append(f"o{len(self.orders)}")
            self.town.sold(self.orders[-1], 2, paid=self.dice.random() < 0.7)

    def contradict(self) -> None:
        if self.orders:
            order = self.dice.choice(self.orders)

            def run(db: Connection) -> None:
                work = Work(SqlRows(db))
                contradict(work, "oversold", order, "told", self.town.now_ms, order=order, event_session="s")
                work.write()

            self.town.database.run(run)

    def decide(self) -> None:
        with self.town.database.read() as db:
            entries = [entry for group in repairs(db, self.town.now_ms).groups for entry in group.entries]
        if not entries:
            return
        entry = self.dice.choice(entries)
        offers = [each for each in entry.offers if each.remedy != "overbook"]
        try:
            if not offers or self.dice.random() < 0.1:
                dismiss(self.town.database, entry.row.id, "ada", self.town.now_ms)
                return
            wanted = self.dice.choice(["rebook", "rebook", "refund", "waitlist"])
            offer = next((each for each in offers if each.remedy == wanted), offers[0])
            args = {"target": offer.target, "seen": (offer.oversell, offer.amount_minor)}
            apply_remedy(self.town.database, entry.row.id, offer.remedy, "ada", self.town.now_ms, **args)  # type: ignore[arg-type]
        except RepairRefused as refusal:
            self.refused.append(str(refusal))

    def answer(self) -> None:
        """The hall is issuer and door of what is withdrawn; both devices return what they are asked for."""
        device = self.dice.choice([self.town.hall, self.town.yard])
        bodies = self.town.bodies(device.name)
        for body in bodies[self.heard.get(device.name, 0) :]:
            if isinstance(body, ReturnAllocation) and body.quota == "q2":
                self.give_back(device.name, body)
            if device is self.town.hall and isinstance(body, TicketsWithdrawn | OrderRebooked):
                old = [x.old for x in body.swaps] if isinstance(body, OrderRebooked) else list(body.tickets)
                self.void(body.order, [each.ticket for each in old if each.quota == "q"])
        self.heard[device.name] = len(bodies)

    def void(self, order: str, tickets: list[str]) -> None:
        hall = self.town.hall
        if tickets and self.dice.random() < 0.3:
            kept = tickets.pop()
            self.town.tell(hall, hall.envelope(CancelRefused(order, (kept,))))
        if tickets:
            self.town.tell(hall, hall.envelope(TicketsVoided(order, tuple(tickets))))
            told = hall.totals
            hall.totals = Totals(told.granted, told.confirmed, told.returned, told.sold, told.cancelled + len(tickets))
            self.town.tell(hall, hall.envelope(OrderCancelled(order, tuple(tickets), (hall.count(),))))

    def give_back(self, name: str, body: ReturnAllocation) -> None:
        device = self.town.hall if name == "hall-1" else self.town.yard
        back = self.returned[name] = max(self.returned[name], body.returned)
        granted = next(each.granted for each in self.town.state(name).grants if each.quota == "q2")
        count = StockCount("q2", body.epoch, Totals(granted=granted, returned=min(back, granted)))
        self.town.tell(device, device.envelope(AllocationReturned((count,))))

    def tick(self) -> None:
        self.town.tick()
        for device in (self.town.hall, self.town.yard):
            device.hear(self.town)
        apply_rules(self.town.database, self.town.now_ms)


@pytest.mark.parametrize("seed", range(4))
def test_stock_is_conserved_after_every_step_of_a_repair(tmp_path: Path, seed: int) -> None:
    """Pool never below zero, valid tickets never above limit and extra, each entry decided at most once."""
    with town_in(tmp_path / "cloud.db") as town:
        walk = Walk(town, seed)
        for _ in range(STEPS):
            walk.step()
            town.check_stock()
        with town.database.read() as db:
            decided = contradictions.listed(db, "decided")
        assert all("nowhere to come back from" in each for each in walk.refused)
        repaired = town.rows("SELECT count(*) FROM audit WHERE action LIKE 'repaired%'")[0][0]
        assert repaired == sum(each.state == "resolved" for each in decided)
        # Nobody holds two tickets for one: an old one that was replaced is never valid besides its new one in the books.
        doubled = "SELECT a.id FROM ticket a JOIN ticket b ON a.replaced_by = b.id WHERE a.check_in IS NOT NULL"
        assert town.rows(f"{doubled} AND b.check_in IS NOT NULL") == []
