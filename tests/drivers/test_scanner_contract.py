"""What every scanner backend promises, run over each that can run here."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from drivers import DeviceError, DeviceUnavailable, State, open_scanner
from drivers.scanner.pty import PtyScanner
from tests.drivers.conftest import ScannerRig
from tests.drivers.patience import eventually


def test_codes_come_out_in_order(scanner_rig: ScannerRig) -> None:
    for code in ("A-1", "Łódź 2", "6BF+70790T9WJWG.FKY*4GO0"):
        scanner_rig.hand.scan(code)
    assert [scanner_rig.scanner.read(2.0) for _ in range(3)] == ["A-1", "Łódź 2", "6BF+70790T9WJWG.FKY*4GO0"]


def test_a_code_that_comes_while_waiting_ends_the_wait(scanner_rig: ScannerRig) -> None:
    hand = threading.Timer(0.05, scanner_rig.hand.scan, ["LATE"])
    hand.start()
    start = time.monotonic()
    assert scanner_rig.scanner.read(30.0) == "LATE"
    assert time.monotonic() - start < 10
    hand.join()


def test_without_a_code_read_returns_none_in_time(scanner_rig: ScannerRig) -> None:
    start = time.monotonic()
    assert scanner_rig.scanner.read(0.1) is None
    assert 0.09 <= time.monotonic() - start < 2
    assert scanner_rig.scanner.read(0) is None


def test_an_unplugged_scanner_is_unavailable_and_absent(scanner_rig: ScannerRig) -> None:
    scanner_rig.hand.unplug()
    with pytest.raises(DeviceUnavailable, match="plugged in"):
        scanner_rig.scanner.read(2.0)
    assert scanner_rig.scanner.health().state is State.ABSENT
    with pytest.raises(DeviceUnavailable):
        scanner_rig.scanner.open()
    with pytest.raises(DeviceUnavailable):
        scanner_rig.scanner.read(0.1)


def test_a_cable_pulled_while_waiting_ends_the_wait(scanner_rig: ScannerRig) -> None:
    hand = threading.Timer(0.05, scanner_rig.hand.unplug)
    hand.start()
    with pytest.raises(DeviceUnavailable):
        scanner_rig.scanner.read(30.0)
    hand.join()


def test_a_scanner_that_comes_back_is_read_again(scanner_rig: ScannerRig) -> None:
    scanner_rig.hand.unplug()
    with pytest.raises(DeviceUnavailable):
        scanner_rig.scanner.read(2.0)
    scanner_rig.hand.replug()
    assert eventually(lambda: _opens(scanner_rig))
    scanner_rig.hand.scan("AGAIN")
    assert scanner_rig.scanner.read(2.0) == "AGAIN"
    assert scanner_rig.scanner.health().state is State.READY


def _opens(rig: ScannerRig) -> bool:
    try:
        rig.scanner.open()
    except DeviceError:
        return False
    return True


def test_opening_and_closing_twice_is_harmless(scanner_rig: ScannerRig) -> None:
    scanner_rig.scanner.open()
    scanner_rig.scanner.close()
    scanner_rig.scanner.close()
    assert scanner_rig.scanner.health().state is State.ABSENT


def test_a_serial_scanner_belongs_to_one_reader() -> None:
    hand = PtyScanner()
    first = open_scanner(hand.url)
    with pytest.raises(DeviceUnavailable, match="no other program"):
        open_scanner(hand.url)
    first.close()
    hand.close()


def test_half_a_code_before_the_cable_was_pulled_does_not_spoil_the_next(tmp_path: Path) -> None:
    hand = PtyScanner(tmp_path / "scanner")
    scanner = open_scanner(hand.url + "?gap=5")
    hand.send(b"HALF")
    assert scanner.read(0.2) is None
    hand.unplug()
    with pytest.raises(DeviceUnavailable):
        scanner.read(1.0)
    hand.replug()
    scanner.open()
    hand.scan("WHOLE")
    assert scanner.read(2.0) == "WHOLE"
    scanner.close()
    hand.close()


def test_a_serial_scanner_without_terminator_is_read_by_its_pauses_and_without_its_frame() -> None:
    hand = PtyScanner(terminator=b"")
    scanner = open_scanner(hand.url + "?gap=0.05&prefix=%5BQ1&suffix=%23")
    hand.scan("[Q1CODE#")
    assert scanner.read(2.0) == "CODE"
    scanner.close()
    hand.close()


def test_a_code_that_is_too_long_is_dropped_and_reported() -> None:
    hand = PtyScanner()
    scanner = open_scanner(hand.url)
    sender = threading.Thread(target=hand.scan, args=["x" * 6000])
    sender.start()
    assert scanner.read(0.5) is None
    sender.join()
    hand.scan("SHORT")
    assert scanner.read(2.0) == "SHORT"
    assert scanner.health().detail["dropped"] == "1"
    scanner.close()
    hand.close()


def test_a_scanner_nobody_reads_refuses_instead_of_blocking() -> None:
    hand = PtyScanner()
    with pytest.raises(DeviceUnavailable, match="Nobody reads"):
        hand.send(b"x" * 1_000_000)
    hand.close()
    with pytest.raises(DeviceUnavailable, match="unplugged"):
        hand.scan("X")


def test_an_address_can_script_codes_and_a_pulled_cable() -> None:
    scanner = open_scanner("sim://scanner?codes=A,B,C&fault=unplug&after=2")
    assert [scanner.read(1), scanner.read(1)] == ["A", "B"]
    with pytest.raises(DeviceUnavailable):
        scanner.read(1)
