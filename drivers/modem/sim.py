"""`sim://modem?fault=unsure&after=2&control=FILE&sent=FILE`: a modem inside this process.

`sent` gets one line of JSON for every message that the simulated network took: `{"number": ..., "text": ...}`.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections import deque
from pathlib import Path

from drivers.errors import BadDeviceUrl, DeviceError, DeviceTimeout, DeviceUnavailable
from drivers.fault_switch import FaultSwitch
from drivers.health import Health, HealthRecord, State
from drivers.modem.api import SEND_S, ModemStatus, NotSent, PerhapsSent, Sent, Sim, check_message
from drivers.modem.causes import message_error
from drivers.modem.simulator import CODES, Fault
from drivers.modem.words import judge
from drivers.url import DeviceUrl

SLOW_S = 0.5
_LOOK_S = 0.05
_KEPT = 200
_SIGNAL_PERCENT = 68
_GONE = "The simulated modem is unplugged."
_BEFORE = {
    Fault.SILENT: "The simulated modem does not answer.",
    Fault.GARBAGE: "The simulated modem talks nonsense.",
    Fault.NO_PROMPT: "The simulated modem did not ask for the message.",
}


def from_url(url: DeviceUrl) -> SimModem:
    """The simulated modem; options: fault (see `simulator.Fault`), after (messages), control, sent."""
    url.check_options({"fault", "after", "control", "sent"})
    if url.host != "modem":
        raise BadDeviceUrl(f"{url.text!r} must look like sim://modem.")
    name = url.choice("fault", "none", ["none", *(fault.value for fault in Fault)])
    modem = SimModem(control=url.text_option("control", ""), sent_file=url.text_option("sent", ""))
    if name != "none":
        modem.break_after(url.integer("after", 0, low=0, high=1_000_000), Fault(name))
    return modem


class SimModem:
    """`messages` are (number, text) of what the simulated network took; faults may be set from any thread."""

    def __init__(self, *, control: str = "", sent_file: str = "") -> None:
        self.messages: deque[tuple[str, str]] = deque(maxlen=_KEPT)
        self._faults = FaultSwitch(Fault, control)
        self._sent_file = Path(sent_file) if sent_file else None
        self._count = 0
        self._open = False
        self._changed = threading.Event()
        self._health = HealthRecord()

    def set_fault(self, fault: Fault | str | None) -> None:
        """Break the modem in one way, or mend it with None; raises `ValueError` for a name it does not know."""
        self._faults.set(fault)
        self._changed.set()

    def break_after(self, messages: int, fault: Fault) -> None:
        """Break by itself after so many messages more."""
        self._faults.break_after(self._count + messages, fault)

    def open(self) -> None:
        """See `Modem.open`."""
        fault = self._now_wrong()
        if fault is Fault.UNPLUG:
            raise self._lose(DeviceUnavailable(_GONE))
        if fault in {Fault.SILENT, Fault.GARBAGE}:
            raise self._lose(DeviceTimeout(_BEFORE[fault]))
        if not self._open:
            self._open = True
            self._health.set(State.DEGRADED, "Opened; the modem has not said yet how it is.")

    def close(self) -> None:
        """See `Modem.close`."""
        self._open = False
        self._changed.set()
        self._health.set(State.ABSENT, "Closed.")

    def send(self, number: str, text: str, deadline_s: float = SEND_S) -> Sent:
        """See `Modem.send`."""
        check_message(number, text)
        if not self._open:
            raise DeviceUnavailable("The simulated modem is not open.")
        fault = self._now_wrong()
        self._fail_before(fault)
        if fault is Fault.SLOW:
            self._changed.wait(min(SLOW_S, deadline_s))
        if fault in CODES:
            raise message_error(CODES[fault])
        if fault is Fault.LOST:
            raise self._lose(PerhapsSent(_GONE))
        self._count += 1
        self._keep(number, text)
        if fault is Fault.UNANSWERED:
            self._stay_silent(deadline_s)
        return Sent(str(self._count % 256))

    def status(self) -> ModemStatus:
        """See `Modem.status`."""
        if not self._open:
            return ModemStatus()
        fault = self._now_wrong()
        if fault is Fault.UNPLUG:
            self._lose(DeviceUnavailable(_GONE))
            return ModemStatus()
        if fault in {Fault.SILENT, Fault.GARBAGE}:
            self._lose(DeviceTimeout(_BEFORE[fault]))
            return ModemStatus()
        cards = {Fault.NO_SIM: Sim.MISSING, Fault.PIN: Sim.PIN}
        lost = fault is Fault.NO_NETWORK
        found = ModemStatus(
            cards.get(fault, Sim.READY) if fault else Sim.READY, not lost, None if lost else _SIGNAL_PERCENT
        )
        judge(self._health, found)
        return found

    def health(self) -> Health:
        """See `Modem.health`."""
        return self._health()

    def _fail_before(self, fault: Fault | None) -> None:
        """Raise what is certain before the network has anything."""
        if fault in {Fault.UNPLUG, Fault.UNPLUG_MIDWAY}:
            raise self._lose(DeviceUnavailable(_GONE))
        if fault in _BEFORE:
            raise self._lose(DeviceTimeout(_BEFORE[fault]))
        codes = {Fault.NO_SIM: 310, Fault.PIN: 311, Fault.NO_NETWORK: 331}
        if fault in codes:
            raise NotSent(message_error(codes[fault]).reason)

    def _stay_silent(self, deadline_s: float) -> None:
        until = time.monotonic() + deadline_s
        self._changed.clear()
        while self._open and time.monotonic() < until and self._now_wrong() is Fault.UNANSWERED:
            self._changed.wait(min(_LOOK_S, deadline_s))
        raise self._lose(PerhapsSent("The simulated modem did not say whether the network took the message."))

    def _keep(self, number: str, text: str) -> None:
        self.messages.append((number, text))
        if self._sent_file is not None:
            with contextlib.suppress(OSError), self._sent_file.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"number": number, "text": text}, ensure_ascii=False) + "\n")

    def _now_wrong(self) -> Fault | None:
        return self._faults.now(self._count)

    def _lose(self, error: DeviceError) -> DeviceError:
        self._open = False
        self._health.set(State.ABSENT if isinstance(error, DeviceUnavailable) else State.FAULT, error.reason)
        return error
