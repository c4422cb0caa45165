"""A lamp may block, vanish and come back; whoever posts to it never waits."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from appliance.desk import lamp as module
from appliance.desk.lamp import LampKeeper
from drivers import State
from drivers.lamp.api import Button, Signal
from drivers.lamp.sim import SimLamp
from tests.drivers.patience import eventually

Start = Callable[[LampKeeper], None]


@pytest.fixture
def start() -> Iterator[Start]:
    stop = threading.Event()
    running: list[tuple[LampKeeper, threading.Thread]] = []

    def begin(keeper: LampKeeper) -> None:
        thread = threading.Thread(target=keeper.run, args=(stop,), daemon=True)
        thread.start()
        running.append((keeper, thread))

    yield begin
    stop.set()
    for keeper, thread in running:
        keeper.wake()
        thread.join(5)
        assert not thread.is_alive()


def test_a_posted_signal_is_shown_soon(start: Start) -> None:
    lamp = SimLamp()
    keeper = LampKeeper(lamp)
    start(keeper)
    keeper.show(Signal.ADMIT, 5)
    assert eventually(lambda: lamp.shown() is Signal.ADMIT)
    assert keeper.health().state is State.READY


def test_a_lamp_that_blocks_delays_nobody_and_shows_only_the_newest(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "STUCK_S", 0.1)
    lamp = SimLamp()
    keeper = LampKeeper(lamp)
    start(keeper)
    assert eventually(lambda: lamp.health().state is State.READY)
    lamp.set_fault("block")
    begun = time.monotonic()
    for _ in range(1000):
        keeper.show(Signal.ADMIT)
        keeper.health()
    assert time.monotonic() - begun < 1
    assert eventually(lambda: keeper.health().state is State.FAULT)
    keeper.show(Signal.REFUSE)
    lamp.set_fault(None)
    assert eventually(lambda: lamp.shown() is Signal.REFUSE)
    assert keeper.health().state is State.READY
    assert len(lamp.history) <= 4


def test_a_signal_that_waited_too_long_is_not_shown_to_the_next_guest(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FRESH_S", 0.05)
    lamp = SimLamp()
    lamp.set_fault("unplug")
    keeper = LampKeeper(lamp)
    start(keeper)
    keeper.show(Signal.ADMIT)
    time.sleep(0.1)
    lamp.set_fault(None)
    assert eventually(lambda: lamp.health().state is State.READY)
    time.sleep(0.05)
    assert lamp.shown() is Signal.OFF


def test_an_unplugged_lamp_comes_back_by_itself(start: Start) -> None:
    lamp = SimLamp()
    keeper = LampKeeper(lamp)
    start(keeper)
    assert eventually(lambda: keeper.health().state is State.READY)
    lamp.set_fault("unplug")
    keeper.show(Signal.ADMIT)
    assert eventually(lambda: keeper.health().state is State.ABSENT)
    lamp.set_fault(None)
    assert eventually(lambda: keeper.health().state is State.READY)
    keeper.show(Signal.REFUSE)
    assert eventually(lambda: lamp.shown() is Signal.REFUSE)


def test_buttons_are_told_and_a_failing_listener_hears_the_next(start: Start) -> None:
    heard: list[Button] = []

    def pressed(button: Button) -> None:
        heard.append(button)
        raise ValueError("the spool is full")

    lamp = SimLamp()
    start(LampKeeper(lamp, pressed))
    assert eventually(lambda: lamp.health().state is State.READY)
    lamp.press(Button.PRINT)
    lamp.press(Button.UNDO)
    assert eventually(lambda: heard == [Button.PRINT, Button.UNDO])


def test_a_driver_that_fails_again_and_again_leaves_no_listeners_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each press would be told as often as it failed."""

    class Faulty(SimLamp):
        def show(self, signal: Signal, for_s: float | None = None) -> None:
            raise RuntimeError("a fault of the driver")

    monkeypatch.setattr(module, "LISTEN_S", 0.05)
    keeper = LampKeeper(Faulty())
    for _ in range(3):
        keeper.show(Signal.ADMIT)
        with pytest.raises(RuntimeError):
            keeper.run(threading.Event())
    assert eventually(lambda: all(each.name != "lamp-buttons" for each in threading.enumerate()))


def test_buttons_that_fail_in_a_way_of_their_own_are_heard_again(start: Start) -> None:
    heard: list[Button] = []

    class Faulty(SimLamp):
        failed = False

        def presses(self, timeout_s: float) -> Button | None:
            if not self.failed:
                self.failed = True
                raise RuntimeError("a fault of the driver")
            return super().presses(timeout_s)

    lamp = Faulty()
    start(LampKeeper(lamp, heard.append))
    assert eventually(lambda: lamp.failed and lamp.health().state is State.READY)
    lamp.press(Button.UNDO)
    assert eventually(lambda: heard == [Button.UNDO])
