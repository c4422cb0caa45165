"""Which interface and which endpoints of a USB device take print data; from its descriptors, never from habit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from usb import util

PRINTER_CLASS = 7
_VENDOR_CLASS = 0xFF
# USB printer class 1.1: 1 writes only, 2 answers too, 3 is IEEE 1284.4 packets, and IPP over USB is 4.
_PROTOCOLS = {2: 0, 1: 1}


@dataclass(frozen=True, slots=True)
class PrintInterface:
    """`out_endpoint` takes print data; `in_endpoint`, where there is one, answers."""

    number: int
    setting: int
    settings: int
    is_printer_class: bool
    out_endpoint: int
    in_endpoint: int | None


def print_interface(configuration: Any) -> PrintInterface | None:
    """The interface that takes print data, bidirectional before write-only before vendor-specific; None without one."""
    found = sorted(_candidates(configuration), key=lambda candidate: candidate[0])
    return found[0][1] if found else None


def has_printer_class(device: Any) -> bool:
    """Whether any interface of the device says that it is a printer."""
    return any(interface.bInterfaceClass == PRINTER_CLASS for configuration in device for interface in configuration)


def _candidates(configuration: Any) -> Iterator[tuple[tuple[int, int, int], PrintInterface]]:
    settings = [interface.bInterfaceNumber for interface in configuration]
    for interface in configuration:
        rank = _rank(interface)
        out_endpoint = _bulk(interface, util.ENDPOINT_OUT)
        if rank is None or out_endpoint is None:
            continue
        number = interface.bInterfaceNumber
        found = PrintInterface(
            number=number,
            setting=interface.bAlternateSetting,
            settings=settings.count(number),
            is_printer_class=interface.bInterfaceClass == PRINTER_CLASS,
            out_endpoint=out_endpoint,
            in_endpoint=_bulk(interface, util.ENDPOINT_IN),
        )
        yield (rank, number, interface.bAlternateSetting), found


def _rank(interface: Any) -> int | None:
    if interface.bInterfaceClass == PRINTER_CLASS:
        return _PROTOCOLS.get(interface.bInterfaceProtocol)
    return 2 if interface.bInterfaceClass == _VENDOR_CLASS else None


def _bulk(interface: Any, direction: int) -> int | None:
    for endpoint in interface:
        is_bulk = util.endpoint_type(endpoint.bmAttributes) == util.ENDPOINT_TYPE_BULK
        if is_bulk and util.endpoint_direction(endpoint.bEndpointAddress) == direction:
            return int(endpoint.bEndpointAddress)
    return None
