"""hostapd's control socket: a question and its answer are a datagram each, and so is every event (hostapd 2.10, ctrl_iface_unix.c).

Answers never begin with ``<``; an event begins with its level, ``<3>AP-STA-CONNECTED 02:00:00:00:02:00``. Our own end is an abstract
address, so that hostapd, which runs as somebody else, needs no right to a file of ours. Every wait has a deadline.
"""

from __future__ import annotations

import contextlib
import socket
import time
from collections import deque

from drivers.errors import DeviceTimeout, DeviceUnavailable

ANSWER_S = 2.0
_LARGEST = 8192
# Events that came while an answer was waited for; the oldest are forgotten first.
_KEPT = 256


class ControlSocket:
    """One conversation; raises `DeviceUnavailable` where nobody listens at `path`."""

    def __init__(self, path: str, answer_s: float = ANSWER_S) -> None:
        self._answer_s = answer_s
        self._events: deque[str] = deque(maxlen=_KEPT)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        try:
            # An empty name has the kernel choose one (unix(7), autobind).
            self._socket.bind("")
            self._socket.connect(path)
        except OSError as error:
            self._socket.close()
            raise DeviceUnavailable(f"hostapd does not run: {path} cannot be reached ({error.strerror}).") from None

    def ask(self, command: str) -> str:
        """Return the answer; raises `DeviceTimeout` without one in time, `DeviceUnavailable` when hostapd is gone."""
        until_s = time.monotonic() + self._answer_s
        try:
            self._socket.settimeout(self._answer_s)
            self._socket.send(command.encode())
            while True:
                said = self._receive(until_s)
                if not said.startswith("<"):
                    return said.strip()
                self._events.append(said)
        except TimeoutError:
            raise DeviceTimeout("hostapd does not answer.") from None
        except OSError as error:
            raise DeviceUnavailable(f"hostapd does not run ({error.strerror}).") from None

    def events(self, for_s: float, most: int = 1000) -> list[str]:
        """Return the events of the next `for_s` seconds without their level, at most so many; raises `DeviceUnavailable`."""
        until_s = time.monotonic() + for_s
        found = list(self._events)
        self._events.clear()
        try:
            with contextlib.suppress(TimeoutError):
                while len(found) < most:
                    found.append(self._receive(until_s))
        except OSError as error:
            raise DeviceUnavailable(f"hostapd does not run ({error.strerror}).") from None
        return [each.partition(">")[2] for each in found if each.startswith("<")]

    def close(self) -> None:
        """End the conversation; hostapd forgets who listened when it next has something to say."""
        with contextlib.suppress(OSError):
            self._socket.settimeout(0)
            self._socket.send(b"DETACH")
        self._socket.close()

    def _receive(self, until_s: float) -> str:
        left_s = until_s - time.monotonic()
        if left_s <= 0:
            raise TimeoutError
        self._socket.settimeout(left_s)
        return self._socket.recv(_LARGEST).decode("utf-8", "replace")
