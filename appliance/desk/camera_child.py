"""The camera's own process: a driver that hangs is killed with it, and nothing else.

It speaks to its parent in lines of JSON, some of which announce bytes that follow:

    {"state", "reason"}                         the heartbeat, every second
    {"still": n}, {"preview": n}                a JPEG of n bytes
    {"codes": [text, ...]}                      codes that came into sight
    {"video": n, "key": bool, "pts_us": n}      a unit of the H.264 stream

On standard input it reads ``still``, ``preview``, ``scan on|off`` and ``video on|off``, and ends when that closes, so it never outlives the desk.
"""

from __future__ import annotations

import json
import os
import select
import sys
import threading
import time
from typing import BinaryIO

from drivers import camera_for
from drivers.backoff import Backoff
from drivers.camera.api import Camera
from drivers.errors import DeviceError
from drivers.scanner.qr import QrReader

BEAT_S = 1.0
SCAN_EVERY_S = 0.1
PICTURE_S = 2.0
# A camera that nobody uses is looked through this often: one that hangs would otherwise be called ready until somebody needs it.
PROBE_S = 5.0
# Re-plugged cameras are to be back within two seconds.
LONGEST_WAIT_S = 1.0


class Orders:
    """What the parent wants, as its lines said so far."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._changed = threading.Event()
        self._pictures: set[str] = set()
        self.scanning = False
        self.filming = False

    def obey(self, line: str) -> None:
        """Take a line; what nobody knows is passed over, because parent and child may differ in age."""
        with self._lock:
            if line in {"still", "preview"}:
                self._pictures.add(line)
            elif line in {"scan on", "scan off"}:
                self.scanning = line == "scan on"
            elif line in {"video on", "video off"}:
                self.filming = line == "video on"
        self._changed.set()

    def take_pictures(self) -> set[str]:
        """The pictures that were asked for since the last call."""
        with self._lock:
            self._changed.clear()
            taken, self._pictures = self._pictures, set()
        return taken

    def wait(self, seconds: float) -> None:
        """Wait for another line at most so long."""
        self._changed.wait(seconds)


def main(url: str) -> None:
    """Serve the camera behind ``url`` until the parent is gone."""
    # A camera's library that prints must not talk into what the parent reads.
    out = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    camera, orders = camera_for(url), Orders()
    threading.Thread(target=_listen, args=(orders,), daemon=True).start()
    Server(camera, orders, out).run()


def _listen(orders: Orders) -> None:
    rest = b""
    while True:
        select.select([sys.stdin], [], [])
        data = os.read(sys.stdin.fileno(), 1024)
        if not data:
            # The parent is gone; a driver stuck in the other thread cannot stop this.
            os._exit(0)
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            orders.obey(line.decode(errors="replace"))


class Server:
    """Owns the camera in one thread."""

    def __init__(self, camera: Camera, orders: Orders, out: BinaryIO) -> None:
        self._camera = camera
        self._orders = orders
        self._out = out
        self._reader = QrReader()
        self._backoff = Backoff(max_s=LONGEST_WAIT_S)
        self._beat_s = 0.0
        self._filmed = False
        self._probe_s = 0.0

    def run(self) -> None:
        """Serve for ever."""
        while True:
            asked = self._orders.take_pictures()
            try:
                self._camera.open()
                self._serve(asked)
                self._backoff.reset()
                pause_s = self._pause_s()
            except DeviceError:
                pause_s = self._backoff.next_s()
                self._beat_s = self._probe_s = 0.0
            self._beat()
            if pause_s:
                self._orders.wait(pause_s)

    def _serve(self, asked: set[str]) -> None:
        if asked or self._orders.scanning or self._orders.filming:
            self._probe_s = time.monotonic() + PROBE_S
        elif time.monotonic() >= self._probe_s:
            self._probe_s = time.monotonic() + PROBE_S
            self._camera.preview(PICTURE_S)
        if "preview" in asked:
            # The small one first: somebody looks at it while the large one comes.
            self._send_picture("preview", self._camera.preview(PICTURE_S))
        if "still" in asked:
            self._send_picture("still", self._camera.still(PICTURE_S))
        if self._orders.scanning:
            gray = self._camera.gray(PICTURE_S)
            codes = self._reader.see(gray.data, gray.width, gray.height, time.monotonic(), gray.stride)
            if codes:
                self._send({"codes": codes})
        if self._orders.filming:
            unit = self._camera.video(PICTURE_S)
            self._send({"video": len(unit.data), "key": unit.key, "pts_us": unit.pts_us}, unit.data)
        elif self._filmed:
            self._camera.stop_video()
        self._filmed = self._orders.filming

    def _pause_s(self) -> float:
        if self._orders.filming:
            # The camera itself gives the pace, or the encoder's.
            return 0.01
        return SCAN_EVERY_S if self._orders.scanning else BEAT_S

    def _beat(self) -> None:
        if time.monotonic() >= self._beat_s:
            self._beat_s = time.monotonic() + BEAT_S
            health = self._camera.health()
            self._send({"state": health.state.value, "reason": health.reason})

    def _send_picture(self, kind: str, data: bytes) -> None:
        self._send({kind: len(data)}, data)

    def _send(self, message: dict[str, object], data: bytes = b"") -> None:
        self._out.write(json.dumps(message).encode() + b"\n" + data)
        self._out.flush()


if __name__ == "__main__":
    main(sys.argv[1])
