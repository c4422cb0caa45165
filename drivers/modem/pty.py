"""A simulated modem on a serial line that a pty stands in for, so that the real AT driver is used."""

from __future__ import annotations

import os
import select
import threading
import time
from pathlib import Path
from urllib.parse import quote

from drivers.modem.simulator import Fault, SimulatedModem
from drivers.pty_port import PtyPort

SLOW_S = 0.3
_LOOK_S = 0.05


class PtyModem:
    """Answers whoever has `path` open, in a thread of its own, from `start` to `stop`."""

    def __init__(self, link: Path | None = None, modem: SimulatedModem | None = None) -> None:
        self.modem = modem or SimulatedModem()
        self.modem.unplug = self.unplug
        self._port = PtyPort(link)
        self._lock = threading.RLock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pty-modem", daemon=True)

    @property
    def url(self) -> str:
        """The address to give to `open_modem`; fixed when a `link` was given."""
        return f"at://{quote(self._port.path)}"

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Take the port away for good."""
        self._stop.set()
        self._thread.join(5)
        self.unplug()

    def unplug(self) -> None:
        """Pull the cable."""
        with self._lock:
            self._port.unplug()

    def replug(self) -> None:
        """Put the cable back; the modem starts from the beginning."""
        with self._lock:
            self.modem.switch_on()
            self._port.plug()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                with self._lock:
                    data = os.read(self._port.master, 4096)
                    said = self.modem.receive(data)
            except BlockingIOError:
                self._wait()
                continue
            except OSError:
                self._stop.wait(_LOOK_S)
                continue
            if said:
                self._say(said)

    def _wait(self) -> None:
        try:
            poll = select.poll()
            poll.register(self._port.master, select.POLLIN)
            poll.poll(_LOOK_S * 1000)
        except OSError:
            self._stop.wait(_LOOK_S)

    def _say(self, said: bytes) -> None:
        if self.modem.fault is Fault.SLOW:
            time.sleep(SLOW_S)
        try:
            with self._lock:
                os.write(self._port.master, said)
        except OSError:
            return
