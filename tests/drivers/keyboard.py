"""A scanner that pretends to be a keyboard, without a kernel's input device.

The driver's own library (python3-evdev) reads `struct input_event` from a socket instead of `/dev/input`; what only the kernel has (naming the
device, grabbing it, its hang-up) is stood in for here and proven with uinput in a booted guest.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import socket
import struct
from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import quote

import pytest

from drivers.errors import DeviceUnavailable
from drivers.scanner.keys import ENTER, EV_KEY
from drivers.scanner.typist import Event, events_for
from tests.drivers.debian import library

_EVENT = struct.Struct("llHHi")
_EVENTS_AT_ONCE = 64  # as many as the library reads in one go


class PretendKeyboard:
    """`scan` types a code; `layout` is the keyboard that the scanner is set to."""

    def __init__(self, path: Path, layout: str = "us") -> None:
        self._path = path
        self.layout = layout
        self.end: int | None = ENTER
        self.keys: Iterable[int] = (ENTER, 2, 3)
        self.grabbed_by: object = None
        self._listening: socket.socket | None = None
        self._reader: socket.socket | None = None
        self.replug()

    @property
    def url(self) -> str:
        return f"evdev://{quote(str(self._path))}"

    def scan(self, code: str) -> None:
        self.send(events_for(code, self.layout, self.end))

    def send(self, events: list[Event]) -> None:
        for start in range(0, len(events), _EVENTS_AT_ONCE):
            data = b"".join(_EVENT.pack(0, 0, *event) for event in events[start : start + _EVENTS_AT_ONCE])
            reader = self._connected()
            if not select.select([], [reader], [], 1.0)[1]:
                raise DeviceUnavailable("Nobody reads the simulated keyboard.")
            try:
                reader.send(data)
            except OSError as error:
                raise DeviceUnavailable(f"Nobody reads the simulated keyboard: {error}.") from None

    def unplug(self) -> None:
        self._path.unlink(missing_ok=True)
        for each in (self._listening, self._reader):
            if each is not None:
                each.close()
        self._listening = self._reader = None

    def replug(self) -> None:
        if self._listening is None:
            self._listening = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            self._listening.bind(str(self._path))
            self._listening.listen()
            self._listening.settimeout(1)

    def close(self) -> None:
        self.unplug()

    def _connected(self) -> socket.socket:
        if self._listening is None:
            raise DeviceUnavailable("The simulated keyboard is unplugged.")
        # A driver that opened it again is the newest in the queue.
        while self._reader is None or select.select([self._listening], [], [], 0)[0]:
            with contextlib.suppress(TimeoutError):
                self._reader = self._listening.accept()[0]
        return self._reader


def pretend(monkeypatch: pytest.MonkeyPatch, keyboards: Mapping[str, PretendKeyboard]) -> None:
    """Let the library open these keyboards, by path, instead of the kernel's."""
    evdev = library("evdev")

    class Device(evdev.InputDevice):  # type: ignore[name-defined]
        def __init__(self, path: str) -> None:
            self.fd = None
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            try:
                self._socket.connect(path)
            except OSError:
                self._socket.close()
                raise
            self._socket.setblocking(False)
            self.path, self.fd = path, self._socket.fileno()
            self._keyboard = keyboards[path]

        def capabilities(self) -> dict[int, list[int]]:
            return {EV_KEY: list(self._keyboard.keys)}

        def grab(self) -> None:
            if self._keyboard.grabbed_by is not None:
                raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))
            self._keyboard.grabbed_by = self

        def read(self) -> Iterable[object]:
            events = list(super().read())
            if not events:
                raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))
            return events

        def close(self) -> None:
            if self._keyboard.grabbed_by is self:
                self._keyboard.grabbed_by = None
            self._socket.close()
            self.fd = None

    monkeypatch.setattr(evdev, "InputDevice", Device)
