"""A storm: kill -9 of random processes, again and again, under booking load; then count everything.

``python -m tests.flows.storm --cycles 500 [--postgresql] [--seed N]``, or ``make storm``. In each cycle guests book at both venues, and
the moment an order was answered one to three of these are killed: portals, their workers, desks, bridges, the reconcilers (two
run side by side), the broker. In the end every answered order is there once, the cloud counts what the venues sold, and no quota is
oversold.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

from tests.support.demo import wait_for
from tests.support.town import Town, Venue, running

CLIENTS = 6
SEATS = 1_000_000
ANSWER_S = 60.0
SAY_EVERY = 10


class Shoppers:
    """Clients that book at both venues until told to stop, and remember every order that was answered."""

    def __init__(self, town: Town) -> None:
        self.orders: dict[str, Venue] = {}
        self.answered = threading.Event()
        self._stop = threading.Event()
        kind = town.hall.ticket_type()
        self._threads = [
            threading.Thread(target=self._shop, args=(town.venues[each % 2], kind), daemon=True)
            for each in range(CLIENTS)
        ]
        for thread in self._threads:
            thread.start()

    def _shop(self, venue: Venue, kind: str) -> None:
        while not self._stop.is_set():
            try:
                held = venue.post("/api/v1/holds", {"items": [{"ticket_type": kind, "quantity": 1}]})
                order = venue.post("/api/v1/orders", {"hold": held.json["hold"]}) if held.status == 201 else held
            except OSError:
                self._stop.wait(0.1)
                continue
            if order.status == 201:
                self.orders[order.json["order"]] = venue
                self.answered.set()
            else:
                self._stop.wait(0.05)

    def stop(self) -> None:
        """Let every client finish what it does."""
        self._stop.set()
        for thread in self._threads:
            thread.join(30)


class Storm:
    """Kills and starts again; ``kills`` counts by process name."""

    def __init__(self, town: Town, chance: random.Random) -> None:
        self._town, self._chance = town, chance
        self.kills: Counter[str] = Counter()
        self._targets = [*(each for venue in town.venues for each in venue.processes.values()), *town.cloud.values()]

    def strike(self) -> None:
        """Kill up to three of them at one moment, and start them again at another."""
        number = self._chance.choice((1, 1, 1, 2, 3))
        struck = self._chance.sample([*self._targets, None], number)
        for each in struck:
            if each is None:
                self._town.broker.kill()
                self.kills["broker"] += 1
            elif each.process == "portal" and self._chance.random() < 0.3:
                self.kills["portal worker"] += _kill_child(each.pid)
            else:
                each.kill()
                self.kills[each.process] += 1
        self._chance.shuffle(struck)
        for each in struck:
            time.sleep(self._chance.uniform(0, 0.1))
            if each is None:
                self._town.broker.start()
            elif each.pid is None:
                each.start()


def _kill_child(pid: int | None) -> int:
    """Kill a process's first child; its parent starts another."""
    try:
        child = int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])
        os.kill(child, signal.SIGKILL)
    except (OSError, IndexError):
        return 0
    return 1


def run(folder: Path, cycles: int, seed: int, *, server: bool) -> None:
    """Raise ``AssertionError`` with what was lost, doubled or oversold."""
    chance = random.Random(seed)
    with running(folder, seats=SEATS, server=server, full=True) as town:
        storm, shoppers = Storm(town, chance), Shoppers(town)
        began = time.monotonic()
        for cycle in range(1, cycles + 1):
            shoppers.answered.clear()
            assert shoppers.answered.wait(ANSWER_S), f"nobody could book for {ANSWER_S:g} s in cycle {cycle}"
            time.sleep(chance.uniform(0, 0.5))  # sometimes everything is up again, sometimes nothing is
            storm.strike()
            if cycle % SAY_EVERY == 0:
                took_s = time.monotonic() - began
                print(
                    f"cycle {cycle} of {cycles}, {took_s:.0f} s: {len(shoppers.orders)} orders, kills {dict(storm.kills)}",
                    flush=True,
                )
        shoppers.stop()
        _judge(town, shoppers)
        orders, issued = len(shoppers.orders), sum(len(venue.issued()) for venue in town.venues)
        print(f"{cycles} cycles, {sum(storm.kills.values())} kills {dict(storm.kills)}, {orders} answered orders")
        print(f"{issued} tickets, as many in the cloud: 0 lost, 0 twice, 0 oversold")


def _judge(town: Town, shoppers: Shoppers) -> None:
    for venue in town.venues:
        venue.start().ready()
    kept = {venue.name: {str(row[0]) for row in venue.rows("SELECT id FROM orders")} for venue in town.venues}
    lost = [order for order, venue in shoppers.orders.items() if order not in kept[venue.name]]
    assert not lost, f"{len(lost)} answered orders are gone: {lost[:5]}"
    wait_for(town.settled, "every sale in the cloud and empty outboxes", 120)
    town.check()
    known = [str(row[0]) for row in town.cloud_rows("SELECT id FROM ticket")]
    assert len(known) == len(set(known))
    assert set(known) == {ticket for venue in town.venues for ticket in venue.issued()}


def main() -> None:
    """Read the command line, run, and print what came of it."""
    parser = argparse.ArgumentParser(prog="storm", description=__doc__)
    parser.add_argument("--cycles", type=int, default=500)
    parser.add_argument(
        "--seed", type=int, default=None, help="what is killed when; the schedule of the machine stays its own"
    )
    parser.add_argument("--sqlite", action="store_true", help="give the cloud SQLite instead of PostgreSQL")
    given = parser.parse_args()
    seed = random.SystemRandom().randrange(2**32) if given.seed is None else given.seed
    print(f"seed {seed}, {given.cycles} cycles", flush=True)
    with tempfile.TemporaryDirectory(prefix="marquee-storm-") as folder:
        try:
            run(Path(folder), given.cycles, seed, server=not given.sqlite)
        except AssertionError as error:
            print(f"FAILED with seed {seed}: {error}")
            sys.exit(1)


if __name__ == "__main__":
    main()
