"""The camera in its own process: pictures, codes and video come over, a hang ends with the process, nothing outlives the desk."""

from __future__ import annotations

import io
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import pytest
import segno
from PIL import Image

from appliance.desk import camera as camera_keeper
from appliance.desk import camera_child
from appliance.desk.camera import CameraKeeper
from appliance.desk.camera_scanner import CameraScanner
from appliance.desk.process import Addresses, Desk, LaneAddress
from appliance.services import door
from drivers import BadDeviceUrl, DeviceTimeout, DeviceUnavailable, State
from drivers.camera.api import AccessUnit
from drivers.camera.sim import SimCamera
from tests.support.box import TestBox
from tests.support.demo import wait_for


@pytest.fixture
def keep() -> Iterator[Callable[[str], CameraKeeper]]:
    """Runs a keeper in a thread until the test ends."""
    running: list[tuple[threading.Event, threading.Thread]] = []

    def start(url: str) -> CameraKeeper:
        keeper, stop = CameraKeeper(url, silence_s=5), threading.Event()
        thread = threading.Thread(target=keeper.run, args=(stop,))
        thread.start()
        running.append((stop, thread))
        wait_for(lambda: keeper.health().state is State.READY, "the camera")
        return keeper

    yield start
    for stop, thread in running:
        stop.set()
        thread.join(10)
        assert not thread.is_alive()


def test_large_and_small_pictures_come_over(keep: Callable[[str], CameraKeeper]) -> None:
    keeper = keep("sim://camera")
    small, large = (Image.open(io.BytesIO(ask(5))) for ask in (keeper.preview, keeper.still))
    assert (small.size, large.size) == ((640, 360), (1280, 720))


def test_a_video_comes_over_whole_beside_pictures_and_ends_when_nobody_watches(
    keep: Callable[[str], CameraKeeper],
) -> None:
    keeper = keep("sim://camera?width=320&height=180")
    units: queue.Queue[AccessUnit] = queue.Queue()
    keeper.watch(units.put)
    seen = [units.get(timeout=10) for _ in range(10)]
    assert seen[0].key
    assert keeper.still(5)
    with av.open(io.BytesIO(b"".join(unit.data for unit in seen)), format="h264") as stream:
        assert len(list(stream.decode(video=0))) == 10
    keeper.watch(None)
    wait_for(lambda: _quiet(units), "the end of the stream")


def _quiet(units: queue.Queue[AccessUnit]) -> bool:
    while not units.empty():
        units.get_nowait()
    with pytest.raises(queue.Empty):
        units.get(timeout=0.5)
    return True


def test_a_ticket_held_before_the_camera_is_one_scan(keep: Callable[[str], CameraKeeper], tmp_path: Path) -> None:
    """However long it stays in sight; the scanner is gone with the camera and back with it."""
    control, film = tmp_path / "fault", tmp_path / "film.png"
    scanner = CameraScanner(keep(f"sim://camera?control={control}&film={film}"))
    scanner.open()
    hold(film, "MQ1:ONE")
    assert scanner.read(10) == "MQ1:ONE"
    assert scanner.read(0.5) is None
    control.write_text("unplug")
    with pytest.raises(DeviceUnavailable):
        scanner.read(10)
    control.write_text("")
    wait_for(lambda: scanner.health().state is State.READY, "the camera again")
    scanner.open()
    hold(film, "MQ1:TWO")
    assert scanner.read(10) == "MQ1:TWO"


def hold(film: Path, code: str) -> None:
    new = film.with_name("new.png")
    segno.make_qr(code).save(str(new), scale=8)
    new.replace(film)


def test_a_lane_may_scan_by_the_camera_of_the_desk(box: TestBox, tmp_path: Path) -> None:
    film = tmp_path / "film.png"
    lanes = (LaneAddress("door", "camera://"),)
    desk = Desk(box, Addresses(camera=f"sim://camera?film={film}", lanes=lanes))
    stop = threading.Event()
    thread = threading.Thread(target=desk.run, args=(tmp_path / "desk.sock", stop))
    thread.start()
    hold(film, "NOTHING1")
    wait_for(lambda: len(box.look(door.recent)) == 1, "the scan")
    stop.set()
    thread.join(10)
    assert box.look(door.recent)[0].lane == "door"


def test_a_lane_cannot_scan_by_a_camera_that_is_not_set_up(box: TestBox) -> None:
    with pytest.raises(BadDeviceUrl, match=r"needs a camera, and desk\.camera is not set"):
        Desk(box, Addresses(lanes=(LaneAddress("door", "camera://"),)))


def test_a_camera_that_hangs_is_not_called_ready_although_nobody_uses_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is looked through from time to time."""
    monkeypatch.setattr(camera_child, "PICTURE_S", 0.1)
    camera = SimCamera()
    camera.open()
    camera.set_fault("hang")
    server = camera_child.Server(camera, camera_child.Orders(), io.BytesIO())
    with pytest.raises(DeviceTimeout):
        server._serve(set())
    assert camera.health().state is State.FAULT
    server._serve(set())  # not again at once: it would never be asked for anything else


def test_a_watcher_that_fails_ends_the_stream_and_nothing_else(keep: Callable[[str], CameraKeeper]) -> None:
    keeper = keep("sim://camera?width=320&height=180")
    seen: list[AccessUnit] = []

    def fails(unit: AccessUnit) -> None:
        seen.append(unit)
        raise RuntimeError("nobody there")

    keeper.watch(fails)
    wait_for(lambda: seen, "the first unit")
    assert keeper.still(5)
    assert len(seen) == 1
    assert keeper.health().state is State.READY


def test_an_order_to_a_child_that_is_dead_leaves_nothing_to_say_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next one is started as ever, although the last order never arrived."""
    monkeypatch.setattr(camera_keeper, "_CHECK_S", 1.0)
    keeper, stop = CameraKeeper("sim://camera"), threading.Event()
    failed: list[OSError] = []

    def run() -> None:
        try:
            keeper._one_life("sim://camera", stop)
        except OSError as error:
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    wait_for(lambda: keeper.health().state is State.READY, "the camera")
    child = keeper._child
    assert child is not None
    os.kill(child.pid, signal.SIGKILL)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    with pytest.raises(DeviceTimeout):
        keeper.preview(0.1)
    thread.join(10)
    assert not thread.is_alive()
    assert failed == []


def test_a_camera_that_cannot_even_be_killed_is_said_to_be_stuck(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its process waits in the kernel; the desk can still be stopped."""

    class Stuck:
        pid, stdin, stdout = 1, None, None

        def poll(self) -> None: ...

        def kill(self) -> None: ...

        def wait(self, timeout: float) -> int:
            time.sleep(timeout)
            raise subprocess.TimeoutExpired("camera", timeout)

    monkeypatch.setattr(camera_keeper, "_DYING_S", 0.05)
    monkeypatch.setattr(subprocess, "Popen", lambda *_args, **_more: Stuck())
    keeper, stop = CameraKeeper("sim://camera", silence_s=0.1), threading.Event()
    thread = threading.Thread(target=keeper.run, args=(stop,))
    thread.start()
    wait_for(lambda: "Unplug it" in keeper.health().reason, "the word for it")
    stop.set()
    thread.join(5)
    assert not thread.is_alive()


def test_what_a_library_prints_does_not_end_the_talk_with_the_desk() -> None:
    """Also when it writes to the file descriptor itself."""
    program = """
import os, sys
from appliance.desk import camera as camera_keeper
from appliance.desk import camera_child
real = camera_child.camera_for
def noisy(url):
    print("[0:00:01] INFO Camera", flush=True)
    os.write(1, b"more of it\\n")
    return real(url)
camera_child.camera_for = noisy
camera_child.main("sim://camera")
"""
    child = subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    with child:
        assert child.stdout is not None
        assert json.loads(child.stdout.readline())["state"] == "ready"
        child.kill()
