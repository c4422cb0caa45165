"""The USB way in detail: descriptors, claims, the kernel's driver, and what a failed transfer counts as."""

from __future__ import annotations

import errno

import pytest
import usb.core

from drivers.errors import BadDeviceUrl, DeviceError, DeviceUnavailable, MissingLibrary
from drivers.printer.api import UNKNOWN_STATUS, Paper, Trouble
from drivers.printer.simulator import SimulatedPrinter
from drivers.printer.stream import StreamPrinter
from drivers.printer.usb import from_url
from drivers.url import parse
from tests.drivers.usb_peer import BULK, INTERRUPT, Interface, UsbPeer

URL = "escpos+usb://04b8:0e28/SIM1?timeout=0.2"


def printer_for(peer: UsbPeer, url: str = URL) -> StreamPrinter:
    return from_url(parse(url), peer)


def test_the_endpoints_come_from_the_descriptors_of_the_interface_that_also_answers() -> None:
    interfaces = (
        Interface(number=0, kind=3, endpoints=((0x81, INTERRUPT),)),
        Interface(number=1, setting=0, protocol=1, endpoints=((0x02, BULK),)),
        Interface(number=1, setting=1, protocol=2, endpoints=((0x85, INTERRUPT), (0x03, BULK), (0x84, BULK))),
        Interface(number=1, setting=2, protocol=4, endpoints=((0x06, BULK), (0x87, BULK))),
    )
    peer = UsbPeer(SimulatedPrinter(), interfaces)
    printer = printer_for(peer)
    printer.open()
    assert peer.claimed == {1}
    assert peer.settings == [(1, 1)]
    assert printer.status().online
    printer.close()


def test_a_device_of_its_makers_own_class_is_used_where_there_is_no_other() -> None:
    peer = UsbPeer(SimulatedPrinter(), (Interface(kind=0xFF, protocol=0),))
    printer = printer_for(peer)
    printer.open()
    assert printer.status().online
    assert peer.settings == []


def test_a_device_that_takes_no_print_data_is_refused_and_let_go() -> None:
    peer = UsbPeer(SimulatedPrinter(), (Interface(kind=3, endpoints=((0x81, INTERRUPT),)),))
    with pytest.raises(DeviceUnavailable, match="no way to take print data"):
        printer_for(peer).open()


def test_a_printer_that_cannot_answer_is_unknown_and_still_prints() -> None:
    peer = UsbPeer(SimulatedPrinter(), (Interface(protocol=1, endpoints=((0x03, BULK),)),))
    printer = printer_for(peer)
    printer.open()
    assert printer.status() == UNKNOWN_STATUS
    assert printer.write(b"x\n\x1dV\x00", 1.0) == 5
    assert not printer.confirm(0.1)
    assert peer.simulated.count == 1


def test_the_port_says_paper_out_for_a_printer_that_is_silent_but_never_that_all_is_well() -> None:
    peer = UsbPeer(SimulatedPrinter(), (Interface(protocol=1, endpoints=((0x03, BULK),)),))
    printer = printer_for(peer)
    printer.open()
    assert printer.status().paper is Paper.UNKNOWN
    peer.simulated.set_fault("paper_out")
    assert printer.status().paper is Paper.OUT


def test_the_kernels_driver_is_sent_away_and_gets_its_printer_back() -> None:
    peer = UsbPeer(SimulatedPrinter())
    printer = printer_for(peer)
    printer.open()
    assert not peer.kernel_driver
    printer.close()
    assert peer.kernel_driver
    assert peer.claimed == set()


def test_a_device_without_a_configuration_gets_one() -> None:
    peer = UsbPeer(SimulatedPrinter())
    peer.configured = False
    printer = printer_for(peer)
    printer.open()
    assert printer.status().online


@pytest.mark.parametrize(
    ("code", "words"),
    [(errno.EBUSY, "another program uses it"), (errno.EACCES, "group lp"), (errno.EIO, "Input/output error")],
)
def test_a_refused_claim_is_said_in_words_and_the_kernels_driver_returns(code: int, words: str) -> None:
    peer = UsbPeer(SimulatedPrinter())
    peer.refusal = code
    printer = printer_for(peer)
    with pytest.raises(DeviceUnavailable, match=words):
        printer.open()
    assert peer.kernel_driver
    peer.refusal = None
    printer.open()
    assert printer.status().online


def test_two_alike_are_told_apart_by_their_serial_number_only() -> None:
    peer = UsbPeer(SimulatedPrinter())
    peer.copies = 2
    with pytest.raises(DeviceUnavailable, match=r"2 printers.*serial number \(SIM1, SIM1\)"):
        printer_for(peer, "escpos+usb://04b8:0e28").open()
    with pytest.raises(DeviceUnavailable, match="no printer at USB 04b8:0e28 OTHER"):
        printer_for(peer, "escpos+usb://04b8:0e28/OTHER").open()


def test_the_only_printer_is_found_without_knowing_its_maker() -> None:
    peer = UsbPeer(SimulatedPrinter())
    printer = printer_for(peer, "escpos+usb://any?timeout=0.2")
    printer.open()
    assert printer.status().online
    with pytest.raises(DeviceUnavailable, match="no printer at USB"):
        printer_for(UsbPeer(SimulatedPrinter(), (Interface(kind=0xFF),)), "escpos+usb://any").open()


@pytest.mark.parametrize(
    "text", ["escpos+usb://", "escpos+usb://4b8:e28", "escpos+usb://printer", "escpos+usb://any/X"]
)
def test_an_address_that_names_no_device_is_refused(text: str) -> None:
    with pytest.raises(BadDeviceUrl, match="escpos\\+usb://04b8:0e28/SERIAL"):
        from_url(parse(text))


@pytest.mark.parametrize("code", [errno.EIO, errno.ENODEV, errno.EPIPE, errno.EOVERFLOW])
def test_a_transfer_that_failed_counts_as_taken_because_nobody_knows_how_much_had_left(code: int) -> None:
    peer = UsbPeer(SimulatedPrinter())
    printer = printer_for(peer)
    printer.open()
    peer.break_next_write = code
    with pytest.raises(DeviceError) as broken:
        printer.write(b"x" * 200, 1.0)
    assert peer.simulated.byte_count == 64
    assert broken.value.bytes_taken == 200


@pytest.mark.parametrize("code", [errno.EPIPE, errno.ETIMEDOUT])
def test_a_printer_that_refuses_to_be_asked_whether_it_is_there_prints_all_the_same(code: int) -> None:
    peer = UsbPeer(SimulatedPrinter())
    printer = printer_for(peer)
    printer.open()
    peer.control_refusal = code
    assert printer.write(b"x", 1.0) == 1
    assert printer.status().trouble is None


def test_no_transfer_waits_longer_than_its_deadline() -> None:
    peer = UsbPeer(SimulatedPrinter())
    printer = printer_for(peer)
    printer.open()
    printer.status()
    printer.write(b"x", 1.5)
    assert 0 < peer.longest_timeout_ms <= 1500


def test_a_port_that_reports_an_error_makes_a_silent_printer_faulty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.drivers.usb_peer.ALL_WELL", 0x10)
    peer = UsbPeer(SimulatedPrinter(), (Interface(protocol=1, endpoints=((0x03, BULK),)),))
    printer = printer_for(peer)
    printer.open()
    assert printer.status().trouble is Trouble.MECHANICAL


def test_a_machine_without_libusb_is_told_which_package_it_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(**_wanted: object) -> None:
        raise usb.core.NoBackendError("No backend available")

    monkeypatch.setattr(usb.core, "find", none)
    with pytest.raises(MissingLibrary, match=r"libusb-1\.0-0"):
        from_url(parse(URL)).open()


def test_a_printer_that_was_plugged_in_again_owes_no_answers_and_confirms_its_next_job_at_once() -> None:
    peer = UsbPeer(SimulatedPrinter())
    printer = printer_for(peer)
    printer.open()
    peer.simulated.set_fault("paper_out")
    assert not printer.confirm(0.05)
    peer.simulated.set_fault("unplug")
    assert not printer.status().answered
    peer.simulated.set_fault(None)
    printer.open()
    printer.write(b"x\n\x1dV\x00", 1.0)
    assert printer.confirm(1.0)
