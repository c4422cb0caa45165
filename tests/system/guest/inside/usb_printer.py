"""A USB printer of the guest's kernel: its interface and answers are made here (FunctionFS), the simulated printer is behind them.

The kernel's own printer gadget is not used: in Debian 13 it corrupts a list of requests when the cable is pulled while it answers.
"""

from __future__ import annotations

import contextlib
import os
import queue
import select
import struct
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from drivers.printer.simulator import SLOW_BYTES_PER_S, Fault, SimulatedPrinter
from tests.system.guest.inside.gadgets import Gadget, modprobe

# linux/usb/functionfs.h
_DESCRIPTORS, _STRINGS, _FULL_AND_HIGH_SPEED = 3, 2, 3
_EVENT_BYTES, _SETUP = 12, 4
# USB printer class 1.0: bidirectional interface, requests, port status
_PRINTER_CLASS, _PRINTER_SUBCLASS, _BIDIRECTIONAL = 7, 1, 2
_GET_DEVICE_ID, _GET_PORT_STATUS = 0, 1
_NO_ERROR, _SELECTED, _PAPER_EMPTY = 0x08, 0x10, 0x20
_INTERFACE, _ENDPOINT, _BULK = 4, 5, 2
_FULL_PACKET, _HIGH_PACKET = 64, 512
_SLOW_CHUNK = 128
_PAUSE_S = 0.01
_STOP_S = 5.0


def _interface(packet: int) -> bytes:
    """An interface with a way out (1) and a way in (2), whose packets have so many bytes."""
    return struct.pack(
        "<BBBBBBBBB", 9, _INTERFACE, 0, 0, 2, _PRINTER_CLASS, _PRINTER_SUBCLASS, _BIDIRECTIONAL, 0
    ) + b"".join(struct.pack("<BBBBHB", 7, _ENDPOINT, address, _BULK, packet, 0) for address in (0x01, 0x82))


def _descriptors() -> bytes:
    body = struct.pack("<II", 3, 3) + _interface(_FULL_PACKET) + _interface(_HIGH_PACKET)
    return struct.pack("<III", _DESCRIPTORS, 12 + len(body), _FULL_AND_HIGH_SPEED) + body


class GadgetPrinter:
    """Faults are the simulated printer's; ``unplug`` and ``reset`` pull the cable."""

    def __init__(self, name: str, port: int = 0) -> None:
        self.printer = SimulatedPrinter()
        self.name = name
        self.paper_wire = False
        """Whether the port's status alone says that the paper is out, whatever the printer answers."""
        self._gadget = Gadget(name, f"ffs.{name}", product="04b8:0e28", port=port)
        self._folder = Path(f"/run/{name}")
        self._answers: queue.Queue[bytes] = queue.Queue()
        self._stopping = threading.Event()
        self._hang_ups = 0
        self._threads = [
            threading.Thread(target=work, name=f"{name}-{work.__name__}", daemon=True)
            for work in (self._control, self._take, self._answer, self._hold_cable)
        ]

    def start(self) -> None:
        """Describe the device, plug it in and serve."""
        self._folder.mkdir()
        modprobe("usb_f_fs")
        subprocess.run(["mount", "-t", "functionfs", self.name, str(self._folder)], check=True)
        self._ends = [os.open(self._folder / "ep0", os.O_RDWR)]
        os.write(self._ends[0], _descriptors())
        os.write(self._ends[0], struct.pack("<IIII", _STRINGS, 16, 0, 0))
        # Non-blocking only as long as nobody has plugged it in; later a transfer ends with its data or with the cable.
        self._ends += [os.open(self._folder / end, os.O_RDWR | os.O_NONBLOCK) for end in ("ep1", "ep2")]
        self._gadget.plug()
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Take the device away."""
        self._stopping.set()
        self._threads[-1].join(_STOP_S)
        self._gadget.unplug()
        for thread in self._threads:
            thread.join(_STOP_S)
        for end in self._ends:
            os.close(end)
        self._gadget.remove_function()
        subprocess.run(["umount", str(self._folder)], check=True)
        self._gadget.remove()
        self._folder.rmdir()

    @property
    def _pulled(self) -> bool:
        return self._hang_ups != self.printer.hang_ups or not self.printer.plugged

    def _hold_cable(self) -> None:
        """Plug and unplug as the simulated printer's faults say."""
        while not self._stopping.is_set():
            if self._pulled:
                self._hang_ups = self.printer.hang_ups
                self._gadget.unplug()
                with contextlib.suppress(queue.Empty):
                    while True:
                        self._answers.get_nowait()
            else:
                self._gadget.plug()
            self._stopping.wait(_PAUSE_S)

    def _control(self) -> None:
        """Answer the questions that the host asks of the interface itself."""
        end = self._ends[0]
        while not self._stopping.is_set():
            if not select.select([end], [], [], 5 * _PAUSE_S)[0]:
                continue
            with contextlib.suppress(OSError):
                event = os.read(end, _EVENT_BYTES)
                kind, request, _value, _index, length = struct.unpack("<BBHHH", event[:8])
                if event[8] != _SETUP:
                    continue
                if kind & 0x80:
                    os.write(end, self._told(request)[:length])
                else:
                    os.read(end, length)

    def _told(self, request: int) -> bytes:
        if request == _GET_PORT_STATUS:
            out = self.paper_wire or self.printer.fault is Fault.PAPER_OUT
            return bytes([_SELECTED | _PAPER_EMPTY if out else _NO_ERROR | _SELECTED])
        name = f"MFG:Marquee;MDL:{self.name};CLS:PRINTER;".encode()
        return struct.pack(">H", len(name) + 2) + name if request == _GET_DEVICE_ID else b""

    def _take(self) -> None:
        """Take packets one by one; a stalled printer holds the one that it has and lets the others wait in the host."""
        while not self._stopping.is_set():
            try:
                data = os.read(self._ends[1], _HIGH_PACKET)
            except OSError:
                time.sleep(_PAUSE_S)
                continue
            hang_ups = self.printer.hang_ups
            while data and self.printer.hang_ups == hang_ups and not self._stopping.is_set():
                if self.printer.fault is Fault.STALL:
                    self._stopping.wait(_PAUSE_S)
                else:
                    data = self._work_through(data)

    def _work_through(self, data: bytes) -> bytes:
        """Let the printer have as much as may come before its next fault; returns the rest."""
        slow = self.printer.fault is Fault.SLOW
        size = self.printer.room(min(len(data), _SLOW_CHUNK if slow else len(data)))
        if slow:
            self._stopping.wait(size / SLOW_BYTES_PER_S)
        if answers := self.printer.receive(data[:size]):
            self._stopping.wait(self.printer.answer_delay_s)
            self._answers.put(answers)
        return data[size:]

    def _answer(self) -> None:
        """Give the host the answers, as fast as it asks for them."""
        while not self._stopping.is_set():
            try:
                answers = self._answers.get(timeout=5 * _PAUSE_S)
            except queue.Empty:
                continue
            with contextlib.suppress(OSError):
                os.write(self._ends[2], answers)


@contextlib.contextmanager
def printing(name: str) -> Iterator[GadgetPrinter]:
    """A gadget printer for the time of a test."""
    device = GadgetPrinter(name)
    device.start()
    try:
        yield device
    finally:
        device.stop()
