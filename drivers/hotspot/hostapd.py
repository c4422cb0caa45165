"""`hostapd:///run/hostapd/wlan0?limit=20`: an access point that hostapd serves, asked through its control socket.

hostapd answers the phone after its limit with a refusal and tells nobody. So we listen to what phones send to it
(`notify_mgmt_frames`): one that asks to come in while the hotspot is full, and whom hostapd does not know afterwards, was turned
away. Radios that refuse by themselves say `AP-REJECTED-MAX-STA`. Addresses are kept in memory, for minutes.
"""

from __future__ import annotations

import re
import time

from drivers.errors import BadDeviceUrl, DeviceError, DeviceUnavailable
from drivers.health import Clock, Health, HealthRecord, State
from drivers.hotspot.api import REFUSED_S, HotspotStatus, judge
from drivers.hotspot.control import ControlSocket
from drivers.url import DeviceUrl

# hostapd drops a listener that was slow some times; to say it anew costs nothing.
LISTEN_AGAIN_S = 30.0
# Figures that change all evening are told this often; each is a row on the card.
FIGURES_S = 10.0
_MOST_REFUSED = 500
_FRAME = re.compile(r"AP-MGMT-FRAME-RECEIVED buf=([0-9a-f]{48,})")
_REJECTED = re.compile(r"AP-REJECTED-MAX-STA ((?:[0-9a-f]{2}:){5}[0-9a-f]{2})")
# IEEE 802.11, 9.2.4.1: version 0, management, authentication.
_AUTHENTICATION = "b0"


def from_url(url: DeviceUrl) -> HostapdHotspot:
    """The access point whose control socket is the path; option: limit (phones that fit; 0 if nobody knows)."""
    url.check_options({"limit"})
    if url.host or not url.path.strip("/"):
        raise BadDeviceUrl(f"{url.text!r} must look like hostapd:///run/hostapd/wlan0.")
    return HostapdHotspot(url.path, url.integer("limit", 0, low=0, high=2007))


def sender(frame: str) -> str:
    """The address of the phone that asks to come in with this frame (hex), or nothing where it is another frame."""
    if frame[:2] != _AUTHENTICATION:
        return ""
    return ":".join(frame[at : at + 2] for at in range(20, 32, 2))


def fields(answer: str) -> dict[str, str]:
    """An answer of `key=value` lines."""
    return dict(line.split("=", 1) for line in answer.splitlines() if "=" in line)


class HostapdHotspot:
    """See `Hotspot`."""

    def __init__(self, path: str, limit: int, clock: Clock = time.monotonic) -> None:
        self._path = path
        self._limit = limit
        self._clock = clock
        self._control: ControlSocket | None = None
        self._listened_s = 0.0
        self._refused: dict[str, float] = {}
        self._health = HealthRecord(clock)
        self._told: tuple[State, float] | None = None

    def open(self) -> None:
        """See `Hotspot.open`."""
        if self._control is not None:
            return
        try:
            self._control = ControlSocket(self._path)
            self._listen()
        except DeviceError as error:
            self._lose(error)
            raise

    def close(self) -> None:
        """See `Hotspot.close`."""
        self._drop()
        self._told = None
        self._health.set(State.ABSENT, "Closed.")

    def look(self, for_s: float) -> HotspotStatus:
        """See `Hotspot.look`."""
        if self._control is None:
            raise DeviceUnavailable("The hotspot is not looked at.")
        try:
            if self._clock() - self._listened_s > LISTEN_AGAIN_S:
                self._listen()
            asking = self._asking(self._control.events(for_s))
            said = fields(self._control.ask("STATUS"))
            status = self._status(said, asking)
        except DeviceError as error:
            self._lose(error)
            raise
        self._tell(status)
        return status

    def health(self) -> Health:
        """See `Hotspot.health`."""
        return self._health()

    def _listen(self) -> None:
        if self._control is None:
            return
        self._control.ask("DETACH")
        # Level 2 is hostapd's DEBUG, at which it passes frames on.
        if self._control.ask("ATTACH") != "OK" or self._control.ask("LEVEL 2") != "OK":
            raise DeviceUnavailable("hostapd does not let anybody listen.")
        self._listened_s = self._clock()

    def _asking(self, events: list[str]) -> set[str]:
        """Addresses that asked to come in."""
        found = set()
        for event in events:
            if rejected := _REJECTED.match(event):
                self._refused[rejected[1]] = self._clock()
            elif frame := _FRAME.match(event):
                found.add(sender(frame[1]))
        return found - {""}

    def _status(self, said: dict[str, str], asking: set[str]) -> HotspotStatus:
        number = said.get("num_sta[0]", "")
        phones = int(number) if number.isdigit() else 0
        status = HotspotStatus(said.get("state") == "ENABLED", phones, self._limit)
        now_s = self._clock()
        for address in asking if status.full else ():
            if not self._knows(address):
                self._refused[address] = now_s
        # Who was turned away and came in later is no longer turned away.
        self._refused = {
            each: at_s
            for each, at_s in list(self._refused.items())[-_MOST_REFUSED:]
            if now_s - at_s < REFUSED_S and (each not in asking or not self._knows(each))
        }
        return HotspotStatus(status.on_air, phones, self._limit, len(self._refused))

    def _knows(self, address: str) -> bool:
        return self._control is not None and self._control.ask(f"STA {address}") != "FAIL"

    def _tell(self, status: HotspotStatus) -> None:
        state, reason = judge(status)
        now_s = self._clock()
        if self._told is not None and self._told[0] is state and now_s - self._told[1] < FIGURES_S:
            return
        self._told = state, now_s
        self._health.set(state, reason)

    def _lose(self, error: DeviceError) -> None:
        self._drop()
        self._told = None
        self._health.set(State.FAULT, error.reason)

    def _drop(self) -> None:
        if self._control is not None:
            self._control.close()
        self._control = None
