"""How soon a device is back after its cable was pulled and put in again."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from drivers import DeviceError, State
from drivers.printer.api import Printer
from drivers.printer.simulator import Fault
from drivers.scanner.api import Scanner
from tests.drivers.conftest import ScannerRig
from tests.drivers.patience import eventually
from tests.drivers.printer_rigs import PrinterRig

TIMES = 3
BACK_S = 2.0


def _opens(device: Printer | Scanner) -> bool:
    try:
        device.open()
    except DeviceError:
        return False
    return True


def _address(request: pytest.FixtureRequest) -> str:
    return str(request.node.callspec.id)


def _within(holds: Callable[[], bool], since_s: float) -> float:
    assert eventually(holds)
    return time.monotonic() - since_s


def test_a_printer_is_ready_again_soon(
    printer_rig: PrinterRig, request: pytest.FixtureRequest, figure: Callable[[str], None]
) -> None:
    printer = printer_rig.printer
    took = []
    for _ in range(TIMES):
        printer_rig.simulated.set_fault(Fault.UNPLUG)
        assert eventually(lambda: not printer.status().answered and printer.health().state is State.ABSENT)
        time.sleep(0.3)
        printer_rig.simulated.set_fault(None)
        since_s = time.monotonic()
        took.append(_within(lambda: _opens(printer) and printer.status().answered, since_s))
    figure(f"printer {_address(request)} ready after re-plug: {', '.join(f'{each:.2f}' for each in took)} s")
    assert min(took) <= BACK_S


def test_a_scanner_reads_again_soon(
    scanner_rig: ScannerRig, request: pytest.FixtureRequest, figure: Callable[[str], None]
) -> None:
    scanner, hand = scanner_rig.scanner, scanner_rig.hand
    took = []
    for number in range(TIMES):
        hand.unplug()
        assert eventually(lambda: not _reads(scanner))
        time.sleep(0.3)
        since_s = time.monotonic()
        hand.replug()
        assert eventually(lambda: _opens(scanner))
        hand.scan(f"BACK-{number}")
        assert scanner.read(5.0) == f"BACK-{number}"
        took.append(time.monotonic() - since_s)
    figure(f"scanner {_address(request)} read a code after re-plug: {', '.join(f'{each:.2f}' for each in took)} s")
    assert min(took) <= BACK_S


def _reads(scanner: Scanner) -> bool:
    try:
        scanner.read(0.05)
    except DeviceError:
        return False
    return True
