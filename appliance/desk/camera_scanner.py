"""``camera://``: the desk's camera as a scanner; codes that guests hold before it are scans like any other."""

from __future__ import annotations

import queue
import time

from appliance.desk.camera import CameraKeeper
from drivers.errors import DeviceUnavailable
from drivers.health import Health, State

_CHECK_S = 0.25


class CameraScanner:
    """The ``Scanner`` protocol over the camera that the desk keeps; whether it runs is the keeper's business."""

    def __init__(self, camera: CameraKeeper) -> None:
        self._camera = camera

    def open(self) -> None:
        """See ``Scanner.open``."""
        self._require_running()
        self._camera.scan()

    def close(self) -> None:
        """See ``Scanner.close``; the camera goes on, for whoever else wants its pictures."""

    def read(self, timeout_s: float) -> str | None:
        """See ``Scanner.read``."""
        until_s = time.monotonic() + timeout_s
        while True:
            left_s = until_s - time.monotonic()
            try:
                return self._camera.codes.get(timeout=max(0.0, min(left_s, _CHECK_S)))
            except queue.Empty:
                self._require_running()
            if left_s <= 0:
                return None

    def health(self) -> Health:
        """See ``Scanner.health``."""
        return self._camera.health()

    def _require_running(self) -> None:
        health = self._camera.health()
        if health.state in {State.ABSENT, State.FAULT}:
            raise DeviceUnavailable(f"The camera cannot scan: {health.reason}")
