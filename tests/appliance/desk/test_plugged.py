"""What the kernel's lists of USB say is plugged in, and what is left alone because it may be something else."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance.desk.plugged import plugged

KEYS = "1000000000007 ff9f207ac14057ff febeffdfffefffff fffffffffffffffe"


class Bus:
    """Files as /sys has them; ``plug`` makes a device with its interfaces (class, subclass, files below)."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def plug(
        self,
        socket: str,
        name: str,
        *interfaces: tuple[str, str, dict[str, str]],
        serial: str = "",
        ids: str = "0525:a4a7",
    ) -> None:
        bus = self.root / "sys/bus/usb/devices"
        vendor, _, product = ids.partition(":")
        maker, _, word = name.partition(" ")
        told = {"idVendor": vendor, "idProduct": product, "manufacturer": maker, "product": word, "serial": serial}
        for key, value in told.items():
            self._write(bus / socket / key, value)
        for number, (kind, subclass, files) in enumerate(interfaces):
            at = bus / f"{socket}:1.{number}"
            self._write(at / "bInterfaceClass", kind)
            self._write(at / "bInterfaceSubClass", subclass)
            for path, text in files.items():
                self._write(at / path, text)

    def _write(self, path: Path, text: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")


@pytest.fixture
def bus(tmp_path: Path) -> Bus:
    return Bus(tmp_path)


def serial(port: str) -> tuple[tuple[str, str, dict[str, str]], ...]:
    return ("02", "02", {f"tty/{port}/dev": "166:0"}), ("0a", "00", {})


def keyboard(event: str, keys: str = KEYS) -> tuple[str, str, dict[str, str]]:
    at = "0003:0525:A4A7.0001/input/input7"
    return "03", "01", {f"{at}/{event}/dev": "13:64", f"{at}/capabilities/key": keys}


def printer(file: str = "", says: str = "") -> tuple[str, str, dict[str, str]]:
    return "07", "01", ({f"usbmisc/{file}/dev": "180:0"} if file else {}) | ({"ieee1284_id": says} if says else {})


def found(bus: Bus) -> list[tuple[str, str]]:
    return [(each.address, each.doubt) for each in plugged(bus.root)]


def test_nothing_is_found_where_nothing_is(bus: Bus) -> None:
    assert plugged(bus.root) == []


def test_scanners_printers_and_cameras_are_found_in_the_order_of_their_sockets(bus: Bus) -> None:
    bus.plug("1-1.10", "GM65 Scanner", *serial("ttyACM1"))
    bus.plug("1-1.2", "Newland Barcode Reader", keyboard("event3"), serial="N1")
    bus.plug(
        "1-1.3",
        "EPSON TM-T20II",
        printer("lp0", "MFG:EPSON;CMD:ESC/POS;MDL:TM-T20II;CLS:PRINTER;"),
        serial="X9",
        ids="04b8:0e28",
    )
    bus.plug("1-1.4", "Logitech C270", ("0e", "01", {"video4linux/video0/index": "0", "video4linux/video1/index": "1"}))
    bus.plug("1-1.5", "Some Stick", ("08", "06", {}))
    assert [(each.family, each.device, each.words, each.address, each.doubt) for each in plugged(bus.root)] == [
        ("scanner", "0525:a4a7#N1", "Newland Barcode Reader (keyboard)", "evdev:///dev/input/event3", ""),
        ("printer", "04b8:0e28#X9", "EPSON TM-T20II (printer)", "escpos+file:///dev/usb/lp0", ""),
        ("camera", "0525:a4a7@1-1.4", "Logitech C270 (camera)", "v4l2:///dev/video0", ""),
        ("scanner", "0525:a4a7@1-1.10", "GM65 Scanner (serial port)", "serial:///dev/ttyACM1", ""),
    ]


def test_a_printer_without_the_kernels_driver_is_reached_without_it(bus: Bus) -> None:
    bus.plug("1-1", "EPSON TM-T20II", printer(), serial="X9", ids="04b8:0e28")
    bus.plug("1-2", "EPSON TM-T20II", printer(), ids="04b8:0e28")
    assert found(bus) == [("escpos+usb://04b8:0e28/X9", ""), ("escpos+usb://04b8:0e28", "")]


DOUBTS = {
    "office printer": ("HP LaserJet", (printer("lp0", "MFG:HP;CMD:PJL,PCLXL,POSTSCRIPT;MDL:LaserJet;"),), "pages"),
    "serial plug": ("FTDI FT232R", (("ff", "ff", {"ttyUSB0/tty/ttyUSB0/dev": "188:0"}),), "may lead to anything"),
    "stick with several ports": ("Huawei Mobile", (*serial("ttyACM0"), *serial("ttyACM1")), "modem"),
    "stick with a network": ("ZTE Mobile", (*serial("ttyACM0"), ("02", "0e", {})), "modem"),
    "stick with a radio": ("Quectel EC25", (*serial("ttyACM0"), ("ff", "ff", {})), "modem"),
    "receiver of positions": ("u-blox GNSS receiver", serial("ttyACM0"), "not a scanner's"),
    "keyboard": ("Logitech Keyboard K120", (keyboard("event0"),), "does not call itself a scanner"),
}


@pytest.mark.parametrize("kind", DOUBTS)
def test_what_may_be_something_else_is_told_and_not_used(bus: Bus, kind: str) -> None:
    name, interfaces, reason = DOUBTS[kind]
    bus.plug("1-1", name, *interfaces)
    [(_, doubt)] = found(bus)
    assert reason in doubt


def test_what_types_no_letters_is_no_keyboard(bus: Bus) -> None:
    bus.plug("1-1", "Scanner Buttons", keyboard("event0", "100000000"))
    assert found(bus) == []


def test_a_scanner_that_is_keyboard_and_serial_port_is_read_once(bus: Bus) -> None:
    bus.plug("1-1", "Newland Scanner", keyboard("event0"), *serial("ttyACM0"))
    assert found(bus) == [("serial:///dev/ttyACM0", "")]


def test_serial_numbers_that_all_of_a_kind_share_are_none(bus: Bus) -> None:
    bus.plug("1-2", "GM65 Scanner", *serial("ttyACM1"), serial="0001")
    bus.plug("1-1", "GM65 Scanner", *serial("ttyACM0"), serial="0001")
    assert [each.device for each in plugged(bus.root)] == ["0525:a4a7#0001", "0525:a4a7#0001+2"]
