"""`at:///dev/serial/by-id/...?baud=115200&pin_file=/etc/marquee/sim.pin`: a modem that understands AT commands, in PDU mode.

What of a message is certain: until Ctrl-Z is written the modem holds an unfinished message and sends nothing, so every
failure before is certain. After it only the modem's own answer is; silence is not.
"""

from __future__ import annotations

import contextlib
import itertools
import time
from pathlib import Path

from drivers.errors import BadDeviceUrl, DeviceError, DeviceTimeout, DeviceUnavailable
from drivers.health import Health, HealthRecord, State
from drivers.modem import pdu
from drivers.modem.api import SEND_S, ModemStatus, NotSent, PerhapsSent, Sent, Sim, SimTrouble, check_message
from drivers.modem.at_line import PROMPT, AtLine
from drivers.modem.causes import equipment_error, message_error
from drivers.modem.pin import SimPin
from drivers.modem.words import judge
from drivers.url import DeviceUrl

ASK_S = 3.0
PROMPT_S = 8.0
_ATTEMPTS = 4
_UNLOCK_S = 10.0
_END, _GIVE_UP = b"\x1a", b"\x1b"
_SIM = {"READY": Sim.READY, "SIM PIN": Sim.PIN, "SIM PUK": Sim.PUK}
_SIM_ERRORS = {10: Sim.MISSING, 11: Sim.PIN, 12: Sim.PUK}
# What a card says of a PIN (27.007, 9.2): it wants its PUK, it was too busy to look at it, it was wrong.
_PUK_WANTED, _BUSY, _WRONG = 12, 14, 16
# How many tries are left: the standard's command, which a modem need not have, and SIMCom's, which names those of the PIN first.
_TRIES = (("AT+CPINR", "+CPINR: SIM PIN,"), ("AT+SPIC", "+SPIC:"))
_HOME, _ROAMING = 1, 5
_LOUDEST = 31


def from_url(url: DeviceUrl) -> AtModem:
    """The modem behind the address; options: baud, pin_file (the SIM card's PIN), timeout (seconds for an answer)."""
    url.check_options({"baud", "pin_file", "timeout"})
    if url.host or not url.path.startswith("/"):
        raise BadDeviceUrl(f"{url.text!r} must look like at:///dev/ttyUSB2.")
    baud = url.integer("baud", 115_200, low=300, high=4_000_000)
    ask_s = url.number("timeout", ASK_S, low=0.05, high=60)
    pin_file = url.text_option("pin_file", "")
    return AtModem(AtLine(url.path, baud), Path(pin_file) if pin_file else None, ask_s)


class _Refused(Exception):
    """The modem answered a command with an error; `code` is None where it named none."""

    def __init__(self, kind: str, code: int | None) -> None:
        super().__init__(kind, code)
        self.kind = kind
        self.code = code


class AtModem:
    """One modem on a line of its own; `ask_s` bounds every answer but that of the network."""

    def __init__(self, line: AtLine, pin_file: Path | None = None, ask_s: float = ASK_S) -> None:
        self._line = line
        self._pin = None if pin_file is None else SimPin(pin_file)
        self._ask_s = ask_s
        self._prompt_s = min(PROMPT_S, max(1.0, ask_s * 3))
        self._references = itertools.cycle(range(1, 256))
        self._health = HealthRecord()

    def remember_in(self, file: Path) -> None:
        """See `WithPin.remember_in`."""
        if self._pin is not None:
            self._pin.remember_in(file)

    def open(self) -> None:
        """See `Modem.open`."""
        if self._line.is_open:
            return
        self._health.set(State.OPENING, f"Opening the modem at {self._line.name}.")
        try:
            self._line.open()
            self._greet()
            self._unlock()
        except DeviceError as error:
            self._shut(_state(error), error.reason)
            raise
        self._health.set(State.DEGRADED, "Opened; the modem has not said yet how it is.")

    def close(self) -> None:
        """See `Modem.close`."""
        self._shut(State.ABSENT, "Closed.")

    def send(self, number: str, text: str, deadline_s: float = SEND_S) -> Sent:
        """See `Modem.send`."""
        check_message(number, text)
        try:
            parts = pdu.submit(number, text, next(self._references))
        except ValueError as error:
            raise NotSent(f"The text is too long: {error}.", lasting=True) from None
        until = time.monotonic() + deadline_s
        references: list[str] = []
        for part in parts:
            try:
                references.append(self._send_part(part, until))
            except DeviceError as error:
                if error.bytes_taken or not references:
                    raise
                some = f"Only {len(references)} of {len(parts)} parts were sent: {error.reason}"
                raise PerhapsSent(some, len(references)) from None
        return Sent("+".join(references))

    def status(self) -> ModemStatus:
        """See `Modem.status`."""
        if not self._line.is_open:
            return ModemStatus()
        try:
            found = ModemStatus(self._sim(), self._registered(), self._signal())
        except DeviceError as error:
            self._shut(_state(error), error.reason)
            return ModemStatus()
        judge(self._health, found)
        return found

    def health(self) -> Health:
        """See `Modem.health`."""
        return self._health()

    def _send_part(self, part: pdu.Pdu, until: float) -> str:
        """Send one PDU and return the network's reference for it."""
        try:
            # A modem in text mode would take the length for a telephone number.
            self._ask("AT+CMGF=0")
            self._await_prompt(part.length, until)
            self._line.write(part.hex.encode(), until)
        except _Refused as refused:
            error = _refusal(refused)
            raise NotSent(error.reason, lasting=isinstance(error, NotSent) and error.lasting) from None
        except DeviceError as error:
            self._abandon(error)
            raise
        try:
            self._line.write(_END, until)
            return self._await_network(until)
        except _Refused as refused:
            raise _refusal(refused) from None
        except DeviceError as error:
            self._shut(_state(error), error.reason)
            raise PerhapsSent(error.reason, len(part.hex)) from None

    def _await_prompt(self, length: int, until: float) -> None:
        self._line.drain()
        command = f"AT+CMGS={length}"
        prompt_until = min(until, time.monotonic() + self._prompt_s)
        self._line.write(command.encode() + b"\r", prompt_until)
        while (line := self._line.read_line(prompt_until)) is not None:
            if line == PROMPT:
                return
            self._raise_if_refused(line)
        raise DeviceTimeout("The modem did not ask for the message.")

    def _await_network(self, until: float) -> str:
        reference: str | None = None
        while (line := self._line.read_line(until)) is not None:
            if line.startswith("+CMGS:"):
                reference = line.removeprefix("+CMGS:").split(",")[0].strip()
            elif line == "OK":
                return reference or ""
            elif reference is None:
                self._raise_if_refused(line)
        if reference is None:
            raise DeviceTimeout("The modem did not say in time whether the network took the message.")
        # The network has it; only the modem's own OK is missing.
        return reference

    def _greet(self) -> None:
        """Find out that a modem is there, leave whatever an earlier owner began, and make its answers plain."""
        for attempt in range(_ATTEMPTS):
            # Escape ends a message that was begun before and never finished.
            self._line.write(_GIVE_UP if attempt == 0 else b"", time.monotonic() + self._ask_s)
            try:
                self._ask("AT", self._ask_s / 2)
                break
            except (_Refused, DeviceTimeout):
                if attempt == _ATTEMPTS - 1:
                    raise DeviceTimeout(f"What is at {self._line.name} does not answer as a modem does.") from None
        for command in ("ATE0", "AT+CMEE=1", "AT+CMGF=0"):
            with contextlib.suppress(_Refused):
                self._ask(command)

    def _unlock(self) -> None:
        """Give the SIM card its PIN, if that cannot lock it."""
        if self._pin is None:
            return
        sim = self._sim()
        if sim is Sim.READY:
            self._pin.taken()
        if sim is not Sim.PIN:
            return
        pin = self._pin.next(self._tries_left())
        try:
            self._ask(f'AT+CPIN="{pin}"', _UNLOCK_S)
        except _Refused as refused:
            raise _pin_error(self._pin, refused) from None
        except DeviceError as error:
            raise type(error)(self._pin.unanswered()) from None
        self._pin.taken()

    def _tries_left(self) -> int | None:
        """How many tries the card has left for its PIN; None where the modem does not say."""
        for command, prefix in _TRIES:
            try:
                number = self._value(command, prefix).split(",")[0].strip()
            except _Refused:
                continue
            if number.isdigit():
                return int(number)
        return None

    def _sim(self) -> Sim:
        try:
            words = self._value("AT+CPIN?", "+CPIN:")
        except _Refused as refused:
            return _SIM_ERRORS.get(refused.code or 0, Sim.UNKNOWN)
        return _SIM.get(words, Sim.UNKNOWN)

    def _registered(self) -> bool | None:
        """Whether a network has the modem; those of LTE alone answer to another command."""
        answers: list[bool] = []
        for command, prefix in (("AT+CREG?", "+CREG:"), ("AT+CEREG?", "+CEREG:")):
            try:
                numbers = self._value(command, prefix).split(",")
            except _Refused:
                continue
            if len(numbers) > 1 and numbers[1].strip().isdigit():
                answers.append(int(numbers[1]) in {_HOME, _ROAMING})
            if answers and answers[-1]:
                return True
        return False if answers else None

    def _signal(self) -> int | None:
        try:
            level = self._value("AT+CSQ", "+CSQ:").split(",")[0]
        except _Refused:
            return None
        return round(int(level) * 100 / _LOUDEST) if level.isdigit() and int(level) <= _LOUDEST else None

    def _value(self, command: str, prefix: str) -> str:
        """What follows `prefix` in the answer; '' if the modem says OK and nothing else."""
        for line in self._ask(command):
            if line.startswith(prefix):
                return line.removeprefix(prefix).strip()
        return ""

    def _ask(self, command: str, within_s: float | None = None) -> list[str]:
        """The lines a command is answered with, OK left out. Raises `_Refused`, `DeviceTimeout` or `DeviceUnavailable`."""
        until = time.monotonic() + (self._ask_s if within_s is None else within_s)
        self._line.drain()
        self._line.write(command.encode() + b"\r", until)
        lines: list[str] = []
        while (line := self._line.read_line(until)) is not None:
            if line == "OK":
                return lines
            self._raise_if_refused(line)
            if line != command:
                lines.append(line)
        raise DeviceTimeout(f"The modem at {self._line.name} does not answer.")

    def _raise_if_refused(self, line: str) -> None:
        if line == "ERROR":
            raise _Refused("", None)
        for kind in ("CMS", "CME"):
            head = f"+{kind} ERROR:"
            if line.startswith(head):
                code = line.removeprefix(head).strip()
                raise _Refused(kind, int(code) if code.isdigit() and len(code) < 5 else None)

    def _abandon(self, error: DeviceError) -> None:
        """Tell the modem to forget the message it holds, and begin anew: a half message must not run into the next."""
        with contextlib.suppress(DeviceError):
            self._line.write(_GIVE_UP, time.monotonic() + 0.2)
        self._shut(_state(error), error.reason)

    def _shut(self, state: State, reason: str) -> None:
        self._line.close()
        self._health.set(state, reason)


def _state(error: DeviceError) -> State:
    return State.ABSENT if isinstance(error, DeviceUnavailable) else State.FAULT


def _pin_error(pin: SimPin, refused: _Refused) -> DeviceError:
    """What an error means in answer to the PIN."""
    if refused.code in {None, _WRONG, _PUK_WANTED}:
        return pin.refused()
    if refused.code == _BUSY:
        pin.not_given()
        return DeviceTimeout("The SIM card is busy and did not take its PIN.")
    return SimTrouble(f"{pin.unanswered()} It answered with error {refused.code}.")


def _refusal(refused: _Refused) -> DeviceError:
    """What an error means after the whole message was handed over."""
    if refused.code is not None:
        return message_error(refused.code) if refused.kind == "CMS" else equipment_error(refused.code)
    return PerhapsSent("The modem answered with an error and does not say which.")
