"""One loop per device: its thread, what it says of itself, and what is said for it when it fails or does not come back."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import structlog

from drivers.backoff import Backoff
from drivers.health import Health, HealthRecord, State

STUCK_S = 5.0
# A device is looked for this often at least, so that one that is plugged in again is back within two seconds.
REOPEN_S = 1.0
T = TypeVar("T")
log = structlog.get_logger()


def reopening() -> Backoff:
    """The waits between two attempts to open a device."""
    return Backoff(max_s=REOPEN_S)


class Watch:
    """Tells how long a call into a driver has been under way; every driver has deadlines, and this is for the one that lies."""

    def __init__(self, health: Callable[[], Health], what: str, stuck_s: float = STUCK_S) -> None:
        self._health = health
        self._what = what
        self._stuck_s = stuck_s
        self._since_s: float | None = None

    def __call__(self, call: Callable[[], T]) -> T:
        """Make the call; raises what it raises."""
        self._since_s = time.monotonic()
        try:
            return call()
        finally:
            self._since_s = None

    def health(self) -> Health:
        """The driver's own word, or FAULT while a call does not come back."""
        since_s = self._since_s
        if since_s is None or time.monotonic() - since_s < self._stuck_s:
            return self._health()
        reason = f"{self._what} does not answer. Unplug it and plug it in again."
        return Health(State.FAULT, reason, int(since_s * 1000))


@dataclass(frozen=True)
class DeviceLoop:
    """What the desk runs for one device: ``run`` until the event is set, ``wake`` so that it looks at the event at once.

    ``expected`` says whether a device that is not there is worth a word.
    """

    name: str
    run: Callable[[threading.Event], None]
    health: Callable[[], Health]
    wake: Callable[[], None] = lambda: None
    expected: Callable[[], bool] = lambda: True


class Supervised:
    """A loop that begins again whatever it raises, and that is not called well meanwhile."""

    def __init__(self, loop: DeviceLoop) -> None:
        self.name = loop.name
        self.expected = loop.expected
        self._loop = loop
        self._failed = HealthRecord()
        self._failing = False
        self._thread: threading.Thread | None = None

    def health(self) -> Health:
        """The device's own word, unless its loop failed a moment ago."""
        return self._failed() if self._failing else self._loop.health()

    def told(self) -> Health | None:
        """What is worth telling: nothing of a device that nobody has and nobody misses."""
        return self.health() if self.expected() else None

    def start(self, stop: threading.Event) -> None:
        """Run it in a thread of its own; a driver stuck in the kernel must not keep the process from ending."""
        self._thread = threading.Thread(target=self._run, args=(stop,), name=self.name, daemon=True)
        self._thread.start()

    def join(self, until_s: float) -> None:
        """Wake it and wait for its end, until the monotonic time ``until_s``."""
        self._loop.wake()
        if self._thread is not None:
            self._thread.join(max(0.0, until_s - time.monotonic()))

    def _run(self, stop: threading.Event) -> None:
        backoff = reopening()
        while not stop.is_set():
            try:
                self._failing = False
                self._loop.run(stop)
            except Exception as error:
                log.exception("device_loop_failed", device=self.name)
                reason = f"The desk's part for it failed ({type(error).__name__}) and begins again."
                self._failed.set(State.FAULT, reason)
                self._failing = True
                stop.wait(backoff.next_s())
