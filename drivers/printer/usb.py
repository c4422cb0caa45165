"""`escpos+usb://04b8:0e28/SERIAL`: a USB printer without the kernel's driver, with a deadline on every transfer.

The address names maker and product (as `lsusb` shows them) and, where two alike are plugged in, the serial number;
`escpos+usb://any` is the only printer there is. The name stays the same whatever socket the printer is plugged into.
"""

from __future__ import annotations

import contextlib
import errno
import re
import time
from dataclasses import dataclass
from typing import Any

import usb.core
import usb.util

from drivers.errors import BadDeviceUrl, DeviceError, DeviceTimeout, DeviceUnavailable, MissingLibrary
from drivers.printer.profile import DEFAULT_PROFILE, load_profile
from drivers.printer.stream import StreamPrinter
from drivers.printer.usb_interface import PrintInterface, has_printer_class, print_interface
from drivers.url import DeviceUrl

_CHUNK = 4096
_READ_BYTES = 512
_CONTROL_MS = 500
_PAUSE_S = 0.002
_REASONS = {
    errno.EBUSY: "another program uses it",
    errno.EACCES: "this program may not use it; its user needs write access, usually through the group lp",
    errno.ENODEV: "it was unplugged",
}
# A device that is there may refuse a question, or be too busy for it.
_STILL_THERE = frozenset({errno.EPIPE, errno.ETIMEDOUT})


@dataclass(frozen=True, slots=True)
class UsbAddress:
    """Which device is meant; `vendor` and `product` are None for the only printer, `serial` None for any."""

    vendor: int | None
    product: int | None
    serial: str | None

    @property
    def name(self) -> str:
        """For people."""
        if self.vendor is None:
            return "USB"
        return f"USB {self.vendor:04x}:{self.product:04x}" + (f" {self.serial}" if self.serial else "")


def from_url(url: DeviceUrl, backend: Any = None) -> StreamPrinter:
    """The printer behind the address; options: profile, timeout. `backend` is pyusb's, by default libusb."""
    url.check_options({"profile", "timeout"})
    address = _address(url)
    profile = load_profile(url.text_option("profile", DEFAULT_PROFILE))
    timeout_s = url.number("timeout", 2.0, low=0.05, high=60)
    return StreamPrinter(UsbLink(address, backend), profile.name, timeout_s)


def _address(url: DeviceUrl) -> UsbAddress:
    serial = url.path.strip("/") or None
    if url.host == "any" and serial is None:
        return UsbAddress(None, None, None)
    match = re.fullmatch(r"([0-9a-f]{4}):([0-9a-f]{4})", url.host)
    if not match:
        raise BadDeviceUrl(f"{url.text!r} must look like escpos+usb://04b8:0e28/SERIAL, or escpos+usb://any.")
    return UsbAddress(int(match[1], 16), int(match[2], 16), serial)


class UsbLink:
    """One claimed interface; times are those of `time.monotonic`."""

    # Full speed carries about 1 MB/s; few printers take that much.
    bytes_per_s = 500_000

    def __init__(self, address: UsbAddress, backend: Any = None) -> None:
        self.name = address.name
        self._address = address
        self._backend = backend
        self._device: Any = None
        self._interface: PrintInterface | None = None
        self._detached = False
        self._place: tuple[int, int] | None = None
        self.fresh_on_connect = False

    def connect(self, _until: float) -> None:
        """See `Link.connect`."""
        device = self._find()
        try:
            self._claim(device)
        except usb.core.USBError as error:
            self._let_go(device)
            reason = _REASONS.get(error.errno or 0) or error.strerror or str(error)
            raise DeviceUnavailable(f"Cannot open the printer at {self.name}: {reason}.") from None
        except DeviceError:
            self._let_go(device)
            raise
        self._device = device
        # A device gets a new address whenever it is plugged in or switched on, and has forgotten everything then.
        place = (device.bus, device.address)
        self.fresh_on_connect, self._place = place != self._place, place

    def close(self) -> None:
        """See `Link.close`; the kernel's driver gets the printer back."""
        device, self._device = self._device, None
        if device is not None:
            self._let_go(device)

    def send(self, data: bytes, until: float) -> None:
        """See `Link.send`."""
        device, interface = self._claimed()
        self._require_present(device)
        taken = 0
        while taken < len(data):
            left_ms = int((until - time.monotonic()) * 1000)
            if left_ms <= 0:
                raise DeviceTimeout(f"The printer at {self.name} stopped taking data.", bytes_taken=taken)
            piece = data[taken : taken + _CHUNK]
            try:
                # 0 would mean to wait for ever.
                taken += device.write(interface.out_endpoint, piece, left_ms)
            except usb.core.USBTimeoutError:
                continue
            except usb.core.USBError as error:
                # Of a transfer that failed in any other way nobody knows how much had left.
                raise self._gone(error, taken + len(piece)) from None

    def receive(self, until: float) -> bytes:
        """See `Link.receive`; a printer without a way to answer is silent at once."""
        device, interface = self._claimed()
        if interface.in_endpoint is None:
            return b""
        while True:
            left_ms = max(1, int((until - time.monotonic()) * 1000))
            try:
                data = bytes(device.read(interface.in_endpoint, _READ_BYTES, left_ms))
            except usb.core.USBTimeoutError:
                return b""
            except usb.core.USBError as error:
                raise self._gone(error, 0) from None
            if data:
                return data
            # An empty packet: some printers send one for every read.
            if time.monotonic() >= until:
                return b""
            time.sleep(_PAUSE_S)

    def port_status(self, _until: float) -> int | None:
        """See `Link.port_status`: GET_PORT_STATUS."""
        device, interface = self._claimed()
        if not interface.is_printer_class:
            return None
        try:
            answer = device.ctrl_transfer(0xA1, 1, 0, interface.number, 1, _CONTROL_MS)
        except usb.core.USBError:
            return None
        return int(answer[0]) if len(answer) == 1 else None

    def _find(self) -> Any:
        try:
            found = [device for device in self._candidates() if self._is_meant(device)]
        except usb.core.NoBackendError:
            raise MissingLibrary("USB printers need libusb, Debian's package libusb-1.0-0.") from None
        except usb.core.USBError as error:
            raise DeviceUnavailable(f"Cannot look for printers at USB: {error}.") from None
        if not found:
            raise DeviceUnavailable(f"There is no printer at {self.name}.")
        if len(found) > 1:
            serials = ", ".join(sorted(_serial(device) or "none" for device in found))
            for device in found:
                usb.util.dispose_resources(device)
            raise DeviceUnavailable(
                f"{len(found)} printers are at {self.name}; name one by its serial number ({serials})."
            )
        return found[0]

    def _candidates(self) -> list[Any]:
        if self._address.vendor is None:
            return list(usb.core.find(find_all=True, custom_match=has_printer_class, backend=self._backend))
        wanted = {"idVendor": self._address.vendor, "idProduct": self._address.product}
        return list(usb.core.find(find_all=True, backend=self._backend, **wanted))

    def _is_meant(self, device: Any) -> bool:
        if self._address.serial is None or _serial(device) == self._address.serial:
            return True
        usb.util.dispose_resources(device)
        return False

    def _claim(self, device: Any) -> None:
        try:
            configuration = device.get_active_configuration()
        except usb.core.USBError:
            # Only where none is set: setting it again would end what another program does with the device.
            device.set_configuration()
            configuration = device.get_active_configuration()
        interface = print_interface(configuration)
        if interface is None:
            raise DeviceUnavailable(f"The device at {self.name} has no way to take print data.")
        self._interface = interface
        with contextlib.suppress(NotImplementedError):
            if device.is_kernel_driver_active(interface.number):
                device.detach_kernel_driver(interface.number)
                self._detached = True
        usb.util.claim_interface(device, interface.number)
        if interface.settings > 1:
            device.set_interface_altsetting(interface.number, interface.setting)

    def _let_go(self, device: Any) -> None:
        if self._interface is not None:
            with contextlib.suppress(usb.core.USBError):
                usb.util.release_interface(device, self._interface.number)
            if self._detached:
                with contextlib.suppress(usb.core.USBError, NotImplementedError):
                    device.attach_kernel_driver(self._interface.number)
        self._detached = False
        self._interface = None
        with contextlib.suppress(usb.core.USBError):
            usb.util.dispose_resources(device)

    def _require_present(self, device: Any) -> None:
        """A device that is gone before the first byte must not look like one that vanished within the job."""
        try:
            device.ctrl_transfer(0x80, 0, 0, 0, 2, _CONTROL_MS)
        except usb.core.USBError as error:
            if error.errno not in _STILL_THERE:
                raise self._gone(error, 0) from None

    def _claimed(self) -> tuple[Any, PrintInterface]:
        if self._device is None or self._interface is None:
            raise DeviceUnavailable(f"The printer at {self.name} is not open.")
        return self._device, self._interface

    def _gone(self, error: Any, taken: int) -> DeviceUnavailable:
        reason = _REASONS.get(error.errno or 0) or error.strerror or str(error)
        return DeviceUnavailable(f"The printer at {self.name} is gone: {reason}.", bytes_taken=taken)


def _serial(device: Any) -> str | None:
    """The serial number, or None when the device has none or does not let us ask."""
    try:
        return device.serial_number or None
    except (usb.core.USBError, ValueError, NotImplementedError):
        return None
