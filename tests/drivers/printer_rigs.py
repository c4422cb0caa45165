"""Rigs for printers: an address, opened, and a peer behind it whose faults a test controls.

A rig for another place (a booted guest with a gadget printer) is one more generator of `PrinterRig`; the contract needs
nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from drivers import open_printer
from drivers.printer.api import Printer
from drivers.printer.pty import PtyPrinter
from drivers.printer.server import SimulatedPrinterServer
from drivers.printer.sim import SimPrinter
from drivers.printer.simulator import SimulatedPrinter
from drivers.printer.usb import from_url as usb_from_url
from drivers.url import parse
from tests.drivers.patience import eventually
from tests.drivers.usb_peer import UsbPeer

OPTIONS = "?timeout=0.3"


@dataclass
class PrinterRig:
    """An opened printer and the simulated one behind it."""

    printer: Printer
    simulated: SimulatedPrinter

    @property
    def timeout_s(self) -> float:
        """How long the driver waits for an answer; a rig on a slow machine gives it more."""
        return float(self.printer._timeout_s)  # type: ignore[attr-defined]

    def printed(self, count: int = 1) -> bool:
        return eventually(lambda: self.simulated.count >= count)


def sim_rig(_folder: Path) -> Iterator[PrinterRig]:
    printer = open_printer("sim://printer" + OPTIONS)
    assert isinstance(printer, SimPrinter)
    yield PrinterRig(printer, printer.simulated)
    printer.close()


def tcp_rig(_folder: Path) -> Iterator[PrinterRig]:
    with SimulatedPrinterServer() as server:
        printer = open_printer(server.url + OPTIONS)
        yield PrinterRig(printer, server.printer)
        printer.close()


def _pty_rig(folder: Path, scheme: str) -> Iterator[PrinterRig]:
    device = PtyPrinter(folder / "printer")
    device.start()
    printer = open_printer(f"{scheme}://{device.path}{OPTIONS}")
    yield PrinterRig(printer, device.printer)
    printer.close()
    device.stop()


def serial_rig(folder: Path) -> Iterator[PrinterRig]:
    yield from _pty_rig(folder, "escpos+serial")


def file_rig(folder: Path) -> Iterator[PrinterRig]:
    yield from _pty_rig(folder, "escpos+file")


def usb_rig(_folder: Path) -> Iterator[PrinterRig]:
    simulated = SimulatedPrinter()
    printer = usb_from_url(parse("escpos+usb://04b8:0e28/SIM1" + OPTIONS), UsbPeer(simulated))
    printer.open()
    yield PrinterRig(printer, simulated)
    printer.close()


RIGS: dict[str, Callable[[Path], Iterator[PrinterRig]]] = {
    "sim": sim_rig,
    "tcp": tcp_rig,
    "serial": serial_rig,
    "file": file_rig,
    "usb": usb_rig,
}
