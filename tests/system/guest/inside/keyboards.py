"""A keyboard of the kernel's (uinput) that types codes as a scanner does."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from urllib.parse import quote

import evdev

from drivers.scanner.keys import ENTER
from drivers.scanner.typist import events_for
from tests.system.guest.inside.gadgets import modprobe

_KEYS = list(range(1, 128))
# Some 250 letters a second, as fast scanners type; an emulated processor takes no more from two or three of them at once.
_BURST, _PAUSE_S = 24, 0.02


class UinputKeyboard:
    """``path`` is a link to its device file, as udev keeps for USB keyboards; an uinput device has none."""

    def __init__(self, name: str, path: Path) -> None:
        modprobe("uinput")
        self.path = path
        self._name = name
        self._device: evdev.UInput | None = None
        self.replug()

    def scan(self, code: str, layout: str = "us") -> None:
        """Type a code and Enter."""
        if self._device is None:
            raise OSError("the keyboard is unplugged")
        for number, (kind, key, value) in enumerate(events_for(code, layout, ENTER)):
            self._device.write(kind, key, value)
            if number % _BURST == _BURST - 1:
                time.sleep(_PAUSE_S)

    @property
    def url(self) -> str:
        """The address to give to `open_scanner`: patient, since an emulated processor may pause within a code."""
        return f"evdev://{quote(str(self.path))}?gap=3"

    def unplug(self) -> None:
        """Pull the cable."""
        if self._device is not None:
            self.path.unlink(missing_ok=True)
            self._device.close()
            self._device = None

    def replug(self) -> None:
        """Put it back: another device file, the same name."""
        self._device = evdev.UInput({evdev.ecodes.EV_KEY: _KEYS}, name=self._name)
        until = time.monotonic() + 10
        while not Path(self._device.device.path).exists():
            if time.monotonic() > until:
                raise TimeoutError("the keyboard did not appear")
            time.sleep(0.02)
        with contextlib.suppress(FileNotFoundError):
            self.path.unlink()
        self.path.symlink_to(self._device.device.path)

    def close(self) -> None:
        """Take it away."""
        self.unplug()
