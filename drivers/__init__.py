"""Hardware behind small protocols: printer, scanner, camera, lamp, modem, hotspot.

Rule of this folder: a driver knows bytes, codes and pictures, never an order or a ticket; it imports nothing of
the application; every wait has a deadline; what a device did not say is reported as unknown, never as fine.
"""

from __future__ import annotations

from drivers.errors import BadDeviceUrl, DeviceError, DeviceTimeout, DeviceUnavailable, PrinterNotReady
from drivers.health import Health, State
from drivers.registry import (
    camera_for,
    hotspot_for,
    lamp_for,
    modem_for,
    open_camera,
    open_lamp,
    open_modem,
    open_printer,
    open_scanner,
    printer_for,
    scanner_for,
)

__all__ = [
    "BadDeviceUrl",
    "DeviceError",
    "DeviceTimeout",
    "DeviceUnavailable",
    "Health",
    "PrinterNotReady",
    "State",
    "camera_for",
    "hotspot_for",
    "lamp_for",
    "modem_for",
    "open_camera",
    "open_lamp",
    "open_modem",
    "open_printer",
    "open_scanner",
    "printer_for",
    "scanner_for",
]
