"""The printer contract over a USB printer that the kernel believes in, by its own driver and without it; and what only a kernel has."""

from __future__ import annotations

from pathlib import Path

import pytest

from drivers import DeviceUnavailable, open_printer
from drivers.printer.api import Paper
from tests.drivers.patience import eventually
from tests.drivers.test_printer_contract import *  # noqa: F403  the very same tests
from tests.system.guest.inside.conftest import opened, printer_address
from tests.system.guest.inside.usb_printer import GadgetPrinter

LP = Path("/dev/usb/lp0")


def test_the_kernels_driver_is_set_aside_and_given_back(gadget_printer: GadgetPrinter) -> None:
    assert eventually(LP.exists)
    printer = opened(printer_address("usb", gadget_printer.name))
    assert eventually(lambda: not LP.exists())
    printer.close()
    assert eventually(LP.exists)


def test_the_only_printer_needs_no_name_and_a_wrong_serial_number_is_not_taken(gadget_printer: GadgetPrinter) -> None:
    opened("escpos+usb://any?timeout=1.5").close()
    with pytest.raises(DeviceUnavailable, match="There is no printer"):
        open_printer(printer_address("usb", "SOMEBODY-ELSE"))
    assert gadget_printer.printer.byte_count == 0


@pytest.mark.parametrize("kind", ["file", "usb"])
def test_a_printer_that_never_answers_tells_by_its_cable_that_the_paper_is_out(
    gadget_printer: GadgetPrinter, kind: str
) -> None:
    gadget_printer.printer.set_fault("silent")
    printer = opened(printer_address(kind, gadget_printer.name))
    assert printer.status().paper is Paper.UNKNOWN
    gadget_printer.paper_wire = True
    assert eventually(lambda: printer.status().paper is Paper.OUT)
    printer.close()


def test_a_device_file_is_had_alone(gadget_printer: GadgetPrinter) -> None:
    url = printer_address("file", gadget_printer.name)
    printer = opened(url)
    with pytest.raises(DeviceUnavailable, match="another program"):
        open_printer(url)
    printer.close()
