"""What is plugged into this machine's USB that may be a desk's device, from the kernel's lists alone.

It is cautious: what may as well be something else is told with the reason, and used only when the settings name it. Classes are those of
usb.org's list of defined class codes; where the kernel's drivers put their devices was read in its sysfs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_PRINTER, _HID, _VIDEO, _COMMUNICATION, _DATA, _STORAGE = "07", "03", "0e", "02", "0a", "08"
# Of class 02: a serial line (abstract control model); all others carry a network or a telephone.
_SERIAL_SUBCLASS = "02"
_WITH_A_SERIAL_LINE = frozenset({_COMMUNICATION, _DATA, _HID, _STORAGE})
_NO_SCANNERS = re.compile(r"modem|gps|gnss|u-?blox|arduino|pico|esp32|printer|lte|gsm", re.IGNORECASE)
# Words that makers of scanners write into the name of what types like a keyboard.
_SCANNERS = re.compile(
    r"scan|bar ?code|reader|honeywell|metrologic|zebra|symbol|datalogic|newland|opticon|inateck|netum|tera\b|eyoyo|"
    r"sycreader|usbkey|hidkb|hid ?kbw|wit 122|gm6|gm8|2d product|nt40",
    re.IGNORECASE,
)
# Languages of office printers (IEEE 1284 device id, COMMAND SET); a receipt printer says ESC/POS, or nothing at all.
_PAGES = re.compile(r"(?:CMD|COMMAND SET):[^;]*\b(PCL|PJL|POSTSCRIPT|PS|URF|PWGRASTER|PDF|ESCPL2|ESCPR)", re.IGNORECASE)
_ENTER, _LETTER_A = 28, 30


@dataclass(frozen=True)
class Plugged:
    """``device`` as in ``domain.bindings``; ``address`` for the family's drivers, ``path`` of its device file if it has one.

    ``doubt`` says why it is not used by itself; empty where it is.
    """

    family: str
    device: str
    words: str
    address: str
    path: str = ""
    doubt: str = ""


def plugged(root: Path = Path("/")) -> list[Plugged]:
    """Everything that is there now, in the order of the sockets; a device that is two things is a serial port first."""
    found: list[Plugged] = []
    devices = [each for each in (root / "sys/bus/usb/devices").glob("*") if (each / "idVendor").exists()]
    devices.sort(key=lambda each: [int(part) for part in re.findall(r"\d+", each.name)])
    for device in devices:
        interfaces = sorted(device.parent.glob(f"{device.name}:*"))
        things = [each for interface in interfaces for each in _of(device, interface, interfaces)]
        # Keyboards come in several interfaces and some scanners are both; one of each family is what a person sees.
        things.sort(key=lambda each: each.address.startswith("evdev:"))
        found += {each.family: each for each in reversed(things)}.values()
    return _told_apart(found)


def _of(device: Path, interface: Path, all_of_it: list[Path]) -> Iterator[Plugged]:
    kind = _text(interface / "bInterfaceClass")
    if kind == _PRINTER:
        yield _printer(device, interface)
    for port in sorted(interface.glob("tty/ttyACM*")):
        yield _serial(device, port.name, _doubt_of_serial(device, all_of_it))
    for port in sorted(interface.glob("ttyUSB*")):
        yield _serial(device, port.name, "a plug like this may lead to anything")
    if kind == _HID:
        for event in sorted(interface.glob("0003:*/input/input*/event*")):
            if _types_letters(event.parent / "capabilities/key"):
                yield _keyboard(device, event.name)
    if kind == _VIDEO:
        for camera in sorted(interface.glob("video4linux/video*")):
            if _text(camera / "index") in {"", "0"}:
                path = f"/dev/{camera.name}"
                yield Plugged("camera", _identity(device), _words(device, "camera"), f"v4l2://{path}", path)


def _printer(device: Path, interface: Path) -> Plugged:
    """By the file of the kernel's driver, which the group lp may use everywhere; by libusb where that driver is not there."""
    words, path = (
        _words(device, "printer"),
        next((f"/dev/usb/{each.name}" for each in interface.glob("usbmisc/lp*")), ""),
    )
    serial = _text(device / "serial")
    ids = f"{_text(device / 'idVendor')}:{_text(device / 'idProduct')}"
    address = f"escpos+file://{path}" if path else f"escpos+usb://{ids}" + (f"/{serial}" if _is_plain(serial) else "")
    doubt = "it prints pages, not receipts" if _PAGES.search(_text(interface / "ieee1284_id")) else ""
    return Plugged("printer", _identity(device), words, address, path, doubt)


def _serial(device: Path, port: str, doubt: str) -> Plugged:
    path = f"/dev/{port}"
    return Plugged("scanner", _identity(device), _words(device, "serial port"), f"serial://{path}", path, doubt)


def _keyboard(device: Path, event: str) -> Plugged:
    path, words = f"/dev/input/{event}", _words(device, "keyboard")
    doubt = "" if _SCANNERS.search(words) else "it types, and does not call itself a scanner"
    return Plugged("scanner", _identity(device), words, f"evdev://{path}", path, doubt)


def _doubt_of_serial(device: Path, interfaces: list[Path]) -> str:
    kinds = [(_text(each / "bInterfaceClass"), _text(each / "bInterfaceSubClass")) for each in interfaces]
    ports = sum(len(list(each.glob("tty/ttyACM*"))) for each in interfaces)
    carries = any(
        kind not in _WITH_A_SERIAL_LINE or (kind == _COMMUNICATION and sub != _SERIAL_SUBCLASS) for kind, sub in kinds
    )
    if ports > 1 or carries:
        return "it looks like a modem"
    return "its name is not a scanner's" if _NO_SCANNERS.search(_words(device, "")) else ""


def _types_letters(capabilities: Path) -> bool:
    """Whether it has Enter and letters, from the kernel's words of 64 (or 32) bits, the highest first."""
    words = _text(capabilities).split()
    lowest = int(words[-1], 16) if words else 0
    return bool(lowest >> _ENTER & 1 and lowest >> _LETTER_A & 1)


def _identity(device: Path) -> str:
    """By the serial number where the maker wrote one, else by the socket."""
    ids, serial = f"{_text(device / 'idVendor')}:{_text(device / 'idProduct')}", _text(device / "serial")
    return f"{ids}#{serial}" if _is_plain(serial) else f"{ids}@{device.name}"


def _told_apart(found: list[Plugged]) -> list[Plugged]:
    """Serial numbers that several devices share are none: then the sockets, whose order the list has, tell them apart."""
    seen: dict[tuple[str, str], int] = {}
    apart = []
    for each in found:
        count = seen[each.family, each.device] = seen.get((each.family, each.device), 0) + 1
        device = each.device if count == 1 else f"{each.device}+{count}"
        apart.append(Plugged(each.family, device, each.words, each.address, each.path, each.doubt))
    return apart


def _words(device: Path, kind: str) -> str:
    name = " ".join(filter(None, (_text(device / "manufacturer"), _text(device / "product"))))
    return f"{name or device.name} ({kind})" if kind else name


def _is_plain(serial: str) -> bool:
    return re.fullmatch(r"[A-Za-z0-9._-]{1,64}", serial) is not None


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace").strip()
    except OSError:
        return ""
