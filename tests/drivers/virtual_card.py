"""A real pcscd with Debian's virtual reader (vsmartcard-vpcd), and cards for it that speak its protocol over TCP.

Every message is a length of two bytes and so many bytes; one byte is the reader's own wish (0 power off, 1 power on, 2 reset, 4 the
card's ATR), everything else a command that the card answers.
"""

from __future__ import annotations

import contextlib
import fcntl
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from drivers.scanner.ndef import text_message
from tests.drivers.debian import library
from tests.drivers.patience import eventually

DRIVER = "/usr/lib/pcsc/drivers/serial/libifdvpcd.so"
MEMORY_ATR = bytes.fromhex("3B8F8001804F0CA0000003060300030000000068")
FILES_ATR = bytes.fromhex("3B80800101")
_ASK_ATR = 4
_OK, _NOT_FOUND, _UNKNOWN = b"\x90\x00", b"\x6a\x82", b"\x6d\x00"

Answer = Callable[[bytes], bytes]


def memory_card(uid: str, text: str | None = None, *, junk: bytes = b"") -> Answer:
    """A Type 2 card such as NTAG 216; `junk` are blocks before the text."""
    message = text_message(text) if text is not None else b""
    size = bytes((len(message),)) if len(message) < 255 else b"\xff" + len(message).to_bytes(2, "big")
    memory = bytes(12) + b"\xe1\x10\x6d\x00" + junk + (b"\x03" + size + message if text is not None else b"") + b"\xfe"
    memory = memory.ljust(16 + 0x6D * 8, b"\0")

    def answer(command: bytes) -> bytes:
        if command[:2] == b"\xff\xca":
            return bytes.fromhex(uid) + _OK
        if command[:2] == b"\xff\xb0":
            start = command[3] * 4
            return memory[start : start + command[4]] + _OK if start < len(memory) else _NOT_FOUND
        return _UNKNOWN

    return answer


def file_card(uid: str | None, text: str | None, *, at_once: int = 0x3B) -> Answer:
    """A Type 4 card such as DESFire; without `text` it has no NDEF application, without `uid` its reader tells none."""
    message = text_message(text or "")
    files = {
        b"\xe1\x03": b"\x00\x0f\x20" + at_once.to_bytes(2, "big") + b"\x00\x34\x04\x06\xe1\x04\x08\x00\x00\x00",
        b"\xe1\x04": len(message).to_bytes(2, "big") + message,
    }
    selected = b""

    def answer(command: bytes) -> bytes:
        nonlocal selected
        if command[:2] == b"\xff\xca":
            return bytes.fromhex(uid) + _OK if uid else b"\x6a\x81"
        if command[:4] == b"\x00\xa4\x04\x00":
            return _OK if text is not None and command[5:12].hex() == "d2760000850101" else _NOT_FOUND
        if command[:4] == b"\x00\xa4\x00\x0c":
            selected = files.get(command[5:7], b"")
            return _OK if selected else _NOT_FOUND
        if command[:2] == b"\x00\xb0":
            start = int.from_bytes(command[2:4], "big")
            return selected[start : start + command[4]] + _OK
        return _UNKNOWN

    return answer


class Card:
    """A card on the reader, until `take_away`; `stalls` never answers a command."""

    def __init__(self, port: int, atr: bytes, answer: Answer, *, stalls: bool = False) -> None:
        self._atr, self._answer, self._stalls = atr, answer, stalls
        assert eventually(lambda: not _card_is_there()), "the reader sees that the last card is gone"
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=5)
        self._thread = threading.Thread(target=self._live, daemon=True)
        self._thread.start()

    def take_away(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(2)
        self._socket.close()

    def _live(self) -> None:
        self._socket.settimeout(None)
        with contextlib.suppress(OSError):
            while head := self._exactly(2):
                message = self._exactly(int.from_bytes(head, "big"))
                if len(message) > 1 and not self._stalls:
                    self._reply(self._answer(message))
                elif message == bytes((_ASK_ATR,)):
                    self._reply(self._atr)

    def _reply(self, data: bytes) -> None:
        self._socket.sendall(len(data).to_bytes(2, "big") + data)

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size and (more := self._socket.recv(size - len(data))):
            data += more
        return data


class CardService:
    """pcscd, which may be stopped and started; `port` is where cards of its virtual reader connect."""

    def __init__(self, folder: Path) -> None:
        self._config = folder / "reader.conf"
        self._log = folder / "pcscd.log"
        self._process: subprocess.Popen[bytes] | None = None
        self.port = _free_port()
        self._config.write_text(
            f'FRIENDLYNAME "Virtual PCD"\nDEVICENAME /dev/null:{self.port:#x}\nLIBPATH {DRIVER}\nCHANNELID {self.port:#x}\n'
        )

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                ["pcscd", "--foreground", "--config", str(self._config)], stdout=log, stderr=log
            )
        assert eventually(self._listens), self._log.read_text()

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)
            self._process = None

    def lay(self, answer: Answer, atr: bytes = MEMORY_ATR, *, stalls: bool = False) -> Card:
        return Card(self.port, atr, answer, stalls=stalls)

    def _listens(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self._log.read_text()
        probe = socket.socket()
        with contextlib.closing(probe):
            # Binding fails as soon as the reader listens; connecting would be a card.
            try:
                probe.bind(("0.0.0.0", self.port))
            except OSError:
                return Path("/run/pcscd/pcscd.comm").exists()
        return False


@contextlib.contextmanager
def card_service() -> Iterator[CardService]:
    """The machine has one pcscd at a time: whoever comes second waits for the first."""
    with Path("/tmp/marquee-pcscd.lock").open("w") as lock, tempfile.TemporaryDirectory() as folder:
        until = time.monotonic() + 60
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                assert time.monotonic() < until, "another test keeps pcscd"
                time.sleep(0.1)
        service = CardService(Path(folder))
        service.start()
        try:
            yield service
        finally:
            service.stop()


def _card_is_there() -> bool:
    """What pcscd itself knows, asked with the library alone."""
    scard: Any = library("smartcard.scard")
    code, context = scard.SCardEstablishContext(scard.SCARD_SCOPE_SYSTEM)
    assert code == scard.SCARD_S_SUCCESS
    try:
        readers = scard.SCardListReaders(context, [])[1]
        states = scard.SCardGetStatusChange(context, 0, [(readers[0], scard.SCARD_STATE_UNAWARE)])[1]
        return bool(states[0][1] & scard.SCARD_STATE_PRESENT)
    finally:
        scard.SCardReleaseContext(context)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
