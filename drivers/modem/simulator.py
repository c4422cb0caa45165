"""A modem without the radio: understands the AT commands that the driver uses, keeps the messages, breaks on request."""

from __future__ import annotations

import enum
import re
import threading
from collections import deque
from collections.abc import Callable

_KEPT = 200
_TRIES = 3
_MOST_HELD = 4096
_END, _GIVE_UP = b"\x1a", b"\x1b"
_NOISE = b"\xff\x00\xa5\x5a" * 16
_COUNTED = re.compile(r"AT\+CMGS=(\d{1,3})")
_WITH_PIN = re.compile(r'AT\+CPIN="(\d+)"')


class Fault(enum.Enum):
    """What can be wrong with a simulated modem.

    `refused`, `bad_number` and `unsure` are the network's answers CMS 38, 1 and 350; `unanswered` takes a message and says
    nothing more; `lost` and `unplug_midway` pull the cable after the message, or in its middle.
    """

    UNPLUG = "unplug"
    SILENT = "silent"
    GARBAGE = "garbage"
    SLOW = "slow"
    NO_SIM = "no_sim"
    PIN = "pin"
    NO_NETWORK = "no_network"
    REFUSED = "refused"
    BAD_NUMBER = "bad_number"
    UNSURE = "unsure"
    UNANSWERED = "unanswered"
    LOST = "lost"
    NO_PROMPT = "no_prompt"
    UNPLUG_MIDWAY = "unplug_midway"


CODES = {Fault.REFUSED: 38, Fault.BAD_NUMBER: 1, Fault.UNSURE: 350}


class Habits:
    """What modems do differently: `echo`, the `prompt` they send, what they say unasked (`chatter`), their `pin` and `counts`.

    `counts` is the command that tells how many tries are left for the PIN, '' where there is none. `pin_answer` is what they say to
    a PIN instead of looking at it, None if they look.
    """

    def __init__(
        self,
        *,
        echo: bool = True,
        prompt: bytes = b"\r\n> ",
        chatter: bytes = b"",
        pin: str = "",
        counts: str = "AT+CPINR",
    ) -> None:
        self.echo = echo
        self.prompt = prompt
        self.chatter = chatter
        self.pin = pin
        self.counts = counts
        self.pin_answer: bytes | None = None


class SimulatedModem:
    """`receive` takes bytes and gives the answer; safe to use from several threads. `pdus` are the messages it sent."""

    def __init__(self, habits: Habits | None = None) -> None:
        self.habits = habits or Habits()
        self.pdus: deque[str] = deque(maxlen=_KEPT)
        self.pins_tried = 0
        self.tries_left = _TRIES
        self.unplug: Callable[[], None] = lambda: None
        self._lock = threading.Lock()
        self._fault: Fault | None = None
        self._planned: tuple[int, Fault] | None = None
        self._echo = self.habits.echo
        self._locked = bool(self.habits.pin)
        self._text_mode = True
        self._held = b""
        self._wanted: int | None = None
        self._reference = 0

    @property
    def fault(self) -> Fault | None:
        """What is wrong with it now."""
        return self._fault

    def set_fault(self, fault: Fault | str | None) -> None:
        """Break the modem in one way, or mend it with None; raises `ValueError` for a name it does not know."""
        self._fault = Fault(fault) if fault is not None else None
        if self._fault is Fault.UNPLUG:
            self.unplug()

    def break_after(self, pdus: int, fault: Fault) -> None:
        """Break by itself once the network has taken so many messages more."""
        self._planned = (len(self.pdus) + pdus, fault)

    def switch_on(self) -> None:
        """Begin as after power came: echo, text mode, no message begun, the SIM card locked if it has a PIN."""
        with self._lock:
            self._echo, self._text_mode, self._locked = self.habits.echo, True, bool(self.habits.pin)
            self._held, self._wanted = b"", None

    def receive(self, data: bytes) -> bytes:
        """Work through bytes that arrived; returns what the modem says."""
        with self._lock:
            if self._fault is Fault.SILENT:
                return b""
            if self._fault is Fault.GARBAGE:
                return _NOISE
            self._held = (self._held + data)[-_MOST_HELD:]
            said = bytearray()
            while (answer := self._step()) is not None:
                said += answer
            return bytes(said)

    def _step(self) -> bytes | None:
        """Work through one command or message; None when more bytes are needed."""
        if self._wanted is not None:
            return self._message_step(self._wanted)
        # Escape means something only where a message was begun.
        self._held = self._held.lstrip(b"\r\n" + _GIVE_UP)
        line, found, rest = self._held.partition(b"\r")
        if not found:
            return None
        self._held = rest
        command = line.decode("ascii", "replace").strip()
        echo = line + b"\r" if self._echo else b""
        return echo + self.habits.chatter + self._answer(command)

    def _message_step(self, wanted: int) -> bytes | None:
        if self._fault is Fault.UNPLUG_MIDWAY and self._held:
            self.unplug()
            self._held, self._wanted = b"", None
            return b""
        ends = [at for at in (self._held.find(_END), self._held.find(_GIVE_UP)) if at >= 0]
        if not ends:
            return None
        end = min(ends)
        body, given_up = self._held[:end], self._held[end : end + 1] == _GIVE_UP
        self._held, self._wanted = self._held[end + 1 :], None
        if given_up:
            return b"\r\nOK\r\n"
        echo = body if self._echo else b""
        return echo + self.habits.chatter + self._network(body.decode("ascii", "replace"), wanted)

    def _network(self, pdu: str, wanted: int) -> bytes:
        if not re.fullmatch(r"00([0-9A-F]{2})+", pdu) or len(pdu) // 2 - 1 != wanted:
            return b"\r\n+CMS ERROR: 304\r\n"
        if self._planned is not None and len(self.pdus) >= self._planned[0]:
            self._fault, self._planned = self._planned[1], None
        if self._fault in CODES:
            return b"\r\n+CMS ERROR: %d\r\n" % CODES[self._fault]
        if self._fault is Fault.LOST:
            self.unplug()
            return b""
        self.pdus.append(pdu)
        if self._fault is Fault.UNANSWERED:
            return b""
        self._reference = self._reference % 255 + 1
        return b"\r\n+CMGS: %d\r\n" % self._reference + self.habits.chatter + b"\r\nOK\r\n"

    def _answer(self, command: str) -> bytes:
        ok = b"\r\nOK\r\n"
        if command in {"ATE0", "ATE1"}:
            self._echo = command == "ATE1"
        elif command in {"AT+CMGF=0", "AT+CMGF=1"}:
            self._text_mode = command.endswith("1")
        elif command == "AT+CPIN?":
            return self._card()
        elif command == self.habits.counts:
            return self._count()
        elif with_pin := _WITH_PIN.fullmatch(command):
            return self._unlock(with_pin[1])
        elif command in {"AT+CREG?", "AT+CEREG?"}:
            at_home = 2 if self._fault is Fault.NO_NETWORK else 1
            return b"\r\n%s: 0,%d\r\n" % (command[2:-1].encode(), at_home) + ok
        elif command == "AT+CSQ":
            return b"\r\n+CSQ: 99,99\r\n" + ok if self._fault is Fault.NO_NETWORK else b"\r\n+CSQ: 21,0\r\n" + ok
        elif counted := _COUNTED.fullmatch(command):
            return self._begin(int(counted[1]))
        elif command not in {"AT", "AT+CMEE=1"}:
            return b"\r\nERROR\r\n"
        return ok

    def _begin(self, length: int) -> bytes:
        if self._locked or self._fault is Fault.PIN:
            return b"\r\n+CMS ERROR: 311\r\n"
        if self._fault is Fault.NO_SIM:
            return b"\r\n+CMS ERROR: 310\r\n"
        if self._fault is Fault.NO_NETWORK:
            return b"\r\n+CMS ERROR: 331\r\n"
        if self._text_mode:
            return b"\r\n+CMS ERROR: 304\r\n"
        self._wanted = length
        return b"" if self._fault is Fault.NO_PROMPT else self.habits.prompt

    def _card(self) -> bytes:
        if self._fault is Fault.NO_SIM:
            return b"\r\n+CME ERROR: 10\r\n"
        locked = self._locked or self._fault is Fault.PIN
        wanted = b"SIM PUK" if not self.tries_left else b"SIM PIN" if locked else b"READY"
        return b"\r\n+CPIN: %s\r\n\r\nOK\r\n" % wanted

    def _count(self) -> bytes:
        if self.habits.counts == "AT+SPIC":
            return b"\r\n+SPIC: %d,3,10,10\r\n\r\nOK\r\n" % self.tries_left
        lines = b"\r\n+CPINR: SIM PUK,10,10\r\n+CPINR: SIM PIN2,3,3\r\n+CPINR: SIM PIN,%d,3\r\n\r\nOK\r\n"
        return lines % self.tries_left

    def _unlock(self, pin: str) -> bytes:
        if self.habits.pin_answer is not None:
            return self.habits.pin_answer
        self.pins_tried += 1
        if not self.tries_left:
            return b"\r\n+CME ERROR: 12\r\n"
        if pin != self.habits.pin:
            self.tries_left -= 1
            return b"\r\n+CME ERROR: 16\r\n"
        self._locked, self.tries_left = False, _TRIES
        return b"\r\nOK\r\n"
