"""The demo's processes: started, watched, started again when they die, stopped together."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

STOP_S = 5.0
FIRST_WAIT_S, LAST_WAIT_S = 0.5, 4.0
WELL_S = 10.0
_POLL_S = 0.05
# Asks the kernel to end the child when the demo itself is killed, then becomes the command; the pid stays the same.
_TIED = (
    "import ctypes, os, sys; ctypes.CDLL(None).prctl(1, 15); "
    "os.getppid() == int(sys.argv[1]) or os._exit(0); os.execv(sys.argv[2], sys.argv[2:])"
)


class Child(Protocol):
    """Something that runs and may die."""

    venue: str
    process: str
    stops_by_itself: bool

    @property
    def pid(self) -> int | None:
        """The process id, None while it does not run."""
        ...

    def start(self) -> None:
        """Start it."""

    def ask_to_stop(self) -> None:
        """Send the signal that systemd would send."""

    def kill(self) -> None:
        """End it at once; harmless when it has ended."""


@dataclass
class MarqueeProcess:
    """One ``marquee`` command in a session of its own, so that Ctrl-C reaches it only through the demo; logs to a file."""

    venue: str
    process: str
    config: Path
    environment: Mapping[str, str]
    logs: Path
    stops_by_itself: bool = True
    _running: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def log(self) -> Path:
        """Where it logs."""
        return self.logs / f"{self.venue}-{self.process}.log"

    @property
    def pid(self) -> int | None:
        """See ``Child.pid``."""
        running = self._running
        return running.pid if running is not None and running.poll() is None else None

    def start(self) -> None:
        """See ``Child.start``."""
        command = [sys.executable, "-m", "appliance.cli", "--config", str(self.config), self.process]
        with self.log.open("ab") as log:
            self._running = subprocess.Popen(
                [sys.executable, "-IS", "-c", _TIED, str(os.getpid()), *command],
                env=dict(self.environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def ask_to_stop(self) -> None:
        """See ``Child.ask_to_stop``."""
        if self._running is not None and self.pid is not None:
            self._running.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """See ``Child.kill``."""
        if self._running is not None:
            self._running.kill()
            self._running.wait()


@dataclass
class _Life:
    """When a child was started; one that dies young is started again at growing intervals, others at once."""

    since_s: float
    wait_s: float = FIRST_WAIT_S
    next_s: float = 0.0

    def again(self, now_s: float) -> None:
        young = now_s - self.since_s < WELL_S
        self.wait_s = min(2 * self.wait_s, LAST_WAIT_S) if young else FIRST_WAIT_S
        self.since_s, self.next_s = now_s, now_s + self.wait_s


class Family:
    """All children; ``announce(venue, process, pid)`` is called at every start."""

    def __init__(self, announce: Callable[[str, str, int], None]) -> None:
        self._announce = announce
        self._children: list[Child] = []
        self._lives: dict[int, _Life] = {}
        self._doomed: set[str] = set()

    def add(self, child: Child) -> None:
        """Start a child and watch over it from now on."""
        self._children.append(child)
        self._start(child)

    def pids(self) -> dict[tuple[str, str], int | None]:
        """Process ids by (venue, process)."""
        return {(child.venue, child.process): child.pid for child in self._children}

    def crash(self, venue: str) -> None:
        """Have ``watch`` kill all processes of a venue, or of the ``cloud``, and start them again; any thread may call it."""
        self._doomed.add(venue)

    def watch(self) -> None:
        """Start again what has died; call it several times a second."""
        now_s = time.monotonic()
        while self._doomed:
            doomed = self._doomed.pop()
            for child in self._children:
                if child.venue == doomed:
                    child.kill()
        for index, child in enumerate(self._children):
            life = self._lives.setdefault(index, _Life(now_s))
            if child.pid is None and now_s >= life.next_s:
                life.again(now_s)
                # A port may not be free again yet; the next look tries once more.
                with contextlib.suppress(OSError, RuntimeError):
                    self._start(child)

    def stop(self) -> None:
        """Ask all to stop, then kill what is left."""
        for child in reversed(self._children):
            child.ask_to_stop()
        until_s = time.monotonic() + STOP_S
        while time.monotonic() < until_s and any(child.pid for child in self._children if child.stops_by_itself):
            time.sleep(_POLL_S)
        for child in self._children:
            child.kill()

    def _start(self, child: Child) -> None:
        child.start()
        if child.pid is not None:
            self._announce(child.venue, child.process, child.pid)
