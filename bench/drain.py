"""A venue that sold offline comes back: the real relay empties a real outbox into a real cloud."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from appliance.bootstrap import device
from appliance.bootstrap.process import wall_ms
from appliance.domain.client import Client
from appliance.services import booking
from appliance.services.booking import Item
from appliance.services.box import Box, Unit
from appliance.settings import Settings, read_settings
from appliance.store import allocations
from bench import venue
from bench.fleet import ORG
from mqtt_bridge.cloud.store import apply_catalogue, open_cloud, register_device
from mqtt_bridge.keys import KeyFile

ORDERS = 10_000
PER_UNIT = 100
PATIENCE_S = 300.0


Reconciler = Callable[[Path, str, str], AbstractContextManager[object]]
"""Runs a reconciler, given its data folder, broker and database."""


@dataclass(frozen=True)
class Drained:
    """Seconds from the first byte to the last acknowledgement, and how many orders the cloud lacks."""

    orders: int
    seconds: float
    missing: int


def measure(folder: Path, broker: str, database: str, reconciler: Reconciler, orders: int) -> Drained:
    """Sell ``orders`` offline, then connect."""
    cloud = open_cloud(database)
    apply_catalogue(cloud, venue.catalogue(), {}, wall_ms())
    register_device(cloud, "bench-1", "bench", wall_ms())
    with reconciler(folder / "cloud", broker, database):
        key = KeyFile(folder / "cloud" / "cloud.pem").public_hex
        variables = {
            **venue.variables(folder / "device", 1),
            "MARQUEE_BROKER_URL": broker,
            "MARQUEE_BROKER_CLOUD_KEY": key,
        }
        settings = read_settings(None, {**variables, "MARQUEE_DEVICE_ORG": ORG})
        box = device.device_box(settings)
        with _connected(settings, box):
            _until(lambda: box.look(_on_sale) and box.look(_free) >= orders)
        _sell(box, orders)
        began = time.monotonic()
        with _connected(settings, box):
            _until(lambda: box.look(_unsynced) == 0)
            seconds = time.monotonic() - began
        box.database.close()
    with cloud.read() as db:
        known = db.exec_driver_sql("SELECT count(*) FROM orders").scalar_one()
    cloud.close()
    return Drained(orders, seconds, orders - int(known))


@contextmanager
def _connected(settings: Settings, box: Box) -> Iterator[None]:
    stop = threading.Event()
    relay = device.relay(settings, box)
    thread = threading.Thread(target=relay.run, args=(stop,))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        relay.wake()
        thread.join(30)


def _sell(box: Box, orders: int) -> None:
    client = Client("bench", "bench", kind="staff")

    def some(unit: Unit) -> None:
        for _ in range(PER_UNIT):
            hold = booking.place_hold(unit, client, [Item(venue.TYPE, 1)])
            booking.confirm(unit, hold.id, client=client)

    for _ in range(orders // PER_UNIT):
        box.run(some)


def _unsynced(unit: Unit) -> int:
    return unit.mail.backlog("cloud")[0]


def _on_sale(unit: Unit) -> bool:
    """Whether the catalogue is there too; it comes by itself."""
    return venue.TYPE in unit.catalogue.ticket_type


def _free(unit: Unit) -> int:
    return sum(each.totals.available(each.held) for each in allocations.shelves(unit.db).values())


def _until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not true():
        if time.monotonic() > end:
            raise RuntimeError("waited too long")
        time.sleep(0.1)
