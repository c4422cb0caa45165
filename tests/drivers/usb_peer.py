"""A USB printer that is not there, at the boundary of pyusb: a backend of the library over a simulated printer."""

from __future__ import annotations

import errno
import os
import time
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from types import SimpleNamespace

from usb.backend import IBackend
from usb.core import USBError, USBTimeoutError

from drivers.errors import DeviceTimeout, DeviceUnavailable
from drivers.printer.sim import SimLink
from drivers.printer.simulator import Fault, SimulatedPrinter

STRINGS = {1: "ACME", 2: "Receipt printer"}
BULK, INTERRUPT = 2, 3
ALL_WELL, PAPER_EMPTY = 0x18, 0x38


@dataclass(frozen=True)
class Interface:
    """One alternate setting; `endpoints` are (address, kind)."""

    number: int = 0
    setting: int = 0
    kind: int = 7
    protocol: int = 2
    endpoints: tuple[tuple[int, int], ...] = ((0x03, BULK), (0x84, BULK))


def usb_error(code: int) -> USBError:
    return USBError(os.strerror(code), errno=code)


class UsbPeer(IBackend):
    """The backend; one device on the bus, as many as `copies` where a test needs a second of the same kind."""

    def __init__(
        self, simulated: SimulatedPrinter, interfaces: tuple[Interface, ...] = (Interface(),), serial: str = "SIM1"
    ) -> None:
        self.simulated = simulated
        self.interfaces = interfaces
        self.serial = serial
        self.vendor, self.product = 0x04B8, 0x0E28
        self.copies = 1
        self.configured = True
        self.kernel_driver = True
        self.refusal: int | None = None
        self.control_refusal: int | None = None
        self.claimed: set[int] = set()
        self.settings: list[tuple[int, int]] = []
        self.longest_timeout_ms = 0
        self.break_next_write: int | None = None
        self._link = SimLink(simulated)

    def enumerate_devices(self) -> Iterator[int]:
        yield from range(self.copies if self.simulated.plugged else 0)

    def get_parent(self, dev: int) -> None:
        return None

    def get_device_descriptor(self, dev: int) -> SimpleNamespace:
        return SimpleNamespace(
            bLength=18, bDescriptorType=1, bcdUSB=0x200, bDeviceClass=0, bDeviceSubClass=0, bDeviceProtocol=0,
            bMaxPacketSize0=64, idVendor=self.vendor, idProduct=self.product, bcdDevice=0x100, iManufacturer=1, iProduct=2,
            iSerialNumber=3, bNumConfigurations=1, address=dev + 1 + self.simulated.hang_ups, bus=1, port_number=1, port_numbers=(1,), speed=3,
        )  # fmt: skip

    def get_configuration_descriptor(self, dev: int, config: int) -> SimpleNamespace:
        if config:
            raise IndexError(config)
        numbers = {interface.number for interface in self.interfaces}
        return SimpleNamespace(
            bLength=9, bDescriptorType=2, wTotalLength=32, bNumInterfaces=len(numbers), bConfigurationValue=1,
            iConfiguration=0, bmAttributes=0xC0, bMaxPower=1, extra_descriptors=[],
        )  # fmt: skip

    def _setting(self, intf: int, alt: int) -> Interface:
        numbers = sorted({interface.number for interface in self.interfaces})
        number = numbers[intf]
        return [interface for interface in self.interfaces if interface.number == number][alt]

    def get_interface_descriptor(self, dev: int, intf: int, alt: int, config: int) -> SimpleNamespace:
        found = self._setting(intf, alt)
        return SimpleNamespace(
            bLength=9, bDescriptorType=4, bInterfaceNumber=found.number, bAlternateSetting=found.setting,
            bNumEndpoints=len(found.endpoints), bInterfaceClass=found.kind, bInterfaceSubClass=1,
            bInterfaceProtocol=found.protocol, iInterface=0, extra_descriptors=[],
        )  # fmt: skip

    def get_endpoint_descriptor(self, dev: int, ep: int, intf: int, alt: int, config: int) -> SimpleNamespace:
        address, kind = self._setting(intf, alt).endpoints[ep]
        return SimpleNamespace(
            bLength=7, bDescriptorType=5, bEndpointAddress=address, bmAttributes=kind, wMaxPacketSize=64, bInterval=0,
            bRefresh=0, bSynchAddress=0, extra_descriptors=[],
        )  # fmt: skip

    def open_device(self, dev: int) -> int:
        if not self.simulated.plugged:
            raise usb_error(errno.ENODEV)
        self._link.connect(time.monotonic())
        return self.simulated.hang_ups

    def close_device(self, dev_handle: int) -> None:
        self._link.close()

    def set_configuration(self, dev_handle: int, config_value: int) -> None:
        self.configured = True

    def get_configuration(self, dev_handle: int) -> int:
        return int(self.configured)

    def set_interface_altsetting(self, dev_handle: int, intf: int, altsetting: int) -> None:
        self.settings.append((intf, altsetting))

    def claim_interface(self, dev_handle: int, intf: int) -> None:
        if self.refusal is not None or self.kernel_driver:
            raise usb_error(self.refusal or errno.EBUSY)
        self.claimed.add(intf)

    def release_interface(self, dev_handle: int, intf: int) -> None:
        self.claimed.discard(intf)

    def is_kernel_driver_active(self, dev_handle: int, intf: int) -> bool:
        return self.kernel_driver

    def detach_kernel_driver(self, dev_handle: int, intf: int) -> None:
        self.kernel_driver = False

    def attach_kernel_driver(self, dev_handle: int, intf: int) -> None:
        if not self.simulated.plugged:
            raise usb_error(errno.ENODEV)
        self.kernel_driver = True

    def _until(self, dev_handle: int, timeout: int) -> float:
        assert timeout > 0, "0 waits for ever"
        self.longest_timeout_ms = max(self.longest_timeout_ms, timeout)
        if not self.simulated.plugged or dev_handle != self.simulated.hang_ups:
            raise usb_error(errno.ENODEV)
        return time.monotonic() + timeout / 1000

    def bulk_write(self, dev_handle: int, ep: int, intf: int, data: array[int], timeout: int) -> int:
        until = self._until(dev_handle, timeout)
        assert ep == 0x03
        assert intf in self.claimed
        if self.break_next_write is not None:
            code, self.break_next_write = self.break_next_write, None
            self._link.send(bytes(data)[:64], until)
            raise usb_error(code)
        try:
            self._link.send(bytes(data), until)
        except DeviceTimeout as error:
            if not error.bytes_taken:
                raise USBTimeoutError("timed out", errno=errno.ETIMEDOUT) from None
            return error.bytes_taken
        except DeviceUnavailable:
            # As in the real library, how much had been transferred is lost with the error.
            raise usb_error(errno.ENODEV) from None
        return len(data)

    def bulk_read(self, dev_handle: int, ep: int, intf: int, buff: array[int], timeout: int) -> int:
        until = self._until(dev_handle, timeout)
        assert ep == 0x84
        try:
            data = self._link.receive(until)
        except DeviceUnavailable:
            raise usb_error(errno.ENODEV) from None
        if not data:
            raise USBTimeoutError("timed out", errno=errno.ETIMEDOUT)
        buff[: len(data)] = array("B", data)
        return len(data)

    def ctrl_transfer(
        self, dev_handle: int, request_type: int, request: int, value: int, index: int, data: array[int], timeout: int
    ) -> int:
        self._until(dev_handle, timeout)
        if self.control_refusal is not None:
            raise usb_error(self.control_refusal)
        answer = self._control(request_type, request, value)
        count = min(len(answer), len(data))
        data[:count] = array("B", answer[:count])
        return count

    def _control(self, request_type: int, request: int, value: int) -> bytes:
        if (request_type, request) == (0x80, 6) and value >> 8 == 3:
            return self._string(value & 0xFF)
        if (request_type, request) == (0x80, 0):
            return b"\x01\x00"
        if (request_type, request) == (0xA1, 1):
            return bytes([PAPER_EMPTY if self.simulated.fault is Fault.PAPER_OUT else ALL_WELL])
        raise usb_error(errno.EPIPE)

    def _string(self, index: int) -> bytes:
        text = {**STRINGS, 3: self.serial}.get(index, "").encode("utf-16-le") if index else b"\x09\x04"
        return bytes([len(text) + 2, 3]) + text
