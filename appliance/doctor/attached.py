"""What is plugged into this machine, read from the kernel's lists; nothing is opened, and no rights beyond reading are needed.

Each list is a function of the root folder. It yields what it found, or raises ``NotSeen`` where it cannot look.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from drivers.errors import DeviceError
from drivers.modem.bus import Bus, BusError

# Classes of USB interfaces (usb.org, defined class codes).
PRINTERS, CARD_READERS = "07", "0b"
MODEM_S = 1.0
_SERIAL_NAMES = ("ttyACM*", "ttyUSB*", "serial0")
_KEYBOARD = re.compile(r"\bkbd\b")
_EVENT = re.compile(r"\bevent\d+\b")
_BUS_USB, _BUS_BLUETOOTH = "0003", "0005"


class NotSeen(Exception):
    """A list cannot be read here; the text says why and what to do."""


@dataclass(frozen=True)
class Attached:
    """One thing: ``words`` name it, ``addresses`` are (setting, driver address) that would use it, ``path`` must be usable."""

    words: str
    addresses: tuple[tuple[str, str], ...]
    path: Path | None = None
    group: str = ""

    @property
    def forbidden(self) -> bool:
        """Whether this user may not open it."""
        return self.path is not None and not os.access(self.path, os.R_OK | os.W_OK)


def serial_ports(root: Path) -> Iterator[Attached]:
    """USB serial ports by their stable names; by the kernel's own where udev made none."""
    named = sorted((root / "dev/serial/by-id").glob("*"))
    known = {path.resolve() for path in named}
    others = [path for name in _SERIAL_NAMES for path in sorted((root / "dev").glob(name))]
    for path in (*named, *(each for each in others if each.resolve() not in known)):
        shown = quote(f"/{path.relative_to(root)}")
        uses = (
            ("desk.scanner", f"serial://{shown}"),
            ("desk.printer", f"escpos+serial://{shown}"),
            ("desk.modem", f"at://{shown}"),
        )
        stable = "" if path in named else ", a name that may change"
        yield Attached(f"serial port {path.name}{stable}", uses, path, "dialout")


def printers(root: Path) -> Iterator[Attached]:
    """Printers that the kernel's driver holds, and those that libusb can reach by vendor and product."""
    bus = root / "sys/bus/usb/devices"
    files = sorted((root / "dev/usb").glob("lp*"))
    if not bus.is_dir() and not files:
        raise NotSeen("this kernel shows no USB bus (/sys/bus/usb)")
    for path in files:
        words = f"printer at /dev/usb/{path.name}"
        yield Attached(words, (("desk.printer", f"escpos+file:///dev/usb/{path.name}"),), path, "lp")
    for interface in sorted(bus.glob("*:*")):
        if _text(interface / "bInterfaceClass") != PRINTERS:
            continue
        device = bus / interface.name.partition(":")[0]
        ids = f"{_text(device / 'idVendor')}:{_text(device / 'idProduct')}"
        name = " ".join(filter(None, (_text(device / "manufacturer"), _text(device / "product"))))
        node = root / f"dev/bus/usb/{_text(device / 'busnum').zfill(3)}/{_text(device / 'devnum').zfill(3)}"
        yield Attached(f"USB printer {name or ids}", (("desk.printer", f"escpos+usb://{ids}"),), node, "lp")


def keyboards(root: Path) -> Iterator[Attached]:
    """Input devices on USB or Bluetooth that type: scanners that act as a keyboard look like that, and so do keyboards."""
    listed = root / "proc/bus/input/devices"
    try:
        blocks = listed.read_text("utf-8", "replace").split("\n\n")
    except OSError as error:
        raise NotSeen(f"{listed} cannot be read ({error.strerror})") from None
    by_id = {path.resolve().name: path for path in sorted((root / "dev/input/by-id").glob("*-event-*"))}
    for block in blocks:
        handlers = _field(block, "H: Handlers=")
        event = _EVENT.search(handlers)
        if not _KEYBOARD.search(handlers) or event is None or _bus(block) not in {_BUS_USB, _BUS_BLUETOOTH}:
            continue
        path = by_id.get(event.group(), root / "dev/input" / event.group())
        name = _field(block, "N: Name=").strip('"')
        address = f"evdev://{quote(f'/{path.relative_to(root)}')}"
        yield Attached(f"keyboard or scanner {name}", (("desk.scanner", address),), path, "input")


def card_readers(root: Path) -> Iterator[Attached]:
    """Readers of smart cards, which pcscd drives."""
    bus = root / "sys/bus/usb/devices"
    if not bus.is_dir():
        raise NotSeen("this kernel shows no USB bus (/sys/bus/usb)")
    for interface in sorted(bus.glob("*:*")):
        if _text(interface / "bInterfaceClass") == CARD_READERS:
            device = bus / interface.name.partition(":")[0]
            name = " ".join(filter(None, (_text(device / "manufacturer"), _text(device / "product"))))
            yield Attached(f"card reader {name or interface.name}", (("desk.scanner", "pcsc://"),))


def cameras(root: Path) -> Iterator[Attached]:
    """Video devices; a ribbon camera of the board is reached through libcamera, whatever number it has."""
    folder = root / "sys/class/video4linux"
    if not folder.is_dir():
        raise NotSeen("this kernel has no video devices (/sys/class/video4linux); load the camera's driver")
    named = {path.resolve().name: path for path in sorted((root / "dev/v4l/by-id").glob("*-index0"))}
    for each in sorted(folder.glob("video*")):
        name = _text(each / "name")
        if name.startswith(("unicam", "rp1-cfe")):
            if _text(each / "index") in {"", "0"}:
                words = f"camera at the board's ribbon connector ({name})"
                yield Attached(words, (("desk.camera", "picamera2://0"),))
        elif _text(each / "index") in {"", "0"} and not name.startswith(("bcm2835-", "rpi-", "pispbe")):
            path = named.get(each.name, root / "dev" / each.name)
            address = f"v4l2://{quote(f'/{path.relative_to(root)}')}"
            yield Attached(f"camera {name}", (("desk.camera", address),), path, "video")


def pins(root: Path) -> Iterator[Attached]:
    """The pins of the board, for lamps and buttons."""
    chips = sorted((root / "dev").glob("gpiochip*"))
    if not chips:
        raise NotSeen("this machine has no pins (/dev/gpiochip*)")
    address = "gpio://?green=17&red=27&button=22"
    yield Attached(f"pins of the board ({chips[0].name})", (("desk.lamp", address),), chips[0], "gpio")


def modems(_root: Path, bus: str = "SYSTEM") -> Iterator[Attached]:
    """Modems that ModemManager knows."""
    try:
        found = _managed(bus)
    except (DeviceError, BusError) as error:
        text = error.reason if isinstance(error, DeviceError) else str(error)
        raise NotSeen(f"ModemManager cannot be asked: {text}") from None
    for imei, name in found:
        yield Attached(f"modem {name}", (("desk.modem", f"modemmanager://{imei}"),))


def _managed(bus: str) -> list[tuple[str, str]]:
    """(IMEI, name) of each modem."""
    from jeepney import DBusAddress

    connection = Bus(bus, MODEM_S)
    try:
        where = DBusAddress(
            "/org/freedesktop/ModemManager1",
            bus_name="org.freedesktop.ModemManager1",
            interface="org.freedesktop.DBus.ObjectManager",
        )
        (objects,) = connection.call(where, "GetManagedObjects", "", (), MODEM_S)
    finally:
        connection.close()
    told = [each.get("org.freedesktop.ModemManager1.Modem", {}) for each in objects.values()]
    return [(_said(each, "EquipmentIdentifier"), _said(each, "Model")) for each in told if each]


def _said(properties: dict[str, tuple[str, object]], name: str) -> str:
    return str(properties.get(name, ("s", ""))[1])


def _field(block: str, start: str) -> str:
    return next((line.removeprefix(start) for line in block.splitlines() if line.startswith(start)), "")


def _bus(block: str) -> str:
    found = re.search(r"Bus=([0-9a-f]{4})", block)
    return found.group(1) if found else ""


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace").strip()
    except OSError:
        return ""
