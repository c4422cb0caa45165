"""The cloud on its real parts: events reconciled per second and per processor second, one reconciler, two, 10 and 1,000 venues.

Three clouds stand side by side at one broker and one database server, and take turns: what else happens on the machine and how
warm it is changes from minute to minute, and so meets all three. Ratios are of neighbours in one round; the median of all rounds counts.
"""

from __future__ import annotations

import contextlib
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from bench import ceiling, drain, servers
from bench.fleet import ORG, Fleet, catalogue, now_ms, venue_name
from mqtt_bridge.cloud.store import apply_catalogue, open_cloud, register_device
from mqtt_bridge.database import Database

EVENTS = 16_000
ROUNDS = 7
ONE, TWO, MANY = (10, 1), (10, 2), (1000, 1)  # venues, reconcilers
# Processor seconds per second below which a reconciler only looks whether there is something to do.
IDLE_S = 0.1
PATIENCE_S = 120


@dataclass(frozen=True)
class Load:
    """A round of one cloud: events, seconds, processor seconds of its reconcilers and of the database."""

    events: int
    seconds: float
    reconcilers_s: float
    database_s: float

    @property
    def per_s(self) -> float:
        """Events acknowledged per second."""
        return self.events / self.seconds

    @property
    def us(self) -> float:
        """Processor time of the reconcilers per event, in microseconds."""
        return 1e6 * self.reconcilers_s / self.events

    @property
    def all_us(self) -> float:
        """The same with the database's."""
        return 1e6 * (self.reconcilers_s + self.database_s) / self.events


@dataclass(frozen=True)
class Town:
    """A cloud, its reconcilers and the fleet that loads it; ``database_pid`` is of the server's first process."""

    fleet: Fleet
    database: Database
    pids: Sequence[int]
    database_pid: int

    def round(self, events: int) -> Load:
        """Let the fleet send so many events, a quarter of them orders of two tickets."""
        orders = events // 4 // len(self.fleet.devices)
        count = sum(each.sell(orders, whole=True) for each in self.fleet.devices.values())
        used, theirs = servers.cpu_s(*self.pids), servers.cpu_s(self.database_pid)
        seconds = self.fleet.send()
        used, theirs = servers.cpu_s(*self.pids) - used, servers.cpu_s(self.database_pid) - theirs
        return Load(count, seconds, used, theirs)


@dataclass(frozen=True)
class Figures:
    """Everything measured: ``rounds`` and what the rows say afterwards, by (venues, reconcilers)."""

    ceiling: ceiling.Ceiling
    rounds: dict[tuple[int, int], list[Load]]
    lost_or_doubled: dict[tuple[int, int], int]
    drained: drain.Drained

    def median(self, key: tuple[int, int], what: Callable[[Load], float]) -> float:
        """The median of a figure over the rounds."""
        return statistics.median(what(each) for each in self.rounds[key])

    def ratios(self, key: tuple[int, int]) -> list[float]:
        """Processor time per event in relation to one reconciler and ten venues, round by round, ascending."""
        return sorted(each.us / one.us for each, one in zip(self.rounds[key], self.rounds[ONE], strict=True))


def measure(folder: Path, progress: Callable[[str], None], events: int = EVENTS, rounds: int = ROUNDS) -> Figures:
    """Measure all of it; the ceiling before and after, and its mean is what ratios relate to. Broker and database are new."""
    progress("paho's own QoS 1 ceiling")
    before = own_ceiling(folder)
    with contextlib.ExitStack() as stack:
        url = stack.enter_context(servers.mosquitto(folder))
        server = stack.enter_context(servers.postgresql())
        progress("three clouds: 10 venues with one reconciler and with two, 1,000 venues with one")
        towns = {key: stack.enter_context(town(folder, url, server, *key)) for key in (ONE, TWO, MANY)}
        _until_idle(*(pid for each in towns.values() for pid in each.pids))
        loads: dict[tuple[int, int], list[Load]] = {key: [] for key in towns}
        for number in range(rounds):
            progress(f"{events} events to each, round {number + 1} of {rounds}")
            for key in list(towns) if number % 2 == 0 else reversed(towns):
                loads[key].append(towns[key].round(events))
        wrong = {
            key: lost_or_doubled(each.database, rounds * (events // 4 // key[0]) * key[0])
            for key, each in towns.items()
        }
    progress(f"{drain.ORDERS} offline bookings of one venue")
    with servers.mosquitto(folder) as url, servers.postgresql() as server:
        drained = drain.measure(folder, url, server.url, reconciler, drain.ORDERS)
    progress("paho's own QoS 1 ceiling again")
    after = own_ceiling(folder)
    mean = ceiling.Ceiling((before.per_s + after.per_s) / 2, (before.us + after.us) / 2)
    return Figures(mean, loads, wrong, drained)


def own_ceiling(folder: Path) -> ceiling.Ceiling:
    """What paho brings through a broker of its own."""
    with servers.mosquitto(folder) as url:
        return ceiling.measure(url)


def rows(figures: Figures) -> list[tuple[str, str, str]]:
    """Return lines of the table: what, figure, in relation."""
    top, drained = figures.ceiling, figures.drained
    per_s = drained.orders / drained.seconds
    one_per_s, one_us = figures.median(ONE, lambda each: each.per_s), figures.median(ONE, lambda each: each.us)
    with_database = figures.median(ONE, lambda each: each.all_us)
    rounds = len(figures.rounds[ONE])
    return [
        (
            "QoS 1 messages/s of the client library, one publisher, one receiver",
            f"{top.per_s:.0f}/s",
            f"1; {top.us:.0f} us of processor time each",
        ),
        (
            "events/s, one reconciler, 10 venues",
            f"{one_per_s:.0f}/s",
            f"{one_per_s / top.per_s:.2f} of the library's; median of {rounds} rounds",
        ),
        (
            "processor time per event, one reconciler",
            f"{one_us:.0f} us, with PostgreSQL {with_database:.0f} us",
            f"a core of its own would take {top.us / one_us:.2f} of what the library's would; median of {rounds} rounds",
        ),
        (
            f"{drained.orders} offline bookings of one venue, from connecting to the last acknowledgement",
            f"{drained.seconds:.1f} s, {per_s:.0f}/s, {drained.missing} missing",
            f"{per_s / top.per_s:.2f} of the library's",
        ),
        _compared(figures, TWO, "two reconcilers", "one reconciler"),
        _compared(figures, MANY, "1,000 venues", "10 venues"),
    ]


def _compared(figures: Figures, key: tuple[int, int], what: str, to: str) -> tuple[str, str, str]:
    ratios, us = figures.ratios(key), figures.median(key, lambda each: each.us)
    spread = f"median of {len(ratios)} rounds in turn, {ratios[0]:.2f} to {ratios[-1]:.2f}"
    return (
        f"{what}: events lost or doubled, processor time per event",
        f"{figures.lost_or_doubled[key]}, {us:.0f} us",
        f"{statistics.median(ratios):.2f}x {to} ({spread})",
    )


@contextlib.contextmanager
def town(folder: Path, url: str, server: servers.PostgreSql, venues: int, reconcilers: int) -> Iterator[Town]:
    """Run a new cloud of an organisation of its own, whose devices have said hello and have stock."""
    name = f"{ORG}-{venues}-{reconcilers}"
    where = server.another(name)
    database = found(where, venues)
    fleet = Fleet(url, venues, name)
    with contextlib.ExitStack() as stack:
        stack.callback(database.close)
        stack.callback(fleet.stop)
        running = [
            stack.enter_context(reconciler(folder / f"cloud-{name}", url, where, name)) for _ in range(reconcilers)
        ]
        fleet.introduce()
        yield Town(fleet, database, [each.pid for each in running], server.pid)


def _until_idle(*pids: int) -> None:
    """Wait until members know each other and nothing is left to do: five seconds, and no processor time to speak of in the last."""
    time.sleep(4)
    for _ in range(PATIENCE_S):
        before = servers.cpu_s(*pids)
        time.sleep(1)
        if servers.cpu_s(*pids) - before < IDLE_S * len(pids):
            return
    raise RuntimeError("the reconcilers are never idle")


def found(url: str, venues: int) -> Database:
    """A new cloud with a catalogue and registered devices."""
    database = open_cloud(url)
    apply_catalogue(database, catalogue(venues), {}, now_ms())
    for number in range(venues):
        register_device(database, venue_name(number), venue_name(number), now_ms())
    return database


@contextlib.contextmanager
def reconciler(data: Path, broker: str, database: str, org: str = ORG) -> Iterator[subprocess.Popen[bytes]]:
    """Run ``marquee reconciler``."""
    environment = {
        "MARQUEE_DEVICE_ORG": org,
        "MARQUEE_DEVICE_DATA": str(data),
        "MARQUEE_BROKER_URL": broker,
        "MARQUEE_CLOUD_DATABASE": database,
    }
    with servers.marquee("reconciler", environment) as process:
        yield process


def lost_or_doubled(database: Database, orders: int) -> int:
    """How many orders, tickets, payments and check-ins differ from what was sent; alarms count too."""
    wanted = {"orders": orders, "ticket": 2 * orders, "payment": orders, "check_in": 2 * orders, "alarm": 0}
    with database.read() as db:
        rows = {name: db.execute(sa.text(f"SELECT count(*) FROM {name}")).scalar_one() for name in wanted}
        sold = db.execute(sa.text("SELECT sum(sold) FROM allocation")).scalar_one()
    return sum(abs(int(rows[name]) - number) for name, number in wanted.items()) + abs(int(sold) - 2 * orders)
