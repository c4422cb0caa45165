"""Rigs of the guest: the contracts of ``tests/drivers`` over devices that the kernel believes in."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from drivers import open_printer, open_scanner
from drivers.errors import DeviceError
from drivers.printer import simulator
from drivers.printer.api import Printer
from tests.drivers import test_printer_contract
from tests.drivers.conftest import ScannerRig
from tests.drivers.printer_rigs import PrinterRig
from tests.system.guest.inside.gadgets import SerialHand
from tests.system.guest.inside.keyboards import UinputKeyboard
from tests.system.guest.inside.usb_printer import GadgetPrinter, printing

OPEN_S = 15.0
# The emulated processor answers slowly: a quarter of a second, as on the host, is nothing here.
TIMEOUT_S = 1.5
LATE_S = 2.5
SHORT_S = 1.0
_numbers = itertools.count(1)
_figures: list[str] = []


@pytest.fixture
def name() -> str:
    """A serial number that no device of this boot has had."""
    return f"MQ{next(_numbers):03d}"


@pytest.fixture
def figure() -> Callable[[str], None]:
    """Takes a line to show at the end of the run."""
    return _figures.append


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show what was measured; the processor is emulated, so a board is faster."""
    terminalreporter.section("figures (of the emulated processor)")
    for line in _figures:
        terminalreporter.line(line)


def printer_address(kind: str, name: str) -> str:
    """The address of the gadget printer of that serial number, by the kernel's driver or without it."""
    where = {"file": "escpos+file:///dev/usb/lp0", "usb": f"escpos+usb://04b8:0e28/{name}"}[kind]
    return f"{where}?timeout={TIMEOUT_S}"


def opened(url: str) -> Printer:
    """The printer, once the kernel and udev have it ready."""
    until = time.monotonic() + OPEN_S
    while True:
        try:
            return open_printer(url)
        except DeviceError:
            if time.monotonic() > until:
                raise
            time.sleep(0.02)


@pytest.fixture
def gadget_printer(name: str) -> Iterator[GadgetPrinter]:
    """A printer at the end of a USB cable."""
    with printing(name) as device:
        yield device


@pytest.fixture(params=["file", "usb"])
def printer_rig(
    request: pytest.FixtureRequest, gadget_printer: GadgetPrinter, monkeypatch: pytest.MonkeyPatch
) -> Iterator[PrinterRig]:
    """``/dev/usb/lp0`` of the kernel's driver, and libusb without it, over the same gadget."""
    monkeypatch.setattr(simulator, "LATE_S", LATE_S)
    monkeypatch.setattr(test_printer_contract, "SHORT_S", SHORT_S)
    printer = opened(printer_address(request.param, gadget_printer.name))
    yield PrinterRig(printer, gadget_printer.printer)
    printer.close()


@pytest.fixture(params=["serial", "evdev"])
def scanner_rig(request: pytest.FixtureRequest, name: str, tmp_path: Path) -> Iterator[ScannerRig]:
    """A USB serial port by its stable name, and a keyboard of the kernel's."""
    hand: SerialHand | UinputKeyboard
    hand = SerialHand(name) if request.param == "serial" else UinputKeyboard(name, tmp_path / "keyboard")
    scanner = open_scanner(hand.url)
    yield ScannerRig(scanner, hand)
    scanner.close()
    hand.close()
