"""An access point for the tests: hostapd's side of its control socket, and the simulator, behind one handle."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from drivers.hotspot.api import Hotspot
from drivers.hotspot.hostapd import HostapdHotspot
from drivers.hotspot.sim import Fault, SimHotspot

LIMIT = 4


def address(number: int) -> str:
    """The hardware address of a made-up phone."""
    return f"02:00:00:00:{number:02x}:00"


@dataclass
class FakeHostapd:
    """Speaks as hostapd does: a datagram for an answer, `<2>...` for an event to whom it attached."""

    path: Path
    phones: set[str] = field(default_factory=set)
    state: str = "ENABLED"
    silent: bool = False

    def __post_init__(self) -> None:
        self._listener: str | bytes | None = None
        self.start()

    def start(self) -> None:
        """Begin to answer."""
        self.path.unlink(missing_ok=True)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(self.path))
        self._thread = threading.Thread(target=self._run, args=(self._socket,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Die: the socket stays behind, as after a kill."""
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(5)

    def join(self, number: int) -> None:
        """A phone comes, or is refused because it is full; hostapd tells only who listens to frames."""
        who = address(number)
        if len(self.phones) < LIMIT:
            self.phones.add(who)
        # Authentication (0xb0), flags, duration, receiver, sender, BSSID, sequence, body.
        bare = who.replace(":", "")
        self.say(f"<2>AP-MGMT-FRAME-RECEIVED buf=b0003a01020000000000{bare}02000000000010000000010000000000")

    def say(self, event: str) -> None:
        """Send an event to the listener, if there is one."""
        if self._listener is not None:
            self._socket.sendto(event.encode(), self._listener)

    def _run(self, sock: socket.socket) -> None:
        while True:
            try:
                data, sender = sock.recvfrom(4096)
            except OSError:
                return
            if not sender or self.silent:
                continue
            # Who has said goodbye hears no answer.
            with contextlib.suppress(OSError):
                sock.sendto(self._answer(data.decode(), sender).encode(), sender)

    def _answer(self, command: str, sender: str | bytes) -> str:
        if command == "ATTACH":
            self._listener = sender
            return "OK\n"
        if command == "DETACH":
            self._listener = None
            return "OK\n"
        if command == "STATUS":
            return f"state={self.state}\nfreq=2437\nnum_sta[0]={len(self.phones)}\n"
        if command.startswith("STA "):
            return f"{command[4:]}\nflags=[AUTH][ASSOC]\n" if command[4:] in self.phones else "FAIL\n"
        return "OK\n" if command.startswith("LEVEL ") else "UNKNOWN COMMAND\n"


@dataclass
class HotspotRig:
    """The driver, and the hands on what it looks at: fill it up, take it down, bring it back."""

    hotspot: Hotspot
    hostapd: FakeHostapd | SimHotspot

    def fill(self) -> None:
        """As many phones as fit, and three more that ask."""
        if isinstance(self.hostapd, SimHotspot):
            self.hostapd.set_fault(Fault.FULL)
            return
        for number in range(LIMIT + 3):
            self.hostapd.join(number)

    def down(self) -> None:
        """Nobody serves the hotspot any more."""
        self.hostapd.set_fault(Fault.DOWN) if isinstance(self.hostapd, SimHotspot) else self.hostapd.stop()

    def back(self) -> None:
        """Somebody does again, with nobody on it."""
        if isinstance(self.hostapd, SimHotspot):
            self.hostapd.set_fault(None)
            return
        self.hostapd.phones.clear()
        self.hostapd.start()


def sim_rig(_folder: Path) -> Iterator[HotspotRig]:
    """The simulator."""
    hotspot = SimHotspot(phones=2, limit=LIMIT)
    yield HotspotRig(hotspot, hotspot)


def hostapd_rig(folder: Path) -> Iterator[HotspotRig]:
    """The driver for hostapd, over a real socket."""
    fake = FakeHostapd(folder / "wlan0")
    hotspot = HostapdHotspot(str(fake.path), LIMIT)
    yield HotspotRig(hotspot, fake)
    hotspot.close()
    fake.stop()
