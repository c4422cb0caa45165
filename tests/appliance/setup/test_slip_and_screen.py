"""What keeps a card from being a device is on paper once for each problem, and on the console's screen."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from appliance.desk.setup_slip import SetupDesk, printer_at
from appliance.domain.setup import WORDS, Setup
from appliance.errands.setup_screen import COLUMNS, follow, opened, screen_of
from appliance.services.setting_up import write_setup
from drivers.printer.sim import SimPrinter
from drivers.printer.simulator import Fault, SimulatedPrinter

PROBLEM = "wifi.country: is no country; write the two letters of ISO 3166, such as DE"
WRONG = Setup("bad_file", (PROBLEM,))
REFUSED = Setup("token_refused", ("this token expired on 2026-01-01",), "hall-1", "hall")


class Desk:
    """A setup desk with a simulated printer and a clock of its own."""

    def __init__(self, data: Path) -> None:
        self.data, self.printer, self.now_s = data, SimulatedPrinter(), 0.0
        self.desk = self.again()

    def again(self) -> SetupDesk:
        return SetupDesk(self.data, SimPrinter(self.printer, timeout_s=0.1), lambda: self.now_s)

    def slips(self, setup: Setup, looks: int = 2) -> int:
        write_setup(self.data, setup)
        for _ in range(looks):
            assert self.desk.step()
        return self.printer.count


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_each_problem_is_printed_once_also_after_a_restart(desk: Desk) -> None:
    """What it is, what to do, which key and why: enough to put it right at a desk."""
    assert desk.slips(WRONG) == 1
    text = " ".join(desk.printer.receipts()[0].text.split())
    for words in ("Not set up yet", "The provisioning file cannot be used.", "wifi.country", "switch it on"):
        assert words in text
    assert desk.slips(REFUSED) == 2
    assert desk.slips(WRONG) == 2
    desk.desk = desk.again()
    assert desk.slips(REFUSED) == 2
    assert "hall-1" in desk.printer.receipts()[1].text


def test_a_printer_without_paper_prints_it_later(desk: Desk) -> None:
    """It waits for the roll, not for the next problem."""
    desk.printer.set_fault(Fault.PAPER_OUT)
    assert desk.slips(WRONG) == 0
    desk.printer.set_fault(None)
    assert desk.slips(WRONG) == 1


def test_a_network_that_comes_a_minute_later_costs_no_paper(desk: Desk) -> None:
    """Neither does asking the cloud."""
    away = Setup("unreachable", ("x",), "hall-1", "hall")
    assert desk.slips(Setup("waiting", (), "hall-1", "hall")) == 0
    assert desk.slips(away) == 0
    desk.now_s += 121
    assert desk.slips(away) == 1


def test_it_ends_when_the_device_is_set_up_or_it_is_told_to(desk: Desk, tmp_path: Path) -> None:
    """With or without a printer."""
    write_setup(desk.data, Setup("done"))
    assert not desk.desk.step()
    (tmp_path / "other").mkdir()
    write_setup(tmp_path / "other", WRONG)
    stop = threading.Event()
    stop.set()
    SetupDesk(tmp_path / "other", None).run(stop)
    SetupDesk(tmp_path / "other", printer_at("auto")).run(stop)


def test_the_screen_says_the_same_and_ends_with_it(tmp_path: Path) -> None:
    """Once for each state, so that a screen does not flicker."""
    shown: list[str] = []
    write_setup(tmp_path, REFUSED)
    stop = threading.Event()
    stop.set()
    follow(tmp_path, "http://tickets.home.arpa", shown.append, stop)
    write_setup(tmp_path, Setup("done", (), "hall-1", "hall"))
    follow(tmp_path, "", shown.append, threading.Event())
    first, last = (" ".join(each.split()) for each in shown)
    for words in ("refuses the token", "expired on 2026-01-01", "--renew-token", "http://tickets.home.arpa/setup"):
        assert words in first
    assert "set up" in last


@pytest.mark.parametrize("step", WORDS)
def test_every_line_fits_the_screen_and_is_plain(step) -> None:
    """A console knows 80 columns and few letters."""
    text = screen_of(Setup(step, ("a word " * 40,), "hall-1", "hall"), "http://tickets.home.arpa")
    assert text.isascii()
    assert max(len(line) for line in text.splitlines()) <= COLUMNS


def test_the_screen_may_be_what_the_service_was_given(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A dash is standard output, which stays open; anything else is a file of its own."""
    for path in (Path("-"), tmp_path / "tty"):
        with opened(path) as screen:
            screen.write("Not set up yet")
    assert capsys.readouterr().out == (tmp_path / "tty").read_text() == "Not set up yet"
    print("still open")
