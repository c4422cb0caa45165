"""A season of bad luck: three devices, a wire that loses, repeats and reorders, restarts of everything, one seed.

At no moment are more tickets valid than there are; when the wire heals, cloud and devices agree to the last ticket.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import pytest

from mqtt_bridge.cloud.store import open_cloud, register_device
from mqtt_bridge.protocol import topics
from mqtt_bridge.protocol.codec import encode
from mqtt_bridge.protocol.messages import Ack, AllocationReturned, ReturnAllocation
from mqtt_bridge.protocol.stock import Totals
from mqtt_bridge.transport import Message
from tests.mqtt_bridge.cloud.world import ORG, FakeDevice, World, import_into

LIMIT = 25
STEPS = 70


@dataclass
class Seller(FakeDevice):
    """A device that never sells what it does not have, and gives back what it is asked for."""

    orders: dict[str, int] = field(default_factory=dict)
    before: int = 0  # valid tickets of earlier lives

    def change(self, **amounts: int) -> None:
        grown = {name: getattr(self.totals, name) + amount for name, amount in amounts.items()}
        self.totals = msgspec.structs.replace(self.totals, **grown)

    def step(self, luck: random.Random, number: int) -> None:
        if self.epoch and (free := self.totals.available(0)) and luck.random() < 0.6:
            quantity = luck.randint(1, min(4, free))
            self.sell(f"{self.name}-{number}", quantity)
            self.orders[f"{self.name}-{number}"] = quantity
        elif self.orders and luck.random() < 0.3:
            order = luck.choice(sorted(self.orders))
            self.cancel(order, self.orders.pop(order))

    def take_in(self, world: World) -> None:
        """Read the newest state and, in order, the downlink."""
        if topics.down(ORG, self.name, "state") in world.wire.retained:
            self.hear(world)
        for content in world.downlink(self.name):
            if content.seq == self.inbox + 1:
                self.inbox += 1
                body = content.body
                if isinstance(body, ReturnAllocation) and body.epoch == self.epoch:
                    number = self.totals.returnable(body.returned - self.totals.returned, 0)
                    if number:
                        self.change(returned=number)
                        self.envelope(AllocationReturned((self.count(),)))

    def new_life(self) -> None:
        """The database is gone; what was sold stays sold, and was synced before."""
        self.before += self.totals.sold - self.totals.cancelled
        self.inc, self.seq, self.epoch, self.inbox = f"{self.inc}+", 0, 0, 0
        self.log, self.orders, self.totals = [], {}, Totals()

    @property
    def valid(self) -> int:
        return self.before + self.totals.sold - self.totals.cancelled


def deliver(world: World, device: Seller, luck: random.Random, *, perfect: bool) -> None:
    """Send the whole outbox, as the wire pleases."""
    envelopes = list(device.log)
    if not perfect:
        envelopes = [each for each in envelopes for _ in range(luck.choice((0, 1, 1, 2)))]
        luck.shuffle(envelopes)
    device.hello(world)
    for each in envelopes:
        world.say(device.name, "msg", each)
    if luck.random() < 0.5 or perfect:
        device.status(world)
    if luck.random() < 0.5 and not perfect:
        device.need(world, luck.randint(1, 5))
    world.say(device.name, "ack", encode(Ack(world.inc, device.inbox)))
    mixed = list(world.wire.incoming)
    if not perfect:
        mixed = [each for each in mixed if luck.random() > 0.2]
        luck.shuffle(mixed)
    world.wire.incoming.clear()
    world.wire.incoming.extend(each for each in mixed if isinstance(each, Message))
    world.run()


@pytest.mark.parametrize("seed", range(4))
def test_no_ticket_is_sold_twice_and_all_sides_agree_in_the_end(tmp_path: Path, seed: int) -> None:
    luck = random.Random(seed)
    database = open_cloud(tmp_path / "cloud.db")
    world = World(database)
    import_into(world, limit=LIMIT)
    sellers = [Seller(name, venue) for name, venue in (("a", "hall"), ("b", "yard"), ("c", "yard"))]
    for each in sellers:
        register_device(database, each.name, each.venue, world.now_ms)
    for number in range(STEPS):
        seller = luck.choice(sellers)
        seller.step(luck, number)
        if luck.random() < 0.6:
            deliver(world, seller, luck, perfect=False)
            seller.take_in(world)
        if luck.random() < 0.1:
            world.reconciler = world.another()
            world.connect()
        if luck.random() < 0.04:
            for _ in range(2):
                deliver(world, seller, luck, perfect=True)
                seller.take_in(world)
            deliver(world, seller, luck, perfect=True)
            seller.new_life()
        world.tick(luck.choice((100, 1000, 4000)))
        assert sum(each.valid for each in sellers) <= LIMIT
        assert world.pool() >= 0
    world.tick(20_000)  # whatever was asked for is forgotten, so no recall is left under way
    for _ in range(4):
        for seller in sellers:
            deliver(world, seller, luck, perfect=True)
            seller.take_in(world)
        world.tick()
    known = world.totals()
    for seller in sellers:
        assert known.get((seller.name, seller.epoch), Totals()) == seller.totals
        assert sum(totals.valid for (name, _), totals in known.items() if name == seller.name) == seller.valid
    assert world.scalar("SELECT count(*) FROM ticket WHERE state <> 'cancelled'") == sum(each.valid for each in sellers)
    assert world.alarms() == set()
    database.close()
