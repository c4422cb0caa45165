"""Modems to try a contract on, each with the network behind it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from jeepney import DBusAddress

from drivers import DeviceError, open_modem
from drivers.modem.api import Modem
from drivers.modem.bus import Bus, BusError
from drivers.modem.pty import PtyModem
from drivers.modem.sim import SimModem
from drivers.modem.simulator import Habits, SimulatedModem
from tests.drivers.patience import eventually
from tests.drivers.pdu_oracle import joined

TEMPLATE = Path(__file__).with_name("modemmanager_template.py")
_MANAGER = "/org/freedesktop/ModemManager1"
_SERVICE = "org.freedesktop.ModemManager1"


@dataclass
class ModemRig:
    """An opened modem; `taken` gives (number, text) of what the network has, `fault` breaks it ('' mends).

    `plug` pulls the cable with False and puts it back with True.
    """

    modem: Modem
    taken: Callable[[], list[tuple[str, str]]]
    fault: Callable[[str], None]
    plug: Callable[[bool], None]

    def opens(self) -> bool:
        try:
            self.modem.open()
        except DeviceError:
            return False
        return True

    def ready(self) -> bool:
        return self.opens() and self.modem.status().ready


def sim_rig(_folder: Path) -> Iterator[ModemRig]:
    modem = open_modem("sim://modem")
    assert isinstance(modem, SimModem)

    def fault(name: str) -> None:
        modem.set_fault(name or None)

    yield ModemRig(modem, lambda: list(modem.messages), fault, lambda there: fault("" if there else "unplug"))
    modem.close()


def at_rig(folder: Path, habits: Habits | None = None) -> Iterator[ModemRig]:
    device = PtyModem(folder / "modem", SimulatedModem(habits))
    device.start()
    modem = open_modem(device.url + "?timeout=0.3")

    def plug(there: bool) -> None:
        (device.replug if there else device.unplug)()

    yield ModemRig(
        modem, lambda: joined(list(device.modem.pdus)), lambda name: device.modem.set_fault(name or None), plug
    )
    modem.close()
    device.stop()


def bare_at_rig(folder: Path) -> Iterator[ModemRig]:
    """One that does not echo, prompts without a line end and a space, and talks unasked."""
    yield from at_rig(folder, Habits(echo=False, prompt=b">", chatter=b'\r\n+CMTI: "SM",3\r\n\r\n^RSSI:17\r\nRING\r\n'))


class MockManager:
    """ModemManager as python-dbusmock plays it; `address` is its private bus."""

    def __init__(self, address: str) -> None:
        self.address = address

    def call(self, method: str, signature: str = "", *body: object) -> tuple[object, ...]:
        bus = Bus(self.address, 5)
        try:
            where = DBusAddress(_MANAGER, _SERVICE, "org.freedesktop.DBus.Mock")
            return tuple(bus.call(where, method, signature, body, 5))
        finally:
            bus.close()

    def fault(self, name: str) -> None:
        self.call("SetFault", "s", name)

    def taken(self) -> list[tuple[str, str]]:
        (messages,) = self.call("TakeSent")
        assert isinstance(messages, list)
        return [(number, text) for number, text in messages]

    def answers(self) -> bool:
        try:
            self.call("CountMessages")
        except (BusError, DeviceError):
            return False
        return True


@contextmanager
def mock_manager(folder: Path) -> Iterator[MockManager]:
    """A bus of our own with ModemManager's stand-in on it, each in a process that ends with the block."""
    address = f"unix:path={folder / 'bus'}"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    environment["DBUS_SESSION_BUS_ADDRESS"] = address
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "env": environment}
    with subprocess.Popen(["dbus-daemon", "--session", "--nofork", f"--address={address}"], **quiet) as daemon:  # type: ignore[call-overload]
        try:
            assert eventually((folder / "bus").exists)
            command = ["/usr/bin/python3", "-m", "dbusmock", "--session", "-t", str(TEMPLATE)]
            with subprocess.Popen(command, **quiet) as service:  # type: ignore[call-overload]
                try:
                    manager = MockManager(address)
                    assert eventually(manager.answers), "python3-dbusmock does not start"
                    yield manager
                finally:
                    service.terminate()
        finally:
            daemon.terminate()


def managed_rig(manager: MockManager) -> Iterator[ModemRig]:
    manager.fault("")
    manager.taken()
    modem = open_modem(f"modemmanager://?bus={manager.address}&timeout=0.4")
    messages: list[tuple[str, str]] = []

    def taken() -> list[tuple[str, str]]:
        messages.extend(manager.taken())
        return messages

    yield ModemRig(modem, taken, manager.fault, lambda there: manager.fault("" if there else "unplug"))
    modem.close()
