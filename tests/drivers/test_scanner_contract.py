"""What every scanner backend promises, run over each that can run here."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from urllib.parse import quote

import pytest

from drivers import DeviceError, DeviceUnavailable, State, open_scanner
from drivers.scanner import sim
from drivers.scanner.pty import PtyScanner
from tests.drivers.conftest import Hand, ScannerRig
from tests.drivers.patience import eventually


def test_codes_come_out_in_order(scanner_rig: ScannerRig) -> None:
    codes = ["A-1", "mixed Case 2", "MQ1:6BF+70790T9WJWG.FKY*4GO0/$%"]
    for code in codes:
        scanner_rig.hand.scan(code)
    assert [scanner_rig.scanner.read(2.0) for _ in codes] == codes


def _scan_all(hand: Hand, codes: list[str]) -> None:
    for code in codes:
        hand.scan(code)


def test_a_burst_of_fifty_receipts_comes_out_whole_and_in_order(scanner_rig: ScannerRig) -> None:
    codes = [f"MQ1:{number:03d}" + "6BF+70790T9WJWG.FKY*4GO0" * 14 for number in range(50)]
    hand = threading.Thread(target=_scan_all, args=(scanner_rig.hand, codes))
    hand.start()
    assert [scanner_rig.scanner.read(2.0) for _ in codes] == codes
    hand.join()
    assert scanner_rig.scanner.health().state is State.READY


def test_a_scanner_that_only_listens_does_not_claim_to_read(scanner_rig: ScannerRig) -> None:
    assert scanner_rig.scanner.read(0) is None
    assert "no code has come yet" in scanner_rig.scanner.health().reason
    scanner_rig.hand.scan("FIRST")
    assert scanner_rig.scanner.read(2.0) == "FIRST"
    assert "Reading codes" in scanner_rig.scanner.health().reason


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


def test_two_scanners_at_once_keep_their_codes_apart(tmp_path: Path) -> None:
    hands = [PtyScanner(tmp_path / name) for name in ("north", "south")]
    scanners = [open_scanner(hand.url) for hand in hands]
    threads = [
        threading.Thread(target=_scan_all, args=(hand, [f"{name}-{number}" for number in range(200)]))
        for hand, name in zip(hands, ("N", "S"), strict=True)
    ]
    for thread in threads:
        thread.start()
    for number in range(200):
        assert [scanner.read(2.0) for scanner in scanners] == [f"N-{number}", f"S-{number}"]
    for thread, scanner, hand in zip(threads, scanners, hands, strict=True):
        thread.join()
        scanner.close()
        hand.close()


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


@pytest.fixture
def control(tmp_path: Path) -> Path:
    return tmp_path / "control"


@pytest.mark.parametrize("fault", ["partial", "slow", "burst", "none"])
def test_a_simulated_fault_that_only_delays_loses_nothing(control: Path, fault: str, monkeypatch) -> None:
    monkeypatch.setattr(sim, "SLOW_S", 0.05)
    codes = [f"CODE-{number}" for number in range(sim.BURST)]
    scanner = open_scanner(f"sim://scanner?codes={','.join(codes)}&control={control}")
    control.write_text(fault)
    assert [scanner.read(2.0) for _ in codes] == codes
    scanner.close()


def test_a_simulated_stall_ends_when_its_control_says_so(control: Path) -> None:
    scanner = open_scanner(f"sim://scanner?codes=A&control={control}")
    control.write_text("stall\n")
    assert scanner.read(0.1) is None
    control.write_text("")
    assert scanner.read(2.0) == "A"


def test_a_simulated_scanner_is_unplugged_and_plugged_by_its_control(control: Path) -> None:
    scanner = open_scanner(f"sim://scanner?control={control}")
    assert isinstance(scanner, sim.SimScanner)
    control.write_text("unplug")
    with pytest.raises(DeviceUnavailable):
        scanner.read(2.0)
    with pytest.raises(DeviceUnavailable):
        scanner.open()
    with pytest.raises(DeviceUnavailable):
        scanner.scan("NOBODY THERE")
    control.unlink()
    scanner.open()
    scanner.scan("BACK")
    assert scanner.read(2.0) == "BACK"


@pytest.mark.parametrize("fault", ["garbage", "babble"])
def test_simulated_noise_degrades_health_and_codes_come_again_after_it(control: Path, fault: str) -> None:
    scanner = open_scanner(f"sim://scanner?codes=SPOILT-CODE&control={control}")
    assert isinstance(scanner, sim.SimScanner)
    control.write_text(fault)
    assert eventually(lambda: scanner.read(0.1) != "never" and scanner.health().state is State.DEGRADED)
    assert "not readable" in scanner.health().reason
    control.write_text("none")
    assert eventually(lambda: scanner.read(0.25) is None)
    scanner.scan("GOOD")
    assert scanner.read(2.0) == "GOOD"


def test_a_simulated_wrong_keyboard_is_said_and_put_right() -> None:
    pattern = quote(r"MQ1:[0-9A-Z $%*+./:\-]+")
    scanner = open_scanner(f"sim://scanner?codes=MQ1:AQ0/-%25$&fault=layout&expect={pattern}")
    assert scanner.read(2.0) == "MQ1:AQ0/-%$"
    assert scanner.health().state is State.DEGRADED
    assert "French" in scanner.health().reason
