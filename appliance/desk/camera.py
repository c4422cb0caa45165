"""Keeps the camera's process alive: listens to its heartbeat, kills it when it is silent, starts it again."""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
import time
from typing import IO

import structlog

from drivers.backoff import Backoff
from drivers.errors import DeviceTimeout
from drivers.health import Health, HealthRecord, State

SILENCE_S = 8.0
_CHECK_S = 0.2
log = structlog.get_logger()


class CameraKeeper:
    """A camera behind a process boundary; ``health`` and ``still`` may be called from any thread."""

    def __init__(self, url: str, silence_s: float = SILENCE_S) -> None:
        self._url = url
        self._silence_s = silence_s
        self._health = HealthRecord()
        self._child: subprocess.Popen[bytes] | None = None
        self._stills: queue.Queue[bytes] = queue.Queue(1)
        self._asking = threading.Lock()
        self._heard_s = 0.0

    def health(self) -> Health:
        """The latest word of the camera, or that it is silent."""
        return self._health()

    def still(self, deadline_s: float = 3.0) -> bytes:
        """One picture as JPEG; raises ``DeviceTimeout``."""
        with self._asking:
            while not self._stills.empty():
                self._stills.get_nowait()
            child = self._child
            try:
                if child is None or child.stdin is None:
                    raise DeviceTimeout("The camera is not running.")
                child.stdin.write(b"still\n")
                child.stdin.flush()
                return self._stills.get(timeout=deadline_s)
            except (queue.Empty, OSError, ValueError):
                raise DeviceTimeout("The camera gave no picture in time.") from None

    def run(self, stop: threading.Event) -> None:
        """Keep a child running until told to stop."""
        backoff = Backoff(first_s=0.5)
        while not stop.is_set():
            started_s = time.monotonic()
            self._one_life(stop)
            if time.monotonic() - started_s > 4 * self._silence_s:
                backoff.reset()
            if not stop.is_set():
                stop.wait(backoff.next_s())

    def _one_life(self, stop: threading.Event) -> None:
        self._health.set(State.OPENING, "Starting the camera.")
        self._heard_s = time.monotonic()
        command = [sys.executable, "-m", "appliance.desk.camera_child", self._url]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
            self._child = child
            listener = threading.Thread(target=self._listen, args=(child.stdout,), name="camera-listen", daemon=True)
            listener.start()
            while child.poll() is None and not stop.is_set():
                if time.monotonic() - self._heard_s > self._silence_s:
                    log.warning("camera_killed", pid=child.pid)
                    self._health.set(State.FAULT, "The camera hung and is started again.")
                    break
                stop.wait(_CHECK_S)
            self._child = None
            child.kill()
            child.wait()
            listener.join(1)
        if self._health().state is not State.FAULT:
            self._health.set(State.ABSENT, "The camera's process ended.")

    def _listen(self, out: IO[bytes] | None) -> None:
        while out is not None:
            try:
                line = out.readline()
                if not line:
                    return
                message = json.loads(line)
                if "still" in message:
                    self._keep(out.read(int(message["still"])))
                else:
                    self._health.set(State(message["state"]), message["reason"])
            except (ValueError, KeyError, OSError):
                return
            self._heard_s = time.monotonic()

    def _keep(self, picture: bytes) -> None:
        if self._stills.full():
            self._stills.get_nowait()
        self._stills.put_nowait(picture)
