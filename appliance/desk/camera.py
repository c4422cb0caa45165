"""Keeps the camera's process alive: listens to its heartbeat, kills it when it is silent, starts it again."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import IO, Any, TypeVar

import structlog

from drivers.backoff import Backoff
from drivers.camera.api import AccessUnit
from drivers.errors import DeviceTimeout
from drivers.health import Health, HealthRecord, State

T = TypeVar("T")
Watcher = Callable[[AccessUnit], None]
"""Takes a unit of video at once; it is called by the thread that listens to the camera."""

SILENCE_S = 8.0
CODES_KEPT = 100
_CHECK_S = 0.2
_FIND_S = 1.0
_DYING_S = 2.0
log = structlog.get_logger()


class CameraKeeper:
    """A camera behind a process boundary; everything but ``run`` may be called from any thread.

    ``find`` gives the address of the camera that is there now, or None: then no process waits for one.
    """

    def __init__(self, find: str | Callable[[], str | None], silence_s: float = SILENCE_S) -> None:
        self._find = find if callable(find) else lambda: find
        self._silence_s = silence_s
        self._health = HealthRecord()
        self._child: subprocess.Popen[bytes] | None = None
        self._pictures: dict[str, queue.Queue[bytes]] = {kind: queue.Queue(1) for kind in ("still", "preview")}
        self._asking = threading.Lock()
        self._writing = threading.Lock()
        self._scanning = False
        self._watcher: Watcher | None = None
        self._heard_s = 0.0
        self.codes: queue.Queue[str] = queue.Queue(CODES_KEPT)

    def health(self) -> Health:
        """The latest word of the camera, or that it is silent."""
        return self._health()

    def still(self, deadline_s: float = 3.0) -> bytes:
        """One large picture as JPEG; raises ``DeviceTimeout``."""
        return self._picture("still", deadline_s)

    def preview(self, deadline_s: float = 3.0) -> bytes:
        """One small picture as JPEG; raises ``DeviceTimeout``."""
        return self._picture("preview", deadline_s)

    def scan(self) -> None:
        """Look for codes from now on; they come to ``codes``."""
        self._scanning = True
        self._tell("scan on")

    def watch(self, watcher: Watcher | None) -> None:
        """Give every unit of the H.264 stream to ``watcher``, from its next key picture; None ends the stream."""
        self._watcher = watcher
        self._tell("video on" if watcher else "video off")

    def run(self, stop: threading.Event) -> None:
        """Keep a child running until told to stop."""
        backoff = Backoff(first_s=0.5)
        while not stop.is_set():
            started_s = time.monotonic()
            url = self._find()
            if url is None:
                self._health.set(State.ABSENT, "No camera is plugged in.")
                stop.wait(_FIND_S)
                continue
            self._one_life(url, stop)
            if time.monotonic() - started_s > 4 * self._silence_s:
                backoff.reset()
            if not stop.is_set():
                stop.wait(backoff.next_s())

    def _picture(self, kind: str, deadline_s: float) -> bytes:
        pictures = self._pictures[kind]
        with self._asking:
            while not pictures.empty():
                pictures.get_nowait()
            if not self._tell(kind):
                raise DeviceTimeout("The camera is not running.")
            try:
                return pictures.get(timeout=deadline_s)
            except queue.Empty:
                raise DeviceTimeout("The camera gave no picture in time.") from None

    def _tell(self, line: str) -> bool:
        with self._writing:
            child = self._child
            if child is None or child.stdin is None:
                return False
            try:
                # Not through a buffer, which would try once more to say it when the pipe to a dead child is closed.
                os.write(child.stdin.fileno(), line.encode() + b"\n")
            except (OSError, ValueError):
                return False
        return True

    def _one_life(self, url: str, stop: threading.Event) -> None:
        self._health.set(State.OPENING, "Starting the camera.")
        self._heard_s = time.monotonic()
        command = [sys.executable, "-m", "appliance.desk.camera_child", url]
        child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._child = child
        if self._scanning:
            self._tell("scan on")
        if self._watcher:
            self._tell("video on")
        listener = threading.Thread(target=self._listen, args=(child.stdout,), name="camera-listen", daemon=True)
        listener.start()
        while child.poll() is None and not stop.is_set() and self._find() == url:
            if time.monotonic() - self._heard_s > self._silence_s:
                log.warning("camera_killed", pid=child.pid)
                self._health.set(State.FAULT, "The camera hung and is started again.")
                break
            stop.wait(_CHECK_S)
        self._child = None
        if self._ended(child, stop):
            listener.join(1)
            for pipe in (child.stdin, child.stdout):
                if pipe is not None:
                    pipe.close()
        if self._health().state is not State.FAULT:
            self._health.set(State.ABSENT, "The camera's process ended.")

    def _ended(self, child: subprocess.Popen[bytes], stop: threading.Event) -> bool:
        """Kill the child and wait for its end; one that is stuck in the kernel ends when its camera is unplugged."""
        child.kill()
        while True:
            try:
                child.wait(_DYING_S)
            except subprocess.TimeoutExpired:
                self._health.set(State.FAULT, "The camera cannot be stopped. Unplug it and plug it in again.")
                if stop.is_set():
                    return False
            else:
                return True

    def _listen(self, out: IO[bytes] | None) -> None:
        while out is not None:
            try:
                line = out.readline()
                if not line:
                    return
                self._take(json.loads(line), out)
            except (ValueError, KeyError, TypeError, OSError):
                return
            self._heard_s = time.monotonic()

    def _take(self, message: dict[str, Any], out: IO[bytes]) -> None:
        if "codes" in message:
            for code in message["codes"]:
                _put(self.codes, str(code))
        elif "video" in message:
            unit = AccessUnit(out.read(int(message["video"])), bool(message["key"]), int(message["pts_us"]))
            self._show(unit)
        elif "state" in message:
            self._health.set(State(message["state"]), message["reason"])
        else:
            ((kind, size),) = message.items()
            _put(self._pictures[kind], out.read(int(size)))

    def _show(self, unit: AccessUnit) -> None:
        watcher = self._watcher
        if watcher is None:
            return
        try:
            watcher(unit)
        except Exception:
            # Whoever watches must not end what scans and takes photos.
            log.exception("camera_watcher_failed")
            self.watch(None)


def _put(kept: queue.Queue[T], item: T) -> None:
    """Keep the newest where a queue is full; only the listener puts."""
    if kept.full():
        with contextlib.suppress(queue.Empty):
            kept.get_nowait()
    kept.put_nowait(item)
