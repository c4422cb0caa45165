"""The cloud on its real parts: events reconciled per second and per processor second, one reconciler, two, 10 and 1,000 venues."""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from bench import ceiling, drain, servers
from bench.fleet import ORG, Fleet, catalogue, now_ms, venue_name
from mqtt_bridge.cloud.store import apply_catalogue, open_cloud, register_device
from mqtt_bridge.database import Database

EVENTS = 16_000
# Processor seconds per second below which a reconciler only looks whether there is something to do.
IDLE_S = 0.1
PATIENCE_S = 120


@dataclass(frozen=True)
class Load:
    """A run: events, seconds, processor seconds of the reconcilers and of the database, and what the rows say afterwards."""

    events: int
    seconds: float
    reconcilers_s: float
    database_s: float
    lost_or_doubled: int

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
class Figures:
    """Everything measured; ``runs`` by (venues, reconcilers)."""

    ceiling: ceiling.Ceiling
    runs: dict[tuple[int, int], Load]
    drained: drain.Drained


def measure(folder: Path, progress: Callable[[str], None], events: int = EVENTS) -> Figures:
    """Measure all of it; the ceiling before and after, and its mean is what ratios relate to. Broker and database are new each time."""
    progress("paho's own QoS 1 ceiling")
    before = own_ceiling(folder)
    runs = {}
    for venues, reconcilers in ((10, 1), (10, 2), (1000, 1)):
        progress(f"{events} events of {venues} venues, {reconcilers} reconciler(s) on PostgreSQL")
        with servers.mosquitto(folder) as url, servers.postgresql() as database:
            runs[venues, reconcilers] = run(folder, url, database, venues, reconcilers, events)
    progress(f"{drain.ORDERS} offline bookings of one venue")
    with servers.mosquitto(folder) as url, servers.postgresql() as database:
        drained = drain.measure(folder, url, database.url, reconciler, drain.ORDERS)
    progress("paho's own QoS 1 ceiling again")
    after = own_ceiling(folder)
    mean = ceiling.Ceiling((before.per_s + after.per_s) / 2, (before.us + after.us) / 2)
    return Figures(mean, runs, drained)


def own_ceiling(folder: Path) -> ceiling.Ceiling:
    """What paho brings through a broker of its own."""
    with servers.mosquitto(folder) as url:
        return ceiling.measure(url)


def rows(figures: Figures) -> list[tuple[str, str, str]]:
    """Return lines of the table: what, figure, in relation."""
    one, two, many = (figures.runs[key] for key in ((10, 1), (10, 2), (1000, 1)))
    top, drained = figures.ceiling, figures.drained
    per_s = drained.orders / drained.seconds
    return [
        (
            "QoS 1 messages/s of the client library, one publisher, one receiver",
            f"{top.per_s:.0f}/s",
            f"1; {top.us:.0f} us of processor time each",
        ),
        ("events/s, one reconciler, 10 venues", f"{one.per_s:.0f}/s", f"{one.per_s / top.per_s:.2f} of the library's"),
        (
            "processor time per event, one reconciler",
            f"{one.us:.0f} us, with PostgreSQL {one.all_us:.0f} us",
            f"a core of its own would take {top.us / one.us:.2f} of what the library's would",
        ),
        (
            f"{drained.orders} offline bookings of one venue, from connecting to the last acknowledgement",
            f"{drained.seconds:.1f} s, {per_s:.0f}/s, {drained.missing} missing",
            f"{per_s / top.per_s:.2f} of the library's",
        ),
        (
            "two reconcilers: events lost or doubled, processor time per event",
            f"{two.lost_or_doubled}, {two.us:.0f} us",
            f"{two.us / one.us:.2f}x one reconciler",
        ),
        (
            "1,000 venues: events lost or doubled, processor time per event",
            f"{many.lost_or_doubled}, {many.us:.0f} us",
            f"{many.us / one.us:.2f}x 10 venues",
        ),
    ]


def run(folder: Path, url: str, server: servers.PostgreSql, venues: int, reconcilers: int, events: int) -> Load:
    """Let a fleet send events, a quarter of them orders of two tickets, to a new cloud."""
    data = folder / f"cloud-{venues}-{reconcilers}"
    database = found(server.url, venues)
    fleet = Fleet(url, venues)
    with contextlib.ExitStack() as stack:
        stack.callback(database.close)
        stack.callback(fleet.stop)
        processes = [stack.enter_context(reconciler(data, url, server.url)) for _ in range(reconcilers)]
        fleet.introduce()
        orders = events // 4 // venues
        count = sum(each.sell(orders, whole=True) for each in fleet.devices.values())
        pids = [each.pid for each in processes]
        _until_idle(*pids)
        used, theirs = servers.cpu_s(*pids), servers.cpu_s(server.pid)
        seconds = fleet.send()
        used, theirs = servers.cpu_s(*pids) - used, servers.cpu_s(server.pid) - theirs
        return Load(count, seconds, used, theirs, lost_or_doubled(database, orders * venues))


def _until_idle(*pids: int) -> None:
    """Wait until members know each other and nothing is left to do: five seconds, and no processor time to speak of in the last."""
    time.sleep(4)
    for _ in range(PATIENCE_S):
        before = servers.cpu_s(*pids)
        time.sleep(1)
        if servers.cpu_s(*pids) - before < IDLE_S:
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
def reconciler(data: Path, broker: str, database: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run ``marquee reconciler``."""
    environment = {
        "MARQUEE_DEVICE_ORG": ORG,
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
