"""A soak: a town under a steady evening's load in real time, while memory, open files and outboxes are watched.

``python -m tests.flows.soak --minutes 20``, or ``make soak``. After a quarter of the time everything has warmed up; from then on nothing may grow.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from appliance.demo.children import MarqueeProcess
from bench.memory import family, family_mb
from tests.support.demo import wait_for
from tests.support.town import Town, Venue, running

CLIENTS_PER_VENUE = 2
PAUSE_S = 0.4
# What may still be found warming up: a share of what there is, and some pages of caches that fill by and by.
GROWTH, SLACK_MB, SLACK_FILES = 0.05, 2.0, 3
MOST_UNSYNCED = 50


@dataclass
class Figures:
    """Samples of one process, in order: MB of memory and number of open files."""

    mb: list[float] = field(default_factory=list)
    files: list[int] = field(default_factory=list)

    def early_and_late(self) -> tuple[float, float, float, float]:
        """Return memory and files as medians of the second and of the last quarter."""
        quarter = max(1, len(self.mb) // 4)
        second, last = slice(quarter, 2 * quarter), slice(-quarter, None)
        return (
            statistics.median(self.mb[second]),
            statistics.median(self.mb[last]),
            statistics.median(self.files[second]),
            statistics.median(self.files[last]),
        )


class Load:
    """Guests who look, book, and sometimes cancel, at both venues."""

    def __init__(self, town: Town) -> None:
        self.orders, self.failures = 0, 0
        self._stop = threading.Event()
        self._lock = threading.Lock()
        kind = town.hall.ticket_type()
        self._threads = [
            threading.Thread(target=self._live, args=(venue, kind), daemon=True)
            for venue in town.venues
            for _ in range(CLIENTS_PER_VENUE)
        ]
        for thread in self._threads:
            thread.start()

    def _live(self, venue: Venue, kind: str) -> None:
        number = 0
        while not self._stop.wait(PAUSE_S):
            number += 1
            good = venue.get("/").status == 200
            held = venue.post("/api/v1/holds", {"items": [{"ticket_type": kind, "quantity": 1 + number % 2}]})
            if held.status == 201:
                order = venue.post("/api/v1/orders", {"hold": held.json["hold"]})
                good = good and order.status == 201
                if order.status == 201 and number % 5 == 0:
                    good = good and venue.delete(f"/api/v1/orders/{order.json['order']}").status in {200, 202}
            with self._lock:
                self.orders += good and held.status == 201
                self.failures += not good or held.status != 201

    def stop(self) -> None:
        """Let every guest finish."""
        self._stop.set()
        for thread in self._threads:
            thread.join(30)


def run(folder: Path, seconds: float) -> None:
    """Print the table; raise ``AssertionError`` naming what grew."""
    with running(folder, seats=1_000_000, server=True, full=True) as town:
        load, figures, unsynced = Load(town), defaultdict[str, Figures](Figures), list[int]()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(max(0.5, seconds / 200))
            _sample(town, figures)
            unsynced.append(sum(venue.unsynced() for venue in town.venues))
        load.stop()
        wait_for(lambda: not any(venue.unsynced() for venue in town.venues), "empty outboxes", 60)
    grown = _report(figures)
    print(
        f"{load.orders} orders, {load.failures} failures in {seconds:.0f} s; at most {max(unsynced)} messages unsynced, 0 at the end"
    )
    assert not load.failures
    assert max(unsynced) <= MOST_UNSYNCED, "the outbox grew"
    assert not grown, f"grew: {', '.join(grown)}"


def _processes(town: Town) -> dict[str, MarqueeProcess]:
    of_venues = {f"{venue.name} {name}": each for venue in town.venues for name, each in venue.processes.items()}
    return {**of_venues, **{f"cloud {name}": each for name, each in town.cloud.items()}}


def _sample(town: Town, figures: dict[str, Figures]) -> None:
    pids = {name: each.pid for name, each in _processes(town).items()} | {"broker": town.broker.pid}
    for name, pid in pids.items():
        assert pid is not None, f"{name} ended"
        figures[name].mb.append(family_mb(pid))
        figures[name].files.append(sum(len(list(Path(f"/proc/{each}/fd").iterdir())) for each in family(pid)))


def _report(figures: dict[str, Figures]) -> list[str]:
    print(f"{'process':<26}{'MB early':>10}{'MB late':>10}{'files early':>13}{'files late':>12}")
    grown = []
    for name, each in figures.items():
        early_mb, late_mb, early_files, late_files = each.early_and_late()
        print(f"{name:<26}{early_mb:>10.1f}{late_mb:>10.1f}{early_files:>13.0f}{late_files:>12.0f}")
        if late_mb > early_mb * (1 + GROWTH) + SLACK_MB:
            grown.append(f"memory of {name}")
        if late_files > early_files + SLACK_FILES:
            grown.append(f"open files of {name}")
    return grown


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(prog="soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=20)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="marquee-soak-") as folder:
        try:
            run(Path(folder), 60 * given.minutes)
        except AssertionError as error:
            print(f"FAILED: {error}")
            sys.exit(1)


if __name__ == "__main__":
    main()
