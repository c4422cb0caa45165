"""Lamps to try a contract on, each with what stands for the hand and the eye."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from gpiozero.pins.mock import MockFactory

from drivers import open_lamp
from drivers.lamp.api import Button, Lamp, Signal
from drivers.lamp.gpio import GpioLamp, Wiring
from drivers.lamp.sim import SimLamp

PINS = {"green": 17, "red": 27, "buzzer": 24, "button": 22, "undo": 23}
_BUTTON_PINS = {Button.PRINT: 22, Button.UNDO: 23}


@dataclass
class LampRig:
    """An opened lamp; `lit` tells which of the signals can be seen now (a blinking one while it is bright)."""

    lamp: Lamp
    lit: Callable[[], Signal]
    press: Callable[[Button], None]
    unplug: Callable[[], None]
    replug: Callable[[], None]


class MockBoard:
    """The pins of a board that can be taken away; each opening of the lamp gets new pins, as a real chip gives."""

    def __init__(self) -> None:
        self.there = True
        self.factory: Any = None

    def __call__(self) -> Any:
        if not self.there:
            raise OSError("no such chip")
        self.factory = MockFactory()
        return self.factory

    def pin(self, name: str) -> Any:
        return self.factory.pin(PINS[name])

    def press(self, button: Button) -> None:
        pin = self.factory.pin(_BUTTON_PINS[button])
        pin.drive_low()
        pin.drive_high()

    def unplug(self) -> None:
        self.there = False
        # A chip that is gone fails on the next write to one of its pins.
        for name in ("green", "red", "buzzer"):
            self.pin(name).close()

    def replug(self) -> None:
        self.there = True

    def lit(self) -> Signal:
        green, red = self.pin("green").state, self.pin("red").state
        assert not (green and red)
        if green:
            return Signal.ADMIT
        return Signal.REFUSE if red else Signal.OFF


def gpio_rig() -> Iterator[LampRig]:
    board = MockBoard()
    lamp = GpioLamp(Wiring(PINS), board)
    lamp.open()
    yield LampRig(lamp, board.lit, board.press, board.unplug, board.replug)
    lamp.close()


def sim_rig() -> Iterator[LampRig]:
    lamp = open_lamp("sim://lamp")
    assert isinstance(lamp, SimLamp)
    yield LampRig(lamp, lamp.shown, lamp.press, lambda: lamp.set_fault("unplug"), lambda: lamp.set_fault(None))
    lamp.close()
