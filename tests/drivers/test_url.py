"""Device addresses and the registry of drivers."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from drivers import BadDeviceUrl, DeviceError, camera_for, open_camera, open_printer, printer_for, scanner_for
from drivers.errors import MissingLibrary
from drivers.printer.tcp import from_url
from drivers.registry import schemes
from drivers.url import parse


def test_an_address_is_split_into_scheme_host_port_path_and_options() -> None:
    url = parse("escpos+tcp://10.0.0.9:9100?profile=TM-T20II&timeout=2.5")
    assert (url.scheme, url.host, url.port) == ("escpos+tcp", "10.0.0.9", 9100)
    assert url.text_option("profile", "") == "TM-T20II"
    assert url.number("timeout", 1, low=0, high=10) == 2.5
    assert parse("serial:///dev/serial/by-id/usb%20one").path == "/dev/serial/by-id/usb one"


@pytest.mark.parametrize(
    ("build", "text", "named"),
    [
        (printer_for, "printer", "scheme"),
        (printer_for, "lpr://x", "'lpr'"),
        (printer_for, "sim://printer?papre=out", "'papre'"),
        (printer_for, "sim://printer?paper=eaten", "'eaten'"),
        (printer_for, "sim://printer?paper=out&fault=stall", "one at a time"),
        (printer_for, "sim://printer?paper=out&paper=ok", "twice"),
        (printer_for, "sim://printer?paper", "name=value"),
        (printer_for, "sim://printer?fault=stall&after=1&after_bytes=2", "both 'after' and 'after_bytes'"),
        (printer_for, "sim://toaster", "sim://printer"),
        (printer_for, "escpos+tcp://host:99999", "Port"),
        (printer_for, "escpos+tcp:///x", "escpos+tcp://host:9100"),
        (printer_for, "escpos+tcp://host?timeout=soon", "'soon'"),
        (printer_for, "escpos+tcp://host?timeout=nan", "'nan'"),
        (printer_for, "escpos+tcp://user:pw@host", "user name"),
        (printer_for, "escpos+tcp://host?profile=Typewriter", "'Typewriter'"),
        (printer_for, "escpos+serial://ttyUSB0", "escpos+serial:///dev"),
        (scanner_for, "serial:///dev/x?baud=fast", "'fast'"),
        (scanner_for, "sim://printer", "sim://scanner"),
        (camera_for, "picamera2://front", "picamera2://0"),
        (camera_for, "picamera2://0?width=801", "even"),
        (camera_for, "sim://camera?fault=melt", "'melt'"),
        (camera_for, "sim://camera\n", "control characters"),
    ],
)
def test_a_wrong_address_is_refused_with_the_word_that_is_wrong_and_what_to_do(
    build: Callable[[str], object], text: str, named: str
) -> None:
    with pytest.raises(BadDeviceUrl) as refused:
        build(text)
    assert named in str(refused.value)
    assert "Correct the device address" in str(refused.value)


def test_an_unknown_scheme_lists_the_known_ones() -> None:
    with pytest.raises(BadDeviceUrl, match=r"escpos\+file, escpos\+serial, escpos\+tcp, escpos\+usb, sim"):
        open_printer("usb://0")


class FakeEntryPoints:
    """Stands for the entry points of another installed distribution."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, group: str, name: str, value: str) -> None:
        entry = importlib.metadata.EntryPoint(name=name, value=value, group=group)

        def select(**wanted: Any) -> importlib.metadata.EntryPoints:
            return importlib.metadata.EntryPoints([entry]).select(**wanted)

        monkeypatch.setattr("drivers.registry.entry_points", select)


def test_another_distribution_adds_a_scheme_through_an_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    plugin = types.ModuleType("plugin_printers")
    plugin.__dict__["make"] = from_url
    monkeypatch.setitem(sys.modules, "plugin_printers", plugin)
    FakeEntryPoints(monkeypatch, "marquee.drivers.printer", "acme", "plugin_printers:make")
    assert printer_for("acme://host").profile == "TM-T20II"
    assert "acme" in schemes("printer")
    assert "acme" not in schemes("scanner")


def test_a_plug_in_cannot_replace_a_built_in_scheme(monkeypatch: pytest.MonkeyPatch) -> None:
    FakeEntryPoints(monkeypatch, "marquee.drivers.printer", "sim", "nothing:there")
    assert printer_for("sim://printer").profile == "TM-T20II"


def test_a_plug_in_that_cannot_be_loaded_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    FakeEntryPoints(monkeypatch, "marquee.drivers.printer", "acme", "module_that_is_not_there:make")
    with pytest.raises(MissingLibrary, match="module_that_is_not_there"):
        printer_for("acme://host")


def test_a_camera_module_without_its_library_is_reported_not_a_crash() -> None:
    with pytest.raises(DeviceError, match="python3-picamera2"):
        open_camera("picamera2://0")


def test_importing_the_drivers_imports_no_library_of_a_device(root: Path) -> None:
    """A web worker knows the addresses; it must not pay for pictures and serial ports."""
    program = "import drivers, sys; print(sorted({'PIL', 'serial', 'escpos', 'segno', 'picamera2'} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=root, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "[]"
