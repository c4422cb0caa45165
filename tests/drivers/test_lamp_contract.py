"""What every lamp backend promises, run over each that can run here."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from drivers import BadDeviceUrl, DeviceUnavailable, State, lamp_for, open_lamp
from drivers.errors import MissingLibrary
from drivers.lamp.api import Button, Signal
from drivers.lamp.gpio import BLINK_S, GpioLamp, Wiring
from drivers.lamp.sim import SimLamp
from tests.drivers.lamp_rigs import PINS, LampRig, MockBoard, gpio_rig, sim_rig
from tests.drivers.patience import eventually


@pytest.fixture(params=[sim_rig, gpio_rig], ids=["sim", "gpio"])
def rig(request: pytest.FixtureRequest) -> Iterator[LampRig]:
    yield from request.param()


def test_a_fresh_lamp_is_dark_and_ready(rig: LampRig) -> None:
    assert rig.lit() is Signal.OFF
    assert rig.lamp.health().state is State.READY


def test_a_signal_takes_the_place_of_the_last_one(rig: LampRig) -> None:
    for signal in (Signal.ADMIT, Signal.REFUSE, Signal.ADMIT, Signal.OFF):
        rig.lamp.show(signal)
        assert rig.lit() is signal


def test_a_signal_ends_by_itself_without_anybody_waiting(rig: LampRig) -> None:
    start = time.monotonic()
    rig.lamp.show(Signal.ADMIT, 0.15)
    assert time.monotonic() - start < 0.1
    assert rig.lit() is Signal.ADMIT
    assert eventually(lambda: rig.lit() is Signal.OFF)
    assert time.monotonic() - start >= 0.14


def test_the_end_of_an_older_signal_does_not_end_the_newer(rig: LampRig) -> None:
    rig.lamp.show(Signal.ADMIT, 0.1)
    rig.lamp.show(Signal.REFUSE)
    time.sleep(0.25)
    assert rig.lit() is Signal.REFUSE


def test_presses_come_out_in_order_and_once(rig: LampRig) -> None:
    rig.press(Button.PRINT)
    rig.press(Button.UNDO)
    assert [rig.lamp.presses(1.0), rig.lamp.presses(1.0)] == [Button.PRINT, Button.UNDO]
    start = time.monotonic()
    assert rig.lamp.presses(0.1) is None
    assert 0.09 <= time.monotonic() - start < 2


def test_a_press_ends_the_wait_for_it(rig: LampRig) -> None:
    hand = threading.Timer(0.05, rig.press, [Button.PRINT])
    hand.start()
    start = time.monotonic()
    assert rig.lamp.presses(30.0) is Button.PRINT
    assert time.monotonic() - start < 10
    hand.join()


def test_a_lamp_that_is_gone_is_closed_and_comes_back(rig: LampRig) -> None:
    rig.unplug()
    with pytest.raises(DeviceUnavailable):
        rig.lamp.show(Signal.ADMIT)
    assert rig.lamp.health().state is State.ABSENT
    with pytest.raises(DeviceUnavailable):
        rig.lamp.open()
    with pytest.raises(DeviceUnavailable):
        rig.lamp.presses(0)
    rig.replug()
    rig.lamp.open()
    rig.lamp.show(Signal.REFUSE)
    assert rig.lit() is Signal.REFUSE
    rig.press(Button.UNDO)
    assert eventually(lambda: rig.lamp.presses(0) is Button.UNDO)


def test_closing_ends_a_wait_for_buttons_and_darkens(rig: LampRig) -> None:
    rig.lamp.show(Signal.ADMIT)
    hand = threading.Timer(0.05, rig.lamp.close)
    hand.start()
    with pytest.raises(DeviceUnavailable):
        rig.lamp.presses(30.0)
    hand.join()
    rig.lamp.close()
    assert rig.lamp.health().state is State.ABSENT
    rig.lamp.open()
    assert rig.lit() is Signal.OFF


def test_pins_go_through_their_states_at_their_times() -> None:
    board = MockBoard()
    lamp = GpioLamp(Wiring(PINS), board)
    lamp.open()
    green, red, buzzer = (board.pin(name) for name in ("green", "red", "buzzer"))
    for pin in (green, red, buzzer):
        pin.clear_states()
    lamp.show(Signal.ADMIT, 0.3)
    assert eventually(lambda: len(green.states) == 3)
    green.assert_states_and_times([(0, 0), (0, 1), (0.3, 0)])
    buzzer.assert_states_and_times([(0, 0), (0, 1), (0.08, 0)])
    assert len(red.states) == 1
    red.clear_states()
    buzzer.clear_states()
    lamp.show(Signal.ATTENTION, 2 * BLINK_S * 2)
    assert eventually(lambda: len(red.states) == 5)
    red.assert_states_and_times([(0, 0), (0, 1), (BLINK_S, 0), (BLINK_S, 1), (BLINK_S, 0)])
    assert [state.state for state in buzzer.states] == [False, True, False, True, False]
    lamp.close()


def test_an_attention_lamp_of_its_own_blinks_instead_of_the_red_one() -> None:
    board = MockBoard()
    lamp = GpioLamp(Wiring({"green": 17, "red": 27, "attention": 25}), board)
    lamp.open()
    lamp.show(Signal.ATTENTION)
    assert eventually(lambda: len(board.factory.pin(25).states) >= 4)
    assert [each.state for each in board.factory.pin(25).states][:4] == [False, True, False, True]
    assert not any(each.state for each in board.factory.pin(27).states)
    lamp.close()


def test_boards_that_switch_to_ground_are_driven_low() -> None:
    board = MockBoard()
    lamp = GpioLamp(Wiring(PINS, active_high=False), board)
    lamp.open()
    assert board.pin("green").state
    lamp.show(Signal.ADMIT)
    assert not board.pin("green").state
    assert board.pin("red").state
    lamp.close()


def test_a_bouncing_button_is_one_press() -> None:
    board = MockBoard()
    lamp = GpioLamp(Wiring(PINS), board)
    lamp.open()
    for _ in range(5):
        board.press(Button.PRINT)
    assert lamp.presses(1.0) is Button.PRINT
    assert lamp.presses(0.05) is None
    lamp.close()


def test_the_mock_is_only_taken_when_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GPIOZERO_PIN_FACTORY", "mock")
    monkeypatch.setitem(sys.modules, "lgpio", None)
    lamp = lamp_for("gpio://?green=17&red=27")
    with pytest.raises(MissingLibrary, match="python3-lgpio"):
        lamp.open()
    assert lamp.health().state is State.ABSENT
    assert "python3-lgpio" in lamp.health().reason
    open_lamp("gpio://?green=17&red=27&factory=mock").close()


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("gpio://?green=17", "pins of both lamps"),
        ("gpio://?green=17&red=17", "one pin for two things"),
        ("gpio://?green=99&red=17", "from 0 to 27"),
        ("gpio://?green=1&red=2&factory=native", "one of: lgpio, mock"),
        ("gpio://lamp?green=1&red=2", "must look like"),
        ("gpio://?green=1&red=2&colour=3", "Unknown option 'colour'"),
        ("sim://lamp?fault=rust", "one of"),
        ("sim://light", "must look like"),
    ],
)
def test_a_wrong_address_says_what_is_wrong(url: str, words: str) -> None:
    with pytest.raises(BadDeviceUrl, match=words):
        lamp_for(url)


def test_a_simulated_lamp_is_worked_through_files(tmp_path: Path) -> None:
    control, shown, pressed = (tmp_path / name for name in ("control", "shown", "pressed"))
    lamp = open_lamp(f"sim://lamp?control={control}&shown={shown}&pressed={pressed}")
    assert shown.read_text() == "off"
    lamp.show(Signal.REFUSE, 0.05)
    assert shown.read_text() == "refuse"
    assert lamp.presses(0.2) is None
    assert shown.read_text() == "off"
    pressed.write_text("print\n")
    assert lamp.presses(1.0) is Button.PRINT
    assert not pressed.exists()
    control.write_text("unplug")
    with pytest.raises(DeviceUnavailable):
        lamp.show(Signal.ADMIT)
    assert shown.read_text() == "gone"
    control.write_text("")
    lamp.open()
    lamp.show(Signal.ADMIT)
    assert shown.read_text() == "admit"
    lamp.close()


def test_an_address_can_script_a_lamp_that_blocks() -> None:
    lamp = open_lamp("sim://lamp?fault=block&after=1")
    assert isinstance(lamp, SimLamp)
    lamp.show(Signal.ADMIT)
    blocked = threading.Thread(target=lamp.show, args=[Signal.REFUSE])
    blocked.start()
    blocked.join(0.2)
    assert blocked.is_alive()
    lamp.set_fault(None)
    blocked.join(5)
    assert lamp.shown() is Signal.REFUSE
    lamp.close()
