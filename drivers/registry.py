"""Drivers by the scheme of their address; other distributions add theirs through entry points.

A third party names an entry point in the group `marquee.drivers.printer`, `.scanner`, `.camera`, `.lamp`, `.modem` or `.hotspot`; its
name is the scheme and its object a function `(DeviceUrl) -> driver`. Schemes listed here cannot be replaced from outside.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, cast

from drivers.camera.api import Camera
from drivers.errors import BadDeviceUrl, DeviceError, MissingLibrary
from drivers.hotspot.api import Hotspot
from drivers.lamp.api import Lamp
from drivers.modem.api import Modem, WithPin
from drivers.printer.api import Printer
from drivers.scanner.api import Scanner
from drivers.url import DeviceUrl, parse

Factory = Callable[[DeviceUrl], Any]

# Modules are named, not imported: a venue without a camera must not need the camera's libraries.
BUILT_IN: Mapping[str, Mapping[str, str]] = {
    "printer": {
        "sim": "drivers.printer.sim:from_url",
        "escpos+tcp": "drivers.printer.tcp:from_url",
        "escpos+serial": "drivers.printer.serial:from_url",
        "escpos+usb": "drivers.printer.usb:from_url",
        "escpos+file": "drivers.printer.file:from_url",
    },
    "scanner": {
        "sim": "drivers.scanner.sim:from_url",
        "serial": "drivers.scanner.serial:from_url",
        "evdev": "drivers.scanner.evdev:from_url",
        "pcsc": "drivers.scanner.pcsc:from_url",
    },
    "camera": {
        "sim": "drivers.camera.sim:from_url",
        "picamera2": "drivers.camera.picamera:from_url",
        "v4l2": "drivers.camera.v4l2:from_url",
    },
    "lamp": {
        "sim": "drivers.lamp.sim:from_url",
        "gpio": "drivers.lamp.gpio:from_url",
    },
    "modem": {
        "sim": "drivers.modem.sim:from_url",
        "at": "drivers.modem.at:from_url",
        "modemmanager": "drivers.modem.modemmanager:from_url",
    },
    "hotspot": {
        "sim": "drivers.hotspot.sim:from_url",
        "hostapd": "drivers.hotspot.hostapd:from_url",
    },
}


def printer_for(url: str) -> Printer:
    """The printer behind `url`, not opened yet; raises `BadDeviceUrl`."""
    return cast(Printer, _build("printer", url))


def scanner_for(url: str) -> Scanner:
    """The scanner behind `url`, not opened yet; raises `BadDeviceUrl`."""
    return cast(Scanner, _build("scanner", url))


def camera_for(url: str) -> Camera:
    """The camera behind `url`, not opened yet; raises `BadDeviceUrl`."""
    return cast(Camera, _build("camera", url))


def lamp_for(url: str) -> Lamp:
    """The lamp behind `url`, not opened yet; raises `BadDeviceUrl`."""
    return cast(Lamp, _build("lamp", url))


def modem_for(url: str, tries: Path | None = None) -> Modem:
    """The modem behind `url`, not opened yet; raises `BadDeviceUrl`. `tries` is the file of PINs that its SIM card did not take."""
    modem = cast(Modem, _build("modem", url))
    if tries is not None and isinstance(modem, WithPin):
        modem.remember_in(tries)
    return modem


def hotspot_for(url: str) -> Hotspot:
    """The access point behind `url`, not listened to yet; raises `BadDeviceUrl`."""
    return cast(Hotspot, _build("hotspot", url))


def open_printer(url: str) -> Printer:
    """The opened printer behind `url`; raises `BadDeviceUrl` or `DeviceUnavailable`."""
    printer = printer_for(url)
    printer.open()
    return printer


def open_scanner(url: str) -> Scanner:
    """The opened scanner behind `url`; raises `BadDeviceUrl` or `DeviceUnavailable`."""
    scanner = scanner_for(url)
    scanner.open()
    return scanner


def open_camera(url: str) -> Camera:
    """The opened camera behind `url`; raises `BadDeviceUrl` or `DeviceUnavailable`."""
    camera = camera_for(url)
    camera.open()
    return camera


def open_lamp(url: str) -> Lamp:
    """The opened lamp behind `url`; raises `BadDeviceUrl`, `MissingLibrary` or `DeviceUnavailable`."""
    lamp = lamp_for(url)
    lamp.open()
    return lamp


def open_modem(url: str) -> Modem:
    """The opened modem behind `url`; raises `BadDeviceUrl`, `DeviceUnavailable` or `DeviceTimeout`."""
    modem = modem_for(url)
    modem.open()
    return modem


def schemes(family: str) -> list[str]:
    """All schemes that `family` knows on this machine, sorted."""
    plugged_in = {entry.name for entry in entry_points(group=f"marquee.drivers.{family}")}
    return sorted(plugged_in | set(BUILT_IN[family]))


def _build(family: str, text: str) -> Any:
    url = parse(text)
    return _factory(family, url)(url)


def _factory(family: str, url: DeviceUrl) -> Factory:
    target = BUILT_IN[family].get(url.scheme)
    if target is not None:
        module, _, name = target.partition(":")
        return cast(Factory, getattr(importlib.import_module(module), name))
    for entry in entry_points(group=f"marquee.drivers.{family}", name=url.scheme):
        return _load(entry.load, url)
    raise BadDeviceUrl(
        f"Unknown {family} scheme {url.scheme!r} in {url.text!r}; known schemes: {', '.join(schemes(family))}."
    )


def _load(load: Callable[[], Any], url: DeviceUrl) -> Factory:
    try:
        return cast(Factory, load())
    except DeviceError:
        raise
    except Exception as error:
        raise MissingLibrary(f"The driver for {url.scheme!r} cannot be loaded: {error}.") from error
