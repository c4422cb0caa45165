"""The camera's own process: a driver that hangs is killed with it, and nothing else.

Speaks to its parent in lines of JSON: ``{"state", "reason"}`` as a heartbeat, ``{"still": n}`` followed by n bytes of JPEG.
It reads ``still`` on standard input and ends when that closes, so it never outlives the desk.
"""

from __future__ import annotations

import json
import os
import select
import sys
import threading
from typing import BinaryIO

from appliance.desk.loops import reopening
from drivers import camera_for
from drivers.camera.api import Camera
from drivers.errors import DeviceError

BEAT_S = 1.0


def main(url: str) -> None:
    """Serve the camera behind ``url`` until the parent is gone."""
    camera = camera_for(url)
    asked = threading.Event()
    threading.Thread(target=_listen, args=(asked,), daemon=True).start()
    _serve(camera, asked, sys.stdout.buffer)


def _listen(asked: threading.Event) -> None:
    while True:
        select.select([sys.stdin], [], [])
        if not os.read(sys.stdin.fileno(), 1024):
            # The parent is gone; a driver stuck in the other thread cannot stop this.
            os._exit(0)
        asked.set()


def _serve(camera: Camera, asked: threading.Event, out: BinaryIO) -> None:
    backoff = reopening()
    while True:
        still: bytes | None = None
        try:
            camera.open()
            if asked.is_set():
                asked.clear()
                still = camera.still()
            backoff.reset()
            pause_s = BEAT_S
        except DeviceError:
            asked.clear()
            pause_s = backoff.next_s()
        health = camera.health()
        out.write(json.dumps({"state": health.state.value, "reason": health.reason}).encode() + b"\n")
        if still is not None:
            out.write(json.dumps({"still": len(still)}).encode() + b"\n" + still)
        out.flush()
        asked.wait(pause_s)


if __name__ == "__main__":
    main(sys.argv[1])
