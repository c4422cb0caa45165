"""USB devices made in the guest's own kernel: a gadget at the end of a cable that a test can pull (configfs, dummy_hcd)."""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import subprocess
import termios
import threading
import time
import tty
from collections.abc import Iterator, Mapping
from pathlib import Path

from drivers.printer.simulator import SLOW_BYTES_PER_S, Fault, SimulatedPrinter

CONFIG = Path("/sys/kernel/config/usb_gadget")
PORTS = 4
_SET_STATUS = 0xC0016722  # _IOWR('g', 0x22, unsigned char): linux/usb/g_printer.h
_NO_ERROR, _SELECTED, _PAPER_EMPTY = 0x08, 0x10, 0x20
_CHUNK, _SLOW_CHUNK = 4096, 128
_PAUSE_S = 0.02


def modprobe(*arguments: str) -> None:
    """Load a module of the kernel."""
    subprocess.run(["modprobe", *arguments], check=True)


class Gadget:
    """A USB device with one function, at port ``port`` of the pretended host controller."""

    def __init__(self, name: str, function: str, attributes: Mapping[str, str], *, product: str, port: int = 0) -> None:
        modprobe("dummy_hcd", f"num={PORTS}")
        modprobe("libcomposite")
        if not CONFIG.exists():
            subprocess.run(["mount", "-t", "configfs", "none", "/sys/kernel/config"], check=True)
        self._port = f"dummy_udc.{port}"
        self._at = CONFIG / name
        self._function = function
        made = self._at / "functions" / f"{function}.0"
        strings, configuration = self._at / "strings" / "0x409", self._at / "configs" / "c.1"
        for folder in (strings, made, configuration):
            folder.mkdir(parents=True)
        vendor, number = product.split(":")
        for key, value in {"idVendor": f"0x{vendor}", "idProduct": f"0x{number}", "bcdUSB": "0x0200"}.items():
            (self._at / key).write_text(value)
        (strings / "serialnumber").write_text(name)
        (strings / "manufacturer").write_text("Marquee")
        (strings / "product").write_text(name)
        for key, value in attributes.items():
            (made / key).write_text(value)
        (configuration / f"{function}.0").symlink_to(made)

    def attribute(self, name: str) -> str:
        """What the kernel says of the function."""
        return (self._at / "functions" / f"{self._function}.0" / name).read_text().strip()

    def plug(self) -> None:
        """Put the cable in; harmless when it is."""
        if not self.plugged:
            (self._at / "UDC").write_text(self._port)

    def unplug(self) -> None:
        """Pull the cable; harmless when it is out."""
        if self.plugged:
            (self._at / "UDC").write_text("\n")

    @property
    def plugged(self) -> bool:
        """Whether the cable is in."""
        return bool((self._at / "UDC").read_text().strip())

    def remove(self) -> None:
        """Take the device away for good."""
        self.unplug()
        configuration = self._at / "configs" / "c.1"
        (configuration / f"{self._function}.0").unlink()
        configuration.rmdir()
        (self._at / "functions" / f"{self._function}.0").rmdir()
        (self._at / "strings" / "0x409").rmdir()
        self._at.rmdir()


class GadgetPrinter:
    """A USB printer of the kernel's with the simulated printer behind its end of the cable; faults are the simulated one's."""

    def __init__(self, name: str, port: int = 0) -> None:
        self.printer = SimulatedPrinter()
        self.name = name
        attributes = {"pnp_string": f"MFG:Marquee;MDL:{name};CLS:PRINTER;", "q_len": "10"}
        self.gadget = Gadget(name, "printer", attributes, product="04b8:0e28", port=port)
        self.paper_wire = False
        """Whether the status line of the cable alone says that the paper is out, whatever the printer answers."""
        self._stop = threading.Event()
        self._hang_ups = 0
        self._thread = threading.Thread(target=self._serve, name=name, daemon=True)

    def start(self) -> None:
        """Plug in and serve."""
        self.gadget.plug()
        self._thread.start()

    def stop(self) -> None:
        """End serving and take the device away."""
        self._stop.set()
        self._thread.join(5)
        self.gadget.remove()

    def _serve(self) -> None:
        while not self._stop.is_set():
            if self._pulled:
                self._hang_ups = self.printer.hang_ups
                self.gadget.unplug()
                self._stop.wait(_PAUSE_S)
                continue
            self.gadget.plug()
            with contextlib.suppress(OSError):
                self._serve_cable()

    @property
    def _pulled(self) -> bool:
        return self._hang_ups != self.printer.hang_ups or not self.printer.plugged

    def _serve_cable(self) -> None:
        end = os.open("/dev/g_printer0", os.O_RDWR | os.O_NONBLOCK)
        try:
            while not self._stop.is_set() and not self._pulled:
                self._tell_port(end)
                if self.printer.fault is Fault.STALL:
                    self._stop.wait(_PAUSE_S)
                elif select.select([end], [], [], _PAUSE_S)[0]:
                    self._move(end)
        finally:
            os.close(end)

    def _move(self, end: int) -> None:
        slow = self.printer.fault is Fault.SLOW
        data = os.read(end, self.printer.room(_SLOW_CHUNK if slow else _CHUNK))
        if slow:
            self._stop.wait(len(data) / SLOW_BYTES_PER_S)
        answers = self.printer.receive(data)
        if answers:
            self._stop.wait(self.printer.answer_delay_s)
            os.write(end, answers)

    def _tell_port(self, end: int) -> None:
        out = self.paper_wire or self.printer.fault is Fault.PAPER_OUT
        status = _SELECTED | _PAPER_EMPTY if out else _NO_ERROR | _SELECTED
        fcntl.ioctl(end, _SET_STATUS, bytearray([status]))


class SerialHand:
    """A scanner on a USB serial port of the kernel's: writes at the gadget's end, the driver reads at the host's."""

    def __init__(self, name: str, port: int = 1) -> None:
        self.gadget = Gadget(name, "acm", {}, product="0525:a4a7", port=port)
        self._name = name
        self._end = f"/dev/ttyGS{self.gadget.attribute('port_num')}"
        self.replug()

    @property
    def path(self) -> str:
        """The stable name that udev gives the host's end."""
        return f"/dev/serial/by-id/usb-Marquee_{self._name}_{self._name}-if00"

    def scan(self, code: str) -> None:
        """Send a code with its terminator."""
        self.send(code.encode() + b"\r")

    def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        end = os.open(self._end, os.O_RDWR | os.O_NOCTTY)
        try:
            _raw(end)
            while data:
                data = data[os.write(end, data) :]
        finally:
            os.close(end)

    def unplug(self) -> None:
        """Pull the cable."""
        self.gadget.unplug()

    def replug(self) -> None:
        """Put it back, and wait for udev as a person waits for the beep."""
        self.gadget.plug()
        until = time.monotonic() + 10
        while not Path(self.path).exists():
            if time.monotonic() > until:
                raise TimeoutError(f"{self.path} did not appear")
            time.sleep(0.02)

    def close(self) -> None:
        """Take the device away."""
        self.gadget.remove()


def _raw(end: int) -> None:
    tty.setraw(end, termios.TCSANOW)


@contextlib.contextmanager
def printing(name: str, port: int = 0) -> Iterator[GadgetPrinter]:
    """A gadget printer for the time of a test."""
    device = GadgetPrinter(name, port)
    device.start()
    try:
        yield device
    finally:
        device.stop()
