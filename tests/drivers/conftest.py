"""One rig per backend, so that each contract is written once and run over all that can run here."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pytest

from drivers import open_scanner
from drivers.scanner.api import Scanner
from drivers.scanner.module import Gm65Brain, PtyModule
from drivers.scanner.pty import PtyScanner
from drivers.scanner.sim import SimScanner
from tests.drivers.keyboard import PretendKeyboard, pretend
from tests.drivers.printer_rigs import RIGS, PrinterRig


@pytest.fixture(params=RIGS.values(), ids=list(RIGS))
def printer_rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[PrinterRig]:
    yield from request.param(tmp_path)


class Hand(Protocol):
    """What holds codes before a scanner and pulls its cable; also in the guest, where the devices are the kernel's."""

    def scan(self, code: str) -> None: ...

    def unplug(self) -> None: ...

    def replug(self) -> None: ...


@dataclass
class ScannerRig:
    """An opened scanner and what stands for the hand that holds codes before it."""

    scanner: Scanner
    hand: Hand


def _sim_scanner(_folder: Path, _monkeypatch: pytest.MonkeyPatch) -> Iterator[ScannerRig]:
    scanner = open_scanner("sim://scanner")
    assert isinstance(scanner, SimScanner)
    yield ScannerRig(scanner, scanner)
    scanner.close()


def _serial_scanner(folder: Path, _monkeypatch: pytest.MonkeyPatch) -> Iterator[ScannerRig]:
    yield from _scanner_at(PtyScanner(folder / "scanner"))


def _gm65_scanner(folder: Path, _monkeypatch: pytest.MonkeyPatch) -> Iterator[ScannerRig]:
    yield from _scanner_at(PtyModule(Gm65Brain(), folder / "scanner"), "?proto=gm65")


def _keyboard_scanner(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ScannerRig]:
    # A unix socket's path may have no more than some hundred letters.
    with tempfile.TemporaryDirectory() as short:
        hand = PretendKeyboard(Path(short) / "kbd")
        pretend(monkeypatch, {str(Path(short) / "kbd"): hand})
        yield from _scanner_at(hand)


def _scanner_at(hand: PtyScanner | PretendKeyboard, options: str = "") -> Iterator[ScannerRig]:
    scanner = open_scanner(hand.url + options)
    yield ScannerRig(scanner, hand)
    scanner.close()
    hand.close()


@pytest.fixture(
    params=[_sim_scanner, _serial_scanner, _gm65_scanner, _keyboard_scanner], ids=["sim", "serial", "gm65", "evdev"]
)
def scanner_rig(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ScannerRig]:
    yield from request.param(tmp_path, monkeypatch)
