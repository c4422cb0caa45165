"""Keeps an eye on the guests' Wi-Fi, so that staff know when it is full or down; guests who are turned away are told nothing by Wi-Fi."""

from __future__ import annotations

import threading

from appliance.desk.loops import reopening
from drivers.errors import DeviceError
from drivers.health import Health
from drivers.hotspot.api import Hotspot

LISTEN_S = 1.0


class HotspotWatch:
    """Owns the access point's ear; it changes nothing there."""

    def __init__(self, hotspot: Hotspot) -> None:
        self._hotspot = hotspot

    def health(self) -> Health:
        """How the access point is, by its own word."""
        return self._hotspot.health()

    def run(self, stop: threading.Event) -> None:
        """Listen until told to stop."""
        backoff = reopening()
        while not stop.is_set():
            try:
                self._hotspot.open()
                self._hotspot.look(LISTEN_S)
                backoff.reset()
            except DeviceError:
                # What is wrong stands in its health.
                stop.wait(backoff.next_s())
        self._hotspot.close()
