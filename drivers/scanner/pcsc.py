"""`pcsc://` or `pcsc:///Name%20of%20reader`: badge cards on a smart card reader.

Needs the library pyscard (Debian: `python3-pyscard`) and the service `pcscd`. The service's calls have no deadline, so a thread makes them
and is left behind when one never returns.
"""

from __future__ import annotations

import importlib
import queue
import threading
import time
from typing import Any

from drivers.errors import BadDeviceUrl, DeviceUnavailable, MissingLibrary
from drivers.health import Clock, Health, HealthRecord, State
from drivers.scanner import cards
from drivers.scanner.intake import OPTIONS, Intake, intake_for
from drivers.url import DeviceUrl

OPEN_S = 3.0
CARD_S = 3.0
WANTED = ("text-or-uid", "text", "uid")
_LOOK_MS = 200
_LEFT_BEHIND = 3
_QUEUED = 100


def from_url(url: DeviceUrl) -> CardScanner:
    """The reader behind the address; without a name the first one there is.

    Options: card (what a card stands for: its text, its number, or its number where there is no text), debounce (seconds).
    """
    url.check_options({"card", *OPTIONS - {"uid"}})
    if url.host or url.port is not None:
        raise BadDeviceUrl(f"{url.text!r} must look like pcsc:///Name%20of%20reader, or pcsc:// for the first reader.")
    return CardScanner(url.path.strip("/"), url.choice("card", WANTED[0], WANTED), intake_for(url, debounce_s=0))


class CardScanner:
    """Gives one code per card that is laid on the reader."""

    def __init__(self, name: str, wanted: str, intake: Intake, clock: Clock = time.monotonic) -> None:
        self._name = name
        self._wanted = wanted
        self._intake = intake
        self._clock = clock
        self._watcher: _Watcher | None = None
        self._left_behind: list[_Watcher] = []
        self._health = HealthRecord(clock)

    def open(self) -> None:
        """See `Scanner.open`; raises `MissingLibrary` where pyscard is not installed."""
        if self._watcher is not None:
            return
        self._left_behind = [each for each in self._left_behind if each.is_alive()]
        self._health.set(State.OPENING, "Looking for the card reader.")
        try:
            if len(self._left_behind) >= _LEFT_BEHIND:
                raise DeviceUnavailable("The smart card service hangs. Restart pcscd.")
            watcher = _Watcher(_library(), self._name, self._wanted, self._clock)
            watcher.start()
            if not watcher.ready.wait(OPEN_S):
                self._leave(watcher)
                raise DeviceUnavailable("The smart card service does not answer. Restart pcscd.")
            if watcher.gone:
                raise DeviceUnavailable(watcher.gone)
        except MissingLibrary as error:
            self._health.set(State.FAULT, error.reason)
            raise
        except DeviceUnavailable as error:
            self._health.set(State.ABSENT, error.reason)
            raise
        self._watcher = watcher
        self._intake.reset()
        self._tell(watcher)

    def close(self) -> None:
        """See `Scanner.close`."""
        self._lose("Closed.")

    def read(self, timeout_s: float) -> str | None:
        """See `Scanner.read`."""
        watcher = self._watcher
        if watcher is None:
            raise DeviceUnavailable("The card reader is not open.")
        until = self._clock() + timeout_s
        while True:
            self._pull(watcher, until)
            code = self._intake.take()
            self._tell(watcher)
            if code is not None:
                return code
            if watcher.gone or watcher.stuck():
                reason = watcher.gone or "The card reader does not finish with a card. Plug it out and in."
                self._lose(reason)
                raise DeviceUnavailable(reason)
            if self._clock() >= until:
                return None

    def health(self) -> Health:
        """See `Scanner.health`."""
        return self._health()

    def _pull(self, watcher: _Watcher, until: float) -> None:
        wait_s = max(0.0, min(until - self._clock(), _LOOK_MS / 1000))
        try:
            code = watcher.codes.get(timeout=wait_s) if wait_s else watcher.codes.get_nowait()
        except queue.Empty:
            return
        if code:
            self._intake.put([code], len(code), self._clock())

    def _tell(self, watcher: _Watcher) -> None:
        self._intake.report(self._health, self._clock(), watcher.reader or "the card reader", watcher.trouble)

    def _lose(self, reason: str) -> None:
        if self._watcher is None:
            return
        watcher, self._watcher = self._watcher, None
        self._leave(watcher)
        self._health.set(State.ABSENT, reason)

    def _leave(self, watcher: _Watcher) -> None:
        watcher.stop.set()
        if not watcher.stuck():
            watcher.join(2 * _LOOK_MS / 1000)
        if watcher.is_alive():
            self._left_behind.append(watcher)


class _Watcher(threading.Thread):
    """One life of a reader: waits for cards and reads them until told to stop or the reader is gone.

    `gone` says why it ended, `trouble` what is wrong with the card that lies there; an empty code in `codes` only wakes the owner.
    """

    def __init__(self, library: Any, name: str, wanted: str, clock: Clock) -> None:
        super().__init__(name="card-reader", daemon=True)
        self._library = library
        self._wanted_name = name
        self._wanted = wanted
        self._clock = clock
        self._busy_since_s: float | None = None
        self.codes: queue.Queue[str] = queue.Queue(_QUEUED)
        self.ready = threading.Event()
        self.stop = threading.Event()
        self.reader = self.gone = self.trouble = ""

    def stuck(self) -> bool:
        """Whether a card has kept the reader busy for too long."""
        since_s = self._busy_since_s
        return since_s is not None and self._clock() - since_s > CARD_S

    def run(self) -> None:
        context = None
        try:
            context = self._must(self._library.SCardEstablishContext(self._library.SCARD_SCOPE_SYSTEM))
            self.reader = self._chosen(self._must(self._library.SCardListReaders(context, [])))
            self._watch(context)
        except _GoneError as error:
            self.gone = str(error)
        except Exception as error:  # noqa: BLE001 - whatever the library throws, the owner must hear of it
            self.gone = f"The smart card library failed: {error}."
        finally:
            self._wake()
            self.ready.set()
            if context is not None:
                self._library.SCardReleaseContext(context)

    def _chosen(self, readers: list[str]) -> str:
        for reader in readers or []:
            if self._wanted_name in reader:
                return str(reader)
        there = f" There are: {', '.join(readers)}." if readers else ""
        raise _GoneError(f"There is no card reader{f' {self._wanted_name!r}' if self._wanted_name else ''}.{there}")

    def _watch(self, context: Any) -> None:
        library, state, last_count = self._library, self._library.SCARD_STATE_UNAWARE, None
        while not self.stop.is_set():
            result = library.SCardGetStatusChange(context, _LOOK_MS, [(self.reader, state)])
            if result[0] == library.SCARD_E_TIMEOUT:
                self.ready.set()
                continue
            _, state, atr = self._must(result)[0]
            if state & (library.SCARD_STATE_UNKNOWN | library.SCARD_STATE_UNAVAILABLE):
                raise _GoneError(f"The card reader {self.reader} was unplugged.")
            self.ready.set()
            # The upper half counts cards that came and went, so that a quick change of cards is noticed.
            count = state >> 16
            if state & library.SCARD_STATE_PRESENT and count != last_count:
                self._card(context, bytes(atr), mute=bool(state & library.SCARD_STATE_MUTE))
            last_count = count if state & library.SCARD_STATE_PRESENT else None

    def _card(self, context: Any, atr: bytes, *, mute: bool) -> None:
        self._busy_since_s = self._clock()
        try:
            code = None if mute else self._read(context, atr)
        finally:
            self._busy_since_s = None
        if code is None:
            self.trouble = (
                "A card could not be read. Lay it on the reader again, a little longer; is it a badge of this venue?"
            )
        else:
            self.trouble = ""
        self._wake(code or "")

    def _read(self, context: Any, atr: bytes) -> str | None:
        library = self._library
        protocols = library.SCARD_PROTOCOL_T0 | library.SCARD_PROTOCOL_T1
        result = library.SCardConnect(context, self.reader, library.SCARD_SHARE_SHARED, protocols)
        if result[0] != library.SCARD_S_SUCCESS:
            return None
        _, card, protocol = result

        def exchange(command: bytes) -> bytes:
            code, answer = library.SCardTransmit(card, protocol, list(command))
            return bytes(answer) if code == library.SCARD_S_SUCCESS else b""

        try:
            text = cards.text_of(exchange, atr) if self._wanted != "uid" else None
            return text or (cards.number_of(exchange) if self._wanted != "text" else None)
        finally:
            library.SCardDisconnect(card, library.SCARD_LEAVE_CARD)

    def _must(self, result: tuple[Any, ...]) -> Any:
        """What a call gave; raises `_GoneError` with the service's own words."""
        if result[0] == self._library.SCARD_S_SUCCESS:
            return result[1]
        if result[0] == self._library.SCARD_E_NO_READERS_AVAILABLE:
            return []
        raise _GoneError(f"The smart card service: {self._library.SCardGetErrorMessage(result[0])}")

    def _wake(self, code: str = "") -> None:
        try:
            self.codes.put_nowait(code)
        except queue.Full:
            # A hundred cards that nobody took: the reader's owner is gone.
            self.stop.set()


class _GoneError(Exception):
    """The reader or its service is not there."""


def _library() -> Any:
    try:
        return importlib.import_module("smartcard.scard")
    except ImportError as error:
        raise MissingLibrary(f"Card readers need the library pyscard (Debian: python3-pyscard): {error}.") from None
