"""The whole desk: works with any device missing, writes how they are, stops in time."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from appliance.desk.camera import CameraKeeper
from appliance.desk.hardware import HardwareRows
from appliance.desk.process import TICK_S, Addresses, Desk, LaneAddress
from appliance.desk.scanning import Lane
from appliance.services import hardware, printing
from appliance.services.wake import notify
from appliance.store import records
from drivers.errors import BadDeviceUrl, DeviceTimeout
from drivers.health import State
from drivers.modem.pty import PtyModem
from drivers.modem.simulator import Habits, SimulatedModem
from tests.appliance.desk.test_spool import sell, states
from tests.support.box import TestBox
from tests.support.demo import wait_for


@contextmanager
def running(work: Callable[[threading.Event], None], limit_s: float = 6.0) -> Iterator[None]:
    """Run ``work`` in a thread; it must return within ``limit_s`` of being told."""
    stop = threading.Event()
    thread = threading.Thread(target=work, args=(stop,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(limit_s)
    assert not thread.is_alive()


def seen(box: TestBox) -> dict[str, str]:
    return {each.name: each.state for each in box.look(hardware.seen)}


def test_a_desk_with_simulated_devices_is_ready_and_prints_when_woken(box: TestBox, tmp_path: Path) -> None:
    """Health rows for the staff page and the cloud; the portal wakes it through the socket."""
    socket = tmp_path / "desk.sock"
    desk = Desk(box, Addresses("sim://printer", lanes=(LaneAddress("door", "sim://scanner"),), camera="sim://camera"))
    with running(lambda stop: desk.run(socket, stop)):
        wait_for(lambda: seen(box) == dict.fromkeys(("printer", "scanner", "camera"), "ready"), "ready devices")
        sell(box)
        notify(socket)
        wait_for(lambda: states(box) == ["printed", "printed"], "printed jobs")
    assert not socket.exists()


def test_a_device_loop_that_fails_unforeseen_begins_again(
    box: TestBox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thread that died would leave the lane without a scanner, and nobody would know why."""
    tries: list[int] = []

    def fails_once(_self: Lane, stop: threading.Event) -> None:
        tries.append(1)
        if len(tries) == 1:
            raise MemoryError
        stop.wait(10)

    monkeypatch.setattr(Lane, "run", fails_once)
    desk = Desk(box, Addresses(lanes=(LaneAddress("door", "sim://scanner"),)))
    with running(lambda stop: desk.run(tmp_path / "desk.sock", stop)):
        wait_for(lambda: len(tries) == 2, "a second attempt")


def test_a_desk_whose_devices_are_all_absent_goes_on_and_stops(box: TestBox, tmp_path: Path) -> None:
    """Nothing is plugged in: absent, and housekeeping goes on."""
    addresses = Addresses(
        "escpos+tcp://127.0.0.1:9?timeout=0.2",
        lanes=(LaneAddress("door", "serial:///dev/none"),),
        camera="sim://camera?fault=unplug",
    )
    hold = sell(box)
    assert hold
    with running(lambda stop: Desk(box, addresses).run(tmp_path / "desk.sock", stop)):
        wait_for(lambda: seen(box) == dict.fromkeys(("printer", "scanner", "camera"), "absent"), "absent devices")
    assert states(box) == ["queued", "queued"]


def test_a_desk_is_heard_in_each_turn_and_not_while_its_loop_hangs(
    box: TestBox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever listens would end it: a heart that beats beside the loop would hide that it hangs."""
    hangs, goes_on, turns = threading.Event(), threading.Event(), list[int]()

    def write(_self: HardwareRows) -> None:
        hangs.set()
        goes_on.wait(30)

    monkeypatch.setattr(HardwareRows, "write", write)
    desk = Desk(box, Addresses())
    with running(lambda stop: desk.run(tmp_path / "desk.sock", stop, lambda: turns.append(1))):
        assert hangs.wait(30)
        heard = len(turns)
        time.sleep(3 * TICK_S)
        assert len(turns) == heard
        goes_on.set()
        wait_for(lambda: len(turns) > heard + 2, "more turns")


def test_what_was_being_printed_when_the_desk_died_is_ambiguous(box: TestBox, tmp_path: Path) -> None:
    """Nobody saw whether it came out."""
    sell(box)
    box.run(printing.claim)
    with running(lambda stop: Desk(box, Addresses()).run(tmp_path / "desk.sock", stop)):
        wait_for(lambda: states(box) == ["ambiguous", "queued"], "the recovered job")


def test_a_wrong_address_is_refused_at_once(box: TestBox) -> None:
    """A typing error in the settings is not a device that comes back."""
    with pytest.raises(BadDeviceUrl, match="Unknown printer scheme"):
        Desk(box, Addresses("laser://x"))


def test_the_next_desk_knows_the_pin_that_the_sim_card_refused(box: TestBox, tmp_path: Path) -> None:
    device = PtyModem(tmp_path / "modem", SimulatedModem(Habits(pin="4711", counts="")))
    device.start()
    pin = tmp_path / "pin"
    pin.touch(0o600)
    pin.write_text("4712")
    modem = f"{device.url}?timeout=0.3&pin_file={pin}"
    for _ in range(3):
        desk = Desk(box, Addresses(modem=modem, messages_per_hour=1, sim_tries=tmp_path / "sim-tries.json"))
        (loop,) = desk.loops
        told = loop.health
        with running(loop.run):
            wait_for(lambda told=told: "refused the PIN" in told().reason, "its no")  # type: ignore[misc]
    device.stop()
    assert device.modem.pins_tried == 1


def test_old_rows_are_not_rewritten_every_second(box: TestBox, tmp_path: Path) -> None:
    """A healthy desk that does nothing writes next to nothing."""
    desk = Desk(box, Addresses(lanes=(LaneAddress("door", "sim://scanner"),)))
    with running(lambda stop: desk.run(tmp_path / "desk.sock", stop)):
        wait_for(lambda: seen(box) == {"scanner": "ready"}, "the first row")
        before = box.database.commits
        end = time.monotonic() + 2.5
        wait_for(lambda: time.monotonic() > end, "some ticks", 5)
        assert box.database.commits - before <= 1


def test_a_camera_that_hangs_is_killed_with_its_process_and_comes_back() -> None:
    """Only the child hangs; a still in between ends by its deadline."""
    keeper = CameraKeeper("sim://camera", silence_s=1.5)
    with running(keeper.run):
        wait_for(lambda: keeper.health().state is State.READY, "the camera")
        assert keeper.still().startswith(b"\xff\xd8")
        child = keeper._child
        assert child is not None
        os.kill(child.pid, signal.SIGSTOP)
        with pytest.raises(DeviceTimeout):
            keeper.still(deadline_s=0.2)
        wait_for(lambda: keeper._child not in {None, child} and keeper.health().state is State.READY, "the next one")
        assert keeper.still().startswith(b"\xff\xd8")
    assert child.poll() is not None


def test_health_rows_keep_the_time_at_which_a_state_began(box: TestBox) -> None:
    """``since`` is on the wall clock although drivers count monotonic time."""
    from appliance.desk.hardware import HardwareRows
    from drivers.health import Health

    five_s_ago_ms = int(time.monotonic() * 1000) - 5000
    HardwareRows(box, {"printer": lambda: Health(State.FAULT, "No paper.", five_s_ago_ms)}).write()
    row = box.look(lambda unit: records.hardware_rows(unit.db))[0]
    assert (row.name, row.state, row.reason) == ("printer", "fault", "No paper.")
    assert 4000 <= box.turn().wall_ms - row.since_ms <= 7000
