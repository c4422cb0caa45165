"""What is plugged in, told from the kernel's lists of a machine that is made of files here."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from appliance.cli import main
from appliance.doctor import attached
from appliance.doctor.devices import examine_devices
from appliance.doctor.findings import Finding
from appliance.settings import Settings, read_settings
from drivers import printer_for, scanner_for

SCANNER = """I: Bus=0003 Vendor=0c2e Product=0b61 Version=0111
N: Name="Honeywell Scanner 1900"
P: Phys=usb-1.2/input0
H: Handlers=sysrq kbd leds event3

"""
BUTTON = """I: Bus=0019 Vendor=0000 Product=0001 Version=0000
N: Name="Power Button"
H: Handlers=kbd event0

"""


def put(path: Path, text: str = "") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A board with a printer, a serial scanner, a keyboard scanner, two cameras and pins."""
    root = tmp_path / "root"
    usb = root / "sys/bus/usb/devices"
    put(usb / "1-1.3:1.0/bInterfaceClass", "07\n")
    put(usb / "1-1.4:1.0/bInterfaceClass", "03\n")
    for name, text in {
        "idVendor": "04b8",
        "idProduct": "0e28",
        "product": "TM-T20II",
        "busnum": "1",
        "devnum": "7",
    }.items():
        put(usb / "1-1.3" / name, f"{text}\n")
    put(root / "dev/bus/usb/001/007")
    put(usb / "1-1.5:1.0/bInterfaceClass", "0b\n")
    put(usb / "1-1.5/product", "ACR122U\n")
    (root / "dev/v4l/by-id").mkdir(parents=True)
    (root / "dev/v4l/by-id/usb-HD_Webcam-index0").symlink_to(root / "dev/video1")
    put(root / "dev/usb/lp0")
    put(root / "dev/ttyACM0")
    (root / "dev/serial/by-id").mkdir(parents=True)
    (root / "dev/serial/by-id/usb-GM65_Scanner-if00").symlink_to(root / "dev/ttyACM0")
    put(root / "dev/ttyUSB3")
    put(root / "proc/bus/input/devices", SCANNER + BUTTON)
    put(root / "dev/input/event3")
    (root / "dev/input/by-id").mkdir()
    (root / "dev/input/by-id/usb-Honeywell-event-kbd").symlink_to(root / "dev/input/event3")
    put(root / "sys/class/video4linux/video0/name", "unicam\n")
    put(root / "sys/class/video4linux/video10/name", "bcm2835-codec-decode\n")
    put(root / "sys/class/video4linux/video1/name", "HD Webcam\n")
    put(root / "sys/class/video4linux/video1/index", "0\n")
    put(root / "dev/video1")
    put(root / "dev/gpiochip0")
    return root


def settings(tmp_path: Path, **desk: str) -> Settings:
    values = {"MARQUEE_DEVICE_DATA": str(tmp_path), "MARQUEE_DEVICE_NAME": "north-1", "MARQUEE_DEVICE_VENUE": "north"}
    return read_settings(None, values | {f"MARQUEE_DESK_{name.upper()}": url for name, url in desk.items()})


def told(root: Path, found: Settings) -> dict[str, Finding]:
    """Findings by the words they begin with."""
    return {each.detail.partition(":")[0]: each for each in examine_devices(found, root)}


def test_every_attached_thing_is_told_with_the_address_to_write(root: Path, tmp_path: Path) -> None:
    """By stable names where there are some, and only with drivers that exist."""
    findings = told(root, settings(tmp_path))
    fix = {words: each.fix for words, each in findings.items()}
    assert 'desk.printer = "escpos+file:///dev/usb/lp0"' in fix["printer at /dev/usb/lp0"]
    assert 'desk.printer = "escpos+usb://04b8:0e28"' in fix["USB printer TM-T20II"]
    scanner = fix["serial port usb-GM65_Scanner-if00"]
    assert 'desk.scanner = "serial:///dev/serial/by-id/usb-GM65_Scanner-if00"' in scanner
    assert 'desk.modem = "at:///dev/serial/by-id/usb-GM65_Scanner-if00"' in scanner
    assert "serial port ttyUSB3, a name that may change" in findings
    assert "serial port ttyACM0, a name that may change" not in findings
    keyboard = fix["keyboard or scanner Honeywell Scanner 1900"]
    assert 'desk.scanner = "evdev:///dev/input/by-id/usb-Honeywell-event-kbd"' in keyboard
    assert not [words for words in findings if "Power Button" in words or "bcm2835" in words]
    assert 'desk.camera = "picamera2://0"' in fix["camera at the board's ribbon connector (unicam)"]
    assert 'desk.camera = "v4l2:///dev/v4l/by-id/usb-HD_Webcam-index0"' in fix["camera HD Webcam"]
    assert 'desk.scanner = "pcsc://"' in fix["card reader ACR122U"]
    assert 'desk.lamp = "gpio://' in fix["pins of the board (gpiochip0)"]


def test_every_address_it_tells_is_one_that_the_drivers_take(root: Path) -> None:
    """Nobody is told to write what is then refused."""
    makers = {"desk.printer": printer_for, "desk.scanner": scanner_for}
    for look in (attached.printers, attached.serial_ports, attached.keyboards):
        for each in look(root):
            for setting, url in each.addresses:
                if setting in makers:
                    makers[setting](url)


def test_what_the_settings_use_is_said_to_be_in_use(root: Path, tmp_path: Path) -> None:
    """Also under another of its names, or with options."""
    found = settings(
        tmp_path,
        scanner=f"serial://{root}/dev/ttyACM0".replace(str(root), ""),
        printer="escpos+usb://04b8:0e28?profile=TM-T20II",
        lamp="gpio://?green=5&red=6",
    )
    findings = list(examine_devices(found, root))
    used = [each.detail for each in findings if "in use as" in each.detail]
    assert used == [
        "USB printer TM-T20II: in use as desk.printer",
        "serial port usb-GM65_Scanner-if00: in use as desk.scanner",
        "pins of the board (gpiochip0): in use as desk.lamp",
    ]
    assert any(each.check == "scanner" and "not said anything" in each.detail for each in findings)


def test_a_device_file_that_may_not_be_opened_names_the_group(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The commonest trouble on a fresh machine."""
    monkeypatch.setattr(os, "access", lambda path, _mode: Path(path).name != "lp0")
    finding = told(root, settings(tmp_path))["printer at /dev/usb/lp0"]
    assert finding.state == "warn"
    assert "adduser" in finding.fix


def test_what_cannot_be_looked_at_is_said(tmp_path: Path) -> None:
    """A machine without any of it: no silence that could be taken for a clean bill."""
    findings = list(examine_devices(settings(tmp_path), tmp_path / "nothing"))
    unseen = {each.check for each in findings if each.detail.startswith("not looked at")}
    assert unseen == {"printer", "scanner", "reader", "camera", "modem", "lamp"}


def test_a_lamp_without_a_scanner_and_a_second_printer_alone_are_found_out(root: Path, tmp_path: Path) -> None:
    """Settings that look right and do nothing."""
    found = settings(tmp_path, lamp_2="sim://lamp", printer_2="sim://printer")
    fixes = [each.fix for each in examine_devices(found, root)]
    assert "Write its address as desk.printer." in fixes
    assert "Set desk.scanner_2 up, or take the lamp out." in fixes


def test_the_command_lists_them(capsys: pytest.CaptureFixture[str]) -> None:
    """``marquee doctor --devices`` on this very machine, whatever it has."""
    assert main(["doctor", "--devices"]) in {0, 1}
    assert "printer" in capsys.readouterr().out
