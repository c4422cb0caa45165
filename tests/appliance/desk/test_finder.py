"""A desk that finds its devices: by hot plug, in stable places, with a word about what it does not use."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pytest

from appliance.desk import process
from appliance.desk.camera import CameraKeeper
from appliance.desk.finder import Finder
from appliance.desk.found import FoundPrinter
from appliance.desk.names import AUTO
from appliance.desk.plugged import Plugged
from appliance.desk.process import Addresses, Desk, LaneAddress
from appliance.services import hardware
from appliance.settings import read_settings
from drivers import printer_for
from drivers.errors import DeviceUnavailable
from drivers.health import State
from tests.appliance.desk.test_process import running, seen
from tests.appliance.desk.test_spool import sell, states
from tests.support.box import TestBox
from tests.support.demo import wait_for
from tests.support.roles import render

ONE = Plugged("scanner", "a@1", "GM65 Scanner (serial port)", "serial:///dev/ttyACM0", "/dev/ttyACM0")
TWO = Plugged("scanner", "b@2", "Newland Reader (keyboard)", "evdev:///dev/input/event1", "/dev/input/event1")
ODD = Plugged(
    "scanner", "c@3", "FTDI (serial port)", "serial:///dev/ttyUSB0", "/dev/ttyUSB0", "a plug may lead to anything"
)
PRINTER = Plugged("printer", "04b8:0e28#X", "EPSON (printer)", "escpos+file:///dev/usb/lp0", "/dev/usb/lp0")


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        self.now_s += 10
        return self.now_s


def finder(there: list[Plugged], *places: str, named: tuple[str, ...] = (), memory: Path | None = None) -> Finder:
    return Finder(places or ("scanner", "scanner_2"), named, memory, look=lambda: list(there), clock=Clock())


def test_devices_come_and_go_and_keep_their_places() -> None:
    there = [TWO]
    lanes = finder(there)
    assert (lanes.at("scanner"), lanes.at("scanner_2")) == (TWO, None)
    there.insert(0, ONE)
    assert (lanes.at("scanner"), lanes.at("scanner_2")) == (TWO, ONE)
    there.remove(TWO)
    assert (lanes.at("scanner"), lanes.at("scanner_2")) == (None, ONE)


def test_places_outlive_the_desk(tmp_path: Path) -> None:
    memory = tmp_path / "found.json"
    assert finder([TWO], memory=memory).at("scanner") == TWO
    assert finder([ONE, TWO], memory=memory).at("scanner") == TWO
    assert json.loads(memory.read_text()) == {"scanner": "b@2", "scanner_2": "a@1"}


@pytest.mark.parametrize("rubbish", ["", "{", "[1]", '{"scanner": 7, "lamp": "x"}', "\xff"])
def test_a_memory_that_cannot_be_read_is_none(tmp_path: Path, rubbish: str) -> None:
    (tmp_path / "found.json").write_bytes(rubbish.encode("latin-1"))
    assert finder([ONE], memory=tmp_path / "found.json").at("scanner") == ONE


def test_a_memory_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    assert finder([ONE], memory=tmp_path / "none" / "found.json").at("scanner") == ONE


def test_what_is_not_used_is_told_with_the_reason_and_the_setting() -> None:
    lanes = finder([ONE, TWO, ODD], "scanner")
    assert lanes.at("scanner") == ONE
    assert lanes.note("scanner") == (
        "Plugged in and not used: Newland Reader (keyboard), because all places have one; to use it write"
        ' "evdev:///dev/input/event1" into the settings. FTDI (serial port), because a plug may lead to anything; to use it write'
        ' "serial:///dev/ttyUSB0" into the settings.'
    )


def test_what_the_settings_name_elsewhere_is_never_taken(tmp_path: Path) -> None:
    (tmp_path / "ttyACM0").touch()
    (tmp_path / "by-id").symlink_to(tmp_path / "ttyACM0")
    modem = Plugged("scanner", "m@1", "Stick", "serial://x", str(tmp_path / "ttyACM0"))
    assert finder([modem], named=(f"at://{tmp_path}/by-id",)).at("scanner") is None
    for address in (
        "escpos+usb://04b8:0e28",
        "escpos+usb://04b8:0e28/X",
        "escpos+usb://any",
        "escpos+file:///dev/usb/lp0",
    ):
        assert finder([PRINTER], "printer_2", named=(address, AUTO, "")).at("printer_2") is None
    assert finder([PRINTER], "printer_2", named=("escpos+usb://04b8:0e28/Y",)).at("printer_2") == PRINTER


def test_a_device_that_goes_while_it_is_looked_at_is_looked_at_again() -> None:
    def vanishing() -> list[Plugged]:
        raise FileNotFoundError("1-1")

    lanes = Finder(("scanner",), look=vanishing)
    assert lanes.at("scanner") is None


def test_on_the_appliance_every_place_is_found_and_a_fleet_may_name_its_own(tmp_path: Path) -> None:
    file = tmp_path / "marquee.toml"
    file.write_text(render("identity", "marquee.toml.j2", identity_settings={"desk": {"printer": "sim://printer"}}))
    desk = read_settings(file, {}).desk
    assert desk.printer == "sim://printer"
    assert {desk.printer_2, desk.scanner, desk.scanner_2, desk.scanner_3, desk.camera} == {AUTO}


def sim(family: str, number: int, options: str = "") -> Plugged:
    return Plugged(family, f"{family}@{number}", f"Sim {family} {number}", f"sim://{family}{options}")


def test_a_desk_without_any_device_says_what_it_waits_for_and_uses_what_is_plugged_in(
    box: TestBox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there: list[Plugged] = []
    monkeypatch.setattr(process, "Finder", partial(Finder, look=lambda: list(there)))
    monkeypatch.setattr("appliance.desk.finder.LOOK_EVERY_S", 0.05)
    lanes = (LaneAddress("door", AUTO), LaneAddress("door 2", AUTO), LaneAddress("door 3", AUTO))
    desk = Desk(box, Addresses(AUTO, AUTO, lanes=lanes, memory=tmp_path / "found.json"))
    with running(lambda stop: desk.run(tmp_path / "desk.sock", stop)):
        wait_for(lambda: seen(box) == {"printer": "absent", "scanner": "absent"}, "the two that every door needs")
        assert {each.reason for each in box.look(hardware.seen)} == {
            "No printer is plugged in.",
            "No scanner is plugged in.",
        }
        sell(box)
        there += [sim("printer", 1), sim("scanner", 2)]
        wait_for(lambda: states(box) == ["printed", "printed"], "what waited for a printer")
        wait_for(lambda: seen(box) == {"printer": "ready", "scanner": "ready"}, "found")
        assert all(each.reason.startswith("Sim ") for each in box.look(hardware.seen))
        there += [sim("scanner", 4)]
        wait_for(lambda: seen(box).get("scanner_2") == "ready", "the second lane")
        del there[1]
        # The simulated scanner does not notice that its cable is gone; the one of the second lane stays where it is.
        wait_for(lambda: json.loads((tmp_path / "found.json").read_text())["scanner_2"] == "scanner@4", "its place")


def test_a_printer_that_was_broken_off_is_told_once_it_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    there: list[Plugged] = []
    printer = FoundPrinter(finder(there, "printer"), "printer", "printer", printer_for)
    told: list[int] = []
    printer.broke_off(7)
    with pytest.raises(DeviceUnavailable, match="No printer is plugged in"):
        printer.open()
    with pytest.raises(DeviceUnavailable):
        printer.write(b"x", 1)
    assert not printer.status().answered and not printer.confirm(0.1)
    assert printer.health().state is State.ABSENT
    there.append(sim("printer", 1))
    driver = printer_for("sim://printer")
    monkeypatch.setattr(driver, "broke_off", told.append)
    printer._make = lambda _url: driver
    printer.open()
    printer.open()
    assert told == [7]
    assert printer.status().answered
    printer.close()


def test_a_camera_that_nobody_has_costs_no_process_and_one_that_comes_is_used() -> None:
    there: list[str | None] = [None]
    keeper = CameraKeeper(lambda: there[0])
    with running(keeper.run):
        wait_for(lambda: keeper.health().reason == "No camera is plugged in.", "nothing")
        assert keeper._child is None
        there[0] = "sim://camera"
        wait_for(lambda: keeper.health().state is State.READY, "the camera", 20)
        there[0] = None
        wait_for(lambda: keeper.health().state is State.ABSENT and keeper._child is None, "gone")
