"""`serial:///dev/serial/by-id/...?baud=9600&proto=gm65`: a scanner on a serial line or a USB serial port."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping

from drivers.errors import BadDeviceUrl, DeviceUnavailable
from drivers.health import Clock, Health, HealthRecord, State
from drivers.scanner import gm65, rt
from drivers.scanner.decode import DEFAULT_GAP_S, Decoder
from drivers.scanner.dialect import Dialect, Plain
from drivers.scanner.intake import OPTIONS, Intake, intake_for
from drivers.scanner.port import SerialPort
from drivers.scanner.watch import Trouble
from drivers.url import DeviceUrl

DEFAULT_BAUD = 9600
# What modules are found at: 9600 after a factory reset, the rest as people set them.
BAUDS = (9600, 115200, 57600, 38400, 19200, 14400, 4800)
ANSWER_S = 0.15
# A module that was reset is silent for more than a second.
PROBE_S = 3.0
ALIVE_S = 10.0
_MISSES = 3
_REST_S = 0.05
_AT_ONCE = 65536

_DIALECTS: Mapping[str, tuple[Callable[[str], Dialect], tuple[str, ...]]] = {
    "plain": (lambda _mode: Plain(), ()),
    "gm65": (gm65.Gm65, tuple(gm65.MODES)),
    "rt": (rt.Rt, tuple(rt.MODES)),
}


def from_url(url: DeviceUrl) -> SerialScanner:
    """The scanner behind the address.

    Options: baud, prefix, suffix, gap (seconds that end an unterminated code), debounce (seconds), uid (see `uid.FORMATS`), proto
    (plain, gm65, rt), mode (of a module: manual, sense, continuous), alive (seconds after which a silent module is asked).
    """
    url.check_options({"baud", "prefix", "suffix", "gap", "proto", "mode", "alive", *OPTIONS})
    if url.host or not url.path.startswith("/"):
        raise BadDeviceUrl(f"{url.text!r} must look like serial:///dev/ttyACM0.")
    decoder = Decoder(
        url.text_option("prefix", ""), url.text_option("suffix", ""), url.number("gap", DEFAULT_GAP_S, low=0.01, high=5)
    )
    make, modes = _DIALECTS[url.choice("proto", "plain", _DIALECTS)]
    return SerialScanner(
        url.path,
        url.integer("baud", 0, low=300, high=4_000_000) if "baud" in url.options else None,
        decoder,
        intake_for(url),
        make(url.choice("mode", "", ("", *modes))),
        alive_s=url.number("alive", ALIVE_S, low=0.1, high=3600),
    )


class SerialScanner:
    """Reads codes from one port, held exclusively.

    A module that takes commands is looked for at every usual speed, set up, and asked now and then whether it is still there;
    one that does not answer is read all the same, and its health says so.
    """

    def __init__(
        self,
        path: str,
        baud: int | None,
        decoder: Decoder,
        intake: Intake | None = None,
        dialect: Dialect | None = None,
        *,
        alive_s: float = ALIVE_S,
        clock: Clock = time.monotonic,
    ) -> None:
        self._port = SerialPort(path)
        self._wanted_baud = baud
        self._baud = baud or DEFAULT_BAUD
        self._decoder = decoder
        self._intake = intake or Intake()
        self._dialect = dialect or Plain()
        self._alive_s = alive_s
        self._clock = clock
        self._health = HealthRecord(clock)
        self._answers: deque[bytes] = deque(maxlen=16)
        self._rest = b""
        self._heard_s = self._asked_s = self._probed_s = 0.0
        self._misses = 0
        self._answered = False
        self._problems: list[str] = []

    def open(self) -> None:
        """See `Scanner.open`; with a module to find it may take some seconds."""
        if self._port.is_open:
            return
        self._health.set(State.OPENING, f"Opening {self._port.path}.")
        try:
            self._port.open(self._baud)
            self._rest = b""
            self._decoder.reset()
            self._intake.reset()
            if self._dialect.question:
                self._meet()
        except DeviceUnavailable as error:
            self._lose(error.reason)
            raise
        self._tell()

    def close(self) -> None:
        """See `Scanner.close`."""
        self._lose("Closed.")

    def read(self, timeout_s: float) -> str | None:
        """See `Scanner.read`."""
        until = self._clock() + timeout_s
        try:
            while True:
                self._pull()
                code = self._intake.take()
                now = self._clock()
                self._tell()
                if code is not None or now >= until:
                    return code
                if self._dialect.question:
                    self._look_after(now)
                self._port.wait(min(until - now, self._due_s(now)))
        except DeviceUnavailable as error:
            if self._health().state is not State.ABSENT:
                self._lose(error.reason)
            raise

    def health(self) -> Health:
        """See `Scanner.health`."""
        return self._health()

    def _pull(self) -> None:
        """Take in what has arrived; bounded, so that a scanner that never stops keeps nobody here."""
        taken = 0
        while taken < _AT_ONCE and (data := self._port.read()):
            taken += len(data)
            self._heard_s = self._clock()
            text, answers, self._rest = self._dialect.sift(self._rest + data)
            self._answers.extend(answers)
            self._decode(text)
        if self._rest and self._clock() - self._heard_s > _REST_S:
            # It began like an answer and was none.
            rest, self._rest = self._rest, b""
            self._decode(rest)
        self._decode(b"")

    def _decode(self, text: bytes) -> None:
        now, decoder, watch = self._clock(), self._decoder, self._intake.watch
        dropped, unreadable = decoder.dropped, decoder.unreadable
        codes = decoder.feed(text, now) if text else decoder.flush(now)
        if decoder.unreadable > unreadable:
            watch.noise(now, decoder.unreadable - unreadable)
        if decoder.dropped > dropped:
            watch.went_wrong(Trouble.TOO_LONG, now, decoder.dropped - dropped)
        if text or codes:
            self._intake.put(codes, len(text), now)

    def _due_s(self, now: float) -> float:
        """Seconds until something happens without a byte."""
        if self._rest:
            return _REST_S
        return self._decoder.gap_left_s(now) if self._decoder.waiting else self._alive_s

    def _ask(self, command: bytes) -> bytes | None:
        self._pull()
        self._answers.clear()
        self._port.write(command)
        until = self._clock() + ANSWER_S
        while not self._answers and (left_s := until - self._clock()) > 0:
            self._port.wait(min(left_s, self._due_s(self._clock())))
            self._pull()
        return self._answers.popleft() if self._answers else None

    def _meet(self) -> None:
        """Find the module's speed and set it up."""
        self._answered = self._find()
        self._probed_s = self._asked_s = self._heard_s = self._clock()
        self._misses = 0
        self._problems = []
        self._decoder.reset()
        if self._answered:
            self._problems = self._dialect.set_up(self._ask)
            if self._wanted_baud not in (None, self._port.baud) and not self._change_baud(self._wanted_baud):
                self._problems.append("its baud rate")
            self._baud = self._port.baud
        # What a wrong speed made of its words says nothing about it.
        self._intake.reset()

    def _find(self) -> bool:
        until = self._clock() + PROBE_S
        speeds = dict.fromkeys((self._baud, self._wanted_baud or self._baud, *BAUDS))
        while True:
            for baud in speeds:
                self._port.set_baud(baud)
                if self._ask(self._dialect.question) is not None:
                    return True
            if self._clock() >= until:
                self._port.set_baud(self._wanted_baud or DEFAULT_BAUD)
                return False

    def _change_baud(self, baud: int | None) -> bool:
        before = self._port.baud
        command = self._dialect.baud_command(baud) if baud else None
        if baud is None or command is None:
            return False
        # The answer may come at either speed or not at all, so only an answer at the new speed counts.
        self._ask(command)
        for speed in (baud, baud, baud, before):
            self._port.set_baud(speed)
            if self._ask(self._dialect.question) is not None:
                self._decoder.reset()
                return speed == baud
        return False

    def _look_after(self, now: float) -> None:
        """Ask a silent module whether it is there; look for it again when it went or when what it says became noise."""
        garbled = self._intake.watch.trouble(now) is Trouble.UNREADABLE
        if garbled and (self._answered or now - self._probed_s > 3 * self._alive_s):
            raise DeviceUnavailable(
                f"The scanner at {self._port.path} speaks, but not readable: looking for its speed."
            )
        if self._answers:
            self._answers.clear()
            self._misses = 0
            if not self._answered:
                self._meet()
        pause_s = min(1.0, self._alive_s) if self._misses else self._alive_s
        if now - max(self._heard_s, self._asked_s) < pause_s:
            return
        if self._misses >= _MISSES and self._answered:
            raise DeviceUnavailable(f"The scanner at {self._port.path} does not answer any more.")
        self._misses += 1
        self._asked_s = now
        self._port.write(self._dialect.question)

    def _tell(self) -> None:
        now = self._clock()
        self._intake.report(self._health, now, self._port.path, self._complaint(now))

    def _complaint(self, now: float) -> str:
        trouble = self._intake.watch.trouble(now)
        if trouble is Trouble.UNREADABLE:
            return f"The scanner speaks, but what it says is not readable: is the baud rate ({self._port.baud}) right?"
        if trouble or not self._dialect.question:
            return ""
        if not self._answered:
            return (
                f"The scanner does not answer as a {self._dialect.name} does; codes are read as they come. "
                "Check proto= in its address and both wires of the serial line."
            )
        if self._problems:
            return f"The {self._dialect.name} scanner cannot be set up ({', '.join(self._problems)}). Reset it and try again."
        return ""

    def _lose(self, reason: str) -> None:
        self._port.close()
        self._health.set(State.ABSENT, reason)
