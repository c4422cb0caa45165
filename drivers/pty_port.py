"""A serial port that is not there: a pty whose far end a simulator holds."""

from __future__ import annotations

import contextlib
import os
import pty
import tty
from pathlib import Path


class PtyPort:
    """A pseudo-terminal in raw mode; `path` is what a driver opens.

    With `link` that path is a symbolic link that comes and goes with the plug, like those of udev. The far end is
    kept open here, so that a driver may close and open its side as often as it likes.
    """

    def __init__(self, link: Path | None = None) -> None:
        self._link = link
        self._master: int | None = None
        self._slave: int | None = None
        self._name = ""
        self.plug()

    @property
    def path(self) -> str:
        """What a driver opens; without `link` it changes at every `plug`."""
        return str(self._link) if self._link else self._name

    @property
    def plugged(self) -> bool:
        """Whether the port is there."""
        return self._master is not None

    @property
    def master(self) -> int:
        """The simulator's non-blocking end; raises `OSError` when unplugged."""
        if self._master is None:
            raise OSError("the simulated cable is unplugged")
        return self._master

    def plug(self) -> None:
        """Make the port appear; harmless when it is there."""
        if self._master is not None:
            return
        self._master, self._slave = pty.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self._name = os.ttyname(self._slave)
        if self._link is not None:
            fresh = self._link.with_name(self._link.name + ".new")
            fresh.unlink(missing_ok=True)
            fresh.symlink_to(self._name)
            fresh.replace(self._link)

    def unplug(self) -> None:
        """Make the port vanish; whoever has it open gets a hang-up."""
        if self._link is not None:
            self._link.unlink(missing_ok=True)
        for descriptor in (self._slave, self._master):
            if descriptor is not None:
                with contextlib.suppress(OSError):
                    os.close(descriptor)
        self._master = self._slave = None
