"""Simulated scanner modules that take commands, on a serial line that a pty stands in for, with scripted faults."""

from __future__ import annotations

import os
import select
import termios
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from drivers.scanner import gm65, rt
from drivers.scanner.pty import PtyScanner

_SPEEDS = {getattr(termios, f"B{baud}"): baud for baud in (4800, 9600, 19200, 38400, 57600, 115200)}


class Brain(Protocol):
    """What one family of modules understands."""

    baud: int
    saved: int

    def hear(self, data: bytes) -> tuple[list[bytes], bytes]:
        """The answers to the commands in `data`, and what is left of it."""


class Gm65Brain:
    """Zones of a GM65 as it comes from the factory."""

    def __init__(self) -> None:
        self.zones: dict[int, int] = {}
        self.baud = 9600
        self.saved = 0
        self.reset()

    def reset(self) -> None:
        """Back to the factory's settings."""
        self.baud = 9600
        self.zones = {gm65.MODE: 0xD6, gm65.OUTPUT: 0b0110_0101, gm65.AIM_ID: 0x80}

    def hear(self, data: bytes) -> tuple[list[bytes], bytes]:
        """See `Brain.hear`."""
        answers = []
        while (at := data.find(b"\x7e\x00")) >= 0 and len(data) >= at + 4:
            size = 8 + data[at + 3]
            frame, data = data[at : at + size], data[at:]
            if len(frame) < size:
                break
            data = data[size:]
            if gm65.crc(frame[2:-2]) == frame[-2:]:
                answers.append(self._obey(frame[2], int.from_bytes(frame[4:6], "big"), frame[6:-2]))
        return answers, data[-16:]

    def _obey(self, kind: int, address: int, data: bytes) -> bytes:
        if kind == gm65.READ:
            return gm65.answer(bytes((self.zones.get(address, 0),)))
        if kind == gm65.SAVE:
            self.saved += 1
        elif address == gm65.BAUD:
            self.baud = min(_SPEEDS.values(), key=lambda baud: abs(3_000_000 / baud - int.from_bytes(data, "little")))
        else:
            self.zones[address] = data[0]
        return gm65.answer(gm65.DONE)


class RtBrain:
    """Settings of an RT scanner with AIM and CODE id switched on."""

    def __init__(self) -> None:
        self.settings = {"SCNMOD": "0", "CIDENA": "1", "AIDENA": "1", "TSUENA": "0"}
        self.baud = 9600
        self.saved = 0

    def hear(self, data: bytes) -> tuple[list[bytes], bytes]:
        """See `Brain.hear`."""
        *commands, rest = data.split(b";\x03")
        return [self._obey(each.rpartition(b"\x7e\x010000")[2]) for each in commands], rest[-64:]

    def _obey(self, body: bytes) -> bytes:
        setting, value = body[1:7].decode("ascii", "replace"), body[7:].decode("ascii", "replace")
        if setting not in self.settings:
            return rt.answer(setting, value, rt.ENQ)
        if value != "*":
            self.settings[setting] = value
            self.saved += 1
        return rt.answer(setting, self.settings[setting])


class PtyModule(PtyScanner):
    """A module at the end of a pty; what it says at another speed than the reader's arrives as noise.

    Faults: `mute` answers nothing, `lose` swallows so many answers, `deaf_until_s` (monotonic) is a module that starts, `babble`
    sends noise without end, `trickle` sends bytes one by one.
    """

    def __init__(self, brain: Brain, link: Path | None = None, terminator: bytes = b"\r") -> None:
        super().__init__(link, terminator)
        self.brain = brain
        self.mute = self.babble = self.trickle = False
        self.lose = 0
        self.deaf_until_s = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._live, name="simulated-module", daemon=True)
        self._thread.start()

    def send(self, data: bytes) -> None:
        """See `PtyScanner.send`."""
        size = 1 if self.trickle else max(1, len(data))
        for start in range(0, len(data), size):
            super().send(self._on_the_wire(data[start : start + size]))

    def close(self) -> None:
        """See `PtyScanner.close`."""
        self._stop.set()
        self._thread.join(2)
        super().close()

    def restart(self, change: Callable[[], None], silent_s: float) -> None:
        """Do `change` to the module and start it again, deaf and mute for so long."""
        self.deaf_until_s = time.monotonic() + silent_s
        change()

    def _on_the_wire(self, data: bytes) -> bytes:
        if self._reader_baud() == self.brain.baud:
            return data
        return bytes(0x80 | (byte * 5 & 0x7F) for byte in data)

    def _reader_baud(self) -> int:
        try:
            return _SPEEDS.get(termios.tcgetattr(self._port.master)[5], 0)
        except (OSError, termios.error):
            return 0

    def _live(self) -> None:
        heard = b""
        while not self._stop.is_set():
            data = self._hear()
            if self.babble:
                self._say(b"\xfe\x81\x00\xff" * 64)
            if not data or time.monotonic() < self.deaf_until_s or self._reader_baud() != self.brain.baud:
                heard = b"" if data else heard
                continue
            answers, heard = self.brain.hear(heard + data)
            for answer in answers:
                self._answer(answer)

    def _answer(self, answer: bytes) -> None:
        if self.lose > 0:
            self.lose -= 1
        elif not self.mute:
            self._say(answer)

    def _say(self, data: bytes) -> None:
        try:
            self.send(data)
        except Exception:  # noqa: BLE001 - a module neither knows nor cares whether anybody listens
            self._stop.wait(0.01)

    def _hear(self) -> bytes:
        try:
            master = self._port.master
            if select.select([master], [], [], 0.005)[0]:
                return os.read(master, 4096)
        except (OSError, ValueError):
            self._stop.wait(0.01)
        return b""
