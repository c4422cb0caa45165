"""The scanner contract over a USB serial port and a keyboard of the kernel's; and what only a kernel has."""

from __future__ import annotations

import os
import select
import termios
import threading
import tty
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import evdev
import pytest

from drivers import DeviceUnavailable, State, open_scanner
from tests.drivers import test_scanner_contract as contract
from tests.drivers.conftest import ScannerRig
from tests.drivers.test_scanner_contract import *  # noqa: F403  the very same tests
from tests.system.guest.inside.gadgets import SerialHand
from tests.system.guest.inside.keyboards import UinputKeyboard

RECEIPT = "MQ1:6BF+70790T9WJWG.FKY*4GO0/$%- Z"
LOOKS = quote(r"MQ1:[0-9A-Z $%*+./:\-]+")
QUIET_S = 0.5


@pytest.mark.parametrize("scanner_rig", ["serial"], indirect=True)  # type: ignore[no-redef]
def test_a_burst_of_fifty_receipts_comes_out_whole_and_in_order(scanner_rig: ScannerRig) -> None:
    """Not from a keyboard, which types fifty receipts in a minute."""
    contract.test_a_burst_of_fifty_receipts_comes_out_whole_and_in_order(scanner_rig)


@pytest.fixture
def keyboard(name: str, tmp_path: Path) -> Iterator[UinputKeyboard]:
    hand = UinputKeyboard(name, tmp_path / "keyboard")
    yield hand
    hand.close()


def _can_be_read(descriptor: int, wait_s: float) -> bool:
    return bool(select.select([descriptor], [], [], wait_s)[0])


def test_a_grabbed_keyboard_types_for_nobody_else(keyboard: UinputKeyboard) -> None:
    other = evdev.InputDevice(str(keyboard.path))
    keyboard.scan("FOR EVERYBODY")
    assert _can_be_read(other.fd, 5.0)
    while _can_be_read(other.fd, QUIET_S):
        list(other.read())
    scanner = open_scanner(keyboard.url)
    keyboard.scan(RECEIPT)
    assert scanner.read(5.0) == RECEIPT
    assert not _can_be_read(other.fd, QUIET_S)
    with pytest.raises(DeviceUnavailable, match="alone"):
        open_scanner(keyboard.url)
    scanner.close()
    keyboard.scan("AGAIN")
    assert _can_be_read(other.fd, 5.0)
    other.close()


def test_a_grabbed_keyboard_does_not_type_into_the_login_prompt(keyboard: UinputKeyboard) -> None:
    console = os.open("/dev/tty1", os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    tty.setraw(console)
    # What other tests typed while nobody had grabbed it.
    termios.tcflush(console, termios.TCIFLUSH)
    keyboard.scan("root")
    typed = b""
    while _can_be_read(console, 2.0 if not typed else QUIET_S):
        typed += os.read(console, 100)
    assert typed == b"root\r"
    scanner = open_scanner(keyboard.url)
    keyboard.scan(RECEIPT)
    assert scanner.read(5.0) == RECEIPT
    assert not _can_be_read(console, QUIET_S)
    scanner.close()
    os.close(console)


@pytest.mark.parametrize(("layout", "country"), [("fr", "French"), ("de", "German")])
def test_a_scanner_set_to_another_keyboard_is_found_out(keyboard: UinputKeyboard, layout: str, country: str) -> None:
    scanner = open_scanner(f"{keyboard.url}&layouts=us,{layout}&expect={LOOKS}")
    keyboard.scan(RECEIPT, layout)
    assert scanner.read(5.0) == RECEIPT
    assert scanner.health().state is State.DEGRADED
    assert country in scanner.health().reason
    scanner.close()


def _scan_each(hand: SerialHand | UinputKeyboard, codes: list[str]) -> None:
    for code in codes:
        hand.scan(code)


def test_codes_typed_without_a_pause_are_kept_while_nobody_asks(keyboard: UinputKeyboard) -> None:
    """More than the 64 events that the kernel keeps for a reader."""
    scanner = open_scanner(keyboard.url)
    codes = [f"{RECEIPT}{number}" for number in range(10)]
    for code in codes:
        keyboard.scan(code)
    assert [scanner.read(5.0) for _ in codes] == codes
    assert scanner.health().state is State.READY
    scanner.close()


def test_three_scanners_at_once_keep_their_codes_apart(name: str, keyboard: UinputKeyboard) -> None:
    hands: list[SerialHand | UinputKeyboard] = [
        SerialHand(f"{name}-A", port=1),
        SerialHand(f"{name}-B", port=2),
        keyboard,
    ]
    scanners = [open_scanner(hand.url) for hand in hands]
    codes = [[f"LANE-{lane}-{number:03d}" for number in range(20)] for lane in range(3)]
    threads = [threading.Thread(target=_scan_each, args=pair) for pair in zip(hands, codes, strict=True)]
    for thread in threads:
        thread.start()
    got = [[scanner.read(10.0) for _ in range(20)] for scanner in scanners]
    for thread in threads:
        thread.join()
    assert got == codes
    for scanner in scanners:
        scanner.close()
    for hand in hands:
        hand.close()
