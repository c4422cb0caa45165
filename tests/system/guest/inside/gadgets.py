"""USB devices made in the guest's own kernel: a gadget at the end of a cable that a test can pull (configfs, dummy_hcd)."""

from __future__ import annotations

import os
import subprocess
import termios
import time
import tty
from pathlib import Path
from urllib.parse import quote

CONFIG = Path("/sys/kernel/config/usb_gadget")
PORTS = 4


def modprobe(*arguments: str) -> None:
    """Load a module of the kernel."""
    subprocess.run(["modprobe", *arguments], check=True)


class Gadget:
    """A USB device with one function (``acm.0``), at port ``port`` of the pretended host controller; not plugged in."""

    def __init__(self, name: str, function: str, *, product: str, port: int = 0) -> None:
        modprobe("dummy_hcd", f"num={PORTS}")
        modprobe("libcomposite")
        if not CONFIG.exists():
            subprocess.run(["mount", "-t", "configfs", "none", "/sys/kernel/config"], check=True)
        self._port = f"dummy_udc.{port}"
        self._at = CONFIG / name
        self._function = function
        made = self._at / "functions" / function
        strings, configuration = self._at / "strings" / "0x409", self._at / "configs" / "c.1"
        for folder in (strings, made, configuration):
            folder.mkdir(parents=True)
        vendor, number = product.split(":")
        for key, value in {"idVendor": f"0x{vendor}", "idProduct": f"0x{number}", "bcdUSB": "0x0200"}.items():
            (self._at / key).write_text(value)
        (strings / "serialnumber").write_text(name)
        (strings / "manufacturer").write_text("Marquee")
        (strings / "product").write_text(name)
        (configuration / function).symlink_to(made)

    def attribute(self, name: str) -> str:
        """What the kernel says of the function."""
        return (self._at / "functions" / self._function / name).read_text().strip()

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
        self.remove_function()
        (self._at / "functions" / self._function).rmdir()
        (self._at / "configs" / "c.1").rmdir()
        (self._at / "strings" / "0x409").rmdir()
        self._at.rmdir()

    def remove_function(self) -> None:
        """Take the function out of the unplugged device; harmless when it is out."""
        (self._at / "configs" / "c.1" / self._function).unlink(missing_ok=True)


class SerialHand:
    """A scanner on a USB serial port of the kernel's: writes at the gadget's end, the driver reads at the host's."""

    def __init__(self, name: str, port: int = 1) -> None:
        self.gadget = Gadget(name, "acm.0", product="0525:a4a7", port=port)
        self._name = name
        self._end = f"/dev/ttyGS{self.gadget.attribute('port_num')}"
        self.replug()

    @property
    def path(self) -> str:
        """The stable name that udev gives the host's end."""
        return f"/dev/serial/by-id/usb-Marquee_{self._name}_{self._name}-if00"

    @property
    def url(self) -> str:
        """The address to give to `open_scanner`."""
        return f"serial://{quote(self.path)}"

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
