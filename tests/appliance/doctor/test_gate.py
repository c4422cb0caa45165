"""The gate of a boot: what makes a box office, and nothing that a good evening can do without."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from appliance.bootstrap.device import device_box
from appliance.cli import main, parser
from appliance.doctor import gate
from appliance.doctor.findings import Finding, fail, ok, report, warn
from appliance.doctor.slot import slot
from appliance.domain.clock import Now
from appliance.domain.setup import Setup
from appliance.domain.slots import autoboot
from appliance.services import hardware
from appliance.services.box import Box, Unit
from appliance.services.setting_up import write_setup
from appliance.settings import Settings, read_settings
from appliance.slots import Keeper, Paths
from appliance.store import engine, records
from mqtt_bridge.database import Database
from tests.support.slots import Machine


class _Page(http.server.BaseHTTPRequestHandler):
    status = 200

    def do_GET(self) -> None:
        self.send_response(self.status)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def page() -> Iterator[str]:
    """Something that answers as a portal does."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/healthz"
    server.shutdown()
    server.server_close()


def read(tmp_path: Path, **more: str) -> Settings:
    data = {"MARQUEE_DEVICE_DATA": str(tmp_path / "data"), "MARQUEE_CLOCK_MODE": "untrusted"}
    named = {"MARQUEE_DEVICE_NAME": "north-1", "MARQUEE_DEVICE_VENUE": "north"}
    return read_settings(None, data | named | more)


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    made = device_box(read(tmp_path))
    yield made
    made.database.close()


def states(findings: Iterator[Finding]) -> dict[str, str]:
    return {each.check: each.state for each in findings}


def test_a_device_without_catalogue_link_paper_or_clock_is_ready(tmp_path: Path, box: Box, page: str) -> None:
    settings = read(tmp_path, MARQUEE_DESK_PRINTER="sim://printer")
    box.run(lambda unit: hardware.report(unit, "printer", "fault", "There is no paper.", unit.now.wall_ms))
    assert set(states(gate.gate(settings, page)).values()) == {"ok"}


def test_a_device_that_the_desk_has_not_looked_at_since_the_boot_is_unknown(
    tmp_path: Path, box: Box, page: str
) -> None:
    settings = read(tmp_path, MARQUEE_DESK_PRINTER="sim://printer")
    assert states(gate.gate(settings, page))["devices"] == "fail"
    box.run(
        lambda unit: records.put_hardware(unit.db, "printer", "ready", "It was once.", 1_000, before_boot(unit.now))
    )
    found = {each.check: each for each in gate.gate(settings, page)}
    assert "printer" in found["devices"].detail


def test_what_the_desk_of_the_boot_before_said_counts_for_nothing_though_the_clock_went_back_behind_it(
    tmp_path: Path, box: Box, page: str
) -> None:
    """Without a time server a boot begins at a time that was kept before the last rows: those are later than this boot's own start."""
    settings = read(tmp_path, MARQUEE_DESK_HOTSPOT="hostapd:///run/hostapd/wlan0")

    def say(unit: Unit, now: Now) -> None:
        records.put_hardware(unit.db, "hotspot", "ready", "On the air.", now.wall_ms, now)

    box.run(lambda unit: say(unit, before_boot(unit.now)))
    found = {each.check: each for each in gate.gate(settings, page)}
    assert (found["devices"].state, "hotspot" in found) == ("fail", False)
    box.run(lambda unit: say(unit, unit.now))
    assert states(gate.gate(settings, page))["hotspot"] == "ok"


def test_a_database_that_is_not_of_this_version_yet_is_waited_for(tmp_path: Path, page: str) -> None:
    """A trial looks before its portal has migrated; that must not end it."""
    settings = read(tmp_path, MARQUEE_DESK_PRINTER="sim://printer")
    settings.device.data.mkdir()
    database = Database(settings.device.data / "marquee.db")
    engine.migrate(database, "0022")
    database.close()
    found = states(gate.gate(settings, page))
    assert (found["schema"], found["devices"]) == ("fail", "fail")


RADIO = [ok("portal", "answers"), ok("devices", "4 known"), fail("hotspot", "hostapd does not run.", "See its log.")]
DEAD = [
    fail("portal", "silent", "See its log."),
    fail("devices", "the desk has not looked at: printer", "See its log."),
]


def test_a_radio_that_fails_costs_a_trial_its_slot_and_a_slot_that_was_good_nothing(tmp_path: Path) -> None:
    """The other slot has the same radio and the same settings; what it sells meanwhile would end with a reboot."""
    machine = Machine(tmp_path)
    machine.keeper.set_primary("B")
    machine.boot(3, tryboot=True)
    machine.keeper.attempt()
    assert list(gate.of_boot(RADIO, machine.keeper)) == RADIO
    machine.keeper.set_good()
    for _ in range(5):
        machine.boot(3)
        assert machine.keeper.attempt() is False
        found = list(gate.of_boot(RADIO, machine.keeper))
        assert [each.state for each in found] == ["ok", "ok", "warn"]
        assert (found[2].detail, found[2].fix) == ("hostapd does not run.", "See its log.")
        assert report(found, as_json=False) == 0
        # As boot-complete.target has it done.
        machine.keeper.set_good()
    assert (machine.default, machine.keeper.status().attempts) == ("B", 0)


def test_a_portal_that_is_silent_fails_any_boot(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.keeper.attempt()
    assert [each.state for each in gate.of_boot(DEAD, machine.keeper)] == ["fail", "warn"]


def test_where_nobody_says_which_slot_runs_everything_counts(tmp_path: Path) -> None:
    keeper = Keeper(Paths(tmp_path))
    assert list(gate.of_boot(RADIO, keeper)) == RADIO
    shown = Paths(tmp_path).shown
    shown.parent.mkdir(parents=True)
    shown.write_text("{")
    assert list(gate.of_boot(RADIO, keeper)) == RADIO


def test_a_slot_that_runs_without_being_the_default_is_on_trial_whatever_took_it(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.boot(3)
    machine.keeper.attempt()
    assert list(gate.of_boot(RADIO, machine.keeper)) == RADIO


def before_boot(now: Now) -> Now:
    """A moment of the boot before, on a clock that was ahead of the one of now."""
    return Now(now.wall_ms + 60_000, now.boot_ms + 3_600_000, "another boot", now.trusted)


def test_devices_that_would_be_found_by_themselves_are_asked_for_only_where_every_door_needs_them(
    tmp_path: Path, box: Box, page: str
) -> None:
    settings = read(tmp_path, MARQUEE_DESK_SCANNER="auto", MARQUEE_DESK_SCANNER_2="auto", MARQUEE_DESK_CAMERA="auto")
    assert states(gate.gate(settings, page))["devices"] == "fail"
    box.run(lambda unit: hardware.report(unit, "scanner", "absent", "No scanner is plugged in.", unit.now.wall_ms))
    assert states(gate.gate(settings, page))["devices"] == "ok"


def test_a_portal_that_does_not_answer_and_a_database_that_is_not_there_are_named(tmp_path: Path) -> None:
    found = {each.check: each for each in gate.gate(read(tmp_path), "http://127.0.0.1:9/healthz")}
    assert found["portal"].state == found["database"].state == "fail"
    assert "does not answer" in found["portal"].detail
    assert all(each.fix for each in found.values() if each.state == "fail")


def test_the_portals_own_socket_is_asked_where_no_page_is_named(tmp_path: Path, box: Box) -> None:
    settings = read(tmp_path, MARQUEE_PORTAL_BIND=f"unix:{tmp_path}/none.sock")
    found = {each.check: each for each in gate.gate(settings, "")}
    assert found["portal"].state == "fail"
    assert "none.sock" in found["portal"].detail


def test_an_error_page_is_no_portal(page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_Page, "status", 503)
    assert gate.answers(page, "portal").detail.endswith("answers 503")


def test_a_device_that_is_not_provisioned_only_has_to_say_so(tmp_path: Path, page: str) -> None:
    settings = read(tmp_path, MARQUEE_DEVICE_NAME="")
    assert states(gate.gate(settings, "", page)) == {"device": "ok", "setup page": "ok"}
    assert states(gate.gate(settings, "", "http://127.0.0.1:9/"))["setup page"] == "fail"


def test_a_device_that_has_not_enrolled_yet_is_no_bad_boot(tmp_path: Path, page: str) -> None:
    """It has a name and no database; an uplink may be days away, and an image must not lose its slot for that."""
    write_setup(tmp_path, Setup("unreachable", (), "hall-1", "hall"))
    bind = page.removeprefix("http://").partition("/")[0]
    settings = read(tmp_path, MARQUEE_DEVICE_DATA=str(tmp_path), MARQUEE_PORTAL_BIND=bind)
    assert states(gate.gate(settings, "")) == {"device": "ok", "setup page": "ok"}
    write_setup(tmp_path, Setup("done", (), "hall-1", "hall"))
    assert "database" in states(gate.gate(settings, page))


@pytest.mark.parametrize(
    ("wall_ms", "trusted", "state"), [(0, False, "fail"), (2**41, False, "ok"), (2**41, True, "ok")]
)
def test_a_clock_is_judged_not_demanded(wall_ms: int, trusted: bool, state: str) -> None:
    assert gate.clock(Now(wall_ms, 1, "b", trusted)).state == state


def test_waiting_tells_what_changed_and_ends_when_all_is_well(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate, "SLEEP_S", 0)
    looks = iter([[fail("portal", "silent", "wait")], [fail("portal", "silent", "wait")], [ok("portal", "answers")]])
    assert gate.wait(lambda: next(looks), 30, as_json=False) == 0
    assert capsys.readouterr().out.count("silent") == 1
    assert gate.wait(lambda: [fail("portal", "silent", "wait")], 0, as_json=False) == 1


def test_warnings_are_waited_for_only_a_while_and_from_the_last_failure_on(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = iter(range(1000))
    clock = SimpleNamespace(monotonic=lambda: float(next(seconds)), sleep=lambda _: None)
    monkeypatch.setattr(gate, "time", clock)
    warned, failed = [warn("hotspot", "not on the air", "wait")], [fail("portal", "silent", "wait")]
    looks = iter([warned] * 10 + [failed] + [warned] * 900)
    assert gate.wait(lambda: next(looks), 300, as_json=False) == 0
    assert 900 - len(list(looks)) == gate.REST_S
    assert "warn hotspot" in capsys.readouterr().out


def test_a_boot_is_judged_for_its_slot_where_the_command_is_asked_to(
    tmp_path: Path, box: Box, page: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By hand it says whether there is a box office; the unit asks whether the slot may stay."""
    given = read(tmp_path, MARQUEE_DESK_HOTSPOT="hostapd:///run/hostapd/wlan0")
    box.run(lambda unit: hardware.report(unit, "hotspot", "fault", "hostapd does not run.", unit.now.wall_ms))
    machine = Machine(tmp_path)
    machine.keeper.attempt()
    monkeypatch.setattr(gate, "Keeper", lambda: machine.keeper)

    def ready(*words: str) -> int:
        arguments = parser().parse_args(["ready", "--page", page, *words])
        return int(arguments.run(arguments, given))

    assert (ready(), ready("--boot")) == (1, 0)


def test_the_command_ends_with_1_where_something_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MARQUEE_DEVICE_NAME", "north-1")
    monkeypatch.setenv("MARQUEE_DEVICE_VENUE", "north")
    monkeypatch.setenv("MARQUEE_DEVICE_DATA", str(tmp_path))
    assert main(["ready", "--page", "http://127.0.0.1:9/"]) == 1


def test_the_doctor_tells_of_slots_where_there_are_any(tmp_path: Path) -> None:
    assert list(slot(Settings(), tmp_path)) == []
    paths = Paths(tmp_path)
    paths.autoboot.parent.mkdir(parents=True)
    paths.autoboot.write_bytes(autoboot("A"))
    keeper = Keeper(paths)
    keeper.attempt()
    (found,) = slot(Settings(), tmp_path)
    assert (found.check, found.state) == ("slot", "warn")
    keeper.set_state("B", "good")
    assert next(slot(Settings(), tmp_path)).state == "ok"
