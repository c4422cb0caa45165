"""A venue to load: its own data folder, plenty of stock, limits out of the way, and a real ``marquee portal``."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from appliance.bootstrap.device import device_box
from appliance.bootstrap.process import wall_ms
from appliance.services import sync
from appliance.services.box import Box, Unit
from appliance.settings import read_settings
from mqtt_bridge.protocol import ids
from mqtt_bridge.protocol.catalogue import Catalogue, Event, EventSession, Limits, Quota, TicketType, Venue
from mqtt_bridge.protocol.messages import DeviceState, Granted

STOCK = 1_000_000
HOUR_MS = 3_600_000
TYPE = ids.ticket_type_id("bench", "now", "Seat")
_QUOTA = ids.quota_id("bench", "now", "seats")
# Guests' limits protect guests from each other; here every client is ours.
_LIMITS = Limits(
    per_hold=1000,
    holds_per_client=100,
    unpaid_per_client=1000,
    free_per_client=1000,
    share_per_client=1.0,
    new_clients_per_minute=100_000,
)


def variables(folder: Path, port: int) -> dict[str, str]:
    """Return the settings of the venue as environment variables."""
    return {
        "MARQUEE_DEVICE_NAME": "bench-1",
        "MARQUEE_DEVICE_VENUE": "bench",
        "MARQUEE_DEVICE_DATA": str(folder),
        "MARQUEE_PORTAL_BIND": f"127.0.0.1:{port}",
        "MARQUEE_CLOCK_MODE": "trusted",
        "MARQUEE_LOG_LEVEL": "warning",
    }


def catalogue(stock: int = STOCK) -> Catalogue:
    """A free session that is on now."""
    now_ms = wall_ms()
    at = EventSession(
        ids.event_session_id("bench", "now"), "now", "bench", now_ms, now_ms + 4 * HOUR_MS, "UTC",
        (Quota(_QUOTA, "seats", stock),), (TicketType(TYPE, "Seat", _QUOTA, 0, "EUR"),),
    )  # fmt: skip
    event = Event(ids.event_id("bench"), "bench", "Bench", "A session with a million seats.", (at,))
    return Catalogue(1, (Venue("bench", "Bench", "Here"),), (event,), _LIMITS)


def open_box(folder: Path, port: int, stock: int = STOCK) -> Box:
    """Return the venue's box with a free session that is on now and ``stock`` tickets."""
    box = device_box(read_settings(None, variables(folder, port)))
    now_ms = wall_ms()

    def fill(unit: Unit) -> None:
        sync.apply_catalogue(unit, catalogue(stock))
        grant = Granted(_QUOTA, 1, stock, 0, 0, stock)
        state = DeviceState("bench-1", unit.inc, 1, 0, (grant,), door=True, stop=False, as_of_ms=now_ms)
        sync.apply_state(unit, state)

    box.run(fill)
    return box


def free_port() -> int:
    """Return a port nobody uses now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@contextmanager
def portal(folder: Path, port: int, more: Mapping[str, str] | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """Run ``marquee portal`` on the folder until the block ends, with ``more`` settings."""
    environment = {**os.environ, **variables(folder, port), **(more or {})}
    process = subprocess.Popen([sys.executable, "-m", "appliance.cli", "portal"], env=environment)
    try:
        for _ in range(200):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2).close()
                break
            except OSError:
                time.sleep(0.1)
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(10)
